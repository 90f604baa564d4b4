/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_watch: the one watch of a store: everything below /calico/.
 *
 *     no connection --> snapshot, page by page, at one revision --> watch from the next revision on
 *          ^   |                    ^                                   |
 *          |   +--> is it still the datastore that we know? ------------+  (was in sync before)
 *          +------------------------+---- compacted: a new snapshot; lost: go on where we were
 *
 * A stream that has been silent for long is asked for a sign of life. Answers of servers before 3.5
 * to such a question may overtake events, so what has been told is judged by events alone.
 */
#pragma once

#include "common/store/etcd_client.h"
#include "common/store/etcd_feed.h"

struct etcd_watch;

/* Calls progress whenever more has been told (etcd_watch_delivered()). ops and c are borrowed. */
struct etcd_watch *etcd_watch_new(uv_loop_t *loop, struct etcd_client *c, const model_kind *kinds,
                                  size_t n, const struct store_watch_ops *ops, void *arg,
                                  void (*progress)(void *arg), void *progress_arg);
/* Before anything has been told: the watcher's memory; NULL: it has none. */
void etcd_watch_use(struct etcd_watch *w, const struct store_memory *memory);
/* No callback comes after that. Before the client goes. NULL is fine. */
void etcd_watch_free(struct etcd_watch *w);

/* What the client says to its owner. */
void etcd_watch_on_up(struct etcd_watch *w);
void etcd_watch_on_down(struct etcd_watch *w, const char *why);

/* Everything that is watched has been told up to this revision. */
uint64_t etcd_watch_delivered(const struct etcd_watch *w);
bool etcd_watch_is_live(const struct etcd_watch *w);
bool etcd_watch_has(const struct etcd_watch *w, model_kind kind);
/* What should have been told long ago has not been: begins the stream anew. */
void etcd_watch_restart(struct etcd_watch *w, const char *why);

const struct etcd_feed *etcd_watch_feed(const struct etcd_watch *w);
uint64_t etcd_watch_resyncs(const struct etcd_watch *w);
