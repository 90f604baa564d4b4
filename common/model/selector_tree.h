/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selector_tree: what a selector is once it was read. Private to common/model/selector*.c.
 *
 * Every node, label and literal lies in one arena that belongs to the selector and is freed with
 * it; nothing in it changes after the parser has finished.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/model/selector.h"

/* Memory that goes all at once. All zeros is an empty one. */
struct selector_arena {
	struct selector_chunk *chunks;
	size_t left;
};
void *selector_arena_alloc(struct selector_arena *a, size_t size);
char *selector_arena_str(struct selector_arena *a, const char *prefix, const char *s, size_t len);
void selector_arena_done(struct selector_arena *a);

enum selector_op {
	OP_ALL,
	OP_GLOBAL,
	OP_HAS,
	OP_EQ,
	OP_NE,
	OP_IN,
	OP_NOT_IN,
	OP_CONTAINS,
	OP_STARTS_WITH,
	OP_ENDS_WITH,
	OP_NOT,
	OP_AND,
	OP_OR,
};

struct selector_node {
	enum selector_op op;
	const char *label;   /* of has and the comparisons */
	const char **values; /* 1 of a comparison; n, sorted and without duplicates, of a set */
	const struct selector_node **kids; /* 1 of NOT; n >= 2 of AND and OR */
	size_t n;                          /* of values or kids */
};

bool selector_node_match(const struct selector_node *node, selector_lookup_fn *lookup, void *arg);
void selector_node_print(const struct selector_node *node, struct buf *out);

/* All restrictions that hold for node, at most SELECTOR_RESTRICTIONS_MAX; memory from a. Returns
 * how many. */
size_t selector_node_restrict(const struct selector_node *node, struct selector_arena *a,
                              struct selector_restriction out[SELECTOR_RESTRICTIONS_MAX]);
