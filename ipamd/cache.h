/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: what ipamd knows of the datastore. Filled by the watch and by the answers to its own
 * writes, whichever is newer by revision. It may be behind; that never matters, because every write
 * is a compare-and-swap.
 *
 * Of the blocks of other nodes only a digest is kept (about 150 bytes): enough to choose a free
 * one, to find room to borrow and to see which are empty. Whole blocks are kept where this node
 * owns them or holds addresses in them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/model/block.h"
#include "common/net/addr.h"

struct ipamd;
struct resource;

struct blk {
	struct hmap_node node;
	struct ipamd *ip;
	struct list near; /* in ipamd.near, sorted by CIDR, while msg is kept */
	struct ip_prefix cidr;
	char name[IP_PREFIX_STR_MAX];
	bool exists;
	bool broken; /* failed block_check(): nobody takes from it */
	bool mine;   /* affinity is this node's */
	bool empty;
	uint64_t revision; /* the newest seen, also of a block that has been deleted since */
	uint64_t sequence;
	uint64_t claim_unix; /* 0: infinitely old */
	char *affinity;      /* NULL: none */
	uint32_t n_free;
	V3__IpamBlock *msg; /* NULL: digest only */

	/* The queue of changes: see lane.h. */
	struct list ready, writing;
	struct list turn; /* in ipamd.turn_blocks */
	bool busy;
	unsigned tries;
	uint32_t reserved; /* addresses that changes on their way will take */
	unsigned users;
};

/* One of this node's own affinities. */
struct aff {
	struct hmap_node node;
	struct ip_prefix cidr;
	char name[IP_PREFIX_STR_MAX];
	uint64_t revision;
	bool confirmed; /* "confirmed", or the empty state of old data */
};

struct ipam_config {
	bool strict_affinity, auto_allocate_blocks;
	uint32_t max_blocks; /* 0: not set */
	uint32_t cooldown_sec;
};

/* The block of cidr; NULL when nothing is known of it. With create: known from now on. */
struct blk *blk_find(struct ipamd *ip, const struct ip_prefix *cidr, bool create);
/* A newer state of b. msg is taken; NULL: it does not exist. Older revisions are ignored. */
void blk_set(struct blk *b, V3__IpamBlock *msg, uint64_t revision);
/* Frees b when nothing is known of it and nobody uses it. */
void blk_tidy(struct blk *b);
/* Addresses that a new change may still take. */
static inline uint32_t blk_room(const struct blk *b)
{
	return b->exists && !b->broken && b->n_free > b->reserved ? b->n_free - b->reserved : 0;
}

struct aff *aff_find(struct ipamd *ip, const struct ip_prefix *cidr);
void aff_set(struct ipamd *ip, const struct ip_prefix *cidr, const char *state, uint64_t revision);
void aff_remove(struct ipamd *ip, const struct ip_prefix *cidr);
/* How many affinities this node has, of a family. */
unsigned aff_count(struct ipamd *ip, int family);

/* The watch. */
void cache_update(struct ipamd *ip, const struct resource *r);
void cache_remove(struct ipamd *ip, int kind, const char *name);
void cache_done(struct ipamd *ip);

/* Labels of this node, for selectors; NULL when it has no such label. arg: struct ipamd. */
const char *cache_node_label(void *arg, const char *label);
