/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/kind.h"

#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "proto/v3_staged.pb-c.h"
#include "proto/v3_status.pb-c.h"

/*
 * A program that never touches the messages of a file leaves them out, with all that its loader
 * would have to fix up in them: its kinds are then unknown to it. The mapper touches them all, and
 * with it whoever reads a datastore or manifests.
 */
#pragma weak v3__bgpconfiguration__descriptor
#pragma weak v3__bgppeer__descriptor
#pragma weak v3__bgpfilter__descriptor
#pragma weak v3__felix_configuration__descriptor
#pragma weak v3__kube_controllers_configuration__descriptor
#pragma weak v3__calico_node_status__descriptor
#pragma weak v3__staged_network_policy__descriptor
#pragma weak v3__staged_global_network_policy__descriptor
#pragma weak v3__staged_kubernetes_network_policy__descriptor
#pragma weak v3__felix_status__descriptor
#pragma weak v3__endpoint_status__descriptor

#define ALIASES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_ALIASES ((const char *const[]){ NULL })

/* clang-format off */
static const struct kind_info kinds[] = {
	/* kind                              name                   plural                   aliases        namespaced v3 message */
	{ V3__KIND__KIND_NODE,                  "Node",                "nodes",
	  ALIASES("node", "nodes", "no", "nos"), false, true, &v3__node__descriptor },
	{ V3__KIND__KIND_IP_POOL,               "IPPool",              "ippools",
	  ALIASES("ippool", "ippools", "ipp", "ipps", "pool", "pools"), false, true, &v3__ippool__descriptor },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT,     "WorkloadEndpoint",    "workloadendpoints",
	  ALIASES("workloadendpoint", "workloadendpoints", "wep", "weps"), true, true, &v3__workload_endpoint__descriptor },
	{ V3__KIND__KIND_HOST_ENDPOINT,         "HostEndpoint",        "hostendpoints",
	  ALIASES("hostendpoint", "hostendpoints", "hep", "heps"), false, true, &v3__host_endpoint__descriptor },
	{ V3__KIND__KIND_NETWORK_POLICY,        "NetworkPolicy",       "networkpolicies",
	  ALIASES("networkpolicy", "networkpolicies", "policy", "policies", "np", "pol", "pols"), true, true,
	  &v3__network_policy__descriptor },
	{ V3__KIND__KIND_GLOBAL_NETWORK_POLICY, "GlobalNetworkPolicy", "globalnetworkpolicies",
	  ALIASES("globalnetworkpolicy", "globalnetworkpolicies", "gnp", "gnps"), false, true,
	  &v3__global_network_policy__descriptor },
	{ V3__KIND__KIND_PROFILE,               "Profile",             "profiles",
	  ALIASES("profile", "profiles", "pro", "pros"), false, true, &v3__profile__descriptor },
	{ V3__KIND__KIND_TIER,                  "Tier",                "tiers",
	  ALIASES("tier", "tiers"), false, true, &v3__tier__descriptor },
	{ V3__KIND__KIND_NETWORK_SET,           "NetworkSet",          "networksets",
	  ALIASES("networkset", "networksets", "netsets"), true, true, &v3__network_set__descriptor },
	{ V3__KIND__KIND_GLOBAL_NETWORK_SET,    "GlobalNetworkSet",    "globalnetworksets",
	  ALIASES("globalnetworkset", "globalnetworksets", "gnetsets"), false, true, &v3__global_network_set__descriptor },
	{ V3__KIND__KIND_BGP_CONFIGURATION,     "BGPConfiguration",    "bgpconfigurations",
	  ALIASES("bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"), false, true,
	  &v3__bgpconfiguration__descriptor },
	{ V3__KIND__KIND_BGP_PEER,              "BGPPeer",             "bgppeers",
	  ALIASES("bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"), false, true, &v3__bgppeer__descriptor },
	{ V3__KIND__KIND_CLUSTER_INFORMATION,   "ClusterInformation",  "clusterinformations",
	  ALIASES("clusterinformation", "clusterinformations", "clusterinfo", "clusterinfos"), false, true,
	  &v3__cluster_information__descriptor },
	{ V3__KIND__KIND_BGP_FILTER,            "BGPFilter",           "bgpfilters",
	  ALIASES("bgpfilter", "bgpfilters", "bgpf", "bgpfs", "bf", "bfs"), false, true, &v3__bgpfilter__descriptor },
	{ V3__KIND__KIND_FELIX_CONFIGURATION,   "FelixConfiguration",  "felixconfigurations",
	  ALIASES("felixconfiguration", "felixconfigurations", "felixconfig", "felixconfigs"), false, true,
	  &v3__felix_configuration__descriptor },
	{ V3__KIND__KIND_KUBE_CONTROLLERS_CONFIGURATION, "KubeControllersConfiguration", "kubecontrollersconfigurations",
	  ALIASES("kubecontrollersconfiguration", "kubecontrollersconfigurations", "kubecontrollersconfig",
	          "kubecontrollersconfigs"), false, true, &v3__kube_controllers_configuration__descriptor },
	{ V3__KIND__KIND_CALICO_NODE_STATUS,    "CalicoNodeStatus",    "caliconodestatuses",
	  ALIASES("caliconodestatus", "caliconodestatuses", "nodestatus", "nodestatuses"), false, true,
	  &v3__calico_node_status__descriptor },
	{ V3__KIND__KIND_IP_RESERVATION,        "IPReservation",       "ipreservations",
	  ALIASES("ipreservation", "ipreservations", "reservation", "reservations"), false, true,
	  &v3__ipreservation__descriptor },
	{ V3__KIND__KIND_IPAM_CONFIGURATION,    "IPAMConfiguration",   "ipamconfigurations",
	  ALIASES("ipamconfiguration", "ipamconfigurations", "ipamconfig", "ipamconfigs"), false, true,
	  &v3__ipamconfiguration__descriptor },
	{ V3__KIND__KIND_STAGED_NETWORK_POLICY, "StagedNetworkPolicy", "stagednetworkpolicies",
	  ALIASES("stagednetworkpolicy", "stagednetworkpolicies", "stagedpolicy", "stagedpolicies", "snp", "spol",
	          "spols"), true, true, &v3__staged_network_policy__descriptor },
	{ V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY, "StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies",
	  ALIASES("stagedglobalnetworkpolicy", "stagedglobalnetworkpolicies", "sgnp", "sgnps"), false, true,
	  &v3__staged_global_network_policy__descriptor },
	{ V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY, "StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies",
	  ALIASES("stagedkubernetesnetworkpolicy", "stagedkubernetesnetworkpolicies", "stagedkubernetespolicy",
	          "stagedkubernetespolicies", "sknp", "skpol", "skpols"), true, true,
	  &v3__staged_kubernetes_network_policy__descriptor },
	/* Stored as all others; calicoctl does not show them. */
	{ V3__KIND__KIND_BLOCK_AFFINITY,        "BlockAffinity",       "blockaffinities",
	  NO_ALIASES, false, true, &v3__block_affinity__descriptor },
	{ V3__KIND__KIND_LIVE_MIGRATION,        "LiveMigration",       "livemigrations",
	  NO_ALIASES, true, true, &v3__live_migration__descriptor },
	/* The IPAM library's objects: no envelope, no spec, and no name on the command line. */
	{ V3__KIND__KIND_IPAM_BLOCK,            "IPAMBlock",           "ipamblocks",
	  NO_ALIASES, false, false, &v3__ipam_block__descriptor },
	{ V3__KIND__KIND_IPAM_AFFINITY,         "IPAMAffinity",        "ipamaffinities",
	  NO_ALIASES, false, false, &v3__ipam_affinity__descriptor },
	{ V3__KIND__KIND_IPAM_HANDLE,           "IPAMHandle",          "ipamhandles",
	  NO_ALIASES, false, false, &v3__ipam_handle__descriptor },
	{ V3__KIND__KIND_IPAM_CONFIG,           "IPAMConfig",          "ipamconfigs",
	  NO_ALIASES, false, false, &v3__ipam_config__descriptor },
	/* What felix reports: likewise. */
	{ V3__KIND__KIND_FELIX_STATUS,          "FelixStatus",         "felixstatuses",
	  NO_ALIASES, false, false, &v3__felix_status__descriptor },
	{ V3__KIND__KIND_FELIX_LAST_STATUS,     "FelixLastStatus",     "felixlaststatuses",
	  NO_ALIASES, false, false, &v3__felix_status__descriptor },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT_STATUS, "WorkloadEndpointStatus", "workloadendpointstatuses",
	  NO_ALIASES, false, false, &v3__endpoint_status__descriptor },
	{ V3__KIND__KIND_HOST_ENDPOINT_STATUS,  "HostEndpointStatus",  "hostendpointstatuses",
	  NO_ALIASES, false, false, &v3__endpoint_status__descriptor },
};
/* clang-format on */

const struct kind_info *kind_info(model_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind && kinds[i].message)
			return &kinds[i];
	return NULL;
}

const struct kind_info *kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0 && kinds[i].message)
			return &kinds[i];
	return NULL;
}

const struct kind_info *kind_by_alias(const char *alias)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (const char *const *a = kinds[i].aliases; *a; a++)
			if (strcasecmp(*a, alias) == 0 && kinds[i].message)
				return &kinds[i];
	return NULL;
}

const struct kind_info *kind_by_message(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].message == d)
			return &kinds[i];
	return NULL;
}

const struct kind_info *kind_next(const struct kind_info *k)
{
	k = k ? k + 1 : &kinds[0];
	while (k < kinds + ARRAY_SIZE(kinds) && !k->message)
		k++;
	return k < kinds + ARRAY_SIZE(kinds) ? k : NULL;
}
