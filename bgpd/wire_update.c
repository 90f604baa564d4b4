/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parses UPDATE. Errors are graded by RFC 7606: one table has a row per attribute, with its flags,
 * what to do when the flags are wrong, and its parser; the most severe verdict of all wins. Where
 * the prefixes are cannot be lost: their places come from the two length fields of the message, and
 * only an error in those, or in a prefix itself, ends the session.
 */
#include <string.h>

#include "bgpd/wire.h"
#include "common/base/mem.h"

struct parse {
	const struct wire_peer *peer;
	struct wire_update *u;
	struct cursor whole; /* the attribute at hand, with its header: RFC 4271 section 6.3 */
	size_t scratch_used;
	uint8_t seen[32];           /* a bit per attribute type */
	struct attr_bytes as4_path; /* RFC 6793, joined with AS_PATH at the end */
	uint32_t as4_aggregator_as, as4_aggregator_id;
	bool has_as4_aggregator;
	bool has_mp_reach, has_mp_unreach;
	size_t unknown_len;
	uint8_t *unknown;
};

static bool seen(const struct parse *p, uint8_t type)
{
	return p->seen[type / 8] & (1u << (type % 8));
}

static uint8_t *scratch(struct parse *p, size_t len)
{
	uint8_t *at = p->u->scratch + p->scratch_used;

	if (len > sizeof(p->u->scratch) - p->scratch_used)
		return NULL;
	p->scratch_used += len;
	return at;
}

static enum bgp_verdict reset(struct parse *p, uint8_t subcode, const void *data, size_t len)
{
	struct bgp_notice *n = &p->u->notice;

	if (n->code)
		return BGP_RESET; /* the first reason is the one told */
	n->code = BGP_ERR_UPDATE;
	n->subcode = subcode;
	n->len = (uint16_t)(len < sizeof(n->data) ? len : sizeof(n->data));
	if (n->len)
		memcpy(n->data, data, n->len);
	return BGP_RESET;
}

/* ---- prefixes ---- */

static bool check_prefixes(struct cursor list, enum bgp_family f)
{
	unsigned max = f == BGP_IPV4 ? 32 : 128;
	uint8_t len;

	while (cursor_left(&list))
		if (!cursor_u8(&list, &len) || len > max || !cursor_skip(&list, (len + 7u) / 8))
			return false;
	return true;
}

bool wire_prefix(struct cursor *list, enum bgp_family f, struct ip_prefix *ret)
{
	struct ip_prefix p = { .addr = { .family = (uint8_t)bgp_family_af(f) } };

	if (!cursor_u8(list, &p.len) || p.len > (f == BGP_IPV4 ? 32 : 128) ||
	    !cursor_bytes(list, p.addr.bytes, (p.len + 7u) / 8))
		return false;
	if (p.len % 8)
		p.addr.bytes[p.len / 8] &= (uint8_t)(0xFF00u >> (p.len % 8));
	*ret = p;
	return true;
}

bool wire_prefix_is_martian(const struct ip_prefix *p)
{
	const uint8_t *b = p->addr.bytes;

	if (p->addr.family == AF_INET)
		return (p->len >= 4 && (b[0] & 0xF0) == 0xE0) || (p->len >= 8 && b[0] == 127);
	if (p->len >= 8 && b[0] == 0xFF)
		return true;
	if (p->len >= 10 && b[0] == 0xFE && (b[1] & 0xC0) == 0x80)
		return true;
	if (p->len < 128)
		return false;
	for (int i = 0; i < 15; i++)
		if (b[i])
			return false;
	return b[15] <= 1; /* ::, ::1 */
}

/* RFC 4271 section 6.3: a unicast address of a host. 240.0.0.0/4 passes: upstream's clusters use
 * it. */
static bool next_hop_ok(const struct ip_addr *a)
{
	struct ip_prefix host = ip_prefix_host(a);

	if (a->family == AF_INET)
		return a->bytes[0] != 0 && !wire_prefix_is_martian(&host);
	return a->bytes[0] != 0xFF && (!wire_prefix_is_martian(&host) || a->bytes[0] == 0xFE);
}

/* ---- attributes ---- */

static enum bgp_verdict parse_origin(struct cursor v, struct parse *p)
{
	uint8_t origin;

	if (!cursor_u8(&v, &origin) || cursor_left(&v) || origin > BGP_ORIGIN_INCOMPLETE)
		return BGP_WITHDRAW; /* RFC 7606 section 7.1 */
	p->u->set.origin = origin;
	return BGP_ACCEPT;
}

/*
 * Checks a path of AS numbers of the given width and copies it, four octets each, to ret. confed:
 * drop confederation segments (AS4_PATH) instead of refusing them: we are in no confederation, so
 * none may come from anyone.
 */
static bool copy_path(struct parse *p, struct cursor v, unsigned width, bool drop_confed,
                      struct attr_bytes *ret)
{
	uint8_t *start = p->u->scratch + p->scratch_used;
	size_t used = 0;

	while (cursor_left(&v)) {
		uint8_t type, n, *to;
		struct cursor as;

		if (!cursor_u8(&v, &type) || !cursor_u8(&v, &n) || n == 0 ||
		    !cursor_sub(&v, n * width, &as))
			return false;
		if (type < BGP_AS_SET || type > BGP_AS_CONFED_SET)
			return false;
		if (type >= BGP_AS_CONFED_SEQUENCE) {
			if (!drop_confed)
				return false; /* RFC 5065 section 5 */
			continue;
		}
		to = scratch(p, 2 + 4u * n);
		if (!to)
			return false;
		used += 2 + 4u * n;
		*to++ = type;
		*to++ = n;
		while (cursor_left(&as)) {
			uint16_t as2 = 0;
			uint32_t number = 0;

			if (width == 2) {
				(void)cursor_be16(&as, &as2);
				number = as2;
			} else {
				(void)cursor_be32(&as, &number);
			}
			if (number == 0)
				return false; /* RFC 7607 */
			*to++ = (uint8_t)(number >> 24);
			*to++ = (uint8_t)(number >> 16);
			*to++ = (uint8_t)(number >> 8);
			*to++ = (uint8_t)number;
		}
	}
	ret->p = used ? start : NULL;
	ret->len = (uint16_t)used;
	return true;
}

static enum bgp_verdict parse_as_path(struct cursor v, struct parse *p)
{
	if (!copy_path(p, v, p->peer->as4 ? 4 : 2, false, &p->u->set.as_path))
		return BGP_WITHDRAW; /* RFC 7606 section 7.2 */
	/* RFC 4271 section 6.3: an external peer is the first AS of its paths. An empty path is no
	 * path of an external peer either. */
	if (!p->peer->internal && p->peer->as4 &&
	    attr_path_first(&p->u->set.as_path) != p->peer->remote_as)
		return BGP_WITHDRAW;
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_as4_path(struct cursor v, struct parse *p)
{
	if (p->peer->as4 || !copy_path(p, v, 4, true, &p->as4_path)) {
		p->as4_path = (struct attr_bytes){ 0 };
		return BGP_DISCARD; /* RFC 6793 sections 4.1 and 6 */
	}
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_next_hop(struct cursor v, struct parse *p)
{
	struct ip_addr a = { .family = AF_INET };

	if (!cursor_bytes(&v, a.bytes, 4) || cursor_left(&v) || !next_hop_ok(&a))
		return BGP_WITHDRAW; /* RFC 7606 section 7.3 */
	p->u->set.next_hop = a;
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_u32(struct cursor v, uint32_t *ret, uint8_t *has, uint8_t bit)
{
	if (cursor_left(&v) != 4)
		return BGP_WITHDRAW;
	(void)cursor_be32(&v, ret);
	*has |= bit;
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_med(struct cursor v, struct parse *p)
{
	return parse_u32(v, &p->u->set.med, &p->u->set.has, ATTR_HAS_MED);
}

static enum bgp_verdict parse_local_pref(struct cursor v, struct parse *p)
{
	if (!p->peer->internal)
		return BGP_DISCARD; /* RFC 7606 section 7.5 */
	return parse_u32(v, &p->u->set.local_pref, &p->u->set.has, ATTR_HAS_LOCAL_PREF);
}

static enum bgp_verdict parse_atomic(struct cursor v, struct parse *p)
{
	if (cursor_left(&v))
		return BGP_DISCARD;
	p->u->set.has |= ATTR_ATOMIC;
	return BGP_ACCEPT;
}

static bool read_aggregator(struct cursor v, bool as4, uint32_t *as, uint32_t *id)
{
	uint16_t as2;

	if (cursor_left(&v) != (as4 ? 8 : 6))
		return false;
	if (as4) {
		(void)cursor_be32(&v, as);
	} else {
		(void)cursor_be16(&v, &as2);
		*as = as2;
	}
	(void)cursor_be32(&v, id);
	return *as != 0; /* RFC 7607 */
}

static enum bgp_verdict parse_aggregator(struct cursor v, struct parse *p)
{
	if (!read_aggregator(v, p->peer->as4, &p->u->set.aggregator_as, &p->u->set.aggregator_id)) {
		p->u->set.aggregator_as = p->u->set.aggregator_id = 0;
		return BGP_DISCARD; /* RFC 7606 section 7.7 */
	}
	p->u->set.has |= ATTR_HAS_AGGREGATOR;
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_as4_aggregator(struct cursor v, struct parse *p)
{
	if (p->peer->as4 || !read_aggregator(v, true, &p->as4_aggregator_as, &p->as4_aggregator_id))
		return BGP_DISCARD;
	p->has_as4_aggregator = true;
	return BGP_ACCEPT;
}

/* A list of items of one size, at least one. */
static enum bgp_verdict parse_list(struct cursor v, size_t item, struct attr_bytes *ret)
{
	size_t len = cursor_left(&v);

	if (len == 0 || len % item)
		return BGP_WITHDRAW;
	ret->p = v.at;
	ret->len = (uint16_t)len;
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_communities(struct cursor v, struct parse *p)
{
	return parse_list(v, 4, &p->u->set.communities); /* RFC 7606 section 7.8 */
}

static enum bgp_verdict parse_ext(struct cursor v, struct parse *p)
{
	return parse_list(v, 8, &p->u->set.ext); /* section 7.14 */
}

static enum bgp_verdict parse_ext6(struct cursor v, struct parse *p)
{
	return parse_list(v, 20, &p->u->set.ext6); /* section 7.15 */
}

static enum bgp_verdict parse_large(struct cursor v, struct parse *p)
{
	return parse_list(v, 12, &p->u->set.large); /* RFC 8092 section 6 */
}

static enum bgp_verdict parse_originator(struct cursor v, struct parse *p)
{
	if (!p->peer->internal)
		return BGP_DISCARD; /* RFC 7606 section 7.9 */
	return parse_u32(v, &p->u->set.originator_id, &p->u->set.has, ATTR_HAS_ORIGINATOR);
}

static enum bgp_verdict parse_clusters(struct cursor v, struct parse *p)
{
	if (!p->peer->internal)
		return BGP_DISCARD; /* RFC 7606 section 7.10 */
	return parse_list(v, 4, &p->u->set.clusters);
}

static enum bgp_verdict parse_mp_reach(struct cursor v, struct parse *p)
{
	struct cursor nh, list;
	uint16_t afi;
	uint8_t safi, nh_len, reserved;
	enum bgp_family f;
	size_t size;

	if (!cursor_be16(&v, &afi) || !cursor_u8(&v, &safi))
		return reset(p, BGP_UPDATE_OPTIONAL, p->whole.at, cursor_left(&p->whole));
	if (!bgp_family_from(afi, safi, &f) || !(p->peer->families & (1u << f)))
		return BGP_DISCARD; /* not negotiated */
	size = f == BGP_IPV4 ? 4 : 16;
	if (!cursor_u8(&v, &nh_len) || !cursor_sub(&v, nh_len, &nh) || !cursor_u8(&v, &reserved) ||
	    (nh_len != size && !(f == BGP_IPV6 && nh_len == 32)))
		return reset(p, BGP_UPDATE_OPTIONAL, p->whole.at,
		             cursor_left(&p->whole)); /* RFC 7606 section 7.11 */
	list = v;
	if (!check_prefixes(list, f))
		return reset(p, BGP_UPDATE_NETWORK, NULL, 0);
	p->has_mp_reach = true;
	p->u->mp_reach = list;
	p->u->mp_family = f;
	p->u->mp_next_hop = ip_addr_from_bytes(bgp_family_af(f), nh.at);
	if (nh_len == 32) { /* RFC 2545 section 3; some send an empty second half */
		struct ip_addr ll = ip_addr_from_bytes(AF_INET6, nh.at + 16);

		if (ll.bytes[0] == 0xFE && (ll.bytes[1] & 0xC0) == 0x80)
			p->u->mp_link_local = ll;
	}
	return next_hop_ok(&p->u->mp_next_hop) ? BGP_ACCEPT : BGP_WITHDRAW;
}

static enum bgp_verdict parse_mp_unreach(struct cursor v, struct parse *p)
{
	uint16_t afi;
	uint8_t safi;
	enum bgp_family f;

	if (!cursor_be16(&v, &afi) || !cursor_u8(&v, &safi))
		return reset(p, BGP_UPDATE_OPTIONAL, p->whole.at, cursor_left(&p->whole));
	if (!bgp_family_from(afi, safi, &f) || !(p->peer->families & (1u << f)))
		return BGP_DISCARD;
	if (!check_prefixes(v, f))
		return reset(p, BGP_UPDATE_NETWORK, NULL, 0);
	p->has_mp_unreach = true;
	p->u->mp_unreach = v;
	p->u->mp_unreach_family = f;
	return BGP_ACCEPT;
}

/* Copies an attribute that we do not understand but pass on, with its header and the Partial bit:
 * RFC 4271 section 9. */
static enum bgp_verdict keep_unknown(struct parse *p, uint8_t flags, uint8_t type, struct cursor v)
{
	size_t len = cursor_left(&v), whole = len + (len > 255 ? 4 : 3);
	uint8_t *to = scratch(p, whole);

	if (!to)
		return BGP_WITHDRAW; /* cannot be: scratch is larger than a message */
	/* Two unknown attributes are neighbours in scratch unless an AS_PATH came between: then
	 * move the earlier ones. */
	if (p->unknown && p->unknown + p->unknown_len != to) {
		uint8_t *again = scratch(p, p->unknown_len);

		if (!again)
			return BGP_WITHDRAW;
		memmove(to, p->unknown, p->unknown_len);
		p->unknown = to;
		to += p->unknown_len;
	}
	if (!p->unknown)
		p->unknown = to;
	p->unknown_len += whole;
	flags = (uint8_t)((flags | BGP_FLAG_PARTIAL) & ~(BGP_FLAG_EXTENDED | 0x0Fu));
	*to++ = (uint8_t)(flags | (len > 255 ? BGP_FLAG_EXTENDED : 0));
	*to++ = type;
	if (len > 255)
		*to++ = (uint8_t)(len >> 8);
	*to++ = (uint8_t)len;
	if (len)
		memcpy(to, v.at, len);
	return BGP_ACCEPT;
}

static enum bgp_verdict parse_otc(struct cursor v, struct parse *p)
{
	/* RFC 9234 section 5: not ours to use without roles, but its length is known, and it is
	 * passed on as it came. */
	if (cursor_left(&v) != 4)
		return BGP_WITHDRAW;
	return keep_unknown(p, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_OTC, v);
}

#define WK BGP_FLAG_TRANSITIVE                       /* well-known */
#define ON BGP_FLAG_OPTIONAL                         /* optional non-transitive */
#define OT (BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE) /* optional transitive */

/* clang-format off */
static const struct attr_kind {
	uint8_t type, flags;
	enum bgp_verdict wrong_flags;
	const char *name;
	enum bgp_verdict (*parse)(struct cursor value, struct parse *p);
} kinds[] = {
	{ BGP_ORIGIN,            WK, BGP_WITHDRAW, "ORIGIN",                    parse_origin },
	{ BGP_AS_PATH,           WK, BGP_WITHDRAW, "AS_PATH",                   parse_as_path },
	{ BGP_NEXT_HOP,          WK, BGP_WITHDRAW, "NEXT_HOP",                  parse_next_hop },
	{ BGP_MED,               ON, BGP_WITHDRAW, "MULTI_EXIT_DISC",           parse_med },
	{ BGP_LOCAL_PREF,        WK, BGP_WITHDRAW, "LOCAL_PREF",                parse_local_pref },
	{ BGP_ATOMIC_AGGREGATE,  WK, BGP_DISCARD,  "ATOMIC_AGGREGATE",          parse_atomic },
	{ BGP_AGGREGATOR,        OT, BGP_DISCARD,  "AGGREGATOR",                parse_aggregator },
	{ BGP_COMMUNITIES,       OT, BGP_WITHDRAW, "COMMUNITIES",               parse_communities },
	{ BGP_ORIGINATOR_ID,     ON, BGP_WITHDRAW, "ORIGINATOR_ID",             parse_originator },
	{ BGP_CLUSTER_LIST,      ON, BGP_WITHDRAW, "CLUSTER_LIST",              parse_clusters },
	{ BGP_MP_REACH,          ON, BGP_WITHDRAW, "MP_REACH_NLRI",             parse_mp_reach },
	{ BGP_MP_UNREACH,        ON, BGP_WITHDRAW, "MP_UNREACH_NLRI",           parse_mp_unreach },
	{ BGP_EXT_COMMUNITIES,   OT, BGP_WITHDRAW, "EXTENDED_COMMUNITIES",      parse_ext },
	{ BGP_AS4_PATH,          OT, BGP_DISCARD,  "AS4_PATH",                  parse_as4_path },
	{ BGP_AS4_AGGREGATOR,    OT, BGP_DISCARD,  "AS4_AGGREGATOR",            parse_as4_aggregator },
	{ BGP_EXT6_COMMUNITIES,  OT, BGP_WITHDRAW, "IPV6_EXTENDED_COMMUNITIES", parse_ext6 },
	{ BGP_LARGE_COMMUNITIES, OT, BGP_WITHDRAW, "LARGE_COMMUNITIES",         parse_large },
	{ BGP_OTC,               OT, BGP_WITHDRAW, "ONLY_TO_CUSTOMER",          parse_otc },
};
/* clang-format on */

static const struct attr_kind *kind_of(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

static bool flags_ok(const struct attr_kind *k, uint8_t flags)
{
	if ((flags & OT) != k->flags)
		return false;
	/* RFC 4271 section 4.3: Partial is for optional transitive attributes. */
	return k->flags == OT || !(flags & BGP_FLAG_PARTIAL);
}

static enum bgp_verdict parse_attr(struct parse *p, uint8_t flags, uint8_t type, struct cursor v,
                                   const uint8_t *whole)
{
	const struct attr_kind *k = kind_of(type);
	enum bgp_verdict verdict;

	p->whole = cursor_of(whole, (size_t)(v.end - whole));
	if (seen(p, type)) {
		if (type == BGP_MP_REACH || type == BGP_MP_UNREACH)
			return reset(p, BGP_UPDATE_LIST, NULL, 0);
		return BGP_DISCARD; /* RFC 7606 section 3 g): the first one counts */
	}
	p->seen[type / 8] |= (uint8_t)(1u << (type % 8));
	if (!k) {
		if (!(flags & BGP_FLAG_OPTIONAL))
			return reset(p, BGP_UPDATE_WELL_KNOWN, whole, (size_t)(v.end - whole));
		return flags & BGP_FLAG_TRANSITIVE ? keep_unknown(p, flags, type, v) : BGP_ACCEPT;
	}
	if (!flags_ok(k, flags)) {
		/* The prefixes that MP_* carries are withdrawn too, so they are looked for all the
		 * same. */
		verdict = type == BGP_MP_REACH || type == BGP_MP_UNREACH ? k->parse(v, p)
		                                                         : BGP_ACCEPT;
		verdict = verdict > k->wrong_flags ? verdict : k->wrong_flags;
	} else {
		verdict = k->parse(v, p);
	}
	return verdict;
}

static void judge(struct parse *p, enum bgp_verdict v, uint8_t type, const char *why)
{
	if (v == BGP_DISCARD)
		p->u->discarded++;
	if (v > p->u->verdict) {
		p->u->verdict = v;
		p->u->attr = type;
		p->u->why = why;
	}
}

static void parse_attrs(struct parse *p, struct cursor c)
{
	while (cursor_left(&c)) {
		const uint8_t *whole = c.at;
		const struct attr_kind *k;
		uint8_t flags, type, short_len;
		uint16_t len;
		struct cursor value;

		if (!cursor_u8(&c, &flags) || !cursor_u8(&c, &type)) {
			judge(p, BGP_WITHDRAW, 0, "octets left over behind the last attribute");
			return;
		}
		if (flags & BGP_FLAG_EXTENDED) {
			if (!cursor_be16(&c, &len)) {
				judge(p, BGP_WITHDRAW, type, "attribute without a length");
				return;
			}
		} else {
			if (!cursor_u8(&c, &short_len)) {
				judge(p, BGP_WITHDRAW, type, "attribute without a length");
				return;
			}
			len = short_len;
		}
		if (!cursor_sub(&c, len, &value)) {
			judge(p, BGP_WITHDRAW, type,
			      "attribute longer than the attribute list"); /* RFC 7606 section 4 */
			return;
		}
		k = kind_of(type);
		judge(p, parse_attr(p, flags, type, value, whole), type,
		      k ? k->name : "unknown attribute");
	}
}

/* RFC 6793 section 4.2.3: the AS numbers that a two-octet speaker could not write are in AS4_PATH.
 */
static void join_as4(struct parse *p)
{
	struct attr_set *s = &p->u->set;
	struct cursor path, as;
	unsigned have, want, lead;
	uint8_t type, n, *to;
	size_t used;

	if (p->peer->as4)
		return;
	if ((s->has & ATTR_HAS_AGGREGATOR) && p->has_as4_aggregator) {
		if (s->aggregator_as != BGP_AS_TRANS)
			return; /* an old speaker aggregated on the way: both AS4 attributes are out
			           of date */
		s->aggregator_as = p->as4_aggregator_as;
		s->aggregator_id = p->as4_aggregator_id;
	}
	if (!p->as4_path.len)
		return;
	have = attr_path_len(&s->as_path);
	want = attr_path_len(&p->as4_path);
	if (want > have)
		return;
	/* The leading have - want numbers of AS_PATH, then all of AS4_PATH. */
	lead = have - want;
	to = scratch(p, s->as_path.len + p->as4_path.len);
	if (!to)
		return;
	used = 0;
	path = attr_cursor(&s->as_path);
	while (lead && cursor_u8(&path, &type) && cursor_u8(&path, &n) &&
	       cursor_sub(&path, n * 4u, &as)) {
		unsigned take = type == BGP_AS_SET ? n : (n < lead ? n : lead);

		to[used++] = type;
		to[used++] = (uint8_t)take;
		memcpy(to + used, as.at, take * 4u);
		used += take * 4u;
		lead -= type == BGP_AS_SET ? 1 : take;
	}
	memcpy(to + used, p->as4_path.p, p->as4_path.len);
	s->as_path.p = to;
	s->as_path.len = (uint16_t)(used + p->as4_path.len);
}

static void check_mandatory(struct parse *p)
{
	static const uint8_t always[] = { BGP_ORIGIN, BGP_AS_PATH };

	for (size_t i = 0; i < sizeof(always); i++)
		if (!seen(p, always[i]))
			judge(p, BGP_WITHDRAW, always[i],
			      "well-known attribute is missing"); /* RFC 7606 section 3 d) */
	if (cursor_left(&p->u->nlri) && !seen(p, BGP_NEXT_HOP))
		judge(p, BGP_WITHDRAW, BGP_NEXT_HOP, "NEXT_HOP is missing");
	if (p->peer->internal && !seen(p, BGP_LOCAL_PREF))
		judge(p, BGP_WITHDRAW, BGP_LOCAL_PREF, "LOCAL_PREF is missing");
	/* What parse_as_path() could not ask before AS4_PATH was known. */
	if (!p->peer->internal && !p->peer->as4 && seen(p, BGP_AS_PATH) &&
	    attr_path_first(&p->u->set.as_path) != p->peer->remote_as)
		judge(p, BGP_WITHDRAW, BGP_AS_PATH, "AS_PATH does not begin with the peer's AS");
}

void wire_parse_update(struct cursor c, const struct wire_peer *peer, struct wire_update *u)
{
	static const uint8_t nothing[1];
	struct parse p = { .peer = peer, .u = u };
	struct cursor attrs;
	uint16_t len;

	memset(u, 0, offsetof(struct wire_update, scratch));
	u->withdrawn = u->nlri = u->mp_reach = u->mp_unreach = cursor_of(nothing, 0);
	u->end_of_rib = -1;

	if (!cursor_be16(&c, &len) || !cursor_sub(&c, len, &u->withdrawn)) {
		judge(&p, reset(&p, BGP_UPDATE_LIST, NULL, 0), 0,
		      "withdrawn routes do not fit in the message");
		return;
	}
	if (!cursor_be16(&c, &len) || !cursor_sub(&c, len, &attrs)) {
		judge(&p, reset(&p, BGP_UPDATE_LIST, NULL, 0), 0,
		      "attributes do not fit in the message");
		return;
	}
	u->nlri = c;
	if (!check_prefixes(u->withdrawn, BGP_IPV4) || !check_prefixes(u->nlri, BGP_IPV4)) {
		judge(&p, reset(&p, BGP_UPDATE_NETWORK, NULL, 0), 0, "a prefix is malformed");
		return;
	}
	if (!(peer->families & (1u << BGP_IPV4)))
		u->withdrawn = u->nlri = cursor_of(nothing, 0);

	parse_attrs(&p, attrs);
	if (p.unknown) {
		u->set.unknown.p = p.unknown;
		u->set.unknown.len = (uint16_t)p.unknown_len;
	}
	if (u->verdict == BGP_RESET)
		return;
	if (cursor_left(&u->nlri) || cursor_left(&u->mp_reach)) {
		join_as4(&p);
		check_mandatory(&p);
		u->has_attrs = u->verdict < BGP_WITHDRAW;
	} else if (!cursor_left(&u->withdrawn) && !cursor_left(&u->mp_unreach) &&
	           u->verdict == BGP_ACCEPT) {
		/* RFC 4724 section 2 */
		if (cursor_left(&attrs) == 0 && (peer->families & (1u << BGP_IPV4)))
			u->end_of_rib = BGP_IPV4;
		else if (p.has_mp_unreach && !p.has_mp_reach)
			u->end_of_rib = (int)u->mp_unreach_family;
	}
}
