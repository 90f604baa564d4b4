/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies and tiers: which apply to a local endpoint, and in what order. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "felixd/calc/compose.h"
#include "felixd/calc/state.h"

/* What the two kinds of policy have in common, borrowed from the message. */
struct v3_policy {
	const char *kind, *ns;
	const char *tier;
	double order;
	V3__Rule *const *ingress, *const *egress;
	size_t n_ingress, n_egress;
	char *const *types;
	size_t n_types;
	bool workloads; /* not only for host endpoints' raw and pre-NAT chains */
	bool everywhere;
};

static double order_of(bool has, double order)
{
	return has && !isnan(order) ? order : INFINITY;
}

/* ---- tiers */

struct tier *calc_tier_find(const struct calc *c, const char *name)
{
	hmap_find(t, &c->tiers, hash_str(name), struct tier, node, strcmp(t->name, name) == 0);
	return t;
}

/* Endpoints of this node are few: those that see the tier are found by looking. */
static void touch_tier(struct calc *c, const char *name)
{
	for (uint32_t i = 0; i < c->local.items.n; i++) {
		struct local *l = container_of(c->local.items.v[i], struct local, item);

		for (size_t k = 0; k < l->n_matched; k++)
			if (strcmp(l->matched[k]->tier, name) == 0)
				calc_touch(&c->dirty_locals, &l->dirty);
	}
}

int calc_tier_update(struct calc *c, const struct resource *r, struct err *err)
{
	const V3__TierSpec *spec = ((const V3__Tier *)r->msg)->spec;
	struct tier *t = calc_tier_find(c, r->name);
	double order = spec ? order_of(spec->has_order, spec->order) : INFINITY;
	bool pass = spec && spec->defaultaction && strcmp(spec->defaultaction, "Pass") == 0;

	(void)err;
	if (t && t->order == order && t->default_pass == pass)
		return 0;
	if (!t) {
		size_t len = strlen(r->name);

		t = xcalloc(1, sizeof(*t) + len + 1);
		memcpy(t->name, r->name, len + 1);
		hmap_insert(&c->tiers, &t->node, hash_str(t->name));
	}
	t->order = order;
	t->default_pass = pass;
	touch_tier(c, t->name);
	return 0;
}

void calc_tier_remove(struct calc *c, const char *name)
{
	struct tier *t = calc_tier_find(c, name);

	if (!t)
		return;
	touch_tier(c, name);
	hmap_remove(&c->tiers, &t->node);
	free(t);
}

/* ---- reading */

static const char *tier_or_default(const char *s)
{
	return s && *s ? s : "default";
}

/* Types that were left out follow from the rules, as upstream's API fills them in. */
static void directions(const struct v3_policy *v, bool *ret_ingress, bool *ret_egress)
{
	*ret_ingress = *ret_egress = false;
	for (size_t i = 0; i < v->n_types; i++) {
		*ret_ingress |= strcmp(v->types[i], "Ingress") == 0;
		*ret_egress |= strcmp(v->types[i], "Egress") == 0;
	}
	if (v->n_types == 0) {
		*ret_egress = v->n_egress > 0;
		*ret_ingress = v->n_ingress > 0 || v->n_egress == 0;
	}
}

static bool has_hint(char *const *hints, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(hints[i], "AssumeNeededOnEveryNode") == 0)
			return true;
	return false;
}

static int read_network_policy(const struct resource *r, struct v3_policy *v,
                               struct selector **ret_sel, char **ret_text, struct err *err)
{
	const V3__NetworkPolicySpec *s = ((const V3__NetworkPolicy *)r->msg)->spec;

	*v = (struct v3_policy){ .kind = "NetworkPolicy",
		                 .ns = r->ns ? r->ns : "",
		                 .order = INFINITY,
		                 .workloads = true };
	if (s) {
		v->tier = s->tier;
		v->order = order_of(s->has_order, s->order);
		v->ingress = s->ingress;
		v->n_ingress = s->n_ingress;
		v->egress = s->egress;
		v->n_egress = s->n_egress;
		v->types = s->types;
		v->n_types = s->n_types;
		v->everywhere = has_hint(s->performancehints, s->n_performancehints);
	}
	return compose_network_policy(v->ns, s, ret_sel, ret_text, err);
}

static int read_global_policy(const struct resource *r, struct v3_policy *v,
                              struct selector **ret_sel, char **ret_text, struct err *err)
{
	const V3__GlobalNetworkPolicySpec *s = ((const V3__GlobalNetworkPolicy *)r->msg)->spec;

	*v = (struct v3_policy){
		.kind = "GlobalNetworkPolicy", .ns = "", .order = INFINITY, .workloads = true
	};
	if (s) {
		v->tier = s->tier;
		v->order = order_of(s->has_order, s->order);
		v->ingress = s->ingress;
		v->n_ingress = s->n_ingress;
		v->egress = s->egress;
		v->n_egress = s->n_egress;
		v->types = s->types;
		v->n_types = s->n_types;
		v->everywhere = has_hint(s->performancehints, s->n_performancehints);
		v->workloads = !s->donottrack && !s->prednat;
	}
	return compose_global_policy(s, ret_sel, ret_text, err);
}

static int read_policy(const struct resource *r, struct v3_policy *v, struct selector **ret_sel,
                       char **ret_text, struct rules *ret_rules, struct err *err)
{
	int rc = r->kind == V3__KIND__KIND_NETWORK_POLICY
	                 ? read_network_policy(r, v, ret_sel, ret_text, err)
	                 : read_global_policy(r, v, ret_sel, ret_text, err);

	if (rc < 0)
		return rc;
	rc = rules_convert(v->ns, v->ingress, v->n_ingress, v->egress, v->n_egress, ret_rules, err);
	if (rc < 0) {
		selector_unref(*ret_sel);
		free(*ret_text);
		return err_wrap(err, rc, "spec");
	}
	return 0;
}

/* ---- policies */

static const char *kind_name(model_kind kind)
{
	return kind == V3__KIND__KIND_NETWORK_POLICY ? "NetworkPolicy" : "GlobalNetworkPolicy";
}

static uint32_t policy_hash(const char *ns, const char *name)
{
	return hash_mix(hash_str(ns), hash_str(name));
}

static struct policy *find(const struct calc *c, const char *kind, const char *ns, const char *name)
{
	hmap_find(p, &c->policies, policy_hash(ns, name), struct policy, node,
	          strcmp(p->kind, kind) == 0 && strcmp(p->ns, ns) == 0 &&
	                  strcmp(p->name, name) == 0);
	return p;
}

static struct policy *get(struct calc *c, const char *kind, const char *ns, const char *name)
{
	struct policy *p = find(c, kind, ns, name);

	if (!p) {
		p = xcalloc(1, sizeof(*p));
		p->kind = kind;
		p->ns = xstrdup(ns);
		p->name = xstrdup(name);
		p->sort_key = xasprintf("%s/%s/%s", name, ns, kind);
		p->tier = xstrdup("");
		list_init(&p->dirty);
		hmap_insert(&c->policies, &p->node, policy_hash(ns, name));
	}
	return p;
}

static void free_policy(struct calc *c, struct policy *p)
{
	index_selector_remove(&c->local, &p->isel, false);
	list_unlink(&p->dirty);
	hmap_remove(&c->policies, &p->node);
	selector_unref(p->sel);
	rules_done(&p->rules);
	free(p->ns);
	free(p->name);
	free(p->sort_key);
	free(p->tier);
	free(p->sel_text);
	free(p);
}

void calc_policy_forget(struct calc *c, struct policy *p)
{
	if (!p->exists && !p->told && !p->holds_sets)
		free_policy(c, p);
}

void calc_policy_on_match(void *arg, struct index_selector *s, struct index_item *item, bool was,
                          bool is)
{
	struct calc *c = arg;
	struct policy *p = container_of(s, struct policy, isel);
	struct local *l = container_of(item, struct local, item);

	if (was == is)
		return;
	if (is) {
		l->matched = xrealloc(l->matched, (l->n_matched + 1) * sizeof(*l->matched));
		l->matched[l->n_matched++] = p;
		if (p->n_matches++ == 0)
			calc_touch(&c->dirty_policies, &p->dirty);
	} else {
		size_t i = 0;

		while (l->matched[i] != p)
			i++;
		l->matched[i] = l->matched[--l->n_matched];
		if (--p->n_matches == 0)
			calc_touch(&c->dirty_policies, &p->dirty);
	}
	calc_touch(&c->dirty_locals, &l->dirty);
}

static void touch_local(void *arg, struct index_selector *s, struct index_item *item, bool was,
                        bool is)
{
	struct calc *c = arg;

	(void)s;
	(void)was;
	(void)is;
	calc_touch(&c->dirty_locals, &container_of(item, struct local, item)->dirty);
}

/* What decides where the policy stands among an endpoint's others. */
static void set_place(struct calc *c, struct policy *p, const struct v3_policy *v,
                      char *text /* taken */)
{
	bool ingress, egress;

	directions(v, &ingress, &egress);
	if (p->isel.present &&
	    (strcmp(p->tier, tier_or_default(v->tier)) != 0 || p->order != v->order ||
	     p->ingress != ingress || p->egress != egress || strcmp(p->sel_text, text) != 0))
		index_selector_scan(&c->local, &p->isel, touch_local, c);
	free(p->sel_text);
	p->sel_text = text;
	free(p->tier);
	p->tier = xstrdup(tier_or_default(v->tier));
	p->order = v->order;
	p->ingress = ingress;
	p->egress = egress;
}

/* sel is taken. */
static void set_selector(struct calc *c, struct policy *p, struct selector *sel)
{
	struct selector *before = p->sel;

	if (p->isel.present && strcmp(selector_str(before), selector_str(sel)) == 0) {
		selector_unref(sel);
		return;
	}
	index_selector_remove(&c->local, &p->isel, true);
	p->sel = sel;
	index_selector_add(&c->local, &p->isel, sel);
	selector_unref(before);
}

int calc_policy_update(struct calc *c, const struct resource *r, struct err *err)
{
	struct v3_policy v;
	struct selector *sel;
	char *text;
	struct rules rules;
	struct policy *p;
	int rc;

	if ((rc = read_policy(r, &v, &sel, &text, &rules, err)) < 0) {
		calc_policy_remove(c, r->kind, r->ns, r->name);
		return rc;
	}
	if (!v.workloads) { /* for host endpoints alone, of which there are none yet */
		selector_unref(sel);
		free(text);
		rules_done(&rules);
		calc_policy_remove(c, r->kind, r->ns, r->name);
		return 0;
	}
	p = get(c, v.kind, v.ns, r->name);
	p->exists = true;
	if (p->holds_sets) { /* the new before the old: a set that stays never goes */
		sets_want(&c->sets, &rules);
		sets_unwant(&c->sets, &p->rules);
	}
	rules_done(&p->rules);
	p->rules = rules;
	set_place(c, p, &v, text);
	set_selector(c, p, sel);
	p->everywhere = v.everywhere;
	if (p->n_matches || p->everywhere || p->told)
		calc_touch(&c->dirty_policies, &p->dirty);
	return 0;
}

void calc_policy_remove(struct calc *c, model_kind kind, const char *ns, const char *name)
{
	struct policy *p = find(c, kind_name(kind), ns ? ns : "", name);

	if (!p || !p->exists)
		return;
	index_selector_remove(&c->local, &p->isel, true);
	p->exists = false;
	if (p->told || p->holds_sets)
		calc_touch(&c->dirty_policies, &p->dirty);
	else
		free_policy(c, p);
}

void calc_policies_done(struct calc *c)
{
	hmap_for_each (p, &c->policies, struct policy, node)
		free_policy(c, p);
	hmap_for_each (t, &c->tiers, struct tier, node)
		free(t);
	hmap_done(&c->policies);
	hmap_done(&c->tiers);
}
