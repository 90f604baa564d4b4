/* SPDX-License-Identifier: BSD-2-Clause */
/* The selector language against the table of cases that upstream's parser was observed to satisfy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"

/* Labels written as "{a=b, c=d}"; looked up in place. */
static const char *lookup(void *arg, const char *label)
{
	static char value[64];
	const char *at = (const char *)arg + 1;
	size_t n = strlen(label);

	while (*at && *at != '}') {
		size_t len = strcspn(at, ",}");

		if (len > n && strncmp(at, label, n) == 0 && at[n] == '=') {
			memcpy(value, at + n + 1, len - n - 1);
			value[len - n - 1] = '\0';
			return value;
		}
		at += len;
		while (*at == ',' || *at == ' ')
			at++;
	}
	return NULL;
}

/* clang-format off */
static const struct {
	const char *text, *canonical;
	const char *labels[5]; /* and T or F */
} accepted[] = {
	{ "", "all()", { "{} T", "{a=b} T" } },
	{ " \t", "all()", { "{} T" } },
	{ "all()", "all()", { "{} T" } },
	{ "all( )", "all()", { "{} T" } },
	{ "(all() )", "all()", { "{} T" } },
	{ "global()", "global()", { "{} T", "{a=b} T" } },
	{ "has(a)", "has(a)", { "{a=b} T", "{b=a} F", "{a=} T" } },
	{ "has( a )", "has(a)", { "{a=b} T" } },
	{ "! has(a)", "!has(a)", { "{a=b} F", "{} T" } },
	{ "!!! has(a)", "!has(a)", { "{a=b} F", "{b=b} T" } },
	{ "!!has(b)", "has(b)", { "{a=b} F", "{b=x} T" } },
	{ "a == \"b\"", "a == \"b\"", { "{a=b} T", "{a=c} F", "{} F" } },
	{ "a=='b'", "a == \"b\"", { "{a=b} T" } },
	{ "a!='b'", "a != \"b\"", { "{a=a} T", "{a=b} F", "{} T" } },
	{ "! a == 'b'", "!a == \"b\"", { "{} T", "{a=b} F" } },
	{ "!a == 'b' && c == 'd'", "(!a == \"b\" && c == \"d\")", { "{c=d} T", "{a=b, c=d} F", "{a=x} F" } },
	{ "a contains 'a'", "a contains \"a\"", { "{a=bab} T", "{a=b} F", "{b=aaa} F" } },
	{ "a starts with 'a'", "a starts with \"a\"", { "{a=abb} T", "{a=baa} F", "{} F" } },
	{ "a startswith 'a'", "a starts with \"a\"", { "{a=a} T" } },
	{ "a ends with 'a'", "a ends with \"a\"", { "{a=bba} T", "{a=aab} F", "{} F" } },
	{ "a endswith 'a'", "a ends with \"a\"", { "{a=a} T" } },
	{ "a contains ''", "a contains \"\"", { "{a=} T", "{a=x} T", "{} F" } },
	{ "a in {\"'\", '\"', \"c\"}", "a in {'\"', \"'\", \"c\"}", { "{a=c} T", "{a=\"} T", "{a='} T", "{a=e} F", "{} F" } },
	{ "a in {'x','y',}", "a in {\"x\", \"y\"}", { "{a=y} T", "{a=z} F" } },
	{ "a in {}", "a in {}", { "{a=} F", "{} F" } },
	{ "a not in {}", "a not in {}", { "{a=x} T", "{} T" } },
	{ "a not in {'d', 'e'}", "a not in {\"d\", \"e\"}", { "{a=a} T", "{a=d} F", "{} T" } },
	{ "a notin {'d'}", "a not in {\"d\"}", { "{a=d} F", "{} T" } },
	{ "!a in {'a'}", "!a in {\"a\"}", { "{a=b} T", "{a=a} F", "{} T" } },
	{ "a == 'b' && c == 'd'", "(a == \"b\" && c == \"d\")", { "{a=b, c=d} T", "{a=b} F", "{} F" } },
	{ "a == 'b' || c == 'd'", "(a == \"b\" || c == \"d\")", { "{a=b} T", "{c=d} T", "{a=e, c=e} F" } },
	{ "a == '1' || b == '1' && c == '1'", "(a == \"1\" || (b == \"1\" && c == \"1\"))", { "{a=1} T", "{b=1} F", "{b=1, c=1} T" } },
	{ "(a == '1' || b == '1') && c == '1'", "((a == \"1\" || b == \"1\") && c == \"1\")", { "{a=1} F", "{b=1, c=1} T" } },
	{ "!(!has(a) || has(b))", "!(!has(a) || has(b))", { "{a=a} T", "{a=a, b=b} F", "{} F" } },
	{ "a in {'z','z','x','y','x','a'}", "a in {\"a\", \"x\", \"y\", \"z\"}", { "{a=x} T" } },
	{ "a == '\"'", "a == '\"'", { "{a=\"} T" } },
	{ "in in {'in'}", "in in {\"in\"}", { "{in=in} T" } },
	{ "has == 'x'", "has == \"x\"", { "{has=x} T", "{} F" } },
	{ "all == 'x'", "all == \"x\"", { "{all=x} T" } },
	{ "k8s.io/a-b_c.d == 'v'", "k8s.io/a-b_c.d == \"v\"", { "{k8s.io/a-b_c.d=v} T" } },
	{ "-a == ''", "-a == \"\"", { "{-a=} T", "{} F" } },
	{ "a == 'x\\'", "a == \"x\\\"", { "{a=x\\} T" } },
	{ "contains contains 'c'", "contains contains \"c\"", { "{contains=abc} T" } },
	{ "!(!(k == 'v' && has(t) || all()) && (a in {'b', 'c'}))", "!(!((k == \"v\" && has(t)) || all()) && a in {\"b\", \"c\"})", { "{} T", "{a=b} T" } },
	{ "! (a == \"b\"&&! c != \"d\")", "!(a == \"b\" && !c != \"d\")", { "{a=b, c=d} F", "{a=b} T", "{} T" } },
};

static const struct {
	const char *text, *reason;
} rejected[] = {
	{ "b == b", "expected string" },
	{ "b contains b", "expected string" },
	{ "foo != ||", "expected string" },
	{ "b starts with b", "expected operator after label" },
	{ "a b", "expected operator after label" },
	{ "a containsx \"b\"", "expected operator after label" },
	{ "label inf \"v\"", "expected operator after label" },
	{ "a not \"x\"", "expected operator after label" },
	{ "a == \"b\" and c == \"d\"", "expected operator after label \"and\"" },
	{ "b", "unexpected end of string looking for op" },
	{ "a ", "unexpected end of string looking for op" },
	{ "has (a)", "expected == or !=" },
	{ "'b1' == b", "unexpected token where an operation" },
	{ "!", "unexpected token where an operation" },
	{ "(", "unexpected token where an operation" },
	{ ")", "unexpected token where an operation" },
	{ "()", "unexpected token where an operation" },
	{ "==\"a\"", "unexpected token where an operation" },
	{ "has(foo) &&", "unexpected token where an operation" },
	{ "foo == \"bar\" &", "expected &&" },
	{ "foo == \"bar\" |", "expected ||" },
	{ "label = \"value\"", "expected ==" },
	{ "foo in \"\"", "expected set literal" },
	{ "foo in {\"\", ||", "expected }" },
	{ "a in {\"x\" \"y\"}", "expected }" },
	{ "a in {,}", "expected }" },
	{ "(a == \"foo\"", "expected )" },
	{ "\"FOO", "unterminated string" },
	{ "'FOO", "unterminated string" },
	{ "\"FOO'", "unterminated string" },
	{ "a == 'it's'", "unterminated string" },
	{ "%", "expected identifier" },
	{ "a == \"b\" && %", "expected identifier" },
	{ "has()", "expected identifier" },
	{ "\xc3\xa9 == \"x\"", "expected identifier" },
	{ "has(foo", "no closing ')' after has(" },
	{ "all(", "no closing ')' after all(" },
	{ "global(", "no closing ')' after global(" },
	{ "a == \"b\" c == \"d\"", "unexpected content at end of selector" },
	{ "all() all()", "unexpected content at end of selector" },
	{ "a\n== \"b\"", "" },
};

static const struct {
	const char *canonical, *id;
} ids[] = {
	{ "all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug" },
	{ "global()", "s:fiJDJdBoaP_zQxty70sMjIrxwAb5lgM6LYCAow" },
	{ "has(a)", "s:JpRGrxZ4kdS6g7WoF-uG_g7qlh2ipw2zGYBMpQ" },
	{ "a == \"b\"", "s:flMh0m0X_BowkAK_W3j3MgH8oQOsj3WxGDoXCQ" },
	{ "!(has(b) || !has(a))", "s:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q" },
	{ "!(a == \"b\" && !c != \"d\")", "s:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w" },
	{ "(a == \"b\" && c in {\"x\", \"y\"})", "s:npZLq9npV7z_-tv6pOyUxyPFK1KOcQIS1PJ8ng" },
	{ "projectcalico.org/namespace == \"ns1\"", "s:Qt_18OUe0Ln7uWDKT0vnmcIxvAI5xBwoP89xBw" },
	{ "color not in {\"blue\", \"red\"}", "s:96KdiHiRiLFm2Oc9zLGNrTELU1ROd-q6Fyx9qw" },
};

static const struct {
	const char *text, *prefixed;
} prefixes[] = {
	{ "k == 'v' && x == 'y'", "(visited/k == \"v\" && visited/x == \"y\")" },
	{ "!(k == 'v')", "!visited/k == \"v\"" },
	{ "has(k) || all()", "(has(visited/k) || all())" },
	{ "!(!(k == 'v' && has(t) || all()) && (a in {'b', 'c'}))",
	  "!(!((visited/k == \"v\" && has(visited/t)) || all()) && visited/a in {\"b\", \"c\"})" },
};

/* "label" alone: must be present; "label=v,w": one of the values; "": nothing known. */
static const struct {
	const char *text, *expect;
} restrictions[] = {
	{ "all()", "" },
	{ "has(a)", "a" },
	{ "!has(a)", "" },
	{ "a == 'x'", "a=x" },
	{ "a != 'x'", "" },
	{ "a in {'y', 'x'}", "a=x,y" },
	{ "a not in {'y'}", "" },
	{ "a in {}", "a" },
	{ "a starts with 'x'", "a" },
	{ "a in {'x','y'} && b == 'z'", "b=z" },
	{ "a in {'x','y'} && a in {'y','z'}", "a=y" },
	{ "has(a) && a == 'x'", "a=x" },
	{ "a == 'x' && a == 'y'", "a" },
	{ "a == 'x' || a == 'y'", "a=x,y" },
	{ "a == 'x' || a in {'x','w'}", "a=w,x" },
	{ "a == 'x' || has(a)", "a" },
	{ "a == 'x' || b == 'y'", "" },
	{ "(a == 'x' && b == 'y') || (b == 'z' && c == 'w')", "b=y,z" },
	{ "a == 'x' || all()", "" },
	{ "!(a == 'x')", "" },
	{ "c != 'd' && !has(e) && a == 'x'", "a=x" },
};
/* clang-format on */

static struct selector *parsed(const char *text)
{
	struct selector *s = NULL;
	struct err err = { 0 };

	if (selector_parse(text, &s, &err) < 0)
		fail_msg("'%s' was refused: %s", text, err.text);
	return s;
}

static void the_table_of_accepted_selectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct selector *s = parsed(accepted[i].text);

		assert_string_equal(selector_str(s), accepted[i].canonical);
		for (size_t k = 0; k < 5 && accepted[i].labels[k]; k++) {
			const char *labels = accepted[i].labels[k];
			bool expect = labels[strlen(labels) - 1] == 'T';

			if (selector_match(s, lookup, (void *)labels) != expect)
				fail_msg("'%s' on %s", accepted[i].text, labels);
		}
		selector_unref(s);
	}
	struct selector *null = parsed(NULL);
	assert_string_equal(selector_str(null), "all()");
	selector_unref(null);
}

static void the_table_of_rejected_selectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rejected); i++) {
		struct selector *s;
		struct err err = { 0 };

		assert_int_equal(selector_parse(rejected[i].text, &s, &err), -22);
		if (strncmp(err.text, rejected[i].reason, strlen(rejected[i].reason)) != 0)
			fail_msg("'%s': '%s', expected '%s'", rejected[i].text, err.text,
			         rejected[i].reason);
		assert_non_null(strstr(err.text, "character"));
	}
}

static void identifiers_are_upstreams(void **state)
{
	char id[SELECTOR_ID_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct selector *s = parsed(ids[i].canonical);

		assert_string_equal(selector_id(s), ids[i].id);
		selector_unref(s);
	}
	selector_make_id("svc", "default/nginx", id);
	assert_string_equal(id, "svc:RETMWMZ3VCy3Kifv2Qin5MvOA9hFePnt82nebg");
	selector_make_id("svcnoport", "default/nginx", id);
	assert_string_equal(id, "svcnoport:7qoSZcUIUv_1K0tLMunb3ADnwH1Rn1sMcVoK0w");
}

static void a_prefix_goes_to_every_label(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct selector *s;

		assert_int_equal(selector_parse_prefixed(prefixes[i].text, "visited/", &s, NULL),
		                 0);
		assert_string_equal(selector_str(s), prefixes[i].prefixed);
		selector_unref(s);
	}
}

static void restrictions_are_what_an_index_can_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(restrictions); i++) {
		struct selector *s = parsed(restrictions[i].text);
		struct selector_restriction r;
		struct buf b = { 0 };

		if (selector_restriction(s, &r)) {
			buf_str(&b, r.label);
			for (size_t k = 0; k < r.n_values; k++)
				buf_printf(&b, "%c%s", k ? ',' : '=', r.values[k]);
		}
		if (strcmp(buf_cstr(&b), restrictions[i].expect) != 0)
			fail_msg("'%s' gives '%s', expected '%s'", restrictions[i].text,
			         buf_cstr(&b), restrictions[i].expect);
		buf_done(&b);
		selector_unref(s);
	}
}

/* head, unit n times, middle, tail n times */
static char *repeated(const char *unit, const char *middle, const char *tail, size_t n)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_str(&b, unit);
	buf_str(&b, middle);
	for (size_t i = 0; i < n; i++)
		buf_str(&b, tail);
	return buf_take(&b);
}

static void limits_hold(void **state)
{
	struct selector *s;
	struct err err = { 0 };
	char *t;

	(void)state;
	t = repeated("(", "all()", ")", SELECTOR_DEPTH_MAX);
	selector_unref(parsed(t));
	free(t);
	t = repeated("(", "all()", ")", SELECTOR_DEPTH_MAX + 1);
	assert_int_equal(selector_parse(t, &s, &err), -22);
	assert_non_null(strstr(err.text, "nested"));
	free(t);
	t = repeated("(", "", "",
	             SELECTOR_TEXT_MAX - 1); /* no stack is used up by what is refused */
	assert_int_equal(selector_parse(t, &s, &err), -22);
	free(t);
	t = repeated("!", "all()", "", 60001); /* negations do not nest */
	s = parsed(t);
	assert_string_equal(selector_str(s), "!all()");
	selector_unref(s);
	free(t);

	t = repeated("x", " == 'a'", "", SELECTOR_LABEL_MAX);
	selector_unref(parsed(t));
	free(t);
	t = repeated("x", " == 'a'", "", SELECTOR_LABEL_MAX + 1);
	assert_int_equal(selector_parse(t, &s, &err), -22);
	assert_non_null(strstr(err.text, "label too long"));
	free(t);
	t = repeated(" ", "all()", "", SELECTOR_TEXT_MAX - 5);
	selector_unref(parsed(t));
	free(t);
	t = repeated(" ", "all()", "", SELECTOR_TEXT_MAX - 4);
	assert_int_equal(selector_parse(t, &s, &err), -22);
	free(t);
}

static void text_made_of_two_deep_selectors_is_accepted(void **state)
{
	struct selector *s, *both;
	struct buf b = { 0 };
	/* and canonical text is deeper than what it was made from: each group brings parentheses */
	char *t = repeated("!(a == 'b' && c == 'd' || ", "all()", ")", SELECTOR_DEPTH_MAX);

	(void)state;
	s = parsed(t);
	buf_printf(&b, "((%s) && %s) && !(%s)", selector_str(s), selector_str(s), selector_str(s));
	assert_int_equal(selector_parse_derived(buf_cstr(&b), &both, NULL), 0);
	selector_unref(both);
	selector_unref(s);
	buf_done(&b);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_accepted_selectors),
		cmocka_unit_test(the_table_of_rejected_selectors),
		cmocka_unit_test(identifiers_are_upstreams),
		cmocka_unit_test(a_prefix_goes_to_every_label),
		cmocka_unit_test(restrictions_are_what_an_index_can_use),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(text_made_of_two_deep_selectors_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
