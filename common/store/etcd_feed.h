/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_feed: from etcd's answers to what a watcher is told.
 *
 * Snapshots and events go in, in the order in which etcd gives them; out come true differences. It
 * knows up to which revision everything has been told, and lets nothing through that is not newer.
 * The changes of one revision are told together, even when etcd sends them in pieces. What stands
 * in etcd and cannot be read counts as not there, and is kept in a list. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/store/bad.h"
#include "common/store/store.h"
#include "proto/etcd_rpc.pb-c.h"

#define ETCD_ROOT "/calico/" /* what is watched: everything */
#define ETCD_ROOT_END "/calico0"

struct seen;

struct etcd_feed {
	const struct store_watch_ops *ops; /* borrowed */
	void *arg;
	uint64_t kinds;     /* by bit */
	uint64_t delivered; /* everything up to this revision has been told; 0: nothing yet */
	struct seen *seen;
	struct bad_values bad;
	Etcd__Event **held; /* the beginning of a revision that is not whole yet */
	size_t n_held, cap_held;
	uint64_t events, old;
	bool closed; /* nobody is told anything any more */
};

#define ETCD_KIND_BIT(kind) ((unsigned)(kind) < 64 ? (uint64_t)1 << (unsigned)(kind) : 0)

void etcd_feed_init(struct etcd_feed *f, const model_kind *kinds, size_t n,
                    const struct store_watch_ops *ops, void *arg);
void etcd_feed_done(struct etcd_feed *f);

/* A snapshot: begin, its keys page by page, the end with its revision. It may begin anew before it
 * ends. */
void etcd_feed_snapshot(struct etcd_feed *f);
void etcd_feed_item(struct etcd_feed *f, const Etcd__KeyValue *kv);
void etcd_feed_snapshot_end(struct etcd_feed *f, uint64_t revision);

/* The datastore is not the one that it was, or went back in time: revisions mean nothing. The next
 * snapshot tells everything. */
void etcd_feed_distrust(struct etcd_feed *f);

/* An answer of the watch that is not its end. */
void etcd_feed_events(struct etcd_feed *f, const Etcd__WatchResponse *m);
/* The stream has ended: what was held will come again. */
void etcd_feed_interrupted(struct etcd_feed *f);

/* The object that stands in kv. NULL: not an object of kind (and ns, and a name that begins with
 * prefix; both may be NULL), or its value cannot be read: then *err says why. */
struct resource *etcd_kv_read(const Etcd__KeyValue *kv, model_kind kind, const char *ns,
                              const char *prefix, struct err *err);
