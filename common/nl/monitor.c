/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/conn.h"

/* A thousand routes that change in one turn of the loop fit without an overrun; the kernel takes it
 * only as it fills. */
#define MONITOR_BUFFER_BYTES (4 << 20)

struct nl_monitor {
	int fd;
	uint8_t *in;
};

int nl_monitor_open(int protocol, const int *groups, struct nl_monitor **ret, struct err *err)
{
	static const int room = MONITOR_BUFFER_BYTES;
	CLEANUP(close_p) int fd = -1;
	struct nl_monitor *m;
	int r;

	r = nl_socket_open(protocol, SOCK_NONBLOCK, &fd, err);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (; *groups; groups++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups, sizeof(*groups)) <
		    0)
			return err_sys(err, "joining netlink group %d", *groups);
	m = xcalloc(1, sizeof(*m));
	m->fd = take_fd(&fd);
	m->in = xrealloc(NULL, NL_RECV_MAX);
	*ret = m;
	return 0;
}

void nl_monitor_close(struct nl_monitor *m)
{
	if (!m)
		return;
	close_p(&m->fd);
	free(m->in);
	free(m);
}

int nl_monitor_fd(const struct nl_monitor *m)
{
	return m->fd;
}

int nl_monitor_read(struct nl_monitor *m, unsigned budget, nl_reply_fn *fn, void *arg)
{
	for (unsigned n = 0; n < budget; n++) {
		const struct nlmsghdr *h;
		const uint8_t *at = m->in;
		size_t left;
		int r = nl_datagram(m->fd, m->in, NL_RECV_MAX, true, &left);

		if (r == -EAGAIN)
			return 0;
		if (r == -EMSGSIZE)
			return -ENOBUFS; /* an event that was not read is an event that was lost */
		if (r < 0)
			return r;
		while ((h = nl_next(&at, &left)))
			if (h->nlmsg_type >= NLMSG_MIN_TYPE && (r = fn(h, arg)) < 0)
				return r;
	}
	return 1;
}
