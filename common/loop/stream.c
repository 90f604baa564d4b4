/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/mem.h"

#define READ_CHUNK 65536u
#define READS_PER_TURN 4 /* so that one loud peer leaves the loop to the others */
#define IOV_PER_SEND 64
#define LINGER_MS 1000

static void on_event(uv_poll_t *h, int status, int events);

static void set_events(struct stream *s)
{
	/* One that only lingers is not listened to: what it says would pile up unread. */
	int events = s->lingering ? 0 : UV_READABLE;

	if (s->queued && list_empty(&s->dirty))
		events |= UV_WRITABLE; /* the last sendmsg() could not take everything */
	if (events != s->events) /* uv_poll_start() costs system calls even when nothing changes */
		(void)uv_poll_start(&s->poll, events, on_event);
	s->events = events;
}

static struct ipc_frame *queue_at(const struct stream *s, size_t i)
{
	return s->queue[(s->q_head + i) % s->q_cap];
}

static void queue_push(struct stream *s, struct ipc_frame *f)
{
	if (s->q_len == s->q_cap) {
		size_t cap = s->q_cap ? s->q_cap * 2 : 16;
		struct ipc_frame **q = xcalloc(cap, sizeof(*q));

		for (size_t i = 0; i < s->q_len; i++)
			q[i] = queue_at(s, i);
		free(s->queue);
		s->queue = q;
		s->q_head = 0;
		s->q_cap = cap;
	}
	s->queue[(s->q_head + s->q_len++) % s->q_cap] = f;
	s->queued += f->len;
}

static void queue_written(struct stream *s, size_t n)
{
	s->queued -= n;
	s->bytes_out += n;
	n += s->sent;
	while (s->q_len && n >= queue_at(s, 0)->len) {
		n -= queue_at(s, 0)->len;
		ipc_frame_unref(queue_at(s, 0));
		s->q_head = (s->q_head + 1) % s->q_cap;
		s->q_len--;
		s->frames_out++;
	}
	s->sent = n;
}

static void flush(struct stream *s)
{
	size_t before = s->queued;

	list_unlink(&s->dirty);
	while (s->q_len) {
		struct iovec iov[IOV_PER_SEND];
		struct msghdr msg = { .msg_iov = iov };
		ssize_t n;

		for (size_t i = 0; i < s->q_len && i < IOV_PER_SEND; i++) {
			size_t skip = i == 0 ? s->sent : 0;

			iov[i].iov_base = queue_at(s, i)->data + skip;
			iov[i].iov_len = queue_at(s, i)->len - skip;
			msg.msg_iovlen = i + 1;
		}
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			s->on_broken(s, strerror(errno));
			return;
		}
		queue_written(s, (size_t)n);
	}
	set_events(s);
	if (s->lingering && !s->queued)
		stream_close(s);
	else if (s->queued < before && s->on_written)
		s->on_written(s);
}

static void on_idle(uv_idle_t *h)
{
	struct stream_set *set = h->data;

	/* What the callbacks below queue anew is sent in the next turn. */
	struct list now;

	list_init(&now);
	while (!list_empty(&set->dirty)) {
		struct list *it = set->dirty.next;

		list_unlink(it);
		list_push_back(&now, it);
	}
	while (!list_empty(&now))
		flush(list_entry(now.next, struct stream, dirty));
	if (list_empty(&set->dirty))
		(void)uv_idle_stop(h);
}

int stream_set_init(struct stream_set *set, uv_loop_t *loop)
{
	list_init(&set->dirty);
	set->idle.data = set;
	return uv_idle_init(loop, &set->idle);
}

void stream_set_close(struct stream_set *set, uv_close_cb cb)
{
	uv_close((uv_handle_t *)&set->idle, cb);
}

/* Hands out the whole frames at data. Returns how many bytes they took. */
static size_t deliver(struct stream *s, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (!s->closing && !s->lingering) {
		struct cursor body;
		size_t consumed;
		int r = ipc_frame_next(data + at, len - at, &body, &consumed);

		if (r == 0)
			break;
		if (r < 0) {
			char why[80];

			(void)snprintf(why, sizeof(why),
			               "a frame that announces more than %u bytes", IPC_FRAME_MAX);
			s->on_broken(s, why);
			break;
		}
		at += consumed;
		s->frames_in++;
		s->on_frame(s, &body);
	}
	return at;
}

/* Reads a piece; as recv(2). Only the beginning of a frame that is not whole yet is kept in s->in.
 */
static ssize_t read_piece(struct stream *s)
{
	/* Shared by all streams, which have one thread: a connection at rest holds no memory. */
	static uint8_t piece[READ_CHUNK];
	bool begun = s->in.len > 0;
	uint8_t *to = begun ? buf_extend(&s->in, READ_CHUNK) : piece;
	ssize_t n = recv(s->fd, to, READ_CHUNK, MSG_DONTWAIT);
	size_t at;

	if (begun)
		s->in.len -= READ_CHUNK - (n > 0 ? (size_t)n : 0);
	if (n <= 0)
		return n;
	s->bytes_in += (size_t)n;
	if (begun)
		at = deliver(s, s->in.data, s->in.len);
	else
		at = deliver(s, piece, (size_t)n);
	if (s->closing || s->lingering)
		return n;
	if (begun)
		buf_consume(&s->in, at);
	else
		buf_add(&s->in, piece + at, (size_t)n - at);
	if (s->in.len == 0)
		buf_done(&s->in);
	return n;
}

static void read_some(struct stream *s)
{
	for (int i = 0; i < READS_PER_TURN && !s->closing && !s->lingering; i++) {
		ssize_t n = read_piece(s);

		if (n > 0) {
			if ((size_t)n < READ_CHUNK)
				return;
		} else if (n == 0) {
			s->on_broken(s, s->in.len ? "connection closed within a frame"
			                          : "connection closed");
			return;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			s->on_broken(s, strerror(errno));
			return;
		}
	}
}

static void on_event(uv_poll_t *h, int status, int events)
{
	struct stream *s = h->data;

	if (status < 0) {
		s->on_broken(s, uv_strerror(status));
		return;
	}
	if (events & UV_READABLE)
		read_some(s);
	if (!s->closing && (events & UV_WRITABLE))
		flush(s);
}

int stream_open(struct stream *s, uv_loop_t *loop, struct stream_set *set, int fd)
{
	int r = uv_poll_init(loop, &s->poll, fd);

	list_init(&s->dirty);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)uv_timer_init(loop, &s->linger);
	s->poll.data = s;
	s->linger.data = s;
	s->open_handles = 2;
	s->fd = fd;
	s->set = set;
	set_events(s);
	return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct stream *s = h->data;

	if (--s->open_handles == 0)
		s->on_closed(s);
}

static void drop_queue(struct stream *s)
{
	while (s->q_len) {
		ipc_frame_unref(queue_at(s, 0));
		s->q_head = (s->q_head + 1) % s->q_cap;
		s->q_len--;
	}
	free(s->queue);
	s->queue = NULL;
	s->q_cap = s->queued = s->sent = 0;
}

void stream_close(struct stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	list_unlink(&s->dirty);
	drop_queue(s);
	buf_done(&s->in);
	uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	uv_close((uv_handle_t *)&s->linger, on_handle_closed);
	(void)close(s->fd);
	s->fd = -1;
}

static void on_linger(uv_timer_t *t)
{
	stream_close(t->data);
}

void stream_close_flushed(struct stream *s)
{
	if (s->closing || s->lingering)
		return;
	if (!s->queued) {
		stream_close(s);
		return;
	}
	s->lingering = true;
	set_events(s);
	(void)uv_timer_start(&s->linger, on_linger, LINGER_MS, 0);
}

void stream_send(struct stream *s, struct ipc_frame *f)
{
	if (s->closing || s->lingering)
		return;
	queue_push(s, ipc_frame_ref(f));
	/* While the socket is full, UV_WRITABLE will flush; else this turn's end does. */
	if (list_empty(&s->dirty) && s->queued == f->len) {
		list_push_back(&s->set->dirty, &s->dirty);
		(void)uv_idle_start(&s->set->idle, on_idle);
	}
}
