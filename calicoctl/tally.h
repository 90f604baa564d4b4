/* SPDX-License-Identifier: BSD-2-Clause */
/* tally: how many resources a command was asked to handle, how many it did, what went wrong, and
 * the words for that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calicoctl/manifest.h"
#include "common/model/kind.h"

struct tally {
	const char *verb, *past; /* "apply", "applied" */
	size_t total, handled;
	const struct kind_info *kind; /* of all of them; NULL: they differ, or are unknown */
	char **errors;
	size_t n_errors;
};

/* Counts the items of a manifest, and takes up the errors that it already has. */
void tally_begin(struct tally *t, const char *verb, const char *past, const struct manifest *m);
void tally_error(struct tally *t, const char *text); /* copied */

/* Prints what became of it. Returns the exit status. */
int tally_end(struct tally *t);
