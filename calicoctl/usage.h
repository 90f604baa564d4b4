/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: how full pools and blocks are.
 *
 * In use is what is assigned or cools down; reserved is what an IPReservation covers; an address
 * may be both. Free is neither. Of a pool, the space that no block has been cut from counts, too.
 *
 * Pure. Numbers are doubles: an IPv6 pool holds more addresses than an integer counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

struct usage_row {
	bool is_block;
	struct ip_prefix cidr;
	double total, in_use, reserved, free;
};

struct usage {
	struct usage_row *rows; /* a pool, its blocks, the next pool ...; blocks without a pool last
	                         */
	size_t n;
};

struct usage_input {
	const struct ip_prefix *pools;
	size_t n_pools;
	const struct ip_prefix *reserved; /* may overlap */
	size_t n_reserved;
	const V3__IpamBlock *const *blocks; /* those whose CIDR cannot be read are left out */
	size_t n_blocks;
};

void usage_count(const struct usage_input *in, struct usage *ret);
void usage_done(struct usage *u); /* a CLEANUP() function */

/* The table of `ipam show`, with or without the blocks. */
void usage_write(const struct usage *u, bool blocks, struct buf *out);
