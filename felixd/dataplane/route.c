/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define GRACE_MS 10000

struct owner {
	struct owner *next;
	char interface[IFNAMSIZ];
};

/* An address: who wants it, and where its route in the kernel leads (0: it has none). */
struct wish {
	struct hmap_node node;
	struct ip_prefix dst;
	struct owner *owners; /* NULL: unwanted, there only until it is out of the kernel */
	int actual;
	int last; /* where it led last: connections may exist (0: none can) */
	bool queued;
	struct wish *next_dirty;
};

/* Not ours, but on a pod's interface. */
struct stray {
	struct hmap_node node;
	struct rt_route route;
	struct mono_ms since;
};

struct routes {
	struct route_config config;
	struct nl_conn *conn;
	const struct links *links;
	struct hmap wishes, strays;
	struct wish *dirty;
	uint64_t requests, repairs, failures;
};

struct routes *routes_new(const struct route_config *config, struct nl_conn *conn,
                          const struct links *links)
{
	struct routes *t = xcalloc(1, sizeof(*t));

	t->config = *config;
	t->conn = conn;
	t->links = links;
	return t;
}

static void wish_free(struct wish *w)
{
	while (w->owners) {
		struct owner *o = w->owners;

		w->owners = o->next;
		free(o);
	}
	free(w);
}

void routes_free(struct routes *t)
{
	if (!t)
		return;
	hmap_for_each (w, &t->wishes, struct wish, node)
		wish_free(w);
	hmap_for_each (s, &t->strays, struct stray, node)
		free(s);
	hmap_done(&t->wishes);
	hmap_done(&t->strays);
	free(t);
}

static struct wish *wish_find(const struct routes *t, const struct ip_prefix *dst)
{
	hmap_find(w, &t->wishes, ip_prefix_hash(dst), struct wish, node,
	          ip_prefix_eq(&w->dst, dst));
	return w;
}

static void mark_dirty(struct routes *t, struct wish *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->next_dirty = t->dirty;
	t->dirty = w;
}

void route_want(struct routes *t, const struct ip_prefix *dst, const char *interface)
{
	struct wish *w = wish_find(t, dst);
	struct owner *o;

	if (!w) {
		w = xcalloc(1, sizeof(*w));
		w->dst = *dst;
		hmap_insert(&t->wishes, &w->node, ip_prefix_hash(dst));
	}
	for (o = w->owners; o; o = o->next)
		if (strcmp(o->interface, interface) == 0)
			return;
	o = xcalloc(1, sizeof(*o));
	strncpy(o->interface, interface, sizeof(o->interface) - 1);
	o->next = w->owners;
	w->owners = o;
	mark_dirty(t, w);
}

void route_unwant(struct routes *t, const struct ip_prefix *dst, const char *interface)
{
	struct wish *w = wish_find(t, dst);

	if (!w)
		return;
	for (struct owner **at = &w->owners; *at; at = &(*at)->next)
		if (strcmp((*at)->interface, interface) == 0) {
			struct owner *o = *at;

			*at = o->next;
			free(o);
			mark_dirty(t, w);
			return;
		}
}

/* The interface that has the address now: of those that are up the newest. 0: none. */
static int wanted_index(const struct routes *t, const struct wish *w)
{
	int best = 0;

	for (const struct owner *o = w->owners; o; o = o->next) {
		bool up;
		int ifindex = link_index(t->links, o->interface, &up);

		if (up && ifindex > best)
			best = ifindex;
	}
	return best;
}

static bool is_workload(const struct routes *t, const char *name)
{
	for (size_t i = 0; i < t->config.n_prefixes; i++)
		if (strncmp(name, t->config.prefixes[i], strlen(t->config.prefixes[i]) - 1) == 0)
			return true;
	return false;
}

/* ---- what the kernel says */

static bool same_key(const struct rt_route *a, const struct rt_route *b)
{
	return ip_prefix_eq(&a->dst, &b->dst) && a->ifindex == b->ifindex &&
	       a->priority == b->priority && a->protocol == b->protocol && a->type == b->type;
}

static struct stray *stray_find(const struct routes *t, const struct rt_route *r)
{
	hmap_find(s, &t->strays, ip_prefix_hash(&r->dst), struct stray, node,
	          same_key(&s->route, r));
	return s;
}

static void stray_drop(struct routes *t, struct stray *s)
{
	hmap_remove(&t->strays, &s->node);
	free(s);
}

/* In every respect what we would send, the interface aside. */
static bool is_as_we_make_it(const struct routes *t, const struct rt_route *r)
{
	return r->priority == t->config.priority && r->protocol == t->config.protocol &&
	       r->type == RTN_UNICAST && r->scope == RT_SCOPE_LINK && !r->via.family &&
	       !r->multipath && r->dst.len == ip_addr_bits(&r->dst.addr);
}

static void stray_note(struct routes *t, const struct rt_route *r)
{
	const char *name = r->ifindex ? link_name(t->links, r->ifindex) : NULL;
	struct stray *s;

	if (!name || !is_workload(t, name) || stray_find(t, r))
		return;
	s = xcalloc(1, sizeof(*s));
	s->route = *r;
	s->since = mono_now();
	hmap_insert(&t->strays, &s->node, ip_prefix_hash(&r->dst));
}

static void seen(struct routes *t, const struct rt_route *r)
{
	struct wish *w;

	if (r->table != RT_TABLE_MAIN || r->dst.addr.family != t->config.family)
		return;
	w = is_as_we_make_it(t, r) ? wish_find(t, &r->dst) : NULL;
	if (w && w->owners) {
		if (w->actual != r->ifindex) {
			w->actual = r->ifindex;
			w->last = r->ifindex;
			mark_dirty(t, w);
		}
		return;
	}
	if (w && w->actual == r->ifindex) /* on its way out */
		return;
	stray_note(t, r);
}

static void gone(struct routes *t, const struct rt_route *r)
{
	struct stray *s;
	struct wish *w;

	if (r->table != RT_TABLE_MAIN || r->dst.addr.family != t->config.family)
		return;
	s = stray_find(t, r);
	if (s)
		stray_drop(t, s);
	w = is_as_we_make_it(t, r) ? wish_find(t, &r->dst) : NULL;
	if (w && w->actual == r->ifindex) {
		w->actual = 0;
		mark_dirty(t, w);
		if (w->owners && wanted_index(t, w) == r->ifindex) {
			char dst[IP_PREFIX_STR_MAX];

			t->repairs++;
			log_warn("somebody deleted a route of ours: put back", "route=%s",
			         ip_prefix_str(&w->dst, dst));
		}
	}
}

void routes_event(struct routes *t, const struct nlmsghdr *h)
{
	struct rt_route r;

	if (rt_route_parse(h, &r) < 0)
		return;
	if (r.deleted)
		gone(t, &r);
	else
		seen(t, &r);
}

/* Routes of an interface that goes down vanish without a word (IPv4). */
void routes_link_changed(struct routes *t, const struct link_change *c)
{
	if (c->up && !c->moved && c->was_up)
		return;
	hmap_for_each (w, &t->wishes, struct wish, node) {
		if (w->actual == c->ifindex && !c->up) {
			w->actual = 0;
			mark_dirty(t, w);
		}
		for (const struct owner *o = w->owners; o; o = o->next)
			if (strcmp(o->interface, c->name) == 0)
				mark_dirty(t, w);
	}
	if (!c->up)
		hmap_for_each (s, &t->strays, struct stray, node)
			if (s->route.ifindex == c->ifindex)
				stray_drop(t, s);
}

struct reading {
	struct routes *t;
	struct rt_route *found;
	size_t n;
};

static int on_route(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;
	struct rt_route route;

	if (!h) {
		r->n = 0;
		return 0;
	}
	if (rt_route_parse(h, &route) < 0 || route.table != RT_TABLE_MAIN)
		return 0;
	/* A node may hold a million routes of others: only those that may concern us are kept. */
	if (!route.ifindex || !link_name(r->t->links, route.ifindex) ||
	    !is_workload(r->t, link_name(r->t->links, route.ifindex)))
		return 0;
	if ((r->n & (r->n - 1)) == 0)
		r->found = xrealloc(r->found, (r->n ? 2 * r->n : 1) * sizeof(*r->found));
	r->found[r->n++] = route;
	return 0;
}

int routes_read(struct routes *t, bool everything, struct err *err)
{
	struct reading r = { .t = t };
	int rc;

	rc = nl_dump_all(
	        t->conn,
	        rt_route_dump(t->config.family, RT_TABLE_MAIN, everything ? 0 : t->config.protocol),
	        on_route, &r, err);
	if (rc < 0) {
		free(r.found);
		return err_wrap(err, rc, "listing routes");
	}
	hmap_for_each (w, &t->wishes, struct wish, node) {
		bool found = false;

		for (size_t i = 0; w->actual && i < r.n && !found; i++)
			found = r.found[i].ifindex == w->actual &&
			        is_as_we_make_it(t, &r.found[i]) &&
			        ip_prefix_eq(&r.found[i].dst, &w->dst);
		if (w->actual && !found) {
			w->actual = 0;
			t->repairs++;
			mark_dirty(t, w);
		}
	}
	for (size_t i = 0; i < r.n; i++)
		seen(t, &r.found[i]);
	free(r.found);
	return 0;
}

/* ---- what we tell the kernel */

static struct rt_route make_route(const struct routes *t, const struct ip_prefix *dst, int ifindex)
{
	return (struct rt_route){ .dst = *dst,
		                  .ifindex = ifindex,
		                  .type = RTN_UNICAST,
		                  .scope = t->config.family == AF_INET6 ? RT_SCOPE_UNIVERSE
		                                                        : RT_SCOPE_LINK,
		                  .protocol = t->config.protocol,
		                  .table = RT_TABLE_MAIN,
		                  .priority = t->config.priority };
}

static int tell_kernel(struct routes *t, const struct rt_route *r, bool add, struct err *err)
{
	char text[128];

	t->requests++;
	rt_route_str(r, text, sizeof(text));
	if (add)
		return nl_request(t->conn, rt_route_add(r, true), err, "add route %s", text);
	return nl_request(t->conn, rt_route_delete(r), err, "delete route %s", text);
}

bool routes_dirty(const struct routes *t)
{
	return t->dirty != NULL;
}

static void keep_first(int rc, const struct err *one, int *first, struct err *err)
{
	if (rc == 0 || *first != 0)
		return;
	*first = rc;
	if (err)
		*err = *one;
}

int routes_remove(struct routes *t, route_gone_fn *gone_fn, void *arg, struct err *err)
{
	struct wish **at = &t->dirty;
	int first = 0;

	while (*at) {
		struct wish *w = *at;
		int want = wanted_index(t, w), rc = 0;
		struct err one;

		if (w->actual && w->actual != want && !(w->owners && want == 0)) {
			struct rt_route r = make_route(t, &w->dst, w->actual);

			rc = tell_kernel(t, &r, false, &one);
			if (rc == -ESRCH || rc == -ENODEV)
				rc = 0;
			if (rc == 0)
				w->actual = 0;
			else
				t->failures++;
			keep_first(rc, &one, &first, err);
		}
		/* Down and up again keeps its connections; a new owner, or none, does not. */
		if (w->last && !w->actual && rc == 0 && (!w->owners || (want && want != w->last))) {
			gone_fn(arg, &w->dst.addr);
			w->last = 0;
		}
		if (!w->owners && !w->actual) {
			*at = w->next_dirty;
			hmap_remove(&t->wishes, &w->node);
			wish_free(w);
		} else {
			at = &w->next_dirty;
		}
	}
	return first;
}

static struct stray *left_over(const struct routes *t, const struct ip_prefix *dst, int ifindex)
{
	struct rt_route r = make_route(t, dst, ifindex);
	struct stray *s = stray_find(t, &r);

	return s && is_as_we_make_it(t, &s->route) ? s : NULL;
}

/* After a restart, or when another was faster: the route that we would add is there. */
static bool adopt(struct routes *t, struct wish *w, int ifindex)
{
	struct stray *s = left_over(t, &w->dst, ifindex);

	if (!s)
		return false;
	w->actual = w->last = ifindex;
	stray_drop(t, s);
	return true;
}

int routes_add(struct routes *t, struct err *err)
{
	struct wish *list = t->dirty;
	int first = 0;

	t->dirty = NULL;
	while (list) {
		struct wish *w = list;
		int want = wanted_index(t, w), rc = 0;
		struct err one;

		list = w->next_dirty;
		w->queued = false;
		if (want && w->actual != want && !adopt(t, w, want)) {
			struct rt_route r = make_route(t, &w->dst, want);

			rc = tell_kernel(t, &r, true, &one);
			if (rc == 0) {
				w->actual = w->last = want;
			} else {
				t->failures++;
			}
			keep_first(rc, &one, &first, err);
		}
		if (rc < 0 || (!w->owners && w->actual))
			mark_dirty(t, w);
	}
	return first;
}

int64_t routes_sweep(struct routes *t, route_gone_fn *gone_fn, void *arg, struct err *err)
{
	int64_t next = -1;
	int first = 0;

	hmap_for_each (s, &t->strays, struct stray, node) {
		int64_t left = GRACE_MS - mono_since_ms(s->since);
		struct wish *w =
		        is_as_we_make_it(t, &s->route) ? wish_find(t, &s->route.dst) : NULL;
		struct err one;
		int rc;

		if (w && w->owners && wanted_index(t, w) == s->route.ifindex) { /* wanted by now */
			mark_dirty(t, w);
			continue;
		}
		if (left > 0) {
			if (next < 0 || left < next)
				next = left;
			continue;
		}
		rc = tell_kernel(t, &s->route, false, &one);
		if (rc < 0 && rc != -ESRCH && rc != -ENODEV) {
			t->failures++;
			s->since = mono_now();
			if (next < 0 || GRACE_MS < next)
				next = GRACE_MS;
			keep_first(rc, &one, &first, err);
			continue;
		}
		w = wish_find(t, &s->route.dst);
		if (s->route.dst.len == ip_addr_bits(&s->route.dst.addr) && !(w && w->actual))
			gone_fn(arg, &s->route.dst.addr);
		stray_drop(t, s);
	}
	return next;
}

bool route_in_kernel(const struct routes *t, const struct ip_prefix *dst, const char *interface)
{
	const struct wish *w = wish_find(t, dst);

	return w && w->actual && w->actual == link_index(t->links, interface, NULL);
}

bool route_is_left_over(const struct routes *t, const struct ip_prefix *dst, const char *interface)
{
	int ifindex = link_index(t->links, interface, NULL);

	return ifindex && left_over(t, dst, ifindex);
}

bool route_has_other_owner(const struct routes *t, const struct ip_prefix *dst,
                           const char *interface)
{
	const struct wish *w = wish_find(t, dst);

	return w && w->actual && w->actual != link_index(t->links, interface, NULL) &&
	       w->actual == wanted_index(t, w);
}

struct route_stats route_stats(const struct routes *t)
{
	return (struct route_stats){ t->requests, t->repairs, t->failures, t->wishes.n };
}
