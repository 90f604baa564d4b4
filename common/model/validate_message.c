/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks that see several fields of a message, or an object's name and its spec. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/scalar.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

static bool set(const char *s)
{
	return s && *s != '\0';
}

static bool is(const char *s, const char *word)
{
	return s && strcmp(s, word) == 0;
}

static bool has(size_t n, char *const *list, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

/* ---- rules of policies and profiles */

static void check_icmp(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IcmpFields *icmp = (const V3__IcmpFields *)m;
	struct path here = { p, "code", 0 };

	if (icmp->has_code && !icmp->has_type)
		violate(v, &here, NULL, "ICMP code specified without an ICMP type");
}

static void check_entity_ports(V3__Port *const *ports, size_t n, const V3__Protocol *protocol,
                               const struct path *p, struct violations *v)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf text = { 0 };
		struct path here = { p, NULL, i };

		if (protocol ? protocol_has_ports(protocol_number(protocol))
		             : ports[i]->name != NULL)
			continue;
		port_str(ports[i], &text);
		violate(v, &here, buf_cstr(&text),
		        "rules that specify ports must set protocol to TCP or UDP or SCTP");
		return; /* once says it */
	}
}

/* Its family is that of the first net of the rule, which *ret_family keeps. */
static void check_family(char *const *nets, size_t n, int *ret_family, const struct path *p,
                         struct violations *v)
{
	for (size_t i = 0; i < n; i++) {
		struct path here = { p, NULL, i };
		struct ip_prefix net;

		if (ip_prefix_parse(nets[i], &net) < 0)
			continue; /* said elsewhere */
		if (*ret_family == 0) {
			*ret_family = net.addr.family;
		} else if (net.addr.family != *ret_family) {
			violate(v, &here, nets[i],
			        "rule contains both IPv4 and IPv6 CIDRs, or does not fit its "
			        "ipVersion");
			return;
		}
	}
}

static void check_services(const V3__EntityRule *e, bool destination, const struct path *p,
                           struct violations *v)
{
	struct path here = { p, "services", 0 };

	if (!e->services)
		return;
	if (set(e->selector) || set(e->notselector) || set(e->namespaceselector) ||
	    e->serviceaccounts)
		violate(v, &here, e->services->name,
		        "cannot specify selectors or service accounts together with services");
	if (e->n_nets > 0 || e->n_notnets > 0)
		violate(v, &here, e->services->name, "cannot specify nets together with services");
	if (destination && (e->n_ports > 0 || e->n_notports > 0))
		violate(v, &here, e->services->name, "cannot specify ports together with services");
}

static void check_entity(const V3__Rule *rule, const V3__EntityRule *e, bool destination,
                         int *family, const struct path *p, struct violations *v)
{
	struct path nets = { p, "nets", 0 }, not_nets = { p, "notNets", 0 };
	struct path ports = { p, "ports", 0 }, not_ports = { p, "notPorts", 0 };

	if (!e)
		return;
	check_entity_ports(e->ports, e->n_ports, rule->protocol, &ports, v);
	check_entity_ports(e->notports, e->n_notports, rule->protocol, &not_ports, v);
	check_family(e->nets, e->n_nets, family, &nets, v);
	check_family(e->notnets, e->n_notnets, family, &not_nets, v);
	check_services(e, destination, p, v);
}

static void check_protocol_family(const V3__Rule *rule, const V3__Protocol *protocol,
                                  const struct path *p, struct violations *v)
{
	int n = protocol_number(protocol);

	if (rule->has_ipversion && rule->ipversion == 6 && n == PROTO_ICMP)
		violate(v, p, "ICMP", "protocol ICMP does not fit ipVersion 6");
	if (rule->has_ipversion && rule->ipversion == 4 && n == PROTO_ICMPV6)
		violate(v, p, "ICMPv6", "protocol ICMPv6 does not fit ipVersion 4");
}

static void check_rule(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__Rule *rule = (const V3__Rule *)m;
	struct path version = { p, "ipVersion", 0 }, icmp = { p, "icmp", 0 };
	struct path protocol = { p, "protocol", 0 }, not_protocol = { p, "notProtocol", 0 };
	struct path source = { p, "source", 0 }, destination = { p, "destination", 0 };
	int n = protocol_number(rule->protocol), family = 0;

	if (rule->has_ipversion && rule->ipversion != 4 && rule->ipversion != 6)
		violate(v, &version, NULL, "must be 4 or 6");
	else if (rule->has_ipversion)
		family = rule->ipversion == 4 ? AF_INET : AF_INET6;
	if (rule->icmp && n != PROTO_ICMP && n != PROTO_ICMPV6)
		violate(v, &icmp, NULL,
		        "rules that specify ICMP fields must set protocol to ICMP or ICMPv6");
	check_protocol_family(rule, rule->protocol, &protocol, v);
	check_protocol_family(rule, rule->notprotocol, &not_protocol, v);
	check_entity(rule, rule->source, false, &family, &source, v);
	check_entity(rule, rule->destination, true, &family, &destination, v);
}

/* Services may stand in the source of ingress and the destination of egress; a policy without
 * namespace has to say whose. */
static void check_direction(V3__Rule *const *rules, size_t n, bool ingress, bool global,
                            const struct path *p, struct violations *v)
{
	for (size_t i = 0; i < n; i++) {
		const V3__EntityRule *right = ingress ? rules[i]->source : rules[i]->destination;
		const V3__EntityRule *wrong = ingress ? rules[i]->destination : rules[i]->source;
		struct path rule = { p, NULL, i };
		struct path right_at = { &rule, ingress ? "source" : "destination", 0 };
		struct path wrong_at = { &rule, ingress ? "destination" : "source", 0 };
		struct path right_services = { &right_at, "services", 0 },
		            wrong_services = { &wrong_at, "services", 0 };

		if (wrong && wrong->services)
			violate(v, &wrong_services, wrong->services->name,
			        "services can only be used in the source of ingress and the "
			        "destination of egress rules");
		if (global && right && right->services && !set(right->services->namespace_))
			violate(v, &right_services, right->services->name,
			        "a service in a GlobalNetworkPolicy needs its namespace");
	}
}

static void check_network_policy(const ProtobufCMessage *m, const struct path *p,
                                 struct violations *v)
{
	const V3__NetworkPolicySpec *s = (const V3__NetworkPolicySpec *)m;
	struct path ingress = { p, "ingress", 0 }, egress = { p, "egress", 0 };

	check_direction(s->ingress, s->n_ingress, true, false, &ingress, v);
	check_direction(s->egress, s->n_egress, false, false, &egress, v);
}

static void check_global_policy(const ProtobufCMessage *m, const struct path *p,
                                struct violations *v)
{
	const V3__GlobalNetworkPolicySpec *s = (const V3__GlobalNetworkPolicySpec *)m;
	struct path ingress = { p, "ingress", 0 }, egress = { p, "egress", 0 },
	            types = { p, "types", 0 };
	struct path do_not_track = { p, "doNotTrack", 0 }, pre_dnat = { p, "preDNAT", 0 };

	check_direction(s->ingress, s->n_ingress, true, true, &ingress, v);
	check_direction(s->egress, s->n_egress, false, true, &egress, v);
	if (s->donottrack && s->prednat)
		violate(v, &pre_dnat, "true",
		        "preDNAT and doNotTrack cannot both be true, for a given policy");
	if (s->prednat && s->n_egress > 0)
		violate(v, &egress, NULL,
		        "preDNAT GlobalNetworkPolicy cannot have any Egress rules");
	if (s->prednat && has(s->n_types, s->types, "Egress"))
		violate(v, &types, "Egress",
		        "preDNAT GlobalNetworkPolicy cannot have 'Egress' type");
	if (s->prednat && !s->applyonforward)
		violate(v, &pre_dnat, "true", "applyOnForward must be true if preDNAT is true");
	if (s->donottrack && !s->applyonforward)
		violate(v, &do_not_track, "true",
		        "applyOnForward must be true if doNotTrack is true");
}

static void check_profile(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__ProfileSpec *s = (const V3__ProfileSpec *)m;
	struct path labels = { p, "labelsToApply", 0 };

	for (size_t i = 0; i < s->n_labelstoapply; i++)
		check_label(&labels, s->labelstoapply[i]->key, s->labelstoapply[i]->value, v);
}

static void check_tier(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	static const struct {
		const char *name, *action;
		double order;
	} built_in[] = {
		{ "kube-admin", "Pass", 1000 },
		{ "default", "Deny", 1000000 },
		{ "kube-baseline", "Pass", 10000000 },
	};
	const V3__Tier *t = (const V3__Tier *)m;
	struct path spec = { p, "spec", 0 };
	struct path order = { &spec, "order", 0 }, action = { &spec, "defaultAction", 0 };

	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
		if (!t->spec || !t->metadata || !is(t->metadata->name, built_in[i].name))
			continue;
		if (t->spec->has_order && t->spec->order != built_in[i].order)
			violate(v, &order, NULL, "the order of tier '%s' is %.0f", built_in[i].name,
			        built_in[i].order);
		if (set(t->spec->defaultaction) && !is(t->spec->defaultaction, built_in[i].action))
			violate(v, &action, t->spec->defaultaction,
			        "the default action of tier '%s' is %s", built_in[i].name,
			        built_in[i].action);
	}
}

/* ---- pools */

static void check_pool_encap(const V3__IpPoolSpec *s, bool v6, const struct path *p,
                             struct violations *v)
{
	struct path ipip = { p, "ipipMode", 0 };
	bool has_ipip = set(s->ipipmode) && !is(s->ipipmode, "Never");
	bool has_vxlan = set(s->vxlanmode) && !is(s->vxlanmode, "Never");

	if (has_ipip && v6)
		violate(v, &ipip, s->ipipmode, "IPIP is not supported on an IPv6 IP pool");
	if (has_ipip && has_vxlan)
		violate(v, &ipip, s->ipipmode,
		        "IPIPMode and VXLANMode cannot both be enabled on the same IP pool");
}

static void check_pool_size(const V3__IpPoolSpec *s, const struct ip_prefix *net, bool v6,
                            const struct path *p, struct violations *v)
{
	struct path size = { p, "blockSize", 0 }, cidr = { p, "cidr", 0 };
	int64_t min = v6 ? 116 : 20, max = v6 ? 128 : 32;
	char text[32];

	if (!s->has_blocksize)
		return;
	(void)snprintf(text, sizeof(text), "%lld", (long long)s->blocksize);
	if (s->blocksize < min || s->blocksize > max)
		violate(v, &size, text, "block size must be between %lld and %lld", (long long)min,
		        (long long)max);
	else if (!s->disabled && net->len > s->blocksize)
		violate(v, &cidr, s->cidr,
		        "IP pool size is too small for use with Calico. It must be equal to or "
		        "greater than "
		        "the block size");
}

static void check_pool_uses(const V3__IpPoolSpec *s, const struct path *p, struct violations *v)
{
	struct path uses = { p, "allowedUses", 0 }, selector = { p, "nodeSelector", 0 };
	struct path bgp = { p, "disableBGPExport", 0 }, namespaces = { p, "namespaceSelector", 0 };
	bool tunnel = has(s->n_alloweduses, s->alloweduses, "Tunnel");

	if (tunnel && set(s->namespaceselector))
		violate(v, &namespaces, s->namespaceselector,
		        "cannot be combined with the use Tunnel");
	if (!has(s->n_alloweduses, s->alloweduses, "LoadBalancer"))
		return;
	if (tunnel || has(s->n_alloweduses, s->alloweduses, "Workload"))
		violate(v, &uses, "LoadBalancer", "cannot be combined with Workload or Tunnel");
	if ((set(s->ipipmode) && !is(s->ipipmode, "Never")) ||
	    (set(s->vxlanmode) && !is(s->vxlanmode, "Never")))
		violate(v, &uses, "LoadBalancer",
		        "a pool for LoadBalancer cannot have an encapsulation");
	if (s->disablebgpexport)
		violate(v, &bgp, "true", "a pool for LoadBalancer has to be exported");
	if (set(s->nodeselector) && !is(s->nodeselector, "all()"))
		violate(v, &selector, s->nodeselector,
		        "a pool for LoadBalancer can only have nodeSelector all()");
}

static void check_pool(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	static const struct {
		const char *net, *text;
	} reserved[] = {
		{ "169.254.0.0/16",
		  "IP pool range overlaps with IPv4 Link Local range 169.254.0.0/16" },
		{ "fe80::/10", "IP pool range overlaps with IPv6 Link Local range fe80::/10" },
	};
	const V3__IpPoolSpec *s = (const V3__IpPoolSpec *)m;
	struct path cidr = { p, "cidr", 0 };
	struct ip_prefix net, other;
	bool v6;

	check_pool_uses(s, p, v);
	if (!s->cidr || !strchr(s->cidr, '/') || ip_prefix_parse(s->cidr, &net) < 0)
		return;
	v6 = net.addr.family == AF_INET6;
	check_pool_encap(s, v6, p, v);
	check_pool_size(s, &net, v6, p, v);
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (ip_prefix_parse(reserved[i].net, &other) == 0 &&
		    ip_prefix_overlaps(&net, &other))
			violate(v, &cidr, s->cidr, "%s", reserved[i].text);
}

/* ---- endpoints and nodes */

static void check_nats(const V3__WorkloadEndpointSpec *s, const struct path *p,
                       struct violations *v)
{
	struct path nats = { p, "ipNATs", 0 };

	for (size_t i = 0; i < s->n_ipnats; i++) {
		struct path here = { &nats, NULL, i };
		struct ip_addr internal, external;
		struct ip_prefix net;
		bool found = false;

		if (!s->ipnats[i]->internalip ||
		    ip_addr_parse(s->ipnats[i]->internalip, &internal) < 0)
			continue;
		for (size_t k = 0; k < s->n_ipnetworks && !found; k++)
			found = ip_prefix_parse(s->ipnetworks[k], &net) == 0 &&
			        ip_addr_eq(&net.addr, &internal);
		if (!found)
			violate(v, &here, s->ipnats[i]->internalip,
			        "NAT is not in the endpoint networks");
		if (s->ipnats[i]->externalip &&
		    ip_addr_parse(s->ipnats[i]->externalip, &external) == 0 &&
		    external.family != internal.family)
			violate(v, &here, s->ipnats[i]->externalip, "mismatched IP versions");
	}
}

static void check_endpoint_port(const ProtobufCMessage *m, const struct path *p,
                                struct violations *v)
{
	const V3__WorkloadEndpointPort *port = (const V3__WorkloadEndpointPort *)m;
	struct path name = { p, "name", 0 }, protocol = { p, "protocol", 0 },
	            number = { p, "port", 0 };

	if (!set(port->name) && port->hostport == 0)
		violate(v, &name, NULL, "a port needs a name or a hostPort");
	if (!port->has_port)
		violate(v, &number, NULL, "is required");
	if (port->protocol && !protocol_has_ports(protocol_number(port->protocol)))
		violate(v, &protocol, port->protocol->name, "must be TCP, UDP or SCTP");
}

static void check_endpoint(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__WorkloadEndpoint *w = (const V3__WorkloadEndpoint *)m;
	struct path spec = { p, "spec", 0 }, meta = { p, "metadata", 0 };
	struct path at = { &meta, "name", 0 };
	CLEANUP(free_p) char *name = NULL;
	struct err err = { 0 };

	if (!w->spec) {
		violate(v, &spec, NULL, "is required");
		return;
	}
	check_nats(w->spec, &spec, v);
	if (!set(w->spec->node) || !set(w->spec->orchestrator))
		return; /* said elsewhere */
	if (wep_name_of(w->spec, &name, &err) < 0)
		violate(v, &spec, NULL, "%s", err.text);
	else if (w->metadata && set(w->metadata->name) && strcmp(w->metadata->name, name) != 0)
		violate(v, &at, w->metadata->name,
		        "the WorkloadEndpoint name does not match the primary identifiers assigned "
		        "in the spec: expected "
		        "name %s",
		        name);
}

static void check_node_bgp(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__NodeBgpSpec *b = (const V3__NodeBgpSpec *)m;

	if (!b->asnumber && !set(b->ipv4address) && !set(b->ipv6address) &&
	    !set(b->ipv4ipiptunneladdr) && !set(b->routereflectorclusterid) &&
	    m->n_unknown_fields == 0)
		violate(v, p, NULL, "Spec.BGP should not be empty");
}

/* ---- BGP */

static void check_bgp_configuration(const ProtobufCMessage *m, const struct path *p,
                                    struct violations *v)
{
	const V3__BGPConfiguration *c = (const V3__BGPConfiguration *)m;
	struct path spec = { p, "spec", 0 };
	struct path mesh = { &spec, "nodeToNodeMeshEnabled", 0 }, asn = { &spec, "asNumber", 0 };

	if (!c->spec || !c->metadata || !set(c->metadata->name) || is(c->metadata->name, "default"))
		return;
	if (c->spec->has_nodetonodemeshenabled)
		violate(v, &mesh, c->spec->nodetonodemeshenabled ? "true" : "false",
		        "can only be set in 'default'");
	if (c->spec->asnumber)
		violate(v, &asn, NULL, "can only be set in 'default'");
}

static void check_bgp_peer(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpPeerSpec *s = (const V3__BgpPeerSpec *)m;
	struct path node = { p, "node", 0 }, peer_ip = { p, "peerIP", 0 },
	            asn = { p, "asNumber", 0 };

	if (set(s->node) && set(s->nodeselector))
		violate(v, &node, s->node,
		        "Node field must be empty when NodeSelector is specified");
	if (set(s->peerip) && set(s->peerselector))
		violate(v, &peer_ip, s->peerip,
		        "PeerIP field must be empty when PeerSelector is specified");
	if (s->asnumber && s->asnumber->value != 0 && set(s->peerselector))
		violate(v, &asn, NULL,
		        "ASNumber field must be empty when PeerSelector is specified");
}

/* ---- IPAM's objects: what a reader relies on */

static void check_block(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IpamBlock *b = (const V3__IpamBlock *)m;
	struct path allocations = { p, "allocations", 0 }, unallocated = { p, "unallocated", 0 };
	struct ip_prefix net;
	unsigned host_bits;

	if (!b->cidr || ip_prefix_parse(b->cidr, &net) < 0)
		return;
	host_bits = ip_addr_bits(&net.addr) - net.len;
	if (host_bits > 16 || b->n_allocations != (size_t)1 << host_bits) {
		violate(v, &allocations, NULL,
		        "has %zu items, which is not the number of addresses in %s",
		        b->n_allocations, b->cidr);
		return;
	}
	for (size_t i = 0; i < b->n_allocations; i++) {
		struct path here = { &allocations, NULL, i };

		if (b->allocations[i] < -1 || b->allocations[i] >= (int64_t)b->n_attributes)
			violate(v, &here, NULL, "%d is not the index of an attribute",
			        b->allocations[i]);
	}
	for (size_t i = 0; i < b->n_unallocated; i++) {
		struct path here = { &unallocated, NULL, i };

		if (b->unallocated[i] < 0 || (size_t)b->unallocated[i] >= b->n_allocations)
			violate(v, &here, NULL, "%d is not an ordinal of the block",
			        b->unallocated[i]);
		else if (b->allocations[b->unallocated[i]] >= 0)
			violate(v, &here, NULL, "%d is allocated", b->unallocated[i]);
	}
}

static void check_handle(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IpamHandle *h = (const V3__IpamHandle *)m;
	struct path block = { p, "block", 0 };
	struct why why;

	for (size_t i = 0; i < h->n_block; i++) {
		struct path here = { &block, h->block[i]->key, 0 };
		const char *wrong = text_net(h->block[i]->key, &why);

		if (wrong)
			violate(v, &block, h->block[i]->key, "%s", wrong);
		if (h->block[i]->value < 0)
			violate(v, &here, NULL, "%lld is not a number of addresses",
			        (long long)h->block[i]->value);
	}
}

static const struct {
	const ProtobufCMessageDescriptor *message;
	message_check *check;
} checks[] = {
	{ &v3__icmp_fields__descriptor, check_icmp },
	{ &v3__rule__descriptor, check_rule },
	{ &v3__network_policy_spec__descriptor, check_network_policy },
	{ &v3__global_network_policy_spec__descriptor, check_global_policy },
	{ &v3__profile_spec__descriptor, check_profile },
	{ &v3__tier__descriptor, check_tier },
	{ &v3__ip_pool_spec__descriptor, check_pool },
	{ &v3__workload_endpoint__descriptor, check_endpoint },
	{ &v3__workload_endpoint_port__descriptor, check_endpoint_port },
	{ &v3__node_bgp_spec__descriptor, check_node_bgp },
	{ &v3__bgpconfiguration__descriptor, check_bgp_configuration },
	{ &v3__bgp_peer_spec__descriptor, check_bgp_peer },
	{ &v3__ipam_block__descriptor, check_block },
	{ &v3__ipam_handle__descriptor, check_handle },
};

message_check *message_rule(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i].message == d)
			return checks[i].check;
	return NULL;
}
