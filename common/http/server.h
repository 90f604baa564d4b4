/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: a small HTTP/1.1 server on the loop, for GET and HEAD: probes and metrics.
 *
 * One handler, which answers at once, from memory. A connection that does not have its request
 * whole in time is closed; when all places are taken, the one that has waited longest without a
 * request makes room: nobody who only holds connections open keeps a probe out. With a transport
 * (common/tls/layer.h) it is HTTPS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/http/request.h"

struct err;
struct http_server;
struct transport_layer;

struct http_reply {
	unsigned status;  /* 200 */
	const char *type; /* of the body; "text/plain; charset=utf-8" */
	struct buf body;
};

struct http_server_ops {
	const char *name;         /* for logs: "health" */
	unsigned max_connections; /* 0: 64 */
	unsigned request_ms;      /* from connecting, or the answer before, to a whole request that
	                             has begun, and for taking the answer; 0: 10 s */
	unsigned idle_ms;         /* between requests; 0: 60 s */
	/* q.path is what is asked for; r is ready for 200. What it does not know is 404. */
	void (*serve)(void *arg, const struct http_request *q, struct http_reply *r);
	/* The transport for a new connection; called anew for each. NULL: none. May be NULL. */
	struct transport_layer *(*transport)(void *arg);
};

struct http_server_stats {
	uint64_t accepted, requests, bad_requests, timed_out, pushed_out;
	unsigned connections;
};

/* Listens. host NULL: on all addresses; port 0: any. ops is borrowed and must outlive the server.
 */
int http_server_new(uv_loop_t *loop, const char *host, uint16_t port,
                    const struct http_server_ops *ops, void *arg, struct http_server **ret,
                    struct err *err);
uint16_t http_server_port(const struct http_server *s);
struct http_server_stats http_server_stats(const struct http_server *s);

/* Closes everything; the memory goes with the last close callback. NULL is fine. */
void http_server_free(struct http_server *s);
