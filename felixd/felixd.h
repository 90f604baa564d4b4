/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * felixd: the root object, and the way that a change takes.
 *
 *     typhad --watch--> calc --flush--> dataplane --apply--> kernel
 *     plugin --api----->  ^                  |
 *                         '--- answer <------'  the endpoint's state in the kernel
 *
 * Updates only change calc. Once per turn of the loop, before it waits again, what they changed is
 * flushed and applied.
 */
#pragma once

#include <uv.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/http/summary.h"
#include "common/loop/daemon.h"
#include "common/loop/server.h"
#include "common/store/store.h"
#include "felixd/calc/calc.h"
#include "felixd/config.h"
#include "felixd/config_object.h"
#include "felixd/dataplane/dataplane.h"

struct felixd_http;
struct status;

struct felixd {
	struct daemon *d;
	struct felix_config config; /* in force */
	struct felix_layers layers; /* where it comes from */
	struct felix_objects *objects;
	bool settings_changed; /* since config was made */
	bool settled;          /* what the datastore says is in it */
	struct store *store;
	struct calc *calc;
	struct dataplane *dataplane;
	struct ipc_server *api;
	struct felixd_http *http; /* probes, metrics */
	struct status *status;    /* files of endpoints that are up */
	struct list waits;        /* struct wait of api.c: requests that are not answered yet */
	size_t n_waits;
	uv_prepare_t turn;
	bool synced;   /* the datastore's state has been seen whole, once at least */
	bool store_up; /* and is up to date */
	bool unlocked; /* the cluster says that it may be acted upon */
	bool in_step;  /* so is the kernel */
	bool status_changed, turning;
	char *why_down, *why_kernel;
	struct log_limit log_invalid;
	struct summary flush_sec; /* of calc */
	uint64_t updates, removals, invalid, flushes, programmed, removed, deadlines;
};

int felixd_start(struct felixd *f, struct daemon *d, struct err *err);
void felixd_stop(struct felixd *f);

/* api.c */
int api_open(struct felixd *f, struct err *err);
void api_close(struct felixd *f);
/* The dataplane's verdict on an endpoint; felixd is the argument. */
void api_on_endpoint(void *arg, const char *ns, const char *name, uint64_t revision, int code,
                     const char *text);
/* After each turn that ended with the kernel in step. */
void api_on_in_step(struct felixd *f);

/* settings.c: the parameters. What changed takes effect with settings_settle(). */
int settings_start(struct felixd *f, struct err *err);
void settings_stop(struct felixd *f);
int settings_reload(struct felixd *f, struct err *err);
void settings_update(struct felixd *f, const struct resource *r);
void settings_remove(struct felixd *f, model_kind kind, const char *name);
void settings_settle(struct felixd *f);
/* Whoever only looks at parameters looks at them anew. */
void settings_in_force(struct felixd *f);

/* ctl.c */
extern const struct daemon_dump felixd_dumps[];
void felixd_health(struct daemon *d, void *ctx);
