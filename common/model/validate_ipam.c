/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPAM library's own objects: what a reader relies on. Upstream checks none of it. */
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

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

/* clang-format off */
const struct message_rule ipam_rules[] = {
	{ &v3__ipam_block__descriptor, FIELDS(
		{ "cidr", .flags = FIELD_REQUIRED, .text = text_net }), .check = check_block },
	{ &v3__ipam_affinity__descriptor, FIELDS(
		{ "state", WORDS("pending", "confirmed", "pendingDeletion") }) },
	{ &v3__ipam_handle__descriptor, .check = check_handle },
	{ &v3__ipam_config__descriptor, FIELDS(
		{ "maxBlocksPerHost", .min = 0, .max = 1000000 },
		{ "kubeVirtVMAddressPersistence", WORDS("Enabled", "Disabled") },
		{ "ipCooldownSeconds", .min = 0, .max = 1200 }) },
	{ .message = NULL },
};
/* clang-format on */
