/* SPDX-License-Identifier: BSD-2-Clause */
/* addrs: what addresses the host has, and when that changes. */
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/rt.h"
#include "common/nl/watch.h"
#include "noded/noded.h"

struct reading {
	struct noded *n;
	struct host_addr *addrs;
	size_t n_addrs;
};

static int on_addr(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;
	struct rt_addr a;

	if (!h) {
		r->n_addrs = 0;
		return 0;
	}
	if (rt_addr_parse(h, &a) < 0 || a.deleted)
		return 0;
	/* Addresses that the kernel may yet find to be somebody else's do not count. */
	if (a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))
		return 0;
	r->addrs = xrealloc(r->addrs, (r->n_addrs + 1) * sizeof(*r->addrs));
	r->addrs[r->n_addrs] = (struct host_addr){ .ifindex = a.ifindex, .prefix = a.prefix };
	r->n_addrs++;
	return 0;
}

int addrs_read(struct noded *n, struct err *err)
{
	struct reading r = { .n = n };
	int code = nl_dump_all(n->nl, rt_addr_dump(0), on_addr, &r, err);

	if (code < 0) {
		free(r.addrs);
		return code;
	}
	for (size_t i = 0; i < r.n_addrs; i++) {
		struct rt_link link;

		if (i > 0 && r.addrs[i].ifindex == r.addrs[i - 1].ifindex)
			memcpy(r.addrs[i].ifname, r.addrs[i - 1].ifname, IFNAMSIZ);
		else if (rt_link_get(n->nl, r.addrs[i].ifindex, NULL, &link, NULL) == 0)
			memcpy(r.addrs[i].ifname, link.name, IFNAMSIZ);
	}
	free(n->addrs);
	n->addrs = r.addrs;
	n->n_addrs = r.n_addrs;
	return 0;
}

static int on_event(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	((struct noded *)arg)->count_events++;
	return 0;
}

static void on_turn(void *arg, bool lost)
{
	struct noded *n = arg;

	/* What the events say does not matter: the addresses are read back as a whole. So it is no
	 * harm when some are lost. */
	n->count_overruns += lost;
	keep_soon(n);
}

int addrs_listen(struct noded *n, struct err *err)
{
	static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0 };
	static const struct nl_watch_ops ops = { on_event, on_turn, noded_on_closed };

	return nl_watch_open(n->d->loop, NETLINK_ROUTE, groups, &ops, n, &n->watch, err);
}

bool addrs_source(const struct ip_addr *target, struct ip_addr *ret)
{
	struct sockaddr_storage ss;
	int len = ip_addr_to_sockaddr(target, 80, &ss);
	CLEANUP(close_p) int fd = socket(target->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t got = sizeof(ss);
	uint16_t port;

	/* Connecting a datagram socket sends nothing: the kernel only looks the route up. */
	return fd >= 0 && connect(fd, (struct sockaddr *)&ss, (socklen_t)len) == 0 &&
	       getsockname(fd, (struct sockaddr *)&ss, &got) == 0 &&
	       ip_addr_from_sockaddr((struct sockaddr *)&ss, ret, &port) == 0;
}
