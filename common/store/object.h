/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object: between a resource and the value that stands under its key, as upstream's client library
 * writes it.
 *
 * The one place for the duties that upstream's clientv3 has on a write in etcd mode: kind and
 * apiVersion are always there; uid and creationTimestamp are set when an object is created and kept
 * ever after; resourceVersion and selfLink are not stored; policies carry the annotation
 * projectcalico.org/metadata, which readers never see. Every driver that stores JSON goes through
 * here. Pure but for the random bytes of a uid; called from worker threads.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/model/resource.h"
#include "common/store/store.h"

struct err;

#define OBJECT_VALUE_MAX (1536u << 10) /* bytes of a value: what etcd accepts by default */

/* -EINVAL and a sentence when r cannot be stored: unknown kind, no body, a name or namespace that
 * is missing, superfluous or not its metadata's. */
int object_check(const struct resource *r, struct err *err);

/* The key under which an object stands, the caller's. NULL and a sentence when it cannot have one:
 * unknown kind, a name or namespace that is missing or superfluous. */
char *object_key(model_kind kind, const char *ns, const char *name, struct err *err);

/* Makes r's metadata what is stored: old is what is there now, NULL when nothing is or it cannot be
 * read. */
void object_stamp(struct resource *r, const ProtobufCMessage *old, uint64_t now_unix_sec);

/* Appends r's value. -EMSGSIZE when it is larger than OBJECT_VALUE_MAX. r is as before afterwards.
 */
int object_encode(struct resource *r, struct buf *out, struct err *err);

/* A value as a resource; one of no bytes may be NULL. -EINVAL with a sentence when it is not an
 * object of this kind. */
int object_decode(model_kind kind, const char *ns, const char *name, uint64_t revision,
                  const char *value, size_t len, struct resource **ret, struct err *err);

/* The table of reference semantics: may the write go ahead, given what is there? */
enum object_write {
	OBJECT_CREATE,
	OBJECT_UPDATE,
	OBJECT_APPLY,
	OBJECT_REMOVE
};
enum store_status object_verdict(enum object_write write, bool exists, uint64_t modified,
                                 uint64_t expected);

/* The sentence for a status, as upstream's client says it. */
void object_status_text(enum store_status status, model_kind kind, const char *ns, const char *name,
                        struct buf *out);

/* Profile projectcalico-default-allow: always there, never stored. The caller's. */
struct resource *object_static_profile(void);
bool object_is_static(model_kind kind, const char *name);
