/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/meter.h"

#include <string.h>

#include "common/base/mem.h"

static const char *const names[METER_TYPES] = { "felix", "bgp", "tunnel-ip-allocation",
	                                        "node-status", "all" };

unsigned meter_of(const char *sync_type)
{
	for (unsigned i = 0; sync_type && i < METER_TYPES - 1; i++)
		if (strcmp(sync_type, names[i]) == 0)
			return i;
	return METER_TYPES - 1;
}

const char *meter_name(unsigned i)
{
	return names[i];
}

void meters_done(struct meters *m)
{
	for (unsigned i = 0; i < METER_TYPES; i++) {
		summary_done(&m->snapshot_sec[i]);
		summary_done(&m->latency_sec[i]);
		summary_done(&m->ping_sec[i]);
	}
}
