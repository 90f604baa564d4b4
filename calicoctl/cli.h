/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli: from the command line to a command and its options, by two tables: commands and flags.
 */
#pragma once

#include "calicoctl/calicoctl.h"

struct err;

/* One bit per flag, so that a command can say which it takes. */
enum cli_flag {
	FLAG_HELP = 1 << 0,
	FLAG_LOG_LEVEL = 1 << 1,
	FLAG_ALLOW_MISMATCH = 1 << 2,
	FLAG_RUN_DIR = 1 << 3,
	FLAG_CONFIG = 1 << 4,
	FLAG_DATASTORE = 1 << 5,
	FLAG_FILENAME = 1 << 6,
	FLAG_RECURSIVE = 1 << 7,
	FLAG_SKIP_EMPTY = 1 << 8,
	FLAG_NAMESPACE = 1 << 9,
	FLAG_OUTPUT = 1 << 10,
	FLAG_ALL_NAMESPACES = 1 << 11,
	FLAG_EXPORT = 1 << 12,
	FLAG_SKIP_EXISTS = 1 << 13,
	FLAG_SKIP_NOT_EXISTS = 1 << 14,
	FLAG_CLIENT = 1 << 15,
};

struct cli_command {
	const char *name;    /* "node status"; ends the table when NULL */
	const char *args;    /* "[KIND [NAME...]]" */
	const char *summary; /* one line */
	const char *help;    /* more, for --help; may be NULL */
	unsigned flags;      /* besides those that every command has */
	size_t max_args;     /* SIZE_MAX: any number */
	command_fn *run;
};

/*
 * Finds the command and fills o, whose arrays are the caller's to free. *ret NULL: no command was
 * named. *ret_help: --help was given. -EINVAL with a sentence.
 */
int cli_parse(const struct cli_command *commands, int argc, char **argv, struct options *o,
              const struct cli_command **ret, bool *ret_help, struct err *err);
void cli_done(struct options *o);

/* --help, of one command or (NULL) of the program. */
void cli_help(const struct cli_command *commands, const struct cli_command *c);
