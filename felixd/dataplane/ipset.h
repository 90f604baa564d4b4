/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipset: the IP sets of one family, over netlink.
 *
 * Others say which sets there are and what changes in them; ipset_apply() sends the difference.
 * Before the first write it reads back what the kernel has, so that a set that is right costs
 * nothing. A set leaves in two steps: it is unwanted at once, and destroyed by
 * ipset_destroy_unwanted(), which is called when no chain uses it any more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "felixd/calc/output.h"
#include "felixd/dataplane/backend.h"
#include "felixd/dataplane/ipset_msg.h"

struct err;
struct ipsets;

#define IPSET_MAXELEM 1048576

extern const struct setstore_ops ipset_ops; /* self: the struct ipsets */

/* Opens its connection in the calling thread's network namespace. */
int ipsets_new(int family, struct ipsets **ret, struct err *err);
void ipsets_free(struct ipsets *s); /* the kernel keeps the sets */

/* Members of the other family are ignored. All of id's members; replaces what was wanted. */
void ipset_want(struct ipsets *s, const char *id, enum ipset_type type,
                const struct calc_member *members, size_t n);
void ipset_change(struct ipsets *s, const char *id, const struct calc_member *added, size_t n_added,
                  const struct calc_member *removed, size_t n_removed);
void ipset_unwant(struct ipsets *s, const char *id);

/* Read everything back: the list now, the members bit by bit. */
void ipset_doubt(struct ipsets *s);
bool ipset_pending(const struct ipsets *s);

/*
 * Sends at most about budget members. 0: all wanted sets are as wanted. 1: more remains. Negative:
 * something was refused; the rest went through; what failed is read back and tried again by the
 * next call.
 */
int ipset_apply(struct ipsets *s, size_t budget, struct err *err);

/* Destroys a few of ours that nobody wants. true: call again. What somebody else's rule still uses
 * is tried again after the next reading back. */
bool ipset_destroy_unwanted(struct ipsets *s);

struct setstore_stats ipset_stats(const struct ipsets *s);
void ipset_each(const struct ipsets *s,
                void (*fn)(void *arg, const char *kernel_name, enum ipset_type type, size_t members,
                           size_t pending),
                void *arg);
