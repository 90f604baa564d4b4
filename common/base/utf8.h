/* SPDX-License-Identifier: BSD-2-Clause */
/* utf8: is this the beginning of a well-formed character (RFC 3629: no overlong forms, no
 * surrogates)? */
#pragma once

#include <stddef.h>

/* The length in bytes of the character at s, of which len bytes may be read; 0 when it is none. len
 * 0: 0. */
size_t utf8_len(const char *s, size_t len);
