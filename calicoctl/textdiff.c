/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The longest common subsequence of lines, by the table that every book has; what is the same at
 * the beginning and at the end is put aside first, so that the table is small for the usual change
 * in the middle of a long text.
 */
#include "calicoctl/textdiff.h"

#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"

#define CONTEXT 3
#define CELLS_MAX (8u << 20) /* of the table, four bytes each */

struct line {
	const char *text;
	size_t len;
};

struct lines {
	struct line *items;
	size_t n;
	bool open; /* the last one has no newline */
};

/* One line of the result: ' ', '-' or '+'. */
struct step {
	char sign;
	size_t a, b; /* how many lines of each text come before it */
	const struct line *line;
	bool open;
};

struct steps {
	struct step *items;
	size_t n;
};

static struct lines cut(const char *text)
{
	struct lines l = { 0 };

	while (*text) {
		size_t len = strcspn(text, "\n");

		if ((l.n & (l.n - 1)) == 0)
			l.items = xrealloc(l.items, (l.n ? l.n * 2 : 1) * sizeof(*l.items));
		l.items[l.n++] = (struct line){ text, len };
		l.open = !text[len];
		text += len + !l.open;
	}
	return l;
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
	const struct line *x = &a->items[i], *y = &b->items[k];

	if ((a->open && i == a->n - 1) != (b->open && k == b->n - 1))
		return false;
	return x->len == y->len && memcmp(x->text, y->text, x->len) == 0;
}

static void add(struct steps *s, char sign, const struct lines *of, size_t i, size_t a, size_t b)
{
	s->items[s->n++] = (struct step){ sign, a, b, &of->items[i], of->open && i == of->n - 1 };
}

/* The middle: lines a0 to a1 of a, b0 to b1 of b. */
static void middle(const struct lines *a, size_t a0, size_t a1, const struct lines *b, size_t b0,
                   size_t b1, struct steps *s)
{
	size_t n = a1 - a0, m = b1 - b0, i = 0, k = 0;
	uint32_t *common = NULL; /* at (i, k): of what is left of both */

	if ((n + 1) * (m + 1) <= CELLS_MAX) {
		common = xcalloc((n + 1) * (m + 1), sizeof(*common));
		for (size_t x = n; x-- > 0;)
			for (size_t y = m; y-- > 0;) {
				uint32_t *at = &common[x * (m + 1) + y], down = at[m + 1],
				         right = at[1];

				if (same(a, a0 + x, b, b0 + y))
					*at = at[m + 2] + 1;
				else
					*at = down > right ? down : right;
			}
	}
	while (i < n || k < m) {
		const uint32_t *at = common ? &common[i * (m + 1) + k] : NULL;

		if (at && i < n && k < m && same(a, a0 + i, b, b0 + k)) {
			add(s, ' ', a, a0 + i, a0 + i, b0 + k);
			i++;
			k++;
		} else if (i < n && (!at || k == m || at[m + 1] >= at[1])) {
			add(s, '-', a, a0 + i, a0 + i, b0 + k);
			i++;
		} else {
			add(s, '+', b, b0 + k, a0 + i, b0 + k);
			k++;
		}
	}
	free(common);
}

static struct steps compare(const struct lines *a, const struct lines *b)
{
	struct steps s = { .items = xcalloc(a->n + b->n + 1, sizeof(*s.items)) };
	size_t head = 0, tail = 0;

	while (head < a->n && head < b->n && same(a, head, b, head))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	       same(a, a->n - 1 - tail, b, b->n - 1 - tail))
		tail++;
	for (size_t i = 0; i < head; i++)
		add(&s, ' ', a, i, i, i);
	middle(a, head, a->n - tail, b, head, b->n - tail, &s);
	for (size_t i = 0; i < tail; i++)
		add(&s, ' ', a, a->n - tail + i, a->n - tail + i, b->n - tail + i);
	return s;
}

/* ---- hunks */

/* "3,5", "3" for one line, "2,0" for none, behind line 2 */
static void range(size_t before, size_t n, struct buf *out)
{
	buf_printf(out, "%zu", n ? before + 1 : before);
	if (n != 1)
		buf_printf(out, ",%zu", n);
}

static void put_colored(const char *code, bool color, const char *text, size_t len, struct buf *out)
{
	if (color)
		buf_str(out, code);
	buf_add(out, text, len);
	if (color)
		buf_str(out, "\x1b[0m");
	buf_byte(out, '\n');
}

static void hunk(const struct step *s, size_t n, bool color, struct buf *out)
{
	CLEANUP(buf_done) struct buf head = { 0 };
	size_t a = 0, b = 0;

	for (size_t i = 0; i < n; i++) {
		a += s[i].sign != '+';
		b += s[i].sign != '-';
	}
	buf_str(&head, "@@ -");
	range(s[0].a, a, &head);
	buf_str(&head, " +");
	range(s[0].b, b, &head);
	buf_str(&head, " @@");
	put_colored("\x1b[36m", color, buf_cstr(&head), head.len, out);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf line = { 0 };

		buf_byte(&line, (uint8_t)s[i].sign);
		buf_add(&line, s[i].line->text, s[i].line->len);
		put_colored(s[i].sign == '-' ? "\x1b[31m" : "\x1b[32m", color && s[i].sign != ' ',
		            buf_cstr(&line), line.len, out);
		if (s[i].open)
			buf_str(out, "\\ No newline at end of file\n");
	}
}

/* The end of the hunk that begins with the change at i: as long as changes are near. */
static size_t hunk_end(const struct steps *s, size_t i)
{
	size_t last = i;

	for (; i < s->n && i <= last + 2 * CONTEXT + 1; i++)
		if (s->items[i].sign != ' ')
			last = i;
	return last + 1 + CONTEXT < s->n ? last + 1 + CONTEXT : s->n;
}

bool textdiff(const char *a, const char *b, const char *a_name, const char *b_name, bool color,
              struct buf *out)
{
	struct lines from = cut(a), to = cut(b);
	struct steps s = compare(&from, &to);
	bool differ = false;

	for (size_t i = 0; i < s.n; i++) {
		size_t begin, end;

		if (s.items[i].sign == ' ')
			continue;
		if (!differ) {
			CLEANUP(buf_done) struct buf head = { 0 };

			buf_printf(&head, "--- %s\n+++ %s", a_name, b_name);
			put_colored("\x1b[1m", color, buf_cstr(&head), head.len, out);
		}
		differ = true;
		begin = i > CONTEXT ? i - CONTEXT : 0;
		end = hunk_end(&s, i);
		hunk(&s.items[begin], end - begin, color, out);
		i = end - 1;
	}
	free(s.items);
	free(from.items);
	free(to.items);
	return differ;
}
