/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl: what ctl.sock shows of felixd: sections and counters. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/counters.h"
#include "felixd/felixd.h"
#include "felixd/status.h"

struct section {
	const char *from, *to;
	void *ctx;
};

static void dump_item(void *arg, const char *section, const char *json)
{
	const struct section *s = arg;

	if (s->from && strcmp(section, s->from) != 0)
		return;
	jsonw_raw(daemon_dump_writer(s->ctx), NULL, json);
	daemon_dump_item(s->ctx, s->to);
}

static void dump_calc(struct daemon *d, void *ctx, const char *from, const char *to)
{
	const struct felixd *f = d->state;
	struct section s = { from, to, ctx };

	if (f->calc)
		calc_dump(f->calc, dump_item, &s);
}

static void dump_endpoints(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "endpoint", "endpoints");
}

static void dump_policies(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "policy", "policies");
}

static void dump_profiles(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "profile", "profiles");
}

static void dump_tiers(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "tier", "tiers");
}

static void dump_sets(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "set", "sets");
}

static void dump_pools(struct daemon *d, void *ctx)
{
	dump_calc(d, ctx, "pool", "pools");
}

static void dump_dataplane_item(void *arg, const char *section, const char *json)
{
	struct jsonw *w = daemon_dump_writer(arg);

	jsonw_object(w, NULL);
	jsonw_str(w, "part", section);
	jsonw_raw(w, "is", json);
	jsonw_end_object(w);
	daemon_dump_item(arg, "dataplane");
}

static void dump_dataplane(struct daemon *d, void *ctx)
{
	const struct felixd *f = d->state;

	if (f->dataplane)
		dataplane_dump(f->dataplane, dump_dataplane_item, ctx);
}

static void dump_counter(void *arg, const char *json)
{
	jsonw_raw(daemon_dump_writer(arg), NULL, json);
	daemon_dump_item(arg, "counters");
}

static void dump_counters(struct daemon *d, void *ctx)
{
	const struct felixd *f = d->state;
	struct err err;

	if (f->dataplane && counters_dump(f->dataplane, dump_counter, ctx, &err) < 0)
		log_warn("the kernel's counters cannot be read", "why=%s", LOG_VIS(err.text));
}

static void dump_parameter(void *arg, const char *name, const char *value, enum felix_source source,
                           const char *inert)
{
	struct jsonw *w = daemon_dump_writer(arg);

	jsonw_object(w, NULL);
	jsonw_str(w, "name", name);
	jsonw_str(w, "value", value);
	jsonw_str(w, "source", felix_source_str(source));
	if (inert && source != FELIX_DEFAULT)
		jsonw_str(w, "noEffect", inert);
	jsonw_end_object(w);
	daemon_dump_item(arg, "parameters");
}

static void dump_parameters(struct daemon *d, void *ctx)
{
	const struct felixd *f = d->state;

	if (f->config.rows)
		felix_config_each(&f->config, dump_parameter, ctx);
}

const struct daemon_dump felixd_dumps[] = {
	{ "endpoints", "this node's endpoints, their policies and profiles", dump_endpoints },
	{ "policies", "every policy: its selector, its sets, whether an endpoint here matches",
	  dump_policies },
	{ "profiles", "profiles that somebody names", dump_profiles },
	{ "tiers", "tiers", dump_tiers },
	{ "sets", "IP sets that are in use, with their members", dump_sets },
	{ "pools", "IP pools", dump_pools },
	{ "dataplane", "what the kernel has and should have", dump_dataplane },
	{ "counters", "packets and bytes that the kernel has counted, by policy and rule",
	  dump_counters },
	{ "parameters", "Felix's parameters in force", dump_parameters },
	{ 0 },
};

void felixd_health(struct daemon *d, void *ctx)
{
	const struct felixd *f = d->state;

	if (!f->calc || !f->dataplane || !f->status)
		return;
	struct calc_stats c = calc_stats(f->calc);
	struct dataplane_stats k = dataplane_stats(f->dataplane);
	struct status_stats st = status_stats(f->status);
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "updates", f->updates },
		{ "removals", f->removals },
		{ "invalid_objects", f->invalid },
		{ "flushes", f->flushes },
		{ "endpoints_programmed", f->programmed },
		{ "endpoints_removed", f->removed },
		{ "deadlines_missed", f->deadlines },
		{ "endpoints", c.endpoints },
		{ "local_endpoints", c.local_endpoints },
		{ "host_endpoints", c.host_endpoints },
		{ "policies", c.policies },
		{ "active_policies", c.active_policies },
		{ "staged_policies", c.staged_policies },
		{ "profiles", c.profiles },
		{ "network_sets", c.network_sets },
		{ "sets", c.sets },
		{ "set_members", c.set_members },
		{ "kernel_endpoints_up", k.endpoints_up },
		{ "kernel_chains", k.chains },
		{ "kernel_rules", k.rules },
		{ "kernel_sets", k.sets },
		{ "kernel_routes", k.routes },
		{ "iptables_writes", k.iptables_writes },
		{ "iptables_rules_written", k.iptables_rules },
		{ "ipset_requests", k.ipset_requests },
		{ "route_requests", k.route_requests },
		{ "repairs", k.repairs },
		{ "failures", k.failures },
		{ "status_files_up", st.up },
		{ "status_files_written", st.written },
		{ "status_files_removed", st.removed },
		{ "status_files_failures", st.failures },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		daemon_counter(ctx, counters[i].name, counters[i].value);
}
