/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * visible: text from outside, for a terminal: control characters are shown as \n, \t, \x1b or
 * \u202e, all else as it is. (common/base/log.h's str_vis() quotes for log lines; this is for
 * people.)
 */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

/* Appends the whole text; lines: newlines stay newlines. */
void visible_add(struct buf *out, const char *s, bool lines);

/* The first bytes of a text, for a message. Good for one call: there are four buffers in turn. */
const char *visible(const char *s);
