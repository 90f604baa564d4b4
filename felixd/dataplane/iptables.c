/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/iptables.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/iptables_sync.h"
#include "felixd/dataplane/iptables_text.h"
#include "felixd/dataplane/xtables_lock.h"

#define COMMIT_TRIES                                                                               \
	3 /* the lock keeps other writers out; those who ignore it change the table in between */

struct table {
	enum table_id id;
	struct hmap chains; /* struct wanted_chain, by name */
	struct hmap hooks;  /* struct wanted_hook, by kernel chain */
	bool dirty;         /* what is wanted has changed */
	bool doubt;         /* the kernel may have */
	struct {
		uint64_t reads, writes, rules, repairs, failures;
	} count;
};

struct iptables {
	int family;
	bool append_hooks;
	uint64_t lock_busy;
	struct table tables[TABLE_COUNT];
};

struct iptables *iptables_new(int family, bool append_hooks)
{
	struct iptables *t = xcalloc(1, sizeof(*t));

	t->family = family;
	t->append_hooks = append_hooks;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].id = i;
	return t;
}

void iptables_free(struct iptables *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		hmap_for_each (w, &t->tables[i].chains, struct wanted_chain, node) {
			chain_free(w->chain);
			free(w);
		}
		hmap_for_each (h, &t->tables[i].hooks, struct wanted_hook, node) {
			chain_free(h->inserts);
			chain_free(h->appends);
			free(h);
		}
		hmap_done(&t->tables[i].chains);
		hmap_done(&t->tables[i].hooks);
	}
	free(t);
}

/* ---- what is wanted: chains count who leads to them; those with a count are live, and lead on */

static struct wanted_chain *chain_find(const struct table *t, const char *name)
{
	hmap_find(w, &t->chains, hash_str(name), struct wanted_chain, node,
	          strcmp(w->name, name) == 0);
	return w;
}

static struct wanted_chain *chain_get(struct table *t, const char *name)
{
	struct wanted_chain *w = chain_find(t, name);

	if (w)
		return w;
	w = xcalloc(1, sizeof(*w));
	assert(strlen(name) < sizeof(w->name));
	strcpy(w->name, name);
	hmap_insert(&t->chains, &w->node, hash_str(name));
	return w;
}

static void chain_forget_if_unused(struct table *t, struct wanted_chain *w)
{
	if (w->chain || w->refs)
		return;
	hmap_remove(&t->chains, &w->node);
	free(w);
}

static void refs_add(struct table *t, const struct chain *c);
static void refs_drop(struct table *t, const struct chain *c);

static void ref(struct table *t, const char *name)
{
	struct wanted_chain *w = chain_get(t, name);

	if (w->refs++ == 0) {
		t->dirty = true;
		refs_add(t, w->chain);
	}
}

static void unref(struct table *t, const char *name)
{
	struct wanted_chain *w = chain_find(t, name);

	assert(w && w->refs > 0);
	if (--w->refs == 0) {
		t->dirty = true;
		refs_drop(t, w->chain);
		chain_forget_if_unused(t, w);
	}
}

static bool leads_on(const struct rule *r)
{
	return r->action.kind == ACTION_JUMP || r->action.kind == ACTION_GOTO;
}

static void refs_add(struct table *t, const struct chain *c)
{
	for (size_t i = 0; c && i < c->n_rules; i++)
		if (leads_on(&c->rules[i]))
			ref(t, c->rules[i].action.chain);
}

static void refs_drop(struct table *t, const struct chain *c)
{
	for (size_t i = 0; c && i < c->n_rules; i++)
		if (leads_on(&c->rules[i]))
			unref(t, c->rules[i].action.chain);
}

void iptables_set_chain(struct iptables *t, enum table_id table, struct chain *c)
{
	struct table *tab = &t->tables[table];
	struct wanted_chain *w = chain_get(tab, c->name);
	struct chain *old = w->chain;

	iptables_text_hash(c, c->name);
	if (old && chain_same(old, c) && !w->failed) {
		chain_free(c);
		return;
	}
	w->chain = c;
	w->failed = false;
	if (w->refs) {
		tab->dirty = true;
		refs_add(tab, c); /* first: what both lead to stays live */
		refs_drop(tab, old);
	}
	chain_free(old);
}

void iptables_remove_chain(struct iptables *t, enum table_id table, const char *name)
{
	struct table *tab = &t->tables[table];
	struct wanted_chain *w = chain_find(tab, name);
	struct chain *old;

	if (!w || !w->chain)
		return;
	old = w->chain;
	w->chain = NULL;
	w->failed = false;
	if (w->refs) {
		tab->dirty = true;
		refs_drop(tab, old);
	}
	chain_free(old);
	chain_forget_if_unused(tab, w);
}

void iptables_prune(struct iptables *t, enum table_id table, const char *prefix)
{
	struct table *tab = &t->tables[table];

	hmap_for_each (w, &tab->chains, struct wanted_chain, node) {
		if (w->refs || strncmp(w->name, prefix, strlen(prefix)) != 0)
			continue;
		hmap_remove(&tab->chains, &w->node);
		chain_free(w->chain);
		free(w);
	}
}

void iptables_set_hook(struct iptables *t, enum table_id table, const char *kernel_chain,
                       struct chain *inserts, struct chain *appends)
{
	struct table *tab = &t->tables[table];
	char name[sizeof(((struct wanted_hook *)NULL)->kernel_chain) + 16];
	struct chain *old[2] = { NULL, NULL };

	hmap_find(h, &tab->hooks, hash_str(kernel_chain), struct wanted_hook, node,
	          strcmp(h->kernel_chain, kernel_chain) == 0);
	if (h) {
		old[0] = h->inserts;
		old[1] = h->appends;
	} else {
		h = xcalloc(1, sizeof(*h));
		assert(strlen(kernel_chain) < sizeof(h->kernel_chain));
		strcpy(h->kernel_chain, kernel_chain);
		hmap_insert(&tab->hooks, &h->node, hash_str(kernel_chain));
	}
	if (inserts)
		iptables_text_hash(inserts, kernel_chain);
	if (appends) {
		/* Rules at the end are hashed as a chain of their own. */
		snprintf(name, sizeof(name), "%s*appends*", kernel_chain);
		iptables_text_hash(appends, name);
	}
	h->inserts = inserts;
	h->appends = appends;
	tab->dirty = true;
	refs_add(tab, inserts);
	refs_add(tab, appends);
	for (unsigned i = 0; i < 2; i++) {
		refs_drop(tab, old[i]);
		chain_free(old[i]);
	}
}

void iptables_set_append(struct iptables *t, bool append_hooks)
{
	if (t->append_hooks == append_hooks)
		return;
	t->append_hooks = append_hooks;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].dirty = true;
}

void iptables_doubt(struct iptables *t)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].doubt = true;
}

bool iptables_pending(const struct iptables *t)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (t->tables[i].dirty || t->tables[i].doubt)
			return true;
	return false;
}

/* ---- the kernel */

static int apply_table(struct iptables *t, struct table *tab, int set_fd, struct err *err)
{
	struct iptables_sync_result res = { 0 };
	int rc = -EAGAIN;

	for (unsigned i = 0; i < COMMIT_TRIES && rc == -EAGAIN; i++) {
		tab->count.reads++;
		rc = iptables_sync(t->family, table_names[tab->id], &tab->chains, &tab->hooks,
		                   t->append_hooks, set_fd, &res, err);
	}
	if (rc < 0) {
		tab->count.failures++;
		return err_wrap(err, rc, "iptables table %s", table_names[tab->id]);
	}
	if (res.changes) {
		tab->count.writes++;
		tab->count.rules += res.changes;
		if (!tab->dirty) {
			tab->count.repairs++;
			log_warn("somebody changed our rules: put back", "table=%s changes=%zu",
			         table_names[tab->id], res.changes);
		}
	}
	tab->count.failures += res.failed_chains;
	tab->dirty = res.failed_chains > 0; /* what they lack may come */
	tab->doubt = false;
	return 0;
}

int iptables_apply(struct iptables *t, struct err *err)
{
	CLEANUP(close_p) int lock = -1;
	CLEANUP(close_p) int set_fd = -1;
	int first = 0, rc;

	if (!iptables_pending(t))
		return 0;
	rc = xtables_lock_try(&lock, err);
	if (rc < 0) {
		if (rc == -EBUSY)
			t->lock_busy++;
		return rc;
	}
	set_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (set_fd < 0)
		return err_sys(err, "socket for looking up IP sets");
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		struct table *tab = &t->tables[i];
		struct err one;

		if (!tab->dirty && !tab->doubt)
			continue;
		rc = apply_table(t, tab, set_fd, &one);
		if (rc < 0 && first == 0) {
			first = rc;
			if (err)
				*err = one;
		}
	}
	return first;
}

/* ---- answers */

/* Endpoint, group, policy: no way through the wanted chains is longer. */
static bool failed_below(const struct table *t, const char *name, unsigned depth, struct err *err)
{
	const struct wanted_chain *w = chain_find(t, name);

	if (!w)
		return false;
	if (w->failed) {
		err_set(err, -ENOENT, "chain %s: %s", name, w->why);
		return true;
	}
	for (size_t i = 0; depth && w->chain && i < w->chain->n_rules; i++)
		if (leads_on(&w->chain->rules[i]) &&
		    failed_below(t, w->chain->rules[i].action.chain, depth - 1, err))
			return true;
	return false;
}

bool iptables_chain_failed(const struct iptables *t, enum table_id table, const char *name,
                           struct err *err)
{
	return failed_below(&t->tables[table], name, 2, err);
}

struct iptables_stats iptables_stats(const struct iptables *t)
{
	struct iptables_stats s = { .lock_busy = t->lock_busy };

	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		const struct table *tab = &t->tables[i];

		s.reads += tab->count.reads;
		s.writes += tab->count.writes;
		s.rules += tab->count.rules;
		s.repairs += tab->count.repairs;
		s.failures += tab->count.failures;
		hmap_for_each (w, &tab->chains, struct wanted_chain, node) {
			if (w->refs) {
				s.chains++;
				s.rules_wanted += w->chain ? w->chain->n_rules : 0;
			}
		}
		hmap_for_each (h, &tab->hooks, struct wanted_hook, node)
			s.rules_wanted += (h->inserts ? h->inserts->n_rules : 0) +
			                  (h->appends ? h->appends->n_rules : 0);
	}
	return s;
}

void iptables_each_chain(const struct iptables *t,
                         void (*fn)(void *arg, enum table_id table, const struct chain *c),
                         void *arg)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		hmap_for_each (w, &t->tables[i].chains, struct wanted_chain, node)
			if (w->refs && w->chain)
				fn(arg, i, w->chain);
}
