/* SPDX-License-Identifier: BSD-2-Clause */
/* --help: of the program, of a group of commands, of one command. */
#include <stdio.h>
#include <string.h>

#include "calicoctl/cli.h"

#define LEFT_MIN 30 /* of the flags' help, columns that the flag itself has */

static void flag_head(const struct cli_flag *f, struct buf *out)
{
	if (f->letter)
		buf_printf(out, "-%c, ", f->letter);
	else
		buf_str(out, "    ");
	buf_printf(out, "--%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
}

static void flags_help(const struct cli_command *c, struct buf *out)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(c, &at));) {
		size_t begin;

		if (!f->help)
			continue;
		buf_str(out, "  ");
		begin = out->len;
		flag_head(f, out);
		if (out->len - begin > LEFT_MIN) {
			buf_byte(out, '\n');
			buf_printf(out, "  %*s", LEFT_MIN, "");
		} else {
			buf_printf(out, "%*s", (int)(LEFT_MIN - (out->len - begin)), "");
		}
		buf_printf(out, " %s", f->help);
		if (f->initial)
			buf_printf(out, " (default: %s)", f->initial);
		buf_byte(out, '\n');
	}
}

static const char *last_word(const char *name)
{
	const char *blank = strrchr(name, ' ');

	return blank ? blank + 1 : name;
}

static void commands_help(const struct cli_command *commands, const struct cli_command *group,
                          struct buf *out)
{
	int width = 0;

	for (const struct cli_command *c = commands; c->name; c++)
		if (cli_in_group(c, group) && (int)strlen(last_word(c->name)) > width)
			width = (int)strlen(last_word(c->name));
	buf_str(out, "\nCommands:\n");
	for (const struct cli_command *c = commands; c->name; c++)
		if (cli_in_group(c, group) && c->summary)
			buf_printf(out, "  %-*s  %s\n", width, last_word(c->name), c->summary);
}

void cli_help(const struct cli_command *commands, const struct cli_command *c, struct buf *out)
{
	size_t at = 0;

	if (c)
		buf_printf(out, "%s\n", c->summary ? c->summary : c->name);
	else
		buf_str(out, "The calicoctl command line tool shows and edits the resources of a "
		             "cluster's network, and\n"
		             "looks into the daemons that carry it.\n");
	buf_printf(out, "\nUsage:\n  calicoctl%s%s%s%s%s\n", c ? " " : "", c ? c->name : "",
	           c && *c->args ? " " : "", c ? c->args : "",
	           c && c->run ? " [flags]" : " COMMAND [flags]");
	if (c && c->help)
		buf_printf(out, "\n%s", c->help);
	if (!c || !c->run)
		commands_help(commands, c, out);
	if (c && cli_next_flag(c, &at)) {
		buf_str(out, "\nFlags:\n");
		flags_help(c, out);
	}
	buf_str(out, "\nGlobal flags:\n");
	flags_help(NULL, out);
	if (!c)
		buf_str(out,
		        "\nSee 'calicoctl COMMAND --help' for one command, and calicoctl(1).\n");
	else if (!c->run)
		buf_printf(out, "\nSee 'calicoctl %s COMMAND --help' for one command.\n", c->name);
}
