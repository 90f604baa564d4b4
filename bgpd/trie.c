/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/trie.h"

#include <stdlib.h>
#include <string.h>

static unsigned bit(const struct ip_addr *a, unsigned i)
{
	return (a->bytes[i / 8] >> (7 - i % 8)) & 1;
}

/* How many leading bits a and b share, at most max. */
static unsigned common_bits(const struct ip_addr *a, const struct ip_addr *b, unsigned max)
{
	unsigned i = 0;

	while (i + 8 <= max && a->bytes[i / 8] == b->bytes[i / 8])
		i += 8;
	while (i < max && bit(a, i) == bit(b, i))
		i++;
	return i;
}

static bool covers(const struct ip_prefix *p, const struct ip_prefix *q)
{
	return p->len <= q->len && common_bits(&p->addr, &q->addr, p->len) == p->len;
}

struct trie_node *trie_find(const struct trie *t, const struct ip_prefix *p)
{
	struct trie_node *n = trie_covering(t, p);

	return n && n->prefix.len == p->len ? n : NULL;
}

struct trie_node *trie_covering(const struct trie *t, const struct ip_prefix *p)
{
	struct trie_node *best = NULL;

	for (struct trie_node *n = t->root; n && covers(&n->prefix, p);
	     n = n->child[bit(&p->addr, n->prefix.len)]) {
		if (!n->glue)
			best = n;
		if (n->prefix.len == p->len)
			break;
	}
	return best;
}

struct trie_node *trie_shorter(const struct trie_node *n)
{
	struct trie_node *p = n->parent;

	while (p && p->glue)
		p = p->parent;
	return p;
}

static void replace_in_parent(struct trie *t, struct trie_node *old, struct trie_node *n)
{
	struct trie_node *parent = old->parent;

	if (!parent)
		t->root = n;
	else
		parent->child[parent->child[1] == old] = n;
	if (n)
		n->parent = parent;
}

static void adopt(struct trie_node *parent, struct trie_node *child)
{
	parent->child[bit(&child->prefix.addr, parent->prefix.len)] = child;
	child->parent = parent;
}

bool trie_insert(struct trie *t, struct trie_node *n)
{
	struct trie_node *at = t->root, *glue;
	unsigned shared, max;

	n->child[0] = n->child[1] = n->parent = NULL;
	n->glue = false;
	if (!at) {
		t->root = n;
		t->n++;
		return true;
	}
	for (;;) {
		max = at->prefix.len < n->prefix.len ? at->prefix.len : n->prefix.len;
		shared = common_bits(&at->prefix.addr, &n->prefix.addr, max);
		if (shared < at->prefix.len || at->prefix.len == n->prefix.len)
			break;
		struct trie_node *next = at->child[bit(&n->prefix.addr, at->prefix.len)];
		if (!next) {
			adopt(at, n);
			t->n++;
			return true;
		}
		at = next;
	}
	if (shared == at->prefix.len) { /* the same prefix: only glue can be there */
		replace_in_parent(t, at, n);
		for (int i = 0; i < 2; i++)
			if (at->child[i])
				adopt(n, at->child[i]);
		free(at);
	} else if (shared == n->prefix.len) { /* n covers at */
		replace_in_parent(t, at, n);
		adopt(n, at);
	} else {
		glue = calloc(1, sizeof(*glue));
		if (!glue)
			return false;
		glue->glue = true;
		glue->prefix = n->prefix;
		glue->prefix.len = (uint8_t)shared;
		glue->prefix = ip_prefix_network(&glue->prefix);
		replace_in_parent(t, at, glue);
		adopt(glue, at);
		adopt(glue, n);
	}
	t->n++;
	return true;
}

void trie_remove(struct trie *t, struct trie_node *n)
{
	struct trie_node *parent = n->parent;

	t->n--;
	if (n->child[0] &&
	    n->child[1]) { /* a branch remains: glue takes its place, or nothing can be freed */
		struct trie_node *glue = calloc(1, sizeof(*glue));

		if (!glue)
			abort();
		glue->glue = true;
		glue->prefix = n->prefix;
		replace_in_parent(t, n, glue);
		adopt(glue, n->child[0]);
		adopt(glue, n->child[1]);
		return;
	}
	replace_in_parent(t, n, n->child[0] ? n->child[0] : n->child[1]);
	if (parent && parent->glue && (!parent->child[0] || !parent->child[1])) {
		replace_in_parent(t, parent,
		                  parent->child[0] ? parent->child[0] : parent->child[1]);
		free(parent);
	}
}

static struct trie_node *successor(const struct trie_node *n)
{
	if (n->child[0])
		return n->child[0];
	if (n->child[1])
		return n->child[1];
	for (; n->parent; n = n->parent)
		if (n->parent->child[0] == n && n->parent->child[1])
			return n->parent->child[1];
	return NULL;
}

struct trie_node *trie_next(const struct trie *t, const struct trie_node *n)
{
	struct trie_node *next = n ? successor(n) : t->root;

	while (next && next->glue)
		next = successor(next);
	return next;
}

struct trie_node *trie_first_within(const struct trie *t, const struct ip_prefix *p)
{
	struct trie_node *n = t->root;

	while (n && n->prefix.len < p->len) {
		if (!covers(&n->prefix, p))
			return NULL;
		n = n->child[bit(&p->addr, n->prefix.len)];
	}
	if (!n || !covers(p, &n->prefix))
		return NULL;
	while (n && n->glue)
		n = successor(n);
	return n;
}
