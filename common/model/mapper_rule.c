/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/mapper_rule.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/model/kind.h"
#include "common/model/mapper.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "proto/v3_staged.pb-c.h"
#include "proto/v3_status.pb-c.h"

static const struct rule {
	const ProtobufCMessageDescriptor *message;
	const char *field;
	unsigned flags;
} rules[] = {
	/* values, not pointers, in upstream's structs; metadata and spec of every kind are too:
	   mapper_flags() */
	{ &v3__node__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__tier__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__rule__descriptor, "source", MAPPER_ALWAYS | MAPPER_NOT_EMPTY },
	{ &v3__rule__descriptor, "destination", MAPPER_ALWAYS | MAPPER_NOT_EMPTY },
	{ &v3__staged_kubernetes_network_policy_spec__descriptor, "podSelector", MAPPER_ALWAYS },

	/* pointers to scalars */
	{ &v3__object_meta__descriptor, "deletionGracePeriodSeconds", MAPPER_POINTER },
	{ &v3__owner_reference__descriptor, "controller", MAPPER_POINTER },
	{ &v3__owner_reference__descriptor, "blockOwnerDeletion", MAPPER_POINTER },
	{ &v3__icmp_fields__descriptor, "type", MAPPER_POINTER },
	{ &v3__icmp_fields__descriptor, "code", MAPPER_POINTER },
	{ &v3__rule__descriptor, "ipVersion", MAPPER_POINTER },
	{ &v3__network_policy_spec__descriptor, "order", MAPPER_POINTER },
	{ &v3__global_network_policy_spec__descriptor, "order", MAPPER_POINTER },
	{ &v3__staged_network_policy_spec__descriptor, "order", MAPPER_POINTER },
	{ &v3__staged_global_network_policy_spec__descriptor, "order", MAPPER_POINTER },
	{ &v3__kubernetes_policy_port__descriptor, "protocol", MAPPER_POINTER },
	{ &v3__kubernetes_policy_port__descriptor, "endPort", MAPPER_POINTER },
	{ &v3__live_migration_target__descriptor, "selector", MAPPER_POINTER },
	{ &v3__ipam_configuration_spec__descriptor, "kubeVirtVMAddressPersistence",
	  MAPPER_POINTER },
	{ &v3__tier_spec__descriptor, "order", MAPPER_POINTER },
	{ &v3__tier_spec__descriptor, "defaultAction", MAPPER_POINTER },
	{ &v3__ip_pool_spec__descriptor, "assignmentMode", MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "nodeToNodeMeshEnabled", MAPPER_POINTER },
	{ &v3__cluster_information_spec__descriptor, "datastoreReady", MAPPER_POINTER },
	{ &v3__ipam_attribute__descriptor, "handle_id", MAPPER_POINTER },
	{ &v3__ipam_config__descriptor, "kubeVirtVMAddressPersistence", MAPPER_POINTER },
	{ &v3__bgp_peer_spec__descriptor, "asNumber", MAPPER_PLAIN },
	{ &v3__bgp_peer_spec__descriptor, "nextHopMode", MAPPER_POINTER },
	{ &v3__bgp_peer_spec__descriptor, "numAllowedLocalASNumbers", MAPPER_POINTER },
	{ &v3__bgp_peer_spec__descriptor, "ttlSecurity", MAPPER_POINTER },
	{ &v3__bgp_peer_spec__descriptor, "reversePeering", MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "serviceLoadBalancerAggregation",
	  MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "bindMode", MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "programClusterRoutes", MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "ipv4NormalRoutePriority", MAPPER_POINTER },
	{ &v3__bgp_configuration_spec__descriptor, "ipv6NormalRoutePriority", MAPPER_POINTER },
	{ &v3__secret_key_selector__descriptor, "optional", MAPPER_POINTER },
	{ &v3__bgp_filter_prefix_length_v4__descriptor, "min", MAPPER_POINTER },
	{ &v3__bgp_filter_prefix_length_v4__descriptor, "max", MAPPER_POINTER },
	{ &v3__bgp_filter_prefix_length_v6__descriptor, "min", MAPPER_POINTER },
	{ &v3__bgp_filter_prefix_length_v6__descriptor, "max", MAPPER_POINTER },
	{ &v3__bgp_filter_rule_v4__descriptor, "priority", MAPPER_POINTER },
	{ &v3__bgp_filter_rule_v6__descriptor, "priority", MAPPER_POINTER },
	{ &v3__kube_controllers_configuration_spec__descriptor, "prometheusMetricsPort",
	  MAPPER_POINTER },
	{ &v3__kube_controllers_configuration_spec__descriptor, "debugProfilePort",
	  MAPPER_POINTER },
	{ &v3__calico_node_status_spec__descriptor, "updatePeriodSeconds", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "creationGracePeriod", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "tcpSynSent", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "tcpEstablished", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "tcpFinsSeen", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "tcpResetSeen", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "udpTimeout", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "genericTimeout", MAPPER_POINTER },
	{ &v3__bpf_conntrack_timeouts__descriptor, "icmpTimeout", MAPPER_POINTER },
#define M &v3__felix_configuration_spec__descriptor
	{ M, "nodeSelector", MAPPER_POINTER },
	{ M, "iptablesBackend", MAPPER_POINTER },
	{ M, "logActionRateLimit", MAPPER_POINTER },
	{ M, "healthHost", MAPPER_POINTER },
	{ M, "prometheusMetricsCAFile", MAPPER_POINTER },
	{ M, "prometheusMetricsCertFile", MAPPER_POINTER },
	{ M, "prometheusMetricsKeyFile", MAPPER_POINTER },
	{ M, "prometheusMetricsClientAuth", MAPPER_POINTER },
	{ M, "natOutgoingExclusions", MAPPER_POINTER },
	{ M, "programClusterRoutes", MAPPER_POINTER },
	{ M, "debugHost", MAPPER_POINTER },
	{ M, "nftablesMode", MAPPER_POINTER },
	{ M, "nftablesFlowTableOffload", MAPPER_POINTER },
	{ M, "bpfOverlayHostSourceIP", MAPPER_POINTER },
	{ M, "bpfJITHardening", MAPPER_POINTER },
	{ M, "bpfConntrackMode", MAPPER_POINTER },
	{ M, "bpfConnectTimeLoadBalancing", MAPPER_POINTER },
	{ M, "bpfHostNetworkedNATWithoutCTLB", MAPPER_POINTER },
	{ M, "istioAmbientMode", MAPPER_POINTER },
	{ M, "flowLogsPolicyEvaluationMode", MAPPER_POINTER },
	{ M, "bpfAttachType", MAPPER_POINTER },
	{ M, "flowLogsGoldmaneServer", MAPPER_POINTER },
	{ M, "flowLogsLocalReporter", MAPPER_POINTER },
	{ M, "awsSrcDstCheck", MAPPER_POINTER },
	{ M, "floatingIPs", MAPPER_POINTER },
	{ M, "localSubnetL2Reachability", MAPPER_POINTER },
	{ M, "windowsManageFirewallRules", MAPPER_POINTER },
	{ M, NULL, MAPPER_POINTER },
#undef M

	/* no omitempty */
	{ &v3__owner_reference__descriptor, "apiVersion", MAPPER_ALWAYS },
	{ &v3__owner_reference__descriptor, "kind", MAPPER_ALWAYS },
	{ &v3__owner_reference__descriptor, "name", MAPPER_ALWAYS },
	{ &v3__owner_reference__descriptor, "uid", MAPPER_ALWAYS },
	{ &v3__condition__descriptor, "type", MAPPER_ALWAYS },
	{ &v3__condition__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__condition__descriptor, "lastTransitionTime", MAPPER_ALWAYS | MAPPER_NULL },
	{ &v3__condition__descriptor, "reason", MAPPER_ALWAYS },
	{ &v3__condition__descriptor, "message", MAPPER_ALWAYS },
	{ &v3__rule__descriptor, "action", MAPPER_ALWAYS },
	{ &v3__orch_ref__descriptor, "orchestrator", MAPPER_ALWAYS },
	{ &v3__node_address__descriptor, "address", MAPPER_ALWAYS },
	{ &v3__ip_pool_spec__descriptor, "cidr", MAPPER_ALWAYS },
	{ &v3__endpoint_port__descriptor, "name", MAPPER_ALWAYS },
	{ &v3__endpoint_port__descriptor, "protocol", MAPPER_ALWAYS },
	{ &v3__endpoint_port__descriptor, "port", MAPPER_ALWAYS },
	{ &v3__ipam_configuration_spec__descriptor, "strictAffinity", MAPPER_ALWAYS },
	{ &v3__ipam_configuration_spec__descriptor, "autoAllocateBlocks", MAPPER_ALWAYS },
	{ &v3__block_affinity_spec__descriptor, "state", MAPPER_ALWAYS },
	{ &v3__block_affinity_spec__descriptor, "node", MAPPER_ALWAYS },
	{ &v3__block_affinity_spec__descriptor, "cidr", MAPPER_ALWAYS },
	{ &v3__block_affinity_spec__descriptor, "deleted", MAPPER_ALWAYS | MAPPER_TEXT_BOOL },
	{ &v3__label_selector_requirement__descriptor, "key", MAPPER_ALWAYS },
	{ &v3__label_selector_requirement__descriptor, "operator", MAPPER_ALWAYS },
	{ &v3__kubernetes_ip_block__descriptor, "cidr", MAPPER_ALWAYS },
	{ &v3__felix_status__descriptor, "time", MAPPER_ALWAYS },
	{ &v3__felix_status__descriptor, "uptime", MAPPER_ALWAYS },
	{ &v3__felix_status__descriptor, "first_update", MAPPER_ALWAYS },
	{ &v3__endpoint_status__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__workload_endpoint_port__descriptor, "name", MAPPER_ALWAYS },
	{ &v3__workload_endpoint_port__descriptor, "protocol", MAPPER_ALWAYS },
	{ &v3__workload_endpoint_port__descriptor, "port", MAPPER_ALWAYS },
	{ &v3__workload_endpoint_port__descriptor, "hostPort", MAPPER_ALWAYS },
	{ &v3__workload_endpoint_port__descriptor, "hostIP", MAPPER_ALWAYS },
	{ &v3__ip_nat__descriptor, "internalIP", MAPPER_ALWAYS },
	{ &v3__ip_nat__descriptor, "externalIP", MAPPER_ALWAYS },
	{ &v3__secret_key_selector__descriptor, "key", MAPPER_ALWAYS },
	{ &v3__felix_configuration_spec__descriptor, "bpfLogLevel", MAPPER_ALWAYS },
	{ &v3__health_timeout_override__descriptor, "name", MAPPER_ALWAYS },
	{ &v3__health_timeout_override__descriptor, "timeout", MAPPER_ALWAYS },
	{ &v3__route_table_range__descriptor, "min", MAPPER_ALWAYS },
	{ &v3__route_table_range__descriptor, "max", MAPPER_ALWAYS },
	{ &v3__route_table_id_range__descriptor, "min", MAPPER_ALWAYS },
	{ &v3__route_table_id_range__descriptor, "max", MAPPER_ALWAYS },
	{ &v3__proto_port__descriptor, "port", MAPPER_ALWAYS },
	{ &v3__bgp_filter_rule_v4__descriptor, "action", MAPPER_ALWAYS },
	{ &v3__bgp_filter_rule_v6__descriptor, "action", MAPPER_ALWAYS },
	{ &v3__bgp_filter_communities__descriptor, "values", MAPPER_ALWAYS | MAPPER_NULL },
	{ &v3__bgp_filter_add_community__descriptor, "value",
	  MAPPER_ALWAYS | MAPPER_NULL | MAPPER_POINTER },
	{ &v3__bgp_filter_prepend_as_path__descriptor, "prefix", MAPPER_ALWAYS | MAPPER_NULL },
	{ &v3__bgp_filter_set_priority__descriptor, "value",
	  MAPPER_ALWAYS | MAPPER_NULL | MAPPER_POINTER },
	{ &v3__kube_controllers_configuration__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__kube_controllers_configuration_spec__descriptor, "controllers", MAPPER_ALWAYS },
	{ &v3__calico_node_status__descriptor, "status", MAPPER_ALWAYS },
	{ &v3__calico_node_status_status__descriptor, "lastUpdated", MAPPER_ALWAYS | MAPPER_NULL },
	{ &v3__calico_node_status_status__descriptor, "agent", MAPPER_ALWAYS },
	{ &v3__calico_node_status_status__descriptor, "bgp", MAPPER_ALWAYS },
	{ &v3__calico_node_status_status__descriptor, "routes", MAPPER_ALWAYS },
	{ &v3__calico_node_agent_status__descriptor, "birdV4", MAPPER_ALWAYS },
	{ &v3__calico_node_agent_status__descriptor, "birdV6", MAPPER_ALWAYS },
	{ &v3__calico_node_bgp_status__descriptor, "numberEstablishedV4", MAPPER_ALWAYS },
	{ &v3__calico_node_bgp_status__descriptor, "numberNotEstablishedV4", MAPPER_ALWAYS },
	{ &v3__calico_node_bgp_status__descriptor, "numberEstablishedV6", MAPPER_ALWAYS },
	{ &v3__calico_node_bgp_status__descriptor, "numberNotEstablishedV6", MAPPER_ALWAYS },
	{ &v3__calico_node_route__descriptor, "learnedFrom", MAPPER_ALWAYS },
	{ &v3__ipam_block__descriptor, "cidr", MAPPER_ALWAYS },
	{ &v3__ipam_block__descriptor, "affinity", MAPPER_ALWAYS | MAPPER_NULL | MAPPER_POINTER },
	{ &v3__ipam_block__descriptor, "allocations", MAPPER_ALWAYS | MAPPER_NULL_NEGATIVE },
	{ &v3__ipam_block__descriptor, "unallocated", MAPPER_ALWAYS },
	{ &v3__ipam_block__descriptor, "attributes", MAPPER_ALWAYS | MAPPER_NULL },
	{ &v3__ipam_block__descriptor, "sequenceNumber", MAPPER_ALWAYS },
	{ &v3__ipam_block__descriptor, "sequenceNumberForAllocation", MAPPER_ALWAYS },
	{ &v3__ipam_block__descriptor, "deleted", MAPPER_ALWAYS },
	{ &v3__ipam_affinity__descriptor, "state", MAPPER_ALWAYS },
	{ &v3__ipam_affinity__descriptor, "deleted", MAPPER_ALWAYS },
	{ &v3__ipam_handle__descriptor, "block", MAPPER_ALWAYS },
	{ &v3__ipam_handle__descriptor, "deleted", MAPPER_ALWAYS },
};

static const struct {
	const ProtobufCMessageDescriptor *message;
	const char *member;
} opaque[] = {
	{ &v3__object_meta__descriptor, "managedFields" },
};

/* A rule without a field is for every number and boolean of its message. */
static bool fits(const struct rule *r, const ProtobufCFieldDescriptor *f)
{
	return r->field ? strcmp(r->field, f->name) == 0 : f->type != PROTOBUF_C_TYPE_STRING;
}

static unsigned flags_of(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
	const struct kind_info *k;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].message == d && fits(&rules[i], f))
			return rules[i].flags;
	k = kind_by_message(d);
	if (k && k->v3) {
		if (strcmp(f->name, "kind") == 0 || strcmp(f->name, "apiVersion") == 0)
			return MAPPER_KIND;
		if (strcmp(f->name, "metadata") == 0 || strcmp(f->name, "spec") == 0)
			return MAPPER_ALWAYS;
	}
	return 0;
}

/* Asked for each field of each object: what was found is remembered, by the field, which belongs to
 * one message. Workers map, too: each thread has its own memory. */
unsigned mapper_flags(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
	static _Thread_local struct {
		const ProtobufCFieldDescriptor *f;
		unsigned flags;
	} known[512];
	size_t i = (uintptr_t)f / sizeof(*f) % ARRAY_SIZE(known);

	if (known[i].f != f) {
		known[i].flags = flags_of(d, f);
		known[i].f = f;
	}
	return known[i].flags;
}

bool mapper_is_pointer(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
	return mapper_flags(d, f) & MAPPER_POINTER;
}

bool mapper_keeps_zero(const ProtobufCFieldDescriptor *f, unsigned flags)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return !(flags & MAPPER_PLAIN);
	return flags & (MAPPER_POINTER | MAPPER_ALWAYS);
}

size_t mapper_value_size(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

bool mapper_is_zero(const ProtobufCFieldDescriptor *f, const void *value)
{
	static const uint64_t zero;
	const struct mapper_scalar *scalar;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return **(char *const *)value == '\0';
	case PROTOBUF_C_TYPE_MESSAGE:
		scalar = mapper_scalar(f->descriptor);
		return scalar && scalar->zero(*(ProtobufCMessage *const *)value);
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const double *)value == 0; /* of either sign */
	default:
		return memcmp(value, &zero, mapper_value_size(f->type)) == 0;
	}
}

bool mapper_is_opaque(const ProtobufCMessageDescriptor *d, const char *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(opaque); i++)
		if (opaque[i].message == d && strcmp(opaque[i].member, member) == 0)
			return true;
	return false;
}
