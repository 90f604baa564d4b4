/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seen: what a watcher has been told, so that it is told only true differences.
 *
 * A stream of updates goes in; out comes whether the watcher must hear of each. When the stream
 * starts over with a snapshot (a lost connection, a log that was compacted), seen_snapshot() and
 * seen_snapshot_end() bracket it: what the snapshot did not name is gone. Of an object it keeps the
 * identity and the revision, nothing else; where the watcher has a memory (store.h), not even
 * that. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/kind.h"

struct seen;
struct store_memory;

struct seen *seen_new(void);
/* Before anything else: lets the watcher remember, when it does (NULL: it does not). arg is its. */
void seen_use(struct seen *s, const struct store_memory *memory, void *arg);
void seen_free(struct seen *s); /* NULL is fine */
/* From now on an object's older revision is not news: for streams that may begin anew behind where
 * they were. */
void seen_forward_only(struct seen *s);
size_t seen_count(const struct seen *s); /* of what is remembered here */

/* The object has this revision now. true: the watcher does not know that yet. ns may be NULL. */
bool seen_update(struct seen *s, model_kind kind, const char *ns, const char *name,
                 uint64_t revision);

/* The object is gone. true: the watcher knew it. */
bool seen_remove(struct seen *s, model_kind kind, const char *ns, const char *name);

/* A snapshot begins: everything known is in doubt until seen_update() names it. May be called again
 * before the end. */
void seen_snapshot(struct seen *s);

/* The revisions that are known mean nothing any more: from the next snapshot on, the next
 * seen_update() of each object is news. */
void seen_distrust(struct seen *s);

/* The snapshot is complete: calls fn for each object still in doubt, which is then forgotten.
 * Without a snapshot: does nothing. */
typedef void seen_gone_fn(void *arg, model_kind kind, const char *ns, const char *name);
void seen_snapshot_end(struct seen *s, seen_gone_fn *fn, void *arg);
