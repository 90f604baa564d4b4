/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: what Prometheus is told. Names are upstream's where the thing is the same; what upstream
 * has and this design has not (breadcrumbs, binary snapshots, dropped log lines) is left out.
 */
#include "common/http/metrics.h"

#include "common/store/sync.h"
#include "typhad/client.h"
#include "typhad/http.h"
#include "typhad/typhad.h"

static void connections_write(const struct typhad *t, struct buf *out)
{
	struct ipc_server_stats api = { 0 };

	if (t->door.server)
		api = ipc_server_stats(t->door.server);
	metrics_one(out, "typha_connections_accepted", METRICS_COUNTER,
	            "Total number of connections accepted over time.", (double)api.accepted);
	metrics_one(out, "typha_connections_dropped", METRICS_COUNTER,
	            "Total number of connections dropped due to rebalancing.",
	            (double)(t->door.count.rebalanced + t->door.count.drained));
	metrics_one(out, "typha_connections_refused_total", METRICS_COUNTER,
	            "Connections that were not let in: no handshake, no Hello, a limit.",
	            (double)(api.refused + api.handshakes_failed + api.handshakes_late +
	                     api.handshakes_crowded + t->door.count.bad_hello));
	metrics_one(out, "typha_connections_given_up_total", METRICS_COUNTER,
	            "Clients that did not answer, or took nothing, or made us hold too much.",
	            (double)(t->door.count.dead + t->door.count.stuck + api.evicted));
	metrics_one(out, "typha_held_bytes", METRICS_GAUGE,
	            "Bytes held for clients: what they have begun to send, what they do not read.",
	            (double)api.memory);
	metrics_one(
	        out, "typha_connections_active", METRICS_GAUGE,
	        "Number of open client connections, including connections that are still in the "
	        "handshake.",
	        api.peers);
	metrics_one(out, "typha_received_bytes_total", METRICS_COUNTER,
	            "Bytes that clients have sent.", (double)api.bytes_in);
	metrics_one(out, "typha_sent_bytes_total", METRICS_COUNTER, "Bytes that clients were sent.",
	            (double)api.bytes_out);
}

/* The kinds that clients of a type are given; of the last one: all. */
static uint64_t kinds_of(unsigned type)
{
	uint64_t kinds = ~(uint64_t)0;

	(void)sync_type_kinds(type + 1 < METER_TYPES ? meter_name(type) : NULL, &kinds);
	return kinds;
}

static void by_type_write(struct buf *out, const char *name, enum metrics_type type,
                          const char *help, const double values[METER_TYPES])
{
	metrics_family(out, name, type, help);
	for (unsigned i = 0; i < METER_TYPES; i++)
		metrics_sample(out, name, values[i], "syncer", meter_name(i), NULL);
}

static void streams_write(const struct typhad *t, struct buf *out)
{
	double streaming[METER_TYPES] = { 0 };

	list_for_each (it, (struct list *)(uintptr_t)&t->clients) {
		const struct client *c = list_entry(it, struct client, node);

		if (!list_empty(&c->watcher.node))
			streaming[meter_of(c->sync_type)]++;
	}
	by_type_write(out, "typha_connections_streaming", METRICS_GAUGE,
	              "Number of client connections that completed the handshake and are streaming "
	              "data.",
	              streaming);
}

static void cache_write(const struct typhad *t, struct buf *out)
{
	double size[METER_TYPES] = { 0 }, updates[METER_TYPES] = { 0 };

	for (unsigned i = 0; i < METER_TYPES; i++) {
		uint64_t kinds = kinds_of(i);

		for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
			if (!(kinds & CACHE_KIND_BIT(k->kind)))
				continue;
			size[i] += cache_count_kind(&t->cache, k->kind);
			updates[i] += (double)t->cache.changes_of[k->kind];
		}
	}
	by_type_write(out, "typha_cache_size", METRICS_GAUGE,
	              "Current number of key/value pairs contained in the cache of the datastore.",
	              size);
	by_type_write(out, "typha_updates_total", METRICS_COUNTER,
	              "Total number of updates received from the Syncer.", updates);
	metrics_one(out, "typha_cache_bytes", METRICS_GAUGE, "Bytes of the frames in the cache.",
	            (double)t->cache.bytes);
}

static void summaries_write(struct buf *out, const char *name, const char *help,
                            const struct summary s[METER_TYPES])
{
	struct mono_ms now = mono_now();

	metrics_family(out, name, METRICS_SUMMARY, help);
	for (unsigned i = 0; i < METER_TYPES; i++)
		metrics_summary(out, name, &s[i], now, "syncer", meter_name(i));
}

static void meters_write(const struct typhad *t, struct buf *out)
{
	summaries_write(out, "typha_client_snapshot_send_secs",
	                "How long it took to send the initial snapshot to each client.",
	                t->meters.snapshot_sec);
	summaries_write(
	        out, "typha_client_latency_secs",
	        "Per-client latency.  I.e. how far behind the current state is each client.",
	        t->meters.latency_sec);
	summaries_write(out, "typha_ping_latency", "Round-trip ping latency to client.",
	                t->meters.ping_sec);
}

static void pages_write(const struct typhad *t, struct buf *out)
{
	const struct pages *p = &t->fanout.pages;

	metrics_one(out, "typha_pages_packed_total", METRICS_COUNTER,
	            "Parts of snapshots, and changes, that were compressed.", (double)p->packed);
	metrics_one(out, "typha_pages_reused_total", METRICS_COUNTER,
	            "Those that were given to a further client as they were.", (double)p->shared);
	metrics_one(out, "typha_pages_raw_bytes_total", METRICS_COUNTER,
	            "Bytes of them before compression.", (double)p->raw);
	metrics_one(out, "typha_pages_compressed_bytes_total", METRICS_COUNTER,
	            "Bytes of them after compression.", (double)p->small);
}

static void requests_write(const struct typhad *t, struct buf *out)
{
	static const char name[] = "typha_requests_total";

	metrics_family(out, name, METRICS_COUNTER, "Requests of clients.");
	metrics_sample(out, name, (double)t->count.gets, "request", "get", NULL);
	metrics_sample(out, name, (double)t->count.lists, "request", "list", NULL);
	metrics_sample(out, name, (double)t->count.writes, "request", "write", NULL);
	metrics_one(out, "typha_writes_not_done_total", METRICS_COUNTER,
	            "Writes that were answered with an error.", (double)t->count.write_errors);
}

static void datastore_write(const struct typhad *t, struct buf *out)
{
	struct store_stats s = { 0 };

	if (t->store)
		store_stats(t->store, &s);
	metrics_one(out, "typha_datastore_revision", METRICS_GAUGE,
	            "The datastore's revision, as last seen.", (double)s.revision);
	metrics_one(out, "typha_datastore_writes_total", METRICS_COUNTER,
	            "Writes that the datastore has done.", (double)s.writes);
	metrics_one(out, "typha_datastore_connected", METRICS_GAUGE,
	            "Whether what is known is in step with the datastore.", t->loaded && !t->away);
	metrics_one(out, "typha_datastore_bad_values", METRICS_GAUGE,
	            "Keys of the datastore whose value cannot be read.", (double)s.bad_values);
}

void metrics_write(const struct typhad *t, struct buf *out)
{
	connections_write(t, out);
	streams_write(t, out);
	cache_write(t, out);
	meters_write(t, out);
	pages_write(t, out);
	requests_write(t, out);
	datastore_write(t, out);
	if (t->config.metrics.process)
		metrics_process(out);
}
