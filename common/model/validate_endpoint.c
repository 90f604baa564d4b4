/* SPDX-License-Identifier: BSD-2-Clause */
/* WorkloadEndpoint, HostEndpoint. A LiveMigration may say anything. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/scalar.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_endpoint.pb-c.h"

/* ---- WorkloadEndpoint: its name */

/* One part of the name; false: it is told why it cannot be. */
static bool check_part(const char *value, const char *field, const struct path *spec,
                       struct violations *v)
{
	struct path here = { spec, field, 0 };

	if (!text_given(value))
		violate_as(v, &here, field, strcmp(field, "node") == 0 ? NULL : "",
		           "field should be assigned");
	else if (value[0] == '-')
		violate_as(v, &here, field, value, "field must not begin with a '-'");
	else if (value[strlen(value) - 1] == '-')
		violate_as(v, &here, field, value, "field must not end with a '-'");
	else
		return true;
	return false;
}

static bool check_parts(const V3__WorkloadEndpointSpec *s, const struct path *spec,
                        struct violations *v)
{
	const char *orchestrator = s->orchestrator ? s->orchestrator : "";

	if (!check_part(s->node, "node", spec, v) ||
	    !check_part(s->orchestrator, "orchestrator", spec, v))
		return false;
	if (strcmp(orchestrator, "k8s") == 0) {
		if (!check_part(s->pod, "pod", spec, v))
			return false;
	} else if (strcmp(orchestrator, "cni") == 0) {
		if (!check_part(s->containerid, "containerID", spec, v))
			return false;
	} else if (strcmp(orchestrator, "libnetwork") != 0) {
		if (!check_part(s->workload, "workload", spec, v))
			return false;
	}
	return check_part(s->endpoint, "endpoint", spec, v);
}

static void first_endpoint(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__WorkloadEndpoint *w = (const V3__WorkloadEndpoint *)m;
	struct path spec = { p, "spec", 0 }, meta = { p, "metadata", 0 };
	struct path at = { &meta, "name", 0 };
	CLEANUP(free_p) char *name = NULL;

	if (!w->spec) {
		violate(v, &spec, NULL, "is required");
		return;
	}
	if (!check_parts(w->spec, &spec, v) || wep_name_of(w->spec, &name, NULL) < 0)
		return;
	if (w->metadata && text_given(w->metadata->name) && strcmp(w->metadata->name, name) != 0)
		violate_as(v, &at, "Name", w->metadata->name,
		           "the WorkloadEndpoint name does not match the primary identifiers "
		           "assigned in the Spec: expected name %s",
		           name);
}

/* ---- WorkloadEndpoint: its addresses and ports */

static bool is_host(const char *net)
{
	struct ip_prefix p;

	return ip_prefix_parse(net, &p) < 0 || p.len == ip_addr_bits(&p.addr);
}

static bool is_in_networks(const V3__WorkloadEndpointSpec *s, const struct ip_addr *a)
{
	struct ip_prefix net, host = { .addr = *a, .len = ip_addr_bits(a) };

	for (size_t i = 0; i < s->n_ipnetworks; i++)
		if (ip_prefix_parse(s->ipnetworks[i], &net) == 0 && ip_prefix_covers(&net, &host))
			return true;
	return false;
}

static void nats_str(const V3__WorkloadEndpointSpec *s, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < s->n_ipnats; i++)
		buf_printf(out, "%s{%s %s}", i > 0 ? " " : "",
		           s->ipnats[i]->internalip ? s->ipnats[i]->internalip : "",
		           s->ipnats[i]->externalip ? s->ipnats[i]->externalip : "");
	buf_byte(out, ']');
}

static void check_gateway(const char *gateway, const struct tag *tag, const char *field,
                          const char *family, const struct path *p, struct violations *v)
{
	CLEANUP(free_p) char *name = xasprintf("%sGateway", family);
	struct path here = { p, field, 0 };

	if (text_given(gateway) && !tag->ok(gateway))
		violate_as(v, &here, name, gateway, "%s",
		           tag_cidr.ok(gateway) ? strcmp(family, "IPv4") == 0
		                                          ? "invalid IPv4 gateway address specified"
		                                          : "invalid IPv6 gateway address specified"
		                                : "invalid CIDR");
}

static void check_endpoint(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__WorkloadEndpointSpec *s = (const V3__WorkloadEndpointSpec *)m;
	struct path networks = { p, "ipNetworks", 0 }, nats = { p, "ipNATs", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	list_str(s->ipnetworks, s->n_ipnetworks, &text);
	for (size_t i = 0; i < s->n_ipnetworks; i++) {
		struct path here = { &networks, NULL, i };

		if (!is_host(s->ipnetworks[i]))
			violate_as(v, &here, "IPNetworks", buf_cstr(&text),
			           "IP network contains multiple addresses");
	}
	check_gateway(s->ipv4gateway, &tag_ipv4, "ipv4Gateway", "IPv4", p, v);
	check_gateway(s->ipv6gateway, &tag_ipv6, "ipv6Gateway", "IPv6", p, v);
	for (size_t i = 0; i < s->n_ipnats; i++) {
		struct path here = { &nats, NULL, i };
		const char *internal = s->ipnats[i]->internalip;
		struct ip_addr a;

		if (text_given(internal) && ip_addr_parse(internal, &a) == 0 &&
		    is_in_networks(s, &a))
			continue;
		buf_clear(&text);
		nats_str(s, &text);
		violate_as(v, &here, "IPNATs", buf_cstr(&text),
		           "NAT is not in the endpoint networks");
		return; /* upstream stops here too */
	}
}

static void check_nat(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IpNat *nat = (const V3__IpNat *)m;
	struct path external = { p, "externalIP", 0 };
	struct ip_addr in, out;

	if (text_given(nat->internalip) && text_given(nat->externalip) &&
	    ip_addr_parse(nat->internalip, &in) == 0 && ip_addr_parse(nat->externalip, &out) == 0 &&
	    in.family != out.family)
		violate_as(v, &external, "ExternalIP", nat->externalip, "mismatched IP versions");
}

static void protocol_str(const V3__Protocol *protocol, struct buf *out)
{
	if (protocol && protocol->name)
		buf_str(out, protocol->name);
	else
		buf_printf(out, "%u", protocol ? protocol->number : 0);
}

/* Upstream takes lower case for these three, in this place. */
static bool has_ports(const V3__Protocol *protocol)
{
	return protocol_has_ports(protocol_number(protocol));
}

static void check_workload_port(const ProtobufCMessage *m, const struct path *p,
                                struct violations *v)
{
	const V3__WorkloadEndpointPort *port = (const V3__WorkloadEndpointPort *)m;
	struct path name = { p, "name", 0 }, protocol = { p, "protocol", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	protocol_str(port->protocol, &text);
	if (!has_ports(port->protocol))
		violate_as(v, &protocol, "WorkloadEndpointPort.Protocol", buf_cstr(&text),
		           "WorkloadEndpointPort protocol does not support ports.");
	if (!text_given(port->name) && port->hostport == 0)
		violate_as(v, &name, "WorkloadEndpointPort.Name", "",
		           "WorkloadEndpointPort name must not be empty if no HostPort is "
		           "specified");
}

/* ---- HostEndpoint */

static void check_host_port(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__EndpointPort *port = (const V3__EndpointPort *)m;
	struct path protocol = { p, "protocol", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	protocol_str(port->protocol, &text);
	if (!has_ports(port->protocol))
		violate_as(v, &protocol, "EndpointPort.Protocol", buf_cstr(&text),
		           "EndpointPort protocol does not support ports.");
}

static void cel_host_endpoint(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__HostEndpointSpec *s = (const V3__HostEndpointSpec *)m;

	if (!text_given(s->interfacename) && s->n_expectedips == 0)
		violate(v, p, NULL,
		        "at least one of interfaceName or expectedIPs must be specified");
	if (!text_given(s->node))
		violate(v, p, NULL, "node must be specified");
}

/* clang-format off */
const struct message_rule endpoint_rules[] = {
	{ &v3__workload_endpoint__descriptor, .first = first_endpoint },
	{ &v3__workload_endpoint_spec__descriptor, FIELDS(
		{ "orchestrator", .tag = &tag_name },
		{ "workload", .tag = &tag_name },
		{ "node", .tag = &tag_name },
		{ "containerID", .tag = &tag_container_id },
		{ "pod", .tag = &tag_name },
		{ "endpoint", .tag = &tag_name },
		{ "serviceAccountName", .tag = &tag_name },
		{ "ipNetworks", .go = "IPNetworks", .tag = &tag_net },
		{ "ipv4Gateway", .go = "IPv4Gateway", .tag = &tag_ipv4 },
		{ "ipv6Gateway", .go = "IPv6Gateway", .tag = &tag_ipv6 },
		{ "profiles", .tag = &tag_name },
		{ "interfaceName", .tag = &tag_interface, .flags = FIELD_TAG_EMPTY },
		{ "mac", .go = "MAC", .tag = &tag_mac },
		{ "allowSpoofedSourcePrefixes", .tag = &tag_cidr }), .check = check_endpoint },
	{ &v3__workload_endpoint_port__descriptor, FIELDS(
		{ "name", .tag = &tag_port_name },
		{ "port", .flags = FIELD_GT_0, .max = 65535 },
		{ "hostPort", .max = 65535 },
		{ "hostIP", .tag = &tag_net }), .check = check_workload_port },
	{ &v3__ip_nat__descriptor, FIELDS(
		{ "internalIP", .tag = &tag_ip },
		{ "externalIP", .tag = &tag_ip }), .check = check_nat },

	{ &v3__host_endpoint_spec__descriptor, FIELDS(
		{ "node", .tag = &tag_name, .max = 253 },
		{ "interfaceName", .tag = &tag_interface, .max = 15 },
		{ "expectedIPs", .tag = &tag_ip },
		{ "profiles", .tag = &tag_name }), .cel = cel_host_endpoint },
	{ &v3__endpoint_port__descriptor, FIELDS(
		{ "name", .tag = &tag_port_name, .flags = FIELD_TAG_EMPTY },
		{ "port", .flags = FIELD_GT_0, .min = 1, .max = 65535 }), .check = check_host_port },
	{ .message = NULL },
};
/* clang-format on */
