/* SPDX-License-Identifier: BSD-2-Clause */
/* dataplane_i: what the files of the dataplane's glue share: dataplane.c (life and apply), wishes.c
 * (calc's messages), events.c (the kernel's), dump.c. */
#pragma once

#include <uv.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/http/summary.h"
#include "common/nl/nl.h"
#include "felixd/dataplane/backend.h"
#include "felixd/dataplane/dataplane.h"
#include "felixd/dataplane/endpoint.h"
#include "felixd/dataplane/forget.h"
#include "felixd/dataplane/link.h"
#include "felixd/dataplane/neigh.h"
#include "felixd/dataplane/nft_link.h"
#include "felixd/dataplane/render.h"
#include "felixd/dataplane/route.h"

struct nl_watch;

struct pool {
	struct hmap_node node;
	struct ip_prefix cidr;
	bool masquerade;
};

/* An endpoint that was taken away: told when the kernel no longer has it. */
struct removed {
	struct removed *next;
	char *ns, *name;
	uint64_t revision;
};

struct deadline {
	struct mono_ms at;
	bool set;
};

/* An address of an interface that is no pod's. */
struct host_addr {
	char interface[IFNAMSIZ];
	struct ip_addr addr;
};

struct dataplane {
	struct dataplane_config config; /* texts borrowed from the caller's */
	struct render_config render;
	struct render_sink sink;
	dataplane_endpoint_fn *fn;
	void *fn_arg;
	dataplane_state_fn *state_fn;
	void *state_arg;

	struct nl_conn *rt, *nf; /* rtnetlink; netfilter, for conntrack */
	struct nl_watch *watch;
	struct links *links;
	struct setstore sets;
	struct ruleset tables;
	struct nft_link *nft;       /* the nftables backend's; NULL with the other */
	struct nl_watch *nft_watch; /* of its table */
	bool clean_other;           /* what the other backend may have left is still to go */
	struct routes *routes;
	struct neighs *neighs;
	char rp_filter[8];

	struct hmap endpoints;  /* by namespace and name */
	struct hmap interfaces; /* endpoints, by interface; several where names clash */
	struct hmap pools;
	struct hmap hosts; /* host endpoints, by name */
	struct host_addr *host_addrs;
	size_t n_host_addrs;
	struct removed *removed;
	struct forget *forget; /* addresses whose connections must be forgotten */

	bool in_sync;     /* calc has told everything */
	bool read;        /* the kernel's routes have been read */
	bool neighs_read; /* ... and its neighbours, once there was something to look for */
	bool looked;      /* at the connections that were there before us */
	bool hosts_dirty, hosts_rendered; /* to be rendered; rendered since the last prune */
	bool dispatch_dirty, pools_dirty, host_addrs_dirty, set_removed;
	bool read_again; /* events were lost */
	bool failing;    /* the last apply failed somewhere */
	bool in_step;    /* it left nothing undone but for interfaces that are not there */
	struct err why;  /* of the failure */

	struct deadline retry, next_iptables, next_ipsets, next_routes, post_check;
	unsigned backoff_ms, post_check_ms;
	uint64_t seen_writes; /* of iptables, at the last look */
	uint64_t failures;
	struct summary apply_sec;

	uv_timer_t timer;
	unsigned open_handles;
};

/* wishes.c */
void wishes_activate(struct dataplane *dp, const char *interface); /* chooses who has it, renders */
void wishes_render_dispatch(struct dataplane *dp);
void wishes_render_pools(struct dataplane *dp);
struct endpoint *wishes_active(const struct dataplane *dp,
                               const char *interface); /* NULL: nobody */

/* backends.c */
/* Decides which it is, and adapts the configuration to it. */
int backends_choose(struct dataplane *dp, int family, struct err *err);
int backends_open(struct dataplane *dp, struct err *err);
/* What nftables have parameters of their own for, if it is they. */
void backends_adapt(const struct dataplane *dp, struct dataplane_config *config);
void backends_configured(struct dataplane *dp); /* config and render are new */
/* What the other backend left goes, now that this one's policy is in force. -EBUSY: later. */
int backends_clean_other(struct dataplane *dp, struct err *err);
void backends_close(struct dataplane *dp);

/* hosts.c */
void hosts_update(void *arg, const struct calc_host_endpoint *e);
void hosts_remove(void *arg, const char *name);
void hosts_render(struct dataplane *dp); /* matches them with interfaces; chains and dispatch */
void hosts_prune(struct dataplane *dp);  /* when the kernel has them */
/* Calls fn for each host endpoint and each interface it has ("*": all others), or, where it has
 * none, with NULL. */
typedef void hosts_fn(void *arg, const struct calc_host_endpoint *e, const char *interface);
void hosts_each(const struct dataplane *dp, hosts_fn *fn, void *arg);
void hosts_done(struct dataplane *dp);

/* events.c */
bool events_is_workload(const struct dataplane *dp, const char *interface);
int events_open_nft(struct dataplane *dp, uv_loop_t *loop, struct err *err);
int events_open(struct dataplane *dp, uv_loop_t *loop, struct err *err);
int events_read_host_addrs(struct dataplane *dp, struct err *err);
void events_link_changed(void *arg, const struct link_change *c);

/* dataplane.c */
void dataplane_say_state(struct dataplane *dp, struct endpoint *ep, bool up);
void dataplane_on_closed(void *dataplane); /* a handle is closed; the last one frees it */
void dataplane_soon(struct dataplane *dp); /* apply in the next turn of the loop */
