/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/stream.h"

#define MAX_PEERS_DEFAULT 1024u
#define SEND_HIGH_DEFAULT (16u << 20)
#define SEND_LOW_DEFAULT (1u << 20)
#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS 100 /* when file descriptors have run out */

struct ipc_peer {
	struct stream stream;
	struct ipc_server *server;
	struct list node;
	struct peer_cred cred;
	void *data;
	bool open; /* on_open was called, on_close not yet */
	bool slow; /* above send_high, and not yet below send_low */
};

struct ipc_server {
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t pause;
	struct stream_set set;
	int fd;
	char *path;
	const struct ipc_server_ops *ops;
	void *arg;
	struct list peers;
	struct ipc_server_stats stats;
	size_t send_high, send_low;
	unsigned max_peers, open_handles, live; /* live: peers not yet freed */
	bool closing;
	struct log_limit log_bad, log_full;
};

static void maybe_free(struct ipc_server *s)
{
	if (s->closing && s->open_handles == 0 && s->live == 0) {
		free(s->path);
		free(s);
	}
}

/* ---- peers ---- */

static void peer_gone(struct ipc_peer *p)
{
	struct ipc_server *s = p->server;

	if (!p->open)
		return;
	p->open = false;
	list_unlink(&p->node);
	s->stats.peers--;
	s->stats.frames_in += p->stream.frames_in;
	s->stats.frames_out += p->stream.frames_out;
	s->stats.bytes_in += p->stream.bytes_in;
	s->stats.bytes_out += p->stream.bytes_out;
	if (s->ops->on_close)
		s->ops->on_close(p);
}

static void drop_peer(struct ipc_peer *p)
{
	peer_gone(p);
	stream_close(&p->stream);
}

static void log_bad_peer(struct ipc_peer *p, const char *why)
{
	unsigned held;

	p->server->stats.bad_frames++;
	if (log_limit_pass(&p->server->log_bad, &held))
		log_warn("peer sent garbage", "socket=%s pid=%d uid=%u why=%s suppressed=%u",
		         LOG_VIS(p->server->path), (int)p->cred.pid, (unsigned)p->cred.uid,
		         LOG_VIS(why), held);
}

static void on_frame(struct stream *st, const struct cursor *body)
{
	struct ipc_peer *p = st->owner;
	ProtobufCMessage *msg = ipc_unpack(p->server->ops->request, body);

	if (!msg) {
		log_bad_peer(p, "a frame that is not a message");
		drop_peer(p);
		return;
	}
	p->server->ops->on_message(p, msg);
	protobuf_c_message_free_unpacked(msg, NULL);
}

static void on_written(struct stream *st)
{
	struct ipc_peer *p = st->owner;

	if (p->slow && st->queued < p->server->send_low) {
		p->slow = false;
		if (p->server->ops->on_drained)
			p->server->ops->on_drained(p);
	}
}

static void on_broken(struct stream *st, const char *why)
{
	struct ipc_peer *p = st->owner;

	/* Going away between frames is how everyone leaves; anything else is worth a line. */
	if (strcmp(why, "connection closed") != 0 && strcmp(why, strerror(ECONNRESET)) != 0 &&
	    strcmp(why, strerror(EPIPE)) != 0)
		log_bad_peer(p, why);
	drop_peer(p);
}

static void on_stream_closed(struct stream *st)
{
	struct ipc_peer *p = st->owner;
	struct ipc_server *s = p->server;

	peer_gone(p); /* when a send closed it */
	free(p);
	s->live--;
	maybe_free(s);
}

static void add_peer(struct ipc_server *s, int fd)
{
	struct ipc_peer *p = xcalloc(1, sizeof(*p));

	p->server = s;
	list_init(&p->node);
	p->stream.owner = p;
	p->stream.on_frame = on_frame;
	p->stream.on_written = on_written;
	p->stream.on_broken = on_broken;
	p->stream.on_closed = on_stream_closed;
	if (unix_peer_cred(fd, &p->cred) < 0) {
		(void)close(fd);
		free(p);
		return;
	}
	if (stream_open(&p->stream, s->loop, &s->set, fd) < 0) { /* which has closed fd */
		free(p);
		return;
	}
	s->live++;
	s->stats.accepted++;
	s->stats.peers++;
	list_push_back(&s->peers, &p->node);
	p->open = true;
	if (s->ops->on_open)
		s->ops->on_open(p);
}

/* ---- the listening socket ---- */

static void on_listen_event(uv_poll_t *h, int status, int events);

static void on_pause_over(uv_timer_t *t)
{
	struct ipc_server *s = t->data;

	(void)uv_poll_start(&s->poll, UV_READABLE, on_listen_event);
}

static void on_listen_event(uv_poll_t *h, int status, int events)
{
	struct ipc_server *s = h->data;
	unsigned held;

	(void)events;
	for (int i = 0; status >= 0 && i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
				/* EMFILE and its cousins: the connection waits in the backlog, and
				 * so do we. */
				if (log_limit_pass(&s->log_full, &held))
					log_error("cannot accept", "socket=%s why=%s suppressed=%u",
					          LOG_VIS(s->path), LOG_VIS(strerror(errno)), held);
				(void)uv_poll_stop(&s->poll);
				(void)uv_timer_start(&s->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
			}
			return;
		}
		if (s->stats.peers >= s->max_peers) {
			s->stats.refused++;
			if (log_limit_pass(&s->log_full, &held))
				log_warn("too many connections", "socket=%s max=%u suppressed=%u",
				         LOG_VIS(s->path), s->max_peers, held);
			(void)close(fd);
			continue;
		}
		add_peer(s, fd);
	}
}

int ipc_server_new(uv_loop_t *loop, const char *path, const struct ipc_server_ops *ops, void *arg,
                   struct ipc_server **ret, struct err *err)
{
	struct ipc_server *s;
	int fd, r = unix_listen(path, ops->mode ? ops->mode : 0600, &fd, err);

	if (r < 0)
		return r;
	s = xcalloc(1, sizeof(*s));
	s->loop = loop;
	s->fd = fd;
	s->path = xstrdup(path);
	s->ops = ops;
	s->arg = arg;
	s->send_high = ops->send_high ? ops->send_high : SEND_HIGH_DEFAULT;
	s->send_low = ops->send_low ? ops->send_low : SEND_LOW_DEFAULT;
	s->max_peers = ops->max_peers ? ops->max_peers : MAX_PEERS_DEFAULT;
	s->log_bad = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	s->log_full = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	list_init(&s->peers);
	(void)stream_set_init(&s->set, loop);
	(void)uv_timer_init(loop, &s->pause);
	(void)uv_poll_init(loop, &s->poll, fd);
	s->set.idle.data = &s->set;
	s->pause.data = s;
	s->poll.data = s;
	s->open_handles = 3;
	(void)uv_poll_start(&s->poll, UV_READABLE, on_listen_event);
	*ret = s;
	return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct ipc_server *s = h->data;

	s->open_handles--;
	maybe_free(s);
}

static void on_set_closed(uv_handle_t *h)
{
	struct stream_set *set = h->data;
	struct ipc_server *s = container_of(set, struct ipc_server, set);

	s->open_handles--;
	maybe_free(s);
}

void ipc_server_free(struct ipc_server *s)
{
	if (!s || s->closing)
		return;
	s->closing = true;
	list_for_each_safe (it, &s->peers)
		drop_peer(list_entry(it, struct ipc_peer, node));
	uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	uv_close((uv_handle_t *)&s->pause, on_handle_closed);
	stream_set_close(&s->set, on_set_closed);
	(void)close(s->fd);
	(void)unlink(s->path);
}

struct ipc_server_stats ipc_server_stats(const struct ipc_server *s)
{
	struct ipc_server_stats sum = s->stats;

	list_for_each (it, (struct list *)&s->peers) {
		const struct stream *st = &list_entry(it, struct ipc_peer, node)->stream;

		sum.frames_in += st->frames_in;
		sum.frames_out += st->frames_out;
		sum.bytes_in += st->bytes_in;
		sum.bytes_out += st->bytes_out;
	}
	return sum;
}

/* ---- what handlers do with a peer ---- */

int ipc_peer_send_frame(struct ipc_peer *p, struct ipc_frame *f)
{
	struct ipc_server *s = p->server;

	if (!p->open || p->stream.closing)
		return -ENOTCONN;
	stream_send(&p->stream, f);
	if (p->stream.queued <= s->send_high)
		return 0;
	p->slow = true;
	if (s->ops->on_slow && s->ops->on_slow(p))
		return 0;
	s->stats.slow_closed++;
	log_warn("peer reads too slowly: closed", "socket=%s pid=%d queued_bytes=%zu",
	         LOG_VIS(s->path), (int)p->cred.pid, p->stream.queued);
	stream_close(&p->stream); /* on_close() comes with its last callback: see server.h */
	return -ENOBUFS;
}

int ipc_peer_send(struct ipc_peer *p, const ProtobufCMessage *msg)
{
	struct ipc_frame *f = ipc_frame_pack(msg);
	int r;

	if (!f) {
		log_error("reply larger than a frame may be", "socket=%s message=%s",
		          LOG_VIS(p->server->path), msg->descriptor->name);
		stream_close(&p->stream);
		return -EMSGSIZE;
	}
	r = ipc_peer_send_frame(p, f);
	ipc_frame_unref(f);
	return r;
}

void ipc_peer_close(struct ipc_peer *p)
{
	peer_gone(p);
	stream_close_flushed(&p->stream);
}

size_t ipc_peer_queued(const struct ipc_peer *p)
{
	return p->stream.queued;
}

struct peer_cred ipc_peer_cred(const struct ipc_peer *p)
{
	return p->cred;
}

void *ipc_peer_arg(const struct ipc_peer *p)
{
	return p->server->arg;
}

void ipc_peer_set_data(struct ipc_peer *p, void *data)
{
	p->data = data;
}

void *ipc_peer_data(const struct ipc_peer *p)
{
	return p->data;
}
