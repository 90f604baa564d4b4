/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/resource.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "proto/v3_endpoint.pb-c.h"

struct resource *resource_new(model_kind kind, const char *ns, const char *name, uint64_t revision,
                              ProtobufCMessage *msg)
{
	struct resource *r = xcalloc(1, sizeof(*r));

	r->kind = kind;
	r->ns = ns && *ns != '\0' ? xstrdup(ns) : NULL;
	r->name = xstrdup(name);
	r->revision = revision;
	r->msg = msg;
	return r;
}

struct resource *resource_copy(const struct resource *r)
{
	struct resource *copy = resource_new(r->kind, r->ns, r->name, r->revision,
	                                     r->msg ? msg_copy(r->msg) : NULL);

	copy->ttl_sec = r->ttl_sec;
	return copy;
}

void resource_free(struct resource *r)
{
	if (!r)
		return;
	free(r->ns);
	free(r->name);
	msg_free(r->msg);
	free(r);
}

V3__ObjectMeta *model_meta(ProtobufCMessage *msg, bool create)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, "metadata");
	V3__ObjectMeta **at;

	if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE ||
	    f->descriptor != &v3__object_meta__descriptor)
		return NULL;
	at = (V3__ObjectMeta **)((char *)msg + f->offset);
	if (!*at && create)
		*at = (V3__ObjectMeta *)msg_new(&v3__object_meta__descriptor);
	return *at;
}

const char *model_tier(const ProtobufCMessage *msg)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, "spec");
	const ProtobufCMessage *spec;
	const char *tier;

	if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return NULL;
	spec = *(ProtobufCMessage *const *)(const void *)((const char *)msg + f->offset);
	f = protobuf_c_message_descriptor_get_field_by_name(f->descriptor, "tier");
	if (!f || f->type != PROTOBUF_C_TYPE_STRING)
		return NULL;
	tier = spec ? *(char *const *)(const void *)((const char *)spec + f->offset) : NULL;
	return tier && *tier != '\0' ? tier : "default";
}

static int parse_revision(const char *s, uint64_t *ret)
{
	char *end;

	*ret = 0;
	if (!s || *s == '\0')
		return 0;
	if (strspn(s, "0123456789") != strlen(s))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return errno ? -EINVAL : 0;
}

int resource_from_msg(ProtobufCMessage *msg, struct resource **ret, struct err *err)
{
	const struct kind_info *k = kind_by_message(msg->descriptor);
	const V3__ObjectMeta *meta = model_meta(msg, false);
	uint64_t revision;

	if (!k || !k->v3)
		return err_set(err, -EINVAL, "%s is not a resource", msg->descriptor->short_name);
	if (!meta || !meta->name || *meta->name == '\0')
		return err_set(err, -EINVAL, "metadata.name: %s without a name", k->name);
	if (parse_revision(meta->resourceversion, &revision) < 0)
		return err_set(err, -EINVAL, "metadata.resourceVersion: '%s' is not a revision",
		               meta->resourceversion);
	*ret = resource_new(k->kind, k->namespaced ? meta->namespace_ : NULL, meta->name, revision,
	                    msg);
	return 0;
}

/* ---- setters */

void msg_set_str(char **field, const char *value)
{
	char *copy = xstrdup(value); /* value may be inside *field */

	free(*field);
	*field = copy;
}

static size_t meta_find(size_t n, V3__ObjectMeta__LabelsEntry *const *entries, const char *key)
{
	size_t i = 0;

	while (i < n && !(entries[i]->key && strcmp(entries[i]->key, key) == 0))
		i++;
	return i;
}

const char *meta_get(size_t n, V3__ObjectMeta__LabelsEntry *const *entries, const char *key)
{
	size_t i = meta_find(n, entries, key);

	if (i == n)
		return NULL;
	return entries[i]->value ? entries[i]->value : "";
}

void meta_set(size_t *n, V3__ObjectMeta__LabelsEntry ***entries, const char *key, const char *value)
{
	size_t i = meta_find(*n, *entries, key);

	if (!value) {
		if (i == *n)
			return;
		msg_free(&(*entries)[i]->base);
		memmove(*entries + i, *entries + i + 1, (*n - i - 1) * sizeof(**entries));
		if (--*n == 0) {
			free(*entries);
			*entries = NULL;
		}
		return;
	}
	if (i == *n) {
		*entries = xrealloc(*entries, (*n + 1) * sizeof(**entries));
		(*entries)[i] = (V3__ObjectMeta__LabelsEntry *)msg_new(
		        &v3__object_meta__labels_entry__descriptor);
		(*entries)[i]->key = xstrdup(key);
		++*n;
	}
	msg_set_str(&(*entries)[i]->value, value);
}

/* ---- names of workload endpoints */

/* Appends s with each '-' doubled, so that the single ones stand between segments alone. */
static int add_segment(const char *what, const char *s, struct buf *out, struct err *err)
{
	if (!s || *s == '\0')
		return err_set(err, -EINVAL, "WorkloadEndpoint: no name without %s", what);
	if (s[0] == '-' || s[strlen(s) - 1] == '-')
		return err_set(err, -EINVAL, "WorkloadEndpoint: %s '%s' begins or ends with '-'",
		               what, s);
	if (out->len > 0)
		buf_byte(out, '-');
	for (; *s != '\0'; s++)
		buf_str(out, *s == '-' ? "--" : (const char[]){ *s, '\0' });
	return 0;
}

static const char *third_segment(const char *orchestrator)
{
	if (strcmp(orchestrator, "k8s") == 0)
		return "pod";
	if (strcmp(orchestrator, "cni") == 0)
		return "containerID";
	return "workload";
}

int wep_name(const char *node, const char *orchestrator, const char *workload_or_pod_or_container,
             const char *endpoint, char **ret, struct err *err)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	int r = add_segment("node", node, &out, err);

	if (r == 0)
		r = add_segment("orchestrator", orchestrator, &out, err);
	if (r == 0 && strcmp(orchestrator, "libnetwork") == 0)
		r = add_segment("orchestrator", orchestrator, &out, err);
	else if (r == 0)
		r = add_segment(third_segment(orchestrator), workload_or_pod_or_container, &out,
		                err);
	if (r == 0)
		r = add_segment("endpoint", endpoint, &out, err);
	if (r == 0)
		*ret = buf_take(&out);
	return r;
}

int wep_name_of(const V3__WorkloadEndpointSpec *spec, char **ret, struct err *err)
{
	const char *third = spec->workload;

	if (spec->orchestrator && strcmp(spec->orchestrator, "k8s") == 0)
		third = spec->pod;
	else if (spec->orchestrator && strcmp(spec->orchestrator, "cni") == 0)
		third = spec->containerid;
	return wep_name(spec->node, spec->orchestrator, third, spec->endpoint, ret, err);
}
