/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define READ_CHUNK 65536u
#define READS_PER_TURN 4 /* so that one loud peer leaves the loop to the others */
#define IOV_PER_SEND 256
#define LINGER_MS 1000

static void on_event(uv_poll_t *h, int status, int events);

static void set_events(struct stream *s)
{
	/* One that only lingers is not listened to: what it says would pile up unread. */
	int events = s->lingering ? 0 : s->read_events;

	if (!s->shaking && s->queued && list_empty(&s->dirty))
		events |= s->write_events; /* the last sendmsg() could not take everything */
	if (events != s->events) /* uv_poll_start() costs system calls even when nothing changes */
		(void)uv_poll_start(&s->poll, events, on_event);
	s->events = events;
}

/* ---- the socket, or what lies before it: bytes, or a negative errno */

static int uv_events(short events)
{
	return (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
}

static ssize_t sock_read(struct stream *s, void *to, size_t len, struct err *err)
{
	ssize_t n;

	if (s->transport) {
		n = s->transport->ops->read(s->transport, to, len, err);
		s->read_events = n == -EAGAIN ? uv_events(s->transport->ops->events(s->transport))
		                              : UV_READABLE;
		return n;
	}
	do
		n = recv(s->fd, to, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n : errno == EAGAIN ? -EAGAIN : err_sys(err, "receive");
}

static ssize_t sock_write(struct stream *s, struct iovec *iov, size_t n_iov, struct err *err)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n_iov };
	ssize_t n;

	if (s->transport) {
		n = s->transport->ops->write(s->transport, iov, (int)n_iov, err);
		if (n == -EAGAIN)
			s->write_events = uv_events(s->transport->ops->events(s->transport));
		return n;
	}
	do
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n : errno == EAGAIN ? -EAGAIN : err_sys(err, "send");
}

/* ---- what is held */

static void on_idle(uv_idle_t *h);

static void memory_add(struct stream *s, size_t len)
{
	struct stream_set *set = s->set;

	s->memory += len;
	set->memory += len;
	if (set->memory_max && set->memory > set->memory_max)
		(void)uv_idle_start(&set->idle, on_idle);
}

static void memory_sub(struct stream *s, size_t len)
{
	s->memory -= len;
	s->set->memory -= len;
}

/* What is kept of a frame that is not whole. */
static void memory_in(struct stream *s, size_t len)
{
	if (len > s->in_counted)
		memory_add(s, len - s->in_counted);
	else
		memory_sub(s, s->in_counted - len);
	s->in_counted = len;
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
	if (!s->queued)
		s->progress = uv_now(s->loop);
	s->queue[(s->q_head + s->q_len++) % s->q_cap] = f;
	s->queued += f->len;
	if (!f->shared)
		memory_add(s, f->len);
}

static void queue_pop(struct stream *s)
{
	struct ipc_frame *f = queue_at(s, 0);

	if (!f->shared)
		memory_sub(s, f->len);
	ipc_frame_unref(f);
	s->q_head = (s->q_head + 1) % s->q_cap;
	s->q_len--;
}

static void queue_written(struct stream *s, size_t n)
{
	s->progress = uv_now(s->loop);
	s->queued -= n;
	s->bytes_out += n;
	n += s->sent;
	while (s->q_len && n >= queue_at(s, 0)->len) {
		n -= queue_at(s, 0)->len;
		queue_pop(s);
		s->frames_out++;
	}
	s->sent = n;
}

/* What most flushes are: one frame, which the socket takes. What became of it, if anything, the
 * caller sees by the queue. A function apart, as it is called for each of thousands of peers: the
 * other has much on its stack that is cleared each time. */
static void write_first(struct stream *s)
{
	const struct ipc_frame *f = queue_at(s, 0);
	ssize_t n = send(s->fd, f->data + s->sent, f->len - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		queue_written(s, (size_t)n);
}

/* Writes until the queue is empty or the socket full. false: it is broken, and the owner knows. */
static bool __attribute__((noinline)) write_queue(struct stream *s)
{
	while (s->q_len) {
		struct iovec iov[IOV_PER_SEND];
		struct err err = { 0 };
		size_t n_iov = 0;
		ssize_t n;

		for (; n_iov < s->q_len && n_iov < IOV_PER_SEND; n_iov++) {
			size_t skip = n_iov == 0 ? s->sent : 0;

			iov[n_iov].iov_base = queue_at(s, n_iov)->data + skip;
			iov[n_iov].iov_len = queue_at(s, n_iov)->len - skip;
		}
		n = sock_write(s, iov, n_iov, &err);
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			s->on_broken(s, (int)n, err.text);
			return false;
		}
		queue_written(s, (size_t)n);
	}
	return true;
}

static void flush(struct stream *s)
{
	size_t before = s->queued;

	list_unlink(&s->dirty);
	if (s->shaking)
		return; /* when it is ready */
	if (s->q_len == 1 && !s->transport)
		write_first(s);
	if (s->q_len && !write_queue(s))
		return;
	set_events(s);
	if (s->lingering && !s->queued)
		stream_close(s);
	else if (s->queued < before && s->on_written)
		s->on_written(s);
}

static void read_some(struct stream *s);

static void list_take(struct list *from, struct list *to)
{
	list_init(to);
	while (!list_empty(from)) {
		struct list *it = from->next;

		list_unlink(it);
		list_push_back(to, it);
	}
}

static void on_idle(uv_idle_t *h)
{
	struct stream_set *set = h->data;

	/* What the callbacks below queue anew is sent in the next turn. */
	struct list now;

	list_take(&set->again, &now);
	while (!list_empty(&now)) {
		struct stream *s = list_entry(now.next, struct stream, again);

		list_unlink(&s->again);
		read_some(s);
	}
	list_take(&set->dirty, &now);
	while (!list_empty(&now))
		flush(list_entry(now.next, struct stream, dirty));
	while (set->on_full && set->memory_max && set->memory > set->memory_max &&
	       set->on_full(set))
		;
	if (list_empty(&set->dirty) && list_empty(&set->again))
		(void)uv_idle_stop(h);
}

int stream_set_init(struct stream_set *set, uv_loop_t *loop)
{
	list_init(&set->dirty);
	list_init(&set->again);
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
			s->on_broken(s, -EMSGSIZE, why);
			break;
		}
		at += consumed;
		s->frames_in++;
		s->on_frame(s, &body);
	}
	return at;
}

/* Reads a piece: bytes, 0 at the end, or a negative errno. Only the beginning of a frame that is
 * not whole yet is kept in s->in. */
static ssize_t read_piece(struct stream *s, struct err *err)
{
	/* Shared by all streams, which have one thread: a connection at rest holds no memory. */
	static uint8_t piece[READ_CHUNK];
	size_t before = s->in.len, at;
	uint8_t *to = before ? buf_extend(&s->in, READ_CHUNK) : piece;
	ssize_t n = sock_read(s, to, READ_CHUNK, err);

	if (before)
		s->in.len -= READ_CHUNK - (n > 0 ? (size_t)n : 0);
	if (n <= 0)
		return n;
	s->bytes_in += (size_t)n;
	if (before)
		at = deliver(s, s->in.data, s->in.len);
	else
		at = deliver(s, piece, (size_t)n);
	if (s->closing || s->lingering) {
		stream_forget(s);
		return n;
	}
	if (before)
		buf_consume(&s->in, at);
	else
		buf_add(&s->in, piece + at, (size_t)n - at);
	memory_in(s, s->in.len);
	if (s->in.len == 0)
		buf_done(&s->in);
	return n;
}

static void read_some(struct stream *s)
{
	struct err err = { 0 };

	for (int i = 0; i < READS_PER_TURN && !s->closing && !s->lingering; i++) {
		ssize_t n = read_piece(s, &err);

		if (n == 0) {
			s->on_broken(s, s->in.len ? -EPROTO : 0,
			             s->in.len ? "connection closed within a frame"
			                       : "connection closed");
			return;
		}
		if (n < 0 && n != -EAGAIN) {
			s->on_broken(s, (int)n, err.text);
			return;
		}
		if (n < (ssize_t)READ_CHUNK)
			break;
	}
	if (s->closing || s->lingering)
		return;
	/* The socket tells by itself that there is more; the transport does not. */
	if (s->transport && s->transport->ops->pending(s->transport) && list_empty(&s->again)) {
		list_push_back(&s->set->again, &s->again);
		(void)uv_idle_start(&s->set->idle, on_idle);
	}
	set_events(s);
}

/* ---- becoming ready */

static int shake_step(struct stream *s, struct err *err)
{
	if (s->connecting) {
		int code = 0;
		socklen_t len = sizeof(code);

		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
			code = errno;
		errno = code;
		if (code)
			return err_sys(err, "connect");
		s->connecting = false;
	}
	return s->transport ? s->transport->ops->handshake(s->transport, err) : 0;
}

static void shake(struct stream *s)
{
	struct err err = { 0 };
	int r = shake_step(s, &err);

	if (r == -EAGAIN) {
		s->read_events = uv_events(s->transport->ops->events(s->transport));
		set_events(s);
		return;
	}
	if (r < 0) {
		s->on_broken(s, r, err.text);
		return;
	}
	s->shaking = false;
	s->read_events = UV_READABLE;
	set_events(s);
	if (s->on_ready)
		s->on_ready(s);
}

static void on_event(uv_poll_t *h, int status, int events)
{
	struct stream *s = h->data;

	if (status < 0) {
		/* POLLERR, of which libuv knows no more, and has stopped. What came in before is
		 * read, and then the reason. */
		if (s->lingering) {
			s->on_broken(s, status, uv_strerror(status));
			return;
		}
		s->events = 0;
		events = s->read_events;
	}
	if (s->shaking) {
		shake(s);
		return;
	}
	if (events & s->read_events)
		read_some(s);
	if (!s->closing && s->queued && list_empty(&s->dirty) && (events & s->write_events))
		flush(s);
}

int stream_open(struct stream *s, uv_loop_t *loop, struct stream_set *set, int fd,
                struct transport *transport, bool connecting)
{
	int r = uv_poll_init(loop, &s->poll, fd);

	list_init(&s->dirty);
	list_init(&s->again);
	if (r < 0) {
		if (transport)
			transport->ops->free(transport);
		(void)close(fd);
		return r;
	}
	(void)uv_timer_init(loop, &s->linger);
	s->poll.data = s;
	s->linger.data = s;
	s->open_handles = 2;
	s->loop = loop;
	s->fd = fd;
	s->set = set;
	s->transport = transport;
	s->connecting = connecting;
	s->shaking = connecting || transport;
	/* A client's handshake begins with sending: writable is when. */
	s->read_events = connecting   ? UV_WRITABLE
	                 : s->shaking ? UV_READABLE | UV_WRITABLE
	                              : UV_READABLE;
	s->write_events = UV_WRITABLE;
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
	while (s->q_len)
		queue_pop(s);
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
	list_unlink(&s->again);
	stream_forget(s);
	drop_queue(s);
	uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	uv_close((uv_handle_t *)&s->linger, on_handle_closed);
	if (s->transport)
		s->transport->ops->free(s->transport);
	s->transport = NULL;
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
	if (!s->queued || s->shaking) {
		stream_close(s);
		return;
	}
	s->lingering = true;
	list_unlink(&s->again);
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

void stream_forget(struct stream *s)
{
	memory_in(s, 0);
	buf_done(&s->in);
}

uint64_t stream_stalled_ms(const struct stream *s)
{
	return s->queued ? uv_now(s->loop) - s->progress : 0;
}
