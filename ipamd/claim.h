/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim: how a block becomes this node's, and how it stops being somebody's.
 *
 *     claim     affinity "pending"  ->  block, which names the node  ->  affinity "confirmed"
 *     release   affinity "pendingDeletion"  ->  block deleted (or, not empty, without owner)  ->
 * affinity deleted
 *
 * Each arrow is a compare-and-swap, and a crash between two leaves something that the next claim of
 * the same block picks up. An affinity exists, in some state, whenever a block names a node;
 * addresses are taken only when it is confirmed.
 */
#pragma once

#include "ipamd/cache.h"

struct ipamd;

enum claim_status {
	CLAIM_OK,
	CLAIM_CONFLICT,  /* somebody else has it, or it changed under us: look for another */
	CLAIM_NOT_EMPTY, /* release: there are addresses in it */
	CLAIM_FAILED,    /* text says why */
	CLAIM_UNAVAILABLE,
};
/* Called once, never from within. */
typedef void claim_done_fn(void *arg, enum claim_status status, const char *text);

/* Makes cidr this node's, or finishes what an earlier claim began. */
void claim_block(struct ipamd *ip, const struct ip_prefix *cidr, claim_done_fn *fn, void *arg);

/* Ends node's affinity to cidr if the block is empty and, with sequence != 0, still at that
 * sequence number. */
void claim_release(struct ipamd *ip, const char *node, const struct ip_prefix *cidr,
                   uint64_t sequence, claim_done_fn *fn, void *arg);

/* Drops this node's affinity to a block that is not its. */
void claim_forget(struct ipamd *ip, const struct ip_prefix *cidr, claim_done_fn *fn, void *arg);

/*
 * After each snapshot: half-done claims and stale affinities of an earlier life are put right.
 * ip->settling counts them; fn is called when it is 0 again (at once, if there is none).
 */
void claim_settle(struct ipamd *ip, void (*fn)(struct ipamd *ip));

/* Gives back this node's empty blocks in pools that no longer select it. */
void claim_sweep(struct ipamd *ip);
