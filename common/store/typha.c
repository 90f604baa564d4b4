/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The typha driver: a store behind a connection to typhad.
 *
 *     connect --> Hello --> (Watch) --> ready: requests go out at once
 *        ^------------- lost ---------------'
 *
 * A request made while the connection is away is held for a moment (HOLD_MS), so that a restart of
 * typhad shows to nobody; longer than that, or when typhad has never answered yet and an attempt
 * fails, it is answered STORE_UNAVAILABLE. What had been sent when the connection broke is answered
 * so, too: it may or may not have happened.
 *
 * Each connection's watch begins with a snapshot; the watcher hears of what differs from what it
 * knew.
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/loop/client.h"
#include "common/store/seen.h"
#include "common/store/store.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define SYNC_VERSION 1
#define REQUEST_MS 10000
#define HOLD_MS 2000
#define PING_EVERY_MS 30000
#define LIST_ITEMS_MAX (1u << 24) /* objects of one list */

/* A request: held, under way, or a list of which more is to come. */
struct call {
	struct list node;
	struct typha *t;
	Sync__V1__ToTyphad__PayloadCase what;
	model_kind kind;
	char *ns, *name;
	uint64_t revision;
	struct resource *r; /* of writes: a copy of what was asked for */
	store_done_fn *fn;
	void *arg;
	uint64_t id;
	struct mono_ms expires;    /* while held, or while more is to come */
	enum store_status refused; /* STORE_OK: not; else the answer when it expires, with text */
	char *text;
	struct resource **items;
	size_t n, cap;
};

struct typha {
	struct store base;
	char *path, *program, *node;
	struct ipc_client *client;
	uv_timer_t timer; /* the earliest expiry of held and more */
	uv_timer_t ping;
	unsigned open_handles;
	bool ready, was_ready, freed;
	char *down_why; /* the last attempt failed; NULL: it is under way, or up */
	struct list held, more, sent;

	const struct store_watch_ops *ops;
	void *arg;
	V3__Kind *kinds;
	size_t n_kinds;
	bool watching; /* on this connection */
	struct seen *seen;
	struct log_limit log_bad;
};

static void timer_arm(struct typha *t);

static struct typha *typha_of(struct store *s)
{
	return container_of(s, struct typha, base);
}

/* ---- answers */

static void call_free(struct call *c)
{
	list_unlink(&c->node);
	for (size_t i = 0; i < c->n; i++)
		resource_free(c->items[i]);
	free(c->items);
	resource_free(c->r);
	free(c->ns);
	free(c->name);
	free(c->text);
	free(c);
}

static void call_add(struct call *c, struct resource *r)
{
	if (!r)
		return;
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 4;
		c->items = xrealloc(c->items, c->cap * sizeof(struct resource *));
	}
	c->items[c->n++] = r;
}

static void call_answer(struct call *c, enum store_status status, uint64_t header, const char *text)
{
	struct store_result result = {
		.status = status,
		.text = status == STORE_OK ? NULL : text,
		.header_revision = header,
		.items = c->items,
		.n = c->n,
	};

	list_unlink(&c->node); /* before the callback, which may free the store */
	c->fn(c->arg, &result);
	call_free(c);
}

static void call_unavailable(struct call *c, const char *what, const char *why)
{
	CLEANUP(free_p) char *text = xasprintf("%s typhad at '%s': %s", what, c->t->path, why);

	call_answer(c, STORE_UNAVAILABLE, 0, text);
}

static struct resource *resource_read(const Sync__V1__Resource *m, bool body_wanted)
{
	const struct kind_info *k = m ? kind_info(m->kind) : NULL;
	ProtobufCMessage *msg = NULL;

	if (!k || !m->name)
		return NULL;
	if (m->has_body)
		msg = msg_unpack(k->message, m->body.data, m->body.len);
	if (!msg && body_wanted)
		return NULL;
	return resource_new(m->kind, m->namespace_ && *m->namespace_ ? m->namespace_ : NULL,
	                    m->name, m->revision, msg);
}

static enum store_status status_of(Sync__V1__ErrorCode code)
{
	switch ((int)code) { /* a newer typhad may know more codes */
	case SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND:
		return STORE_NOT_FOUND;
	case SYNC__V1__ERROR_CODE__ERROR_ALREADY_EXISTS:
		return STORE_ALREADY_EXISTS;
	case SYNC__V1__ERROR_CODE__ERROR_CONFLICT:
		return STORE_CONFLICT;
	case SYNC__V1__ERROR_CODE__ERROR_INVALID:
	case SYNC__V1__ERROR_CODE__ERROR_VERSION:
		return STORE_INVALID;
	default:
		return STORE_UNAVAILABLE;
	}
}

static void call_take_result(struct call *c, const Sync__V1__Result *m)
{
	bool write = c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE ||
	             c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE ||
	             c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY;

	if (write && m->resource && !m->resource->has_body) { /* stored as it was sent */
		resource_set_revision(c->r, m->resource->revision);
		call_add(c, take_ptr(&c->r));
	} else if (m->resource) {
		call_add(c, resource_read(m->resource, write));
		if (c->n == 0) {
			call_unavailable(c, "cannot read the answer of",
			                 "it is no object known here");
			return;
		}
	}
	call_answer(c, STORE_OK, m->header_revision, NULL);
}

static void call_take(struct call *c, const Sync__V1__FromTyphad *m)
{
	switch ((int)m->payload_case) {
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT:
		call_take_result(c, m->result);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST:
		for (size_t i = 0; i < m->list->n_resources && c->n < LIST_ITEMS_MAX; i++)
			call_add(c, resource_read(m->list->resources[i], true));
		if (m->list->has_more && m->list->more) {
			list_unlink(&c->node);
			list_push_back(&c->t->more, &c->node);
			c->expires = mono_after(mono_now(), REQUEST_MS);
			timer_arm(c->t);
			return;
		}
		call_answer(c, STORE_OK, m->list->header_revision, NULL);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR:
		call_add(c, resource_read(m->error->current, false));
		call_answer(c, status_of(m->error->code), 0,
		            m->error->text ? m->error->text : "typhad gave no reason");
		return;
	default:
		call_unavailable(c, "cannot understand", "its reply is of an unknown type");
	}
}

static void on_reply(void *arg, int status, ProtobufCMessage *reply)
{
	struct call *c = arg;

	if (status == -ETIMEDOUT)
		call_unavailable(c, "no answer from", "the deadline of 10 seconds has passed");
	else if (status < 0)
		call_unavailable(c, "lost",
		                 status == -ECANCELED ? "the connection is being closed"
		                                      : "the connection broke");
	else
		call_take(c, (const Sync__V1__FromTyphad *)reply);
}

/* ---- requests */

static void call_hold(struct call *c, int64_t ms)
{
	c->expires = mono_after(mono_now(), ms);
	list_unlink(&c->node);
	list_push_back(&c->t->held, &c->node);
	timer_arm(c->t);
}

static void call_send(struct call *c)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Get get = SYNC__V1__GET__INIT;
	Sync__V1__List list = SYNC__V1__LIST__INIT;
	Sync__V1__Create create = SYNC__V1__CREATE__INIT;
	Sync__V1__Update update = SYNC__V1__UPDATE__INIT;
	Sync__V1__Apply apply = SYNC__V1__APPLY__INIT;
	Sync__V1__Delete del = SYNC__V1__DELETE__INIT;
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;
	CLEANUP(buf_done) struct buf body = { 0 };
	int rc;

	m.payload_case = c->what;
	resource.has_kind = get.has_kind = list.has_kind = del.has_kind = 1;
	resource.kind = get.kind = list.kind = del.kind = c->kind;
	resource.namespace_ = get.namespace_ = list.namespace_ = del.namespace_ = c->ns;
	resource.name = get.name = list.name_prefix = del.name = c->name;
	resource.has_revision = del.has_revision = c->revision != 0;
	resource.revision = del.revision = c->revision;
	create.resource = update.resource = apply.resource = &resource;
	if (c->r && c->r->msg) {
		msg_pack(c->r->msg, &body);
		resource.has_body = 1;
		resource.body = (ProtobufCBinaryData){ body.len, body.data };
	}
	switch ((int)c->what) {
	case SYNC__V1__TO_TYPHAD__PAYLOAD_GET:
		m.get = &get;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_LIST:
		m.list = &list;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE:
		m.create = &create;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE:
		m.update = &update;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY:
		m.apply = &apply;
		break;
	default:
		m.delete_ = &del;
	}
	rc = ipc_client_call(c->t->client, &m.base, REQUEST_MS, on_reply, c);
	c->id = m.request_id;
	list_unlink(&c->node);
	if (rc == 0) {
		list_push_back(&c->t->sent, &c->node);
		return;
	}
	if (rc == -ENOTCONN) {
		call_hold(c, HOLD_MS);
		return;
	}
	c->refused = STORE_INVALID;
	c->text =
	        xasprintf("the object is too large: %zu bytes do not fit into a message", body.len);
	call_hold(c, 0);
}

static void call_new(struct store *s, Sync__V1__ToTyphad__PayloadCase what, model_kind kind,
                     const char *ns, const char *name, uint64_t revision, const struct resource *r,
                     store_done_fn *fn, void *arg)
{
	struct typha *t = typha_of(s);
	struct call *c = xcalloc(1, sizeof(*c));

	list_init(&c->node);
	c->t = t;
	c->what = what;
	c->kind = kind;
	c->ns = xstrdup(ns);
	c->name = xstrdup(name);
	c->revision = revision;
	c->r = r ? resource_copy(r) : NULL;
	c->fn = fn;
	c->arg = arg;
	if (t->ready)
		call_send(c);
	else
		call_hold(c, t->down_why && !t->was_ready ? 0 : HOLD_MS);
}

/* ---- deadlines of what is not under way */

static void timer_arm_from(struct list *calls, uint64_t *earliest)
{
	list_for_each (it, calls) {
		uint64_t ms = list_entry(it, struct call, node)->expires.ms;

		if (ms < *earliest)
			*earliest = ms;
	}
}

static void on_timer(uv_timer_t *h)
{
	struct typha *t = h->data;
	struct list *lists[] = { &t->held, &t->more };
	uint64_t now = mono_now().ms;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		bool again = true;

		while (again && !t->freed) {
			again = false;
			list_for_each (it, lists[i]) {
				struct call *c = list_entry(it, struct call, node);

				if (c->expires.ms > now)
					continue;
				if (c->refused != STORE_OK)
					call_answer(c, c->refused, 0, c->text);
				else
					call_unavailable(c, "no connection to",
					                 t->down_why ? t->down_why
					                             : "it does not answer");
				again = true; /* the callback may have changed the list */
				break;
			}
		}
	}
	if (!t->freed)
		timer_arm(t);
}

static void timer_arm(struct typha *t)
{
	uint64_t earliest = UINT64_MAX, now = mono_now().ms;

	timer_arm_from(&t->held, &earliest);
	timer_arm_from(&t->more, &earliest);
	if (earliest == UINT64_MAX)
		(void)uv_timer_stop(&t->timer);
	else
		(void)uv_timer_start(&t->timer, on_timer, earliest > now ? earliest - now : 0, 0);
}

/* ---- the watch */

static void on_gone(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct typha *t = arg;

	if (!t->freed)
		t->ops->on_remove(t->arg, kind, ns, name);
}

static void on_update(struct typha *t, const Sync__V1__UpdateEvent *u)
{
	const Sync__V1__Resource *m = u->resource;
	const struct kind_info *k = m ? kind_info(m->kind) : NULL;
	const char *ns = m && m->namespace_ && *m->namespace_ ? m->namespace_ : NULL;
	struct resource *r;
	unsigned held;

	if (!k || !m->name)
		return; /* a newer typhad knows more kinds */
	if (u->has_deleted && u->deleted) {
		if (seen_remove(t->seen, m->kind, ns, m->name))
			t->ops->on_remove(t->arg, m->kind, ns, m->name);
		return;
	}
	r = resource_read(m, true);
	if (!r) {
		if (log_limit_pass(&t->log_bad, &held))
			log_warn("typhad sent an object that cannot be read",
			         "kind=%s name=%s suppressed=%u", k->name, LOG_VIS(m->name), held);
		return;
	}
	if (seen_update(t->seen, m->kind, ns, m->name, m->revision))
		t->ops->on_update(t->arg, r);
	resource_free(r);
}

static void on_message(void *arg, ProtobufCMessage *msg)
{
	struct typha *t = arg;
	const Sync__V1__FromTyphad *m = (const Sync__V1__FromTyphad *)msg;

	if (m->has_request_id && m->request_id) { /* a further part of a list; or of one given up */
		list_for_each (it, &t->more) {
			struct call *c = list_entry(it, struct call, node);

			if (c->id == m->request_id) {
				call_take(c, m);
				return;
			}
		}
		return;
	}
	switch ((int)m->payload_case) {
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_SNAPSHOT_START:
		if (t->seen)
			seen_snapshot(t->seen);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE:
		if (t->seen)
			on_update(t, m->update);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC:
		if (!t->seen)
			return;
		seen_snapshot_end(t->seen, on_gone, t);
		if (!t->freed)
			t->ops->on_in_sync(t->arg);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR:
		log_warn("typhad complains", "text=%s",
		         LOG_VIS(m->error->text ? m->error->text : ""));
		return;
	default:
		return;
	}
}

static void on_pong(void *arg, int status, ProtobufCMessage *reply)
{
	struct typha *t = arg;

	(void)reply;
	if (status == -ETIMEDOUT && !t->freed)
		ipc_client_reset(t->client, "it has not answered for 10 seconds");
}

/* A peer that died is noticed at once, by its socket; one that is stuck, by this. */
static void on_ping_due(uv_timer_t *h)
{
	struct typha *t = h->data;
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Ping ping = SYNC__V1__PING__INIT;

	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_PING;
	m.ping = &ping;
	(void)ipc_client_call(t->client, &m.base, REQUEST_MS, on_pong, t);
}

/* ---- the connection */

/* Hello and Watch, answered by what makes no sense or by nothing: begin again. */
static bool handshake_ok(struct typha *t, int status, ProtobufCMessage *reply, const char *what,
                         int wanted)
{
	const Sync__V1__FromTyphad *m = (const Sync__V1__FromTyphad *)reply;
	CLEANUP(free_p) char *why = NULL;

	if (t->freed || (status < 0 && status != -ETIMEDOUT))
		return false; /* on_down() follows */
	if (status == 0 && (int)m->payload_case == wanted)
		return true;
	if (status == 0 && m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR)
		why = xasprintf("it refuses our %s: %s", what,
		                LOG_VIS(m->error->text ? m->error->text : "without a reason"));
	else
		why = xasprintf("%s to our %s",
		                status < 0 ? "it gives no answer" : "it gives a wrong answer",
		                what);
	ipc_client_reset(t->client, why);
	return false;
}

static void on_watch_reply(void *arg, int status, ProtobufCMessage *reply)
{
	(void)handshake_ok(arg, status, reply, "Watch", SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT);
}

static void watch_send(struct typha *t)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Watch watch = SYNC__V1__WATCH__INIT;

	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_WATCH;
	m.watch = &watch;
	watch.n_kinds = t->n_kinds;
	watch.kinds = t->kinds;
	if (ipc_client_call(t->client, &m.base, REQUEST_MS, on_watch_reply, t) < 0)
		return;
	t->watching = true;
	(void)uv_timer_start(&t->ping, on_ping_due, PING_EVERY_MS, PING_EVERY_MS);
}

static void on_hello(void *arg, int status, ProtobufCMessage *reply)
{
	struct typha *t = arg;
	struct list now;

	if (!handshake_ok(t, status, reply, "Hello", SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO))
		return;
	t->ready = t->was_ready = true;
	free(t->down_why);
	t->down_why = NULL;
	log_info("connected to typhad", "path=%s", LOG_VIS(t->path));
	if (t->ops)
		watch_send(t);
	list_init(&now);
	while (!list_empty(&t->held)) {
		struct list *it = t->held.next;

		list_unlink(it);
		list_push_back(&now, it);
	}
	list_for_each_safe (it, &now) {
		struct call *c = list_entry(it, struct call, node);

		if (c->refused == STORE_OK)
			call_send(c);
		else
			call_hold(c, 0);
	}
	timer_arm(t);
}

static void on_up(void *arg)
{
	struct typha *t = arg;
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;

	hello.has_version = 1;
	hello.version = SYNC_VERSION;
	hello.program = t->program;
	hello.hostname = t->node;
	hello.software = (char *)(uintptr_t)percale_version;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO;
	m.hello = &hello;
	(void)ipc_client_call(t->client, &m.base, REQUEST_MS, on_hello, t);
}

static void on_down(void *arg, const char *why)
{
	struct typha *t = arg;

	if (t->ready)
		log_warn("typhad is away", "path=%s why=%s", LOG_VIS(t->path), LOG_VIS(why));
	t->ready = t->watching = false;
	free(t->down_why);
	t->down_why = xstrdup(why);
	(void)uv_timer_stop(&t->ping);
	list_for_each (it, &t->more)
		list_entry(it, struct call, node)->expires = (struct mono_ms){ 0 };
	if (!t->was_ready)
		list_for_each (it, &t->held)
			list_entry(it, struct call, node)->expires = (struct mono_ms){ 0 };
	timer_arm(t);
	if (t->ops && t->ops->on_down)
		t->ops->on_down(t->arg, why);
}

static const struct ipc_client_ops client_ops = {
	.server = "typhad",
	.reply = &sync__v1__from_typhad__descriptor,
	.on_up = on_up,
	.on_down = on_down,
	.on_message = on_message,
};

/* ---- the interface */

static void typha_get(struct store *s, model_kind kind, const char *ns, const char *name,
                      store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_GET, kind, ns, name, 0, NULL, fn, arg);
}

static void typha_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                       store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_LIST, kind, ns, name_prefix, 0, NULL, fn, arg);
}

static void typha_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE, r->kind, r->ns, r->name, 0, r, fn, arg);
}

static void typha_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE, r->kind, r->ns, r->name, r->revision, r,
	         fn, arg);
}

static void typha_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY, r->kind, r->ns, r->name, 0, r, fn, arg);
}

static void typha_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                         uint64_t revision, store_done_fn *fn, void *arg)
{
	call_new(s, SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE, kind, ns, name, revision, NULL, fn, arg);
}

static int typha_watch(struct store *s, const model_kind *kinds, size_t n,
                       const struct store_watch_ops *ops, void *arg)
{
	struct typha *t = typha_of(s);

	if (t->ops)
		return -EBUSY;
	t->ops = ops;
	t->arg = arg;
	t->n_kinds = n;
	t->kinds = n ? xmemdup(kinds, n * sizeof(*kinds)) : NULL;
	t->seen = seen_new();
	if (t->ready)
		watch_send(t);
	return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct typha *t = h->data;

	if (--t->open_handles)
		return;
	seen_free(t->seen);
	free(t->kinds);
	free(t->down_why);
	free(t->path);
	free(t->program);
	free(t->node);
	free(t);
}

static void typha_free(struct store *s)
{
	struct typha *t = typha_of(s);
	struct list *lists[] = { &t->held, &t->more };

	t->freed = true;
	t->ready = false;
	ipc_client_free(t->client); /* answers what is under way */
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		while (!list_empty(lists[i]))
			call_unavailable(list_entry(lists[i]->next, struct call, node), "closing",
			                 "the request was not answered yet");
	uv_close((uv_handle_t *)&t->timer, on_handle_closed);
	uv_close((uv_handle_t *)&t->ping, on_handle_closed);
}

static const struct store_ops typha_ops = {
	.get = typha_get,
	.list = typha_list,
	.create = typha_create,
	.update = typha_update,
	.apply = typha_apply,
	.remove = typha_remove,
	.watch = typha_watch,
	.free = typha_free,
};

int store_typha_open(uv_loop_t *loop, const char *path, const char *program, const char *node,
                     struct store **ret, struct err *err)
{
	struct typha *t;

	if (strlen(path) >= 108) /* sun_path */
		return err_set(err, -ENAMETOOLONG, "the socket path '%.200s' is too long", path);
	t = xcalloc(1, sizeof(*t));
	t->base.ops = &typha_ops;
	t->base.loop = loop;
	t->path = xstrdup(path);
	t->program = xstrdup(program);
	t->node = xstrdup(node);
	t->log_bad = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	list_init(&t->held);
	list_init(&t->more);
	list_init(&t->sent);
	(void)uv_timer_init(loop, &t->timer);
	(void)uv_timer_init(loop, &t->ping);
	t->timer.data = t->ping.data = t;
	t->open_handles = 2;
	t->client = ipc_client_new(loop, path, &client_ops, t);
	*ret = &t->base;
	return 0;
}
