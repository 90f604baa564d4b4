/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/visible.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define SHOWN_MAX 120

/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: they turn the direction of what follows, and
 * what is shown is not what is there. */
static bool turns_writing(const char *s)
{
	unsigned char b = (unsigned char)s[1], c = b ? (unsigned char)s[2] : 0;

	return (b == 0x80 && (c == 0x8e || c == 0x8f || (c >= 0xaa && c <= 0xae))) ||
	       (b == 0x81 && c >= 0xa6 && c <= 0xa9);
}

/* Appends one character's worth from s; returns how many bytes that were. */
static size_t add_one(struct buf *out, const char *s)
{
	unsigned char c = (unsigned char)*s, next = c ? (unsigned char)s[1] : 0;

	if (c == '\n') {
		buf_str(out, "\\n");
	} else if (c == '\t') {
		buf_str(out, "\\t");
	} else if (c < 0x20 || c == 0x7f) {
		buf_printf(out, "\\x%02x", c);
	} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* U+0080 to U+009F: C1 controls */
		buf_printf(out, "\\x%02x", next);
		return 2;
	} else if (c == 0xe2 && turns_writing(s)) {
		buf_printf(
		        out, "\\u20%02x",
		        (unsigned)(((unsigned char)s[1] & 1) << 6 | ((unsigned char)s[2] & 0x3f)));
		return 3;
	} else {
		buf_byte(out, c);
	}
	return 1;
}

void visible_add(struct buf *out, const char *s, bool lines)
{
	while (*s) {
		if (lines && *s == '\n')
			buf_byte(out, (uint8_t)*s++);
		else
			s += add_one(out, s);
	}
}

const char *visible(const char *s)
{
	static char ring[4][SHOWN_MAX * 4 + 4];
	static unsigned turn;
	CLEANUP(buf_done) struct buf out = { 0 };
	char *slot = ring[turn++ % ARRAY_SIZE(ring)];
	const char *end = s + strnlen(s, SHOWN_MAX);

	/* not in the middle of a character */
	for (int i = 0; i < 3 && end > s && ((unsigned char)*end & 0xc0) == 0x80; i++)
		end--;
	while (s < end)
		s += add_one(&out, s);
	snprintf(slot, sizeof(ring[0]), "%s%s", buf_cstr(&out), *end ? "..." : "");
	return slot;
}
