/* SPDX-License-Identifier: BSD-2-Clause */
/* utf8: characters and their bytes (RFC 3629: no overlong forms, no surrogates). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;

/* The length in bytes of the character at s, of which len bytes may be read; 0 when it is none. len
 * 0: 0. */
size_t utf8_len(const char *s, size_t len);

/* The same, and the character itself. */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret);

/* Appends a character. One that cannot be written is written as U+FFFD. */
void utf8_add(struct buf *out, uint32_t c);

/*
 * How many columns of a terminal a character takes: 0 (it combines with the one before it, or is
 * not shown), 1 or 2 (East Asian wide and full-width characters, pictographs).
 */
unsigned utf8_width(uint32_t c);

/* The columns of a whole text; a byte that is no character counts as one. */
size_t utf8_columns(const char *s);
