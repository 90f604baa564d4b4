/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was shown of each object is kept: an object whose labels match no longer is one that went
 * away, and of one that went away the last state is shown.
 *
 * The first snapshot is gathered and shown as one table, in order. A datastore that cannot be
 * reached for a while is said on standard error; the store finds it again and delivers what has
 * changed meanwhile.
 */
#include "calicoctl/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/output.h"
#include "calicoctl/shown.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/mem.h"

struct seen {
	struct hmap_node node;
	char *key; /* "ns/name" */
	struct json *tree;
};

struct watch {
	const struct watch_request *q;
	struct hmap seen;
	size_t widths[TABLE_COLUMNS_MAX];
	bool live;      /* the first snapshot was shown */
	bool headed;    /* the headings were */
	bool down;      /* and that was said */
	bool *ret_stop; /* ends the loop */
	int rc;
	struct err *err;
};

static char *key_of(const char *ns, const char *name)
{
	return xasprintf("%s/%s", ns ? ns : "", name);
}

static struct seen *find(struct watch *w, const char *key)
{
	hmap_find(s, &w->seen, hash_str(key), struct seen, node, strcmp(s->key, key) == 0);
	return s;
}

static void forget(struct watch *w, struct seen *s)
{
	hmap_remove(&w->seen, &s->node);
	json_free(s->tree);
	free(s->key);
	free(s);
}

/* ---- showing */

static void stop(struct watch *w, int rc)
{
	w->rc = rc;
	*w->ret_stop = true;
}

static void put(struct watch *w, struct buf *out)
{
	if (fwrite(buf_cstr(out), 1, out->len, stdout) != out->len || fflush(stdout) != 0)
		stop(w, errno == EPIPE ? 0 : err_sys(w->err, "write to standard output"));
}

static struct json *with_event(struct json *tree, const char *event)
{
	struct json *j = json_new(JSON_OBJECT);

	json_set(j, "type", json_new_str(event));
	json_set(j, "object", tree);
	return j;
}

/* One object as a document of a stream. */
static int write_document(struct watch *w, const struct json *tree, const char *event,
                          struct buf *out)
{
	struct json *j = json_copy(tree);
	int rc = 0;

	if (w->q->events)
		j = with_event(j, event);
	if (w->q->show->format == SHOW_JSON) {
		json_write(j, 2, out);
		buf_byte(out, '\n');
	} else {
		buf_str(out, w->headed ? "---\n" : "");
		rc = output_yaml(j, out, w->err);
	}
	json_free(j);
	return rc;
}

/* Several objects to which the same has happened. */
static void show(struct watch *w, struct json **trees, size_t n, const char *event)
{
	struct answer answer = { .kind = w->q->kind, .objects = trees, .n = n };
	const struct answers all = { .items = &answer, .n = 1 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct show *s = w->q->show;
	int rc = 0;

	s->style.event = w->q->events ? event : NULL;
	s->style.no_headings |= w->headed;
	if (s->format == SHOW_YAML || s->format == SHOW_JSON)
		for (size_t i = 0; i < n && rc == 0; i++, w->headed = true)
			rc = write_document(w, trees[i], event, &out);
	else if (s->format == SHOW_TEMPLATE)
		for (size_t i = 0; i < n && rc == 0; i++) {
			answer.objects = &trees[i];
			answer.n = 1;
			rc = show_write(s, &all, &out, w->err);
		}
	else
		rc = show_write(s, &all, &out, w->err);
	w->headed = true;
	if (rc)
		stop(w, rc);
	else
		put(w, &out);
}

/* ---- what the store says */

static bool wanted(const struct watch *w, const char *ns, const char *name)
{
	if (w->q->ns && strcmp(w->q->ns, ns ? ns : "") != 0)
		return false;
	for (size_t i = 0; i < w->q->n_names; i++)
		if (strcmp(w->q->names[i], name) == 0)
			return true;
	return w->q->n_names == 0;
}

static void gone(struct watch *w, struct seen *s)
{
	if (w->live)
		show(w, &s->tree, 1, "DELETED");
	forget(w, s);
}

static void on_update(void *arg, const struct resource *r)
{
	struct watch *w = arg;
	CLEANUP(free_p) char *key = key_of(r->ns, r->name);
	struct seen *s = find(w, key);
	struct json *tree;
	bool known = s != NULL;

	if (*w->ret_stop || !wanted(w, r->ns, r->name))
		return;
	tree = shown_tree(r);
	if (w->q->selector && !select_matches(w->q->selector, tree)) {
		json_free(tree);
		if (s)
			gone(w, s);
		return;
	}
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->key = take_ptr(&key);
		hmap_insert(&w->seen, &s->node, hash_str(s->key));
	}
	json_free(s->tree);
	s->tree = tree;
	if (w->live)
		show(w, &s->tree, 1, known ? "MODIFIED" : "ADDED");
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct watch *w = arg;
	CLEANUP(free_p) char *key = key_of(ns, name);
	struct seen *s = find(w, key);

	(void)kind;
	if (s && !*w->ret_stop)
		gone(w, s);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct seen *const *)a)->key, (*(struct seen *const *)b)->key);
}

/* The first snapshot, sorted by namespace and name. */
static void show_snapshot(struct watch *w)
{
	struct seen **sorted = xcalloc(w->seen.n + 1, sizeof(*sorted));
	struct json **trees = xcalloc(w->seen.n + 1, sizeof(struct json *));
	size_t n = 0;

	hmap_for_each (s, &w->seen, struct seen, node)
		sorted[n++] = s;
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < n; i++)
		trees[i] = sorted[i]->tree;
	if (!w->q->changes_only)
		show(w, trees, n, "ADDED");
	free(trees);
	free(sorted);
}

static void on_in_sync(void *arg)
{
	struct watch *w = arg;

	if (!w->live)
		show_snapshot(w);
	if (w->down)
		fprintf(stderr, "the datastore is back\n");
	w->live = true;
	w->down = false;
}

static void on_down(void *arg, const char *why)
{
	struct watch *w = arg;

	if (!w->down)
		fprintf(stderr, "the datastore is not reachable: %s\n", visible(why));
	w->down = true;
}

int watch_run(struct db *db, const struct watch_request *q, struct err *err)
{
	static const struct store_watch_ops ops = {
		.on_update = on_update,
		.on_remove = on_remove,
		.on_in_sync = on_in_sync,
		.on_down = on_down,
	};
	bool stopped = false;
	struct watch w = { .q = q, .ret_stop = &stopped, .err = err };
	int rc;

	w.widths[0] = q->events ? sizeof("MODIFIED") - 1 + 3 : 0;
	q->show->style.widths = w.widths;
	q->show->style.no_gap = true;
	rc = db_watch(db, q->kind->kind, &ops, &w, &stopped, err);
	hmap_for_each (s, &w.seen, struct seen, node)
		forget(&w, s);
	hmap_done(&w.seen);
	q->show->style.widths = NULL;
	return rc ? rc : w.rc;
}
