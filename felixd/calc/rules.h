/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules: v3 rules, translated once into those of output.h, and the IP sets that they refer to by
 * ID.
 *
 * Translation needs nothing but the rule; whether the sets exist is the business of who makes the
 * policy active.
 */
#pragma once

#include "common/model/selector.h"
#include "felixd/calc/output.h"
#include "proto/v3_policy.pb-c.h"

struct err;

/* What a set holds. */
enum set_source {
	SET_OF_SELECTOR,   /* the addresses of what matches */
	SET_OF_NAMED_PORT, /* (address, protocol, port) of the endpoints' ports with that name */
	SET_OF_SERVICE, /* endpoints of a service: this datastore has none, so that it is empty and
	                   nothing matches */
};

#define SET_PROTOCOL_ANY 0

struct set_spec {
	char *id; /* does not move while the rules live */
	enum set_source source;
	enum calc_set_type type;
	struct selector *sel; /* a reference; NULL of a service */
	uint8_t protocol;     /* of a named port: SET_PROTOCOL_ANY, 6, 17, 132 */
	char *port;
};

struct rules {
	struct calc_rule *ingress, *egress;
	size_t n_ingress, n_egress;
	struct set_spec *specs; /* each ID once */
	size_t n_specs;
	void **owned; /* what the rules point to */
	size_t n_owned;
};

/* ns: of the policy, "" when it has none. -EINVAL with "ingress[2].source...: why" in *err; *ret is
 * then empty. */
int rules_convert(const char *ns, V3__Rule *const *ingress, size_t n_ingress,
                  V3__Rule *const *egress, size_t n_egress, struct rules *ret, struct err *err);
/* One rule each way with this action and no condition. */
void rules_constant(enum calc_action action, struct rules *ret);
void rules_done(struct rules *r);
