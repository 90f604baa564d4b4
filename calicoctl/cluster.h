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

/* Whether the datastore is locked: ClusterInformation says that it is not ready. */
int cluster_locked(struct db *db, bool *ret, struct err *err);

/* Locks (ready false) or unlocks it. */
int cluster_set_ready(struct db *db, bool ready, struct err *err);
