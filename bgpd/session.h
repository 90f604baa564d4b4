/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one TCP connection with a peer — its bytes, its machine (fsm.h), its queue of messages
 * to send.
 *
 * A session lives until its last handle is closed. From the moment it closes it has no peer any
 * more: it only sees its NOTIFICATION out, for a second at most.
 */
#pragma once

#include <uv.h>

#include "bgpd/fsm.h"
#include "bgpd/wire.h"

struct bgpd;
struct err;
struct peer;

/* Messages to send, built once however many peers they go to. */
struct frame {
	unsigned refs;
	size_t len;
	uint8_t data[];
};
struct frame *
frame_new(const struct buf *b); /* one reference for the caller; NULL: out of memory */
void frame_unref(struct frame *f);

#define SESSION_QUEUE_HIGH (4u << 20) /* bytes: above, the peer is too slow (export.c) */

struct session {
	struct bgpd *b;
	struct peer *peer; /* NULL: closing */
	bool ours;         /* we connected */
	struct fsm fsm;
	struct wire_open open; /* the peer's */
	struct wire_peer wire;
	struct ip_addr local; /* our address */
	struct mono_ms established;

	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	int open_handles;
	bool draining, writing, connecting;
	struct mono_ms write_began;
	struct buf in;
	struct frame **queue;
	size_t queue_first, queue_n, queue_cap, queued, in_flight;
};

/* Connects to the peer. NULL with a sentence when that fails at once. */
struct session *session_dial(struct peer *p, struct err *err);
/* Takes the connection that waits at the listening socket; who it is from decides whose it is. */
void session_accept(struct bgpd *b, uv_stream_t *listener);

/* Takes a reference of its own. Never fails: what cannot be sent shows when the connection does. */
void session_send(struct session *s, struct frame *f);
void session_send_buf(struct session *s, const struct buf *b);

/* Ends it with a NOTIFICATION. notice NULL: without a word, as if the process had died, so that the
 * peer keeps our routes. */
void session_stop(struct session *s, const struct bgp_notice *notice);
