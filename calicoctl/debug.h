/* SPDX-License-Identifier: BSD-2-Clause */
/* debug: what a daemon says about itself. */
#pragma once

#include "calicoctl/calicoctl.h"
#include "common/base/buf.h"

struct err;

extern const char *const debug_daemons[]; /* ended by NULL */

/* Appends {"who": ..., "health": ..., "dump": ...} as JSON; after an error, what came before it. */
int debug_all(const struct options *o, const char *daemon, struct buf *out, struct err *err);
