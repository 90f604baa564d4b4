/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor: a view of bytes from outside that shrinks as it is read.
 *
 * Every read checks its bounds; a read that fails leaves the result and the cursor untouched. For a
 * length field, take a sub-cursor: what is inside cannot read past it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *at, *end; /* borrowed */
};

static inline struct cursor cursor_of(const void *p, size_t len)
{
	return (struct cursor){ p, (const uint8_t *)p + len };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

bool cursor_u8(struct cursor *c, uint8_t *ret);
bool cursor_be16(struct cursor *c, uint16_t *ret);
bool cursor_be32(struct cursor *c, uint32_t *ret);
bool cursor_bytes(struct cursor *c, void *out, size_t len);
bool cursor_skip(struct cursor *c, size_t len);
bool cursor_sub(struct cursor *c, size_t len, struct cursor *ret_sub);
