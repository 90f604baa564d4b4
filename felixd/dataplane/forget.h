/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forget: addresses that have left, until their connections are forgotten.
 *
 * An address that is given to another pod must not inherit the old one's established connections:
 * they would pass its policy. But the table of connections can only be searched by walking through
 * all of it, which takes milliseconds even when it is empty: far longer than everything else that a
 * removal costs. So nobody waits for it: addresses gather here for a moment and share one walk;
 * and whoever wants one of them again has to have it forgotten first.
 *
 * A felixd that starts cannot know who left while nobody looked. It looks once at the addresses of
 * all connections, and suspects those: if a pod comes whose address is among them, and whose route
 * is not there already, they are another's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"

struct err;
struct forget;
struct nl_conn;

/* conn: of NETLINK_NETFILTER, borrowed. */
struct forget *forget_new(struct nl_conn *conn);
void forget_free(struct forget *f); /* tries once to forget what is still there */

void forget_add(struct forget *f, const struct ip_addr *addr);

/* Is the address waiting to be forgotten? */
bool forget_holds(const struct forget *f, const struct ip_addr *addr);

/* Milliseconds until it is time to forget. -1: there is nothing. */
int64_t forget_due_ms(const struct forget *f);

/* Forgets all of them now. What could not be forgotten stays, and is due later. Returns the number
 * of connections, or a negative errno. */
int forget_now(struct forget *f, struct err *err);

/* Suspects the addresses of all connections that pass (may be NULL) lets through. */
int forget_suspect(struct forget *f, int family,
                   bool (*pass)(void *arg, const struct ip_addr *addr), void *arg, struct err *err);

/* Was it suspected? It is no more. */
bool forget_clear(struct forget *f, const struct ip_addr *addr);
