/* SPDX-License-Identifier: BSD-2-Clause */
/* iptables_sync: one table read, compared, and committed if it differs. Behind iptables.h: nobody
 * else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/hmap.h"
#include "felixd/dataplane/wanted.h"

struct err;

struct iptables_sync_result {
	size_t changes; /* rules and chains added, replaced, deleted */
	size_t failed_chains;
};

/* set_fd: a raw IPv4 socket. -EAGAIN: the table changed while we worked. */
int iptables_sync(int family, const char *table, struct hmap *chains, struct hmap *hooks,
                  bool append_hooks, int set_fd, struct iptables_sync_result *res, struct err *err);
