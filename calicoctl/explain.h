/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: a kind, or a field of it, as kubectl explain shows it. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

struct err;

/* path: "ippool", "ippool.spec.cidr". -EINVAL with upstream's words for an unknown kind, or
 * kubectl's for an unknown field. */
int explain(const char *path, bool recursive, struct buf *out, struct err *err);
