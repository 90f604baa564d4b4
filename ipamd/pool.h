/* SPDX-License-Identifier: BSD-2-Clause */
/* pool: the IP pools of the datastore, parsed, and which of them a request may take from. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/model/selector.h"
#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"

struct err;

enum pool_use {
	POOL_WORKLOAD = 1,
	POOL_TUNNEL = 2,
	POOL_LOAD_BALANCER = 4
};

struct pool {
	char *name;
	struct ip_prefix cidr;
	uint8_t block_len;
	bool disabled; /* or being deleted */
	bool manual;
	uint8_t uses;                        /* enum pool_use, ored */
	struct selector *node_selector;      /* never NULL */
	struct selector *namespace_selector; /* NULL: any */
};

/* Sorted by name. */
struct pool_set {
	struct pool **items;
	size_t n;
};

/* NULL with *err when the pool cannot be used: wrong CIDR, block size, selector. */
struct pool *pool_new(const V3__IPPool *msg, struct err *err);
void pool_free(struct pool *p);

void pool_set_put(struct pool_set *s, struct pool *p); /* taken; replaces one of the same name */
void pool_set_remove(struct pool_set *s, const char *name);
void pool_set_done(struct pool_set *s);

/* The enabled pool that a lies in, or NULL. */
struct pool *pool_of_addr(const struct pool_set *s, const struct ip_addr *a);

struct pool_request {
	int family;
	enum pool_use use;
	char *const *wanted; /* names or CIDRs; none: all that fit */
	size_t n_wanted;
	selector_lookup_fn *node_label, *namespace_label;
	void *arg;
};

const char *pool_use_str(enum pool_use u);
int pool_use_parse(const char *s, enum pool_use *ret); /* "" and NULL: Workload */

/*
 * The pools that the request may take from, in the order to try them: *ret is an array of n
 * borrowed pointers, the caller's to free. -ENOENT with a sentence that says which pools there are
 * and why each does not fit.
 */
int pool_select(const struct pool_set *s, const struct pool_request *r, struct pool ***ret,
                size_t *ret_n, struct err *err);

/* Whether the node may have blocks of p by itself: enabled, and its selector matches. */
bool pool_selects_node(const struct pool *p, selector_lookup_fn *node_label, void *arg);
