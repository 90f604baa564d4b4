/* SPDX-License-Identifier: BSD-2-Clause */
/* blockcheck: what is wrong with an IPAM block, in upstream's words. (block_check() is stricter and
 * says whether a block may be worked on; this is for people.) Pure. */
#pragma once

#include <stdint.h>

#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

struct err;

/* -EINVAL with the first thing that is wrong. */
int blockcheck(const V3__IpamBlock *b, const struct ip_prefix *cidr, uint64_t now_unix_sec,
               struct err *err);
