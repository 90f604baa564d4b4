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

static bool policy_active(const struct policy *p)
{
	return p->exists && (p->n_matches > 0 || p->everywhere);
}

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

		hold_sets(c, policy_active(p), &p->holds_sets, &p->rules);
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
		.kind = p->kind, .ns = p->ns, .name = p->name, .selector = p->sel_text
	};
}

static void tell_policies(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_policies) {
		struct policy *p = list_entry(it, struct policy, dirty);

		if (!policy_active(p))
			continue;
		list_unlink(it);
		p->told = true;
		c->ops->policy_update(c->arg, &(struct calc_policy){
		                                      .id = id_of(p),
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

/* Fills tiers from the sorted places; ids has room for each policy in each direction. Returns how
 * many tiers. */
static size_t fill_tiers(const struct place *v, size_t n, struct calc_tier *tiers,
                         struct calc_policy_id *ids)
{
	size_t n_tiers = 0;

	for (size_t i = 0, end; i < n; i = end) {
		struct calc_tier *t = &tiers[n_tiers++];

		for (end = i; end < n && cmp_tier(&v[i], &v[end]) == 0; end++)
			;
		*t = (struct calc_tier){
			.name = v[i].policy->tier,
			.default_pass = v[i].tier && v[i].tier->default_pass,
			.ingress = ids,
		};
		for (size_t k = i; k < end; k++)
			if (v[k].policy->ingress)
				ids[t->n_ingress++] = id_of(v[k].policy);
		ids += t->n_ingress;
		t->egress = ids;
		for (size_t k = i; k < end; k++)
			if (v[k].policy->egress)
				ids[t->n_egress++] = id_of(v[k].policy);
		ids += t->n_egress;
		if (!t->n_ingress && !t->n_egress)
			n_tiers--;
	}
	return n_tiers;
}

static void tell_endpoint(struct calc *c, struct local *l)
{
	struct place *places = places_of(c, l);
	struct calc_tier *tiers = xcalloc(l->n_matched + 1, sizeof(*tiers));
	struct calc_policy_id *ids = xcalloc(2 * l->n_matched + 1, sizeof(*ids));
	const char **profiles = xcalloc(l->item.n_parents + 1, sizeof(*profiles));

	for (uint32_t i = 0; i < l->item.n_parents; i++)
		profiles[i] = container_of(l->item.parents[i].parent, struct profile, local)->name;
	c->ops->endpoint_update(c->arg,
	                        &(struct calc_endpoint){
	                                .ns = l->ep->ns,
	                                .name = l->ep->name,
	                                .revision = l->ep->revision,
	                                .interface = l->interface,
	                                .mac = l->mac,
	                                .addrs = l->ep->src.now.nets,
	                                .n_addrs = l->ep->src.now.n_nets,
	                                .tiers = tiers,
	                                .n_tiers = fill_tiers(places, l->n_matched, tiers, ids),
	                                .profiles = profiles,
	                                .n_profiles = l->item.n_parents,
	                        });
	l->told = true;
	free(profiles);
	free(ids);
	free(tiers);
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
