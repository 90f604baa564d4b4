/* SPDX-License-Identifier: BSD-2-Clause */
/* buf: bytes that grow at the end; also a string builder (always NUL-terminated behind len). */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* NULL while nothing was added */
	size_t len, cap;
};

void buf_done(struct buf *b);                /* frees; b is empty again. A CLEANUP() function */
void buf_clear(struct buf *b);               /* keeps the memory */
void *buf_extend(struct buf *b, size_t len); /* room for len more; the caller fills it */
void buf_add(struct buf *b, const void *p, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_byte(struct buf *b, uint8_t v);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t len); /* drops len bytes at the front */
const char *buf_cstr(struct buf *b);         /* "" when empty; valid until the next change */
char *buf_take(struct buf *b);               /* the string, now the caller's; b is empty */
