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
 * A server that says GoAway is left as soon as nothing is under way, for the next one of the list;
 * what is asked meanwhile is held. Nobody is told.
 *
 * Each connection's watch begins with a snapshot; the watcher hears of what differs from what it
 * knew. A typhad that is fed by typhads wants more than that: see typha_chain.h.
 */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/ipc/frame.h"
#include "common/store/seen.h"
#include "common/store/sync.h"
#include "common/store/typha.h"
#include "common/store/typha_chain.h"

#define READ_TIMEOUT_MS 40000u /* a ping after three quarters, its answer in the last one */
#define LEAVE_MS 2000u         /* after GoAway, for what is under way */

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
	typha_chain_horizon(t, m->revision);
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

/* ---- being asked to leave */

static void on_leave(uv_timer_t *h)
{
	struct typha *t = h->data;

	if (!t->leaving)
		return;
	t->leaving = t->watching = false;
	(void)uv_timer_stop(&t->ping);
	(void)uv_timer_stop(&t->patience);
	ipc_client_move(t->client);
	typha_calls_down(t);
}

void typha_idle(struct typha *t)
{
	if (t->leaving && list_empty(&t->sent) && list_empty(&t->more))
		(void)uv_timer_start(&t->leave, on_leave, 0, 0);
}

static void on_go_away(struct typha *t, const Sync__V1__GoAway *m)
{
	if (t->leaving || !t->ready)
		return;
	log_info("typhad asks us to go to another one", "address=%s why=%s",
	         LOG_VIS(typha_where(t)), LOG_VIS(m->reason ? m->reason : ""));
	t->leaving = true;
	t->ready = false; /* what is asked from now on is asked of the next one */
	(void)uv_timer_start(&t->leave, on_leave, LEAVE_MS, 0);
	typha_idle(t);
}

/* ---- messages */

static void on_asked(struct typha *t)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Pong pong = SYNC__V1__PONG__INIT;

	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_PONG;
	m.pong = &pong;
	(void)ipc_client_send(t->client, &m.base);
}

static void on_snapshot_start(struct typha *t)
{
	seen_snapshot(t->seen);
	typha_chain_snapshot(t);
}

static void on_in_sync(struct typha *t, const Sync__V1__InSync *m)
{
	if (typha_chain_rewinds(t, m->header_revision))
		return;
	typha_chain_horizon(t, m->header_revision);
	seen_snapshot_end(t->seen, on_gone, t);
	typha_chain_told(t, m->header_revision);
	if (!t->freed)
		t->ops->on_in_sync(t->arg);
}

static void on_progress(struct typha *t, const Sync__V1__Progress *m)
{
	if ((!m->n_lineage || typha_chain_lineage(t, m->lineage, m->n_lineage)) &&
	    !typha_chain_rewinds(t, m->revision))
		typha_chain_told(t, m->revision);
}

static void on_compressed(struct typha *t, const Sync__V1__Compressed *m);

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
			on_snapshot_start(t);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE:
		if (t->seen)
			on_update(t, m->update);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC:
		if (t->seen)
			on_in_sync(t, m->in_sync);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_PROGRESS:
		if (t->seen)
			on_progress(t, m->progress);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR:
		log_warn("typhad complains", "text=%s",
		         LOG_VIS(m->error->text ? m->error->text : ""));
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_PING:
		on_asked(t);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_GO_AWAY:
		on_go_away(t, m->go_away);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED:
		on_compressed(t, m->compressed);
		return;
	default:
		return;
	}
}

static void on_compressed(struct typha *t, const Sync__V1__Compressed *m)
{
	CLEANUP(buf_done) struct buf raw = { 0 };
	struct err err = { 0 };
	size_t at = 0, used = 0;
	uint64_t lost = t->lost; /* a frame may be the connection's last */
	struct cursor body;
	int r = t->codec ? sync_unpack(t->codec, m, &raw, &err)
	                 : err_set(&err, -EPROTO, "compressed frames, which were not asked for");

	while (r == 0 && at < raw.len && !t->freed && t->lost == lost) {
		ProtobufCMessage *msg = NULL;

		if (ipc_frame_next(raw.data + at, raw.len - at, &body, &used) == 1)
			msg = ipc_unpack(&sync__v1__from_typhad__descriptor, &body);
		if (!msg || ((const Sync__V1__FromTyphad *)msg)->payload_case ==
		                    SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED)
			r = err_set(&err, -EPROTO, "compressed frames that are none");
		else
			on_message(t, msg);
		at += used;
		if (msg)
			protobuf_c_message_free_unpacked(msg, NULL);
	}
	if (r < 0 && !t->freed) {
		CLEANUP(free_p) char *why = xasprintf("it sent %s", err.text);

		ipc_client_reset(t->client, why);
	}
}

static void on_pong(void *arg, int status, ProtobufCMessage *reply)
{
	struct typha *t = arg;

	(void)reply;
	if (status == -ETIMEDOUT && !t->freed)
		ipc_client_reset(t->client, "it does not answer any more");
}

/* A peer that died is noticed at once, by its socket; one that is stuck, or whose host is gone, by
 * this. */
static void on_ping_due(uv_timer_t *h)
{
	struct typha *t = h->data;
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Ping ping = SYNC__V1__PING__INIT;

	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_PING;
	m.ping = &ping;
	(void)ipc_client_call(t->client, &m.base, t->read_timeout_ms / 4 + 1, on_pong, t);
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
	struct typha *t = arg;
	const Sync__V1__FromTyphad *m = (const Sync__V1__FromTyphad *)reply;

	if (!handshake_ok(t, status, reply, "Watch", SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT))
		return;
	typha_chain_watching(t, m->result);
}

static void watch_send(struct typha *t)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Watch watch = SYNC__V1__WATCH__INIT;

	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_WATCH;
	m.watch = &watch;
	watch.n_kinds = t->n_kinds;
	watch.kinds = t->kinds;
	typha_chain_ask(t, &watch);
	if (ipc_client_call(t->client, &m.base, TYPHA_REQUEST_MS, on_watch_reply, t) < 0)
		return;
	t->watching = true;
	(void)uv_timer_start(&t->ping, on_ping_due, t->read_timeout_ms / 4 * 3,
	                     t->read_timeout_ms / 4 * 3 + 1);
}

static bool hello_ok(struct typha *t, const Sync__V1__Hello *hello)
{
	CLEANUP(free_p) char *why = NULL;

	if (!hello->has_version || sync_version_agree(hello->version, hello->min_version))
		return true;
	why = xasprintf("it speaks version %u of the sync protocol, we %u to %u: upgrade the older "
	                "side",
	                hello->version, SYNC_VERSION_MIN, SYNC_VERSION);
	ipc_client_reset(t->client, why);
	return false;
}

static void on_hello(void *arg, int status, ProtobufCMessage *reply)
{
	struct typha *t = arg;
	const Sync__V1__Hello *hello;

	if (!handshake_ok(t, status, reply, "Hello", SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO))
		return;
	hello = ((const Sync__V1__FromTyphad *)reply)->hello;
	if (!hello_ok(t, hello) || !typha_chain_lineage(t, hello->lineage, hello->n_lineage))
		return;
	t->ready = t->was_ready = true;
	t->connects++;
	free(t->down_why);
	t->down_why = NULL;
	log_info("connected to typhad", "address=%s", LOG_VIS(typha_where(t)));
	if (t->ops)
		watch_send(t);
	typha_calls_ready(t);
}

static void on_up(void *arg)
{
	struct typha *t = arg;
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;
	char *algorithms[] = { (char *)(uintptr_t)(t->codec ? t->codec->name : NULL) };

	hello.has_version = hello.has_min_version = 1;
	hello.version = SYNC_VERSION;
	hello.min_version = SYNC_VERSION_MIN;
	hello.sync_type = t->sync_type;
	if (t->codec) {
		hello.compression = algorithms;
		hello.n_compression = 1;
	}
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

	t->lost += t->ready || t->leaving;
	if (t->ready)
		log_warn("typhad is away", "address=%s why=%s", LOG_VIS(typha_where(t)),
		         LOG_VIS(why));
	t->ready = t->watching = t->leaving = false;
	free(t->down_why);
	t->down_why = xstrdup(why);
	(void)uv_timer_stop(&t->ping);
	(void)uv_timer_stop(&t->patience);
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
	if (t->chain)
		seen_forward_only(t->seen);
	seen_use(t->seen, s->memory, arg);
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
	free(t->program);
	free(t->node);
	free(t->sync_type);
	typha_chain_free(t->chain);
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
	uv_close((uv_handle_t *)&t->leave, on_handle_closed);
	uv_close((uv_handle_t *)&t->patience, on_handle_closed);
}

static void typha_stats(const struct store *s, struct store_stats *ret)
{
	const struct typha *t = typha_of((struct store *)(uintptr_t)s);

	ret->type = "typha";
	ret->where = typha_where(t);
	ret->last_error = t->down_why;
	ret->connects = t->connects;
	ret->connections_lost = t->lost;
	if (!t->chain)
		return;
	ret->revision = t->chain->told;
	ret->left_behind = t->chain->left_behind;
	ret->loops = t->chain->loops;
	ret->rewinds = t->chain->rewinds;
	ret->unseen = t->chain->unseen_late;
	if (t->chain->trouble)
		ret->last_error = t->chain->trouble;
}

static const struct store_ops typha_ops = {
	.get = typha_get,
	.list = typha_list,
	.create = typha_create,
	.update = typha_update,
	.apply = typha_apply,
	.remove = typha_remove,
	.watch = typha_watch,
	.stats = typha_stats,
	.free = typha_free,
};

const char *typha_where(const struct typha *t)
{
	return ipc_client_address(t->client);
}

int store_typha_connect(uv_loop_t *loop, const struct store_typha_options *options,
                        struct store **ret, struct err *err)
{
	const struct ipc_client_config config = { .addresses = options->addresses,
		                                  .n = options->n_addresses,
		                                  .shuffle = options->shuffle,
		                                  .layer = options->layer,
		                                  .user_timeout_ms = options->write_timeout_ms };
	struct typha *t = xcalloc(1, sizeof(*t));
	uv_timer_t *timers[] = { &t->timer, &t->ping, &t->leave, &t->patience };
	int r;

	t->base.ops = &typha_ops;
	t->base.loop = loop;
	r = ipc_client_open(loop, &config, &client_ops, t, &t->client, err);
	if (r < 0) {
		free(t);
		return r;
	}
	t->program = xstrdup(options->program);
	t->node = xstrdup(options->node);
	t->sync_type = xstrdup(options->sync_type);
	t->codec = options->codec;
	t->chain = options->instance ? typha_chain_new(options->instance) : NULL;
	t->read_timeout_ms = options->read_timeout_ms ? options->read_timeout_ms : READ_TIMEOUT_MS;
	t->log_bad = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	list_init(&t->held);
	list_init(&t->more);
	list_init(&t->sent);
	list_init(&t->unseen);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		(void)uv_timer_init(loop, timers[i]);
		timers[i]->data = t;
	}
	t->open_handles = ARRAY_SIZE(timers);
	*ret = &t->base;
	return 0;
}

size_t store_typha_lineage(const struct store *s, char *const **ret)
{
	const struct typha *t = typha_of((struct store *)(uintptr_t)s);

	*ret = t->chain->lineage;
	return t->chain->n_lineage;
}

int store_typha_set_addresses(struct store *s, const char *const *addresses, size_t n,
                              struct err *err)
{
	return ipc_client_set_addresses(typha_of(s)->client, addresses, n, err);
}

int store_typha_open(uv_loop_t *loop, const char *path, const char *program, const char *node,
                     struct store **ret, struct err *err)
{
	CLEANUP(free_p) char *address = xasprintf("%s%s", strchr(path, '/') ? "" : "./", path);
	const char *const addresses[] = { address };
	const struct store_typha_options options = {
		.addresses = addresses, .n_addresses = 1, .program = program, .node = node
	};

	if (strlen(path) >= 108) /* sun_path */
		return err_set(err, -ENAMETOOLONG, "the socket path '%.200s' is too long", path);
	return store_typha_connect(loop, &options, ret, err);
}
