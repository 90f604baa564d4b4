/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie: prefixes of one family, path-compressed, intrusive. The node sits in the entry; the trie
 * makes nodes of its own only where two branches part. Looking up a prefix, or the longest one that
 * covers an address, costs what the prefix is long, not what the table holds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/net/addr.h"

struct trie_node {
	struct trie_node *child[2], *parent;
	struct ip_prefix prefix; /* host bits are zero */
	bool glue;               /* the trie's own */
};

struct trie {
	struct trie_node *root;
	size_t n; /* entries, without glue */
};

/* The node with exactly this prefix, or NULL. */
struct trie_node *trie_find(const struct trie *t, const struct ip_prefix *p);
/* The longest prefix that covers p (p itself included), or NULL. */
struct trie_node *trie_covering(const struct trie *t, const struct ip_prefix *p);
/* The next shorter one that covers n. */
struct trie_node *trie_shorter(const struct trie_node *n);
/* n->prefix is set and not in the trie. false: out of memory. */
bool trie_insert(struct trie *t, struct trie_node *n);
void trie_remove(struct trie *t, struct trie_node *n);
/* In the order of addresses, shorter prefixes first. NULL: the first one. */
struct trie_node *trie_next(const struct trie *t, const struct trie_node *n);
/* As trie_next(), but only what p covers. */
struct trie_node *trie_first_within(const struct trie *t, const struct ip_prefix *p);

#define trie_for_each(it, t)                                                                       \
	for (struct trie_node *it = trie_next((t), NULL); it; it = trie_next((t), it))
