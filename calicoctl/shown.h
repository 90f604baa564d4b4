/* SPDX-License-Identifier: BSD-2-Clause */
/* shown: an object of the datastore as people see it. */
#pragma once

#include "common/json/json.h"
#include "common/model/resource.h"

/* The object as JSON, with its revision in the metadata. What older writers stored is shown as it
 * is understood: with the defaults of reading, and without members that this program has no field
 * for, which stay in the datastore. The caller's. */
struct json *shown_tree(const struct resource *r);

/* The same with all its members, also those that this program has no field for: for a copy. */
struct json *shown_whole(const struct resource *r);

/* Takes these members off an object's metadata; the list ends with NULL. */
void shown_strip(struct json *object, const char *const *members);

/* The list of a kind as upstream's tools show it: {apiVersion, items, kind, metadata}. items is
 * taken. */
struct json *shown_list(const struct kind_info *kind, struct json *items, uint64_t revision);
