/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport: what may lie between a stream and its socket.
 *
 * A stream without one reads and writes its socket as it is. The transport that there is, TLS,
 * lives in common/tls/layer.h, so that who does not speak TLS does not link it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct err;
struct transport;

/* All non-blocking: -EAGAIN means wait for events(), POLLIN or POLLOUT. Another negative errno: it
 * is over, *err has a sentence. */
struct transport_ops {
	int (*handshake)(struct transport *t, struct err *err); /* 0: done */
	/* Bytes; 0: the peer has ended. All that is there and fits is read. */
	ssize_t (*read)(struct transport *t, void *to, size_t len, struct err *err);
	/* Bytes taken. After -EAGAIN the next call must begin with the same bytes. */
	ssize_t (*write)(struct transport *t, const struct iovec *iov, int n, struct err *err);
	short (*events)(const struct transport *t);
	bool (*pending)(const struct transport *t); /* read() has bytes that the socket has not */
	const char *(*peer)(const struct transport *t); /* who the peer has proved to be, or NULL */
	void (*free)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
};

/* Makes one for a connected socket, which is borrowed. host: of a client, what it connects to.
 * NULL: out of memory. */
struct transport_layer {
	struct transport *(*open)(struct transport_layer *l, int fd, const char *host);
};
