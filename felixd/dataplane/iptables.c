/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/iptables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/iptables_sync.h"
#include "felixd/dataplane/iptables_text.h"
#include "felixd/dataplane/wanted.h"
#include "felixd/dataplane/xtables_lock.h"

#define COMMIT_TRIES                                                                               \
	3 /* the lock keeps other writers out; those who ignore it change the table in between */

struct table {
	struct wanted wanted;
	bool doubt; /* the kernel may have changed */
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

static void text_hash(const struct wanted *w, struct chain *c, const char *seed)
{
	(void)w;
	iptables_text_hash(c, seed);
}

struct iptables *iptables_new(int family, bool append_hooks)
{
	struct iptables *t = xcalloc(1, sizeof(*t));

	t->family = family;
	t->append_hooks = append_hooks;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].wanted = (struct wanted){ .id = i, .hash = text_hash };
	return t;
}

void iptables_free(struct iptables *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		wanted_done(&t->tables[i].wanted);
	free(t);
}

/* ---- what is wanted */

void iptables_set_chain(struct iptables *t, enum table_id table, struct chain *c)
{
	wanted_set_chain(&t->tables[table].wanted, c);
}

void iptables_remove_chain(struct iptables *t, enum table_id table, const char *name)
{
	wanted_remove_chain(&t->tables[table].wanted, name);
}

void iptables_prune(struct iptables *t, enum table_id table, const char *prefix)
{
	wanted_prune(&t->tables[table].wanted, prefix);
}

void iptables_set_hook(struct iptables *t, enum table_id table, const char *kernel_chain,
                       struct chain *inserts, struct chain *appends)
{
	wanted_set_hook(&t->tables[table].wanted, kernel_chain, inserts, appends);
}

void iptables_set_append(struct iptables *t, bool append_hooks)
{
	if (t->append_hooks == append_hooks)
		return;
	t->append_hooks = append_hooks;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].wanted.dirty = true;
}

void iptables_doubt(struct iptables *t)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->tables[i].doubt = true;
}

void iptables_doubt_existing(struct iptables *t)
{
	char name[64];
	FILE *f = fopen(t->family == AF_INET6 ? "/proc/net/ip6_tables_names"
	                                      : "/proc/net/ip_tables_names",
	                "re");

	while (f && fscanf(f, "%63s", name) == 1)
		for (unsigned i = 0; i < TABLE_COUNT; i++)
			if (strcmp(table_names[i], name) == 0)
				t->tables[i].doubt = t->tables[i].wanted.dirty = true;
	if (f)
		(void)fclose(f);
}

bool iptables_pending(const struct iptables *t)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (t->tables[i].wanted.dirty || t->tables[i].doubt)
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
		rc = iptables_sync(t->family, table_names[tab->wanted.id], &tab->wanted.chains,
		                   &tab->wanted.hooks, t->append_hooks, set_fd, &res, err);
	}
	if (rc < 0) {
		tab->count.failures++;
		return err_wrap(err, rc, "iptables table %s", table_names[tab->wanted.id]);
	}
	if (res.changes) {
		tab->count.writes++;
		tab->count.rules += res.changes;
		if (!tab->wanted.dirty) {
			tab->count.repairs++;
			log_warn("somebody changed our rules: put back", "table=%s changes=%zu",
			         table_names[tab->wanted.id], res.changes);
		}
	}
	tab->count.failures += res.failed_chains;
	tab->wanted.dirty = res.failed_chains > 0; /* what they lack may come */
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

		if (!tab->wanted.dirty && !tab->doubt)
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

bool iptables_chain_failed(const struct iptables *t, enum table_id table, const char *name,
                           struct err *err)
{
	return wanted_chain_failed(&t->tables[table].wanted, name, err);
}

struct ruleset_stats iptables_stats(const struct iptables *t)
{
	struct ruleset_stats s = { .lock_busy = t->lock_busy };

	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		const struct table *tab = &t->tables[i];

		s.reads += tab->count.reads;
		s.writes += tab->count.writes;
		s.rules += tab->count.rules;
		s.repairs += tab->count.repairs;
		s.failures += tab->count.failures;
		wanted_count(&tab->wanted, &s.table[i].chains, &s.table[i].rules);
		s.chains += s.table[i].chains;
		s.rules_wanted += s.table[i].rules;
	}
	return s;
}

void iptables_each_chain(const struct iptables *t,
                         void (*fn)(void *arg, enum table_id table, const struct chain *c),
                         void *arg)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		hmap_for_each (w, &t->tables[i].wanted.chains, struct wanted_chain, node)
			if (w->refs && w->chain)
				fn(arg, i, w->chain);
}

/* ---- as a backend */

static void op_set_chain(void *self, enum table_id table, struct chain *c)
{
	iptables_set_chain(self, table, c);
}

static void op_remove_chain(void *self, enum table_id table, const char *name)
{
	iptables_remove_chain(self, table, name);
}

static void op_prune(void *self, enum table_id table, const char *prefix)
{
	iptables_prune(self, table, prefix);
}

static void op_set_hook(void *self, enum table_id table, const char *kernel_chain,
                        struct chain *inserts, struct chain *appends)
{
	iptables_set_hook(self, table, kernel_chain, inserts, appends);
}

static void op_doubt(void *self)
{
	iptables_doubt(self);
}

static bool op_pending(const void *self)
{
	return iptables_pending(self);
}

static int op_apply(void *self, struct err *err)
{
	return iptables_apply(self, err);
}

static bool op_chain_failed(const void *self, enum table_id table, const char *name,
                            struct err *err)
{
	return iptables_chain_failed(self, table, name, err);
}

static struct ruleset_stats op_stats(const void *self)
{
	return iptables_stats(self);
}

static void op_each_chain(const void *self,
                          void (*fn)(void *arg, enum table_id table, const struct chain *c),
                          void *arg)
{
	iptables_each_chain(self, fn, arg);
}

static void op_text(const void *self, struct buf *out, enum table_id table, const char *chain,
                    const struct rule *r)
{
	(void)self;
	(void)table;
	iptables_text_rule(out, chain, r);
}

static void op_free(void *self)
{
	iptables_free(self);
}

const struct ruleset_ops iptables_ops = {
	.set_chain = op_set_chain,
	.remove_chain = op_remove_chain,
	.prune = op_prune,
	.set_hook = op_set_hook,
	.doubt = op_doubt,
	.pending = op_pending,
	.apply = op_apply,
	.chain_failed = op_chain_failed,
	.stats = op_stats,
	.each_chain = op_each_chain,
	.text = op_text,
	.free = op_free,
};
