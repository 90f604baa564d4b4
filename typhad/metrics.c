/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: what Prometheus is told. Names are upstream's where the thing is the same; what upstream
 * has and this design has not (breadcrumbs, binary snapshots, dropped log lines) is left out.
 */
#include "common/http/metrics.h"

#include "typhad/http.h"
#include "typhad/typhad.h"

static void connections_write(const struct typhad *t, struct buf *out)
{
	struct ipc_server_stats api = { 0 };

	if (t->door.server)
		api = ipc_server_stats(t->door.server);
	metrics_one(out, "typha_connections_accepted", METRICS_COUNTER,
	            "Total number of connections accepted over time.", (double)api.accepted);
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
	metrics_one(out, "typha_datastore_bad_values", METRICS_GAUGE,
	            "Keys of the datastore whose value cannot be read.", (double)s.bad_values);
}

void metrics_write(const struct typhad *t, struct buf *out)
{
	connections_write(t, out);
	requests_write(t, out);
	datastore_write(t, out);
	if (t->config.metrics.process)
		metrics_process(out);
}
