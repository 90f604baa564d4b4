/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grpc: calls over HTTP/2: messages in frames, a status at the end. Knows nothing of etcd.
 *
 * One call is one stream; unary calls and streams differ in how many messages are sent and come.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/store/h2.h"

struct err;
struct grpc_call;

#define GRPC_MESSAGE_MAX (16u << 20) /* bytes of a message that is taken in */

enum grpc_code { /* those that anybody looks at */
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

struct grpc_status {
	enum grpc_code code;
	const char *text; /* the server's words, or what happened to the connection; never NULL */
	bool said;        /* the server has said it: else the outcome is not known, */
	bool unprocessed; /* unless the server cannot have looked at the request */
	bool too_large;   /* a message came that is larger than GRPC_MESSAGE_MAX */
};

struct grpc_ops {
	/* One whole message, borrowed. */
	void (*on_message)(void *arg, const void *data, size_t len);
	void (*on_end)(void *arg, const struct grpc_status *status); /* once, the last callback */
};

/*
 * Starts a call of method ("/etcdserverpb.KV/Range") over h. extra: headers besides gRPC's own, at
 * most 8, copied. ops is borrowed. NULL when h takes no new streams. secure: over TLS.
 */
struct grpc_call *grpc_call_new(struct h2 *h, bool secure, const char *authority,
                                const char *method, const struct h2_header *extra, size_t n,
                                const struct grpc_ops *ops, void *arg);
void grpc_call_send(struct grpc_call *c, const void *message, size_t len, bool last);
/* The call is forgotten: no callback comes any more, c is gone. NULL is fine. */
void grpc_call_cancel(struct grpc_call *c);

/* ---- the pure parts */

/* Messages out of a stream of bytes. */
struct grpc_reader {
	struct buf part; /* the beginning of a message that is not whole yet */
};
void grpc_reader_done(struct grpc_reader *r);
/*
 * Calls fn for each message that is whole. -EMSGSIZE: one is too large; -EBADMSG: it is compressed,
 * which nobody has offered. fn returns false to stop, which is not an error.
 */
int grpc_reader_feed(struct grpc_reader *r, const void *data, size_t len,
                     bool (*fn)(void *arg, const void *message, size_t len), void *arg);

/* "%E4%20" decoded into out, which holds size bytes and is always terminated. */
void grpc_text_decode(const char *s, size_t len, char *out, size_t size);
