/* SPDX-License-Identifier: BSD-2-Clause */
/* record: what this node's Node resource should say, and the objects that a new cluster begins
 * with. Pure: messages and text in, messages out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/net/addr.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"

struct err;

struct record_label {
	char *key, *value;
};

/* What noded wants. A family 0 address: leave what is there. */
struct record_wish {
	struct ip_prefix addr[2]; /* IPv4, IPv6: with the network's length */
	bool clear[2];            /* remove what is there */
	bool have_as;
	uint32_t as;
	const char *k8s_node; /* NULL: leave orchRefs */
	const struct record_label *labels;
	size_t n_labels;
};

/* Changes node, and nothing in it that others write, to what is wished. True when that changed
 * something. */
bool record_apply(V3__Node *node, const struct record_wish *w);

/* The address that node has. False when it has none, or one that is none. */
bool record_addr(const V3__Node *node, int family, struct ip_prefix *ret);

/* "zone=a,rack=3" to labels. -EINVAL. */
int record_labels_parse(const char *text, struct record_label **ret, size_t *ret_n,
                        struct err *err);
void record_labels_free(struct record_label *labels, size_t n);

/* Settings of a default pool, as in the environment; NULL and "" are upstream's defaults. */
struct record_pool {
	int family;
	const char *cidr, *block_size, *ipip, *vxlan, *nat_outgoing, *node_selector,
	        *disable_bgp_export;
};

/* default-ipv4-ippool or default-ipv6-ippool. p->cidr must be given. NULL with *err. Freed with
 * msg_free(). */
V3__IPPool *record_pool_new(const struct record_pool *p, struct err *err);

/* 192.168.0.0/16, or the first of 172.16 to 172.31.0.0/16, that holds none of the host's addresses.
 */
const char *record_pool_cidr(const struct ip_prefix *host, size_t n, char out[IP_PREFIX_STR_MAX]);
