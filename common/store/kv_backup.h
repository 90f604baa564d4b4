/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_backup: a datastore's copy, made while it is in use, and the way back.
 *
 * A backup is a datastore file like any other: one state of the datastore, whole, checked and
 * synced before it takes its name. Whoever writes meanwhile is not held up.
 *
 * Restoring is a transaction on the datastore that stands at path, not the replacement of a file:
 * what differs from the backup is written, what the backup does not have is deleted, and the rest
 * is not touched. Who has the file open hears of the true differences, as of any change. The
 * revision goes on from where the datastore is. Where the datastore has not lived through what the
 * backup has (it was made anew after a loss), it jumps by KV_RESTORE_JUMP beyond both, so that no
 * number that a watcher may have seen is used twice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define KV_RESTORE_JUMP 1000000000u /* more changes than a loss can take away */

struct kv_backup {
	uint64_t objects, revision, bytes;
};
/* Blocking. force: what stands at file is replaced, else -EEXIST. */
int kv_backup(const char *path, const char *file, bool force, struct kv_backup *ret,
              struct err *err);

struct kv_restore {
	uint64_t written, deleted, same; /* objects */
	uint64_t revision;               /* the datastore's, afterwards */
};
/*
 * Blocking; the datastore is made when it is absent. force: what the datastore holds and the backup
 * does not hold alike is changed and deleted, else -EEXIST: only what is missing is restored. All
 * or nothing.
 */
int kv_restore(const char *path, const char *file, bool force, struct kv_restore *ret,
               struct err *err);
