/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes UPDATE. Attributes go in the order of their types (RFC 4271 section 5), but MP_REACH_NLRI,
 * which RFC 7606 wants first. */
#include <string.h>

#include "bgpd/wire.h"
#include "common/base/mem.h"

static void attr_head(struct buf *out, uint8_t flags, uint8_t type, size_t len)
{
	buf_byte(out, (uint8_t)(flags | (len > 255 ? BGP_FLAG_EXTENDED : 0)));
	buf_byte(out, type);
	if (len > 255)
		buf_be16(out, (uint16_t)len);
	else
		buf_byte(out, (uint8_t)len);
}

static void attr_copy(struct buf *out, uint8_t flags, uint8_t type, const struct attr_bytes *b)
{
	if (!b->len)
		return;
	attr_head(out, flags, type, b->len);
	buf_add(out, b->p, b->len);
}

static void attr_u32(struct buf *out, uint8_t flags, uint8_t type, uint32_t v)
{
	attr_head(out, flags, type, 4);
	buf_be32(out, v);
}

/* The path with two octets per AS. true: a number did not fit, so that AS4_PATH is needed. */
static bool narrow_path(const struct attr_bytes *path, struct buf *out)
{
	struct cursor c = attr_cursor(path), as;
	uint8_t type, n;
	uint32_t number;
	bool lost = false;

	while (cursor_u8(&c, &type) && cursor_u8(&c, &n) && cursor_sub(&c, n * 4u, &as)) {
		buf_byte(out, type);
		buf_byte(out, n);
		while (cursor_be32(&as, &number)) {
			buf_be16(out, (uint16_t)(number > 0xFFFF ? BGP_AS_TRANS : number));
			lost = lost || number > 0xFFFF;
		}
	}
	return lost;
}

void wire_build_attrs(struct buf *out, const struct attr_set *s, bool as4, bool internal)
{
	CLEANUP(buf_done) struct buf narrow = { 0 };
	bool need_as4_path = false, need_as4_aggregator = false;

	attr_head(out, BGP_FLAG_TRANSITIVE, BGP_ORIGIN, 1);
	buf_byte(out, s->origin);

	if (as4) {
		attr_head(out, BGP_FLAG_TRANSITIVE, BGP_AS_PATH, s->as_path.len);
		if (s->as_path.len)
			buf_add(out, s->as_path.p, s->as_path.len);
	} else {
		need_as4_path = narrow_path(&s->as_path, &narrow);
		attr_head(out, BGP_FLAG_TRANSITIVE, BGP_AS_PATH, narrow.len);
		if (narrow.len)
			buf_add(out, narrow.data, narrow.len);
	}
	if (s->next_hop.family == AF_INET) { /* an IPv6 one is in MP_REACH_NLRI */
		attr_head(out, BGP_FLAG_TRANSITIVE, BGP_NEXT_HOP, 4);
		buf_add(out, s->next_hop.bytes, 4);
	}
	if (s->has & ATTR_HAS_MED)
		attr_u32(out, BGP_FLAG_OPTIONAL, BGP_MED, s->med);
	if (internal)
		attr_u32(out, BGP_FLAG_TRANSITIVE, BGP_LOCAL_PREF,
		         s->has & ATTR_HAS_LOCAL_PREF ? s->local_pref : 100);
	if (s->has & ATTR_ATOMIC)
		attr_head(out, BGP_FLAG_TRANSITIVE, BGP_ATOMIC_AGGREGATE, 0);
	if (s->has & ATTR_HAS_AGGREGATOR) {
		uint8_t flags = BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE;

		need_as4_aggregator = !as4 && s->aggregator_as > 0xFFFF;
		attr_head(out, flags, BGP_AGGREGATOR, as4 ? 8 : 6);
		if (as4)
			buf_be32(out, s->aggregator_as);
		else
			buf_be16(out,
			         (uint16_t)(need_as4_aggregator ? BGP_AS_TRANS : s->aggregator_as));
		buf_be32(out, s->aggregator_id);
	}
	attr_copy(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_COMMUNITIES, &s->communities);
	if (internal && (s->has & ATTR_HAS_ORIGINATOR))
		attr_u32(out, BGP_FLAG_OPTIONAL, BGP_ORIGINATOR_ID, s->originator_id);
	if (internal)
		attr_copy(out, BGP_FLAG_OPTIONAL, BGP_CLUSTER_LIST, &s->clusters);
	attr_copy(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_EXT_COMMUNITIES, &s->ext);
	if (need_as4_path)
		attr_copy(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_AS4_PATH, &s->as_path);
	if (need_as4_aggregator) {
		attr_head(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_AS4_AGGREGATOR, 8);
		buf_be32(out, s->aggregator_as);
		buf_be32(out, s->aggregator_id);
	}
	attr_copy(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_EXT6_COMMUNITIES, &s->ext6);
	attr_copy(out, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_LARGE_COMMUNITIES, &s->large);
	if (s->unknown.len)
		buf_add(out, s->unknown.p, s->unknown.len);
}

/* ---- messages ---- */

static size_t begin_update(struct buf *out)
{
	size_t at = out->len;

	(void)buf_extend(out, BGP_HEADER_LEN);
	memset(out->data + at, 0xFF, BGP_MARKER_LEN);
	out->data[at + 18] = BGP_UPDATE;
	return at;
}

static void put_be16(struct buf *out, size_t at, size_t v)
{
	out->data[at] = (uint8_t)(v >> 8);
	out->data[at + 1] = (uint8_t)v;
}

static size_t prefix_size(const struct ip_prefix *p)
{
	return 1u + (p->len + 7u) / 8;
}

/* Writes prefixes while the message that began at start stays within limit. Returns how many. */
static size_t put_prefixes(struct buf *out, size_t start, size_t limit,
                           const struct ip_prefix *prefixes, size_t n)
{
	size_t done = 0;

	while (done < n && out->len - start + prefix_size(&prefixes[done]) <= limit) {
		buf_byte(out, prefixes[done].len);
		buf_add(out, prefixes[done].addr.bytes, prefix_size(&prefixes[done]) - 1);
		done++;
	}
	return done;
}

static size_t one_ipv4(struct buf *out, const struct attr_set *set, const struct buf *attrs,
                       const struct ip_prefix *prefixes, size_t n)
{
	size_t at = begin_update(out), done;

	if (!set) {
		size_t len_at = out->len;

		buf_be16(out, 0);
		done = put_prefixes(out, at, BGP_MESSAGE_MAX - 2, prefixes, n);
		put_be16(out, len_at, out->len - len_at - 2);
		buf_be16(out, 0);
	} else {
		buf_be16(out, 0);
		buf_be16(out, (uint16_t)attrs->len);
		buf_add(out, attrs->data, attrs->len);
		done = put_prefixes(out, at, BGP_MESSAGE_MAX, prefixes, n);
	}
	if (done)
		put_be16(out, at + BGP_MARKER_LEN, out->len - at);
	else
		out->len = at;
	return done;
}

static size_t one_mp(struct buf *out, enum bgp_family f, const struct attr_set *set,
                     const struct buf *attrs, const struct ip_prefix *prefixes, size_t n)
{
	size_t at = begin_update(out), attrs_at, mp_at, done, rest = set ? attrs->len : 0;

	buf_be16(out, 0);
	attrs_at = out->len;
	buf_be16(out, 0);
	buf_byte(out, BGP_FLAG_OPTIONAL | BGP_FLAG_EXTENDED);
	buf_byte(out, set ? BGP_MP_REACH : BGP_MP_UNREACH);
	mp_at = out->len;
	buf_be16(out, 0);
	buf_be16(out, bgp_family_afi(f));
	buf_byte(out, BGP_SAFI_UNICAST);
	if (set) {
		unsigned size = ip_addr_bits(&set->next_hop) / 8;
		bool ll = set->link_local.family == AF_INET6;

		buf_byte(out, (uint8_t)(ll ? 2 * size : size));
		buf_add(out, set->next_hop.bytes, size);
		if (ll)
			buf_add(out, set->link_local.bytes, size);
		buf_byte(out, 0);
	}
	done = rest < BGP_MESSAGE_MAX ? put_prefixes(out, at, BGP_MESSAGE_MAX - rest, prefixes, n)
	                              : 0;
	put_be16(out, mp_at, out->len - mp_at - 2);
	if (rest)
		buf_add(out, attrs->data, rest);
	put_be16(out, attrs_at, out->len - attrs_at - 2);
	if (done || n == 0)
		put_be16(out, at + BGP_MARKER_LEN, out->len - at);
	else
		out->len = at;
	return done;
}

size_t wire_build_updates(struct buf *out, enum bgp_family f, const struct attr_set *set,
                          const struct buf *attrs, const struct ip_prefix *prefixes, size_t n)
{
	/* An IPv4 route with an IPv6 next hop (RFC 8950) would go into MP_REACH_NLRI; nobody makes
	 * one yet. */
	while (n) {
		size_t done = f == BGP_IPV4 ? one_ipv4(out, set, attrs, prefixes, n)
		                            : one_mp(out, f, set, attrs, prefixes, n);

		if (!done)
			return n;
		prefixes += done;
		n -= done;
	}
	return 0;
}

void wire_build_end_of_rib(struct buf *out, enum bgp_family f)
{
	size_t at;

	if (f != BGP_IPV4) {
		(void)one_mp(out, f, NULL, NULL, NULL, 0);
		return;
	}
	at = begin_update(out);
	buf_be16(out, 0);
	buf_be16(out, 0);
	put_be16(out, at + BGP_MARKER_LEN, out->len - at);
}
