/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void *buf_extend(struct buf *b, size_t len)
{
	size_t need = b->len + len + 1; /* and a NUL behind */
	void *at;

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 64;

		while (cap < need)
			cap *= 2;
		b->data = xrealloc(b->data, cap);
		b->cap = cap;
	}
	at = b->data + b->len;
	b->len += len;
	b->data[b->len] = '\0';
	return at;
}

void buf_add(struct buf *b, const void *p, size_t len)
{
	if (len)
		memcpy(buf_extend(b, len), p, len);
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_byte(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void buf_be16(struct buf *b, uint16_t v)
{
	uint8_t bytes[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, bytes, sizeof(bytes));
}

void buf_be32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		             (uint8_t)v };

	buf_add(b, bytes, sizeof(bytes));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		char *at = buf_extend(b, (size_t)n);

		(void)vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	va_end(again);
}

void buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_clear(b);
		return;
	}
	if (len) {
		memmove(b->data, b->data + len, b->len - len + 1);
		b->len -= len;
	}
}

const char *buf_cstr(struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

char *buf_take(struct buf *b)
{
	char *s = b->data ? (char *)b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return s;
}
