/* SPDX-License-Identifier: BSD-2-Clause */
/* boxtable: a table with lines around it, as `node status` and `ipam show` print one. */
#pragma once

#include "common/base/buf.h"

/*
 * cells: n_rows rows of n_columns texts; the first row is the heading. Without others, upstream
 * draws the line below it twice. right: a bit for each column whose cells, but for the heading,
 * stand at its right.
 */
void boxtable_write(const char *const *cells, size_t n_columns, size_t n_rows, unsigned right,
                    struct buf *out);
