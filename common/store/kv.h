/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv: keys and values with revisions in one SQLite file, the way etcd keeps them.
 *
 *     object   key -> value, revision of creation, revision of the last change
 *     change   revision -> key, deleted or not: the log, compacted from below
 *     expiry   key -> when it goes by itself
 *     mark     time -> revision: how old the log is
 *     meta     the revision up to which the log has been compacted; the boot that expiry's times
 *              belong to; the lineage that a restored datastore shares with its backup
 *
 * Every change takes the next number of one global revision, which never goes back. What
 * kv_commit() has acknowledged survives the death of the process and of the machine: WAL with
 * synchronous=FULL, that is one fsync of the -wal file for each commit and none that waits. Several
 * processes may have the file open at once. Nothing here knows what keys and values mean. Blocking:
 * called from a worker thread, one call at a time.
 *
 * Time to live is measured by CLOCK_BOOTTIME, so that a wall clock that jumps neither kills nor
 * spares anything, and processes of one machine agree. Behind a reboot all begin anew.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct kv;

#define KV_BUSY_MS 5000 /* how long another process may hold the write lock */

/*
 * Opens path; create: and makes it, mode 0600, when absent. -EINVAL with a sentence when the file
 * is not a datastore of the suite or was written by a newer version: then neither it nor anything
 * beside it has been touched. One of an older version is brought up to date.
 */
int kv_open(const char *path, bool create, struct kv **ret, struct err *err);
/* Is it whole? -EINVAL with a sentence; see kv_file_check(). */
int kv_check(struct kv *kv, bool *ret_whole, struct err *err);
/* See kv_file_make_shrinkable(). */
int kv_make_shrinkable(struct kv *kv, struct err *err);
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

/* Within a write transaction. *ret_revision is the change's own. ttl_sec: it goes by itself unless
 * it is put again; 0: it stays, also when it had a ttl before. */
int kv_put(struct kv *kv, const char *key, const char *value, size_t len, uint32_t ttl_sec,
           uint64_t *ret_revision, struct err *err);
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

/* When (boottime_ms()) kv_expire() is wanted next; 0: nothing will go by itself. */
int kv_next_expiry(struct kv *kv, uint64_t *ret_boot_ms, struct err *err);
/* Within a write transaction: deletes what is due, a bounded number of objects, and calls fn for
 * each deletion. */
int kv_expire(struct kv *kv, kv_change_fn *fn, void *arg, struct err *err);

/* What compaction leaves of the log: so many changes, none older than age. */
struct kv_keep {
	uint64_t changes;
	uint64_t age_sec; /* 0: however old */
};
/*
 * Within a write transaction: compacts the log, and gives space back to the file system, when that
 * is worth the while. A bounded piece of work; *ret_more is set when there is more of it.
 */
int kv_tidy(struct kv *kv, const struct kv_keep *keep, uint64_t now_unix_sec, bool *ret_more,
            struct err *err);

/* The name that a datastore is given when it is made and shares with what is restored from it. */
#define KV_LINEAGE_SIZE 64
int kv_lineage(struct kv *kv, char ret[KV_LINEAGE_SIZE], struct err *err);
int kv_set_lineage(struct kv *kv, const char *lineage, struct err *err);
/* Within a write transaction: the next change will have a revision beyond this one. */
int kv_jump(struct kv *kv, uint64_t revision, struct err *err);
