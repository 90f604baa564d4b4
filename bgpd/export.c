/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/export.h"

#include <string.h>

#include "common/base/mem.h"

/* Peers with equal keys get the same bytes. */
struct export_key {
	const struct policy *policy;
	enum next_hop_mode next_hop;
	bool internal, as4;
	uint8_t families;
	struct ip_addr local;
};

/* What the members know about a prefix, and what they are to know. */
struct adj {
	struct hmap_node node;
	struct ip_prefix prefix;
	struct attrs *attrs, *sent; /* references; NULL: nothing */
	const struct rib_source *from, *sent_from;
	struct list pending;
	bool is_pending;
};

struct export_group {
	struct list link;
	struct bgpd *b;
	struct export_key key;
	struct list members;
	struct hmap adj;
	struct list pending;
};

/* One thing to say. */
struct news {
	struct attrs *attrs;                    /* NULL: withdraw */
	const struct rib_source *except, *only; /* members; NULL: nobody, everybody */
	const struct ip_prefix *prefix;
};

struct missed {
	struct hmap_node node;
	struct ip_prefix prefix;
};

static struct peer *member_of(struct list *it)
{
	return list_entry(it, struct peer, group_link);
}

/* ---- what a peer of this kind would be told ---- */

static struct attrs *judge(struct export_group *g, const struct rib_entry *e,
                           const struct rib_source **ret_from)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	const struct path *best = e->best;
	const struct config *c = g->b->config;
	const struct policy_rule *rule = NULL;
	struct policy_route route;
	struct attr_set out;
	bool from_bgp, own_hop;

	if (!best || !(g->key.families & (1u << bgp_family_of(e->node.prefix.addr.family))))
		return NULL;
	from_bgp = best->source->kind == ROUTE_BGP;
	/* RFC 4271 section 9.2.1: not from one internal peer to another. Route reflection (RFC
	 * 4456) will stand here. */
	if (from_bgp && best->source->internal && g->key.internal)
		return NULL;
	if (attr_has_community(&best->attrs->set, BGP_NO_ADVERTISE))
		return NULL;
	if (!g->key.internal && (attr_has_community(&best->attrs->set, BGP_NO_EXPORT) ||
	                         attr_has_community(&best->attrs->set, BGP_NO_EXPORT_SUBCONFED)))
		return NULL;
	route = (struct policy_route){
		.prefix = e->node.prefix,
		.source = best->source->kind,
		.interface = best->ifindex ? fib_link_name(&g->b->fib, best->ifindex) : NULL,
	};
	if (g->key.policy) {
		rule = policy_match(g->key.policy, &route);
		if (!rule)
			return NULL;
	} else if (route.source == ROUTE_KERNEL) {
		return NULL;
	}

	out = best->attrs->set;
	own_hop = !from_bgp || g->key.next_hop == NEXT_HOP_SELF ||
	          (g->key.next_hop == NEXT_HOP_AUTO && !g->key.internal);
	if (own_hop) {
		out.next_hop = g->key.local;
		out.link_local = (struct ip_addr){ 0 };
	}
	if (out.next_hop.family != e->node.prefix.addr.family)
		return NULL; /* over a connection of the other family, our own address is no next
		                hop for it */
	if (rule && rule->set_local_pref) {
		out.has |= ATTR_HAS_LOCAL_PREF;
		out.local_pref = rule->local_pref;
	} else if (!(out.has & ATTR_HAS_LOCAL_PREF)) {
		out.has |= ATTR_HAS_LOCAL_PREF;
		out.local_pref = path_local_pref(best);
	}
	if (!g->key.internal) {
		out.has &= (uint8_t) ~(ATTR_HAS_LOCAL_PREF | ATTR_HAS_ORIGINATOR);
		out.local_pref = out.originator_id = 0;
		out.clusters = (struct attr_bytes){ 0 };
		if (from_bgp) { /* RFC 4271 section 5.1.4 */
			out.has &= (uint8_t)~ATTR_HAS_MED;
			out.med = 0;
		}
		attr_path_prepend(&best->attrs->set.as_path, c->local_as, &path);
		if (path.len > UINT16_MAX)
			return NULL;
		out.as_path = (struct attr_bytes){ path.data, (uint16_t)path.len };
	}
	*ret_from = best->source;
	return attrs_intern(&g->b->rib.attrs, &out);
}

/* ---- Adj-RIB-Out ---- */

static struct adj *adj_find(const struct export_group *g, const struct ip_prefix *p)
{
	hmap_find(a, &g->adj, ip_prefix_hash(p), struct adj, node, ip_prefix_eq(&a->prefix, p));

	return a;
}

static void adj_free(struct export_group *g, struct adj *a)
{
	list_unlink(&a->pending);
	hmap_remove(&g->adj, &a->node);
	attrs_unref(&g->b->rib.attrs, a->attrs);
	attrs_unref(&g->b->rib.attrs, a->sent);
	free(a);
}

static void consider(struct export_group *g, const struct rib_entry *e)
{
	const struct rib_source *from = NULL;
	struct attrs *attrs = judge(g, e, &from);
	struct adj *a = adj_find(g, &e->node.prefix);

	if (!a) {
		if (!attrs)
			return;
		a = xcalloc(1, sizeof(*a));
		a->prefix = e->node.prefix;
		list_init(&a->pending);
		hmap_insert(&g->adj, &a->node, ip_prefix_hash(&a->prefix));
	}
	attrs_unref(&g->b->rib.attrs, a->attrs);
	a->attrs = attrs;
	a->from = from;
	if (!a->is_pending) {
		a->is_pending = true;
		list_push_back(&g->pending, &a->pending);
	}
}

void export_changed(struct bgpd *b, const struct rib_entry *e)
{
	list_for_each (it, &b->groups)
		consider(list_entry(it, struct export_group, link), e);
}

/* ---- messages ---- */

static int by_message(const void *a, const void *b)
{
	const struct news *x = a, *y = b;
	int fx = x->prefix->addr.family, fy = y->prefix->addr.family;

	/* withdrawals (NULL) first: they make room */
	if (x->attrs != y->attrs)
		return x->attrs < y->attrs ? -1 : 1;
	if (fx != fy)
		return fx - fy;
	if (x->except != y->except)
		return x->except < y->except ? -1 : 1;
	if (x->only != y->only)
		return x->only < y->only ? -1 : 1;
	return ip_prefix_cmp(x->prefix, y->prefix);
}

static bool same_message(const struct news *x, const struct news *y)
{
	return x->attrs == y->attrs && x->prefix->addr.family == y->prefix->addr.family &&
	       x->except == y->except && x->only == y->only;
}

static void miss(struct peer *p, const struct ip_prefix *prefix)
{
	uint32_t hash = ip_prefix_hash(prefix);

	hmap_find(m, &p->missed, hash, struct missed, node, ip_prefix_eq(&m->prefix, prefix));
	if (m)
		return;
	m = xcalloc(1, sizeof(*m));
	m->prefix = *prefix;
	hmap_insert(&p->missed, &m->node, hash);
}

static void tell(struct peer *p, struct frame *f, const struct ip_prefix *prefixes, size_t n)
{
	if (!p->live)
		return;
	if (p->behind || p->live->queued > SESSION_QUEUE_HIGH) {
		p->behind = true;
		for (size_t i = 0; i < n; i++)
			miss(p, &prefixes[i]);
		return;
	}
	session_send(p->live, f);
	p->updates_out++;
	p->b->stats.updates_out++;
}

/* Says the news to the members they are for; to: to this one alone. */
static void say(struct export_group *g, struct news *news, size_t n, struct peer *to)
{
	CLEANUP(buf_done) struct buf attrs = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	CLEANUP(free_p) struct ip_prefix *prefixes = NULL;
	size_t first = 0, last;

	if (!n)
		return;
	qsort(news, n, sizeof(*news), by_message);
	prefixes = xcalloc(n, sizeof(*prefixes));
	for (; first < n; first = last) {
		const struct news *head = &news[first];
		struct frame *f;

		for (last = first; last < n && same_message(head, &news[last]); last++)
			prefixes[last - first] = *news[last].prefix;
		buf_clear(&attrs);
		buf_clear(&out);
		if (head->attrs)
			wire_build_attrs(&attrs, &head->attrs->set, g->key.as4, g->key.internal);
		/* Attributes that leave no room for a prefix cannot be sent at all: RFC 4271
		 * section 9.2. */
		(void)wire_build_updates(&out, bgp_family_of(prefixes[0].addr.family),
		                         head->attrs ? &head->attrs->set : NULL, &attrs, prefixes,
		                         last - first);
		f = out.len ? frame_new(&out) : NULL;
		if (!f)
			continue;
		if (to) {
			tell(to, f, prefixes, last - first);
		} else {
			list_for_each (it, &g->members) {
				struct peer *p = member_of(it);

				if (&p->source != head->except &&
				    (!head->only || &p->source == head->only))
					tell(p, f, prefixes, last - first);
			}
		}
		frame_unref(f);
	}
}

static void flush_group(struct export_group *g)
{
	struct news *news = NULL;
	size_t n = 0, cap = 0;

	if (list_empty(&g->pending))
		return;
	list_for_each (it, &g->pending)
		cap += 2;
	news = xcalloc(cap, sizeof(*news));
	list_for_each (it, &g->pending) {
		struct adj *a = list_entry(it, struct adj, pending);

		if (a->attrs == a->sent && a->from == a->sent_from)
			continue;
		if (a->attrs)
			news[n++] = (struct news){ a->attrs, a->from, NULL, &a->prefix };
		else
			news[n++] = (struct news){ NULL, a->sent_from, NULL, &a->prefix };
		/* Whom the new route came from knew another's until now. */
		if (a->attrs && a->sent && a->from != a->sent_from && a->from->kind == ROUTE_BGP)
			news[n++] = (struct news){ NULL, NULL, a->from, &a->prefix };
	}
	say(g, news, n, NULL);
	free(news);
	while (!list_empty(&g->pending)) {
		struct adj *a = list_entry(g->pending.next, struct adj, pending);

		list_unlink(&a->pending);
		a->is_pending = false;
		if (a->attrs)
			(void)attrs_ref(a->attrs);
		attrs_unref(&g->b->rib.attrs, a->sent);
		a->sent = a->attrs;
		a->sent_from = a->from;
		if (!a->sent)
			adj_free(g, a);
	}
}

void export_flush(struct bgpd *b)
{
	list_for_each (it, &b->groups)
		flush_group(list_entry(it, struct export_group, link));
}

/* ---- members ---- */

static struct export_key key_of(const struct peer *p)
{
	return (struct export_key){
		.policy = p->cfg->export,
		.next_hop = p->cfg->next_hop,
		.internal = p->source.internal,
		.as4 = p->live->wire.as4,
		.families = p->live->wire.families,
		.local = p->live->local,
	};
}

static bool key_eq(const struct export_key *a, const struct export_key *b)
{
	return a->policy == b->policy && a->next_hop == b->next_hop && a->internal == b->internal &&
	       a->as4 == b->as4 && a->families == b->families && ip_addr_eq(&a->local, &b->local);
}

static void consider_all(struct export_group *g)
{
	for (int f = 0; f < BGP_FAMILIES; f++)
		trie_for_each(n, &g->b->rib.tries[f])
		        consider(g, container_of(n, struct rib_entry, node));
}

static void enter(struct peer *p)
{
	struct export_key key = key_of(p);
	struct export_group *g = NULL;

	list_for_each (it, &p->b->groups) {
		struct export_group *candidate = list_entry(it, struct export_group, link);

		if (!g && key_eq(&candidate->key, &key))
			g = candidate;
	}
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->b = p->b;
		g->key = key;
		list_init(&g->members);
		list_init(&g->pending);
		list_push_back(&p->b->groups, &g->link);
		consider_all(g);
	}
	flush_group(g); /* so that what was sent is what is */
	p->group = g;
	list_push_back(&g->members, &p->group_link);
}

static void leave(struct peer *p)
{
	struct export_group *g = p->group;

	p->group = NULL;
	list_unlink(&p->group_link);
	if (!list_empty(&g->members))
		return;
	hmap_for_each (a, &g->adj, struct adj, node)
		adj_free(g, a);
	hmap_done(&g->adj);
	list_unlink(&g->link);
	free(g);
}

static void forget_missed(struct peer *p)
{
	hmap_for_each (m, &p->missed, struct missed, node) {
		hmap_remove(&p->missed, &m->node);
		free(m);
	}
	hmap_done(&p->missed);
	p->behind = false;
	p->eor_owed = 0;
}

/* RFC 4724 section 4.1: after the routes. So it waits where they wait. */
static void end_of_rib(struct peer *p)
{
	CLEANUP(buf_done) struct buf eor = { 0 };

	if (!p->live || p->behind || !p->eor_owed)
		return;
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		if (p->eor_owed & (1u << f))
			wire_build_end_of_rib(&eor, f);
	p->eor_owed = 0;
	session_send_buf(p->live, &eor);
}

static void tell_all(struct peer *p, enum bgp_family f)
{
	struct export_group *g = p->group;
	struct news *news = xcalloc(g->adj.n + 1, sizeof(*news));
	size_t n = 0;

	hmap_for_each (a, &g->adj, struct adj, node)
		if (a->sent && a->sent_from != &p->source &&
		    bgp_family_of(a->prefix.addr.family) == f)
			news[n++] = (struct news){ a->sent, NULL, NULL, &a->prefix };
	say(g, news, n, p);
	free(news);
	p->eor_owed |= (uint8_t)(1u << f);
	end_of_rib(p);
}

void export_join(struct peer *p)
{
	if (p->group || !p->live)
		return;
	enter(p);
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		if (p->group->key.families & (1u << f))
			tell_all(p, f);
}

void export_leave(struct peer *p)
{
	if (p->group)
		leave(p);
	forget_missed(p);
}

void export_again(struct peer *p, enum bgp_family f)
{
	if (!p->group)
		return; /* it will be told everything anyway */
	flush_group(p->group);
	tell_all(p, f);
}

void export_resume(struct peer *p)
{
	struct export_group *g = p->group;
	struct hmap missed = p->missed;
	struct news *news;
	size_t n = 0;

	if (!g || !p->behind)
		return;
	flush_group(g);
	missed = p->missed;
	p->missed = (struct hmap)HMAP_INIT;
	p->behind = false;
	news = xcalloc(missed.n + 1, sizeof(*news));
	hmap_for_each (m, &missed, struct missed, node) {
		struct adj *a = adj_find(g, &m->prefix);
		bool has = a && a->sent && a->sent_from != &p->source;

		news[n++] = (struct news){ has ? a->sent : NULL, NULL, NULL, &m->prefix };
	}
	say(g, news, n, p);
	free(news);
	hmap_for_each (m, &missed, struct missed, node) {
		hmap_remove(&missed, &m->node);
		free(m);
	}
	hmap_done(&missed);
	end_of_rib(p);
}

void export_regroup(struct bgpd *b)
{
	/* Members that now need another group know what the old one was told: all of it is to be
	 * said again, or taken back. */
	list_for_each (git, &b->groups) {
		struct export_group *g = list_entry(git, struct export_group, link);

		flush_group(g);
		g->key = key_of(member_of(g->members.next));
	}
	list_for_each (pit, &b->peers) {
		struct peer *p = list_entry(pit, struct peer, link);
		struct export_key key;

		if (!p->group)
			continue;
		key = key_of(p);
		if (key_eq(&p->group->key, &key))
			continue;
		p->behind = true;
		hmap_for_each (a, &p->group->adj, struct adj, node)
			miss(p, &a->prefix);
		leave(p);
		enter(p);
		hmap_for_each (a, &p->group->adj, struct adj, node)
			miss(p, &a->prefix);
	}
	list_for_each (git, &b->groups) {
		struct export_group *g = list_entry(git, struct export_group, link);

		consider_all(g);
		flush_group(g);
	}
	list_for_each (pit, &b->peers) {
		struct peer *p = list_entry(pit, struct peer, link);

		if (p->group && p->live->queued < SESSION_QUEUE_HIGH)
			export_resume(p);
	}
}

uint32_t export_told(const struct peer *p)
{
	uint32_t n = 0;

	if (p->group)
		hmap_for_each (a, &p->group->adj, struct adj, node)
			n += a->sent && a->sent_from != &p->source;
	return n;
}

unsigned export_groups(const struct bgpd *b)
{
	unsigned n = 0;

	list_for_each (it, &b->groups)
		n++;
	return n;
}
