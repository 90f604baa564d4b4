/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: asks the kernel itself whether it can do something, in a network namespace of its own that
 * is gone afterwards: nothing of this machine's network is touched. (A module that is needed for
 * the answer is loaded, as a node would have it.)
 */
#pragma once

#include <stdbool.h>

/* iptables' table "filter", of IPv4 or (six) IPv6. */
bool probe_table(const char *table, bool six);

/* An IP set's type: "hash:net". */
bool probe_set(const char *type);

/* A kind of interface: "veth". */
bool probe_link(const char *kind);

/* Connections over netlink. */
bool probe_conntrack(void);
