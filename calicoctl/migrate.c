/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/migrate.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/key.h"
#include "common/model/mapper.h"
#include "proto/v3_ippool.pb-c.h"

/* Upstream's order: what others refer to comes first; nodes before what is named after one. */
const char *const migrate_kinds[] = {
	"ippools",
	"bgppeers",
	"tiers",
	"globalnetworkpolicies",
	"stagedglobalnetworkpolicies",
	"globalnetworksets",
	"hostendpoints",
	"kubecontrollersconfigurations",
	"networkpolicies",
	"stagednetworkpolicies",
	"stagedkubernetesnetworkpolicies",
	"networksets",
	"nodes",
	"bgpconfigurations",
	"felixconfigurations",
	"ipreservations",
	"bgpfilters",
	NULL,
};

/* ---- names of nodes */

void node_map_add(struct node_map *map, const char *from, const char *to)
{
	map->from = xrealloc(map->from, (map->n + 1) * sizeof(*map->from));
	map->to = xrealloc(map->to, (map->n + 1) * sizeof(*map->to));
	map->from[map->n] = xstrdup(from);
	map->to[map->n++] = xstrdup(to);
}

const char *node_map_get(const struct node_map *map, const char *from)
{
	for (size_t i = 0; from && i < map->n; i++)
		if (strcmp(map->from[i], from) == 0)
			return map->to[i];
	return NULL;
}

void node_map_done(struct node_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->from[i]);
		free(map->to[i]);
	}
	free(map->from);
	free(map->to);
	*map = (struct node_map){ 0 };
}

const char *migrate_node_name(const struct json *node)
{
	const struct json *refs = json_get(json_get(node, "spec"), "orchRefs");
	const char *name = NULL;

	for (size_t i = 0; refs && refs->type == JSON_ARRAY && i < refs->len; i++) {
		const char *orchestrator = json_str(json_get(refs->items[i], "orchestrator"));

		if (orchestrator && strcmp(orchestrator, "k8s") == 0)
			name = json_str(json_get(refs->items[i], "nodeName"));
	}
	return name && *name ? name : NULL;
}

/* "node.n1" is the configuration of n1. */
static void rename_config(struct json *object, const struct node_map *map)
{
	struct json *meta = json_get(object, "metadata");
	const char *name = json_str(json_get(meta, "name"));
	const char *to =
	        name && strncmp(name, "node.", 5) == 0 ? node_map_get(map, name + 5) : NULL;

	if (to) {
		CLEANUP(free_p) char *renamed = xasprintf("node.%s", to);

		json_set(meta, "name", json_new_str(renamed));
	}
}

/* Releases before v3 took ACCEPT for Accept. */
static void capitalise(struct json *spec, const char *field)
{
	const char *text = json_str(json_get(spec, field));
	CLEANUP(free_p) char *fixed = NULL;

	if (!text || !*text)
		return;
	fixed = xstrdup(text);
	for (char *c = fixed; *c; c++)
		*c = (char)(c == fixed ? toupper((unsigned char)*c) : tolower((unsigned char)*c));
	json_set(spec, field, json_new_str(fixed));
}

void migrate_object(const char *plural, struct json *object, const struct node_map *map)
{
	static const char *const actions[] = { "defaultEndpointToHostAction",
		                               "iptablesFilterAllowAction",
		                               "iptablesMangleAllowAction",
		                               "iptablesFilterDenyAction" };

	if (strcmp(plural, "felixconfigurations") == 0) {
		rename_config(object, map);
		for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
			capitalise(json_get(object, "spec"), actions[i]);
	} else if (strcmp(plural, "bgpconfigurations") == 0) {
		rename_config(object, map);
	} else if (strcmp(plural, "nodes") == 0) {
		struct json *meta = json_get(object, "metadata");
		const char *to = node_map_get(map, json_str(json_get(meta, "name")));

		if (to)
			json_set(meta, "name", json_new_str(to));
	}
}

/* ---- IPAM */

/* Handles of tunnels end with their node's name. NULL: it stays. The caller's. */
static char *rename_handle(const char *id, const struct node_map *map)
{
	static const char *const prefixes[] = { "ipip-tunnel-addr-", "vxlan-tunnel-addr-",
		                                "vxlan-v6-tunnel-addr-", "wireguard-tunnel-addr-",
		                                "wireguard-v6-tunnel-addr-" };

	for (size_t i = 0; id && i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i]);
		const char *to =
		        strncmp(id, prefixes[i], len) == 0 ? node_map_get(map, id + len) : NULL;

		if (to)
			return xasprintf("%s%s", prefixes[i], to);
	}
	return NULL;
}

typedef V3__IpamAttribute__SecondaryEntry attr_entry;

static void rename_attr(size_t n, attr_entry **entries, const struct node_map *map)
{
	for (size_t i = 0; i < n; i++) {
		const char *to = strcmp(entries[i]->key, "node") == 0
		                         ? node_map_get(map, entries[i]->value)
		                         : NULL;

		if (to)
			msg_set_str(&entries[i]->value, to);
	}
}

static void rename_block(V3__IpamBlock *b, const struct node_map *map)
{
	const char *owner = b->affinity && strncmp(b->affinity, "host:", 5) == 0
	                            ? node_map_get(map, b->affinity + 5)
	                            : NULL;

	if (owner) {
		CLEANUP(free_p) char *affinity = xasprintf("host:%s", owner);

		msg_set_str(&b->affinity, affinity);
	}
	for (size_t i = 0; i < b->n_attributes; i++) {
		V3__IpamAttribute *a = b->attributes[i];
		CLEANUP(free_p) char *handle = rename_handle(a->handle_id, map);

		if (handle)
			msg_set_str(&a->handle_id, handle);
		rename_attr(a->n_secondary, a->secondary, map);
		rename_attr(a->n_alternateownerattrs, (attr_entry **)a->alternateownerattrs, map);
	}
}

/* The name under which the object goes on. The caller's. */
static char *renamed(const struct resource *r, const struct node_map *map)
{
	if (r->kind == V3__KIND__KIND_IPAM_AFFINITY && strncmp(r->name, "virtual:", 8) != 0) {
		const char *slash = strchr(r->name, '/');
		CLEANUP(free_p)
		char *node = slash ? xstrndup(r->name, (size_t)(slash - r->name)) : NULL;
		const char *to = node_map_get(map, node);

		if (to)
			return xasprintf("%s%s", to, slash);
	} else if (r->kind == V3__KIND__KIND_IPAM_HANDLE) {
		char *to = rename_handle(r->name, map);

		if (to)
			return to;
	}
	return xstrdup(r->name);
}

struct json *migrate_ipam_item(const struct resource *r, const struct node_map *map)
{
	CLEANUP(free_p) char *name = renamed(r, map);
	CLEANUP(free_p) char *key = key_of(r->kind, NULL, name, NULL);
	ProtobufCMessage *msg;
	struct json *item;

	if (!key)
		return NULL;
	msg = msg_copy(r->msg);
	if (r->kind == V3__KIND__KIND_IPAM_BLOCK)
		rename_block((V3__IpamBlock *)msg, map);
	item = json_new(JSON_OBJECT);
	json_set(item, "Key", json_new_str(key));
	json_set(item, "Value", mapper_write(msg));
	json_set(item, "TTL", json_new_number("0"));
	msg_free(msg);
	return item;
}

int migrate_ipam_read(const struct json *item, struct resource **ret, struct err *err)
{
	const char *key = json_str(json_get(item, "Key"));
	const struct json *value = json_get(item, "Value");
	CLEANUP(free_p) char *ns = NULL;
	CLEANUP(free_p) char *name = NULL;
	ProtobufCMessage *msg;
	model_kind kind;
	int rc;

	if (!key || !value)
		return err_set(err, -EINVAL, "an item has no Key or no Value");
	if (key_parse(key, &kind, &ns, &name) != 0 || kind_info(kind)->v3 ||
	    (kind != V3__KIND__KIND_IPAM_AFFINITY && kind != V3__KIND__KIND_IPAM_BLOCK &&
	     kind != V3__KIND__KIND_IPAM_HANDLE && kind != V3__KIND__KIND_IPAM_CONFIG))
		return err_set(err, -EINVAL, "%.200s is not a key of IPAM's", key);
	rc = mapper_read(kind_info(kind)->message, value, MAPPER_KEEP, &msg, err);
	if (rc)
		return err_wrap(err, rc, "%.200s", key);
	*ret = resource_new(kind, NULL, name, 0, msg);
	return 0;
}

/* ---- the file */

int migrate_cut(const char *text, size_t len, struct migrate_part ret[3])
{
	const size_t width = strlen(MIGRATE_SEPARATOR);
	const char *at = text, *end = text + len;

	for (int i = 0; i < 3; i++) {
		const char *cut = memmem(at, (size_t)(end - at), MIGRATE_SEPARATOR, width);

		if ((cut != NULL) != (i < 2))
			return -EINVAL;
		ret[i] = (struct migrate_part){ at, (size_t)((cut ? cut : end) - at) };
		at = cut ? cut + width : end;
	}
	return 0;
}
