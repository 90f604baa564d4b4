/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of rules for single fields. What is not in it may hold anything that its type may. */
#include "common/model/validate_rule.h"

#include <string.h>

#include "common/base/mem.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define WORDS(...)                                                                                 \
	.words = (const char *const[])                                                             \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* clang-format off */
static const struct field_rule rules[] = {
#define M &v3__network_policy_spec__descriptor
	{ M, "tier", .text = text_label },
	{ M, "ingress", .items = 1024 },
	{ M, "egress", .items = 1024 },
	{ M, "selector", .text = text_selector, .max = 1024 },
	{ M, "types", .flags = FIELD_SET, WORDS("Ingress", "Egress") },
	{ M, "serviceAccountSelector", .text = text_selector, .max = 1024 },
	{ M, "performanceHints", .flags = FIELD_SET, WORDS("AssumeNeededOnEveryNode") },
#undef M
#define M &v3__global_network_policy_spec__descriptor
	{ M, "tier", .text = text_label },
	{ M, "ingress", .items = 1024 },
	{ M, "egress", .items = 1024 },
	{ M, "selector", .text = text_selector, .max = 1024 },
	{ M, "types", .flags = FIELD_SET, WORDS("Ingress", "Egress") },
	{ M, "serviceAccountSelector", .text = text_selector, .max = 1024 },
	{ M, "namespaceSelector", .text = text_selector, .max = 1024 },
	{ M, "performanceHints", .flags = FIELD_SET, WORDS("AssumeNeededOnEveryNode") },
#undef M
#define M &v3__rule__descriptor
	{ M, "action", .flags = FIELD_REQUIRED, WORDS("Allow", "Deny", "Log", "Pass") },
#undef M
#define M &v3__icmp_fields__descriptor
	{ M, "type", .min = 0, .max = 254 },
	{ M, "code", .min = 0, .max = 255 },
#undef M
#define M &v3__entity_rule__descriptor
	{ M, "nets", .flags = FIELD_SET, .text = text_net, .items = 256 },
	{ M, "notNets", .flags = FIELD_SET, .text = text_not_all_net, .items = 256 },
	{ M, "selector", .text = text_selector, .max = 1024 },
	{ M, "notSelector", .text = text_any_selector, .max = 1024 },
	{ M, "namespaceSelector", .text = text_namespace_selector, .max = 1024 },
	{ M, "ports", .items = 50 },
	{ M, "notPorts", .items = 50 },
#undef M
	{ &v3__service_match__descriptor, "name", .flags = FIELD_REQUIRED, .text = text_name },
	{ &v3__service_match__descriptor, "namespace", .text = text_name },
	{ &v3__service_account_match__descriptor, "names", .text = text_name },
	{ &v3__service_account_match__descriptor, "selector", .text = text_any_selector, .max = 1024 },
	{ &v3__tier_spec__descriptor, "defaultAction", WORDS("Pass", "Deny") },
	{ &v3__network_set_spec__descriptor, "nets", .flags = FIELD_SET, .text = text_any_net },

#define M &v3__ip_pool_spec__descriptor
	{ M, "cidr", .flags = FIELD_REQUIRED, .text = text_net, .max = 48 },
	{ M, "vxlanMode", WORDS("Never", "Always", "CrossSubnet") },
	{ M, "ipipMode", WORDS("Never", "Always", "CrossSubnet") },
	{ M, "nodeSelector", .text = text_pool_selector },
	{ M, "namespaceSelector", .text = text_pool_selector },
	{ M, "allowedUses", .flags = FIELD_SET, WORDS("Workload", "Tunnel", "LoadBalancer"), .items = 10 },
	{ M, "assignmentMode", WORDS("Automatic", "Manual") },
#undef M

#define M &v3__workload_endpoint_spec__descriptor
	{ M, "orchestrator", .flags = FIELD_REQUIRED },
	{ M, "node", .flags = FIELD_REQUIRED, .text = text_name },
	{ M, "ipNetworks", .text = text_host_net },
	{ M, "ipv4Gateway", .text = text_ipv4 },
	{ M, "ipv6Gateway", .text = text_ipv6 },
	{ M, "profiles", .text = text_name },
	{ M, "interfaceName", .text = text_interface },
	{ M, "mac", .text = text_mac },
	{ M, "allowSpoofedSourcePrefixes", .text = text_cidr },
#undef M
	{ &v3__ip_nat__descriptor, "internalIP", .flags = FIELD_REQUIRED, .text = text_ip },
	{ &v3__ip_nat__descriptor, "externalIP", .flags = FIELD_REQUIRED, .text = text_ip },
	{ &v3__workload_endpoint_port__descriptor, "name", .text = text_port_name },
	{ &v3__workload_endpoint_port__descriptor, "protocol", .flags = FIELD_REQUIRED },
	{ &v3__workload_endpoint_port__descriptor, "port", .min = 1, .max = 65535 },
	{ &v3__workload_endpoint_port__descriptor, "hostPort", .max = 65535 },
	{ &v3__workload_endpoint_port__descriptor, "hostIP", .text = text_ip },

	{ &v3__node_bgp_spec__descriptor, "ipv4Address", .text = text_node_ipv4 },
	{ &v3__node_bgp_spec__descriptor, "ipv6Address", .text = text_node_ipv6 },
	{ &v3__node_bgp_spec__descriptor, "ipv4IPIPTunnelAddr", .text = text_ipv4 },
	{ &v3__node_bgp_spec__descriptor, "routeReflectorClusterID", .text = text_ipv4 },
	{ &v3__node_spec__descriptor, "ipv4VXLANTunnelAddr", .text = text_ipv4 },
	{ &v3__node_spec__descriptor, "vxlanTunnelMACAddr", .text = text_mac },
	{ &v3__node_spec__descriptor, "ipv6VXLANTunnelAddr", .text = text_ipv6 },
	{ &v3__node_spec__descriptor, "vxlanTunnelMACAddrV6", .text = text_mac },
	{ &v3__orch_ref__descriptor, "orchestrator", .flags = FIELD_REQUIRED },
	{ &v3__node_address__descriptor, "address", .flags = FIELD_REQUIRED, .text = text_any_net },
	{ &v3__node_address__descriptor, "type", WORDS("CalicoNodeIP", "InternalIP", "ExternalIP") },
	{ &v3__node_status__descriptor, "podCIDRs", .text = text_cidr },
	{ &v3__cluster_information_spec__descriptor, "clusterGUID", .text = text_guid },

	{ &v3__bgp_configuration_spec__descriptor, "logSeverityScreen", .flags = FIELD_ANY_CASE,
	  WORDS("Trace", "Debug", "Info", "Warning", "Error", "Fatal") },
	{ &v3__bgp_configuration_spec__descriptor, "listenPort", .min = 1, .max = 65535 },
#define M &v3__bgp_peer_spec__descriptor
	{ M, "node", .text = text_name },
	{ M, "nodeSelector", .text = text_any_selector, .max = 1024 },
	{ M, "peerIP", .text = text_peer_ip, .max = 64 },
	{ M, "peerSelector", .text = text_any_selector, .max = 1024 },
	{ M, "nextHopMode", WORDS("Auto", "Self", "Keep") },
	{ M, "sourceAddress", WORDS("UseNodeIP", "None") },
#undef M

	{ &v3__bgp_filter_rule_v4__descriptor, "action", .flags = FIELD_REQUIRED, WORDS("Accept", "Reject") },
	{ &v3__felix_configuration_spec__descriptor, "nftablesMode", WORDS("Disabled", "Enabled", "Auto") },
	{ &v3__calico_node_status_spec__descriptor, "classes", .flags = FIELD_REQUIRED },

	{ &v3__ipam_block__descriptor, "cidr", .flags = FIELD_REQUIRED, .text = text_net },
	{ &v3__ipam_affinity__descriptor, "state", WORDS("pending", "confirmed", "pendingDeletion") },
	{ &v3__ipam_config__descriptor, "maxBlocksPerHost", .min = 0, .max = 1000000 },
	{ &v3__ipam_config__descriptor, "kubeVirtVMAddressPersistence", WORDS("Enabled", "Disabled") },
	{ &v3__ipam_config__descriptor, "ipCooldownSeconds", .min = 0, .max = 1200 },
};
/* clang-format on */

const struct field_rule *field_rule(const ProtobufCMessageDescriptor *d, const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].message == d && strcmp(rules[i].field, field) == 0)
			return &rules[i];
	return NULL;
}
