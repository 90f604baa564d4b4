/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_client: calls to an etcd cluster, through whichever member serves.
 *
 * A call waits for a connection, and for the token when there is a user; it is answered once,
 * within ETCD_CALL_MS. What may be repeated without harm (reads) is, on another member if need be.
 * A write is repeated only when no member can have looked at it; else its answer says that it may
 * have been done.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/store/etcd_dial.h"
#include "common/store/grpc.h"

struct err;
struct etcd_call;
struct etcd_client;
struct store_etcd_options;

#define ETCD_CALL_MS 10000u
#define ETCD_PAGE_KEYS 500 /* of a page: decoded in one turn of the loop */
#define ETCD_COMPACTED "required revision has been compacted" /* in etcd's words for that */

struct etcd_method {
	const char *path; /* "/etcdserverpb.KV/Range" */
	const ProtobufCMessageDescriptor *reply;
	bool repeatable;
};
extern const struct etcd_method etcd_range, etcd_put, etcd_txn, etcd_lease_grant;

struct etcd_reply {
	const ProtobufCMessage *msg; /* borrowed; NULL: the call has failed, and */
	enum grpc_code code;
	const char *text; /* etcd's own words, or what happened on the way */
	bool doubtful;    /* the request may have been carried out */
	bool too_large;   /* the answer is */
};
typedef void etcd_reply_fn(void *arg, const struct etcd_reply *r);

struct etcd_client_ops {
	void (*on_up)(void *arg); /* calls go out at once, streams can be opened */
	void (*on_down)(void *arg, const char *why); /* was up */
	/* No member can be had, whether or not one could before; goes on trying. */
	void (*on_nobody)(void *arg, const char *why);
};

/* options: copied. ops is borrowed. Connects in the background. */
int etcd_client_new(uv_loop_t *loop, const struct store_etcd_options *options,
                    const struct etcd_client_ops *ops, void *arg, struct etcd_client **ret,
                    struct err *err);
/* Calls under way are forgotten without an answer. NULL is fine. */
void etcd_client_free(struct etcd_client *c);

/* A text as a field of a request, borrowed. */
ProtobufCBinaryData etcd_bytes(const char *s);

/* fn is called later, never before this returns. The request is packed here. What it returns lives
 * until fn is called. */
struct etcd_call *etcd_client_call(struct etcd_client *c, const struct etcd_method *method,
                                   const ProtobufCMessage *request, etcd_reply_fn *fn, void *arg);

/* fn is not called any more. NULL is fine. */
void etcd_call_cancel(struct etcd_call *call);

/* A stream on the connection there is; NULL: there is none. */
struct grpc_call *etcd_client_stream(struct etcd_client *c, const char *path,
                                     const struct grpc_ops *ops, void *arg);

/* This member does not serve as it should: another one, please. */
void etcd_client_next(struct etcd_client *c, const char *why);
/* The token may be the reason for a refusal: the next call waits for a new one. */
void etcd_client_new_token(struct etcd_client *c);
/* Somebody waits longer than usual: is the member still there? */
void etcd_client_doubt(struct etcd_client *c);

bool etcd_client_up(const struct etcd_client *c);
/* The member that is talked to; NULL: none. Good until the next turn of the loop. */
const char *etcd_client_where(const struct etcd_client *c);
const char *etcd_client_why(const struct etcd_client *c); /* why there is none; NULL: there is */

struct etcd_client_stats {
	struct etcd_dial_stats dial;
	uint64_t retries;
};
struct etcd_client_stats etcd_client_stats(const struct etcd_client *c);
