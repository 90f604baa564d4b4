/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntrack: forgetting the connections of addresses that have left.
 *
 * An address that is given to another pod must not inherit the old one's established connections:
 * they would pass its policy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/net/addr.h"

struct err;
struct nl_conn;

/* conn: of NETLINK_NETFILTER. Deletes every connection with one of the addresses (of one family) as
 * its original or its reply source. Returns how many, or a negative errno. */
int conntrack_flush(struct nl_conn *conn, const struct ip_addr *addrs, size_t n, struct err *err);

/* Tells both addresses of every connection of the family; some of them several times. */
int conntrack_each_addr(struct nl_conn *conn, int family,
                        void (*fn)(void *arg, const struct ip_addr *addr), void *arg,
                        struct err *err);

/* What of a connection's message matters here; pure. */
struct conntrack_entry {
	struct ip_addr orig_src, reply_src;
	struct cursor orig, id,
	        zone; /* attributes' contents, for deleting; id and zone may be empty */
};
int conntrack_parse(int family, struct cursor payload, struct conntrack_entry *ret); /* -EINVAL */

/* The number of connections, out of the kernel's statistics; pure. -EINVAL */
int conntrack_parse_count(struct cursor payload, uint32_t *ret);

/* Is one reading of all cheaper than looking for n addresses each way? Pure. */
bool conntrack_read_all(uint32_t count, size_t n);
