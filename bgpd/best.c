/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decision: RFC 4271 section 9.1.2, with the tie-breaks of RFC 4456 section 9. Each step
 * removes from the candidates those that are worse than the best of them, until the last step
 * leaves one. Steps look at all candidates at once, so the order in which paths arrived does not
 * matter, MED included.
 */
#include "bgpd/rib.h"

#include "common/base/mem.h"

uint32_t path_local_pref(const struct path *p)
{
	return p->attrs->set.has & ATTR_HAS_LOCAL_PREF ? p->attrs->set.local_pref : 100;
}

bool path_usable(const struct path *p)
{
	return !p->nexthop || p->nexthop->resolved;
}

/* ---- the steps' keys: less is better ---- */

static uint32_t key_preference(const struct path *p)
{
	return 255u - p->preference;
}

static uint32_t key_local_pref(const struct path *p)
{
	return UINT32_MAX - path_local_pref(p);
}

static uint32_t key_path_len(const struct path *p)
{
	return attr_path_len(&p->attrs->set.as_path);
}

static uint32_t key_origin(const struct path *p)
{
	return p->attrs->set.origin;
}

static uint32_t key_internal(const struct path *p)
{
	return p->source->kind == ROUTE_BGP && p->source->internal;
}

static uint32_t key_cost(const struct path *p)
{
	return p->nexthop ? p->nexthop->cost : 0;
}

static uint32_t key_router_id(const struct path *p)
{
	return p->attrs->set.has & ATTR_HAS_ORIGINATOR ? p->attrs->set.originator_id
	                                               : p->source->router_id;
}

static uint32_t key_clusters(const struct path *p)
{
	return p->attrs->set.clusters.len / 4u;
}

static uint32_t med(const struct path *p)
{
	return p->attrs->set.has & ATTR_HAS_MED ? p->attrs->set.med : 0; /* section 9.1.2.2 c) */
}

static unsigned keep_least(struct path *list, uint32_t (*key)(const struct path *p))
{
	uint32_t least = UINT32_MAX;
	unsigned n = 0;

	for (struct path *p = list; p; p = p->next)
		if (p->alive && key(p) < least)
			least = key(p);
	for (struct path *p = list; p; p = p->next) {
		p->alive = p->alive && key(p) == least;
		n += p->alive;
	}
	return n;
}

/* Only paths of one neighbouring AS are compared, before any is removed: otherwise the outcome
 * depends on the order. */
static unsigned keep_least_med(struct path *list)
{
	unsigned n = 0;

	for (struct path *p = list; p; p = p->next) {
		uint32_t as = attr_path_first(&p->attrs->set.as_path);

		/* What beats p may be beaten too, but then by something that beats p as well: one
		 * pass is enough. */
		for (struct path *q = list; p->alive && q; q = q->next)
			if (q->alive && med(q) < med(p) &&
			    attr_path_first(&q->attrs->set.as_path) == as)
				p->alive = false;
	}
	for (struct path *p = list; p; p = p->next)
		n += p->alive;
	return n;
}

static struct path *keep_least_address(struct path *list)
{
	struct path *best = NULL;

	for (struct path *p = list; p; p = p->next)
		if (p->alive &&
		    (!best || ip_addr_cmp(&p->source->address, &best->source->address) < 0))
			best = p;
	return best;
}

struct path *best_path(struct path *list)
{
	static uint32_t (*const before_med[])(const struct path *) = {
		key_preference, /* ours: between our own routes, peers' and the kernel's */
		key_local_pref, /* 9.1.1 */
		key_path_len,   /* 9.1.2.2 a) */
		key_origin,     /* b) */
	};
	static uint32_t (*const after_med[])(const struct path *) = {
		key_internal,  /* d) */
		key_cost,      /* e) */
		key_router_id, /* f); RFC 4456: ORIGINATOR_ID in its place */
		key_clusters,  /* RFC 4456 */
	};
	struct path *only = NULL;
	unsigned n = 0;

	for (struct path *p = list; p; p = p->next) {
		p->alive = path_usable(p);
		if (p->alive) {
			only = p;
			n++;
		}
	}
	if (n <= 1)
		return only;
	for (size_t i = 0; i < ARRAY_SIZE(before_med) && n > 1; i++)
		n = keep_least(list, before_med[i]);
	if (n > 1)
		n = keep_least_med(list); /* c) */
	for (size_t i = 0; i < ARRAY_SIZE(after_med) && n > 1; i++)
		n = keep_least(list, after_med[i]);
	return keep_least_address(list); /* g) */
}
