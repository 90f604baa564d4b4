/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/rib.h"

#include <assert.h>

#include "common/base/mem.h"

void rib_init(struct rib *r, rib_changed_fn *changed, void *arg)
{
	*r = (struct rib){ .changed = changed, .arg = arg };
	list_init(&r->dirty);
}

void rib_source_init(struct rib_source *s, enum route_source kind, const char *name)
{
	*s = (struct rib_source){ .kind = kind, .name = name };
	list_init(&s->paths);
}

static struct trie *trie_of(struct rib *r, const struct ip_prefix *p)
{
	return &r->tries[bgp_family_of(p->addr.family)];
}

static struct rib_entry *entry_of(struct trie_node *n)
{
	return n ? container_of(n, struct rib_entry, node) : NULL;
}

void rib_touch(struct rib *r, struct rib_entry *e, bool force)
{
	e->force = e->force || force;
	if (e->is_dirty)
		return;
	e->is_dirty = true;
	list_push_back(&r->dirty, &e->dirty);
}

void rib_touch_nexthop(struct rib *r, struct nexthop *nh)
{
	list_for_each (it, &nh->paths)
		rib_touch(r, list_entry(it, struct path, nexthop_link)->entry, true);
}

static struct path **find_slot(struct rib_entry *e, const struct rib_source *s)
{
	struct path **slot = &e->paths;

	while (*slot && (*slot)->source != s)
		slot = &(*slot)->next;
	return slot;
}

struct path *rib_find(const struct rib *r, const struct rib_source *s, const struct ip_prefix *p)
{
	struct rib_entry *e = entry_of(trie_find(&r->tries[bgp_family_of(p->addr.family)], p));

	return e ? *find_slot(e, s) : NULL;
}

static void set_nexthop(struct path *p, struct nexthop *nh)
{
	list_unlink(&p->nexthop_link);
	p->nexthop = nh;
	if (nh)
		list_push_back(&nh->paths, &p->nexthop_link);
}

static void clear_stale(struct path *p)
{
	if (p->stale)
		p->source->n_stale--;
	p->stale = false;
}

struct path *rib_set(struct rib *r, struct rib_source *s, const struct ip_prefix *prefix,
                     const struct path_spec *spec)
{
	struct trie *t = trie_of(r, prefix);
	struct rib_entry *e = entry_of(trie_find(t, prefix));
	struct path **slot, *p;
	bool force = false;

	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			goto out;
		e->node.prefix = *prefix;
		list_init(&e->dirty);
		if (!trie_insert(t, &e->node)) {
			free(e);
			goto out;
		}
	}
	slot = find_slot(e, s);
	p = *slot;
	if (p) {
		/* The same again, as after a peer's restart, is no change. */
		clear_stale(p);
		if (p->attrs == spec->attrs && p->nexthop == spec->nexthop &&
		    p->ifindex == spec->ifindex && p->preference == spec->preference) {
			attrs_unref(&r->attrs, spec->attrs);
			return p;
		}
		attrs_unref(&r->attrs, p->attrs);
		force = p->ifindex != spec->ifindex;
	} else {
		p = calloc(1, sizeof(*p));
		if (!p) {
			rib_touch(r, e, false); /* goes, if it is empty */
			goto out;
		}
		*slot = p;
		p->entry = e;
		p->source = s;
		list_init(&p->nexthop_link);
		list_push_back(&s->paths, &p->source_link);
		s->n_paths++;
	}
	p->attrs = spec->attrs;
	p->ifindex = spec->ifindex;
	p->preference = spec->preference;
	set_nexthop(p, spec->nexthop);
	rib_touch(r, e, force);
	return p;
out:
	attrs_unref(&r->attrs, spec->attrs);
	return NULL;
}

static void remove_path(struct rib *r, struct path *p)
{
	struct rib_entry *e = p->entry;

	*find_slot(e, p->source) = p->next;
	clear_stale(p);
	p->source->n_paths--;
	list_unlink(&p->source_link);
	list_unlink(&p->nexthop_link);
	if (e->best == p)
		e->best = NULL; /* best_attrs remembers what the listener knows */
	attrs_unref(&r->attrs, p->attrs);
	free(p);
	rib_touch(r, e, false);
}

bool rib_remove(struct rib *r, struct rib_source *s, const struct ip_prefix *prefix)
{
	struct path *p = rib_find(r, s, prefix);

	if (p)
		remove_path(r, p);
	return p != NULL;
}

static bool in_families(const struct path *p, uint8_t families)
{
	return families & (1u << bgp_family_of(p->entry->node.prefix.addr.family));
}

size_t rib_flush(struct rib *r, struct rib_source *s, uint8_t families, bool only_stale)
{
	size_t n = 0;

	list_for_each_safe (it, &s->paths) {
		struct path *p = list_entry(it, struct path, source_link);

		if (!in_families(p, families) || (only_stale && !p->stale))
			continue;
		remove_path(r, p);
		n++;
	}
	return n;
}

size_t rib_mark_stale(struct rib *r, struct rib_source *s, uint8_t families)
{
	size_t n = 0;

	(void)r;
	list_for_each (it, &s->paths) {
		struct path *p = list_entry(it, struct path, source_link);

		if (!in_families(p, families) || p->stale)
			continue;
		p->stale = true;
		s->n_stale++;
		n++;
	}
	return n;
}

static void choose(struct rib *r, struct rib_entry *e)
{
	struct path *best = best_path(e->paths);
	bool force = e->force;

	list_unlink(&e->dirty);
	e->is_dirty = e->force = false;
	e->best = best;
	r->selections++;
	if (force || (best ? best->attrs : NULL) != e->best_attrs ||
	    (best ? best->source : NULL) != e->best_source) {
		if (best)
			(void)attrs_ref(best->attrs);
		attrs_unref(&r->attrs, e->best_attrs);
		e->best_attrs = best ? best->attrs : NULL;
		e->best_source = best ? best->source : NULL;
		r->changed(r->arg, e);
	}
	if (!e->paths && !e->is_dirty) {
		assert(!e->best_attrs);
		trie_remove(trie_of(r, &e->node.prefix), &e->node);
		free(e);
	}
}

bool rib_select(struct rib *r, unsigned budget)
{
	while (budget-- && !list_empty(&r->dirty))
		choose(r, list_entry(r->dirty.next, struct rib_entry, dirty));
	return !list_empty(&r->dirty);
}

void rib_done(struct rib *r)
{
	while (rib_select(r, 1u << 30))
		;
	for (int f = 0; f < BGP_FAMILIES; f++)
		assert(r->tries[f].n == 0);
	attrs_table_done(&r->attrs);
}
