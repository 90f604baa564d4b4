/* SPDX-License-Identifier: BSD-2-Clause */
/* The selector of -l, in both languages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/select.h"
#include "common/base/err.h"
#include "common/base/mem.h"

static const char *canonical(const char *text)
{
	static char out[600];
	struct selector *s;
	struct err err;

	if (select_parse(text, &s, &err) != 0) {
		snprintf(out, sizeof(out), "error: %s", err.text);
	} else {
		snprintf(out, sizeof(out), "%s", selector_str(s));
		selector_unref(s);
	}
	return out;
}

static void both_languages(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "all()", "all()" },
		{ "a == 'b' && has(c)", "(a == \"b\" && has(c))" },
		{ "a=b", "a == \"b\"" },
		{ "a==b", "a == \"b\"" },
		{ "a = b , c != d", "(a == \"b\" && c != \"d\")" },
		{ "a", "has(a)" },
		{ "!a", "!has(a)" },
		{ "a,!b", "(has(a) && !has(b))" },
		{ "a in (x, y),b notin (z)", "(a in {\"x\", \"y\"} && b not in {\"z\"})" },
		{ "a=", "a == \"\"" },
		{ "a in ()", "a in {\"\"}" },
		{ "projectcalico.org/x=y-1_2.3", "projectcalico.org/x == \"y-1_2.3\"" },
		{ "inner=x", "inner == \"x\"" },
		{ "in in (in)", "in in {\"in\"}" },
	};
	static const char *const wrong[] = { "a=b,", ",", "a=b c", "a in x", "a in (x", "a='b'", "a=b||c", "a=b\\", "=", "!" };
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(canonical(cases[i].text), cases[i].want);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (strncmp(canonical(wrong[i]), "error: invalid selector '", 25) != 0)
			fail_msg("'%s' is '%s'", wrong[i], canonical(wrong[i]));
}

static void objects(void **state)
{
	static const char text[] = "{\"metadata\":{\"labels\":{\"a\":\"b\",\"c\":\"\"}}}";
	static const struct {
		const char *selector;
		bool labelled, bare; /* whether each of the two objects matches */
	} cases[] = {
		{ "a=b", true, false },      { "a!=b", false, true },
		{ "c=", true, false },       { "c", true, false },
		{ "!c", false, true },       { "all()", true, true },
		{ "a in (b)", true, false }, { "a notin (b)", false, true },
	};
	struct json *object, *bare = json_new(JSON_OBJECT);
	(void)state;

	assert_int_equal(json_parse(text, sizeof(text) - 1, &object, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct selector *s;
		struct err err;

		assert_int_equal(select_parse(cases[i].selector, &s, &err), 0);
		assert_int_equal(select_matches(s, object), cases[i].labelled);
		assert_int_equal(select_matches(s, bare), cases[i].bare);
		selector_unref(s);
	}
	json_free(object);
	json_free(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_languages),
		cmocka_unit_test(objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
