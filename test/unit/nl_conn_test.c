/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches, dumps and monitors: against the real kernel where it can be made to do it, else against
 * one end of a socket pair that plays it. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/conn.h"
#include "common/nl/rt.h"

static struct nl_conn *kernel;

static struct rt_route blackhole(uint32_t n)
{
	struct rt_route r = { .type = RTN_BLACKHOLE,
		              .protocol = RTPROT_BIRD,
		              .table = RT_TABLE_MAIN };

	r.dst.addr = ip_addr_v4(0x0a000000 + n);
	r.dst.len = 32;
	return r;
}

/* ---- batches ---- */

struct verdicts {
	uint64_t next;
	size_t ok, exists, other;
	char text[128];
};

static void on_verdict(void *arg, uint64_t id, int code, const char *text)
{
	struct verdicts *v = arg;

	assert_int_equal(id, v->next++); /* each once, in order */
	v->ok += code == 0;
	v->exists += code == -EEXIST;
	v->other += code != 0 && code != -EEXIST;
	if (text)
		(void)snprintf(v->text, sizeof(v->text), "%s", text);
}

static void a_batch_has_a_verdict_for_each(void **state)
{
	struct nl_batch *b = nl_batch_new(kernel);
	struct verdicts v = { 0 };
	struct err e = { 0 };
	uint64_t id = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct rt_route r = blackhole(i);

		nl_batch_add(b, rt_route_add(&r, false), id++);
		if (i % 10 == 0) /* a second time: refused, and those behind it still done */
			nl_batch_add(b, rt_route_add(&r, false), id++);
	}
	nl_batch_add(b, NULL, id++); /* what could not be built */
	assert_int_equal(nl_batch_len(b), 1101);
	assert_int_equal(nl_batch_commit(b, on_verdict, &v, &e), 0);
	assert_int_equal(v.next, 1101);
	assert_int_equal(v.ok, 1000);
	assert_int_equal(v.exists, 100);
	assert_int_equal(v.other, 1);
	assert_int_equal(nl_batch_len(b), 0);
	assert_int_equal(nl_batch_commit(b, on_verdict, &v, &e), 0); /* an empty one is fine */

	memset(&v, 0, sizeof(v));
	for (uint32_t i = 0; i < 1000; i++) {
		struct rt_route r = blackhole(i);

		nl_batch_add(b, rt_route_delete(&r), i);
	}
	assert_int_equal(nl_batch_commit(b, on_verdict, &v, &e), 0);
	assert_int_equal(v.ok, 1000);
	nl_batch_free(b);
}

static void sequence_numbers_wrap_around(void **state)
{
	struct nl_batch *b = nl_batch_new(kernel);
	struct verdicts v = { 0 };

	(void)state;
	kernel->seq = UINT32_MAX - 5;
	for (uint32_t i = 0; i < 20; i++) {
		struct rt_route r = blackhole(i);

		nl_batch_add(b, rt_route_add(&r, false), i);
	}
	assert_int_equal(nl_batch_commit(b, on_verdict, &v, NULL), 0);
	assert_int_equal(v.ok, 20);
	memset(&v, 0, sizeof(v));
	kernel->seq = UINT32_MAX;
	for (uint32_t i = 0; i < 20; i++) {
		struct rt_route r = blackhole(i);

		nl_batch_add(b, rt_route_delete(&r), i);
	}
	assert_int_equal(nl_batch_commit(b, on_verdict, &v, NULL), 0);
	assert_int_equal(v.ok, 20);
	nl_batch_free(b);
}

static void the_kernel_says_why(void **state)
{
	struct rt_route r = blackhole(1);
	struct err e = { 0 };

	(void)state;
	r.via = ip_addr_v4(0x01020304); /* nobody is there */
	r.type = RTN_UNICAST;
	assert_int_equal(nl_request(kernel, rt_route_add(&r, false), &e, "route %s", "x"),
	                 -ENETUNREACH);
	assert_string_equal(e.text,
	                    "route x: Network is unreachable (Nexthop has invalid gateway)");
}

/* ---- a kernel that is played ---- */

static struct nl_conn *played;
static int stage = -1;

static int play_setup(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	played = xcalloc(1, sizeof(*played));
	played->fd = fds[0];
	played->in = xrealloc(NULL, NL_RECV_MAX);
	stage = fds[1];
	return 0;
}

static int play_teardown(void **state)
{
	(void)state;
	nl_conn_close(played);
	close(stage);
	return 0;
}

static void play(uint16_t type, uint16_t flags, uint32_t seq, const void *body, uint32_t len)
{
	uint8_t out[512] = { 0 };
	struct nlmsghdr h = { .nlmsg_len = NLMSG_HDRLEN + len,
		              .nlmsg_type = type,
		              .nlmsg_flags = flags,
		              .nlmsg_seq = seq };

	memcpy(out, &h, sizeof(h));
	memcpy(out + NLMSG_HDRLEN, body, len);
	assert_int_equal(send(stage, out, h.nlmsg_len, 0), h.nlmsg_len);
}

static void play_route(uint16_t flags, uint32_t seq)
{
	struct rtmsg m = { .rtm_family = AF_INET };

	play(RTM_NEWROUTE, NLM_F_MULTI | flags, seq, &m, sizeof(m));
}

static void play_done(uint16_t flags, uint32_t seq, int code)
{
	play(NLMSG_DONE, NLM_F_MULTI | flags, seq, &code, sizeof(code));
}

struct seen {
	int messages, restarts;
	int fail_at; /* 0: never */
};

static int on_seen(const struct nlmsghdr *h, void *arg)
{
	struct seen *s = arg;

	if (!h) {
		s->restarts++;
		s->messages = 0;
		return 0;
	}
	return ++s->messages == s->fail_at ? -ECANCELED : 0;
}

static void an_interrupted_dump_begins_afresh(void **state)
{
	struct seen s = { 0 };

	(void)state;
	play_route(0, 1);
	play_route(NLM_F_DUMP_INTR, 1);
	play_done(0, 1, 0);
	play_route(0, 2);
	play_route(0, 7); /* somebody else's */
	play_route(0, 2);
	play_route(0, 2);
	play_done(0, 2, 0);
	assert_int_equal(nl_dump_all(played, rt_route_dump(AF_INET, 0, 0), on_seen, &s, NULL), 0);
	assert_int_equal(s.restarts, 1);
	assert_int_equal(s.messages, 3);
}

static void a_dump_that_is_always_interrupted_gives_up(void **state)
{
	struct seen s = { 0 };
	struct err e = { 0 };

	(void)state;
	for (uint32_t seq = 1; seq <= 4; seq++)
		play_done(NLM_F_DUMP_INTR, seq, 0);
	assert_int_equal(nl_dump_all(played, rt_route_dump(AF_INET, 0, 0), on_seen, &s, &e),
	                 -EINTR);
	assert_int_equal(s.restarts, 3);
	assert_non_null(strstr(e.text, "4 dumps"));
}

static void a_failing_reader_leaves_nothing_unread(void **state)
{
	struct seen s = { .fail_at = 1 };
	struct err e = { 0 };
	uint8_t byte;

	(void)state;
	play_route(0, 1);
	play_route(0, 1);
	play_done(0, 1, 0);
	assert_int_equal(nl_dump_all(played, rt_route_dump(AF_INET, 0, 0), on_seen, &s, &e),
	                 -ECANCELED);
	assert_int_equal(s.messages, 1);
	assert_int_equal(recv(played->fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void a_dump_can_end_in_an_error(void **state)
{
	struct seen s = { 0 };
	struct err e = { 0 };

	(void)state;
	play_route(0, 1);
	play_done(0, 1, -EACCES);
	assert_int_equal(nl_dump_all(played, rt_route_dump(AF_INET, 0, 0), on_seen, &s, &e),
	                 -EACCES);
}

static void a_kernel_that_goes_away_is_an_error(void **state)
{
	struct seen s = { 0 };
	struct err e = { 0 };
	uint8_t half[8] = { 200 };

	(void)state;
	assert_int_equal(send(stage, half, sizeof(half), 0),
	                 sizeof(half)); /* a broken datagram is passed over */
	shutdown(stage, SHUT_WR);
	struct timeval soon = { .tv_usec = 50000 };
	assert_int_equal(setsockopt(played->fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	assert_true(nl_dump_all(played, rt_route_dump(AF_INET, 0, 0), on_seen, &s, &e) < 0);
	assert_non_null(strstr(e.text, "reading the kernel's answer"));
}

/* ---- listening ---- */

static int count(const struct nlmsghdr *h, void *arg)
{
	struct rt_route r;

	if (rt_route_parse(h, &r) == 0)
		++*(int *)arg;
	return 0;
}

static void a_monitor_hears_and_says_when_it_missed_something(void **state)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, 0 };
	struct nl_monitor *m = NULL;
	struct nl_batch *b = nl_batch_new(kernel);
	struct rt_route r = blackhole(5);
	int seen = 0, code;

	(void)state;
	assert_int_equal(nl_monitor_open(NETLINK_ROUTE, groups, &m, NULL), 0);
	assert_int_equal(nl_monitor_read(m, 10, count, &seen), 0);
	assert_int_equal(nl_request(kernel, rt_route_add(&r, false), NULL, "add"), 0);
	assert_int_equal(nl_request(kernel, rt_route_delete(&r), NULL, "delete"), 0);
	assert_int_equal(nl_monitor_read(m, 1, count, &seen), 1);
	assert_int_equal(nl_monitor_read(m, 10, count, &seen), 0);
	assert_int_equal(seen, 2);

	for (uint32_t i = 0; i < 30000; i++) {
		r = blackhole(i);
		nl_batch_add(b, rt_route_add(&r, true), i);
	}
	assert_int_equal(nl_batch_commit(b, NULL, NULL, NULL), 0);
	do
		code = nl_monitor_read(m, 1000, count, &seen);
	while (code > 0);
	assert_int_equal(code, -ENOBUFS);
	/* It goes on behind the gap. */
	do
		code = nl_monitor_read(m, 1000, count, &seen);
	while (code > 0);
	assert_int_equal(code, 0);
	seen = 0;
	assert_int_equal(nl_request(kernel, rt_route_delete(&r), NULL, "delete"), 0);
	assert_int_equal(nl_monitor_read(m, 10, count, &seen), 0);
	assert_int_equal(seen, 1);
	nl_monitor_close(m);
	nl_batch_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_has_a_verdict_for_each),
		cmocka_unit_test(sequence_numbers_wrap_around),
		cmocka_unit_test(the_kernel_says_why),
		cmocka_unit_test_setup_teardown(an_interrupted_dump_begins_afresh, play_setup,
		                                play_teardown),
		cmocka_unit_test_setup_teardown(a_dump_that_is_always_interrupted_gives_up,
		                                play_setup, play_teardown),
		cmocka_unit_test_setup_teardown(a_failing_reader_leaves_nothing_unread, play_setup,
		                                play_teardown),
		cmocka_unit_test_setup_teardown(a_dump_can_end_in_an_error, play_setup,
		                                play_teardown),
		cmocka_unit_test_setup_teardown(a_kernel_that_goes_away_is_an_error, play_setup,
		                                play_teardown),
		cmocka_unit_test(a_monitor_hears_and_says_when_it_missed_something),
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
