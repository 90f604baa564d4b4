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
#include "common/model/duration.h"

#define SEC INT64_C(1000000000)

static void durations_have_one_text(void **state)
{
	static const struct {
		const char *in;
		int64_t ns;
		const char *out;
	} cases[] = {
		{ "0", 0, "0s" },
		{ "-0", 0, "0s" },
		{ "0h", 0, "0s" },
		{ "+5s", 5 * SEC, "5s" },
		{ "90s", 90 * SEC, "1m30s" },
		{ "1m30s", 90 * SEC, "1m30s" },
		{ "3600s", 3600 * SEC, "1h0m0s" },
		{ "24h", 86400 * SEC, "24h0m0s" },
		{ "1h1s", 3601 * SEC, "1h0m1s" },
		{ "1.5h", 5400 * SEC, "1h30m0s" },
		{ "1.5s", 3 * SEC / 2, "1.5s" },
		{ "1m0.25s", 60 * SEC + SEC / 4, "1m0.25s" },
		{ ".5s", SEC / 2, "500ms" },
		{ "5.s", 5 * SEC, "5s" },
		{ "1500ms", 3 * SEC / 2, "1.5s" },
		{ "50ms", SEC / 20, "50ms" },
		{ "1.000001ms", 1000001, "1.000001ms" },
		{ "1500us", 1500000, "1.5ms" },
		{ "12\xc2\xb5s", 12000, "12\xc2\xb5s" },
		{ "12\xce\xbcs", 12000, "12\xc2\xb5s" },
		{ "1.5us", 1500, "1.5\xc2\xb5s" },
		{ "7ns", 7, "7ns" },
		{ "-1m", -60 * SEC, "-1m0s" },
		{ "-1.5ms", -1500000, "-1.5ms" },
		{ "0.3333333333333333333h", 1200 * SEC, "20m0s" },
		{ "1.00000000000000000000000000000001s", SEC, "1s" },
		{ "9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s" },
		{ "-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct err err = { 0 };
		int64_t ns = -1;

		if (duration_parse(cases[i].in, &ns, &err) < 0)
			fail_msg("%s: %s", cases[i].in, err.text);
		if (ns != cases[i].ns)
			fail_msg("%s: %lld", cases[i].in, (long long)ns);
		duration_str(ns, &out);
		assert_string_equal(buf_cstr(&out), cases[i].out);
		assert_int_equal(duration_parse(buf_cstr(&out), &ns, NULL), 0);
		assert_true(ns == cases[i].ns);
	}
}

static void what_is_no_duration_is_refused(void **state)
{
	static const struct {
		const char *in, *text;
	} cases[] = {
		{ "", "time: invalid duration \"\"" },
		{ "-", "time: invalid duration \"-\"" },
		{ ".s", "time: invalid duration \".s\"" },
		{ "s", "time: invalid duration \"s\"" },
		{ "5", "time: missing unit in duration \"5\"" },
		{ "1m5", "time: missing unit in duration \"1m5\"" },
		{ "1.2.3s", "time: missing unit in duration \"1.2.3s\"" },
		{ "1d", "time: unknown unit \"d\" in duration \"1d\"" },
		{ "1 s", "time: unknown unit \" s\" in duration \"1 s\"" },
		{ "1S", "time: unknown unit \"S\" in duration \"1S\"" },
		{ "1m-5s", "time: unknown unit \"m-\" in duration \"1m-5s\"" },
		{ "9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"" },
		{ "99999999999999999999ns", "time: invalid duration \"99999999999999999999ns\"" },
		{ "2562048h", "time: invalid duration \"2562048h\"" },
		{ "2562047h3600s", "time: invalid duration \"2562047h3600s\"" },
		{ "-9223372036854775809ns", "time: invalid duration \"-9223372036854775809ns\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		int64_t ns = 42;

		assert_int_equal(duration_parse(cases[i].in, &ns, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].text);
		assert_true(ns == 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_one_text),
		cmocka_unit_test(what_is_no_duration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
