/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iptables_encode: a rule as the kernel's ip_tables takes it (struct ipt_entry), and what of an
 * entry we read back.
 *
 * Pure but for set names: the kernel knows sets by index, so the caller looks them up.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "felixd/dataplane/chain.h"

struct err;
struct ipt_entry;

/* *ret_index of the set called name. -ENOENT: there is none. */
typedef int set_index_fn(void *arg, const char *name, uint16_t *ret_index, struct err *err);

/* Appends one entry to out (which must be empty: entries are aligned). r must have been hashed; its
 * hash becomes the first comment. */
int iptables_encode(const struct rule *r, set_index_fn *set_index, void *arg, struct buf *out,
                    struct err *err);

/* The hash in the first comment of an entry of size bytes; "" when it has none. The entry may come
 * from anybody. */
void iptables_entry_id(const struct ipt_entry *e, size_t size, char out[RULE_ID_MAX]);
