/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: the one copy of the datastore's state, as the frames that go out.
 *
 * Each object is kept as the UpdateEvent frame that tells of it, packed once when the update
 * arrives: the same bytes are the delta for everyone who watches, the snapshot for whoever comes
 * later, and the body for get and list.
 *
 * Changes are kept in the order in which they came, each object once, at its last change:
 *
 *     seq   1    2    3    4    5    6
 *           A    .    C    .    B    A'       (. : changed again since, or forgotten)
 *
 * A reader is a number, the seq it has been told up to. cache_next() gives it what comes behind. So
 * a snapshot is reading from 0, a reader at the end gets each change as it comes, and one that lags
 * gets each object's last state, once, however often it changed meanwhile. A removed object stays
 * as a tombstone until all readers are past it (cache_prune); one that lags further than the cache
 * remembers starts over.
 *
 * Pure: no socket, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hmap.h"
#include "common/ipc/frame.h"
#include "common/model/resource.h"

#define CACHE_KIND_BIT(kind) ((unsigned)(kind) < 64 ? (uint64_t)1 << (unsigned)(kind) : 0)

/* There are many of them: what the frame says stands in the frame alone. */
struct cache_object {
	struct hmap_node node;
	uint64_t seq;            /* of its last change */
	struct ipc_frame *frame; /* FromTyphad{update}; one reference */
	uint32_t body_len;       /* the frame's last bytes */
	uint8_t kind;
	uint8_t mark; /* the driver's: see struct store_memory */
	bool deleted; /* a tombstone */
};

struct cache_slot {
	uint64_t seq;
	struct cache_object *object; /* NULL: it has moved on */
};

struct cache {
	struct hmap objects; /* tombstones, too */
	struct cache_slot *slots;
	size_t first, n, cap; /* slots[first .. first + n) */
	size_t holes;
	uint64_t *dead; /* seqs of tombstones, oldest first; stale where the object came back */
	size_t dead_first, dead_n, dead_cap;
	uint64_t seq;   /* of the last change */
	uint64_t floor; /* tombstones up to here are forgotten: who lags behind that starts over */
	uint64_t revision; /* everything up to it is here */
	uint64_t horizon;  /* nothing that is here is newer */
	size_t tombstones;
	uint8_t mark;            /* of objects that are new */
	uint32_t n_of[64];       /* objects, without tombstones, by kind */
	uint64_t changes_of[64]; /* of each kind, since the beginning */
	/* What was at seq, of that kind, has left its place: it has changed, or its tombstone is
	 * forgotten. NULL: nobody wants to know. */
	void (*left)(void *arg, uint64_t seq, uint16_t kind);
	void *left_arg;
	uint64_t packed; /* frames packed since the beginning: one per update */
	uint64_t bytes;  /* of the frames held */
	uint64_t too_large;
};

void cache_init(struct cache *c);
void cache_done(struct cache *c);
size_t cache_count(const struct cache *c); /* objects, without tombstones */
unsigned cache_count_kind(const struct cache *c, model_kind kind);

/* r is new or has changed. false: it is too large for a frame; what was there is removed. */
bool cache_put(struct cache *c, const struct resource *r);
void cache_remove(struct cache *c, model_kind kind, const char *ns, const char *name);

/* The cache as a driver's memory; arg is the cache. */
bool cache_recall(struct cache *c, model_kind kind, const char *ns, const char *name, uint8_t mark,
                  uint64_t *ret_revision, uint8_t *ret_mark);
void cache_each(const struct cache *c,
                void (*fn)(void *arg, model_kind kind, const char *ns, const char *name,
                           uint8_t mark),
                void *arg);

/* NULL when it is not there. */
const struct cache_object *cache_find(const struct cache *c, model_kind kind, const char *ns,
                                      const char *name);
/* Each is good until it is called the next time. */
const char *cache_ns(const struct cache_object *o); /* NULL: none */
const char *cache_name(const struct cache_object *o);
uint64_t cache_revision(const struct cache_object *o); /* the datastore's; 0: a tombstone */
const uint8_t *cache_body(const struct cache_object *o);

/*
 * All objects of a kind, sorted by namespace and name. ns NULL: all; prefix NULL: all. The array is
 * the caller's; its elements live until the next change: take references of their frames to keep
 * them. Returns how many.
 */
size_t cache_list(const struct cache *c, model_kind kind, const char *ns, const char *prefix,
                  const struct cache_object ***ret);

/* The first change behind after of the kinds (bits). NULL: there is none. */
const struct cache_object *cache_next(const struct cache *c, uint64_t after, uint64_t kinds);

/* The same for who goes on from change to change: a place, good until the cache changes. */
size_t cache_place(const struct cache *c, uint64_t after);
const struct cache_object *cache_walk(const struct cache *c, size_t *place, uint64_t kinds);

/* Forgets the tombstones that everyone has been told of (up to told), and beyond max_tombstones
 * also the oldest of the others. */
void cache_prune(struct cache *c, uint64_t told, size_t max_tombstones);
