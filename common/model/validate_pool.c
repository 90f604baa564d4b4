/* SPDX-License-Identifier: BSD-2-Clause */
/* IPPool, IPReservation, IPAMConfiguration, BlockAffinity. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

static bool has(size_t n, char *const *list, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

static bool is_on(const char *mode)
{
	return text_given(mode) && !text_is(mode, "Never");
}

/* A pool without a usable CIDR is not looked at further. */
static void first_pool(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IPPool *pool = (const V3__IPPool *)m;
	struct path spec = { p, "spec", 0 };
	struct path here = { &spec, "cidr", 0 };
	const char *cidr = pool->spec ? pool->spec->cidr : NULL;
	char text[IP_PREFIX_STR_MAX];
	struct ip_prefix net;

	if (!text_given(cidr)) {
		violate_as(v, &here, "IPPool.Spec.CIDR", NULL, "IPPool CIDR must be specified");
	} else if (!strchr(cidr, '/') || ip_prefix_parse(cidr, &net) < 0) {
		violate_as(v, &here, "IPPool.Spec.CIDR", cidr,
		           "IPPool CIDR must be a valid subnet");
	} else if (!ip_prefix_is_network(&net)) {
		net = ip_prefix_network(&net);
		violate_as(v, &here, "IPPool.Spec.CIDR", ip_prefix_str(&net, text),
		           "IPPool CIDR is not strictly masked");
	}
}

static void check_pool(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IpPoolSpec *s = (const V3__IpPoolSpec *)m;
	struct path uses = { p, "allowedUses", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	list_str(s->alloweduses, s->n_alloweduses, &text);
	for (size_t i = 0; i < s->n_alloweduses; i++) {
		struct path here = { &uses, NULL, i };
		const char *use = s->alloweduses[i];

		if (!text_is(use, "Workload") && !text_is(use, "Tunnel") &&
		    !text_is(use, "LoadBalancer"))
			violate_as(v, &here, "IPpool.AllowedUses", buf_cstr(&text),
			           "unknown use: %s", use);
	}
}

static void cel_pool_uses(const V3__IpPoolSpec *s, bool v6, const struct path *p,
                          struct violations *v)
{
	size_t n = s->n_alloweduses;
	bool lb = has(n, s->alloweduses, "LoadBalancer"), tunnel = has(n, s->alloweduses, "Tunnel");

	if (is_on(s->ipipmode) && is_on(s->vxlanmode))
		violate(v, p, NULL, "ipipMode and vxlanMode cannot both be enabled");
	if (lb && (is_on(s->ipipmode) || is_on(s->vxlanmode)))
		violate(v, p, NULL, "LoadBalancer IP pool cannot have IPIP or VXLAN enabled");
	if (lb && (tunnel || has(n, s->alloweduses, "Workload")))
		violate(v, p, NULL,
		        "LoadBalancer cannot be combined with Workload or Tunnel allowed uses");
	if (v6 && is_on(s->ipipmode))
		violate(v, p, NULL, "IPIP is not supported on IPv6 pools");
	if (lb && s->disablebgpexport)
		violate(v, p, NULL, "LoadBalancer IP pools cannot disable BGP export");
	if (lb && text_given(s->nodeselector) && !text_is(s->nodeselector, "all()"))
		violate(v, p, NULL,
		        "IP Pool with AllowedUse LoadBalancer must have nodeSelector set to all()");
	if (tunnel && text_given(s->namespaceselector))
		violate(v, p, NULL, "IP Pool with AllowedUse Tunnel cannot have namespaceSelector");
	if (s->nodeselector && text_has_global(s->nodeselector))
		violate(v, p, NULL, "global() selector is not valid for IPPool nodeSelector");
	if (s->namespaceselector && text_has_global(s->namespaceselector))
		violate(v, p, NULL, "global() selector is not valid for IPPool namespaceSelector");
}

static bool overlaps(const struct ip_prefix *net, const char *other)
{
	struct ip_prefix p;

	return ip_prefix_parse(other, &p) == 0 && ip_prefix_overlaps(net, &p);
}

static void cel_pool(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__IpPoolSpec *s = (const V3__IpPoolSpec *)m;
	int64_t size = s->has_blocksize ? s->blocksize : 0;
	struct ip_prefix net;
	bool v6;

	if (!s->cidr || ip_prefix_parse(s->cidr, &net) < 0)
		return;
	v6 = net.addr.family == AF_INET6;
	cel_pool_uses(s, v6, p, v);
	if (overlaps(&net, "169.254.0.0/16"))
		violate(v, p, NULL,
		        "IPPool CIDR overlaps with IPv4 link local range 169.254.0.0/16");
	if (overlaps(&net, "fe80::/10"))
		violate(v, p, NULL, "IPPool CIDR overlaps with IPv6 link local range fe80::/10");
	if (size != 0 && (size < (v6 ? 116 : 20) || size > (v6 ? 128 : 32)))
		violate(v, p, NULL,
		        "blockSize must be between 20 and 32 for IPv4 pools, and between 116 and "
		        "128 for IPv6 pools");
	if (!s->disabled && net.len > (size != 0 ? size : v6 ? 122 : 26))
		violate(v, p, NULL,
		        "IP pool size is too small for use with Calico IPAM. It must be equal to "
		        "or greater than the block size.");
}

static void check_ipam_configuration(const ProtobufCMessage *m, const struct path *p,
                                     struct violations *v)
{
	const V3__IpamConfigurationSpec *s = (const V3__IpamConfigurationSpec *)m;
	struct path here = { p, "maxBlocksPerHost", 0 };
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)s->maxblocksperhost);
	if (s->maxblocksperhost < 0)
		violate_as(v, &here, "MaxBlocksPerHost", text,
		           "must be greater than or equal to 0");
}

static void last_ipam_configuration(const ProtobufCMessage *m, const struct path *p,
                                    struct violations *v)
{
	const V3__IPAMConfiguration *c = (const V3__IPAMConfiguration *)m;
	struct path meta = { p, "metadata", 0 };
	struct path name = { &meta, "name", 0 };

	if (c->metadata && !text_is(c->metadata->name, "default"))
		violate_as(v, &name, "", NULL,
		           "Cannot create an IPAMConfiguration resource with a name other than "
		           "\"default\"");
}

static void check_affinity(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	struct path here = { p, "deleted", 0 };

	if (((const V3__BlockAffinitySpec *)m)->deleted)
		violate_as(v, &here, "Spec.Deleted", NULL,
		           "spec.Deleted cannot be set to \"true\"");
}

/* clang-format off */
const struct message_rule pool_rules[] = {
	{ &v3__ippool__descriptor, .first = first_pool },
	{ &v3__ip_pool_spec__descriptor, FIELDS(
		{ "cidr", .max = 48 },
		{ "vxlanMode", WORDS("Never", "Always", "CrossSubnet") },
		{ "ipipMode", WORDS("Never", "Always", "CrossSubnet") },
		{ "blockSize", .min = 0, .max = 128 },
		{ "nodeSelector", .tag = &tag_selector, .max = 1024 },
		{ "namespaceSelector", .tag = &tag_selector, .max = 1024 },
		{ "allowedUses", .items = 10, WORDS("Workload", "Tunnel", "LoadBalancer") },
		{ "assignmentMode", .flags = FIELD_EMPTY, WORDS("Automatic", "Manual") }), .check = check_pool, .cel = cel_pool },
	{ &v3__ip_reservation_spec__descriptor, FIELDS(
		{ "reservedCIDRs", .list_tag = &list_tag_cidrs, .flags = FIELD_CIDR }) },
	{ &v3__ipamconfiguration__descriptor, .last = last_ipam_configuration },
	{ &v3__ipam_configuration_spec__descriptor, FIELDS(
		{ "maxBlocksPerHost", .min = 0, .max = 1000000 },
		{ "kubeVirtVMAddressPersistence", .flags = FIELD_EMPTY, WORDS("Enabled", "Disabled") },
		{ "ipCooldownSeconds", .min = 0, .max = 1200 }), .check = check_ipam_configuration },
	{ &v3__block_affinity_spec__descriptor, FIELDS(
		{ "state", .flags = FIELD_ALWAYS, WORDS("", "confirmed", "pending", "pendingDeletion") },
		{ "cidr", .flags = FIELD_ALWAYS | FIELD_CIDR }), .check = check_affinity },
	{ .message = NULL },
};
/* clang-format on */
