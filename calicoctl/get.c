/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * get: objects out of the datastore, as tables, YAML, JSON or names.
 *
 * What was asked for are results: single objects, or lists. A list is shown as one object of kind
 * <Kind>List, several results as an array of them; each has a table of its own.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "calicoctl/crud.h"
#include "calicoctl/db.h"
#include "calicoctl/kinds.h"
#include "calicoctl/output.h"
#include "calicoctl/shown.h"
#include "calicoctl/table.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/object.h"
#include "proto/v3_bgp.pb-c.h"

#define DEFAULT_ASN "64512"

/* One object, or the objects of a list, as JSON. */
struct answer {
	const struct kind_info *kind;
	bool is_list;
	uint64_t revision; /* of a list */
	struct json **objects;
	size_t n;
};

struct answers {
	struct answer *items;
	size_t n;
	char **errors;
	size_t n_errors;
};

enum format {
	TABLE,
	YAML,
	JSON,
	NAME
};

struct request {
	const struct options *o;
	enum format format;
	struct table_style style;
};

/* ---- asking */

static void add_error(struct answers *a, const char *text)
{
	a->errors = xrealloc(a->errors, (a->n_errors + 1) * sizeof(*a->errors));
	a->errors[a->n_errors++] = xstrdup(text);
}

static struct answer *add_answer(struct answers *a, const struct kind_info *kind)
{
	struct answer *answer;

	a->items = xrealloc(a->items, (a->n + 1) * sizeof(*a->items));
	answer = &a->items[a->n++];
	*answer = (struct answer){ .kind = kind };
	return answer;
}

static void add_object(struct answer *a, const struct resource *r)
{
	a->objects = xrealloc(a->objects, (a->n + 1) * sizeof(struct json *));
	a->objects[a->n++] = shown_tree(r);
}

static void get_one(struct db *db, const struct kind_info *kind, const char *ns, const char *name,
                    struct answers *a)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, kind->kind, ns, name);
	struct err err;

	if (r->status == STORE_OK) {
		add_object(add_answer(a, kind), r->items[0]);
		return;
	}
	db_error(r, kind->kind, ns, name, &err);
	add_error(a, err.text);
}

static void get_list(struct db *db, const struct kind_info *kind, const char *ns, struct answers *a)
{
	CLEANUP(result_p) struct store_result *r = db_list(db, kind->kind, ns, NULL);
	const struct resource *always_there = NULL;
	struct answer *list;
	struct err err;

	if (r->status != STORE_OK) {
		db_error(r, kind->kind, ns, "", &err);
		add_error(a, err.text);
		return;
	}
	list = add_answer(a, kind);
	list->is_list = true;
	list->revision = r->header_revision;
	for (size_t i = 0; i < r->n; i++) {
		if (object_is_static(kind->kind, r->items[i]->name))
			always_there = r->items[i];
		else
			add_object(list, r->items[i]);
	}
	if (always_there) /* upstream has it last */
		add_object(list, always_there);
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

/* ---- showing */

static struct json *list_tree(struct answer *a)
{
	struct json *list = json_new(JSON_OBJECT), *meta = json_new(JSON_OBJECT);
	struct json *items = json_new(JSON_ARRAY);
	CLEANUP(free_p) char *kind = xasprintf("%sList", a->kind->name);
	char revision[24];

	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)a->revision);
	json_set(list, "kind", json_new_str(kind));
	json_set(list, "apiVersion", json_new_str(MODEL_API_VERSION));
	json_set(meta, "resourceVersion", json_new_str(revision));
	json_set(list, "metadata", meta);
	for (size_t i = 0; i < a->n; i++)
		json_append(items, json_copy(a->objects[i]));
	json_set(list, "items", items);
	return list;
}

static struct json *all_trees(struct answers *a)
{
	struct json *array;

	if (a->n == 1)
		return a->items[0].is_list ? list_tree(&a->items[0])
		                           : json_copy(a->items[0].objects[0]);
	array = json_new(JSON_ARRAY);
	for (size_t i = 0; i < a->n; i++)
		json_append(array, a->items[i].is_list ? list_tree(&a->items[i])
		                                       : json_copy(a->items[i].objects[0]));
	return array;
}

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

/* "ippool.projectcalico.org/pool1" */
static void write_names(const struct answer *a, struct buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		for (const char *c = a->kind->name; *c; c++)
			buf_byte(out, (uint8_t)tolower((unsigned char)*c));
		buf_printf(out, ".projectcalico.org/%s\n",
		           json_str(json_get(json_get(a->objects[i], "metadata"), "name")));
	}
}

static int show(const struct request *q, struct answers *a, struct err *err)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct json *tree = NULL;
	int rc = 0;

	if (q->format == YAML || q->format == JSON)
		tree = all_trees(a);
	if (q->format == YAML) {
		rc = output_yaml(tree, &out, err);
	} else if (q->format == JSON) {
		json_write(tree, 2, &out);
		if (isatty(STDOUT_FILENO)) /* upstream ends without a newline; a prompt is better on
		                              a line of its own */
			buf_byte(&out, '\n');
	}
	for (size_t i = 0; i < a->n && rc == 0; i++) {
		if (q->format == TABLE)
			rc = table_write(a->items[i].kind, a->items[i].objects, a->items[i].n,
			                 &q->style, &out, err);
		else if (q->format == NAME)
			write_names(&a->items[i], &out);
	}
	json_free(tree);
	if (rc == 0 && fwrite(buf_cstr(&out), 1, out.len, stdout) != out.len)
		rc = err_sys(err, "write to standard output");
	return rc;
}

static void answers_done(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < a->items[i].n; k++)
			json_free(a->items[i].objects[k]);
		free(a->items[i].objects);
	}
	free(a->items);
	for (size_t i = 0; i < a->n_errors; i++)
		free(a->errors[i]);
	free(a->errors);
}

static int read_format(struct request *q, struct err *err)
{
	const char *f = q->o->output ? q->o->output : "ps";

	if (strcmp(f, "ps") == 0 || strcmp(f, "wide") == 0) {
		q->format = TABLE;
		q->style.wide = *f == 'w';
	} else if (strcmp(f, "yaml") == 0 || strcmp(f, "yml") == 0) {
		q->format = YAML;
	} else if (strcmp(f, "json") == 0) {
		q->format = JSON;
	} else if (strcmp(f, "name") == 0) {
		q->format = NAME;
	} else if (strncmp(f, "custom-columns=", 15) == 0 && f[15]) {
		q->format = TABLE;
		q->style.columns = f + 15;
	} else {
		return err_set(err, -EINVAL, "unrecognized output format '%s'", f);
	}
	return 0;
}

/* ---- the command */

/* KIND [NAME...] */
static int ask_by_args(const struct request *q, const struct kind_info *kind, struct db *db,
                       struct answers *a, struct err *err)
{
	const struct options *o = q->o;
	const char *ns;
	int rc = crud_namespace(o, kind, NULL, &ns, err);

	if (rc)
		return rc;
	if (o->n_args == 1)
		get_list(db, kind, o->all_namespaces ? NULL : ns, a);
	for (size_t i = 1; i < o->n_args; i++)
		get_one(db, kind, ns, o->args[i], a);
	return 0;
}

static int check_args(const struct options *o, const struct kind_info **ret_kind, struct err *err)
{
	const struct kind_info *kind = crud_kind(o->args[0], err);

	if (!kind)
		return -EINVAL;
	if ((o->ns || o->all_namespaces) && !kind->namespaced)
		return err_set(err, -EINVAL, "%s is not namespaced", kind->name);
	if (o->ns && o->all_namespaces)
		return err_set(
		        err, -EINVAL,
		        "cannot use both --namespace and --all-namespaces flags at the same time");
	for (size_t i = 1; i < o->n_args; i++)
		if (!*o->args[i])
			return err_set(err, -EINVAL, "resource name may not be empty");
	if (o->all_namespaces && o->n_args > 1)
		return err_set(err, -EINVAL,
		               "a resource cannot be retrieved by name across all namespaces");
	*ret_kind = kind;
	return 0;
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
			add_error(a, item->error);
			continue;
		}
		meta = model_meta(item->msg, true);
		if (crud_namespace(q->o, item->kind, meta->namespace_, &ns, &err) != 0)
			add_error(a, err.text);
		else if (!meta->name || !*meta->name)
			get_list(db, item->kind, ns, a);
		else
			get_one(db, item->kind, ns, meta->name, a);
	}
}

int cmd_get(const struct options *o)
{
	struct request q = { .o = o, .style.namespaces = o->all_namespaces || o->ns };
	CLEANUP(manifest_done) struct manifest m = { 0 };
	const struct kind_info *kind = NULL;
	CLEANUP(free_p) char *asn = NULL;
	struct answers a = { 0 };
	struct err err = { 0 };
	struct db *db;
	int status = 0, rc = read_format(&q, &err);

	if (rc == 0 && o->n_args && o->files.n == 0)
		rc = check_args(o, &kind, &err);
	if (rc) {
		fprintf(stderr, "failed to get resources: %s\n", err.text);
		return 1;
	}
	if (!kind && !crud_load(o, "get", &m, &status))
		return status;
	db = db_begin(o, false);
	if (!db)
		return 1;
	if (kind)
		rc = ask_by_args(&q, kind, db, &a, &err);
	else
		ask_by_manifest(&q, &m, db, &a);
	for (size_t i = 0; i < a.n && !asn && q.format == TABLE; i++)
		if (a.items[i].kind->kind == V3__KIND__KIND_NODE &&
		    (q.style.wide || q.style.columns))
			asn = default_asn(db);
	q.style.node_asn = asn;
	db_close(db);
	for (size_t i = 0; i < a.n && o->export && (o->n_args > 1 || !kind); i++)
		if (!a.items[i].is_list)
			strip_for_export(a.items[i].objects[0]);

	if (rc == 0 && (a.n || a.n_errors == 0))
		rc = show(&q, &a, &err);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "failed to get resources: %s\n", err.text);
	for (size_t i = 0; i < a.n_errors; i++)
		fprintf(stderr, "%s\n", a.errors[i]);
	status = rc || a.n_errors ? 1 : 0;
	answers_done(&a);
	return status;
}
