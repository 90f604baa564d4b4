/* SPDX-License-Identifier: BSD-2-Clause */
/* Node, ClusterInformation. */
#include <string.h>

#include "common/model/validate_rule.h"
#include "proto/v3_node.pb-c.h"

static void check_node(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__NodeBgpSpec *b = ((const V3__NodeSpec *)m)->bgp;
	struct path here = { p, "bgp", 0 };

	if (b && !b->asnumber && !text_given(b->ipv4address) && !text_given(b->ipv6address) &&
	    !text_given(b->ipv4ipiptunneladdr) && !text_given(b->routereflectorclusterid) &&
	    b->base.n_unknown_fields == 0)
		violate_as(v, &here, "BGP", "&{<nil>    }", "Spec.BGP should not be empty");
}

/* clang-format off */
const struct message_rule node_rules[] = {
	{ &v3__node_bgp_spec__descriptor, FIELDS(
		{ "ipv4Address", .go = "IPv4Address", .tag = &tag_cidrv4 },
		{ "ipv6Address", .go = "IPv6Address", .tag = &tag_cidrv6 },
		{ "ipv4IPIPTunnelAddr", .go = "IPv4IPIPTunnelAddr", .tag = &tag_ipv4 },
		{ "routeReflectorClusterID", .tag = &tag_ipv4 }) },
	{ &v3__node_spec__descriptor, FIELDS(
		{ "ipv4VXLANTunnelAddr", .go = "IPv4VXLANTunnelAddr", .tag = &tag_ipv4 },
		{ "vxlanTunnelMACAddr", .go = "VXLANTunnelMACAddr", .tag = &tag_mac },
		{ "ipv6VXLANTunnelAddr", .go = "IPv6VXLANTunnelAddr", .tag = &tag_ipv6 },
		{ "vxlanTunnelMACAddrV6", .go = "VXLANTunnelMACAddrV6", .tag = &tag_mac }), .check = check_node },
	{ &v3__node_wireguard_spec__descriptor, FIELDS(
		{ "interfaceIPv4Address", .tag = &tag_ipv4 },
		{ "interfaceIPv6Address", .tag = &tag_ipv6 }) },
	{ &v3__node_status__descriptor, FIELDS(
		{ "wireguardPublicKey", .tag = &tag_wireguard_key },
		{ "wireguardPublicKeyV6", .tag = &tag_wireguard_key }) },
	{ .message = NULL },
};
/* clang-format on */
