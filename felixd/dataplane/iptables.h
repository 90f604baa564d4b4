/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iptables: the kernel's legacy tables of one family, made to hold our chains.
 *
 * Others say what chains there are; a chain reaches the kernel while a hook leads to it.
 * iptables_apply() reads each table that is in doubt, compares the hashes in the rules' comments
 * with the wanted ones, and commits only if something differs: equal rules stay, with their
 * counters, in their place. What is not ours is never touched, except that our hooks are kept where
 * they belong.
 *
 * The kernel replaces a table as a whole and at once; other writers are kept out by iptables' lock
 * file, which is tried, never waited for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "felixd/dataplane/backend.h"
#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/render.h"

struct err;
struct iptables;

extern const struct ruleset_ops iptables_ops; /* self: the struct iptables */

/* append_hooks: ChainInsertMode append. */
struct iptables *iptables_new(int family, bool append_hooks);
void iptables_free(struct iptables *t); /* the kernel keeps everything */

/* Takes c, hashes it, replaces the chain of that name. */
void iptables_set_chain(struct iptables *t, enum table_id table, struct chain *c);
void iptables_remove_chain(struct iptables *t, enum table_id table, const char *name);
/* Forgets chains whose names begin so and to which nothing leads any more (they left the kernel, or
 * are about to). */
void iptables_prune(struct iptables *t, enum table_id table, const char *prefix);
/* As render_sink's set_hook. */
void iptables_set_hook(struct iptables *t, enum table_id table, const char *kernel_chain,
                       struct chain *inserts, struct chain *appends);

void iptables_set_append(struct iptables *t, bool append_hooks);

void iptables_doubt(struct iptables *t); /* read every table back with the next apply */
/* Only those that the kernel has at all: another backend's leavings are looked for in them. */
void iptables_doubt_existing(struct iptables *t);
bool iptables_pending(const struct iptables *t);

/*
 * 0: every table is as wanted, but for chains that cannot be (iptables_chain_failed()). -EBUSY:
 * somebody holds the lock, try again soon. Else the first failure; the tables that did not fail are
 * done.
 */
int iptables_apply(struct iptables *t, struct err *err);

/* Could the chain, or one it leads to, not be encoded (a set is missing)? It holds in the kernel
 * what it held before. *err says why. */
bool iptables_chain_failed(const struct iptables *t, enum table_id table, const char *name,
                           struct err *err);

struct ruleset_stats iptables_stats(const struct iptables *t);

/* For dumps: what is wanted in the kernel. */
void iptables_each_chain(const struct iptables *t,
                         void (*fn)(void *arg, enum table_id table, const struct chain *c),
                         void *arg);
