/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/link.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/mem.h"

struct link {
	struct hmap_node by_name, by_index;
	char name[IFNAMSIZ];
	int ifindex;
	bool up;
	unsigned round; /* of the last reading that saw it */
};

struct links {
	struct hmap by_name, by_index;
	unsigned round;
};

struct links *links_new(void)
{
	return xcalloc(1, sizeof(struct links));
}

void links_free(struct links *l)
{
	if (!l)
		return;
	hmap_for_each (i, &l->by_name, struct link, by_name)
		free(i);
	hmap_done(&l->by_name);
	hmap_done(&l->by_index);
	free(l);
}

static uint32_t index_hash(int ifindex)
{
	return hash_mix((uint32_t)ifindex, 0);
}

static struct link *find_name(const struct links *l, const char *name)
{
	hmap_find(i, &l->by_name, hash_str(name), struct link, by_name, strcmp(i->name, name) == 0);
	return i;
}

static struct link *find_index(const struct links *l, int ifindex)
{
	hmap_find(i, &l->by_index, index_hash(ifindex), struct link, by_index,
	          i->ifindex == ifindex);
	return i;
}

static void tell(link_change_fn *fn, void *arg, const struct link *i, bool was_up, bool up,
                 bool moved)
{
	struct link_change c = {
		.ifindex = i->ifindex, .was_up = was_up, .up = up, .moved = moved
	};

	memcpy(c.name, i->name, sizeof(c.name));
	fn(arg, &c);
}

static void forget(struct links *l, struct link *i, link_change_fn *fn, void *arg)
{
	hmap_remove(&l->by_name, &i->by_name);
	hmap_remove(&l->by_index, &i->by_index);
	tell(fn, arg, i, i->up, false, true);
	free(i);
}

static void seen(struct links *l, const struct rt_link *r, link_change_fn *fn, void *arg)
{
	bool up = r->flags & IFF_UP, was_up, moved = false;
	struct link *i = find_index(l, r->ifindex), *other;

	if (i && strcmp(i->name, r->name) != 0) { /* renamed */
		forget(l, i, fn, arg);
		i = NULL;
	}
	other = find_name(l, r->name);
	if (other && other->ifindex != r->ifindex)
		forget(l, other, fn, arg);
	if (!i) {
		i = xcalloc(1, sizeof(*i));
		memcpy(i->name, r->name, sizeof(i->name));
		i->ifindex = r->ifindex;
		hmap_insert(&l->by_name, &i->by_name, hash_str(i->name));
		hmap_insert(&l->by_index, &i->by_index, index_hash(i->ifindex));
		moved = true;
	}
	i->round = l->round;
	was_up = i->up;
	i->up = up;
	if (moved || was_up != up)
		tell(fn, arg, i, was_up, up, moved);
}

void links_event(struct links *l, const struct nlmsghdr *h, link_change_fn *fn, void *arg)
{
	struct rt_link r;

	if (rt_link_parse(h, &r) < 0)
		return;
	if (r.deleted) {
		struct link *i = find_index(l, r.ifindex);

		if (i)
			forget(l, i, fn, arg);
		return;
	}
	seen(l, &r, fn, arg);
}

struct reading {
	struct links *l;
	link_change_fn *fn;
	void *arg;
};

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;

	if (h)
		links_event(r->l, h, r->fn, r->arg);
	return 0;
}

int links_read(struct links *l, struct nl_conn *conn, link_change_fn *fn, void *arg,
               struct err *err)
{
	struct reading r = { l, fn, arg };
	int rc;

	l->round++;
	rc = nl_dump_all(conn, rt_link_dump(), on_link, &r, err);
	if (rc < 0)
		return err_wrap(err, rc, "listing interfaces");
	hmap_for_each (i, &l->by_name, struct link, by_name)
		if (i->round != l->round)
			forget(l, i, fn, arg);
	return 0;
}

int link_index(const struct links *l, const char *name, bool *ret_up)
{
	const struct link *i = find_name(l, name);

	if (ret_up)
		*ret_up = i && i->up;
	return i ? i->ifindex : 0;
}

const char *link_name(const struct links *l, int ifindex)
{
	const struct link *i = find_index(l, ifindex);

	return i ? i->name : NULL;
}
