/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render: policies, profiles and endpoints into chains, in upstream's layout. Pure.
 *
 * A packet's way: a hook of the kernel's table jumps to a cali- chain of the same name; that sends
 * what comes from or goes to a pod through the dispatch chains, by interface, to the endpoint's
 * chain (cali-fw- from it, cali-tw- to it), which asks each tier's policies and then the profiles.
 * Verdicts travel as marks, so that one chain serves many endpoints:
 *
 *     accept   a policy or profile allowed it: the endpoint's chain returns, what comes after may
 * still refuse pass     this tier has nothing more to say drop     set by the rule that denies,
 * tested by the one that drops scratch0, scratch1: matches that take several rules
 *
 * What nobody allowed is dropped, also at an interface nobody knows.
 */
#pragma once

#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/dataplane.h"

struct err;

#define RENDER_PREFIXES_MAX 8

struct render_config {
	int family;
	uint32_t accept, pass, drop, scratch0, scratch1; /* mark bits */
	const char *prefixes[RENDER_PREFIXES_MAX];       /* "cali+" ... */
	size_t n_prefixes;
	enum action_kind filter_allow, mangle_allow, deny; /* ACCEPT or RETURN; DROP or REJECT */
	enum action_kind to_host;                          /* DROP, ACCEPT, RETURN */
	const char *log_prefix;
	struct felix_ports failsafe_in, failsafe_out;
	bool random_fully;
	bool allow_invalid, allow_workload_vxlan, allow_workload_ipip;
	struct calc_port_range nat_ports; /* max 0: any */
	const char *nat_interface;        /* NULL: any */
	bool vxlan;                       /* encapsulation in use, for this family */
	const char *vxlan_device;         /* NULL: this node has no tunnel address */
	uint16_t vxlan_port;
	bool vmaps;        /* dispatch by verdict maps */
	char *prefix_text; /* what prefixes point into */
};

/* Names what config says badly. What it borrows from config must outlive it. */
int render_config_init(struct render_config *r, const struct dataplane_config *config, int family,
                       struct err *err);
void render_config_done(struct render_config *r);

/* Where chains go. set_chain takes the chain. Inserts stand at the top of a kernel's chain, appends
 * at its end; either may be NULL, both are taken. */
struct render_sink {
	void (*set_chain)(void *arg, enum table_id table, struct chain *c);
	void (*set_hook)(void *arg, enum table_id table, const char *kernel_chain,
	                 struct chain *inserts, struct chain *appends);
	/* entries are copied; only asked for with vmaps */
	void (*set_map)(void *arg, enum table_id table, const char *name,
	                const struct verdict *entries, size_t n);
	void *arg;
};

/* All that is there without any endpoint: hooks and static chains. nat-outgoing is empty until
 * asked for. */
void render_static(const struct render_config *r, const struct render_sink *sink);
void render_nat_outgoing(const struct render_config *r, bool any_pool,
                         const struct render_sink *sink);

struct chain *render_policy(const struct render_config *r, const struct calc_policy *p,
                            bool ingress);
struct chain *render_profile(const struct render_config *r, const struct calc_profile *p,
                             bool ingress);

/* The endpoint's chain, to it (ingress) or from it (egress). */
struct chain *render_endpoint(const struct render_config *r, const struct calc_endpoint *e,
                              bool to);
/* Chains that a run of policies with one selector shares; emit gets each, taken. Two endpoints with
 * the same run name the same chain. */
void render_endpoint_groups(const struct render_config *r, const struct calc_endpoint *e, bool to,
                            void (*emit)(void *arg, struct chain *c), void *arg);

/* Root and children for the interfaces, which are sorted by name and unique. */
void render_dispatch(const struct render_config *r, const char *const *interfaces, size_t n,
                     bool to, const struct render_sink *sink);

/* Chains that host endpoints leave their failsafe ports open by, in every table that has some. */
void render_failsafes(const struct render_config *r, const struct render_sink *sink);

/* The host endpoint's chains behind an interface, or, with RENDER_ANY_INTERFACE, behind all that
 * have no other; untracked policy is not for those. */
#define RENDER_ANY_INTERFACE "any-interface-at-all"
void render_host_endpoint(const struct render_config *r, const struct calc_host_endpoint *e,
                          const char *interface, const struct render_sink *sink);

/* An interface and its host endpoint. */
struct render_host {
	const char *interface;
	const struct calc_host_endpoint *e;
};
/* The dispatch to them, which are sorted by interface and unique. any: NULL, or whose chains are
 * those of all other interfaces. */
void render_host_dispatch(const struct render_config *r, const struct render_host *hosts, size_t n,
                          const struct calc_host_endpoint *any, const struct render_sink *sink);

/* For the parts of rendering: what "allow" and "deny" are in a table. */
void render_deny(const struct render_config *r, struct chain *c);
const char *render_deny_word(const struct render_config *r); /* "Drop", "Reject" */
/* r for a table other than filter, which alone knows REJECT. */
struct render_config render_config_elsewhere(const struct render_config *r);
