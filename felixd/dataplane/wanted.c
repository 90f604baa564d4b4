/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/wanted.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"

static void map_free(struct wanted_map *m)
{
	free(m->entries);
	free(m);
}

void wanted_clear_touched(struct wanted *w)
{
	hmap_for_each (t, &w->touched, struct touched, node) {
		hmap_remove(&w->touched, &t->node);
		free(t);
	}
}

void wanted_done(struct wanted *w)
{
	hmap_for_each (c, &w->chains, struct wanted_chain, node) {
		chain_free(c->chain);
		free(c);
	}
	hmap_for_each (h, &w->hooks, struct wanted_hook, node) {
		chain_free(h->inserts);
		chain_free(h->appends);
		free(h);
	}
	hmap_for_each (m, &w->maps, struct wanted_map, node)
		map_free(m);
	wanted_clear_touched(w);
	hmap_done(&w->chains);
	hmap_done(&w->hooks);
	hmap_done(&w->maps);
	hmap_done(&w->touched);
}

void wanted_touch(struct wanted *w, const char *name)
{
	w->dirty = true;
	if (!w->track)
		return;
	hmap_find(t, &w->touched, hash_str(name), struct touched, node, strcmp(t->name, name) == 0);
	if (t)
		return;
	t = xcalloc(1, sizeof(*t));
	strcpy(t->name, name);
	hmap_insert(&w->touched, &t->node, hash_str(name));
}

/* ---- who leads to whom */

struct wanted_chain *wanted_chain_find(const struct wanted *w, const char *name)
{
	hmap_find(c, &w->chains, hash_str(name), struct wanted_chain, node,
	          strcmp(c->name, name) == 0);
	return c;
}

static struct wanted_chain *chain_get(struct wanted *w, const char *name)
{
	struct wanted_chain *c = wanted_chain_find(w, name);

	if (c)
		return c;
	c = xcalloc(1, sizeof(*c));
	assert(strlen(name) < sizeof(c->name));
	strcpy(c->name, name);
	hmap_insert(&w->chains, &c->node, hash_str(name));
	return c;
}

static void chain_forget_if_unused(struct wanted *w, struct wanted_chain *c)
{
	if (c->chain || c->refs)
		return;
	hmap_remove(&w->chains, &c->node);
	free(c);
}

struct wanted_map *wanted_map_find(const struct wanted *w, const char *name)
{
	hmap_find(m, &w->maps, hash_str(name), struct wanted_map, node, strcmp(m->name, name) == 0);
	return m;
}

static struct wanted_map *map_get(struct wanted *w, const char *name)
{
	struct wanted_map *m = wanted_map_find(w, name);

	if (m)
		return m;
	m = xcalloc(1, sizeof(*m));
	assert(strlen(name) < sizeof(m->name));
	strcpy(m->name, name);
	hmap_insert(&w->maps, &m->node, hash_str(name));
	return m;
}

static void refs_add(struct wanted *w, const struct chain *c);
static void refs_drop(struct wanted *w, const struct chain *c);

static void ref(struct wanted *w, const char *name)
{
	struct wanted_chain *c = chain_get(w, name);

	if (c->refs++ == 0) {
		wanted_touch(w, name);
		refs_add(w, c->chain);
	}
}

static void unref(struct wanted *w, const char *name)
{
	struct wanted_chain *c = wanted_chain_find(w, name);

	assert(c && c->refs > 0);
	if (--c->refs == 0) {
		wanted_touch(w, c->name);
		refs_drop(w, c->chain);
		chain_forget_if_unused(w, c);
	}
}

static void entries_ref(struct wanted *w, const struct verdict *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ref(w, entries[i].chain);
}

static void entries_unref(struct wanted *w, const struct verdict *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		unref(w, entries[i].chain);
}

static void map_ref(struct wanted *w, const char *name)
{
	struct wanted_map *m = map_get(w, name);

	if (m->refs++ == 0) {
		wanted_touch(w, name);
		entries_ref(w, m->entries, m->n);
	}
}

static void map_unref(struct wanted *w, const char *name)
{
	struct wanted_map *m = wanted_map_find(w, name);

	assert(m && m->refs > 0);
	if (--m->refs == 0) {
		wanted_touch(w, m->name);
		entries_unref(w, m->entries, m->n);
	}
}

static void refs_add(struct wanted *w, const struct chain *c)
{
	for (size_t i = 0; c && i < c->n_rules; i++) {
		const struct action *a = &c->rules[i].action;

		if (a->kind == ACTION_JUMP || a->kind == ACTION_GOTO)
			ref(w, a->chain);
		else if (a->kind == ACTION_VMAP)
			map_ref(w, a->vmap.name);
	}
}

static void refs_drop(struct wanted *w, const struct chain *c)
{
	for (size_t i = 0; c && i < c->n_rules; i++) {
		const struct action *a = &c->rules[i].action;

		if (a->kind == ACTION_JUMP || a->kind == ACTION_GOTO)
			unref(w, a->chain);
		else if (a->kind == ACTION_VMAP)
			map_unref(w, a->vmap.name);
	}
}

/* ---- wishes */

void wanted_set_chain(struct wanted *w, struct chain *c)
{
	struct wanted_chain *have = chain_get(w, c->name);
	struct chain *old = have->chain;

	w->hash(w, c, c->name);
	if (old && chain_same(old, c) && !have->failed) {
		chain_free(c);
		return;
	}
	have->chain = c;
	have->failed = false;
	if (have->refs) {
		wanted_touch(w, c->name);
		refs_add(w, c); /* first: what both lead to stays live */
		refs_drop(w, old);
	}
	chain_free(old);
}

void wanted_remove_chain(struct wanted *w, const char *name)
{
	struct wanted_chain *c = wanted_chain_find(w, name);
	struct chain *old;

	if (!c || !c->chain)
		return;
	old = c->chain;
	c->chain = NULL;
	c->failed = false;
	if (c->refs) {
		wanted_touch(w, name);
		refs_drop(w, old);
	}
	chain_free(old);
	chain_forget_if_unused(w, c);
}

void wanted_prune(struct wanted *w, const char *prefix)
{
	hmap_for_each (c, &w->chains, struct wanted_chain, node) {
		if (c->refs || strncmp(c->name, prefix, strlen(prefix)) != 0)
			continue;
		hmap_remove(&w->chains, &c->node);
		chain_free(c->chain);
		free(c);
	}
}

struct wanted_hook *wanted_hook_find(const struct wanted *w, const char *kernel_chain)
{
	hmap_find(h, &w->hooks, hash_str(kernel_chain), struct wanted_hook, node,
	          strcmp(h->kernel_chain, kernel_chain) == 0);
	return h;
}

void wanted_set_hook(struct wanted *w, const char *kernel_chain, struct chain *inserts,
                     struct chain *appends)
{
	char seed[KERNEL_CHAIN_MAX + 16];
	struct wanted_hook *h = wanted_hook_find(w, kernel_chain);
	struct chain *old[2] = { NULL, NULL };

	if (h) {
		old[0] = h->inserts;
		old[1] = h->appends;
	} else {
		h = xcalloc(1, sizeof(*h));
		assert(strlen(kernel_chain) < sizeof(h->kernel_chain));
		strcpy(h->kernel_chain, kernel_chain);
		hmap_insert(&w->hooks, &h->node, hash_str(kernel_chain));
	}
	if (inserts)
		w->hash(w, inserts, kernel_chain);
	if (appends) {
		/* Rules at the end are hashed as a chain of their own. */
		snprintf(seed, sizeof(seed), "%s*appends*", kernel_chain);
		w->hash(w, appends, seed);
	}
	h->inserts = inserts;
	h->appends = appends;
	wanted_touch(w, kernel_chain);
	refs_add(w, inserts);
	refs_add(w, appends);
	for (unsigned i = 0; i < 2; i++) {
		refs_drop(w, old[i]);
		chain_free(old[i]);
	}
}

void wanted_set_map(struct wanted *w, const char *name, const struct verdict *entries, size_t n)
{
	struct wanted_map *m = map_get(w, name);
	struct verdict *old = m->entries;
	size_t n_old = m->n;

	if (n == n_old && (n == 0 || memcmp(old, entries, n * sizeof(*old)) == 0))
		return;
	m->entries = xcalloc(n + 1, sizeof(*m->entries));
	if (n)
		memcpy(m->entries, entries, n * sizeof(*m->entries));
	m->n = n;
	if (m->refs) {
		wanted_touch(w, name);
		entries_ref(w, m->entries, n);
		entries_unref(w, old, n_old);
	}
	free(old);
}

/* ---- answers */

/* Endpoint, group, policy: no way through the wanted chains is longer. */
static bool failed_below(const struct wanted *w, const char *name, unsigned depth, struct err *err)
{
	const struct wanted_chain *c = wanted_chain_find(w, name);

	if (!c)
		return false;
	if (c->failed) {
		err_set(err, -ENOENT, "chain %s: %s", name, c->why);
		return true;
	}
	for (size_t i = 0; depth && c->chain && i < c->chain->n_rules; i++) {
		const struct action *a = &c->chain->rules[i].action;

		if ((a->kind == ACTION_JUMP || a->kind == ACTION_GOTO) &&
		    failed_below(w, a->chain, depth - 1, err))
			return true;
	}
	return false;
}

bool wanted_chain_failed(const struct wanted *w, const char *name, struct err *err)
{
	return failed_below(w, name, 2, err);
}

void wanted_count(const struct wanted *w, size_t *chains, size_t *rules)
{
	hmap_for_each (c, &w->chains, struct wanted_chain, node) {
		if (c->refs) {
			(*chains)++;
			*rules += c->chain ? c->chain->n_rules : 0;
		}
	}
	hmap_for_each (h, &w->hooks, struct wanted_hook, node)
		*rules += (h->inserts ? h->inserts->n_rules : 0) +
		          (h->appends ? h->appends->n_rules : 0);
}
