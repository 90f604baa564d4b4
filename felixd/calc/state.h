/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: what calc knows. Private to felixd/calc/.
 *
 * Two indexes (index.h) do the matching:
 *
 *     sets.index    every endpoint and network set   x   the selector of every IP set that is
 * wanted local         this node's endpoints            x   the selector of every policy
 *
 * A policy that matches a local endpoint is active; an active policy, and a profile that a local
 * endpoint names, wants its sets. Updates change the state and put what they touched on a dirty
 * list; calc_flush() settles what is active, and then tells.
 */
#pragma once

#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/model/resource.h"
#include "felixd/calc/calc.h"
#include "felixd/calc/index.h"
#include "felixd/calc/rules.h"
#include "felixd/calc/sets.h"
#include "felixd/calc/wep.h"

/* There while anybody names it, in the datastore or not. */
struct profile {
	struct hmap_node node;
	struct index_parent all;   /* in sets.index */
	struct index_parent local; /* in local */
	struct list dirty;
	struct rules rules;  /* deny both ways when it does not exist */
	unsigned refs;       /* endpoints and network sets that name it */
	unsigned local_refs; /* of this node */
	bool exists, builtin, holds_sets, told;
	char name[];
};

struct policy {
	struct hmap_node node;
	struct index_selector isel; /* in local */
	struct list dirty;
	const char *kind; /* static */
	char *ns, *name;
	char *sort_key; /* "name/ns/kind" */
	char *tier;
	double order; /* infinite when it has none */
	struct selector *sel;
	char *sel_text; /* as it was put together */
	struct rules rules;
	unsigned n_matches; /* local endpoints */
	bool ingress, egress;
	enum calc_policy_class class;
	bool forward;    /* a normal one with applyOnForward */
	bool staged;     /* stands in lists, is not enforced: never active */
	bool everywhere; /* AssumeNeededOnEveryNode: active without a match, too */
	bool exists, holds_sets, told;
};

struct tier {
	struct hmap_node node;
	double order; /* infinite when it has none */
	bool default_pass;
	char name[];
};

/* An endpoint of this node. */
struct local {
	struct index_item item;
	struct endpoint *ep;
	struct list dirty;
	char *interface, *container;
	struct mac_addr mac;
	struct policy **matched; /* in no order */
	size_t n_matched;
	bool told;
};

struct endpoint {
	struct hmap_node node;
	struct set_source_item src;
	struct local *local;     /* NULL: of another node */
	uint64_t revision;       /* of what is in force */
	uint64_t lane_revision;  /* != 0: in force is what the plugin said, until the datastore says
	                            at least this */
	uint64_t store_revision; /* last seen from the datastore; 0: not there */
	bool host;               /* a HostEndpoint; ns is "" */
	const char *name;        /* behind ns, in the same memory */
	char ns[];
};

/* An endpoint that was told and is gone, until its removal is told. */
struct gone {
	struct hmap_node node;
	bool host;
	const char *name;
	char ns[];
};

/* An endpoint that the plugin took away before the datastore forgot it. */
struct tombstone {
	struct hmap_node node;
	uint64_t revision; /* up to this, the datastore is not believed */
	bool in_store;
	const char *name;
	char ns[];
};

struct netset {
	struct hmap_node node;
	struct set_source_item src;
	model_kind kind;
	const char *name;
	char ns[];
};

struct pool {
	struct hmap_node node;
	struct ip_prefix cidr;
	bool masquerade;
	char name[];
};

/* A CIDR of which something was told, or is to be told. */
struct pool_cidr {
	struct hmap_node node;
	struct list dirty;
	struct ip_prefix cidr;
	bool told, told_masquerade;
};

struct calc {
	char *node;
	const struct calc_output_ops *ops;
	void *arg;
	struct sets sets;
	struct index local;
	struct hmap endpoints, netsets, profiles, policies, tiers, pools, pool_cidrs, gone,
	        tombstones;
	struct list dirty_policies, dirty_profiles, dirty_locals, dirty_pools;
	size_t n_locals, n_hosts; /* of this node: workload endpoints, host endpoints */
	uint64_t max_revision;    /* seen from the datastore */
	bool in_sync, in_sync_told;
};

static inline void calc_touch(struct list *dirty_list, struct list *node)
{
	if (list_empty(node))
		list_push_back(dirty_list, node);
}

/* Of a policy that is told, when it is not staged. */
static inline bool calc_policy_active(const struct policy *p)
{
	return p->exists && !p->staged && (p->n_matches > 0 || p->everywhere);
}

/* policy.c: policies and tiers */
int calc_policy_update(struct calc *c, const struct resource *r, struct err *err);
void calc_policy_remove(struct calc *c, model_kind kind, const char *ns, const char *name);
void calc_policy_forget(struct calc *c,
                        struct policy *p); /* of one that neither exists nor is told */
void calc_policies_done(struct calc *c);
int calc_tier_update(struct calc *c, const struct resource *r, struct err *err);
void calc_tier_remove(struct calc *c, const char *name);
struct tier *calc_tier_find(const struct calc *c, const char *name);
/* The local index's callback. */
void calc_policy_on_match(void *arg, struct index_selector *s, struct index_item *item, bool was,
                          bool is);

/* profile.c */
void calc_profile_builtin(struct calc *c);
int calc_profile_update(struct calc *c, const struct resource *r, struct err *err);
void calc_profile_remove(struct calc *c, const char *name);
struct profile *calc_profile_ref(struct calc *c, const char *name);
void calc_profile_unref(struct calc *c, struct profile *p);
void calc_profile_local(struct calc *c, struct profile *p, int delta);
void calc_profile_forget(struct calc *c, struct profile *p); /* frees it if nobody needs it */
void calc_profiles_done(struct calc *c);

/* endpoint.c */
int calc_endpoint_update(struct calc *c, const struct resource *r, struct err *err);
void calc_endpoint_remove(struct calc *c, const char *ns, const char *name);
int calc_host_endpoint_update(struct calc *c, const struct resource *r, struct err *err);
void calc_host_endpoint_remove(struct calc *c, const char *name);
void calc_endpoint_in_sync(struct calc *c);
void calc_endpoints_done(struct calc *c);

/* source.c: network sets and pools */
int calc_netset_update(struct calc *c, const struct resource *r, struct err *err);
void calc_netset_remove(struct calc *c, model_kind kind, const char *ns, const char *name);
int calc_pool_update(struct calc *c, const struct resource *r, struct err *err);
void calc_pool_remove(struct calc *c, const char *name);
void calc_pools_tell(struct calc *c);
void calc_sources_done(struct calc *c);
