/* SPDX-License-Identifier: BSD-2-Clause */
/* typhad: the root object. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/loop/daemon.h"
#include "common/loop/server.h"
#include "common/store/store.h"
#include "typhad/cache.h"
#include "typhad/config.h"
#include "typhad/door.h"
#include "typhad/fanout.h"
#include "typhad/meter.h"

struct datastore;
struct typhad_http;

struct typhad {
	struct daemon *daemon;
	struct typhad_config config;
	char listen_path[SOCK_PATH_MAX];
	struct store *store; /* the datastore */
	struct datastore *datastore;
	bool away; /* it cannot be reached: what is known may grow old */
	struct cache cache;
	struct fanout fanout;
	struct door door;    /* its server is NULL until the cache is complete */
	struct list clients; /* struct client, in the order in which they came */
	uint64_t next_client;
	size_t listed;  /* objects in lists not yet sent whole */
	size_t writing; /* bytes of writes under way */
	bool loaded;    /* the cache is complete */
	struct typhad_http *http;
	struct meters meters;
	struct {
		unsigned under_way; /* writes */
		bool failed, told;
		uv_timer_t retry;
		void (*done)(struct typhad *t);
	} init;
	char *status; /* as last told to the supervisor; NULL: not yet */
	struct {
		uint64_t requests, refused, gets, lists, writes, write_errors, datastore_errors;
		uint64_t unread_closed;
	} count;
};

/* options: the command line; and from it, the environment and the file, t->config. */
extern const struct daemon_option typhad_options[];
int options_read(struct typhad *t, struct err *err);
void typhad_settings(struct daemon *d, void *ctx);

/* api: */
void api_message(struct client *c, const Sync__V1__ToTyphad *m);
void api_dump_clients(struct typhad *t, void *ctx);

/*
 * init: what must be in every datastore: ClusterInformation and the built-in tiers. done is called
 * once, when it is there or has failed for the first time; it is tried again until it is there.
 */
void init_start(struct typhad *t, void (*done)(struct typhad *t));
void init_stop(struct typhad *t);

/* dump: the sections of ctl's dump, and the counters. */
extern const struct daemon_dump typhad_dumps[];
void typhad_health(struct daemon *d, void *ctx);
/* Says how we are, when that has changed. */
void typhad_status(struct typhad *t);
