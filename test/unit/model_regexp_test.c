/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"

/* What Go's regexp.Compile() says of each. */
static void expressions_are_gos(void **state)
{
	static const struct {
		const char *text, *wrong; /* NULL: it is one */
	} cases[] = {
		{ "", NULL },
		{ "^((en|wl|ww|sl|ib)[Popsx].*|(eth|wlan|wwan|bond).*)", NULL },
		{ "a|", NULL },
		{ "()", NULL },
		{ "^*$+", NULL },
		{ "a*?b+?c??", NULL },
		{ "a{2}b{2,}c{2,5}?d{0,1000}", NULL },
		{ "a{,3}{x}{", NULL }, /* braces like any character */
		{ "[]a][^]a][a-][-a][a-b-c]", NULL },
		{ "[[:alpha:][:^digit:]\\d\\pL\\p{Greek}\\P{^Lu}]", NULL },
		{ "[[:]", NULL },
		{ "\\x41\\x{10FFFF}\\0\\123\\a\\n\\-\\.", NULL },
		{ "\\A\\b\\B\\z", NULL },
		{ "\\Qa*(\\E*\\Q[", NULL },
		{ "(?i)a(?s-U:b)(?P<n_1>c)(?<m>d)(?)", NULL },
		{ "\xc3\xa4*[\xc3\xa4-\xe2\x82\xac]", NULL },
		{ "(a{10}){100}", NULL },
		{ "(", "missing closing )" },
		{ "(?i", "invalid or unsupported Perl syntax" },
		{ ")", "unexpected )" },
		{ "a)b(", "unexpected )" },
		{ "[", "missing closing ]" },
		{ "[a", "missing closing ]" },
		{ "[]", "missing closing ]" },
		{ "[b-a]", "invalid character class range" },
		{ "[a-\\d]", "invalid character class range" },
		{ "[\\n-\\t]", "invalid character class range" },
		{ "[[:foo:]]", "invalid character class range" },
		{ "\\pQ", "invalid character class range" },
		{ "\\p{", "invalid character class range" },
		{ "*", "missing argument to repetition operator" },
		{ "(*)", "missing argument to repetition operator" },
		{ "a|+", "missing argument to repetition operator" },
		{ "(?i)?", "missing argument to repetition operator" },
		{ "\\Q\\E{2}", "missing argument to repetition operator" },
		{ "a**", "invalid nested repetition operator" },
		{ "a{2}{3}", "invalid nested repetition operator" },
		{ "a???", "invalid nested repetition operator" },
		{ "a{1001}", "invalid repeat count" },
		{ "a{2,1}", "invalid repeat count" },
		{ "(a{10}){101}", "invalid repeat count" },
		{ "\\", "trailing backslash at end of expression" },
		{ "\\1", "invalid escape sequence" },
		{ "\\8", "invalid escape sequence" },
		{ "\\C", "invalid escape sequence" },
		{ "\\Z", "invalid escape sequence" },
		{ "\\x4", "invalid escape sequence" },
		{ "\\x{110000}", "invalid escape sequence" },
		{ "(?=a)", "invalid or unsupported Perl syntax" },
		{ "(?i-)", "invalid or unsupported Perl syntax" },
		{ "(?P<>a)", "invalid named capture" },
		{ "(?P<a", "invalid named capture" },
		{ "\xff", "invalid UTF-8" },
		{ "a\xc3", "invalid UTF-8" },
		{ "[\xed\xa0\x80]", "invalid UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_p) char *wanted = NULL;
		struct why why;
		const char *wrong = text_regexp(cases[i].text, &why);

		if (cases[i].wrong)
			wanted = xasprintf("is not a regular expression: %s", cases[i].wrong);
		if (!wanted != !wrong || (wrong && strcmp(wrong, wanted) != 0))
			fail_msg("%s: %s", cases[i].text, wrong ? wrong : "is one");
	}
}

/* A thousand groups in each other; no more. */
static void groups_do_not_nest_for_ever(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct why why;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_byte(&text, '(');
	for (int i = 0; i < 1000; i++)
		buf_byte(&text, ')');
	assert_null(text_regexp(buf_cstr(&text), &why));
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_byte(&text, '(');
	assert_string_equal(text_regexp(buf_cstr(&text), &why),
	                    "is not a regular expression: expression nests too deeply");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_are_gos),
		cmocka_unit_test(groups_do_not_nest_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
