/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host endpoints, and which interfaces they stand behind.
 *
 * One that names an interface has its chains whether or not the interface is there: it is guarded
 * from its first packet on. One that names addresses has those interfaces that have one of them.
 * Of several that could have an interface, the one with the lowest name has it.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/dataplane_i.h"

struct host {
	struct hmap_node by_name;
	struct calc_host_endpoint *e; /* a copy */
};

static struct host *find(const struct dataplane *dp, const char *name)
{
	hmap_find(h, &dp->hosts, hash_str(name), struct host, by_name,
	          strcmp(h->e->name, name) == 0);
	return h;
}

void hosts_update(void *arg, const struct calc_host_endpoint *e)
{
	struct dataplane *dp = arg;
	struct host *h = find(dp, e->name);

	if (!h) {
		h = xcalloc(1, sizeof(*h));
		hmap_insert(&dp->hosts, &h->by_name, hash_str(e->name));
	} else {
		host_copy_free(h->e);
	}
	h->e = host_copy(e);
	if (events_is_workload(dp, e->interface))
		log_warn("a host endpoint names a workload's interface: left out",
		         "endpoint=%s interface=%s", LOG_VIS(e->name), LOG_VIS(e->interface));
	if (strcmp(e->interface, "*") == 0 && e->untracked.n)
		log_warn("doNotTrack policy is not for all interfaces at once: ignored",
		         "endpoint=%s", LOG_VIS(e->name));
	dp->hosts_dirty = true;
	dataplane_soon(dp);
}

void hosts_remove(void *arg, const char *name)
{
	struct dataplane *dp = arg;
	struct host *h = find(dp, name);

	if (!h)
		return;
	hmap_remove(&dp->hosts, &h->by_name);
	host_copy_free(h->e);
	free(h);
	dp->hosts_dirty = true;
	dataplane_soon(dp);
}

/* ---- who has which interface */

struct picks {
	struct render_host *v;
	size_t n, cap;
};

static void pick(struct picks *p, const char *interface, const struct calc_host_endpoint *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->v[i].interface, interface) != 0)
			continue;
		if (strcmp(e->name, p->v[i].e->name) < 0)
			p->v[i].e = e;
		return;
	}
	if (p->n == p->cap) {
		p->cap = p->cap * 2 + 8;
		p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = (struct render_host){ interface, e };
}

static void pick_by_address(const struct dataplane *dp, struct picks *p,
                            const struct calc_host_endpoint *e)
{
	for (size_t i = 0; i < dp->n_host_addrs; i++)
		for (size_t k = 0; k < e->n_addrs; k++)
			if (ip_addr_eq(&dp->host_addrs[i].addr, &e->addrs[k].addr))
				pick(p, dp->host_addrs[i].interface, e);
}

static int by_interface(const void *a, const void *b)
{
	return strcmp(((const struct render_host *)a)->interface,
	              ((const struct render_host *)b)->interface);
}

/* Sorted by interface; the caller's to free. Returns who has all the others, or NULL. */
static const struct calc_host_endpoint *match(const struct dataplane *dp, struct picks *p)
{
	const struct calc_host_endpoint *any = NULL;

	hmap_for_each (h, &dp->hosts, struct host, by_name) {
		if (strcmp(h->e->interface, "*") == 0) {
			if (!any || strcmp(h->e->name, any->name) < 0)
				any = h->e;
		} else if (!*h->e->interface) {
			pick_by_address(dp, p, h->e);
		} else if (!events_is_workload(dp, h->e->interface)) {
			pick(p, h->e->interface, h->e);
		}
	}
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_interface);
	return any;
}

void hosts_render(struct dataplane *dp)
{
	struct picks p = { 0 };
	const struct calc_host_endpoint *any = match(dp, &p);

	for (size_t i = 0; i < p.n; i++)
		render_host_endpoint(&dp->render, p.v[i].e, p.v[i].interface, &dp->sink);
	if (any)
		render_host_endpoint(&dp->render, any, RENDER_ANY_INTERFACE, &dp->sink);
	render_host_dispatch(&dp->render, p.v, p.n, any, &dp->sink);
	free(p.v);
	dp->hosts_dirty = false;
	dp->hosts_rendered = true;
}

void hosts_each(const struct dataplane *dp, hosts_fn *fn, void *arg)
{
	struct picks p = { 0 };
	const struct calc_host_endpoint *any = match(dp, &p);

	hmap_for_each (h, &dp->hosts, struct host, by_name) {
		bool active = h->e == any;

		if (active)
			fn(arg, h->e, "*");
		for (size_t i = 0; i < p.n; i++) {
			if (p.v[i].e != h->e)
				continue;
			fn(arg, h->e, p.v[i].interface);
			active = true;
		}
		if (!active)
			fn(arg, h->e, NULL);
	}
	free(p.v);
}

/* Chains that nothing leads to any more. */
void hosts_prune(struct dataplane *dp)
{
	static const enum table_id tables[] = { TABLE_RAW, TABLE_MANGLE, TABLE_FILTER };
	static const char *const prefixes[] = {
		"cali-th-",
		"cali-fh-",
		"cali-thfw-",
		"cali-fhfw-",
		"cali-gi-",
		"cali-go-",
		"cali-to-host-endpoint-",
		"cali-from-host-endpoint-",
		"cali-to-hep-forward-",
		"cali-from-hep-forward-",
	};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
			dp->tables.ops->prune(dp->tables.self, tables[t], prefixes[i]);
	dp->hosts_rendered = false;
}

void hosts_done(struct dataplane *dp)
{
	hmap_for_each (h, &dp->hosts, struct host, by_name) {
		host_copy_free(h->e);
		free(h);
	}
	hmap_done(&dp->hosts);
	free(dp->host_addrs);
}
