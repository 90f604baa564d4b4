/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages are libnl's; the socket is a bare one. What libnl's socket adds (port numbers of its
 * own, callbacks, one sendmsg() per message) is what a batch does not want, and the kernel chooses
 * a free port by itself.
 *
 * The kernel works on a request inside sendmsg(), so that every acknowledgement is waiting when
 * sendmsg() returns; only dumps go on in recvmsg(). The receive timeout is therefore never met by a
 * healthy kernel: it is the promise that nothing here waits for ever.
 */
#include "common/nl/nl.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/conn.h"
#include "common/nl/netns.h"

#define RECV_TIMEOUT_SEC 10
#define RECV_BUFFER_BYTES                                                                          \
	(1 << 20) /* room for the acknowledgements of one full batch, many times over */
#define DUMP_RETRIES 3

struct open_args {
	int protocol;
	int flags;
	int fd;
};

int nl_socket_open(int protocol, int flags, int *ret_fd, struct err *err)
{
	static const int on = 1;
	static const int room = RECV_BUFFER_BYTES;
	static const struct timeval timeout = { .tv_sec = RECV_TIMEOUT_SEC };
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	CLEANUP(close_p) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);

	if (fd < 0)
		return err_sys(err, "netlink socket of protocol %d", protocol);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "bind of a netlink socket");
	/* Each of these is a refinement that an older kernel may lack. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (protocol == NETLINK_ROUTE)
		(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_here(void *arg, struct err *err)
{
	struct open_args *a = arg;

	return nl_socket_open(a->protocol, a->flags, &a->fd, err);
}

int nl_conn_open(int protocol, int netns_fd, struct nl_conn **ret, struct err *err)
{
	struct open_args args = { .protocol = protocol, .fd = -1 };
	struct nl_conn *c;
	int r;

	/* A socket stays in the namespace in which it was made: being there for the moment of
	 * socket() is enough. */
	r = netns_fd < 0 ? open_here(&args, err) : netns_do(netns_fd, open_here, &args, err);
	if (r < 0)
		return r;
	c = xcalloc(1, sizeof(*c));
	c->fd = args.fd;
	c->in = xrealloc(NULL, NL_RECV_MAX);
	*ret = c;
	return 0;
}

void nl_conn_close(struct nl_conn *c)
{
	if (!c)
		return;
	close_p(&c->fd);
	free(c->in);
	free(c);
}

uint32_t nl_stamp(struct nl_conn *c, struct nl_msg *msg, uint16_t flags)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);

	if (++c->seq == 0) /* 0 is what notifications carry */
		c->seq = 1;
	h->nlmsg_seq = c->seq;
	h->nlmsg_pid = 0;
	h->nlmsg_flags = (uint16_t)(h->nlmsg_flags | NLM_F_REQUEST | flags);
	return c->seq;
}

int nl_conn_send(struct nl_conn *c, struct iovec *iov, size_t n, struct err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr m = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = iov,
		.msg_iovlen = n,
	};
	ssize_t sent;

	do
		sent = sendmsg(c->fd, &m, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? err_sys(err, "sendmsg to the kernel") : 0;
}

int nl_datagram(int fd, void *buf, size_t size, bool nonblock, size_t *ret_len)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { buf, size };
		struct msghdr m = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
		ssize_t n = recvmsg(fd, &m, nonblock ? MSG_DONTWAIT : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return nonblock ? -EAGAIN : -ETIMEDOUT;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		if (from.nl_pid != 0) /* another process, not the kernel */
			continue;
		if (m.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		*ret_len = (size_t)n;
		return 0;
	}
}

const struct nlmsghdr *nl_next(const uint8_t **at, size_t *left)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)*at;
	size_t step;

	if (*left < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > *left)
		return NULL;
	step = NLMSG_ALIGN((size_t)h->nlmsg_len);
	if (step > *left)
		step = *left;
	*at += step;
	*left -= step;
	return h;
}

int nl_verdict(const struct nlmsghdr *h, const char **ret_text)
{
	const uint8_t *body = (const uint8_t *)h + NLMSG_HDRLEN;
	size_t left = h->nlmsg_len < NLMSG_HDRLEN ? 0 : h->nlmsg_len - NLMSG_HDRLEN;
	size_t skip = sizeof(int);
	int code;

	*ret_text = NULL;
	if (left < sizeof(code))
		return h->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;
	memcpy(&code, body, sizeof(code));
	if (h->nlmsg_type == NLMSG_ERROR) {
		struct nlmsghdr request;

		if (left < sizeof(int) + sizeof(request))
			return -EPROTO;
		memcpy(&request, body + sizeof(int), sizeof(request));
		/* Behind the request's header stands its body, unless the kernel capped it. */
		skip += h->nlmsg_flags & NLM_F_CAPPED ? sizeof(request)
		                                      : NLMSG_ALIGN((size_t)request.nlmsg_len);
	}
	if (code > 0)
		code = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || skip >= left)
		return code;
	struct nlattr *text = nla_find((const struct nlattr *)(const void *)(body + skip),
	                               (int)(left - skip), NLMSGERR_ATTR_MSG);
	if (text && nla_len(text) > 0 && memchr(nla_data(text), '\0', (size_t)nla_len(text)))
		*ret_text = nla_data(text);
	return code;
}

/* Sends msg (taken). */
static int send_one(struct nl_conn *c, struct nl_msg *msg, uint16_t flags, uint32_t *ret_seq,
                    struct err *err)
{
	struct iovec iov;
	int r;

	if (!msg)
		return err_set(err, -EMSGSIZE, "a netlink message did not fit its buffer");
	*ret_seq = nl_stamp(c, msg, flags);
	iov.iov_base = nlmsg_hdr(msg);
	iov.iov_len = nlmsg_hdr(msg)->nlmsg_len;
	r = nl_conn_send(c, &iov, 1, err);
	nlmsg_free(msg);
	return r;
}

/* What one pass over the answer to a request found. */
struct answer {
	nl_reply_fn *fn;
	void *arg;
	int code;         /* the first failure: the kernel's, or fn's */
	bool interrupted; /* the kernel's state changed while it was dumped */
	bool done;
	char text[256]; /* the extended acknowledgement */
};

static void answer_take(struct answer *a, const struct nlmsghdr *h)
{
	const char *text = NULL;

	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		int code = nl_verdict(h, &text);

		if (!a->code)
			a->code = code;
		if (text)
			(void)snprintf(a->text, sizeof(a->text), "%s", text);
		a->done = true;
	} else if (h->nlmsg_type >= NLMSG_MIN_TYPE && a->fn && !a->code) {
		/* After a failure the rest is read and dropped: a dump left half way blocks the
		 * next one. */
		a->code = a->fn(h, a->arg);
	}
}

static int answer_read(struct nl_conn *c, uint32_t seq, struct answer *a, struct err *err)
{
	while (!a->done) {
		const struct nlmsghdr *h;
		const uint8_t *at = c->in;
		size_t left;
		int r = nl_datagram(c->fd, c->in, NL_RECV_MAX, false, &left);

		if (r < 0)
			return err_set(err, r, "reading the kernel's answer: %s", strerror(-r));
		while (!a->done && (h = nl_next(&at, &left)))
			if (h->nlmsg_seq == seq)
				answer_take(a, h);
	}
	return 0;
}

static int answer_err(const struct answer *a, const char *what, struct err *err)
{
	return err_set(err, a->code, "%s: %s%s%s%s", what, strerror(-a->code),
	               a->text[0] ? " (" : "", a->text, a->text[0] ? ")" : "");
}

int nl_request(struct nl_conn *c, struct nl_msg *msg, struct err *err, const char *what, ...)
{
	struct answer a = { 0 };
	char sentence[192];
	uint32_t seq;
	va_list ap;
	int r;

	va_start(ap, what);
	(void)vsnprintf(sentence, sizeof(sentence), what, ap);
	va_end(ap);

	r = send_one(c, msg, NLM_F_ACK, &seq, err);
	if (r >= 0)
		r = answer_read(c, seq, &a, err);
	if (r < 0)
		return err_wrap(err, r, "%s", sentence);
	return a.code < 0 ? answer_err(&a, sentence, err) : 0;
}

int nl_get(struct nl_conn *c, struct nl_msg *msg, nl_reply_fn *fn, void *arg, struct err *err)
{
	struct answer a = { .fn = fn, .arg = arg };
	uint32_t seq;
	int r;

	r = send_one(c, msg, NLM_F_ACK, &seq, err);
	if (r >= 0)
		r = answer_read(c, seq, &a, err);
	if (r < 0)
		return r;
	return a.code < 0 ? answer_err(&a, "asking the kernel", err) : 0;
}

int nl_dump_all(struct nl_conn *c, struct nl_msg *msg, nl_reply_fn *fn, void *arg, struct err *err)
{
	int r = 0;

	if (!msg)
		return err_set(err, -EMSGSIZE, "a netlink message did not fit its buffer");
	for (int attempt = 0; attempt <= DUMP_RETRIES; attempt++) {
		struct answer a = { .fn = fn, .arg = arg };
		uint32_t seq;

		if (attempt > 0 && (r = fn(NULL, arg)) < 0)
			break;
		nlmsg_get(msg); /* send_one takes one reference */
		r = send_one(c, msg, NLM_F_DUMP, &seq, err);
		if (r >= 0)
			r = answer_read(c, seq, &a, err);
		if (r >= 0 && a.code < 0)
			r = answer_err(&a, "dump of the kernel's state", err);
		if (r < 0 && r != -EINTR)
			break;
		if (r >= 0 && !a.interrupted)
			break;
		r = err_set(err, -EINTR, "the kernel's state changed during each of %d dumps",
		            attempt + 1);
	}
	nlmsg_free(msg);
	return r;
}
