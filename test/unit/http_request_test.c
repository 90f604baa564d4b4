/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/http/request.h"

#define HOST "Host: a\r\n"

static const struct {
	const char *text;
	unsigned status;
	const char *path; /* of 200 */
	bool head, keep_alive;
} cases[] = {
	{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n", 200, "/metrics", false, true },
	{ "HEAD / HTTP/1.1\r\n" HOST "\r\n", 200, "/", true, true },
	{ "GET /a?b=c HTTP/1.1\r\n" HOST "\r\n", 200, "/a", false, true },
	{ "GET http://x:1/a HTTP/1.1\r\n" HOST "\r\n", 200, "/a", false, true },
	{ "GET / HTTP/1.0\r\n\r\n", 200, "/", false, false },
	{ "GET / HTTP/1.1\r\nhOST:\ta \r\nConnection: x, Close\r\n\r\n", 200, "/", false, false },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "/", false, true },
	{ "GET / HTTP/1.2\r\n" HOST "\r\n", 200, "/", false, true },
	/* not whole */
	{ "", 0, NULL, false, false },
	{ "GET / HT", 0, NULL, false, false },
	{ "GET / HTTP/1.1\r", 0, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "\r", 0, NULL, false, false },
	/* the first line */
	{ "GET / HTTP/1.1\n" HOST "\n", 400, NULL, false, false },
	{ "\r\nGET / HTTP/1.1\r\n", 400, NULL, false, false },
	{ " GET / HTTP/1.1\r\n\r\n", 400, NULL, false, false },
	{ "GET  / HTTP/1.1\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1 \r\n\r\n", 400, NULL, false, false },
	{ "GET /\r\n\r\n", 400, NULL, false, false },
	{ "GET a HTTP/1.1\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "GET http://a HTTP/1.1\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "GET / http/1.1\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505, NULL, false, false },
	{ "GET / HTTP/1.\r\n" HOST "\r\n", 400, NULL, false, false },
	{ "POST / HTTP/1.1\r\n" HOST "\r\n", 405, NULL, false, false },
	{ "DELETE / HTTP/1.1\r\n" HOST "\r\n", 405, NULL, false, false },
	{ "get / HTTP/1.1\r\n" HOST "\r\n", 501, NULL, false, false },
	{ "BREW / HTTP/1.1\r\n" HOST "\r\n", 501, NULL, false, false },
	{ "\x16\x03\x01\x02\n", 400, NULL, false, false },
	/* fields */
	{ "GET / HTTP/1.1\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\n\r\n", 400, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 413, NULL, false, false },
	{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 413, NULL, false, false },
};

static void requests_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_request q;
		size_t used = 0, len = strlen(cases[i].text);
		unsigned status = http_request_parse(cases[i].text, len, &q, &used);

		if (status != cases[i].status)
			fail_msg("case %zu: %u", i, status);
		if (status != 200)
			continue;
		assert_int_equal(used, len);
		assert_string_equal(q.path, cases[i].path);
		assert_int_equal(q.head, cases[i].head);
		assert_int_equal(q.keep_alive, cases[i].keep_alive);
	}
}

static void no_beginning_of_a_request_is_one(void **state)
{
	const char *text = cases[0].text;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		struct http_request q;
		size_t used;

		assert_int_equal(http_request_parse(text, n, &q, &used), 0);
	}
}

static void what_is_too_long_is_refused_before_it_ends(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct http_request q;
	size_t used;

	(void)state;
	buf_str(&b, "GET /");
	while (b.len <= HTTP_LINE_MAX)
		buf_byte(&b, 'a');
	assert_int_equal(http_request_parse((char *)b.data, b.len, &q, &used), 414);
	buf_clear(&b);
	buf_str(&b, "GET /");
	for (unsigned i = 0; i < HTTP_PATH_MAX; i++)
		buf_byte(&b, 'a');
	buf_str(&b, " HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(http_request_parse((char *)b.data, b.len, &q, &used), 414);
	buf_clear(&b);
	buf_str(&b, "GET / HTTP/1.1\r\nX: ");
	while (b.len <= HTTP_HEAD_MAX)
		buf_byte(&b, 'a');
	assert_int_equal(http_request_parse((char *)b.data, b.len, &q, &used), 431);
	buf_clear(&b);
	buf_str(&b, "GET / HTTP/1.1\r\n");
	for (unsigned i = 0; i <= HTTP_FIELDS_MAX; i++)
		buf_str(&b, "X: a\r\n");
	assert_int_equal(http_request_parse((char *)b.data, b.len, &q, &used), 431);
}

static void the_next_request_is_left_alone(void **state)
{
	const char *two = "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n";
	struct http_request q;
	size_t used;

	(void)state;
	assert_int_equal(http_request_parse(two, strlen(two), &q, &used), 200);
	assert_string_equal(q.path, "/1");
	assert_int_equal(http_request_parse(two + used, strlen(two) - used, &q, &used), 200);
	assert_string_equal(q.path, "/2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_judged),
		cmocka_unit_test(no_beginning_of_a_request_is_one),
		cmocka_unit_test(what_is_too_long_is_refused_before_it_ends),
		cmocka_unit_test(the_next_request_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
