/* SPDX-License-Identifier: BSD-2-Clause */
/* policy: what `policy explain` and `policy effective` share: the resources, the two ends of a
 * packet, and what becomes of it. */
#pragma once

#include "calicoctl/calicoctl.h"
#include "common/json/json.h"
#include "common/policy/walk.h"

struct err;
struct db;

/* Every resource that decides about packets. */
struct policy_scene {
	struct policy_world *w;
	struct store_result **lists; /* which the world borrows from */
	size_t n_lists;
};

/* Objects that make no sense are said on standard error, and count as absent. */
int policy_scene_load(struct db *db, struct policy_scene *ret, struct err *err);
void policy_scene_done(struct policy_scene *s);

/* DefaultEndpointToHostAction of FelixConfiguration, of the node before that of all: "Drop". */
const char *policy_scene_to_host_action(const struct policy_scene *s, const char *node);

/* Is it to (ingress) or from a failsafe port of the node? By FelixConfiguration, of the node before
 * that of all, or by Felix's defaults. */
bool policy_scene_is_failsafe(const struct policy_scene *s, const char *node,
                              enum policy_direction d, const struct policy_packet *p);

/* Where a packet comes from or goes to. */
struct policy_end {
	const char *text;                 /* as it was given */
	const struct policy_party *party; /* NULL: nothing that policies select */
	const char *node;                 /* whose it is; NULL: nobody's that is known */
	bool is_host;                     /* the node itself */
	struct ip_addr v4, v6;            /* unset: it has none */
};

/* POD, NAMESPACE/POD, an address, a node, a host endpoint. flag: "--from", for messages. */
int policy_end_find(const struct policy_scene *s, const char *flag, const char *text,
                    const char *ns, struct policy_end *ret, struct err *err);
/* Only an endpoint. */
int policy_party_find(const struct policy_scene *s, const char *text, const char *ns,
                      const struct policy_party **ret, struct err *err);
/* "pod default/a on node1", "host endpoint x on node1". */
void policy_party_text(const struct policy_party *p, struct buf *out);

struct policy_journey {
	struct policy_end from, to;
	struct policy_packet packet;
	struct policy_walk walks[2]; /* of the source, of the destination */
	size_t n_walks;
	bool allowed;
};

/* The packet's protocol, ports and ICMP fields are set; its addresses are chosen here. */
int policy_journey(const struct policy_scene *s, struct policy_journey *j, struct err *err);
void policy_journey_done(struct policy_journey *j);

/* What this node's felixd has counted; all NULL where there is none. */
struct policy_counters {
	struct json *list;
	char *node;
};

void policy_journey_text(const struct policy_journey *j, const struct policy_counters *counters,
                         struct buf *out);
void policy_journey_json(const struct policy_journey *j, const struct policy_counters *counters,
                         struct buf *out);
