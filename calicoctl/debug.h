/* SPDX-License-Identifier: BSD-2-Clause */
/* debug: what a daemon says about itself. */
#pragma once

#include "calicoctl/calicoctl.h"
#include "common/base/buf.h"

struct err;
struct json;

extern const char *const debug_daemons[]; /* ended by NULL */

/* Appends {"who": ..., "health": ..., "dump": ...} as JSON; after an error, what came before it. */
int debug_all(const struct options *o, const char *daemon, struct buf *out, struct err *err);

/* One section of what a daemon dumps (the caller's, an array; NULL: empty), and the node that it
 * says it is on (likewise). */
int debug_section(const struct options *o, const char *daemon, const char *section,
                  struct json **ret, char **ret_node, struct err *err);
