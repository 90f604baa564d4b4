/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/nl.h"
#include "common/nl/raw.h"
#include "felixd/dataplane/nf_attr.h"

/* Of struct nf_conntrack's internals, but part of the protocol: compare the tuple's source address
 * only. */
#define FILTER_IP_SRC 1u
#define CTA_FILTER_ 25
#define CTA_FILTER_ORIG_FLAGS_ 1
#define CTA_FILTER_REPLY_FLAGS_ 2

/* Walking through a table of common size, of which nothing is told, takes as long as telling of
 * this many connections. */
#define WALK_ENTRIES 20000u

static uint16_t type_of(uint8_t cmd)
{
	return (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | cmd);
}

static int tuple_src(struct cursor tuple, int family, struct ip_addr *ret)
{
	struct nf_attr a, b;

	while (nf_attr_next(&tuple, &a)) {
		if (a.type != CTA_TUPLE_IP)
			continue;
		while (nf_attr_next(&a.data, &b))
			if (b.type == (family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC))
				return nf_attr_get_addr(&b, family, ret) ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int conntrack_parse(int family, struct cursor payload, struct conntrack_entry *ret)
{
	struct nf_attr a;

	*ret = (struct conntrack_entry){ 0 };
	if (!cursor_skip(&payload, sizeof(struct nfgenmsg)))
		return -EINVAL;
	while (nf_attr_next(&payload, &a)) {
		if (a.type == CTA_TUPLE_ORIG) {
			ret->orig = a.data;
			if (tuple_src(a.data, family, &ret->orig_src) < 0)
				return -EINVAL;
		} else if (a.type == CTA_TUPLE_REPLY) {
			if (tuple_src(a.data, family, &ret->reply_src) < 0)
				return -EINVAL;
		} else if (a.type == CTA_ID) {
			ret->id = a.data;
		} else if (a.type == CTA_ZONE) {
			ret->zone = a.data;
		}
	}
	return ret->orig_src.family && ret->reply_src.family ? 0 : -EINVAL;
}

int conntrack_parse_count(struct cursor payload, uint32_t *ret)
{
	struct nf_attr a;

	if (!cursor_skip(&payload, sizeof(struct nfgenmsg)))
		return -EINVAL;
	while (nf_attr_next(&payload, &a))
		if (a.type == CTA_STATS_GLOBAL_ENTRIES)
			return nf_attr_get_be32(&a, ret) ? 0 : -EINVAL;
	return -EINVAL;
}

bool conntrack_read_all(uint32_t count, size_t n)
{
	return count / WALK_ENTRIES < 2 * n - 1; /* a walk and the telling, or 2 n walks */
}

static int on_count(const struct nlmsghdr *h, void *arg)
{
	return conntrack_parse_count(cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), arg);
}

static int read_count(struct nl_conn *conn, int family, uint32_t *ret, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	nf_attr_begin(&b, (uint8_t)family);
	return nl_get(conn, nl_raw(type_of(IPCTNL_MSG_CT_GET_STATS), 0, b.data, b.len), on_count,
	              ret, err);
}

struct flush {
	const struct ip_addr *addrs;
	size_t n;
	int family;
	struct nl_batch *batch;
	struct nl_conn *conn;
	int deleted, rc;
};

static bool concerns(const struct flush *f, const struct conntrack_entry *e)
{
	for (size_t i = 0; i < f->n; i++)
		if (ip_addr_eq(&f->addrs[i], &e->orig_src) ||
		    ip_addr_eq(&f->addrs[i], &e->reply_src))
			return true;
	return false;
}

static void put_copy(struct buf *out, uint16_t type, const struct cursor *data)
{
	if (data->at)
		nf_attr_put(out, type, data->at, cursor_left(data));
}

static int on_entry(const struct nlmsghdr *h, void *arg)
{
	struct flush *f = arg;
	struct conntrack_entry e;
	CLEANUP(buf_done) struct buf b = { 0 };

	if (!h) {
		nl_batch_free(f->batch);
		f->batch = nl_batch_new(f->conn);
		return 0;
	}
	/* The filter may be unknown to the kernel: then everything comes. */
	if (conntrack_parse(f->family, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &e) < 0 ||
	    !concerns(f, &e))
		return 0;
	nf_attr_begin(&b, (uint8_t)f->family);
	put_copy(&b, CTA_TUPLE_ORIG | NLA_F_NESTED, &e.orig);
	put_copy(&b, CTA_ID, &e.id);
	put_copy(&b, CTA_ZONE, &e.zone);
	nl_batch_add(f->batch, nl_raw(type_of(IPCTNL_MSG_CT_DELETE), 0, b.data, b.len), 0);
	return 0;
}

static void on_verdict(void *arg, uint64_t id, int code, const char *text)
{
	struct flush *f = arg;

	(void)id;
	(void)text;
	if (code == 0)
		f->deleted++;
	else if (code != -ENOENT && f->rc == 0) /* gone by itself in between */
		f->rc = code;
}

static void put_filter(struct buf *b, const struct ip_addr *addr, bool reply)
{
	uint32_t flags = FILTER_IP_SRC;
	size_t nest, ip;

	nest = nf_attr_nest(b, reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
	ip = nf_attr_nest(b, CTA_TUPLE_IP);
	nf_attr_put(b, addr->family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, addr->bytes,
	            addr->family == AF_INET6 ? 16 : 4);
	nf_attr_nest_end(b, ip);
	nf_attr_nest_end(b, nest);
	nest = nf_attr_nest(b, CTA_FILTER_);
	nf_attr_put(b, reply ? CTA_FILTER_REPLY_FLAGS_ : CTA_FILTER_ORIG_FLAGS_, &flags,
	            sizeof(flags));
	nf_attr_nest_end(b, nest);
}

static int dump(struct flush *f, const struct ip_addr *only, bool reply, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	nf_attr_begin(&b, (uint8_t)f->family);
	if (only)
		put_filter(&b, only, reply);
	return nl_dump_all(f->conn, nl_raw(type_of(IPCTNL_MSG_CT_GET), 0, b.data, b.len), on_entry,
	                   f, err);
}

int conntrack_flush(struct nl_conn *conn, const struct ip_addr *addrs, size_t n, struct err *err)
{
	struct flush f = { .addrs = addrs, .n = n, .conn = conn };
	uint32_t count;
	int rc;

	if (n == 0)
		return 0;
	f.family = addrs[0].family;
	rc = read_count(conn, f.family, &count, err);
	if (rc < 0)
		return err_wrap(err, rc, "counting connections");
	if (count == 0)
		return 0;
	f.batch = nl_batch_new(conn);
	if (conntrack_read_all(count, n)) {
		rc = dump(&f, NULL, false, err);
	} else {
		/* A dump that begins afresh throws away what is gathered: each goes with a batch of
		 * its own. */
		for (size_t i = 0; i < 2 * n && rc == 0; i++) {
			rc = dump(&f, &addrs[i / 2], i % 2, err);
			if (rc == 0)
				rc = nl_batch_commit(f.batch, on_verdict, &f, err);
		}
	}
	if (rc == 0 && nl_batch_len(f.batch))
		rc = nl_batch_commit(f.batch, on_verdict, &f, err);
	nl_batch_free(f.batch);
	if (rc < 0)
		return err_wrap(err, rc, "forgetting connections");
	if (f.rc < 0)
		return err_set(err, f.rc, "deleting a connection: %s", strerror(-f.rc));
	return f.deleted;
}

struct telling {
	void (*fn)(void *arg, const struct ip_addr *addr);
	void *arg;
	int family;
};

static int on_each(const struct nlmsghdr *h, void *arg)
{
	const struct telling *t = arg;
	struct conntrack_entry e;

	if (!h || conntrack_parse(t->family, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &e) < 0)
		return 0;
	t->fn(t->arg, &e.orig_src);
	t->fn(t->arg, &e.reply_src);
	return 0;
}

int conntrack_each_addr(struct nl_conn *conn, int family,
                        void (*fn)(void *arg, const struct ip_addr *addr), void *arg,
                        struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct telling t = { fn, arg, family };
	int rc;

	nf_attr_begin(&b, (uint8_t)family);
	rc = nl_dump_all(conn, nl_raw(type_of(IPCTNL_MSG_CT_GET), 0, b.data, b.len), on_each, &t,
	                 err);
	return rc < 0 ? err_wrap(err, rc, "listing connections") : 0;
}
