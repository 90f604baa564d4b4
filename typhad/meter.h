/* SPDX-License-Identifier: BSD-2-Clause */
/* meter: what is measured for /metrics while it happens, by the clients' sync type. */
#pragma once

#include "common/http/summary.h"

/* Sync types, and at the end the clients that have none: they are given everything. */
#define METER_TYPES 5u

struct meters {
	struct summary snapshot_sec[METER_TYPES]; /* from a snapshot's beginning to its end */
	struct summary latency_sec[METER_TYPES];  /* from a change until a client's queue has it */
	struct summary ping_sec[METER_TYPES];     /* from asking to the answer */
};

/* The place of a sync type, which may be NULL; its label. */
unsigned meter_of(const char *sync_type);
const char *meter_name(unsigned i);
void meters_done(struct meters *m);
