/* SPDX-License-Identifier: BSD-2-Clause */
/* split: a prefix in equal parts. Pure. */
#pragma once

#include <stdint.h>

#include "common/net/addr.h"

struct err;

#define SPLIT_MAX 4096 /* pools; every node looks at all of them */

/* The parts of p, in order; the caller's. -EINVAL: not a power of two from 2 to SPLIT_MAX, or p is
 * too small. */
int split_prefix(const struct ip_prefix *p, int64_t parts, struct ip_prefix **ret, struct err *err);
