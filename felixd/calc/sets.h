/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sets: IP sets and their members.
 *
 * Sources (endpoints, network sets) contribute addresses to each set whose selector they match.
 * Several sources may contribute the same member, so members are counted. A set exists while
 * somebody wants it; what was told of it is remembered per member, and telling means telling the
 * difference.
 */
#pragma once

#include "common/base/list.h"
#include "felixd/calc/index.h"
#include "felixd/calc/output.h"
#include "felixd/calc/rules.h"

struct named_port {
	uint8_t protocol;
	uint16_t port;
	char *name;
};

struct contribution {
	struct ip_prefix *nets; /* networks */
	uint32_t n_nets, n_ports;
	struct named_port *ports;
};
void contribution_done(struct contribution *c);

/* Embedded in what contributes; begins as all zeros. */
struct set_source_item {
	struct index_item item;
	struct contribution now;
	struct contribution *was; /* while it is set anew */
};

struct sets {
	struct index index;
	struct hmap all;
	struct list dirty; /* something to tell, or no longer wanted */
	size_t n_members;
};

void sets_init(struct sets *s);
void sets_done(struct sets *s); /* sources must have been removed before */

/* now is taken. */
void sets_source_set(struct sets *s, struct set_source_item *src, const struct index_kv *labels,
                     size_t n, struct index_parent *const *parents, size_t n_parents,
                     const struct contribution *now);
void sets_source_remove(struct sets *s, struct set_source_item *src);

/* Counted, for each spec. A set that is unwanted and wanted again between two tellings never went.
 */
void sets_want(struct sets *s, const struct rules *rules);
void sets_unwant(struct sets *s, const struct rules *rules);

bool sets_dirty(const struct sets *s);
void sets_tell_updates(struct sets *s, const struct calc_output_ops *ops, void *arg);
void sets_tell_removals(struct sets *s, const struct calc_output_ops *ops, void *arg);

/* For dumps and figures. */
size_t sets_count(const struct sets *s);
void sets_dump(const struct sets *s, void (*fn)(void *arg, const char *section, const char *json),
               void *arg);
