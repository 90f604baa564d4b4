/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: a kind, or a field of it, as kubectl explain shows it. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

struct err;

/* path: "ippool", "ippool.spec.cidr". -EINVAL with upstream's words for an unknown kind, or
 * kubectl's for an unknown field. */
int explain(const char *path, bool recursive, struct buf *out, struct err *err);

/* All kinds, with their short names, a line each. */
void explain_kinds(struct buf *out);

/* The paths that "ippool.spec.ci" may become, a line each; a path that ends in a kind or field that
 * has fields of its own is among them. */
void explain_fields(const char *path, struct buf *out);
