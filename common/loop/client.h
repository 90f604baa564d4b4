/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client: a connection to another daemon that comes back by itself.
 *
 * It connects, and after any failure reconnects with back-off (50 ms doubling to 2 s, with jitter).
 * Requests carry deadlines. When the connection is lost, every request under way fails with
 * -ECONNRESET and on_down is called; what was not sent is not kept, because whoever connects
 * resends its own truth in on_up.
 *
 * It may know several servers, over Unix sockets or TCP, that are as good as one another: it goes
 * from one to the next until one answers, quickly within a round, with back-off between rounds.
 * Resolving a name, connecting and the transport's handshake have connect_ms together; none of it
 * blocks.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <uv.h>

struct err;
struct ipc_client;
struct transport_layer;

struct ipc_client_ops {
	const char *server;                          /* for logs: "typhad" */
	const ProtobufCMessageDescriptor *reply;     /* of the envelope that the server sends */
	void (*on_up)(void *arg);                    /* connected; may be NULL */
	void (*on_down)(void *arg, const char *why); /* was up, or no server answered for the first
	                                                time since; may be NULL */
	/* A message that answers no request of ours. Borrowed. May be NULL. */
	void (*on_message)(void *arg, ProtobufCMessage *msg);
};

/* Called once: reply is borrowed, or NULL with status -ETIMEDOUT, -ECONNRESET or -ECANCELED. */
typedef void ipc_reply_fn(void *arg, int status, ProtobufCMessage *reply);

/* Starts connecting to path, which is copied. ops is borrowed. */
struct ipc_client *ipc_client_new(uv_loop_t *loop, const char *path,
                                  const struct ipc_client_ops *ops, void *arg);

struct ipc_client_config {
	/* A path, which has a '/', or "10.0.0.1:5473", "[fd00::1]:5473", "name:5473". Copied. */
	const char *const *addresses;
	size_t n;
	bool shuffle;                  /* else in this order */
	struct transport_layer *layer; /* for TCP; NULL: plain. Borrowed for the client's life */
	unsigned connect_ms;           /* 0: 10 s */
	unsigned user_timeout_ms;      /* see tcp_tune() */
};
/* -EINVAL: an address that is none. */
int ipc_client_open(uv_loop_t *loop, const struct ipc_client_config *config,
                    const struct ipc_client_ops *ops, void *arg, struct ipc_client **ret,
                    struct err *err);

/* From now on these; a connection that stands stays, also when its address is not among them.
 * -EINVAL, and nothing changes, when one is no address. */
int ipc_client_set_addresses(struct ipc_client *c, const char *const *addresses, size_t n,
                             struct err *err);
/* That of the connection, or of the attempt under way or the last one. Lives until the next turn.
 */
const char *ipc_client_address(const struct ipc_client *c);

/* Requests under way fail with -ECANCELED, no callback comes after that. NULL is fine. */
void ipc_client_free(struct ipc_client *c);

/* Sets the request's id, sends it and calls fn when the reply is here. -ENOTCONN when not up,
 * -EMSGSIZE when the request is larger than a frame may be: fn is then never called. timeout_ms 0:
 * none. */
int ipc_client_call(struct ipc_client *c, ProtobufCMessage *request, unsigned timeout_ms,
                    ipc_reply_fn *fn, void *arg);

/* Sends what is not answered. -ENOTCONN, -EMSGSIZE. */
int ipc_client_send(struct ipc_client *c, const ProtobufCMessage *msg);

/* Goes to the next server, because this one asked for it: on_down() is not called, unless none can
 * be reached. Requests under way fail with -ECONNRESET. */
void ipc_client_move(struct ipc_client *c);

/* Closes and reconnects, to the next server if there are several, because what this one sent makes
 * no sense. */
void ipc_client_reset(struct ipc_client *c, const char *why);
