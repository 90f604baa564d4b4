/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/nl/build.h"

#include <errno.h>
#include <string.h>

struct rt_build rt_begin(uint16_t type, uint16_t flags, const void *header, size_t header_len)
{
	struct rt_build b = { .msg = nlmsg_alloc_size(RT_MSG_BYTES) };

	b.failed = !b.msg || !nlmsg_put(b.msg, 0, 0, type, 0, flags) ||
	           nlmsg_append(b.msg, (void *)(uintptr_t)header, header_len, NLMSG_ALIGNTO) < 0;
	return b;
}

void rt_put(struct rt_build *b, int attr, const void *data, size_t len)
{
	if (!b->failed)
		b->failed = nla_put(b->msg, attr, (int)len, data) < 0;
}

void rt_put_u32(struct rt_build *b, int attr, uint32_t v)
{
	rt_put(b, attr, &v, sizeof(v));
}

void rt_put_str(struct rt_build *b, int attr, const char *s)
{
	rt_put(b, attr, s, strlen(s) + 1);
}

void rt_put_addr(struct rt_build *b, int attr, const struct ip_addr *a)
{
	if (a->family)
		rt_put(b, attr, a->bytes, ip_addr_bits(a) / 8);
}

struct nlattr *rt_nest(struct rt_build *b, int attr)
{
	struct nlattr *nest = b->failed ? NULL : nla_nest_start(b->msg, attr);

	if (!nest)
		b->failed = true;
	return nest;
}

void rt_nest_end(struct rt_build *b, struct nlattr *nest)
{
	if (!b->failed)
		(void)nla_nest_end(b->msg, nest);
}

struct nl_msg *rt_end(struct rt_build *b)
{
	if (b->failed && b->msg) {
		nlmsg_free(b->msg);
		b->msg = NULL;
	}
	return b->msg;
}

/*
 * As nla_parse(), but without its opinions: what cannot be walked ends the walk, and the first of a
 * repeated attribute counts. The kernel's own messages are well formed; what matters here is that
 * nothing is read past the end.
 */
static void collect(const uint8_t *at, size_t left, struct nlattr **tb, int max)
{
	memset(tb, 0, sizeof(*tb) * ((size_t)max + 1));
	while (left >= NLA_HDRLEN) {
		struct nlattr *a = (struct nlattr *)(uintptr_t)at;
		int type = a->nla_type & NLA_TYPE_MASK;
		size_t step = NLA_ALIGN((size_t)a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > left)
			return;
		if (type <= max && !tb[type])
			tb[type] = a;
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
}

int rt_open(const struct nlmsghdr *h, uint16_t type_new, uint16_t type_del, void *header,
            size_t header_len, struct nlattr **tb, int max, bool *ret_deleted)
{
	const uint8_t *body = (const uint8_t *)h + NLMSG_HDRLEN;
	size_t len, skip = NLMSG_ALIGN(header_len);

	if (h->nlmsg_type != type_new && h->nlmsg_type != type_del)
		return -ENOMSG;
	if (h->nlmsg_len < NLMSG_HDRLEN + header_len)
		return -EINVAL;
	len = h->nlmsg_len - NLMSG_HDRLEN;
	memcpy(header, body, header_len);
	collect(body + skip, len > skip ? len - skip : 0, tb, max);
	*ret_deleted = h->nlmsg_type == type_del;
	return 0;
}

int rt_open_nested(struct nlattr *nest, struct nlattr **tb, int max)
{
	if (!nest) {
		memset(tb, 0, sizeof(*tb) * ((size_t)max + 1));
		return -ENOENT;
	}
	collect(nla_data(nest), (size_t)nla_len(nest), tb, max);
	return 0;
}

static bool attr_is(const struct nlattr *a, size_t len)
{
	return a && (size_t)nla_len(a) == len;
}

bool rt_attr_u32(const struct nlattr *a, uint32_t *ret)
{
	if (!attr_is(a, sizeof(*ret)))
		return false;
	memcpy(ret, nla_data(a), sizeof(*ret));
	return true;
}

bool rt_attr_addr(const struct nlattr *a, int family, struct ip_addr *ret)
{
	if (!attr_is(a, family == AF_INET ? 4 : 16))
		return false;
	*ret = ip_addr_from_bytes(family, nla_data(a));
	return true;
}

bool rt_attr_mac(const struct nlattr *a, struct mac_addr *ret)
{
	if (!attr_is(a, sizeof(ret->bytes)))
		return false;
	memcpy(ret->bytes, nla_data(a), sizeof(ret->bytes));
	return true;
}

void rt_attr_str(const struct nlattr *a, char *out, size_t size)
{
	size_t len = a ? strnlen(nla_data(a), (size_t)nla_len(a)) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(out, nla_data(a), len);
	out[len] = '\0';
}
