/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * release: what goes out of IPAM, by hand or when a node or a pool is deleted. Every write is a
 * compare-and-swap, repeated when somebody else was quicker; what is gone already is fine.
 */
#pragma once

#include <stddef.h>

#include "calicoctl/db.h"
#include "common/base/err.h"
#include "common/net/addr.h"

/* An address to give back, and what it must still be for that. */
struct release_wish {
	struct ip_addr addr;
	const char *handle; /* NULL or "": whosever it is */
	bool has_sequence;
	uint64_t sequence; /* the block's, when the address was taken */
};

struct release_outcome {
	size_t released, unallocated; /* were free already, or cool down */
	size_t changed;               /* somebody else's by now: left alone */
	struct err why;               /* of the first of these */
};

/* Releases what still is as the wishes say, a write per block. An error: of the first block that
 * could not be written; the others were. */
int release_wishes(struct db *db, const struct release_wish *wishes, size_t n,
                   struct release_outcome *ret, struct err *err);

/* Releases addresses, whichever blocks they are in. */
int release_addresses(struct db *db, const struct ip_addr *addrs, size_t n, struct err *err);

/* Gives up the blocks of a node (NULL: of any), those inside a prefix (NULL: all). A block that
 * still holds addresses stays, without owner. */
int release_affinities(struct db *db, const char *node, const struct ip_prefix *within,
                       struct err *err);
