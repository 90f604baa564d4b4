/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a connection's numbers for streams, against a server that only greets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/h2.h"

static uv_loop_t loop;
static unsigned ups, downs, goaways, ends;

static void on_up(void *arg)
{
	(void)arg;
	ups++;
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	downs++;
}

static void on_goaway(void *arg)
{
	(void)arg;
	goaways++;
}

static const struct h2_ops ops = { on_up, on_down, on_goaway };

static void on_header(void *arg, const char *name, const char *value, size_t len)
{
	(void)arg;
	(void)name;
	(void)value;
	(void)len;
}

static void on_data(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static void on_end(void *arg, const char *why, bool unprocessed)
{
	(void)arg;
	(void)why;
	(void)unprocessed;
	ends++;
}

static const struct h2_stream_ops stream_ops = { on_header, on_data, on_end };

/* Turns the loop until *counter is 1; without it, for ten seconds. */
static void until(const unsigned *counter)
{
	struct mono_ms start = mono_now();

	while (!*counter && mono_since_ms(start) < 10000)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void the_last_number_of_a_stream_is_told(void **state)
{
	static const uint8_t settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
	static const struct h2_header headers[] = { { ":method", "POST" },
		                                    { ":scheme", "http" },
		                                    { ":path", "/" },
		                                    { ":authority", "a" } };
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int server = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct h2_stream *first, *second, *third;
	unsigned told_within;
	struct h2 *h = NULL;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(
	        h2_connect(&loop, (struct sockaddr *)&sa, len, NULL, "a", &ops, NULL, &h, NULL), 0);
	fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, settings, sizeof(settings)), sizeof(settings));
	until(&ups);

	h2_stream_last = 3;
	first = h2_open(h, headers, ARRAY_SIZE(headers), &stream_ops, NULL);
	second = h2_open(h, headers, ARRAY_SIZE(headers), &stream_ops, NULL);
	third = h2_open(h, headers, ARRAY_SIZE(headers), &stream_ops, NULL);
	told_within = goaways; /* not before the call returns */
	until(&goaways);
	h2_stream_last = INT32_MAX;
	if (first)
		h2_cancel(first);
	if (second)
		h2_cancel(second); /* the last that was open: with it the connection ends */
	until(&downs);
	h2_free(h);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)close(fd);
	(void)close(server);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(ups, 1);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(third);
	assert_int_equal(told_within, 0);
	assert_int_equal(goaways, 1);
	assert_int_equal(downs, 1);
	assert_int_equal(ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_number_of_a_stream_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
