/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rib: every route that bgpd knows, and which of them is the best. Pure: no system call, no clock.
 *
 * A prefix has one path per source: a peer, our own networks, the kernel. Changes only mark the
 * prefix; rib_select() then chooses once per prefix, however often it changed, and tells its
 * listener what is different.
 */
#pragma once

#include "bgpd/attrs.h"
#include "bgpd/bgp.h"
#include "bgpd/policy.h"
#include "bgpd/trie.h"
#include "common/base/list.h"

struct path;
struct rib_entry;

/* Where paths come from. Embedded in its owner. */
struct rib_source {
	enum route_source kind;
	struct list paths;
	uint32_t n_paths, n_stale;

	/* of a BGP peer */
	bool internal;
	uint32_t router_id;
	struct ip_addr address;
	const char *name; /* borrowed */
};

/* A next hop that paths share: nexthop.h. Here only what the decision asks. */
struct nexthop {
	struct ip_addr addr;
	struct hmap_node node;
	struct list paths; /* path.nexthop_link */
	bool resolved;
	struct ip_addr via; /* unset: addr is on the link */
	int ifindex;
	uint32_t cost;
};

struct path {
	struct path *next; /* of the same prefix */
	struct list source_link, nexthop_link;
	struct rib_entry *entry;
	struct rib_source *source;
	struct attrs *attrs;
	struct nexthop *nexthop; /* NULL: our own */
	int ifindex;             /* of a kernel route */
	uint8_t preference;      /* between kinds of sources; more is better: bgp.md A9.2 */
	bool stale;              /* its peer is restarting: RFC 4724 */
	bool alive;              /* best.c's */
};

enum {
	PREFERENCE_KERNEL = 10,
	PREFERENCE_BGP = 100,
	PREFERENCE_NETWORK = 200
};

struct rib_entry {
	struct trie_node node; /* .prefix */
	struct path *paths, *best;
	struct attrs *best_attrs; /* as the listener knows it; a reference */
	const struct rib_source *best_source;
	struct list dirty; /* linked while it waits for rib_select() */
	bool is_dirty, force;
};

/* The best of the entry is another one, or its attributes or next hop changed. entry->best is the
 * new one (NULL: none). */
typedef void rib_changed_fn(void *arg, struct rib_entry *entry);

struct rib {
	struct trie tries[BGP_FAMILIES];
	struct attrs_table attrs;
	struct list dirty;
	rib_changed_fn *changed;
	void *arg;
	uint64_t selections;
};

void rib_init(struct rib *r, rib_changed_fn *changed, void *arg);
void rib_done(struct rib *r); /* every path must be gone */

void rib_source_init(struct rib_source *s, enum route_source kind, const char *name);

struct path_spec {
	struct attrs *attrs; /* taken */
	struct nexthop *nexthop;
	int ifindex;
	uint8_t preference;
};
/* The source's path for the prefix becomes this one. Returns it; NULL: out of memory, and attrs is
 * released. A fresh path is not stale. */
struct path *rib_set(struct rib *r, struct rib_source *s, const struct ip_prefix *p,
                     const struct path_spec *spec);
/* false: the source has no such path */
bool rib_remove(struct rib *r, struct rib_source *s, const struct ip_prefix *p);
struct path *rib_find(const struct rib *r, const struct rib_source *s, const struct ip_prefix *p);

/* All of a source's paths of the families in the mask; only_stale: those alone. Returns how many.
 */
size_t rib_flush(struct rib *r, struct rib_source *s, uint8_t families, bool only_stale);
size_t rib_mark_stale(struct rib *r, struct rib_source *s, uint8_t families);

/* Choose again; force: tell the listener even if nothing seems different (a policy changed). */
void rib_touch(struct rib *r, struct rib_entry *e, bool force);
void rib_touch_nexthop(struct rib *r, struct nexthop *nh);

/* Chooses for at most budget prefixes. true: more are waiting. */
bool rib_select(struct rib *r, unsigned budget);

/* best.c: RFC 4271 section 9.1.2 over a list of paths. NULL: none is usable. */
struct path *best_path(struct path *list);
bool path_usable(const struct path *p);
uint32_t path_local_pref(const struct path *p);
