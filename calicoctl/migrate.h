/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * migrate: what goes from one datastore to another, and in which order.
 *
 * An export is three parts between lines of "===": a YAML document for each kind, the
 * ClusterInformation as JSON, and IPAM's objects as JSON, by the keys that they have in etcd.
 */
#pragma once

#include <stddef.h>

#include "common/json/json.h"
#include "common/model/resource.h"

struct err;

#define MIGRATE_SEPARATOR "===\n"
#define MIGRATE_MAX (256u << 20) /* bytes of an export that is read */

extern const char *const migrate_kinds[]; /* plural names, ended by NULL */

/* Node names that change: to what Kubernetes calls the node. */
struct node_map {
	char **from, **to;
	size_t n;
};
void node_map_add(struct node_map *map, const char *from, const char *to);
const char *node_map_get(const struct node_map *map, const char *from); /* NULL: it stays */
void node_map_done(struct node_map *map);

/* How a node is called in Kubernetes, by its orchRefs; NULL when they do not say. Borrowed. */
const char *migrate_node_name(const struct json *node);

/* Renames what an object of a kind says about nodes, and puts right what old releases wrote. */
void migrate_object(const char *plural, struct json *object, const struct node_map *map);

/* An object of IPAM as {Key, Value, TTL}, with the nodes renamed. NULL when it has no key. The
 * caller's. */
struct json *migrate_ipam_item(const struct resource *r, const struct node_map *map);

/* And back. -EINVAL with what is wrong. */
int migrate_ipam_read(const struct json *item, struct resource **ret, struct err *err);

/* Cuts an export in its three parts; -EINVAL when it is none. */
struct migrate_part {
	const char *text;
	size_t len;
};
int migrate_cut(const char *text, size_t len, struct migrate_part ret[3]);
