/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resource: one object of the datastore: its identity, its revision, its message. And the generic
 * walkers over messages, driven by protobuf-c's descriptors: copy, equal, free.
 */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/model/kind.h"

struct err;

#define MODEL_API_VERSION "projectcalico.org/v3"

/*
 * The protobuf field number under which a message keeps JSON members that its .proto does not know,
 * each as the text "name":value of a length-delimited unknown field. Pack and unpack carry them
 * along.
 */
#define MODEL_UNKNOWN_TAG 536870911u

struct resource {
	model_kind kind;
	char *ns; /* NULL when the kind has none */
	char *name;
	uint64_t revision;     /* 0: none */
	uint32_t ttl_sec;      /* in a write: it goes away unless written again; 0: it stays */
	ProtobufCMessage *msg; /* NULL: of a deletion */
};

struct resource *resource_new(model_kind kind, const char *ns, const char *name, uint64_t revision,
                              ProtobufCMessage *msg /* taken */);
struct resource *resource_copy(const struct resource *r);
void resource_free(struct resource *r); /* NULL is fine */

/* The metadata of a v3 message; created when create is set and it has none. NULL for messages
 * without metadata. Borrowed. */
V3__ObjectMeta *model_meta(ProtobufCMessage *msg, bool create);

/* The tier of a policy, staged or not, "default" when it names none. NULL: msg is no such policy.
 * Borrowed. */
const char *model_tier(const ProtobufCMessage *msg);

/*
 * The resource of a v3 message (taken): identity and revision from its metadata (resourceVersion is
 * decimal). -EINVAL when the name is missing or resourceVersion is not a number; msg is then still
 * the caller's.
 */
int resource_from_msg(ProtobufCMessage *msg, struct resource **ret, struct err *err);

/*
 * Generic walkers. Results are freed with msg_free(). The entries of a map compare equal in any
 * order.
 */
ProtobufCMessage *msg_new(const ProtobufCMessageDescriptor *d);
ProtobufCMessage *msg_copy(const ProtobufCMessage *m);
bool msg_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);
void msg_free(ProtobufCMessage *m); /* NULL is fine */

/* Setters for optional strings and maps of strings (n_x/x pairs of entries with key and value),
 * which msg_free() frees. */
void msg_set_str(char **field, const char *value); /* NULL clears */
const char *meta_get(size_t n, V3__ObjectMeta__LabelsEntry *const *entries, const char *key);
void meta_set(size_t *n, V3__ObjectMeta__LabelsEntry ***entries, const char *key,
              const char *value); /* value NULL removes */

/* Whether d is the entry of a map<> field: key = 1 and value = 2, and a name that ends in Entry. */
bool msg_is_map_entry(const ProtobufCMessageDescriptor *d);

/* Whether d stands for the list or map in its only field, items: one that may be there and empty.
 */
bool msg_is_list(const ProtobufCMessageDescriptor *d);

/*
 * Members that have no field, here and in all messages inside: gives to those of from, which is the
 * same object as it was before a change, that it does not have itself. In a list, what was unknown
 * in an item goes to the item that is the same otherwise.
 */
void msg_keep_unknown(ProtobufCMessage *to, const ProtobufCMessage *from);
void msg_drop_unknown(ProtobufCMessage *m);

/*
 * Packs into out (appended); unpacks. The result of unpack is freed with msg_free(). NULL: not such
 * a message. Entries of maps that came without key or value have the empty ones: nobody has to look
 * for NULL there.
 */
void msg_pack(const ProtobufCMessage *m, struct buf *out);
ProtobufCMessage *msg_unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t len);

/*
 * A name for a WorkloadEndpoint from its identity (upstream's escaping). The third segment is the
 * pod (k8s), the container's ID (cni), the word libnetwork (libnetwork; what is given is ignored)
 * or the workload (all others). -EINVAL when a segment may not be used: empty, or '-' at its
 * beginning or end.
 */
int wep_name(const char *node, const char *orchestrator, const char *workload_or_pod_or_container,
             const char *endpoint, char **ret, struct err *err);
struct V3__WorkloadEndpointSpec;
/* By a WorkloadEndpointSpec's own fields. */
int wep_name_of(const struct V3__WorkloadEndpointSpec *spec, char **ret, struct err *err);
