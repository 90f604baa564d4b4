/* SPDX-License-Identifier: BSD-2-Clause */
/* datastore migrate export: all but endpoints of workloads and profiles, which follow from
 * elsewhere. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/cluster.h"
#include "calicoctl/ipam.h"
#include "calicoctl/migrate.h"
#include "calicoctl/output.h"
#include "calicoctl/shown.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define CLUSTER V3__KIND__KIND_CLUSTER_INFORMATION
#define KUBERNETES_POLICY "knp.default."

/* What belongs to the old datastore alone. */
static const char *const dropped[] = { "uid",
	                               "resourceVersion",
	                               "creationTimestamp",
	                               "deletionTimestamp",
	                               "deletionGracePeriodSeconds",
	                               NULL };

static const char *name_of(const struct json *object)
{
	return json_str(json_get(json_get(object, "metadata"), "name"));
}

/*
 * Nodes take the names that Kubernetes knows them by; a node that it does not know cannot go there.
 * A cluster in which no node has such a name is one without Kubernetes: there names stay.
 */
static int map_nodes(const struct json *nodes, struct node_map *map, struct err *err)
{
	const char *missing = NULL;

	for (size_t i = 0; i < nodes->len; i++) {
		const char *name = name_of(nodes->items[i]),
		           *to = migrate_node_name(nodes->items[i]);

		if (to)
			node_map_add(map, name, to);
		else if (!missing)
			missing = name;
	}
	if (missing && map->n)
		return err_set(err, -EINVAL,
		               "node %s missing a 'k8s' orchestrator reference. Unable to export "
		               "data unless every node has a 'k8s' orchestrator reference",
		               missing);
	return 0;
}

/* The objects of a kind, without what does not move. */
static int read_items(struct db *db, const struct kind_info *kind, uint64_t *ret_revision,
                      struct json **ret, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = NULL;
	int rc = ipam_list(db, kind->kind, &all, err);

	if (rc)
		return rc;
	*ret = json_new(JSON_ARRAY);
	*ret_revision = all->header_revision;
	for (size_t i = 0; i < all->n; i++) {
		struct json *object = shown_whole(all->items[i]);

		if (kind->kind == V3__KIND__KIND_NETWORK_POLICY &&
		    strncmp(name_of(object), KUBERNETES_POLICY, strlen(KUBERNETES_POLICY)) == 0) {
			json_free(object);
			continue;
		}
		shown_strip(object, dropped);
		json_append(*ret, object);
	}
	return 0;
}

/* Tiers in the order in which they apply; one without an order is the last. */
static int by_order(const void *a, const void *b)
{
	double x = INFINITY, y = INFINITY;

	(void)json_double(json_get(json_get(*(struct json *const *)a, "spec"), "order"), &x);
	(void)json_double(json_get(json_get(*(struct json *const *)b, "spec"), "order"), &y);
	return x < y ? -1 : x > y;
}

static int write_kind(struct db *db, const char *plural, struct node_map *map, struct err *err)
{
	const struct kind_info *kind = kind_by_alias(plural);
	CLEANUP(buf_done) struct buf text = { 0 };
	struct json *items, *list;
	uint64_t revision;
	int rc;

	if (!kind)
		return 0;
	rc = read_items(db, kind, &revision, &items, err);
	if (rc)
		return rc;
	if (kind->kind == V3__KIND__KIND_NODE)
		rc = map_nodes(items, map, err);
	if (kind->kind == V3__KIND__KIND_TIER && items->len)
		qsort(items->items, items->len, sizeof(*items->items), by_order);
	for (size_t i = 0; i < items->len; i++)
		migrate_object(plural, items->items[i], map);
	list = shown_list(kind, items, revision);
	if (rc == 0)
		rc = output_yaml(list, &text, err);
	json_free(list);
	if (rc == 0)
		printf("%s---\n", buf_cstr(&text));
	return rc;
}

static void write_json(const struct json *j)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	json_write(j, 2, &text);
	printf("%s\n", buf_cstr(&text));
}

static int write_cluster(struct db *db, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, CLUSTER, NULL, "default");
	struct json *j;

	if (r->status != STORE_OK) {
		db_error(r, CLUSTER, NULL, "default", err);
		return err->code;
	}
	j = shown_whole(r->items[0]);
	write_json(j);
	json_free(j);
	return 0;
}

static int add_ipam(struct db *db, model_kind kind, const char *member, const struct node_map *map,
                    struct json *to, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = NULL;
	int rc = ipam_list(db, kind, &all, err);
	struct json *items;

	if (rc || all->n == 0)
		return rc;
	items = json_new(JSON_ARRAY);
	for (size_t i = 0; i < all->n; i++) {
		struct json *item = migrate_ipam_item(all->items[i], map);

		if (item)
			json_append(items, item);
	}
	if (kind == V3__KIND__KIND_IPAM_CONFIG && items->len) { /* there is one, or none */
		json_set(to, member, json_copy(items->items[0]));
		json_free(items);
	} else {
		json_set(to, member, items);
	}
	return 0;
}

static int write_ipam(struct db *db, const struct node_map *map, struct err *err)
{
	struct json *j = json_new(JSON_OBJECT);
	int rc;

	if ((rc = add_ipam(db, V3__KIND__KIND_IPAM_AFFINITY, "block_affinities", map, j, err)) ==
	            0 &&
	    (rc = add_ipam(db, V3__KIND__KIND_IPAM_BLOCK, "blocks", map, j, err)) == 0 &&
	    (rc = add_ipam(db, V3__KIND__KIND_IPAM_HANDLE, "handles", map, j, err)) == 0 &&
	    (rc = add_ipam(db, V3__KIND__KIND_IPAM_CONFIG, "config", map, j, err)) == 0)
		write_json(j);
	json_free(j);
	return rc;
}

static int export(struct db *db, struct err *err)
{
	struct node_map map = { 0 };
	int rc = cluster_demand_lock(db, "to begin migration", err);

	if (rc)
		return rc;
	for (const char *const *plural = migrate_kinds; *plural && rc == 0; plural++)
		rc = write_kind(db, *plural, &map, err);
	if (rc == 0) {
		fputs(MIGRATE_SEPARATOR, stdout);
		rc = write_cluster(db, err);
	}
	if (rc == 0) {
		fputs(MIGRATE_SEPARATOR, stdout);
		rc = write_ipam(db, &map, err);
	}
	node_map_done(&map);
	return rc;
}

int cmd_migrate_export(const struct options *o)
{
	struct db *db = db_begin(o, false);
	struct err err;
	int rc;

	if (!db)
		return 1;
	rc = export(db, &err);
	db_close(db);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
