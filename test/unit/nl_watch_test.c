/* SPDX-License-Identifier: BSD-2-Clause */
/* The watch against the real kernel, whose events are made to overrun a receive buffer of the
 * smallest size. */
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/nl/rt.h"
#include "common/nl/watch.h"

#define DEADLINE_MS 10000

static struct nl_conn *kernel;

struct seen {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct nl_watch *watch;
	unsigned events, turns, losses, closed;
	unsigned events_after_loss;
	bool close_at_once;
};

static int on_event(const struct nlmsghdr *h, void *arg)
{
	struct seen *s = arg;
	struct rt_route r;

	assert_non_null(h);
	assert_int_equal(rt_route_parse(h, &r), 0);
	s->events++;
	if (s->losses)
		s->events_after_loss++;
	if (s->close_at_once) {
		nl_watch_close(s->watch);
		s->watch = NULL;
	}
	return 0;
}

static void on_turn(void *arg, bool lost)
{
	struct seen *s = arg;

	assert_non_null(s->watch);
	s->turns++;
	s->losses += lost;
}

static void on_closed(void *arg)
{
	((struct seen *)arg)->closed++;
}

static const struct nl_watch_ops ops = { on_event, on_turn, on_closed };

static void on_deadline(uv_timer_t *t)
{
	(void)t;
	fail_msg("nothing came within %d ms", DEADLINE_MS);
}

static void find_poll(uv_handle_t *h, void *arg)
{
	uv_os_fd_t fd;

	if (h->type == UV_POLL && uv_fileno(h, &fd) == 0)
		*(int *)arg = fd;
}

static int setup(void **state)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, 0 };
	static const int smallest = 1;
	struct seen *s = calloc(1, sizeof(*s));
	int fd = -1;

	assert_non_null(s);
	assert_int_equal(uv_loop_init(&s->loop), 0);
	assert_int_equal(uv_timer_init(&s->loop, &s->deadline), 0);
	assert_int_equal(uv_timer_start(&s->deadline, on_deadline, DEADLINE_MS, 0), 0);
	assert_int_equal(nl_watch_open(&s->loop, NETLINK_ROUTE, groups, &ops, s, &s->watch, NULL),
	                 0);
	uv_walk(&s->loop, find_poll, &fd);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct seen *s = *state;

	nl_watch_close(s->watch);
	s->watch = NULL;
	uv_close((uv_handle_t *)&s->deadline, NULL);
	assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(s->closed, 1);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	free(s);
	return 0;
}

/* Adds a route and deletes it: two events. */
static void flap(unsigned times)
{
	struct rt_route r = { .type = RTN_BLACKHOLE,
		              .protocol = RTPROT_BIRD,
		              .table = RT_TABLE_MAIN };

	r.dst = ip_prefix_host(&(struct ip_addr){ .family = AF_INET, .bytes = { 10, 1, 2, 3 } });
	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(nl_request(kernel, rt_route_add(&r, false), NULL, "add"), 0);
		assert_int_equal(nl_request(kernel, rt_route_delete(&r), NULL, "delete"), 0);
	}
}

static void run_until(struct seen *s, const unsigned *counter, unsigned at_least)
{
	while (*counter < at_least)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
}

static void events_come(void **state)
{
	struct seen *s = *state;

	flap(1);
	run_until(s, &s->events, 2);
	assert_int_equal(s->events, 2);
	assert_in_range(s->turns, 1, 2);
	assert_int_equal(s->losses, 0);
}

static void a_loss_is_told_and_the_watch_goes_on(void **state)
{
	struct seen *s = *state;

	for (unsigned round = 1; round <= 3; round++) {
		unsigned before = s->events;

		flap(500);
		run_until(s, &s->losses, round);
		assert_true(s->events - before < 1000);
		assert_true(s->events > before); /* what was queued before the gap is told */
		s->events_after_loss = 0;
		(void)uv_run(&s->loop, UV_RUN_NOWAIT);
		assert_int_equal(s->events_after_loss, 0); /* ... and before the loss is */
		flap(1);
		run_until(s, &s->events_after_loss, 2);
		assert_int_equal(s->events_after_loss, 2);
		assert_int_equal(s->losses, round);
	}
}

static void draining_takes_what_is_queued(void **state)
{
	struct seen *s = *state;

	assert_false(nl_watch_drain(s->watch));
	flap(1);
	assert_false(nl_watch_drain(s->watch));
	assert_int_equal(s->events, 2);
	flap(500);
	assert_true(nl_watch_drain(s->watch));
	assert_false(nl_watch_drain(s->watch));
	assert_int_equal(s->turns, 0);
	/* The socket's error was taken away before the loop saw it: it watches as before. */
	s->losses = s->events_after_loss = 0;
	s->events = 0;
	flap(1);
	run_until(s, &s->events, 2);
	assert_int_equal(s->losses, 0);
}

static void it_can_be_closed_by_an_event(void **state)
{
	struct seen *s = *state;

	s->close_at_once = true;
	flap(500);
	run_until(s, &s->closed, 1);
	assert_int_equal(s->events, 1);
	assert_int_equal(s->turns, 0);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
	static const int nonsense[] = { 1 << 20, 0 };
	struct seen *s = *state;
	struct nl_watch *w = NULL;
	struct err e = { 0 };

	assert_true(nl_watch_open(&s->loop, NETLINK_ROUTE, nonsense, &ops, s, &w, &e) < 0);
	assert_null(w);
	assert_string_not_equal(e.text, "");
	nl_watch_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_come),
		TEST(a_loss_is_told_and_the_watch_goes_on),
		TEST(draining_takes_what_is_queued),
		TEST(it_can_be_closed_by_an_event),
		TEST(what_cannot_be_opened_is_an_error),
	};

	if ((geteuid() != 0 && unshare(CLONE_NEWUSER) < 0) || unshare(CLONE_NEWNET) < 0) {
		puts("1..0 # SKIP needs root or user namespaces");
		return 0;
	}
	if (nl_conn_open(NETLINK_ROUTE, -1, &kernel, NULL) < 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	nl_conn_close(kernel);
	return failed;
}
