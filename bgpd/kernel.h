/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel: makes the kernel's routes of protocol bird (12), table main, what bgpd wants them to be.
 *
 * Wishes come from the speaker with kernel_want() and kernel_unwant(); kernel_apply() sends the
 * difference in batches. What the kernel holds is read back at start and followed through its
 * notifications, so that a route that somebody deletes comes back, and one that is right is never
 * touched. Routes found at start that nobody has asked for yet stay until kernel_sweep(): that is
 * what lets a restart move no packet. Routes of other protocols are never changed; they go to the
 * fib. Stopping leaves everything in place.
 */
#pragma once

#include <uv.h>

#include "bgpd/fib.h"

struct err;
struct kernel;

struct kernel_ops {
	/* A route of somebody else's came or went. */
	void (*alien)(void *arg, const struct rt_route *rt);
	/* Something is to be done: kernel_apply() and fib_recheck() at the end of this turn,
	 * please. */
	void (*wake)(void *arg);
};

struct kernel_stats {
	uint64_t added, replaced, deleted, failed, resyncs,
	        taken; /* taken: somebody else's route stood in the way */
	uint32_t wanted, present, stale;
};

/* Opens netlink and reads everything back. fib and ops are borrowed. */
int kernel_open(uv_loop_t *loop, struct fib *fib, const struct kernel_ops *ops, void *arg,
                struct kernel **ret, struct err *err);
void kernel_close(
        struct kernel *k); /* NULL is fine; the memory goes with the last close callback */

void kernel_want(struct kernel *k,
                 const struct rt_route *rt); /* replaces the wish for the same prefix */
void kernel_unwant(struct kernel *k, const struct ip_prefix *p);
void kernel_apply(struct kernel *k);
/* What was found at start and is still not wanted goes. */
void kernel_sweep(struct kernel *k);
bool kernel_swept(const struct kernel *k);
uint32_t kernel_found(const struct kernel *k); /* how many routes of ours were there at start */
struct kernel_stats kernel_stats(const struct kernel *k);
/* Calls fn for each wish with what is there. */
void kernel_each(const struct kernel *k,
                 void (*fn)(void *arg, const struct ip_prefix *p, const struct rt_route *want,
                            const struct rt_route *have, bool stale),
                 void *arg);
