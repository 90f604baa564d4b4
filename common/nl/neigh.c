/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/neighbour.h>

#include "common/nl/build.h"
#include "common/nl/rt.h"

int rt_neigh_parse(const struct nlmsghdr *h, struct rt_neigh *ret)
{
	struct nlattr *tb[NDA_LLADDR + 1];
	struct ndmsg m;
	struct rt_neigh n = { 0 };
	int r;

	r = rt_open(h, RTM_NEWNEIGH, RTM_DELNEIGH, &m, sizeof(m), tb, NDA_LLADDR, &n.deleted);
	if (r < 0)
		return r;
	if (m.ndm_family != AF_INET && m.ndm_family != AF_INET6) /* a bridge's forwarding entry */
		return -ENOMSG;
	if (!rt_attr_addr(tb[NDA_DST], m.ndm_family, &n.dst))
		return -EINVAL;
	n.ifindex = m.ndm_ifindex;
	n.state = m.ndm_state;
	n.flags = m.ndm_flags;
	(void)rt_attr_mac(tb[NDA_LLADDR], &n.mac);
	*ret = n;
	return 0;
}

struct nl_msg *rt_neigh_dump(int family)
{
	struct ndmsg m = { .ndm_family = (uint8_t)family };
	struct rt_build b = rt_begin(RTM_GETNEIGH, 0, &m, sizeof(m));

	return rt_end(&b);
}

static struct nl_msg *neigh_msg(const struct rt_neigh *n, uint16_t type, uint16_t flags)
{
	struct ndmsg m = {
		.ndm_family = n->dst.family,
		.ndm_ifindex = n->ifindex,
		.ndm_state = n->state,
		.ndm_flags = n->flags,
	};
	struct rt_build b = rt_begin(type, flags, &m, sizeof(m));

	rt_put_addr(&b, NDA_DST, &n->dst);
	if (type == RTM_NEWNEIGH && !(n->flags & NTF_PROXY))
		rt_put(&b, NDA_LLADDR, n->mac.bytes, sizeof(n->mac.bytes));
	return rt_end(&b);
}

struct nl_msg *rt_neigh_add(const struct rt_neigh *n, bool replace)
{
	return neigh_msg(n, RTM_NEWNEIGH, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL));
}

struct nl_msg *rt_neigh_delete(const struct rt_neigh *n)
{
	return neigh_msg(n, RTM_DELNEIGH, 0);
}
