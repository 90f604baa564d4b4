/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream: one connected socket on the loop: frames in, frames out. What server and client are made
 * of; nobody else needs it.
 *
 * Frames that are sent within one turn of the loop leave together, in one sendmsg() per stream, at
 * the turn's end.
 *
 *     connecting --> transport's handshake --> on_ready --> frames --> on_broken | closed
 *
 * Without a transport, and already connected, a stream is ready from the beginning and there is no
 * on_ready.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/ipc/frame.h"
#include "common/loop/transport.h"

/* The streams of one owner. */
struct stream_set {
	uv_idle_t idle;
	struct list dirty; /* those that have something to send */
	struct list again; /* those that were not read to the end */
	size_t memory;     /* bytes that they hold: beginnings of frames, queued frames that are
	                      not shared */
	size_t memory_max; /* 0: none */
	/* At a turn's end, while it is above memory_max: makes room. false: there is nothing to
	 * drop. NULL: no limit. */
	bool (*on_full)(struct stream_set *set);
};

struct stream {
	uv_poll_t poll;
	uv_timer_t linger;
	uv_loop_t *loop;
	int fd;
	unsigned open_handles;
	int events;                  /* what poll waits for */
	int read_events;             /* what reading, writing, the handshake wait for */
	int write_events;            /* ... when they wait */
	struct transport *transport; /* NULL: none */
	bool connecting, shaking;    /* not ready yet */
	bool closing;                /* uv_close() is under way; no callback comes any more */
	bool lingering;              /* closes when the queue is empty */
	struct buf in;               /* the beginning of a frame that is not whole yet */
	struct ipc_frame **queue;    /* a ring of queued frames */
	size_t q_head, q_len, q_cap;
	size_t sent;       /* bytes of the first frame that are gone already */
	size_t queued;     /* bytes in the queue, not yet written */
	size_t memory;     /* of set->memory: this one's part */
	size_t in_counted; /* of memory: what is in in */
	uint64_t progress; /* uv_now() when the queue last became shorter, or was empty */
	struct list dirty; /* in set->dirty when something new is queued */
	struct list again; /* in set->again */
	struct stream_set *set;
	uint64_t frames_in, frames_out, bytes_in, bytes_out;

	void *owner;
	/* One whole frame; body is borrowed. The stream may be closed inside. */
	void (*on_frame)(struct stream *s, const struct cursor *body);
	void (*on_written)(struct stream *s); /* the queue has become shorter; may be NULL */
	void (*on_ready)(struct stream *s);   /* may be NULL */
	/* The owner must close it. code: 0: the peer has left, between two frames; -EPROTO,
	 * -EMSGSIZE: it makes no sense; else what the socket said. */
	void (*on_broken)(struct stream *s, int code, const char *why);
	void (*on_closed)(struct stream *s); /* last callback: the owner may free it */
};

int stream_set_init(struct stream_set *set, uv_loop_t *loop);
void stream_set_close(struct stream_set *set, uv_close_cb cb);

/* fd and transport (which may be NULL) are taken, also on failure. connecting: fd is not connected
 * yet. The callbacks must be set. */
int stream_open(struct stream *s, uv_loop_t *loop, struct stream_set *set, int fd,
                struct transport *transport, bool connecting);
void stream_close(struct stream *s);         /* drops the queue */
void stream_close_flushed(struct stream *s); /* when the queue is written, one second at most */
void stream_send(struct stream *s, struct ipc_frame *f); /* takes a reference of its own */
/* Drops what has come in of a frame that is not whole. Not from within on_frame(). */
void stream_forget(struct stream *s);
/* For how long what is queued has not become shorter. 0: nothing is queued. */
uint64_t stream_stalled_ms(const struct stream *s);
