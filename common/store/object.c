/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/object.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/json/json.h"
#include "common/model/key.h"
#include "common/model/mapper.h"

#define NAME_ANNOTATION "projectcalico.org/metadata"
#define STATIC_PROFILE "projectcalico-default-allow"

/* "IPPool(pool1)", "NetworkPolicy(ns1/web)", as upstream names an object in its messages. */
static void object_ident(model_kind kind, const char *ns, const char *name, struct buf *out)
{
	const struct kind_info *k = kind_info(kind);

	buf_printf(out, "%s(%s%s%s)", k ? k->name : "?", ns ? ns : "", ns ? "/" : "", name);
}

void object_status_text(enum store_status status, model_kind kind, const char *ns, const char *name,
                        struct buf *out)
{
	const char *before = "", *behind = "";

	if (status == STORE_NOT_FOUND)
		before = "resource does not exist: ";
	else if (status == STORE_ALREADY_EXISTS)
		before = "resource already exists: ";
	else if (status == STORE_CONFLICT)
		before = "update conflict: ";
	else if (status == STORE_INVALID)
		behind = ": the operation is not supported";
	buf_str(out, before);
	object_ident(kind, ns, name, out);
	buf_str(out, behind);
}

/* ---- checks */

int object_check(const struct resource *r, struct err *err)
{
	const struct kind_info *k = kind_info(r->kind);
	const V3__ObjectMeta *meta;
	CLEANUP(free_p) char *key = NULL;

	if (!k)
		return err_set(err, -EINVAL, "kind %d is unknown to this version", (int)r->kind);
	if (!r->name || !*r->name)
		return err_set(err, -EINVAL, "an object of kind %s has no name", k->name);
	if (k->namespaced && (!r->ns || !*r->ns))
		return err_set(err, -EINVAL, "%s(%s) has no namespace", k->name, LOG_VIS(r->name));
	if (!k->namespaced && r->ns)
		return err_set(err, -EINVAL, "%s(%s): the kind has no namespaces", k->name,
		               LOG_VIS(r->name));
	if (!r->msg || r->msg->descriptor != k->message)
		return err_set(err, -EINVAL, "%s(%s) has no body", k->name, LOG_VIS(r->name));
	key = key_of(r->kind, r->ns, r->name, err);
	if (!key)
		return err ? err->code : -EINVAL;
	if (!k->v3)
		return 0;
	meta = model_meta(r->msg, false);
	if (!meta || !meta->name || strcmp(meta->name, r->name) != 0)
		return err_set(err, -EINVAL, "%s(%s): its metadata names it %s", k->name,
		               LOG_VIS(r->name), LOG_VIS(meta && meta->name ? meta->name : ""));
	if (strcmp(meta->namespace_ ? meta->namespace_ : "", r->ns ? r->ns : "") != 0)
		return err_set(err, -EINVAL, "%s(%s): its metadata has namespace %s, not %s",
		               k->name, LOG_VIS(r->name),
		               LOG_VIS(meta->namespace_ ? meta->namespace_ : ""),
		               LOG_VIS(r->ns ? r->ns : ""));
	return 0;
}

char *object_key(model_kind kind, const char *ns, const char *name, struct err *err)
{
	const struct kind_info *k = kind_info(kind);

	if (!k)
		err_set(err, -EINVAL, "kind %d is unknown to this version", (int)kind);
	else if (!name)
		err_set(err, -EINVAL, "an object of kind %s has no name", k->name);
	else if (k->namespaced != (ns != NULL))
		err_set(err, -EINVAL, "%s(%s) %s", k->name, LOG_VIS(name),
		        k->namespaced ? "has no namespace" : "cannot have a namespace");
	else
		return key_of(kind, ns, name, err);
	return NULL;
}

enum store_status object_verdict(enum object_write write, bool exists, uint64_t modified,
                                 uint64_t expected)
{
	switch (write) {
	case OBJECT_CREATE:
		return exists ? STORE_ALREADY_EXISTS : STORE_OK;
	case OBJECT_APPLY:
		return STORE_OK;
	case OBJECT_UPDATE:
	case OBJECT_REMOVE:
		if (!exists)
			return STORE_NOT_FOUND;
		return expected == 0 || expected == modified ? STORE_OK : STORE_CONFLICT;
	}
	return STORE_INVALID;
}

/* ---- what a write adds and removes */

/* A string field of a message, by its name; NULL when the message has no such field. */
static char **string_field(ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	return f && f->type == PROTOBUF_C_TYPE_STRING ? (char **)((char *)m + f->offset) : NULL;
}

void object_stamp(struct resource *r, const ProtobufCMessage *old, uint64_t now_unix_sec)
{
	const struct kind_info *k = kind_info(r->kind);
	const V3__ObjectMeta *was;
	V3__ObjectMeta *meta;
	char **field;

	if (!k->v3)
		return;
	field = string_field(r->msg, "kind");
	if (field)
		msg_set_str(field, k->name);
	field = string_field(r->msg, "apiVersion");
	if (field)
		msg_set_str(field, MODEL_API_VERSION);
	meta = model_meta(r->msg, true);
	was = old ? model_meta((ProtobufCMessage *)(uintptr_t)old, false) : NULL;
	msg_set_str(&meta->resourceversion, NULL);
	msg_set_str(&meta->selflink, NULL);
	if (was && was->uid)
		msg_set_str(&meta->uid, was->uid);
	if (!meta->uid || !*meta->uid) {
		char uid[UUID_STR_SIZE];

		uuid_str(uid);
		msg_set_str(&meta->uid, uid);
	}
	if (was && was->creationtimestamp)
		msg_set_str(&meta->creationtimestamp, was->creationtimestamp);
	if (!meta->creationtimestamp || !*meta->creationtimestamp) {
		char now[RFC3339_MAX];

		rfc3339_sec(now, now_unix_sec);
		msg_set_str(&meta->creationtimestamp, now);
	}
}

static bool carries_name_annotation(model_kind kind)
{
	return kind == V3__KIND__KIND_NETWORK_POLICY ||
	       kind == V3__KIND__KIND_GLOBAL_NETWORK_POLICY ||
	       kind == V3__KIND__KIND_STAGED_NETWORK_POLICY ||
	       kind == V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY;
}

static void annotation_set(V3__ObjectMeta *meta, const char *value)
{
	/* Labels and annotations are maps of the same shape under two generated names. */
	meta_set(&meta->n_annotations, (V3__ObjectMeta__LabelsEntry ***)&meta->annotations,
	         NAME_ANNOTATION, value);
}

int object_encode(struct resource *r, struct buf *out, struct err *err)
{
	V3__ObjectMeta *meta = carries_name_annotation(r->kind) ? model_meta(r->msg, true) : NULL;
	size_t before = out->len;

	if (meta) {
		CLEANUP(buf_done) struct buf value = { 0 };

		buf_str(&value, "{\"name\":");
		json_write(&(struct json){ .type = JSON_STRING,
		                           .text = r->name,
		                           .len = strlen(r->name) },
		           0, &value);
		buf_str(&value, "}");
		annotation_set(meta, buf_cstr(&value));
	}
	mapper_write_text(r->msg, 0, out);
	if (meta)
		annotation_set(meta, NULL);
	if (out->len - before > OBJECT_VALUE_MAX) {
		CLEANUP(buf_done) struct buf ident = { 0 };

		object_ident(r->kind, r->ns, r->name, &ident);
		return err_set(err, -EMSGSIZE,
		               "%.300s is too large: %zu bytes, at most %u can be stored",
		               buf_cstr(&ident), out->len - before, OBJECT_VALUE_MAX);
	}
	return 0;
}

/* ---- reading */

/* The v3 name of a stored policy: from its annotation, which goes; else the stored name without the
 * prefix that old releases wrote. */
static void policy_name_restore(struct resource *r)
{
	static const char old_prefix[] = "default.";
	V3__ObjectMeta *meta = model_meta(r->msg, true);
	const char *value =
	        meta_get(meta->n_annotations,
	                 (V3__ObjectMeta__LabelsEntry *const *)meta->annotations, NAME_ANNOTATION);
	bool in_default = strcmp(model_tier(r->msg), "default") == 0;

	if (value) {
		struct json *j = NULL;

		if (json_parse(value, strlen(value), &j, NULL) == 0 &&
		    json_str(json_get(j, "name")))
			msg_set_str(&meta->name, json_str(json_get(j, "name")));
		json_free(j);
		annotation_set(meta, NULL);
	} else if (in_default && meta->name &&
	           strncmp(meta->name, old_prefix, strlen(old_prefix)) == 0) {
		char *name = xstrdup(meta->name + strlen(old_prefix));

		msg_set_str(&meta->name, name);
		free(name);
	}
}

int object_decode(model_kind kind, const char *ns, const char *name, uint64_t revision,
                  const char *value, size_t len, struct resource **ret, struct err *err)
{
	const struct kind_info *k = kind_info(kind);
	ProtobufCMessage *msg = NULL;
	struct resource *r;
	int rc;

	if (!k)
		return err_set(err, -EINVAL, "kind %d is unknown to this version", (int)kind);
	if (len == 0 && kind == V3__KIND__KIND_IPAM_AFFINITY) { /* as old releases wrote it */
		value = "{\"state\":\"confirmed\"}";
		len = strlen(value);
	}
	rc = mapper_read_text(k->message, value ? value : "", len, MAPPER_KEEP, &msg, err);
	if (rc < 0)
		return rc;
	if (k->v3)
		(void)model_meta(msg, true);
	r = resource_new(kind, ns, name, revision, msg);
	if (carries_name_annotation(kind))
		policy_name_restore(r);
	resource_set_revision(r, revision);
	*ret = r;
	return 0;
}

/* ---- the profile that is always there */

bool object_is_static(model_kind kind, const char *name)
{
	return kind == V3__KIND__KIND_PROFILE && strcmp(name, STATIC_PROFILE) == 0;
}

struct resource *object_static_profile(void)
{
	static const char value[] = "{\"kind\":\"Profile\",\"apiVersion\":\"projectcalico.org/v3\","
	                            "\"metadata\":{\"name\":\"" STATIC_PROFILE "\"},"
	                            "\"spec\":{\"ingress\":[{\"action\":\"Allow\"}],"
	                            "\"egress\":[{\"action\":\"Allow\"}]}}";
	struct resource *r = NULL;
	int rc = object_decode(V3__KIND__KIND_PROFILE, NULL, STATIC_PROFILE, 1, value,
	                       sizeof(value) - 1, &r, NULL);

	return rc == 0 ? r : NULL;
}
