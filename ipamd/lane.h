/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lane: the queue of changes of one block.
 *
 * A block has one compare-and-swap on its way at a time. What is submitted meanwhile waits, and all
 * that waits goes with the next one: under load a write carries as many assignments and releases as
 * came in during the write before it. A lost compare-and-swap starts over from the block as it is
 * now: every change is applied again, to the newer copy.
 *
 * An assignment's handle must have been written before it is submitted (handle first, block second:
 * a crash between them leaves a handle that counts too much, which is harmless, never an address
 * that no handle knows of).
 */
#pragma once

#include "ipamd/cache.h"

enum lane_kind {
	LANE_TAKE,         /* want addresses, any */
	LANE_TAKE_ORDINAL, /* this one */
	LANE_RELEASE_HANDLE,
	LANE_RELEASE_ORDINAL,
};

enum lane_status {
	LANE_OK,          /* durable; perhaps fewer than wanted, perhaps nothing to do */
	LANE_FULL,        /* no address is free */
	LANE_TAKEN,       /* this address belongs to another handle, or cools down */
	LANE_NOT_OURS,    /* the block's affinity is not this node's (any more) */
	LANE_GONE,        /* there is no such block */
	LANE_RETRIES,     /* IPAMD_RETRIES compare-and-swaps lost */
	LANE_INVALID,     /* the datastore refused; text says why */
	LANE_UNAVAILABLE, /* it may or may not have happened */
};

struct lane_change;
typedef void lane_done_fn(struct lane_change *c, enum lane_status status, const char *text);

struct lane_change {
	/* Filled by the caller, borrowed until done. */
	enum lane_kind kind;
	const struct block_owner *owner; /* all but LANE_RELEASE_ORDINAL */
	uint32_t want;                   /* LANE_TAKE */
	uint32_t ordinal;                /* ..._ORDINAL */
	bool any_affinity;               /* take also where the block is not this node's */
	const struct ip_prefix *known; /* addresses of this handle that the caller already counts */
	size_t n_known;
	lane_done_fn *done; /* called once, never from within lane_submit() */
	void *arg;

	/* Results, valid in done(): ordinals taken or released; n_new of them were not there
	 * before. */
	uint32_t *got;
	size_t n_got, n_new;
	char *handle; /* LANE_RELEASE_ORDINAL: whose it was; may be NULL */
	unsigned block_len;

	/* The lane's own. */
	struct blk *blk;
	struct list link;
};

/* Reserves room for c->want in b, so that others look elsewhere. To be followed by lane_submit() or
 * lane_forget(). */
void lane_reserve(struct blk *b, struct lane_change *c);
/* Ends the reservation; c was not submitted, or is done. Frees its results. */
void lane_forget(struct lane_change *c);
void lane_submit(struct lane_change *c);
