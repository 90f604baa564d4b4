/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener: a listening socket on the loop. Part of the server.
 *
 * It accepts and hands on; whatever takes time is the connection's own affair. When descriptors run
 * out, connections wait in the kernel's backlog and the listener pauses.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/base/log.h"

struct listener {
	uv_poll_t poll;
	uv_timer_t pause;
	int fd;
	unsigned open_handles;
	char *name;       /* for logs: the path, or "[::]:5473" */
	struct list node; /* the owner's */
	struct log_limit log_full;
	void *owner;
	/* fd is the callee's, non-blocking. */
	void (*on_accept)(struct listener *l, int fd, const struct sockaddr *sa);
	void (*on_closed)(struct listener *l); /* last callback */
};

/* fd is taken, name is copied. The callbacks must be set. */
void listener_open(struct listener *l, uv_loop_t *loop, int fd, const char *name);
/* The socket is closed at once. Harmless when done twice. */
void listener_close(struct listener *l);
