/* SPDX-License-Identifier: BSD-2-Clause */
/* What calc believes, as JSON, for people. */
#include <math.h>

#include "common/base/jsonw.h"
#include "common/model/selector.h"
#include "felixd/calc/state.h"

typedef void dump_fn(void *arg, const char *section, const char *json);

static void done(struct jsonw *w, const char *section, dump_fn *fn, void *arg)
{
	jsonw_end_object(w);
	fn(arg, section, buf_cstr(w->out));
	buf_done(w->out);
}

static void begin(struct jsonw *w, struct buf *b)
{
	*b = (struct buf){ 0 };
	jsonw_init(w, b);
	jsonw_object(w, NULL);
}

static void dump_order(struct jsonw *w, double order)
{
	if (isfinite(order))
		jsonw_double(w, "order", order);
}

static void dump_endpoint(const struct local *l, dump_fn *fn, void *arg)
{
	struct jsonw w;
	struct buf b;
	char text[IP_PREFIX_STR_MAX];

	begin(&w, &b);
	jsonw_str(&w, "kind", l->ep->host ? "HostEndpoint" : "WorkloadEndpoint");
	if (!l->ep->host)
		jsonw_str(&w, "namespace", l->ep->ns);
	jsonw_str(&w, "name", l->ep->name);
	jsonw_u64(&w, "revision", l->ep->revision);
	jsonw_str(&w, "source", l->ep->lane_revision ? "plugin" : "datastore");
	jsonw_str(&w, "interface", l->interface);
	if (!l->ep->host)
		jsonw_str(&w, "container", l->container);
	jsonw_array(&w, "addresses");
	for (uint32_t i = 0; i < l->ep->src.now.n_nets; i++)
		jsonw_str(&w, NULL, ip_prefix_str(&l->ep->src.now.nets[i], text));
	jsonw_end_array(&w);
	jsonw_array(&w, "policies");
	for (size_t i = 0; i < l->n_matched; i++)
		jsonw_str(&w, NULL, l->matched[i]->sort_key);
	jsonw_end_array(&w);
	jsonw_array(&w, "profiles");
	for (uint32_t i = 0; i < l->item.n_parents; i++)
		jsonw_str(&w, NULL,
		          container_of(l->item.parents[i].parent, struct profile, local)->name);
	jsonw_end_array(&w);
	done(&w, "endpoint", fn, arg);
}

static void dump_rules(struct jsonw *w, const struct rules *r)
{
	jsonw_u64(w, "ingressRules", r->n_ingress);
	jsonw_u64(w, "egressRules", r->n_egress);
	jsonw_array(w, "sets");
	for (size_t i = 0; i < r->n_specs; i++)
		jsonw_str(w, NULL, r->specs[i].id);
	jsonw_end_array(w);
}

static void dump_policy(const struct policy *p, dump_fn *fn, void *arg)
{
	struct jsonw w;
	struct buf b;

	begin(&w, &b);
	jsonw_str(&w, "kind", p->kind);
	if (*p->ns)
		jsonw_str(&w, "namespace", p->ns);
	jsonw_str(&w, "name", p->name);
	jsonw_str(&w, "tier", p->tier);
	dump_order(&w, p->order);
	if (p->sel)
		jsonw_str(&w, "selector", selector_str(p->sel));
	jsonw_bool(&w, "ingress", p->ingress);
	jsonw_bool(&w, "egress", p->egress);
	jsonw_str(&w, "class",
	          p->class == CALC_POLICY_UNTRACKED  ? "doNotTrack"
	          : p->class == CALC_POLICY_PRE_DNAT ? "preDNAT"
	          : p->forward                       ? "applyOnForward"
	                                             : "normal");
	jsonw_bool(&w, "staged", p->staged);
	jsonw_bool(&w, "active", calc_policy_active(p));
	jsonw_u64(&w, "localEndpoints", p->n_matches);
	dump_rules(&w, &p->rules);
	done(&w, "policy", fn, arg);
}

static void dump_profile(const struct profile *p, dump_fn *fn, void *arg)
{
	struct jsonw w;
	struct buf b;

	begin(&w, &b);
	jsonw_str(&w, "name", p->name);
	jsonw_bool(&w, "exists", p->exists);
	jsonw_u64(&w, "localEndpoints", p->local_refs);
	dump_rules(&w, &p->rules);
	done(&w, "profile", fn, arg);
}

void calc_dump(const struct calc *c, dump_fn *fn, void *arg)
{
	struct jsonw w;
	struct buf b;
	char cidr[IP_PREFIX_STR_MAX];

	for (uint32_t i = 0; i < c->local.items.n; i++)
		dump_endpoint(container_of(c->local.items.v[i], struct local, item), fn, arg);
	hmap_for_each (p, &c->policies, struct policy, node)
		dump_policy(p, fn, arg);
	hmap_for_each (p, &c->profiles, struct profile, node)
		dump_profile(p, fn, arg);
	hmap_for_each (t, &c->tiers, struct tier, node) {
		begin(&w, &b);
		jsonw_str(&w, "name", t->name);
		dump_order(&w, t->order);
		jsonw_str(&w, "defaultAction", t->default_pass ? "Pass" : "Deny");
		done(&w, "tier", fn, arg);
	}
	sets_dump(&c->sets, fn, arg);
	hmap_for_each (p, &c->pools, struct pool, node) {
		begin(&w, &b);
		jsonw_str(&w, "name", p->name);
		jsonw_str(&w, "cidr", ip_prefix_str(&p->cidr, cidr));
		jsonw_bool(&w, "natOutgoing", p->masquerade);
		done(&w, "pool", fn, arg);
	}
}
