/* SPDX-License-Identifier: BSD-2-Clause */
/* Unified diffs: by hand, and on texts made at random, which patch(1)'s rules must lead from one to
 * the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/textdiff.h"
#include "common/base/mem.h"

/* clang-format off */
static const struct {
	const char *a, *b, *want;
} cases[] = {
	{ "", "", "" },
	{ "a\nb\n", "a\nb\n", "" },
	{ "", "a\nb\n", "--- A\n+++ B\n@@ -0,0 +1,2 @@\n+a\n+b\n" },
	{ "a\nb\n", "", "--- A\n+++ B\n@@ -1,2 +0,0 @@\n-a\n-b\n" },
	{ "a\n", "b\n", "--- A\n+++ B\n@@ -1 +1 @@\n-a\n+b\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	  "--- A\n+++ B\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "x\n2\n3\n4\n5\n6\n7\n8\n9\ny\n",
	  "--- A\n+++ B\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-10\n+y\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
	  "--- A\n+++ B\n@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n" },
	{ "a\nb", "a\nb\n", "--- A\n+++ B\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n" },
	{ "a\nc\n", "a\nb\nc\n", "--- A\n+++ B\n@@ -1,2 +1,3 @@\n a\n+b\n c\n" },
};
/* clang-format on */

static void by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = { 0 };
		bool differ = textdiff(cases[i].a, cases[i].b, "A", "B", false, &out);

		assert_string_equal(buf_cstr(&out), cases[i].want);
		assert_int_equal(differ, strcmp(cases[i].a, cases[i].b) != 0);
		buf_done(&out);
	}
}

/* What the hunks of a diff make of a. */
static void apply(const char *a, const char *diff, struct buf *out)
{
	unsigned long line = 1;

	diff = strchr(strchr(diff, '\n') + 1, '\n') + 1;
	while (*diff) {
		size_t len = strcspn(diff, "\n");

		if (*diff == '@') {
			char *end;
			unsigned long from = strtoul(diff + 4, &end, 10);

			if (*end == ',' && end[1] == '0')
				from++;
			for (; line < from; line++) {
				size_t n = strcspn(a, "\n") + 1;

				buf_add(out, a, n);
				a += n;
			}
		} else {
			if (*diff != '-')
				buf_add(out, diff + 1, len);
			if (*diff != '+') {
				assert_memory_equal(a, diff + 1, len);
				a += strcspn(a, "\n") + 1;
				line++;
			}
		}
		diff += len + 1;
	}
	buf_str(out, a);
}

static void random_text(unsigned *seed, struct buf *out)
{
	unsigned n = (unsigned)rand_r(seed) % 30;

	buf_clear(out);
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%c\n", "abcdef"[rand_r(seed) % 6]);
}

static void at_random(void **state)
{
	struct buf a = { 0 }, b = { 0 }, diff = { 0 }, made = { 0 };
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		random_text(&seed, &a);
		random_text(&seed, &b);
		buf_clear(&diff);
		buf_clear(&made);
		if (!textdiff(buf_cstr(&a), buf_cstr(&b), "A", "B", false, &diff)) {
			assert_string_equal(buf_cstr(&a), buf_cstr(&b));
			continue;
		}
		apply(buf_cstr(&a), buf_cstr(&diff), &made);
		if (strcmp(buf_cstr(&made), buf_cstr(&b)) != 0)
			fail_msg("%s\nmakes\n%s\nnot\n%s", buf_cstr(&diff), buf_cstr(&made),
			         buf_cstr(&b));
	}
	buf_done(&a);
	buf_done(&b);
	buf_done(&diff);
	buf_done(&made);
}

/* Two long texts with nothing in common are one change, and soon told. */
static void very_different(void **state)
{
	struct buf a = { 0 }, b = { 0 }, out = { 0 };

	(void)state;
	for (int i = 0; i < 20000; i++) {
		buf_printf(&a, "a%d\n", i);
		buf_printf(&b, "b%d\n", i);
	}
	assert_true(textdiff(buf_cstr(&a), buf_cstr(&b), "A", "B", false, &out));
	assert_non_null(strstr(buf_cstr(&out), "@@ -1,20000 +1,20000 @@\n-a0\n-a1\n"));
	buf_done(&a);
	buf_done(&b);
	buf_done(&out);
}

static void colors(void **state)
{
	struct buf out = { 0 };

	(void)state;
	(void)textdiff("a\nb\n", "a\nc\n", "A", "B", true, &out);
	assert_string_equal(buf_cstr(&out),
	                    "\x1b[1m--- A\n+++ B\x1b[0m\n\x1b[36m@@ -1,2 +1,2 @@\x1b[0m\n a\n"
	                    "\x1b[31m-b\x1b[0m\n\x1b[32m+c\x1b[0m\n");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(at_random),
		cmocka_unit_test(very_different),
		cmocka_unit_test(colors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
