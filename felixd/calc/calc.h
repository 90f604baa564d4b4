/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calc: which policies, sets and rules this node's endpoints need. Pure: updates in, output
 * messages out; no system call, no clock.
 *
 * The cost of an update is what the update touches. Updates only mark things dirty; calc_flush()
 * works out the difference to what was last told and tells it, in the order that output.h demands,
 * at most one message per object.
 */
#pragma once

#include "common/model/resource.h"
#include "felixd/calc/output.h"

struct calc;

/* node: whose endpoints are local. ops is borrowed. */
struct calc *calc_new(const char *node, const struct calc_output_ops *ops, void *arg);
void calc_free(struct calc *c);

/* One update from the datastore. Kinds that calc does not use are ignored. An object that makes no
 * sense (an invalid selector, say) counts as absent; *err, where given, says why. Returns 0 or
 * -EINVAL. */
int calc_update(struct calc *c, const struct resource *r, struct err *err);
void calc_remove(struct calc *c, model_kind kind, const char *ns, const char *name);
void calc_in_sync(struct calc *c);

/*
 * The priority lane: an endpoint straight from the CNI plugin. Counts until the datastore says
 * something of the same endpoint with at least this revision (or, with an older revision, keeps
 * this one). remove: the plugin took it away; a datastore copy with revision <= the one last seen
 * is ignored.
 */
int calc_local_endpoint(struct calc *c, const struct resource *wep, struct err *err);
void calc_local_endpoint_remove(struct calc *c, const char *ns, const char *name);

/* What is in force of a local endpoint. container lives until the endpoint changes. false: there is
 * none of that name. */
struct calc_local_info {
	uint64_t revision;
	const char *container;
};
bool calc_local_endpoint_info(const struct calc *c, const char *ns, const char *name,
                              struct calc_local_info *ret);

/* Another listener from now on, who is told everything: only before the first flush. */
void calc_set_output(struct calc *c, void *arg);
/* All policies, profiles and endpoints that were told are told again with the next flush. */
void calc_retell(struct calc *c);

/* Something to flush? */
bool calc_dirty(const struct calc *c);
/* Before the first in_sync nothing is told (policy is unknown). */
void calc_flush(struct calc *c);

struct calc_stats {
	size_t endpoints, local_endpoints, host_endpoints, policies, active_policies,
	        staged_policies, profiles, network_sets, sets, set_members, selectors, tiers;
};
struct calc_stats calc_stats(const struct calc *c);

/* For dumps: a JSON object per thing; fn gets the section ("endpoint", "policy", "profile", "tier",
 * "set", "pool") and the text. */
void calc_dump(const struct calc *c, void (*fn)(void *arg, const char *section, const char *json),
               void *arg);
