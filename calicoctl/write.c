/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calicoctl/cluster.h"
#include "calicoctl/crud.h"
#include "calicoctl/kinds.h"
#include "calicoctl/shown.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/validate.h"
#include "proto/v3_endpoint.pb-c.h"

#define TRIES 5
#define RETRY_MS 200

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
int write_complete_wep(ProtobufCMessage *msg, V3__ObjectMeta *meta, struct err *err)
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
int write_revision(const V3__ObjectMeta *meta, uint64_t *ret, struct err *err)
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

int write_prepare(const struct options *o, struct manifest_item *item, struct resource **ret,
                  struct err *err)
{
	V3__ObjectMeta *meta = model_meta(item->msg, true);
	uint64_t revision = 0;
	const char *ns;
	int rc = crud_namespace(o, item->kind, meta->namespace_, &ns, err);

	if (rc)
		return rc;
	if (!item->whole)
		keep_own_meta(meta);
	if (ns != meta->namespace_)
		msg_set_str(&meta->namespace_, ns);
	rc = write_revision(meta, &revision, err);
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

static bool says_nothing(const ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf text = { 0 }, nothing = { 0 };
	ProtobufCMessage *empty = msg_new(m->descriptor);

	mapper_write_text(m, 0, &text);
	mapper_write_text(empty, 0, &nothing);
	msg_free(empty);
	return strcmp(buf_cstr(&text), buf_cstr(&nothing)) == 0;
}

/* A status is its reporter's: a manifest without one leaves it alone. */
static void keep_status(ProtobufCMessage *to, ProtobufCMessage *from)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(to->descriptor, "status");
	ProtobufCMessage **mine, **theirs;

	if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return;
	mine = (ProtobufCMessage **)(void *)((char *)to + f->offset);
	theirs = (ProtobufCMessage **)(void *)((char *)from + f->offset);
	if (*mine && !says_nothing(*mine))
		return;
	msg_free(*mine);
	*mine = *theirs;
	*theirs = NULL;
}

/*
 * What an update writes: the manifest's labels, annotations and spec; all other metadata, the
 * status, and what we have no field for, as they are stored.
 */
void write_merge(struct resource *r, const struct resource *stored)
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
	if (theirs->n_ownerreferences) { /* a copy brings them; other manifests have none */
		swap.n_ownerreferences = mine->n_ownerreferences;
		swap.ownerreferences = mine->ownerreferences;
		mine->n_ownerreferences = theirs->n_ownerreferences;
		mine->ownerreferences = theirs->ownerreferences;
		theirs->n_ownerreferences = swap.n_ownerreferences;
		theirs->ownerreferences = swap.ownerreferences;
	}
	cluster_stamp(mine);

	msg_keep_unknown(r->msg, copy);
	keep_status(r->msg, copy);
	msg_free(copy);
	r->revision = stored->revision;
}

int write_create(struct db *db, const struct resource *r, struct err *err)
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
int write_update(struct db *db, const struct resource *wanted, struct err *err)
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
		write_merge(r, stored->items[0]);
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

/* ---- change what is there */

/* A tree as the object it means. What the stored object has and this program has no field for is
 * kept; a new member of that kind is an error. */
static int tree_to_msg(const struct kind_info *kind, const struct json *tree,
                       const struct json *stored, ProtobufCMessage **ret, struct err *err)
{
	ProtobufCMessage *was = NULL;
	struct err ignored;

	if (mapper_read(kind->message, tree, MAPPER_REFUSE, ret, err) == 0)
		return 0;
	if (mapper_read(kind->message, stored, MAPPER_REFUSE, &was, &ignored) == 0) {
		msg_free(was);
		return -EINVAL;
	}
	return mapper_read(kind->message, tree, MAPPER_KEEP, ret, err);
}

static int check(const struct kind_info *kind, ProtobufCMessage *msg, struct err *err)
{
	struct violations found;
	size_t n;

	model_default(kind->kind, msg);
	n = model_validate(kind->kind, msg, &found);
	if (n) {
		CLEANUP(buf_done) struct buf text = { 0 };

		violations_str(&found, &text);
		err_set(err, -EINVAL, "%s", buf_cstr(&text));
	}
	violations_done(&found);
	return n ? -EINVAL : 0;
}

static int same_member(const struct json *before, const struct json *after, const char *member,
                       struct err *err)
{
	const char *was = json_str(json_get(before, member));
	const char *is = json_str(json_get(after, member));

	if (was && is && strcmp(was, is) == 0)
		return 0;
	return err_set(err, -EINVAL, "error with field %s = '%s' (cannot be changed)", member,
	               is ? is : "");
}

static int same_identity(const V3__ObjectMeta *meta, const char *ns, const char *name,
                         struct err *err)
{
	if (!meta->name || strcmp(meta->name, name) != 0)
		return err_set(err, -EINVAL,
		               "error with field metadata.name = '%s' (cannot be changed)",
		               meta->name ? meta->name : "");
	if (strcmp(meta->namespace_ ? meta->namespace_ : "", ns ? ns : "") != 0)
		return err_set(err, -EINVAL,
		               "error with field metadata.namespace = '%s' (cannot be changed)",
		               meta->namespace_ ? meta->namespace_ : "");
	return 0;
}

/* The changed object, ready to be written over stored. */
static int changed(const struct kind_info *kind, const struct resource *stored,
                   write_change_fn *change, void *arg, struct resource **ret, struct err *err)
{
	struct json *before = shown_tree(stored), *tree = json_copy(before);
	ProtobufCMessage *msg = NULL;
	uint64_t revision = 0;
	int rc = change(arg, &tree, err);

	if (rc == 0)
		rc = same_member(before, tree, "kind", err);
	if (rc == 0)
		rc = same_member(before, tree, "apiVersion", err);
	if (rc == 0)
		rc = tree_to_msg(kind, tree, before, &msg, err);
	if (rc == 0)
		rc = same_identity(model_meta(msg, true), stored->ns,
		                   json_str(json_get(json_get(before, "metadata"), "name")), err);
	if (rc == 0)
		rc = write_revision(model_meta(msg, true), &revision, err);
	if (rc == 0 && revision && revision != stored->revision) /* a patch said which it is for */
		rc = err_set(err, -EAGAIN, "update conflict: %s(%s)", kind->name, stored->name);
	if (rc == 0)
		rc = check(kind, msg, err);
	if (rc == 0) {
		*ret = resource_new(kind->kind, stored->ns, stored->name, stored->revision, msg);
		msg = NULL;
		write_merge(*ret, stored);
	}
	msg_free(msg);
	json_free(tree);
	json_free(before);
	return rc;
}

int write_modify(struct db *db, const struct kind_info *kind, const char *ns, const char *name,
                 write_change_fn *change, void *arg, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	int rc = 0;

	for (int tries = 0;; tries++) {
		CLEANUP(result_p) struct store_result *stored = db_get(db, kind->kind, ns, name);
		CLEANUP(result_p) struct store_result *done = NULL;
		struct resource *r = NULL;

		if (stored->status != STORE_OK) {
			db_error(stored, kind->kind, ns, name, err);
			return err->code;
		}
		rc = kinds_allowed(kind->kind, ns, name, "Update", err);
		if (rc == 0)
			rc = changed(kind, stored->items[0], change, arg, &r, err);
		if (rc == 0)
			rc = kinds_check(db, r, stored->items[0], err);
		if (rc == 0)
			done = db_update(db, r);
		resource_free(r);
		if (rc || done->status == STORE_OK)
			return rc;
		if (done->status != STORE_CONFLICT || tries == TRIES - 1) {
			db_error(done, kind->kind, ns, name, err);
			return err->code;
		}
		(void)nanosleep(&pause, NULL);
	}
}
