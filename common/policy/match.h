/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * match: one rule and one packet: does it match, and if not, why not, in words.
 *
 * What counts is what felixd makes of the rule: rules that no packet of a family can match are left
 * out of the kernel, and match nothing here.
 */
#pragma once

#include "common/base/buf.h"
#include "common/policy/world.h"

/* One side of a packet: an address, and who has it. */
struct policy_side {
	struct ip_addr addr;
	uint16_t port;
	const struct policy_party **parties; /* endpoints and network sets with this address */
	size_t n_parties;
};

struct policy_packet {
	struct policy_side src, dst; /* of one family; ports: of protocols that have them */
	int protocol;
	int icmp_type, icmp_code;
};

/* Finds who has the addresses. policy_packet_done() frees that. */
void policy_packet_resolve(struct policy_packet *p, const struct policy_world *w);
void policy_packet_done(struct policy_packet *p);

/* Whether felixd could make anything of the rule, of a policy in ns ("" when global). -EINVAL with
 * a sentence. */
int policy_rule_check(const char *ns, const V3__Rule *r, struct err *err);

/* The rule has passed policy_rule_check(). false: *why gets a sentence without a full stop. */
bool policy_rule_matches(const struct policy_world *w, const char *ns, const V3__Rule *r,
                         const struct policy_packet *p, struct buf *why);

/* "Allow TCP from app == 'a' to ports 80, 443": on one line. */
void policy_rule_text(const V3__Rule *r, struct buf *out);
