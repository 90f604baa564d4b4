/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel works a batch off inside sendmsg(): when that returns, all that it has to say is
 * queued. A batch that was refused brings an error for each message at fault; one that was taken
 * brings the acknowledgements that were asked for, and these are the proof.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/nl/conn.h"

#define ROOM_BYTES 65536 /* beside the messages: the kernel counts its own overhead */

uint32_t nl_conn_port(const struct nl_conn *c)
{
	struct sockaddr_nl sa = { 0 };
	socklen_t len = sizeof(sa);

	return getsockname(c->fd, (struct sockaddr *)&sa, &len) == 0 ? sa.nl_pid : 0;
}

static void make_room(struct nl_conn *c, size_t n)
{
	size_t room = n + ROOM_BYTES;
	int want = room > INT_MAX / 2 ? INT_MAX / 2 : (int)room;

	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
}

static uint32_t stamp_all(struct nl_conn *c, uint8_t *at, size_t n)
{
	uint32_t first = c->seq + 1;

	while (n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || NLMSG_ALIGN(h.nlmsg_len) > n)
			break;
		h.nlmsg_seq = ++c->seq;
		memcpy(at, &h, sizeof(h));
		at += NLMSG_ALIGN(h.nlmsg_len);
		n -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return first;
}

int nl_transact(struct nl_conn *c, void *messages, size_t n,
                void (*refused)(void *arg, size_t place, int code, const char *text), void *arg,
                struct err *err)
{
	struct iovec iov = { messages, n };
	bool proof = false, overrun = false;
	uint32_t first;
	int rc, code = 0;

	if (c->seq > UINT32_MAX / 2)
		c->seq = 0;
	first = stamp_all(c, messages, n);
	make_room(c, n);
	rc = nl_conn_send(c, &iov, 1, err);
	if (rc < 0)
		return rc;
	for (;;) {
		const struct nlmsghdr *h;
		const uint8_t *at = c->in;
		size_t left;

		rc = nl_datagram(c->fd, c->in, NL_RECV_MAX, true, &left);
		if (rc == -ENOBUFS) { /* more errors than there is room for */
			overrun = true;
			continue;
		}
		if (rc == -EAGAIN)
			break;
		if (rc < 0)
			return err_set(err, rc, "reading the kernel's answer: %s", strerror(-rc));
		while ((h = nl_next(&at, &left))) {
			const char *text = NULL;
			int verdict;

			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_seq - first >= c->seq - first + 1)
				continue;
			verdict = nl_verdict(h, &text);
			proof = true;
			if (verdict < 0 && refused)
				refused(arg, h->nlmsg_seq - first, verdict, text);
			if (verdict < 0 && code == 0)
				code = err_set(err, verdict, "%s%s%s", strerror(-verdict),
				               text ? ": " : "", text ? text : "");
		}
	}
	if (code < 0)
		return code;
	if (overrun || !proof)
		return err_set(err, -ENOBUFS, "the kernel's answer was lost");
	return 0;
}
