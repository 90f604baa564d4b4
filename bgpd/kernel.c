/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One slot per prefix holds the wish and what the kernel has (normally one route; several metrics
 * are possible, after a change of LOCAL_PREF for an instant, or when somebody interferes). A slot
 * whose two sides may differ is in the dirty list.
 *
 * A route that changes its metric is first added, then the old one deleted; one that keeps it is
 * replaced by the kernel in one step. So there is no instant without a route.
 */
#include "bgpd/kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/watch.h"

#define PROTO_BIRD 12      /* RTPROT_BIRD */
#define RESYNC_DELAY_MS 50 /* links and addresses change in bursts */
#define RESYNC_LOST_MS 1
#define RESYNC_RETRY_MS 1000
#define OPS_PER_BATCH 512u /* bounds the memory of a batch; a message of libnl has a page */

struct slot {
	struct hmap_node node;
	struct ip_prefix prefix;
	struct list dirty_link;
	bool dirty, has_want;
	bool stale; /* found at start, nobody has asked for it */
	bool taken; /* somebody else's route has our place */
	struct rt_route want;
	struct rt_route *have;
	bool *seen; /* while reading back */
	unsigned n_have;
};

enum op_kind {
	OP_ADD,
	OP_REPLACE,
	OP_DELETE
};

struct op {
	enum op_kind kind;
	struct slot *slot;
	struct rt_route rt;
};

struct kernel {
	uv_loop_t *loop;
	struct fib *fib;
	const struct kernel_ops *ops;
	void *arg;
	struct nl_conn *conn;
	struct nl_watch *watch;
	uv_timer_t resync_timer;
	int open_handles;
	struct hmap slots;
	struct list dirty;
	bool swept, resync_wanted;
	uint32_t found;
	struct op *ops_now; /* of the batch under way */
	size_t n_ops;
	struct kernel_stats stats;
	struct log_limit limit;
};

/* ---- slots ---- */

static struct slot *slot_find(const struct kernel *k, const struct ip_prefix *p)
{
	hmap_find(s, &k->slots, ip_prefix_hash(p), struct slot, node, ip_prefix_eq(&s->prefix, p));

	return s;
}

static struct slot *slot_get(struct kernel *k, const struct ip_prefix *p)
{
	struct slot *s = slot_find(k, p);

	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->prefix = *p;
		list_init(&s->dirty_link);
		hmap_insert(&k->slots, &s->node, ip_prefix_hash(p));
	}
	return s;
}

static void slot_dirty(struct kernel *k, struct slot *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	list_push_back(&k->dirty, &s->dirty_link);
	k->ops->wake(k->arg);
}

static void slot_free(struct kernel *k, struct slot *s)
{
	list_unlink(&s->dirty_link);
	hmap_remove(&k->slots, &s->node);
	free(s->have);
	free(s->seen);
	free(s);
}

static int have_find(const struct slot *s, uint32_t priority)
{
	for (unsigned i = 0; i < s->n_have; i++)
		if (s->have[i].priority == priority)
			return (int)i;
	return -1;
}

static void have_set(struct slot *s, const struct rt_route *rt)
{
	int i = have_find(s, rt->priority);

	if (i < 0) {
		i = (int)s->n_have++;
		s->have = xrealloc(s->have, s->n_have * sizeof(*s->have));
		s->seen = xrealloc(s->seen, s->n_have * sizeof(*s->seen));
	}
	s->have[i] = *rt;
	s->seen[i] = true;
}

static void have_remove(struct slot *s, unsigned i)
{
	s->n_have--;
	s->have[i] = s->have[s->n_have];
	s->seen[i] = s->seen[s->n_have];
}

static bool route_same(const struct rt_route *a, const struct rt_route *b)
{
	return a->type == b->type && a->priority == b->priority && !a->multipath && !b->multipath &&
	       (a->type != RTN_UNICAST ||
	        (a->ifindex == b->ifindex && ip_addr_eq(&a->via, &b->via)));
}

/* The kernel puts IPv6's default metric where none was asked for. */
static void normalise(struct rt_route *rt)
{
	if (rt->dst.addr.family == AF_INET6 && rt->priority == 0)
		rt->priority = 1024;
	if (rt->type != RTN_UNICAST)
		rt->ifindex = 0; /* IPv6 says "lo" */
}

void kernel_want(struct kernel *k, const struct rt_route *rt)
{
	struct rt_route want = *rt;
	struct slot *s;

	want.protocol = PROTO_BIRD;
	want.table = RT_TABLE_MAIN;
	normalise(&want);
	s = slot_get(k, &rt->dst);
	if (s->has_want && route_same(&s->want, &want))
		return;
	s->want = want;
	s->has_want = true;
	s->stale = false;
	s->taken = false;
	slot_dirty(k, s);
}

void kernel_unwant(struct kernel *k, const struct ip_prefix *p)
{
	struct slot *s = slot_find(k, p);

	if (!s || !s->has_want)
		return;
	s->has_want = false;
	slot_dirty(k, s);
}

/* ---- sending the difference ---- */

/* Has somebody else a route with this prefix and metric? IPv4 has room for one of them. */
static bool stranger_at(const struct kernel *k, const struct rt_route *rt)
{
	for (const struct fib_route *r = fib_routes(k->fib, &rt->dst); r; r = r->next)
		if (r->rt.priority == rt->priority)
			return true;
	return false;
}

static void op_done(void *arg, uint64_t id, int code, const char *text)
{
	struct kernel *k = arg;
	struct op *op = &k->ops_now[id];
	struct slot *s = op->slot;
	char route[256];
	int i;

	if (op->kind == OP_DELETE && (code == -ESRCH || code == -ENODEV || code == -ENETUNREACH))
		code = 0; /* it is gone: that was the wish */
	if (code == 0) {
		if (op->kind == OP_DELETE) {
			i = have_find(s, op->rt.priority);
			if (i >= 0)
				have_remove(s, (unsigned)i);
			k->stats.deleted++;
		} else {
			have_set(s, &op->rt);
			if (op->kind == OP_ADD)
				k->stats.added++;
			else
				k->stats.replaced++;
		}
		return;
	}
	if (op->kind == OP_ADD && code == -EEXIST && stranger_at(k, &op->rt)) {
		s->taken = true; /* it stays until its owner takes it away: then we hear of it */
		k->stats.taken++;
	} else {
		/* EEXIST without a stranger: our picture is out of date. */
		k->stats.failed += code != -EEXIST;
		k->resync_wanted = true;
	}
	unsigned held;
	if (log_limit_pass(&k->limit, &held))
		log_warn("kernel refused a route",
		         "route=\"%s\" op=%s error=\"%s\" detail=%s suppressed=%u",
		         rt_route_str(&op->rt, route, sizeof(route)),
		         op->kind == OP_ADD       ? "add"
		         : op->kind == OP_REPLACE ? "replace"
		                                  : "delete",
		         strerror(-code), text ? LOG_VIS(text) : "-", held);
}

static void op_add(struct kernel *k, size_t *cap, enum op_kind kind, struct slot *s,
                   const struct rt_route *rt)
{
	if (k->n_ops == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		k->ops_now = xrealloc(k->ops_now, *cap * sizeof(*k->ops_now));
	}
	k->ops_now[k->n_ops++] = (struct op){ kind, s, *rt };
}

static void commit(struct kernel *k)
{
	struct nl_batch *b;
	struct err err = { 0 };

	if (!k->n_ops)
		return;
	b = nl_batch_new(k->conn);
	for (size_t i = 0; i < k->n_ops; i++) {
		const struct op *op = &k->ops_now[i];

		nl_batch_add(b,
		             op->kind == OP_DELETE ? rt_route_delete(&op->rt)
		                                   : rt_route_add(&op->rt, op->kind == OP_REPLACE),
		             i);
		if (nl_batch_len(b) < OPS_PER_BATCH && i + 1 < k->n_ops)
			continue;
		if (nl_batch_commit(b, op_done, k, &err) < 0) {
			log_error("cannot speak to the kernel; trying again", "error=\"%s\"",
			          err.text);
			k->resync_wanted = true;
			break;
		}
	}
	nl_batch_free(b);
}

static void schedule_resync(struct kernel *k, unsigned ms);

void kernel_apply(struct kernel *k)
{
	struct list todo = LIST_INIT(todo);
	size_t cap = 0;

	if (list_empty(&k->dirty))
		return;
	k->ops_now = NULL;
	k->n_ops = 0;
	/* First what is to be there ... */
	list_for_each (it, &k->dirty) {
		struct slot *s = list_entry(it, struct slot, dirty_link);
		int i;

		if (!s->has_want || s->taken)
			continue;
		i = have_find(s, s->want.priority);
		if (i < 0)
			op_add(k, &cap, OP_ADD, s, &s->want);
		else if (!route_same(&s->have[i], &s->want))
			op_add(k, &cap, OP_REPLACE, s, &s->want);
	}
	commit(k);
	/* ... then what is not, and not where the new route did not get in. */
	k->n_ops = 0;
	list_for_each (it, &k->dirty) {
		struct slot *s = list_entry(it, struct slot, dirty_link);
		bool in_place = !s->has_want || have_find(s, s->want.priority) >= 0;

		for (unsigned i = 0; in_place && !s->stale && i < s->n_have; i++)
			if (!s->has_want || s->have[i].priority != s->want.priority)
				op_add(k, &cap, OP_DELETE, s, &s->have[i]);
	}
	commit(k);
	free(k->ops_now);
	k->ops_now = NULL;
	while (!list_empty(&k->dirty)) {
		struct slot *s = list_entry(k->dirty.next, struct slot, dirty_link);

		list_unlink(&s->dirty_link);
		s->dirty = false;
		if (!s->has_want && !s->n_have)
			slot_free(k, s);
	}
	if (k->resync_wanted)
		schedule_resync(k, RESYNC_RETRY_MS);
}

void kernel_sweep(struct kernel *k)
{
	uint32_t n = 0;

	if (k->swept)
		return;
	k->swept = true;
	hmap_for_each (s, &k->slots, struct slot, node)
		if (s->stale) {
			s->stale = false;
			slot_dirty(k, s);
			n++;
		}
	if (n)
		log_info("routes left over from before the restart are removed", "routes=%u", n);
	kernel_apply(k);
}

bool kernel_swept(const struct kernel *k)
{
	return k->swept;
}

/* ---- what the kernel says ---- */

static void own_route(struct kernel *k, struct rt_route *rt)
{
	struct slot *s;
	int i;

	normalise(rt);
	if (rt->deleted) {
		s = slot_find(k, &rt->dst);
		i = s ? have_find(s, rt->priority) : -1;
		if (i < 0)
			return;
		have_remove(s, (unsigned)i);
	} else {
		s = slot_get(k, &rt->dst);
		have_set(s, rt);
		/* Nobody's wish, and there before us, or put there by another program under our
		 * name while we wait for our peers. */
		s->stale = !s->has_want && !k->swept;
	}
	i = s->has_want ? have_find(s, s->want.priority) : -1;
	if (s->n_have != (s->has_want ? 1u : 0u) ||
	    (s->has_want && (i < 0 || !route_same(&s->have[i], &s->want))))
		slot_dirty(k, s);
	else if (!s->has_want && !s->n_have)
		slot_dirty(k, s); /* to be freed */
}

static void alien_route(struct kernel *k, const struct rt_route *rt, bool replaced)
{
	struct slot *s = slot_find(k, &rt->dst);
	int i;

	if (rt->deleted)
		fib_route_remove(k->fib, rt);
	else
		fib_route_add(k->fib, rt, replaced);
	if (s) {
		i = have_find(s, rt->priority);
		if (replaced && i >= 0)
			have_remove(s, (unsigned)i); /* it stands where ours stood */
		s->taken = false;
		slot_dirty(k, s);
	}
	k->ops->alien(k->arg, rt);
	k->ops->wake(k->arg);
}

static void on_route(struct kernel *k, const struct nlmsghdr *h)
{
	struct rt_route rt;

	if (rt_route_parse(h, &rt) < 0 || rt.table != RT_TABLE_MAIN)
		return;
	if (rt.protocol == PROTO_BIRD)
		own_route(k, &rt);
	else
		alien_route(k, &rt, h->nlmsg_flags & NLM_F_REPLACE);
}

static int on_message(const struct nlmsghdr *h, void *arg)
{
	struct kernel *k = arg;
	struct rt_link link;
	struct rt_addr addr;

	if (!h)
		return 0; /* a dump begins again: adding twice is harmless */
	switch (h->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		on_route(k, h);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* IPv4 routes of a link that goes down go without a word (fib_sync_down_dev()). */
		if (rt_link_parse(h, &link) == 0 && fib_link(k->fib, &link))
			k->resync_wanted = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (rt_addr_parse(h, &addr) == 0) {
			fib_addr(k->fib, &addr);
			k->resync_wanted = k->resync_wanted || addr.deleted;
			k->ops->wake(k->arg);
		}
		break;
	default:
		break;
	}
	return 0;
}

static void fib_gone(void *arg, const struct rt_route *rt)
{
	struct kernel *k = arg;
	struct rt_route gone = *rt;

	gone.deleted = true;
	k->ops->alien(k->arg, &gone);
}

static int read_back(struct kernel *k, struct err *err)
{
	int r;

	/* What is still queued tells of the time before the reading that follows. */
	(void)nl_watch_drain(k->watch);
	k->resync_wanted = false;
	k->stats.resyncs++;
	fib_mark(k->fib);
	hmap_for_each (s, &k->slots, struct slot, node)
		for (unsigned i = 0; i < s->n_have; i++)
			s->seen[i] = false;

	r = nl_dump_all(k->conn, rt_link_dump(), on_message, k, err);
	if (r >= 0)
		r = nl_dump_all(k->conn, rt_addr_dump(0), on_message, k, err);
	if (r >= 0)
		r = nl_dump_all(k->conn, rt_route_dump(AF_INET, RT_TABLE_MAIN, 0), on_message, k,
		                err);
	if (r >= 0)
		r = nl_dump_all(k->conn, rt_route_dump(AF_INET6, RT_TABLE_MAIN, 0), on_message, k,
		                err);
	k->resync_wanted = false; /* what the dump itself showed is no reason */
	if (r < 0)
		return err_wrap(err, r, "read the kernel's routes");

	fib_sweep(k->fib, fib_gone, k);
	hmap_for_each (s, &k->slots, struct slot, node) {
		for (unsigned i = 0; i < s->n_have;)
			if (s->seen[i])
				i++;
			else
				have_remove(s, i);
		s->taken = s->taken && stranger_at(k, &s->want);
		slot_dirty(k, s);
	}
	k->ops->wake(k->arg);
	return 0;
}

static void on_resync(uv_timer_t *t)
{
	struct kernel *k = t->data;
	struct err err = { 0 };

	if (read_back(k, &err) < 0) {
		log_error("cannot read the kernel's routes; trying again", "error=\"%s\"",
		          err.text);
		schedule_resync(k, RESYNC_RETRY_MS);
	}
}

static void schedule_resync(struct kernel *k, unsigned ms)
{
	k->resync_wanted = false;
	if (!uv_is_active((uv_handle_t *)&k->resync_timer) ||
	    uv_timer_get_due_in(&k->resync_timer) > ms)
		(void)uv_timer_start(&k->resync_timer, on_resync, ms, 0);
}

static void on_turn(void *arg, bool lost)
{
	struct kernel *k = arg;

	if (lost)
		schedule_resync(k, RESYNC_LOST_MS);
	else if (k->resync_wanted)
		schedule_resync(k, RESYNC_DELAY_MS);
}

/* ---- life ---- */

static void on_closed(void *arg)
{
	struct kernel *k = arg;

	if (--k->open_handles)
		return;
	hmap_for_each (s, &k->slots, struct slot, node)
		slot_free(k, s);
	hmap_done(&k->slots);
	nl_conn_close(k->conn);
	free(k);
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(h->data);
}

int kernel_open(uv_loop_t *loop, struct fib *fib, const struct kernel_ops *ops, void *arg,
                struct kernel **ret, struct err *err)
{
	static const int groups[] = { RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		                      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  0 };
	static const struct nl_watch_ops watch_ops = { on_message, on_turn, on_closed };
	struct kernel *k = xcalloc(1, sizeof(*k));
	int r;

	k->loop = loop;
	k->fib = fib;
	k->ops = ops;
	k->arg = arg;
	k->limit = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	list_init(&k->dirty);
	(void)uv_timer_init(loop, &k->resync_timer);
	k->resync_timer.data = k;
	k->open_handles = 1;
	r = nl_conn_open(NETLINK_ROUTE, -1, &k->conn, err);
	if (r == 0)
		r = nl_watch_open(loop, NETLINK_ROUTE, groups, &watch_ops, k, &k->watch, err);
	if (r == 0) {
		k->open_handles++;
		r = read_back(k, err);
	}
	if (r < 0) {
		kernel_close(k);
		return r;
	}
	hmap_for_each (s, &k->slots, struct slot, node)
		k->found += s->n_have;
	*ret = k;
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	nl_watch_close(k->watch);
	uv_close((uv_handle_t *)&k->resync_timer, on_timer_closed);
}

uint32_t kernel_found(const struct kernel *k)
{
	return k->found;
}

struct kernel_stats kernel_stats(const struct kernel *k)
{
	struct kernel_stats st = k->stats;

	hmap_for_each (s, &k->slots, struct slot, node) {
		st.wanted += s->has_want;
		st.present += s->n_have;
		st.stale += s->stale;
	}
	return st;
}

void kernel_each(const struct kernel *k,
                 void (*fn)(void *arg, const struct ip_prefix *p, const struct rt_route *want,
                            const struct rt_route *have, bool stale),
                 void *arg)
{
	hmap_for_each (s, &k->slots, struct slot, node)
		fn(arg, &s->prefix, s->has_want ? &s->want : NULL, s->n_have ? &s->have[0] : NULL,
		   s->stale);
}
