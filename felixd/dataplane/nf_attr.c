/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/nf_attr.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

void nf_attr_begin(struct buf *out, uint8_t family)
{
	struct nfgenmsg g = { .nfgen_family = family, .version = NFNETLINK_V0 };

	buf_add(out, &g, sizeof(g));
}

void nf_attr_put(struct buf *out, uint16_t type, const void *data, size_t len)
{
	static const uint8_t zeros[NLA_ALIGNTO];
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };

	buf_add(out, &a, sizeof(a));
	if (len)
		buf_add(out, data, len);
	if (NLA_ALIGN(len) > len)
		buf_add(out, zeros, NLA_ALIGN(len) - len);
}

void nf_attr_u8(struct buf *out, uint16_t type, uint8_t v)
{
	nf_attr_put(out, type, &v, sizeof(v));
}

void nf_attr_be16(struct buf *out, uint16_t type, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	nf_attr_put(out, type | NLA_F_NET_BYTEORDER, b, sizeof(b));
}

void nf_attr_be32(struct buf *out, uint16_t type, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	nf_attr_put(out, type | NLA_F_NET_BYTEORDER, b, sizeof(b));
}

void nf_attr_str(struct buf *out, uint16_t type, const char *s)
{
	nf_attr_put(out, type, s, strlen(s) + 1);
}

size_t nf_attr_nest(struct buf *out, uint16_t type)
{
	size_t at = out->len;

	nf_attr_put(out, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nf_attr_nest_end(struct buf *out, size_t nest)
{
	uint16_t len = (uint16_t)(out->len - nest);

	memcpy(out->data + nest + offsetof(struct nlattr, nla_len), &len, sizeof(len));
}

bool nf_attr_next(struct cursor *c, struct nf_attr *ret)
{
	struct cursor at = *c;
	struct nlattr a;
	size_t pad;

	if (!cursor_bytes(&at, &a, sizeof(a)) || a.nla_len < NLA_HDRLEN ||
	    !cursor_sub(&at, a.nla_len - NLA_HDRLEN, &ret->data))
		return false;
	ret->type = a.nla_type & NLA_TYPE_MASK;
	pad = NLA_ALIGN(a.nla_len) - a.nla_len;
	(void)cursor_skip(&at, pad < cursor_left(&at) ? pad : cursor_left(&at));
	*c = at;
	return true;
}

bool nf_attr_get_u8(const struct nf_attr *a, uint8_t *ret)
{
	struct cursor c = a->data;

	return cursor_u8(&c, ret);
}

bool nf_attr_get_be16(const struct nf_attr *a, uint16_t *ret)
{
	struct cursor c = a->data;

	return cursor_be16(&c, ret);
}

bool nf_attr_get_be32(const struct nf_attr *a, uint32_t *ret)
{
	struct cursor c = a->data;

	return cursor_be32(&c, ret);
}

bool nf_attr_get_str(const struct nf_attr *a, char *out, size_t size)
{
	size_t len = strnlen((const char *)a->data.at, cursor_left(&a->data));

	if (len == cursor_left(&a->data) || len >= size)
		return false;
	memcpy(out, a->data.at, len + 1);
	return true;
}

bool nf_attr_get_addr(const struct nf_attr *a, int family, struct ip_addr *ret)
{
	if (cursor_left(&a->data) != (family == AF_INET6 ? 16u : 4u))
		return false;
	*ret = ip_addr_from_bytes(family, a->data.at);
	return true;
}
