/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/grpc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"

#define EXTRA_MAX 8u
#define FRAME_HEADER 5u /* a byte: compressed or not; the length, big-endian */
#define TEXT_MAX 400u   /* bytes of a server's words */

struct grpc_call {
	struct h2_stream *stream; /* NULL when it has ended */
	struct grpc_reader reader;
	unsigned busy;  /* callbacks under way */
	bool forgotten; /* cancelled, or ended */
	int http_status;
	int code; /* -1: none has come */
	char text[TEXT_MAX];
	const struct grpc_ops *ops;
	void *arg;
};

/* ---- the pure parts */

void grpc_reader_done(struct grpc_reader *r)
{
	buf_done(&r->part);
}

/* Bytes of the message that begins at data, with its header; 0: too few to say. */
static int frame_size(const uint8_t *data, size_t len, size_t *ret)
{
	uint32_t body;

	*ret = 0;
	if (len < FRAME_HEADER)
		return 0;
	if (data[0] != 0)
		return -EBADMSG;
	body = (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
	if (body > GRPC_MESSAGE_MAX)
		return -EMSGSIZE;
	*ret = FRAME_HEADER + body;
	return 0;
}

int grpc_reader_feed(struct grpc_reader *r, const void *data, size_t len,
                     bool (*fn)(void *arg, const void *message, size_t len), void *arg)
{
	const uint8_t *at = data, *end = at + len;
	size_t size;
	int rc;

	/* A message that has begun: its header first, then exactly what is missing. */
	while (r->part.len && at < end) {
		size_t want, left = (size_t)(end - at);

		rc = frame_size(r->part.data, r->part.len, &size);
		if (rc < 0)
			return rc;
		want = (size ? size : FRAME_HEADER) - r->part.len;
		if (want > left)
			want = left;
		buf_add(&r->part, at, want);
		at += want;
		rc = frame_size(r->part.data, r->part.len, &size);
		if (rc < 0)
			return rc;
		if (size && r->part.len == size) {
			struct buf whole = r->part;
			bool more;

			r->part = (struct buf){ 0 };
			more = fn(arg, whole.data + FRAME_HEADER, size - FRAME_HEADER);
			buf_done(&whole);
			if (!more)
				return 0;
		}
	}
	while (at < end) {
		size_t left = (size_t)(end - at);

		rc = frame_size(at, left, &size);
		if (rc < 0)
			return rc;
		if (size == 0 || size > left) {
			buf_add(&r->part, at, left);
			break;
		}
		if (!fn(arg, at + FRAME_HEADER, size - FRAME_HEADER))
			return 0;
		at += size;
	}
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

void grpc_text_decode(const char *s, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		int hi = s[i] == '%' && len - i > 2 ? hex_digit(s[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;

		if (lo >= 0 && (hi || lo)) {
			out[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = '\0';
}

/* ---- a call */

static void call_release(struct grpc_call *c)
{
	if (c->busy || !c->forgotten)
		return;
	grpc_reader_done(&c->reader);
	free(c);
}

static void call_end(struct grpc_call *c, const struct grpc_status *status)
{
	if (c->forgotten)
		return;
	c->forgotten = true;
	if (c->stream)
		h2_cancel(c->stream);
	c->stream = NULL;
	c->ops->on_end(c->arg, status);
}

static void on_header(void *arg, const char *name, const char *value, size_t len)
{
	struct grpc_call *c = arg;

	if (strcmp(name, "grpc-status") == 0) {
		long code = strtol(value, NULL, 10);

		c->code = code >= 0 && code <= INT_MAX ? (int)code : GRPC_UNKNOWN;
	} else if (strcmp(name, "grpc-message") == 0) {
		grpc_text_decode(value, len, c->text, sizeof(c->text));
	} else if (strcmp(name, ":status") == 0) {
		c->http_status = atoi(value);
	}
}

static bool on_message(void *arg, const void *message, size_t len)
{
	struct grpc_call *c = arg;

	c->ops->on_message(c->arg, message, len);
	return !c->forgotten;
}

static void on_data(void *arg, const void *data, size_t len)
{
	struct grpc_call *c = arg;
	struct grpc_status status = { .code = GRPC_INTERNAL };
	int rc;

	if (c->http_status != 200)
		return; /* an error page; the status says enough */
	c->busy++;
	rc = grpc_reader_feed(&c->reader, data, len, on_message, c);
	c->busy--;
	if (rc < 0) {
		status.too_large = rc == -EMSGSIZE;
		status.text = status.too_large ? "the server's answer is too large"
		                               : "the server's answer is compressed";
		c->busy++;
		call_end(c, &status);
		c->busy--;
	}
	call_release(c);
}

static void on_end(void *arg, const char *why, bool unprocessed)
{
	struct grpc_call *c = arg;
	struct grpc_status status = { .code = GRPC_UNAVAILABLE, .unprocessed = unprocessed };
	char text[64];

	c->stream = NULL;
	status.text = why;
	if (c->code >= 0) {
		status.code = (enum grpc_code)c->code;
		status.text = c->text;
		status.said = true;
	} else if (c->http_status && c->http_status != 200) {
		(void)snprintf(text, sizeof(text), "the server answers with HTTP status %d",
		               c->http_status);
		status.text = text;
	} else if (!why) {
		status.text = "the server has ended the stream without a status";
	}
	c->busy++;
	call_end(c, &status);
	c->busy--;
	call_release(c);
}

static const struct h2_stream_ops stream_ops = {
	.on_header = on_header,
	.on_data = on_data,
	.on_end = on_end,
};

struct grpc_call *grpc_call_new(struct h2 *h, bool secure, const char *authority,
                                const char *method, const struct h2_header *extra, size_t n,
                                const struct grpc_ops *ops, void *arg)
{
	struct h2_header headers[7 + EXTRA_MAX] = {
		{ ":method", "POST" },
		{ ":scheme", secure ? "https" : "http" },
		{ ":path", method },
		{ ":authority", authority },
		{ "content-type", "application/grpc" },
		{ "te", "trailers" },
	};
	char agent[64];
	struct grpc_call *c;

	assert(n <= EXTRA_MAX);
	(void)snprintf(agent, sizeof(agent), "percale/%s", percale_version);
	headers[6] = (struct h2_header){ "user-agent", agent };
	for (size_t i = 0; i < n; i++)
		headers[7 + i] = extra[i];
	c = xcalloc(1, sizeof(*c));
	c->code = -1;
	c->ops = ops;
	c->arg = arg;
	c->stream = h2_open(h, headers, 7 + n, &stream_ops, c);
	if (!c->stream) {
		free(c);
		return NULL;
	}
	return c;
}

void grpc_call_send(struct grpc_call *c, const void *message, size_t len, bool last)
{
	uint8_t header[FRAME_HEADER] = { 0, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		                         (uint8_t)(len >> 8), (uint8_t)len };

	if (!c->stream)
		return;
	h2_send(c->stream, header, sizeof(header), false);
	h2_send(c->stream, message, len, last);
}

void grpc_call_cancel(struct grpc_call *c)
{
	if (!c || c->forgotten)
		return;
	c->forgotten = true;
	if (c->stream)
		h2_cancel(c->stream);
	c->stream = NULL;
	call_release(c);
}
