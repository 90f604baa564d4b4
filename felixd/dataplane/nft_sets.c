/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel holds is not kept, but known: the members that shall be there (those nobody
 * covers), less those still to be added, plus those still to be deleted. In a batch an element that
 * is not as it must be fails all of it, so this is exact; after a failure, or when somebody else
 * has changed our table, the sets are read back.
 */
#include "felixd/dataplane/nft_sets.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/raw.h"
#include "felixd/dataplane/memberset.h"
#include "felixd/dataplane/names.h"
#include "felixd/dataplane/nft_msg.h"

#define LENGTHS 129

struct set {
	struct hmap_node node;
	char name[SET_NAME_MAX]; /* as nft has it */
	enum ipset_type type;
	bool present; /* in the kernel */
	bool doubt;   /* its members must be read back */
	struct memberset wanted, add, del;
	uint32_t lengths[LENGTHS]; /* of wanted networks */
};

/* Ours in the kernel, but unwanted. */
struct leftover {
	struct hmap_node node;
	char name[SET_NAME_MAX];
	bool failed;
};

struct nft_sets {
	struct nft_link *link;
	int family;
	bool list_doubt, read_once;
	struct hmap sets, leftovers;
	uint64_t requests, repairs, failures;
};

static enum nft_set_kind kind_of(enum ipset_type t)
{
	return t == IPSET_IP_PORT ? NFT_SET_OF_IP_PORTS
	       : t == IPSET_IP    ? NFT_SET_OF_IPS
	                          : NFT_SET_OF_NETS;
}

struct nft_sets *nft_sets_new(struct nft_link *link)
{
	struct nft_sets *s = xcalloc(1, sizeof(*s));

	s->link = link;
	s->family = link->family;
	s->list_doubt = true;
	return s;
}

static void set_free(struct set *set)
{
	memberset_done(&set->wanted);
	memberset_done(&set->add);
	memberset_done(&set->del);
	free(set);
}

static void sets_free(void *self)
{
	struct nft_sets *s = self;

	if (!s)
		return;
	hmap_for_each (set, &s->sets, struct set, node)
		set_free(set);
	hmap_for_each (l, &s->leftovers, struct leftover, node)
		free(l);
	hmap_done(&s->sets);
	hmap_done(&s->leftovers);
	free(s);
}

static struct set *set_by_name(const struct nft_sets *s, const char *name)
{
	hmap_find(set, &s->sets, hash_str(name), struct set, node, strcmp(set->name, name) == 0);
	return set;
}

static void kernel_name(const struct nft_sets *s, const char *id, char out[SET_NAME_MAX])
{
	char name[SET_NAME_MAX];

	name_set(name, s->family, id);
	nft_set_name(out, name);
}

static struct set *set_by_id(const struct nft_sets *s, const char *id)
{
	char name[SET_NAME_MAX];

	kernel_name(s, id, name);
	return set_by_name(s, name);
}

bool nft_sets_has(const struct nft_sets *s, const char *nft_name)
{
	const struct set *set = set_by_name(s, nft_name);

	return set && set->present;
}

/* ---- covers */

static struct calc_member shortened(const struct calc_member *m, uint8_t len)
{
	struct calc_member up = *m;

	up.net.len = len;
	up.net = ip_prefix_network(&up.net);
	return up;
}

/* Does another wanted network hold m? */
static bool covered(const struct set *set, const struct calc_member *m)
{
	if (set->type != IPSET_NET)
		return false;
	for (uint8_t len = 1; len < m->net.len; len++) {
		struct calc_member up;

		if (!set->lengths[len])
			continue;
		up = shortened(m, len);
		if (memberset_has(&set->wanted, &up))
			return true;
	}
	return false;
}

static bool may_cover(const struct set *set, const struct calc_member *m)
{
	for (unsigned len = m->net.len + 1u; set->type == IPSET_NET && len < LENGTHS; len++)
		if (set->lengths[len])
			return true;
	return false;
}

static void pend_add(struct set *set, const struct calc_member *m)
{
	if (!memberset_remove(&set->del, m))
		(void)memberset_add(&set->add, m);
}

static void pend_del(struct set *set, const struct calc_member *m)
{
	if (!memberset_remove(&set->add, m))
		(void)memberset_add(&set->del, m);
}

/* m is not among the wanted now: those in it that nobody else covers come or go. */
static void each_bared(struct set *set, const struct calc_member *m,
                       void (*fn)(struct set *set, const struct calc_member *inner))
{
	struct calc_member inner;

	if (!may_cover(set, m))
		return;
	for (size_t at = 0; memberset_next(&set->wanted, &at, &inner);)
		if (inner.net.len > m->net.len && ip_prefix_contains(&m->net, &inner.net.addr) &&
		    !covered(set, &inner))
			fn(set, &inner);
}

static void want_member(struct set *set, const struct calc_member *m)
{
	if (memberset_has(&set->wanted, m))
		return;
	if (!covered(set, m)) {
		each_bared(set, m, pend_del);
		pend_add(set, m);
	}
	(void)memberset_add(&set->wanted, m);
	set->lengths[m->net.len]++;
}

static void unwant_member(struct set *set, const struct calc_member *m)
{
	if (!memberset_remove(&set->wanted, m))
		return;
	set->lengths[m->net.len]--;
	if (!covered(set, m)) {
		pend_del(set, m);
		each_bared(set, m, pend_add);
	}
}

/* ---- wishes */

static struct leftover *leftover_find(const struct nft_sets *s, const char *name)
{
	hmap_find(l, &s->leftovers, hash_str(name), struct leftover, node,
	          strcmp(l->name, name) == 0);
	return l;
}

static void leftover_add(struct nft_sets *s, const char *name)
{
	struct leftover *l = leftover_find(s, name);

	if (l)
		return;
	l = xcalloc(1, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", name);
	hmap_insert(&s->leftovers, &l->node, hash_str(name));
}

static void leftover_drop(struct nft_sets *s, struct leftover *l)
{
	hmap_remove(&s->leftovers, &l->node);
	free(l);
}

static struct set *set_new(struct nft_sets *s, const char *name, enum ipset_type type)
{
	struct set *set = xcalloc(1, sizeof(*set));
	struct leftover *l = leftover_find(s, name);

	snprintf(set->name, sizeof(set->name), "%s", name);
	set->type = type;
	memberset_init(&set->wanted, s->family);
	memberset_init(&set->add, s->family);
	memberset_init(&set->del, s->family);
	hmap_insert(&s->sets, &set->node, hash_str(name));
	if (l) { /* taken over as it is */
		leftover_drop(s, l);
		s->list_doubt = true;
	}
	return set;
}

static void sets_want(void *self, const char *id, enum ipset_type type,
                      const struct calc_member *members, size_t n)
{
	struct nft_sets *s = self;
	CLEANUP(free_p) struct calc_member *gone = NULL;
	struct memberset keep;
	struct calc_member m;
	char name[SET_NAME_MAX];
	struct set *set;
	size_t n_gone = 0;

	kernel_name(s, id, name);
	set = set_by_name(s, name);
	if (!set)
		set = set_new(s, name, type);
	if (set->type != type) {
		/* A set cannot change what it is while rules use it. */
		s->link->rebuild = true;
		set->type = type;
	}
	memberset_init(&keep, s->family);
	for (size_t i = 0; i < n; i++)
		if (members[i].net.addr.family == s->family)
			(void)memberset_add(&keep, &members[i]);
	for (size_t at = 0; memberset_next(&set->wanted, &at, &m);) {
		if (memberset_has(&keep, &m))
			continue;
		if ((n_gone & (n_gone - 1)) == 0)
			gone = xrealloc(gone, (n_gone ? 2 * n_gone : 1) * sizeof(*gone));
		gone[n_gone++] = m;
	}
	for (size_t i = 0; i < n_gone; i++) /* removing spoils a walk */
		unwant_member(set, &gone[i]);
	for (size_t at = 0; memberset_next(&keep, &at, &m);)
		want_member(set, &m);
	memberset_done(&keep);
}

static void sets_change(void *self, const char *id, const struct calc_member *added, size_t n_added,
                        const struct calc_member *removed, size_t n_removed)
{
	struct nft_sets *s = self;
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

static void sets_unwant(void *self, const char *id)
{
	struct nft_sets *s = self;
	struct set *set = set_by_id(s, id);

	if (!set)
		return;
	if (set->present)
		leftover_add(s, set->name);
	hmap_remove(&s->sets, &set->node);
	set_free(set);
}

static void sets_doubt(void *self)
{
	((struct nft_sets *)self)->list_doubt = true;
}

static bool set_pending(const struct set *set)
{
	return !set->present || set->doubt || set->add.n || set->del.n;
}

static bool sets_pending(const void *self)
{
	const struct nft_sets *s = self;

	if (s->list_doubt)
		return true;
	hmap_for_each (set, &s->sets, struct set, node)
		if (set_pending(set))
			return true;
	return false;
}

/* ---- reading back */

/* All that shall be in the kernel. */
static void set_add_all(struct set *set)
{
	struct calc_member m;

	memberset_done(&set->add);
	memberset_done(&set->del);
	for (size_t at = 0; memberset_next(&set->wanted, &at, &m);)
		if (!covered(set, &m))
			(void)memberset_add(&set->add, &m);
}

static void clear_leftovers(struct nft_sets *s)
{
	hmap_for_each (l, &s->leftovers, struct leftover, node)
		leftover_drop(s, l);
}

static int on_set(const struct nlmsghdr *h, void *arg)
{
	struct nft_sets *s = arg;
	struct nft_reply r;
	struct set *set;

	if (!h) {
		clear_leftovers(s);
		hmap_for_each (old, &s->sets, struct set, node)
			old->doubt = false;
		return 0;
	}
	if (nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &r) < 0)
		return -EBADMSG;
	if (r.msg != NFT_MSG_NEWSET || !r.ours || r.anonymous || r.kind == NFT_SET_VERDICTS)
		return 0;
	if (strlen(r.name) >= SET_NAME_MAX)
		r.name[0] = '\0';
	set = set_by_name(s, r.name);
	if (!set) {
		if (*r.name)
			leftover_add(s, r.name);
	} else if (r.kind != kind_of(set->type)) {
		log_warn("a set of ours is of another kind: the table is made anew", "set=%s",
		         set->name);
		s->link->rebuild = true;
		set->present = set->doubt = true;
	} else {
		set->present = set->doubt = true;
	}
	return 0;
}

static int read_list(struct nft_sets *s, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	(void)on_set(NULL, s);
	nft_ask_table(&b, s->family);
	rc = nl_dump_all(s->link->conn, nl_raw(nft_msg_type(NFT_MSG_GETSET), 0, b.data, b.len),
	                 on_set, s, err);
	if (rc == -ENOENT) /* no table yet */
		rc = 0;
	if (rc < 0)
		return err_wrap(err, rc, "listing nftables' sets");
	hmap_for_each (set, &s->sets, struct set, node) {
		if (set->doubt)
			continue;
		if (set->present) {
			s->repairs++;
			log_warn("somebody destroyed a set of ours: put back", "set=%s", set->name);
		}
		set->present = false;
		set_add_all(set);
	}
	s->list_doubt = false;
	return 0;
}

struct reading {
	struct nft_sets *s;
	struct set *set;
	struct memberset there;
	uint8_t (*starts)[16], (*ends)[16]; /* of intervals, in the order of the dump */
	size_t n_starts, n_ends;
	bool strange;
};

static void grow(uint8_t (**list)[16], size_t *n, const uint8_t key[16])
{
	if ((*n & (*n - 1)) == 0)
		*list = xrealloc(*list, (*n ? 2 * *n : 1) * sizeof(**list));
	memcpy((*list)[(*n)++], key, 16);
}

static void read_element(struct reading *r, const struct nft_element *e)
{
	size_t len = r->s->family == AF_INET6 ? 16 : 4;
	struct calc_member m = { 0 };

	if (e->key_len != len + (r->set->type == IPSET_IP_PORT ? 8 : 0)) {
		r->strange = true;
		return;
	}
	if (r->set->type == IPSET_NET) {
		if (e->interval_end)
			grow(&r->ends, &r->n_ends, e->key);
		else
			grow(&r->starts, &r->n_starts, e->key);
		return;
	}
	m.net.addr = ip_addr_from_bytes(r->s->family, e->key);
	m.net.len = (uint8_t)(8 * len);
	if (r->set->type == IPSET_IP_PORT && len == 4) {
		m.protocol = e->key[4];
		m.port = (uint16_t)(e->key[8] << 8 | e->key[9]);
	} else if (r->set->type == IPSET_IP_PORT) {
		r->strange = true; /* the key is longer than what is kept of it */
		return;
	}
	(void)memberset_add(&r->there, &m);
}

static int on_elements(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;
	struct nft_element e;
	struct nft_reply reply;

	if (!h) {
		memberset_done(&r->there);
		r->n_starts = r->n_ends = 0;
		r->strange = false;
		return 0;
	}
	if (nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &reply) < 0)
		return -EBADMSG;
	if (reply.msg == NFT_MSG_NEWSETELEM)
		while (nft_next_element(&reply.elements, &e))
			read_element(r, &e);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The network from start up to, but without, end (NULL: the last address). false: none is so. */
static bool as_network(int family, const uint8_t start[16], const uint8_t *end,
                       struct calc_member *ret)
{
	size_t len = family == AF_INET6 ? 16 : 4, i = 0;
	uint8_t last[16];

	for (size_t k = len; k-- > 0;) /* end - 1; from nothing, all ones */
		last[k] = end ? end[k] : 0;
	for (size_t k = len; k-- > 0;)
		if (last[k]-- != 0)
			break;
	*ret = (struct calc_member){ 0 };
	ret->net.addr = ip_addr_from_bytes(family, start);
	while (i < 8 * len && !((start[i / 8] ^ last[i / 8]) & (0x80u >> (i % 8))))
		i++;
	ret->net.len = (uint8_t)i;
	for (; i < 8 * len; i++) {
		unsigned bit = 0x80u >> (i % 8);

		if ((start[i / 8] & bit) || !(last[i / 8] & bit))
			return false;
	}
	return ret->net.len > 0;
}

static void pair_intervals(struct reading *r)
{
	size_t e = 0;

	if (r->n_starts)
		qsort(r->starts, r->n_starts, 16, compare_keys);
	if (r->n_ends)
		qsort(r->ends, r->n_ends, 16, compare_keys);
	for (size_t i = 0; i < r->n_starts; i++) {
		struct calc_member m;

		/* An end at or before the start closes nothing that begins here. */
		while (e < r->n_ends && memcmp(r->ends[e], r->starts[i], 16) <= 0)
			e++;
		if (as_network(r->s->family, r->starts[i], e < r->n_ends ? r->ends[e] : NULL, &m))
			(void)memberset_add(&r->there, &m);
		else
			r->strange = true;
	}
}

static size_t compare_members(struct reading *r)
{
	struct set *set = r->set;
	struct memberset want;
	struct calc_member m;
	size_t found;

	set_add_all(set); /* add: all that shall be there */
	want = set->add;
	memberset_init(&set->add, r->s->family);
	for (size_t at = 0; memberset_next(&want, &at, &m);)
		if (!memberset_has(&r->there, &m))
			(void)memberset_add(&set->add, &m);
	for (size_t at = 0; memberset_next(&r->there, &at, &m);)
		if (!memberset_has(&want, &m))
			(void)memberset_add(&set->del, &m);
	memberset_done(&want);
	found = set->add.n + set->del.n;
	return found + r->strange;
}

static int read_members(struct nft_sets *s, struct set *set, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct reading r = { .s = s, .set = set };
	size_t found;
	int rc;

	memberset_init(&r.there, s->family);
	nft_ask_elements(&b, s->family, set->name);
	rc = nl_dump_all(s->link->conn, nl_raw(nft_msg_type(NFT_MSG_GETSETELEM), 0, b.data, b.len),
	                 on_elements, &r, err);
	if (rc == 0) {
		if (set->type == IPSET_NET)
			pair_intervals(&r);
		found = compare_members(&r);
		if (r.strange) /* what cannot even be named is taken away with all the rest */
			s->link->rebuild = true;
		set->doubt = false;
		if (found && s->read_once) {
			s->repairs++;
			log_warn("a set was not as we left it: put right", "set=%s members=%zu",
			         set->name, found);
		}
	} else {
		err_wrap(err, rc, "listing nftables' set %s", set->name);
		s->list_doubt = true;
	}
	memberset_done(&r.there);
	free(r.starts);
	free(r.ends);
	return rc;
}

static int read_back(struct nft_sets *s, struct err *err)
{
	if (s->list_doubt) {
		int rc = read_list(s, err);

		if (rc < 0)
			return rc;
	}
	hmap_for_each (set, &s->sets, struct set, node) {
		int rc = set->doubt ? read_members(s, set, err) : 0;

		if (rc < 0)
			return rc;
	}
	s->read_once = true;
	return 0;
}

/* ---- writing */

static size_t put_members(struct nft_sets *s, struct set *set, const struct memberset *from,
                          bool remove, size_t budget, struct memberset *ret_sent, struct buf *out)
{
	struct nft_elements e;
	struct calc_member m;
	size_t n = 0;

	nft_elements_begin(&e, out, s->family, set->name, 0, remove);
	for (size_t at = 0; n < budget && memberset_next(from, &at, &m); n++) {
		nft_element_member(&e, kind_of(set->type), &m);
		if (ret_sent)
			(void)memberset_add(ret_sent, &m);
	}
	nft_elements_end(&e);
	return n;
}

static void forget_sent(struct memberset *pending, struct memberset *sent)
{
	struct calc_member m;

	if (sent->n == pending->n)
		memberset_done(pending);
	else
		for (size_t at = 0; memberset_next(sent, &at, &m);)
			(void)memberset_remove(pending, &m);
	memberset_done(sent);
}

struct sending {
	struct set *set;
	struct memberset add, del;
};

static int commit(struct nft_sets *s, const struct buf *out, struct sending *sent, size_t n,
                  struct err *err)
{
	int rc = nft_link_commit(s->link, out, err);

	s->requests++;
	for (size_t i = 0; i < n; i++) {
		if (rc == 0) {
			sent[i].set->present = true;
			forget_sent(&sent[i].set->add, &sent[i].add);
			forget_sent(&sent[i].set->del, &sent[i].del);
		}
		memberset_done(&sent[i].add);
		memberset_done(&sent[i].del);
	}
	if (rc < 0) {
		s->list_doubt = true;
		s->failures += rc != -EAGAIN;
		err_wrap(err, rc, "changing nftables' sets");
	}
	return rc;
}

static int sets_apply(void *self, size_t budget, struct err *err)
{
	struct nft_sets *s = self;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct sending *sent;
	size_t n = 0, whole, used;
	int rc = read_back(s, err);

	if (rc < 0) {
		s->failures++;
		return rc;
	}
	if (s->link->rebuild) /* with the rules, in their batch */
		return 0;
	sent = xcalloc(s->sets.n + 1, sizeof(*sent));
	hmap_for_each (set, &s->sets, struct set, node) {
		struct sending *at = &sent[n];

		if (!set_pending(set) || !budget)
			continue;
		at->set = set;
		memberset_init(&at->add, s->family);
		memberset_init(&at->del, s->family);
		if (!set->present)
			nft_put_set(&out, s->family, set->name, kind_of(set->type), (uint32_t)++n);
		else
			n++;
		/* What goes makes room for what comes, and what comes replaces what goes: a cover
		 * and the covered. So that stays together whatever the budget is. */
		whole = set->del.n ? SIZE_MAX : budget;
		if (set->present)
			(void)put_members(s, set, &set->del, true, SIZE_MAX, &at->del, &out);
		used = put_members(s, set, &set->add, false, whole, &at->add, &out) + at->del.n;
		budget -= used < budget ? used : budget;
	}
	rc = out.len ? commit(s, &out, sent, n, err) : 0;
	free(sent);
	if (rc < 0)
		return rc;
	return sets_pending(s);
}

static bool sets_destroy_unwanted(void *self)
{
	struct nft_sets *s = self;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err why;
	int rc;

	hmap_for_each (l, &s->leftovers, struct leftover, node)
		if (!l->failed)
			nft_put_set_delete(&out, s->family, l->name);
	if (!out.len)
		return false;
	rc = nft_link_commit(s->link, &out, &why);
	s->requests++;
	if (rc < 0) {
		/* A set is in use, or gone already: the next reading tells. */
		log_info("sets that we no longer need cannot be destroyed yet", "why=%s",
		         LOG_VIS(why.text));
		hmap_for_each (l, &s->leftovers, struct leftover, node)
			l->failed = true;
		if (rc == -EAGAIN)
			s->list_doubt = true;
		return rc == -EAGAIN;
	}
	hmap_for_each (l, &s->leftovers, struct leftover, node)
		if (!l->failed)
			leftover_drop(s, l);
	return false;
}

void nft_sets_put_all(struct nft_sets *s, struct buf *out)
{
	uint32_t id = 0;

	hmap_for_each (set, &s->sets, struct set, node) {
		set_add_all(set);
		nft_put_set(out, s->family, set->name, kind_of(set->type), ++id);
		(void)put_members(s, set, &set->add, false, SIZE_MAX, NULL, out);
	}
}

void nft_sets_all_there(struct nft_sets *s)
{
	hmap_for_each (set, &s->sets, struct set, node) {
		memberset_done(&set->add);
		memberset_done(&set->del);
		set->present = true;
		set->doubt = false;
	}
	clear_leftovers(s);
	s->list_doubt = false;
}

static struct setstore_stats sets_stats(const void *self)
{
	const struct nft_sets *s = self;
	struct setstore_stats st = { .requests = s->requests,
		                     .repairs = s->repairs,
		                     .failures = s->failures,
		                     .sets = s->sets.n };

	hmap_for_each (set, &s->sets, struct set, node)
		st.members += set->wanted.n;
	return st;
}

static void sets_each(const void *self,
                      void (*fn)(void *arg, const char *kernel_name, enum ipset_type type,
                                 size_t members, size_t pending),
                      void *arg)
{
	const struct nft_sets *s = self;

	hmap_for_each (set, &s->sets, struct set, node)
		fn(arg, set->name, set->type, set->wanted.n, set->add.n + set->del.n);
}

const struct setstore_ops nft_sets_ops = {
	.want = sets_want,
	.change = sets_change,
	.unwant = sets_unwant,
	.doubt = sets_doubt,
	.pending = sets_pending,
	.apply = sets_apply,
	.destroy_unwanted = sets_destroy_unwanted,
	.stats = sets_stats,
	.each = sets_each,
	.free = sets_free,
};
