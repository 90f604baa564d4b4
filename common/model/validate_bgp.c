/* SPDX-License-Identifier: BSD-2-Clause */
/* BGPConfiguration, BGPPeer and BGPFilter. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_bgp.pb-c.h"

#define PRIORITY_MAX 2147483646

/* ---- what texts look like */

static bool ok_filter_interface(const char *s)
{
	return text_all_of(s, "_.*-", 15);
}

static bool ok_ignored_interface(const char *s)
{
	return !text_is(s, "*") && text_all_of(s, "_.*-", 15);
}

static bool is_net_of(const char *s, int family)
{
	struct ip_prefix p;

	return ip_prefix_parse(s, &p) == 0 && ip_prefix_is_network(&p) && p.addr.family == family;
}

static bool ok_netv4(const char *s)
{
	return is_net_of(s, AF_INET);
}

static bool ok_netv6(const char *s)
{
	return is_net_of(s, AF_INET6);
}

/* Digits from *s on, which is moved behind them, and what they say if they are at most max. */
static bool read_number(const char **s, uint64_t max, bool *ret_fits)
{
	size_t n = strspn(*s, "0123456789");
	uint64_t v = 0;

	*ret_fits = true;
	for (size_t i = 0; i < n && *ret_fits; i++) {
		v = v * 10 + (uint64_t)((*s)[i] - '0');
		*ret_fits = v <= max;
	}
	*s += n;
	return n > 0;
}

/* "1:2" or "1:2:3". Returns how many numbers there are, 0: not of this form; *ret_too_large: how
 * many of them do not fit their bits. */
static unsigned community_parts(const char *s, unsigned *ret_too_large)
{
	unsigned n = 0, colons = 0;
	bool fits;

	for (const char *c = s; *c != '\0'; c++)
		colons += *c == ':';
	*ret_too_large = 0;
	while (read_number(&s, colons == 1 ? UINT16_MAX : UINT32_MAX, &fits)) {
		n++;
		*ret_too_large += !fits;
		if (*s == '\0')
			return n == 2 || n == 3 ? n : 0;
		if (*s++ != ':')
			return 0;
	}
	return 0;
}

static bool ok_community_form(const char *s)
{
	unsigned too_large;

	return community_parts(s, &too_large) > 0;
}

/* The same without zeros before a number, and each within its bits. */
static bool ok_community(const char *s)
{
	unsigned too_large;

	if (community_parts(s, &too_large) == 0 || too_large > 0)
		return false;
	for (const char *c = s; *c != '\0'; c++)
		if (*c == '0' && (c == s || c[-1] == ':') && c[1] != ':' && c[1] != '\0')
			return false;
	return true;
}

#define N16                                                                                        \
	"([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553["  \
	"0-5])"
#define N32                                                                                        \
	"([0-9]|[1-9][0-9]{1,8}|[1-3][0-9]{9}|4[0-1][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|"    \
	"4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[0-1][0-9]{2}|"           \
	"42949672[0-8][0-9]|429496729[0-5])"

static const struct tag pattern_community = { "^(" N16 ":" N16 "|" N32 ":" N32 ":" N32 ")$",
	                                      ok_community };
static const struct tag pattern_community_form = { "^(\\d+):(\\d+)$|^(\\d+):(\\d+):(\\d+)$",
	                                           ok_community_form };

/* An address, IPv4:port or [address]:port; *ret is the address. */
static bool parse_peer(const char *s, struct ip_addr *ret)
{
	const char *colon = strrchr(s, ':'), *port = colon ? colon + 1 : "";
	CLEANUP(free_p) char *host = NULL;
	const char *digits = port;
	bool fits, bracket;

	if (ip_addr_parse(s, ret) == 0)
		return true;
	if (!colon || !read_number(&digits, UINT16_MAX, &fits) || *digits != '\0' || !fits)
		return false;
	if (port[strspn(port, "0")] == '\0')
		return false;
	bracket = s[0] == '[' && colon > s + 1 && colon[-1] == ']';
	host = bracket ? xstrndup(s + 1, (size_t)(colon - s) - 2)
	               : xstrndup(s, (size_t)(colon - s));
	return ip_addr_parse(host, ret) == 0 && (bracket || ret->family == AF_INET);
}

static bool ok_peer(const char *s)
{
	struct ip_addr a;

	return parse_peer(s, &a);
}

static bool ok_reachable_by(const char *s)
{
	struct ip_addr a;

	return ip_addr_parse(s, &a) == 0;
}

static const struct tag tag_filter_interface = { "bgpFilterInterface", ok_filter_interface };
static const struct tag tag_ignored_interface = { "ignoredInterface", ok_ignored_interface };
static const struct tag tag_netv4 = { "netv4", ok_netv4 };
static const struct tag tag_netv6 = { "netv6", ok_netv6 };
static const struct tag tag_peer = { "IP:port", ok_peer };
static const struct tag tag_reachable_by = { "reachableBy", ok_reachable_by };

/* ---- BGPConfiguration */

/* A community by value. false: it is none; the numbers that do not fit are told. */
static bool check_community(const char *s, const char *name, const struct path *p,
                            struct violations *v)
{
	unsigned too_large, parts = community_parts(s, &too_large);

	for (unsigned i = 0; i < too_large; i++)
		violate_as(v, p, name, s, "invalid community value, expected %d bit value",
		           parts == 2 ? 16 : 32);
	return parts > 0;
}

static bool is_defined(const V3__BgpConfigurationSpec *s, const char *name)
{
	for (size_t i = 0; i < s->n_communities; i++)
		if (text_is(s->communities[i]->name ? s->communities[i]->name : "", name))
			return true;
	return false;
}

static void check_advertisement(const V3__BgpConfigurationSpec *s, const V3__PrefixAdvertisement *a,
                                const struct path *p, struct violations *v)
{
	static const char name[] = "Spec.PrefixAdvertisement[].Communities[]";
	struct path cidr = { p, "cidr", 0 }, list = { p, "communities", 0 };
	struct ip_prefix net;

	if (text_given(a->cidr) && ip_prefix_parse(a->cidr, &net) < 0)
		violate_as(v, &cidr, "Spec.PrefixAdvertisement[].CIDR", a->cidr,
		           "invalid CIDR value.");
	for (size_t i = 0; i < a->n_communities; i++) {
		struct path here = { &list, NULL, i };

		if (!check_community(a->communities[i], name, &here, v) &&
		    !is_defined(s, a->communities[i]))
			violate_as(v, &here, name, a->communities[i],
			           "community used is invalid or not defined.");
	}
}

static void check_configuration_spec(const ProtobufCMessage *m, const struct path *p,
                                     struct violations *v)
{
	static const char name[] = "Spec.Communities[].Value";
	const V3__BgpConfigurationSpec *s = (const V3__BgpConfigurationSpec *)m;
	struct path communities = { p, "communities", 0 }, list = { p, "prefixAdvertisements", 0 };

	for (size_t i = 0; i < s->n_communities; i++) {
		const char *value = s->communities[i]->value ? s->communities[i]->value : "";
		struct path here = { &communities, NULL, i }, at = { &here, "value", 0 };

		if (!check_community(value, name, &at, v))
			violate_as(v, &at, name, value, "invalid community value or format used.");
	}
	for (size_t i = 0; i < s->n_prefixadvertisements; i++) {
		struct path here = { &list, NULL, i };

		check_advertisement(s, s->prefixadvertisements[i], &here, v);
	}
}

static void cel_configuration_spec(const ProtobufCMessage *m, const struct path *p,
                                   struct violations *v)
{
	const V3__BgpConfigurationSpec *s = (const V3__BgpConfigurationSpec *)m;
	bool no_mesh = s->has_nodetonodemeshenabled && !s->nodetonodemeshenabled;

	if (s->nodemeshpassword && no_mesh)
		violate(v, p, NULL,
		        "nodeMeshPassword cannot be set when nodeToNodeMeshEnabled is false");
	if (s->nodemeshmaxrestarttime && no_mesh)
		violate(v, p, NULL,
		        "nodeMeshMaxRestartTime cannot be set when nodeToNodeMeshEnabled is false");
	if (s->n_communities > 0 && s->n_prefixadvertisements == 0)
		violate(v, p, NULL, "communities are defined but not used in prefixAdvertisements");
}

/* What is for the whole cluster stands in "default" alone. */
static void last_configuration(const ProtobufCMessage *m, const struct path *p,
                               struct violations *v)
{
	const V3__BGPConfiguration *c = (const V3__BGPConfiguration *)m;
	const V3__BgpConfigurationSpec *s = c->spec;
	struct path spec = { p, "spec", 0 };

	if (!s || (c->metadata && text_is(c->metadata->name, "default")))
		return;

	const struct {
		const char *field, *go, *said;
		bool there;
	} only[] = {
		{ "nodeToNodeMeshEnabled", "NodeToNodeMeshEnabled", "nodeToNodeMeshEnabled",
		  s->has_nodetonodemeshenabled },
		{ "asNumber", "ASNumber", "ASNumber", s->asnumber != NULL },
		{ "serviceLoadBalancerIPs", "ServiceLoadBalancerIPs", "ServiceLoadBalancerIPs",
		  s->n_serviceloadbalancerips > 0 },
		{ "serviceExternalIPs", "ServiceExternalIPs", "ServiceExternalIPs",
		  s->n_serviceexternalips > 0 },
		{ "serviceClusterIPs", "ServiceClusterIPs", "ServiceClusterIPs",
		  s->n_serviceclusterips > 0 },
		{ "nodeMeshPassword", "NodeMeshPassword", "nodeMeshPassword",
		  s->nodemeshpassword != NULL },
		{ "nodeMeshMaxRestartTime", "NodeMeshMaxRestartTime", "nodeMeshMaxRestartTime",
		  s->nodemeshmaxrestarttime != NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(only); i++) {
		CLEANUP(free_p) char *name = xasprintf("BGPConfiguration.Spec.%s", only[i].go);
		struct path here = { &spec, only[i].field, 0 };

		if (only[i].there)
			violate_as(v, &here, name, NULL,
			           "Cannot set %s on a non default BGP Configuration.",
			           only[i].said);
	}
}

/* ---- BGPPeer */

static void check_peer_spec(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpPeerSpec *s = (const V3__BgpPeerSpec *)m;
	struct path here = { p, "reachableBy", 0 };
	struct ip_addr gateway, peer;

	if (text_given(s->reachableby) && text_given(s->peerip) &&
	    ip_addr_parse(s->reachableby, &gateway) == 0 && parse_peer(s->peerip, &peer) &&
	    gateway.family != peer.family)
		violate_as(v, &here, "ReachableBy", s->reachableby,
		           "ReachableBy and PeerIP address family mismatched");
}

static void cel_peer_spec(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpPeerSpec *s = (const V3__BgpPeerSpec *)m;
	bool workloads = text_given(s->localworkloadselector),
	     asn = s->asnumber && s->asnumber->value;

	if (text_given(s->node) && text_given(s->nodeselector))
		violate(v, p, NULL, "node and nodeSelector cannot both be set");
	if (text_given(s->peerip) && text_given(s->peerselector))
		violate(v, p, NULL, "peerIP and peerSelector cannot both be set");
	if (text_given(s->peerselector) && asn)
		violate(v, p, NULL, "asNumber must be empty when peerSelector is set");
	if (workloads && text_given(s->peerip))
		violate(v, p, NULL, "peerIP must be empty when localWorkloadSelector is set");
	if (workloads && text_given(s->peerselector))
		violate(v, p, NULL, "peerSelector must be empty when localWorkloadSelector is set");
	if (workloads && !asn)
		violate(v, p, NULL, "asNumber is required when localWorkloadSelector is set");
	if (text_given(s->reachableby) && !text_given(s->peerip))
		violate(v, p, NULL, "reachableBy must be empty when peerIP is empty");
	if (s->keeporiginalnexthop && s->nexthopmode)
		violate(v, p, NULL,
		        "keepOriginalNextHop and nextHopMode cannot both be set; "
		        "keepOriginalNextHop is deprecated, use nextHopMode instead");
}

/* ---- BGPFilter */

static void cel_rule(const char *cidr, const char *op, bool length, const char *action,
                     size_t n_operations, const struct path *p, struct violations *v)
{
	if (text_given(cidr) != text_given(op))
		violate(v, p, NULL, "cidr and matchOperator must both be set or both be empty");
	if (length && !text_given(cidr))
		violate(v, p, NULL, "cidr is required when prefixLength is set");
	if (n_operations > 0 && !text_is(action, "Accept"))
		violate(v, p, NULL, "operations may only be used with action Accept");
}

static void cel_rule_v4(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpFilterRuleV4 *r = (const V3__BgpFilterRuleV4 *)m;

	cel_rule(r->cidr, r->matchoperator, r->prefixlength != NULL, r->action, r->n_operations, p,
	         v);
}

static void cel_rule_v6(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpFilterRuleV6 *r = (const V3__BgpFilterRuleV6 *)m;

	cel_rule(r->cidr, r->matchoperator, r->prefixlength != NULL, r->action, r->n_operations, p,
	         v);
}

static void schema_operation(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__BgpFilterOperation *o = (const V3__BgpFilterOperation *)m;
	CLEANUP(buf_done) struct buf here = { 0 };
	int n = (o->addcommunity != NULL) + (o->prependaspath != NULL) + (o->setpriority != NULL);

	path_str(p, &here);
	if (n == 0)
		violate(v, p, NULL, "%s in body should have at least 1 properties",
		        buf_cstr(&here));
	else if (n > 1)
		violate(v, p, NULL, "must have at most 1 item");
}

/* clang-format off */
#define PRIORITY .flags = FIELD_GTE_LTE, .min = 1, .max = PRIORITY_MAX
#define FILTER_RULE(tag_, max_) FIELDS( \
		{ "cidr", "CIDR", .tag = (tag_), .flags = FIELD_CIDR, .max = (max_) }, \
		{ "source", .flags = FIELD_ONEOF, WORDS("RemotePeers") }, \
		{ "interface", .tag = &tag_filter_interface, .max = 15 }, \
		{ "matchOperator", WORDS("Equal", "NotEqual", "In", "NotIn") }, \
		{ "peerType", .flags = FIELD_ONEOF, WORDS("eBGP", "iBGP") }, \
		{ "priority", PRIORITY }, \
		{ "action", .flags = FIELD_TAG_REQUIRED | FIELD_ALWAYS, WORDS("Accept", "Reject") }, \
		{ "operations", .items = 10 })

const struct message_rule bgp_rules[] = {
	{ &v3__bgpconfiguration__descriptor, .last = last_configuration },
	{ &v3__bgp_configuration_spec__descriptor, FIELDS(
		{ "logSeverityScreen", .flags = FIELD_ANY_CASE, WORDS("Trace", "Debug", "Info", "Warning", "Error", "Fatal") },
		{ "serviceLoadBalancerAggregation", .flags = FIELD_EMPTY, WORDS("Enabled", "Disabled") },
		{ "communities", .items = 500 },
		{ "prefixAdvertisements", .items = 500 },
		{ "listenPort", .min = 1, .max = 65535 },
		{ "bindMode", .flags = FIELD_EMPTY, WORDS("None", "NodeIP") },
		{ "ignoredInterfaces", .tag = &tag_ignored_interface },
		{ "localWorkloadPeeringIPV4", .tag = &tag_ipv4 },
		{ "localWorkloadPeeringIPV6", .tag = &tag_ipv6 },
		{ "programClusterRoutes", .flags = FIELD_EMPTY,
		  WORDS("Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly") },
		{ "ipv4NormalRoutePriority", "IPv4NormalRoutePriority", PRIORITY },
		{ "ipv6NormalRoutePriority", "IPv6NormalRoutePriority", PRIORITY }),
	  .check = check_configuration_spec, .cel = cel_configuration_spec },
	{ &v3__service_block__descriptor, FIELDS(
		{ "cidr", "CIDR", .tag = &tag_net, .flags = FIELD_CIDR }) },
	{ &v3__bgp_community__descriptor, FIELDS(
		{ "name", .tag = &tag_name, .flags = FIELD_TAG_REQUIRED, .max = 253 },
		{ "value", .flags = FIELD_TAG_REQUIRED, .max = 40, .pattern = &pattern_community_form }) },
	{ &v3__prefix_advertisement__descriptor, FIELDS(
		{ "cidr", "CIDR", .tag = &tag_net, .flags = FIELD_TAG_REQUIRED | FIELD_CIDR },
		{ "communities", .flags = FIELD_TAG_REQUIRED, .items = 50 }) },
	{ &v3__bgp_peer_spec__descriptor, FIELDS(
		{ "node", .tag = &tag_name, .max = 253 },
		{ "nodeSelector", .tag = &tag_selector, .max = 1024 },
		{ "peerIP", .tag = &tag_peer, .max = 64 },
		{ "peerSelector", .tag = &tag_selector, .max = 1024 },
		{ "nextHopMode", .flags = FIELD_EMPTY, WORDS("Auto", "Self", "Keep") },
		{ "sourceAddress", WORDS("UseNodeIP", "None") },
		{ "ttlSecurity", .min = 0, .max = 255 },
		{ "reachableBy", .tag = &tag_reachable_by, .max = 64 },
		{ "filters", .tag = &tag_name },
		{ "localWorkloadSelector", .tag = &tag_selector, .max = 1024 },
		{ "reversePeering", .flags = FIELD_EMPTY, WORDS("Auto", "Manual") }),
	  .check = check_peer_spec, .cel = cel_peer_spec },
	{ &v3__bgp_filter_rule_v4__descriptor, FILTER_RULE(&tag_netv4, 18), .cel = cel_rule_v4 },
	{ &v3__bgp_filter_rule_v6__descriptor, FILTER_RULE(&tag_netv6, 43), .cel = cel_rule_v6 },
	{ &v3__bgp_filter_prefix_length_v4__descriptor, FIELDS(
		{ "min", .range_tag = "bgpFilterPrefixLengthV4", .min = 0, .max = 32 },
		{ "max", .range_tag = "bgpFilterPrefixLengthV4", .min = 0, .max = 32 }) },
	{ &v3__bgp_filter_prefix_length_v6__descriptor, FIELDS(
		{ "min", .range_tag = "bgpFilterPrefixLengthV6", .min = 0, .max = 128 },
		{ "max", .range_tag = "bgpFilterPrefixLengthV6", .min = 0, .max = 128 }) },
	{ &v3__bgp_filter_communities__descriptor, FIELDS(
		{ "values", .flags = FIELD_TAG_REQUIRED | FIELD_NULL, .items = 1, .max = 32, .pattern = &pattern_community }) },
	{ &v3__bgp_filter_add_community__descriptor, FIELDS(
		{ "value", .flags = FIELD_TAG_REQUIRED | FIELD_NULL | FIELD_EMPTY, .pattern = &pattern_community, .max = 32 }) },
	{ &v3__bgp_filter_prepend_as_path__descriptor, FIELDS(
		{ "prefix", .flags = FIELD_TAG_REQUIRED | FIELD_NULL, .items = 10 }) },
	{ &v3__bgp_filter_set_priority__descriptor, FIELDS(
		{ "value", .flags = FIELD_TAG_REQUIRED | FIELD_NULL | FIELD_GTE_LTE, .min = 1, .max = PRIORITY_MAX }) },
	{ &v3__bgp_filter_operation__descriptor, .schema = schema_operation },
	{ .message = NULL },
};
/* clang-format on */
