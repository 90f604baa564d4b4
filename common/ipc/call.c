/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/ipc/call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/frame.h"
#include "common/ipc/sock.h"

#define READ_CHUNK 65536u

static int wait_for(struct ipc_call *c, short events, const char *what, struct err *err)
{
	for (;;) {
		int64_t left = -mono_since_ms(c->deadline);
		struct pollfd p = { .fd = c->fd, .events = events };
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, -ETIMEDOUT, "%s did not %s in time", c->server, what);
		if (errno != EINTR)
			return err_sys(err, "wait for %s", c->server);
	}
}

int ipc_call_open(struct ipc_call *c, const char *run, const char *daemon, const char *file,
                  const ProtobufCMessageDescriptor *reply, int timeout_ms, struct err *err)
{
	char path[SOCK_PATH_MAX];
	int r;

	*c = (struct ipc_call){ .fd = -1, .server = daemon, .reply = reply, .next_id = 1 };
	c->deadline = mono_after(mono_now(), timeout_ms);
	if (sock_path(run, daemon, file, path) < 0)
		return err_set(err, -ENAMETOOLONG,
		               "the run directory's name '%s' is too long for a socket",
		               run ? run : run_dir());
	/*
	 * A Unix socket's connect waits only while the listener's backlog is full, and then
	 * non-blocking mode says EAGAIN at once: try again until the deadline.
	 */
	for (;;) {
		r = unix_connect(path, 1, &c->fd, err);
		if (r != -EAGAIN || mono_since_ms(c->deadline) >= 0)
			break;
		(void)poll(NULL, 0, 2);
	}
	if (r < 0)
		return err_wrap(err, r, "%s is not reachable", daemon);
	c->in = xcalloc(1, sizeof(*c->in));
	c->out = xcalloc(1, sizeof(*c->out));
	return 0;
}

void ipc_call_close(struct ipc_call *c)
{
	if (c->in) {
		buf_done(c->in);
		buf_done(c->out);
		free(c->in);
		free(c->out);
		close_p(&c->fd);
	}
	*c = (struct ipc_call){ .fd = -1 };
}

int ipc_call_queue(struct ipc_call *c, const ProtobufCMessage *request, struct err *err)
{
	struct ipc_frame *f = ipc_frame_pack(request);

	if (!f)
		return err_set(err, -EMSGSIZE, "request to %s is larger than a frame may be",
		               c->server);
	buf_add(c->out, f->data, f->len);
	ipc_frame_unref(f);
	return 0;
}

int ipc_call_flush(struct ipc_call *c, struct err *err)
{
	int r = 0;

	while (c->out->len > 0 && r == 0) {
		ssize_t n = send(c->fd, c->out->data, c->out->len, MSG_NOSIGNAL);

		if (n >= 0)
			buf_consume(c->out, (size_t)n);
		else if (errno == EAGAIN)
			r = wait_for(c, POLLOUT, "take the request", err);
		else if (errno != EINTR)
			r = err_sys(err, "send to %s", c->server);
	}
	return r;
}

int ipc_call_send(struct ipc_call *c, const ProtobufCMessage *request, struct err *err)
{
	int r = ipc_call_queue(c, request, err);

	return r < 0 ? r : ipc_call_flush(c, err);
}

int ipc_call_recv(struct ipc_call *c, ProtobufCMessage **ret_msg, struct err *err)
{
	for (;;) {
		struct cursor body;
		size_t consumed;
		ssize_t n;
		int r = ipc_frame_next(c->in->data, c->in->len, &body, &consumed);

		if (r < 0)
			return err_set(err, -EPROTO, "%s announced a frame that is too large",
			               c->server);
		if (r > 0) {
			ProtobufCMessage *msg = ipc_unpack(c->reply, &body);

			buf_consume(c->in, consumed);
			if (!msg)
				return err_set(err, -EPROTO, "%s sent what is not a message",
				               c->server);
			*ret_msg = msg;
			return 0;
		}
		r = ipc_call_flush(c, err);
		if (r == 0)
			r = wait_for(c, POLLIN, "answer", err);
		if (r < 0)
			return r;
		n = recv(c->fd, buf_extend(c->in, READ_CHUNK), READ_CHUNK, 0);
		c->in->len -= READ_CHUNK - (n > 0 ? (size_t)n : 0);
		if (n == 0)
			return err_set(err, -ECONNRESET, "%s closed the connection", c->server);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(err, "receive from %s", c->server);
	}
}

int ipc_call(struct ipc_call *c, ProtobufCMessage *request, ProtobufCMessage **ret_reply,
             struct err *err)
{
	struct ipc_envelope *envelope = (struct ipc_envelope *)request;
	int r;

	envelope->has_request_id = 1;
	envelope->request_id = c->next_id++;
	r = ipc_call_send(c, request, err);
	while (r == 0) {
		struct ipc_envelope *reply;

		r = ipc_call_recv(c, (ProtobufCMessage **)&reply, err);
		if (r < 0)
			break;
		if (reply->has_request_id && reply->request_id == envelope->request_id) {
			*ret_reply = &reply->base;
			return 0;
		}
		protobuf_c_message_free_unpacked(&reply->base, NULL);
	}
	return r;
}
