/* SPDX-License-Identifier: BSD-2-Clause */
/* BGPConfiguration, BGPPeer, BGPFilter; FelixConfiguration, KubeControllersConfiguration,
 * CalicoNodeStatus, ClusterInformation. */
#include <string.h>

#include "common/model/validate_rule.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define NODE_PREFIX "node."

static bool set(const char *s)
{
	return s && *s != '\0';
}

static bool is(const char *s, const char *word)
{
	return s && strcmp(s, word) == 0;
}

static void check_name(const V3__ObjectMeta *meta, const struct path *p, bool node_too,
                       struct violations *v)
{
	struct path metadata = { p, "metadata", 0 };
	struct path here = { &metadata, "name", 0 };
	const char *s = meta && meta->name ? meta->name : "";
	size_t n = strlen(NODE_PREFIX);

	if (is(s, "default") ||
	    (node_too && strncmp(s, NODE_PREFIX, n) == 0 && text_is_name(s + n, strlen(s + n))))
		return;
	violate(v, &here, s, "%s",
	        node_too ? "must be 'default' or 'node.' and a node's name" : "must be 'default'");
}

static void check_bgp_configuration(const ProtobufCMessage *m, const struct path *p,
                                    struct violations *v)
{
	const V3__BGPConfiguration *c = (const V3__BGPConfiguration *)m;
	struct path spec = { p, "spec", 0 };
	struct path mesh = { &spec, "nodeToNodeMeshEnabled", 0 }, asn = { &spec, "asNumber", 0 };

	check_name(c->metadata, p, true, v);
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

static void check_cluster_information(const ProtobufCMessage *m, const struct path *p,
                                      struct violations *v)
{
	check_name(((const V3__ClusterInformation *)m)->metadata, p, false, v);
}

static void check_kube_controllers(const ProtobufCMessage *m, const struct path *p,
                                   struct violations *v)
{
	check_name(((const V3__KubeControllersConfiguration *)m)->metadata, p, false, v);
}

/* clang-format off */
const struct message_rule bgp_rules[] = {
	{ &v3__bgpconfiguration__descriptor, .check = check_bgp_configuration },
	{ &v3__bgp_configuration_spec__descriptor, FIELDS(
		{ "logSeverityScreen", .flags = FIELD_ANY_CASE, WORDS("Trace", "Debug", "Info", "Warning", "Error", "Fatal") },
		{ "listenPort", .min = 1, .max = 65535 }) },
	{ &v3__bgp_peer_spec__descriptor, FIELDS(
		{ "node", .text = text_name },
		{ "nodeSelector", .text = text_any_selector, .max = 1024 },
		{ "peerIP", .text = text_peer_ip, .max = 64 },
		{ "peerSelector", .text = text_any_selector, .max = 1024 },
		{ "nextHopMode", WORDS("Auto", "Self", "Keep") },
		{ "sourceAddress", WORDS("UseNodeIP", "None") }), .check = check_bgp_peer },
	{ &v3__bgp_filter_rule_v4__descriptor, FIELDS(
		{ "action", .flags = FIELD_REQUIRED, WORDS("Accept", "Reject") }) },
	{ &v3__felix_configuration_spec__descriptor, FIELDS(
		{ "nftablesMode", WORDS("Disabled", "Enabled", "Auto") }) },
	{ &v3__calico_node_status_spec__descriptor, FIELDS(
		{ "classes", .flags = FIELD_REQUIRED }) },
	{ &v3__kube_controllers_configuration__descriptor, .check = check_kube_controllers },
	{ &v3__cluster_information__descriptor, .check = check_cluster_information },
	{ &v3__cluster_information_spec__descriptor, FIELDS(
		{ "clusterGUID", .text = text_guid }) },
	{ .message = NULL },
};
/* clang-format on */
