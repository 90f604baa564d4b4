/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world: the resources that decide about packets, read once and put in the order in which felixd
 * goes through them. For those who ask about policy (walk.h); felixd itself, which follows changes,
 * has felixd/calc.
 *
 * No I/O: resources in, answers out. They are borrowed and must outlive the world.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/model/resource.h"
#include "common/net/addr.h"
#include "proto/v3_policy.pb-c.h"

struct err;
struct selector;

enum policy_direction {
	POLICY_INGRESS,
	POLICY_EGRESS
};

struct policy_label {
	const char *key, *value;
};

struct policy_port {
	const char *name;
	int protocol;
	uint32_t port;
};

/* An endpoint or a network set: what selectors select. */
struct policy_party {
	const struct resource *r;
	const char *node;            /* of an endpoint */
	struct policy_label *labels; /* of its own */
	size_t n_labels;
	const char **profiles; /* whose labels it inherits; an endpoint's rules, too */
	size_t n_profiles;
	char *space_profile; /* of a network set: "kns.<namespace>" */
	struct ip_prefix *nets;
	size_t n_nets;
	struct policy_port *ports;
	size_t n_ports;
};

struct policy_rules {
	V3__Rule *const *ingress, *const *egress;
	size_t n_ingress, n_egress;
};

struct policy_tier {
	const char *name;
	double order; /* infinite when it has none */
	bool default_pass;
	bool exists; /* else policies name it, and that is all */
};

struct policy_entry {
	const struct resource *r;
	const char *kind; /* "StagedNetworkPolicy" */
	const char *ns;   /* "" when global */
	const char *tier;
	double order;
	bool ingress, egress;                 /* its types */
	bool staged;                          /* looked at, never enforced */
	bool untracked, pre_dnat, on_forward; /* of host endpoints */
	struct selector *sel;
	struct policy_rules rules;
	char *sort_key; /* "name/namespace/kind" */
};

struct policy_profile {
	const char *name;
	const struct policy_label *labels;
	size_t n_labels;
	struct policy_rules rules;
	struct policy_label *owned;
};

struct policy_world {
	struct policy_party *parties;
	size_t n_parties;
	struct policy_entry *policies; /* in order, tier by tier */
	size_t n_policies;
	struct policy_tier *tiers; /* likewise, also those that only policies name */
	size_t n_tiers;
	struct policy_profile *profiles; /* by name */
	size_t n_profiles;
	bool settled;
};

struct policy_world *policy_world_new(void);
void policy_world_free(struct policy_world *w);

/* Kinds that decide about no packet are ignored. -EINVAL with a sentence: the object makes no sense
 * and counts as absent, as it does for felixd. */
int policy_world_add(struct policy_world *w, const struct resource *r, struct err *err);

/* Puts everything in order: after the last resource, before the first question. */
void policy_world_settle(struct policy_world *w);

const struct policy_tier *policy_world_tier(const struct policy_world *w, const char *name);
/* NULL: it does not exist. */
const struct policy_profile *policy_world_profile(const struct policy_world *w, const char *name);

/* Does the selector match: by labels of its own, then by those of its profiles? */
bool policy_selects(const struct policy_world *w, const struct selector *s,
                    const struct policy_party *p);
bool policy_party_has(const struct policy_party *p, const struct ip_addr *addr);

/* The profile that allows everything: it is there whatever is stored. */
#define POLICY_PROFILE_ALLOW "projectcalico-default-allow"
