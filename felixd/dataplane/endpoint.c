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
			                         .selector = xstrdup(ids[i].selector) };
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

struct calc_endpoint *endpoint_copy(const struct calc_endpoint *e)
{
	struct calc_endpoint *to = xmemdup(e, sizeof(*e));
	struct calc_tier *tiers = xcalloc(e->n_tiers + 1, sizeof(*tiers));
	const char **profiles = xcalloc(e->n_profiles + 1, sizeof(*profiles));

	to->ns = xstrdup(e->ns);
	to->name = xstrdup(e->name);
	to->interface = xstrdup(e->interface);
	to->addrs = e->n_addrs ? xmemdup(e->addrs, e->n_addrs * sizeof(*e->addrs)) : NULL;
	for (size_t i = 0; i < e->n_tiers; i++) {
		tiers[i] = e->tiers[i];
		tiers[i].name = xstrdup(e->tiers[i].name);
		tiers[i].ingress = copy_ids(e->tiers[i].ingress, e->tiers[i].n_ingress);
		tiers[i].egress = copy_ids(e->tiers[i].egress, e->tiers[i].n_egress);
	}
	to->tiers = tiers;
	for (size_t i = 0; i < e->n_profiles; i++)
		profiles[i] = xstrdup(e->profiles[i]);
	to->profiles = profiles;
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
	for (size_t i = 0; i < e->n_tiers; i++) {
		free((char *)e->tiers[i].name);
		free_ids(e->tiers[i].ingress, e->tiers[i].n_ingress);
		free_ids(e->tiers[i].egress, e->tiers[i].n_egress);
	}
	for (size_t i = 0; i < e->n_profiles; i++)
		free((char *)e->profiles[i]);
	free((struct calc_tier *)e->tiers);
	free((const char **)e->profiles);
	free((struct ip_prefix *)e->addrs);
	free((char *)e->ns);
	free((char *)e->name);
	free((char *)e->interface);
	free(e);
}
