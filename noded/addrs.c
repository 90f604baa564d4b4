/* SPDX-License-Identifier: BSD-2-Clause */
/* addrs: what addresses the host has, and when that changes. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/rt.h"
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

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct noded *n = p->data;
	int r;

	(void)status;
	(void)events;
	/* What the events say does not matter: the addresses are read back as a whole. */
	r = nl_monitor_read(n->monitor, 256, on_event, n);
	if (r == -ENOBUFS)
		n->count_overruns++;
	keep_soon(n);
}

int addrs_listen(struct noded *n, struct err *err)
{
	static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0 };
	int r = nl_monitor_open(NETLINK_ROUTE, groups, &n->monitor, err);

	if (r < 0)
		return r;
	r = uv_poll_init(n->d->loop, &n->monitor_poll, nl_monitor_fd(n->monitor));
	if (r < 0)
		return err_set(err, r, "uv_poll_init: %s", uv_strerror(r));
	n->monitor_poll.data = n;
	n->monitor_polled = true;
	(void)uv_poll_start(&n->monitor_poll, UV_READABLE, on_readable);
	return 0;
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
