/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client: a connection to another daemon that comes back by itself.
 *
 * It connects, and after any failure reconnects with back-off (50 ms doubling to 2 s, with jitter).
 * Requests carry deadlines. When the connection is lost, every request under way fails with
 * -ECONNRESET and on_down is called; what was not sent is not kept, because whoever connects
 * resends its own truth in on_up.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <uv.h>

struct err;
struct ipc_client;

struct ipc_client_ops {
	const char *server;                          /* for logs: "typhad" */
	const ProtobufCMessageDescriptor *reply;     /* of the envelope that the server sends */
	void (*on_up)(void *arg);                    /* connected; may be NULL */
	void (*on_down)(void *arg, const char *why); /* was up, or an attempt failed for the first
	                                                time since; may be NULL */
	/* A message that answers no request of ours. Borrowed. May be NULL. */
	void (*on_message)(void *arg, ProtobufCMessage *msg);
};

/* Called once: reply is borrowed, or NULL with status -ETIMEDOUT, -ECONNRESET or -ECANCELED. */
typedef void ipc_reply_fn(void *arg, int status, ProtobufCMessage *reply);

/* Starts connecting to path, which is copied. ops is borrowed. */
struct ipc_client *ipc_client_new(uv_loop_t *loop, const char *path,
                                  const struct ipc_client_ops *ops, void *arg);

/* Requests under way fail with -ECANCELED, no callback comes after that. NULL is fine. */
void ipc_client_free(struct ipc_client *c);

/* Sets the request's id, sends it and calls fn when the reply is here. -ENOTCONN when not up,
 * -EMSGSIZE when the request is larger than a frame may be: fn is then never called. timeout_ms 0:
 * none. */
int ipc_client_call(struct ipc_client *c, ProtobufCMessage *request, unsigned timeout_ms,
                    ipc_reply_fn *fn, void *arg);

/* Closes and reconnects, because what the server sent makes no sense. */
void ipc_client_reset(struct ipc_client *c, const char *why);
