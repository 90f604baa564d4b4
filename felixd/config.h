/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: Felix's parameters, from FELIX_<NAME> environment variables with upstream's names, values
 * and defaults.
 *
 * Names are matched without regard to case; an empty value is as good as none; "none" is the type's
 * zero. A value that makes no sense is reported, and the default is used. Parameters of upstream
 * that this version does not have are reported once, and ignored.
 */
#pragma once

#include "felixd/dataplane/dataplane.h"

struct felix_config {
	struct dataplane_config dataplane; /* points into the fields below */
	char *felix_hostname;              /* FelixHostname; NULL: not set */
	char *log_severity_screen; /* LogSeverityScreen, as our levels are called; NULL: not set */
	char *interface_prefix, *endpoint_to_host_action, *chain_insert_mode, *filter_allow_action,
	        *mangle_allow_action, *filter_deny_action, *log_prefix;
	bool ipv6_support;
};

/* value is NULL when the parameter is not one that this version has. */
typedef void felix_config_report_fn(void *arg, const char *name, const char *value,
                                    const char *why);

/* env: as environ. The result is released with felix_config_done(). */
void felix_config_read(const char *const *env, struct felix_config *ret,
                       felix_config_report_fn *report, void *arg);
void felix_config_done(struct felix_config *c);

/* For dumps: calls fn with each parameter's name and its value in force. */
void felix_config_each(const struct felix_config *c,
                       void (*fn)(void *arg, const char *name, const char *value), void *arg);
