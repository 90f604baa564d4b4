/* SPDX-License-Identifier: BSD-2-Clause */
/* The header, OPEN with its capabilities, and the small messages. UPDATE has files of its own. */
#include "bgpd/wire.h"

#include <string.h>

#include "common/base/mem.h"

static void notice_set(struct bgp_notice *n, uint8_t code, uint8_t subcode, const void *data,
                       size_t len)
{
	n->code = code;
	n->subcode = subcode;
	n->len = (uint16_t)(len < sizeof(n->data) ? len : sizeof(n->data));
	if (n->len)
		memcpy(n->data, data, n->len);
}

static const struct {
	uint16_t min, max;
} lengths[] = {
	/* RFC 4271 section 6.1 */
	[BGP_OPEN] = { 29, BGP_MESSAGE_MAX },
	[BGP_UPDATE] = { 23, BGP_MESSAGE_MAX },
	[BGP_NOTIFICATION] = { 21, BGP_MESSAGE_MAX },
	[BGP_KEEPALIVE] = { 19, 19 },
	[BGP_ROUTE_REFRESH] = { 23, 23 },
};

int wire_next(const uint8_t *data, size_t len, struct wire_message *ret,
              struct bgp_notice *ret_notice)
{
	struct cursor c = cursor_of(data, len);
	uint16_t total;
	uint8_t type;

	/* The marker is looked at as far as it came: whoever speaks HTTP is told at once. */
	for (size_t i = 0; i < len && i < BGP_MARKER_LEN; i++)
		if (data[i] != 0xFF) {
			notice_set(ret_notice, BGP_ERR_HEADER, BGP_HEADER_SYNC, NULL, 0);
			return -1;
		}
	if (!cursor_skip(&c, BGP_MARKER_LEN) || !cursor_be16(&c, &total) || !cursor_u8(&c, &type))
		return 0;
	if (type < BGP_OPEN || type > BGP_ROUTE_REFRESH) {
		bool bad_len = total < BGP_HEADER_LEN || total > BGP_MESSAGE_MAX;

		if (bad_len)
			notice_set(ret_notice, BGP_ERR_HEADER, BGP_HEADER_LENGTH,
			           data + BGP_MARKER_LEN, 2);
		else
			notice_set(ret_notice, BGP_ERR_HEADER, BGP_HEADER_TYPE, &type, 1);
		return -1;
	}
	if (total < lengths[type].min || total > lengths[type].max) {
		notice_set(ret_notice, BGP_ERR_HEADER, BGP_HEADER_LENGTH, data + BGP_MARKER_LEN, 2);
		return -1;
	}
	if (!cursor_sub(&c, total - BGP_HEADER_LEN, &ret->body))
		return 0;
	ret->type = type;
	ret->len = total;
	return 1;
}

/* Room for the header; finish_message() writes it once the length is known. */
static size_t begin_message(struct buf *out)
{
	size_t at = out->len;

	(void)buf_extend(out, BGP_HEADER_LEN);
	return at;
}

static void finish_message(struct buf *out, size_t at, uint8_t type)
{
	size_t len = out->len - at;

	memset(out->data + at, 0xFF, BGP_MARKER_LEN);
	out->data[at + 16] = (uint8_t)(len >> 8);
	out->data[at + 17] = (uint8_t)len;
	out->data[at + 18] = type;
}

/* ---- capabilities ---- */

/* Each reads one value. false: malformed. */
static bool cap_mp(struct cursor v, struct wire_open *o)
{
	uint16_t afi;
	uint8_t reserved, safi;
	enum bgp_family f;

	if (!cursor_be16(&v, &afi) || !cursor_u8(&v, &reserved) || !cursor_u8(&v, &safi) ||
	    cursor_left(&v))
		return false;
	if (bgp_family_from(afi, safi, &f))
		o->families |= (uint8_t)(1u << f);
	return true;
}

static bool cap_refresh(struct cursor v, struct wire_open *o)
{
	(void)v; /* RFC 2918 says that it is empty; a longer one is somebody's private business */
	o->refresh = true;
	return true;
}

static bool cap_gr(struct cursor v, struct wire_open *o)
{
	uint16_t flags, afi;
	uint8_t safi, family_flags;
	enum bgp_family f;

	/* RFC 4724 section 3: the last one counts. A length that does not fit makes it void, not
	 * the session. */
	o->gr = o->gr_restarting = false;
	o->gr_families = o->gr_forwarding = 0;
	if (!cursor_be16(&v, &flags) || cursor_left(&v) % 4)
		return true;
	o->gr = true;
	o->gr_restarting = flags & BGP_GR_RESTARTING;
	o->gr_sec = flags & 0x0FFF;
	while (cursor_be16(&v, &afi) && cursor_u8(&v, &safi) && cursor_u8(&v, &family_flags)) {
		if (!bgp_family_from(afi, safi, &f))
			continue;
		o->gr_families |= (uint8_t)(1u << f);
		if (family_flags & BGP_GR_FORWARDING)
			o->gr_forwarding |= (uint8_t)(1u << f);
	}
	return true;
}

static bool cap_as4(struct cursor v, struct wire_open *o)
{
	if (!cursor_be32(&v, &o->as) || cursor_left(&v))
		return false;
	o->as4 = true;
	return true;
}

static const struct {
	uint8_t code;
	bool (*parse)(struct cursor v, struct wire_open *o);
} capabilities[] = {
	{ BGP_CAP_MP, cap_mp },
	{ BGP_CAP_REFRESH, cap_refresh },
	{ BGP_CAP_GR, cap_gr },
	{ BGP_CAP_AS4, cap_as4 },
};

static bool parse_capabilities(struct cursor c, struct wire_open *o)
{
	while (cursor_left(&c)) {
		uint8_t code, len;
		struct cursor value;

		if (!cursor_u8(&c, &code) || !cursor_u8(&c, &len) || !cursor_sub(&c, len, &value))
			return false;
		for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
			if (capabilities[i].code == code && !capabilities[i].parse(value, o))
				return false;
	}
	return true;
}

/* ---- OPEN ---- */

static bool open_error(struct bgp_notice *n, uint8_t subcode, const void *data, size_t len)
{
	notice_set(n, BGP_ERR_OPEN, subcode, data, len);
	return false;
}

bool wire_parse_open(struct cursor c, struct wire_open *o, struct bgp_notice *n)
{
	static const uint8_t our_version[2] = { 0, BGP_VERSION };
	uint8_t version, params_len, param_type, hold_be[2];
	uint16_t as2, wide;
	bool extended = false;
	struct cursor params, value;

	memset(o, 0, sizeof(*o));
	if (!cursor_u8(&c, &version))
		return open_error(n, 0, NULL, 0);
	if (version != BGP_VERSION)
		return open_error(n, BGP_OPEN_VERSION, our_version, 2);
	if (!cursor_be16(&c, &as2) || !cursor_be16(&c, &o->hold_sec) || !cursor_be32(&c, &o->id) ||
	    !cursor_u8(&c, &params_len))
		return open_error(n, 0, NULL, 0);
	o->as = as2;

	/* RFC 9072: 255 and a first parameter of type 255 stand for two-octet lengths. */
	if (params_len == 255 && cursor_left(&c) >= 3 && c.at[0] == 255) {
		extended = true;
		(void)cursor_skip(&c, 1);
		if (!cursor_be16(&c, &wide) || !cursor_sub(&c, wide, &params))
			return open_error(n, 0, NULL, 0);
	} else if (!cursor_sub(&c, params_len, &params)) {
		return open_error(n, 0, NULL, 0);
	}
	if (cursor_left(&c))
		return open_error(n, 0, NULL, 0);

	while (cursor_left(&params)) {
		uint8_t narrow;

		if (!cursor_u8(&params, &param_type))
			return open_error(n, 0, NULL, 0);
		if (extended ? !cursor_be16(&params, &wide) : !cursor_u8(&params, &narrow))
			return open_error(n, 0, NULL, 0);
		if (!cursor_sub(&params, extended ? wide : narrow, &value))
			return open_error(n, 0, NULL, 0);
		if (param_type != 2) /* RFC 5492; type 1, authentication, is long gone */
			return open_error(n, BGP_OPEN_PARAMETER, NULL, 0);
		if (!parse_capabilities(value, o))
			return open_error(n, 0, NULL, 0);
	}
	if (!o->families)
		o->families =
		        1u << BGP_IPV4; /* RFC 4760 section 8: a speaker without the capability */
	if (as2 == 0 || o->as == 0)
		return open_error(n, BGP_OPEN_AS, NULL, 0); /* RFC 7607 */
	if (o->id == 0)
		return open_error(n, BGP_OPEN_ID, NULL, 0); /* RFC 6286 */
	if (o->hold_sec == 1 || o->hold_sec == 2) {
		hold_be[0] = 0;
		hold_be[1] = (uint8_t)o->hold_sec;
		return open_error(n, BGP_OPEN_HOLD, hold_be, 2);
	}
	return true;
}

void wire_build_open(struct buf *out, const struct wire_open *o)
{
	size_t at = begin_message(out), params, caps, gr;

	buf_byte(out, BGP_VERSION);
	buf_be16(out, (uint16_t)(o->as > 0xFFFF ? BGP_AS_TRANS : o->as));
	buf_be16(out, o->hold_sec);
	buf_be32(out, o->id);
	params = out->len;
	buf_byte(out, 0); /* the lengths are filled in below; with what we announce they fit in one
	                     octet */
	buf_byte(out, 2);
	caps = out->len;
	buf_byte(out, 0);
	for (unsigned f = 0; f < BGP_FAMILIES; f++) {
		if (!(o->families & (1u << f)))
			continue;
		buf_byte(out, BGP_CAP_MP);
		buf_byte(out, 4);
		buf_be16(out, bgp_family_afi(f));
		buf_byte(out, 0);
		buf_byte(out, BGP_SAFI_UNICAST);
	}
	if (o->refresh) {
		buf_byte(out, BGP_CAP_REFRESH);
		buf_byte(out, 0);
	}
	if (o->gr) {
		buf_byte(out, BGP_CAP_GR);
		gr = out->len;
		buf_byte(out, 0);
		buf_be16(out, (uint16_t)((o->gr_restarting ? BGP_GR_RESTARTING : 0) |
		                         (o->gr_sec & 0x0FFF)));
		for (unsigned f = 0; f < BGP_FAMILIES; f++) {
			if (!(o->gr_families & (1u << f)))
				continue;
			buf_be16(out, bgp_family_afi(f));
			buf_byte(out, BGP_SAFI_UNICAST);
			buf_byte(out, o->gr_forwarding & (1u << f) ? BGP_GR_FORWARDING : 0);
		}
		out->data[gr] = (uint8_t)(out->len - gr - 1);
	}
	if (o->as4) {
		buf_byte(out, BGP_CAP_AS4);
		buf_byte(out, 4);
		buf_be32(out, o->as);
	}
	out->data[caps] = (uint8_t)(out->len - caps - 1);
	out->data[params] = (uint8_t)(out->len - params - 1);
	finish_message(out, at, BGP_OPEN);
}

/* ---- the small ones ---- */

void wire_build_keepalive(struct buf *out)
{
	finish_message(out, begin_message(out), BGP_KEEPALIVE);
}

void wire_build_notification(struct buf *out, const struct bgp_notice *n)
{
	size_t at = begin_message(out);

	buf_byte(out, n->code);
	buf_byte(out, n->subcode);
	if (n->len)
		buf_add(out, n->data, n->len);
	finish_message(out, at, BGP_NOTIFICATION);
}

bool wire_parse_notification(struct cursor c, struct bgp_notice *ret)
{
	uint8_t code, subcode;

	if (!cursor_u8(&c, &code) || !cursor_u8(&c, &subcode))
		return false;
	notice_set(ret, code, subcode, c.at, cursor_left(&c));
	return true;
}

bool wire_parse_refresh(struct cursor c, enum bgp_family *ret)
{
	uint16_t afi;
	uint8_t subtype, safi;

	/* RFC 7313: a subtype other than 0 is for those who announced the enhanced form, which we
	 * do not. */
	return cursor_be16(&c, &afi) && cursor_u8(&c, &subtype) && cursor_u8(&c, &safi) &&
	       subtype == 0 && bgp_family_from(afi, safi, ret);
}

void wire_build_refresh(struct buf *out, enum bgp_family f)
{
	size_t at = begin_message(out);

	buf_be16(out, bgp_family_afi(f));
	buf_byte(out, 0);
	buf_byte(out, BGP_SAFI_UNICAST);
	finish_message(out, at, BGP_ROUTE_REFRESH);
}
