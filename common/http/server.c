/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/http/server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/tcp.h"
#include "common/loop/listener.h"
#include "common/loop/transport.h"

#define MAX_CONNECTIONS_DEFAULT 64u
#define REQUEST_MS_DEFAULT 10000u
#define IDLE_MS_DEFAULT 60000u
#define READ_CHUNK 4096u
#define PIPELINED_PER_TURN 16

struct http_server {
	uv_loop_t *loop;
	struct listener listener;
	bool listening; /* its last callback is still to come */
	uint16_t port;
	const struct http_server_ops *ops;
	void *arg;
	struct list conns; /* struct conn: who has waited longest is first */
	struct http_server_stats stats;
	unsigned live, max, request_ms, idle_ms;
	bool closing;
	struct log_limit log_bad, log_full;
};

struct conn {
	struct list node; /* in server->conns */
	struct http_server *server;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	unsigned open_handles;
	struct transport *transport; /* NULL: none */
	bool shaking;                /* the transport's handshake is under way */
	bool gone;                   /* being closed */
	bool last;                   /* closes after out */
	bool ended;                  /* all that may come has been read: only waits for the end */
	struct buf in, out;
	size_t sent; /* of out */
};

static void on_conn_event(uv_poll_t *h, int status, int events);

/* ---- ends */

static void server_maybe_free(struct http_server *s)
{
	if (s->closing && !s->listening && s->live == 0)
		free(s);
}

static void on_conn_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	struct http_server *s = c->server;

	if (--c->open_handles)
		return;
	free(c);
	s->live--;
	server_maybe_free(s);
}

static void conn_close(struct conn *c)
{
	if (c->gone)
		return;
	c->gone = true;
	list_unlink(&c->node);
	c->server->stats.connections--;
	if (c->transport)
		c->transport->ops->free(c->transport);
	uv_close((uv_handle_t *)&c->poll, on_conn_closed);
	uv_close((uv_handle_t *)&c->timer, on_conn_closed);
	(void)close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
}

static void on_late(uv_timer_t *t)
{
	struct conn *c = t->data;

	c->server->stats.timed_out++;
	conn_close(c);
}

static void conn_deadline(struct conn *c, unsigned ms)
{
	(void)uv_timer_start(&c->timer, on_late, ms, 0);
}

/* Now it has asked, or been answered: others have waited longer. */
static void conn_touch(struct conn *c)
{
	list_unlink(&c->node);
	list_push_back(&c->server->conns, &c->node);
}

static void conn_wait(struct conn *c, int events)
{
	(void)uv_poll_start(&c->poll, events, on_conn_event);
}

static int transport_wait(const struct conn *c)
{
	return c->transport->ops->events(c->transport) & POLLOUT ? UV_WRITABLE : UV_READABLE;
}

/* ---- answers */

static void add_answer(struct conn *c, const struct http_request *q, unsigned status,
                       const char *type, struct buf *body)
{
	bool keep = q && q->keep_alive && status != 400;

	buf_printf(&c->out, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
	if (status == 405)
		buf_str(&c->out, "Allow: GET, HEAD\r\n");
	if (status != 204)
		buf_printf(&c->out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body->len);
	buf_printf(&c->out,
	           "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	           "Connection: %s\r\n\r\n",
	           keep ? "keep-alive" : "close");
	if (status != 204 && !(q && q->head))
		buf_add(&c->out, body->data, body->len);
	c->last = !keep;
}

static void refuse(struct conn *c, unsigned status)
{
	struct http_server *s = c->server;
	struct buf body = { 0 };
	unsigned held;

	s->stats.bad_requests++;
	if (log_limit_pass(&s->log_bad, &held))
		log_warn("a request over HTTP makes no sense", "server=%s status=%u suppressed=%u",
		         s->ops->name, status, held);
	buf_printf(&body, "%u %s\n", status, http_reason(status));
	add_answer(c, NULL, status, "text/plain; charset=utf-8", &body);
	buf_done(&body);
}

static void answer(struct conn *c, const struct http_request *q)
{
	struct http_reply r = { .status = 200, .type = "text/plain; charset=utf-8" };

	c->server->stats.requests++;
	c->server->ops->serve(c->server->arg, q, &r);
	if (r.status == 404 && !r.body.len)
		buf_str(&r.body, "404 Not Found\n");
	add_answer(c, q, r.status, r.type, &r.body);
	buf_done(&r.body);
}

/* Writes what is there. false: the connection is closed, or waits for the socket. */
static bool flush(struct conn *c)
{
	struct err err = { 0 };

	while (c->sent < c->out.len) {
		struct iovec iov = { c->out.data + c->sent, c->out.len - c->sent };
		ssize_t n;

		if (c->transport) {
			n = c->transport->ops->write(c->transport, &iov, 1, &err);
		} else {
			n = send(c->fd, iov.iov_base, iov.iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0)
				n = -errno;
		}
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			conn_wait(c, c->transport ? transport_wait(c) : UV_WRITABLE);
			return false;
		}
		if (n < 0) {
			conn_close(c);
			return false;
		}
		c->sent += (size_t)n;
		conn_deadline(c, c->server->request_ms);
	}
	buf_done(&c->out);
	c->sent = 0;
	if (!c->last)
		return true;
	/* What the other side still sends would reset the connection under the answer: it is read
	 * and thrown away until the end, or the deadline. */
	if (c->transport) {
		conn_close(c);
		return false;
	}
	(void)shutdown(c->fd, SHUT_WR);
	c->ended = true;
	conn_wait(c, UV_READABLE);
	return false;
}

/* ---- requests */

/* Answers what is whole. false: the connection is closed, or waits. */
static bool work(struct conn *c)
{
	for (int i = 0; c->in.len; i++) {
		struct http_request q;
		size_t used;
		unsigned status =
		        http_request_parse((const char *)c->in.data, c->in.len, &q, &used);

		if (status == 0)
			return true;
		conn_touch(c);
		if (status == 200) {
			buf_consume(&c->in, used);
			answer(c, &q);
		} else {
			refuse(c, status);
		}
		if (!flush(c))
			return false;
		conn_deadline(c, c->in.len ? c->server->request_ms : c->server->idle_ms);
		if (i == PIPELINED_PER_TURN) { /* others want to be served, too */
			conn_wait(c, UV_READABLE | UV_WRITABLE);
			return false;
		}
	}
	return true;
}

static ssize_t conn_read(struct conn *c, void *to, size_t len)
{
	struct err err = { 0 };
	ssize_t n;

	if (c->transport)
		return c->transport->ops->read(c->transport, to, len, &err);
	n = recv(c->fd, to, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

/* Reads a piece. false: there is none now, or the connection is closed. */
static bool take_piece(struct conn *c)
{
	char piece[READ_CHUNK];
	ssize_t n = conn_read(c, piece, sizeof(piece));

	if (n == -EAGAIN) {
		conn_wait(c, c->transport ? transport_wait(c) : UV_READABLE);
		return false;
	}
	if (n <= 0 && n != -EINTR) {
		conn_close(c);
		return false;
	}
	if (n > 0 && !c->ended) {
		if (!c->in.len) /* a request begins */
			conn_deadline(c, c->server->request_ms);
		buf_add(&c->in, piece, (size_t)n);
	}
	return true;
}

static void on_conn_event(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;
	struct err err = { 0 };
	int rc;

	(void)events;
	if (status < 0) {
		conn_close(c);
		return;
	}
	if (c->shaking) {
		rc = c->transport->ops->handshake(c->transport, &err);
		if (rc == -EAGAIN) {
			conn_wait(c, transport_wait(c));
			return;
		}
		if (rc < 0) {
			unsigned held;

			c->server->stats.bad_requests++;
			if (log_limit_pass(&c->server->log_bad, &held))
				log_warn("TLS failed", "server=%s why=%s suppressed=%u",
				         c->server->ops->name, LOG_VIS(err.text), held);
			conn_close(c);
			return;
		}
		c->shaking = false;
	}
	if (c->out.len && !flush(c))
		return;
	/* Requests that came together first; then what the socket has: a piece a turn, so that
	 * nobody has the loop for himself. */
	if (c->ended || work(c))
		if (take_piece(c) && (c->ended || work(c)))
			conn_wait(c, UV_READABLE | (c->transport && c->transport->ops->pending(
			                                                    c->transport)
			                                    ? UV_WRITABLE
			                                    : 0));
}

/* ---- connections */

static void conn_new(struct http_server *s, int fd)
{
	struct transport_layer *layer = s->ops->transport ? s->ops->transport(s->arg) : NULL;
	struct conn *c = xcalloc(1, sizeof(*c));

	if (s->ops->transport) {
		c->transport = layer ? layer->open(layer, fd, NULL) : NULL;
		c->shaking = true;
	}
	if ((s->ops->transport && !c->transport) || uv_poll_init(s->loop, &c->poll, fd) < 0) {
		if (c->transport)
			c->transport->ops->free(c->transport);
		(void)close(fd);
		free(c);
		return;
	}
	(void)uv_timer_init(s->loop, &c->timer);
	c->server = s;
	c->fd = fd;
	c->poll.data = c->timer.data = c;
	c->open_handles = 2;
	list_push_back(&s->conns, &c->node);
	s->live++;
	s->stats.connections++;
	s->stats.accepted++;
	conn_deadline(c, s->request_ms);
	conn_wait(c, UV_READABLE);
}

static void on_accept(struct listener *l, int fd, const struct sockaddr *sa)
{
	struct http_server *s = l->owner;
	unsigned held;

	(void)sa;
	if (s->stats.connections >= s->max) {
		s->stats.pushed_out++;
		if (log_limit_pass(&s->log_full, &held))
			log_warn("too many connections: the oldest makes room",
			         "server=%s max=%u suppressed=%u", s->ops->name, s->max, held);
		conn_close(list_entry(s->conns.next, struct conn, node));
	}
	conn_new(s, fd);
}

static void on_listener_closed(struct listener *l)
{
	struct http_server *s = l->owner;

	s->listening = false;
	server_maybe_free(s);
}

/* ---- the server */

int http_server_new(uv_loop_t *loop, const char *host, uint16_t port,
                    const struct http_server_ops *ops, void *arg, struct http_server **ret,
                    struct err *err)
{
	struct http_server *s;
	uint16_t got = port;
	int fd, rc = tcp_listen(host, port, &fd, &got, err);

	if (rc < 0)
		return err_wrap(err, rc, "%s over HTTP", ops->name);
	s = xcalloc(1, sizeof(*s));
	s->loop = loop;
	s->port = got;
	s->ops = ops;
	s->arg = arg;
	s->max = ops->max_connections ? ops->max_connections : MAX_CONNECTIONS_DEFAULT;
	s->request_ms = ops->request_ms ? ops->request_ms : REQUEST_MS_DEFAULT;
	s->idle_ms = ops->idle_ms ? ops->idle_ms : IDLE_MS_DEFAULT;
	s->log_bad = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	s->log_full = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	list_init(&s->conns);
	s->listener.owner = s;
	s->listener.on_accept = on_accept;
	s->listener.on_closed = on_listener_closed;
	s->listening = true;
	listener_open(&s->listener, loop, fd, ops->name);
	*ret = s;
	return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
	return s->stats;
}

void http_server_free(struct http_server *s)
{
	if (!s || s->closing)
		return;
	s->closing = true;
	list_for_each_safe (it, &s->conns)
		conn_close(list_entry(it, struct conn, node));
	listener_close(&s->listener);
}
