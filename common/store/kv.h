/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv: keys and values with revisions in one SQLite file, the way etcd keeps them.
 *
 *     object   key -> value, revision of creation, revision of the last change
 *     change   revision -> key, deleted or not: the log, compacted from below
 *     meta     the revision up to which the log has been compacted
 *
 * Every change takes the next number of one global revision. What kv_commit() has acknowledged
 * survives the death of the process and of the machine (WAL, synchronous=FULL). Several processes
 * may have the file open at once. Nothing here knows what keys and values mean. Blocking: called
 * from a worker thread, one call at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct kv;

#define KV_LOG_KEEP 10000u /* changes that compaction leaves */
#define KV_BUSY_MS 5000    /* how long another process may hold the write lock */

/*
 * Opens path, and creates it, mode 0600, when absent. -EINVAL with a sentence when the file is not
 * a datastore of the suite or was written by a newer version: then neither it nor anything beside
 * it has been touched.
 */
int kv_open(const char *path, struct kv **ret, struct err *err);
void kv_close(struct kv *kv); /* NULL is fine */

/*
 * A transaction: kv_begin(write) ... kv_commit() or kv_rollback(). After a failed call within, and
 * after a failed commit, the transaction has been or must be rolled back; kv_rollback() is always
 * allowed.
 */
int kv_begin(struct kv *kv, bool write, struct err *err);
int kv_commit(struct kv *kv, struct err *err);
void kv_rollback(struct kv *kv);

/* The revision of the last change. */
int kv_revision(struct kv *kv, uint64_t *ret, struct err *err);

struct kv_item {
	const char *key;
	const char *value; /* borrowed until the next call */
	size_t len;
	uint64_t created, modified;
};
/* 1: found; 0: not there; or a negative errno. */
int kv_get(struct kv *kv, const char *key, struct kv_item *ret, struct err *err);

/* Within a write transaction. *ret_revision is the change's own. */
int kv_put(struct kv *kv, const char *key, const char *value, size_t len, uint64_t *ret_revision,
           struct err *err);
int kv_delete(struct kv *kv, const char *key, uint64_t *ret_revision, struct err *err);

/* Calls fn for the keys that begin with prefix and follow after (NULL: all), in byte order, limit
 * at most (0: no limit). Returns how many. */
typedef void kv_item_fn(void *arg, const struct kv_item *item);
int64_t kv_scan(struct kv *kv, const char *prefix, const char *after, uint64_t limit,
                kv_item_fn *fn, void *arg, struct err *err);

/*
 * Calls fn for the changes after revision, in order; a key that changed several times is named
 * several times. -ESTALE: the log has been compacted beyond that point, read everything again.
 */
typedef void kv_change_fn(void *arg, uint64_t revision, const char *key, bool deleted);
int kv_changes(struct kv *kv, uint64_t revision, kv_change_fn *fn, void *arg, struct err *err);

/* Within a write transaction: drops all but the last keep changes from the log, when that is worth
 * the while. */
int kv_compact(struct kv *kv, uint64_t keep, struct err *err);
