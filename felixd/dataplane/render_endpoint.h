/* SPDX-License-Identifier: BSD-2-Clause */
/* render_endpoint: what chains of workload endpoints and of host endpoints are put together from.
 */
#pragma once

#include "felixd/dataplane/render.h"

/* What belongs to a known connection passes, what no connection can explain does not. */
void render_established(const struct render_config *r, struct chain *c, enum action_kind allow);

/* untracked: what is accepted is not tracked. */
void render_tier(const struct render_config *r, struct chain *c, const struct calc_tier *t,
                 bool ingress, bool untracked);

/* With what no profile allows: denied. */
void render_profiles(const struct render_config *r, struct chain *c, const char *const *profiles,
                     size_t n, bool ingress);

/* As render_endpoint_groups(). */
void render_groups(const struct render_config *r, const struct calc_tier *tiers, size_t n_tiers,
                   bool ingress, void (*emit)(void *arg, struct chain *c), void *arg);

/* A dispatch by interface. */
struct render_tree {
	enum table_id table;
	const char *root, *prefix; /* chains: where it begins; <prefix><interface> is led to */
	bool to;                   /* by the interface it goes out by */
	/* Puts at the end of root and children what befalls other interfaces. */
	void (*end)(const struct render_config *r, const struct render_tree *t, struct chain *c);
	bool any; /* RENDER_ANY_INTERFACE has chains, too */
};
/* interfaces: sorted and unique. */
void render_tree(const struct render_config *r, const struct render_tree *t,
                 const char *const *interfaces, size_t n, const struct render_sink *sink);
