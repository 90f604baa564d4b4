/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: objects as rows.
 *
 * Which columns a kind has stands in one table. The layout is upstream's: each column, the last one
 * too, is as wide as its widest cell and three blanks, at least five; nothing is cut off. Wide
 * characters count as the two columns of a terminal that they take. An empty line follows each
 * table.
 *
 * Pure: JSON trees in, text out.
 */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/json/json.h"
#include "common/model/kind.h"

struct err;

#define TABLE_COLUMNS_MAX 16

struct table_style {
	bool wide;
	bool namespaces;      /* NAMESPACE comes first, where the kind has one */
	const char *columns;  /* "NAME,CIDR": these and no others; NULL: the kind's own */
	const char *node_asn; /* the AS number of nodes without one; NULL: unknown */
	bool color;           /* headings are bold */
	bool no_headings, no_gap;
	const char *event; /* of a watch, a column of its own; NULL: none */
	size_t *widths;    /* of a watch: TABLE_COLUMNS_MAX of them, that only grow; NULL: none */
};

/* Appends the table of n objects of one kind. -EINVAL: an unknown column. */
int table_write(const struct kind_info *kind, struct json *const *objects, size_t n,
                const struct table_style *style, struct buf *out, struct err *err);

/* Tiers are shown in the order in which they are evaluated; all others stay as they are. */
void table_sort(const struct kind_info *kind, struct json **objects, size_t n);

/* A number as Go prints it: 1000, 0.5, 1e+06. */
void table_float(double v, struct buf *out);
