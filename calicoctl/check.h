/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: whether IPAM's blocks and handles agree with who uses addresses.
 *
 * Fed with what the datastore holds, a kind at a time, in the order below: each call appends what
 * upstream's `ipam check` says about it. What was given must outlive the check. Without Kubernetes
 * nobody can say which services there are: an address that was given out for one counts as used.
 *
 * Pure.
 */
#pragma once

#include "calicoctl/report.h"
#include "common/base/buf.h"
#include "common/store/store.h"

struct check;

/* all: each address is told as it is looked at; problems: those with something wrong. */
struct check *check_new(bool all, bool problems);
void check_free(struct check *c); /* NULL is fine */

/* What has cooled down is free, though the block does not say so before it is written again. */
void check_blocks(struct check *c, struct store_result *blocks, uint32_t cooldown_sec,
                  uint64_t now_unix_sec, struct buf *out);
int check_pools(struct check *c, const struct store_result *pools, struct buf *out,
                struct err *err);
int check_nodes(struct check *c, const struct store_result *nodes, struct buf *out,
                struct err *err);
void check_services(struct check *c, struct buf *out);
int check_endpoints(struct check *c, const struct store_result *weps, struct buf *out,
                    struct err *err);
void check_handles(struct check *c, const struct store_result *handles, struct buf *out);

/* The verdict. Returns how many problems there are; *ret gets addresses and leaked handles, and is
 * the caller's. */
size_t check_finish(struct check *c, struct report *ret, struct buf *out);
