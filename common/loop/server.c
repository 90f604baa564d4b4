/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/tcp.h"
#include "common/loop/listener.h"
#include "common/loop/stream.h"

#define MAX_PEERS_DEFAULT 1024u
#define MAX_PENDING_DEFAULT 1024u
#define SEND_HIGH_DEFAULT (16u << 20)
#define SEND_LOW_DEFAULT (1u << 20)

struct ipc_peer {
	struct stream stream;
	struct ipc_server *server;
	struct list node;    /* in server->peers */
	struct list pending; /* in server->pending, oldest first */
	struct mono_ms since;
	struct peer_cred cred;
	char *address; /* NULL: a Unix socket */
	void *data;
	bool open;   /* on_open was called, on_close not yet */
	bool listed; /* in server->peers, and counted */
	bool slow;   /* above send_high, and not yet below send_low */
};

/* A socket that the server listens on. */
struct door {
	struct listener listener;
	struct ipc_server *server;
	struct transport_layer *layer; /* NULL: none */
	unsigned user_timeout_ms;
	bool tcp;
};

struct ipc_server {
	uv_loop_t *loop;
	uv_timer_t deadline; /* of the oldest in pending */
	struct stream_set set;
	char *path;
	const struct ipc_server_ops *ops;
	void *arg;
	struct list doors, peers, pending;
	struct ipc_server_stats stats;
	size_t send_high, send_low;
	unsigned max_peers, max_pending;
	unsigned open_handles, live; /* live: peers and doors not yet freed */
	bool closing;
	struct log_limit log_bad, log_full, log_late;
};

static void maybe_free(struct ipc_server *s)
{
	if (s->closing && s->open_handles == 0 && s->live == 0) {
		free(s->path);
		free(s);
	}
}

/* ---- peers ---- */

static const char *peer_text(const struct ipc_peer *p)
{
	return p->address ? p->address : p->server->path;
}

static void pending_remove(struct ipc_peer *p)
{
	if (list_empty(&p->pending))
		return;
	list_unlink(&p->pending);
	p->server->stats.pending--;
}

static void peer_gone(struct ipc_peer *p)
{
	struct ipc_server *s = p->server;
	bool was_open = p->open;

	if (!p->listed)
		return;
	p->listed = p->open = false;
	pending_remove(p);
	list_unlink(&p->node);
	s->stats.peers--;
	s->stats.frames_in += p->stream.frames_in;
	s->stats.frames_out += p->stream.frames_out;
	s->stats.bytes_in += p->stream.bytes_in;
	s->stats.bytes_out += p->stream.bytes_out;
	if (was_open && s->ops->on_close)
		s->ops->on_close(p);
}

static void drop_peer(struct ipc_peer *p)
{
	peer_gone(p);
	stream_close(&p->stream);
}

static void log_bad_peer(struct ipc_peer *p, const char *event, const char *why)
{
	unsigned held;

	if (log_limit_pass(&p->server->log_bad, &held))
		log_warn(event, "peer=%s pid=%d uid=%d why=%s suppressed=%u", LOG_VIS(peer_text(p)),
		         (int)p->cred.pid, (int)p->cred.uid, LOG_VIS(why), held);
}

static void bad_peer(struct ipc_peer *p, const char *why)
{
	p->server->stats.bad_frames++;
	log_bad_peer(p, "peer sent garbage", why);
}

static void on_frame(struct stream *st, const struct cursor *body)
{
	struct ipc_peer *p = st->owner;
	ProtobufCMessage *msg =
	        ipc_fields_within(p->server->ops->request, body, IPC_REQUEST_FIELDS_MAX)
	                ? ipc_unpack(p->server->ops->request, body)
	                : NULL;

	if (!msg) {
		bad_peer(p, "a frame that is not a message");
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

static void on_ready(struct stream *st)
{
	struct ipc_peer *p = st->owner;

	p->open = true;
	if (p->server->ops->on_open)
		p->server->ops->on_open(p);
}

static void on_broken(struct stream *st, int code, const char *why)
{
	struct ipc_peer *p = st->owner;

	if (st->shaking) {
		p->server->stats.handshakes_failed++;
		log_bad_peer(p, "a connection was not let in", why);
	} else if (code != 0 && code != -ECONNRESET && code != -EPIPE && code != -ETIMEDOUT) {
		/* Going away between frames is how everyone leaves; anything else is worth a
		 * line. */
		bad_peer(p, why);
	}
	drop_peer(p);
}

static void on_stream_closed(struct stream *st)
{
	struct ipc_peer *p = st->owner;
	struct ipc_server *s = p->server;

	peer_gone(p); /* when a send closed it */
	free(p->address);
	free(p);
	s->live--;
	maybe_free(s);
}

/* ---- those that are not welcome yet ---- */

static void on_deadline(uv_timer_t *t);

static void deadline_arm(struct ipc_server *s)
{
	struct mono_ms due;
	int64_t left;

	if (list_empty(&s->pending) || s->closing) {
		(void)uv_timer_stop(&s->deadline);
		return;
	}
	due = mono_after(list_entry(s->pending.next, struct ipc_peer, pending)->since,
	                 s->ops->handshake_ms);
	left = -mono_since_ms(due);
	(void)uv_timer_start(&s->deadline, on_deadline, left > 0 ? (uint64_t)left : 0, 0);
}

static void pending_drop(struct ipc_peer *p, const char *why)
{
	unsigned held;

	if (log_limit_pass(&p->server->log_late, &held))
		log_warn("a connection was not let in",
		         "peer=%s pid=%d uid=%d why=%s suppressed=%u", LOG_VIS(peer_text(p)),
		         (int)p->cred.pid, (int)p->cred.uid, LOG_VIS(why), held);
	drop_peer(p);
}

static void on_deadline(uv_timer_t *t)
{
	struct ipc_server *s = t->data;

	while (!list_empty(&s->pending)) {
		struct ipc_peer *p = list_entry(s->pending.next, struct ipc_peer, pending);

		if (mono_since_ms(mono_after(p->since, s->ops->handshake_ms)) < 0)
			break;
		s->stats.handshakes_late++;
		pending_drop(p, "it has not said who it is in time");
	}
	deadline_arm(s);
}

static void pending_add(struct ipc_peer *p)
{
	struct ipc_server *s = p->server;
	bool first = list_empty(&s->pending);

	if (!s->ops->handshake_ms)
		return;
	if (s->stats.pending >= s->max_pending) {
		s->stats.handshakes_crowded++;
		pending_drop(list_entry(s->pending.next, struct ipc_peer, pending),
		             "too many do not say who they are: this was the oldest");
	}
	list_push_back(&s->pending, &p->pending);
	s->stats.pending++;
	if (first)
		deadline_arm(s);
}

void ipc_peer_welcome(struct ipc_peer *p)
{
	pending_remove(p); /* the timer finds out by itself */
}

/* ---- a new connection ---- */

static struct ipc_peer *peer_new(struct ipc_server *s)
{
	struct ipc_peer *p = xcalloc(1, sizeof(*p));

	p->server = s;
	p->since = mono_now();
	list_init(&p->node);
	list_init(&p->pending);
	p->stream.owner = p;
	p->stream.on_frame = on_frame;
	p->stream.on_written = on_written;
	p->stream.on_ready = on_ready;
	p->stream.on_broken = on_broken;
	p->stream.on_closed = on_stream_closed;
	return p;
}

/* Who it is, and what lies between. */
static int peer_identify(struct ipc_peer *p, const struct door *d, int fd,
                         const struct sockaddr *sa, struct transport **ret)
{
	char text[TCP_ADDR_STR_MAX];

	*ret = NULL;
	if (!d->tcp)
		return unix_peer_cred(fd, &p->cred);
	p->cred = (struct peer_cred){ .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	p->address = xstrdup(tcp_addr_str(sa, text));
	tcp_tune(fd, d->user_timeout_ms);
	if (d->layer)
		*ret = d->layer->open(d->layer, fd, NULL);
	return d->layer && !*ret ? -ENOMEM : 0;
}

static void add_peer(struct ipc_server *s, const struct door *d, int fd, const struct sockaddr *sa)
{
	struct ipc_peer *p = peer_new(s);
	struct transport *transport;

	if (peer_identify(p, d, fd, sa, &transport) < 0) {
		(void)close(fd);
		free(p->address);
		free(p);
		return;
	}
	if (stream_open(&p->stream, s->loop, &s->set, fd, transport, false) < 0) {
		free(p->address); /* fd and transport are gone */
		free(p);
		return;
	}
	s->live++;
	s->stats.accepted++;
	s->stats.peers++;
	p->listed = true;
	list_push_back(&s->peers, &p->node);
	pending_add(p);
	if (!transport)
		on_ready(&p->stream);
}

static void on_accept(struct listener *l, int fd, const struct sockaddr *sa)
{
	struct door *d = l->owner;
	struct ipc_server *s = d->server;
	unsigned held;

	if (s->stats.peers < s->max_peers) {
		add_peer(s, d, fd, sa);
		return;
	}
	s->stats.refused++;
	if (log_limit_pass(&s->log_full, &held))
		log_warn("too many connections", "socket=%s max=%u suppressed=%u", LOG_VIS(l->name),
		         s->max_peers, held);
	(void)close(fd);
}

/* ---- too much memory ---- */

static bool on_full(struct stream_set *set)
{
	struct ipc_server *s = container_of(set, struct ipc_server, set);
	struct ipc_peer *worst = NULL;

	list_for_each (it, &s->peers) {
		struct ipc_peer *p = list_entry(it, struct ipc_peer, node);

		if (!worst || p->stream.memory > worst->stream.memory)
			worst = p;
	}
	if (!worst || worst->stream.memory == 0)
		return false; /* what is left belongs to those that are closing */
	s->stats.evicted++;
	log_bad_peer(worst, "all peers together hold too much memory: the one with most is closed",
	             "it sends or reads too slowly");
	stream_forget(&worst->stream);
	if (s->ops->on_evict && worst->open && !worst->stream.queued)
		s->ops->on_evict(worst);
	else
		drop_peer(worst);
	return true;
}

/* ---- the server ---- */

static void on_door_closed(struct listener *l)
{
	struct door *d = l->owner;
	struct ipc_server *s = d->server;

	free(d);
	s->live--;
	maybe_free(s);
}

static struct door *door_new(struct ipc_server *s, int fd, const char *name)
{
	struct door *d = xcalloc(1, sizeof(*d));

	d->server = s;
	d->listener.owner = d;
	d->listener.on_accept = on_accept;
	d->listener.on_closed = on_door_closed;
	listener_open(&d->listener, s->loop, fd, name);
	list_push_back(&s->doors, &d->listener.node);
	s->live++;
	return d;
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
	s->path = xstrdup(path);
	s->ops = ops;
	s->arg = arg;
	s->send_high = ops->send_high ? ops->send_high : SEND_HIGH_DEFAULT;
	s->send_low = ops->send_low ? ops->send_low : SEND_LOW_DEFAULT;
	s->max_peers = ops->max_peers ? ops->max_peers : MAX_PEERS_DEFAULT;
	s->max_pending = ops->max_pending ? ops->max_pending : MAX_PENDING_DEFAULT;
	s->log_bad = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	s->log_full = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	s->log_late = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	list_init(&s->doors);
	list_init(&s->peers);
	list_init(&s->pending);
	(void)stream_set_init(&s->set, loop);
	s->set.memory_max = ops->memory_max;
	s->set.on_full = on_full;
	(void)uv_timer_init(loop, &s->deadline);
	s->deadline.data = s;
	s->open_handles = 2;
	(void)door_new(s, fd, path);
	*ret = s;
	return 0;
}

int ipc_server_listen_tcp(struct ipc_server *s, const char *host, uint16_t port,
                          struct transport_layer *layer, unsigned user_timeout_ms,
                          uint16_t *ret_port, struct err *err)
{
	CLEANUP(free_p) char *name = NULL;
	struct door *d;
	int fd, r = tcp_listen(host, port, &fd, &port, err);

	if (r < 0)
		return r;
	name = xasprintf("%s:%u", host && *host ? host : "*", port);
	d = door_new(s, fd, name);
	d->tcp = true;
	d->layer = layer;
	d->user_timeout_ms = user_timeout_ms;
	if (ret_port)
		*ret_port = port;
	return 0;
}

static void doors_close(struct ipc_server *s, bool tcp_only)
{
	list_for_each_safe (it, &s->doors) {
		struct listener *l = list_entry(it, struct listener, node);

		if (tcp_only && !((struct door *)l->owner)->tcp)
			continue;
		list_unlink(&l->node);
		listener_close(l);
	}
}

void ipc_server_stop_tcp(struct ipc_server *s)
{
	doors_close(s, true);
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
	doors_close(s, false);
	while (!list_empty(&s->peers))
		drop_peer(list_entry(s->peers.next, struct ipc_peer, node));
	uv_close((uv_handle_t *)&s->deadline, on_handle_closed);
	stream_set_close(&s->set, on_set_closed);
	(void)unlink(s->path);
}

struct ipc_server_stats ipc_server_stats(const struct ipc_server *s)
{
	struct ipc_server_stats sum = s->stats;

	sum.memory = s->set.memory;
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
	log_warn("peer reads too slowly: closed", "peer=%s pid=%d queued_bytes=%zu",
	         LOG_VIS(peer_text(p)), (int)p->cred.pid, p->stream.queued);
	stream_close(&p->stream); /* on_close() comes with its last callback: see server.h */
	return -ENOBUFS;
}

int ipc_peer_send(struct ipc_peer *p, const ProtobufCMessage *msg)
{
	struct ipc_frame *f = ipc_frame_pack(msg);
	int r;

	if (!f) {
		log_error("reply larger than a frame may be", "peer=%s message=%s",
		          LOG_VIS(peer_text(p)), msg->descriptor->name);
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

void ipc_peer_abort(struct ipc_peer *p)
{
	drop_peer(p);
}

size_t ipc_peer_queued(const struct ipc_peer *p)
{
	return p->stream.queued;
}

uint64_t ipc_peer_stalled_ms(const struct ipc_peer *p)
{
	return stream_stalled_ms(&p->stream);
}

const char *ipc_peer_address(const struct ipc_peer *p)
{
	return p->address;
}

const char *ipc_peer_proved(const struct ipc_peer *p)
{
	const struct transport *t = p->stream.transport;

	return t ? t->ops->peer(t) : NULL;
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
