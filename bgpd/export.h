/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export: what peers are told.
 *
 * Peers for which the same UPDATE is right — same policy, same kind, same next hop, same width of
 * AS numbers — form a group. A group remembers what its members were told (Adj-RIB-Out), once for
 * all of them. Changes of a turn are collected per prefix, packed by equal attributes, encoded
 * once, and the bytes go to every member. A route is not told to the peer that it came from: its
 * message leaves that member out.
 *
 * A member whose send queue is full is told nothing for a while; it collects the prefixes that it
 * missed and gets their then current state when it has room: memory is bounded by the table, and
 * nobody else waits.
 */
#pragma once

#include "bgpd/peer.h"

struct export_group;

/* The peer is established: it is told everything, then End-of-RIB. */
void export_join(struct peer *p);
void export_leave(struct peer *p);
/* Its ROUTE-REFRESH. */
void export_again(struct peer *p, enum bgp_family f);
/* The best path of e changed. */
void export_changed(struct bgpd *b, const struct rib_entry *e);
/* Sends what has changed. */
void export_flush(struct bgpd *b);
/* The configuration changed: peers find their groups anew, every route is judged again. Before the
 * old configuration is freed. */
void export_regroup(struct bgpd *b);
/* The peer's queue has room. */
void export_resume(struct peer *p);
/* How many prefixes the peer was told. Costs a walk through its group. */
uint32_t export_told(const struct peer *p);
unsigned export_groups(const struct bgpd *b);
