/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch: changes to a JSON tree, in the three languages that Kubernetes' tools speak.
 *
 *   merge      RFC 7386: a tree that is laid over the object; null takes a member away, a list
 *              replaces a list
 *   strategic  the same, with the directives of Kubernetes: "$patch": replace, delete or merge;
 *              "$retainKeys"; "$deleteFromPrimitiveList/x". Lists are replaced: no type of
 *              upstream's says that its elements are to be merged, but metadata.finalizers, a set
 *   json       RFC 6902: a list of operations: add, remove, replace, move, copy, test
 *
 * Pure.
 */
#pragma once

#include "common/json/json.h"

struct err;

enum patch_type {
	PATCH_STRATEGIC,
	PATCH_MERGE,
	PATCH_JSON,
};

/* "strategic", "merge" or "json". -EINVAL. */
int patch_type_parse(const char *name, enum patch_type *ret, struct err *err);

/* What the object becomes; both trees are left as they are. *ret is the caller's. -EINVAL. */
int patch_apply(enum patch_type type, const struct json *object, const struct json *patch,
                struct json **ret, struct err *err);
