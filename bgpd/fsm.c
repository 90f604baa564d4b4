/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/fsm.h"

#include <stddef.h>

#include "common/base/mem.h"

const char *fsm_state_name(enum fsm_state s)
{
	static const char *const names[FSM_STATES] = { "Idle",     "Connect",     "Active",
		                                       "OpenSent", "OpenConfirm", "Established" };

	return names[s];
}

void fsm_init(struct fsm *f, uint16_t hold_sec, uint16_t keepalive_sec, uint32_t random)
{
	*f = (struct fsm){ .state = FSM_CONNECT,
		           .hold_sec = hold_sec,
		           .keepalive_sec = keepalive_sec,
		           .random = random | 1 };
}

int64_t fsm_jitter(uint32_t *random, int64_t ms)
{
	/* xorshift: enough to keep a thousand peers from speaking at once */
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return ms * 3 / 4 + (int64_t)(*random % 1024) * (ms / 4) / 1024;
}

static void hold_restart(struct fsm *f, struct mono_ms now)
{
	f->hold_on = f->hold_sec != 0;
	f->hold_at = mono_after(now, f->hold_sec * 1000);
}

static void keepalive_restart(struct fsm *f, struct mono_ms now)
{
	f->keepalive_on = f->keepalive_sec != 0;
	f->keepalive_at = mono_after(now, fsm_jitter(&f->random, f->keepalive_sec * 1000));
}

static void negotiate(struct fsm *f, uint16_t peer_hold)
{
	uint16_t wanted = f->keepalive_sec;

	if (peer_hold < f->hold_sec)
		f->hold_sec = peer_hold;
	f->keepalive_sec = f->hold_sec / 3; /* hold is 0 or at least 3 */
	if (wanted && wanted < f->keepalive_sec)
		f->keepalive_sec = wanted;
}

static unsigned end(struct fsm *f, const struct bgp_notice *n, bool received)
{
	unsigned actions = FSM_CLOSE;

	if (f->state == FSM_ESTABLISHED)
		actions |= FSM_DOWN;
	if (n && n->code) {
		f->notice = *n;
		f->notice_received = received;
		if (!received && f->state >= FSM_OPENSENT)
			actions |= FSM_SEND_NOTIFICATION;
	}
	f->state = FSM_IDLE;
	f->hold_on = f->keepalive_on = false;
	return actions;
}

static unsigned out_of_place(struct fsm *f)
{
	/* RFC 6608 */
	static const uint8_t subcodes[FSM_STATES] = {
		[FSM_OPENSENT] = BGP_FSM_OPENSENT,
		[FSM_OPENCONFIRM] = BGP_FSM_OPENCONFIRM,
		[FSM_ESTABLISHED] = BGP_FSM_ESTABLISHED,
	};
	struct bgp_notice n = { .code = BGP_ERR_FSM, .subcode = subcodes[f->state] };

	return end(f, &n, false);
}

unsigned fsm_event(struct fsm *f, struct mono_ms now, enum fsm_event event, uint16_t arg,
                   const struct bgp_notice *notice)
{
	if (f->state == FSM_IDLE)
		return 0;
	switch (event) {
	case FSM_TCP_UP:
		if (f->state >= FSM_OPENSENT)
			return 0;
		f->state = FSM_OPENSENT;
		f->hold_on = true;
		f->hold_at = mono_after(now, FSM_INITIAL_HOLD_SEC * 1000);
		return FSM_SEND_OPEN;
	case FSM_TCP_DOWN:
		return end(f, NULL, false);
	case FSM_GOT_NOTIFICATION:
		return end(f, notice, true);
	case FSM_ERROR:
		return end(f, notice, false);
	case FSM_GOT_OPEN:
		if (f->state != FSM_OPENSENT)
			return out_of_place(f);
		f->state = FSM_OPENCONFIRM;
		negotiate(f, arg);
		hold_restart(f, now);
		keepalive_restart(f, now);
		return FSM_SEND_KEEPALIVE; /* also with a hold time of 0: it ends the peer's
		                              OpenConfirm */
	case FSM_GOT_KEEPALIVE:
		if (f->state < FSM_OPENCONFIRM)
			return out_of_place(f);
		hold_restart(f, now);
		if (f->state == FSM_ESTABLISHED)
			return 0;
		f->state = FSM_ESTABLISHED;
		return FSM_UP;
	case FSM_GOT_UPDATE:
	case FSM_GOT_REFRESH:
		if (f->state != FSM_ESTABLISHED)
			return out_of_place(f);
		if (event == FSM_GOT_UPDATE)
			hold_restart(f, now);
		return 0;
	case FSM_EVENTS:
		break;
	}
	return 0;
}

unsigned fsm_tick(struct fsm *f, struct mono_ms now)
{
	static const struct bgp_notice expired = { .code = BGP_ERR_HOLD };

	if (f->hold_on && !mono_before(now, f->hold_at))
		return end(f, &expired, false);
	if (f->keepalive_on && !mono_before(now, f->keepalive_at)) {
		keepalive_restart(f, now);
		return FSM_SEND_KEEPALIVE;
	}
	return 0;
}

int64_t fsm_due_ms(const struct fsm *f, struct mono_ms now)
{
	int64_t due = -1;

	if (f->hold_on)
		due = (int64_t)(f->hold_at.ms > now.ms ? f->hold_at.ms - now.ms : 0);
	if (f->keepalive_on) {
		int64_t k =
		        (int64_t)(f->keepalive_at.ms > now.ms ? f->keepalive_at.ms - now.ms : 0);

		due = due < 0 || k < due ? k : due;
	}
	return due;
}

bool fsm_collision_ours_wins(uint32_t our_id, uint32_t our_as, uint32_t peer_id, uint32_t peer_as)
{
	return our_id != peer_id ? our_id > peer_id : our_as > peer_as;
}
