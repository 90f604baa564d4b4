/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handle: writes to IPAM handles: how many addresses of which block a handle has. Each is a
 * compare-and-swap that starts over when it is lost. The requests of one handle come one at a time
 * (request.h), so a handle is rarely contended.
 */
#pragma once

#include <stdint.h>

#include "common/model/block.h"
#include "common/store/store.h"

struct ipamd;

/* status: STORE_OK, STORE_INVALID (text), STORE_UNAVAILABLE (it may or may not have happened),
 * STORE_CONFLICT (given up; handle_drop(): at once). */
typedef void handle_done_fn(void *arg, enum store_status status, const char *text);

/* Counts n more addresses of block; the handle is created if need be. fn is never called from
 * within. */
void handle_add(struct ipamd *ip, const char *id, const char *block, int64_t n, handle_done_fn *fn,
                void *arg);

/* Counts n fewer. A handle or entry that is not there is fine; what reaches 0 goes. */
void handle_sub(struct ipamd *ip, const char *id, const char *block, int64_t n, handle_done_fn *fn,
                void *arg);

/*
 * Writes that the handle, which was msg at revision, has nothing more in any of the n blocks. Fails
 * with STORE_CONFLICT when it has changed since: somebody has taken addresses meanwhile. msg is
 * borrowed for the call.
 */
void handle_drop(struct ipamd *ip, const char *id, const V3__IpamHandle *msg, uint64_t revision,
                 char *const *blocks, size_t n, handle_done_fn *fn, void *arg);

/* As handle_drop, for a count that is known to be wrong: writes what is true. n 0: no entry.
 * revision 0: there is no such handle; it is created. */
void handle_repair(struct ipamd *ip, const char *id, const V3__IpamHandle *msg, uint64_t revision,
                   const char *block, int64_t n, handle_done_fn *fn, void *arg);
