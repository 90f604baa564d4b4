/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/client.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "common/ipc/tcp.h"
#include "common/loop/stream.h"

#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 2000u
#define CONNECT_MS 10000u

/* A request under way. */
struct call {
	struct hmap_node node; /* by id */
	struct list order;     /* oldest first */
	uint64_t id;
	struct mono_ms deadline; /* 0: none */
	ipc_reply_fn *fn;
	void *arg;
};

/* A connection; outlived by the client, replaced at each attempt. */
struct link {
	struct stream stream;
	struct ipc_client *client; /* NULL once the client has let go of it */
	struct stream_set set;
	uv_getaddrinfo_t lookup; /* of its name, while looking */
	char host[TCP_HOST_MAX];
	uint16_t port;
	bool looking, has_stream, up;
	unsigned refs; /* stream, set, lookup, each until its last callback */
};

struct ipc_client {
	uv_loop_t *loop;
	char **addresses; /* n of them, in the order in which they are tried */
	size_t n, next;   /* next: the one to try next */
	char *address;    /* of the attempt */
	size_t failures;  /* attempts since one was up */
	unsigned lookups; /* a name has several addresses: which of them is next */
	bool shuffle;
	struct transport_layer *layer;
	unsigned connect_ms, user_timeout_ms;
	const struct ipc_client_ops *ops;
	void *arg;
	uv_timer_t retry;  /* next attempt to connect; the deadline of the one under way */
	uv_timer_t expire; /* the earliest deadline */
	unsigned open_handles;
	struct link *link; /* NULL between attempts */
	unsigned backoff_ms;
	bool told_down, closing;
	uint64_t next_id;
	struct hmap calls;
	struct list order;
};

static void connect_later(struct ipc_client *c);
static void on_connect_late(uv_timer_t *t);

/* ---- calls ---- */

static void finish(struct ipc_client *c, struct call *call, int status, ProtobufCMessage *reply)
{
	hmap_remove(&c->calls, &call->node);
	list_unlink(&call->order);
	call->fn(call->arg, status, reply);
	free(call);
}

static void fail_all(struct ipc_client *c, int status)
{
	/* Callbacks may add new calls only when we are up again: this list only shrinks. */
	while (!list_empty(&c->order))
		finish(c, list_entry(c->order.next, struct call, order), status, NULL);
}

static void on_expire(uv_timer_t *t);

static void arm_expire(struct ipc_client *c)
{
	uint64_t earliest = 0;

	list_for_each (it, &c->order) {
		uint64_t ms = list_entry(it, struct call, order)->deadline.ms;

		if (ms && (!earliest || ms < earliest))
			earliest = ms;
	}
	if (earliest) {
		int64_t left = -mono_since_ms((struct mono_ms){ earliest });

		(void)uv_timer_start(&c->expire, on_expire, left > 0 ? (uint64_t)left : 0, 0);
	} else {
		(void)uv_timer_stop(&c->expire);
	}
}

static void on_expire(uv_timer_t *t)
{
	struct ipc_client *c = t->data;
	struct mono_ms now = mono_now();
	bool again = true;

	while (again && !c->closing) {
		again = false;
		list_for_each (it, &c->order) {
			struct call *call = list_entry(it, struct call, order);

			if (call->deadline.ms && call->deadline.ms <= now.ms) {
				finish(c, call, -ETIMEDOUT, NULL);
				again = true; /* the callback may have changed the list */
				break;
			}
		}
	}
	if (!c->closing)
		arm_expire(c);
}

static struct call *call_find(struct ipc_client *c, uint64_t id)
{
	hmap_find(call, &c->calls, hash_bytes(&id, sizeof(id)), struct call, node, call->id == id);
	return call;
}

/* ---- the connection ---- */

static void link_unref(struct link *l)
{
	if (--l->refs == 0)
		free(l);
}

static void on_stream_closed(struct stream *s)
{
	link_unref(s->owner);
}

static void on_set_closed(uv_handle_t *h)
{
	struct stream_set *set = h->data;

	link_unref(container_of(set, struct link, set));
}

static void unlink_connection(struct ipc_client *c)
{
	struct link *l = c->link;

	c->link = NULL;
	l->client = NULL;
	if (l->has_stream)
		stream_close(&l->stream);
	if (l->looking)
		(void)uv_cancel((uv_req_t *)&l->lookup);
	stream_set_close(&l->set, on_set_closed);
	(void)uv_timer_stop(&c->retry);
}

static void tell_down(struct ipc_client *c, const char *why)
{
	if (c->told_down)
		return;
	c->told_down = true;
	if (c->ops->on_down)
		c->ops->on_down(c->arg, why);
}

/* The attempt has failed: the next address, and when there is none, later. */
static void attempt_failed(struct ipc_client *c, const char *why)
{
	CLEANUP(free_p) char *text = NULL;

	if (c->link)
		unlink_connection(c);
	log_debug("cannot connect", "server=%s address=%s why=%s", c->ops->server,
	          LOG_VIS(c->address), LOG_VIS(why));
	c->failures++;
	c->lookups++;
	if (c->failures >= c->n) {
		text = c->n > 1 ? xasprintf("none of %zu servers can be reached; the last, %s: %s",
		                            c->n, c->address, why)
		                : xstrdup(why);
		tell_down(c, text);
	}
	if (!c->closing)
		connect_later(c);
}

static void went_down(struct ipc_client *c, const char *why)
{
	if (!c->link->up) {
		attempt_failed(c, why);
		return;
	}
	unlink_connection(c);
	log_debug("connection lost", "server=%s address=%s why=%s", c->ops->server,
	          LOG_VIS(c->address), LOG_VIS(why));
	fail_all(c, -ECONNRESET);
	if (c->closing)
		return;
	tell_down(c, why);
	if (!c->closing)
		connect_later(c);
}

static void on_broken(struct stream *s, int code, const char *why)
{
	struct link *l = s->owner;

	(void)code;
	if (l->client)
		went_down(l->client, why);
}

static void on_frame(struct stream *s, const struct cursor *body)
{
	struct link *l = s->owner;
	struct ipc_client *c = l->client;
	ProtobufCMessage *msg = c ? ipc_unpack(c->ops->reply, body) : NULL;
	struct ipc_envelope *envelope = (struct ipc_envelope *)msg;
	struct call *call;

	if (!c)
		return;
	if (!msg) {
		went_down(c, "it sent what is not a message");
		return;
	}
	c->backoff_ms = BACKOFF_MIN_MS; /* it answers: it lives */
	call = envelope->has_request_id && envelope->request_id ? call_find(c, envelope->request_id)
	                                                        : NULL;
	if (call)
		finish(c, call, 0, msg);
	else if (c->ops->on_message)
		c->ops->on_message(c->arg, msg);
	protobuf_c_message_free_unpacked(msg, NULL);
}

static void on_ready(struct stream *s)
{
	struct link *l = s->owner;
	struct ipc_client *c = l->client;

	if (!c)
		return;
	(void)uv_timer_stop(&c->retry);
	l->up = true;
	c->failures = 0;
	c->told_down = false;
	if (c->ops->on_up)
		c->ops->on_up(c->arg);
}

/* fd is taken. */
static void link_open(struct link *l, int fd, struct transport *transport, bool connecting)
{
	struct ipc_client *c = l->client;

	l->stream.owner = l;
	l->stream.on_frame = on_frame;
	l->stream.on_ready = on_ready;
	l->stream.on_broken = on_broken;
	l->stream.on_closed = on_stream_closed;
	if (stream_open(&l->stream, c->loop, &l->set, fd, transport, connecting) < 0) {
		attempt_failed(c, "out of memory");
		return;
	}
	l->has_stream = true;
	l->refs++;
	if (!connecting)
		on_ready(&l->stream);
}

static void link_connect_tcp(struct link *l, const struct sockaddr *sa, socklen_t len)
{
	struct ipc_client *c = l->client;
	struct transport *transport = NULL;
	struct err err = { 0 };
	int fd;

	if (tcp_connect(sa, len, &fd, &err) < 0) {
		attempt_failed(c, err.text);
		return;
	}
	tcp_tune(fd, c->user_timeout_ms);
	if (c->layer) {
		transport = c->layer->open(c->layer, fd, l->host);
		if (!transport) {
			(void)close(fd);
			attempt_failed(c, "out of memory");
			return;
		}
	}
	link_open(l, fd, transport, true);
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct link *l = req->data;
	struct ipc_client *c = l->client;
	unsigned n = 0, wanted;

	l->looking = false;
	if (c && status < 0) {
		CLEANUP(free_p)
		char *why = xasprintf("look up '%s': %s", l->host, uv_strerror(status));

		attempt_failed(c, why);
	} else if (c) {
		const struct addrinfo *it = list;

		for (; it; it = it->ai_next)
			n++;
		wanted = n ? c->lookups % n : 0;
		for (it = list; it && wanted; it = it->ai_next)
			wanted--;
		if (it)
			link_connect_tcp(l, it->ai_addr, it->ai_addrlen);
		else
			attempt_failed(c, "its name has no address");
	}
	uv_freeaddrinfo(list);
	link_unref(l);
}

static void link_connect(struct link *l)
{
	struct ipc_client *c = l->client;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct sockaddr_storage ss;
	struct err err = { 0 };
	socklen_t len;
	char port[8];
	int fd;

	if (strchr(c->address, '/')) {
		if (unix_connect(c->address, 1, &fd, &err) < 0)
			attempt_failed(c, err.text);
		else
			link_open(l, fd, NULL, false);
		return;
	}
	(void)tcp_addr_split(c->address, l->host, &l->port, NULL); /* was checked */
	(void)uv_timer_start(&c->retry, on_connect_late, c->connect_ms, 0);
	if (tcp_addr_numeric(l->host, l->port, &ss, &len)) {
		link_connect_tcp(l, (struct sockaddr *)&ss, len);
		return;
	}
	(void)snprintf(port, sizeof(port), "%u", l->port);
	l->lookup.data = l;
	if (uv_getaddrinfo(c->loop, &l->lookup, on_lookup, l->host, port, &hints) < 0) {
		attempt_failed(c, "out of memory");
		return;
	}
	l->looking = true;
	l->refs++;
}

static void on_connect_late(uv_timer_t *t)
{
	attempt_failed(t->data, "it does not answer in time");
}

static void try_connect(uv_timer_t *t)
{
	struct ipc_client *c = t->data;
	struct link *l = xcalloc(1, sizeof(*l));

	if (c->next >= c->n)
		c->next = 0;
	free(c->address);
	c->address = xstrdup(c->addresses[c->next++]);
	l->client = c;
	l->refs = 2; /* the set's, and ours until we return */
	(void)stream_set_init(&l->set, c->loop);
	c->link = l;
	link_connect(l);
	link_unref(l);
}

static void connect_later(struct ipc_client *c)
{
	bool same_round = c->failures && c->failures % c->n;
	unsigned backoff = same_round ? BACKOFF_MIN_MS : c->backoff_ms;
	/* Jitter, so that a restarted server is not met by everyone at once. */
	unsigned wait =
	        backoff / 2 + hash_mix((uint32_t)mono_now().ms, backoff) % (backoff / 2 + 1);

	if (!same_round)
		c->backoff_ms =
		        c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
	(void)uv_timer_start(&c->retry, try_connect, wait, 0);
}

/* ---- addresses ---- */

static void addresses_free(char **addresses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(addresses[i]);
	free(addresses);
}

static int address_check(const char *address, struct err *err)
{
	char host[TCP_HOST_MAX];
	uint16_t port;

	return strchr(address, '/') ? 0 : tcp_addr_split(address, host, &port, err);
}

static void shuffle(char **list, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = hash_mix((uint32_t)uv_hrtime(), (uint32_t)i) % i;
		char *t = list[i - 1];

		list[i - 1] = list[j];
		list[j] = t;
	}
}

int ipc_client_set_addresses(struct ipc_client *c, const char *const *addresses, size_t n,
                             struct err *err)
{
	char **copy;

	if (n == 0)
		return err_set(err, -EINVAL, "there is no address to connect to");
	for (size_t i = 0; i < n; i++) {
		int r = address_check(addresses[i], err);

		if (r < 0)
			return r;
	}
	copy = xcalloc(n, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(addresses[i]);
	if (c->shuffle)
		shuffle(copy, n);
	addresses_free(c->addresses, c->n);
	c->addresses = copy;
	c->n = n;
	c->next = 0;
	return 0;
}

const char *ipc_client_address(const struct ipc_client *c)
{
	return c->address ? c->address : c->addresses[0];
}

/* ---- what users call ---- */

int ipc_client_open(uv_loop_t *loop, const struct ipc_client_config *config,
                    const struct ipc_client_ops *ops, void *arg, struct ipc_client **ret,
                    struct err *err)
{
	struct ipc_client *c = xcalloc(1, sizeof(*c));
	int r;

	c->shuffle = config->shuffle;
	r = ipc_client_set_addresses(c, config->addresses, config->n, err);
	if (r < 0) {
		free(c);
		return r;
	}
	c->loop = loop;
	c->layer = config->layer;
	c->connect_ms = config->connect_ms ? config->connect_ms : CONNECT_MS;
	c->user_timeout_ms = config->user_timeout_ms;
	c->ops = ops;
	c->arg = arg;
	c->backoff_ms = BACKOFF_MIN_MS;
	c->next_id = 1;
	list_init(&c->order);
	(void)uv_timer_init(loop, &c->retry);
	(void)uv_timer_init(loop, &c->expire);
	c->retry.data = c->expire.data = c;
	c->open_handles = 2;
	(void)uv_timer_start(&c->retry, try_connect, 0, 0);
	*ret = c;
	return 0;
}

struct ipc_client *ipc_client_new(uv_loop_t *loop, const char *path,
                                  const struct ipc_client_ops *ops, void *arg)
{
	CLEANUP(free_p) char *address = xasprintf("%s%s", strchr(path, '/') ? "" : "./", path);
	const char *const addresses[] = { address };
	const struct ipc_client_config config = { .addresses = addresses, .n = 1 };
	struct ipc_client *c = NULL;
	int r = ipc_client_open(loop, &config, ops, arg, &c, NULL);

	assert(r == 0); /* a path is an address, if perhaps one that cannot be connected to */
	return c;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct ipc_client *c = h->data;

	if (--c->open_handles == 0) {
		hmap_done(&c->calls);
		addresses_free(c->addresses, c->n);
		free(c->address);
		free(c);
	}
}

void ipc_client_free(struct ipc_client *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	if (c->link)
		unlink_connection(c);
	fail_all(c, -ECANCELED);
	uv_close((uv_handle_t *)&c->retry, on_timer_closed);
	uv_close((uv_handle_t *)&c->expire, on_timer_closed);
}

int ipc_client_send(struct ipc_client *c, const ProtobufCMessage *msg)
{
	struct ipc_frame *f;

	if (!c->link || !c->link->up || c->closing)
		return -ENOTCONN;
	f = ipc_frame_pack(msg);
	if (!f)
		return -EMSGSIZE;
	stream_send(&c->link->stream, f);
	ipc_frame_unref(f);
	return 0;
}

int ipc_client_call(struct ipc_client *c, ProtobufCMessage *request, unsigned timeout_ms,
                    ipc_reply_fn *fn, void *arg)
{
	struct ipc_envelope *envelope = (struct ipc_envelope *)request;
	struct call *call;
	int r;

	envelope->has_request_id = 1;
	envelope->request_id = c->next_id++;
	r = ipc_client_send(c, request);
	if (r < 0)
		return r;
	call = xcalloc(1, sizeof(*call));
	call->id = envelope->request_id;
	call->fn = fn;
	call->arg = arg;
	if (timeout_ms)
		call->deadline = mono_after(mono_now(), timeout_ms);
	hmap_insert(&c->calls, &call->node, hash_bytes(&call->id, sizeof(call->id)));
	list_push_back(&c->order, &call->order);
	/* A later deadline than the timer's is found when the timer fires. */
	if (timeout_ms && (!uv_is_active((uv_handle_t *)&c->expire) ||
	                   uv_timer_get_due_in(&c->expire) > timeout_ms))
		arm_expire(c);
	return 0;
}

void ipc_client_reset(struct ipc_client *c, const char *why)
{
	if (c->link && c->link->up)
		went_down(c, why);
}

void ipc_client_move(struct ipc_client *c)
{
	if (!c->link || !c->link->up)
		return;
	unlink_connection(c);
	fail_all(c, -ECONNRESET);
	if (!c->closing)
		connect_later(c);
}
