/* SPDX-License-Identifier: BSD-2-Clause */
/* textdiff: two texts and what differs between them, line by line, as diff -u has it. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

/*
 * Appends the hunks that lead from a to b, three lines of context around each, under "--- a_name"
 * and "+++ b_name"; nothing when they are the same. Returns whether they differ. Texts that differ
 * in very many lines are shown as one change.
 */
bool textdiff(const char *a, const char *b, const char *a_name, const char *b_name, bool color,
              struct buf *out);
