/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/memberset.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/hmap.h"
#include "common/base/mem.h"

/* A slot: address (4 or 16 bytes), prefix length, protocol, port. */

void memberset_init(struct memberset *s, int family)
{
	*s = (struct memberset){ .size = family == AF_INET6 ? 20 : 8 };
}

void memberset_done(struct memberset *s)
{
	free(s->slots);
	*s = (struct memberset){ .size = s->size };
}

static size_t addr_bytes(const struct memberset *s)
{
	return s->size - 4u;
}

static void pack(const struct memberset *s, const struct calc_member *m, uint8_t *out)
{
	struct ip_prefix net = ip_prefix_network(&m->net);
	size_t n = addr_bytes(s);

	assert((n == 4) == (net.addr.family == AF_INET));
	memcpy(out, net.addr.bytes, n);
	out[n] = net.len;
	out[n + 1] = m->protocol;
	memcpy(out + n + 2, &m->port, 2);
}

static void unpack(const struct memberset *s, const uint8_t *slot, struct calc_member *ret)
{
	size_t n = addr_bytes(s);

	*ret = (struct calc_member){ 0 };
	ret->net.addr = ip_addr_from_bytes(n == 4 ? AF_INET : AF_INET6, slot);
	ret->net.len = slot[n];
	ret->protocol = slot[n + 1];
	memcpy(&ret->port, slot + n + 2, 2);
}

static bool is_free(const struct memberset *s, size_t i)
{
	static const uint8_t zeros[MEMBER_BYTES_MAX];

	return memcmp(s->slots + i * s->size, zeros, s->size) == 0;
}

/* The slot of key, or the free one where it would go. */
static size_t slot_of(const struct memberset *s, const uint8_t *key)
{
	size_t i = hash_bytes(key, s->size) & (s->cap - 1);

	while (!is_free(s, i) && memcmp(s->slots + i * s->size, key, s->size) != 0)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static void resize(struct memberset *s, size_t cap)
{
	uint8_t *old = s->slots;
	size_t old_cap = s->cap;

	s->slots = xcalloc(cap, s->size);
	s->cap = cap;
	for (size_t i = 0; i < old_cap; i++) {
		static const uint8_t zeros[MEMBER_BYTES_MAX];
		const uint8_t *from = old + i * s->size;

		if (memcmp(from, zeros, s->size) != 0)
			memcpy(s->slots + slot_of(s, from) * s->size, from, s->size);
	}
	free(old);
}

bool memberset_add(struct memberset *s, const struct calc_member *m)
{
	uint8_t key[MEMBER_BYTES_MAX];
	size_t i;

	pack(s, m, key);
	if ((s->n + 1) * 4 > s->cap * 3)
		resize(s, s->cap ? s->cap * 2 : 8);
	i = slot_of(s, key);
	if (!is_free(s, i))
		return false;
	memcpy(s->slots + i * s->size, key, s->size);
	s->n++;
	return true;
}

bool memberset_remove(struct memberset *s, const struct calc_member *m)
{
	uint8_t key[MEMBER_BYTES_MAX];
	size_t hole, i;

	if (s->n == 0)
		return false;
	pack(s, m, key);
	hole = slot_of(s, key);
	if (is_free(s, hole))
		return false;
	/* Those behind the hole that a probe reaches only through it move into it. */
	for (i = (hole + 1) & (s->cap - 1); !is_free(s, i); i = (i + 1) & (s->cap - 1)) {
		size_t home = hash_bytes(s->slots + i * s->size, s->size) & (s->cap - 1);

		if (((i - home) & (s->cap - 1)) >= ((i - hole) & (s->cap - 1))) {
			memcpy(s->slots + hole * s->size, s->slots + i * s->size, s->size);
			hole = i;
		}
	}
	memset(s->slots + hole * s->size, 0, s->size);
	s->n--;
	if (s->n == 0)
		memberset_done(s);
	else if (s->cap > 64 && s->n * 8 < s->cap)
		resize(s, s->cap / 4);
	return true;
}

bool memberset_has(const struct memberset *s, const struct calc_member *m)
{
	uint8_t key[MEMBER_BYTES_MAX];

	if (s->n == 0)
		return false;
	pack(s, m, key);
	return !is_free(s, slot_of(s, key));
}

bool memberset_next(const struct memberset *s, size_t *at, struct calc_member *ret)
{
	for (; *at < s->cap; (*at)++)
		if (!is_free(s, *at)) {
			unpack(s, s->slots + (*at)++ * s->size, ret);
			return true;
		}
	return false;
}
