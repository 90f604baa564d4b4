/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: what the probes hear. There is one thread: a typhad that answers is alive, and one that
 * is stuck does not answer. So no component has a time-out: each is asked.
 */
#include <stdio.h>

#include "common/http/health.h"
#include "typhad/http.h"
#include "typhad/typhad.h"

#define COMPONENTS 3

bool health_report(const struct typhad *t, bool readiness, struct buf *out)
{
	struct store_stats s = { 0 };
	char cache[80], server[80];
	struct health_component all[COMPONENTS] = {
		{ .name = "cache", .live = true, .ready = t->loaded, .detail = cache },
		{ .name = "datastore", .live = true },
		{ .name = "SyncServer",
		  .live = true,
		  .ready = t->door.server && !t->door.draining,
		  .detail = server },
	};

	if (t->store)
		store_stats(t->store, &s);
	(void)snprintf(cache, sizeof(cache), "%zu objects, revision %llu", cache_count(&t->cache),
	               (unsigned long long)t->cache.revision);
	/* A datastore that takes no writes is still read and watched. */
	all[1].ready = t->store && t->loaded && !t->away;
	all[1].detail = s.last_error;
	if (t->door.server)
		(void)snprintf(server, sizeof(server), "%s%u clients",
		               t->door.draining ? "draining: " : "",
		               ipc_server_stats(t->door.server).peers);
	else
		(void)snprintf(server, sizeof(server), "not listening yet");
	health_table(all, COMPONENTS, out);
	return readiness ? health_ready(all, COMPONENTS) : health_live(all, COMPONENTS);
}
