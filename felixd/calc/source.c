/* SPDX-License-Identifier: BSD-2-Clause */
/* Network sets, which are members of IP sets, and IP pools. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/calc/state.h"
#include "proto/v3_ippool.pb-c.h"

/* ---- network sets */

static uint32_t key_hash(model_kind kind, const char *ns, const char *name)
{
	return hash_mix(hash_mix((uint32_t)kind, hash_str(ns)), hash_str(name));
}

static struct netset *netset_find(const struct calc *c, model_kind kind, const char *ns,
                                  const char *name)
{
	hmap_find(s, &c->netsets, key_hash(kind, ns, name), struct netset, node,
	          s->kind == kind && strcmp(s->name, name) == 0 && strcmp(s->ns, ns) == 0);
	return s;
}

static struct netset *netset_get(struct calc *c, model_kind kind, const char *ns, const char *name)
{
	struct netset *s = netset_find(c, kind, ns, name);

	if (!s) {
		size_t ns_len = strlen(ns) + 1;

		s = xcalloc(1, sizeof(*s) + ns_len + strlen(name) + 1);
		memcpy(s->ns, ns, ns_len);
		s->name = strcpy(s->ns + ns_len, name);
		s->kind = kind;
		hmap_insert(&c->netsets, &s->node, key_hash(kind, ns, name));
	}
	return s;
}

static struct profile *netset_profile(const struct netset *s)
{
	return s->src.item.n_parents
	               ? container_of(s->src.item.parents[0].parent, struct profile, all)
	               : NULL;
}

int calc_netset_update(struct calc *c, const struct resource *r, struct err *err)
{
	/* Both kinds of message are laid out alike, but that is protobuf-c's to know. */
	bool global = r->kind == V3__KIND__KIND_GLOBAL_NETWORK_SET;
	const V3__NetworkSetSpec *spec = global ? ((const V3__GlobalNetworkSet *)r->msg)->spec
	                                        : ((const V3__NetworkSet *)r->msg)->spec;
	const char *ns = r->ns && !global ? r->ns : "";
	struct netset *s = netset_get(c, r->kind, ns, r->name);
	struct profile *before = netset_profile(s), *profile = NULL;
	struct index_parent *parent = NULL;
	struct label_list labels;
	struct contribution now;

	(void)err;
	netset_read(*ns ? ns : NULL, model_meta(r->msg, false), spec, &labels, &now);
	if (*ns) { /* the namespace's labels */
		char *name = xasprintf("kns.%s", ns);

		profile = calc_profile_ref(c, name);
		parent = &profile->all;
		free(name);
	}
	sets_source_set(&c->sets, &s->src, labels.v, labels.n, &parent, profile ? 1 : 0, &now);
	if (before)
		calc_profile_unref(c, before);
	label_list_done(&labels);
	return 0;
}

static void netset_free(struct calc *c, struct netset *s)
{
	struct profile *profile = netset_profile(s);

	sets_source_remove(&c->sets, &s->src);
	if (profile)
		calc_profile_unref(c, profile);
	hmap_remove(&c->netsets, &s->node);
	free(s);
}

void calc_netset_remove(struct calc *c, model_kind kind, const char *ns, const char *name)
{
	struct netset *s =
	        netset_find(c, kind, ns && kind == V3__KIND__KIND_NETWORK_SET ? ns : "", name);

	if (s)
		netset_free(c, s);
}

/* ---- pools: told by CIDR; of several with the same, the one with the lowest name counts */

static struct pool *pool_find(const struct calc *c, const char *name)
{
	hmap_find(p, &c->pools, hash_str(name), struct pool, node, strcmp(p->name, name) == 0);
	return p;
}

static const struct pool *pool_of_cidr(const struct calc *c, const struct ip_prefix *cidr)
{
	const struct pool *best = NULL;

	hmap_for_each (p, &c->pools, struct pool, node)
		if (ip_prefix_eq(&p->cidr, cidr) && (!best || strcmp(p->name, best->name) < 0))
			best = p;
	return best;
}

static void touch_cidr(struct calc *c, const struct ip_prefix *cidr)
{
	hmap_find(pc, &c->pool_cidrs, ip_prefix_hash(cidr), struct pool_cidr, node,
	          ip_prefix_eq(&pc->cidr, cidr));

	if (!pc) {
		pc = xcalloc(1, sizeof(*pc));
		pc->cidr = *cidr;
		list_init(&pc->dirty);
		hmap_insert(&c->pool_cidrs, &pc->node, ip_prefix_hash(cidr));
	}
	calc_touch(&c->dirty_pools, &pc->dirty);
}

int calc_pool_update(struct calc *c, const struct resource *r, struct err *err)
{
	const V3__IpPoolSpec *spec = ((const V3__IPPool *)r->msg)->spec;
	struct pool *p;
	struct ip_prefix cidr;

	if (!spec || !spec->cidr || ip_prefix_parse(spec->cidr, &cidr) < 0) {
		calc_pool_remove(c, r->name);
		return err_set(err, -EINVAL, "spec.cidr: '%.64s' is not a CIDR",
		               spec && spec->cidr ? spec->cidr : "");
	}
	cidr = ip_prefix_network(&cidr);
	p = pool_find(c, r->name);
	if (!p) {
		size_t len = strlen(r->name);

		p = xcalloc(1, sizeof(*p) + len + 1);
		memcpy(p->name, r->name, len + 1);
		hmap_insert(&c->pools, &p->node, hash_str(p->name));
	} else if (!ip_prefix_eq(&p->cidr, &cidr)) {
		touch_cidr(c, &p->cidr);
	}
	p->cidr = cidr;
	p->masquerade = spec->natoutgoing;
	touch_cidr(c, &cidr);
	return 0;
}

void calc_pool_remove(struct calc *c, const char *name)
{
	struct pool *p = pool_find(c, name);

	if (!p)
		return;
	touch_cidr(c, &p->cidr);
	hmap_remove(&c->pools, &p->node);
	free(p);
}

void calc_pools_tell(struct calc *c)
{
	list_for_each_safe (it, &c->dirty_pools) {
		struct pool_cidr *pc = list_entry(it, struct pool_cidr, dirty);
		const struct pool *p = pool_of_cidr(c, &pc->cidr);

		list_unlink(it);
		if (p) {
			if (!pc->told || pc->told_masquerade != p->masquerade)
				c->ops->pool_update(c->arg,
				                    &(struct calc_pool){ pc->cidr, p->masquerade });
			pc->told = true;
			pc->told_masquerade = p->masquerade;
		} else {
			if (pc->told)
				c->ops->pool_remove(c->arg, &pc->cidr);
			hmap_remove(&c->pool_cidrs, &pc->node);
			free(pc);
		}
	}
}

void calc_sources_done(struct calc *c)
{
	hmap_for_each (s, &c->netsets, struct netset, node)
		netset_free(c, s);
	hmap_for_each (p, &c->pools, struct pool, node)
		free(p);
	hmap_for_each (pc, &c->pool_cidrs, struct pool_cidr, node)
		free(pc);
	hmap_done(&c->netsets);
	hmap_done(&c->pools);
	hmap_done(&c->pool_cidrs);
}
