/* SPDX-License-Identifier: BSD-2-Clause */
/* felixd: makes this node's kernel match policy and endpoints. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/setting.h"
#include "felixd/felixd.h"

static const struct daemon_option options[] = {
	{ "config-file", NULL, "/etc/calico/felix.cfg",
	  "file of parameters; each may also be a variable FELIX_<PARAMETER>", false },
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

static int reload(struct daemon *d, struct err *err)
{
	(void)d;
	return settings_reload(&the_felixd, err);
}

static const struct daemon_spec spec = {
	.name = "felixd",
	.summary = "programs this node's kernel: policies, routes and what endpoints need",
	.options = options,
	.dumps = felixd_dumps,
	.start = start,
	.stop = stop,
	.reload = reload,
	.health = felixd_health,
};

/* FELIX_FELIXHOSTNAME is felixd's name for what all daemons of the suite know as NODENAME, and goes
 * before it; the option goes before both. */
static void common_settings(void)
{
	static const char name[] = "FELIX_FELIXHOSTNAME=";

	for (char **e = environ; *e; e++) {
		const char *value = *e + strlen(name);

		if (strncasecmp(*e, name, strlen(name)) == 0 && strcasecmp(value, "none") != 0 &&
		    setting_all_of(value, strlen(value), "_.-")) {
			(void)setenv("NODENAME", value, 1);
			return; /* environ may have moved */
		}
	}
}

int main(int argc, char **argv)
{
	int rc;

	common_settings();
	rc = daemon_main(&spec, argc, argv);
	felix_config_done(&the_felixd.config);
	return rc;
}
