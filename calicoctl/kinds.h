/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kinds: what single kinds ask for beyond their own fields: which writes are not allowed, what must
 * exist, what must not overlap, and what goes with an object when it is deleted.
 */
#pragma once

#include "calicoctl/db.h"

struct err;

#define DEFAULT_NAMESPACE "default"

/* "IPPool(pool1)", "NetworkPolicy(ns1/web)". The caller's. */
char *kinds_identifier(model_kind kind, const char *ns, const char *name);

/* -EOPNOTSUPP with "operation Create is not supported on ...": verb is Create, Update or Delete. */
int kinds_allowed(model_kind kind, const char *ns, const char *name, const char *verb,
                  struct err *err);

/*
 * Checks against other objects. r is about to be created (old NULL) or to replace old. -EINVAL: the
 * object is wrong.
 */
int kinds_check(struct db *db, const struct resource *r, const struct resource *old,
                struct err *err);

/* Where in a manifest the field stands that an error names as upstream does: "spec.cidr" for
 * "IPPool.Spec.CIDR". name itself when it is none of these. */
const char *kinds_path(const char *name);

/* Deletes an object and what belongs to it. revision 0: whatever is there. */
int kinds_remove(struct db *db, model_kind kind, const char *ns, const char *name,
                 uint64_t revision, struct err *err);
