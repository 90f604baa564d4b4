/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint: an endpoint as the dataplane keeps it: a copy of calc's, and how far it has come on its
 * way into the kernel. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/hmap.h"
#include "felixd/calc/output.h"

enum endpoint_stage {
	STAGE_SHADOWED, /* another endpoint has the interface */
	STAGE_CHAINS,   /* its chains are not yet committed */
	STAGE_HOST,     /* interface, sysctls, neighbours, routes are not all there */
	STAGE_DONE,
};

struct endpoint {
	struct hmap_node by_id, by_interface;
	char *ns, *name;
	char interface[IFNAMSIZ];
	uint64_t revision;
	enum endpoint_stage stage;
	int configured;          /* index of the interface whose sysctls are set; 0: none */
	bool wished;             /* routes and neighbours are asked for */
	bool told;               /* since the last update */
	bool said_up;            /* to dataplane_on_state()'s */
	struct calc_endpoint *e; /* the copy */
};

/* Deep. One piece of memory but for its own allocations: free with endpoint_copy_free(). */
struct calc_endpoint *endpoint_copy(const struct calc_endpoint *e);
/* The same interface, addresses and MAC? */
bool endpoint_same_place(const struct calc_endpoint *a, const struct calc_endpoint *b);
void endpoint_copy_free(struct calc_endpoint *e);
struct calc_host_endpoint *host_copy(const struct calc_host_endpoint *e);
void host_copy_free(struct calc_host_endpoint *e);
