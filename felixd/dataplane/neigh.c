/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct neigh {
	struct hmap_node node; /* by address and interface */
	struct ip_addr addr;
	char interface[IFNAMSIZ];
	struct mac_addr mac;
	bool wanted, in_kernel;
};

struct neighs {
	struct nl_conn *conn;
	const struct links *links;
	struct hmap entries;
	bool dirty;
	uint64_t requests;
};

struct neighs *neighs_new(struct nl_conn *conn, const struct links *links)
{
	struct neighs *t = xcalloc(1, sizeof(*t));

	t->conn = conn;
	t->links = links;
	return t;
}

void neighs_free(struct neighs *t)
{
	if (!t)
		return;
	hmap_for_each (n, &t->entries, struct neigh, node)
		free(n);
	hmap_done(&t->entries);
	free(t);
}

static uint32_t key_hash(const struct ip_addr *addr, const char *interface)
{
	return hash_mix(ip_addr_hash(addr), hash_str(interface));
}

static struct neigh *find(const struct neighs *t, const struct ip_addr *addr, const char *interface)
{
	hmap_find(n, &t->entries, key_hash(addr, interface), struct neigh, node,
	          ip_addr_eq(&n->addr, addr) && strcmp(n->interface, interface) == 0);
	return n;
}

void neigh_want(struct neighs *t, const struct ip_addr *addr, const char *interface,
                const struct mac_addr *mac)
{
	struct neigh *n = find(t, addr, interface);

	if (!n) {
		n = xcalloc(1, sizeof(*n));
		n->addr = *addr;
		strncpy(n->interface, interface, sizeof(n->interface) - 1);
		hmap_insert(&t->entries, &n->node, key_hash(addr, interface));
	}
	if (memcmp(&n->mac, mac, sizeof(*mac)) != 0)
		n->in_kernel = false;
	n->mac = *mac;
	n->wanted = true;
	t->dirty = true;
}

void neigh_unwant(struct neighs *t, const struct ip_addr *addr, const char *interface)
{
	struct neigh *n = find(t, addr, interface);

	if (!n)
		return;
	n->wanted = false;
	t->dirty = true;
}

void neighs_link_changed(struct neighs *t, const struct link_change *c)
{
	if (c->up && !c->moved && c->was_up)
		return;
	hmap_for_each (n, &t->entries, struct neigh, node)
		if (strcmp(n->interface, c->name) == 0)
			n->in_kernel = false;
	t->dirty = true;
}

static int on_neigh(const struct nlmsghdr *h, void *arg)
{
	struct neighs *t = arg;
	struct rt_neigh r;
	const char *name;
	struct neigh *n;

	if (!h || rt_neigh_parse(h, &r) < 0)
		return 0;
	name = link_name(t->links, r.ifindex);
	n = name ? find(t, &r.dst, name) : NULL;
	if (n && r.state == NUD_PERMANENT && memcmp(&r.mac, &n->mac, sizeof(r.mac)) == 0)
		n->in_kernel = true;
	return 0;
}

int neighs_doubt(struct neighs *t, struct err *err)
{
	int rc;

	hmap_for_each (n, &t->entries, struct neigh, node)
		n->in_kernel = false;
	t->dirty = true;
	rc = nl_dump_all(t->conn, rt_neigh_dump(AF_INET), on_neigh, t, err);
	return rc < 0 ? err_wrap(err, rc, "listing neighbours") : 0;
}

static int tell_kernel(struct neighs *t, struct neigh *n, int ifindex, struct err *err)
{
	struct rt_neigh r = {
		.ifindex = ifindex, .dst = n->addr, .mac = n->mac, .state = NUD_PERMANENT
	};
	char addr[IP_ADDR_STR_MAX];

	t->requests++;
	if (n->wanted)
		return nl_request(t->conn, rt_neigh_add(&r, true), err, "add neighbour %s dev %s",
		                  ip_addr_str(&n->addr, addr), n->interface);
	return nl_request(t->conn, rt_neigh_delete(&r), err, "delete neighbour %s dev %s",
	                  ip_addr_str(&n->addr, addr), n->interface);
}

int neighs_apply(struct neighs *t, struct err *err)
{
	int first = 0;

	if (!t->dirty)
		return 0;
	t->dirty = false;
	hmap_for_each (n, &t->entries, struct neigh, node) {
		bool up;
		int ifindex = link_index(t->links, n->interface, &up), rc;
		struct err one;

		if (n->wanted ? n->in_kernel || !up : !n->in_kernel || !ifindex) {
			if (!n->wanted) {
				hmap_remove(&t->entries, &n->node);
				free(n);
			}
			continue;
		}
		rc = tell_kernel(t, n, ifindex, &one);
		if (!n->wanted) {
			hmap_remove(&t->entries, &n->node); /* whatever was said: with the interface
			                                       it goes for certain */
			free(n);
		} else if (rc == 0) {
			n->in_kernel = true;
		} else {
			t->dirty = true;
			if (first == 0) {
				first = rc;
				if (err)
					*err = one;
			}
		}
	}
	return first;
}

bool neigh_in_kernel(const struct neighs *t, const struct ip_addr *addr, const char *interface)
{
	const struct neigh *n = find(t, addr, interface);

	return n && n->wanted && n->in_kernel;
}

uint64_t neighs_requests(const struct neighs *t)
{
	return t->requests;
}
