/* SPDX-License-Identifier: BSD-2-Clause */
/* felixd: makes this node's kernel match policy and endpoints. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "felixd/felixd.h"

extern char **environ;

static const struct daemon_option options[] = {
	{ "typhad", "CALICO_TYPHAD", NULL,
	  "path of typhad's api.sock (default: in the run directory)", false },
	{ 0 },
};

/* ---- dumps and counters */

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

static void dump_parameter(void *arg, const char *name, const char *value)
{
	struct jsonw *w = daemon_dump_writer(arg);

	jsonw_object(w, NULL);
	jsonw_str(w, "name", name);
	jsonw_str(w, "value", value);
	jsonw_end_object(w);
	daemon_dump_item(arg, "parameters");
}

static void dump_parameters(struct daemon *d, void *ctx)
{
	felix_config_each(&((const struct felixd *)d->state)->config, dump_parameter, ctx);
}

static const struct daemon_dump dumps[] = {
	{ "endpoints", "this node's endpoints, their policies and profiles", dump_endpoints },
	{ "policies", "every policy: its selector, its sets, whether an endpoint here matches",
	  dump_policies },
	{ "profiles", "profiles that somebody names", dump_profiles },
	{ "tiers", "tiers", dump_tiers },
	{ "sets", "IP sets that are in use, with their members", dump_sets },
	{ "pools", "IP pools", dump_pools },
	{ "dataplane", "what the kernel has and should have", dump_dataplane },
	{ "parameters", "Felix's parameters in force", dump_parameters },
	{ 0 },
};

static void health(struct daemon *d, void *ctx)
{
	const struct felixd *f = d->state;

	if (!f->calc || !f->dataplane)
		return;
	struct calc_stats c = calc_stats(f->calc);
	struct dataplane_stats k = dataplane_stats(f->dataplane);
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
		{ "policies", c.policies },
		{ "active_policies", c.active_policies },
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
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		daemon_counter(ctx, counters[i].name, counters[i].value);
}

/* ---- the process */

static struct felixd the_felixd;

static int start(struct daemon *d, struct err *err)
{
	d->state = &the_felixd;
	return felixd_start(&the_felixd, d, err);
}

static void stop(struct daemon *d)
{
	(void)d;
	felixd_stop(&the_felixd);
}

static const struct daemon_spec spec = {
	.name = "felixd",
	.summary = "programs this node's kernel: policies, routes and what endpoints need",
	.options = options,
	.dumps = dumps,
	.start = start,
	.stop = stop,
	.health = health,
};

static void report(void *arg, const char *name, const char *value, const char *why)
{
	(void)arg;
	if (value)
		log_error("a parameter cannot be used", "parameter=%s value=%s why=\"%s\"",
		          LOG_VIS(name), LOG_VIS(value), why);
	else
		log_warn("a parameter is ignored", "parameter=%s why=\"%s\"", LOG_VIS(name), why);
}

/* Upstream's names for what all daemons of the suite have in common; our own options and variables
 * go first. */
static void common_settings(const struct felix_config *c)
{
	static const char *const levels[][2] = {
		{ "TRACE", "debug" },  { "DEBUG", "debug" }, { "INFO", "info" },
		{ "WARNING", "warn" }, { "ERROR", "error" }, { "FATAL", "error" },
	};

	if (c->felix_hostname)
		(void)setenv("NODENAME", c->felix_hostname, 1);
	for (size_t i = 0; c->log_severity_screen && i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i][0], c->log_severity_screen) == 0 &&
		    !getenv("CALICO_LOG_LEVEL"))
			(void)setenv("FELIXD_LOG_LEVEL", levels[i][1], 0);
}

int main(int argc, char **argv)
{
	int rc;

	felix_config_read((const char *const *)environ, &the_felixd.config, report, NULL);
	common_settings(&the_felixd.config);
	rc = daemon_main(&spec, argc, argv);
	felix_config_done(&the_felixd.config);
	return rc;
}
