/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dataplane: makes this node's kernel match what calc/ says.
 *
 * It takes calc's output as wishes (dataplane_ops, with the dataplane as arg), holds desired and
 * actual state per manager (IP sets, chains, routes, neighbours, sysctls), and sends the difference
 * when asked to. Nothing is flushed at start: it reads what is there, and removes what is ours and
 * unwanted only after in_sync.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "felixd/calc/output.h"

struct err;
struct dataplane;

/* Felix parameters that the dataplane needs, with upstream's names and defaults; main.c fills it
 * from FELIX_... and options. */
struct dataplane_config {
	const char *interface_prefix;        /* InterfacePrefix: "cali" */
	const char *endpoint_to_host_action; /* DefaultEndpointToHostAction: Drop, Return, Accept
	                                        (upper case: as upstream) */
	const char *chain_insert_mode;       /* ChainInsertMode: insert, append */
	const char *filter_allow_action;     /* IptablesFilterAllowAction: ACCEPT, RETURN */
	const char *mangle_allow_action;
	const char *log_prefix;        /* LogPrefix: "calico-packet" */
	const char *deny_action;       /* IptablesFilterDenyAction: DROP, REJECT */
	uint32_t mark_mask;            /* IptablesMarkMask: 0xffff0000 */
	uint8_t device_route_protocol; /* DeviceRouteProtocol: 3 */
	bool nat_outgoing_random_fully;
	unsigned refresh_iptables_ms, refresh_ipsets_ms, refresh_routes_ms; /* 0: never */
	bool ipv6; /* Ipv6Support; not wired up yet: false */
};

/* The endpoint is in the kernel (code 0), or the kernel refused (negative errno and a sentence; it
 * is tried again). */
typedef void dataplane_endpoint_fn(void *arg, const char *ns, const char *name, uint64_t revision,
                                   int code, const char *text);

/* Opens netlink and reads the kernel's state. fn is called, from the loop, whenever an endpoint's
 * state in the kernel is settled after an update or a removal. */
int dataplane_new(uv_loop_t *loop, const struct dataplane_config *config, dataplane_endpoint_fn *fn,
                  void *arg, struct dataplane **ret, struct err *err);
void dataplane_free(struct dataplane *dp); /* kernel state stays */

extern const struct calc_output_ops dataplane_ops; /* arg: the struct dataplane */

/*
 * Applies what is pending, once per loop turn. 0: the kernel is in step. > 0: things remain (an
 * interface that is not there yet, a budget used up): the dataplane schedules itself. Negative: the
 * kernel refused something; *err says what; it is tried again with back-off.
 */
int dataplane_apply(struct dataplane *dp, struct err *err);

/*
 * Has the kernel all that can be in it (an endpoint whose interface is not there does not count)?
 * Changes with dataplane_apply(), which the dataplane also calls by itself. *ret_why: what the
 * kernel refused last, or NULL; good until the next apply.
 */
bool dataplane_in_step(const struct dataplane *dp, const char **ret_why);

struct dataplane_stats {
	uint64_t iptables_writes, iptables_rules, ipset_requests, route_requests, repairs, failures;
	size_t chains, rules, sets, routes, endpoints_up;
};
struct dataplane_stats dataplane_stats(const struct dataplane *dp);
void dataplane_dump(const struct dataplane *dp,
                    void (*fn)(void *arg, const char *section, const char *json), void *arg);
