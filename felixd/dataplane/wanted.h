/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wanted: which chains one table is to hold, whatever the backend.
 *
 * Chains, hooks and verdict maps are told one by one. A chain counts who leads to it; one with a
 * count is live, and what it leads to is, too; only live chains belong into the kernel. A backend
 * that tracks finds the names of what has changed in `touched` and clears it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/hmap.h"
#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/render.h"

struct err;

#define KERNEL_CHAIN_MAX 32 /* libiptc copies this much */

struct wanted_chain {
	struct hmap_node node;
	char name[KERNEL_CHAIN_MAX];
	struct chain *chain; /* NULL: only referred to; it stands empty, and lets pass what nobody
	                        else allows */
	unsigned refs;       /* from hooks, maps and live chains */
	bool failed;         /* could not be made; why says it */
	char why[128];
};

struct wanted_hook {
	struct hmap_node node;
	char kernel_chain[KERNEL_CHAIN_MAX];
	struct chain *inserts, *appends; /* may be NULL */
};

/* A verdict map: live while a live chain's rule asks it. */
struct wanted_map {
	struct hmap_node node;
	char name[KERNEL_CHAIN_MAX];
	unsigned refs;
	struct verdict *entries; /* sorted by interface */
	size_t n;
};

struct touched {
	struct hmap_node node;
	char name[KERNEL_CHAIN_MAX];
};

struct wanted {
	enum table_id id;
	struct hmap chains, hooks, maps;
	bool dirty; /* what is wanted has changed */
	bool track;
	struct hmap touched; /* struct touched: chains, hooks and maps, by name */
	/* Gives each rule its hash; seed is the chain's name, or "<hook>*appends*". */
	void (*hash)(const struct wanted *w, struct chain *c, const char *seed);
};

void wanted_done(struct wanted *w);
void wanted_clear_touched(struct wanted *w);
void wanted_touch(struct wanted *w, const char *name);

/* Takes c, hashes it, replaces the chain of that name. */
void wanted_set_chain(struct wanted *w, struct chain *c);
void wanted_remove_chain(struct wanted *w, const char *name);
void wanted_prune(struct wanted *w, const char *prefix);
void wanted_set_hook(struct wanted *w, const char *kernel_chain, struct chain *inserts,
                     struct chain *appends);
void wanted_set_map(struct wanted *w, const char *name, const struct verdict *entries, size_t n);

struct wanted_chain *wanted_chain_find(const struct wanted *w, const char *name);
struct wanted_hook *wanted_hook_find(const struct wanted *w, const char *kernel_chain);
struct wanted_map *wanted_map_find(const struct wanted *w, const char *name);

/* Could the chain, or one it leads to, not be made? *err says why. */
bool wanted_chain_failed(const struct wanted *w, const char *name, struct err *err);
/* Adds what is live to the counts. */
void wanted_count(const struct wanted *w, size_t *chains, size_t *rules);
