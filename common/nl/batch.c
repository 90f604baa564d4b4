/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch leaves in datagrams of many requests. The kernel works them off in order inside sendmsg()
 * and queues one acknowledgement for each, so a datagram must not hold more requests than the
 * receive buffer has room for acknowledgements: one takes less than a KiB there.
 */
#include <errno.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/conn.h"

#define DATAGRAM_REQUESTS 128
#define DATAGRAM_BYTES                                                                             \
	32768 /* below the default send buffer, and small enough for the kernel to allocate at     \
	         ease */

struct request {
	struct nl_msg *msg; /* NULL: it was too large to be built */
	uint64_t id;
};

struct nl_batch {
	struct nl_conn *conn;
	struct request *requests;
	size_t len, cap;
};

struct nl_batch *nl_batch_new(struct nl_conn *c)
{
	struct nl_batch *b = xcalloc(1, sizeof(*b));

	b->conn = c;
	return b;
}

static void batch_clear(struct nl_batch *b)
{
	for (size_t i = 0; i < b->len; i++)
		nlmsg_free(b->requests[i].msg);
	b->len = 0;
}

void nl_batch_free(struct nl_batch *b)
{
	if (!b)
		return;
	batch_clear(b);
	free(b->requests);
	free(b);
}

void nl_batch_add(struct nl_batch *b, struct nl_msg *msg, uint64_t id)
{
	if (b->len == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16;
		b->requests = xrealloc(b->requests, b->cap * sizeof(*b->requests));
	}
	b->requests[b->len++] = (struct request){ msg, id };
}

size_t nl_batch_len(const struct nl_batch *b)
{
	return b->len;
}

/* The acknowledgements of one datagram: n requests with the numbers from first_seq on, without a
 * gap. */
struct expected {
	const struct request *requests;
	size_t n, next; /* next: the first without verdict */
	uint32_t first_seq;
	nl_verdict_fn *verdict;
	void *arg;
};

/* Acknowledgements come in order, so a later one says that those before it were lost. */
static void expected_fail_until(struct expected *e, size_t until, int code)
{
	for (; e->next < until; e->next++)
		if (e->verdict)
			e->verdict(e->arg, e->requests[e->next].id, code, NULL);
}

static void expected_take(struct expected *e, const struct nlmsghdr *h)
{
	uint32_t at = h->nlmsg_seq - e->first_seq; /* wraps around for numbers before the first */
	const char *text = NULL;
	int code;

	if (h->nlmsg_type != NLMSG_ERROR || at >= e->n || at < e->next)
		return;
	code = nl_verdict(h, &text);
	expected_fail_until(e, at, -ENOBUFS);
	e->next = at + 1;
	if (e->verdict)
		e->verdict(e->arg, e->requests[at].id, code, text);
}

static int expected_read(struct nl_conn *c, struct expected *e, struct err *err)
{
	bool overrun = false;

	while (e->next < e->n) {
		const struct nlmsghdr *h;
		const uint8_t *at = c->in;
		size_t left;
		int r = nl_datagram(c->fd, c->in, NL_RECV_MAX, overrun, &left);

		if (r == -ENOBUFS) {
			overrun = true; /* read what did fit, then give up on the rest */
			continue;
		}
		if (r == -EAGAIN) {
			expected_fail_until(e, e->n, -ENOBUFS);
			return 0;
		}
		if (r < 0) {
			expected_fail_until(e, e->n, r);
			return err_set(err, r, "reading the kernel's acknowledgements: %s",
			               strerror(-r));
		}
		while ((h = nl_next(&at, &left)))
			expected_take(e, h);
	}
	return 0;
}

/* Sends requests [from, ...) as one datagram. Returns how many it took, or a negative errno. */
static int send_some(struct nl_batch *b, size_t from, nl_verdict_fn *verdict, void *arg,
                     struct err *err)
{
	struct iovec iov[DATAGRAM_REQUESTS];
	struct expected e = { .requests = b->requests + from, .verdict = verdict, .arg = arg };
	size_t bytes = 0;
	int r;

	while (from + e.n < b->len && e.n < DATAGRAM_REQUESTS) {
		struct nl_msg *msg = b->requests[from + e.n].msg;
		struct nlmsghdr *h = msg ? nlmsg_hdr(msg) : NULL;
		uint32_t seq;

		if (!h || (e.n > 0 && bytes + h->nlmsg_len > DATAGRAM_BYTES) ||
		    b->conn->seq == UINT32_MAX)
			break;
		seq = nl_stamp(b->conn, msg, NLM_F_ACK);
		if (e.n == 0)
			e.first_seq = seq;
		/* The pad between two messages: libnl's buffers are zeroed and aligned at their
		 * end. */
		iov[e.n++] = (struct iovec){ h, NLMSG_ALIGN(h->nlmsg_len) };
		bytes += NLMSG_ALIGN(h->nlmsg_len);
	}
	if (e.n == 0 && b->conn->seq == UINT32_MAX) {
		b->conn->seq = 0;
		return 0;
	}
	if (e.n == 0) {
		if (verdict)
			verdict(arg, b->requests[from].id, -EMSGSIZE,
			        "the message did not fit its buffer");
		return 1;
	}
	r = nl_conn_send(b->conn, iov, e.n, err);
	if (r < 0) {
		expected_fail_until(&e, e.n, r);
		return r;
	}
	r = expected_read(b->conn, &e, err);
	return r < 0 ? r : (int)e.n;
}

int nl_batch_commit(struct nl_batch *b, nl_verdict_fn *verdict, void *arg, struct err *err)
{
	size_t from = 0;
	int failed = 0;

	while (from < b->len && !failed) {
		int n = send_some(b, from, verdict, arg, err);

		if (n < 0)
			failed = n;
		else
			from += (size_t)n;
	}
	batch_clear(b);
	return failed;
}
