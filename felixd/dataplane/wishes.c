/* SPDX-License-Identifier: BSD-2-Clause */
/* calc's messages, turned into what the managers shall want. Nothing here touches the kernel. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/dataplane_i.h"
#include "felixd/dataplane/names.h"

/* ---- sets */

static enum ipset_type set_type(enum calc_set_type t)
{
	return t == CALC_SET_IP_PORT ? IPSET_IP_PORT : IPSET_NET;
}

static void set_new(void *arg, const char *id, enum calc_set_type type,
                    const struct calc_member *members, size_t n)
{
	struct dataplane *dp = arg;

	dp->sets.ops->want(dp->sets.self, id, set_type(type), members, n);
	dataplane_soon(dp);
}

static void set_delta(void *arg, const char *id, const struct calc_member *added, size_t n_added,
                      const struct calc_member *removed, size_t n_removed)
{
	struct dataplane *dp = arg;

	dp->sets.ops->change(dp->sets.self, id, added, n_added, removed, n_removed);
	dataplane_soon(dp);
}

static void set_remove(void *arg, const char *id)
{
	struct dataplane *dp = arg;

	dp->sets.ops->unwant(dp->sets.self, id);
	dp->set_removed = true;
	dataplane_soon(dp);
}

/* ---- policies and profiles */

/* Chains for tables in which policies stand for the sake of host endpoints; a chain that nothing
 * leads to does not reach the kernel. */
static void set_elsewhere(struct dataplane *dp, enum table_id table, const struct calc_policy *p,
                          bool ingress)
{
	struct render_config other = render_config_elsewhere(&dp->render);

	dp->sink.set_chain(dp->sink.arg, table, render_policy(&other, p, ingress));
}

static void drop_policy(struct dataplane *dp, const struct calc_policy_id *id,
                        enum table_id but_for)
{
	char name[CHAIN_NAME_MAX];

	for (unsigned ingress = 0; ingress < 2; ingress++) {
		name_policy_chain(name, ingress, id);
		for (enum table_id t = 0; t < TABLE_COUNT; t++)
			if (t != but_for && t != TABLE_NAT)
				dp->tables.ops->remove_chain(dp->tables.self, t, name);
	}
}

static void policy_update(void *arg, const struct calc_policy *p)
{
	struct dataplane *dp = arg;

	switch (p->class) {
	case CALC_POLICY_UNTRACKED:
		set_elsewhere(dp, TABLE_RAW, p, true);
		set_elsewhere(dp, TABLE_RAW, p, false);
		drop_policy(dp, &p->id, TABLE_RAW);
		break;
	case CALC_POLICY_PRE_DNAT:
		drop_policy(dp, &p->id, TABLE_MANGLE);
		set_elsewhere(dp, TABLE_MANGLE, p, true);
		break;
	case CALC_POLICY_NORMAL:
		drop_policy(dp, &p->id, TABLE_FILTER);
		dp->sink.set_chain(dp->sink.arg, TABLE_FILTER, render_policy(&dp->render, p, true));
		dp->sink.set_chain(dp->sink.arg, TABLE_FILTER,
		                   render_policy(&dp->render, p, false));
		/* What this host sends to a destination that was rewritten is judged after that. */
		set_elsewhere(dp, TABLE_MANGLE, p, false);
		break;
	}
	dataplane_soon(dp);
}

static void policy_remove(void *arg, const struct calc_policy_id *id)
{
	struct dataplane *dp = arg;

	drop_policy(dp, id, TABLE_COUNT);
	dataplane_soon(dp);
}

static void profile_update(void *arg, const struct calc_profile *p)
{
	struct dataplane *dp = arg;
	struct render_config other = render_config_elsewhere(&dp->render);

	dp->sink.set_chain(dp->sink.arg, TABLE_FILTER, render_profile(&dp->render, p, true));
	dp->sink.set_chain(dp->sink.arg, TABLE_FILTER, render_profile(&dp->render, p, false));
	dp->sink.set_chain(dp->sink.arg, TABLE_MANGLE, render_profile(&other, p, false));
	dataplane_soon(dp);
}

static void profile_remove(void *arg, const char *profile)
{
	struct dataplane *dp = arg;
	char name[CHAIN_NAME_MAX];

	for (unsigned ingress = 0; ingress < 2; ingress++) {
		name_profile_chain(name, ingress, profile);
		dp->tables.ops->remove_chain(dp->tables.self, TABLE_FILTER, name);
		dp->tables.ops->remove_chain(dp->tables.self, TABLE_MANGLE, name);
	}
	dataplane_soon(dp);
}

/* ---- endpoints */

static uint32_t id_hash(const char *ns, const char *name)
{
	return hash_mix(hash_str(ns), hash_str(name));
}

static struct endpoint *find(const struct dataplane *dp, const char *ns, const char *name)
{
	hmap_find(ep, &dp->endpoints, id_hash(ns, name), struct endpoint, by_id,
	          strcmp(ep->ns, ns) == 0 && strcmp(ep->name, name) == 0);
	return ep;
}

static bool in_family(const struct dataplane *dp, const struct ip_prefix *p)
{
	return p->addr.family == dp->render.family;
}

static bool has_addr(const struct calc_endpoint *e, const struct ip_prefix *p)
{
	for (size_t i = 0; i < e->n_addrs; i++)
		if (ip_prefix_eq(&e->addrs[i], p))
			return true;
	return false;
}

/* Takes back what old asked of the host and new (may be NULL) does not. */
static void unwish(struct dataplane *dp, struct endpoint *ep, const struct calc_endpoint *old,
                   const struct calc_endpoint *new)
{
	if (!ep->wished)
		return;
	for (size_t i = 0; i < old->n_addrs; i++) {
		if (!in_family(dp, &old->addrs[i]) || (new &&has_addr(new, &old->addrs[i])))
			continue;
		route_unwant(dp->routes, &old->addrs[i], old->interface);
		neigh_unwant(dp->neighs, &old->addrs[i].addr, old->interface);
	}
	if (!new)
		ep->wished = false;
}

static void emit_group(void *arg, struct chain *c)
{
	struct dataplane *dp = arg;

	dp->tables.ops->set_chain(dp->tables.self, TABLE_FILTER, c);
}

/* Of those that claim the interface the one with the lowest name has it, as upstream has it. */
struct endpoint *wishes_active(const struct dataplane *dp, const char *interface)
{
	struct endpoint *best = NULL;

	for (struct hmap_node *n = hmap_first_with_hash(&dp->interfaces, hash_str(interface)); n;
	     n = hmap_next_with_hash(n)) {
		struct endpoint *ep = container_of(n, struct endpoint, by_interface);
		int order;

		if (strcmp(ep->interface, interface) != 0)
			continue;
		order = best ? strcmp(ep->ns, best->ns) : -1;
		if (order < 0 || (order == 0 && strcmp(ep->name, best->name) < 0))
			best = ep;
	}
	return best;
}

static void remove_endpoint_chains(struct dataplane *dp, const char *interface)
{
	char name[CHAIN_NAME_MAX];

	for (unsigned to = 0; to < 2; to++) {
		name_endpoint_chain(name, to, interface);
		dp->tables.ops->remove_chain(dp->tables.self, TABLE_FILTER, name);
	}
}

void wishes_activate(struct dataplane *dp, const char *interface)
{
	struct endpoint *active = wishes_active(dp, interface);

	if (!active) {
		remove_endpoint_chains(dp, interface);
		return;
	}
	for (struct hmap_node *n = hmap_first_with_hash(&dp->interfaces, hash_str(interface)); n;
	     n = hmap_next_with_hash(n)) {
		struct endpoint *ep = container_of(n, struct endpoint, by_interface);

		if (ep == active || strcmp(ep->interface, interface) != 0)
			continue;
		if (ep->stage != STAGE_SHADOWED)
			log_warn("two endpoints claim one interface",
			         "interface=%s active=%s/%s shadowed=%s/%s", LOG_VIS(interface),
			         LOG_VIS(active->ns), LOG_VIS(active->name), LOG_VIS(ep->ns),
			         LOG_VIS(ep->name));
		unwish(dp, ep, ep->e, NULL);
		ep->stage = STAGE_SHADOWED;
	}
	for (unsigned to = 0; to < 2; to++) {
		render_endpoint_groups(&dp->render, active->e, to, emit_group, dp);
		dp->tables.ops->set_chain(dp->tables.self, TABLE_FILTER,
		                          render_endpoint(&dp->render, active->e, to));
	}
	active->stage = STAGE_CHAINS;
}

static void endpoint_update(void *arg, const struct calc_endpoint *e)
{
	struct dataplane *dp = arg;
	struct endpoint *ep = find(dp, e->ns, e->name);

	if (strlen(e->interface) >= IFNAMSIZ || !*e->interface) {
		log_warn("an endpoint's interface name cannot be: left out", "endpoint=%s/%s",
		         LOG_VIS(e->ns), LOG_VIS(e->name));
		return;
	}
	if (!ep) {
		ep = xcalloc(1, sizeof(*ep));
		ep->ns = xstrdup(e->ns);
		ep->name = xstrdup(e->name);
		hmap_insert(&dp->endpoints, &ep->by_id, id_hash(ep->ns, ep->name));
	} else {
		bool moved = strcmp(ep->interface, e->interface) != 0;
		char old[IFNAMSIZ];

		memcpy(old, ep->interface, sizeof(old));
		unwish(dp, ep, ep->e, moved ? NULL : e);
		hmap_remove(&dp->interfaces, &ep->by_interface);
		if (moved) {
			ep->configured = 0;
			wishes_activate(dp, old);
			dp->dispatch_dirty = true;
		}
		if (!endpoint_same_place(ep->e, e))
			dataplane_say_state(dp, ep, false);
		endpoint_copy_free(ep->e);
	}
	ep->e = endpoint_copy(e);
	ep->revision = e->revision;
	ep->told = false;
	memset(ep->interface, 0, sizeof(ep->interface));
	memcpy(ep->interface, e->interface, strlen(e->interface));
	hmap_insert(&dp->interfaces, &ep->by_interface, hash_str(ep->interface));
	wishes_activate(dp, ep->interface);
	dp->dispatch_dirty = true;
	dataplane_soon(dp);
}

static void endpoint_remove(void *arg, const char *ns, const char *name)
{
	struct dataplane *dp = arg;
	struct endpoint *ep = find(dp, ns, name);
	struct removed *r;

	if (!ep)
		return;
	r = xcalloc(1, sizeof(*r));
	r->ns = ep->ns;
	r->name = ep->name;
	r->revision = ep->revision;
	r->next = dp->removed;
	dp->removed = r;
	unwish(dp, ep, ep->e, NULL);
	dataplane_say_state(dp, ep, false);
	hmap_remove(&dp->endpoints, &ep->by_id);
	hmap_remove(&dp->interfaces, &ep->by_interface);
	wishes_activate(dp, ep->interface);
	dp->dispatch_dirty = true;
	endpoint_copy_free(ep->e);
	free(ep);
	dataplane_soon(dp);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void wishes_render_dispatch(struct dataplane *dp)
{
	const char **names = xcalloc(dp->endpoints.n + 1, sizeof(*names));
	size_t n = 0;

	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id)
		if (ep->stage != STAGE_SHADOWED)
			names[n++] = ep->interface;
	qsort(names, n, sizeof(*names), compare_names);
	render_dispatch(&dp->render, names, n, true, &dp->sink);
	render_dispatch(&dp->render, names, n, false, &dp->sink);
	free(names);
	dp->dispatch_dirty = false;
}

/* ---- pools */

static struct pool *pool_find(const struct dataplane *dp, const struct ip_prefix *cidr)
{
	hmap_find(p, &dp->pools, ip_prefix_hash(cidr), struct pool, node,
	          ip_prefix_eq(&p->cidr, cidr));
	return p;
}

static void pool_update(void *arg, const struct calc_pool *pool)
{
	struct dataplane *dp = arg;
	struct pool *p = pool_find(dp, &pool->cidr);

	if (!p) {
		p = xcalloc(1, sizeof(*p));
		p->cidr = pool->cidr;
		hmap_insert(&dp->pools, &p->node, ip_prefix_hash(&p->cidr));
	}
	p->masquerade = pool->masquerade;
	dp->pools_dirty = true;
	dataplane_soon(dp);
}

static void pool_remove(void *arg, const struct ip_prefix *cidr)
{
	struct dataplane *dp = arg;
	struct pool *p = pool_find(dp, cidr);

	if (!p)
		return;
	hmap_remove(&dp->pools, &p->node);
	free(p);
	dp->pools_dirty = true;
	dataplane_soon(dp);
}

void wishes_render_pools(struct dataplane *dp)
{
	struct calc_member *all = xcalloc(2 * dp->pools.n + 1, sizeof(*all));
	struct calc_member *masq = xcalloc(2 * dp->pools.n + 1, sizeof(*masq));
	size_t n_all = 0, n_masq = 0;

	hmap_for_each (p, &dp->pools, struct pool, node) {
		if (!in_family(dp, &p->cidr))
			continue;
		all[n_all++].net = p->cidr;
		if (p->masquerade)
			masq[n_masq++].net = p->cidr;
	}
	dp->sets.ops->want(dp->sets.self, "network-ip-pools", IPSET_NET, all, n_all);
	dp->sets.ops->want(dp->sets.self, "masq-ipam-pools", IPSET_NET, masq, n_masq);
	render_nat_outgoing(&dp->render, n_masq > 0, &dp->sink);
	free(all);
	free(masq);
	dp->pools_dirty = false;
}

static void in_sync(void *arg)
{
	struct dataplane *dp = arg;

	dp->in_sync = true;
	dataplane_soon(dp);
}

const struct calc_output_ops dataplane_ops = {
	.set_new = set_new,
	.set_delta = set_delta,
	.policy_update = policy_update,
	.profile_update = profile_update,
	.endpoint_update = endpoint_update,
	.endpoint_remove = endpoint_remove,
	.host_endpoint_update = hosts_update,
	.host_endpoint_remove = hosts_remove,
	.profile_remove = profile_remove,
	.policy_remove = policy_remove,
	.set_remove = set_remove,
	.pool_update = pool_update,
	.pool_remove = pool_remove,
	.in_sync = in_sync,
};
