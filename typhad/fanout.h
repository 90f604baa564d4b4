/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout: carries the cache's changes to those who watch.
 *
 * Each watcher is a place in the cache's order of changes. Once per turn of the loop, those that
 * can take more are given the frames behind their place: references, not copies. A watcher whose
 * socket does not take them stays where it is, and its queue stays as short as SLOW_HIGH; it goes
 * on from there with what the objects are by then. So nobody waits for a slow one, and it costs no
 * memory.
 *
 * A turn has a budget; what is left goes on in the next turn, in between requests are served.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "typhad/cache.h"
#include "typhad/page.h"

#define FANOUT_SEND_HIGH (256u << 10) /* bytes queued for a watcher before it counts as slow */
#define FANOUT_SEND_LOW (64u << 10)
#define FANOUT_SLICE (128u << 10) /* bytes for one watcher in one go */
#define FANOUT_STEPS 4096u        /* changes looked at for one watcher in one go */
#define FANOUT_BUDGET_NS 5000000u /* of one turn */
#define FANOUT_MARKS 256u
#define FANOUT_TOMBSTONES_MAX 8192u /* kept for watchers that lag */

struct ipc_peer;
struct summary;

struct watcher {
	struct list node;      /* in fanout->watchers; points to itself when not watching */
	struct ipc_peer *peer; /* borrowed */
	uint64_t kinds;
	uint64_t own;           /* of them, those of which it is told its own node's objects only */
	const char *host;       /* borrowed; of own: the node */
	bool packed;            /* it is given pages */
	uint64_t told;          /* all changes up to here have been queued */
	uint64_t start;         /* the cache's seq when the snapshot began */
	bool in_snapshot;       /* InSync is still to come */
	bool slow;              /* the queue is full: waits for fanout_drained() */
	bool waiting;           /* for min_revision; nothing has been sent yet */
	bool progress;          /* wants Progress */
	uint64_t min_revision;  /* the snapshot begins when the cache is there */
	uint64_t progress_told; /* the revision of the last one, or of InSync */
	unsigned lineage_told;
	uint64_t updates, snapshots, stalls;        /* sent; begun; how often it was slow */
	struct summary *snapshot_sec, *latency_sec; /* borrowed; NULL: not measured */
	uint64_t snapshot_ns;                       /* when it began */
};

/* From the change after `seq` on, up to the next mark's, nothing is older than ns. */
struct fanout_mark {
	uint64_t seq, ns;
};

struct fanout {
	struct cache *cache; /* borrowed */
	struct pages pages;
	uv_idle_t idle;
	bool open;
	struct list watchers;
	size_t n;
	uint64_t sent;      /* updates handed out: compare with cache->packed */
	uint64_t snapshots; /* begun */
	uint64_t restarts;  /* of them: because a watcher lagged further than the cache remembers */
	uint64_t stalls;
	uint64_t turns;
	struct fanout_mark marks[FANOUT_MARKS]; /* when changes came; the older, the coarser */
	size_t n_marks;
	uint64_t marked; /* the last change that has a mark */
	char **lineage;  /* ours, then that of who feeds us */
	size_t n_lineage;
	unsigned lineage_version;
};

/* cache is borrowed. */
void fanout_init(struct fanout *f, uv_loop_t *loop, struct cache *cache);
/* No more turns. cb, which may be NULL, as of uv_close(). Watchers must be gone. */
void fanout_close(struct fanout *f, uv_close_cb cb);

/* Starts w, of which peer, kinds, own, host, packed, progress and min_revision are set, with a
 * snapshot. */
void fanout_add(struct fanout *f, struct watcher *w);
void fanout_remove(struct fanout *f, struct watcher *w); /* also of one that does not watch */

/* Who feeds us: copied. Those who want Progress are told. */
void fanout_set_lineage(struct fanout *f, const char *own, char *const *behind, size_t n);

/* The cache has changed: the next turn tells. */
void fanout_changed(struct fanout *f);
/* w's queue is full; is short again. */
void fanout_slow(struct fanout *f, struct watcher *w);
void fanout_drained(struct fanout *f, struct watcher *w);
