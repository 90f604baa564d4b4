/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complete: how a command line may go on. The shells' scripts (completion.c) ask, each time, with
 * the words before the cursor; the answer comes from the table of commands, and from the datastore
 * where it is names that are looked for.
 *
 * Pure but for what env does.
 */
#pragma once

#include "calicoctl/cli.h"

struct complete_env {
	/* Appends the names of a kind's objects, or (kind NULL) namespaces, to out, a line each. o
	 * is what is known of the command line. */
	void (*names)(void *arg, const struct options *o, const char *kind, struct buf *out);
	void *arg;
};

/*
 * Appends candidates, a line each: the word, and behind a tab a few words on it. A last line
 * ":file",
 * ":dir" says to complete names of files instead, ":nospace" that the word may go on.
 * words: all behind "calicoctl"; the last one is being written, and may be empty.
 */
void complete(const struct cli_command *commands, char *const *words, size_t n,
              const struct complete_env *env, struct buf *out);
