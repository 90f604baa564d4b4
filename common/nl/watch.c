/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/nl/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define EVENTS_PER_TURN 64u /* datagrams, so that a storm leaves the loop its other work */
#define DRAIN_MAX 10000u    /* turns; against somebody who changes things for ever */

struct nl_watch {
	uv_poll_t poll;
	struct nl_monitor *monitor;
	const struct nl_watch_ops *ops;
	void *arg;
	bool closing;
};

static int tell(const struct nlmsghdr *h, void *arg)
{
	struct nl_watch *w = arg;

	/* It may have been closed by what an earlier message of the datagram led to. */
	return w->closing ? -ECANCELED : w->ops->on_event(h, w->arg);
}

bool nl_watch_drain(struct nl_watch *w)
{
	bool lost = false;

	for (unsigned i = 0; i < DRAIN_MAX && !w->closing; i++) {
		int r = nl_monitor_read(w->monitor, EVENTS_PER_TURN, tell, w);

		if (r == 0)
			break;
		lost = lost || r < 0; /* -ENOBUFS: and behind the gap there is more */
		if (r < 0 && r != -ENOBUFS)
			break;
	}
	return lost;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct nl_watch *w = poll->data;
	bool lost;
	int r;

	(void)events;
	/*
	 * An overrun is an error of the socket, and libuv stops polling what has one
	 * (uv__poll_io(): EBADF for POLLERR). Reading takes the error away.
	 */
	if (status < 0)
		(void)uv_poll_start(poll, UV_READABLE, on_readable);
	r = nl_monitor_read(w->monitor, EVENTS_PER_TURN, tell, w);
	lost = r < 0;
	if (lost)
		(void)nl_watch_drain(w); /* what is still queued is older than what was lost */
	if (!w->closing)
		w->ops->on_turn(w->arg, lost);
}

int nl_watch_open(uv_loop_t *loop, int protocol, const int *groups, const struct nl_watch_ops *ops,
                  void *arg, struct nl_watch **ret, struct err *err)
{
	struct nl_watch *w = xcalloc(1, sizeof(*w));
	int r;

	w->ops = ops;
	w->arg = arg;
	r = nl_monitor_open(protocol, groups, &w->monitor, err);
	if (r < 0) {
		free(w);
		return r;
	}
	r = uv_poll_init(loop, &w->poll, nl_monitor_fd(w->monitor));
	if (r < 0) {
		nl_monitor_close(w->monitor);
		free(w);
		return err_set(err, r, "watching netlink: %s", uv_strerror(r));
	}
	w->poll.data = w;
	(void)uv_poll_start(&w->poll, UV_READABLE, on_readable); /* fails only when closing */
	*ret = w;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct nl_watch *w = h->data;
	void (*closed)(void *arg) = w->ops->on_closed;
	void *arg = w->arg;

	nl_monitor_close(w->monitor); /* not before its poll handle is closed */
	free(w);
	if (closed)
		closed(arg);
}

void nl_watch_close(struct nl_watch *w)
{
	if (!w)
		return;
	w->closing = true;
	uv_close((uv_handle_t *)&w->poll, on_closed);
}
