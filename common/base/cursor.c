/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/cursor.h"

#include <string.h>

static const uint8_t *take(struct cursor *c, size_t len)
{
	const uint8_t *at = c->at;

	if (cursor_left(c) < len)
		return NULL;
	c->at += len;
	return at;
}

bool cursor_u8(struct cursor *c, uint8_t *ret)
{
	const uint8_t *p = take(c, 1);

	if (!p)
		return false;
	*ret = p[0];
	return true;
}

bool cursor_be16(struct cursor *c, uint16_t *ret)
{
	const uint8_t *p = take(c, 2);

	if (!p)
		return false;
	*ret = (uint16_t)(p[0] << 8 | p[1]);
	return true;
}

bool cursor_be32(struct cursor *c, uint32_t *ret)
{
	const uint8_t *p = take(c, 4);

	if (!p)
		return false;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return true;
}

bool cursor_bytes(struct cursor *c, void *out, size_t len)
{
	const uint8_t *p = take(c, len);

	if (!p)
		return false;
	if (len)
		memcpy(out, p, len);
	return true;
}

bool cursor_skip(struct cursor *c, size_t len)
{
	return take(c, len) != NULL;
}

bool cursor_sub(struct cursor *c, size_t len, struct cursor *ret_sub)
{
	const uint8_t *p = take(c, len);

	if (!p)
		return false;
	*ret_sub = cursor_of(p, len);
	return true;
}
