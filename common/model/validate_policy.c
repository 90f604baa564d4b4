/* SPDX-License-Identifier: BSD-2-Clause */
/* NetworkPolicy, GlobalNetworkPolicy, Profile, Tier, NetworkSet, GlobalNetworkSet; the rules of
 * policies. What staged policies share with them is in validate_policy.h. */
#include "common/model/validate_policy.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/net/addr.h"

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_ICMPV6 58

#define NAMESPACE_LABEL "projectcalico.org/namespace"

static bool set(const char *s)
{
	return s && *s != '\0';
}

static bool is(const char *s, const char *word)
{
	return s && strcmp(s, word) == 0;
}

/* ---- http */

static bool check_path(const V3__HttpPath *http, char *wrong, size_t len)
{
	const char *path = set(http->exact) ? http->exact : http->prefix;

	if (set(http->exact) && set(http->prefix))
		(void)snprintf(wrong, len, "Invalid path match. Both 'exact' and 'prefix' are set");
	else if (!set(path))
		(void)snprintf(wrong, len,
		               "Invalid path match. Either 'exact' or 'prefix' must be set");
	else if (path[0] != '/' || strpbrk(path, "? #"))
		(void)snprintf(wrong, len,
		               "Invalid path %.400s. (must start with `/` and not contain `?` or "
		               "`#`",
		               path);
	else
		return true;
	return false;
}

static void paths_str(const V3__HttpMatch *http, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < http->n_paths; i++)
		buf_printf(out, "%s{%s %s}", i > 0 ? " " : "",
		           http->paths[i]->exact ? http->paths[i]->exact : "",
		           http->paths[i]->prefix ? http->paths[i]->prefix : "");
	buf_byte(out, ']');
}

static void check_http(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__HttpMatch *http = (const V3__HttpMatch *)m;
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "methods");
	struct path methods = { p, "methods", 0 }, paths = { p, "paths", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	char wrong[600];

	list_str(http->methods, http->n_methods, &text);
	if (!list_tag_unique.ok(m, f))
		violate_as(v, &methods, "Methods", buf_cstr(&text),
		           "Invalid methods (duplicates): %s", buf_cstr(&text));
	for (size_t i = 0; i < http->n_paths; i++) {
		struct path here = { &paths, NULL, i };

		if (check_path(http->paths[i], wrong, sizeof(wrong)))
			continue;
		buf_clear(&text);
		paths_str(http, &text);
		violate_as(v, &here, "Paths", buf_cstr(&text), "%s", wrong);
		return; /* the first says it */
	}
}

/* ---- rules, by upstream's client */

static void ports_str(V3__Port *const *ports, size_t n, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i > 0 ? " " : "");
		port_str(ports[i], out);
	}
	buf_byte(out, ']');
}

static void check_ports(const V3__Protocol *protocol, V3__Port *const *ports, size_t n,
                        const char *name, const struct path *p, struct violations *v)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	bool named = true;

	for (size_t i = 0; i < n; i++)
		named = named && ports[i]->name != NULL;
	if (protocol ? n == 0 || protocol_has_ports(protocol_number(protocol)) : named)
		return;
	ports_str(ports, n, &text);
	violate_as(v, p, name, buf_cstr(&text), "%s",
	           protocol ? "rules that specify ports must set protocol to TCP or UDP or SCTP"
	                    : "rules with numeric port or port range must set protocol to TCP or "
	                      "UDP or SCTP");
}

static void check_all_ports(const V3__Rule *rule, const struct path *source,
                            const struct path *destination, struct violations *v)
{
	struct path s = { source, "ports", 0 }, s_not = { source, "notPorts", 0 };
	struct path d = { destination, "ports", 0 }, d_not = { destination, "notPorts", 0 };

	if (rule->source) {
		check_ports(rule->protocol, rule->source->ports, rule->source->n_ports,
		            "Source.Ports", &s, v);
		check_ports(rule->protocol, rule->source->notports, rule->source->n_notports,
		            "Source.NotPorts", &s_not, v);
	}
	if (rule->destination) {
		check_ports(rule->protocol, rule->destination->ports, rule->destination->n_ports,
		            "Destination.Ports", &d, v);
		check_ports(rule->protocol, rule->destination->notports,
		            rule->destination->n_notports, "Destination.NotPorts", &d_not, v);
	}
}

/* What the lists of networks of one rule have shown so far. */
struct nets {
	const V3__Rule *rule;
	struct violations *v;
	bool v4, v6;
};

static void check_net(const char *net, bool negated, const char *name, const struct path *p,
                      struct nets *ret_seen, struct violations *v)
{
	struct ip_prefix net_p;

	if (!strchr(net, '/') || ip_prefix_parse(net, &net_p) < 0) {
		violate_as(v, p, name, net, "invalid CIDR");
		return;
	}
	ret_seen->v4 = ret_seen->v4 || net_p.addr.family == AF_INET;
	ret_seen->v6 = ret_seen->v6 || net_p.addr.family == AF_INET6;
	if (negated && net_p.len == 0 && ip_prefix_is_network(&net_p))
		violate_as(v, p, name, net,
		           "catch-all CIDR in negation creates logical contradiction (matches no "
		           "traffic)");
}

static void check_nets(struct nets *all, char *const *nets, size_t n, bool negated,
                       const char *name, const struct path *p)
{
	const V3__EntityRule *source = all->rule->source;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct nets here = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct path net = { p, NULL, i };

		check_net(nets[i], negated, name, &net, &here, all->v);
	}
	if (all->rule->has_ipversion &&
	    ((here.v4 && all->rule->ipversion != 4) || (here.v6 && all->rule->ipversion != 6))) {
		/* upstream shows these, whichever are meant */
		list_str(source ? source->nets : NULL, source ? source->n_nets : 0, &text);
		violate_as(all->v, p, name, buf_cstr(&text),
		           "rule IP version doesn't match CIDR version");
	}
	if ((here.v4 && (all->v6 || here.v6)) || (here.v6 && all->v4)) {
		buf_clear(&text);
		list_str(nets, n, &text);
		violate_as(all->v, p, name, buf_cstr(&text),
		           "rule contains both IPv4 and IPv6 CIDRs");
	}
	all->v4 = all->v4 || here.v4;
	all->v6 = all->v6 || here.v6;
}

static void check_rule(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__Rule *rule = (const V3__Rule *)m;
	const V3__EntityRule *s = rule->source, *d = rule->destination;
	struct path source = { p, "source", 0 }, destination = { p, "destination", 0 };
	struct path s_nets = { &source, "nets", 0 }, s_not = { &source, "notNets", 0 };
	struct path d_nets = { &destination, "nets", 0 }, d_not = { &destination, "notNets", 0 };
	struct nets all = { .rule = rule, .v = v };

	check_all_ports(rule, &source, &destination, v);
	if (s) {
		check_nets(&all, s->nets, s->n_nets, false, "Source.Nets", &s_nets);
		check_nets(&all, s->notnets, s->n_notnets, true, "Source.NotNets", &s_not);
	}
	if (d) {
		check_nets(&all, d->nets, d->n_nets, false, "Destination.Nets", &d_nets);
		check_nets(&all, d->notnets, d->n_notnets, true, "Destination.NotNets", &d_not);
	}
}

/* global(), and nothing but white space around it. */
static bool is_global_alone(const char *s)
{
	s += strspn(s, " \t");
	if (strncmp(s, "global(", 7) != 0)
		return false;
	s += 7;
	s += strspn(s, " \t");
	return *s == ')' && s[1 + strspn(s + 1, " \t")] == '\0';
}

static void check_entity(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const char *selector = ((const V3__EntityRule *)m)->namespaceselector;
	struct path here = { p, "namespaceSelector", 0 };

	if (selector && text_has_global(selector) && !is_global_alone(selector))
		violate_as(v, &here, "NamespaceSelector field", selector,
		           "global() cannot be combined with other selectors");
}

static void check_rule_metadata(const ProtobufCMessage *m, const struct path *p,
                                struct violations *v)
{
	const V3__RuleMetadata *meta = (const V3__RuleMetadata *)m;
	struct path annotations = { p, "annotations", 0 };

	check_annotations((V3__ObjectMeta__LabelsEntry *const *)meta->annotations,
	                  meta->n_annotations, &annotations, v);
}

/* ---- rules, by the CRD */

static void cel_icmp(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IcmpFields *icmp = (const V3__IcmpFields *)m;

	if (icmp->has_code && !icmp->has_type)
		violate(v, p, NULL, "ICMP code specified without an ICMP type");
}

/* The number of a protocol that is written as upstream's rules have it: "tcp" is none. */
static int exact_protocol(const V3__Protocol *p)
{
	int n = protocol_number(p);

	if (p && p->name && n >= 0 && strcmp(protocol_name_of_number(n), p->name) != 0)
		return -1;
	return n;
}

static void cel_family(const V3__Rule *rule, int protocol, const struct path *p,
                       struct violations *v)
{
	if (!rule->has_ipversion)
		return;
	if (protocol == PROTO_ICMP && rule->ipversion != 4)
		violate(v, p, NULL, "protocol ICMP requires ipVersion 4");
	if (protocol == PROTO_ICMPV6 && rule->ipversion != 6)
		violate(v, p, NULL, "protocol ICMPv6 requires ipVersion 6");
}

static void cel_rule(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__Rule *rule = (const V3__Rule *)m;
	const V3__EntityRule *d = rule->destination;
	int n = exact_protocol(rule->protocol);

	if (rule->http && rule->protocol && n != PROTO_TCP)
		violate(v, p, NULL, "rules with HTTP match must have protocol TCP or unset");
	if (rule->http && !is(rule->action, "Allow"))
		violate(v, p, NULL, "HTTP match is only valid on Allow rules");
	if (d && d->services && (d->n_ports > 0 || d->n_notports > 0))
		violate(v, p, NULL, "ports and notPorts cannot be specified with services");
	if (rule->icmp && n != PROTO_ICMP && n != PROTO_ICMPV6)
		violate(v, p, NULL, "ICMP fields require protocol to be ICMP or ICMPv6");
	cel_family(rule, n, p, v);
	cel_family(rule, exact_protocol(rule->notprotocol), p, v);
}

static void cel_entity(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__EntityRule *e = (const V3__EntityRule *)m;

	if (e->selector && text_has_global(e->selector))
		violate(v, p, NULL, GLOBAL_MISPLACED);
	if (!e->services)
		return;
	if (set(e->namespaceselector))
		violate(v, p, NULL,
		        "cannot specify NamespaceSelector and Services on the same rule");
	if (e->serviceaccounts)
		violate(v, p, NULL, "cannot specify ServiceAccounts and Services on the same rule");
	if (!set(e->services->name)) /* the rule itself fails there, in upstream's words */
		violate(v, p, NULL,
		        "no such key: name evaluating rule: services must specify a service name");
	if (set(e->selector) || set(e->notselector))
		violate(v, p, NULL,
		        "cannot specify Selector/NotSelector and Services on the same rule");
	if (e->n_nets > 0 || e->n_notnets > 0)
		violate(v, p, NULL, "cannot specify Nets/NotNets and Services on the same rule");
}

/* ---- policies */

static void check_types(const struct policy_view *s, const struct path *p, struct violations *v)
{
	CLEANUP(free_p) char *name = xasprintf("%s.Types", s->spec);
	CLEANUP(buf_done) struct buf text = { 0 };
	struct path types = { p, "types", 0 };

	list_str(s->types, s->n_types, &text);
	for (size_t i = 1; i < s->n_types; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->types[i], s->types[k]) == 0) {
				violate_as(v, &types, name, buf_cstr(&text),
				           "'%s' type specified more than once", s->types[i]);
				break;
			}
}

static void fail_services(const V3__ServiceMatch *services, const struct path *side,
                          const char *reason, struct violations *v)
{
	struct path here = { side, "services", 0 };
	CLEANUP(free_p)
	char *text = xasprintf("&{%s %s}", services->name ? services->name : "",
	                       services->namespace_ ? services->namespace_ : "");

	violate_as(v, &here, "Services", text, "%s", reason);
}

static void check_egress(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path egress = { p, "egress", 0 };

	for (size_t i = 0; i < s->n_egress; i++) {
		const V3__Rule *rule = s->egress[i];
		struct path here = { &egress, NULL, i };
		struct path source = { &here, "source", 0 }, http = { &here, "http", 0 };
		CLEANUP(buf_done) struct buf text = { 0 };

		if (rule->source && rule->source->services)
			fail_services(rule->source->services, &source,
			              "not allowed in egress rule source", v);
		if (!rule->http)
			continue;
		buf_str(&text, "&{");
		list_str(rule->http->methods, rule->http->n_methods, &text);
		buf_byte(&text, ' ');
		paths_str(rule->http, &text);
		buf_byte(&text, '}');
		violate_as(v, &http, "HTTP", buf_cstr(&text), "not allowed in egress rule%s",
		           s->global ? "s" : "");
	}
}

static void check_ingress(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path ingress = { p, "ingress", 0 };

	for (size_t i = 0; i < s->n_ingress; i++) {
		const V3__EntityRule *d = s->ingress[i]->destination;
		struct path here = { &ingress, NULL, i };
		struct path destination = { &here, "destination", 0 };

		if (d && d->services)
			fail_services(d->services, &destination,
			              "not allowed in ingress rule destination", v);
	}
}

/* A policy without a namespace has to say whose services it means. */
static void check_service_namespaces(V3__Rule *const *rules, size_t n, bool ingress,
                                     const struct path *p, struct violations *v)
{
	for (size_t i = 0; i < n; i++) {
		const V3__EntityRule *e = ingress ? rules[i]->source : rules[i]->destination;
		struct path rule = { p, NULL, i };
		struct path side = { &rule, ingress ? "source" : "destination", 0 };
		struct path services = { &side, "services", 0 };

		if (e && e->services && !set(e->services->namespace_))
			violate_as(v, &services, "Namespace", "", "must specify a namespace");
	}
}

void check_policy(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path ingress = { p, "ingress", 0 }, egress = { p, "egress", 0 };

	check_types(s, p, v);
	check_egress(s, p, v);
	check_ingress(s, p, v);
	if (!s->global)
		return;
	check_service_namespaces(s->egress, s->n_egress, false, &egress, v);
	check_service_namespaces(s->ingress, s->n_ingress, true, &ingress, v);
}

void cel_selectors(const struct policy_view *s, const struct path *p, struct violations *v)
{
	const char *const selectors[] = { s->selector, s->service_account_selector,
		                          s->namespace_selector };

	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
		if (selectors[i] && text_has_global(selectors[i]))
			violate(v, p, NULL, GLOBAL_MISPLACED);
}

void cel_global_policy(const struct policy_view *s, const struct path *p, struct violations *v)
{
	bool egress_type = false;

	for (size_t i = 0; i < s->n_types; i++)
		egress_type = egress_type || strcmp(s->types[i], "Egress") == 0;
	if (s->do_not_track && s->pre_dnat)
		violate(v, p, NULL, "preDNAT and doNotTrack cannot both be true");
	if (s->pre_dnat && s->n_egress > 0)
		violate(v, p, NULL, "preDNAT policy cannot have any egress rules");
	if (s->pre_dnat && egress_type)
		violate(v, p, NULL, "preDNAT policy cannot have 'Egress' type");
	if ((s->do_not_track || s->pre_dnat) && !s->apply_on_forward)
		violate(v, p, NULL,
		        "applyOnForward must be true if either preDNAT or doNotTrack is true");
	cel_selectors(s, p, v);
}

#define VIEW(s)                                                                                    \
	.n_ingress = (s)->n_ingress, .n_egress = (s)->n_egress, .ingress = (s)->ingress,           \
	.egress = (s)->egress, .n_types = (s)->n_types, .types = (s)->types,                       \
	.selector = (s)->selector, .service_account_selector = (s)->serviceaccountselector

static struct policy_view view_policy(const V3__NetworkPolicySpec *s)
{
	return (struct policy_view){ VIEW(s), .spec = "NetworkPolicySpec" };
}

static struct policy_view view_global(const V3__GlobalNetworkPolicySpec *s)
{
	return (struct policy_view){ VIEW(s),
		                     .spec = "GlobalNetworkPolicySpec",
		                     .global = true,
		                     .namespace_selector = s->namespaceselector,
		                     .do_not_track = s->donottrack,
		                     .pre_dnat = s->prednat,
		                     .apply_on_forward = s->applyonforward };
}

static void check_network_policy(const ProtobufCMessage *m, const struct path *p,
                                 struct violations *v)
{
	const V3__NetworkPolicy *policy = (const V3__NetworkPolicy *)m;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_policy(policy->metadata, v);
	if (!policy->spec)
		return;
	view = view_policy(policy->spec);
	check_policy(&view, &spec, v);
}

static void cel_network_policy(const ProtobufCMessage *m, const struct path *p,
                               struct violations *v)
{
	struct policy_view view = view_policy((const V3__NetworkPolicySpec *)m);

	cel_selectors(&view, p, v);
}

static void check_global_network_policy(const ProtobufCMessage *m, const struct path *p,
                                        struct violations *v)
{
	const V3__GlobalNetworkPolicy *policy = (const V3__GlobalNetworkPolicy *)m;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_global_policy(policy->metadata, v);
	if (!policy->spec)
		return;
	view = view_global(policy->spec);
	check_policy(&view, &spec, v);
}

static void cel_global_network_policy(const ProtobufCMessage *m, const struct path *p,
                                      struct violations *v)
{
	struct policy_view view = view_global((const V3__GlobalNetworkPolicySpec *)m);

	cel_global_policy(&view, p, v);
}

/* ---- tiers */

static const struct built_in {
	const char *name, *action;
	double order;
} built_in[] = {
	{ "default", "Deny", 1000000 },
	{ "kube-admin", "Pass", 1000 },
	{ "kube-baseline", "Pass", 10000000 },
};

static void check_tier(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	(void)p;
	check_meta_of_tier(((const V3__Tier *)m)->metadata, v);
}

/* Upstream's schema knows two sets of actions here, and says which of them do not fit. */
static void check_action(const V3__Tier *t, const struct path *p, struct violations *v)
{
	static const char *const all[] = { "Allow", "Deny", "Log", "Pass" };
	const char *action = t->spec && t->spec->defaultaction ? t->spec->defaultaction : "Deny";
	struct path spec = { p, "spec", 0 }, here = { &spec, "defaultAction", 0 };
	bool known = false;

	if (is(action, "Deny") || is(action, "Pass"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		known = known || is(action, all[i]);
	if (!known)
		violate(v, &here, NULL, "supported values: \"Allow\", \"Deny\", \"Log\", \"Pass\"");
	violate(v, &here, NULL, "supported values: \"Pass\", \"Deny\"");
	violate(v, p, NULL, "\"spec.defaultAction\" must validate all the schemas (allOf)%s",
	        known ? "" : ". None validated");
}

static void cel_tier(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__Tier *t = (const V3__Tier *)m;

	check_action(t, p, v);
	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
		const struct built_in *b = &built_in[i];

		if (!t->spec || !t->metadata || !is(t->metadata->name, b->name))
			continue;
		if (!is(t->spec->defaultaction, b->action))
			violate(v, p, NULL, "The '%s' tier must have default action '%s'", b->name,
			        b->action);
		if (!t->spec->has_order || t->spec->order != b->order)
			violate(v, p, NULL, "%s tier order must be %.0f", b->name, b->order);
	}
}

/* ---- network sets */

static void check_set_labels(const V3__ObjectMeta *meta, const struct path *p, struct violations *v)
{
	struct path metadata = { p, "metadata", 0 };
	struct path labels = { &metadata, "labels", 0 };
	struct path here = { &labels, NAMESPACE_LABEL, 0 };

	if (meta && meta_get(meta->n_labels, meta->labels, NAMESPACE_LABEL))
		violate_as(v, &here, "Metadata.Labels (label)", NAMESPACE_LABEL,
		           NAMESPACE_LABEL " is not a valid label name");
}

static void check_network_set(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	check_set_labels(((const V3__NetworkSet *)m)->metadata, p, v);
}

static void check_global_network_set(const ProtobufCMessage *m, const struct path *p,
                                     struct violations *v)
{
	check_set_labels(((const V3__GlobalNetworkSet *)m)->metadata, p, v);
}

/* clang-format off */
const struct message_rule policy_rules[] = {
	{ &v3__rule__descriptor, FIELDS(
		{ "action", .flags = FIELD_ALWAYS, WORDS("Allow", "Deny", "Log", "Pass") },
		{ "ipVersion", WORDS("4", "6") }), .check = check_rule, .cel = cel_rule },
	{ &v3__entity_rule__descriptor, FIELDS(
		{ "nets", .tag = &tag_net, .items = 256 },
		{ "selector", .tag = &tag_selector, .max = 1024 },
		{ "namespaceSelector", .tag = &tag_selector, .max = 1024 },
		{ "ports", .items = 50 },
		{ "notNets", .tag = &tag_net, .items = 256 },
		{ "notSelector", .tag = &tag_selector, .max = 1024 },
		{ "notPorts", .items = 50 }), .check = check_entity, .cel = cel_entity },
	{ &v3__service_match__descriptor, FIELDS(
		{ "name", .tag = &tag_name, .max = 253 },
		{ "namespace", .tag = &tag_name, .max = 253 }) },
	{ &v3__service_account_match__descriptor, FIELDS(
		{ "selector", .tag = &tag_selector }) },
	{ &v3__icmp_fields__descriptor, FIELDS(
		{ "type", .flags = FIELD_GTE_LTE, .min = 0, .max = 254 },
		{ "code", .flags = FIELD_GTE_LTE, .min = 0, .max = 255 }), .cel = cel_icmp },
	{ &v3__http_match__descriptor, FIELDS(
		{ "methods", .items = 20 },
		{ "paths", .items = 20 }), .check = check_http },
	{ &v3__http_path__descriptor, FIELDS(
		{ "exact", .max = 1024 },
		{ "prefix", .max = 1024 }) },
	{ &v3__rule_metadata__descriptor, .check = check_rule_metadata },

	{ &v3__network_policy__descriptor, .check = check_network_policy },
	{ &v3__network_policy_spec__descriptor, FIELDS(POLICY_FIELDS), .cel = cel_network_policy },
	{ &v3__global_network_policy__descriptor, .check = check_global_network_policy },
	{ &v3__global_network_policy_spec__descriptor, FIELDS(POLICY_FIELDS, GLOBAL_POLICY_FIELDS),
	  .cel = cel_global_network_policy },
	{ &v3__profile_spec__descriptor, FIELDS(
		{ "labelsToApply", .list_tag = &list_tag_labels }) },
	{ &v3__tier__descriptor, .check = check_tier, .cel = cel_tier },
	{ &v3__tier_spec__descriptor, FIELDS(
		{ "defaultAction", .flags = FIELD_ONEOF | FIELD_EMPTY | FIELD_NO_SCHEMA, WORDS("Pass", "Deny") }) },
	{ &v3__network_set__descriptor, .check = check_network_set },
	{ &v3__global_network_set__descriptor, .check = check_global_network_set },
	{ &v3__network_set_spec__descriptor, FIELDS(
		{ "nets", .tag = &tag_cidr }) },
	{ .message = NULL },
};
/* clang-format on */
