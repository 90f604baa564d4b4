/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The embedded driver's half that lives on the loop.
 *
 * Calls are queued. While a batch is with the worker (libuv's thread pool), the queue grows; what
 * has gathered when it returns is the next batch. So a lone write goes out at once, and under load
 * one fsync carries many. Order is kept: operations are answered in the order in which they were
 * asked for, and the watch hears of a write before the write is answered.
 *
 *     store_create() --> queue --> batch --> job_run() on the worker --> deliver(): changes to the
 * watch, answers to callers
 *
 * Another process (calicoctl on the same file) may write, too: SQLite appends that to the -wal
 * file, inotify tells, and the log is read from where we left off. Our own writes wake the same
 * watch; a pause collects these wake-ups.
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/key.h"
#include "common/store/bad.h"
#include "common/store/embedded_job.h"
#include "common/store/object.h"
#include "common/store/seen.h"
#include "common/store/store.h"

#define BATCH_MAX 256u       /* operations in one transaction */
#define FOREIGN_PAUSE_MS 20u /* from a wake-up to looking for what others wrote */
#define RETRY_MS 1000u       /* after a failure to read changes */

/* Inotify tells of the write; the commit shows only after the writer's fsync, of which nothing
 * tells, and which a slow disk draws out. So there are further looks, each after a longer pause. */
static const unsigned further_looks_ms[] = { 60, 200, 800, 3000, 10000, 30000 };

struct embedded {
	struct store base;
	struct job job;
	struct list queue;
	uv_work_t work;
	bool busy;        /* the worker has job.ops, or they are being delivered */
	bool freed;       /* store_free() was called: nobody is told anything any more */
	unsigned looks;   /* since the last wake-up */
	bool catching_up; /* OP_LOAD or OP_CATCH_UP is queued or under way */
	unsigned open_handles;
	uv_fs_event_t wal;
	uv_timer_t timer;
	uv_timer_t due;   /* for what expires next, and for tidying when writes have ended */
	uint64_t tidy_at; /* boottime_ms(); 0: nothing has been written since */

	const struct store_watch_ops *ops;
	void *arg;
	bool in_sync;
	struct seen *seen;
	struct bad_values bad;
	struct store_stats stats;
	char *last_error;
};

static void batch_start(struct embedded *e);
static void on_timer(uv_timer_t *t);

static struct embedded *embedded_of(const struct store *s)
{
	return container_of(s, struct embedded, base);
}

/* ---- the end */

static void embedded_destroy(struct embedded *e)
{
	if (e->open_handles || e->busy)
		return;
	kv_close(e->job.kv);
	job_clear(&e->job);
	free(e->job.load_after);
	free(e->job.path);
	seen_free(e->seen);
	bad_values_done(&e->bad);
	free(e->last_error);
	free(e);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct embedded *e = h->data;

	e->open_handles--;
	embedded_destroy(e);
}

static void op_call(struct op *op)
{
	struct store_result result = {
		.status = op->status,
		.text = op->text,
		.header_revision = op->header,
		.items = op->items,
		.n = op->n,
	};
	store_done_fn *fn = op->fn;

	op->fn = NULL;
	if (fn)
		fn(op->arg, &result);
}

static void abandon(struct list *ops)
{
	struct store_result closed = { .status = STORE_UNAVAILABLE,
		                       .text = "the datastore is being closed" };

	list_for_each (it, ops) {
		struct op *op = list_entry(it, struct op, node);
		store_done_fn *fn = op->fn;

		op->fn = NULL;
		if (fn)
			fn(op->arg, &closed);
	}
}

static void queue_free(struct list *ops)
{
	list_for_each_safe (it, ops) {
		list_unlink(it);
		op_free(list_entry(it, struct op, node));
	}
}

static void embedded_free(struct store *s)
{
	struct embedded *e = embedded_of(s);

	e->freed = true;
	abandon(&e->job.ops); /* the worker may have them still: they are freed when it returns */
	abandon(&e->queue);
	queue_free(&e->queue);
	uv_close((uv_handle_t *)&e->wal, on_handle_closed);
	uv_close((uv_handle_t *)&e->timer, on_handle_closed);
	uv_close((uv_handle_t *)&e->due, on_handle_closed);
}

/* ---- what comes back from the worker */

static void on_gone(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct embedded *e = arg;

	if (!e->freed)
		e->ops->on_remove(e->arg, kind, ns, name);
}

static void change_deliver(struct embedded *e, const struct change *c)
{
	if (bad_values_count(&e->bad) && !c->why) {
		CLEANUP(free_p) char *key = key_of(c->kind, c->ns, c->name, NULL);

		if (key)
			bad_values_remove(&e->bad, key);
	}
	if (c->why)
		bad_values_add(&e->bad, c->key, c->why);
	if (c->r) {
		if (seen_update(e->seen, c->kind, c->ns, c->name, c->r->revision))
			e->ops->on_update(e->arg, c->r);
	} else if (seen_remove(e->seen, c->kind, c->ns, c->name)) {
		e->ops->on_remove(e->arg, c->kind, c->ns, c->name);
	}
}

static void op_push(struct embedded *e, struct op *op)
{
	list_push_back(&e->queue, &op->node);
	batch_start(e);
}

/* kinds: of a watch that begins; 0: as before. */
static void catch_up_push(struct embedded *e, enum op_type type, uint64_t kinds)
{
	struct op *op = xcalloc(1, sizeof(*op));

	op->type = type;
	op->expected = kinds;
	e->catching_up = true;
	op_push(e, op);
}

static void stats_take(struct embedded *e)
{
	const struct job *j = &e->job;

	e->stats.revision = j->revision;
	e->stats.writes += j->writes;
	e->stats.commits += j->commits;
	e->stats.commits_failed += j->commits_failed;
	e->stats.conflicts += j->conflicts;
	e->stats.reads += j->reads;
	e->stats.foreign_changes += j->foreign;
	e->stats.expired += j->expired;
	if (j->write_err.code && (!e->last_error || strcmp(e->last_error, j->write_err.text) != 0))
		log_error("the datastore refuses writes", "why=%s", LOG_VIS(j->write_err.text));
	else if (!j->write_err.code && e->last_error)
		log_info("the datastore takes writes again", "path=%s", LOG_VIS(j->path));
	free(e->last_error);
	e->last_error = j->write_err.code ? xstrdup(j->write_err.text) : NULL;
}

/* Changes first, answers then: who has an answer finds its effect in what the watch has built. */
static void deliver(struct embedded *e)
{
	struct job *j = &e->job;

	if (j->load_began && e->seen)
		seen_snapshot(e->seen);
	if (e->ops && e->ops->on_horizon && !e->freed)
		e->ops->on_horizon(e->arg, j->revision);
	for (size_t i = 0; i < j->n_changes && !e->freed; i++)
		change_deliver(e, &j->changes[i]);
	if (j->load_done && !e->freed)
		seen_snapshot_end(e->seen, on_gone, e);
	if (j->live && e->ops && e->ops->on_revision && !e->freed)
		e->ops->on_revision(e->arg, j->delivered);
	if (j->load_done && !e->freed)
		e->ops->on_in_sync(e->arg);
	list_for_each (it, &j->ops) {
		struct op *op = list_entry(it, struct op, node);

		if (op->type == OP_LOAD || op->type == OP_CATCH_UP) {
			e->catching_up = false;
			if (op->text && !e->freed) {
				log_error("the datastore cannot be read", "why=%s",
				          LOG_VIS(op->text));
				(void)uv_timer_start(&e->timer, on_timer, RETRY_MS, 0);
			} else if (op->type == OP_LOAD && !j->live) {
				j->reload = true; /* the next page */
			}
		}
		op_call(op); /* may free the store: then the rest has been answered */
	}
}

static void tidy_push(struct embedded *e)
{
	struct op *op = xcalloc(1, sizeof(*op));

	op->type = OP_TIDY;
	op_push(e, op);
}

static void on_due(uv_timer_t *t)
{
	struct embedded *e = t->data;

	e->tidy_at = 0;
	tidy_push(e);
}

/* One timer for the next thing that is to happen by itself. Who does not watch does not stay. */
static void due_arm(struct embedded *e, bool wrote)
{
	uint64_t now = boottime_ms(), at = e->job.next_expiry_ms,
	         age_ms = e->job.keep.age_sec * 1000;

	if (!e->ops)
		return;
	if (wrote && age_ms)
		e->tidy_at = now + age_ms + age_ms / 8;
	if (!at || (e->tidy_at && e->tidy_at < at))
		at = e->tidy_at;
	if (!at) {
		(void)uv_timer_stop(&e->due);
		return;
	}
	if (e->last_error && at < now + RETRY_MS) /* it cannot be written at the moment */
		at = now + RETRY_MS;
	(void)uv_timer_start(&e->due, on_due, at > now ? at - now : 0, 0);
}

static void on_work_done(uv_work_t *work, int status)
{
	struct embedded *e = work->data;
	bool reload, untidy, wrote;

	(void)status; /* never cancelled */
	if (!e->freed) {
		stats_take(e);
		deliver(e);
	}
	reload = e->job.reload;
	untidy = e->job.untidy && !e->last_error;
	wrote = e->job.commits > 0;
	job_clear(&e->job);
	queue_free(&e->job.ops);
	e->busy = false;
	if (e->freed) {
		embedded_destroy(e);
		return;
	}
	if (reload && !e->catching_up)
		catch_up_push(e, OP_LOAD, 0);
	if (untidy && e->ops) /* behind the writes that have come meanwhile */
		tidy_push(e);
	due_arm(e, wrote);
	batch_start(e);
}

static void on_work(uv_work_t *work)
{
	struct embedded *e = work->data;

	job_run(&e->job);
}

static void batch_start(struct embedded *e)
{
	unsigned n = 0;

	if (e->busy || e->freed || list_empty(&e->queue))
		return;
	list_for_each_safe (it, &e->queue) {
		if (n++ == BATCH_MAX)
			break;
		list_unlink(it);
		list_push_back(&e->job.ops, it);
	}
	e->busy = true;
	e->work.data = e;
	if (uv_queue_work(e->base.loop, &e->work, on_work, on_work_done) != 0)
		abort(); /* only for a NULL callback */
}

/* ---- what others write */

static void on_timer(uv_timer_t *t)
{
	struct embedded *e = t->data;

	if (e->catching_up) {
		(void)uv_timer_start(t, on_timer, FOREIGN_PAUSE_MS, 0);
		return;
	}
	catch_up_push(e, OP_CATCH_UP, 0); /* live or not is the worker's to know */
	if (e->looks < ARRAY_SIZE(further_looks_ms))
		(void)uv_timer_start(t, on_timer, further_looks_ms[e->looks], 0);
	e->looks++;
}

static void on_wal_event(uv_fs_event_t *h, const char *file, int events, int status)
{
	struct embedded *e = h->data;

	(void)file;
	(void)events;
	if (status != 0 || (uv_is_active((uv_handle_t *)&e->timer) && e->looks == 0))
		return;
	e->looks = 0;
	(void)uv_timer_start(&e->timer, on_timer, FOREIGN_PAUSE_MS, 0);
}

/* ---- the interface */

static struct op *op_new(enum op_type type, model_kind kind, const char *ns, const char *name,
                         store_done_fn *fn, void *arg)
{
	struct op *op = xcalloc(1, sizeof(*op));

	op->type = type;
	op->kind = kind;
	op->ns = xstrdup(ns && *ns ? ns : NULL);
	op->name = xstrdup(name);
	op->fn = fn;
	op->arg = arg;
	return op;
}

static void op_refuse(struct op *op, enum store_status status, const char *text)
{
	op_answer(op, status, text);
	op->answered = true;
}

static void op_needs_key(struct op *op)
{
	struct err err = { 0 };

	op->key = object_key(op->kind, op->ns, op->name, &err);
	if (!op->key)
		op_refuse(op, STORE_INVALID, err.text);
}

/* The profile that is always there: it can be read, and nothing else. */
static void op_on_static(struct op *op)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	enum store_status status = op->type == OP_GET      ? STORE_OK
	                           : op->type == OP_CREATE ? STORE_ALREADY_EXISTS
	                                                   : STORE_INVALID;

	if (op->answered || !object_is_static(op->kind, op->name))
		return;
	object_status_text(status, op->kind, op->ns, op->name, &text);
	op_refuse(op, status, buf_cstr(&text));
	if (status == STORE_INVALID)
		return;
	op->items = xcalloc(1, sizeof(struct resource *));
	op->items[0] = object_static_profile();
	op->n = op->items[0] != NULL;
	op->items_own = true;
}

static void embedded_get(struct store *s, model_kind kind, const char *ns, const char *name,
                         store_done_fn *fn, void *arg)
{
	struct op *op = op_new(OP_GET, kind, ns, name, fn, arg);

	op_needs_key(op);
	op_on_static(op);
	op_push(embedded_of(s), op);
}

static void embedded_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                          store_done_fn *fn, void *arg)
{
	struct op *op = op_new(OP_LIST, kind, ns, name_prefix, fn, arg);
	const struct kind_info *k = kind_info(kind);

	if (!k)
		op_refuse(op, STORE_INVALID, "the kind is unknown to this version");
	else if (op->ns && !k->namespaced)
		op_refuse(op, STORE_INVALID, "objects of this kind have no namespace");
	op_push(embedded_of(s), op);
}

static void embedded_write(struct store *s, enum op_type type, const struct resource *r,
                           store_done_fn *fn, void *arg)
{
	struct op *op = op_new(type, r->kind, r->ns, r->name, fn, arg);
	struct err err = { 0 };

	if (object_check(r, &err) < 0)
		op_refuse(op, STORE_INVALID, err.text);
	else
		op_needs_key(op);
	if (!op->answered) {
		op->r = resource_copy(r);
		op->expected = type == OP_UPDATE ? r->revision : 0;
		op_on_static(op);
	}
	op_push(embedded_of(s), op);
}

static void embedded_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	embedded_write(s, OP_CREATE, r, fn, arg);
}

static void embedded_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	embedded_write(s, OP_UPDATE, r, fn, arg);
}

static void embedded_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	embedded_write(s, OP_APPLY, r, fn, arg);
}

static void embedded_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                            uint64_t revision, store_done_fn *fn, void *arg)
{
	struct op *op = op_new(OP_REMOVE, kind, ns, name, fn, arg);

	op->expected = revision;
	op_needs_key(op);
	op_on_static(op);
	op_push(embedded_of(s), op);
}

static int embedded_watch(struct store *s, const model_kind *kinds, size_t n,
                          const struct store_watch_ops *ops, void *arg)
{
	struct embedded *e = embedded_of(s);
	uint64_t mask = n ? 0 : ~(uint64_t)0;
	CLEANUP(free_p) char *wal = xasprintf("%s-wal", e->job.path);
	int rc;

	if (e->ops)
		return -EBUSY;
	for (size_t i = 0; i < n; i++)
		mask |= JOB_KIND_BIT(kinds[i]);
	/* The file is there: opening the database in WAL mode has made it. */
	rc = uv_fs_event_start(&e->wal, on_wal_event, wal, 0);
	if (rc < 0)
		log_warn("writes of other processes to the datastore will go unnoticed",
		         "path=%s why=%s", LOG_VIS(wal), uv_strerror(rc));
	e->ops = ops;
	e->arg = arg;
	e->seen = seen_new();
	seen_use(e->seen, s->memory, arg);
	uv_ref((uv_handle_t *)&e->wal);
	uv_ref((uv_handle_t *)&e->timer);
	uv_ref((uv_handle_t *)&e->due);
	catch_up_push(e, OP_LOAD, mask);
	return 0;
}

static void embedded_stats(const struct store *s, struct store_stats *ret)
{
	const struct embedded *e = embedded_of(s);

	*ret = e->stats;
	ret->type = "embedded";
	ret->where = e->job.path;
	ret->bad_values = bad_values_count(&e->bad);
	ret->last_error = e->last_error;
}

static void embedded_bad_values(const struct store *s,
                                void (*fn)(void *arg, const char *key, const char *why), void *arg)
{
	bad_values_each(&embedded_of(s)->bad, fn, arg);
}

static const struct store_ops embedded_ops = {
	.get = embedded_get,
	.list = embedded_list,
	.create = embedded_create,
	.update = embedded_update,
	.apply = embedded_apply,
	.remove = embedded_remove,
	.watch = embedded_watch,
	.stats = embedded_stats,
	.bad_values = embedded_bad_values,
	.free = embedded_free,
};

/* What a daemon wants of a file that it will live with. */
static int look_after(struct kv *kv, const char *path, struct err *err)
{
	struct mono_ms start = mono_now();
	struct err why = { 0 };
	bool whole = true;
	int rc = kv_check(kv, &whole, err);

	if (rc < 0)
		return rc;
	log_info("the datastore has been checked", "path=%s ms=%lld whole=%s", LOG_VIS(path),
	         (long long)mono_since_ms(start), whole ? "yes" : "no: it is too large");
	if (kv_make_shrinkable(kv, &why) < 0)
		log_warn("the datastore will not give space back", "why=%s", LOG_VIS(why.text));
	return 0;
}

int store_embedded_open_with(uv_loop_t *loop, const char *path,
                             const struct store_embedded_options *options, struct store **ret,
                             struct err *err)
{
	struct kv *kv;
	struct embedded *e;
	int rc = kv_open(path, true, &kv, err);

	if (rc == 0 && options->check) {
		rc = look_after(kv, path, err);
		if (rc < 0)
			kv_close(kv);
	}
	if (rc < 0)
		return rc;
	e = xcalloc(1, sizeof(*e));
	e->base.ops = &embedded_ops;
	e->base.loop = loop;
	e->job.kv = kv;
	e->job.path = xstrdup(path);
	e->job.keep.changes = options->keep_changes;
	e->job.keep.age_sec = options->keep_sec;
	list_init(&e->job.ops);
	list_init(&e->queue);
	if (uv_fs_event_init(loop, &e->wal) != 0 || uv_timer_init(loop, &e->timer) != 0 ||
	    uv_timer_init(loop, &e->due) != 0)
		abort(); /* none can fail on Linux */
	e->open_handles = 3;
	e->wal.data = e->timer.data = e->due.data = e;
	/* A program that watches nothing and waits for nothing may end. */
	uv_unref((uv_handle_t *)&e->wal);
	uv_unref((uv_handle_t *)&e->timer);
	uv_unref((uv_handle_t *)&e->due);
	*ret = &e->base;
	return 0;
}

int store_embedded_open(uv_loop_t *loop, const char *path, struct store **ret, struct err *err)
{
	static const struct store_embedded_options options = STORE_EMBEDDED_DEFAULTS;

	return store_embedded_open_with(loop, path, &options, ret, err);
}
