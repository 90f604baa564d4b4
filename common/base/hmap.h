/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hmap: an intrusive hash table. The node sits in the entry; the table owns only its bucket array.
 *
 *     hmap_find(it, &table, hash_str(name), struct pod, node, strcmp(it->name, name) == 0);
 *     if (it) ...
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/mem.h"

struct hmap_node {
	struct hmap_node *next;
	uint32_t hash;
};

struct hmap {
	struct hmap_node **buckets; /* NULL while empty */
	uint32_t mask;
	size_t n;
};

#define HMAP_INIT                                                                                  \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void hmap_done(struct hmap *m); /* frees the buckets, not the entries */
void hmap_insert(struct hmap *m, struct hmap_node *node,
                 uint32_t hash);                          /* does not look for an equal one */
void hmap_remove(struct hmap *m, struct hmap_node *node); /* node must be in m */
struct hmap_node *hmap_first_with_hash(const struct hmap *m, uint32_t hash);
struct hmap_node *hmap_next_with_hash(const struct hmap_node *node);
struct hmap_node *hmap_first(const struct hmap *m);
struct hmap_node *hmap_next(const struct hmap *m, const struct hmap_node *node);

/* Seeded once per process, so that strangers cannot choose collisions. */
uint32_t hash_bytes(const void *p, size_t len);
uint32_t hash_str(const char *s);
uint32_t hash_mix(uint32_t a, uint32_t b);

/* Declares type *it: the entry for which match holds, or NULL. */
#define hmap_find(it, m, hash_, type, member, match)                                               \
	type *it = NULL;                                                                           \
	for (struct hmap_node *it##_n = hmap_first_with_hash((m), (hash_)); it##_n;                \
	     it##_n = hmap_next_with_hash(it##_n)) {                                               \
		it = container_of(it##_n, type, member);                                           \
		if (match)                                                                         \
			break;                                                                     \
		it = NULL;                                                                         \
	}

/* The entry at hand may be removed and freed in the body. */
#define hmap_for_each(it, m, type, member)                                                         \
	for (struct hmap_node *it##_n = hmap_first(m), *it##_next = NULL;                          \
	     it##_n && (it##_next = hmap_next((m), it##_n), 1); it##_n = it##_next)                \
		for (type *it = container_of(it##_n, type, member); it; it = NULL)
