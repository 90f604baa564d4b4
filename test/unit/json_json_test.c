/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/json/json.h"

static struct json *parsed(const char *text)
{
	struct json *j = NULL;
	struct err err = { 0 };

	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return j;
}

static void text_comes_back_as_it_was(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: like in */
	} cases[] = {
		{ "null", NULL },
		{ "true", NULL },
		{ "false", NULL },
		{ "0", NULL },
		{ "-0", NULL },
		{ "1787380400000000001", NULL },
		{ "18446744073709551615", NULL },
		{ "123456789012345678901234567890", NULL },
		{ "1.50", NULL },
		{ "-1e+06", NULL },
		{ "\"\"", NULL },
		{ "[]", NULL },
		{ "{}", NULL },
		{ " [ 1 , 2 ] \n", "[1,2]" },
		{ "{\"b\":1,\"a\":[null,{\"x\":\"y\"}]}", NULL },
		{ "\"\\u00e4\\n\\t\\\"\\\\\\/\"", "\"\xc3\xa4\\n\\t\\\"\\\\/\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
		{ "\"\\ud800\\udc00\"", "\"\xf0\x90\x80\x80\"" },
		{ "\"\\uD83f\\uDFFF\"", "\"\xf0\x9f\xbf\xbf\"" },
		{ "\"\\uD83D\\uDE00\"", "\"\xf0\x9f\x98\x80\"" },
		{ "\"a\\u0000b\"", NULL },
		{ "\"\\\\ud800\"", NULL }, /* a backslash and letters, no surrogate */
		{ "{\"\":1}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json *j = parsed(cases[i].in), *copy = json_copy(j), *again;
		CLEANUP(buf_done) struct buf out = { 0 };

		json_write(j, 0, &out);
		assert_string_equal(buf_cstr(&out), cases[i].out ? cases[i].out : cases[i].in);
		assert_true(json_equal(j, copy));
		again = parsed(buf_cstr(&out));
		assert_true(json_equal(j, again));
		json_free(j);
		json_free(copy);
		json_free(again);
	}
}

static void errors_tell_line_and_column(void **state)
{
	static const struct {
		const char *in, *error;
	} cases[] = {
		{ "", "line 1, column 1: there is no text" },
		{ " \n ", "line 2, column 2: the text ends too early" },
		{ "[1,", "line 1, column 4: the text ends too early" },
		{ "{\"a\":\n\n1", "line 3, column 2: the text ends too early" },
		{ "\"abc", "line 1, column 5: the text ends too early" },
		{ "tru", "line 1, column 4: the text ends too early" },
		{ "-", "line 1, column 2: the text ends too early" },
		{ "[1,\n 2 3]", NULL },
		{ "[1,]", NULL },
		{ "{\"a\" 1}", NULL },
		{ "{a:1}", NULL },
		{ "{\"a\":1,}", NULL },
		{ "01", NULL },
		{ "1.", NULL },
		{ ".5", NULL },
		{ "+1", NULL },
		{ "NaN", NULL },
		{ "// x\n1", NULL },
		{ "'a'", NULL },
		{ "\"a\nb\"", NULL },
		{ "\"\\x\"", NULL },
		{ "[] []", NULL },
		{ "1 x", NULL },
		{ "\"\xff\"", NULL },
		{ "\"\xc0\x80\"", NULL },     /* overlong */
		{ "\"\xed\xa0\x80\"", NULL }, /* a surrogate, encoded */
		{ "{\"\xff\":1}", NULL },
		{ "{\"a\\u0000b\":1}", "line 1, column 11: a key is not UTF-8, or has NUL in it" },
		{ "{\"a\":1,\n\"b\":2, \"a\":3}", "line 2, column 10: the key 'a' is there twice" },
		{ "{\"a\":1,\"\\u0061\":3}", "line 1, column 15: the key 'a' is there twice" },
		{ "[\"\\ud800\"]", "line 1, column 3: half of a surrogate pair" },
		{ "[\"x\\ud800\\u0041\"]", "line 1, column 4: half of a surrogate pair" },
		{ "[\"\\udc00\"]", "line 1, column 3: half of a surrogate pair" },
		{ "\"\\ud800x00", "line 1, column 2: half of a surrogate pair" },
		{ "\"\\ud800\\n0000\"", "line 1, column 2: half of a surrogate pair" },
		{ "\"\\ud800\\udb00\"", "line 1, column 2: half of a surrogate pair" },
		{ "\"\\ud800\\ue000\"", "line 1, column 2: half of a surrogate pair" },
		{ "\"\\ud800\\udc0", "line 1, column 2: half of a surrogate pair" },
		{ "\"\\ud800", "line 1, column 2: half of a surrogate pair" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json *j = (struct json *)&cases;
		struct err err = { 0 };

		if (json_parse(cases[i].in, strlen(cases[i].in), &j, &err) != -EINVAL)
			fail_msg("'%s' was read", cases[i].in);
		assert_ptr_equal(j, &cases); /* not written */
		assert_null(strchr(err.text, '\n'));
		assert_memory_equal(err.text, "line ", 5);
		if (cases[i].error)
			assert_string_equal(err.text, cases[i].error);
		assert_int_equal(json_parse(cases[i].in, strlen(cases[i].in), &j, NULL), -EINVAL);
	}
}

static void the_error_stands_where_the_text_is_wrong(void **state)
{
	struct err err = { 0 };
	struct json *j;
	static const char text[] = "{\n  \"a\": 1,\n  \"b\": oops\n}\n";

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &j, &err), -EINVAL);
	assert_memory_equal(err.text, "line 3, column 8: ", 18);
}

static void depth_is_limited(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];
	struct err err = { 0 };
	struct json *j;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(json_parse(text, 2 * JSON_DEPTH_MAX, &j, &err), 0);
	json_free(j);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(json_parse(text, 2 * JSON_DEPTH_MAX + 2, &j, &err), -EINVAL);
	assert_string_equal(err.text, "line 1, column 65: nested too deeply");
	assert_int_equal(json_parse(text, (size_t)JSON_TEXT_MAX + 1, &j, &err), -EINVAL);
}

static void a_repeated_key_among_many_is_seen(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err = { 0 };
	struct json *j;

	(void)state;
	buf_str(&text, "{");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "\"k%d\":%d,", i, i);
	buf_str(&text, "\"last\":1}");
	assert_int_equal(json_parse(buf_cstr(&text), text.len, &j, &err), 0);
	assert_int_equal(j->len, 1001);
	assert_string_equal(json_get(j, "k77")->text, "77");
	json_free(j);
	text.data[text.len - 1] = ',';
	buf_str(&text, "\"k500\":1}");
	assert_int_equal(json_parse(buf_cstr(&text), text.len, &j, &err), -EINVAL);
	assert_non_null(strstr(err.text, "the key 'k500' is twice"));
}

static void numbers_are_exact(void **state)
{
	static const struct {
		const char *text;
		int i64, u64;
		int64_t i;
		uint64_t u;
	} cases[] = {
		{ "0", 0, 0, 0, 0 },
		{ "-0", 0, -ERANGE, 0, 0 },
		{ "1787380400000000001", 0, 0, 1787380400000000001, 1787380400000000001 },
		{ "9223372036854775807", 0, 0, INT64_MAX, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0, 0, (uint64_t)INT64_MAX + 1 },
		{ "-9223372036854775808", 0, -ERANGE, INT64_MIN, 0 },
		{ "-9223372036854775809", -ERANGE, -ERANGE, 0, 0 },
		{ "18446744073709551615", -ERANGE, 0, 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, -ERANGE, 0, 0 },
		{ "1.0", -EINVAL, -EINVAL, 0, 0 },
		{ "1e3", -EINVAL, -EINVAL, 0, 0 },
		{ "\"1\"", -EINVAL, -EINVAL, 0, 0 },
		{ "null", -EINVAL, -EINVAL, 0, 0 },
	};
	double d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json *j = parsed(cases[i].text);
		uint64_t u = 0;
		int64_t s = 0;

		assert_int_equal(json_i64(j, &s), cases[i].i64);
		assert_int_equal(json_u64(j, &u), cases[i].u64);
		assert_true(s == cases[i].i && u == cases[i].u);
		json_free(j);
	}
	{
		struct json *j = parsed("[1.5, 1e999, \"1\", true]");
		bool b = false;

		assert_int_equal(json_double(j->items[0], &d), 0);
		assert_true(d == 1.5);
		assert_int_equal(json_double(j->items[1], &d), -ERANGE);
		assert_int_equal(json_double(j->items[2], &d), -EINVAL);
		assert_int_equal(json_bool(j->items[3], &b), 0);
		assert_true(b);
		assert_int_equal(json_bool(j->items[0], &b), -EINVAL);
		assert_string_equal(json_str(j->items[2]), "1");
		assert_null(json_str(j->items[0]));
		assert_null(json_str(NULL));
		json_free(j);
	}
}

static void trees_are_built_and_compared(void **state)
{
	struct json *o = json_new(JSON_OBJECT), *list = json_new(JSON_ARRAY), *same;
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		char n[16];

		(void)snprintf(n, sizeof(n), "%d", i);
		json_append(list, json_new_number(n));
	}
	json_set(o, "list", list);
	json_set(o, "x", json_new_str("old"));
	json_set(o, "none", json_new(JSON_ARRAY));
	json_set(o, "x", json_new_bool(true));
	json_write(o, 0, &out);
	assert_string_equal(buf_cstr(&out), "{\"list\":[0,1,2,3,4],\"x\":true,\"none\":[]}");
	buf_clear(&out);
	json_write(o, 2, &out);
	assert_string_equal(
	        buf_cstr(&out),
	        "{\n  \"list\": [\n    0,\n    1,\n    2,\n    3,\n    4\n  ],\n  \"x\": true,\n"
	        "  \"none\": []\n}");
	same = parsed("{\"x\":true,\"none\":[],\"list\":[0,1,2,3,4]}");
	assert_true(json_equal(o, same));
	json_set(same, "x", json_new_bool(false));
	assert_false(json_equal(o, same));
	json_set(same, "x", json_new(JSON_NULL));
	assert_false(json_equal(o, same));
	json_free(same);
	same = parsed("{\"x\":true,\"none\":[],\"list\":[0,1,2,4,3]}");
	assert_false(json_equal(o, same));
	assert_null(json_get(o, "absent"));
	assert_null(json_get(list, "x"));
	assert_null(json_get(NULL, "x"));
	json_free(same);
	json_free(o);
	json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_comes_back_as_it_was),
		cmocka_unit_test(errors_tell_line_and_column),
		cmocka_unit_test(the_error_stands_where_the_text_is_wrong),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_repeated_key_among_many_is_seen),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(trees_are_built_and_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
