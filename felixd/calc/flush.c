/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has changed, told in the order that output.h demands.
 *
 * First it is settled who is active: from then on the sets are known. Nothing here changes what
 * matches what.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "felixd/calc/state.h"

/* ---- who is active */

static void hold_sets(struct calc *c, bool active, bool *holds, const struct rules *rules)
{
	if (active == *holds)
		return;
	if (active)
		sets_want(&c->sets, rules);
	else
		sets_unwant(&c->sets, rules);
	*holds = active;
}

static void settle(struct calc *c)
{
	list_for_each (it, &c->dirty_policies) {
		struct policy *p = list_entry(it, struct policy, dirty);

		hold_sets(c, calc_policy_active(p), &p->holds_sets, &p->rules);
	}
	list_for_each (it, &c->dirty_profiles) {
		struct profile *p = list_entry(it, struct profile, dirty);

		hold_sets(c, p->local_refs > 0, &p->holds_sets, &p->rules);
	}
}

/* ---- policies and profiles */

static struct calc_policy_id id_of(const struct policy *p)
{
	return (struct calc_policy_id){
		.kind = p->kind,
		.ns = p->ns,
		.name = p->name,
		.selector = p->sel_text,
		.staged = p->staged,
	};
}

static void tell_policies(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_policies) {
		struct policy *p = list_entry(it, struct policy, dirty);

		if (!calc_policy_active(p))
			continue;
		list_unlink(it);
		p->told = true;
		c->ops->policy_update(c->arg, &(struct calc_policy){
		                                      .id = id_of(p),
		                                      .class = p->class,
		                                      .tier = p->tier,
		                                      .ingress = p->rules.ingress,
		                                      .n_ingress = p->rules.n_ingress,
		                                      .egress = p->rules.egress,
		                                      .n_egress = p->rules.n_egress,
		                              });
	}
}

static void tell_policy_removals(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_policies) {
		struct policy *p = list_entry(it, struct policy, dirty);
		struct calc_policy_id id = id_of(p);

		list_unlink(it);
		if (p->told)
			c->ops->policy_remove(c->arg, &id);
		p->told = false;
		calc_policy_forget(c, p);
	}
}

static void tell_profiles(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_profiles) {
		struct profile *p = list_entry(it, struct profile, dirty);

		if (!p->local_refs)
			continue;
		list_unlink(it);
		p->told = true;
		c->ops->profile_update(c->arg, &(struct calc_profile){
		                                       .name = p->name,
		                                       .ingress = p->rules.ingress,
		                                       .n_ingress = p->rules.n_ingress,
		                                       .egress = p->rules.egress,
		                                       .n_egress = p->rules.n_egress,
		                               });
	}
}

static void tell_profile_removals(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_profiles) {
		struct profile *p = list_entry(it, struct profile, dirty);

		list_unlink(it);
		if (p->told)
			c->ops->profile_remove(c->arg, p->name);
		p->told = false;
		calc_profile_forget(c, p);
	}
}

/* ---- endpoints */

/* Tiers that exist before those that do not, then by order, then by name; within a tier by order,
 * then by name. */
struct place {
	const struct policy *policy;
	const struct tier *tier; /* NULL: it does not exist */
};

static int cmp_tier(const struct place *a, const struct place *b)
{
	if (!a->tier != !b->tier)
		return a->tier ? -1 : 1;
	if (a->tier && a->tier->order != b->tier->order)
		return a->tier->order < b->tier->order ? -1 : 1;
	return strcmp(a->policy->tier, b->policy->tier);
}

static int cmp_place(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int c = cmp_tier(a, b);

	if (c != 0)
		return c;
	if (a->policy->order != b->policy->order)
		return a->policy->order < b->policy->order ? -1 : 1;
	return strcmp(a->policy->sort_key, b->policy->sort_key);
}

static struct place *places_of(const struct calc *c, const struct local *l)
{
	struct place *v = xcalloc(l->n_matched + 1, sizeof(*v));

	for (size_t i = 0; i < l->n_matched; i++)
		v[i] = (struct place){ l->matched[i], calc_tier_find(c, l->matched[i]->tier) };
	qsort(v, l->n_matched, sizeof(*v), cmp_place);
	return v;
}

enum list_kind {
	LIST_UNTRACKED,
	LIST_PRE_DNAT,
	LIST_FORWARD,
	LIST_NORMAL,
	LIST_COUNT
};

static bool belongs(const struct policy *p, enum list_kind kind)
{
	switch (kind) {
	case LIST_UNTRACKED:
		return p->class == CALC_POLICY_UNTRACKED;
	case LIST_PRE_DNAT:
		return p->class == CALC_POLICY_PRE_DNAT;
	case LIST_FORWARD:
		return p->class == CALC_POLICY_NORMAL && p->forward;
	default:
		return p->class == CALC_POLICY_NORMAL;
	}
}

/* Policies of one tier, [v, v + n), that belong to the list, in one direction. Returns how many. */
static size_t fill_ids(const struct place *v, size_t n, enum list_kind kind, bool ingress,
                       struct calc_policy_id *ids)
{
	size_t n_ids = 0;

	for (size_t i = 0; i < n; i++)
		if (belongs(v[i].policy, kind) &&
		    (ingress ? v[i].policy->ingress : v[i].policy->egress))
			ids[n_ids++] = id_of(v[i].policy);
	return n_ids;
}

/* One list of tiers; the arrays are its own. */
static struct calc_tiers tiers_new(const struct place *v, size_t n, enum list_kind kind)
{
	struct calc_tier *tiers = xcalloc(n + 1, sizeof(*tiers));
	struct calc_policy_id *ids = xcalloc(2 * n + 1, sizeof(*ids));
	bool pass = kind == LIST_UNTRACKED || kind == LIST_PRE_DNAT;
	size_t n_tiers = 0;

	tiers[0].ingress = ids; /* to be freed by, also when there is no tier */
	for (size_t i = 0, end; i < n; i = end) {
		struct calc_tier *t = &tiers[n_tiers];

		for (end = i; end < n && cmp_tier(&v[i], &v[end]) == 0; end++)
			;
		*t = (struct calc_tier){
			.name = v[i].policy->tier,
			.default_pass = pass || (v[i].tier && v[i].tier->default_pass),
			.ingress = ids,
		};
		t->n_ingress = fill_ids(v + i, end - i, kind, true, ids);
		ids += t->n_ingress;
		t->egress = ids;
		if (kind != LIST_PRE_DNAT)
			t->n_egress = fill_ids(v + i, end - i, kind, false, ids);
		ids += t->n_egress;
		n_tiers += t->n_ingress || t->n_egress;
	}
	return (struct calc_tiers){ tiers, n_tiers };
}

static void tiers_free(struct calc_tiers *t)
{
	free((struct calc_policy_id *)t->v[0].ingress);
	free((struct calc_tier *)t->v);
}

static void tell_workload(struct calc *c, const struct local *l, const struct place *places,
                          const char *const *profiles)
{
	struct calc_tiers tiers = tiers_new(places, l->n_matched, LIST_NORMAL);

	c->ops->endpoint_update(c->arg, &(struct calc_endpoint){
	                                        .ns = l->ep->ns,
	                                        .name = l->ep->name,
	                                        .revision = l->ep->revision,
	                                        .interface = l->interface,
	                                        .mac = l->mac,
	                                        .addrs = l->ep->src.now.nets,
	                                        .n_addrs = l->ep->src.now.n_nets,
	                                        .tiers = tiers.v,
	                                        .n_tiers = tiers.n,
	                                        .profiles = profiles,
	                                        .n_profiles = l->item.n_parents,
	                                });
	tiers_free(&tiers);
}

static void tell_host(struct calc *c, const struct local *l, const struct place *places,
                      const char *const *profiles)
{
	struct calc_tiers lists[LIST_COUNT];

	for (unsigned i = 0; i < LIST_COUNT; i++)
		lists[i] = tiers_new(places, l->n_matched, i);
	c->ops->host_endpoint_update(c->arg, &(struct calc_host_endpoint){
	                                             .name = l->ep->name,
	                                             .revision = l->ep->revision,
	                                             .interface = l->interface,
	                                             .addrs = l->ep->src.now.nets,
	                                             .n_addrs = l->ep->src.now.n_nets,
	                                             .untracked = lists[LIST_UNTRACKED],
	                                             .pre_dnat = lists[LIST_PRE_DNAT],
	                                             .forward = lists[LIST_FORWARD],
	                                             .normal = lists[LIST_NORMAL],
	                                             .profiles = profiles,
	                                             .n_profiles = l->item.n_parents,
	                                     });
	for (unsigned i = 0; i < LIST_COUNT; i++)
		tiers_free(&lists[i]);
}

static void tell_endpoint(struct calc *c, struct local *l)
{
	struct place *places = places_of(c, l);
	const char **profiles = xcalloc(l->item.n_parents + 1, sizeof(*profiles));

	for (uint32_t i = 0; i < l->item.n_parents; i++)
		profiles[i] = container_of(l->item.parents[i].parent, struct profile, local)->name;
	if (l->ep->host)
		tell_host(c, l, places, profiles);
	else
		tell_workload(c, l, places, profiles);
	l->told = true;
	free(profiles);
	free(places);
}

static void tell_endpoints(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_locals) {
		list_unlink(it);
		tell_endpoint(c, list_entry(it, struct local, dirty));
	}
}

static void tell_endpoint_removals(struct calc *c)
{
	hmap_for_each (g, &c->gone, struct gone, node) {
		if (g->host)
			c->ops->host_endpoint_remove(c->arg, g->name);
		else
			c->ops->endpoint_remove(c->arg, g->ns, g->name);
		hmap_remove(&c->gone, &g->node);
		free(g);
	}
}

void calc_flush(struct calc *c)
{
	if (!c->in_sync)
		return;
	settle(c);
	sets_tell_updates(&c->sets, c->ops, c->arg);
	tell_policies(c);
	tell_profiles(c);
	tell_endpoints(c);
	tell_endpoint_removals(c);
	tell_profile_removals(c);
	tell_policy_removals(c);
	sets_tell_removals(&c->sets, c->ops, c->arg);
	calc_pools_tell(c);
	if (!c->in_sync_told) {
		c->in_sync_told = true;
		c->ops->in_sync(c->arg);
	}
}
