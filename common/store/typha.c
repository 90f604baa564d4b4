/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The typha driver: a store behind a connection to typhad.
 *
 *     connect --> Hello --> (Watch) --> ready: requests go out at once
 *        ^------------- lost ---------------'
 *
 * A request made while the connection is away is held for a moment (TYPHA_HOLD_MS), so that a
 * restart of typhad shows to nobody; longer than that, or when typhad has never answered yet and an
 * attempt fails, it is answered STORE_UNAVAILABLE. What had been sent when the connection broke is
 * answered so, too: it may or may not have happened.
 *
 * Each connection's watch begins with a snapshot; the watcher hears of what differs from what it
 * knew.
 */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/store/seen.h"
#include "common/store/typha.h"

#define SYNC_VERSION 1
#define PING_EVERY_MS 30000

static struct typha *typha_of(struct store *s)
{
	return container_of(s, struct typha, base);
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
	r = typha_resource(m, true);
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
		typha_calls_part(t, m);
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
	(void)ipc_client_call(t->client, &m.base, TYPHA_REQUEST_MS, on_pong, t);
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
	if (ipc_client_call(t->client, &m.base, TYPHA_REQUEST_MS, on_watch_reply, t) < 0)
		return;
	t->watching = true;
	(void)uv_timer_start(&t->ping, on_ping_due, PING_EVERY_MS, PING_EVERY_MS);
}

static void on_hello(void *arg, int status, ProtobufCMessage *reply)
{
	struct typha *t = arg;

	if (!handshake_ok(t, status, reply, "Hello", SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO))
		return;
	t->ready = t->was_ready = true;
	free(t->down_why);
	t->down_why = NULL;
	log_info("connected to typhad", "path=%s", LOG_VIS(t->path));
	if (t->ops)
		watch_send(t);
	typha_calls_ready(t);
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
	(void)ipc_client_call(t->client, &m.base, TYPHA_REQUEST_MS, on_hello, t);
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
	typha_calls_down(t);
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
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_GET, kind, ns, name, 0, NULL, fn, arg);
}

static void typha_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                       store_done_fn *fn, void *arg)
{
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_LIST, kind, ns, name_prefix, 0, NULL,
	           fn, arg);
}

static void typha_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE, r->kind, r->ns, r->name, 0, r,
	           fn, arg);
}

static void typha_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE, r->kind, r->ns, r->name,
	           r->revision, r, fn, arg);
}

static void typha_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY, r->kind, r->ns, r->name, 0, r,
	           fn, arg);
}

static void typha_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                         uint64_t revision, store_done_fn *fn, void *arg)
{
	typha_call(typha_of(s), SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE, kind, ns, name, revision, NULL,
	           fn, arg);
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

	t->freed = true;
	t->ready = false;
	ipc_client_free(t->client); /* answers what is under way */
	typha_calls_abandon(t);
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
