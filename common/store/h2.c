/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/h2.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/tls/tls.h"

#define CONNECT_MS 4000u /* to the server's SETTINGS, TLS and all */
#define READ_SIZE (64u << 10)
#define READS_MAX 16u            /* in one turn of the loop */
#define WRITE_CHUNK (64u << 10)  /* collected before it is written */
#define STREAM_WINDOW (4u << 20) /* bytes that a stream may be ahead of us */
#define CONNECTION_WINDOW (16u << 20)
/*
 * A gRPC server takes PINGs that come faster than it likes as an attack; etcd's default is one in
 * five seconds. When it says ENHANCE_YOUR_CALM, the gap is doubled for the connections that follow.
 */
#define PING_GAP_MS 6000u
#define PING_GAP_MAX_MS 60000u
#define PING_ANSWER_MS 4000u

enum h2_state {
	H2_CONNECTING,
	H2_HANDSHAKE,
	H2_GREETING, /* the server's SETTINGS are awaited: one that is stopped does not send them */
	H2_UP,
	H2_DOWN,
};

struct h2 {
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t timer; /* the deadline of connecting, later the PING */
	uv_prepare_t flush;
	unsigned open_handles;
	bool freed;
	enum h2_state state;
	int fd;
	int events; /* what poll waits for */
	struct tls_context *tls_context;
	struct tls *tls;
	char *server;
	nghttp2_session *session;
	struct list streams;
	size_t n_streams; /* whose owner waits */
	struct buf out;   /* bytes to write */
	bool goaway;
	bool spent;            /* the numbers of streams are used up: to be told */
	uint64_t heard, asked; /* loop time in ms: of the last byte, of the last PING */
	bool ping_open;
	char why[256];
	const struct h2_ops *ops;
	void *arg;
};

struct h2_stream {
	struct list node;
	struct h2 *h;
	int32_t id;
	struct buf body; /* not yet sent */
	bool last, deferred;
	bool left;                       /* part of the request is on its way */
	const struct h2_stream_ops *ops; /* NULL: cancelled */
	void *arg;
};

static uint64_t ping_gap_ms = PING_GAP_MS; /* grows when a server objects */

int32_t h2_stream_last = INT32_MAX;

/* ---- the end */

static void on_closed(uv_handle_t *handle)
{
	struct h2 *h = handle->data;

	if (--h->open_handles)
		return;
	if (h->session)
		nghttp2_session_del(h->session);
	list_for_each_safe (it, &h->streams) {
		struct h2_stream *s = list_entry(it, struct h2_stream, node);

		buf_done(&s->body);
		free(s);
	}
	tls_free(h->tls);
	tls_context_unref(h->tls_context);
	if (h->fd >= 0)
		close(h->fd);
	buf_done(&h->out);
	free(h->server);
	free(h);
}

void h2_free(struct h2 *h)
{
	if (!h || h->freed)
		return;
	h->freed = true;
	h->state = H2_DOWN;
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	uv_close((uv_handle_t *)&h->flush, on_closed);
}

static void stream_end(struct h2_stream *s, const char *why, bool unprocessed)
{
	const struct h2_stream_ops *ops = s->ops;

	if (!ops)
		return;
	s->ops = NULL;
	s->h->n_streams--;
	ops->on_end(s->arg, why, unprocessed);
}

/* The connection is of no use any more. */
static void fail(struct h2 *h, const char *why)
{
	if (h->state == H2_DOWN)
		return;
	h->state = H2_DOWN;
	if (why != h->why)
		(void)snprintf(h->why, sizeof(h->why), "%s", why);
	(void)uv_poll_stop(&h->poll);
	(void)uv_timer_stop(&h->timer);
	(void)uv_prepare_stop(&h->flush);
	/* Owners may cancel other streams meanwhile: those lose their ops, not their place. */
	list_for_each (it, &h->streams) {
		struct h2_stream *s = list_entry(it, struct h2_stream, node);

		stream_end(s, h->why, !s->left);
		if (h->freed)
			return;
	}
	h->ops->on_down(h->arg, h->why);
}

static void fail_errno(struct h2 *h, const char *what, int code)
{
	char why[200];

	(void)snprintf(why, sizeof(why), "%s%s%s", what, *what ? ": " : "", strerror(-code));
	fail(h, why);
}

void h2_abandon(struct h2 *h, const char *why)
{
	fail(h, why);
}

/* ---- writing and reading */

/* Is there a session? */
static bool talks(const struct h2 *h)
{
	return h->state == H2_GREETING || h->state == H2_UP;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct h2 *h, int events)
{
	if (h->state == H2_DOWN || h->events == events)
		return;
	h->events = events;
	(void)uv_poll_start(&h->poll, events, on_poll);
}

static ssize_t socket_write(struct h2 *h, const struct iovec *iov, struct err *err)
{
	ssize_t n;

	if (h->tls)
		return tls_write(h->tls, iov, 1, err);
	n = send(h->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	return n >= 0 ? n : (errno == EAGAIN || errno == EINTR) ? -EAGAIN : err_sys(err, "write");
}

static ssize_t socket_read(struct h2 *h, void *to, size_t len, struct err *err)
{
	ssize_t n;

	if (h->tls)
		return tls_read(h->tls, to, len, err);
	n = recv(h->fd, to, len, 0);
	return n >= 0 ? n : (errno == EAGAIN || errno == EINTR) ? -EAGAIN : err_sys(err, "read");
}

static int poll_events_of_tls(const struct h2 *h)
{
	short wanted = h->tls ? tls_events(h->tls) : 0;

	return (wanted & POLLIN ? UV_READABLE : 0) | (wanted & POLLOUT ? UV_WRITABLE : 0);
}

/* Writes what the session has to say until the socket is full. */
static void write_out(struct h2 *h)
{
	struct err err = { 0 };

	while (talks(h)) {
		struct iovec iov;
		ssize_t n;

		while (h->out.len < WRITE_CHUNK) {
			const uint8_t *data;

			n = nghttp2_session_mem_send(h->session, &data);
			if (h->freed || h->state == H2_DOWN)
				return;
			if (n < 0) {
				fail(h, nghttp2_strerror((int)n));
				return;
			}
			if (n == 0)
				break;
			buf_add(&h->out, data, (size_t)n);
		}
		if (h->out.len == 0) {
			poll_for(h, UV_READABLE);
			break;
		}
		iov = (struct iovec){ h->out.data, h->out.len };
		n = socket_write(h, &iov, &err);
		if (n == -EAGAIN) {
			poll_for(h, UV_READABLE | UV_WRITABLE | poll_events_of_tls(h));
			return;
		}
		if (n < 0) {
			fail(h, err.text);
			return;
		}
		buf_consume(&h->out, (size_t)n);
	}
	if (talks(h) && !nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session))
		fail(h, h->why[0] ? h->why : "the server has ended the connection");
}

static void on_flush(uv_prepare_t *prepare)
{
	struct h2 *h = prepare->data;

	(void)uv_prepare_stop(prepare);
	write_out(h);
	if (!h->spent || h->state != H2_UP || h->freed)
		return;
	h->spent = false;
	/* What is open goes on, and the connection ends with it. */
	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	if (h->ops->on_goaway)
		h->ops->on_goaway(h->arg);
	write_out(h);
}

static void flush_soon(struct h2 *h)
{
	if (talks(h))
		(void)uv_prepare_start(&h->flush, on_flush);
}

static void read_in(struct h2 *h)
{
	static uint8_t bytes[READ_SIZE]; /* one loop, one thread */
	struct err err = { 0 };

	for (unsigned i = 0; talks(h) && (i < READS_MAX || (h->tls && tls_pending(h->tls))); i++) {
		ssize_t n = socket_read(h, bytes, sizeof(bytes), &err), used;

		if (n == -EAGAIN)
			break;
		if (n == 0) {
			fail(h, h->why[0] ? h->why : "the server has closed the connection");
			return;
		}
		if (n < 0) {
			fail(h, err.text);
			return;
		}
		h->heard = uv_now(h->loop);
		h->ping_open = false;
		used = nghttp2_session_mem_recv(h->session, bytes, (size_t)n);
		if (h->freed || h->state == H2_DOWN)
			return;
		if (used < 0) {
			fail(h, nghttp2_strerror((int)used));
			return;
		}
	}
	write_out(h);
}

/* ---- the PING */

static void on_timer(uv_timer_t *timer);

static void timer_in(struct h2 *h, uint64_t ms)
{
	(void)uv_timer_start(&h->timer, on_timer, ms, 0);
}

static void ping(struct h2 *h)
{
	h->asked = uv_now(h->loop);
	h->ping_open = true;
	(void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
	flush_soon(h);
	timer_in(h, PING_ANSWER_MS);
}

static void on_timer(uv_timer_t *timer)
{
	struct h2 *h = timer->data;
	uint64_t quiet, since_ping;

	if (h->state != H2_UP) {
		fail_errno(h,
		           h->state == H2_CONNECTING  ? "connect"
		           : h->state == H2_HANDSHAKE ? "TLS handshake"
		                                      : "HTTP/2",
		           -ETIMEDOUT);
		return;
	}
	if (h->ping_open) { /* what has come while this process was held up counts */
		read_in(h);
		if (h->freed || h->state == H2_DOWN)
			return;
		if (h->ping_open) {
			fail(h, "the server does not answer a PING");
			return;
		}
	}
	if (h->n_streams == 0) /* nobody waits, and servers object to a PING then */
		return;
	quiet = uv_now(h->loop) - h->heard;
	since_ping = uv_now(h->loop) - h->asked;
	if (quiet >= ping_gap_ms && since_ping >= ping_gap_ms)
		ping(h);
	else
		timer_in(h, ping_gap_ms - (quiet < since_ping ? quiet : since_ping));
}

void h2_doubt(struct h2 *h)
{
	uint64_t now = uv_now(h->loop);

	if (h->state == H2_UP && !h->ping_open && now - h->asked >= ping_gap_ms &&
	    now - h->heard >= 1000)
		ping(h);
}

/* ---- nghttp2's callbacks */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)name_len;
	(void)flags;
	if (s && s->ops)
		s->ops->on_header(s->arg, (const char *)name, (const char *)value, len);
	return h->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	if (s && s->ops)
		s->ops->on_data(s->arg, data, len);
	return h->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	char why[128];

	if (!s)
		return 0;
	(void)snprintf(why, sizeof(why), "the server has reset the stream: %s",
	               nghttp2_http2_strerror(code));
	stream_end(s, code == NGHTTP2_NO_ERROR ? NULL : why, code == NGHTTP2_REFUSED_STREAM);
	list_unlink(&s->node);
	buf_done(&s->body);
	free(s);
	return h->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_SETTINGS && h->state == H2_GREETING) {
		h->state = H2_UP;
		h->asked = uv_now(h->loop);
		(void)uv_timer_stop(&h->timer);
		h->ops->on_up(h->arg);
	}
	if (frame->hd.type != NGHTTP2_GOAWAY)
		return h->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
	(void)snprintf(h->why, sizeof(h->why), "the server has ended the connection: %s%s%s",
	               nghttp2_http2_strerror(frame->goaway.error_code),
	               frame->goaway.opaque_data_len ? ": " : "",
	               frame->goaway.opaque_data_len
	                       ? str_vis((const char *)frame->goaway.opaque_data,
	                                 frame->goaway.opaque_data_len > 80
	                                         ? 80
	                                         : frame->goaway.opaque_data_len)
	                       : "");
	if (frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
	    ping_gap_ms < PING_GAP_MAX_MS) {
		ping_gap_ms *= 2;
		log_info("a server wants fewer PINGs", "gap_ms=%llu",
		         (unsigned long long)ping_gap_ms);
	}
	if (!h->goaway) {
		h->goaway = true;
		if (h->ops->on_goaway)
			h->ops->on_goaway(h->arg);
	}
	return h->freed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s = source->ptr;
	size_t n = s->body.len < len ? s->body.len : len;

	(void)session;
	(void)id;
	(void)arg;
	if (n == 0 && !s->last) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	s->left = true;
	if (n)
		memcpy(to, s->body.data, n);
	buf_consume(&s->body, n);
	if (s->last && s->body.len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void session_open(struct h2 *h)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
	};
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		abort(); /* out of memory */
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	if (nghttp2_session_client_new(&h->session, cb, h) != 0 ||
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
	                            ARRAY_SIZE(settings)) != 0 ||
	    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
	                                          CONNECTION_WINDOW) != 0)
		abort();
	nghttp2_session_callbacks_del(cb);
}

/* ---- connecting */

static void greet(struct h2 *h)
{
	h->state = H2_GREETING;
	h->heard = uv_now(h->loop);
	session_open(h);
	flush_soon(h);
	poll_for(h, UV_READABLE);
}

static void handshake(struct h2 *h)
{
	struct err err = { 0 };
	int rc = tls_handshake(h->tls, &err);
	const char *alpn;

	if (rc == -EAGAIN) {
		poll_for(h, poll_events_of_tls(h));
		return;
	}
	if (rc < 0) {
		fail(h, err.text);
		return;
	}
	alpn = tls_alpn(h->tls);
	if (!alpn || strcmp(alpn, "h2") != 0)
		fail(h, "the server does not speak HTTP/2");
	else
		greet(h);
}

static void connected(struct h2 *h)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code) {
		fail_errno(h, "connect", -code);
		return;
	}
	if (!h->tls_context) {
		greet(h);
		return;
	}
	h->tls = tls_new(h->tls_context, h->fd, h->server);
	if (!h->tls) {
		fail_errno(h, "TLS", -ENOMEM);
		return;
	}
	h->state = H2_HANDSHAKE;
	handshake(h);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct h2 *h = poll->data;

	/* An error on the socket is told without saying which; connecting and reading find out. */
	if (h->state == H2_CONNECTING)
		connected(h);
	else if (h->state == H2_HANDSHAKE)
		handshake(h);
	else if (status < 0 || (events & UV_READABLE))
		read_in(h);
	else
		write_out(h);
	if (status < 0) /* the handle is stopped by now */
		fail(h, "the connection is broken");
}

int h2_connect(uv_loop_t *loop, const struct sockaddr *sa, socklen_t sa_len,
               struct tls_context *tls, const char *server, const struct h2_ops *ops, void *arg,
               struct h2 **ret, struct err *err)
{
	CLEANUP(close_p)
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	struct h2 *h;

	if (fd < 0)
		return err_sys(err, "socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, sa, sa_len) < 0 && errno != EINPROGRESS)
		return err_sys(err, "connect");
	h = xcalloc(1, sizeof(*h));
	h->loop = loop;
	h->fd = take_fd(&fd);
	h->tls_context = tls ? tls_context_ref(tls) : NULL;
	h->server = xstrdup(server);
	h->ops = ops;
	h->arg = arg;
	list_init(&h->streams);
	if (uv_poll_init(loop, &h->poll, h->fd) != 0 || uv_timer_init(loop, &h->timer) != 0 ||
	    uv_prepare_init(loop, &h->flush) != 0)
		abort(); /* a socket can be polled */
	h->open_handles = 3;
	h->poll.data = h->timer.data = h->flush.data = h;
	poll_for(h, UV_WRITABLE);
	timer_in(h, CONNECT_MS);
	*ret = h;
	return 0;
}

/* ---- streams */

bool h2_usable(const struct h2 *h)
{
	return h->state == H2_UP && !h->goaway;
}

struct h2_stream *h2_open(struct h2 *h, const struct h2_header *headers, size_t n,
                          const struct h2_stream_ops *ops, void *arg)
{
	nghttp2_nv nv[16];
	nghttp2_data_provider body = { .read_callback = read_body };
	struct h2_stream *s;

	assert(n <= ARRAY_SIZE(nv));
	if (!h2_usable(h))
		return NULL;
	for (size_t i = 0; i < n; i++)
		nv[i] = (nghttp2_nv){
			.name = (uint8_t *)(uintptr_t)headers[i].name,
			.namelen = strlen(headers[i].name),
			.value = (uint8_t *)(uintptr_t)headers[i].value,
			.valuelen = strlen(headers[i].value),
		};
	s = xcalloc(1, sizeof(*s));
	s->h = h;
	s->ops = ops;
	s->arg = arg;
	body.source.ptr = s;
	s->id = nghttp2_submit_request(h->session, NULL, nv, n, &body, s);
	if (s->id < 0) { /* what nghttp2 cannot do now, another connection may */
		free(s);
		h->goaway = h->spent = true;
		flush_soon(h);
		return NULL;
	}
	if (s->id > h2_stream_last - 2) /* each has an odd number of its own */
		h->goaway = h->spent = true;
	list_push_back(&h->streams, &s->node);
	if (h->n_streams++ == 0 && !uv_is_active((uv_handle_t *)&h->timer))
		timer_in(h, ping_gap_ms);
	flush_soon(h);
	return s;
}

void h2_send(struct h2_stream *s, const void *data, size_t len, bool last)
{
	if (s->h->state != H2_UP)
		return;
	buf_add(&s->body, data, len);
	s->last = last;
	if (s->deferred) {
		s->deferred = false;
		(void)nghttp2_session_resume_data(s->h->session, s->id);
	}
	flush_soon(s->h);
}

void h2_cancel(struct h2_stream *s)
{
	if (!s->ops)
		return;
	s->ops = NULL;
	s->h->n_streams--;
	if (s->h->state != H2_UP)
		return;
	(void)nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	flush_soon(s->h);
}
