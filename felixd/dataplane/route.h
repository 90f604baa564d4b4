/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route: the host's routes to its own pods: <address>/32 dev cali... scope link, in the main table.
 *
 * Wishes come with the interface's name; the route is made when the interface is there and up.
 * Whatever else leads to a pod's interface and is not ours is removed after a grace time: whoever
 * made it (the CNI plugin) may have been ahead of us. Two endpoints with one address: the newer
 * interface has it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "felixd/dataplane/link.h"

struct err;
struct routes;

struct route_config {
	int family;
	uint8_t protocol;
	uint32_t priority;           /* 1024 */
	const char *const *prefixes; /* of workload interfaces, "cali+"; borrowed */
	size_t n_prefixes;
};

/* gone is told of each address that lost its route, or lost it to another interface, before
 * anything new is sent: connections of the old owner must end. */
typedef void route_gone_fn(void *arg, const struct ip_addr *addr);

struct routes *routes_new(const struct route_config *config, struct nl_conn *conn,
                          const struct links *links); /* borrowed */
void routes_free(struct routes *t);

void route_want(struct routes *t, const struct ip_prefix *dst, const char *interface);
void route_unwant(struct routes *t, const struct ip_prefix *dst, const char *interface);

int routes_read(struct routes *t, bool everything,
                struct err *err); /* everything: other protocols' as well */
void routes_event(struct routes *t, const struct nlmsghdr *h);
void routes_link_changed(struct routes *t, const struct link_change *c);

bool routes_dirty(const struct routes *t);
/* First what is unwanted, then, in a call of its own, what is missing. The first failure, or 0. */
int routes_remove(struct routes *t, route_gone_fn *gone, void *arg, struct err *err);
int routes_add(struct routes *t, struct err *err);
/* Routes of others on pods' interfaces whose grace time is over. Returns the milliseconds until the
 * next one's is (-1: there is none). */
int64_t routes_sweep(struct routes *t, route_gone_fn *gone, void *arg, struct err *err);

bool route_in_kernel(const struct routes *t, const struct ip_prefix *dst, const char *interface);
/* Is the route there already, though nobody has wanted it yet: made by an earlier run? */
bool route_is_left_over(const struct routes *t, const struct ip_prefix *dst, const char *interface);
bool route_has_other_owner(const struct routes *t, const struct ip_prefix *dst,
                           const char *interface);

struct route_stats {
	uint64_t requests, repairs, failures;
	size_t routes;
};
struct route_stats route_stats(const struct routes *t);
