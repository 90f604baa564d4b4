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
#include "typhad/typhad.h"

#define CLIENTS_MAX 10000u
#define HELLO_MS 10000 /* from connecting to Hello */

struct request {
	struct client *client; /* held */
	uint64_t id;
	bool body; /* the answer carries the object's body */
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
                            uint64_t revision)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Result result = SYNC__V1__RESULT__INIT;

	result.resource = resource;
	result.has_header_revision = 1;
	result.header_revision = revision;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT;
	m.result = &result;
	client_reply(c, id, &m);
}

static void reply_result(struct client *c, uint64_t id, Sync__V1__Resource *resource)
{
	reply_result_at(c, id, resource, c->t->cache.revision);
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

		object_status_text(STORE_NOT_FOUND, get->kind, ns, LOG_VIS(get->name), &text);
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
		reply_result_at(c, q->id, r->n ? &resource : NULL, r->header_revision);
	} else {
		t->count.write_errors++;
		t->count.datastore_errors += r->status == STORE_UNAVAILABLE;
		client_reply_error(c, q->id, code_of(r->status), r->text, r->n ? &resource : NULL);
	}
	typhad_status(t);
	free(q);
	client_release(c);
}

static struct request *request_new(struct client *c, uint64_t id, model_kind kind, bool body)
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
	q = xcalloc(1, sizeof(*q));
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
	q = request_new(c, id, m->kind, k && k->v3);
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
	q = request_new(c, id, del->kind, true);
	if (q)
		store_remove(c->t->store, del->kind,
		             del->namespace_ && *del->namespace_ ? del->namespace_ : NULL,
		             del->name, del->revision, on_written, q);
}

/* ---- the connection */

static void hello_refuse(struct client *c, uint64_t id, Sync__V1__ErrorCode code, const char *text)
{
	c->t->count.bad_hello++;
	refuse(c, id, code, text);
	if (c->peer)
		ipc_peer_close(c->peer);
}

static void on_hello(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	const Sync__V1__Hello *hello = m->hello;
	Sync__V1__FromTyphad reply = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Hello own = SYNC__V1__HELLO__INIT;

	c->version = sync_version_agree(hello->version, hello->min_version);
	if (!c->version) {
		uint32_t min = hello->min_version ? hello->min_version : hello->version;
		CLEANUP(free_p)
		char *text = xasprintf("this typhad speaks versions %u to %u of the sync protocol, "
		                       "the client %u to %u: upgrade %s",
		                       SYNC_VERSION_MIN, SYNC_VERSION, min, hello->version,
		                       hello->version < SYNC_VERSION_MIN ? "the client" : "typhad");

		hello_refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_VERSION, text);
		return;
	}
	if (sync_type_kinds(hello->sync_type, &c->kinds) < 0) {
		CLEANUP(free_p)
		char *text = xasprintf("there is no sync type '%s': there are %s",
		                       LOG_VIS(hello->sync_type), sync_type_names());

		hello_refuse(c, id, SYNC__V1__ERROR_CODE__ERROR_INVALID, text);
		return;
	}
	c->program = xstrndup(hello->program ? hello->program : "?", 64);
	c->hostname = xstrndup(hello->hostname ? hello->hostname : "", 253);
	c->software = xstrndup(hello->software ? hello->software : "", 64);
	c->phase = CLIENT_OPEN;
	own.has_version = own.has_min_version = own.has_connection_id = 1;
	own.version = c->version;
	own.min_version = SYNC_VERSION_MIN;
	own.sync_type = hello->sync_type;
	own.connection_id = c->id;
	own.lineage = c->t->fanout.lineage;
	own.n_lineage = c->t->fanout.n_lineage;
	own.program = (char *)(uintptr_t) "typhad";
	own.hostname = (char *)(uintptr_t)c->t->daemon->node;
	own.software = (char *)(uintptr_t)percale_version;
	reply.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO;
	reply.hello = &own;
	log_debug("client", "id=%llu program=%s node=%s pid=%d", (unsigned long long)c->id,
	          LOG_VIS(c->program), LOG_VIS(c->hostname), (int)ipc_peer_cred(c->peer).pid);
	client_reply(c, id, &reply);
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
	if (c->peer)
		fanout_add(&c->t->fanout, &c->watcher, kinds & c->kinds);
}

static void on_ping(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	(void)m;
	reply_result(c, id, NULL);
}

static void on_pong(struct client *c, uint64_t id, const Sync__V1__ToTyphad *m)
{
	(void)c;
	(void)id;
	(void)m;
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
		c->t->count.bad_hello++;
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

/* Who connects and says nothing takes a place that others may need. */
static void on_hello_timer(uv_timer_t *h)
{
	struct typhad *t = h->data;
	bool waiting = false;

	list_for_each_safe (it, &t->clients) {
		struct client *c = list_entry(it, struct client, node);

		if (c->phase != CLIENT_NEW)
			continue;
		if (mono_since_ms(c->since) < HELLO_MS) {
			waiting = true;
			continue;
		}
		t->count.bad_hello++;
		ipc_peer_close(c->peer);
	}
	if (waiting)
		(void)uv_timer_start(h, on_hello_timer, HELLO_MS / 4, 0);
}

static void on_open(struct ipc_peer *p)
{
	struct typhad *t = ipc_peer_arg(p);

	ipc_peer_set_data(p, client_new(t, p));
	if (!uv_is_active((uv_handle_t *)&t->hello_timer))
		(void)uv_timer_start(&t->hello_timer, on_hello_timer, HELLO_MS, 0);
}

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	struct client *c = ipc_peer_data(p);
	struct typhad *t = c->t;

	c->requests++;
	t->count.requests++;
	client_hold(c); /* it may be closed meanwhile */
	if (ipc_peer_queued(p) > CLIENT_UNREAD_MAX) {
		t->count.unread_closed++;
		log_warn("a client asks but does not read the answers: closed", "program=%s pid=%d",
		         LOG_VIS(c->program ? c->program : "?"), (int)ipc_peer_cred(p).pid);
		ipc_peer_close(p);
	} else {
		handle(c, (const Sync__V1__ToTyphad *)msg);
	}
	client_release(c);
}

static void on_close(struct ipc_peer *p)
{
	client_gone(ipc_peer_data(p));
}

static bool on_slow(struct ipc_peer *p)
{
	struct client *c = ipc_peer_data(p);

	fanout_slow(&c->t->fanout, &c->watcher);
	return true;
}

static void on_drained(struct ipc_peer *p)
{
	struct client *c = ipc_peer_data(p);

	client_lists_continue(c);
	if (ipc_peer_queued(p) <= FANOUT_SEND_HIGH)
		fanout_drained(&c->t->fanout, &c->watcher);
}

static const struct ipc_server_ops api_ops = {
	.name = "api",
	.request = &sync__v1__to_typhad__descriptor,
	.mode = 0660,
	.max_peers = CLIENTS_MAX,
	.send_high = FANOUT_SEND_HIGH,
	.send_low = FANOUT_SEND_LOW,
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
	.on_slow = on_slow,
	.on_drained = on_drained,
};

int api_open(struct typhad *t, struct err *err)
{
	return ipc_server_new(t->daemon->loop, t->listen_path, &api_ops, t, &t->api, err);
}

void api_close(struct typhad *t)
{
	ipc_server_free(t->api);
	t->api = NULL;
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
		jsonw_i64(w, "pid", cred.pid);
		jsonw_u64(w, "uid", cred.uid);
		jsonw_i64(w, "connectedMs", mono_since_ms(c->since));
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
			jsonw_bool(w, "inSync", !c->watcher.in_snapshot);
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
