/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine: every event in every state, the timers with a time of the test's own, and
 * collisions. */
#include "test/unit/test.h"

#include <string.h>

#include "bgpd/fsm.h"
#include "common/base/mem.h"

static const struct mono_ms t0 = { 1000000 };

static struct mono_ms at(unsigned ms)
{
	return mono_after(t0, ms);
}

static struct fsm in_state(enum fsm_state s)
{
	struct fsm f;

	fsm_init(&f, 90, 0, 7);
	if (s == FSM_IDLE) {
		(void)fsm_event(&f, t0, FSM_TCP_DOWN, 0, NULL);
		return f;
	}
	if (s >= FSM_OPENSENT)
		(void)fsm_event(&f, t0, FSM_TCP_UP, 0, NULL);
	if (s >= FSM_OPENCONFIRM)
		(void)fsm_event(&f, t0, FSM_GOT_OPEN, 30, NULL);
	if (s >= FSM_ESTABLISHED)
		(void)fsm_event(&f, t0, FSM_GOT_KEEPALIVE, 0, NULL);
	assert_int_equal(f.state, s);
	return f;
}

#define N FSM_SEND_NOTIFICATION
#define X FSM_CLOSE
#define D FSM_DOWN

static void every_event_in_every_state(void **state)
{
	static const struct {
		enum fsm_state in;
		enum fsm_event event;
		enum fsm_state out;
		unsigned actions;
		uint8_t code, subcode;
	} rows[] = {
		/* RFC 4271 section 8.2.2, state by state */
		{ FSM_CONNECT, FSM_TCP_UP, FSM_OPENSENT, FSM_SEND_OPEN, 0, 0 },
		{ FSM_CONNECT, FSM_TCP_DOWN, FSM_IDLE, X, 0, 0 },
		{ FSM_CONNECT, FSM_ERROR, FSM_IDLE, X, 6, 2 }, /* nobody there to tell */
		{ FSM_OPENSENT, FSM_TCP_UP, FSM_OPENSENT, 0, 0, 0 },
		{ FSM_OPENSENT, FSM_TCP_DOWN, FSM_IDLE, X, 0, 0 },
		{ FSM_OPENSENT, FSM_GOT_OPEN, FSM_OPENCONFIRM, FSM_SEND_KEEPALIVE, 0, 0 },
		{ FSM_OPENSENT, FSM_GOT_KEEPALIVE, FSM_IDLE, N | X, 5, 1 },
		{ FSM_OPENSENT, FSM_GOT_UPDATE, FSM_IDLE, N | X, 5, 1 },
		{ FSM_OPENSENT, FSM_GOT_REFRESH, FSM_IDLE, N | X, 5, 1 },
		{ FSM_OPENSENT, FSM_GOT_NOTIFICATION, FSM_IDLE, X, 6, 2 },
		{ FSM_OPENSENT, FSM_ERROR, FSM_IDLE, N | X, 6, 2 },
		{ FSM_OPENCONFIRM, FSM_TCP_DOWN, FSM_IDLE, X, 0, 0 },
		{ FSM_OPENCONFIRM, FSM_GOT_OPEN, FSM_IDLE, N | X, 5, 2 },
		{ FSM_OPENCONFIRM, FSM_GOT_KEEPALIVE, FSM_ESTABLISHED, FSM_UP, 0, 0 },
		{ FSM_OPENCONFIRM, FSM_GOT_UPDATE, FSM_IDLE, N | X, 5, 2 },
		{ FSM_OPENCONFIRM, FSM_GOT_REFRESH, FSM_IDLE, N | X, 5, 2 },
		{ FSM_OPENCONFIRM, FSM_GOT_NOTIFICATION, FSM_IDLE, X, 6, 2 },
		{ FSM_OPENCONFIRM, FSM_ERROR, FSM_IDLE, N | X, 6, 2 },
		{ FSM_ESTABLISHED, FSM_TCP_DOWN, FSM_IDLE, X | D, 0, 0 },
		{ FSM_ESTABLISHED, FSM_GOT_OPEN, FSM_IDLE, N | X | D, 5, 3 },
		{ FSM_ESTABLISHED, FSM_GOT_KEEPALIVE, FSM_ESTABLISHED, 0, 0, 0 },
		{ FSM_ESTABLISHED, FSM_GOT_UPDATE, FSM_ESTABLISHED, 0, 0, 0 },
		{ FSM_ESTABLISHED, FSM_GOT_REFRESH, FSM_ESTABLISHED, 0, 0, 0 },
		{ FSM_ESTABLISHED, FSM_GOT_NOTIFICATION, FSM_IDLE, X | D, 6, 2 },
		{ FSM_ESTABLISHED, FSM_ERROR, FSM_IDLE, N | X | D, 6, 2 },
		/* what comes late means nothing */
		{ FSM_IDLE, FSM_TCP_UP, FSM_IDLE, 0, 0, 0 },
		{ FSM_IDLE, FSM_GOT_OPEN, FSM_IDLE, 0, 0, 0 },
		{ FSM_IDLE, FSM_GOT_UPDATE, FSM_IDLE, 0, 0, 0 },
		{ FSM_IDLE, FSM_ERROR, FSM_IDLE, 0, 0, 0 },
	};
	static const struct bgp_notice shut = { .code = 6, .subcode = 2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsm f = in_state(rows[i].in);
		unsigned actions = fsm_event(&f, t0, rows[i].event, 30, &shut);

		if (actions != rows[i].actions || f.state != rows[i].out ||
		    f.notice.code != rows[i].code || f.notice.subcode != rows[i].subcode)
			fail_msg("row %zu: %s, event %d -> %s, actions %#x, %u/%u", i,
			         fsm_state_name(rows[i].in), rows[i].event, fsm_state_name(f.state),
			         actions, f.notice.code, f.notice.subcode);
		assert_int_equal(f.notice_received, rows[i].event == FSM_GOT_NOTIFICATION);
	}
}

static void silence_ends_the_session(void **state)
{
	static const struct {
		enum fsm_state in;
		unsigned hold_ms;
		unsigned actions;
	} rows[] = {
		{ FSM_OPENSENT, 240000, N | X }, /* the large initial value */
		{ FSM_OPENCONFIRM, 30000, N | X },
		{ FSM_ESTABLISHED, 30000, N | X | D },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsm f = in_state(rows[i].in);

		f.keepalive_on = false;
		assert_int_equal(fsm_due_ms(&f, t0), rows[i].hold_ms);
		assert_int_equal(fsm_tick(&f, at(rows[i].hold_ms - 1)), 0);
		assert_int_equal(fsm_tick(&f, at(rows[i].hold_ms)), rows[i].actions);
		assert_int_equal(f.notice.code, BGP_ERR_HOLD);
		assert_int_equal(fsm_due_ms(&f, t0), -1);
	}
}

static void what_is_heard_restarts_the_hold_timer(void **state)
{
	static const struct {
		enum fsm_event event;
		bool restarts;
	} rows[] = { { FSM_GOT_KEEPALIVE, true },
		     { FSM_GOT_UPDATE, true },
		     { FSM_GOT_REFRESH, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsm f = in_state(FSM_ESTABLISHED);

		f.keepalive_on = false;
		(void)fsm_event(&f, at(20000), rows[i].event, 0, NULL);
		assert_int_equal(fsm_due_ms(&f, at(20000)), rows[i].restarts ? 30000 : 10000);
	}
}

static void the_lesser_hold_time_is_used(void **state)
{
	static const struct {
		uint16_t ours, keepalive, theirs, hold, want_keepalive;
	} rows[] = {
		{ 90, 0, 30, 30, 10 },  { 90, 0, 240, 90, 30 }, { 90, 5, 240, 90, 5 },
		{ 90, 80, 30, 30, 10 }, { 90, 0, 3, 3, 1 },     { 90, 5, 0, 0, 0 },
		{ 0, 0, 90, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsm f;

		fsm_init(&f, rows[i].ours, rows[i].keepalive, 1);
		(void)fsm_event(&f, t0, FSM_TCP_UP, 0, NULL);
		assert_int_equal(fsm_event(&f, t0, FSM_GOT_OPEN, rows[i].theirs, NULL),
		                 FSM_SEND_KEEPALIVE);
		assert_int_equal(f.hold_sec, rows[i].hold);
		assert_int_equal(f.keepalive_sec, rows[i].want_keepalive);
		if (rows[i].hold == 0)
			assert_int_equal(fsm_due_ms(&f, t0), -1);
	}
}

static void keepalives_come_with_jitter(void **state)
{
	struct fsm f = in_state(FSM_ESTABLISHED);
	struct mono_ms now = t0;
	int64_t least = 1 << 30, most = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t due;

		(void)fsm_event(&f, now, FSM_GOT_KEEPALIVE, 0, NULL);
		due = fsm_due_ms(&f, now);
		least = due < least ? due : least;
		most = due > most ? due : most;
		now = mono_after(now, due);
		assert_int_equal(fsm_tick(&f, now), FSM_SEND_KEEPALIVE);
	}
	assert_true(least >= 7500 && least < 7700);
	assert_true(most <= 10000 && most > 9800);
}

static void the_higher_identifier_wins_a_collision(void **state)
{
	(void)state;
	assert_true(
	        fsm_collision_ours_wins(0xC0000001, 1, 0x0A000001, 1)); /* as unsigned numbers */
	assert_false(fsm_collision_ours_wins(0x0A000001, 1, 0x0A000002, 1));
	assert_true(fsm_collision_ours_wins(5, 65002, 5, 65001)); /* RFC 6286: the AS decides */
	assert_false(fsm_collision_ours_wins(5, 65001, 5, 65002));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state),
		cmocka_unit_test(silence_ends_the_session),
		cmocka_unit_test(what_is_heard_restarts_the_hold_timer),
		cmocka_unit_test(the_lesser_hold_time_is_used),
		cmocka_unit_test(keepalives_come_with_jitter),
		cmocka_unit_test(the_higher_identifier_wins_a_collision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
