/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/attrs.h"

#include <assert.h>
#include <string.h>

#include "bgpd/bgp.h"
#include "common/base/mem.h"

/* The variable parts, in the order in which they follow struct attrs. */
static const size_t parts[] = {
	offsetof(struct attr_set, as_path), offsetof(struct attr_set, communities),
	offsetof(struct attr_set, large),   offsetof(struct attr_set, ext),
	offsetof(struct attr_set, ext6),    offsetof(struct attr_set, clusters),
	offsetof(struct attr_set, unknown),
};

static struct attr_bytes *part(struct attr_set *s, size_t i)
{
	return (struct attr_bytes *)((char *)s + parts[i]);
}

static const struct attr_bytes *cpart(const struct attr_set *s, size_t i)
{
	return (const struct attr_bytes *)((const char *)s + parts[i]);
}

void attrs_table_done(struct attrs_table *t)
{
	assert(t->map.n == 0);
	hmap_done(&t->map);
}

static uint32_t set_hash(const struct attr_set *s)
{
	uint32_t h = hash_mix(ip_addr_hash(&s->next_hop), ip_addr_hash(&s->link_local));
	const uint32_t fixed[] = { s->origin,       s->has,           s->med,
		                   s->local_pref,   s->originator_id, s->aggregator_as,
		                   s->aggregator_id };

	h = hash_mix(h, hash_bytes(fixed, sizeof(fixed)));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct attr_bytes *b = cpart(s, i);

		h = hash_mix(h, b->len ? hash_bytes(b->p, b->len) : 0);
	}
	return h;
}

static bool set_eq(const struct attr_set *a, const struct attr_set *b)
{
	if (a->origin != b->origin || a->has != b->has || a->med != b->med ||
	    a->local_pref != b->local_pref || a->originator_id != b->originator_id ||
	    a->aggregator_as != b->aggregator_as || a->aggregator_id != b->aggregator_id ||
	    !ip_addr_eq(&a->next_hop, &b->next_hop) || !ip_addr_eq(&a->link_local, &b->link_local))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct attr_bytes *x = cpart(a, i), *y = cpart(b, i);

		if (x->len != y->len || (x->len && memcmp(x->p, y->p, x->len) != 0))
			return false;
	}
	return true;
}

struct attrs *attrs_intern(struct attrs_table *t, const struct attr_set *set)
{
	uint32_t hash = set_hash(set);
	size_t len = 0;
	uint8_t *at;

	hmap_find(found, &t->map, hash, struct attrs, node, set_eq(&found->set, set));
	if (found)
		return attrs_ref(found);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		len += cpart(set, i)->len;
	struct attrs *a = malloc(sizeof(*a) + len);
	if (!a)
		return NULL;
	a->set = *set;
	a->refs = 1;
	at = (uint8_t *)(a + 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct attr_bytes *b = part(&a->set, i);

		if (b->len)
			memcpy(at, b->p, b->len);
		b->p = b->len ? at : NULL;
		at += b->len;
	}
	hmap_insert(&t->map, &a->node, hash);
	return a;
}

struct attrs *attrs_ref(struct attrs *a)
{
	a->refs++;
	return a;
}

void attrs_unref(struct attrs_table *t, struct attrs *a)
{
	if (!a)
		return;
	assert(a->refs > 0);
	if (--a->refs == 0) {
		hmap_remove(&t->map, &a->node);
		free(a);
	}
}

/* Takes one segment off the path. Paths in a set are well-formed: the parser saw to it. */
static bool next_segment(struct cursor *path, uint8_t *ret_type, uint8_t *ret_n,
                         struct cursor *ret_as)
{
	return cursor_u8(path, ret_type) && cursor_u8(path, ret_n) &&
	       cursor_sub(path, *ret_n * 4u, ret_as);
}

unsigned attr_path_len(const struct attr_bytes *path)
{
	struct cursor c = attr_cursor(path), as;
	uint8_t type, n;
	unsigned len = 0;

	while (next_segment(&c, &type, &n, &as))
		len += type == BGP_AS_SEQUENCE ? n : type == BGP_AS_SET ? 1 : 0;
	return len;
}

bool attr_path_has(const struct attr_bytes *path, uint32_t wanted)
{
	struct cursor c = attr_cursor(path), as;
	uint8_t type, n;
	uint32_t number;

	while (next_segment(&c, &type, &n, &as))
		while (cursor_be32(&as, &number))
			if (number == wanted)
				return true;
	return false;
}

uint32_t attr_path_first(const struct attr_bytes *path)
{
	struct cursor c = attr_cursor(path), as;
	uint8_t type, n;
	uint32_t number;

	while (next_segment(&c, &type, &n, &as))
		if (type == BGP_AS_SEQUENCE)
			return cursor_be32(&as, &number) ? number : 0;
		else if (type == BGP_AS_SET)
			return 0;
	return 0;
}

void attr_path_str(const struct attr_bytes *path, struct buf *out)
{
	struct cursor c = attr_cursor(path), as;
	uint8_t type, n;
	uint32_t number;
	const char *sep = "";

	while (next_segment(&c, &type, &n, &as)) {
		bool set = type == BGP_AS_SET || type == BGP_AS_CONFED_SET;

		buf_printf(out, "%s%s", sep, set ? "{" : "");
		sep = "";
		while (cursor_be32(&as, &number)) {
			buf_printf(out, "%s%u", sep, number);
			sep = " ";
		}
		buf_str(out, set ? "}" : "");
		sep = " ";
	}
}

bool attr_has_community(const struct attr_set *s, uint32_t community)
{
	struct cursor c = attr_cursor(&s->communities);
	uint32_t v;

	while (cursor_be32(&c, &v))
		if (v == community)
			return true;
	return false;
}

void attr_path_prepend(const struct attr_bytes *path, uint32_t as, struct buf *out)
{
	/* RFC 4271 section 5.1.2 b): into the first segment if it is a sequence with room, else a
	 * new one. */
	if (path->len >= 2 && path->p[0] == BGP_AS_SEQUENCE && path->p[1] < 255) {
		buf_byte(out, BGP_AS_SEQUENCE);
		buf_byte(out, (uint8_t)(path->p[1] + 1));
		buf_be32(out, as);
		buf_add(out, path->p + 2, path->len - 2u);
		return;
	}
	buf_byte(out, BGP_AS_SEQUENCE);
	buf_byte(out, 1);
	buf_be32(out, as);
	if (path->len)
		buf_add(out, path->p, path->len);
}
