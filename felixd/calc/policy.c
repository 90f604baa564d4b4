/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies and tiers: which apply to a local endpoint, and in what order. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "felixd/calc/policy_read.h"
#include "felixd/calc/state.h"

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
	double order = spec ? policy_order(spec->has_order, spec->order) : INFINITY;
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

/* ---- policies */

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

	/* Only hosts have untracked and pre-DNAT policies. */
	if (was == is || (p->class != CALC_POLICY_NORMAL && !l->ep->host))
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

static bool same_place(const struct policy *p, const struct policy_read *v)
{
	return strcmp(p->tier, v->tier) == 0 && p->order == v->order && p->ingress == v->ingress &&
	       p->egress == v->egress && p->class == v->class && p->forward == v->forward &&
	       strcmp(p->sel_text, v->sel_text) == 0;
}

/* What decides where the policy stands among an endpoint's others. The text is taken. */
static void set_place(struct calc *c, struct policy *p, struct policy_read *v)
{
	if (p->isel.present && !same_place(p, v))
		index_selector_scan(&c->local, &p->isel, touch_local, c);
	free(p->sel_text);
	p->sel_text = v->sel_text;
	v->sel_text = NULL;
	free(p->tier);
	p->tier = xstrdup(v->tier);
	p->order = v->order;
	p->ingress = v->ingress;
	p->egress = v->egress;
	p->class = v->class;
	p->forward = v->forward;
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
	struct policy_read v;
	struct policy *p;
	int rc = policy_read(r, &v, err);

	if (rc <= 0) { /* nonsense, or staged to be deleted */
		calc_policy_remove(c, r->kind, r->ns, r->name);
		return rc;
	}
	p = get(c, policy_kind_name(r->kind), r->ns ? r->ns : "", r->name);
	p->exists = true;
	p->staged = v.staged;
	if (p->holds_sets) { /* the new before the old: a set that stays never goes */
		sets_want(&c->sets, &v.rules);
		sets_unwant(&c->sets, &p->rules);
	}
	rules_done(&p->rules);
	p->rules = v.rules;
	if ((p->class == CALC_POLICY_NORMAL) != (v.class == CALC_POLICY_NORMAL))
		index_selector_remove(&c->local, &p->isel, true); /* others may match now */
	set_place(c, p, &v);
	set_selector(c, p, v.sel);
	p->everywhere = v.everywhere;
	if (p->n_matches || p->everywhere || p->told)
		calc_touch(&c->dirty_policies, &p->dirty);
	return 0;
}

void calc_policy_remove(struct calc *c, model_kind kind, const char *ns, const char *name)
{
	struct policy *p = find(c, policy_kind_name(kind), ns ? ns : "", name);

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
