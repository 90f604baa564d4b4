/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/kinds.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "calicoctl/release.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/net/addr.h"
#include "common/store/object.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define POOL V3__KIND__KIND_IP_POOL
#define TIER V3__KIND__KIND_TIER
#define NODE V3__KIND__KIND_NODE
#define WEP V3__KIND__KIND_WORKLOAD_ENDPOINT

/* What kube-controllers makes of Kubernetes' own. */
#define KUBERNETES_POLICY "knp.default."
#define USES_MAX 128 /* of a pool's uses as text */

/* How long ipamd may still be handing out what it decided on before a pool was disabled. */
#define POOL_SETTLE_MS 500

char *kinds_identifier(model_kind kind, const char *ns, const char *name)
{
	return xasprintf("%s(%s%s%s)", kind_info(kind)->name, ns ? ns : "", ns ? "/" : "", name);
}

static bool is_built_in_tier(const char *name)
{
	return strcmp(name, "default") == 0 || strcmp(name, "kube-admin") == 0 ||
	       strcmp(name, "kube-baseline") == 0;
}

static int not_supported(const char *name, const char *verb, const char *why, struct err *err)
{
	return err_set(err, -EOPNOTSUPP, "operation %s is not supported on %s%s%s", verb, name,
	               why ? ": " : "", why ? why : "");
}

static const char *words_of(const char *verb)
{
	return strcmp(verb, "Create") == 0   ? "create or apply"
	       : strcmp(verb, "Update") == 0 ? "apply or replace"
	                                     : "delete";
}

/* The profile that is always there. */
static int static_profile(const char *name, const char *verb, struct err *err)
{
	CLEANUP(free_p)
	char *why = xasprintf("The profile \"%s\" is a default provided by Calico and cannot be %s",
	                      name, strcmp(verb, "Delete") == 0 ? "deleted" : "updated");

	if (strcmp(verb, "Create") != 0)
		return not_supported(name, verb, why, err);
	return err_set(err, -EEXIST,
	               "resource already exists: %s with error: %s already exists. The profile "
	               "\"%s\" is default provided by Calico",
	               name, name, name);
}

int kinds_allowed(model_kind kind, const char *ns, const char *name, const char *verb,
                  struct err *err)
{
	CLEANUP(free_p) char *id = kinds_identifier(kind, ns, name);

	if (kind == V3__KIND__KIND_CLUSTER_INFORMATION)
		return not_supported("ClusterInformation", words_of(verb), NULL, err);
	if (kind == V3__KIND__KIND_NETWORK_POLICY &&
	    strncmp(name, KUBERNETES_POLICY, strlen(KUBERNETES_POLICY)) == 0)
		return not_supported(id, words_of(verb),
		                     "kubernetes network policies must be managed through the "
		                     "kubernetes API",
		                     err);
	if (object_is_static(kind, name)) {
		return static_profile(name, verb, err);
	}
	if (kind == TIER && strcmp(verb, "Delete") == 0 && is_built_in_tier(name)) {
		CLEANUP(free_p) char *why = xasprintf("Cannot delete %s tier", name);

		return not_supported(name, verb, why, err);
	}
	return 0;
}

/* ---- before a write */

static const struct {
	const char *name, *path;
} fields[] = {
	{ "Metadata.ResourceVersion", "metadata.resourceVersion" },
	{ "Name", "metadata.name" },
	{ "IPPool.Spec.CIDR", "spec.cidr" },
	{ "IPPool.Spec.BlockSize", "spec.blockSize" },
	{ "IPPool.Spec.AllowedUses", "spec.allowedUses" },
};

const char *kinds_path(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].path;
	return name;
}

static int field_error(struct err *err, const char *field, const char *value, const char *reason)
{
	return err_set(err, -EINVAL, "error with field %s = '%s' (%s)", field, value, reason);
}

static const char *pool_cidr(const struct resource *r)
{
	const V3__IPPool *p = (const V3__IPPool *)r->msg;

	return p->spec && p->spec->cidr ? p->spec->cidr : "";
}

static int64_t pool_block_size(const struct resource *r)
{
	const V3__IPPool *p = (const V3__IPPool *)r->msg;

	if (p->spec && p->spec->has_blocksize && p->spec->blocksize)
		return p->spec->blocksize;
	return strchr(pool_cidr(r), ':') ? 122 : 26;
}

/* Blocks that were cut in another size would never fit the pool's. */
static int check_blocks(struct db *db, const struct resource *r, const struct ip_prefix *cidr,
                        struct err *err)
{
	CLEANUP(result_p)
	struct store_result *blocks = db_list(db, V3__KIND__KIND_IPAM_BLOCK, NULL, NULL);
	char size[24];

	if (blocks->status != STORE_OK) {
		db_error(blocks, V3__KIND__KIND_IPAM_BLOCK, NULL, "", err);
		return err->code;
	}
	snprintf(size, sizeof(size), "%lld", (long long)pool_block_size(r));
	for (size_t i = 0; i < blocks->n; i++) {
		struct ip_prefix block;

		if (ip_prefix_parse(blocks->items[i]->name, &block) == 0 &&
		    ip_prefix_overlaps(cidr, &block) && block.len != pool_block_size(r))
			return field_error(
			        err, "IPPool.Spec.BlockSize", size,
			        "IPPool blocksSize conflicts with existing allocations that use a "
			        "different blockSize");
	}
	return 0;
}

static bool pool_has_use(const struct resource *r, const char *use)
{
	const V3__IPPool *p = (const V3__IPPool *)r->msg;

	for (size_t i = 0; p->spec && i < p->spec->n_alloweduses; i++)
		if (strcmp(p->spec->alloweduses[i], use) == 0)
			return true;
	return false;
}

/* "[Workload Tunnel]" */
static const char *pool_uses(const struct resource *r, char text[USES_MAX])
{
	const V3__IPPool *p = (const V3__IPPool *)r->msg;
	size_t len = 0;

	for (size_t i = 0; i < p->spec->n_alloweduses && len < USES_MAX; i++)
		len += (size_t)snprintf(text + len, USES_MAX - len, "%s%s", i > 0 ? " " : "[",
		                        p->spec->alloweduses[i]);
	if (len < USES_MAX)
		(void)snprintf(text + len, USES_MAX - len, "]");
	return text;
}

static int check_pool(struct db *db, const struct resource *r, const struct resource *old,
                      struct err *err)
{
	CLEANUP(result_p) struct store_result *pools = NULL;
	struct ip_prefix mine, other;
	char size[24], uses[USES_MAX];

	if (ip_prefix_parse(pool_cidr(r), &mine) != 0)
		return 0; /* validation has said so */
	if (old) {
		bool moved = ip_prefix_parse(pool_cidr(old), &other) == 0 &&
		             !ip_prefix_eq(&mine, &other);
		bool resized = pool_block_size(r) != pool_block_size(old);

		snprintf(size, sizeof(size), "%lld", (long long)pool_block_size(r));
		if (moved && resized)
			return err_set(err, -EINVAL,
			               "error with the following fields:\n-  IPPool.Spec.CIDR = "
			               "'%s' (IPPool CIDR cannot be modified)\n-  "
			               "IPPool.Spec.BlockSize = '%s' (IPPool BlockSize cannot be "
			               "modified)\n",
			               pool_cidr(r), size);
		if (moved)
			return field_error(err, "IPPool.Spec.CIDR", pool_cidr(r),
			                   "IPPool CIDR cannot be modified");
		if (resized)
			return field_error(err, "IPPool.Spec.BlockSize", size,
			                   "IPPool BlockSize cannot be modified");
		if (pool_has_use(old, "LoadBalancer") &&
		    (pool_has_use(r, "Workload") || pool_has_use(r, "Tunnel")))
			return field_error(err, "IPPool.Spec.AllowedUses", pool_uses(r, uses),
			                   "IPPool allowed use cannot be changed from LoadBalacer "
			                   "to Workload or Tunnel");
		return 0;
	}
	pools = db_list(db, POOL, NULL, NULL);
	if (pools->status != STORE_OK) {
		db_error(pools, POOL, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < pools->n; i++) {
		const struct resource *p = pools->items[i];

		if (strcmp(p->name, r->name) == 0 || ip_prefix_parse(pool_cidr(p), &other) != 0 ||
		    !ip_prefix_overlaps(&mine, &other))
			continue;
		CLEANUP(free_p)
		char *reason = xasprintf("IPPool(%s) CIDR overlaps with IPPool(%s) CIDR %s",
		                         r->name, p->name, pool_cidr(p));
		return field_error(err, "IPPool.Spec.CIDR", pool_cidr(r), reason);
	}
	return check_blocks(db, r, &mine, err);
}

/* The kinds that are in tiers. */
static const model_kind policies[] = {
	V3__KIND__KIND_NETWORK_POLICY,
	V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
};

/* A policy in a tier that does not exist would never be looked at. */
static int check_tier(struct db *db, const struct resource *r, struct err *err)
{
	const char *tier = model_tier(r->msg);
	CLEANUP(result_p) struct store_result *found = db_get(db, TIER, NULL, tier);

	if (found->status == STORE_OK)
		return 0;
	db_error(found, TIER, NULL, tier, err);
	return found->status == STORE_NOT_FOUND ? err_wrap(err, -EINVAL, "spec.tier") : err->code;
}

static bool is_there(const struct store_result *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->items[i]->name, name) == 0)
			return true;
	return false;
}

/* A peer with a filter that does not exist would have none. */
static int check_filters(struct db *db, const struct resource *r, struct err *err)
{
	const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;
	CLEANUP(result_p) struct store_result *all = NULL;
	CLEANUP(buf_done) struct buf missing = { 0 };

	if (!s || s->n_filters == 0)
		return 0;
	all = db_list(db, V3__KIND__KIND_BGP_FILTER, NULL, NULL);
	if (all->status != STORE_OK) {
		db_error(all, V3__KIND__KIND_BGP_FILTER, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < s->n_filters; i++)
		if (!is_there(all, s->filters[i]))
			buf_printf(&missing, "%s%s", missing.len > 0 ? " " : "[", s->filters[i]);
	if (missing.len == 0)
		return 0;
	buf_byte(&missing, ']');
	return field_error(err, "BGPPeer.Spec.Filters", buf_cstr(&missing),
	                   "BGPFilter(s) not found");
}

int kinds_check(struct db *db, const struct resource *r, const struct resource *old,
                struct err *err)
{
	if (r->kind == POOL)
		return check_pool(db, r, old, err);
	if (r->kind == V3__KIND__KIND_BGP_PEER)
		return check_filters(db, r, err);
	for (size_t i = 0; !old && i < ARRAY_SIZE(policies); i++)
		if (r->kind == policies[i])
			return check_tier(db, r, err);
	return 0;
}

/* ---- deletion */

static int remove_one(struct db *db, model_kind kind, const char *ns, const char *name,
                      uint64_t revision, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_remove(db, kind, ns, name, revision);

	if (r->status == STORE_OK)
		return 0;
	db_error(r, kind, ns, name, err);
	return err->code;
}

static int remove_if_there(struct db *db, model_kind kind, const char *ns, const char *name,
                           struct err *err)
{
	int rc = remove_one(db, kind, ns, name, 0, err);

	return rc == -ENOENT ? 0 : rc;
}

struct addr_list {
	struct ip_addr *items;
	size_t n;
};

static void add_addr(struct addr_list *l, const char *text)
{
	struct ip_prefix p;

	if (!text || ip_prefix_parse(text, &p) != 0)
		return;
	l->items = xrealloc(l->items, (l->n + 1) * sizeof(*l->items));
	l->items[l->n++] = p.addr;
}

static bool wep_is_on(const struct resource *r, const char *node)
{
	const V3__WorkloadEndpoint *w = (const V3__WorkloadEndpoint *)r->msg;

	return w->spec && w->spec->node && strcmp(w->spec->node, node) == 0;
}

static bool peer_is_of(const struct resource *r, const char *node)
{
	const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;

	return s && s->node && strcmp(s->node, node) == 0;
}

static bool host_endpoint_is_on(const struct resource *r, const char *node)
{
	const V3__HostEndpointSpec *s = ((const V3__HostEndpoint *)r->msg)->spec;

	return s && s->node && strcmp(s->node, node) == 0;
}

/* All objects of a kind that belong to the node. */
static int remove_all_of(struct db *db, model_kind kind,
                         bool (*is_of)(const struct resource *r, const char *node),
                         const char *node, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = db_list(db, kind, NULL, NULL);
	int rc = 0;

	if (all->status != STORE_OK) {
		db_error(all, kind, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < all->n && rc == 0; i++)
		if (is_of(all->items[i], node))
			rc = remove_if_there(db, kind, NULL, all->items[i]->name, err);
	return rc;
}

/* The node's BGPPeers, its own settings, its HostEndpoints. */
static int remove_settings_of_node(struct db *db, const char *node, struct err *err)
{
	static const model_kind settings[] = { V3__KIND__KIND_FELIX_CONFIGURATION,
		                               V3__KIND__KIND_BGP_CONFIGURATION };
	CLEANUP(free_p) char *own = xasprintf("node.%s", node);
	int rc = remove_all_of(db, V3__KIND__KIND_BGP_PEER, peer_is_of, node, err);

	for (size_t i = 0; i < ARRAY_SIZE(settings) && rc == 0; i++)
		rc = remove_if_there(db, settings[i], NULL, own, err);
	if (rc)
		return rc;
	return remove_all_of(db, V3__KIND__KIND_HOST_ENDPOINT, host_endpoint_is_on, node, err);
}

/* A node takes with it the addresses and endpoints of its workloads, its blocks, its part of BGP
 * and its settings; itself last, so that what fails can be repeated. */
static int remove_node(struct db *db, const char *name, uint64_t revision, struct err *err)
{
	CLEANUP(result_p) struct store_result *node = db_get(db, NODE, NULL, name);
	CLEANUP(result_p) struct store_result *weps = NULL;
	struct addr_list addrs = { 0 };
	const V3__Node *n;
	int rc = 0;

	if (node->status != STORE_OK || (revision && revision != node->items[0]->revision)) {
		if (node->status == STORE_OK)
			node->status = STORE_CONFLICT;
		db_error(node, NODE, NULL, name, err);
		return err->code;
	}
	weps = db_list(db, WEP, NULL, NULL);
	if (weps->status != STORE_OK) {
		db_error(weps, WEP, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < weps->n; i++) {
		const V3__WorkloadEndpoint *w = (const V3__WorkloadEndpoint *)weps->items[i]->msg;

		for (size_t k = 0; wep_is_on(weps->items[i], name) && k < w->spec->n_ipnetworks;
		     k++)
			add_addr(&addrs, w->spec->ipnetworks[k]);
	}
	n = (const V3__Node *)node->items[0]->msg;
	if (n->spec) {
		add_addr(&addrs, n->spec->bgp ? n->spec->bgp->ipv4ipiptunneladdr : NULL);
		add_addr(&addrs, n->spec->ipv4vxlantunneladdr);
		add_addr(&addrs,
		         n->spec->wireguard ? n->spec->wireguard->interfaceipv4address : NULL);
	}
	rc = release_addresses(db, addrs.items, addrs.n, err);
	free(addrs.items);
	for (size_t i = 0; i < weps->n && rc == 0; i++)
		if (wep_is_on(weps->items[i], name))
			rc = remove_if_there(db, WEP, weps->items[i]->ns, weps->items[i]->name,
			                     err);
	if (rc == 0)
		rc = release_affinities(db, name, NULL, err);
	if (rc == 0)
		rc = remove_settings_of_node(db, name, err);
	return rc ? rc : remove_one(db, NODE, NULL, name, revision, err);
}

/* A pool is disabled first, so that no block is claimed while its blocks are given up. */
static int remove_pool(struct db *db, const char *name, uint64_t revision, struct err *err)
{
	for (int tries = 0; tries < 5; tries++) {
		CLEANUP(result_p) struct store_result *found = db_get(db, POOL, NULL, name);
		CLEANUP(result_p) struct store_result *disabled = NULL;
		const struct timespec settle = { .tv_nsec = POOL_SETTLE_MS * 1000000L };
		struct ip_prefix cidr;
		V3__IPPool *pool;
		int rc;

		if (found->status != STORE_OK ||
		    (revision && revision != found->items[0]->revision)) {
			if (found->status == STORE_OK)
				found->status = STORE_CONFLICT;
			db_error(found, POOL, NULL, name, err);
			return err->code;
		}
		pool = (V3__IPPool *)found->items[0]->msg;
		if (!pool->spec || ip_prefix_parse(pool_cidr(found->items[0]), &cidr) != 0)
			return remove_one(db, POOL, NULL, name, revision, err);
		pool->spec->has_disabled = pool->spec->disabled = 1;
		disabled = db_update(db, found->items[0]);
		if (disabled->status == STORE_CONFLICT && !revision)
			continue;
		if (disabled->status != STORE_OK) {
			db_error(disabled, POOL, NULL, name, err);
			return err->code;
		}
		(void)nanosleep(&settle, NULL);
		rc = release_affinities(db, NULL, &cidr, err);
		return rc ? rc
		          : remove_one(db, POOL, NULL, name, disabled->items[0]->revision, err);
	}
	return err_set(err, -EAGAIN, "update conflict: IPPool(%s)", name);
}

static int remove_tier(struct db *db, const char *name, uint64_t revision, struct err *err)
{
	for (size_t k = 0; k < ARRAY_SIZE(policies); k++) {
		CLEANUP(result_p) struct store_result *all = db_list(db, policies[k], NULL, NULL);

		if (all->status != STORE_OK) {
			db_error(all, policies[k], NULL, "", err);
			return err->code;
		}
		for (size_t i = 0; i < all->n; i++)
			if (strcmp(model_tier(all->items[i]->msg), name) == 0)
				return not_supported(name, "delete",
				                     "Cannot delete a non-empty tier", err);
	}
	return remove_one(db, TIER, NULL, name, revision, err);
}

int kinds_remove(struct db *db, model_kind kind, const char *ns, const char *name,
                 uint64_t revision, struct err *err)
{
	int rc = kinds_allowed(kind, ns, name, "Delete", err);

	if (rc)
		return rc;
	if (kind == NODE)
		return remove_node(db, name, revision, err);
	if (kind == POOL)
		return remove_pool(db, name, revision, err);
	if (kind == TIER)
		return remove_tier(db, name, revision, err);
	return remove_one(db, kind, ns, name, revision, err);
}
