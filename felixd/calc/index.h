/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index: which selectors match which labelled things, kept up to date at the price of what a change
 * touches.
 *
 * Items (endpoints, network sets) have labels of their own and inherit those of their parents
 * (profiles): own labels first, then the parents' in order. Nothing is remembered of who matched
 * whom: a match is a function of labels, so a change compares "matched before" with "matches now"
 * for the selectors that could care, and tells of each for which either holds.
 *
 * Who could care: each selector stands under one of its restrictions (selector.h), the one that few
 * items meet: under each (label, value) of it, or under the label, or with the few that have none.
 * Items and parents stand under each of their (label, value) pairs. A changed item looks at the
 * selectors under its pairs; a new selector at the items under its pairs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/hmap.h"

struct selector;
struct index_pair;
struct index_key;

/* Pointers that know nothing of their order. */
struct index_vec {
	void **v;
	uint32_t n, cap;
};

/* Packed: there are some ten of them for each endpoint of the cluster. */
struct index_label {
	struct index_pair *pair;
	uint32_t pos; /* in the pair's vector */
} __attribute__((packed, aligned(4)));

/* Labels of an item or a parent. */
struct index_labels {
	struct index_label *v;
	uint32_t n;
};

struct index_parent {
	struct index_labels labels;
	struct index_labels old; /* while changing */
	bool changing;
	struct index_vec items; /* struct index_item */
};

struct index_parent_ref {
	struct index_parent *parent;
	uint32_t pos; /* in the parent's items */
} __attribute__((packed, aligned(4)));

struct index_item {
	struct index_labels labels;
	struct index_parent_ref *parents;
	uint32_t n_parents;
	uint32_t pos; /* in the index's items */
	uint32_t stamp;
	bool present;
};

struct index_selector {
	struct selector *sel;      /* borrowed from the one who added it */
	struct index_label *under; /* pairs it stands under */
	uint32_t n_under;
	struct index_key *key; /* or the key */
	uint32_t pos;          /* under the key, or among those without restriction */
	uint32_t stamp;
	bool present;
};

struct index_kv {
	const char *key, *value;
};

/* was or is holds, or both (told because the item was set anew: what hangs on it may have changed).
 */
typedef void index_fn(void *arg, struct index_selector *s, struct index_item *item, bool was,
                      bool is);

struct index {
	index_fn *fn;
	void *arg;
	struct hmap pairs, keys;
	struct index_vec items, unrestricted;
	uint32_t stamp;
};

void index_init(struct index *x, index_fn *fn, void *arg);
/* Everything must have been removed, or is never used again. */
void index_done(struct index *x);

/* Items, parents and selectors are embedded in their owners and begin as all zeros. */
/* Adds the item or changes it. A key must not come twice. */
void index_item_set(struct index *x, struct index_item *item, const struct index_kv *labels,
                    size_t n, struct index_parent *const *parents, size_t n_parents);
void index_item_remove(struct index *x,
                       struct index_item *item); /* of one that is not there: fine */

void index_parent_set(struct index *x, struct index_parent *parent, const struct index_kv *labels,
                      size_t n);
/* No item may have it any more. */
void index_parent_remove(struct index *x, struct index_parent *parent);

void index_selector_add(struct index *x, struct index_selector *s, struct selector *sel);
/* tell: calls fn for each item that matched. */
void index_selector_remove(struct index *x, struct index_selector *s, bool tell);

/* Calls fn(arg, s, item, true, true) for each item that matches. */
void index_selector_scan(struct index *x, struct index_selector *s, index_fn *fn, void *arg);
