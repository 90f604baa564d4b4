/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster: what every object and every cluster begins with. */
#pragma once

#include "calicoctl/db.h"

struct err;

/* uid and creationTimestamp, where they are missing. */
void cluster_stamp(V3__ObjectMeta *meta);

/* Creates what a cluster has from its first day, where it is missing: ClusterInformation and the
 * three tiers. */
int cluster_ensure(struct db *db, struct err *err);

/* What ClusterInformation says. */
struct cluster_state {
	char *guid, *type; /* "" when unset */
	uint64_t revision;
	bool locked; /* the datastore is said not to be ready */
};
int cluster_read(struct db *db, struct cluster_state *ret, struct err *err);
void cluster_state_done(struct cluster_state *s); /* a CLEANUP() function */

int cluster_locked(struct db *db, bool *ret, struct err *err);

/* -EPERM when it is not locked: "... in order <purpose>". */
int cluster_demand_lock(struct db *db, const char *purpose, struct err *err);

/* Locks (ready false) or unlocks it. */
int cluster_set_ready(struct db *db, bool ready, struct err *err);
