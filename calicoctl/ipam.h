/* SPDX-License-Identifier: BSD-2-Clause */
/* ipam: what the ipam commands share. */
#pragma once

#include <stdio.h>

#include "calicoctl/db.h"
#include "common/net/addr.h"

struct err;

/* All objects of a kind; the caller's. */
int ipam_list(struct db *db, model_kind kind, struct store_result **ret, struct err *err);

/* The configuration, or, with revision 0, what holds when there is none. The caller's. */
int ipam_config(struct db *db, struct resource **ret, struct err *err);

/* How long a released address is not given out again. */
int ipam_cooldown(struct db *db, uint32_t *ret_sec, struct err *err);

/* The block that an address is in; *ret, the caller's, is NULL when there is none. */
int ipam_block_of(struct db *db, const struct ip_addr *addr, struct resource **ret,
                  struct err *err);

/* An argument such as --ip. Says what is wrong with it. */
int ipam_address(const char *text, struct ip_addr *ret);

/* `ipam show`, appended to out; `ipam check`, written to a file as it goes. */
int ipam_usage(struct db *db, bool with_blocks, struct buf *out, struct err *err);
int ipam_check(struct db *db, bool all, bool problems, const char *report_path, FILE *to,
               struct err *err);
