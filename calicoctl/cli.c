/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/cli.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define GLOBAL_FLAGS (FLAG_HELP | FLAG_LOG_LEVEL | FLAG_ALLOW_MISMATCH | FLAG_RUN_DIR)
#define WORDS_MAX 3 /* of a command's name */

struct flag {
	enum cli_flag bit;
	char letter; /* 0: none */
	const char *name;
	const char *value; /* what stands for it in help; NULL: none is taken */
	const char *help;
};

/* clang-format off */
static const struct flag flags[] = {
	{ FLAG_FILENAME,        'f', "filename",               "FILE",
	  "File with resources, directory of such, or '-' for standard input; may be repeated" },
	{ FLAG_RECURSIVE,       'R', "recursive",              NULL,     "Process directories within the directory given with -f, too" },
	{ FLAG_SKIP_EMPTY,      0,   "skip-empty",             NULL,     "Files and directories without resources are no error" },
	{ FLAG_SKIP_EXISTS,     0,   "skip-exists",            NULL,     "Resources that exist already are no error" },
	{ FLAG_SKIP_NOT_EXISTS, 's', "skip-not-exists",        NULL,     "Resources that do not exist are no error" },
	{ FLAG_OUTPUT,          'o', "output",                 "FORMAT", "ps (the default), wide, yaml, json, name or custom-columns=A,B" },
	{ FLAG_NAMESPACE,       'n', "namespace",              "NS",     "Namespace of the resources (default: default)" },
	{ FLAG_ALL_NAMESPACES,  'A', "all-namespaces",         NULL,     "Resources of all namespaces" },
	{ FLAG_ALL_NAMESPACES,  'a', NULL,                     NULL,     NULL },
	{ FLAG_EXPORT,          0,   "export",                 NULL,     "Without what belongs to this cluster alone (with a name)" },
	{ FLAG_CLIENT,          0,   "client",                 NULL,     "The client's version only: no datastore is asked" },
	{ FLAG_CONFIG,          'c', "config",                 "FILE",   "Configuration of the datastore (default: /etc/calico/calicoctl.cfg)" },
	{ FLAG_DATASTORE,       0,   "datastore",              "FILE",   "Use this embedded datastore directly, instead of typhad" },
	{ FLAG_RUN_DIR,         0,   "run-dir",                "DIR",    "Directory of the daemons' sockets (default: CALICO_RUN_DIR or /run/calico)" },
	{ FLAG_ALLOW_MISMATCH,  0,   "allow-version-mismatch", NULL,     "Go on when client and cluster have different versions" },
	{ FLAG_LOG_LEVEL,       'l', "log-level",              "LEVEL",  "panic (the default), fatal, error, warn, info or debug" },
	{ FLAG_HELP,            'h', "help",                   NULL,     "Show this help" },
};
/* clang-format on */

static void set_flag(struct options *o, enum cli_flag bit, const char *value, bool on, bool *help)
{
	switch (bit) {
	case FLAG_HELP:
		*help = on;
		break;
	case FLAG_LOG_LEVEL:
		o->log_level = value;
		break;
	case FLAG_ALLOW_MISMATCH:
		o->allow_mismatch = on;
		break;
	case FLAG_RUN_DIR:
		o->run_dir = value;
		break;
	case FLAG_CONFIG:
		o->config = value;
		break;
	case FLAG_DATASTORE:
		o->datastore = value;
		break;
	case FLAG_FILENAME:
		o->files[o->n_files++] = value;
		break;
	case FLAG_RECURSIVE:
		o->recursive = on;
		break;
	case FLAG_SKIP_EMPTY:
		o->skip_empty = on;
		break;
	case FLAG_NAMESPACE:
		o->ns = *value ? value : NULL;
		break;
	case FLAG_OUTPUT:
		o->output = value;
		break;
	case FLAG_ALL_NAMESPACES:
		o->all_namespaces = on;
		break;
	case FLAG_EXPORT:
		o->export = on;
		break;
	case FLAG_SKIP_EXISTS:
		o->skip_exists = on;
		break;
	case FLAG_SKIP_NOT_EXISTS:
		o->skip_not_exists = on;
		break;
	case FLAG_CLIENT:
		o->client_only = on;
		break;
	}
}

/* A command line on its way. */
struct parse {
	struct options *o;
	char **argv;
	int argc, at;
	unsigned seen; /* flags */
	bool help;
	struct err *err;
};

/* "--name", "--name=value", "--name value" */
static int parse_long(struct parse *p, const char *arg)
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct flag *f = &flags[i];
		bool on = true;

		if (!f->name || strlen(f->name) != len || memcmp(f->name, arg, len) != 0)
			continue;
		if (f->value && !value) {
			if (p->at + 1 >= p->argc)
				return err_set(p->err, -EINVAL, "flag needs an argument: --%s",
				               f->name);
			value = p->argv[++p->at];
		} else if (!f->value && value) {
			on = strcmp(value, "true") == 0;
			if (!on && strcmp(value, "false") != 0)
				return err_set(p->err, -EINVAL,
				               "invalid argument \"%s\" for \"--%s\" flag",
				               visible(value), f->name);
		}
		p->seen |= f->bit;
		set_flag(p->o, f->bit, value, on, &p->help);
		return 0;
	}
	return err_set(p->err, -EINVAL, "unknown flag: --%.*s", (int)len, visible(arg));
}

/* "-R", "-Rf FILE", "-fFILE", "-f=FILE" */
static int parse_short(struct parse *p, const char *arg)
{
	for (const char *c = arg; *c; c++) {
		const struct flag *f = flags, *end = flags + ARRAY_SIZE(flags);
		const char *value = NULL;

		while (f < end && f->letter != *c)
			f++;
		if (f == end)
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
		p->seen |= f->bit;
		set_flag(p->o, f->bit, value, true, &p->help);
		if (f->value)
			return 0;
	}
	return 0;
}

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

static const struct cli_command *find(const struct cli_command *commands, const struct options *o,
                                      size_t *ret_words)
{
	for (const struct cli_command *c = commands; c->name; c++) {
		*ret_words = names(c, o->args, o->n_args);
		if (*ret_words)
			return c;
	}
	return NULL;
}

static int choose(const struct cli_command *commands, struct parse *p,
                  const struct cli_command **ret)
{
	struct options *o = p->o;
	const struct cli_command *c;
	size_t n;

	if (o->n_args == 0)
		return 0;
	c = *ret = find(commands, o, &n);
	if (c) {
		o->n_args -= n;
		memmove(o->args, o->args + n, o->n_args * sizeof(*o->args));
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			if ((p->seen & flags[i].bit & ~(c->flags | GLOBAL_FLAGS)) && flags[i].name)
				return err_set(p->err, -EINVAL, "unknown flag: --%s",
				               flags[i].name);
		if (o->n_args > c->max_args && !p->help)
			return err_set(p->err, -EINVAL, "unexpected argument '%s'",
			               visible(o->args[c->max_args]));
		return 0;
	}
	if (strcmp(o->args[0], "node") == 0 && o->n_args == 1)
		return err_set(p->err, -EINVAL, "node: a command is missing: status");
	return err_set(p->err, -EINVAL, "unknown command \"%s%s%s\" for \"calicoctl\"",
	               visible(o->args[0]), strcmp(o->args[0], "node") == 0 ? " " : "",
	               strcmp(o->args[0], "node") == 0 ? visible(o->args[1]) : "");
}

int cli_parse(const struct cli_command *commands, int argc, char **argv, struct options *o,
              const struct cli_command **ret, bool *ret_help, struct err *err)
{
	struct parse p = { .o = o, .argv = argv, .argc = argc, .at = 1, .err = err };
	int rc = 0;

	*ret = NULL;
	*o = (struct options){ 0 };
	o->files = xcalloc((size_t)argc * 2 + 1, sizeof(*o->files));
	o->args = xcalloc((size_t)argc + 1, sizeof(*o->args));
	for (; p.at < argc && rc == 0; p.at++) {
		char *arg = argv[p.at];

		if (strcmp(arg, "--") == 0) {
			while (++p.at < argc)
				o->args[o->n_args++] = argv[p.at];
		} else if (strncmp(arg, "--", 2) == 0) {
			rc = parse_long(&p, arg + 2);
		} else if (arg[0] == '-' && arg[1]) {
			rc = parse_short(&p, arg + 1);
		} else {
			o->args[o->n_args++] = arg;
		}
	}
	if (o->n_args && strcmp(o->args[0], "help") == 0) { /* "help get": get --help */
		memmove(o->args, o->args + 1, --o->n_args * sizeof(*o->args));
		p.help = true;
	}
	if (rc == 0) {
		rc = choose(commands, &p, ret);
	} else {
		size_t words;

		*ret = find(commands, o, &words); /* for the hint where to read on */
	}
	*ret_help = p.help;
	return rc;
}

void cli_done(struct options *o)
{
	free(o->files);
	free(o->args);
	*o = (struct options){ 0 };
}

/* ---- help */

static void help_flags(unsigned which)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct flag *f = &flags[i];
		char left[64], letter[8] = "    ";

		if (!f->name || !(f->bit & which))
			continue;
		if (f->letter)
			snprintf(letter, sizeof(letter), "-%c, ", f->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, f->name, f->value ? " " : "",
		         f->value ? f->value : "");
		printf("  %-30s %s\n", left, f->help);
	}
}

void cli_help(const struct cli_command *commands, const struct cli_command *c)
{
	if (c) {
		printf("%s\n\nUsage:\n  calicoctl %s%s%s [flags]\n", c->summary, c->name,
		       *c->args ? " " : "", c->args);
		if (c->help)
			printf("\n%s", c->help);
		if (c->flags) {
			puts("\nFlags:");
			help_flags(c->flags);
		}
	} else {
		puts("The calicoctl command line tool shows and edits the resources of a cluster's "
		     "network, and "
		     "looks into the daemons that carry it.\n\n"
		     "Usage:\n  calicoctl COMMAND [flags]\n\nCommands:");
		for (c = commands; c->name; c++)
			printf("  %-12s %s\n", c->name, c->summary);
	}
	puts("\nGlobal flags:");
	help_flags(GLOBAL_FLAGS);
	if (!c || !c->name)
		puts("\nSee 'calicoctl COMMAND --help' for one command, and calicoctl(1).");
}
