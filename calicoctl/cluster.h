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
