/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/nl/build.h"
#include "common/nl/rt.h"

/* A gateway of the other family (RFC 5549): struct rtvia, a family and its bytes. */
static void parse_via(const struct nlattr *a, struct ip_addr *ret)
{
	uint16_t family;
	const uint8_t *at;

	if (!a || (size_t)nla_len(a) < sizeof(family))
		return;
	at = nla_data(a);
	memcpy(&family, at, sizeof(family));
	if ((family == AF_INET && nla_len(a) == 2 + 4) ||
	    (family == AF_INET6 && nla_len(a) == 2 + 16))
		*ret = ip_addr_from_bytes(family, at + sizeof(family));
}

/* The first next hop of several. */
static int parse_multipath(const struct nlattr *a, int family, struct rt_route *r)
{
	struct nlattr *tb[RTA_VIA + 1];
	struct rtnexthop nh;
	const uint8_t *at = nla_data(a);
	size_t len = (size_t)nla_len(a);
	struct nlattr *attrs;
	uint8_t copy[512] __attribute__((aligned(4)));

	if (len < sizeof(nh))
		return -EINVAL;
	memcpy(&nh, at, sizeof(nh));
	if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > len)
		return -EINVAL;
	r->multipath = len > RTNH_ALIGN((size_t)nh.rtnh_len);
	r->ifindex = nh.rtnh_ifindex;
	if (nh.rtnh_flags & RTNH_F_ONLINK)
		r->onlink = true;
	/* The next hop's attributes are made to look like the inside of an attribute. */
	len = nh.rtnh_len - sizeof(nh);
	if (len > sizeof(copy) - NLA_HDRLEN)
		return -EINVAL;
	attrs = (struct nlattr *)(void *)copy;
	attrs->nla_len = (uint16_t)(NLA_HDRLEN + len);
	attrs->nla_type = 0;
	memcpy(copy + NLA_HDRLEN, at + sizeof(nh), len);
	(void)rt_open_nested(attrs, tb, RTA_VIA);
	if (!rt_attr_addr(tb[RTA_GATEWAY], family, &r->via))
		parse_via(tb[RTA_VIA], &r->via);
	return 0;
}

int rt_route_parse(const struct nlmsghdr *h, struct rt_route *ret)
{
	struct nlattr *tb[RTA_VIA + 1];
	struct rtmsg m;
	struct rt_route r = { 0 };
	uint32_t ifindex = 0;
	int code;

	code = rt_open(h, RTM_NEWROUTE, RTM_DELROUTE, &m, sizeof(m), tb, RTA_VIA, &r.deleted);
	if (code < 0)
		return code;
	if ((m.rtm_family != AF_INET && m.rtm_family != AF_INET6) || (m.rtm_flags & RTM_F_CLONED))
		return -ENOMSG;

	r.dst.addr.family = m.rtm_family; /* the default route has no RTA_DST */
	if (tb[RTA_DST] && !rt_attr_addr(tb[RTA_DST], m.rtm_family, &r.dst.addr))
		return -EINVAL;
	r.dst.len = m.rtm_dst_len;
	if (r.dst.len > ip_addr_bits(&r.dst.addr) || (r.dst.len > 0 && !tb[RTA_DST]))
		return -EINVAL;
	r.dst = ip_prefix_network(&r.dst);
	r.type = m.rtm_type;
	r.scope = m.rtm_scope;
	r.protocol = m.rtm_protocol;
	r.table = m.rtm_table;
	r.onlink = m.rtm_flags & RTNH_F_ONLINK;
	(void)rt_attr_u32(tb[RTA_TABLE], &r.table);
	(void)rt_attr_u32(tb[RTA_PRIORITY], &r.priority);
	(void)rt_attr_addr(tb[RTA_PREFSRC], m.rtm_family, &r.prefsrc);
	if (rt_attr_u32(tb[RTA_OIF], &ifindex) && ifindex <= INT32_MAX)
		r.ifindex = (int)ifindex;
	if (!rt_attr_addr(tb[RTA_GATEWAY], m.rtm_family, &r.via))
		parse_via(tb[RTA_VIA], &r.via);
	if (tb[RTA_MULTIPATH] && (code = parse_multipath(tb[RTA_MULTIPATH], m.rtm_family, &r)) < 0)
		return code;
	*ret = r;
	return 0;
}

static uint8_t short_table(uint32_t table)
{
	return table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
}

struct nl_msg *rt_route_dump(int family, uint32_t table, uint8_t protocol)
{
	struct rtmsg m = {
		.rtm_family = (uint8_t)family,
		.rtm_table = short_table(table),
		.rtm_protocol = protocol,
	};
	struct rt_build b = rt_begin(RTM_GETROUTE, 0, &m, sizeof(m));

	if (table)
		rt_put_u32(&b, RTA_TABLE, table);
	return rt_end(&b);
}

static void put_via(struct rt_build *b, const struct rt_route *r)
{
	uint8_t via[2 + 16];
	uint16_t family = r->via.family;

	if (!r->via.family)
		return;
	if (r->via.family == r->dst.addr.family) {
		rt_put_addr(b, RTA_GATEWAY, &r->via);
		return;
	}
	memcpy(via, &family, sizeof(family));
	memcpy(via + sizeof(family), r->via.bytes, ip_addr_bits(&r->via) / 8);
	rt_put(b, RTA_VIA, via, sizeof(family) + ip_addr_bits(&r->via) / 8);
}

static struct nl_msg *route_msg(const struct rt_route *r, uint16_t type, uint16_t flags)
{
	struct rtmsg m = {
		.rtm_family = r->dst.addr.family,
		.rtm_dst_len = r->dst.len,
		.rtm_table = short_table(r->table),
		.rtm_protocol = r->protocol,
		.rtm_scope = r->scope,
		.rtm_type = r->type,
		.rtm_flags = r->onlink ? RTNH_F_ONLINK : 0,
	};
	struct rt_build b = rt_begin(type, flags, &m, sizeof(m));

	if (r->dst.len)
		rt_put_addr(&b, RTA_DST, &r->dst.addr);
	if (r->table)
		rt_put_u32(&b, RTA_TABLE, r->table);
	if (r->ifindex)
		rt_put_u32(&b, RTA_OIF, (uint32_t)r->ifindex);
	put_via(&b, r);
	rt_put_addr(&b, RTA_PREFSRC, &r->prefsrc);
	if (r->priority)
		rt_put_u32(&b, RTA_PRIORITY, r->priority);
	return rt_end(&b);
}

struct nl_msg *rt_route_add(const struct rt_route *r, bool replace)
{
	return route_msg(r, RTM_NEWROUTE, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL));
}

struct nl_msg *rt_route_delete(const struct rt_route *r)
{
	return route_msg(r, RTM_DELROUTE, 0);
}

/* Numbers with iproute2's names. */
struct name {
	unsigned number;
	const char *name;
};

static const struct name types[] = {
	{ RTN_LOCAL, "local " },         { RTN_BROADCAST, "broadcast " },
	{ RTN_ANYCAST, "anycast " },     { RTN_MULTICAST, "multicast " },
	{ RTN_BLACKHOLE, "blackhole " }, { RTN_UNREACHABLE, "unreachable " },
	{ RTN_PROHIBIT, "prohibit " },   { RTN_THROW, "throw " },
};
static const struct name protocols[] = {
	{ RTPROT_REDIRECT, "redirect" }, { RTPROT_KERNEL, "kernel" }, { RTPROT_BOOT, "boot" },
	{ RTPROT_STATIC, "static" },     { RTPROT_RA, "ra" },         { RTPROT_BIRD, "bird" },
	{ RTPROT_DHCP, "dhcp" },
};
static const struct name scopes[] = {
	{ RT_SCOPE_SITE, "site" },
	{ RT_SCOPE_LINK, "link" },
	{ RT_SCOPE_HOST, "host" },
	{ RT_SCOPE_NOWHERE, "nowhere" },
};
static const struct name tables[] = { { RT_TABLE_LOCAL, "local" },
	                              { RT_TABLE_DEFAULT, "default" } };

static const char *name_of(const struct name *names, size_t n, unsigned number, char out[12])
{
	for (size_t i = 0; i < n; i++)
		if (names[i].number == number)
			return names[i].name;
	(void)snprintf(out, 12, "%u", number);
	return out;
}

const char *rt_route_str(const struct rt_route *r, char *out, size_t size)
{
	char num[12], text[IP_PREFIX_STR_MAX];
	FILE *f = fmemopen(out, size, "w");

	if (!f)
		return "?";
	setbuf(f, NULL);
	if (r->type != RTN_UNICAST && r->type != RTN_UNSPEC)
		fputs(name_of(types, ARRAY_SIZE(types), r->type, num), f);
	if (r->dst.len == 0)
		fputs("default", f);
	else if (r->dst.len == ip_addr_bits(&r->dst.addr))
		fputs(ip_addr_str(&r->dst.addr, text), f);
	else
		fputs(ip_prefix_str(&r->dst, text), f);
	if (r->via.family)
		fprintf(f, " via %s%s", r->via.family == r->dst.addr.family ? "" : "inet6 ",
		        ip_addr_str(&r->via, text));
	if (r->ifindex)
		fprintf(f, " dev %d", r->ifindex);
	if (r->table && r->table != RT_TABLE_MAIN)
		fprintf(f, " table %s", name_of(tables, ARRAY_SIZE(tables), r->table, num));
	if (r->protocol)
		fprintf(f, " proto %s",
		        name_of(protocols, ARRAY_SIZE(protocols), r->protocol, num));
	if (r->scope)
		fprintf(f, " scope %s", name_of(scopes, ARRAY_SIZE(scopes), r->scope, num));
	if (r->prefsrc.family)
		fprintf(f, " src %s", ip_addr_str(&r->prefsrc, text));
	if (r->priority)
		fprintf(f, " metric %u", r->priority);
	if (r->onlink)
		fputs(" onlink", f);
	if (r->multipath)
		fputs(" multipath", f);
	fclose(f);
	out[size - 1] = '\0';
	return out;
}
