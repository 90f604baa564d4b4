/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/utf8.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#include "common/base/buf.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t c;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2, c = p[0] & 0x1fu;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3, c = p[0] & 0x0fu;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4, c = p[0] & 0x07u;
	else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
	    (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	*ret = c;
	return n;
}

size_t utf8_len(const char *s, size_t len)
{
	uint32_t c;

	return utf8_decode(s, len, &c);
}

void utf8_add(struct buf *out, uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		buf_byte(out, (uint8_t)c);
	} else if (c < 0x800) {
		buf_byte(out, (uint8_t)(0xc0 | c >> 6));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_byte(out, (uint8_t)(0xe0 | c >> 12));
		buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	} else {
		buf_byte(out, (uint8_t)(0xf0 | c >> 18));
		buf_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	}
}

/* The C library has Unicode's tables; which it uses is its locale's matter, not the user's. */
unsigned utf8_width(uint32_t c)
{
	static locale_t unicode;
	static bool tried;
	locale_t before;
	int width;

	if (c < 0x300)
		return 1;
	if (!tried) {
		tried = true;
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	}
	if (!unicode)
		return 1;
	before = uselocale(unicode);
	width = wcwidth((wchar_t)c);
	uselocale(before);
	return width < 0 ? 1 : (unsigned)width;
}

size_t utf8_columns(const char *s)
{
	size_t columns = 0, left = strlen(s);

	while (left) {
		uint32_t c;
		size_t n = utf8_decode(s, left, &c);

		columns += n ? utf8_width(c) : 1;
		n = n ? n : 1;
		s += n;
		left -= n;
	}
	return columns;
}
