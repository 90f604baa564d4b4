/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells: interfaces, routes, addresses. x_tables and ipset tell nothing: they are
 * read back from time to time. */
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/watch.h"
#include "felixd/dataplane/dataplane_i.h"

bool events_is_workload(const struct dataplane *dp, const char *name)
{
	for (size_t i = 0; i < dp->render.n_prefixes; i++) {
		const char *p = dp->render.prefixes[i];

		if (strncmp(name, p, strlen(p) - 1) == 0)
			return true;
	}
	return false;
}

void events_link_changed(void *arg, const struct link_change *c)
{
	struct dataplane *dp = arg;
	struct endpoint *ep;

	if (!events_is_workload(dp, c->name)) {
		dp->host_addrs_dirty = true;
		return;
	}
	routes_link_changed(dp->routes, c);
	neighs_link_changed(dp->neighs, c);
	ep = wishes_active(dp, c->name);
	if (ep) {
		if (c->moved || !c->up)
			ep->configured = 0;
		if (ep->stage == STAGE_DONE)
			ep->stage = STAGE_HOST;
	}
}

static int on_event(const struct nlmsghdr *h, void *arg)
{
	struct dataplane *dp = arg;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		links_event(dp->links, h, events_link_changed, dp);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		routes_event(dp->routes, h);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		dp->host_addrs_dirty = true;
		break;
	}
	return 0;
}

static void on_turn(void *arg, bool lost)
{
	struct dataplane *dp = arg;

	if (lost) {
		log_info("netlink events were lost: reading back", "%s", "");
		dp->read_again = true;
		dp->host_addrs_dirty = true;
	}
	dataplane_soon(dp);
}

int events_open(struct dataplane *dp, uv_loop_t *loop, struct err *err)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR, 0 };
	static const struct nl_watch_ops ops = { on_event, on_turn, dataplane_on_closed };
	int rc = nl_watch_open(loop, NETLINK_ROUTE, groups, &ops, dp, &dp->watch, err);

	if (rc == 0)
		dp->open_handles++;
	return rc;
}

/* ---- nftables tells who changed what */

static int on_nft_event(const struct nlmsghdr *h, void *arg)
{
	struct dataplane *dp = arg;

	(void)nft_link_event(dp->nft, h);
	return 0;
}

static void on_nft_turn(void *arg, bool lost)
{
	struct dataplane *dp = arg;

	if (lost) {
		log_info("nftables events were lost: reading back", "%s", "");
		dp->nft->foreign = true;
	}
	if (dp->nft->foreign)
		dataplane_soon(dp);
}

int events_open_nft(struct dataplane *dp, uv_loop_t *loop, struct err *err)
{
	static const int groups[] = { NFNLGRP_NFTABLES, 0 };
	static const struct nl_watch_ops ops = { on_nft_event, on_nft_turn, dataplane_on_closed };
	int rc = nl_watch_open(loop, NETLINK_NETFILTER, groups, &ops, dp, &dp->nft_watch, err);

	if (rc < 0)
		return rc;
	dp->open_handles++;
	dp->nft->watch = dp->nft_watch;
	return 0;
}

/* ---- the host's own addresses */

struct host_addrs {
	struct dataplane *dp;
	struct calc_member *addrs;
	struct host_addr *of; /* the same, with their interfaces */
	size_t n;
};

static int on_addr(const struct nlmsghdr *h, void *arg)
{
	struct host_addrs *a = arg;
	struct rt_addr r;
	const char *name;

	if (!h) {
		a->n = 0;
		return 0;
	}
	if (rt_addr_parse(h, &r) < 0 || r.prefix.addr.family != a->dp->render.family)
		return 0;
	name = link_name(a->dp->links, r.ifindex);
	/* kube-ipvs0 carries services' addresses: InterfaceExclude's default. */
	if (!name || events_is_workload(a->dp, name) || strcmp(name, "kube-ipvs0") == 0)
		return 0;
	if ((a->n & (a->n - 1)) == 0) {
		a->addrs = xrealloc(a->addrs, (a->n ? 2 * a->n : 1) * sizeof(*a->addrs));
		a->of = xrealloc(a->of, (a->n ? 2 * a->n : 1) * sizeof(*a->of));
	}
	a->of[a->n] = (struct host_addr){ .addr = r.prefix.addr };
	memcpy(a->of[a->n].interface, name, strnlen(name, IFNAMSIZ - 1));
	a->addrs[a->n++] = (struct calc_member){ .net = ip_prefix_host(&r.prefix.addr) };
	return 0;
}

int events_read_host_addrs(struct dataplane *dp, struct err *err)
{
	struct host_addrs a = { .dp = dp };
	int rc = nl_dump_all(dp->rt, rt_addr_dump(dp->render.family), on_addr, &a, err);

	if (rc == 0) {
		dp->sets.ops->want(dp->sets.self, "this-host", IPSET_IP, a.addrs, a.n);
		dp->host_addrs_dirty = false;
		free(dp->host_addrs);
		dp->host_addrs = a.of;
		dp->n_host_addrs = a.n;
		dp->hosts_dirty = true;
	} else {
		err_wrap(err, rc, "listing the host's addresses");
		free(a.of);
	}
	free(a.addrs);
	return rc;
}
