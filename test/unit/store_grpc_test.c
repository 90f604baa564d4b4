/* SPDX-License-Identifier: BSD-2-Clause */
/* gRPC's frames and texts. */
#include "test/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/grpc.h"

static struct buf seen;

static bool on_message(void *arg, const void *message, size_t len)
{
	unsigned *left = arg;

	buf_printf(&seen, "%zu:%.*s;", len, (int)len, (const char *)message);
	return !left || --*left > 0;
}

static void frame(struct buf *b, const char *text, size_t len)
{
	buf_byte(b, 0);
	buf_be32(b, (uint32_t)len);
	buf_add(b, text, len);
}

static void messages_come_whole_however_the_bytes_come(void **state)
{
	CLEANUP(buf_done) struct buf bytes = { 0 };

	(void)state;
	frame(&bytes, "one", 3);
	frame(&bytes, "", 0);
	frame(&bytes, "three!", 6);
	for (size_t a = 0; a <= bytes.len; a++)
		for (size_t b = a; b <= bytes.len; b++) {
			struct grpc_reader r = { { 0 } };

			buf_clear(&seen);
			assert_int_equal(grpc_reader_feed(&r, bytes.data, a, on_message, NULL), 0);
			assert_int_equal(
			        grpc_reader_feed(&r, bytes.data + a, b - a, on_message, NULL), 0);
			assert_int_equal(grpc_reader_feed(&r, bytes.data + b, bytes.len - b,
			                                  on_message, NULL),
			                 0);
			assert_string_equal(buf_cstr(&seen), "3:one;0:;6:three!;");
			assert_int_equal(r.part.len, 0);
			grpc_reader_done(&r);
		}
}

static void who_has_enough_stops(void **state)
{
	CLEANUP(buf_done) struct buf bytes = { 0 };

	(void)state;
	frame(&bytes, "a", 1);
	frame(&bytes, "b", 1);
	for (size_t cut = 0; cut <= bytes.len; cut++) {
		struct grpc_reader r = { { 0 } };
		unsigned left = 1;

		buf_clear(&seen);
		assert_int_equal(grpc_reader_feed(&r, bytes.data, cut, on_message, &left), 0);
		if (left)
			assert_int_equal(grpc_reader_feed(&r, bytes.data + cut, bytes.len - cut,
			                                  on_message, &left),
			                 0);
		assert_string_equal(buf_cstr(&seen), "1:a;");
		grpc_reader_done(&r);
	}
}

static void what_is_too_large_or_compressed_is_refused(void **state)
{
	static const struct {
		uint8_t bytes[5];
		int want;
	} cases[] = {
		{ { 0, 1, 0, 0, 0 }, 0 },         /* 16 MiB, to come */
		{ { 0, 1, 0, 0, 1 }, -EMSGSIZE }, /* a byte more */
		{ { 0, 255, 255, 255, 255 }, -EMSGSIZE },
		{ { 1, 0, 0, 0, 1 }, -EBADMSG },
		{ { 7, 0, 0, 0, 0 }, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t cut = 0; cut < 5; cut++) {
			struct grpc_reader r = { { 0 } };
			int rc = grpc_reader_feed(&r, cases[i].bytes, cut, on_message, NULL);

			if (rc == 0)
				rc = grpc_reader_feed(&r, cases[i].bytes + cut, 5 - cut, on_message,
				                      NULL);
			assert_int_equal(rc, cases[i].want);
			grpc_reader_done(&r);
		}
}

static void texts_are_decoded(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "etcdserver: no leader", "etcdserver: no leader" },
		{ "a%20b%2Fc%2fd", "a b/c/d" },
		{ "%E2%82%AC", "\xe2\x82\xac" },
		{ "100%", "100%" },
		{ "100%2", "100%2" },
		{ "%zz%2x", "%zz%2x" },
		{ "a%00b", "a%00b" }, /* no end in the middle */
		{ "", "" },
		{ "0123456789abcdef0123", "0123456789abcde" },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char big[64];
		bool cut = strlen(cases[i].in) > 15 && strcmp(cases[i].want, cases[i].in) != 0;

		grpc_text_decode(cases[i].in, strlen(cases[i].in), big, sizeof(big));
		if (!cut)
			assert_string_equal(big, cases[i].want);
		grpc_text_decode(cases[i].in, strlen(cases[i].in), out, sizeof(out));
		assert_int_equal(strncmp(out, cases[i].want, 15), 0);
		assert_true(strlen(out) < sizeof(out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_whole_however_the_bytes_come),
		cmocka_unit_test(who_has_enough_stops),
		cmocka_unit_test(what_is_too_large_or_compressed_is_refused),
		cmocka_unit_test(texts_are_decoded),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_done(&seen);
	return rc;
}
