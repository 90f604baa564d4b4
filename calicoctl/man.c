/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the man page that the table of commands knows: "synopsis" and "flags", in mdoc(7).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/commands.h"
#include "common/base/mem.h"

/* A line of text; what mdoc would take for its own is hidden from it. */
static void put_text(const char *s, struct buf *out)
{
	bool begin = true;

	for (; *s; s++) {
		if (begin && (*s == '.' || *s == '\''))
			buf_str(out, "\\&");
		begin = *s == '\n';
		if (*s == '\\')
			buf_str(out, "\\e");
		else if (*s == '-')
			buf_str(out, "\\-");
		else
			buf_byte(out, (uint8_t)*s);
	}
	buf_byte(out, '\n');
}

/* An argument of a macro: one word, whatever is in it. */
static void put_quoted(const char *s, struct buf *out)
{
	buf_byte(out, '"');
	for (; *s; s++)
		if (*s == '"')
			buf_str(out, "\\(dq");
		else
			buf_byte(out, (uint8_t)*s);
	buf_byte(out, '"');
}

static void put_flags(const struct cli_command *c, struct buf *out)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(c, &at));) {
		if (!f->help)
			continue;
		buf_str(out, ".It ");
		if (f->letter)
			buf_printf(out, "Fl %c , ", f->letter);
		buf_printf(out, "Fl \\-%s", f->name);
		if (f->value) {
			buf_str(out, " Ar ");
			put_quoted(f->value, out);
		}
		buf_byte(out, '\n');
		put_text(f->help, out);
		if (f->initial) {
			out->len--;
			buf_str(out, "; by default\n.Cm ");
			put_quoted(f->initial, out);
			buf_byte(out, '\n');
		}
	}
}

static void synopsis(struct buf *out)
{
	for (const struct cli_command *c = commands; c->name; c++) {
		size_t at = 0;

		if (!c->run || !c->summary)
			continue;
		buf_printf(out, ".Nm\n.Cm %s\n", c->name);
		if (*c->args) {
			buf_str(out, ".No ");
			put_quoted(c->args, out);
			buf_byte(out, '\n');
		}
		if (cli_next_flag(c, &at))
			buf_str(out, ".Op Ar flags\n");
	}
}

static void flags(struct buf *out)
{
	for (const struct cli_command *c = commands; c->name; c++) {
		size_t at = 0;

		if (!c->run || !c->summary)
			continue;
		buf_printf(out, ".Ss %s\n", c->name);
		put_text(c->summary, out);
		if (!cli_next_flag(c, &at))
			continue;
		buf_str(out, ".Bl -tag -width Ds\n");
		put_flags(c, out);
		buf_str(out, ".El\n");
	}
	buf_str(out, ".Ss Flags of every command\n.Bl -tag -width Ds\n");
	put_flags(NULL, out);
	buf_str(out, ".El\n");
}

/* Whether a flag agrees with all others of its name or letter in whether a value follows: the
 * parser counts on that where it does not know the command yet. */
static bool agrees(const struct cli_flag *f)
{
	for (const struct cli_command *c = commands; c->name; c++) {
		const struct cli_flag *g;

		for (size_t at = 0; (g = cli_next_flag(c, &at));)
			if ((strcmp(f->name, g->name) == 0 ||
			     (f->letter && f->letter == g->letter)) &&
			    !f->value != !g->value)
				return false;
	}
	return true;
}

/* The build fails by this, when the table is wrong. */
static void check_table(void)
{
	const struct cli_flag *f;

	for (const struct cli_command *c = commands; c->name; c++)
		for (size_t at = 0; (f = cli_next_flag(c, &at));)
			assert(agrees(f));
	for (size_t at = 0; (f = cli_next_flag(NULL, &at));)
		assert(agrees(f));
}

int cmd_man(const struct options *o)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	check_table();

	if (strcmp(o->args[0], "synopsis") == 0)
		synopsis(&out);
	else
		flags(&out);
	fputs(buf_cstr(&out), stdout);
	return 0;
}
