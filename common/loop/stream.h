/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream: one connected socket on the loop: frames in, frames out. What server and client are made
 * of; nobody else needs it.
 *
 * Frames that are sent within one turn of the loop leave together, in one sendmsg() per stream, at
 * the turn's end.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/ipc/frame.h"

/* The streams of one owner that have something to send. */
struct stream_set {
	uv_idle_t idle;
	struct list dirty;
};

struct stream {
	uv_poll_t poll;
	uv_timer_t linger;
	int fd;
	unsigned open_handles;
	int events;               /* what poll waits for */
	bool closing;             /* uv_close() is under way; no callback comes any more */
	bool lingering;           /* closes when the queue is empty */
	struct buf in;            /* the beginning of a frame that is not whole yet */
	struct ipc_frame **queue; /* a ring of queued frames */
	size_t q_head, q_len, q_cap;
	size_t sent;       /* bytes of the first frame that are gone already */
	size_t queued;     /* bytes in the queue, not yet written */
	struct list dirty; /* in set->dirty when something new is queued */
	struct stream_set *set;
	uint64_t frames_in, frames_out, bytes_in, bytes_out;

	void *owner;
	/* One whole frame; body is borrowed. The stream may be closed inside. */
	void (*on_frame)(struct stream *s, const struct cursor *body);
	void (*on_written)(struct stream *s); /* the queue has become shorter; may be NULL */
	void (*on_broken)(struct stream *s, const char *why); /* the owner must close it */
	void (*on_closed)(struct stream *s); /* last callback: the owner may free it */
};

int stream_set_init(struct stream_set *set, uv_loop_t *loop);
void stream_set_close(struct stream_set *set, uv_close_cb cb);

/* fd is taken, also on failure. The callbacks must be set. */
int stream_open(struct stream *s, uv_loop_t *loop, struct stream_set *set, int fd);
void stream_close(struct stream *s);         /* drops the queue */
void stream_close_flushed(struct stream *s); /* when the queue is written, one second at most */
void stream_send(struct stream *s, struct ipc_frame *f); /* takes a reference of its own */
