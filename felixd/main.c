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
	.dumps = felixd_dumps,
	.start = start,
	.stop = stop,
	.health = felixd_health,
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

/* Upstream's names for what all daemons of the suite have in common. Options go first, and so do
 * CALICO_LOG_LEVEL and FELIXD_LOG_LEVEL; FELIX_FELIXHOSTNAME is felixd's alone and beats NODENAME.
 */
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
