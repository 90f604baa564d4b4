/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calc against a naive model: after random updates, what calc has told a toy dataplane is what one
 * gets by working everything out anew. The seed is printed when they differ, and can be given as
 * the first argument.
 */
#include "test/unit/felixd_calc_toy.h"

#include <math.h>
#include <time.h>

#include "common/model/selector.h"
#include "common/policy/compose.h"
#include "felixd/calc/rules.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_staged.pb-c.h"

#define ROUNDS 400
#define STEPS_MAX 6

static uint64_t rnd_state;

static unsigned rnd(unsigned n)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(rnd_state >> 33) % n;
}

static const char *pick(const char *const *v, size_t n)
{
	return v[rnd((unsigned)n)];
}
#define PICK(v) pick(v, ARRAY_SIZE(v))

/* ---- the truth: objects as they are in the datastore */

static struct resource *truth[4096];
static size_t n_truth;

static size_t truth_find(model_kind kind, const char *ns, const char *name)
{
	for (size_t i = 0; i < n_truth; i++)
		if (truth[i]->kind == kind && strcmp(truth[i]->name, name) == 0 &&
		    strcmp(truth[i]->ns ? truth[i]->ns : "", ns ? ns : "") == 0)
			return i;
	return n_truth;
}

static void truth_put(struct resource *r)
{
	size_t i = truth_find(r->kind, r->ns, r->name);

	if (i == n_truth)
		n_truth++;
	else
		resource_free(truth[i]);
	truth[i] = r;
}

static void truth_drop(size_t i)
{
	resource_free(truth[i]);
	truth[i] = truth[--n_truth];
}

/* ---- random objects */

static const char *const namespaces[] = { "ns1", "ns2" };
static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
static const char *const keys[] = { "role", "env", "x" };
static const char *const values[] = { "web", "db", "1" };
static const char *const profiles[] = { "kns.ns1", "kns.ns2", "ksa.ns1.sa",
	                                "projectcalico-default-allow", "p1" };
static const char *const tiers[] = { "default", "t1", "t2" };
static const char *const ips[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3",
	                           "10.0.0.4", "fd00::1",  "fd00::2" };
static const char *const nets[] = { "10.0.0.0/24", "10.0.0.1", "0.0.0.0/0",
	                            "fd00::/64",   "::/0",     "10.0.0.2/31" };
static const char *const ports[] = { "http", "dns" };
static const char *const protocols[] = { "TCP", "UDP", "SCTP" };

static void random_selector(struct buf *b, unsigned depth)
{
	switch (rnd(depth ? 9 : 6)) {
	case 0:
		buf_printf(b, "%s == '%s'", PICK(keys), PICK(values));
		break;
	case 1:
		buf_printf(b, "has(%s)", PICK(keys));
		break;
	case 2:
		buf_printf(b, "%s in {'%s','%s'}", PICK(keys), PICK(values), PICK(values));
		break;
	case 3:
		buf_printf(b, "%s != '%s'", PICK(keys), PICK(values));
		break;
	case 4:
		buf_printf(b, "%s starts with 'w'", PICK(keys));
		break;
	case 5:
		buf_str(b, rnd(2) ? "all()" : "projectcalico.org/namespace == 'ns1'");
		break;
	default:
		buf_printf(b, "%s(", rnd(3) ? "" : "!");
		random_selector(b, depth - 1);
		buf_str(b, rnd(2) ? " && " : " || ");
		random_selector(b, depth - 1);
		buf_byte(b, ')');
	}
}

static void member_selector(struct buf *b, const char *member, unsigned one_in)
{
	if (rnd(one_in))
		return;
	buf_printf(b, ",\"%s\":\"", member);
	random_selector(b, 2);
	buf_byte(b, '"');
}

static void random_labels(struct buf *b, const char *prefix)
{
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (rnd(2))
			continue;
		buf_printf(b, "%s\"%s%s\":\"%s\"", comma, prefix, keys[i], PICK(values));
		comma = ",";
	}
}

static void random_side(struct buf *b, bool with_ports)
{
	buf_printf(b, "{\"nets\":[]");
	if (!rnd(6))
		buf_printf(b, ",\"notNets\":[\"10.0.0.0/8\"]");
	member_selector(b, "selector", 2);
	member_selector(b, "notSelector", 6);
	member_selector(b, "namespaceSelector", 6);
	if (!rnd(8))
		buf_printf(b, ",\"serviceAccounts\":{\"names\":[\"sa\"]}");
	if (with_ports && !rnd(2))
		buf_printf(b, ",\"ports\":[\"%s\"%s]", PICK(ports), rnd(2) ? ",80" : "");
	if (with_ports && !rnd(5))
		buf_printf(b, ",\"notPorts\":[\"%s\"]", PICK(ports));
	buf_byte(b, '}');
}

static void random_rules(struct buf *b, const char *member)
{
	unsigned n = rnd(3);

	buf_printf(b, ",\"%s\":[", member);
	for (unsigned i = 0; i < n; i++) {
		bool with_protocol = rnd(2);

		buf_printf(b, "%s{\"action\":\"%s\"", i ? "," : "", rnd(2) ? "Allow" : "Deny");
		if (with_protocol)
			buf_printf(b, ",\"protocol\":\"%s\"", PICK(protocols));
		buf_str(b, ",\"source\":");
		random_side(b, with_protocol);
		buf_str(b, ",\"destination\":");
		random_side(b, with_protocol || !rnd(4));
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void random_policy(struct buf *b, bool global)
{
	buf_printf(b, "{\"spec\":{\"tier\":\"%s\"", PICK(tiers));
	if (rnd(2))
		buf_printf(b, ",\"order\":%u", rnd(3));
	member_selector(b, "selector", 2);
	if (global)
		member_selector(b, "namespaceSelector", 4);
	if (global && !rnd(2))
		buf_str(b, rnd(2)   ? ",\"applyOnForward\":true"
		           : rnd(2) ? ",\"doNotTrack\":true,\"applyOnForward\":true"
		                    : ",\"preDNAT\":true,\"applyOnForward\":true");
	member_selector(b, "serviceAccountSelector", 8);
	if (rnd(2))
		buf_printf(b, ",\"types\":[%s]", rnd(2) ? "\"Ingress\"" : "\"Ingress\",\"Egress\"");
	random_rules(b, "ingress");
	random_rules(b, "egress");
	buf_str(b, "}}");
}

static void random_wep(struct buf *b)
{
	buf_str(b, "{\"metadata\":{\"labels\":{");
	random_labels(b, "");
	buf_printf(b,
	           "}},\"spec\":{\"orchestrator\":\"k8s\",\"node\":\"%s\",\"interfaceName\":\"cali%"
	           "u\"",
	           rnd(2) ? "node1" : "node2", rnd(3));
	if (rnd(12)) {
		buf_printf(b, ",\"ipNetworks\":[\"%s\"", PICK(ips));
		if (rnd(2))
			buf_printf(b, ",\"%s\"", PICK(ips));
		buf_byte(b, ']');
	}
	buf_str(b, ",\"profiles\":[");
	for (unsigned i = 0, n = rnd(3); i < n; i++)
		buf_printf(b, "%s\"%s\"", i ? "," : "", PICK(profiles));
	buf_str(b, "],\"ports\":[");
	for (unsigned i = 0, n = rnd(3); i < n; i++)
		buf_printf(b, "%s{\"name\":\"%s\",\"protocol\":\"%s\",\"port\":%u}", i ? "," : "",
		           PICK(ports), PICK(protocols), 80 + rnd(2));
	buf_str(b, "]");
	if (!rnd(3))
		buf_str(b, ",\"serviceAccountName\":\"sa\"");
	buf_str(b, "}}");
}

static void random_hep(struct buf *b)
{
	static const char *const interfaces[] = { "*", "", "eth0" };

	buf_str(b, "{\"metadata\":{\"labels\":{");
	random_labels(b, "");
	buf_printf(b,
	           "}},\"spec\":{\"node\":\"%s\",\"interfaceName\":\"%s\",\"expectedIPs\":[\"%s\""
	           ",\"%s\"],\"profiles\":[",
	           rnd(2) ? "node1" : "node2", PICK(interfaces), PICK(ips), PICK(ips));
	for (unsigned i = 0, n = rnd(3); i < n; i++)
		buf_printf(b, "%s\"%s\"", i ? "," : "", PICK(profiles));
	buf_printf(b, "],\"ports\":[{\"name\":\"%s\",\"protocol\":\"%s\",\"port\":80}]}}",
	           PICK(ports), PICK(protocols));
}

static struct resource *random_object(void)
{
	static const model_kind kinds[] = {
		V3__KIND__KIND_WORKLOAD_ENDPOINT,
		V3__KIND__KIND_WORKLOAD_ENDPOINT,
		V3__KIND__KIND_WORKLOAD_ENDPOINT,
		V3__KIND__KIND_HOST_ENDPOINT,
		V3__KIND__KIND_HOST_ENDPOINT,
		V3__KIND__KIND_NETWORK_POLICY,
		V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
		V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
		V3__KIND__KIND_STAGED_NETWORK_POLICY,
		V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
		V3__KIND__KIND_PROFILE,
		V3__KIND__KIND_TIER,
		V3__KIND__KIND_NETWORK_SET,
		V3__KIND__KIND_GLOBAL_NETWORK_SET,
		V3__KIND__KIND_IP_POOL,
	};
	model_kind kind = kinds[rnd(ARRAY_SIZE(kinds))];
	const char *ns = kind_info(kind)->namespaced ? PICK(namespaces) : NULL, *name = PICK(names);
	struct buf b = { 0 };

	switch (kind) {
	case V3__KIND__KIND_WORKLOAD_ENDPOINT:
		random_wep(&b);
		break;
	case V3__KIND__KIND_HOST_ENDPOINT:
		random_hep(&b);
		break;
	case V3__KIND__KIND_NETWORK_POLICY:
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
		random_policy(&b, !ns);
		break;
	case V3__KIND__KIND_PROFILE:
		name = PICK(profiles);
		buf_str(&b, "{\"spec\":{\"labelsToApply\":{");
		random_labels(&b, rnd(3) ? "pcns." : "");
		buf_str(&b, "}");
		random_rules(&b, "ingress");
		buf_str(&b, "}}");
		break;
	case V3__KIND__KIND_TIER:
		name = PICK(tiers);
		buf_printf(&b, "{\"spec\":{\"order\":%u,\"defaultAction\":\"%s\"}}", rnd(3),
		           rnd(2) ? "Pass" : "Deny");
		break;
	case V3__KIND__KIND_IP_POOL:
		buf_printf(&b, "{\"spec\":{\"cidr\":\"10.%u.0.0/16\",\"natOutgoing\":%s}}", rnd(3),
		           rnd(2) ? "true" : "false");
		break;
	default:
		buf_str(&b, "{\"metadata\":{\"labels\":{");
		random_labels(&b, "");
		buf_printf(&b, "}},\"spec\":{\"nets\":[\"%s\",\"%s\"]}}", PICK(nets), PICK(nets));
	}
	struct resource *r = toy_resource(kind, ns, name, 1, buf_cstr(&b));
	buf_done(&b);
	return r;
}

/* ---- the naive model: everything, from the truth alone */

/* Adds a line unless it is there already. */
static void want(struct toy *m, char *line)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->lines[i], line) == 0) {
			free(line);
			return;
		}
	}
	toy_add(m, line);
}

static const V3__Profile *profile_of(const char *name)
{
	size_t i = truth_find(V3__KIND__KIND_PROFILE, NULL, name);

	return i < n_truth && strcmp(name, "projectcalico-default-allow") != 0
	               ? (void *)truth[i]->msg
	               : NULL;
}

/* A label of an endpoint or a network set, own ones first. */
static const char *label_of(void *arg, const char *label)
{
	const struct resource *r = arg;
	const V3__ObjectMeta *meta = model_meta(r->msg, false);
	char ns_profile[64];
	const char *parents[16];
	size_t n = 0;

	if (r->ns && strcmp(label, "projectcalico.org/namespace") == 0)
		return r->ns;
	if (r->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT) {
		const V3__WorkloadEndpointSpec *s = ((const V3__WorkloadEndpoint *)r->msg)->spec;

		if (strcmp(label, "projectcalico.org/orchestrator") == 0)
			return s->orchestrator;
		if (s->serviceaccountname && strcmp(label, "projectcalico.org/serviceaccount") == 0)
			return s->serviceaccountname;
		for (size_t i = 0; i < s->n_profiles; i++)
			parents[n++] = s->profiles[i];
	} else if (r->kind == V3__KIND__KIND_HOST_ENDPOINT) {
		const V3__HostEndpointSpec *s = ((const V3__HostEndpoint *)r->msg)->spec;

		for (size_t i = 0; i < s->n_profiles; i++)
			parents[n++] = s->profiles[i];
	} else if (r->ns) {
		snprintf(ns_profile, sizeof(ns_profile), "kns.%s", r->ns);
		parents[n++] = ns_profile;
	}
	for (size_t i = 0; meta && i < meta->n_labels; i++)
		if (strcmp(meta->labels[i]->key, label) == 0)
			return meta->labels[i]->value;
	for (size_t p = 0; p < n; p++) {
		const V3__Profile *profile = profile_of(parents[p]);

		for (size_t i = 0; profile && i < profile->spec->n_labelstoapply; i++)
			if (strcmp(profile->spec->labelstoapply[i]->key, label) == 0)
				return profile->spec->labelstoapply[i]->value;
	}
	return NULL;
}

static bool usable_wep(const struct resource *r)
{
	return r->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT &&
	       ((const V3__WorkloadEndpoint *)r->msg)->spec->n_ipnetworks;
}

static bool is_hep(const struct resource *r)
{
	return r->kind == V3__KIND__KIND_HOST_ENDPOINT;
}

static bool is_local(const struct resource *r)
{
	if (is_hep(r))
		return strcmp(((const V3__HostEndpoint *)r->msg)->spec->node, "node1") == 0;
	return usable_wep(r) &&
	       strcmp(((const V3__WorkloadEndpoint *)r->msg)->spec->node, "node1") == 0;
}

static void want_net(struct toy *m, const char *id, const char *text)
{
	struct calc_member member = { 0 };

	assert_int_equal(ip_prefix_parse(text, &member.net), 0);
	member.net = ip_prefix_network(&member.net);
	if (member.net.len == 0) {
		member.net.len = 1;
		want(m, toy_member(id, &member));
		member.net.addr.bytes[0] = 0x80;
	}
	want(m, toy_member(id, &member));
}

static void want_wep(struct toy *m, const struct set_spec *spec, const V3__WorkloadEndpointSpec *s)
{
	for (size_t i = 0; i < s->n_ipnetworks; i++) {
		if (spec->source == SET_OF_SELECTOR) {
			want_net(m, spec->id, s->ipnetworks[i]);
			continue;
		}
		for (size_t k = 0; k < s->n_ports; k++) {
			struct calc_member member = { .port = (uint16_t)s->ports[k]->port };
			const char *name = s->ports[k]->protocol->name;

			member.protocol = strcmp(name, "TCP") == 0   ? 6
			                  : strcmp(name, "UDP") == 0 ? 17
			                                             : 132;
			if (strcmp(s->ports[k]->name, spec->port) != 0 ||
			    (spec->protocol && spec->protocol != member.protocol))
				continue;
			assert_int_equal(ip_prefix_parse(s->ipnetworks[i], &member.net), 0);
			want(m, toy_member(spec->id, &member));
		}
	}
}

static void want_hep(struct toy *m, const struct set_spec *spec, const V3__HostEndpointSpec *s)
{
	for (size_t i = 0; i < s->n_expectedips; i++) {
		struct calc_member member = { .port = 80 };
		const char *name = s->ports[0]->protocol->name;

		if (spec->source == SET_OF_SELECTOR) {
			want_net(m, spec->id, s->expectedips[i]);
			continue;
		}
		member.protocol = strcmp(name, "TCP") == 0   ? 6
		                  : strcmp(name, "UDP") == 0 ? 17
		                                             : 132;
		if (strcmp(s->ports[0]->name, spec->port) != 0 ||
		    (spec->protocol && spec->protocol != member.protocol))
			continue;
		assert_int_equal(ip_prefix_parse(s->expectedips[i], &member.net), 0);
		want(m, toy_member(spec->id, &member));
	}
}

static void want_sets(struct toy *m, const struct rules *r)
{
	for (size_t i = 0; i < r->n_specs; i++) {
		const struct set_spec *spec = &r->specs[i];

		want(m, xasprintf("set %s %s", spec->id,
		                  spec->type == CALC_SET_NET ? "net" : "ip,port"));
		for (size_t k = 0; k < n_truth; k++) {
			const struct resource *o = truth[k];

			if (o->kind != V3__KIND__KIND_NETWORK_SET &&
			    o->kind != V3__KIND__KIND_GLOBAL_NETWORK_SET && !is_hep(o) &&
			    !usable_wep(o))
				continue;
			if (!selector_match(spec->sel, label_of, (void *)o))
				continue;
			if (o->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT)
				want_wep(m, spec, ((const V3__WorkloadEndpoint *)o->msg)->spec);
			else if (is_hep(o))
				want_hep(m, spec, ((const V3__HostEndpoint *)o->msg)->spec);
			else if (spec->source == SET_OF_SELECTOR)
				for (size_t x = 0;
				     x < ((const V3__NetworkSet *)o->msg)->spec->n_nets; x++)
					want_net(m, spec->id,
					         ((const V3__NetworkSet *)o->msg)->spec->nets[x]);
		}
	}
}

struct naive_policy {
	const struct resource *r;
	const char *tier;
	char key[64];  /* name/ns/kind */
	char text[64]; /* kind/ns/name */
	double order;
	bool ingress, egress, staged, untracked, pre_dnat, forward;
};

/* What of a policy the model looks at; the messages of one scope differ in nothing here but their
 * types. */
#define READ_NAIVE(spec)                                                                           \
	do {                                                                                       \
		assert_int_equal(rules_convert(ns, (spec)->ingress, (spec)->n_ingress,             \
		                               (spec)->egress, (spec)->n_egress, ret_rules, NULL), \
		                 0);                                                               \
		n_types = (spec)->n_types;                                                         \
		n_in = (spec)->n_ingress;                                                          \
		n_out = (spec)->n_egress;                                                          \
		if ((spec)->has_order)                                                             \
			p.order = (spec)->order;                                                   \
		p.tier = (spec)->tier;                                                             \
	} while (0)

static struct naive_policy read_naive(const struct resource *r, struct selector **ret_sel,
                                      struct rules *ret_rules)
{
	struct naive_policy p = { .r = r, .order = INFINITY };
	const char *ns = r->ns ? r->ns : "", *kind = kind_info(r->kind)->name;
	V3__NetworkPolicySpec namespaced = V3__NETWORK_POLICY_SPEC__INIT;
	V3__GlobalNetworkPolicySpec global = V3__GLOBAL_NETWORK_POLICY_SPEC__INIT;
	size_t n_types = 0, n_in = 0, n_out = 0;
	char *text;

	p.staged = strncmp(kind, "Staged", 6) == 0;
	if (r->ns && p.staged) {
		const V3__StagedNetworkPolicySpec *s =
		        ((const V3__StagedNetworkPolicy *)r->msg)->spec;

		READ_NAIVE(s);
		namespaced.selector = s->selector;
		namespaced.serviceaccountselector = s->serviceaccountselector;
	} else if (r->ns) {
		namespaced = *((const V3__NetworkPolicy *)r->msg)->spec;
		READ_NAIVE(&namespaced);
	} else if (p.staged) {
		const V3__StagedGlobalNetworkPolicySpec *s =
		        ((const V3__StagedGlobalNetworkPolicy *)r->msg)->spec;

		READ_NAIVE(s);
		global.selector = s->selector;
		global.serviceaccountselector = s->serviceaccountselector;
		global.namespaceselector = s->namespaceselector;
		global.donottrack = s->donottrack;
		global.prednat = s->prednat;
		global.applyonforward = s->applyonforward;
	} else {
		global = *((const V3__GlobalNetworkPolicy *)r->msg)->spec;
		READ_NAIVE(&global);
	}
	if (r->ns)
		assert_int_equal(compose_network_policy(ns, &namespaced, ret_sel, &text, NULL), 0);
	else
		assert_int_equal(compose_global_policy(&global, ret_sel, &text, NULL), 0);
	free(text);
	p.untracked = global.donottrack;
	p.pre_dnat = global.prednat;
	p.forward = global.applyonforward;
	p.ingress = n_types > 0 || n_in || !n_out; /* types here are always Ingress, or both */
	p.egress = n_types == 2 || (n_types == 0 && n_out);
	snprintf(p.key, sizeof(p.key), "%s/%s/%s", r->name, ns, kind);
	snprintf(p.text, sizeof(p.text), "%s%s/%s/%s", p.staged ? "~" : "", kind, ns, r->name);
	return p;
}

static double tier_order(const char *name)
{
	size_t i = truth_find(V3__KIND__KIND_TIER, NULL, name);

	return i < n_truth ? ((const V3__Tier *)truth[i]->msg)->spec->order : INFINITY;
}

static int cmp_naive(const void *x, const void *y)
{
	const struct naive_policy *a = x, *b = y;
	double ta = tier_order(a->tier), tb = tier_order(b->tier);

	if (ta != tb)
		return ta < tb ? -1 : 1;
	if (strcmp(a->tier, b->tier) != 0)
		return strcmp(a->tier, b->tier);
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return strcmp(a->key, b->key);
}

static bool is_untracked(const struct naive_policy *p)
{
	return p->untracked;
}

static bool is_pre_dnat(const struct naive_policy *p)
{
	return p->pre_dnat;
}

static bool is_normal(const struct naive_policy *p)
{
	return !p->untracked && !p->pre_dnat;
}

static bool is_forward(const struct naive_policy *p)
{
	return is_normal(p) && p->forward;
}

/* The tiers of v, which is sorted, with the policies that belong. */
static void want_tiers(struct buf *b, const struct naive_policy *v, size_t n,
                       bool (*belongs)(const struct naive_policy *p), bool egress, bool pass)
{
	for (size_t i = 0, end; i < n; i = end) {
		size_t t = truth_find(V3__KIND__KIND_TIER, NULL, v[i].tier);
		bool any = false;

		for (end = i; end < n && strcmp(v[end].tier, v[i].tier) == 0; end++)
			any |= belongs(&v[end]) && (v[end].ingress || (egress && v[end].egress));
		if (!any)
			continue;
		buf_printf(b, " [%s%s in:", v[i].tier,
		           pass || (t < n_truth &&
		                    strcmp(((const V3__Tier *)truth[t]->msg)->spec->defaultaction,
		                           "Pass") == 0)
		                   ? " pass"
		                   : "");
		for (size_t k = i; k < end; k++)
			if (belongs(&v[k]) && v[k].ingress)
				buf_printf(b, " %s", v[k].text);
		buf_str(b, " out:");
		for (size_t k = i; egress && k < end; k++)
			if (belongs(&v[k]) && v[k].egress)
				buf_printf(b, " %s", v[k].text);
		buf_byte(b, ']');
	}
}

static void want_endpoint(struct toy *m, const struct resource *r, struct naive_policy *v, size_t n)
{
	struct buf b = { 0 };
	struct ip_prefix net;
	char text[IP_PREFIX_STR_MAX], **addrs, **profile;
	size_t n_addrs, n_profiles;

	qsort(v, n, sizeof(*v), cmp_naive);
	if (is_hep(r)) {
		const V3__HostEndpointSpec *s = ((const V3__HostEndpoint *)r->msg)->spec;

		buf_printf(&b, "endpoint host %s '%s'", r->name,
		           s->interfacename ? s->interfacename : "");
		addrs = s->expectedips;
		n_addrs = s->n_expectedips;
		profile = s->profiles;
		n_profiles = s->n_profiles;
	} else {
		const V3__WorkloadEndpointSpec *s = ((const V3__WorkloadEndpoint *)r->msg)->spec;

		buf_printf(&b, "endpoint %s/%s %s", r->ns, r->name, s->interfacename);
		addrs = s->ipnetworks;
		n_addrs = s->n_ipnetworks;
		profile = s->profiles;
		n_profiles = s->n_profiles;
	}
	for (size_t i = 0; i < n_addrs; i++) {
		assert_int_equal(ip_prefix_parse(addrs[i], &net), 0);
		buf_printf(&b, " %s", ip_prefix_str(&net, text));
	}
	if (is_hep(r)) {
		buf_str(&b, " untracked");
		want_tiers(&b, v, n, is_untracked, true, true);
		buf_str(&b, " pre-dnat");
		want_tiers(&b, v, n, is_pre_dnat, false, true);
		buf_str(&b, " forward");
		want_tiers(&b, v, n, is_forward, true, false);
		buf_str(&b, " normal");
	}
	want_tiers(&b, v, n, is_normal, true, false);
	for (size_t i = 0; i < n_profiles; i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= strcmp(profile[k], profile[i]) == 0;
		if (!again)
			buf_printf(&b, " <%s>", profile[i]);
	}
	toy_add(m, buf_take(&b));
}

static void want_profile(struct toy *m, const char *name)
{
	const V3__Profile *p = profile_of(name);
	struct rules r;
	struct buf b = { 0 };

	if (p)
		assert_int_equal(rules_convert("", p->spec->ingress, p->spec->n_ingress,
		                               p->spec->egress, p->spec->n_egress, &r, NULL),
		                 0);
	else
		rules_constant(strcmp(name, "projectcalico-default-allow") == 0 ? CALC_ALLOW
		                                                                : CALC_DENY,
		               &r);
	buf_printf(&b, "profile %s ", name);
	toy_rules(&b, "in", r.ingress, r.n_ingress);
	toy_rules(&b, "out", r.egress, r.n_egress);
	want_sets(m, &r);
	want(m, buf_take(&b));
	rules_done(&r);
}

static void want_pool(struct toy *m, const struct resource *r)
{
	const V3__IpPoolSpec *s = ((const V3__IPPool *)r->msg)->spec;

	for (size_t i = 0; i < n_truth; i++)
		if (truth[i]->kind == r->kind && strcmp(truth[i]->name, r->name) < 0 &&
		    strcmp(((const V3__IPPool *)truth[i]->msg)->spec->cidr, s->cidr) == 0)
			return;
	toy_add(m, xasprintf("pool %s %s", s->cidr, s->natoutgoing ? "masquerade" : "plain"));
}

static char *naive(void)
{
	struct toy m = { 0 };
	struct naive_policy matched[64][64]; /* by object */
	size_t n_matched[64] = { 0 };
	char *text;

	assert_true(n_truth <= 64);
	for (size_t i = 0; i < n_truth; i++) {
		const struct resource *r = truth[i];
		struct selector *sel;
		struct rules rules;
		bool active = false;

		if (r->kind == V3__KIND__KIND_IP_POOL)
			want_pool(&m, r);
		if (r->kind != V3__KIND__KIND_NETWORK_POLICY &&
		    r->kind != V3__KIND__KIND_GLOBAL_NETWORK_POLICY &&
		    r->kind != V3__KIND__KIND_STAGED_NETWORK_POLICY &&
		    r->kind != V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY)
			continue;
		struct naive_policy p = read_naive(r, &sel, &rules);
		for (size_t k = 0; k < n_truth; k++) {
			if (is_local(truth[k]) && (is_hep(truth[k]) || is_normal(&p)) &&
			    selector_match(sel, label_of, truth[k])) {
				matched[k][n_matched[k]++] = p;
				active = true;
			}
		}
		if (active && !p.staged) {
			struct buf b = { 0 };

			buf_printf(&b, "policy %s %s", p.text, p.tier);
			toy_rules(&b, "in", rules.ingress, rules.n_ingress);
			toy_rules(&b, "out", rules.egress, rules.n_egress);
			toy_add(&m, buf_take(&b));
			want_sets(&m, &rules);
		}
		selector_unref(sel);
		rules_done(&rules);
	}
	for (size_t k = 0; k < n_truth; k++) {
		if (!is_local(truth[k]))
			continue;
		want_endpoint(&m, truth[k], matched[k], n_matched[k]);
		if (is_hep(truth[k])) {
			const V3__HostEndpointSpec *s =
			        ((const V3__HostEndpoint *)truth[k]->msg)->spec;

			for (size_t x = 0; x < s->n_profiles; x++)
				want_profile(&m, s->profiles[x]);
			continue;
		}
		const V3__WorkloadEndpointSpec *s =
		        ((const V3__WorkloadEndpoint *)truth[k]->msg)->spec;

		for (size_t x = 0; x < s->n_profiles; x++)
			want_profile(&m, s->profiles[x]);
	}
	text = toy_text(&m);
	toy_done(&m);
	return text;
}

/* ---- the test */

static void random_step(struct calc *c)
{
	if (n_truth && (rnd(3) == 0 || n_truth > 60)) {
		size_t i = rnd((unsigned)n_truth);
		struct resource *r = truth[i];

		calc_remove(c, r->kind, r->ns, r->name);
		truth_drop(i);
		return;
	}
	struct resource *r = random_object();
	struct err err = { 0 };

	if (calc_update(c, r, &err) < 0 &&
	    (r->kind != V3__KIND__KIND_WORKLOAD_ENDPOINT || usable_wep(r)))
		fail_msg("refused: %s", err.text);
	truth_put(r);
}

static void compare(struct toy *t, uint64_t seed, unsigned round)
{
	char *have = toy_text(t), *expect = naive();

	if (strcmp(have, expect) != 0) {
		size_t i = 0, line = 0;

		for (; have[i] && have[i] == expect[i]; i++)
			if (have[i] == '\n')
				line = i + 1;
		fail_msg("seed %llu round %u\nhave   %.*s\nexpect %.*s", (unsigned long long)seed,
		         round, (int)strcspn(have + line, "\n"), have + line,
		         (int)strcspn(expect + line, "\n"), expect + line);
	}
	free(have);
	free(expect);
}

static void run(uint64_t seed)
{
	struct toy t = { 0 };
	struct calc *c = calc_new("node1", &toy_ops, &t);

	rnd_state = seed;
	for (unsigned i = rnd(40); i > 0; i--)
		random_step(c);
	calc_in_sync(c);
	for (unsigned round = 0; round < ROUNDS; round++) {
		calc_flush(c);
		assert_false(calc_dirty(c));
		compare(&t, seed, round);
		for (unsigned i = rnd(STEPS_MAX) + 1; i > 0; i--)
			random_step(c);
	}
	while (n_truth) {
		calc_remove(c, truth[0]->kind, truth[0]->ns, truth[0]->name);
		truth_drop(0);
	}
	calc_flush(c);
	assert_int_equal(t.n, 0);
	struct calc_stats s = calc_stats(c);
	assert_int_equal(s.set_members + s.sets + s.policies + s.endpoints, 0);
	assert_int_equal(s.profiles, 1); /* the built-in one */
	calc_free(c);
	toy_done(&t);
}

static uint64_t first_seed;

static void calc_agrees_with_the_naive_model(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		run(first_seed + i);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calc_agrees_with_the_naive_model),
	};

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
