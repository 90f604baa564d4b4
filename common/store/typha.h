/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * typha: what the two halves of the typha driver share: typha.c has the connection and the watch,
 * typha_call.c the requests.
 */
#pragma once

#include <stdbool.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/loop/client.h"
#include "common/store/store.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define TYPHA_REQUEST_MS 10000 /* from sending to the answer */
#define TYPHA_HOLD_MS 2000     /* a request may wait for the connection */

struct seen;
struct typha_chain;

struct typha {
	struct store base;
	char *program, *node, *sync_type;
	const struct frame_codec *codec; /* NULL: none */
	unsigned read_timeout_ms;
	struct ipc_client *client;
	uv_timer_t timer; /* the earliest expiry of held and more */
	uv_timer_t ping;
	uv_timer_t leave; /* the server has said GoAway: then at the latest */
	bool leaving;
	unsigned open_handles;
	bool ready, was_ready, freed;
	uint64_t connects, lost;
	char *down_why; /* the last attempt failed; NULL: it is under way, or up */
	struct list held, more, sent;
	struct list unseen;        /* answered, but not yet seen by the watch */
	struct typha_chain *chain; /* NULL: an ordinary client */
	uv_timer_t patience;       /* with an upstream that is behind, or is fed by us */

	const struct store_watch_ops *ops;
	void *arg;
	V3__Kind *kinds;
	size_t n_kinds;
	bool watching; /* on this connection */
	struct seen *seen;
	struct log_limit log_bad;
};

/* Asks typhad; fn is answered once, never before this returns. r, which may be NULL, is copied. */
void typha_call(struct typha *t, Sync__V1__ToTyphad__PayloadCase what, model_kind kind,
                const char *ns, const char *name, uint64_t revision, const struct resource *r,
                store_done_fn *fn, void *arg);

/* The connection is ready: what was held goes out. */
void typha_calls_ready(struct typha *t);
/* It is lost, or cannot be made: what cannot be answered any more, is. */
void typha_calls_down(struct typha *t);
/* The watch has told more: writes that waited for it are answered. */
void typha_calls_told(struct typha *t);
/* Answers what is held. */
void typha_calls_abandon(struct typha *t);
/* No call is under way: if the connection is to be left, now is the time. */
void typha_idle(struct typha *t);
/* Where we are connected to, for sentences. */
const char *typha_where(const struct typha *t);
/* A message that answers no request of the connection's own: a further part of a list, perhaps. */
void typha_calls_part(struct typha *t, const Sync__V1__FromTyphad *m);

/* An object as it came, or NULL when it makes no sense here. The caller's. */
struct resource *typha_resource(const Sync__V1__Resource *m, bool body_wanted);
