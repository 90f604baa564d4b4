/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define AT(member) offsetof(struct options, member)

/* clang-format off */
const struct cli_flag cli_global_flags[] = {
	{ "run-dir", 0, CLI_TEXT, AT(run_dir), "DIR", NULL, "@dir",
	  "Directory of the daemons' sockets (default: CALICO_RUN_DIR or /run/calico)" },
	{ "context", 0, CLI_TEXT, AT(context), "NAME", NULL, "@none", "Name of the kubeconfig's context to use" },
	{ "allow-version-mismatch", 0, CLI_BOOL, AT(allow_mismatch), NULL, NULL, NULL,
	  "Go on when client and cluster have different versions" },
	{ "log-level", 'l', CLI_TEXT, AT(log_level), "LEVEL", NULL, "panic fatal error warn info debug",
	  "panic (the default), fatal, error, warn, info or debug" },
	{ "help", 'h', CLI_HELP, 0, NULL, NULL, NULL, "Show this help" },
	{ 0 },
};
/* clang-format on */

static const char *const log_levels[] = { "panic", "fatal",   "error", "warn",
	                                  "info",  "warning", "debug", "trace" };

bool cli_is_log_level(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_levels); i++)
		if (strcasecmp(s, log_levels[i]) == 0)
			return true;
	return false;
}

const struct cli_flag *cli_next_flag(const struct cli_command *c, size_t *at)
{
	size_t i = 0;

	if (!c) {
		const struct cli_flag *f = &cli_global_flags[*at];

		*at += f->name != NULL;
		return f->name ? f : NULL;
	}
	for (size_t k = 0; k < CLI_FLAG_LISTS && c->flags[k]; k++)
		for (const struct cli_flag *f = c->flags[k]; f->name; f++)
			if (i++ == *at) {
				(*at)++;
				return f;
			}
	return NULL;
}

/* A command line on its way. */
struct parse {
	const struct cli_command *commands;
	const struct cli_command *command; /* NULL: not known yet */
	struct options *o;
	char **argv;
	int argc, at;
	bool help;
	struct err *err;
};

static bool flag_is(const struct cli_flag *f, const char *name, size_t len, char letter)
{
	return name ? strlen(f->name) == len && memcmp(f->name, name, len) == 0
	            : f->letter == letter;
}

static const struct cli_flag *flag_of(const struct cli_command *c, const char *name, size_t len,
                                      char letter)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(c, &at));)
		if (flag_is(f, name, len, letter))
			return f;
	return NULL;
}

/* By its name, or (name NULL) by its letter. Before the command is known, any command's will do:
 * they agree in whether a value follows. */
static const struct cli_flag *find_flag(const struct parse *p, const char *name, size_t len,
                                        char letter)
{
	const struct cli_flag *f = p->command ? flag_of(p->command, name, len, letter) : NULL;

	if (!f)
		f = flag_of(NULL, name, len, letter);
	for (const struct cli_command *c = p->commands; !f && !p->command && c->name; c++)
		f = flag_of(c, name, len, letter);
	return f;
}

static int set_int(struct parse *p, const struct cli_flag *f, const char *value, int *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(value, &end, 0);
	if (end == value || *end)
		return err_set(p->err, -EINVAL,
		               "invalid argument \"%s\" for \"--%s\" flag: not a whole number",
		               visible(value), f->name);
	if (errno || v < INT_MIN || v > INT_MAX)
		return err_set(p->err, -EINVAL,
		               "invalid argument \"%s\" for \"--%s\" flag: out of range",
		               visible(value), f->name);
	*ret = (int)v;
	return 0;
}

static int set_flag(struct parse *p, const struct cli_flag *f, bool by_letter, const char *value,
                    bool on)
{
	void *to = (char *)p->o + f->at;
	struct option_list *list = to;

	if (!p->command) /* the first look: only what is no flag matters */
		return 0;
	switch (f->type) {
	case CLI_HELP:
		p->help = on;
		break;
	case CLI_BOOL:
		*(bool *)to = on;
		break;
	case CLI_INT:
		return set_int(p, f, value, to);
	case CLI_LIST:
		if (!list->items)
			list->items = xcalloc((size_t)p->argc * 2, sizeof(*list->items));
		list->items[list->n++] = value;
		break;
	case CLI_SELECTOR:
		if (by_letter && cli_is_log_level(value)) {
			p->o->log_level = value;
			break;
		}
		*(const char **)to = value;
		break;
	case CLI_TEXT:
		*(const char **)to = value;
		break;
	}
	return 0;
}

/* "--name", "--name=value", "--name value" */
static int parse_long(struct parse *p, const char *arg)
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;
	const struct cli_flag *f = find_flag(p, arg, len, 0);
	bool on = true;

	if (!f)
		return err_set(p->err, -EINVAL, "unknown flag: --%.*s", (int)len, visible(arg));
	if (f->value && !value) {
		if (p->at + 1 >= p->argc)
			return err_set(p->err, -EINVAL, "flag needs an argument: --%s", f->name);
		value = p->argv[++p->at];
	} else if (!f->value && value) {
		on = strcmp(value, "true") == 0;
		if (!on && strcmp(value, "false") != 0)
			return err_set(p->err, -EINVAL, "invalid argument \"%s\" for \"--%s\" flag",
			               visible(value), f->name);
	}
	return set_flag(p, f, false, value, on);
}

/* "-R", "-Rf FILE", "-fFILE", "-f=FILE" */
static int parse_short(struct parse *p, const char *arg)
{
	for (const char *c = arg; *c; c++) {
		const struct cli_flag *f = find_flag(p, NULL, 0, *c);
		const char *value = NULL;
		int rc;

		if (!f)
			return err_set(p->err, -EINVAL, "unknown shorthand flag: '%.1s' in -%s",
			               visible(c), visible(arg));
		if (f->value) {
			value = c[1] == '=' ? c + 2 : c[1] ? c + 1 : NULL;
			if (!value && p->at + 1 >= p->argc)
				return err_set(p->err, -EINVAL,
				               "flag needs an argument: '%c' in -%s", *c,
				               visible(arg));
			if (!value)
				value = p->argv[++p->at];
		}
		rc = set_flag(p, f, true, value, true);
		if (rc || f->value)
			return rc;
	}
	return 0;
}

/* Goes through the command line once; what is no flag ends up in o->args. */
static int parse_all(struct parse *p)
{
	struct options *o = p->o;
	int rc = 0;

	o->n_args = 0;
	for (p->at = 1; p->at < p->argc && rc == 0; p->at++) {
		char *arg = p->argv[p->at];

		if (strcmp(arg, "--") == 0) {
			while (++p->at < p->argc)
				o->args[o->n_args++] = p->argv[p->at];
		} else if (strncmp(arg, "--", 2) == 0) {
			rc = parse_long(p, arg + 2);
		} else if (arg[0] == '-' && arg[1]) {
			rc = parse_short(p, arg + 1);
		} else {
			o->args[o->n_args++] = arg;
		}
	}
	return rc;
}

/* ---- commands */

/* How many of the words are the command's name; 0: not this command. */
static size_t names(const struct cli_command *c, char *const *words, size_t n)
{
	const char *name = c->name;
	size_t i = 0;

	for (; *name; i++) {
		size_t len = strcspn(name, " ");

		if (i == n || strlen(words[i]) != len || memcmp(words[i], name, len) != 0)
			return 0;
		name += len + (name[len] == ' ');
	}
	return i;
}

const struct cli_command *cli_find(const struct cli_command *commands, char *const *words, size_t n,
                                   size_t *ret_words)
{
	const struct cli_command *best = NULL;

	*ret_words = 0;
	for (const struct cli_command *c = commands; c->name; c++) {
		size_t k = names(c, words, n);

		if (k > *ret_words) {
			*ret_words = k;
			best = c;
		}
	}
	return best;
}

bool cli_in_group(const struct cli_command *c, const struct cli_command *group)
{
	const char *rest = c->name;

	if (group) {
		size_t len = strlen(group->name);

		if (strncmp(rest, group->name, len) != 0 || rest[len] != ' ')
			return false;
		rest += len + 1;
	}
	return !strchr(rest, ' ');
}

static int unknown_command(const struct parse *p, const struct cli_command *group)
{
	return err_set(p->err, -EINVAL, "unknown command \"%s\" for \"calicoctl%s%s\"",
	               visible(p->o->args[0]), group ? " " : "", group ? group->name : "");
}

static int check_args(const struct parse *p)
{
	const struct cli_command *c = p->command;
	const struct options *o = p->o;

	if (o->n_args > c->max_args && c->min_args < c->max_args)
		return err_set(p->err, -EINVAL, "unexpected argument '%s'",
		               visible(o->args[c->max_args]));
	if (c->min_args == c->max_args && o->n_args != c->min_args) {
		if (c->max_args == 0)
			return err_set(p->err, -EINVAL, "unexpected argument '%s'",
			               visible(o->args[0]));
		return err_set(p->err, -EINVAL, "accepts %zu arg(s), received %zu", c->min_args,
		               o->n_args);
	}
	if (o->n_args < c->min_args)
		return err_set(p->err, -EINVAL, "requires at least %zu arg(s), only received %zu",
		               c->min_args, o->n_args);
	return 0;
}

static void drop_args(struct options *o, size_t n)
{
	o->n_args -= n;
	memmove(o->args, o->args + n, o->n_args * sizeof(*o->args));
}

static void set_initial(struct parse *p)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(p->command, &at));)
		if (f->initial)
			(void)set_flag(p, f, false, f->initial, true);
}

static int parse(struct parse *p)
{
	/* What --help and flags that every command has are parsed for when no command is named. */
	static const struct cli_command none = { .name = "", .max_args = SIZE_MAX };
	struct options *o = p->o;
	const struct cli_command *c;
	size_t words, help;
	int first = parse_all(p), rc; /* an error shows again, when the command is known */

	help = o->n_args > 0 && strcmp(o->args[0], "help") == 0; /* "help get": get --help */
	c = cli_find(p->commands, o->args + help, o->n_args - help, &words);
	if (!c && o->n_args > help && first == 0) {
		drop_args(o, help);
		return unknown_command(p, NULL);
	}
	p->command = c ? c : &none;
	set_initial(p);
	rc = parse_all(p);
	p->command = c;
	p->help |= help;
	if (rc)
		return rc;
	drop_args(o, help + words);
	if (!c)
		return 0;
	if (!c->run) {
		if (o->n_args)
			return unknown_command(p, c);
		p->help = true;
	}
	return p->help ? 0 : check_args(p);
}

int cli_parse(const struct cli_command *commands, int argc, char **argv, struct options *o,
              const struct cli_command **ret, bool *ret_help, struct err *err)
{
	struct parse p = { .commands = commands, .o = o, .argv = argv, .argc = argc, .err = err };
	int rc;

	*o = (struct options){ 0 };
	o->args = xcalloc((size_t)argc + 1, sizeof(*o->args));
	rc = parse(&p);
	if (o->ns && !*o->ns)
		o->ns = NULL;
	*ret = p.command;
	*ret_help = p.help;
	return rc;
}

void cli_done(struct options *o)
{
	free(o->files.items);
	free(o->ipam.from_reports.items);
	free(o->args);
	*o = (struct options){ 0 };
}
