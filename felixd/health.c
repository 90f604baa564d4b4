/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: what the probes hear, under the names of upstream's components. There is one thread: a
 * felixd that answers is alive, and one that is stuck does not answer. So no component has a
 * time-out: each is asked.
 */
#include <stdio.h>

#include "common/http/health.h"
#include "felixd/felixd.h"
#include "felixd/http.h"

bool health_report(const struct felixd *f, bool readiness, struct buf *out)
{
	char counts[80] = "";
	struct health_component all[] = {
		{ .name = "FelixStartup", .live = true, .ready = f->settled },
		{ .name = "CalculationGraph",
		  .live = true,
		  .ready = f->synced && f->store_up,
		  .detail = f->store_up ? counts : f->why_down },
		/* While the datastore is locked, the kernel keeps what it has. */
		{ .name = "InternalDataplaneMainLoop",
		  .live = true,
		  .ready = f->synced && (f->in_step || !f->unlocked),
		  .detail = f->why_kernel },
	};
	const size_t n = sizeof(all) / sizeof(all[0]);

	if (f->calc)
		(void)snprintf(counts, sizeof(counts), "%zu endpoints, %zu of this node",
		               calc_stats(f->calc).endpoints, calc_stats(f->calc).local_endpoints);
	health_table(all, n, out);
	return readiness ? health_ready(all, n) : health_live(all, n);
}
