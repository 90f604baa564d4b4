/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/if_addr.h>

#include "common/nl/build.h"
#include "common/nl/rt.h"

int rt_addr_parse(const struct nlmsghdr *h, struct rt_addr *ret)
{
	struct nlattr *tb[IFA_FLAGS + 1];
	struct ifaddrmsg m;
	struct rt_addr a = { 0 };
	int r;

	r = rt_open(h, RTM_NEWADDR, RTM_DELADDR, &m, sizeof(m), tb, IFA_FLAGS, &a.deleted);
	if (r < 0)
		return r;
	if (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)
		return -ENOMSG;
	/* On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, where given, is ours.
	 */
	if (!rt_attr_addr(tb[IFA_LOCAL], m.ifa_family, &a.prefix.addr) &&
	    !rt_attr_addr(tb[IFA_ADDRESS], m.ifa_family, &a.prefix.addr))
		return -EINVAL;
	if (m.ifa_prefixlen > ip_addr_bits(&a.prefix.addr) || (int)m.ifa_index <= 0)
		return -EINVAL;
	a.prefix.len = m.ifa_prefixlen;
	a.ifindex = (int)m.ifa_index;
	a.scope = m.ifa_scope;
	a.flags = m.ifa_flags;
	(void)rt_attr_u32(tb[IFA_FLAGS], &a.flags); /* all 32 bits of them */
	*ret = a;
	return 0;
}

struct nl_msg *rt_addr_dump(int family)
{
	struct ifaddrmsg m = { .ifa_family = (uint8_t)family };
	struct rt_build b = rt_begin(RTM_GETADDR, 0, &m, sizeof(m));

	return rt_end(&b);
}

static struct nl_msg *addr_msg(const struct rt_addr *a, uint16_t type, uint16_t flags)
{
	struct ifaddrmsg m = {
		.ifa_family = a->prefix.addr.family,
		.ifa_prefixlen = a->prefix.len,
		.ifa_flags = (uint8_t)a->flags,
		.ifa_scope = a->scope,
		.ifa_index = (uint32_t)a->ifindex,
	};
	struct rt_build b = rt_begin(type, flags, &m, sizeof(m));

	rt_put_addr(&b, IFA_LOCAL, &a->prefix.addr);
	rt_put_addr(&b, IFA_ADDRESS, &a->prefix.addr);
	if (type == RTM_NEWADDR && a->flags)
		rt_put_u32(&b, IFA_FLAGS, a->flags);
	return rt_end(&b);
}

struct nl_msg *rt_addr_add(const struct rt_addr *a)
{
	return addr_msg(a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
}

struct nl_msg *rt_addr_delete(const struct rt_addr *a)
{
	return addr_msg(a, RTM_DELADDR, 0);
}
