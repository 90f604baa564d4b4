/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_dial: one connection to whichever member of the cluster can be had.
 *
 * A member is kept as long as it serves; when it does not, the next one is tried, every address of
 * it, at once, and when all have been tried in vain, again after a pause that grows. Names are
 * looked up for each attempt and SRV records for each round, on worker threads; certificates are
 * read anew for each connection, so that renewed ones are used.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/store/etcd_endpoint.h"
#include "common/store/h2.h"

struct err;
struct etcd_dial;
struct store_etcd_options;

struct etcd_dial_ops {
	void (*on_up)(void *arg); /* there is a connection */
	/* It is lost, or is being replaced: what is under way on it may still end. */
	void (*on_down)(void *arg, const char *why);
	/* No member can be reached: all have been tried. The trying goes on. */
	void (*on_nobody)(void *arg, const char *why);
};

struct etcd_dial_stats {
	uint64_t connects, failures, lost;
};

/* Starts at once. options is borrowed and must stay; ops is borrowed. -EINVAL when an endpoint
 * makes no sense or a file cannot be used. */
int etcd_dial_new(uv_loop_t *loop, const struct store_etcd_options *options,
                  const struct etcd_dial_ops *ops, void *arg, struct etcd_dial **ret,
                  struct err *err);
/* Streams end without a callback. NULL is fine. */
void etcd_dial_free(struct etcd_dial *d);

struct h2 *etcd_dial_h2(const struct etcd_dial *d); /* NULL: there is none */
/* The endpoint that is connected to; NULL: none. Good until the next turn of the loop. */
const struct etcd_endpoint *etcd_dial_endpoint(const struct etcd_dial *d);

/* This member does not serve: streams end, on_down is called, the next one is tried. */
void etcd_dial_next(struct etcd_dial *d, const char *why);
/* This member serves: when it is lost, there is no pause before the next one. */
void etcd_dial_good(struct etcd_dial *d);
struct etcd_dial_stats etcd_dial_stats(const struct etcd_dial *d);
