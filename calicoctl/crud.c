/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/crud.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calicoctl/cluster.h"
#include "calicoctl/db.h"
#include "calicoctl/kinds.h"
#include "calicoctl/select.h"
#include "calicoctl/shown.h"
#include "calicoctl/tally.h"
#include "calicoctl/visible.h"
#include "calicoctl/write.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/validate.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_node.pb-c.h"

enum mode {
	CREATE,
	APPLY,
	REPLACE
};

/* ---- what they share */

bool crud_load(const struct options *o, const char *verb, struct manifest *m, int *ret_status)
{
	size_t understood = 0;
	struct err err;

	*ret_status = 1;
	if (o->files.n == 0) {
		fputs("no resources specified\n", stderr);
		return false;
	}
	for (size_t i = 0; i < o->files.n; i++) {
		size_t before = m->n;

		if (manifest_add(m, o->files.items[i], o->recursive, &err) != 0) {
			fprintf(stderr, "failed to execute command: %s\n", err.text);
			return false;
		}
		if (m->n == before && !o->skip_empty) {
			size_t len = strlen(o->files.items[i]);
			bool dir = manifest_is_dir(o->files.items[i]);

			if (strcmp(verb, "get") == 0)
				fputs("failed to get resources: ", stderr);
			fprintf(stderr, "no resources specified in %s %.*s\n",
			        dir ? "directory" : "file", (int)len, o->files.items[i]);
			return false;
		}
	}
	for (size_t i = 0; i < m->n; i++)
		understood += m->items[i].msg != NULL;
	if (m->n == 0) {
		puts("No resources specified");
		*ret_status = 0;
		return false;
	}
	if (understood == 0) {
		for (size_t i = 0; i < m->n; i++)
			fprintf(stderr, "failed to execute command: %s\n", m->items[i].error);
		return false;
	}
	return true;
}

int crud_namespace(const struct options *o, const struct kind_info *kind, const char *doc_ns,
                   const char **ret, struct err *err)
{
	*ret = NULL;
	if (doc_ns && !*doc_ns)
		doc_ns = NULL;
	if (!kind->namespaced) {
		if (doc_ns)
			return err_set(
			        err, -EINVAL,
			        "namespace should not be specified for a non-namespaced resource. "
			        "%s is not a namespaced resource",
			        kind->name);
		return 0;
	}
	if (doc_ns && o->ns && strcmp(doc_ns, o->ns) != 0)
		return err_set(err, -EINVAL,
		               "resource namespace does not match client namespace. %s != %s",
		               doc_ns, o->ns);
	*ret = doc_ns ? doc_ns : o->ns ? o->ns : DEFAULT_NAMESPACE;
	return 0;
}

const struct kind_info *crud_kind(const char *arg, struct err *err)
{
	const struct kind_info *kind = kind_by_alias(arg);

	if (!kind)
		err_set(err, -EINVAL, "resource type '%s' is not supported", visible(arg));
	return kind;
}

/* ---- create, apply, replace */

static int write_one(const struct options *o, struct db *db, struct manifest_item *item,
                     enum mode mode, struct err *err)
{
	struct resource *r;
	int rc = write_prepare(o, item, &r, err);

	if (rc)
		return rc;
	switch (mode) {
	case CREATE:
		if (r->revision)
			rc = err_set(err, -EINVAL,
			             "error with field Metadata.ResourceVersion = '%llu' (field "
			             "must not "
			             "be set for a Create request)",
			             (unsigned long long)r->revision);
		else
			rc = write_create(db, r, err);
		if (rc == -EEXIST && o->skip_exists)
			rc = 0;
		break;
	case REPLACE:
		rc = write_update(db, r, err);
		break;
	case APPLY:
		if (r->kind == V3__KIND__KIND_CLUSTER_INFORMATION) {
			rc = err_set(err, -EOPNOTSUPP,
			             "operation apply is not supported on ClusterInformation: "
			             "resource is readonly");
			break;
		}
		rc = write_create(db, r, err);
		if (rc == -EEXIST || rc == -EOPNOTSUPP)
			rc = write_update(db, r, err);
		break;
	}
	resource_free(r);
	return rc;
}

/* An error in the manifest says where; one that the datastore's state brought about names the
 * object. */
static void note(struct tally *t, const struct manifest_item *item, const struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (err->code == -EBADMSG && item->error) {
		tally_error(t, item->error);
		return;
	}
	if (err->code == -EINVAL) {
		const char *field = strncmp(err->text, "error with field ", 17) == 0
		                            ? err->text + 17
		                            : err->text;
		CLEANUP(free_p) char *path = xstrndup(field, strcspn(field, " :"));

		manifest_place(item, kinds_path(path), &text);
		buf_str(&text, ": ");
	}
	buf_str(&text, err->text);
	tally_error(t, buf_cstr(&text));
}

static void write_items(const struct options *o, struct db *db, struct manifest *m, enum mode mode,
                        struct tally *t)
{
	struct err err;

	for (size_t i = 0; i < m->n; i++) {
		if (m->items[i].error)
			tally_error(t, m->items[i].error);
		else if (write_one(o, db, &m->items[i], mode, &err) != 0)
			note(t, &m->items[i], &err);
		else
			t->handled++;
	}
}

int crud_apply(const struct options *o, struct db *db, struct manifest *m)
{
	struct tally t;

	tally_begin(&t, "apply", "applied", m);
	write_items(o, db, m, APPLY, &t);
	return tally_end(&t);
}

static int write_all(const struct options *o, enum mode mode, const char *verb, const char *past)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct db *db;
	struct tally t;
	struct err err;
	int status;

	if (!crud_load(o, verb, &m, &status))
		return status;
	db = db_begin(o, mode != REPLACE);
	if (!db)
		return 1;
	if (cluster_ensure(db, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		db_close(db);
		return 1;
	}
	tally_begin(&t, verb, past, &m);
	write_items(o, db, &m, mode, &t);
	db_close(db);
	return tally_end(&t);
}

int cmd_create(const struct options *o)
{
	return write_all(o, CREATE, "create", "created");
}

int cmd_apply(const struct options *o)
{
	return write_all(o, APPLY, "apply", "applied");
}

int cmd_replace(const struct options *o)
{
	return write_all(o, REPLACE, "replace", "replaced");
}

/* ---- without a datastore */

int cmd_validate(const struct options *o)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct tally t;
	struct err err;
	int status;

	if (!crud_load(o, "validate", &m, &status))
		return status;
	tally_begin(&t, "validate", "validated", &m);
	for (size_t i = 0; i < m.n; i++) {
		struct resource *r = NULL;

		if (m.items[i].error)
			tally_error(&t, m.items[i].error);
		else if (write_prepare(o, &m.items[i], &r, &err) != 0)
			note(&t, &m.items[i], &err);
		else
			t.handled++;
		resource_free(r);
	}
	return tally_end(&t);
}

/* ---- delete */

static void delete_one(const struct options *o, struct db *db, model_kind kind, const char *ns,
                       const char *name, uint64_t revision, struct tally *t)
{
	struct err err;

	if (kinds_remove(db, kind, ns, name, revision, &err) == 0 ||
	    (err.code == -ENOENT && o->skip_not_exists))
		t->handled++;
	else
		tally_error(t, err.text);
}

/* KIND NAME..., KIND -l SELECTOR */
static const struct kind_info *check_delete(const struct options *o, const char **ret_ns,
                                            struct selector **ret_selector, struct err *err)
{
	const struct kind_info *kind = crud_kind(o->args[0], err);

	if (!kind)
		return NULL;
	err->code = 0;
	if (o->ns && !kind->namespaced)
		err_set(err, -EINVAL, "%s is not namespaced", kind->name);
	else if (o->n_args < 2 && !o->selector)
		err_set(err, -EINVAL, "resource name may not be empty");
	else if (o->n_args > 1 && o->selector)
		err_set(err, -EINVAL, "a name cannot be provided when a selector is specified");
	else
		(void)crud_namespace(o, kind, NULL, ret_ns, err);
	for (size_t i = 1; err->code == 0 && i < o->n_args; i++)
		if (!*o->args[i])
			err_set(err, -EINVAL, "resource name may not be empty");
	if (err->code == 0 && o->selector)
		(void)select_parse(o->selector, ret_selector, err);
	return err->code ? NULL : kind;
}

static void delete_selected(const struct options *o, struct db *db, const struct kind_info *kind,
                            const char *ns, const struct selector *selector, struct tally *t)
{
	CLEANUP(result_p) struct store_result *all = db_list(db, kind->kind, ns, NULL);
	struct err err;

	if (all->status != STORE_OK) {
		db_error(all, kind->kind, ns, "", &err);
		tally_error(t, err.text);
		return;
	}
	for (size_t i = 0; i < all->n; i++) {
		struct json *tree = shown_tree(all->items[i]);

		if (select_matches(selector, tree)) {
			t->total++;
			delete_one(o, db, kind->kind, all->items[i]->ns, all->items[i]->name, 0, t);
		}
		json_free(tree);
	}
}

static int delete_named(const struct options *o)
{
	struct tally t = { .verb = "delete", .past = "deleted", .total = o->n_args - 1 };
	struct selector *selector = NULL;
	struct db *db;
	const char *ns;
	struct err err;

	t.kind = check_delete(o, &ns, &selector, &err);
	if (!t.kind) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	db = db_begin(o, false);
	if (db && selector)
		delete_selected(o, db, t.kind, ns, selector, &t);
	for (size_t i = 1; db && i < o->n_args; i++)
		delete_one(o, db, t.kind->kind, ns, o->args[i], 0, &t);
	selector_unref(selector);
	if (!db)
		return 1;
	db_close(db);
	if (t.total == 0 && t.n_errors == 0) {
		puts("No resources found");
		return 0;
	}
	return tally_end(&t);
}

/* Of a manifest, a delete looks at the identity alone: what is wrong with the rest does not matter
 * any more. */
static int identity_of(const struct options *o, struct manifest_item *item, const char **ret_ns,
                       uint64_t *ret_revision, struct err *err)
{
	V3__ObjectMeta *meta = model_meta(item->msg, true);
	int rc = crud_namespace(o, item->kind, meta->namespace_, ret_ns, err);

	if (rc == 0 && item->kind->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT &&
	    (!meta->name || !*meta->name))
		rc = write_complete_wep(item->msg, meta, err);
	if (rc == 0 && (!meta->name || !*meta->name))
		rc = err_set(err, -EINVAL,
		             "error with field metadata.name (name must be specified)");
	return rc ? rc : write_revision(meta, ret_revision, err);
}

int cmd_delete(const struct options *o)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct db *db;
	struct tally t;
	int status;

	if (o->n_args && o->files.n == 0)
		return delete_named(o);
	if (o->selector) {
		fputs("a selector needs a KIND, and no files\n", stderr);
		return 1;
	}
	if (!crud_load(o, "delete", &m, &status))
		return status;
	db = db_begin(o, false);
	if (!db)
		return 1;
	tally_begin(&t, "delete", "deleted", &m);
	for (size_t i = 0; i < m.n; i++) {
		struct manifest_item *item = &m.items[i];
		uint64_t revision;
		const char *ns;
		struct err err;

		if (item->error)
			tally_error(&t, item->error);
		else if (identity_of(o, item, &ns, &revision, &err) != 0)
			note(&t, item, &err);
		else
			delete_one(o, db, item->kind->kind, ns, model_meta(item->msg, true)->name,
			           revision, &t);
	}
	db_close(db);
	return tally_end(&t);
}
