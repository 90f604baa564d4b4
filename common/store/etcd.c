/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The etcdv3 driver: a cluster of etcd, or one, as upstream has it: the same keys, the same values,
 * the same transactions.
 *
 *     etcd.c          the store: operations under way, when they are answered, the counters
 *     etcd_op.c       one operation as calls                etcd_watch.c    snapshot, then deltas
 *     etcd_client.c   calls, deadlines, the token           etcd_feed.c     ... as true differences
 *     etcd_dial.c     which member; failing over            etcd_endpoint.c, etcd_options.c
 *     grpc.c          messages and statuses                 h2.c            HTTP/2, PING, TLS
 *
 * Whoever has the answer to a write finds it in what the watch has built: an answer waits until its
 * event has been told. Writes and events come over the same connection, so that is a moment; when
 * the watch is not up to date, the answer waits HOLD_MS at most and is then given all the
 * same, for it is true.
 */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/etcd_op.h"
#include "common/store/etcd_watch.h"
#include "common/store/store.h"

#define HOLD_MS 5000u

struct etcd {
	struct store base;
	struct etcd_client *client;
	struct etcd_watch *watch;
	struct list ops;   /* under way */
	struct list held;  /* done; the watch has not told of them yet. In the order of expires */
	struct list ready; /* to be answered at the next turn of the loop */
	uv_timer_t timer;
	bool starting; /* the caller is still inside its call */
	bool freed;
	struct store_stats stats;
	char *last_error;
};

static void on_timer(uv_timer_t *timer);

static struct etcd *etcd_of(const struct store *s)
{
	return container_of(s, struct etcd, base);
}

/* ---- answers */

static void op_call(struct etcd_op *op, const struct store_result *r)
{
	store_done_fn *fn = op->fn;
	void *arg = op->arg;

	op->fn = NULL;
	if (fn)
		fn(arg, r);
}

static void op_answer(struct etcd_op *op)
{
	struct store_result r = {
		.status = op->status,
		.text = op->text,
		.header_revision = op->header,
		.items = op->items,
		.n = op->n,
	};

	list_unlink(&op->node); /* the store may be freed inside */
	op_call(op, &r);
	etcd_op_free(op);
}

static void abandon(struct list *ops)
{
	struct store_result closed = { .status = STORE_UNAVAILABLE,
		                       .text = "the datastore is being closed" };

	while (!list_empty(ops)) {
		struct etcd_op *op = list_entry(ops->next, struct etcd_op, node);

		list_unlink(&op->node);
		op_call(op, &closed);
		etcd_op_free(op);
	}
}

/* What the watch must have told before the answer may be given; 0: nothing. */
static uint64_t op_wants(const struct etcd *e, const struct etcd_op *op)
{
	if (!e->watch || op->type == ETCD_GET || op->type == ETCD_LIST ||
	    !etcd_watch_has(e->watch, op->kind))
		return 0;
	if (op->status == STORE_OK)
		return op->header;
	/* Who was too late reads again what there is: that must not be what it had. */
	return op->n ? op->items[0]->revision : 0;
}

static void timer_update(struct etcd *e)
{
	uint64_t now = uv_now(e->base.loop), due;

	if (e->freed)
		return;
	if (!list_empty(&e->ready))
		due = now;
	else if (!list_empty(&e->held))
		due = list_entry(e->held.next, struct etcd_op, node)->expires;
	else {
		(void)uv_timer_stop(&e->timer);
		return;
	}
	(void)uv_timer_start(&e->timer, on_timer, due > now ? due - now : 0, 0);
}

/* Answers may free the store. */
static void answer_ready(struct etcd *e)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&e->ready)) {
		struct list *first = e->ready.next;

		list_unlink(first);
		list_push_back(&now, first);
	}
	while (!list_empty(&now) && !e->freed)
		op_answer(list_entry(now.next, struct etcd_op, node));
	abandon(&now); /* of a store that was freed meanwhile */
}

static void on_timer(uv_timer_t *timer)
{
	struct etcd *e = timer->data;
	uint64_t now = uv_now(timer->loop);
	bool late = false;

	list_for_each_safe (it, &e->held) {
		if (list_entry(it, struct etcd_op, node)->expires > now)
			break;
		late = true;
		list_unlink(it);
		list_push_back(&e->ready, it);
	}
	answer_ready(e);
	if (!e->freed && late && etcd_watch_is_live(e->watch))
		etcd_watch_restart(e->watch, "it has not told of a write");
	timer_update(e);
}

static void on_progress(void *arg)
{
	struct etcd *e = arg;
	uint64_t delivered = etcd_watch_delivered(e->watch);

	if (delivered > e->stats.revision)
		e->stats.revision = delivered;
	list_for_each_safe (it, &e->held)
		if (op_wants(e, list_entry(it, struct etcd_op, node)) <= delivered) {
			list_unlink(it);
			list_push_back(&e->ready, it);
		}
	answer_ready(e);
	timer_update(e);
}

static void stats_take(struct etcd *e, const struct etcd_op *op)
{
	bool write = op->type != ETCD_GET && op->type != ETCD_LIST;

	if (op->header > e->stats.revision)
		e->stats.revision = op->header;
	e->stats.reads += !write;
	e->stats.writes += write && op->status == STORE_OK;
	e->stats.conflicts +=
	        write && (op->status == STORE_CONFLICT || op->status == STORE_ALREADY_EXISTS ||
	                  op->status == STORE_NOT_FOUND);
	if (!write || op->status == STORE_INVALID)
		return;
	if (op->status == STORE_UNAVAILABLE && (!e->last_error || strcmp(e->last_error, op->text)))
		log_error("etcd does not take writes", "why=%s", LOG_VIS(op->text));
	else if (op->status != STORE_UNAVAILABLE && e->last_error)
		log_info("etcd takes writes again", "endpoint=%s",
		         LOG_VIS(etcd_client_where(e->client)));
	free(e->last_error);
	e->last_error = op->status == STORE_UNAVAILABLE ? xstrdup(op->text) : NULL;
}

static void on_finished(struct etcd_op *op)
{
	struct etcd *e = op->owner;

	stats_take(e, op);
	list_unlink(&op->node);
	if (op_wants(e, op) > (e->watch ? etcd_watch_delivered(e->watch) : 0)) {
		op->expires = uv_now(e->base.loop) + HOLD_MS;
		list_push_back(&e->held, &op->node);
		timer_update(e);
	} else if (e->starting) {
		list_push_back(&e->ready, &op->node);
		timer_update(e);
	} else {
		op_answer(op);
	}
}

/* ---- operations */

static void op_begin(struct store *s, struct etcd_op *op, store_done_fn *fn, void *arg)
{
	struct etcd *e = etcd_of(s);

	op->owner = e;
	op->fn = fn;
	op->arg = arg;
	op->finished = on_finished;
	if (etcd_op_is_answered(op)) {
		list_push_back(&e->ready, &op->node);
		timer_update(e);
		return;
	}
	list_push_back(&e->ops, &op->node);
	e->starting = true;
	etcd_op_start(op, e->client);
	e->starting = false;
}

static void etcd_get(struct store *s, model_kind kind, const char *ns, const char *name,
                     store_done_fn *fn, void *arg)
{
	op_begin(s, etcd_op_new(ETCD_GET, kind, ns, name, NULL, 0), fn, arg);
}

static void etcd_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                      store_done_fn *fn, void *arg)
{
	op_begin(s, etcd_op_new(ETCD_LIST, kind, ns, name_prefix, NULL, 0), fn, arg);
}

static void etcd_write(struct store *s, enum etcd_op_type type, const struct resource *r,
                       store_done_fn *fn, void *arg)
{
	uint64_t expected = type == ETCD_UPDATE ? r->revision : 0;

	op_begin(s, etcd_op_new(type, r->kind, r->ns, r->name, r, expected), fn, arg);
}

static void etcd_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	etcd_write(s, ETCD_CREATE, r, fn, arg);
}

static void etcd_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	etcd_write(s, ETCD_UPDATE, r, fn, arg);
}

static void etcd_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	etcd_write(s, ETCD_APPLY, r, fn, arg);
}

static void etcd_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                        uint64_t revision, store_done_fn *fn, void *arg)
{
	op_begin(s, etcd_op_new(ETCD_REMOVE, kind, ns, name, NULL, revision), fn, arg);
}

static int etcd_watch(struct store *s, const model_kind *kinds, size_t n,
                      const struct store_watch_ops *ops, void *arg)
{
	struct etcd *e = etcd_of(s);

	if (e->watch)
		return -EBUSY;
	e->watch = etcd_watch_new(s->loop, e->client, kinds, n, ops, arg, on_progress, e);
	etcd_watch_use(e->watch, s->memory);
	return 0;
}

/* ---- the connection */

static void on_up(void *arg)
{
	struct etcd *e = arg;

	if (e->watch)
		etcd_watch_on_up(e->watch);
}

static void on_down(void *arg, const char *why)
{
	struct etcd *e = arg;

	if (e->watch)
		etcd_watch_on_down(e->watch, why);
}

static void on_nobody(void *arg, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT(1, 30000);
	unsigned suppressed;

	(void)arg;
	if (log_limit_pass(&limit, &suppressed))
		log_error("etcd cannot be reached; trying again", "why=%s", LOG_VIS(why));
}

static const struct etcd_client_ops client_ops = {
	.on_up = on_up,
	.on_down = on_down,
	.on_nobody = on_nobody,
};

/* ---- what is seen from outside */

static void etcd_stats(const struct store *s, struct store_stats *ret)
{
	const struct etcd *e = etcd_of(s);
	const struct etcd_feed *f = e->watch ? etcd_watch_feed(e->watch) : NULL;
	struct etcd_client_stats client = etcd_client_stats(e->client);

	*ret = e->stats;
	ret->type = "etcdv3";
	ret->where = etcd_client_where(e->client);
	ret->last_error = e->last_error ? e->last_error : etcd_client_why(e->client);
	ret->connects = client.dial.connects;
	ret->connects_failed = client.dial.failures;
	ret->connections_lost = client.dial.lost;
	ret->retries = client.retries;
	ret->resyncs = e->watch ? etcd_watch_resyncs(e->watch) : 0;
	ret->events = f ? f->events : 0;
	ret->events_old = f ? f->old : 0;
	ret->bad_values = f ? bad_values_count(&f->bad) : 0;
}

static void etcd_bad_values(const struct store *s,
                            void (*fn)(void *arg, const char *key, const char *why), void *arg)
{
	const struct etcd *e = etcd_of(s);

	if (e->watch)
		bad_values_each(&etcd_watch_feed(e->watch)->bad, fn, arg);
}

/* ---- begin and end */

static void on_closed(uv_handle_t *handle)
{
	struct etcd *e = handle->data;

	free(e->last_error);
	free(e);
}

static void etcd_free(struct store *s)
{
	struct etcd *e = etcd_of(s);

	if (e->freed)
		return;
	e->freed = true;
	abandon(&e->ready);
	abandon(&e->held);
	abandon(&e->ops);
	etcd_watch_free(e->watch);
	etcd_client_free(e->client);
	uv_close((uv_handle_t *)&e->timer, on_closed);
}

static const struct store_ops etcd_ops = {
	.get = etcd_get,
	.list = etcd_list,
	.create = etcd_create,
	.update = etcd_update,
	.apply = etcd_apply,
	.remove = etcd_remove,
	.watch = etcd_watch,
	.stats = etcd_stats,
	.bad_values = etcd_bad_values,
	.free = etcd_free,
};

int store_etcd_open(uv_loop_t *loop, const struct store_etcd_options *options, struct store **ret,
                    struct err *err)
{
	struct etcd *e = xcalloc(1, sizeof(*e));
	int rc = etcd_client_new(loop, options, &client_ops, e, &e->client, err);

	if (rc < 0) {
		free(e);
		return rc;
	}
	e->base.ops = &etcd_ops;
	e->base.loop = loop;
	list_init(&e->ops);
	list_init(&e->held);
	list_init(&e->ready);
	if (uv_timer_init(loop, &e->timer) != 0)
		abort(); /* cannot fail */
	e->timer.data = e;
	*ret = &e->base;
	return 0;
}
