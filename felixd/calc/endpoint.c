/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints, and the priority lane.
 *
 * An endpoint comes from two sides: from the plugin, ahead of everything, and from the datastore,
 * later and for good. Revisions are the datastore's and decide: what the plugin said is in force
 * until the datastore says at least that revision; what the plugin took away stays away until the
 * datastore has forgotten it, or says something newer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/calc/state.h"

static uint32_t key_hash(const char *ns, const char *name)
{
	return hash_mix(hash_str(ns), hash_str(name));
}

/* Writes "ns\0name\0" to out and returns where name begins. */
static const char *key_write(char *out, const char *ns, const char *name)
{
	size_t len = strlen(ns) + 1;

	memcpy(out, ns, len);
	strcpy(out + len, name);
	return out + len;
}

static size_t key_size(const char *ns, const char *name)
{
	return strlen(ns) + strlen(name) + 2;
}

static struct endpoint *find_kind(const struct calc *c, bool host, const char *ns, const char *name)
{
	hmap_find(ep, &c->endpoints, key_hash(ns, name), struct endpoint, node,
	          ep->host == host && strcmp(ep->name, name) == 0 && strcmp(ep->ns, ns) == 0);
	return ep;
}

static struct endpoint *find(const struct calc *c, const char *ns, const char *name)
{
	return find_kind(c, false, ns, name);
}

static struct endpoint *get(struct calc *c, bool host, const char *ns, const char *name)
{
	struct endpoint *ep = find_kind(c, host, ns, name);

	if (!ep) {
		ep = xcalloc(1, sizeof(*ep) + key_size(ns, name));
		ep->name = key_write(ep->ns, ns, name);
		ep->host = host;
		hmap_insert(&c->endpoints, &ep->node, key_hash(ns, name));
	}
	return ep;
}

/* ---- what was told and has to be taken back */

static void gone_add(struct calc *c, const struct endpoint *ep)
{
	struct gone *g = xcalloc(1, sizeof(*g) + key_size(ep->ns, ep->name));

	g->name = key_write(g->ns, ep->ns, ep->name);
	g->host = ep->host;
	hmap_insert(&c->gone, &g->node, key_hash(ep->ns, ep->name));
}

static bool gone_cancel(struct calc *c, const struct endpoint *ep)
{
	hmap_find(g, &c->gone, key_hash(ep->ns, ep->name), struct gone, node,
	          g->host == ep->host && strcmp(g->name, ep->name) == 0 &&
	                  strcmp(g->ns, ep->ns) == 0);

	if (!g)
		return false;
	hmap_remove(&c->gone, &g->node);
	free(g);
	return true;
}

/* ---- tombstones */

static struct tombstone *tombstone_find(const struct calc *c, const char *ns, const char *name)
{
	hmap_find(t, &c->tombstones, key_hash(ns, name), struct tombstone, node,
	          strcmp(t->name, name) == 0 && strcmp(t->ns, ns) == 0);
	return t;
}

static void tombstone_free(struct calc *c, struct tombstone *t)
{
	if (!t)
		return;
	hmap_remove(&c->tombstones, &t->node);
	free(t);
}

static void tombstone_add(struct calc *c, const struct endpoint *ep)
{
	struct tombstone *t = xcalloc(1, sizeof(*t) + key_size(ep->ns, ep->name));

	t->name = key_write(t->ns, ep->ns, ep->name);
	t->revision =
	        ep->lane_revision > ep->store_revision ? ep->lane_revision : ep->store_revision;
	t->in_store = ep->store_revision != 0;
	hmap_insert(&c->tombstones, &t->node, key_hash(ep->ns, ep->name));
}

/* ---- local endpoints */

static void local_unparent(struct calc *c, struct local *l)
{
	for (uint32_t i = 0; i < l->item.n_parents; i++)
		calc_profile_local(
		        c, container_of(l->item.parents[i].parent, struct profile, local), -1);
}

static size_t *local_count(struct calc *c, const struct endpoint *ep)
{
	return ep->host ? &c->n_hosts : &c->n_locals;
}

static void local_remove(struct calc *c, struct endpoint *ep)
{
	struct local *l = ep->local;

	if (!l)
		return;
	local_unparent(c, l);
	index_item_remove(&c->local, &l->item);
	if (l->told)
		gone_add(c, ep);
	list_unlink(&l->dirty);
	free(l->matched);
	free(l->interface);
	free(l->container);
	free(l);
	ep->local = NULL;
	*local_count(c, ep) -= 1;
}

static void replace_str(char **field, const char *value)
{
	char *copy = xstrdup(value);

	free(*field);
	*field = copy;
}

static void local_set(struct calc *c, struct endpoint *ep, const struct wep *w,
                      struct profile *const *profiles)
{
	struct local *l = ep->local;
	struct index_parent **parents =
	        w->n_profiles ? xcalloc(w->n_profiles, sizeof(struct index_parent *)) : NULL;

	if (!l) {
		l = ep->local = xcalloc(1, sizeof(*l));
		l->ep = ep;
		l->told = gone_cancel(c, ep);
		list_init(&l->dirty);
		*local_count(c, ep) += 1;
	}
	for (size_t i = 0; i < w->n_profiles; i++) {
		parents[i] = &profiles[i]->local;
		calc_profile_local(c, profiles[i], 1); /* the new before the old */
	}
	local_unparent(c, l);
	index_item_set(&c->local, &l->item, w->labels.v, w->labels.n, parents, w->n_profiles);
	free(parents);
	replace_str(&l->interface, w->interface);
	replace_str(&l->container, w->container);
	l->mac = w->mac;
	calc_touch(&c->dirty_locals, &l->dirty);
}

/* ---- endpoints, local or not */

static void unref_profiles(struct calc *c, struct profile **profiles, size_t n)
{
	for (size_t i = 0; i < n; i++)
		calc_profile_unref(c, profiles[i]);
	free(profiles);
}

static struct profile **profiles_of(const struct endpoint *ep, size_t *ret_n)
{
	const struct index_item *item = &ep->src.item;
	struct profile **v =
	        item->n_parents ? xcalloc(item->n_parents, sizeof(struct profile *)) : NULL;

	for (uint32_t i = 0; i < item->n_parents; i++)
		v[i] = container_of(item->parents[i].parent, struct profile, all);
	*ret_n = item->n_parents;
	return v;
}

/* w's contribution is taken. */
static void set_endpoint(struct calc *c, struct endpoint *ep, struct wep *w)
{
	struct index_parent **parents =
	        w->n_profiles ? xcalloc(w->n_profiles, sizeof(struct index_parent *)) : NULL;
	struct profile **profiles =
	        w->n_profiles ? xcalloc(w->n_profiles, sizeof(struct profile *)) : NULL;
	size_t n_before;
	struct profile **before = profiles_of(ep, &n_before);

	for (size_t i = 0; i < w->n_profiles; i++) {
		profiles[i] = calc_profile_ref(c, w->profiles[i]);
		parents[i] = &profiles[i]->all;
	}
	sets_source_set(&c->sets, &ep->src, w->labels.v, w->labels.n, parents, w->n_profiles,
	                &w->contribution);
	w->contribution = (struct contribution){ 0 };
	if (strcmp(w->node, c->node) == 0)
		local_set(c, ep, w, profiles);
	else
		local_remove(c, ep);
	unref_profiles(c, before, n_before);
	free(profiles);
	free(parents);
}

static void remove_endpoint(struct calc *c, struct endpoint *ep)
{
	size_t n;
	struct profile **profiles = profiles_of(ep, &n);

	local_remove(c, ep);
	sets_source_remove(&c->sets, &ep->src);
	unref_profiles(c, profiles, n);
	hmap_remove(&c->endpoints, &ep->node);
	free(ep);
}

/* ---- from the datastore */

int calc_endpoint_update(struct calc *c, const struct resource *r, struct err *err)
{
	const char *ns = r->ns ? r->ns : "";
	struct tombstone *t = tombstone_find(c, ns, r->name);
	struct endpoint *ep = find(c, ns, r->name);
	struct wep w;
	int rc;

	if (t && r->revision <= t->revision) {
		t->in_store = true;
		return 0;
	}
	tombstone_free(c, t);
	if (ep && ep->lane_revision > r->revision) {
		ep->store_revision = r->revision;
		return 0;
	}
	if ((rc = wep_read(r, c->node, &w, err)) < 0) {
		if (ep)
			remove_endpoint(c, ep);
		return rc;
	}
	ep = get(c, false, ns, r->name);
	ep->revision = ep->store_revision = r->revision;
	ep->lane_revision = 0;
	set_endpoint(c, ep, &w);
	wep_done(&w);
	return 0;
}

void calc_endpoint_remove(struct calc *c, const char *ns, const char *name)
{
	struct endpoint *ep = find(c, ns ? ns : "", name);

	tombstone_free(c, tombstone_find(c, ns ? ns : "", name));
	if (!ep)
		return;
	if (ep->lane_revision) /* an earlier one of the same name went; the plugin's has yet to
	                          arrive */
		ep->store_revision = 0;
	else
		remove_endpoint(c, ep);
}

int calc_host_endpoint_update(struct calc *c, const struct resource *r, struct err *err)
{
	struct endpoint *ep = find_kind(c, true, "", r->name);
	struct wep w;
	int rc = hep_read(r, c->node, &w, err);

	if (rc < 0) {
		if (ep)
			remove_endpoint(c, ep);
		return rc;
	}
	ep = get(c, true, "", r->name);
	ep->revision = ep->store_revision = r->revision;
	set_endpoint(c, ep, &w);
	wep_done(&w);
	return 0;
}

void calc_host_endpoint_remove(struct calc *c, const char *name)
{
	struct endpoint *ep = find_kind(c, true, "", name);

	if (ep)
		remove_endpoint(c, ep);
}

/* The datastore's state is complete up to at least max_revision: what should be in it by then and
 * is not, has been deleted. */
void calc_endpoint_in_sync(struct calc *c)
{
	for (uint32_t i = c->local.items.n; i-- > 0;) {
		struct local *l = container_of(c->local.items.v[i], struct local, item);

		if (l->ep->lane_revision && !l->ep->store_revision &&
		    l->ep->lane_revision <= c->max_revision)
			remove_endpoint(c, l->ep);
	}
	hmap_for_each (t, &c->tombstones, struct tombstone, node)
		if (!t->in_store && t->revision <= c->max_revision)
			tombstone_free(c, t);
}

/* ---- from the plugin */

int calc_local_endpoint(struct calc *c, const struct resource *r, struct err *err)
{
	const char *ns = r->ns ? r->ns : "";
	struct endpoint *ep = find(c, ns, r->name);
	struct wep w;
	int rc;

	if (ep && ep->local && !ep->lane_revision && ep->store_revision >= r->revision) {
		calc_touch(&c->dirty_locals, &ep->local->dirty); /* known already: told once more,
		                                                    so that there is a verdict */
		return 0;
	}
	if ((rc = wep_read(r, c->node, &w, err)) < 0)
		return rc;
	if (strcmp(w.node, c->node) != 0) {
		rc = err_set(err, -EINVAL,
		             "spec.node: the endpoint is of node '%.64s', this is '%s'", w.node,
		             c->node);
		wep_done(&w);
		return rc;
	}
	tombstone_free(c, tombstone_find(c, ns, r->name));
	ep = get(c, false, ns, r->name);
	ep->revision = r->revision;
	ep->lane_revision = r->revision ? r->revision : 1;
	set_endpoint(c, ep, &w);
	wep_done(&w);
	return 0;
}

void calc_local_endpoint_remove(struct calc *c, const char *ns, const char *name)
{
	struct endpoint *ep = find(c, ns ? ns : "", name);

	if (!ep || !ep->local)
		return;
	tombstone_free(c, tombstone_find(c, ep->ns, ep->name));
	tombstone_add(c, ep);
	remove_endpoint(c, ep);
}

bool calc_local_endpoint_info(const struct calc *c, const char *ns, const char *name,
                              struct calc_local_info *ret)
{
	const struct endpoint *ep = find(c, ns ? ns : "", name);

	if (!ep || !ep->local)
		return false;
	*ret = (struct calc_local_info){ .revision = ep->revision,
		                         .container = ep->local->container };
	return true;
}

void calc_endpoints_done(struct calc *c)
{
	hmap_for_each (ep, &c->endpoints, struct endpoint, node)
		remove_endpoint(c, ep);
	hmap_for_each (g, &c->gone, struct gone, node)
		free(g);
	hmap_for_each (t, &c->tombstones, struct tombstone, node)
		free(t);
	hmap_done(&c->endpoints);
	hmap_done(&c->gone);
	hmap_done(&c->tombstones);
}
