/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings: Felix's parameters while felixd runs: where their texts come from, and what it takes
 * when a value changes.
 *
 * What the datastore says counts from the moment that it was first seen whole; nothing was written
 * to the kernel before. Later, most changes are only looked at anew, or rendered anew: chains whose
 * rules stay the same stay in the kernel. What is laid down for good at start (which interfaces are
 * workloads', the bits of the mark) makes the daemon start itself anew; the kernel keeps what it
 * has, and who starts finds it there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/felixd.h"
#include "felixd/http.h"
#include "felixd/status.h"

#define FILE_MAX (1u << 20)

static void report(void *arg, enum felix_note note, const char *name, const char *value,
                   const char *why, enum felix_source source)
{
	const char *from = felix_source_str(source);

	(void)arg;
	switch (note) {
	case FELIX_BAD_VALUE:
		log_error("a parameter cannot be used: the default is",
		          "parameter=%s value=%s source=\"%s\" wanted=\"%s\"", LOG_VIS(name),
		          LOG_VIS(value), from, why);
		break;
	case FELIX_UNKNOWN:
	case FELIX_NOT_HERE:
		log_warn("a parameter is ignored", "parameter=%s source=\"%s\" why=\"%s\"",
		         LOG_VIS(name), from, why);
		break;
	case FELIX_INERT:
		log_warn("a parameter has no effect",
		         "parameter=%s value=%s source=\"%s\" why=\"%s\"", LOG_VIS(name),
		         LOG_VIS(value), from, why);
		break;
	}
}

/* The file may lack; whoever names one is told so. */
static int read_file(struct felixd *f, struct err *err)
{
	const char *path = daemon_opt(f->d, "config-file");
	CLEANUP(free_p) char *text = NULL;
	int rc = file_read(path, FILE_MAX, &text, NULL, err);

	if (rc == -ENOENT) {
		felix_layer_clear(&f->layers, FELIX_FILE);
		if (daemon_opt_given(f->d, "config-file"))
			log_warn("the file of parameters is not there", "path=%s", LOG_VIS(path));
		return 0;
	}
	return rc < 0 ? rc : felix_layer_read_file(&f->layers, text, err);
}

/* --log-level and its variables go before LogSeverityScreen. */
static void set_log_level(const struct felixd *f)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "TRACE", LOG_DEBUG },  { "DEBUG", LOG_DEBUG }, { "INFO", LOG_INFO },
		{ "WARNING", LOG_WARN }, { "ERROR", LOG_ERROR }, { "FATAL", LOG_ERROR },
		{ "", LOG_ERROR }, /* "none": the least that there is */
	};
	const char *name = f->config.log_severity_screen;

	for (size_t i = 0; name && i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i].name, name) == 0 && !daemon_opt_given(f->d, "log-level"))
			log_set_level(levels[i].level);
}

/* FELIX_FELIXHOSTNAME was looked at before the options were (main.c); the file could not be. */
static void set_node(const struct felixd *f)
{
	if (f->config.felix_hostname && !daemon_opt_given(f->d, "node"))
		f->d->node = f->config.felix_hostname;
}

int settings_start(struct felixd *f, struct err *err)
{
	int rc;

	f->layers.report = report;
	felix_layer_read_env(&f->layers, (const char *const *)environ);
	rc = read_file(f, err);
	if (rc < 0)
		return rc;
	felix_config_resolve(&f->layers, NULL, &f->config);
	set_log_level(f);
	set_node(f);
	f->objects = felix_objects_new(f->d->node, &f->layers);
	return 0;
}

void settings_stop(struct felixd *f)
{
	felix_objects_free(f->objects);
	f->objects = NULL;
	felix_layers_done(&f->layers);
}

/* HUP: the file again. */
int settings_reload(struct felixd *f, struct err *err)
{
	int rc = read_file(f, err);

	if (rc < 0)
		return rc;
	f->settings_changed = true;
	return 0;
}

void settings_update(struct felixd *f, const struct resource *r)
{
	if (felix_objects_update(f->objects, r))
		f->settings_changed = true;
}

void settings_remove(struct felixd *f, model_kind kind, const char *name)
{
	if (felix_objects_remove(f->objects, kind, name))
		f->settings_changed = true;
}

/* ---- a change */

struct change {
	bool first; /* what the datastore said when it was first seen whole */
	bool any[FELIX_REEXEC + 1];
};

static void on_difference(void *arg, const char *name, const char *was, const char *is,
                          enum felix_source source, enum felix_effect effect)
{
	static const char *const words[] = {
		[FELIX_NO_EFFECT] = "none",
		[FELIX_NOW] = "at once",
		[FELIX_RENDER] = "chains are rendered anew",
		[FELIX_REEXEC] = "felixd starts anew",
	};
	struct change *c = arg;

	c->any[effect] = true;
	log_info("a parameter has changed", "parameter=%s was=%s is=%s source=\"%s\" effect=\"%s\"",
	         name, LOG_VIS(was ? was : ""), LOG_VIS(is ? is : ""), felix_source_str(source),
	         c->first ? "from the start" : words[effect]);
}

/* Nothing was written yet: another dataplane takes the place of the one that was opened first. */
static int first_dataplane(struct felixd *f, const struct felix_config *c, struct err *err)
{
	struct dataplane *dp;
	int rc = dataplane_new(f->d->loop, &c->dataplane, api_on_endpoint, f, &dp, err);

	if (rc < 0)
		return rc;
	dataplane_free(f->dataplane);
	f->dataplane = dp;
	calc_set_output(f->calc, dp);
	return 0;
}

static int apply(struct felixd *f, const struct felix_config *next, const struct change *c,
                 struct err *err)
{
	if (!f->settled && (c->any[FELIX_NOW] || c->any[FELIX_RENDER] || c->any[FELIX_REEXEC]))
		return first_dataplane(f, next, err);
	if (c->any[FELIX_REEXEC]) {
		daemon_restart(f->d);
		return -ECANCELED;
	}
	if (c->any[FELIX_RENDER])
		calc_retell(f->calc);
	/* Also where nothing of it changes: its texts are next's from now on. */
	return dataplane_configure(f->dataplane, &next->dataplane, err);
}

static void on_state(void *arg, const struct calc_endpoint *e, bool up)
{
	status_endpoint(((struct felixd *)arg)->status, e, up);
}

/* Unless it is set, endpoints' files are with the sockets: of several felixds on one machine each
 * has its own. That of upstream's default is the same where the run directory is. */
static const char *status_prefix(const struct felixd *f)
{
	static const char name[] = "EndpointStatusPathPrefix";

	return felix_config_source(&f->config, name) == FELIX_DEFAULT
	               ? f->d->run_dir
	               : f->config.endpoint_status_prefix;
}

void settings_in_force(struct felixd *f)
{
	set_log_level(f);
	dataplane_on_state(f->dataplane, on_state, f);
	status_set_prefix(f->status, status_prefix(f));
	http_configure(f->http);
}

void settings_settle(struct felixd *f)
{
	struct felix_config next, before;
	struct change c = { .first = !f->settled };
	struct err err = { 0 };
	int rc;

	if (!f->settings_changed) {
		f->settled = true;
		return;
	}
	f->settings_changed = false;
	felix_config_resolve(&f->layers, &f->config, &next);
	felix_config_diff(&f->config, &next, on_difference, &c);
	rc = apply(f, &next, &c, &err);
	if (rc < 0) {
		felix_config_done(&next);
		if (rc != -ECANCELED) {
			log_error("the parameters cannot be put in force", "why=%s",
			          LOG_VIS(err.text));
			daemon_stop(f->d, 1);
		}
		return;
	}
	f->settled = true;
	before = f->config;
	f->config = next;
	/* At run time FelixHostname does not change but with the process. */
	if (f->d->node == before.felix_hostname)
		f->d->node = f->config.felix_hostname;
	felix_config_done(&before);
	settings_in_force(f);
}
