/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: Felix's parameters, with upstream's names, values, defaults and precedence.
 *
 *     FELIX_<NAME>  >  file  >  FelixConfiguration node.<this node>  >  the Node's own values
 *         >  FelixConfiguration by nodeSelector  >  FelixConfiguration default
 *         >  ClusterInformation  >  default
 *
 * Each source is a layer of texts; resolving takes, for every parameter, the text of the highest
 * layer that has one. A text that makes no sense is reported, and the default used (not what a
 * lower layer has): as upstream does. An empty text is as good as none; "none" is the type's zero.
 * Names are matched without regard to case. Pure.
 */
#pragma once

#include "felixd/dataplane/dataplane.h"

struct felix_param;

enum felix_source {
	FELIX_DEFAULT,
	FELIX_CLUSTER,  /* ClusterInformation */
	FELIX_GLOBAL,   /* FelixConfiguration default */
	FELIX_SELECTED, /* the FelixConfiguration whose nodeSelector fits */
	FELIX_NODE,     /* the Node's tunnel addresses */
	FELIX_HOST,     /* FelixConfiguration node.<this node> */
	FELIX_FILE,
	FELIX_ENVIRONMENT,
	FELIX_SOURCES
};
const char *felix_source_str(enum felix_source s);

/* What a change at run time takes. */
enum felix_effect {
	FELIX_NO_EFFECT,
	FELIX_NOW,    /* whoever uses it looks at it anew */
	FELIX_RENDER, /* chains are rendered anew; packets do not notice */
	FELIX_REEXEC, /* the daemon starts itself anew; the kernel keeps what it has */
};

struct felix_row {
	char *given; /* the text that counted; NULL: none */
	char *text;  /* the value, as it is shown; NULL: none */
	uint8_t source;
};

struct felix_config {
	struct dataplane_config dataplane;
	const char *felix_hostname;         /* FelixHostname; NULL: not set */
	const char *log_severity_screen;    /* "INFO"; "" is none */
	const char *endpoint_status_prefix; /* EndpointStatusPathPrefix; "" or NULL: none */
	struct {
		bool enabled;
		const char *host;
		int port;
	} health;
	struct {
		bool enabled, process;
		const char *host; /* NULL, "": all addresses */
		int port;
		const char *cert_file, *key_file;
	} metrics;
	/* For what is to come. */
	bool ipv6_support;
	int max_ipset_size;
	struct ip_addr nat_outgoing_address; /* family 0: none */

	struct felix_row *rows; /* one per parameter; texts above point into them */
};

enum felix_note {
	FELIX_BAD_VALUE, /* the default is used; why says what is wanted */
	FELIX_UNKNOWN,   /* value is NULL */
	FELIX_NOT_HERE,  /* only the environment and the file may set it */
	FELIX_INERT,     /* it has no effect; why says why */
};
typedef void felix_report_fn(void *arg, enum felix_note note, const char *name, const char *value,
                             const char *why, enum felix_source source);

/* ---- layers */

struct felix_layers {
	char **value[FELIX_SOURCES]; /* by the rows of the table; NULL: nothing at all */
	felix_report_fn *report;     /* may be NULL */
	void *arg;
};

/* Takes everything out of one layer. */
void felix_layer_clear(struct felix_layers *l, enum felix_source s);
void felix_layer_set(struct felix_layers *l, enum felix_source s, const char *name, size_t name_len,
                     const char *value, size_t len);
/* env: as environ. The layer is filled anew. */
void felix_layer_read_env(struct felix_layers *l, const char *const *env);
/* The text of felix.cfg. -EINVAL names the line, and the layer is as it was. */
int felix_layer_read_file(struct felix_layers *l, const char *text, struct err *err);
void felix_layers_done(struct felix_layers *l);

/* ---- the outcome */

/* before: what was in force; what was reported then is not reported again. May be NULL. */
void felix_config_resolve(const struct felix_layers *l, const struct felix_config *before,
                          struct felix_config *ret);
void felix_config_done(struct felix_config *c);

/* Calls fn for each parameter whose value is another in b. */
void felix_config_diff(const struct felix_config *a, const struct felix_config *b,
                       void (*fn)(void *arg, const char *name, const char *was, const char *is,
                                  enum felix_source source, enum felix_effect effect),
                       void *arg);

enum felix_source felix_config_source(const struct felix_config *c, const char *name);

/* For dumps: each parameter's value in force (NULL: none) and where it came from; inert: why it has
 * no effect, or NULL. */
void felix_config_each(const struct felix_config *c,
                       void (*fn)(void *arg, const char *name, const char *value,
                                  enum felix_source source, const char *inert),
                       void *arg);
