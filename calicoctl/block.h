/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block: taking an address out of an IPAM block, as far as deleting nodes and pools needs it.
 *
 * Pure. Assigning is ipamd's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/v3_ippool.pb-c.h"

/*
 * Releases the address of an ordinal. With cooldown it stays out of use until that time is over
 * (now: RFC 3339), else it is free at once, at the back of the queue. false: not assigned, or
 * cooling down already; the block is untouched then. *ret_handle, the caller's, is the handle that
 * held it; NULL when there was none.
 */
bool block_release(V3__IpamBlock *b, unsigned ordinal, bool cooldown, const char *now,
                   char **ret_handle);

/* No address assigned, other than those that Windows nodes reserve for themselves. */
bool block_is_empty(const V3__IpamBlock *b);

/* Whether "host:<node>" is who the block belongs to. */
bool block_is_affine(const V3__IpamBlock *b, const char *node);

/* Takes n off what the handle holds in the block. true: the handle is now empty. */
bool handle_decrement(V3__IpamHandle *h, const char *cidr, int64_t n);
