/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff: what apply would change. Both sides are objects as get shows them, the new one with the
 * defaults that a write fills in and with what a write leaves as it is stored, so that a manifest
 * that changes nothing shows nothing.
 *
 * The exit status is that of kubectl diff: 0 no differences, 1 differences, 2 an error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/crud.h"
#include "calicoctl/db.h"
#include "calicoctl/kinds.h"
#include "calicoctl/output.h"
#include "calicoctl/select.h"
#include "calicoctl/show.h"
#include "calicoctl/shown.h"
#include "calicoctl/textdiff.h"
#include "calicoctl/write.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define SAME 0
#define DIFFERENT 1
#define FAILED 2

struct request {
	const struct options *o;
	struct selector *selector; /* NULL: any */
	bool color;
};

static int yaml_of(const struct resource *r, struct buf *out, struct err *err)
{
	static const char *const members[] = { "resourceVersion", "generation", NULL };
	struct json *tree = shown_tree(r);
	int rc;

	shown_strip(tree, members);
	rc = output_yaml(tree, out, err);
	json_free(tree);
	return rc;
}

static bool selected(const struct request *q, const struct resource *r)
{
	struct json *tree = q->selector ? shown_tree(r) : NULL;
	bool yes = !tree || select_matches(q->selector, tree);

	json_free(tree);
	return yes;
}

/* r becomes what would be stored; before is how it is now. */
static int both_sides(struct db *db, struct resource *r, struct buf *before, struct buf *after,
                      struct err *err)
{
	CLEANUP(result_p) struct store_result *stored = db_get(db, r->kind, r->ns, r->name);
	const struct resource *old = NULL;
	int rc;

	if (stored->status == STORE_OK) {
		old = stored->items[0];
		if (r->revision && r->revision != old->revision)
			stored->status = STORE_CONFLICT;
	}
	if (stored->status != STORE_OK && stored->status != STORE_NOT_FOUND) {
		db_error(stored, r->kind, r->ns, r->name, err);
		return err->code;
	}
	rc = kinds_allowed(r->kind, r->ns, r->name, old ? "Update" : "Create", err);
	if (rc == 0 && old)
		write_merge(r, old);
	if (rc == 0)
		rc = kinds_check(db, r, old, err);
	if (rc == 0 && old)
		rc = yaml_of(old, before, err);
	return rc ? rc : yaml_of(r, after, err);
}

static int diff_one(const struct request *q, struct db *db, struct manifest_item *item,
                    struct err *err)
{
	CLEANUP(buf_done) struct buf before = { 0 }, after = { 0 }, out = { 0 };
	struct resource *r;
	int rc = write_prepare(q->o, item, &r, err), status = SAME;

	if (rc)
		return rc;
	if (selected(q, r)) {
		CLEANUP(free_p)
		char *name = xasprintf("%s/%s%s%s", item->kind->plural, r->ns ? r->ns : "",
		                       r->ns ? "/" : "", r->name);
		CLEANUP(free_p) char *live = xasprintf("live/%s", name);
		CLEANUP(free_p) char *applied = xasprintf("applied/%s", name);

		rc = both_sides(db, r, &before, &after, err);
		if (rc == 0 &&
		    textdiff(buf_cstr(&before), buf_cstr(&after), live, applied, q->color, &out))
			status = DIFFERENT;
		fwrite(buf_cstr(&out), 1, out.len, stdout);
	}
	resource_free(r);
	return rc ? rc : status;
}

static int diff_all(const struct request *q, struct db *db, struct manifest *m)
{
	int status = SAME;

	for (size_t i = 0; i < m->n; i++) {
		struct manifest_item *item = &m->items[i];
		struct err err = { 0 };
		int rc = item->error ? -EBADMSG : diff_one(q, db, item, &err);

		if (rc < 0) {
			fflush(stdout);
			fprintf(stderr, "%s\n", item->error ? item->error : err.text);
			status = FAILED;
		} else if (rc > status) {
			status = rc;
		}
	}
	return status;
}

int cmd_diff(const struct options *o)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct request q = { .o = o };
	struct db *db = NULL;
	struct err err;
	int status = FAILED;

	if (show_color(o, &q.color, &err) != 0 ||
	    (o->selector && select_parse(o->selector, &q.selector, &err) != 0)) {
		fprintf(stderr, "%s\n", err.text);
	} else if (!crud_load(o, "diff", &m, &status)) {
		status = status ? FAILED : SAME;
	} else {
		db = db_begin(o, false);
		status = db ? diff_all(&q, db, &m) : FAILED;
	}
	db_close(db);
	selector_unref(q.selector);
	return status;
}
