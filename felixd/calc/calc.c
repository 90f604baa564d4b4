/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/calc.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/calc/state.h"

struct calc *calc_new(const char *node, const struct calc_output_ops *ops, void *arg)
{
	struct calc *c = xcalloc(1, sizeof(*c));

	c->node = xstrdup(node);
	c->ops = ops;
	c->arg = arg;
	list_init(&c->dirty_policies);
	list_init(&c->dirty_profiles);
	list_init(&c->dirty_locals);
	list_init(&c->dirty_pools);
	sets_init(&c->sets);
	index_init(&c->local, calc_policy_on_match, c);
	calc_profile_builtin(c);
	return c;
}

void calc_free(struct calc *c)
{
	if (!c)
		return;
	calc_endpoints_done(c);
	calc_sources_done(c);
	calc_policies_done(c);
	calc_profiles_done(c);
	sets_done(&c->sets);
	index_done(&c->local);
	free(c->node);
	free(c);
}

static int update(struct calc *c, const struct resource *r, struct err *err)
{
	switch (r->kind) {
	case V3__KIND__KIND_WORKLOAD_ENDPOINT:
		return calc_endpoint_update(c, r, err);
	case V3__KIND__KIND_HOST_ENDPOINT:
		return calc_host_endpoint_update(c, r, err);
	case V3__KIND__KIND_NETWORK_POLICY:
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY:
		return calc_policy_update(c, r, err);
	case V3__KIND__KIND_PROFILE:
		return calc_profile_update(c, r, err);
	case V3__KIND__KIND_TIER:
		return calc_tier_update(c, r, err);
	case V3__KIND__KIND_NETWORK_SET:
	case V3__KIND__KIND_GLOBAL_NETWORK_SET:
		return calc_netset_update(c, r, err);
	case V3__KIND__KIND_IP_POOL:
		return calc_pool_update(c, r, err);
	default:
		return 0;
	}
}

int calc_update(struct calc *c, const struct resource *r, struct err *err)
{
	if (r->revision > c->max_revision)
		c->max_revision = r->revision;
	if (!r->msg) {
		calc_remove(c, r->kind, r->ns, r->name);
		return 0;
	}
	return update(c, r, err);
}

void calc_remove(struct calc *c, model_kind kind, const char *ns, const char *name)
{
	switch (kind) {
	case V3__KIND__KIND_WORKLOAD_ENDPOINT:
		calc_endpoint_remove(c, ns, name);
		break;
	case V3__KIND__KIND_HOST_ENDPOINT:
		calc_host_endpoint_remove(c, name);
		break;
	case V3__KIND__KIND_NETWORK_POLICY:
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY:
		calc_policy_remove(c, kind, ns, name);
		break;
	case V3__KIND__KIND_PROFILE:
		calc_profile_remove(c, name);
		break;
	case V3__KIND__KIND_TIER:
		calc_tier_remove(c, name);
		break;
	case V3__KIND__KIND_NETWORK_SET:
	case V3__KIND__KIND_GLOBAL_NETWORK_SET:
		calc_netset_remove(c, kind, ns, name);
		break;
	case V3__KIND__KIND_IP_POOL:
		calc_pool_remove(c, name);
		break;
	default:
		break;
	}
}

void calc_in_sync(struct calc *c)
{
	c->in_sync = true;
	calc_endpoint_in_sync(c);
}

void calc_set_output(struct calc *c, void *arg)
{
	c->arg = arg;
}

void calc_retell(struct calc *c)
{
	hmap_for_each (p, &c->policies, struct policy, node)
		if (p->told)
			calc_touch(&c->dirty_policies, &p->dirty);
	hmap_for_each (p, &c->profiles, struct profile, node)
		if (p->told)
			calc_touch(&c->dirty_profiles, &p->dirty);
	hmap_for_each (e, &c->endpoints, struct endpoint, node)
		if (e->local && e->local->told)
			calc_touch(&c->dirty_locals, &e->local->dirty);
}

bool calc_dirty(const struct calc *c)
{
	if (!c->in_sync)
		return false;
	return !c->in_sync_told || !list_empty(&c->dirty_policies) ||
	       !list_empty(&c->dirty_profiles) || !list_empty(&c->dirty_locals) ||
	       !list_empty(&c->dirty_pools) || sets_dirty(&c->sets) || c->gone.n;
}

struct calc_stats calc_stats(const struct calc *c)
{
	struct calc_stats s = {
		.endpoints = c->endpoints.n,
		.local_endpoints = c->n_locals,
		.host_endpoints = c->n_hosts,
		.policies = c->policies.n,
		.profiles = c->profiles.n,
		.network_sets = c->netsets.n,
		.sets = sets_count(&c->sets),
		.set_members = c->sets.n_members,
		.tiers = c->tiers.n,
		.selectors = sets_count(&c->sets) + c->policies.n,
	};

	hmap_for_each (p, &c->policies, struct policy, node) {
		s.active_policies += calc_policy_active(p);
		s.staged_policies += p->staged;
	}
	return s;
}
