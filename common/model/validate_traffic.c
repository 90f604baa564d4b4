/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of policies and profiles: what traffic they are about. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_policy.h"
#include "common/net/addr.h"

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_ICMPV6 58

/* ---- http */

static bool check_path(const V3__HttpPath *http, char *wrong, size_t len)
{
	const char *path = text_given(http->exact) ? http->exact : http->prefix;

	if (text_given(http->exact) && text_given(http->prefix))
		(void)snprintf(wrong, len, "Invalid path match. Both 'exact' and 'prefix' are set");
	else if (!text_given(path))
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

void http_str(const V3__HttpMatch *http, struct buf *out)
{
	buf_byte(out, '{');
	list_str(http->methods, http->n_methods, out);
	buf_byte(out, ' ');
	paths_str(http, out);
	buf_byte(out, '}');
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
	if (rule->http && !text_is(rule->action, "Allow"))
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
	if (text_given(e->namespaceselector))
		violate(v, p, NULL,
		        "cannot specify NamespaceSelector and Services on the same rule");
	if (e->serviceaccounts)
		violate(v, p, NULL, "cannot specify ServiceAccounts and Services on the same rule");
	if (!text_given(e->services->name)) /* the rule itself fails there, in upstream's words */
		violate(v, p, NULL,
		        "no such key: name evaluating rule: services must specify a service name");
	if (text_given(e->selector) || text_given(e->notselector))
		violate(v, p, NULL,
		        "cannot specify Selector/NotSelector and Services on the same rule");
	if (e->n_nets > 0 || e->n_notnets > 0)
		violate(v, p, NULL, "cannot specify Nets/NotNets and Services on the same rule");
}

/* clang-format off */
const struct message_rule traffic_rules[] = {
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
	{ .message = NULL },
};
/* clang-format on */
