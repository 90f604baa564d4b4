/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk: the way of one packet through the policies of one endpoint, in one direction.
 *
 * Tiers in order, in each the policies that select the endpoint in order, in each the rules in
 * order: the first that matches decides, Log goes on, Pass leaves the tier. What no policy of a
 * tier decided, its default action decides; behind the last tier the endpoint's profiles are asked,
 * and what none of them allows is denied. Staged policies are gone through, and decide nothing. A
 * packet is taken as the first of its connection: the others follow it.
 *
 * At a host endpoint, doNotTrack policies come before all others, and preDNAT policies (of what
 * comes in) next; what they do not decide goes on. applyOnForward makes no difference here: this is
 * about what the host itself sends and receives.
 */
#pragma once

#include "common/policy/match.h"

enum policy_verdict {
	POLICY_UNDECIDED,
	POLICY_ALLOW,
	POLICY_DENY,
	POLICY_PASS
};

enum policy_step_kind {
	POLICY_STEP_FIXED,    /* text: what felixd does of itself */
	POLICY_STEP_TIER,     /* a tier begins */
	POLICY_STEP_POLICY,   /* a policy of it */
	POLICY_STEP_RULE,     /* a rule of the policy, or of the profile, before it */
	POLICY_STEP_TIER_END, /* nothing in the tier decided: its default action */
	POLICY_STEP_PROFILE,
	POLICY_STEP_END, /* no profile allowed it */
};

struct policy_step {
	enum policy_step_kind kind;
	const struct policy_tier *tier;
	const struct policy_entry *policy; /* NULL: of a profile */
	const char *profile;
	size_t index; /* of a rule, from 0 */
	const V3__Rule *rule;
	bool matched;
	enum policy_verdict verdict; /* of a rule that matched, a default action, what is fixed */
	char *text;                  /* of a rule: why it did not match; fixed: what; else NULL */
};

struct policy_walk {
	enum policy_direction direction;
	const struct policy_party *party;
	struct policy_step *steps;
	size_t n_steps;
	enum policy_verdict verdict; /* POLICY_ALLOW or POLICY_DENY */
	size_t decided_by;           /* a step */
};

/* Does the policy have a say about what the endpoint itself sends and receives? doNotTrack and
 * preDNAT are for host endpoints alone. */
bool policy_applies(const struct policy_world *w, const struct policy_entry *e,
                    const struct policy_party *p);

/* The packet is resolved; world and packet are borrowed for as long as the result is used. */
void policy_walk(const struct policy_world *w, const struct policy_party *party,
                 enum policy_direction direction, const struct policy_packet *packet,
                 struct policy_walk *ret);
/* A walk of one step: what is so whatever policies say. */
void policy_walk_fixed(const struct policy_party *party, enum policy_direction direction,
                       enum policy_verdict verdict, const char *text, struct policy_walk *ret);
/* Behind a walk that allowed: one more step that has the last word. */
void policy_walk_append(struct policy_walk *k, enum policy_verdict verdict, const char *text);
void policy_walk_done(struct policy_walk *k);

const char *policy_verdict_str(enum policy_verdict v); /* "Allow", "Deny", "Pass", "none" */
