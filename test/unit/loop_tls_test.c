/* SPDX-License-Identifier: BSD-2-Clause */
/* Server and client over TCP and TLS, on one loop: who is let in, who stalls and harms nobody,
 * where a client goes when a server is away. */
#include "test/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/tcp.h"
#include "common/loop/client.h"
#include "common/loop/server.h"
#include "common/tls/layer.h"
#include "common/tls/tls.h"
#include "proto/ctl_v1.pb-c.h"
#include "test/unit/cert.h"

#define LONG_ANSWER 3000000 /* bytes */

static struct cert ca, other_ca, server_cert, client_cert, stranger;

struct world {
	uv_loop_t loop;
	char dir[40], path[80];
	struct ipc_server_ops ops;
	struct ipc_server *server;
	struct tls_layer server_layer, client_layer;
	uint16_t port, tls_port;
	struct ipc_client *client;
	uv_timer_t guard;
	int opened, closed, messages, replies, ups, downs, last_status;
	size_t reply_len;
	bool welcomes, long_answer;
	char *address, *proved, *down_why;
	uid_t uid;
};

/* ---- the server */

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	Ctl__V1__ToDaemon *request = (Ctl__V1__ToDaemon *)msg;
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;
	Ctl__V1__Error error = CTL__V1__ERROR__INIT;
	struct world *w = ipc_peer_arg(p);
	CLEANUP(free_p) char *text = xcalloc(1, LONG_ANSWER + 1);

	w->messages++;
	if (w->welcomes)
		ipc_peer_welcome(p);
	memset(text, 'x', w->long_answer ? LONG_ANSWER : 10);
	m.has_request_id = 1;
	m.request_id = request->request_id;
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_ERROR;
	m.error = &error;
	error.text = text;
	(void)ipc_peer_send(p, &m.base);
}

static void on_open(struct ipc_peer *p)
{
	struct world *w = ipc_peer_arg(p);

	w->opened++;
	free(w->address);
	free(w->proved);
	w->address = xstrdup(ipc_peer_address(p));
	w->proved = xstrdup(ipc_peer_proved(p));
	w->uid = ipc_peer_cred(p).uid;
}

static void on_close(struct ipc_peer *p)
{
	((struct world *)ipc_peer_arg(p))->closed++;
}

static void server_open(struct world *w)
{
	struct err err = { 0 };

	if (ipc_server_new(&w->loop, w->path, &w->ops, w, &w->server, &err) < 0 ||
	    ipc_server_listen_tcp(w->server, "", 0, NULL, 0, &w->port, &err) < 0 ||
	    ipc_server_listen_tcp(w->server, "127.0.0.1", 0, &w->server_layer.base, 0, &w->tls_port,
	                          &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- the world */

static void on_guard(uv_timer_t *t)
{
	(void)t;
	fail_msg("the loop did not do what was waited for within 10 s");
}

static struct tls_layer layer_of(const struct cert *c, bool server, const char *cn)
{
	const struct tls_config config = { .server = server,
		                           .ca_pem = ca.cert_pem,
		                           .cert_pem = c->cert_pem,
		                           .key_pem = c->key_pem,
		                           .verify_peer = true };
	struct tls_context *context;
	struct tls_layer l;
	struct err err = { 0 };

	if (tls_context_new(&config, &context, &err) < 0)
		fail_msg("%s", err.text);
	tls_layer_init(&l, context, cn, NULL, false);
	tls_context_unref(context);
	return l;
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/percale-tls-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/api.sock", w->dir);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	(void)uv_timer_init(&w->loop, &w->guard);
	(void)uv_timer_start(&w->guard, on_guard, 10000, 0);
	uv_unref((uv_handle_t *)&w->guard);
	log_set_level(LOG_ERROR);
	w->server_layer = layer_of(&server_cert, true, "typha-client");
	w->client_layer = layer_of(&client_cert, false, "typha-server");
	w->welcomes = true;
	w->ops = (struct ipc_server_ops){ .name = "test",
		                          .request = &ctl__v1__to_daemon__descriptor,
		                          .handshake_ms = 5000,
		                          .on_open = on_open,
		                          .on_message = on_message,
		                          .on_close = on_close };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ipc_client_free(w->client);
	ipc_server_free(w->server);
	uv_close((uv_handle_t *)&w->guard, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	assert_int_equal(w->opened, w->closed);
	assert_int_equal(rmdir(w->dir), 0);
	tls_layer_done(&w->server_layer);
	tls_layer_done(&w->client_layer);
	free(w->address);
	free(w->proved);
	free(w->down_why);
	free(w);
	return 0;
}

#define RUN_UNTIL(w, condition)                                                                    \
	while (!(condition))                                                                       \
	(void)uv_run(&(w)->loop, UV_RUN_ONCE)

/* ---- the client */

static void on_up(void *arg)
{
	((struct world *)arg)->ups++;
}

static void on_down(void *arg, const char *why)
{
	struct world *w = arg;

	free(w->down_why);
	w->down_why = xstrdup(why);
	w->downs++;
}

static void on_reply(void *arg, int status, ProtobufCMessage *reply)
{
	struct world *w = arg;

	w->last_status = status;
	w->reply_len = reply ? strlen(((Ctl__V1__FromDaemon *)reply)->error->text) : 0;
	w->replies++;
}

static const struct ipc_client_ops client_ops = {
	.server = "testd",
	.reply = &ctl__v1__from_daemon__descriptor,
	.on_up = on_up,
	.on_down = on_down,
};

static void client_start(struct world *w, const char *address, bool tls)
{
	const char *const addresses[] = { address };
	const struct ipc_client_config config = { .addresses = addresses,
		                                  .n = 1,
		                                  .layer = tls ? &w->client_layer.base : NULL };
	struct err err = { 0 };

	if (ipc_client_open(&w->loop, &config, &client_ops, w, &w->client, &err) < 0)
		fail_msg("%s", err.text);
}

static void call(struct world *w)
{
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;
	int before = w->replies;

	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	m.who = &who;
	assert_int_equal(ipc_client_call(w->client, &m.base, 9000, on_reply, w), 0);
	RUN_UNTIL(w, w->replies == before + 1);
	assert_int_equal(w->last_status, 0);
}

static const char *at(const char *host, uint16_t port)
{
	static char text[4][80];
	static unsigned turn;
	char *to = text[turn++ % 4];

	(void)snprintf(to, sizeof(text[0]), "%s:%u", host, port);
	return to;
}

static int raw_connect(uint16_t port)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET,
		                        .sin_port = htons(port),
		                        .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* ---- tcp */

static void addresses_are_read_strictly(void **state)
{
	static const struct {
		const char *text, *host; /* host NULL: refused */
		uint16_t port;
	} cases[] = {
		{ "10.0.0.1:5473", "10.0.0.1", 5473 },
		{ "[fd00::1]:1", "fd00::1", 1 },
		{ "typha.example.org:65535", "typha.example.org", 65535 },
		{ "fd00::1:5473", NULL, 0 },
		{ "[fd00::1]5473", NULL, 0 },
		{ "[]:5473", NULL, 0 },
		{ ":5473", NULL, 0 },
		{ "10.0.0.1", NULL, 0 },
		{ "10.0.0.1:", NULL, 0 },
		{ "10.0.0.1:0", NULL, 0 },
		{ "10.0.0.1:65536", NULL, 0 },
		{ "10.0.0.1:1x", NULL, 0 },
		{ "10.0.0.1: 1", NULL, 0 },
		{ "", NULL, 0 },
	};
	char host[TCP_HOST_MAX], long_name[400];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		int r = tcp_addr_split(cases[i].text, host, &port, &err);

		assert_int_equal(r, cases[i].host ? 0 : -EINVAL);
		if (r == 0) {
			assert_string_equal(host, cases[i].host);
			assert_int_equal(port, cases[i].port);
		} else {
			assert_non_null(strstr(err.text, cases[i].text));
		}
	}
	memset(long_name, 'a', sizeof(long_name));
	strcpy(long_name + 254, ":80");
	assert_int_equal(tcp_addr_split(long_name, host, &port, NULL), -EINVAL);
}

static void plain_tcp_of_either_family_by_address_and_by_name(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "[::1]", "localhost" };
	struct world *w = *state;

	server_open(w);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		client_start(w, at(hosts[i], w->port), false);
		RUN_UNTIL(w, w->ups == (int)i + 1);
		call(w);
		assert_int_equal(w->reply_len, 10);
		assert_int_equal(strncmp(w->address, i == 1 ? "[::1]:" : "", i == 1 ? 6 : 0), 0);
		assert_int_equal(strncmp(w->address, "[::ffff", 7) != 0, 1);
		assert_null(w->proved);
		assert_true(w->uid == (uid_t)-1);
		ipc_client_free(w->client);
		w->client = NULL;
		RUN_UNTIL(w, w->closed == (int)i + 1);
	}
}

/* ---- tls */

static void over_tls_both_know_each_other(void **state)
{
	struct world *w = *state;

	server_open(w);
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	call(w);
	assert_string_equal(w->proved, "typha-client");
	w->long_answer = true;
	for (int i = 0; i < 3; i++) {
		call(w);
		assert_int_equal(w->reply_len, LONG_ANSWER);
	}
	assert_int_equal(ipc_server_stats(w->server).pending, 0);
	assert_int_equal(ipc_server_stats(w->server).memory, 0);
}

static void a_wrong_certificate_is_refused_and_the_next_client_is_served(void **state)
{
	struct world *w = *state;

	server_open(w);
	tls_layer_done(&w->client_layer);
	w->client_layer = layer_of(&stranger, false, "typha-server");
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->downs == 1);
	if (!strstr(w->down_why, "alert"))
		fail_msg("it is not told why: %s", w->down_why);
	assert_true(ipc_server_stats(w->server).handshakes_failed >= 1);
	assert_int_equal(w->opened, 0);
	ipc_client_free(w->client);

	tls_layer_done(&w->client_layer);
	w->client_layer = layer_of(&server_cert, false, NULL); /* the right CA, the wrong CN */
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->downs == 2);
	assert_int_equal(w->opened, 0);
	ipc_client_free(w->client);

	tls_layer_done(&w->client_layer);
	w->client_layer = layer_of(&client_cert, false, "somebody"); /* that the server is not */
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->downs == 3);
	assert_non_null(strstr(w->down_why, "CN 'typha-server' and not 'somebody'"));
	ipc_client_free(w->client);

	tls_layer_done(&w->client_layer);
	w->client_layer = layer_of(&client_cert, false, "typha-server");
	w->ups = 0;
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	call(w);
}

static void garbage_on_the_tls_port_closes_only_itself(void **state)
{
	static const char *const garbage[] = { "GET / HTTP/1.1\r\n\r\n", "\0\0\0\2\10\1xxxxxx",
		                               "\x16\x03\x01\x40\x00 and nothing that follows" };
	struct world *w = *state;

	server_open(w);
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = raw_connect(w->tls_port);

		assert_int_equal(send(fd, garbage[i], 12, MSG_NOSIGNAL), 12);
		(void)shutdown(fd, SHUT_WR);
		RUN_UNTIL(w, ipc_server_stats(w->server).handshakes_failed == i + 1);
		close(fd);
	}
	call(w);
	assert_int_equal(w->opened, 1);
}

/* ---- those who stall */

static void stalled_handshakes_keep_nobody_waiting(void **state)
{
	enum {
		N = 60
	};
	struct world *w = *state;
	struct mono_ms start;
	int fd[N];

	w->ops.handshake_ms = 700;
	server_open(w);
	for (int i = 0; i < N; i++) { /* some say nothing, some only begin */
		fd[i] = raw_connect(w->tls_port);
		if (i % 2)
			assert_int_equal(send(fd[i], "\x16\x03\x01", 3, 0), 3);
	}
	RUN_UNTIL(w, ipc_server_stats(w->server).pending == N);
	start = mono_now();
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	call(w);
	assert_true(mono_since_ms(start) < 500);
	assert_int_equal(ipc_server_stats(w->server).handshakes_late, 0);
	RUN_UNTIL(w, ipc_server_stats(w->server).handshakes_late == N);
	assert_true(mono_since_ms(start) >= 500);
	for (int i = 0; i < N; i++) {
		char byte;

		assert_true(recv(fd[i], &byte, 1, 0) <= 0);
		close(fd[i]);
	}
	call(w); /* who was welcome stays */
	assert_int_equal(w->closed, 0);
}

static void of_too_many_that_stall_the_oldest_makes_room(void **state)
{
	enum {
		N = 20
	};
	struct world *w = *state;
	struct pollfd p;
	int fd[N];

	w->ops.max_pending = 8;
	server_open(w);
	for (unsigned i = 0; i < N; i++) {
		fd[i] = raw_connect(w->tls_port);
		RUN_UNTIL(w, ipc_server_stats(w->server).accepted == i + 1);
	}
	assert_int_equal(ipc_server_stats(w->server).pending, 8);
	assert_int_equal(ipc_server_stats(w->server).handshakes_crowded, N - 8);
	for (int i = 0; i < N; i++) {
		p = (struct pollfd){ .fd = fd[i], .events = POLLIN };
		assert_int_equal(poll(&p, 1, 0), i < N - 8);
	}
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	call(w);
	for (int i = 0; i < N; i++)
		close(fd[i]);
}

static void who_is_never_welcome_is_closed(void **state)
{
	struct world *w = *state;

	w->ops.handshake_ms = 200;
	w->welcomes = false;
	server_open(w);
	client_start(w, at("127.0.0.1", w->tls_port), true);
	RUN_UNTIL(w, w->ups == 1);
	call(w);
	RUN_UNTIL(w, w->downs == 1);
	assert_int_equal(ipc_server_stats(w->server).handshakes_late, 1);
}

/* ---- where a client goes */

static void a_client_finds_the_server_that_answers(void **state)
{
	struct world *w = *state;
	uint16_t closed_port, deaf_port;
	struct err err = { 0 };
	int closed, deaf;

	server_open(w);
	assert_int_equal(tcp_listen("127.0.0.1", 0, &closed, &closed_port, &err), 0);
	assert_int_equal(tcp_listen("127.0.0.1", 0, &deaf, &deaf_port, &err), 0);
	close(closed);
	const char *const addresses[] = { at("127.0.0.1", closed_port), at("127.0.0.1", deaf_port),
		                          at("127.0.0.1", w->port), at("127.0.0.1", w->tls_port) };
	const struct ipc_client_config config = {
		.addresses = addresses, .n = 4, .layer = &w->client_layer.base, .connect_ms = 300
	};

	assert_int_equal(ipc_client_open(&w->loop, &config, &client_ops, w, &w->client, &err), 0);
	RUN_UNTIL(w, w->ups == 1);
	assert_int_equal(w->downs, 0); /* nobody was told of what did not matter */
	assert_string_equal(ipc_client_address(w->client), at("127.0.0.1", w->tls_port));
	call(w);

	/* It goes away: the round begins anew, and is told of when none is left. */
	ipc_server_free(w->server);
	w->server = NULL;
	RUN_UNTIL(w, w->downs == 1);
	server_open(w);
	const char *const now[] = { at("127.0.0.1", closed_port), at("127.0.0.1", w->tls_port) };
	assert_int_equal(ipc_client_set_addresses(w->client, now, 2, &err), 0);
	RUN_UNTIL(w, w->ups == 2);
	call(w);
	const char *const bad[] = { "nonsense" };
	assert_int_equal(ipc_client_set_addresses(w->client, bad, 1, &err), -EINVAL);
	close(deaf);
}

static void it_is_told_when_none_answers(void **state)
{
	struct world *w = *state;
	uint16_t port;
	struct err err = { 0 };
	int fd;

	assert_int_equal(tcp_listen("127.0.0.1", 0, &fd, &port, &err), 0);
	close(fd);
	const char *const addresses[] = { at("127.0.0.1", port), at("localhost", port) };
	const struct ipc_client_config config = { .addresses = addresses, .n = 2 };

	assert_int_equal(ipc_client_open(&w->loop, &config, &client_ops, w, &w->client, &err), 0);
	RUN_UNTIL(w, w->downs == 1);
	assert_non_null(strstr(w->down_why, "none of 2 servers can be reached"));
	if (!strstr(w->down_why, "onnection refused"))
		fail_msg("it does not say why: %s", w->down_why);
}

/* ---- memory */

static void send_all(struct world *w, int fd, const void *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n =
		        send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EAGAIN)
			return;
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	}
}

static void the_one_that_holds_most_makes_room(void **state)
{
	struct world *w = *state;
	uint8_t *frame = xcalloc(1, 4 << 20);
	int fd[3];
	char byte;

	memcpy(frame, "\0\x3f\xff\xff", 4); /* never whole */
	w->ops.memory_max = 3 << 20;
	server_open(w);
	for (int i = 0; i < 3; i++)
		fd[i] = raw_connect(w->port);
	send_all(w, fd[0], frame, 1000000);
	send_all(w, fd[1], frame, 1500000);
	RUN_UNTIL(w, ipc_server_stats(w->server).memory == 2500000);
	send_all(w, fd[2], frame, 1200000);
	RUN_UNTIL(w, ipc_server_stats(w->server).evicted == 1);
	RUN_UNTIL(w, w->closed == 1);
	assert_true(recv(fd[1], &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
	assert_true(recv(fd[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	RUN_UNTIL(w, ipc_server_stats(w->server).memory == 2200000);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	RUN_UNTIL(w, w->closed == 3);
	assert_int_equal(ipc_server_stats(w->server).memory, 0);
	free(frame);
}

static void a_frame_of_many_tiny_fields_is_no_message(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct cursor body;
	int fd;

	buf_be32(&b, 2 * (IPC_REQUEST_FIELDS_MAX + 1));
	for (unsigned i = 0; i <= IPC_REQUEST_FIELDS_MAX; i++)
		buf_add(&b, "\x78\x01", 2); /* field 15, which is unknown: 1 */
	server_open(w);
	fd = raw_connect(w->port);
	send_all(w, fd, b.data, b.len);
	RUN_UNTIL(w, w->closed == 1);
	assert_int_equal(ipc_server_stats(w->server).bad_frames, 1);
	close(fd);

	/* the limit itself; inner messages count; a group is none; a length that is too long */
	body = cursor_of(b.data + 4, b.len - 4);
	assert_false(ipc_fields_within(w->ops.request, &body, IPC_REQUEST_FIELDS_MAX));
	assert_true(ipc_fields_within(w->ops.request, &body, IPC_REQUEST_FIELDS_MAX + 1));
	body = cursor_of("\x12\x04\x08\x01\x08\x01", 6); /* who { ?: 1 ?: 1 } */
	assert_true(ipc_fields_within(w->ops.request, &body, 3));
	assert_false(ipc_fields_within(w->ops.request, &body, 2));
	body = cursor_of("\x0b\x0c", 2);
	assert_false(ipc_fields_within(w->ops.request, &body, 10));
	body = cursor_of("\x12\x05\x08\x01\x08\x01", 6);
	assert_false(ipc_fields_within(w->ops.request, &body, 10));
}

static void nobody_new_while_it_does_not_listen(void **state)
{
	struct world *w = *state;

	server_open(w);
	client_start(w, at("127.0.0.1", w->port), false);
	RUN_UNTIL(w, w->ups == 1);
	ipc_server_stop_tcp(w->server);
	call(w);
	const struct sockaddr_in sa = { .sin_family = AF_INET,
		                        .sin_port = htons(w->port),
		                        .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CLEANUP(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
		cmocka_unit_test(addresses_are_read_strictly),
		TEST(plain_tcp_of_either_family_by_address_and_by_name),
		TEST(over_tls_both_know_each_other),
		TEST(a_wrong_certificate_is_refused_and_the_next_client_is_served),
		TEST(garbage_on_the_tls_port_closes_only_itself),
		TEST(stalled_handshakes_keep_nobody_waiting),
		TEST(of_too_many_that_stall_the_oldest_makes_room),
		TEST(who_is_never_welcome_is_closed),
		TEST(a_client_finds_the_server_that_answers),
		TEST(it_is_told_when_none_answers),
		TEST(the_one_that_holds_most_makes_room),
		TEST(a_frame_of_many_tiny_fields_is_no_message),
		TEST(nobody_new_while_it_does_not_listen),
	};
	struct cert *all[] = { &ca, &other_ca, &server_cert, &client_cert, &stranger };
	int failed;

	ca = cert_make(NULL, &(struct cert_spec){ .cn = "test CA" });
	other_ca = cert_make(NULL, &(struct cert_spec){ .cn = "other CA" });
	server_cert = cert_make(&ca, &(struct cert_spec){ .cn = "typha-server" });
	client_cert = cert_make(&ca, &(struct cert_spec){ .cn = "typha-client" });
	stranger = cert_make(&other_ca, &(struct cert_spec){ .cn = "typha-client" });
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		cert_free(all[i]);
	return failed;
}
