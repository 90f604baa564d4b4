/* SPDX-License-Identifier: BSD-2-Clause */
/* path: where in a document something stands, "spec.ingress[2].source"; a list on the stack, from
 * the leaf to the root. */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"

struct path {
	const struct path *up; /* NULL: the document itself is above */
	const char *name;      /* of a member; NULL: an element of a list */
	size_t index;
};

void path_str(const struct path *p, struct buf *out); /* p NULL: nothing */
