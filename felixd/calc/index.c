/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/index.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/selector.h"

struct index_key {
	struct hmap_node node;
	struct index_vec pairs;     /* struct index_pair */
	struct index_vec selectors; /* restricted to "has this label" */
	char name[];
};

struct index_pair {
	struct hmap_node node;
	struct index_key *key;
	uint32_t pos; /* in key->pairs */
	struct index_vec items, parents, selectors;
	char value[];
};

/* ---- vectors: removal moves the last one into the gap; the caller tells it where it is now */

static uint32_t vec_add(struct index_vec *v, void *p)
{
	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap + v->cap / 2 + 1 : 1; /* most hold one or two */
		v->v = xrealloc(v->v, v->cap * sizeof(*v->v));
	}
	v->v[v->n] = p;
	return v->n++;
}

/* Returns the one that now stands at pos, or NULL. */
static void *vec_remove(struct index_vec *v, uint32_t pos)
{
	void *moved = NULL;

	v->n--;
	if (pos != v->n)
		moved = v->v[pos] = v->v[v->n];
	if (v->n == 0) {
		free(v->v);
		v->v = NULL;
		v->cap = 0;
	}
	return moved;
}

static void labels_moved(struct index_labels *l, const struct index_pair *pair, uint32_t pos)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].pair == pair)
			l->v[i].pos = pos;
}

/* ---- keys and pairs: there while anybody stands under them */

static struct index_key *key_find(const struct index *x, const char *name)
{
	hmap_find(k, &x->keys, hash_str(name), struct index_key, node, strcmp(k->name, name) == 0);
	return k;
}

static struct index_key *key_get(struct index *x, const char *name)
{
	struct index_key *k = key_find(x, name);

	if (!k) {
		size_t len = strlen(name);

		k = xcalloc(1, sizeof(*k) + len + 1);
		memcpy(k->name, name, len + 1);
		hmap_insert(&x->keys, &k->node, hash_str(name));
	}
	return k;
}

static void key_put(struct index *x, struct index_key *k)
{
	if (k->pairs.n || k->selectors.n)
		return;
	hmap_remove(&x->keys, &k->node);
	free(k);
}

static uint32_t pair_hash(const char *key, const char *value)
{
	return hash_mix(hash_str(key), hash_str(value));
}

static struct index_pair *pair_find(const struct index *x, const char *key, const char *value)
{
	hmap_find(p, &x->pairs, pair_hash(key, value), struct index_pair, node,
	          strcmp(p->value, value) == 0 && strcmp(p->key->name, key) == 0);
	return p;
}

static struct index_pair *pair_get(struct index *x, const char *key, const char *value)
{
	struct index_pair *p = pair_find(x, key, value);

	if (!p) {
		size_t len = strlen(value);

		p = xcalloc(1, sizeof(*p) + len + 1);
		memcpy(p->value, value, len + 1);
		p->key = key_get(x, key);
		p->pos = vec_add(&p->key->pairs, p);
		hmap_insert(&x->pairs, &p->node, pair_hash(key, value));
	}
	return p;
}

static void pair_put(struct index *x, struct index_pair *p)
{
	struct index_pair *moved;

	if (p->items.n || p->parents.n || p->selectors.n)
		return;
	moved = vec_remove(&p->key->pairs, p->pos);
	if (moved)
		moved->pos = p->pos;
	key_put(x, p->key);
	hmap_remove(&x->pairs, &p->node);
	free(p);
}

/* ---- labels of items and parents */

static struct index_labels labels_get(struct index *x, const struct index_kv *kv, size_t n)
{
	struct index_labels l = { .n = (uint32_t)n };

	if (n)
		l.v = xcalloc(n, sizeof(*l.v));
	for (size_t i = 0; i < n; i++)
		l.v[i].pair = pair_get(x, kv[i].key, kv[i].value);
	return l;
}

static void labels_put(struct index *x, struct index_labels *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		pair_put(x, l->v[i].pair);
	free(l->v);
	*l = (struct index_labels){ 0 };
}

static void item_enter(struct index *x, struct index_item *item)
{
	for (uint32_t i = 0; i < item->labels.n; i++)
		item->labels.v[i].pos = vec_add(&item->labels.v[i].pair->items, item);
	for (uint32_t i = 0; i < item->n_parents; i++)
		item->parents[i].pos = vec_add(&item->parents[i].parent->items, item);
	item->pos = vec_add(&x->items, item);
	item->present = true;
}

static void item_leave(struct index *x, struct index_item *item)
{
	struct index_item *moved;

	for (uint32_t i = 0; i < item->labels.n; i++) {
		struct index_label *l = &item->labels.v[i];

		moved = vec_remove(&l->pair->items, l->pos);
		if (moved)
			labels_moved(&moved->labels, l->pair, l->pos);
	}
	for (uint32_t i = 0; i < item->n_parents; i++) {
		struct index_parent_ref *r = &item->parents[i];

		moved = vec_remove(&r->parent->items, r->pos);
		for (uint32_t k = 0; moved && k < moved->n_parents; k++)
			if (moved->parents[k].parent == r->parent)
				moved->parents[k].pos = r->pos;
	}
	moved = vec_remove(&x->items, item->pos);
	if (moved)
		moved->pos = item->pos;
	item->present = false;
}

/* ---- what a selector sees */

struct view {
	const struct index_item *item;
	bool old; /* with the labels that a changing parent had */
};

static const struct index_labels *parent_labels(const struct index_parent *p, bool old)
{
	return old && p->changing ? &p->old : &p->labels;
}

static const char *labels_lookup(const struct index_labels *l, const char *key)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].pair->key->name, key) == 0)
			return l->v[i].pair->value;
	return NULL;
}

static const char *view_lookup(void *arg, const char *key)
{
	const struct view *v = arg;
	const char *value = labels_lookup(&v->item->labels, key);

	for (uint32_t i = 0; !value && i < v->item->n_parents; i++)
		value = labels_lookup(parent_labels(v->item->parents[i].parent, v->old), key);
	return value;
}

static bool match(const struct index_selector *s, const struct index_item *item, bool old)
{
	struct view v = { item, old };

	return selector_match(s->sel, view_lookup, &v);
}

/* ---- a change of an item: before and after are two items with the same identity */

struct change {
	struct index *x;
	struct index_item *item;                 /* whom to tell of */
	const struct index_item *before, *after; /* NULL: was not, is not */
};

static void consider(const struct change *c, const struct index_vec *selectors)
{
	for (uint32_t i = 0; i < selectors->n; i++) {
		struct index_selector *s = selectors->v[i];
		bool was, is;

		if (s->stamp == c->x->stamp)
			continue;
		s->stamp = c->x->stamp;
		was = c->before && match(s, c->before, true);
		is = c->after && match(s, c->after, false);
		if (was || is)
			c->x->fn(c->x->arg, s, c->item, was, is);
	}
}

static void consider_labels(const struct change *c, const struct index_labels *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		consider(c, &l->v[i].pair->selectors);
		consider(c, &l->v[i].pair->key->selectors);
	}
}

static void consider_view(const struct change *c, const struct index_item *item, bool old)
{
	if (!item)
		return;
	consider_labels(c, &item->labels);
	for (uint32_t i = 0; i < item->n_parents; i++)
		consider_labels(c, parent_labels(item->parents[i].parent, old));
}

static void tell_change(const struct change *c)
{
	c->x->stamp++;
	consider_view(c, c->before, true);
	consider_view(c, c->after, false);
	consider(c, &c->x->unrestricted);
}

void index_item_set(struct index *x, struct index_item *item, const struct index_kv *labels,
                    size_t n, struct index_parent *const *parents, size_t n_parents)
{
	struct index_item before = *item;
	bool was = item->present;

	if (was)
		item_leave(x, item);
	item->labels = labels_get(x, labels, n);
	item->n_parents = (uint32_t)n_parents;
	item->parents = n_parents ? xcalloc(n_parents, sizeof(*item->parents)) : NULL;
	for (size_t i = 0; i < n_parents; i++)
		item->parents[i].parent = parents[i];
	item_enter(x, item);

	struct change c = { x, item, was ? &before : NULL, item };
	tell_change(&c);
	if (was) {
		labels_put(x, &before.labels);
		free(before.parents);
	}
}

void index_item_remove(struct index *x, struct index_item *item)
{
	if (!item->present)
		return;
	item_leave(x, item);

	struct change c = { x, item, item, NULL };
	tell_change(&c);
	labels_put(x, &item->labels);
	free(item->parents);
	*item = (struct index_item){ 0 };
}

/* ---- parents */

static void parent_enter(struct index_parent *p)
{
	for (uint32_t i = 0; i < p->labels.n; i++)
		p->labels.v[i].pos = vec_add(&p->labels.v[i].pair->parents, p);
}

static void parent_leave(struct index_parent *p)
{
	for (uint32_t i = 0; i < p->labels.n; i++) {
		struct index_label *l = &p->labels.v[i];
		struct index_parent *moved = vec_remove(&l->pair->parents, l->pos);

		if (moved)
			labels_moved(&moved->labels, l->pair, l->pos);
	}
}

static bool labels_are(const struct index_labels *l, const struct index_kv *kv, size_t n)
{
	if (l->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		/* Labels of an object come sorted: mostly they stand at the same place. */
		const struct index_pair *there = l->v[i].pair;
		const char *v = strcmp(there->key->name, kv[i].key) == 0
		                        ? there->value
		                        : labels_lookup(l, kv[i].key);

		if (!v || strcmp(v, kv[i].value) != 0)
			return false;
	}
	return true;
}

void index_parent_set(struct index *x, struct index_parent *p, const struct index_kv *labels,
                      size_t n)
{
	if (labels_are(&p->labels, labels, n))
		return;
	parent_leave(p);
	p->old = p->labels;
	p->labels = labels_get(x, labels, n);
	p->changing = true;
	parent_enter(p);
	for (uint32_t i = 0; i < p->items.n; i++) {
		struct index_item *item = p->items.v[i];
		struct change c = { x, item, item, item };

		tell_change(&c);
	}
	p->changing = false;
	labels_put(x, &p->old);
}

void index_parent_remove(struct index *x, struct index_parent *p)
{
	parent_leave(p);
	labels_put(x, &p->labels);
}

/* ---- selectors */

static size_t pair_population(const struct index_pair *p)
{
	size_t n = p->items.n;

	for (uint32_t i = 0; i < p->parents.n; i++)
		n += ((const struct index_parent *)p->parents.v[i])->items.n;
	return n;
}

/* How many items meet r; *ret_selectors: how many selectors stand there already. */
static size_t restriction_population(const struct index *x, const struct selector_restriction *r,
                                     size_t *ret_selectors)
{
	size_t n = 0;
	const struct index_key *k;

	*ret_selectors = 0;
	for (size_t i = 0; i < r->n_values; i++) {
		const struct index_pair *p = pair_find(x, r->label, r->values[i]);

		if (p) {
			n += pair_population(p);
			*ret_selectors += p->selectors.n;
		}
	}
	if (r->n_values == 0 && (k = key_find(x, r->label))) {
		*ret_selectors = k->selectors.n;
		for (uint32_t i = 0; i < k->pairs.n; i++)
			n += pair_population(k->pairs.v[i]);
	}
	return n;
}

static const struct selector_restriction *choose(const struct index *x, const struct selector *sel)
{
	const struct selector_restriction *all, *best = NULL;
	size_t n = selector_restrictions(sel, &all);
	size_t best_items = 0, best_selectors = 0;

	for (size_t i = 0; i < n; i++) {
		size_t selectors, items = restriction_population(x, &all[i], &selectors);
		bool better = !best || items < best_items;

		if (best && items == best_items) { /* at start there are no items yet: spread the
			                              selectors */
			bool valued = all[i].n_values > 0, best_valued = best->n_values > 0;

			better = valued != best_valued ? valued : selectors < best_selectors;
		}
		if (better) {
			best = &all[i];
			best_items = items;
			best_selectors = selectors;
		}
	}
	return best;
}

static void scan_items(struct index *x, struct index_selector *s, const struct index_vec *items,
                       index_fn *fn, void *arg, bool was, bool is)
{
	for (uint32_t i = 0; i < items->n; i++) {
		struct index_item *item = items->v[i];

		if (item->stamp == x->stamp)
			continue;
		item->stamp = x->stamp;
		if (match(s, item, false))
			fn(arg, s, item, was, is);
	}
}

static void scan_pair(struct index *x, struct index_selector *s, const struct index_pair *p,
                      index_fn *fn, void *arg, bool was, bool is)
{
	scan_items(x, s, &p->items, fn, arg, was, is);
	for (uint32_t i = 0; i < p->parents.n; i++)
		scan_items(x, s, &((const struct index_parent *)p->parents.v[i])->items, fn, arg,
		           was, is);
}

static void scan(struct index *x, struct index_selector *s, index_fn *fn, void *arg, bool was,
                 bool is)
{
	x->stamp++;
	if (s->n_under) {
		for (uint32_t i = 0; i < s->n_under; i++)
			scan_pair(x, s, s->under[i].pair, fn, arg, was, is);
	} else if (s->key) {
		for (uint32_t i = 0; i < s->key->pairs.n; i++)
			scan_pair(x, s, s->key->pairs.v[i], fn, arg, was, is);
	} else {
		scan_items(x, s, &x->items, fn, arg, was, is);
	}
}

void index_selector_add(struct index *x, struct index_selector *s, struct selector *sel)
{
	const struct selector_restriction *r = choose(x, sel);

	*s = (struct index_selector){ .sel = sel, .present = true };
	if (r && r->n_values) {
		s->n_under = (uint32_t)r->n_values;
		s->under = xcalloc(r->n_values, sizeof(*s->under));
		for (uint32_t i = 0; i < s->n_under; i++) {
			s->under[i].pair = pair_get(x, r->label, r->values[i]);
			s->under[i].pos = vec_add(&s->under[i].pair->selectors, s);
		}
	} else if (r) {
		s->key = key_get(x, r->label);
		s->pos = vec_add(&s->key->selectors, s);
	} else {
		s->pos = vec_add(&x->unrestricted, s);
	}
	scan(x, s, x->fn, x->arg, false, true);
}

void index_selector_scan(struct index *x, struct index_selector *s, index_fn *fn, void *arg)
{
	scan(x, s, fn, arg, true, true);
}

void index_selector_remove(struct index *x, struct index_selector *s, bool tell)
{
	struct index_selector *moved;

	if (!s->present)
		return;
	if (tell)
		scan(x, s, x->fn, x->arg, true, false);
	for (uint32_t i = 0; i < s->n_under; i++) {
		struct index_label *l = &s->under[i];

		moved = vec_remove(&l->pair->selectors, l->pos);
		for (uint32_t k = 0; moved && k < moved->n_under; k++)
			if (moved->under[k].pair == l->pair)
				moved->under[k].pos = l->pos;
		pair_put(x, l->pair);
	}
	if (s->key) {
		moved = vec_remove(&s->key->selectors, s->pos);
		if (moved)
			moved->pos = s->pos;
		key_put(x, s->key);
	} else if (!s->n_under) {
		moved = vec_remove(&x->unrestricted, s->pos);
		if (moved)
			moved->pos = s->pos;
	}
	free(s->under);
	*s = (struct index_selector){ 0 };
}

/* ---- the whole */

void index_init(struct index *x, index_fn *fn, void *arg)
{
	*x = (struct index){ .fn = fn, .arg = arg };
}

static void vec_done(struct index_vec *v)
{
	free(v->v);
	*v = (struct index_vec){ 0 };
}

void index_done(struct index *x)
{
	hmap_for_each (p, &x->pairs, struct index_pair, node) {
		vec_done(&p->items);
		vec_done(&p->parents);
		vec_done(&p->selectors);
		free(p);
	}
	hmap_for_each (k, &x->keys, struct index_key, node) {
		vec_done(&k->pairs);
		vec_done(&k->selectors);
		free(k);
	}
	hmap_done(&x->pairs);
	hmap_done(&x->keys);
	vec_done(&x->items);
	vec_done(&x->unrestricted);
}
