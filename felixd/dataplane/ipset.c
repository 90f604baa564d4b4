/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each set knows what is wanted in it and which additions and deletions have not yet reached the
 * kernel. What the kernel holds is not kept: a set in doubt is listed, compared, and the difference
 * becomes pending. Adding what is there and deleting what is not are no errors, so that a pending
 * change may be sent twice.
 */
#include "felixd/dataplane/ipset.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/nl.h"
#include "common/nl/raw.h"
#include "felixd/dataplane/memberset.h"

#define READ_BUDGET 65536 /* members read back per call, once the first reading is over */
#define DESTROY_BUDGET                                                                             \
	16 /* sets destroyed per call: older kernels wait a grace period for each                  \
	    */

enum presence {
	PRESENCE_UNKNOWN,
	ABSENT,
	PRESENT,
	MISFIT
}; /* misfit: of another type or size */

struct set {
	struct hmap_node node; /* by kernel name: IDs that are cut to the same name are one set */
	char name[SET_NAME_MAX];
	enum ipset_type type;
	enum presence presence;
	bool doubt; /* members must be read back */
	struct memberset wanted, add, del;
};

/* Ours in the kernel, but unwanted. */
struct leftover {
	struct hmap_node node;
	char name[SET_NAME_MAX];
	bool failed; /* not tried again until the next reading */
};

struct ipsets {
	int family;
	uint8_t proto;
	bool list_doubt; /* the list of sets must be read back */
	bool read_once;
	unsigned temp; /* of the next temporary set's name */
	struct nl_conn *conn;
	struct hmap sets, leftovers;
	uint64_t requests, repairs, failures;
};

static int on_protocol(const struct nlmsghdr *h, void *arg)
{
	struct ipset_reply r;
	uint8_t *proto = arg;

	if (ipset_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &r) ==
	            0 &&
	    r.proto)
		*proto = r.proto;
	return 0;
}

int ipsets_new(int family, struct ipsets **ret, struct err *err)
{
	struct ipsets *s = xcalloc(1, sizeof(*s));
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	s->family = family;
	s->list_doubt = true;
	s->proto = 6;
	rc = nl_conn_open(NETLINK_NETFILTER, -1, &s->conn, err);
	if (rc == 0) {
		ipset_msg_protocol(&b);
		rc = nl_get(s->conn, nl_raw(ipset_msg_type(IPSET_CMD_PROTOCOL), 0, b.data, b.len),
		            on_protocol, &s->proto, err);
		if (rc < 0)
			err_wrap(err, rc, "asking the kernel for its ipset protocol");
	}
	if (rc < 0) {
		ipsets_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

static void set_free(struct set *set)
{
	memberset_done(&set->wanted);
	memberset_done(&set->add);
	memberset_done(&set->del);
	free(set);
}

void ipsets_free(struct ipsets *s)
{
	if (!s)
		return;
	hmap_for_each (set, &s->sets, struct set, node)
		set_free(set);
	hmap_for_each (l, &s->leftovers, struct leftover, node)
		free(l);
	hmap_done(&s->sets);
	hmap_done(&s->leftovers);
	nl_conn_close(s->conn);
	free(s);
}

/* ---- wishes */

static struct set *set_by_name(const struct ipsets *s, const char *name)
{
	hmap_find(set, &s->sets, hash_str(name), struct set, node, strcmp(set->name, name) == 0);
	return set;
}

static struct set *set_by_id(const struct ipsets *s, const char *id)
{
	char name[SET_NAME_MAX];

	name_set(name, s->family, id);
	return set_by_name(s, name);
}

static struct leftover *leftover_find(const struct ipsets *s, const char *name)
{
	hmap_find(l, &s->leftovers, hash_str(name), struct leftover, node,
	          strcmp(l->name, name) == 0);
	return l;
}

static void leftover_add(struct ipsets *s, const char *name)
{
	struct leftover *l = leftover_find(s, name);

	if (l)
		return;
	l = xcalloc(1, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", name);
	hmap_insert(&s->leftovers, &l->node, hash_str(name));
}

static bool leftover_drop(struct ipsets *s, const char *name)
{
	struct leftover *l = leftover_find(s, name);

	if (!l)
		return false;
	hmap_remove(&s->leftovers, &l->node);
	free(l);
	return true;
}

static void want_member(struct set *set, const struct calc_member *m)
{
	(void)memberset_remove(&set->del, m);
	if (memberset_add(&set->wanted, m))
		(void)memberset_add(&set->add, m);
}

static void unwant_member(struct set *set, const struct calc_member *m)
{
	(void)memberset_remove(&set->add, m);
	if (memberset_remove(&set->wanted, m))
		(void)memberset_add(&set->del, m);
}

void ipset_want(struct ipsets *s, const char *id, enum ipset_type type,
                const struct calc_member *members, size_t n)
{
	struct set *set = set_by_id(s, id);
	struct memberset old;
	struct calc_member m;

	if (!set) {
		set = xcalloc(1, sizeof(*set));
		name_set(set->name, s->family, id);
		set->type = type;
		memberset_init(&set->wanted, s->family);
		memberset_init(&set->add, s->family);
		memberset_init(&set->del, s->family);
		hmap_insert(&s->sets, &set->node, hash_str(set->name));
		/* A leftover of that name is taken over as it is; of an unread list nothing is
		 * known; else it is not there. */
		if (leftover_drop(s, set->name))
			s->list_doubt = true;
		else if (!s->list_doubt)
			set->presence = ABSENT;
	}
	if (set->type != type) {
		set->type = type;
		set->presence = set->presence == ABSENT ? ABSENT : MISFIT;
	}
	old = set->wanted;
	memberset_init(&set->wanted, s->family);
	for (size_t i = 0; i < n; i++) {
		if (members[i].net.addr.family != s->family)
			continue;
		if (memberset_has(&old, &members[i])) /* on its way or there already */
			(void)memberset_add(&set->wanted, &members[i]);
		else
			want_member(set, &members[i]);
	}
	for (size_t at = 0; memberset_next(&old, &at, &m);)
		if (!memberset_has(&set->wanted, &m)) {
			(void)memberset_remove(&set->add, &m);
			(void)memberset_add(&set->del, &m);
		}
	memberset_done(&old);
}

void ipset_change(struct ipsets *s, const char *id, const struct calc_member *added, size_t n_added,
                  const struct calc_member *removed, size_t n_removed)
{
	struct set *set = set_by_id(s, id);

	if (!set)
		return;
	for (size_t i = 0; i < n_removed; i++)
		if (removed[i].net.addr.family == s->family)
			unwant_member(set, &removed[i]);
	for (size_t i = 0; i < n_added; i++)
		if (added[i].net.addr.family == s->family)
			want_member(set, &added[i]);
}

void ipset_unwant(struct ipsets *s, const char *id)
{
	struct set *set = set_by_id(s, id);

	if (!set)
		return;
	if (set->presence != ABSENT)
		leftover_add(s, set->name);
	hmap_remove(&s->sets, &set->node);
	set_free(set);
}

void ipset_doubt(struct ipsets *s)
{
	s->list_doubt = true;
}

static bool set_pending(const struct set *set)
{
	return set->presence != PRESENT || set->doubt || set->add.n || set->del.n;
}

bool ipset_pending(const struct ipsets *s)
{
	if (s->list_doubt)
		return true;
	hmap_for_each (set, &s->sets, struct set, node)
		if (set_pending(set))
			return true;
	return false;
}

/* ---- reading back */

static void set_lost(struct ipsets *s, struct set *set)
{
	struct calc_member m;

	if (set->presence == PRESENT) {
		s->repairs++;
		log_warn("somebody destroyed a set of ours: put back", "set=%s", set->name);
	}
	set->presence = ABSENT;
	set->doubt = false;
	memberset_done(&set->del);
	for (size_t at = 0; memberset_next(&set->wanted, &at, &m);)
		(void)memberset_add(&set->add, &m);
}

struct listing {
	struct ipsets *s;
	struct hmap seen; /* struct leftover: all sets of ours that the kernel has */
};

static void listing_clear(struct listing *l)
{
	hmap_for_each (n, &l->seen, struct leftover, node)
		free(n);
	hmap_done(&l->seen);
	l->seen = (struct hmap)HMAP_INIT;
}

static int on_list(const struct nlmsghdr *h, void *arg)
{
	struct listing *l = arg;
	struct ipset_reply r;
	struct leftover *seen;
	struct set *set;

	if (!h) { /* the dump begins afresh */
		listing_clear(l);
		return 0;
	}
	if (ipset_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &r) < 0)
		return -EBADMSG;
	if (!r.has_header || !name_set_is_ours(l->s->family, r.name))
		return 0;
	seen = xcalloc(1, sizeof(*seen));
	memcpy(seen->name, r.name, sizeof(seen->name));
	hmap_insert(&l->seen, &seen->node, hash_str(seen->name));
	set = set_by_name(l->s, r.name);
	if (!set)
		return 0;
	if (r.type != set->type || r.maxelem != IPSET_MAXELEM ||
	    r.family != (l->s->family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4)) {
		set->presence = MISFIT;
		set->doubt = false;
		return 0;
	}
	set->presence = PRESENT;
	set->doubt = true;
	return 0;
}

static bool was_seen(const struct listing *l, const char *name)
{
	hmap_find(n, &l->seen, hash_str(name), struct leftover, node, strcmp(n->name, name) == 0);
	return n != NULL;
}

static int read_list(struct ipsets *s, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct listing l = { .s = s, .seen = HMAP_INIT };
	int rc;

	ipset_msg_list(&b, s->proto, NULL, true);
	rc = nl_dump_all(s->conn, nl_raw(ipset_msg_type(IPSET_CMD_LIST), 0, b.data, b.len), on_list,
	                 &l, err);
	if (rc < 0) {
		listing_clear(&l);
		return err_wrap(err, rc, "listing IP sets");
	}
	hmap_for_each (set, &s->sets, struct set, node)
		if (!was_seen(&l, set->name))
			set_lost(s, set);
	hmap_for_each (old, &s->leftovers, struct leftover, node) {
		hmap_remove(&s->leftovers, &old->node);
		free(old);
	}
	hmap_for_each (seen, &l.seen, struct leftover, node)
		if (!set_by_name(s, seen->name))
			leftover_add(s, seen->name);
	listing_clear(&l);
	s->list_doubt = false;
	return 0;
}

struct reading {
	struct ipsets *s;
	struct set *set;
	struct memberset seen;
	struct memberset strange; /* members nobody wants */
	bool refill;              /* a member that we could not even name: start over */
	size_t n;
};

static int on_members(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;
	struct ipset_reply reply;
	struct calc_member m;
	bool strange;

	if (!h) {
		memberset_done(&r->seen);
		memberset_done(&r->strange);
		r->refill = false;
		return 0;
	}
	if (ipset_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &reply) <
	    0)
		return -EBADMSG;
	if (strcmp(reply.name, r->set->name) != 0)
		return 0;
	while (ipset_msg_next_member(&reply, r->set->type, r->s->family, &m, &strange)) {
		r->n++;
		if (strange)
			r->refill = true;
		else if (memberset_has(&r->set->wanted, &m))
			(void)memberset_add(&r->seen, &m);
		else
			(void)memberset_add(&r->strange, &m);
	}
	return 0;
}

/* The kernel's members against the wanted ones; returns how many there were. */
static int read_members(struct ipsets *s, struct set *set, size_t *ret_n, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct reading r = { .s = s, .set = set };
	size_t found = 0;
	struct calc_member m;
	int rc;

	memberset_init(&r.seen, s->family);
	memberset_init(&r.strange, s->family);
	ipset_msg_list(&b, s->proto, set->name, false);
	rc = nl_dump_all(s->conn, nl_raw(ipset_msg_type(IPSET_CMD_LIST), 0, b.data, b.len),
	                 on_members, &r, err);
	if (rc == -ENOENT) {
		set_lost(s, set);
		rc = 0;
	} else if (rc == 0) {
		for (size_t at = 0; memberset_next(&set->wanted, &at, &m);) {
			if (memberset_has(&r.seen, &m))
				(void)memberset_remove(&set->add, &m);
			else
				found += memberset_add(&set->add, &m);
		}
		memberset_done(&set->del);
		for (size_t at = 0; memberset_next(&r.strange, &at, &m);)
			found += memberset_add(&set->del, &m);
		if (r.refill)
			set->presence = MISFIT;
		set->doubt = false;
		if (found && s->read_once) {
			s->repairs++;
			log_warn("a set was not as we left it: put right", "set=%s members=%zu",
			         set->name, found);
		}
	} else {
		err_wrap(err, rc, "listing IP set %s", set->name);
	}
	*ret_n += r.n;
	memberset_done(&r.seen);
	memberset_done(&r.strange);
	return rc;
}

/* The first time everything, for nothing is written before it is known; later in portions. */
static int read_back(struct ipsets *s, struct err *err)
{
	size_t n = 0;
	int rc;

	if (s->list_doubt) {
		rc = read_list(s, err);
		if (rc < 0)
			return rc;
	}
	hmap_for_each (set, &s->sets, struct set, node) {
		if (!set->doubt)
			continue;
		if (s->read_once && n > READ_BUDGET)
			return 1;
		rc = read_members(s, set, &n, err);
		if (rc < 0)
			return rc;
	}
	s->read_once = true;
	return 0;
}

/* ---- writing */

enum op_kind {
	OP_CREATE,
	OP_ADD,
	OP_DEL
};

struct op {
	struct set *set;
	enum op_kind kind;
	struct calc_member *members;
	size_t n;
};

struct writing {
	struct ipsets *s;
	struct nl_batch *batch;
	struct op *ops;
	size_t n_ops, budget;
	struct err *err;
	int rc;
};

static void send_later(struct writing *w, uint8_t cmd, uint16_t flags, const struct buf *b,
                       struct op op)
{
	if ((w->n_ops & (w->n_ops - 1)) == 0)
		w->ops = xrealloc(w->ops, (w->n_ops ? 2 * w->n_ops : 1) * sizeof(*w->ops));
	w->ops[w->n_ops] = op;
	nl_batch_add(w->batch, nl_raw(ipset_msg_type(cmd), flags, b->data, b->len), w->n_ops++);
	w->s->requests++;
}

/* Changes to name, which is set's or a temporary one, in as many messages as it takes and the
 * budget allows. */
static void send_members(struct writing *w, struct set *set, const char *name,
                         const struct memberset *from, enum op_kind kind)
{
	size_t at = 0, cap = 0;
	bool more = true;
	struct calc_member m;

	more = memberset_next(from, &at, &m);
	while (more && w->budget > 0) {
		CLEANUP(buf_done) struct buf b = { 0 };
		struct op op = { .set = set, .kind = kind };
		struct ipset_msg_members msg;

		cap = 0;
		ipset_msg_members_begin(&msg, &b, w->s->proto, name, set->type);
		do {
			ipset_msg_member(&msg, &m);
			if (op.n == cap) {
				cap = cap ? 2 * cap : 16;
				op.members = xrealloc(op.members, cap * sizeof(*op.members));
			}
			op.members[op.n++] = m;
			w->budget--;
			more = memberset_next(from, &at, &m);
		} while (more && w->budget > 0 && !ipset_msg_members_full(&msg));
		ipset_msg_members_end(&msg);
		send_later(w, kind == OP_ADD ? IPSET_CMD_ADD : IPSET_CMD_DEL, 0, &b, op);
	}
}

static void send_create(struct writing *w, struct set *set, const char *name)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	ipset_msg_create(&b, w->s->proto, w->s->family, name, set->type, IPSET_MAXELEM);
	send_later(w, IPSET_CMD_CREATE, NLM_F_CREATE | NLM_F_EXCL, &b,
	           (struct op){ .set = set, .kind = OP_CREATE });
}

static void on_verdict(void *arg, uint64_t id, int code, const char *text)
{
	struct writing *w = arg;
	struct op *op = &w->ops[id];

	if (code < 0) {
		const char *what = op->kind == OP_CREATE ? "creating"
		                   : op->kind == OP_ADD  ? "adding to"
		                                         : "deleting from";

		/* Whatever is there now: look. */
		op->set->doubt = op->set->presence == PRESENT;
		w->s->list_doubt = true;
		w->s->failures++;
		if (w->rc == 0)
			w->rc = err_set(w->err, code < -4095 ? -EINVAL : code, "%s IP set %s: %s",
			                what, op->set->name, text ? text : ipset_msg_error(code));
	} else if (op->kind == OP_CREATE) {
		op->set->presence = PRESENT;
	} else {
		struct memberset *pending = op->kind == OP_ADD ? &op->set->add : &op->set->del;

		for (size_t i = 0; i < op->n; i++)
			(void)memberset_remove(pending, &op->members[i]);
	}
	free(op->members);
	op->members = NULL;
}

static int commit(struct writing *w)
{
	int rc = nl_batch_commit(w->batch, on_verdict, w, w->err);

	for (size_t i = 0; i < w->n_ops; i++)
		free(w->ops[i].members);
	free(w->ops);
	w->ops = NULL;
	w->n_ops = 0;
	if (rc < 0) {
		/* The connection failed half way: nothing is known. */
		w->s->list_doubt = true;
		w->s->failures++;
		return rc;
	}
	return w->rc;
}

static void temp_name(struct ipsets *s, char out[SET_NAME_MAX])
{
	do
		snprintf(out, SET_NAME_MAX, "cali%ct%u", s->family == AF_INET6 ? '6' : '4',
		         s->temp++);
	while (leftover_find(s, out));
}

/*
 * A set of ours that is not as it must be, but perhaps in use: a new one is filled beside it, and
 * the two change names. The kernel swaps only sets of a kind; one that no rule uses is simply made
 * anew.
 */
static int replace_set(struct ipsets *s, struct set *set, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct writing w = {
		.s = s, .batch = nl_batch_new(s->conn), .err = err, .budget = SIZE_MAX
	};
	char temp[SET_NAME_MAX];
	int rc;

	ipset_msg_destroy(&b, s->proto, set->name);
	rc = nl_request(s->conn, nl_raw(ipset_msg_type(IPSET_CMD_DESTROY), 0, b.data, b.len), NULL,
	                "destroy IP set %s", set->name);
	s->requests++;
	if (rc == 0 || rc == -ENOENT) {
		nl_batch_free(w.batch);
		set_lost(s, set);
		return 0;
	}
	temp_name(s, temp);
	send_create(&w, set, temp);
	send_members(&w, set, temp, &set->wanted, OP_ADD);
	rc = commit(&w);
	nl_batch_free(w.batch);
	leftover_add(s, temp); /* destroyed with the others, whatever comes */
	if (rc < 0) {
		set->presence = MISFIT;
		return rc;
	}
	buf_clear(&b);
	ipset_msg_swap(&b, s->proto, temp, set->name);
	rc = nl_request(s->conn, nl_raw(ipset_msg_type(IPSET_CMD_SWAP), 0, b.data, b.len), err,
	                "swap IP sets %s and %s", temp, set->name);
	s->requests++;
	if (rc < 0) {
		set->presence = MISFIT;
		s->failures++;
		return rc;
	}
	set->presence = PRESENT;
	memberset_done(&set->add);
	memberset_done(&set->del);
	return 0;
}

int ipset_apply(struct ipsets *s, size_t budget, struct err *err)
{
	struct writing w = { .s = s, .err = err, .budget = budget };
	int rc, again;

	again = read_back(s, err);
	if (again < 0) {
		s->failures++;
		return again;
	}
	hmap_for_each (misfit, &s->sets, struct set, node) {
		if (misfit->presence != MISFIT)
			continue;
		rc = replace_set(s, misfit, err);
		if (rc < 0)
			return rc;
	}
	w.batch = nl_batch_new(s->conn);
	hmap_for_each (set, &s->sets, struct set, node) {
		if (set->presence == ABSENT) {
			memberset_done(&set->del);
			send_create(&w, set, set->name);
		}
		send_members(&w, set, set->name, &set->add, OP_ADD);
		send_members(&w, set, set->name, &set->del, OP_DEL);
	}
	rc = nl_batch_len(w.batch) ? commit(&w) : 0;
	nl_batch_free(w.batch);
	if (rc < 0)
		return rc;
	return again || ipset_pending(s);
}

bool ipset_destroy_unwanted(struct ipsets *s)
{
	unsigned budget = DESTROY_BUDGET;
	bool more = false;

	hmap_for_each (l, &s->leftovers, struct leftover, node) {
		CLEANUP(buf_done) struct buf b = { 0 };
		int rc;

		if (l->failed || more)
			continue;
		if (budget == 0) {
			more = true;
			continue;
		}
		budget--;
		ipset_msg_destroy(&b, s->proto, l->name);
		rc = nl_request(s->conn,
		                nl_raw(ipset_msg_type(IPSET_CMD_DESTROY), 0, b.data, b.len), NULL,
		                "destroy IP set %s", l->name);
		s->requests++;
		if (rc < 0 && rc != -ENOENT) {
			/* Somebody else's rule may use it. */
			l->failed = true;
			log_info("a set that we no longer need cannot be destroyed yet",
			         "set=%s why=%s", LOG_VIS(l->name), LOG_VIS(ipset_msg_error(rc)));
			continue;
		}
		hmap_remove(&s->leftovers, &l->node);
		free(l);
	}
	return more;
}

struct setstore_stats ipset_stats(const struct ipsets *s)
{
	struct setstore_stats st = { .requests = s->requests,
		                     .repairs = s->repairs,
		                     .failures = s->failures,
		                     .sets = s->sets.n };

	hmap_for_each (set, &s->sets, struct set, node)
		st.members += set->wanted.n;
	return st;
}

void ipset_each(const struct ipsets *s,
                void (*fn)(void *arg, const char *kernel_name, enum ipset_type type, size_t members,
                           size_t pending),
                void *arg)
{
	hmap_for_each (set, &s->sets, struct set, node)
		fn(arg, set->name, set->type, set->wanted.n, set->add.n + set->del.n);
}

/* ---- as a backend */

static void op_want(void *self, const char *id, enum ipset_type type,
                    const struct calc_member *members, size_t n)
{
	ipset_want(self, id, type, members, n);
}

static void op_change(void *self, const char *id, const struct calc_member *added, size_t n_added,
                      const struct calc_member *removed, size_t n_removed)
{
	ipset_change(self, id, added, n_added, removed, n_removed);
}

static void op_unwant(void *self, const char *id)
{
	ipset_unwant(self, id);
}

static void op_doubt(void *self)
{
	ipset_doubt(self);
}

static bool op_pending(const void *self)
{
	return ipset_pending(self);
}

static int op_apply(void *self, size_t budget, struct err *err)
{
	return ipset_apply(self, budget, err);
}

static bool op_destroy_unwanted(void *self)
{
	return ipset_destroy_unwanted(self);
}

static struct setstore_stats op_stats(const void *self)
{
	return ipset_stats(self);
}

static void op_each(const void *self,
                    void (*fn)(void *arg, const char *kernel_name, enum ipset_type type,
                               size_t members, size_t pending),
                    void *arg)
{
	ipset_each(self, fn, arg);
}

static void op_free(void *self)
{
	ipsets_free(self);
}

const struct setstore_ops ipset_ops = {
	.want = op_want,
	.change = op_change,
	.unwant = op_unwant,
	.doubt = op_doubt,
	.pending = op_pending,
	.apply = op_apply,
	.destroy_unwanted = op_destroy_unwanted,
	.stats = op_stats,
	.each = op_each,
	.free = op_free,
};
