/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * detect: which of a host's addresses is the node's, by upstream's methods. Pure.
 *
 *     first-found                   the first global unicast address, leaving out interfaces that
 * are nobody's uplink interface=REGEX[,REGEX...]    of an interface whose name matches any
 *     skip-interface=REGEX[,...]    first-found, leaving these out too
 *     cidr=CIDR[,CIDR...]           the first inside any
 *     can-reach=ADDRESS             the one that the kernel would send from to there
 *
 * Interfaces are looked at from the highest index down, as upstream does; whether they are up does
 * not matter.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/net/addr.h"

struct err;

struct host_addr {
	char ifname[IFNAMSIZ];
	int ifindex;
	struct ip_prefix prefix; /* with host bits */
};

struct detect;

/* text NULL or "": first-found. -EINVAL with a sentence. */
int detect_new(const char *text, struct detect **ret, struct err *err);
void detect_free(struct detect *d); /* NULL is fine */

/* can-reach: where to; NULL for other methods. */
const struct ip_addr *detect_target(const struct detect *d);

/*
 * The address to use, out of n (in any order). source: for can-reach, the address that the kernel
 * would send from. keep: an address that is used in preference if it fits too, so that a new
 * interface moves nobody; family 0: none. False: there is none.
 */
bool detect_run(const struct detect *d, int family, const struct host_addr *addrs, size_t n,
                const struct ip_addr *source, const struct ip_addr *keep, struct ip_prefix *ret);

/* Not unspecified, loopback, link-local, multicast or broadcast. Private ranges are. */
bool addr_is_global_unicast(const struct ip_addr *a);
