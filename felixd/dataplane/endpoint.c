/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/endpoint.h"

#include <string.h>

#include "common/base/mem.h"

static struct calc_policy_id *copy_ids(const struct calc_policy_id *ids, size_t n)
{
	struct calc_policy_id *to = xcalloc(n + 1, sizeof(*to));

	for (size_t i = 0; i < n; i++)
		to[i] = (struct calc_policy_id){ .kind = xstrdup(ids[i].kind),
			                         .ns = xstrdup(ids[i].ns),
			                         .name = xstrdup(ids[i].name),
			                         .selector = xstrdup(ids[i].selector),
			                         .staged = ids[i].staged };
	return to;
}

static void free_ids(const struct calc_policy_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)ids[i].kind);
		free((char *)ids[i].ns);
		free((char *)ids[i].name);
		free((char *)ids[i].selector);
	}
	free((struct calc_policy_id *)ids);
}

static struct calc_tier *copy_tiers(const struct calc_tier *from, size_t n)
{
	struct calc_tier *tiers = xcalloc(n + 1, sizeof(*tiers));

	for (size_t i = 0; i < n; i++) {
		tiers[i] = from[i];
		tiers[i].name = xstrdup(from[i].name);
		tiers[i].ingress = copy_ids(from[i].ingress, from[i].n_ingress);
		tiers[i].egress = copy_ids(from[i].egress, from[i].n_egress);
	}
	return tiers;
}

static void free_tiers(const struct calc_tier *tiers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)tiers[i].name);
		free_ids(tiers[i].ingress, tiers[i].n_ingress);
		free_ids(tiers[i].egress, tiers[i].n_egress);
	}
	free((struct calc_tier *)tiers);
}

static const char **copy_names(const char *const *from, size_t n)
{
	const char **to = xcalloc(n + 1, sizeof(*to));

	for (size_t i = 0; i < n; i++)
		to[i] = xstrdup(from[i]);
	return to;
}

static void free_names(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((char *)names[i]);
	free((const char **)names);
}

struct calc_endpoint *endpoint_copy(const struct calc_endpoint *e)
{
	struct calc_endpoint *to = xmemdup(e, sizeof(*e));

	to->ns = xstrdup(e->ns);
	to->name = xstrdup(e->name);
	to->interface = xstrdup(e->interface);
	to->addrs = e->n_addrs ? xmemdup(e->addrs, e->n_addrs * sizeof(*e->addrs)) : NULL;
	to->tiers = copy_tiers(e->tiers, e->n_tiers);
	to->profiles = copy_names(e->profiles, e->n_profiles);
	return to;
}

bool endpoint_same_place(const struct calc_endpoint *a, const struct calc_endpoint *b)
{
	if (strcmp(a->interface, b->interface) != 0 || a->n_addrs != b->n_addrs ||
	    memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (!ip_prefix_eq(&a->addrs[i], &b->addrs[i]))
			return false;
	return true;
}

void endpoint_copy_free(struct calc_endpoint *e)
{
	if (!e)
		return;
	free_tiers(e->tiers, e->n_tiers);
	free_names(e->profiles, e->n_profiles);
	free((struct ip_prefix *)e->addrs);
	free((char *)e->ns);
	free((char *)e->name);
	free((char *)e->interface);
	free(e);
}

static struct calc_tiers copy_list(const struct calc_tiers *t)
{
	return (struct calc_tiers){ copy_tiers(t->v, t->n), t->n };
}

struct calc_host_endpoint *host_copy(const struct calc_host_endpoint *e)
{
	struct calc_host_endpoint *to = xmemdup(e, sizeof(*e));

	to->name = xstrdup(e->name);
	to->interface = xstrdup(e->interface);
	to->addrs = e->n_addrs ? xmemdup(e->addrs, e->n_addrs * sizeof(*e->addrs)) : NULL;
	to->untracked = copy_list(&e->untracked);
	to->pre_dnat = copy_list(&e->pre_dnat);
	to->forward = copy_list(&e->forward);
	to->normal = copy_list(&e->normal);
	to->profiles = copy_names(e->profiles, e->n_profiles);
	return to;
}

void host_copy_free(struct calc_host_endpoint *e)
{
	if (!e)
		return;
	free_tiers(e->untracked.v, e->untracked.n);
	free_tiers(e->pre_dnat.v, e->pre_dnat.n);
	free_tiers(e->forward.v, e->forward.n);
	free_tiers(e->normal.v, e->normal.n);
	free_names(e->profiles, e->n_profiles);
	free((struct ip_prefix *)e->addrs);
	free((char *)e->name);
	free((char *)e->interface);
	free(e);
}
