/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * h2: one HTTP/2 connection of a client, over a socket on the loop, plain or inside TLS.
 *
 * It connects, runs TLS and HTTP/2, and keeps an eye on the peer: when nothing has come for a while
 * and somebody waits, it asks with a PING, and a peer that does not answer is gone, whatever TCP
 * believes. It does not reconnect: that is the owner's. Frames that are submitted within one turn
 * of the loop leave together. The only module that knows nghttp2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct err;
struct h2;
struct h2_stream;
struct tls_context;

struct h2_ops {
	void (*on_up)(void *arg); /* requests may be sent */
	/* Connecting failed or the connection is lost: once, and nothing comes after it. All its
	 * streams have had their on_end. The owner calls h2_free(), here or later. */
	void (*on_down)(void *arg, const char *why);
	/* The peer will take no new streams, or there is no number left for one (2^30 have been
	 * opened); those that are open go on. Once; may be NULL. */
	void (*on_goaway)(void *arg);
};

struct h2_stream_ops {
	/* A header or a trailer; value is NUL-terminated, too. */
	void (*on_header)(void *arg, const char *name, const char *value, size_t len);
	void (*on_data)(void *arg, const void *data, size_t len);
	/* Once, the last callback. why NULL: the peer ended the stream as it should. unprocessed:
	 * the peer is known not to have looked at the request. */
	void (*on_end)(void *arg, const char *why, bool unprocessed);
};

struct h2_header {
	const char *name, *value;
};

/*
 * Connects to sa. tls: NULL for plain text, else shared; server: the name or address that the
 * certificate must be for, copied. ops is borrowed. A negative errno with *err when there cannot
 * even be a socket.
 */
int h2_connect(uv_loop_t *loop, const struct sockaddr *sa, socklen_t sa_len,
               struct tls_context *tls, const char *server, const struct h2_ops *ops, void *arg,
               struct h2 **ret, struct err *err);

/* Closes. Streams end without a callback; none comes after this. NULL is fine. */
void h2_free(struct h2 *h);

/* Gives the connection up: as if it had been lost just now, for this reason. */
void h2_abandon(struct h2 *h, const char *why);

/* Opens a stream with a request. The headers are copied; ops is borrowed. NULL when the connection
 * is not up or takes no new streams. */
struct h2_stream *h2_open(struct h2 *h, const struct h2_header *headers, size_t n,
                          const struct h2_stream_ops *ops, void *arg);
/* Adds to the request's body; last: and ends it. The bytes are copied. */
void h2_send(struct h2_stream *s, const void *data, size_t len, bool last);
/* The stream is reset and forgotten: no callback comes any more. */
void h2_cancel(struct h2_stream *s);

/* Somebody begins to doubt: asks with a PING unless the peer has been heard of just now or was
 * asked a short time ago. */
void h2_doubt(struct h2 *h);

/* The highest number of a stream. For tests, which make it small. */
extern int32_t h2_stream_last;

/* What must be known of an h2 to judge it. */
bool h2_usable(const struct h2 *h); /* up, and takes new streams */
