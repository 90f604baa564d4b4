/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fib: what others have put into the kernel — routes of the main table, addresses, links — and what
 * follows from it for BGP's next hops.
 *
 * Pure: kernel.c feeds it. Routes of protocol bird never come here, so that no next hop is resolved
 * through a route that depends on it (bgp.md A9.3: gateway recursive).
 */
#pragma once

#include "bgpd/rib.h"
#include "common/nl/rt.h"

struct fib_route {
	struct fib_route *next; /* of the same prefix, least metric first */
	struct rt_route rt;
	bool marked; /* kernel.c's, while it reads everything back */
};

struct fib_entry {
	struct trie_node node;
	struct fib_route *routes;
};

struct fib_link {
	struct hmap_node node;
	int ifindex;
	char name[IFNAMSIZ];
	bool up;
	bool marked;
};

struct fib {
	struct trie tries[BGP_FAMILIES];
	struct hmap addrs, links, nexthops;
	bool blind;            /* kernel off: every next hop is taken to be resolved */
	bool changed;          /* since fib_recheck() */
	size_t fresh_nexthops; /* since unused ones were looked for */
};

void fib_init(struct fib *f);
void fib_done(struct fib *f); /* no path may use a next hop any more */

/* Both: a route that is the same changes nothing. replace: the kernel put it in the place of one
 * with the same prefix and metric. */
void fib_route_add(struct fib *f, const struct rt_route *rt, bool replace);
void fib_route_remove(struct fib *f, const struct rt_route *rt);
/* The routes of exactly this prefix, least metric first. NULL: none. */
const struct fib_route *fib_routes(const struct fib *f, const struct ip_prefix *p);
const struct fib_route *fib_lookup(const struct fib *f, const struct ip_addr *a);

void fib_addr(struct fib *f, const struct rt_addr *a);
bool fib_is_local(const struct fib *f, const struct ip_addr *a);
/* true: a link went up or down, appeared or went */
bool fib_link(struct fib *f, const struct rt_link *l);
const char *fib_link_name(const struct fib *f, int ifindex); /* NULL: unknown */

/* Around reading everything back: what was not seen again goes. sweep(): calls gone() for each such
 * route. */
void fib_mark(struct fib *f);
void fib_sweep(struct fib *f, void (*gone)(void *arg, const struct rt_route *rt), void *arg);

/* The next hop, resolved. Give it to a path at once: the next fib_recheck() frees what no path
 * uses. NULL: out of memory. */
struct nexthop *fib_nexthop(struct fib *f, const struct ip_addr *a);
/* Resolves again what may have changed, and touches the routes that depend on it. */
void fib_recheck(struct fib *f, struct rib *r);
