/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: what Prometheus is told. Names are upstream's where the thing is the same; what upstream
 * measures of programs that it runs (iptables-restore, ipset) is not: there are none. Every value
 * is measured.
 */
#include "common/http/metrics.h"

#include "felixd/felixd.h"
#include "felixd/http.h"
#include "felixd/status.h"

static void cluster_write(const struct felixd *f, struct buf *out)
{
	struct calc_stats s = calc_stats(f->calc);

	metrics_one(out, "felix_active_local_endpoints", METRICS_GAUGE,
	            "Number of active endpoints on this host.", (double)s.local_endpoints);
	metrics_one(out, "felix_active_local_policies", METRICS_GAUGE,
	            "Number of active policies on this host.", (double)s.active_policies);
	metrics_one(out, "felix_cluster_num_policies", METRICS_GAUGE,
	            "Total number of policies cluster-wide.", (double)s.policies);
	metrics_one(out, "felix_cluster_num_profiles", METRICS_GAUGE,
	            "Total number of profiles cluster-wide.", (double)s.profiles);
	metrics_one(out, "felix_cluster_num_tiers", METRICS_GAUGE,
	            "Total number of tiers cluster-wide.", (double)s.tiers);
	metrics_one(out, "felix_cluster_num_workload_endpoints", METRICS_GAUGE,
	            "Total number of workload endpoints cluster-wide.", (double)s.endpoints);
	metrics_one(out, "felix_ipset_members", METRICS_GAUGE, "Members of all IP sets in use.",
	            (double)s.set_members);
}

static void sync_write(const struct felixd *f, struct buf *out)
{
	metrics_one(out, "felix_resync_state", METRICS_GAUGE,
	            "Current datastore state: 1 wait for ready, 2 resync, 3 in sync.",
	            !f->unlocked && f->synced  ? 1
	            : f->synced && f->store_up ? 3
	                                       : 2);
	metrics_one(out, "felix_datastore_updates_total", METRICS_COUNTER,
	            "Objects that the datastore has told of, new or changed.", (double)f->updates);
	metrics_one(out, "felix_datastore_removals_total", METRICS_COUNTER,
	            "Objects that the datastore has told to be gone.", (double)f->removals);
	metrics_one(out, "felix_datastore_invalid_objects_total", METRICS_COUNTER,
	            "Objects that made no sense and counted as absent.", (double)f->invalid);
	metrics_family(out, "felix_calc_graph_flush_time_seconds", METRICS_SUMMARY,
	               "Seconds to work out what the updates of one turn change.");
	metrics_summary(out, "felix_calc_graph_flush_time_seconds", &f->flush_sec, mono_now(), NULL,
	                NULL);
}

/* One of upstream's names for each backend. */
static void rules_write(const struct dataplane_stats *s, struct buf *out)
{
	const char *chains = s->nftables ? "felix_nft_chains" : "felix_iptables_chains";
	const char *rules = s->nftables ? "felix_nft_rules" : "felix_iptables_rules";

	metrics_family(out, chains, METRICS_GAUGE, "Number of active chains.");
	for (unsigned i = 0; i < DATAPLANE_TABLES; i++)
		metrics_sample(out, chains, (double)s->table[i].chains, "ip_version", "4", "table",
		               s->table[i].name, NULL);
	metrics_family(out, rules, METRICS_GAUGE, "Number of active rules.");
	for (unsigned i = 0; i < DATAPLANE_TABLES; i++)
		metrics_sample(out, rules, (double)s->table[i].rules, "ip_version", "4", "table",
		               s->table[i].name, NULL);
}

static void dataplane_write(const struct felixd *f, struct buf *out)
{
	struct dataplane_stats s = dataplane_stats(f->dataplane);

	metrics_family(out, "felix_int_dataplane_apply_time_seconds", METRICS_SUMMARY,
	               "Time in seconds that it took to apply a dataplane update.");
	metrics_summary(out, "felix_int_dataplane_apply_time_seconds",
	                dataplane_apply_sec(f->dataplane), mono_now(), NULL, NULL);
	metrics_one(out, "felix_int_dataplane_failures", METRICS_COUNTER,
	            "Number of times dataplane updates failed and will be retried.",
	            (double)s.failures);
	rules_write(&s, out);
	metrics_one(out, "felix_rules_commits_total", METRICS_COUNTER,
	            "Times that iptables' tables, or that of nftables, were written.",
	            (double)s.iptables_writes);
	metrics_one(out, "felix_rules_changed_total", METRICS_COUNTER,
	            "Rules that were made, changed or removed by that.", (double)s.iptables_rules);
	metrics_family(out, "felix_ipsets_calico", METRICS_GAUGE,
	               "Number of active Calico IP sets.");
	metrics_sample(out, "felix_ipsets_calico", (double)s.sets, "ip_version", "inet", NULL);
	metrics_one(out, "felix_ipset_requests_total", METRICS_COUNTER,
	            "Requests about IP sets that the kernel was sent.", (double)s.ipset_requests);
	metrics_family(out, "felix_route_table_num_routes", METRICS_GAUGE,
	               "Number of routes that Felix is managing in the particular routing table.");
	metrics_sample(out, "felix_route_table_num_routes", (double)s.routes, "table", "IPv4:254",
	               NULL);
	metrics_one(out, "felix_dataplane_repairs_total", METRICS_COUNTER,
	            "Things that somebody else had changed, and that were put right.",
	            (double)s.repairs);
	metrics_one(out, "felix_dataplane_endpoints_up", METRICS_GAUGE,
	            "Endpoints that are in the kernel as a whole.", (double)s.endpoints_up);
}

static void files_write(const struct felixd *f, struct buf *out)
{
	struct status_stats s = status_stats(f->status);

	metrics_one(out, "felix_endpoint_status_files", METRICS_GAUGE,
	            "Endpoints that are up, and have a status file.", (double)s.up);
	metrics_one(out, "felix_endpoint_status_failures_total", METRICS_COUNTER,
	            "Times that status files could not be written or removed.", (double)s.failures);
}

void metrics_write(const struct felixd *f, struct buf *out)
{
	metrics_family(out, "felix_host", METRICS_GAUGE,
	               "Configured Felix hostname (as a label); the value is always 1.");
	metrics_sample(out, "felix_host", 1, "host", f->d->node, NULL);
	if (f->calc && f->dataplane && f->status) {
		cluster_write(f, out);
		sync_write(f, out);
		dataplane_write(f, out);
		files_write(f, out);
	}
	if (f->config.metrics.process)
		metrics_process(out);
}
