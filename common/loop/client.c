/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/ipc/sock.h"
#include "common/loop/stream.h"

#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 2000u

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
	unsigned refs; /* stream and set, each until its close callback */
};

struct ipc_client {
	uv_loop_t *loop;
	char *path;
	const struct ipc_client_ops *ops;
	void *arg;
	uv_timer_t retry;  /* next attempt to connect */
	uv_timer_t expire; /* the earliest deadline */
	unsigned open_handles;
	struct link *link; /* NULL while not connected */
	unsigned backoff_ms;
	bool told_down, closing;
	uint64_t next_id;
	struct hmap calls;
	struct list order;
};

static void connect_later(struct ipc_client *c);

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
	stream_close(&l->stream);
	stream_set_close(&l->set, on_set_closed);
}

static void went_down(struct ipc_client *c, const char *why)
{
	unlink_connection(c);
	log_debug("connection lost", "server=%s why=%s", c->ops->server, LOG_VIS(why));
	fail_all(c, -ECONNRESET);
	if (!c->closing && !c->told_down) {
		c->told_down = true;
		if (c->ops->on_down)
			c->ops->on_down(c->arg, why);
	}
	if (!c->closing)
		connect_later(c);
}

static void on_broken(struct stream *s, const char *why)
{
	struct link *l = s->owner;

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

static void try_connect(uv_timer_t *t)
{
	struct ipc_client *c = t->data;
	struct err err = { 0 };
	struct link *l;
	int fd, r = unix_connect(c->path, 1, &fd, &err);

	if (r < 0) {
		if (!c->told_down) {
			c->told_down = true;
			if (c->ops->on_down)
				c->ops->on_down(c->arg, err.text);
		}
		if (!c->closing)
			connect_later(c);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->client = c;
	l->refs = 2;
	l->stream.owner = l;
	l->stream.on_frame = on_frame;
	l->stream.on_broken = on_broken;
	l->stream.on_closed = on_stream_closed;
	(void)stream_set_init(&l->set, c->loop);
	if (stream_open(&l->stream, c->loop, &l->set, fd) < 0) {
		l->refs = 1;
		stream_set_close(&l->set, on_set_closed);
		connect_later(c);
		return;
	}
	c->link = l;
	c->told_down = false;
	if (c->ops->on_up)
		c->ops->on_up(c->arg);
}

static void connect_later(struct ipc_client *c)
{
	/* Jitter, so that a restarted server is not met by everyone at once. */
	unsigned wait = c->backoff_ms / 2 +
	                hash_mix((uint32_t)mono_now().ms, c->backoff_ms) % (c->backoff_ms / 2 + 1);

	c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
	(void)uv_timer_start(&c->retry, try_connect, wait, 0);
}

/* ---- what users call ---- */

struct ipc_client *ipc_client_new(uv_loop_t *loop, const char *path,
                                  const struct ipc_client_ops *ops, void *arg)
{
	struct ipc_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->path = xstrdup(path);
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
	return c;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct ipc_client *c = h->data;

	if (--c->open_handles == 0) {
		hmap_done(&c->calls);
		free(c->path);
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

static int send_request(struct ipc_client *c, const ProtobufCMessage *msg)
{
	struct ipc_frame *f;

	if (!c->link || c->closing)
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
	r = send_request(c, request);
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
	if (c->link)
		went_down(c, why);
}
