/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/crud.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calicoctl/cluster.h"
#include "calicoctl/db.h"
#include "calicoctl/kinds.h"
#include "calicoctl/tally.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/validate.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define TRIES 5
#define RETRY_MS 200

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

/* ---- from a manifest's item to what is to be written */

/* Of several violations each is told with its own line. The text may be long: it is the item's. */
static int check_valid(struct manifest_item *item, const ProtobufCMessage *msg, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct violations found;
	size_t n = model_validate(item->kind->kind, msg, &found);

	if (n == 1) {
		manifest_place(item, found.items[0].field, &text);
		buf_str(&text, ": ");
		violations_str(&found, &text);
	} else if (n > 1) {
		manifest_place(item, NULL, &text);
		buf_str(&text, ": error with the following fields:");
		for (size_t i = 0; i < n; i++) {
			buf_str(&text, "\n-  ");
			violation_str(&found.items[i], &text);
			buf_printf(&text, ", line %u", manifest_line(item, found.items[i].field));
		}
	}
	violations_done(&found);
	if (n == 0)
		return 0;
	item->error = buf_take(&text);
	return err_set(err, -EBADMSG, "not valid");
}

/* A workload endpoint's name follows from what it is. */
static int complete_wep(ProtobufCMessage *msg, V3__ObjectMeta *meta, struct err *err)
{
	const V3__WorkloadEndpoint *w = (const V3__WorkloadEndpoint *)msg;
	CLEANUP(free_p) char *name = NULL;
	int rc;

	if (!w->spec)
		return err_set(err, -EINVAL, "spec: must be given");
	rc = wep_name_of(w->spec, &name, err);
	if (rc)
		return rc;
	if (meta->name && *meta->name && strcmp(meta->name, name) != 0)
		return err_set(
		        err, -EINVAL,
		        "error with field Name = '%s' (the WorkloadEndpoint name does not match "
		        "the primary identifiers assigned in the Spec: expected name %s)",
		        meta->name, name);
	msg_set_str(&meta->name, name);
	return 0;
}

/* Only these of an object's metadata are the writer's to say. */
static void keep_own_meta(V3__ObjectMeta *meta)
{
	V3__ObjectMeta *keep = (V3__ObjectMeta *)msg_new(&v3__object_meta__descriptor), swap;

	keep->name = take_ptr(&meta->name);
	keep->namespace_ = take_ptr(&meta->namespace_);
	keep->resourceversion = take_ptr(&meta->resourceversion);
	keep->n_labels = meta->n_labels;
	keep->labels = meta->labels;
	keep->n_annotations = meta->n_annotations;
	keep->annotations = meta->annotations;
	meta->n_labels = meta->n_annotations = 0;
	meta->labels = NULL;
	meta->annotations = NULL;
	swap = *meta;
	*meta = *keep;
	*keep = swap;
	msg_free((ProtobufCMessage *)keep);
}

/* The revision that a manifest names, or 0. */
static int read_revision(const V3__ObjectMeta *meta, uint64_t *ret, struct err *err)
{
	const char *s = meta->resourceversion;
	char *end;

	*ret = 0;
	if (!s || !*s)
		return 0;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	if (errno || *end || *s < '0' || *s > '9')
		return err_set(
		        err, -EINVAL,
		        "error with field metadata.resourceVersion = '%s' (not a revision of this "
		        "datastore)",
		        s);
	return 0;
}

static int prepare(const struct options *o, struct manifest_item *item, struct resource **ret,
                   struct err *err)
{
	V3__ObjectMeta *meta = model_meta(item->msg, true);
	uint64_t revision = 0;
	const char *ns;
	int rc = crud_namespace(o, item->kind, meta->namespace_, &ns, err);

	if (rc)
		return rc;
	keep_own_meta(meta);
	if (ns != meta->namespace_)
		msg_set_str(&meta->namespace_, ns);
	rc = read_revision(meta, &revision, err);
	if (rc)
		return rc;
	msg_set_str(&meta->resourceversion, NULL);
	model_default(item->kind->kind, item->msg);
	rc = check_valid(item, item->msg, err);
	if (rc)
		return rc;
	meta = model_meta(item->msg, true);
	*ret = resource_new(item->kind->kind, item->kind->namespaced ? meta->namespace_ : NULL,
	                    meta->name, revision, item->msg);
	item->msg = NULL;
	return 0;
}

/* ---- writing */

/*
 * What an update writes: the manifest's labels, annotations and spec; all other metadata, the
 * status, and what we have no field for, as they are stored.
 */
static void merge_stored(struct resource *r, const struct resource *stored)
{
	V3__ObjectMeta *mine = model_meta(r->msg, true), *theirs, swap;
	ProtobufCMessage *copy = msg_copy(stored->msg);

	theirs = model_meta(copy, true);
	swap = *mine;
	*mine = *theirs;
	*theirs = swap;
	/* mine is now the stored one, with the old labels; change these back */
	swap = *mine;
	mine->n_labels = theirs->n_labels;
	mine->labels = theirs->labels;
	mine->n_annotations = theirs->n_annotations;
	mine->annotations = theirs->annotations;
	theirs->n_labels = swap.n_labels;
	theirs->labels = swap.labels;
	theirs->n_annotations = swap.n_annotations;
	theirs->annotations = swap.annotations;
	cluster_stamp(mine);

	msg_keep_unknown(r->msg, copy);
	if (r->kind == V3__KIND__KIND_NODE) {
		V3__Node *node = (V3__Node *)r->msg;

		if (!node->status)
			node->status = take_ptr(&((V3__Node *)copy)->status);
	}
	msg_free(copy);
	r->revision = stored->revision;
}

static int create(struct db *db, const struct resource *r, struct err *err)
{
	CLEANUP(result_p) struct store_result *done = NULL;
	struct resource *stamped;
	int rc = kinds_allowed(r->kind, r->ns, r->name, "Create", err);

	if (rc == 0)
		rc = kinds_check(db, r, NULL, err);
	if (rc)
		return rc;
	stamped = resource_copy(r);
	cluster_stamp(model_meta(stamped->msg, true));
	done = db_create(db, stamped);
	resource_free(stamped);
	if (done->status == STORE_OK)
		return 0;
	db_error(done, r->kind, r->ns, r->name, err);
	return err->code;
}

/* Without a revision of the manifest's own, somebody else's write in between is no reason to give
 * up. */
static int update(struct db *db, const struct resource *wanted, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	int rc = kinds_allowed(wanted->kind, wanted->ns, wanted->name, "Update", err);

	for (int tries = 0; rc == 0; tries++) {
		CLEANUP(result_p)
		struct store_result *stored = db_get(db, wanted->kind, wanted->ns, wanted->name);
		CLEANUP(result_p) struct store_result *done = NULL;
		struct resource *r;

		if (stored->status == STORE_OK && wanted->revision &&
		    wanted->revision != stored->items[0]->revision)
			stored->status = STORE_CONFLICT;
		if (stored->status != STORE_OK) {
			db_error(stored, wanted->kind, wanted->ns, wanted->name, err);
			return err->code;
		}
		r = resource_copy(wanted);
		merge_stored(r, stored->items[0]);
		rc = kinds_check(db, r, stored->items[0], err);
		if (rc == 0)
			done = db_update(db, r);
		resource_free(r);
		if (rc || done->status == STORE_OK)
			return rc;
		if (done->status != STORE_CONFLICT || wanted->revision || tries == TRIES - 1) {
			db_error(done, wanted->kind, wanted->ns, wanted->name, err);
			return err->code;
		}
		(void)nanosleep(&pause, NULL);
	}
	return rc;
}

static int write_one(const struct options *o, struct db *db, struct manifest_item *item,
                     enum mode mode, struct err *err)
{
	struct resource *r;
	int rc = prepare(o, item, &r, err);

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
			rc = create(db, r, err);
		if (rc == -EEXIST && o->skip_exists)
			rc = 0;
		break;
	case REPLACE:
		rc = update(db, r, err);
		break;
	case APPLY:
		if (r->kind == V3__KIND__KIND_CLUSTER_INFORMATION) {
			rc = err_set(err, -EOPNOTSUPP,
			             "operation apply is not supported on ClusterInformation: "
			             "resource is readonly");
			break;
		}
		rc = create(db, r, err);
		if (rc == -EEXIST || rc == -EOPNOTSUPP)
			rc = update(db, r, err);
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
		else if (prepare(o, &m.items[i], &r, &err) != 0)
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

static int delete_named(const struct options *o)
{
	const struct kind_info *kind;
	struct tally t = { .verb = "delete", .past = "deleted", .total = o->n_args - 1 };
	struct db *db;
	const char *ns;
	struct err err;

	kind = crud_kind(o->args[0], &err);
	if (kind && o->ns && !kind->namespaced)
		err_set(&err, -EINVAL, "%s is not namespaced", kind->name);
	else if (kind && o->n_args < 2)
		err_set(&err, -EINVAL, "resource name may not be empty");
	else
		err.code = kind ? crud_namespace(o, kind, NULL, &ns, &err) : -EINVAL;
	for (size_t i = 1; err.code == 0 && i < o->n_args; i++)
		if (!*o->args[i])
			err_set(&err, -EINVAL, "resource name may not be empty");
	if (err.code) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	t.kind = kind;
	db = db_begin(o, false);
	if (!db)
		return 1;
	for (size_t i = 1; i < o->n_args; i++)
		delete_one(o, db, kind->kind, ns, o->args[i], 0, &t);
	db_close(db);
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
		rc = complete_wep(item->msg, meta, err);
	if (rc == 0 && (!meta->name || !*meta->name))
		rc = err_set(err, -EINVAL,
		             "error with field metadata.name (name must be specified)");
	return rc ? rc : read_revision(meta, ret_revision, err);
}

int cmd_delete(const struct options *o)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct db *db;
	struct tally t;
	int status;

	if (o->n_args && o->files.n == 0)
		return delete_named(o);
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
