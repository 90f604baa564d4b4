/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/policy/world.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"
#include "common/model/selector.h"
#include "common/policy/compose.h"
#include "common/policy/match.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_staged.pb-c.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

struct policy_world *policy_world_new(void)
{
	return xcalloc(1, sizeof(struct policy_world));
}

static void party_done(struct policy_party *p)
{
	free(p->labels);
	free(p->profiles);
	free(p->space_profile);
	free(p->nets);
	free(p->ports);
}

void policy_world_free(struct policy_world *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_parties; i++)
		party_done(&w->parties[i]);
	for (size_t i = 0; i < w->n_policies; i++) {
		selector_unref(w->policies[i].sel);
		free(w->policies[i].sort_key);
	}
	for (size_t i = 0; i < w->n_profiles; i++)
		free(w->profiles[i].owned);
	free(w->parties);
	free(w->policies);
	free(w->tiers);
	free(w->profiles);
	free(w);
}

/* Room for one more behind the n that are there: doubles when n is a power of two. */
static void *grow(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : xrealloc(v, (n ? n * 2 : 1) * size);
}

/* ---- endpoints and network sets */

static void add_label(struct policy_party *p, const char *key, const char *value)
{
	for (size_t i = 0; i < p->n_labels; i++) {
		if (strcmp(p->labels[i].key, key) == 0) {
			p->labels[i].value = value;
			return;
		}
	}
	p->labels = grow(p->labels, p->n_labels, sizeof(*p->labels));
	p->labels[p->n_labels++] = (struct policy_label){ key, value };
}

/* inherits: only its profiles say what namespace and account it has. */
static void add_labels(struct policy_party *p, const V3__ObjectMeta *meta, bool inherits)
{
	for (size_t i = 0; meta && i < meta->n_labels; i++) {
		const char *key = or_empty(meta->labels[i]->key);

		if (!inherits || (strncmp(key, "pcns.", 5) != 0 && strncmp(key, "pcsa.", 5) != 0))
			add_label(p, key, or_empty(meta->labels[i]->value));
	}
}

static void add_profiles(struct policy_party *p, char *const *names, size_t n)
{
	p->profiles = xcalloc(n + 1, sizeof(*p->profiles));
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		for (size_t k = 0; k < p->n_profiles && !again; k++)
			again = strcmp(p->profiles[k], names[i]) == 0;
		if (!again)
			p->profiles[p->n_profiles++] = names[i];
	}
}

static void add_port(struct policy_party *p, const char *name, const V3__Protocol *protocol,
                     uint32_t port)
{
	int number = protocol_number(protocol);

	if (!name || !*name || !protocol_has_ports(number) || port > UINT16_MAX)
		return;
	p->ports = grow(p->ports, p->n_ports, sizeof(*p->ports));
	p->ports[p->n_ports++] = (struct policy_port){ name, number, port };
}

static int add_addresses(struct policy_party *p, char *const *text, size_t n, const char *field,
                         struct err *err)
{
	p->nets = xcalloc(n + 1, sizeof(*p->nets));
	for (size_t i = 0; i < n; i++) {
		struct ip_prefix net;

		if (ip_prefix_parse(text[i], &net) < 0)
			return err_set(err, -EINVAL, "%s[%zu]: '%.64s' is not an address", field, i,
			               text[i]);
		p->nets[p->n_nets++] = ip_prefix_host(&net.addr);
	}
	return 0;
}

static int read_workload(const struct resource *r, struct policy_party *p, struct err *err)
{
	const V3__WorkloadEndpoint *m = (const V3__WorkloadEndpoint *)r->msg;
	const V3__WorkloadEndpointSpec *s = m->spec;

	if (!s || s->n_ipnetworks == 0)
		return err_set(err, -EINVAL, "spec.ipNetworks: the endpoint has no address");
	p->node = or_empty(s->node);
	add_labels(p, m->metadata, true);
	add_label(p, "projectcalico.org/namespace", or_empty(r->ns));
	if (s->orchestrator && *s->orchestrator)
		add_label(p, "projectcalico.org/orchestrator", s->orchestrator);
	if (s->serviceaccountname && *s->serviceaccountname)
		add_label(p, "projectcalico.org/serviceaccount", s->serviceaccountname);
	add_profiles(p, s->profiles, s->n_profiles);
	for (size_t i = 0; i < s->n_ports; i++)
		add_port(p, s->ports[i]->name, s->ports[i]->protocol, s->ports[i]->port);
	return add_addresses(p, s->ipnetworks, s->n_ipnetworks, "spec.ipNetworks", err);
}

static int read_host(const struct resource *r, struct policy_party *p, struct err *err)
{
	const V3__HostEndpoint *m = (const V3__HostEndpoint *)r->msg;
	const V3__HostEndpointSpec *s = m->spec;

	if (!s)
		return err_set(err, -EINVAL, "spec: missing");
	p->node = or_empty(s->node);
	add_labels(p, m->metadata, true);
	add_profiles(p, s->profiles, s->n_profiles);
	for (size_t i = 0; i < s->n_ports; i++)
		add_port(p, s->ports[i]->name, s->ports[i]->protocol, s->ports[i]->port);
	return add_addresses(p, s->expectedips, s->n_expectedips, "spec.expectedIPs", err);
}

static int read_set(const struct resource *r, struct policy_party *p)
{
	bool global = r->kind == V3__KIND__KIND_GLOBAL_NETWORK_SET;
	const V3__NetworkSetSpec *s = global ? ((const V3__GlobalNetworkSet *)r->msg)->spec
	                                     : ((const V3__NetworkSet *)r->msg)->spec;

	p->node = "";
	add_labels(p, model_meta(r->msg, false), false);
	if (!global) { /* and the namespace's labels */
		add_label(p, "projectcalico.org/namespace", or_empty(r->ns));
		p->space_profile = xasprintf("kns.%s", or_empty(r->ns));
		add_profiles(p, &p->space_profile, 1);
	}
	p->nets = xcalloc((s ? s->n_nets : 0) + 1, sizeof(*p->nets));
	for (size_t i = 0; s && i < s->n_nets; i++) {
		struct ip_prefix net;

		if (ip_prefix_parse(s->nets[i], &net) == 0)
			p->nets[p->n_nets++] = ip_prefix_network(&net);
	}
	return 0;
}

static int add_party(struct policy_world *w, const struct resource *r, struct err *err)
{
	struct policy_party p = { .r = r };
	int rc = r->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT ? read_workload(r, &p, err)
	         : r->kind == V3__KIND__KIND_HOST_ENDPOINT   ? read_host(r, &p, err)
	                                                     : read_set(r, &p);

	if (rc < 0) {
		party_done(&p);
		return rc;
	}
	w->parties = grow(w->parties, w->n_parties, sizeof(*w->parties));
	w->parties[w->n_parties++] = p;
	return 0;
}

/* ---- policies: four kinds whose messages have fields of the same names */

static double order_of(bool has, double order)
{
	return has && !isnan(order) ? order : INFINITY;
}

/* Types that were left out follow from the rules, as upstream's API fills them in. */
static void read_types(struct policy_entry *p, char *const *types, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p->ingress |= strcmp(types[i], "Ingress") == 0;
		p->egress |= strcmp(types[i], "Egress") == 0;
	}
	if (n == 0) {
		p->egress = p->rules.n_egress > 0;
		p->ingress = p->rules.n_ingress > 0 || p->rules.n_egress == 0;
	}
}

#define READ_COMMON(p, s)                                                                          \
	do {                                                                                       \
		(p)->tier = (s)->tier && *(s)->tier ? (s)->tier : "default";                       \
		(p)->order = order_of((s)->has_order, (s)->order);                                 \
		(p)->rules = (struct policy_rules){ (s)->ingress, (s)->egress, (s)->n_ingress,     \
			                            (s)->n_egress };                               \
		read_types((p), (s)->types, (s)->n_types);                                         \
	} while (0)

static int read_namespaced(const struct resource *r, struct policy_entry *p, char **text,
                           struct err *err)
{
	V3__NetworkPolicySpec selectors = V3__NETWORK_POLICY_SPEC__INIT;

	if (p->staged) {
		const V3__StagedNetworkPolicySpec *s =
		        ((const V3__StagedNetworkPolicy *)r->msg)->spec;

		READ_COMMON(p, s);
		selectors.selector = s->selector;
		selectors.serviceaccountselector = s->serviceaccountselector;
		return compose_network_policy(p->ns, &selectors, &p->sel, text, err);
	}
	READ_COMMON(p, ((const V3__NetworkPolicy *)r->msg)->spec);
	return compose_network_policy(p->ns, ((const V3__NetworkPolicy *)r->msg)->spec, &p->sel,
	                              text, err);
}

#define READ_GLOBAL(p, s)                                                                          \
	do {                                                                                       \
		READ_COMMON(p, s);                                                                 \
		(p)->untracked = (s)->donottrack;                                                  \
		(p)->pre_dnat = (s)->prednat;                                                      \
		(p)->on_forward = (s)->applyonforward;                                             \
	} while (0)

static int read_global(const struct resource *r, struct policy_entry *p, char **text,
                       struct err *err)
{
	V3__GlobalNetworkPolicySpec selectors = V3__GLOBAL_NETWORK_POLICY_SPEC__INIT;

	if (p->staged) {
		const V3__StagedGlobalNetworkPolicySpec *s =
		        ((const V3__StagedGlobalNetworkPolicy *)r->msg)->spec;

		READ_GLOBAL(p, s);
		selectors.selector = s->selector;
		selectors.namespaceselector = s->namespaceselector;
		selectors.serviceaccountselector = s->serviceaccountselector;
		return compose_global_policy(&selectors, &p->sel, text, err);
	}
	READ_GLOBAL(p, ((const V3__GlobalNetworkPolicy *)r->msg)->spec);
	return compose_global_policy(((const V3__GlobalNetworkPolicy *)r->msg)->spec, &p->sel, text,
	                             err);
}

static int check_rules(const char *ns, const struct policy_rules *r, struct err *err)
{
	int rc;

	for (size_t i = 0; i < r->n_ingress; i++)
		if ((rc = policy_rule_check(ns, r->ingress[i], err)) < 0)
			return err_wrap(err, rc, "spec: ingress[%zu]", i);
	for (size_t i = 0; i < r->n_egress; i++)
		if ((rc = policy_rule_check(ns, r->egress[i], err)) < 0)
			return err_wrap(err, rc, "spec: egress[%zu]", i);
	return 0;
}

static bool has_spec(const struct resource *r)
{
	switch (r->kind) {
	case V3__KIND__KIND_NETWORK_POLICY:
		return ((const V3__NetworkPolicy *)r->msg)->spec;
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
		return ((const V3__GlobalNetworkPolicy *)r->msg)->spec;
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
		return ((const V3__StagedNetworkPolicy *)r->msg)->spec;
	default:
		return ((const V3__StagedGlobalNetworkPolicy *)r->msg)->spec;
	}
}

/* A staged policy that says of another that it is to go has nothing to say about packets. */
static bool is_deletion(const struct resource *r)
{
	const char *action = NULL;

	if (r->kind == V3__KIND__KIND_STAGED_NETWORK_POLICY)
		action = ((const V3__StagedNetworkPolicy *)r->msg)->spec->stagedaction;
	else if (r->kind == V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY)
		action = ((const V3__StagedGlobalNetworkPolicy *)r->msg)->spec->stagedaction;
	return action && strcmp(action, "Delete") == 0;
}

static int add_policy(struct policy_world *w, const struct resource *r, struct err *err)
{
	struct policy_entry p = {
		.r = r,
		.kind = kind_info(r->kind)->name,
		.ns = or_empty(r->ns),
		.staged = r->kind == V3__KIND__KIND_STAGED_NETWORK_POLICY ||
		          r->kind == V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
	};
	CLEANUP(free_p) char *text = NULL;
	int rc;

	if (!has_spec(r))
		return err_set(err, -EINVAL, "spec: missing");
	if (is_deletion(r))
		return 0;
	rc = r->kind == V3__KIND__KIND_NETWORK_POLICY ||
	                     r->kind == V3__KIND__KIND_STAGED_NETWORK_POLICY
	             ? read_namespaced(r, &p, &text, err)
	             : read_global(r, &p, &text, err);
	if (rc == 0)
		rc = check_rules(p.ns, &p.rules, err);
	if (rc < 0) {
		selector_unref(p.sel);
		return rc;
	}
	p.sort_key = xasprintf("%s/%s/%s", r->name, p.ns, p.kind);
	w->policies = grow(w->policies, w->n_policies, sizeof(*w->policies));
	w->policies[w->n_policies++] = p;
	return 0;
}

/* ---- tiers and profiles */

static void add_tier(struct policy_world *w, const struct policy_tier *t)
{
	w->tiers = grow(w->tiers, w->n_tiers, sizeof(*w->tiers));
	w->tiers[w->n_tiers++] = *t;
}

static void read_tier(struct policy_world *w, const struct resource *r)
{
	const V3__TierSpec *s = ((const V3__Tier *)r->msg)->spec;

	add_tier(w, &(struct policy_tier){
	                    .name = r->name,
	                    .order = s ? order_of(s->has_order, s->order) : INFINITY,
	                    .default_pass =
	                            s && s->defaultaction && strcmp(s->defaultaction, "Pass") == 0,
	                    .exists = true,
	            });
}

static int add_profile(struct policy_world *w, const struct resource *r, struct err *err)
{
	const V3__ProfileSpec *s = ((const V3__Profile *)r->msg)->spec;
	struct policy_profile p = { .name = r->name };
	int rc;

	if (strcmp(r->name, POLICY_PROFILE_ALLOW) == 0)
		return 0; /* a stored copy says nothing */
	if (s) {
		p.rules = (struct policy_rules){ s->ingress, s->egress, s->n_ingress, s->n_egress };
		if ((rc = check_rules("", &p.rules, err)) < 0)
			return rc;
		p.owned = xcalloc(s->n_labelstoapply + 1, sizeof(*p.owned));
		for (size_t i = 0; i < s->n_labelstoapply; i++)
			p.owned[p.n_labels++] =
			        (struct policy_label){ or_empty(s->labelstoapply[i]->key),
				                       or_empty(s->labelstoapply[i]->value) };
		p.labels = p.owned;
	}
	w->profiles = grow(w->profiles, w->n_profiles, sizeof(*w->profiles));
	w->profiles[w->n_profiles++] = p;
	return 0;
}

int policy_world_add(struct policy_world *w, const struct resource *r, struct err *err)
{
	switch ((int)r->kind) {
	case V3__KIND__KIND_WORKLOAD_ENDPOINT:
	case V3__KIND__KIND_HOST_ENDPOINT:
	case V3__KIND__KIND_NETWORK_SET:
	case V3__KIND__KIND_GLOBAL_NETWORK_SET:
		return add_party(w, r, err);
	case V3__KIND__KIND_NETWORK_POLICY:
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
		return add_policy(w, r, err);
	case V3__KIND__KIND_PROFILE:
		return add_profile(w, r, err);
	case V3__KIND__KIND_TIER:
		read_tier(w, r);
		return 0;
	default:
		return 0;
	}
}

/* ---- order */

static int by_number(double a, double b)
{
	return (a > b) - (a < b);
}

/* Those that exist, with the lowest order, by name. */
static int by_tier(const void *a, const void *b)
{
	const struct policy_tier *x = a, *y = b;
	int c = (int)y->exists - (int)x->exists;

	if (c == 0)
		c = by_number(x->order, y->order);
	return c ? c : strcmp(x->name, y->name);
}

static int by_profile(const void *a, const void *b)
{
	return strcmp(((const struct policy_profile *)a)->name,
	              ((const struct policy_profile *)b)->name);
}

static int by_place(const void *a, const void *b)
{
	const struct policy_entry *x = a, *y = b;
	int c = by_number(x->order, y->order);

	return c ? c : strcmp(x->sort_key, y->sort_key);
}

void policy_world_settle(struct policy_world *w)
{
	for (size_t i = 0; i < w->n_policies; i++)
		if (!policy_world_tier(w, w->policies[i].tier))
			add_tier(w, &(struct policy_tier){ .name = w->policies[i].tier,
			                                   .order = INFINITY });
	if (w->n_tiers)
		qsort(w->tiers, w->n_tiers, sizeof(*w->tiers), by_tier);
	if (w->n_policies)
		qsort(w->policies, w->n_policies, sizeof(*w->policies), by_place);
	if (w->n_profiles)
		qsort(w->profiles, w->n_profiles, sizeof(*w->profiles), by_profile);
	w->settled = true;
}

/* ---- answers */

const struct policy_tier *policy_world_tier(const struct policy_world *w, const char *name)
{
	for (size_t i = 0; i < w->n_tiers; i++)
		if (strcmp(w->tiers[i].name, name) == 0)
			return &w->tiers[i];
	return NULL;
}

const struct policy_profile *policy_world_profile(const struct policy_world *w, const char *name)
{
	struct policy_profile key = { .name = name };

	return w->n_profiles ? bsearch(&key, w->profiles, w->n_profiles, sizeof(key), by_profile)
	                     : NULL;
}

struct lookup {
	const struct policy_world *w;
	const struct policy_party *p;
};

static const char *find_label(const struct policy_label *labels, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].key, key) == 0)
			return labels[i].value;
	return NULL;
}

static const char *look_up(void *arg, const char *key)
{
	const struct lookup *l = arg;
	const char *value = find_label(l->p->labels, l->p->n_labels, key);

	for (size_t i = 0; !value && i < l->p->n_profiles; i++) {
		const struct policy_profile *p = policy_world_profile(l->w, l->p->profiles[i]);

		if (p)
			value = find_label(p->labels, p->n_labels, key);
	}
	return value;
}

bool policy_selects(const struct policy_world *w, const struct selector *s,
                    const struct policy_party *p)
{
	struct lookup l = { w, p };

	return selector_match(s, look_up, &l);
}

bool policy_party_has(const struct policy_party *p, const struct ip_addr *addr)
{
	for (size_t i = 0; i < p->n_nets; i++)
		if (ip_prefix_contains(&p->nets[i], addr))
			return true;
	return false;
}
