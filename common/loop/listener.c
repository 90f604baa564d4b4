/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS 100 /* when file descriptors have run out */

static void on_event(uv_poll_t *h, int status, int events);

static void on_pause_over(uv_timer_t *t)
{
	struct listener *l = t->data;

	(void)uv_poll_start(&l->poll, UV_READABLE, on_event);
}

/* EMFILE and its cousins: the connection waits in the backlog, and so do we. */
static void pause_for(struct listener *l, int code)
{
	unsigned held;

	if (log_limit_pass(&l->log_full, &held))
		log_error("cannot accept", "socket=%s why=%s suppressed=%u", LOG_VIS(l->name),
		          LOG_VIS(strerror(code)), held);
	(void)uv_poll_stop(&l->poll);
	(void)uv_timer_start(&l->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

static void on_event(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;

	(void)events;
	for (int i = 0; status >= 0 && i < ACCEPTS_PER_TURN && l->fd >= 0; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd >= 0) {
			l->on_accept(l, fd, (struct sockaddr *)&ss);
			continue;
		}
		switch (errno) { /* accept(2): what has befallen the connection is not ours */
		case EINTR:
		case ECONNABORTED:
		case ENETDOWN:
		case EPROTO:
		case ENOPROTOOPT:
		case EHOSTDOWN:
		case ENONET:
		case EHOSTUNREACH:
		case EOPNOTSUPP:
		case ENETUNREACH:
			break;
		default:
			pause_for(l, errno);
			return;
		}
	}
}

void listener_open(struct listener *l, uv_loop_t *loop, int fd, const char *name)
{
	l->fd = fd;
	l->name = xstrdup(name);
	l->log_full = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	l->open_handles = 2;
	(void)uv_timer_init(loop, &l->pause);
	(void)uv_poll_init(loop, &l->poll, fd);
	l->pause.data = l->poll.data = l;
	(void)uv_poll_start(&l->poll, UV_READABLE, on_event);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	if (--l->open_handles)
		return;
	free(l->name);
	l->on_closed(l);
}

void listener_close(struct listener *l)
{
	if (l->fd < 0)
		return;
	uv_close((uv_handle_t *)&l->poll, on_handle_closed);
	uv_close((uv_handle_t *)&l->pause, on_handle_closed);
	(void)close(l->fd);
	l->fd = -1;
}
