/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * choose: in which order a node looks at the blocks of a pool. Pure.
 *
 * Every node starts at an index of its own, derived from its name, and goes on from there with
 * wrap-around, each block once: nodes rarely meet, and a node finds again what it had. The seed is
 * upstream's (FNV-1, 32 bits, of the host name); the generator behind it is our own, so that the
 * first block of a new node may differ from upstream's. Nothing depends on it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"

uint32_t choose_seed(const char *node);

struct choose_walk {
	struct ip_prefix pool;
	uint8_t block_len;
	uint64_t total; /* how many blocks are looked at: all of them, or 2^62 of those of a huge
	                   IPv6 pool */
	uint64_t start, i;
};

/* block_len is at least the pool's length. seed: choose_seed(), or a clock when blocks are single
 * addresses. */
void choose_walk_init(struct choose_walk *w, const struct ip_prefix *pool, unsigned block_len,
                      uint64_t seed);

/* The next block, or false when all have been seen. */
bool choose_walk_next(struct choose_walk *w, struct ip_prefix *ret);

/* The block of a pool that an address of it lies in. */
struct ip_prefix choose_block_of(const struct ip_addr *a, unsigned block_len);
