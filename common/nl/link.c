/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>

#include "common/base/err.h"
#include "common/nl/build.h"
#include "common/nl/rt.h"

int rt_link_parse(const struct nlmsghdr *h, struct rt_link *ret)
{
	struct nlattr *tb[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1];
	struct ifinfomsg m;
	struct rt_link l = { 0 };
	uint32_t mtu = 0;
	int r;

	r = rt_open(h, RTM_NEWLINK, RTM_DELLINK, &m, sizeof(m), tb, IFLA_LINKINFO, &l.deleted);
	if (r < 0)
		return r;
	if (m.ifi_family != AF_UNSPEC) /* a bridge's or an address family's view of the link */
		return -ENOMSG;
	l.ifindex = m.ifi_index;
	l.flags = m.ifi_flags;
	rt_attr_str(tb[IFLA_IFNAME], l.name, sizeof(l.name));
	if (l.ifindex <= 0 || !l.name[0])
		return -EINVAL;
	if (tb[IFLA_OPERSTATE] && nla_len(tb[IFLA_OPERSTATE]) == 1)
		l.operstate = *(const uint8_t *)nla_data(tb[IFLA_OPERSTATE]);
	(void)rt_attr_u32(tb[IFLA_MTU], &mtu);
	l.mtu = mtu;
	(void)rt_attr_mac(tb[IFLA_ADDRESS], &l.mac);
	(void)rt_open_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_KIND);
	rt_attr_str(info[IFLA_INFO_KIND], l.kind, sizeof(l.kind));
	*ret = l;
	return 0;
}

/* Statistics are most of a link's message, and nobody here reads them. */
static void put_mask(struct rt_build *b)
{
	rt_put_u32(b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

struct nl_msg *rt_link_dump(void)
{
	struct ifinfomsg m = { 0 };
	struct rt_build b = rt_begin(RTM_GETLINK, 0, &m, sizeof(m));

	put_mask(&b);
	return rt_end(&b);
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	return rt_link_parse(h, arg);
}

int rt_link_get(struct nl_conn *c, int ifindex, const char *name, struct rt_link *ret,
                struct err *err)
{
	struct ifinfomsg m = { .ifi_index = ifindex };
	struct rt_build b = rt_begin(RTM_GETLINK, 0, &m, sizeof(m));
	struct rt_link found = { 0 };
	int r;

	if (ifindex == 0)
		rt_put_str(&b, IFLA_IFNAME, name);
	put_mask(&b);
	r = nl_get(c, rt_end(&b), on_link, &found, err);
	if (r >= 0 && found.ifindex == 0)
		r = err_set(err, -ENODEV, "the kernel did not answer");
	if (r < 0 && ifindex == 0)
		return err_wrap(err, r, "interface '%s'", name);
	if (r < 0)
		return err_wrap(err, r, "interface %d", ifindex);
	*ret = found;
	return 0;
}

struct nl_msg *rt_veth_new(const struct rt_veth *v)
{
	struct ifinfomsg m = { 0 };
	struct ifinfomsg peer = { 0 };
	struct rt_build b;
	struct nlattr *info, *data, *nest;

	if (v->up) {
		m.ifi_flags = IFF_UP;
		m.ifi_change = IFF_UP;
	}
	b = rt_begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	rt_put_str(&b, IFLA_IFNAME, v->name);
	if (v->netns_fd >= 0)
		rt_put_u32(&b, IFLA_NET_NS_FD, (uint32_t)v->netns_fd);
	if (v->mtu)
		rt_put_u32(&b, IFLA_MTU, v->mtu);
	if (v->num_queues) {
		rt_put_u32(&b, IFLA_NUM_TX_QUEUES, v->num_queues);
		rt_put_u32(&b, IFLA_NUM_RX_QUEUES, v->num_queues);
	}
	if (v->mac)
		rt_put(&b, IFLA_ADDRESS, v->mac->bytes, sizeof(v->mac->bytes));

	info = rt_nest(&b, IFLA_LINKINFO);
	rt_put_str(&b, IFLA_INFO_KIND, "veth");
	data = rt_nest(&b, IFLA_INFO_DATA);
	nest = rt_nest(&b, VETH_INFO_PEER);
	/* The peer is described by a header and attributes of its own, inside the attribute. */
	if (!b.failed)
		b.failed = nlmsg_append(b.msg, &peer, sizeof(peer), NLMSG_ALIGNTO) < 0;
	rt_put_str(&b, IFLA_IFNAME, v->peer_name);
	if (v->peer_netns_fd >= 0)
		rt_put_u32(&b, IFLA_NET_NS_FD, (uint32_t)v->peer_netns_fd);
	if (v->mtu)
		rt_put_u32(&b, IFLA_MTU, v->mtu);
	if (v->num_queues) {
		rt_put_u32(&b, IFLA_NUM_TX_QUEUES, v->num_queues);
		rt_put_u32(&b, IFLA_NUM_RX_QUEUES, v->num_queues);
	}
	if (v->peer_mac)
		rt_put(&b, IFLA_ADDRESS, v->peer_mac->bytes, sizeof(v->peer_mac->bytes));
	rt_nest_end(&b, nest);
	rt_nest_end(&b, data);
	rt_nest_end(&b, info);
	return rt_end(&b);
}

struct nl_msg *rt_link_delete(int ifindex, const char *name)
{
	struct ifinfomsg m = { .ifi_index = ifindex };
	struct rt_build b = rt_begin(RTM_DELLINK, 0, &m, sizeof(m));

	if (ifindex == 0)
		rt_put_str(&b, IFLA_IFNAME, name);
	return rt_end(&b);
}

struct nl_msg *rt_link_set(int ifindex, const struct rt_link_change *change)
{
	struct ifinfomsg m = { .ifi_index = ifindex };
	struct rt_build b;

	if (change->up >= 0) {
		m.ifi_change = IFF_UP;
		m.ifi_flags = change->up ? IFF_UP : 0;
	}
	b = rt_begin(RTM_NEWLINK, 0, &m, sizeof(m));
	if (change->mtu)
		rt_put_u32(&b, IFLA_MTU, change->mtu);
	if (change->mac)
		rt_put(&b, IFLA_ADDRESS, change->mac->bytes, sizeof(change->mac->bytes));
	return rt_end(&b);
}
