/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rt: rtnetlink messages that the suite sends, and its view of those that it reads. Builders return
 * a message for nl_request() or nl_batch_add(); parsers turn one message into a struct and never
 * trust its lengths.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "common/nl/nl.h"

/* ---- links ---- */

struct rt_link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];     /* "veth", "bridge", "" */
	unsigned flags;    /* IFF_... */
	uint8_t operstate; /* IF_OPER_... */
	uint32_t mtu;
	struct mac_addr mac;
	bool deleted; /* the message was RTM_DELLINK */
};
int rt_link_parse(const struct nlmsghdr *h,
                  struct rt_link *ret); /* -EINVAL; -ENOMSG: not a link message */
struct nl_msg *rt_link_dump(void);
/* By index, or by name when ifindex is 0. -ENODEV. */
int rt_link_get(struct nl_conn *c, int ifindex, const char *name, struct rt_link *ret,
                struct err *err);

struct rt_veth {
	const char *name; /* of the end in the connection's... */
	int netns_fd;     /* ... or in this namespace (-1: the connection's) */
	const char *peer_name;
	int peer_netns_fd;                     /* -1: the connection's */
	uint32_t mtu;                          /* 0: the kernel's default */
	unsigned num_queues;                   /* 0: default */
	const struct mac_addr *mac, *peer_mac; /* NULL: the kernel chooses */
	bool up; /* the first end is born up (the kernel can do that for the first only) */
};
struct nl_msg *rt_veth_new(
        const struct rt_veth *v); /* both ends are born in their final namespace by one request */
struct nl_msg *rt_link_delete(int ifindex,
                              const char *name); /* by index, or by name when ifindex is 0 */
struct rt_link_change {
	int up;                     /* -1: as it is, 0, 1 */
	uint32_t mtu;               /* 0: as it is */
	const struct mac_addr *mac; /* NULL: as it is */
};
struct nl_msg *rt_link_set(int ifindex, const struct rt_link_change *change);

/* ---- addresses ---- */

struct rt_addr {
	int ifindex;
	struct ip_prefix prefix; /* with host bits */
	uint8_t scope;
	uint32_t flags; /* IFA_F_... */
	bool deleted;
};
int rt_addr_parse(const struct nlmsghdr *h, struct rt_addr *ret);
struct nl_msg *rt_addr_dump(int family); /* 0: both */
struct nl_msg *rt_addr_add(const struct rt_addr *a);
struct nl_msg *rt_addr_delete(const struct rt_addr *a);

/* ---- routes ---- */

struct rt_route {
	struct ip_prefix dst;   /* host bits are zero */
	struct ip_addr via;     /* unset when directly connected */
	struct ip_addr prefsrc; /* unset: none */
	int ifindex;            /* 0: none or kernel's choice */
	uint8_t type;           /* RTN_UNICAST, RTN_BLACKHOLE ... */
	uint8_t scope;          /* RT_SCOPE_... */
	uint8_t protocol;       /* RTPROT_... */
	uint32_t table;         /* RT_TABLE_MAIN ... */
	uint32_t priority;      /* metric; 0: none (IPv6: 1024) */
	bool onlink;
	bool multipath; /* parsed only: it has several next hops; the first is in via and ifindex */
	bool deleted;
};
int rt_route_parse(const struct nlmsghdr *h, struct rt_route *ret);
struct nl_msg *rt_route_dump(
        int family, uint32_t table,
        uint8_t protocol); /* 0: all; filtered by the kernel where it can; the caller checks */
struct nl_msg *rt_route_add(const struct rt_route *r,
                            bool replace); /* replace: NLM_F_REPLACE, else NLM_F_EXCL */
struct nl_msg *rt_route_delete(const struct rt_route *r);
const char *rt_route_str(const struct rt_route *r, char *out,
                         size_t size); /* as `ip route` writes it; for logs */

/* ---- neighbours ---- */

struct rt_neigh {
	int ifindex;
	struct ip_addr dst;
	struct mac_addr mac;
	uint16_t state; /* NUD_PERMANENT ... */
	uint8_t flags;  /* NTF_... */
	bool deleted;
};
int rt_neigh_parse(const struct nlmsghdr *h, struct rt_neigh *ret);
struct nl_msg *rt_neigh_dump(int family);
struct nl_msg *rt_neigh_add(const struct rt_neigh *n, bool replace);
struct nl_msg *rt_neigh_delete(const struct rt_neigh *n);
