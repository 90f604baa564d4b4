/* SPDX-License-Identifier: BSD-2-Clause */
/* iptables_sync: one table read, compared, and committed if it differs. Behind iptables.h: nobody
 * else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/hmap.h"
#include "felixd/dataplane/chain.h"

struct err;

#define KERNEL_CHAIN_MAX 32 /* the library copies this much */

struct wanted_chain {
	struct hmap_node node;
	char name[KERNEL_CHAIN_MAX];
	struct chain *chain; /* NULL: only referred to; it stands empty, and lets pass what nobody
	                        else allows */
	unsigned refs;       /* from hooks and live chains */
	bool failed;         /* could not be encoded; why says it */
	char why[128];
};

struct wanted_hook {
	struct hmap_node node;
	char kernel_chain[KERNEL_CHAIN_MAX];
	struct chain *inserts, *appends; /* may be NULL */
};

struct iptables_sync_result {
	size_t changes; /* rules and chains added, replaced, deleted */
	size_t failed_chains;
};

/* set_fd: a raw IPv4 socket. -EAGAIN: the table changed while we worked. */
int iptables_sync(int family, const char *table, struct hmap *chains, struct hmap *hooks,
                  bool append_hooks, int set_fd, struct iptables_sync_result *res, struct err *err);
