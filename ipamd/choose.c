/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/choose.h"

#include <string.h>

uint32_t choose_seed(const char *node)
{
	uint32_t h = 2166136261u; /* FNV-1: multiply, then xor */

	for (; *node; node++)
		h = (h * 16777619u) ^ (uint8_t)*node;
	return h;
}

/* One round of splitmix64: neighbouring seeds (node1, node2) land far apart. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

void choose_walk_init(struct choose_walk *w, const struct ip_prefix *pool, unsigned block_len,
                      uint64_t seed)
{
	unsigned bits = block_len - pool->len;

	*w = (struct choose_walk){ .pool = ip_prefix_network(pool),
		                   .block_len = (uint8_t)block_len };
	w->total = (uint64_t)1 << (bits > 62 ? 62 : bits);
	w->start = mix(seed) & (w->total - 1);
}

/* a += index << shift, on 16 bytes. The pool's prefix bits cannot be reached: index has no more
 * bits than blocks have. */
static void add_shifted(struct ip_addr *a, uint64_t index, unsigned shift)
{
	unsigned last = ip_addr_bits(a) / 8 - 1 - shift / 8;
	uint64_t low = index << (shift % 8), high = shift % 8 ? index >> (64 - shift % 8) : 0;

	for (unsigned i = 0; i <= last && i < 9; i++)
		a->bytes[last - i] |= (uint8_t)(i < 8 ? low >> (8 * i) : high);
}

bool choose_walk_next(struct choose_walk *w, struct ip_prefix *ret)
{
	uint64_t index;

	if (w->i == w->total)
		return false;
	index = (w->start + w->i++) & (w->total - 1);
	*ret = w->pool;
	ret->len = w->block_len;
	add_shifted(&ret->addr, index, ip_addr_bits(&ret->addr) - w->block_len);
	return true;
}

struct ip_prefix choose_block_of(const struct ip_addr *a, unsigned block_len)
{
	struct ip_prefix p = { *a, (uint8_t)block_len };

	return ip_prefix_network(&p);
}
