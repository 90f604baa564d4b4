/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: typhad's parameters, with the names, values and defaults of upstream's Typha.
 *
 *     command line  >  TYPHA_<NAME>  >  other variables  >  file  >  default
 *
 * The sources are looked at from the left; the first that has a value which is not empty decides,
 * also when that value makes no sense: then the default is used, and the value is reported.
 * Parameters that end the process instead are marked so in the table (config_param.c), from which
 * the man page and the example of the file are made, too. "none" stands for the type's zero. Names
 * are matched without regard to case. Pure but for the file and for asking whether files exist.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct err;

#define TYPHAD_CONFIG_FILE "/etc/calico/typha.cfg"
#define TYPHAD_CONFIG_FILE_MAX (1u << 20)
#define TYPHAD_PORT 5473 /* where ServerPort is 0, and of upstreams that name none */

enum config_source {
	CONFIG_DEFAULT,
	CONFIG_FILE,
	CONFIG_ALIAS, /* a variable without TYPHA_, that other programs know, too */
	CONFIG_ENV,
	CONFIG_OPTION
};
const char *config_source_str(enum config_source s);

/* Strings are NULL when there is no value. */
struct typhad_config {
	char *datastore_type; /* "embedded", "etcdv3", "kubernetes", "typha" */
	char *datastore_path;
	uint64_t keep_ms; /* 0: any age */
	unsigned keep_changes;
	struct {
		char *endpoints; /* "http://a:1,http://b:2": of EtcdEndpoints or else of EtcdScheme
		                    and EtcdAddr */
		char *endpoint_list, *scheme, *addr; /* as given */
		char *discovery_srv, *username, *password;
		char *key_file, *cert_file, *ca_file;
	} etcd;
	struct {
		char *addrs; /* "a:5473,[fd00::1]:5473,/run/typhad.sock" */
		char *key_file, *cert_file, *ca_file, *cn, *uri_san;
		uint64_t read_timeout_ms, write_timeout_ms;
	} upstream;
	char *log_severity_screen; /* DEBUG, INFO, WARNING, ERROR, CRITICAL */
	struct {
		bool enabled;
		char *host;
		unsigned port;
	} health;
	struct {
		bool enabled, process;
		char *host; /* NULL: all addresses */
		unsigned port;
		char *ca_file, *cert_file, *key_file, *client_auth;
	} metrics;
	struct {
		char *host;    /* NULL: all addresses */
		unsigned port; /* 0: TYPHAD_PORT */
		bool tls; /* key, certificate, CA and one of client_cn, client_uri_san are set */
		char *key_file, *cert_file, *ca_file, *client_cn, *client_uri_san;
		uint64_t ping_interval_ms, pong_timeout_ms;
		uint64_t handshake_timeout_ms, write_timeout_ms;
	} server;
	char *tls_cipher_suites, *tls_min_version;
	struct {
		char *rebalancing_mode; /* "none", "kubernetes" */
		uint64_t drop_interval_ms;
		uint64_t shutdown_timeout_ms, shutdown_drop_interval_max_ms;
		unsigned upper_limit, lower_limit;
		unsigned typhads; /* that share the clients */
	} connections;
	/* Accepted, and without effect. */
	struct {
		char *log_file_path, *log_severity_file, *log_severity_sys;
		bool go_metrics, no_log_dropping;
		unsigned cache_batch, message_size, debug_port;
		uint64_t batching_age_ms, k8s_poll_ms;
		uint64_t max_fall_behind_ms, new_client_grace_ms;
		char *memory_profile_path, *debug_host;
		char *k8s_namespace, *k8s_service, *k8s_port_name;
	} inert;
	uint8_t *source; /* enum config_source of each row of the table */
};

enum config_note {
	CONFIG_BAD_VALUE, /* the default is used */
	CONFIG_UNKNOWN,   /* value is NULL */
	CONFIG_NO_EFFECT,
};
/* value is NULL where it is secret. */
typedef void config_report_fn(void *arg, enum config_note note, const char *name, const char *value,
                              const char *why);

/* One value from the command line; parameter: a name of the table. */
struct config_option {
	const char *parameter; /* ends the array when NULL */
	const char *value;     /* NULL: not given */
};

/*
 * Reads them all. options: may be NULL; env: as environ; file: the text of the file, NULL: none.
 * -EINVAL with a sentence when a value makes no sense that must, when the file cannot be read, or
 * when values contradict each other; *ret has the rest then, and is released as ever.
 */
int typhad_config_read(const struct config_option *options, const char *const *env,
                       const char *file, struct typhad_config *ret, config_report_fn *report,
                       void *arg, struct err *err);
void typhad_config_done(struct typhad_config *c);

/* Where the value in force comes from. Of a name that is not in the table: CONFIG_DEFAULT. */
enum config_source typhad_config_source(const struct typhad_config *c, const char *name);

/* Each parameter with its value in force (NULL: none; secrets as "(set)"). */
typedef void config_each_fn(void *arg, const char *name, const char *value,
                            enum config_source source);
void typhad_config_each(const struct typhad_config *c, config_each_fn *fn, void *arg);

/* The table for people: as part of a man page, or as a file of defaults. */
enum config_print {
	CONFIG_PRINT_MAN,
	CONFIG_PRINT_CFG
};
void typhad_config_print(enum config_print how, struct buf *out);
