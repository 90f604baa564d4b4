/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/embedded_job.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/model/key.h"
#include "common/store/object.h"

#define LOAD_PAGE 512u /* objects decoded and held in memory at once */

/* ---- operations */

static void op_clear_items(struct op *op)
{
	for (size_t i = 0; op->items_own && i < op->n; i++)
		resource_free(op->items[i]);
	free(op->items);
	op->items = NULL;
	op->n = 0;
}

void op_free(struct op *op)
{
	if (!op)
		return;
	op_clear_items(op);
	resource_free(op->r);
	free(op->ns);
	free(op->name);
	free(op->key);
	free(op->text);
	free(op);
}

void op_answer(struct op *op, enum store_status status, const char *text)
{
	op->status = status;
	free(op->text);
	op->text = status == STORE_OK ? NULL : xstrdup(text);
}

static void op_item(struct op *op, struct resource *r, bool own)
{
	op_clear_items(op);
	if (!r)
		return;
	op->items = xcalloc(1, sizeof(struct resource *));
	op->items[0] = r;
	op->n = 1;
	op->items_own = own;
}

static void op_status(struct op *op, enum store_status status)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	object_status_text(status, op->kind, op->ns, op->name, &text);
	op_answer(op, status, buf_cstr(&text));
}

static bool op_is_write(const struct op *op)
{
	return op->type >= OP_CREATE && op->type <= OP_REMOVE;
}

static void op_unavailable(struct op *op, const struct err *err)
{
	op_clear_items(op);
	op_answer(op, STORE_UNAVAILABLE, err->text);
}

/* ---- changes */

static struct change *change_add(struct job *j, model_kind kind, const char *ns, const char *name)
{
	struct change *c;

	if (j->n_changes == j->cap_changes) {
		j->cap_changes = j->cap_changes ? j->cap_changes * 2 : 64;
		j->changes = xrealloc(j->changes, j->cap_changes * sizeof(*j->changes));
	}
	c = &j->changes[j->n_changes++];
	*c = (struct change){ .kind = kind, .ns = xstrdup(ns), .name = xstrdup(name) };
	return c;
}

static void changes_truncate(struct job *j, size_t n)
{
	while (j->n_changes > n) {
		struct change *c = &j->changes[--j->n_changes];

		if (c->r_own)
			resource_free(c->r);
		free(c->ns);
		free(c->name);
		free(c->key);
		free(c->why);
	}
}

void job_clear(struct job *j)
{
	changes_truncate(j, 0);
	free(j->changes);
	j->changes = NULL;
	j->cap_changes = 0;
	j->load_began = j->load_done = j->reload = j->untidy = false;
	j->expired = 0;
	j->writes = j->commits = j->commits_failed = j->conflicts = j->reads = j->foreign = 0;
}

/* A change for what stands under key: item NULL means that it is gone. Keys that are not ours to
 * read are passed over. */
static void change_from_item(struct job *j, const char *key, const struct kv_item *item)
{
	CLEANUP(free_p) char *ns = NULL;
	CLEANUP(free_p) char *name = NULL;
	struct resource *r = NULL;
	struct err err = { 0 };
	struct change *c;
	model_kind kind;

	if (key_parse(key, &kind, &ns, &name) < 0 || !(j->kinds & JOB_KIND_BIT(kind)) ||
	    object_is_static(kind, name))
		return;
	if (item &&
	    object_decode(kind, ns, name, item->modified, item->value, item->len, &r, &err) < 0)
		r = NULL;
	c = change_add(j, kind, ns, name);
	c->r = r;
	c->r_own = true;
	if (item && !r) {
		c->key = xstrdup(key);
		c->why = xstrdup(err.text);
	}
}

struct catch_up {
	struct job *j;
	struct err err;
};

static void on_log_entry(void *arg, uint64_t revision, const char *key, bool deleted)
{
	struct catch_up *cu = arg;
	struct kv_item item;
	int found;

	(void)revision;
	(void)deleted; /* what counts is what is there now: a key may be named again later */
	if (cu->err.code)
		return;
	cu->j->foreign++;
	found = kv_get(cu->j->kv, key, &item, &cu->err);
	if (found >= 0)
		change_from_item(cu->j, key, found ? &item : NULL);
}

/* Adds the changes between what was given out and revision, which is now. In a transaction. */
static int catch_up(struct job *j, uint64_t revision, struct err *err)
{
	struct catch_up cu = { .j = j };
	size_t before = j->n_changes;
	int rc;

	if (!j->live || j->delivered == revision)
		return 0;
	rc = j->delivered > revision ? -ESTALE
	                             : kv_changes(j->kv, j->delivered, on_log_entry, &cu, err);
	if (rc == -ESTALE) { /* compacted, or the file went back in time */
		changes_truncate(j, before);
		*err = (struct err){ 0 };
		j->live = false;
		j->reload = true;
		return 0;
	}
	if (rc == 0 && cu.err.code) {
		*err = cu.err;
		rc = cu.err.code;
	}
	if (rc < 0) {
		changes_truncate(j, before);
		return rc;
	}
	j->delivered = revision;
	return 0;
}

/* ---- writes */

static void write_conflict(struct op *op, enum store_status status, const struct kv_item *item)
{
	struct resource *now = NULL;

	if (item && object_decode(op->kind, op->ns, op->name, item->modified, item->value,
	                          item->len, &now, NULL) < 0)
		now = NULL;
	op_status(op, status);
	op_item(op, now, true);
}

/* One write in a transaction. A verdict against it is an answer, not an error. */
static int write_one(struct job *j, struct op *op, uint64_t now_sec, struct err *err)
{
	enum object_write write = (enum object_write)(op->type - OP_CREATE + OBJECT_CREATE);
	CLEANUP(buf_done) struct buf value = { 0 };
	struct resource *old = NULL;
	struct kv_item item;
	enum store_status verdict;
	struct err why;
	uint64_t revision;
	int found = kv_get(j->kv, op->key, &item, err), rc;

	if (found < 0)
		return found;
	verdict = object_verdict(write, found, found ? item.modified : 0, op->expected);
	if (verdict != STORE_OK) {
		j->conflicts++;
		write_conflict(op, verdict, found ? &item : NULL);
		return 0;
	}
	if (found && object_decode(op->kind, op->ns, op->name, item.modified, item.value, item.len,
	                           &old, NULL) < 0)
		old = NULL; /* what cannot be read may be overwritten or deleted */
	if (write == OBJECT_REMOVE) {
		if (!old)
			old = resource_new(op->kind, op->ns, op->name, item.modified, NULL);
		op_answer(op, STORE_OK, NULL);
		op_item(op, old, true);
		rc = kv_delete(j->kv, op->key, &op->header, err);
		if (rc == 0 && j->live && (j->kinds & JOB_KIND_BIT(op->kind)))
			(void)change_add(j, op->kind, op->ns, op->name);
		return rc;
	}
	object_stamp(op->r, old ? old->msg : NULL, now_sec);
	resource_free(old);
	if (object_encode(op->r, &value, &why) < 0) {
		op_answer(op, STORE_INVALID, why.text);
		return 0;
	}
	rc = kv_put(j->kv, op->key, buf_cstr(&value), value.len, op->r->ttl_sec, &revision, err);
	if (rc < 0)
		return rc;
	resource_set_revision(op->r, revision);
	op->header = revision;
	op_answer(op, STORE_OK, NULL);
	op_item(op, op->r, false);
	if (j->live && (j->kinds & JOB_KIND_BIT(op->kind)))
		change_add(j, op->kind, op->ns, op->name)->r = op->r;
	return 0;
}

static void on_expired(void *arg, uint64_t revision, const char *key, bool deleted)
{
	struct job *j = arg;

	(void)revision;
	(void)deleted;
	j->expired++;
	if (j->live)
		change_from_item(j, key, NULL);
}

/* The transaction of the n writes from ops on, of what expires, and of a little tidying. */
static int write_group(struct job *j, struct op **ops, size_t n, struct err *err)
{
	uint64_t now_sec = wall_unix_ns() / 1000000000u, before, after;
	uint64_t expired = j->expired;
	size_t ours;
	int rc = kv_begin(j->kv, true, err);

	if (rc < 0)
		return rc;
	rc = kv_revision(j->kv, &before, err);
	if (rc == 0)
		rc = catch_up(j, before, err);
	ours = j->n_changes;
	if (rc == 0)
		rc = kv_expire(j->kv, on_expired, j, err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		ops[i]->header = 0;
		rc = write_one(j, ops[i], now_sec, err);
	}
	if (rc == 0)
		rc = kv_tidy(j->kv, &j->keep, now_sec, &j->untidy, err);
	if (rc == 0)
		rc = kv_revision(j->kv, &after, err);
	if (rc == 0)
		rc = kv_commit(j->kv, err);
	if (rc < 0) {
		kv_rollback(j->kv);
		changes_truncate(j, ours);
		j->expired = expired;
		return rc;
	}
	j->revision = after;
	j->writes += after - before - (j->expired - expired);
	j->commits += after != before;
	if (j->live)
		j->delivered = after;
	for (size_t i = 0; i < n; i++)
		if (ops[i]->header == 0)
			ops[i]->header = after;
	return 0;
}

static void run_writes(struct job *j, struct op **ops, size_t n)
{
	struct err err = { 0 };
	int rc = write_group(j, ops, n, &err);

	if (rc == -ENOSPC && n > 1) {
		for (size_t i = 0; i < n; i++)
			run_writes(j, &ops[i], 1);
		return;
	}
	j->write_err = (struct err){ 0 };
	if (rc == 0)
		return;
	j->commits_failed++;
	j->write_err = err;
	for (size_t i = 0; i < n; i++)
		op_unavailable(ops[i], &err);
	if (rc == -EIO) { /* a fresh connection has no doubtful state; the file itself is as the
		             last commit left it */
		struct kv *fresh;

		if (kv_open(j->path, false, &fresh, NULL) == 0) {
			kv_close(j->kv);
			j->kv = fresh;
		}
	}
}

/* ---- reads */

static void run_get(struct job *j, struct op *op, struct err *err)
{
	struct resource *r = NULL;
	struct kv_item item;
	struct err why;
	int found = kv_get(j->kv, op->key, &item, err);

	if (found < 0)
		return;
	if (found == 0) {
		op_status(op, STORE_NOT_FOUND);
		return;
	}
	if (object_decode(op->kind, op->ns, op->name, item.modified, item.value, item.len, &r,
	                  &why) < 0) {
		CLEANUP(free_p)
		char *text = xasprintf("the value of '%s' cannot be read: %s", op->key, why.text);

		op_answer(op, STORE_NOT_FOUND, text);
		return;
	}
	op_answer(op, STORE_OK, NULL);
	op_item(op, r, true);
}

static void on_list_item(void *arg, const struct kv_item *item)
{
	struct op *op = arg;
	CLEANUP(free_p) char *ns = NULL;
	CLEANUP(free_p) char *name = NULL;
	struct resource *r;
	model_kind kind;

	if (key_parse(item->key, &kind, &ns, &name) < 0 || kind != op->kind ||
	    object_is_static(kind, name))
		return;
	if ((op->ns && (!ns || strcmp(ns, op->ns) != 0)) ||
	    (op->name && strncmp(name, op->name, strlen(op->name)) != 0))
		return;
	if (object_decode(kind, ns, name, item->modified, item->value, item->len, &r, NULL) < 0)
		return;
	if ((op->n & (op->n - 1)) == 0) /* room grows in powers of two */
		op->items =
		        xrealloc(op->items, (op->n ? op->n * 2 : 1) * sizeof(struct resource *));
	op->items[op->n++] = r;
}

static void run_list(struct job *j, struct op *op, struct err *err)
{
	CLEANUP(free_p)
	char *prefix = key_prefix(op->kind, op->ns);

	op_clear_items(op);
	op->items_own = true;
	if (kv_scan(j->kv, prefix, NULL, 0, on_list_item, op, err) < 0)
		return;
	if (op->kind == V3__KIND__KIND_PROFILE) {
		struct resource *r = object_static_profile();

		if (r && (!op->name || strncmp(r->name, op->name, strlen(op->name)) == 0)) {
			op->items = xrealloc(op->items, (op->n + 1) * sizeof(struct resource *));
			op->items[op->n++] = r;
		} else {
			resource_free(r);
		}
	}
	store_sort(op->items, op->n);
	op_answer(op, STORE_OK, NULL);
}

struct load_page {
	struct job *j;
	char *last;
};

static void on_load_item(void *arg, const struct kv_item *item)
{
	struct load_page *p = arg;

	change_from_item(p->j, item->key, item);
	free(p->last);
	p->last = xstrdup(item->key);
}

static void run_load(struct job *j, uint64_t revision, struct err *err)
{
	struct load_page page = { .j = j };
	int64_t n;

	if (!j->load_after) {
		struct resource *r;

		j->load_began = true;
		j->live = false;
		j->delivered = revision;
		r = j->kinds & JOB_KIND_BIT(V3__KIND__KIND_PROFILE) ? object_static_profile()
		                                                    : NULL;
		if (r) {
			struct change *c = change_add(j, r->kind, NULL, r->name);

			c->r = r;
			c->r_own = true;
		}
	}
	n = kv_scan(j->kv, "/calico/", j->load_after, LOAD_PAGE, on_load_item, &page, err);
	if (n < 0) { /* tried again from the same place */
		free(page.last);
		return;
	}
	free(j->load_after);
	j->load_after = page.last;
	if (n == LOAD_PAGE)
		return;
	free(j->load_after);
	j->load_after = NULL;
	j->live = true;
	if (catch_up(j, revision, err) < 0)
		j->live = false;
	else if (j->live)
		j->load_done = true;
	(void)malloc_trim(0); /* this thread's part of the heap, where everything came by once */
}

/* Reads see one state of the datastore: their own transaction. */
static void run_read(struct job *j, struct op *op)
{
	struct err err = { 0 };
	uint64_t revision = 0;
	int rc = kv_begin(j->kv, false, &err);

	/* Whether or not it can be read now: the next attempt is for the same watch. */
	if (op->type == OP_LOAD && op->expected)
		j->kinds = op->expected;
	if (rc == 0)
		rc = kv_revision(j->kv, &revision, &err);
	if (rc == 0) {
		op->header = j->revision = revision;
		if (op->type == OP_GET)
			run_get(j, op, &err);
		else if (op->type == OP_LIST)
			run_list(j, op, &err);
		else if (op->type == OP_LOAD)
			run_load(j, revision, &err);
		else if (j->live)
			(void)catch_up(j, revision, &err);
		else
			j->reload = true; /* there is nothing to catch up from */
	}
	if (err.code)
		op_unavailable(op, &err);
	kv_rollback(j->kv);
	j->reads += op->type == OP_GET || op->type == OP_LIST;
}

/* What is due goes before anybody looks. */
static void expire(struct job *j)
{
	struct err err = { 0 };

	if (kv_next_expiry(j->kv, &j->next_expiry_ms, &err) == 0 && j->next_expiry_ms &&
	    j->next_expiry_ms <= boottime_ms())
		run_writes(j, NULL, 0);
}

void job_run(struct job *j)
{
	struct op **writes;
	size_t n = 0, cap = 0;

	expire(j);

	list_for_each (it, &j->ops)
		cap++;
	writes = xcalloc(cap ? cap : 1, sizeof(struct op *));
	list_for_each (it, &j->ops) {
		struct op *op = list_entry(it, struct op, node);

		if (op->answered)
			continue;
		if (op_is_write(op)) {
			writes[n++] = op;
			continue;
		}
		if (op->type == OP_TIDY) {
			run_writes(j, NULL, 0);
			continue;
		}
		if (n)
			run_writes(j, writes,
			           n); /* a read sees the writes that were asked for before it */
		n = 0;
		run_read(j, op);
	}
	if (n)
		run_writes(j, writes, n);
	free(writes);
	(void)kv_next_expiry(j->kv, &j->next_expiry_ms, NULL);
}
