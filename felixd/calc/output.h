/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output: what calc/ tells dataplane/: the contract between the half that thinks and the half that
 * acts.
 *
 * Everything is family-neutral: a set, a rule or an endpoint may hold both families; the dataplane
 * renders each for its own. All pointers are borrowed for the call. The order within one flush is
 * part of the contract, so that a packet never passes because something was not there yet: sets
 * before the policies that use them, policies and profiles before the endpoints that use them;
 * removals in the reverse order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"

enum calc_action {
	CALC_ALLOW,
	CALC_DENY,
	CALC_PASS,
	CALC_LOG
};

struct calc_port_range {
	uint16_t min, max; /* host order, inclusive */
};

/* One side of a rule. Everything that is given must hold (lists of nets, ports and port sets: any
 * of them). */
struct calc_side {
	const struct ip_prefix *nets, *not_nets;
	size_t n_nets, n_not_nets;
	/* Numeric ports or named-port sets: one of either is enough. Named-port sets hold (address,
	 * protocol, port). */
	const struct calc_port_range *ports, *not_ports;
	size_t n_ports, n_not_ports;
	const char *const *port_sets, *const *not_port_sets;
	size_t n_port_sets, n_not_port_sets;
	/* Sets of addresses, by ID: all must hold, none of the negated may. */
	const char *const *sets, *const *not_sets;
	size_t n_sets, n_not_sets;
};

struct calc_rule {
	enum calc_action action;
	uint8_t ip_version;                              /* 4, 6, or 0: both */
	int16_t protocol, not_protocol;                  /* -1: none */
	bool protocol_by_number, not_protocol_by_number; /* the policy says 6, not TCP: rules are
	                                                    written, and hashed, as it does */
	int16_t icmp_type, icmp_code;                    /* -1: none; of the family's ICMP */
	int16_t not_icmp_type, not_icmp_code;
	struct calc_side src, dst;
};

/* Identifies a policy: chains are named after it. */
struct calc_policy_id {
	const char *kind; /* "NetworkPolicy", "GlobalNetworkPolicy", and the same with "Staged" */
	const char *ns;   /* "" when global */
	const char *name;
	/*
	 * The policy's selector, as upstream's rules carry it. Consecutive policies of a tier with
	 * the same one form a group, with a chain of its own. NULL: not known, never grouped. Only
	 * looked at in a calc_tier.
	 */
	const char *selector;
	/* Not enforced: it stands in the lists, and in the groups' names, and has no rules and no
	 * chain; policy_update never tells of it. */
	bool staged;
};

/* Where a policy is asked. */
enum calc_policy_class {
	CALC_POLICY_NORMAL,    /* after connection tracking; with applyOnForward, also what is
	                          forwarded */
	CALC_POLICY_UNTRACKED, /* before it: doNotTrack */
	CALC_POLICY_PRE_DNAT   /* after it, before the destination is rewritten */
};

struct calc_policy {
	struct calc_policy_id id;
	enum calc_policy_class class;
	const char *tier;
	const struct calc_rule *ingress, *egress;
	size_t n_ingress, n_egress;
};

struct calc_profile {
	const char *name;
	const struct calc_rule *ingress,
	        *egress; /* a profile that does not exist comes as one deny rule each way */
	size_t n_ingress, n_egress;
};

/* A tier as one endpoint sees it: its policies in order. A direction without policies is skipped by
 * the dataplane. */
struct calc_tier {
	const char *name;
	bool default_pass; /* else: what no policy of the tier decided is dropped */
	const struct calc_policy_id *ingress, *egress;
	size_t n_ingress, n_egress;
};

struct calc_endpoint {
	const char *ns, *name; /* of the WorkloadEndpoint */
	uint64_t revision;     /* of the datastore, or of the plugin's message; goes back with the
	                          verdict */
	const char *interface; /* the host's end, "cali..." */
	struct mac_addr mac;   /* the pod's; all zero: unknown */
	const struct ip_prefix *addrs; /* /32 and /128 */
	size_t n_addrs;
	const struct calc_tier *tiers;
	size_t n_tiers;
	const char *const *profiles;
	size_t n_profiles;
};

/* Tiers in order; a tier without a policy of the class does not appear. */
struct calc_tiers {
	const struct calc_tier *v;
	size_t n;
};

/* The host itself, behind one interface or all of them. */
struct calc_host_endpoint {
	const char *name;
	uint64_t revision;
	const char *interface;         /* "*": all; "": those that have one of addrs */
	const struct ip_prefix *addrs; /* expectedIPs, /32 and /128 */
	size_t n_addrs;
	/* untracked and pre_dnat never deny at a tier's end; pre_dnat has ingress alone. A policy
	 * with applyOnForward is in forward and in normal. */
	struct calc_tiers untracked, pre_dnat, forward, normal;
	const char *const *profiles;
	size_t n_profiles;
};

enum calc_set_type {
	CALC_SET_NET,
	CALC_SET_IP_PORT
};

struct calc_member {
	struct ip_prefix net; /* never /0: that comes as two /1 */
	uint8_t protocol;     /* of CALC_SET_IP_PORT: 6, 17, 132 */
	uint16_t port;
};

struct calc_pool {
	struct ip_prefix cidr;
	bool masquerade; /* natOutgoing */
};

struct calc_output_ops {
	void (*set_new)(void *arg, const char *id, enum calc_set_type type,
	                const struct calc_member *members, size_t n);
	void (*set_delta)(void *arg, const char *id, const struct calc_member *added,
	                  size_t n_added, const struct calc_member *removed, size_t n_removed);
	void (*policy_update)(void *arg, const struct calc_policy *p);
	void (*profile_update)(void *arg, const struct calc_profile *p);
	void (*endpoint_update)(void *arg, const struct calc_endpoint *e);
	void (*endpoint_remove)(void *arg, const char *ns, const char *name);
	void (*host_endpoint_update)(void *arg, const struct calc_host_endpoint *e);
	void (*host_endpoint_remove)(void *arg, const char *name);
	void (*profile_remove)(void *arg, const char *name);
	void (*policy_remove)(void *arg, const struct calc_policy_id *id);
	void (*set_remove)(void *arg, const char *id);
	void (*pool_update)(void *arg, const struct calc_pool *p);
	void (*pool_remove)(void *arg, const struct ip_prefix *cidr);
	/* Once, after the first flush that followed the datastore's in-sync: what was not named
	 * does not exist. */
	void (*in_sync)(void *arg);
};
