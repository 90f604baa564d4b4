/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors, buffers, JSON writing, text made visible, logging. */
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/jsonw.h"
#include "common/base/log.h"
#include "common/base/mem.h"

static void errors_wrap_from_the_inside_out(void **state)
{
	struct err err = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&err, "open '%s'", "x"), -ENOENT);
	assert_int_equal(err_wrap(&err, -EIO, "load %d", 7), -EIO);
	assert_string_equal(err.text, "load 7: open 'x': No such file or directory");
	assert_int_equal(err.code, -EIO);
	assert_int_equal(err_set(NULL, -EINVAL, "nobody listens"), -EINVAL);
}

static void a_sentence_that_is_too_long_is_cut_visibly(void **state)
{
	struct err err = { 0 };
	char long_text[1000];

	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	(void)err_set(&err, -EINVAL, "%s", long_text);
	(void)err_wrap(&err, -EINVAL, "outside");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + sizeof(err.text) - 4, "...");
}

static void buffers_grow_and_shrink(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 2000);
	buf_consume(&b, 1998);
	assert_string_equal(buf_cstr(&b), "9,");
	buf_consume(&b, 5);
	assert_int_equal(b.len, 0);
	buf_be32(&b, 0x01020304);
	assert_memory_equal(b.data, "\1\2\3\4", 5);
	free(buf_take(&b));
	assert_null(b.data);
}

static void json_is_quoted(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\r\x01\x7f", "\"\\n\\t\\r\\u0001\\u007f\"" },
		{ "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xff\xc3", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" }, /* a surrogate */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		json_quote(&b, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].out);
	}
}

static void json_has_its_commas(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct jsonw w;

	(void)state;
	jsonw_init(&w, &b);
	jsonw_object(&w, NULL);
	jsonw_array(&w, "a");
	jsonw_end_array(&w);
	jsonw_array(&w, "b");
	jsonw_u64(&w, NULL, UINT64_MAX);
	jsonw_object(&w, NULL);
	jsonw_end_object(&w);
	jsonw_double(&w, NULL, 0.1);
	jsonw_double(&w, NULL, 50);
	jsonw_double(&w, NULL, 1e300);
	jsonw_double(&w, NULL, NAN);
	jsonw_end_array(&w);
	jsonw_str(&w, "c", NULL);
	jsonw_bool(&w, "d", true);
	jsonw_strf(&w, "e", "%d%%", 5);
	jsonw_end_object(&w);
	assert_string_equal(buf_cstr(&b),
	                    "{\"a\":[],\"b\":[18446744073709551615,{},0.1,50,1e+300,null],"
	                    "\"c\":null,\"d\":true,\"e\":\"5%\"}");
}

static void text_from_outside_cannot_break_a_line(void **state)
{
	(void)state;
	assert_string_equal(LOG_VIS("plain"), "plain");
	assert_string_equal(LOG_VIS("two words"), "\"two words\"");
	assert_string_equal(LOG_VIS(""), "\"\"");
	assert_string_equal(LOG_VIS("a\nb\x1b[1m"), "a\\x0ab\\x1b[1m");
	assert_string_equal(LOG_VIS("say \"no\""), "\"say \\\"no\\\"\"");
	assert_string_equal(str_vis("abc", 2), "ab");
	/* U+009B is what a terminal takes for ESC [ */
	assert_string_equal(str_vis("a\xc2\x9b"
	                            "2J\xc2\xa0",
	                            SIZE_MAX),
	                    "a\\x9b2J\xc2\xa0");
}

static void visible_text_has_an_end(void **state)
{
	char long_text[5000];

	(void)state;
	memset(long_text, '\1', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_true(strlen(LOG_VIS(long_text)) < 600);
}

static void read_log(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);

	assert_true(n > 0);
	out[n] = '\0';
}

static void logs_as_text_and_as_json(void **state)
{
	char line[1000];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_set_fd(fds[1]);
	log_init("bgpd", LOG_INFO, LOG_TEXT);
	log_debug("not shown", "x=%d", 1);
	log_info("peer established", "peer=%s as=%u", "10.0.0.2", 64512);
	read_log(fds[0], line, sizeof(line));
	assert_string_equal(line + strlen("2026-03-02T10:11:12.345Z"),
	                    " bgpd info \"peer established\" peer=10.0.0.2 as=64512\n");
	log_init("bgpd", LOG_INFO, LOG_JSON);
	log_warn("odd", "n=-5 why=%s id=%s big=00 empty=", LOG_VIS("it \"is\""), "0123");
	read_log(fds[0], line, sizeof(line));
	assert_non_null(strstr(
	        line, "\"program\":\"bgpd\",\"level\":\"warn\",\"event\":\"odd\",\"n\":-5,"
	              "\"why\":\"it \\\"is\\\"\",\"id\":\"0123\",\"big\":\"00\",\"empty\":\"\"}"));
	log_set_fd(2);
	log_init("test", LOG_INFO, LOG_TEXT);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void a_repeating_event_is_held_back(void **state)
{
	struct log_limit l = LOG_LIMIT_INIT(2, 60000);
	unsigned held;

	(void)state;
	assert_true(log_limit_pass(&l, &held));
	assert_true(log_limit_pass(&l, &held));
	assert_false(log_limit_pass(&l, &held));
	assert_false(log_limit_pass(&l, &held));
	l.start.ms -= 60001;
	assert_true(log_limit_pass(&l, &held));
	assert_int_equal(held, 2);
}

static void levels_are_known_by_upstreams_words_too(void **state)
{
	enum log_level level;

	(void)state;
	assert_int_equal(log_level_parse("Warning", &level), 0);
	assert_int_equal(level, LOG_WARN);
	assert_int_equal(log_level_parse("DEBUG", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_wrap_from_the_inside_out),
		cmocka_unit_test(a_sentence_that_is_too_long_is_cut_visibly),
		cmocka_unit_test(buffers_grow_and_shrink),
		cmocka_unit_test(json_is_quoted),
		cmocka_unit_test(json_has_its_commas),
		cmocka_unit_test(text_from_outside_cannot_break_a_line),
		cmocka_unit_test(visible_text_has_an_end),
		cmocka_unit_test(logs_as_text_and_as_json),
		cmocka_unit_test(a_repeating_event_is_held_back),
		cmocka_unit_test(levels_are_known_by_upstreams_words_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
