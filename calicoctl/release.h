/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * release: what goes out of IPAM when a node or a pool is deleted. Every write is a
 * compare-and-swap, repeated when somebody else was quicker; what is gone already is fine.
 */
#pragma once

#include <stddef.h>

#include "calicoctl/db.h"
#include "common/net/addr.h"

/* Releases addresses, whichever blocks they are in. */
int release_addresses(struct db *db, const struct ip_addr *addrs, size_t n, struct err *err);

/* Gives up the blocks of a node (NULL: of any), those inside a prefix (NULL: all). A block that
 * still holds addresses stays, without owner. */
int release_affinities(struct db *db, const char *node, const struct ip_prefix *within,
                       struct err *err);
