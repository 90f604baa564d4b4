/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chained buckets, a power of two of them, doubled when there are more entries than buckets. The
 * hash is a keyed multiply-and-fold over 8 bytes at a time; the key comes from the kernel once per
 * process.
 */
#include "common/base/hmap.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define BUCKETS_MIN 8u

void hmap_done(struct hmap *m)
{
	free(m->buckets);
	*m = (struct hmap)HMAP_INIT;
}

static void grow(struct hmap *m)
{
	uint32_t n = m->buckets ? (m->mask + 1) * 2 : BUCKETS_MIN;
	struct hmap_node **buckets = xcalloc(n, sizeof(*buckets));

	for (uint32_t i = 0; m->buckets && i <= m->mask; i++) {
		for (struct hmap_node *it = m->buckets[i], *next; it; it = next) {
			struct hmap_node **slot = &buckets[it->hash & (n - 1)];

			next = it->next;
			it->next = *slot;
			*slot = it;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->mask = n - 1;
}

void hmap_insert(struct hmap *m, struct hmap_node *node, uint32_t hash)
{
	struct hmap_node **slot;

	if (!m->buckets || m->n > m->mask)
		grow(m);
	slot = &m->buckets[hash & m->mask];
	node->hash = hash;
	node->next = *slot;
	*slot = node;
	m->n++;
}

void hmap_remove(struct hmap *m, struct hmap_node *node)
{
	struct hmap_node **slot = &m->buckets[node->hash & m->mask];

	while (*slot != node)
		slot = &(*slot)->next;
	*slot = node->next;
	node->next = NULL;
	m->n--;
}

static struct hmap_node *same_hash(struct hmap_node *it, uint32_t hash)
{
	while (it && it->hash != hash)
		it = it->next;
	return it;
}

struct hmap_node *hmap_first_with_hash(const struct hmap *m, uint32_t hash)
{
	return m->buckets ? same_hash(m->buckets[hash & m->mask], hash) : NULL;
}

struct hmap_node *hmap_next_with_hash(const struct hmap_node *node)
{
	return same_hash(node->next, node->hash);
}

static struct hmap_node *from_bucket(const struct hmap *m, uint32_t i)
{
	for (; m->buckets && i <= m->mask; i++)
		if (m->buckets[i])
			return m->buckets[i];
	return NULL;
}

struct hmap_node *hmap_first(const struct hmap *m)
{
	return from_bucket(m, 0);
}

struct hmap_node *hmap_next(const struct hmap *m, const struct hmap_node *node)
{
	return node->next ? node->next : from_bucket(m, (node->hash & m->mask) + 1);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 r = (unsigned __int128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint64_t seed(void)
{
	static uint64_t value;

	if (!value) {
		if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
			value = (uint64_t)getpid() << 32 ^ (uintptr_t)&value;
		value |= 1;
	}
	return value;
}

uint32_t hash_bytes(const void *p, size_t len)
{
	const uint8_t *at = p;
	uint64_t h = seed() ^ len, word;

	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&word, at, 8);
		h = fold(h ^ word, 0x9e3779b97f4a7c15u);
	}
	word = 0;
	if (len)
		memcpy(&word, at, len);
	h = fold(h ^ word, 0xd6e8feb86659fd93u);
	return (uint32_t)(h ^ h >> 32);
}

uint32_t hash_str(const char *s)
{
	return hash_bytes(s, strlen(s));
}

uint32_t hash_mix(uint32_t a, uint32_t b)
{
	uint64_t h = fold((uint64_t)a << 32 | b, 0x9e3779b97f4a7c15u);

	return (uint32_t)(h ^ h >> 32);
}
