/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api: what clients may ask of typhad, and when.
 *
 * Reads are answered from the cache, at once. Writes go to the datastore; their change comes back
 * by the watch, into the cache and to everyone's queue, before the answer does. So whoever has the
 * answer to a write reads it everywhere.
 */
#include <errno.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/store/object.h"
#include "common/store/sync.h"
#include "typhad/client.h"
#include "typhad/datastore.h"
#include "typhad/typhad.h"

struct request {
	struct client *client; /* held */
	uint64_t id;
	bool body;    /* the answer carries the object's body */
	size_t bytes; /* of what is written */
};

/* ---- replies */

static void resource_fill(Sync__V1__Resource *m, const struct resource *r, bool with_body,
                          struct buf *body)
{
	m->has_kind = 1;
	m->kind = r->kind;
	m->namespace_ = r->ns;
	m->name = r->name;
	m->has_revision = 1;
	m->revision = r->revision;
	if (!with_body || !r->msg)
		return;
	msg_pack(r->msg, body);
	m->has_body = 1;
	m->body = (ProtobufCBinaryData){ body->len, body->data };
}

static void reply_result_at(struct client *c, uint64_t id, Sync__V1__Resource *resource,
                            uint64_t revision, bool live)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Result result = SYNC__V1__RESULT__INIT;

	result.resource = resource;
	result.has_header_revision = 1;
	result.header_revision = revision;
	result.has_live = result.live = live;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT;
	m.result = &result;
	client_reply(c, id, &m);
}

static void reply_result(struct client *c, uint64_t id, Sync__V1__Resource *resource)
{
	reply_result_at(c, id, resource, c->t->cache.revision, false);
}

static void refuse(struct client *c, uint64_t id, Sync__V1__ErrorCode code, const char *text)
{
	c->t->count.refused++;
	client_reply_error(c, id, code, text, NULL);
}

static Sync__V1__ErrorCode code_of(enum store_status status)
{
	switch (status) {
	case STORE_NOT_FOUND:
		return SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND;
	case STORE_ALREADY_EXISTS:
		return SYNC__V1__ERROR_CODE__ERROR_ALREADY_EXISTS;
	case STORE_CONFLICT:
		return SYNC__V1__ERROR_CODE__ERROR_CONFLICT;
	case STORE_INVALID:
		return SYNC__V1__ERROR_CODE__ERROR_INVALID;
	default:
		return SYNC__V1__ERROR_CODE__ERROR_DATASTORE;
	}
}

/* ---- reads */

struct bad_search {
	const char *key;
	struct buf *text;
};

static void on_bad_value(void *arg, const char *key, const char *why)
{
	const struct bad_search *s = arg;

	if (strcmp(key, s->key) == 0)
		buf_printf(s->text, "the value of '%s' cannot be read: %s", LOG_VIS(key), why);
}

/* Why there is nothing to be got: no object, or one whose value cannot be read. */
static void missing_text(struct typhad *t, model_kind kind, const char *ns, const char *name,
                         struct buf *text)
{
	CLEANUP(free_p) char *key = object_key(kind, ns, name, NULL);
	struct bad_search search = { key, text };

	if (key && t->store)
		store_bad_values(t->store, on_bad_value, &search);
	if (text->len == 0)
		object_status_text(STORE_NOT_FOUND, kind, ns, LOG_VIS(name), text);
}

static void on_get(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	const Sync__V1__Get *get = m->get;
	const char *ns = get->namespace_ && *get->namespace_ ? get->namespace_ : NULL;
	const struct cache_object *o;
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;

	c->t->count.gets++;
	if (!kind_info(get->kind) || !get->name) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID,
		       "get needs a known kind and a name");
		return;
	}
	o = cache_find(&c->t->cache, get->kind, ns, get->name);
	if (!o) {
		CLEANUP(buf_done) struct buf text = { 0 };

		missing_text(c->t, get->kind, ns, get->name, &text);
		client_reply_error(c, id, SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND, buf_cstr(&text),
		                   NULL);
		return;
	}
	resource.has_kind = resource.has_revision = resource.has_body = 1;
	resource.kind = (V3__Kind)o->kind;
	resource.namespace_ = (char *)(uintptr_t)cache_ns(o);
	resource.name = (char *)(uintptr_t)cache_name(o);
	resource.revision = cache_revision(o);
	resource.body = (ProtobufCBinaryData){ o->body_len, (uint8_t *)(uintptr_t)cache_body(o) };
	reply_result(c, id, &resource);
}

static void on_list(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	const Sync__V1__List *list = m->list;
	const struct cache_object **objects;
	size_t n;

	c->t->count.lists++;
	if (!kind_info(list->kind)) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID, "list needs a known kind");
		return;
	}
	if (c->n_lists >= CLIENT_LISTS_MAX) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_LIMIT,
		       "too many lists at once: read the answers first");
		return;
	}
	if (c->t->listed > CLIENTS_LISTED_MAX) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_LIMIT,
		       "typhad is sending long lists to many: try again");
		return;
	}
	n = cache_list(&c->t->cache, list->kind,
	               list->namespace_ && *list->namespace_ ? list->namespace_ : NULL,
	               list->name_prefix, &objects);
	client_list_start(c, id, c->t->cache.revision, objects, n);
	free(objects);
}

/* ---- writes */

static void on_written(void *arg, const struct store_result *r)
{
	struct request *q = arg;
	struct client *c = q->client;
	struct typhad *t = c->t;
	CLEANUP(buf_done) struct buf body = { 0 };
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;

	if (r->n)
		resource_fill(&resource, r->items[0], q->body || r->status != STORE_OK, &body);
	if (r->status == STORE_OK) {
		reply_result_at(c, q->id, r->n ? &resource : NULL, r->header_revision, false);
	} else {
		t->count.write_errors++;
		t->count.datastore_errors += r->status == STORE_UNAVAILABLE;
		client_reply_error(c, q->id, code_of(r->status), r->text, r->n ? &resource : NULL);
	}
	typhad_status(t);
	t->writing -= q->bytes;
	free(q);
	client_release(c);
}

static struct request *request_new(struct client *c, uint64_t id, model_kind kind, bool body,
                                   size_t bytes)
{
	struct request *q;

	c->t->count.writes++;
	if (!kind_info(kind)) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID, "the kind is unknown here");
		return NULL;
	}
	if (c->in_flight >= CLIENT_IN_FLIGHT_MAX) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_LIMIT,
		       "too many writes at once: wait for the answers first");
		return NULL;
	}
	if (c->t->writing + bytes > CLIENTS_WRITING_MAX) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_LIMIT,
		       "too much is being written at once: try again");
		return NULL;
	}
	q = xcalloc(1, sizeof(*q));
	q->bytes = bytes;
	c->t->writing += bytes;
	q->client = c;
	q->id = id;
	q->body = body;
	client_hold(c);
	return q;
}

/* Create, update and apply: what is written, as a resource; what is wrong with it is told by the
 * store. */
static void write_resource(struct client *c, uint64_t id, const Sync__V1__Resource *m,
                           void (*write)(struct store *s, const struct resource *r,
                                         store_done_fn *fn, void *arg))
{
	const struct kind_info *k = m ? kind_info(m->kind) : NULL;
	ProtobufCMessage *msg = NULL;
	struct resource *r;
	struct request *q;

	if (!m || !m->name || !m->has_body) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID,
		       "a write needs a resource with kind, name and body");
		return;
	}
	if (k)
		msg = msg_unpack(k->message, m->body.data, m->body.len);
	if (k && !msg) {
		CLEANUP(free_p)
		char *text = xasprintf("the body of %s(%s) is not a message of that kind", k->name,
		                       LOG_VIS(m->name));

		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID, text);
		return;
	}
	/* The body comes back where the datastore adds to it: not of IPAM's objects. */
	q = request_new(c, id, m->kind, k && k->v3, m->body.len);
	if (!q) {
		msg_free(msg);
		return;
	}
	r = resource_new(m->kind, m->namespace_ && *m->namespace_ ? m->namespace_ : NULL, m->name,
	                 m->revision, msg);
	r->ttl_sec = m->ttl_seconds;
	write(c->t->store, r, on_written, q);
	resource_free(r);
}

static void on_create(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	write_resource(c, id, m->create->resource, store_create);
}

static void on_update(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	write_resource(c, id, m->update->resource, store_update);
}

static void on_apply(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	write_resource(c, id, m->apply->resource, store_apply);
}

static void on_delete(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	const Sync__V1__Delete *del = m->delete_;
	struct request *q;

	if (!del->name) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID, "delete needs a name");
		return;
	}
	q = request_new(c, id, del->kind, true, 0);
	if (q)
		store_remove(c->t->store, del->kind,
		             del->namespace_ && *del->namespace_ ? del->namespace_ : NULL,
		             del->name, del->revision, on_written, q);
}

/* ---- the connection */

static void on_hello(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	door_hello(c, id, m->hello);
}

static void on_watch(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	uint64_t kinds = m->watch->n_kinds ? 0 : ~(uint64_t)0;

	if (!list_empty(&c->watcher.node)) {
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID,
		       "this connection has its watch already");
		return;
	}
	for (size_t i = 0; i < m->watch->n_kinds; i++)
		kinds |= CACHE_KIND_BIT(m->watch->kinds[i]);
	c->watcher.progress = m->watch->has_progress && m->watch->progress;
	c->watcher.min_revision = m->watch->min_revision;
	reply_result(c, id, NULL);
	if (!c->peer)
		return;
	c->watcher.kinds = kinds & c->kinds;
	c->watcher.own = sync_type_own_kinds(c->sync_type);
	c->watcher.host = c->hostname;
	c->watcher.packed = c->codec != NULL;
	if (c->t->config.metrics.enabled) {
		unsigned i = meter_of(c->sync_type);

		c->watcher.snapshot_sec = &c->t->meters.snapshot_sec[i];
		c->watcher.latency_sec = &c->t->meters.latency_sec[i];
	}
	fanout_add(&c->t->fanout, &c->watcher);
}

static void on_verified(void *arg, bool live, uint64_t revision)
{
	struct request *q = arg;

	reply_result_at(q->client, q->id, NULL, live ? revision : q->client->t->cache.revision,
	                live);
	client_release(q->client);
	free(q);
}

static void on_ping(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	struct request *q;

	if (!m->ping->verify || c->in_flight >= CLIENT_IN_FLIGHT_MAX) {
		reply_result(c, id, NULL);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	q->client = c;
	q->id = id;
	client_hold(c);
	datastore_verify(c->t, on_verified, q);
}

static void on_pong(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	struct typhad *t = c->t;

	(void)id;
	(void)m; /* door_heard() was called for it, as for every message */
	if (t->config.metrics.enabled)
		summary_observe(&t->meters.ping_sec[meter_of(c->sync_type)],
		                (double)mono_since_ms(c->asked) / 1000.0, mono_now());
}

struct api_handler {
	Sync__V1__ToTyphad__PayloadCase payload;
	const char *name;
	unsigned allowed; /* phases */
	void (*handle)(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m);
};

/* clang-format off */
#define CASE(x) SYNC__V1__TO_TYPHAD__PAYLOAD_##x
static const struct api_handler handlers[] = {
	/* payload     name      allowed in    handler */
	{ CASE(HELLO),  "hello",  CLIENT_NEW,  on_hello },
	{ CASE(GET),    "get",    CLIENT_OPEN, on_get },
	{ CASE(LIST),   "list",   CLIENT_OPEN, on_list },
	{ CASE(CREATE), "create", CLIENT_OPEN, on_create },
	{ CASE(UPDATE), "update", CLIENT_OPEN, on_update },
	{ CASE(APPLY),  "apply",  CLIENT_OPEN, on_apply },
	{ CASE(DELETE), "delete", CLIENT_OPEN, on_delete },
	{ CASE(WATCH),  "watch",  CLIENT_OPEN, on_watch },
	{ CASE(PING),   "ping",   CLIENT_OPEN, on_ping },
	{ CASE(PONG),   "pong",   CLIENT_OPEN, on_pong },
};
/* clang-format on */

static void handle(struct client *c, const Sync__V1__ToTyphad *m)
{
	uint64_t id = m->request_id;

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		const struct api_handler *h = &handlers[i];

		if (h->payload != m->payload_case)
			continue;
		if (h->allowed & (unsigned)c->phase) {
			h->handle(c, id, m);
			return;
		}
		c->t->door.count.bad_hello++;
		refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID,
		       c->phase == CLIENT_NEW ? "the first message must be Hello"
		                              : "Hello has been said already");
		if (c->peer && c->phase == CLIENT_NEW)
			ipc_peer_close(c->peer);
		return;
	}
	refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID,
	       "this version does not know the request");
}

void api_message(struct client *c, const Sync__V1__ToTyphad *m)
{
	struct typhad *t = c->t;

	c->requests++;
	t->count.requests++;
	door_heard(c);
	client_hold(c); /* it may be closed meanwhile */
	if (ipc_peer_queued(c->peer) > CLIENT_UNREAD_MAX) {
		t->count.unread_closed++;
		log_warn("a client asks but does not read the answers: closed",
		         "program=%s peer=%s pid=%d", LOG_VIS(c->program ? c->program : "?"),
		         LOG_VIS(client_address(c)), (int)ipc_peer_cred(c->peer).pid);
		ipc_peer_close(c->peer);
	} else {
		handle(c, m);
	}
	client_release(c);
}

void api_dump_clients(struct typhad *t, void *ctx)
{
	list_for_each (it, &t->clients) {
		const struct client *c = list_entry(it, struct client, node);
		struct peer_cred cred = ipc_peer_cred(c->peer);
		bool watching = !list_empty(&c->watcher.node);
		struct jsonw *w = daemon_dump_writer(ctx);

		jsonw_object(w, NULL);
		jsonw_u64(w, "id", c->id);
		jsonw_str(w, "program", c->program);
		jsonw_str(w, "node", c->hostname);
		jsonw_str(w, "software", c->software);
		jsonw_u64(w, "version", c->version);
		jsonw_str(w, "syncType", c->sync_type);
		if (c->remote) {
			jsonw_str(w, "address", client_address(c));
			jsonw_str(w, "certificate", ipc_peer_proved(c->peer));
			jsonw_str(w, "compression", c->codec ? c->codec->name : NULL);
			jsonw_bool(w, "sentAway", c->sent_away.ms != 0);
		} else {
			jsonw_i64(w, "pid", cred.pid);
			jsonw_u64(w, "uid", cred.uid);
		}
		jsonw_i64(w, "connectedMs", mono_since_ms(c->since));
		jsonw_i64(w, "heardMs", mono_since_ms(c->heard));
		jsonw_u64(w, "requests", c->requests);
		jsonw_u64(w, "writesUnderWay", c->in_flight);
		jsonw_u64(w, "queuedBytes", ipc_peer_queued(c->peer));
		jsonw_bool(w, "watching", watching);
		if (watching) {
			jsonw_array(w, "kinds");
			for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k))
				if (c->watcher.kinds != ~(uint64_t)0 &&
				    (c->watcher.kinds & CACHE_KIND_BIT(k->kind)))
					jsonw_str(w, NULL, k->name);
			jsonw_end_array(w);
			jsonw_bool(w, "inSync", !c->watcher.in_snapshot && !c->watcher.waiting);
			jsonw_bool(w, "slow", c->watcher.slow);
			jsonw_u64(w, "behind", t->cache.seq - c->watcher.told);
			jsonw_u64(w, "updates", c->watcher.updates);
			jsonw_u64(w, "snapshots", c->watcher.snapshots);
			jsonw_u64(w, "stalls", c->watcher.stalls);
		}
		jsonw_end_object(w);
		daemon_dump_item(ctx, "clients");
	}
}
