/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "typhad/typhad.h"

const struct daemon_option typhad_options[] = {
	{ "config-file", NULL, TYPHAD_CONFIG_FILE,
	  "file of parameters (also -c); each may also be a variable TYPHA_<PARAMETER>", false },
	{ "datastore-type", NULL, NULL,
	  "embedded (one SQLite file; the default), etcdv3 or typha (another typhad) "
	  "[TYPHA_DATASTORETYPE, DATASTORE_TYPE]",
	  false },
	{ "datastore-path", NULL, NULL,
	  "the file of the embedded datastore; created when absent "
	  "[TYPHA_DATASTOREPATH, CALICO_DATASTORE_PATH]",
	  false },
	{ "upstream", NULL, NULL, "the typhads to feed from, comma list [TYPHA_UPSTREAMADDRS]",
	  false },
	{ "listen", NULL, NULL,
	  "path of the socket for clients (default: <run-dir>/typhad/api.sock)", false },
	{ 0 },
};

static void report(void *arg, enum config_note note, const char *name, const char *value,
                   const char *why)
{
	(void)arg;
	switch (note) {
	case CONFIG_BAD_VALUE:
		log_warn("a parameter's value makes no sense: the default is used",
		         "parameter=%s value=%s wanted=%s", name, LOG_VIS(value ? value : "..."),
		         LOG_VIS(why));
		break;
	case CONFIG_UNKNOWN:
		log_warn("a parameter is unknown", "parameter=%s", LOG_VIS(name));
		break;
	case CONFIG_NO_EFFECT:
		log_info("a parameter has no effect", "parameter=%s value=%s why=%s", name,
		         LOG_VIS(value ? value : "..."), LOG_VIS(why));
	}
}

/* The file may lack; whoever names one is told so. */
static int read_file(const struct daemon *d, char **ret, struct err *err)
{
	const char *path = daemon_opt(d, "config-file");
	int rc = file_read(path, TYPHAD_CONFIG_FILE_MAX, ret, NULL, err);

	if (rc != -ENOENT)
		return rc;
	if (daemon_opt_given(d, "config-file"))
		log_warn("the file of parameters is not there", "path=%s", LOG_VIS(path));
	return 0;
}

/* --log-level and its variables go before LogSeverityScreen. */
static void set_log_level(const struct typhad *t)
{
	const char *level = t->config.log_severity_screen;
	enum log_level parsed;

	if (daemon_opt_given(t->daemon, "log-level"))
		return;
	if (!level || strcmp(level, "CRITICAL") == 0)
		level = "error"; /* the least that there is */
	if (log_level_parse(level, &parsed) == 0)
		log_set_level(parsed);
}

int options_read(struct typhad *t, struct err *err)
{
	const struct config_option options[] = {
		{ "DatastoreType", daemon_opt(t->daemon, "datastore-type") },
		{ "DatastorePath", daemon_opt(t->daemon, "datastore-path") },
		{ "UpstreamAddrs", daemon_opt(t->daemon, "upstream") },
		{ NULL, NULL },
	};
	CLEANUP(free_p) char *file = NULL;
	int rc = read_file(t->daemon, &file, err);

	if (rc < 0)
		return rc;
	rc = typhad_config_read(options, (const char *const *)environ, file, &t->config, report,
	                        NULL, err);
	if (rc == 0)
		set_log_level(t);
	return rc;
}

static void add_setting(void *arg, const char *name, const char *value, enum config_source source)
{
	(void)source;
	daemon_setting(arg, name, value);
}

void typhad_settings(struct daemon *d, void *ctx)
{
	typhad_config_each(&((const struct typhad *)d->state)->config, add_setting, ctx);
}
