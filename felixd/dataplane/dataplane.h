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
struct summary;

/* A port that host endpoints leave open, whatever policy says. */
struct felix_port {
	uint8_t protocol; /* 6, 17, 132 */
	uint16_t port;
	struct ip_prefix net; /* the far side; family 0: any */
};
struct felix_ports {
	struct felix_port *v;
	size_t n;
};

/* Felix parameters that the dataplane needs, with upstream's names and defaults: a part of struct
 * felix_config. */
struct dataplane_config {
	const char *interface_prefix;        /* InterfacePrefix: "cali" */
	const char *endpoint_to_host_action; /* DefaultEndpointToHostAction: Drop, Return, Accept
	                                        (upper case: as upstream) */
	const char *chain_insert_mode;       /* ChainInsertMode: insert, append */
	const char *filter_allow_action;     /* IptablesFilterAllowAction: ACCEPT, RETURN */
	const char *mangle_allow_action;
	const char *log_prefix;                       /* LogPrefix: "calico-packet" */
	const char *deny_action;                      /* IptablesFilterDenyAction: DROP, REJECT */
	struct felix_ports failsafe_in, failsafe_out; /* Failsafe{In,Out}boundHostPorts */
	uint32_t mark_mask;                           /* IptablesMarkMask: 0xffff0000 */
	int device_route_protocol;                    /* DeviceRouteProtocol: 3; 0 to 255 */
	bool nat_outgoing_random_fully;
	unsigned refresh_iptables_ms, refresh_ipsets_ms, refresh_routes_ms; /* 0: never */
	unsigned post_check_ms; /* IptablesPostWriteCheckIntervalSecs; 0: 5 s */
	unsigned lock_probe_ms; /* IptablesLockProbeIntervalMillis; 0: 50 ms */
	bool allow_invalid;     /* DisableConntrackInvalidCheck */
	bool allow_workload_vxlan, allow_workload_ipip; /* Allow...PacketsFromWorkloads */
	struct calc_port_range nat_ports;               /* NATPortRange; max 0: any */
	const char *nat_interface; /* IptablesNATOutgoingInterfaceFilter; NULL, "": any */
	const char *nftables_mode; /* NFTablesMode: Enabled, Disabled, Auto; NULL: Auto */
	/* What nftables have instead of the above: Nftables...; NULL, 0: the same. */
	const char *nft_filter_allow_action, *nft_mangle_allow_action, *nft_deny_action;
	uint32_t nft_mark_mask;
	unsigned refresh_nftables_ms;
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

/*
 * Another configuration from now on; what its texts point to must outlive it, as before. Hooks and
 * static chains are rendered with the next apply; policies and endpoints when calc tells of them
 * again (calc_retell()). InterfacePrefix, IptablesMarkMask, DeviceRouteProtocol and Ipv6Support
 * cannot change. An error leaves everything as it was.
 */
int dataplane_configure(struct dataplane *dp, const struct dataplane_config *config,
                        struct err *err);

/* Tells whenever a workload's endpoint has begun to be up (all of it in the kernel, its interface
 * up), or is not any more, or has changed while up. */
typedef void dataplane_state_fn(void *arg, const struct calc_endpoint *e, bool up);
void dataplane_on_state(struct dataplane *dp, dataplane_state_fn *fn, void *arg);

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

#define DATAPLANE_TABLES 4

struct dataplane_stats {
	uint64_t iptables_writes, iptables_rules, ipset_requests, route_requests, repairs, failures;
	size_t chains, rules, sets, routes, endpoints_up;
	bool nftables; /* else iptables */
	struct {
		const char *name;
		size_t chains, rules; /* wanted in the kernel */
	} table[DATAPLANE_TABLES];
};
struct dataplane_stats dataplane_stats(const struct dataplane *dp);
/* How long each apply took, in seconds. Lives as long as dp. */
const struct summary *dataplane_apply_sec(const struct dataplane *dp);
void dataplane_dump(const struct dataplane *dp,
                    void (*fn)(void *arg, const char *section, const char *json), void *arg);
