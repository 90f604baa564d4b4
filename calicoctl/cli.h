/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli: from the command line to a command and its options.
 *
 * The table of commands says all of it: what a command is called, which flags it has and where in
 * struct options each goes, what it takes besides. The parser, --help, the completions of the
 * shells and the man page are four readers of the same rows.
 */
#pragma once

#include "calicoctl/calicoctl.h"
#include "common/base/buf.h"

struct err;

enum cli_type {
	CLI_BOOL,
	CLI_TEXT,
	CLI_INT,
	CLI_LIST,     /* a text that may be given several times */
	CLI_SELECTOR, /* a text; with -l, the name of a log level is one */
	CLI_HELP,
};

/* Rows of one list have names of their own; where two commands have the same name or letter, both
 * take a value or neither does. */
struct cli_flag {
	const char *name; /* ends the list when NULL */
	char letter;      /* 0: none */
	enum cli_type type;
	size_t at;           /* offset in struct options */
	const char *value;   /* what stands for it in help; NULL: none is taken */
	const char *initial; /* what it is when it is not given; NULL: nothing */
	/* What completes its value: words between blanks, or one of @file, @dir, @namespace,
	 * @output,
	 * @none */
	const char *words;
	const char *help; /* one line; NULL: not shown */
};

#define CLI_FLAG_LISTS 6

struct cli_command {
	const char *name;                             /* "node status"; ends the table when NULL */
	const char *args;                             /* "[KIND [NAME...]]" */
	const char *summary;                          /* one line */
	const char *help;                             /* more, for --help; may be NULL */
	const struct cli_flag *flags[CLI_FLAG_LISTS]; /* besides those that every command has */
	size_t min_args, max_args;                    /* SIZE_MAX: any number */
	/* What completes its arguments: for each, words or @kind, @name, @file, @field; '|' between
	 * them, and the last one goes on. NULL: nothing. */
	const char *words;
	command_fn *run; /* NULL: a group: the commands whose names begin with its own */
};

extern const struct cli_flag cli_global_flags[];

/*
 * Finds the command and fills o, whose arrays are the caller's to free with cli_done(), whatever
 * comes back. *ret NULL: no command was named. *ret_help: --help was given, or a group was named.
 * -EINVAL with a sentence.
 */
int cli_parse(const struct cli_command *commands, int argc, char **argv, struct options *o,
              const struct cli_command **ret, bool *ret_help, struct err *err);
void cli_done(struct options *o);

/* --help, of one command, a group or (NULL) of the program. */
void cli_help(const struct cli_command *commands, const struct cli_command *c, struct buf *out);

/* The command whose name these words begin with, the longest; NULL: none. */
const struct cli_command *cli_find(const struct cli_command *commands, char *const *words, size_t n,
                                   size_t *ret_words);

/* Whether c is directly in group (NULL: in the program). */
bool cli_in_group(const struct cli_command *c, const struct cli_command *group);

/* The next flag of a command (NULL: of every command): *at begins as 0. NULL: that was all. */
const struct cli_flag *cli_next_flag(const struct cli_command *c, size_t *at);

/* Whether a text is the name of a log level. */
bool cli_is_log_level(const char *s);
