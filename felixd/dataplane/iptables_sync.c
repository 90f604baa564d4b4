/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libiptc reads a table as a whole, lets us change its copy, and gives it back as a whole.
 * Everything about ours happens in that copy:
 *
 *   1. wanted chains that are missing are made (empty, so that jumps to them can be)
 *   2. rules of wanted chains are compared by hash, position by position: equal ones stay, others
 * are replaced, added, deleted
 *   3. our rules in the kernel's and others' chains: just the hooks, in their place
 *   4. chains with our names that nobody wants are emptied, then deleted
 *
 * If nothing came of it, the copy is thrown away and the kernel never hears of us.
 */
#include "felixd/dataplane/iptables_sync.h"

#include <assert.h>
#include <errno.h>
#include <libiptc/libiptc.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/iptables_encode.h"
#include "felixd/dataplane/names.h"

#define SET_PROTOCOL 6 /* of the socket option; newer kernels take it as well */

/* A rule as it stands in the kernel. */
struct actual_rule {
	char id[RULE_ID_MAX]; /* "": it carries no hash of ours */
	bool ours;            /* by its hash, or because it leads to one of our chains */
};

struct actual_chain {
	xt_chainlabel name;
	struct actual_rule *rules;
	size_t n;
};

struct sync {
	struct xtc_handle *h;
	struct actual_chain *chains;
	size_t n_chains;
	struct iptables_sync_result *res;
	int set_fd;
	bool append_hooks;
};

static void free_handle(struct xtc_handle **h)
{
	if (*h)
		iptc_free(*h);
}

/* ---- reading */

static void read_chain(struct sync *s, struct actual_chain *c)
{
	size_t cap = 0;

	for (const struct ipt_entry *e = iptc_first_rule(c->name, s->h); e;
	     e = iptc_next_rule(e, s->h)) {
		struct actual_rule *r;
		const char *target = iptc_get_target(e, s->h);

		if (c->n == cap) {
			cap = cap ? 2 * cap : 8;
			c->rules = xrealloc(c->rules, cap * sizeof(*c->rules));
		}
		r = &c->rules[c->n++];
		iptables_entry_id(e, e->next_offset, r->id);
		r->ours = *r->id || (target && name_chain_is_ours(target));
	}
}

static void read_table(struct sync *s)
{
	size_t cap = 0;

	for (const char *name = iptc_first_chain(s->h); name; name = iptc_next_chain(s->h)) {
		if (s->n_chains == cap) {
			cap = cap ? 2 * cap : 64;
			s->chains = xrealloc(s->chains, cap * sizeof(*s->chains));
		}
		s->chains[s->n_chains] = (struct actual_chain){ 0 };
		snprintf(s->chains[s->n_chains++].name, sizeof(xt_chainlabel), "%s", name);
	}
	for (size_t i = 0; i < s->n_chains; i++)
		read_chain(s, &s->chains[i]);
}

static void forget_table(struct sync *s)
{
	for (size_t i = 0; i < s->n_chains; i++)
		free(s->chains[i].rules);
	free(s->chains);
}

/* ---- encoding */

static int set_index(void *arg, const char *name, uint16_t *ret_index, struct err *err)
{
	const struct sync *s = arg;
	struct ip_set_req_get_set req = { .op = IP_SET_OP_GET_BYNAME, .version = SET_PROTOCOL };
	socklen_t len = sizeof(req);

	snprintf(req.set.name, sizeof(req.set.name), "%s", name);
	if (getsockopt(s->set_fd, IPPROTO_IP, SO_IP_SET, &req, &len) < 0)
		return err_sys(err, "looking up IP set %s", name);
	if (req.set.index == IPSET_INVALID_ID)
		return err_set(err, -ENOENT, "IP set %s does not exist", name);
	*ret_index = req.set.index;
	return 0;
}

struct encoded {
	struct buf *rules; /* empty: the rule in the kernel is right */
	size_t n;
};

static void encoded_done(struct encoded *e)
{
	for (size_t i = 0; i < e->n; i++)
		buf_done(&e->rules[i]);
	free(e->rules);
}

/* What must be written so that the rules at the actual ones become c's; before anything is touched,
 * because it may fail. */
static int encode_difference(struct sync *s, const struct chain *c,
                             const struct actual_rule *actual, size_t n_actual, struct encoded *ret,
                             struct err *err)
{
	ret->n = c->n_rules;
	ret->rules = xcalloc(c->n_rules + 1, sizeof(*ret->rules));
	for (size_t i = 0; i < c->n_rules; i++) {
		int rc;

		if (i < n_actual && strcmp(actual[i].id, c->rules[i].id) == 0)
			continue;
		rc = iptables_encode(&c->rules[i], set_index, s, &ret->rules[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- writing into the copy; the library says what failed by errno */

static int refused(const char *chain, struct err *err)
{
	int code = errno ? errno : EINVAL;

	return err_set(err, -code, "chain %s: %s", chain, iptc_strerror(code));
}

static int delete_rule(struct sync *s, const char *chain, size_t at, struct err *err)
{
	errno = 0;
	if (!iptc_delete_num_entry(chain, (unsigned)at, s->h))
		return refused(chain, err);
	s->res->changes++;
	return 0;
}

enum place {
	AT_REPLACE,
	AT_INSERT,
	AT_END
};

static int write_rule(struct sync *s, const char *chain, enum place place, size_t at,
                      const struct buf *entry, struct err *err)
{
	const struct ipt_entry *e = (const void *)entry->data;
	int ok;

	errno = 0;
	if (place == AT_REPLACE)
		ok = iptc_replace_entry(chain, e, (unsigned)at, s->h);
	else if (place == AT_INSERT)
		ok = iptc_insert_entry(chain, e, (unsigned)at, s->h);
	else
		ok = iptc_append_entry(chain, e, s->h);
	if (!ok)
		return refused(chain, err);
	s->res->changes++;
	return 0;
}

/* ---- our chains */

static const struct actual_chain *actual_find(const struct sync *s, const char *name)
{
	for (size_t i = 0; i < s->n_chains; i++)
		if (strcmp(s->chains[i].name, name) == 0)
			return &s->chains[i];
	return NULL;
}

static int make_missing(struct sync *s, const struct hmap *chains, struct err *err)
{
	hmap_for_each (w, chains, struct wanted_chain, node) {
		if (!w->refs || iptc_is_chain(w->name, s->h))
			continue;
		errno = 0;
		if (!iptc_create_chain(w->name, s->h))
			return refused(w->name, err);
		s->res->changes++;
	}
	return 0;
}

static int sync_chain(struct sync *s, struct wanted_chain *w, const struct actual_chain *actual,
                      struct err *err)
{
	const struct chain nothing = { 0 };
	const struct chain *c = w->chain ? w->chain : &nothing;
	const struct actual_rule *rules = actual ? actual->rules : NULL;
	size_t n = actual ? actual->n : 0;
	CLEANUP(encoded_done) struct encoded enc = { 0 };
	struct err why;
	int rc = 0;

	w->failed = false;
	if (encode_difference(s, c, rules, n, &enc, &why) < 0) {
		/* The others go on; who waits for this one hears of it. */
		w->failed = true;
		snprintf(w->why, sizeof(w->why), "%.*s", (int)sizeof(w->why) - 1, why.text);
		s->res->failed_chains++;
		log_warn("a chain cannot be made", "chain=%s why=%s", w->name, LOG_VIS(w->why));
		return 0;
	}
	for (size_t i = 0; i < c->n_rules && rc == 0; i++)
		if (enc.rules[i].len)
			rc = write_rule(s, w->name, i < n ? AT_REPLACE : AT_END, i, &enc.rules[i],
			                err);
	for (size_t i = n; i > c->n_rules && rc == 0; i--)
		rc = delete_rule(s, w->name, i - 1, err);
	return rc;
}

static int sync_chains(struct sync *s, struct hmap *chains, struct err *err)
{
	struct hmap by_name = HMAP_INIT;
	struct entry {
		struct hmap_node node;
		const struct actual_chain *c;
	} *entries = xcalloc(s->n_chains + 1, sizeof(*entries));
	int rc = 0;

	for (size_t i = 0; i < s->n_chains; i++) {
		entries[i].c = &s->chains[i];
		hmap_insert(&by_name, &entries[i].node, hash_str(s->chains[i].name));
	}
	hmap_for_each (w, chains, struct wanted_chain, node) {
		if (!w->refs || rc < 0)
			continue;
		hmap_find(e, &by_name, hash_str(w->name), struct entry, node,
		          strcmp(e->c->name, w->name) == 0);
		rc = sync_chain(s, w, e ? e->c : NULL, err);
	}
	hmap_done(&by_name);
	free(entries);
	return rc;
}

static bool is_wanted(const struct hmap *chains, const char *name)
{
	hmap_find(w, chains, hash_str(name), struct wanted_chain, node, strcmp(w->name, name) == 0);
	return w && w->refs;
}

static int delete_unwanted(struct sync *s, const struct hmap *chains, struct err *err)
{
	/* All are emptied first: they may lead to one another. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->n_chains; i++) {
			const char *name = s->chains[i].name;

			if (iptc_builtin(name, s->h) || !name_chain_is_ours(name) ||
			    is_wanted(chains, name))
				continue;
			errno = 0;
			if (pass == 0 ? !iptc_flush_entries(name, s->h)
			              : !iptc_delete_chain(name, s->h))
				return refused(name, err);
			s->res->changes += pass;
		}
	}
	return 0;
}

/* ---- hooks */

static size_t chain_len(const struct chain *c)
{
	return c ? c->n_rules : 0;
}

static bool ids_are(const struct actual_rule *rules, const struct chain *c)
{
	for (size_t i = 0; i < chain_len(c); i++)
		if (strcmp(rules[i].id, c->rules[i].id) != 0)
			return false;
	return true;
}

/* Ours where they belong, and nowhere else? */
static bool hook_in_place(const struct sync *s, const struct wanted_hook *h,
                          const struct actual_chain *a)
{
	size_t n_ins = chain_len(h->inserts), n_app = chain_len(h->appends), ours = 0;
	const struct actual_rule *ins = a->rules;

	for (size_t i = 0; i < a->n; i++)
		ours += a->rules[i].ours;
	if (ours != n_ins + n_app)
		return false;
	if (s->append_hooks)
		ins = a->rules + a->n - n_app - n_ins;
	return ids_are(ins, h->inserts) && ids_are(a->rules + a->n - n_app, h->appends);
}

static int delete_ours(struct sync *s, const struct actual_chain *a, struct err *err)
{
	int rc = 0;

	for (size_t i = a->n; i > 0 && rc == 0; i--)
		if (a->rules[i - 1].ours)
			rc = delete_rule(s, a->name, i - 1, err);
	return rc;
}

static int add_hook_rules(struct sync *s, const char *kernel_chain, const struct chain *c,
                          bool at_top, struct err *err)
{
	CLEANUP(encoded_done) struct encoded enc = { 0 };
	int rc;

	if (!c)
		return 0;
	rc = encode_difference(s, c, NULL, 0, &enc, err);
	for (size_t i = 0; i < c->n_rules && rc == 0; i++)
		rc = write_rule(s, kernel_chain, at_top ? AT_INSERT : AT_END, i, &enc.rules[i],
		                err);
	return rc;
}

static int sync_hook(struct sync *s, const struct wanted_hook *h, struct err *err)
{
	const struct actual_chain *a = actual_find(s, h->kernel_chain);
	int rc;

	if (!a)
		return err_set(err, -ENOENT, "the kernel has no chain %s", h->kernel_chain);
	if (hook_in_place(s, h, a))
		return 0;
	rc = delete_ours(s, a, err);
	if (rc == 0)
		rc = add_hook_rules(s, a->name, h->inserts, !s->append_hooks, err);
	if (rc == 0)
		rc = add_hook_rules(s, a->name, h->appends, false, err);
	return rc;
}

static bool has_hook(const struct hmap *hooks, const char *chain)
{
	hmap_find(h, hooks, hash_str(chain), struct wanted_hook, node,
	          strcmp(h->kernel_chain, chain) == 0);
	return h != NULL;
}

static int sync_hooks(struct sync *s, const struct hmap *hooks, struct err *err)
{
	int rc = 0;

	hmap_for_each (h, hooks, struct wanted_hook, node)
		if (rc == 0)
			rc = sync_hook(s, h, err);
	/* Ours in somebody else's chain: left there by another version or another setting. */
	for (size_t i = 0; i < s->n_chains && rc == 0; i++)
		if (!name_chain_is_ours(s->chains[i].name) && !has_hook(hooks, s->chains[i].name))
			rc = delete_ours(s, &s->chains[i], err);
	return rc;
}

/* ---- all of it */

int iptables_sync(int family, const char *table, struct hmap *chains, struct hmap *hooks,
                  bool append_hooks, int set_fd, struct iptables_sync_result *res, struct err *err)
{
	CLEANUP(free_handle) struct xtc_handle *h = NULL;
	struct sync s = { .res = res, .set_fd = set_fd, .append_hooks = append_hooks };
	int rc;

	assert(family == AF_INET);
	*res = (struct iptables_sync_result){ 0 };
	errno = 0;
	h = iptc_init(table);
	if (!h) {
		int code = errno ? errno : EINVAL;

		return err_set(err, -code, "reading: %s", iptc_strerror(code));
	}
	s.h = h;
	read_table(&s);
	rc = make_missing(&s, chains, err);
	if (rc == 0)
		rc = sync_chains(&s, chains, err);
	if (rc == 0)
		rc = sync_hooks(&s, hooks, err);
	if (rc == 0)
		rc = delete_unwanted(&s, chains, err);
	forget_table(&s);
	if (rc < 0 || res->changes == 0)
		return rc;
	errno = 0;
	if (!iptc_commit(h)) {
		int code = errno ? errno : EINVAL;

		return err_set(err, -code, "writing: %s", iptc_strerror(code));
	}
	return 0;
}
