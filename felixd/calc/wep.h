/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wep: v3 endpoints and network sets, read into what calc works with.
 */
#pragma once

#include "common/model/resource.h"
#include "felixd/calc/index.h"
#include "felixd/calc/sets.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_policy.pb-c.h"

struct err;

/* Labels, each key once; keys and values are borrowed from the message and the arguments. */
struct label_list {
	struct index_kv *v;
	size_t n;
	bool unsorted; /* v is not in the order of its keys */
};
void label_list_done(struct label_list *l);
/* A later value of the same key replaces an earlier one. */
void label_list_add(struct label_list *l, const char *key, const char *value);

struct wep {
	const char *node; /* borrowed from the message, as everything else that is const */
	const char *interface;
	const char *container;
	struct mac_addr mac;
	struct label_list labels;
	const char **profiles; /* without duplicates */
	size_t n_profiles;
	struct contribution contribution;
};

/* local: an endpoint of this node has to name an interface. -EINVAL with a sentence; *ret is then
 * empty. */
int wep_read(const struct resource *r, const char *this_node, struct wep *ret, struct err *err);
/* The same of a HostEndpoint; interface is a name, "*", or "" when its addresses say which. */
int hep_read(const struct resource *r, const char *this_node, struct wep *ret, struct err *err);
void wep_done(struct wep *w);

/* ns NULL: a GlobalNetworkSet. Nets that make no sense are left out. */
void netset_read(const char *ns, const V3__ObjectMeta *meta, const V3__NetworkSetSpec *spec,
                 struct label_list *ret_labels, struct contribution *ret);
