/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block: the algorithms on one IPAM block, exactly as upstream's library has them, for whoever
 * assigns (ipamd) and whoever releases (ipamd, calicoctl). No I/O, no clock.
 *
 * A block is a run of addresses (usually a /26). Each address has an ordinal; allocations[ordinal]
 * is an index into attributes, or -1 when the address is free. Free ordinals stand in the queue
 * `unallocated`: taken at the front, returned at the back, so that an address rests as long as
 * possible before it is given out again. A released address while the configuration asks for a
 * cool-down points to an attribute that holds nothing but releasedAt; it is neither free nor
 * anybody's until block_gc() says so.
 *
 * Blocks come from the datastore, where others write too: block_check() says whether the arrays can
 * be trusted. Every other function here expects a block that passed it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

struct err;

#define BLOCK_SIZE_MAX 4096u /* addresses; upstream's largest (/20) */
#define BLOCK_WINDOWS_HANDLE "windows-reserved-ipam-handle"

struct block_attr {
	char *key, *value;
};

/* Who an address is for. Borrowed by every call that takes one. */
struct block_owner {
	char *handle;
	struct block_attr *attrs; /* in any order, keys differ */
	size_t n_attrs;
};

/* A new, empty block of cidr that belongs to affinity ("host:<node>"). Freed with msg_free(). */
V3__IpamBlock *block_new(const struct ip_prefix *cidr, const char *affinity, uint64_t now_unix_ns);

/* Whether b is whole: a CIDR, arrays of its size, indices and ordinals in range, each free ordinal
 * queued once. */
bool block_check(const V3__IpamBlock *b, struct ip_prefix *ret_cidr, struct err *err);

static inline size_t block_free_count(const V3__IpamBlock *b)
{
	return b->n_unallocated;
}

/* Nothing but Windows' reserved addresses is taken. An address that cools down counts as taken. */
bool block_empty(const V3__IpamBlock *b);

/* Takes up to n free addresses for o. Returns how many; their ordinals are in out (room for n). */
size_t block_take(V3__IpamBlock *b, const struct block_owner *o, size_t n, uint32_t *out);

/* Takes this one. -EEXIST when it is not free. */
int block_take_ordinal(V3__IpamBlock *b, const struct block_owner *o, uint32_t ordinal);

/* Frees all that handle holds (or begins its cool-down). Returns how many; ordinals in out (room
 * for the block's size), if not NULL. */
size_t block_release_handle(V3__IpamBlock *b, const char *handle, uint64_t now_unix_sec,
                            uint32_t cooldown_sec, uint32_t *out);

/* Frees one. -ENOENT: was free or cools down. Its handle goes to *ret_handle (the caller's; NULL
 * when it had none). */
int block_release_ordinal(V3__IpamBlock *b, uint32_t ordinal, uint64_t now_unix_sec,
                          char **ret_handle);

/* Ends cool-downs that began before now - cooldown, drops attributes nobody uses. True when
 * something changed. */
bool block_gc(V3__IpamBlock *b, uint64_t now_unix_sec, uint32_t cooldown_sec);

/* How many addresses handle holds; their ordinals in out (room for max), ascending. */
size_t block_find_handle(const V3__IpamBlock *b, const char *handle, uint32_t *out, size_t max);

/* The attribute of an ordinal; NULL when it is free or cools down. Borrowed. */
const V3__IpamAttribute *block_owner_of(const V3__IpamBlock *b, uint32_t ordinal);

/* Counts one more write: sequenceNumber + 1. */
void block_bump(V3__IpamBlock *b);

/* Whether a and b are the same handle: compared up to the first carriage return, as upstream does.
 */
bool handle_eq(const char *a, const char *b);

/* The block's sequence number when the ordinal was taken (or released, when it cools down); 0: not
 * known. Whoever releases later says it, so that an address that was given out anew stays. */
uint64_t block_sequence_of(const V3__IpamBlock *b, uint32_t ordinal);

/* How many addresses of block (a CIDR) the handle counts. Setting 0 removes the entry. */
int64_t handle_count(const V3__IpamHandle *h, const char *block);
void handle_set_count(V3__IpamHandle *h, const char *block, int64_t n);
