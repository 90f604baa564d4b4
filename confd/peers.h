/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers: who this node speaks BGP with: the mesh, global peers, its own peers, and those whose
 * BGPPeer selects it as the other end. Pure.
 *
 * Upstream's names and precedence: global before node-specific before what follows from the other
 * end before the mesh. bgpd knows one peer per address, so the first one to claim an address has
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "confd/model.h"

struct peer {
	char name[80];
	struct ip_addr address;
	uint16_t port; /* 0: the default */
	uint32_t remote_as;
	bool passive;
	bool calico_node;     /* a node of this cluster is there */
	bool source_none;     /* let the kernel choose the source address */
	const char *next_hop; /* "auto", "self", "keep" */
	unsigned restart_sec; /* 0: the default */
	bool rr_client;
	const char *origin; /* "mesh", or the BGPPeer's name; borrowed from the input */
};

struct peers {
	struct peer *items;
	size_t n;
};

/* What a node is to BGP; the strings are borrowed from the input. */
struct bgp_node {
	const char *name;
	struct ip_addr addr; /* family 0: none of this family */
	bool has_as;
	uint32_t as;            /* its own; unset: see has_as */
	const char *cluster_id; /* NULL: not a route reflector */
	uint16_t port;          /* where it listens */
};

/* family: AF_INET. default_as: of nodes without one of their own. */
void bgp_node_of(const struct model_input *in, const struct resource *node, int family,
                 struct bgp_node *ret);

/* All peers of the node me, sorted by name. own_as: its effective AS. */
void peers_build(const struct model_input *in, const struct bgp_node *me, int family,
                 uint32_t own_as, uint32_t default_as, bool mesh, struct peers *ret);
void peers_done(struct peers *p);
