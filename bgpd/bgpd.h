/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bgpd: the root object.
 *
 *     peers' UPDATEs ─┐                     ┌─▶ kernel.c   routes, blackholes
 *     networks ───────┼─▶ rib ─▶ best path ─┤
 *     kernel's routes ┘    (once per turn)  └─▶ export.c   groups of peers, UPDATEs
 *
 * Whatever comes in during a turn of the loop only marks prefixes. speaker_turn() then chooses,
 * programs and announces, each once: a burst costs one decision per prefix, and nothing waits for a
 * timer.
 */
#pragma once

#include <uv.h>

#include "bgpd/config.h"
#include "bgpd/fib.h"
#include "bgpd/kernel.h"
#include "bgpd/rib.h"
#include "bgpd/wire.h"
#include "common/base/log.h"
#include "common/loop/daemon.h"

struct bgpd_stats {
	uint64_t accepted, refused, updates_in, updates_out, treated_as_withdraw,
	        attributes_discarded, notifications_in, notifications_out, collisions;
};

struct bgpd {
	struct daemon *d;
	uv_loop_t *loop;
	char default_config[108]; /* <run-dir>/bgpd/bgpd.conf */
	struct config *config;    /* NULL until there is one */
	struct rib rib;
	struct rib_source networks, learned;
	struct fib fib;
	struct kernel *kernel; /* NULL: off */
	struct list peers;
	struct hmap peers_by_addr;
	struct list groups; /* export.c's */
	struct listener *listener;
	struct ipc_server *api;
	uv_idle_t turn; /* active while there is something to do */
	uv_timer_t deferral;

	/* RFC 4724 section 4.1: since start, until the peers have told us what they know */
	bool restarting;
	struct mono_ms restart_began;
	uint64_t reloaded_unix_sec;
	bool stopping;
	struct wire_update update; /* the one under way: it is large */
	uint32_t random;
	struct bgpd_stats stats;
	struct log_limit unknown_limit, malformed_limit;
};

/* ---- speaker.c: the configuration in use, and the turn ---- */

int speaker_start(struct bgpd *b, struct err *err);
void speaker_stop(struct bgpd *b);
/* Makes c (taken) the running configuration. On an error the old one runs on, and c is freed. */
int speaker_load(struct bgpd *b, struct config *c, struct err *err);
void speaker_wake(struct bgpd *b);
/* A peer came, went, or sent End-of-RIB: is everybody there? */
void speaker_settle(struct bgpd *b);
/* Everything now: before something that routes refer to is freed. */
void speaker_drain(struct bgpd *b);
void speaker_status(struct bgpd *b);

/* ---- listener.c: one socket per family ---- */

/* Listens as c says, if that is not how it listens already. On an error it listens as before. */
int listener_apply(struct bgpd *b, const struct config *c, struct err *err);
void listener_stop(struct bgpd *b);

/* ---- api.c, ctl.c ---- */

int api_start(struct bgpd *b, struct err *err);
void api_stop(struct bgpd *b);
extern const struct daemon_dump ctl_dumps[];
void ctl_health(struct daemon *d, void *ctx);

/* The file that bgpd loads: --config, else the one that confd writes. Borrowed. */
const char *bgpd_config_path(const struct bgpd *b);
