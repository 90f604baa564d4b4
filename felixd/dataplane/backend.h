/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend: what a backend of policy has to be able to do: hold chains (a ruleset) and hold sets (a
 * setstore). iptables.h and ipset.h are one pair, nft_rules.h and nft_sets.h the other; their
 * headers say what the verbs mean. The callers see these two alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "felixd/calc/output.h"
#include "felixd/dataplane/ipset_msg.h"
#include "felixd/dataplane/render.h"

struct err;

struct ruleset_stats {
	uint64_t reads, writes, rules, repairs, failures, lock_busy; /* rules: changed by writes */
	size_t chains, rules_wanted; /* in the kernel when it is in step */
	struct {
		size_t chains, rules;
	} table[TABLE_COUNT]; /* likewise */
};

struct ruleset_ops {
	void (*set_chain)(void *self, enum table_id table, struct chain *c);
	void (*remove_chain)(void *self, enum table_id table, const char *name);
	void (*prune)(void *self, enum table_id table, const char *prefix);
	void (*set_hook)(void *self, enum table_id table, const char *kernel_chain,
	                 struct chain *inserts, struct chain *appends);
	void (*set_map)(void *self, enum table_id table, const char *name,
	                const struct verdict *entries, size_t n); /* NULL: it has no maps */
	void (*doubt)(void *self);
	bool (*pending)(const void *self);
	int (*apply)(void *self, struct err *err);
	bool (*chain_failed)(const void *self, enum table_id table, const char *name,
	                     struct err *err);
	struct ruleset_stats (*stats)(const void *self);
	void (*each_chain)(const void *self,
	                   void (*fn)(void *arg, enum table_id table, const struct chain *c),
	                   void *arg);
	/* The rule in the backend's words. */
	void (*text)(const void *self, struct buf *out, enum table_id table, const char *chain,
	             const struct rule *r);
	void (*free)(void *self);
};

struct ruleset {
	const struct ruleset_ops *ops;
	void *self;
};

struct setstore_stats {
	uint64_t requests, repairs, failures;
	size_t sets, members;
};

struct setstore_ops {
	void (*want)(void *self, const char *id, enum ipset_type type,
	             const struct calc_member *members, size_t n);
	void (*change)(void *self, const char *id, const struct calc_member *added, size_t n_added,
	               const struct calc_member *removed, size_t n_removed);
	void (*unwant)(void *self, const char *id);
	void (*doubt)(void *self);
	bool (*pending)(const void *self);
	int (*apply)(void *self, size_t budget, struct err *err);
	bool (*destroy_unwanted)(void *self);
	struct setstore_stats (*stats)(const void *self);
	void (*each)(const void *self,
	             void (*fn)(void *arg, const char *kernel_name, enum ipset_type type,
	                        size_t members, size_t pending),
	             void *arg);
	void (*free)(void *self);
};

struct setstore {
	const struct setstore_ops *ops;
	void *self;
};
