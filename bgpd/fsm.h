/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsm: the state machine of RFC 4271 section 8 for one TCP connection. Pure: events and the time
 * come in, actions go out.
 *
 * A peer may have two connections for a moment, one from each side; each has a machine of its own
 * (section 8.2.1), and the peer decides between them (peer.c). Connect and Active are states of the
 * peer, which dials and listens; a machine begins when there is a connection, in OpenSent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgpd/bgp.h"
#include "common/base/clock.h"

enum fsm_state {
	FSM_IDLE,
	FSM_CONNECT,
	FSM_ACTIVE,
	FSM_OPENSENT,
	FSM_OPENCONFIRM,
	FSM_ESTABLISHED,
	FSM_STATES
};
const char *fsm_state_name(enum fsm_state s);

enum fsm_event {
	FSM_TCP_UP,        /* section 8.1.4: 16, 17 */
	FSM_TCP_DOWN,      /* 18 */
	FSM_GOT_OPEN,      /* 19; hold_sec in the argument */
	FSM_GOT_KEEPALIVE, /* 26 */
	FSM_GOT_UPDATE,    /* 27 */
	FSM_GOT_REFRESH,
	FSM_GOT_NOTIFICATION, /* 24, 25 */
	FSM_ERROR, /* 21, 22, 28; and whatever else ends with a NOTIFICATION of ours: collision
	              (23), stop (2) */
	FSM_EVENTS,
};

#define FSM_SEND_OPEN 0x01u
#define FSM_SEND_KEEPALIVE 0x02u
#define FSM_SEND_NOTIFICATION 0x04u /* fsm.notice */
#define FSM_CLOSE 0x08u             /* the connection; the machine is in Idle */
#define FSM_UP 0x10u                /* entered Established */
#define FSM_DOWN 0x20u              /* left it */

#define FSM_INITIAL_HOLD_SEC 240u /* section 8.2.2: a large value until the OPEN is here */

struct fsm {
	enum fsm_state state;
	uint16_t hold_sec, keepalive_sec; /* ours; then what was negotiated */
	bool hold_on, keepalive_on;
	struct mono_ms hold_at, keepalive_at;
	uint32_t random;          /* state of the jitter's generator; the caller seeds it */
	struct bgp_notice notice; /* what ended it: ours, sent, or the peer's, received */
	bool notice_received;
};

/* keepalive_sec 0: a third of the hold time. */
void fsm_init(struct fsm *f, uint16_t hold_sec, uint16_t keepalive_sec, uint32_t random);

/* FSM_GOT_OPEN: arg is the peer's hold time. FSM_ERROR and FSM_GOT_NOTIFICATION: notice (NULL: none
 * is sent). Returns actions. */
unsigned fsm_event(struct fsm *f, struct mono_ms now, enum fsm_event event, uint16_t arg,
                   const struct bgp_notice *notice);

/* The timers. Returns actions. */
unsigned fsm_tick(struct fsm *f, struct mono_ms now);

/* Milliseconds until fsm_tick() has something to do; -1: never. */
int64_t fsm_due_ms(const struct fsm *f, struct mono_ms now);

/* RFC 4271 section 10: a time between 75 and 100 % of ms. */
int64_t fsm_jitter(uint32_t *random, int64_t ms);

/*
 * Section 6.8 with RFC 6286: two connections of one peer, both with an OPEN seen. true: the one
 * that we initiated survives.
 */
bool fsm_collision_ours_wins(uint32_t our_id, uint32_t our_as, uint32_t peer_id, uint32_t peer_as);
