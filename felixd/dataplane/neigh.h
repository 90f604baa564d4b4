/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neigh: permanent neighbour entries for pods, so that the host never has to ask for a pod's MAC
 * address. IPv4 only, as upstream has it. The kernel forgets an interface's entries when it goes
 * down: they are sent again when it is back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "felixd/dataplane/link.h"

struct err;
struct neighs;

struct neighs *neighs_new(struct nl_conn *conn, const struct links *links); /* both borrowed */
void neighs_free(struct neighs *t);

void neigh_want(struct neighs *t, const struct ip_addr *addr, const char *interface,
                const struct mac_addr *mac);
void neigh_unwant(struct neighs *t, const struct ip_addr *addr, const char *interface);

void neighs_link_changed(struct neighs *t, const struct link_change *c);
int neighs_doubt(struct neighs *t, struct err *err); /* reads all back */

/* Sends what is missing on interfaces that are up, and takes back what is unwanted. 0, or the first
 * failure (tried again with the next call). */
int neighs_apply(struct neighs *t, struct err *err);
bool neigh_in_kernel(const struct neighs *t, const struct ip_addr *addr, const char *interface);
uint64_t neighs_requests(const struct neighs *t);
