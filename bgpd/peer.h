/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer: a configured neighbour — when to connect to it, which of two connections survives, what
 * becomes of its routes.
 */
#pragma once

#include "bgpd/bgpd.h"
#include "bgpd/session.h"

struct export_group;

struct peer {
	struct bgpd *b;
	struct list link;
	struct hmap_node by_addr;
	const struct config_peer *cfg; /* of the running configuration */
	char *name;
	struct rib_source source;
	struct session *in, *out; /* at most one from each side */
	struct session *live;     /* the established one of the two */
	uv_timer_t retry, stale;
	int open_handles;
	unsigned retry_ms, attempts; /* attempts: since the last steady session */
	enum fsm_state shown;
	uint64_t since_unix_sec;
	char last_error[160];

	/* graceful restart */
	bool was_up;        /* since we started */
	uint8_t end_of_rib; /* families whose End-of-RIB came in this session */
	uint8_t stale_families;
	struct wire_open open; /* of the last established session */

	/* export.c's */
	struct export_group *group;
	struct list group_link;
	bool behind; /* its queue was full: missed has what it was not told */
	struct hmap missed;
	uint8_t eor_owed; /* families whose End-of-RIB waits for that */

	uint64_t updates_in, updates_out;
};

struct peer *peer_new(struct bgpd *b, const struct config_peer *cfg);
/* Ends the sessions (notice: NULL, without a word), forgets the routes, and frees it with its last
 * close callback. */
void peer_free(struct peer *p, const struct bgp_notice *notice);
struct peer *peer_find(const struct bgpd *b, const struct ip_addr *a);
/* Connects if that is what it should do now. */
void peer_start(struct peer *p);
/* The configuration changed: reset what needs it, refresh what does not. p->cfg is still the old
 * one, in memory. */
void peer_reconfigure(struct peer *p, const struct config_peer *cfg, bool reset);

bool peer_established(const struct peer *p);
/* For the end of our own restart: it has told us what it knows, or will not. */
bool peer_settled(const struct peer *p, bool and_absent);

/* ---- from session.c ---- */

void peer_open_built(const struct peer *p, struct wire_open *ret);
/* An OPEN came on s. false: s lost against another connection and is closed. */
bool peer_on_open(struct peer *p, struct session *s);
void peer_on_up(struct peer *p, struct session *s);
void peer_on_update(struct peer *p, const struct wire_update *u);
void peer_on_refresh(struct peer *p, enum bgp_family f);
/* s is closing and is no longer the peer's. up: it was established. error: why, or NULL. */
void peer_on_closed(struct peer *p, struct session *s, bool up, const char *error);
void peer_on_state(struct peer *p);
/* The queue of s has room again. */
void peer_on_drained(struct peer *p);
