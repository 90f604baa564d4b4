/* SPDX-License-Identifier: BSD-2-Clause */
/* get: objects out of the datastore. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/crud.h"
#include "calicoctl/db.h"
#include "calicoctl/kinds.h"
#include "calicoctl/select.h"
#include "calicoctl/show.h"
#include "calicoctl/shown.h"
#include "calicoctl/watch.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/object.h"
#include "proto/v3_bgp.pb-c.h"

#define DEFAULT_ASN "64512"

static void get_one(struct db *db, const struct kind_info *kind, const char *ns, const char *name,
                    struct answers *a)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, kind->kind, ns, name);
	struct err err;

	if (r->status == STORE_OK) {
		answer_add(answers_add(a, kind), shown_tree(r->items[0]));
		return;
	}
	db_error(r, kind->kind, ns, name, &err);
	answers_error(a, err.text);
}

/* An object of a list, unless the selector is against it. */
static void add_selected(struct answer *list, const struct resource *r, const struct selector *s)
{
	struct json *tree = shown_tree(r);

	if (s && !select_matches(s, tree))
		json_free(tree);
	else
		answer_add(list, tree);
}

static void get_list(struct db *db, const struct kind_info *kind, const char *ns,
                     const struct selector *selector, struct answers *a)
{
	CLEANUP(result_p) struct store_result *r = db_list(db, kind->kind, ns, NULL);
	const struct resource *always_there = NULL;
	struct answer *list;
	struct err err;

	if (r->status != STORE_OK) {
		db_error(r, kind->kind, ns, "", &err);
		answers_error(a, err.text);
		return;
	}
	list = answers_add(a, kind);
	list->is_list = true;
	list->revision = r->header_revision;
	for (size_t i = 0; i < r->n; i++) {
		if (object_is_static(kind->kind, r->items[i]->name))
			always_there = r->items[i];
		else
			add_selected(list, r->items[i], selector);
	}
	if (always_there) /* upstream has it last */
		add_selected(list, always_there, selector);
	table_sort(kind, list->objects, list->n);
}

/* The AS number of nodes that have none of their own. The caller's; NULL: unknown. */
static char *default_asn(struct db *db)
{
	CLEANUP(result_p)
	struct store_result *r = db_get(db, V3__KIND__KIND_BGP_CONFIGURATION, NULL, "default");
	const V3__BGPConfiguration *c;

	if (r->status == STORE_NOT_FOUND)
		return xstrdup(DEFAULT_ASN);
	if (r->status != STORE_OK)
		return NULL;
	c = (const V3__BGPConfiguration *)r->items[0]->msg;
	if (!c->spec || !c->spec->asnumber || !c->spec->asnumber->has_value)
		return xstrdup(DEFAULT_ASN);
	return xasprintf("%u", c->spec->asnumber->value);
}

/* ---- --export */

/* What tells this object from others of its name elsewhere is taken off, so that it can be created
 * again. */
static void strip_for_export(struct json *object)
{
	static const char *const members[] = { "namespace",
		                               "uid",
		                               "resourceVersion",
		                               "creationTimestamp",
		                               "deletionTimestamp",
		                               "deletionGracePeriodSeconds",
		                               NULL };

	shown_strip(object, members);
}

/* ---- the command */

struct request {
	const struct options *o;
	struct show show;
	struct selector *selector;    /* NULL: any */
	const struct kind_info *kind; /* of the arguments; NULL: there are files instead */
	const char *ns;
	bool bare; /* what is wrong is said without more words, as upstream has it */
};

static int check_args(struct request *q, struct err *err)
{
	const struct options *o = q->o;

	q->kind = crud_kind(o->args[0], err);
	if (!q->kind)
		return -EINVAL;
	for (size_t i = 1; i < o->n_args; i++)
		if (!*o->args[i])
			return err_set(err, -EINVAL, "resource name may not be empty");
	q->bare = true;
	if ((o->ns || o->all_namespaces) && !q->kind->namespaced)
		return err_set(err, -EINVAL, "%s is not namespaced", q->kind->name);
	if (o->ns && o->all_namespaces)
		return err_set(
		        err, -EINVAL,
		        "cannot use both --namespace and --all-namespaces flags at the same time");
	if (o->all_namespaces && o->n_args > 1)
		return err_set(err, -EINVAL,
		               "a resource cannot be retrieved by name across all namespaces");
	if (q->selector && o->n_args > 1)
		return err_set(err, -EINVAL,
		               "a name cannot be provided when a selector is specified");
	return crud_namespace(o, q->kind, NULL, &q->ns, err);
}

static bool watches(const struct options *o)
{
	return o->watch || o->watch_only;
}

/* What is wrong with the command line, before anything is asked. */
static int prepare(struct request *q, struct err *err)
{
	const struct options *o = q->o;
	bool by_args = o->n_args && o->files.n == 0;
	int rc = show_parse(o, &q->show, err);

	q->bare = true;
	if (rc == 0 && o->selector)
		rc = select_parse(o->selector, &q->selector, err);
	q->bare = rc || !by_args;
	if (rc == 0 && by_args)
		rc = check_args(q, err);
	if (rc == 0 && !by_args && o->files.n && q->selector)
		rc = err_set(err, -EINVAL, "a selector and files exclude each other");
	if (rc == 0 && !by_args && watches(o))
		rc = err_set(err, -EINVAL, "a watch needs a KIND");
	if (rc == 0 && !watches(o) && o->watch_events)
		rc = err_set(err, -EINVAL, "--output-watch-events is for --watch");
	return rc;
}

static int watch(struct request *q, struct db *db, struct err *err)
{
	const struct options *o = q->o;
	const struct watch_request w = {
		.kind = q->kind,
		.ns = o->all_namespaces ? NULL : q->ns,
		.names = o->args + 1,
		.n_names = o->n_args - 1,
		.selector = q->selector,
		.show = &q->show,
		.events = o->watch_events,
		.changes_only = o->watch_only,
	};
	CLEANUP(free_p) char *asn = NULL;
	struct answer kind = { .kind = q->kind };
	int rc;

	if (show_needs_asn(&q->show, &(struct answers){ .items = &kind, .n = 1 }))
		q->show.style.node_asn = asn = default_asn(db);
	rc = watch_run(db, &w, err);
	q->show.style.node_asn = NULL;
	return rc;
}

/* KIND [NAME...] */
static void ask_by_args(const struct request *q, struct db *db, struct answers *a)
{
	const struct options *o = q->o;

	if (o->n_args == 1)
		get_list(db, q->kind, o->all_namespaces ? NULL : q->ns, q->selector, a);
	for (size_t i = 1; i < o->n_args; i++)
		get_one(db, q->kind, q->ns, o->args[i], a);
}

static void ask_by_manifest(const struct request *q, struct manifest *m, struct db *db,
                            struct answers *a)
{
	for (size_t i = 0; i < m->n; i++) {
		struct manifest_item *item = &m->items[i];
		const V3__ObjectMeta *meta;
		const char *ns;
		struct err err;

		if (item->error) {
			answers_error(a, item->error);
			continue;
		}
		meta = model_meta(item->msg, true);
		if (crud_namespace(q->o, item->kind, meta->namespace_, &ns, &err) != 0)
			answers_error(a, err.text);
		else if (!meta->name || !*meta->name)
			get_list(db, item->kind, ns, NULL, a);
		else
			get_one(db, item->kind, ns, meta->name, a);
	}
}

static int print(struct request *q, struct answers *a, struct err *err)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	int rc = show_write(&q->show, a, &out, err);

	/* what a template printed before it failed is shown, as upstream has it */
	if (fwrite(buf_cstr(&out), 1, out.len, stdout) != out.len && rc == 0)
		rc = err_sys(err, "write to standard output");
	fflush(stdout);
	return rc;
}

/* What was found is shown, then what was not. */
static int get(struct request *q, struct manifest *m, struct db *db, struct answers *a,
               struct err *err)
{
	const struct options *o = q->o;
	CLEANUP(free_p) char *asn = NULL;
	int rc = 0;

	if (q->kind)
		ask_by_args(q, db, a);
	else
		ask_by_manifest(q, m, db, a);
	if (show_needs_asn(&q->show, a))
		q->show.style.node_asn = asn = default_asn(db);
	for (size_t i = 0; i < a->n && o->export && (o->n_args > 1 || !q->kind); i++)
		if (!a->items[i].is_list)
			strip_for_export(a->items[i].objects[0]);
	if (a->n || a->n_errors == 0)
		rc = print(q, a, err);
	q->show.style.node_asn = NULL;
	return rc;
}

static int report(const struct request *q, int rc, const struct answers *a, const struct err *err)
{
	if (rc)
		fprintf(stderr, "%s%s\n", q->bare ? "" : "failed to get resources: ", err->text);
	for (size_t i = 0; i < a->n_errors; i++)
		fprintf(stderr, "%s\n", a->errors[i]);
	return rc || a->n_errors ? 1 : 0;
}

int cmd_get(const struct options *o)
{
	struct request q = { .o = o };
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct answers a = { 0 };
	struct err err = { 0 };
	struct db *db = NULL;
	int status, rc = prepare(&q, &err);

	if (rc) {
		status = report(&q, rc, &a, &err);
	} else if (q.kind || crud_load(o, "get", &m, &status)) {
		db = db_begin(o, false);
		if (db)
			rc = watches(o) ? watch(&q, db, &err) : get(&q, &m, db, &a, &err);
		status = db ? report(&q, rc, &a, &err) : 1;
	}
	db_close(db);
	answers_done(&a);
	show_done(&q.show);
	selector_unref(q.selector);
	return status;
}
