/* SPDX-License-Identifier: BSD-2-Clause */
/* noded: the root object. */
#pragma once

#include <uv.h>

#include "common/loop/daemon.h"
#include "common/nl/nl.h"
#include "common/store/store.h"
#include "noded/detect.h"
#include "noded/record.h"

struct nl_watch;

enum addr_mode {
	ADDR_KEEP, /* IP is empty: what the Node says, detection only if it says nothing, or if its
	              address leaves the host before our eyes */
	ADDR_DETECT, /* autodetect */
	ADDR_NONE,   /* none: hands off */
	ADDR_FIXED,  /* an address */
};

struct addr_plan {
	enum addr_mode mode;
	struct ip_prefix fixed;
	bool fixed_has_len;
	struct detect *detect;
	bool seen_local; /* the Node's address has been on an interface while we looked */
};

/* An object that a new cluster begins with: made if nobody has, once, never changed. */
struct keep_default {
	struct noded *n;
	bool asked, done;
};
enum {
	DEFAULT_POOL4,
	DEFAULT_POOL6,
	DEFAULT_IPAM,
	DEFAULT_BGP,
	N_DEFAULTS
};

struct noded {
	struct daemon *d;
	struct store *store;
	struct nl_conn *nl;
	struct nl_watch *watch;
	uv_timer_t retry;
	uv_idle_t turn; /* gathers what one turn of the loop brings */
	unsigned open_handles, retry_ms;

	struct addr_plan plan[2]; /* IPv4, IPv6 */
	struct record_wish wish;
	struct record_label *labels;
	struct host_addr *addrs;
	size_t n_addrs;

	struct resource *node; /* as the datastore has it; NULL: not there */
	struct keep_default defaults[N_DEFAULTS];
	bool live;    /* the watch is in sync */
	bool in_sync; /* ... and the pools have been looked for */
	bool listing, writing, conflict, file_written, stopping;
	char *file_path; /* of the nodename file; NULL: none */
	V3__IPPool
	        *new_pool[2]; /* to create if there is none of that family; NULL: not asked for */
	struct resource *pending;
	uint64_t count_writes, count_conflicts, count_addr_changes, count_events, count_overruns;
};

/* main.c: the last handle's closing frees n. For nl_watch's on_closed(). */
void noded_on_closed(void *noded);

/* addrs.c: the host's addresses. */
int addrs_read(struct noded *n, struct err *err);
int addrs_listen(struct noded *n, struct err *err);
/* The address that the kernel would send from to target; false: no route. */
bool addrs_source(const struct ip_addr *target, struct ip_addr *ret);

/* keep.c: keeps the record true. */
void keep_soon(struct noded *n);
void keep_run(struct noded *n);
extern const struct store_watch_ops keep_watch_ops;
