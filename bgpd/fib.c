/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/fib.h"

#include <assert.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "common/base/mem.h"

#define FRESH_NEXTHOPS 64u /* fewer are not worth a walk */

struct fib_local {
	struct hmap_node node;
	struct ip_addr addr;
	int ifindex;
	bool marked;
};

void fib_init(struct fib *f)
{
	*f = (struct fib){ .changed = true };
}

static struct fib_entry *entry_of(struct trie_node *n)
{
	return n ? container_of(n, struct fib_entry, node) : NULL;
}

static void drop_route(struct fib *f, struct fib_entry *e, struct fib_route **slot)
{
	struct fib_route *r = *slot;

	*slot = r->next;
	free(r);
	f->changed = true;
	if (!e->routes) {
		trie_remove(&f->tries[bgp_family_of(e->node.prefix.addr.family)], &e->node);
		free(e);
	}
}

void fib_done(struct fib *f)
{
	for (int i = 0; i < BGP_FAMILIES; i++)
		while (f->tries[i].n) {
			struct fib_entry *e = entry_of(trie_next(&f->tries[i], NULL));

			drop_route(f, e, &e->routes);
		}
	hmap_for_each (l, &f->addrs, struct fib_local, node) {
		hmap_remove(&f->addrs, &l->node);
		free(l);
	}
	hmap_for_each (l, &f->links, struct fib_link, node) {
		hmap_remove(&f->links, &l->node);
		free(l);
	}
	hmap_for_each (n, &f->nexthops, struct nexthop, node) {
		assert(list_empty(&n->paths));
		hmap_remove(&f->nexthops, &n->node);
		free(n);
	}
	hmap_done(&f->addrs);
	hmap_done(&f->links);
	hmap_done(&f->nexthops);
}

/* What tells two routes of one prefix apart: several may have the same metric, where somebody
 * appended them. */
static bool same_route(const struct rt_route *a, const struct rt_route *b)
{
	return a->priority == b->priority && a->type == b->type && a->protocol == b->protocol &&
	       a->ifindex == b->ifindex && ip_addr_eq(&a->via, &b->via);
}

void fib_route_add(struct fib *f, const struct rt_route *rt, bool replace)
{
	struct trie *t = &f->tries[bgp_family_of(rt->dst.addr.family)];
	struct fib_entry *e = entry_of(trie_find(t, &rt->dst));
	struct fib_route **slot, *r;

	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->node.prefix = rt->dst;
		if (!trie_insert(t, &e->node))
			abort();
	}
	for (slot = &e->routes; *slot; slot = &(*slot)->next)
		if (same_route(&(*slot)->rt, rt)) {
			(*slot)->marked = false;
			return;
		}
	r = xcalloc(1, sizeof(*r));
	r->rt = *rt;
	for (slot = &e->routes; replace && *slot; slot = &(*slot)->next)
		if ((*slot)->rt.priority == rt->priority) {
			r->next = (*slot)->next;
			free(*slot);
			*slot = r;
			f->changed = true;
			return;
		}
	for (slot = &e->routes; *slot && (*slot)->rt.priority <= rt->priority;
	     slot = &(*slot)->next)
		;
	r->next = *slot;
	*slot = r;
	f->changed = true;
}

void fib_route_remove(struct fib *f, const struct rt_route *rt)
{
	struct fib_entry *e =
	        entry_of(trie_find(&f->tries[bgp_family_of(rt->dst.addr.family)], &rt->dst));

	if (!e)
		return;
	for (struct fib_route **slot = &e->routes; *slot; slot = &(*slot)->next)
		if (same_route(&(*slot)->rt, rt)) {
			drop_route(f, e, slot);
			return;
		}
}

const struct fib_route *fib_routes(const struct fib *f, const struct ip_prefix *p)
{
	struct fib_entry *e = entry_of(trie_find(&f->tries[bgp_family_of(p->addr.family)], p));

	return e ? e->routes : NULL;
}

const struct fib_route *fib_lookup(const struct fib *f, const struct ip_addr *a)
{
	struct ip_prefix host = ip_prefix_host(a);
	struct fib_entry *e = entry_of(trie_covering(&f->tries[bgp_family_of(a->family)], &host));

	return e ? e->routes : NULL;
}

/* ---- addresses and links ---- */

void fib_addr(struct fib *f, const struct rt_addr *a)
{
	uint32_t hash = ip_addr_hash(&a->prefix.addr);

	hmap_find(l, &f->addrs, hash, struct fib_local, node,
	          l->ifindex == a->ifindex && ip_addr_eq(&l->addr, &a->prefix.addr));
	if (l && a->deleted) {
		hmap_remove(&f->addrs, &l->node);
		free(l);
		f->changed = true;
	} else if (l) {
		l->marked = false;
	} else if (!a->deleted) {
		l = xcalloc(1, sizeof(*l));
		l->addr = a->prefix.addr;
		l->ifindex = a->ifindex;
		hmap_insert(&f->addrs, &l->node, hash);
		f->changed = true;
	}
}

bool fib_is_local(const struct fib *f, const struct ip_addr *a)
{
	hmap_find(l, &f->addrs, ip_addr_hash(a), struct fib_local, node, ip_addr_eq(&l->addr, a));

	return l != NULL;
}

static struct fib_link *find_link(const struct fib *f, int ifindex)
{
	hmap_find(l, &f->links, hash_mix((uint32_t)ifindex, 1), struct fib_link, node,
	          l->ifindex == ifindex);

	return l;
}

bool fib_link(struct fib *f, const struct rt_link *link)
{
	struct fib_link *l = find_link(f, link->ifindex);
	bool up = (link->flags & IFF_UP) && !link->deleted, differs;

	if (link->deleted) {
		if (!l)
			return false;
		hmap_remove(&f->links, &l->node);
		free(l);
		return true;
	}
	if (!l) {
		l = xcalloc(1, sizeof(*l));
		l->ifindex = link->ifindex;
		l->up = !up;
		hmap_insert(&f->links, &l->node, hash_mix((uint32_t)link->ifindex, 1));
	}
	differs = l->up != up;
	l->up = up;
	l->marked = false;
	memcpy(l->name, link->name, sizeof(l->name));
	return differs;
}

const char *fib_link_name(const struct fib *f, int ifindex)
{
	const struct fib_link *l = find_link(f, ifindex);

	return l ? l->name : NULL;
}

/* ---- reading everything back ---- */

void fib_mark(struct fib *f)
{
	for (int i = 0; i < BGP_FAMILIES; i++)
		trie_for_each(n, &f->tries[i]) for (struct fib_route *r = entry_of(n)->routes; r;
		                                    r = r->next) r->marked = true;
	hmap_for_each (l, &f->addrs, struct fib_local, node)
		l->marked = true;
	hmap_for_each (l, &f->links, struct fib_link, node)
		l->marked = true;
}

void fib_sweep(struct fib *f, void (*gone)(void *arg, const struct rt_route *rt), void *arg)
{
	for (int i = 0; i < BGP_FAMILIES; i++) {
		struct trie_node *next;

		for (struct trie_node *n = trie_next(&f->tries[i], NULL); n; n = next) {
			struct fib_route **slot = &entry_of(n)->routes;
			bool last = false;

			next = trie_next(&f->tries[i], n);
			while (!last && *slot) {
				if (!(*slot)->marked) {
					slot = &(*slot)->next;
					continue;
				}
				struct rt_route rt = (*slot)->rt;

				last = !(*slot)->next && slot == &entry_of(n)->routes;
				drop_route(f, entry_of(n), slot);
				gone(arg, &rt);
			}
		}
	}
	hmap_for_each (l, &f->addrs, struct fib_local, node)
		if (l->marked) {
			hmap_remove(&f->addrs, &l->node);
			free(l);
			f->changed = true;
		}
	hmap_for_each (l, &f->links, struct fib_link, node)
		if (l->marked) {
			hmap_remove(&f->links, &l->node);
			free(l);
		}
}

/* ---- next hops ---- */

static bool resolve(const struct fib *f, struct nexthop *n)
{
	struct nexthop was = *n;
	const struct fib_route *r;

	n->resolved = false;
	n->via = (struct ip_addr){ 0 };
	n->ifindex = 0;
	n->cost = 0;
	if (f->blind) {
		n->resolved = true;
	} else if (!fib_is_local(f, &n->addr)) { /* RFC 4271 section 5.1.3: a next hop that is
		                                    ourselves is none */
		r = fib_lookup(f, &n->addr);
		if (r && r->rt.type == RTN_UNICAST) {
			n->resolved = true;
			n->via = r->rt.via;
			n->ifindex = r->rt.ifindex;
			n->cost = r->rt.priority;
		}
	}
	return was.resolved != n->resolved || was.ifindex != n->ifindex || was.cost != n->cost ||
	       !ip_addr_eq(&was.via, &n->via);
}

struct nexthop *fib_nexthop(struct fib *f, const struct ip_addr *a)
{
	uint32_t hash = ip_addr_hash(a);

	hmap_find(n, &f->nexthops, hash, struct nexthop, node, ip_addr_eq(&n->addr, a));
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->addr = *a;
	list_init(&n->paths);
	hmap_insert(&f->nexthops, &n->node, hash);
	f->fresh_nexthops++;
	(void)resolve(f, n);
	return n;
}

void fib_recheck(struct fib *f, struct rib *r)
{
	/*
	 * Strangers decide how many next hops there were. Those that no path uses any more go when
	 * as many have come as were used: what is kept stays in proportion, and so does the work.
	 */
	bool sweep = f->fresh_nexthops > FRESH_NEXTHOPS && f->fresh_nexthops > f->nexthops.n / 2;

	if (!f->changed && !sweep)
		return;
	hmap_for_each (n, &f->nexthops, struct nexthop, node) {
		if (list_empty(&n->paths)) {
			hmap_remove(&f->nexthops, &n->node);
			free(n);
		} else if (f->changed && resolve(f, n)) {
			rib_touch_nexthop(r, n);
		}
	}
	f->changed = false;
	f->fresh_nexthops = 0;
}
