/* SPDX-License-Identifier: BSD-2-Clause */
/* Server, client and blocking client, over real sockets: frames in any pieces, garbage, slowness,
 * loss. */
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/loop/client.h"
#include "common/loop/server.h"
#include "proto/ctl_v1.pb-c.h"

#define LONG_ANSWER 900000 /* bytes: more than a socket takes, less than send_high */

struct world {
	uv_loop_t loop;
	char dir[40], path[80];
	struct ipc_server *server;
	struct ipc_client *client;
	uv_timer_t guard;
	int opened, closed, messages, replies, ups, downs, last_status;
	bool silent;
	bool says_goodbye; /* the answer is a long one, and the last */
};

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	Ctl__V1__ToDaemon *request = (Ctl__V1__ToDaemon *)msg;
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;
	Ctl__V1__Done done = CTL__V1__DONE__INIT;
	struct world *w = ipc_peer_arg(p);

	w->messages++;
	if (w->silent)
		return;
	m.has_request_id = 1;
	m.request_id = request->request_id;
	if (w->says_goodbye) {
		CLEANUP(free_p) char *long_text = xcalloc(1, LONG_ANSWER + 1);
		Ctl__V1__Error error = CTL__V1__ERROR__INIT;

		memset(long_text, 'x', LONG_ANSWER);
		m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_ERROR;
		m.error = &error;
		error.text = long_text;
		(void)ipc_peer_send(p, &m.base);
		ipc_peer_close(p);
		return;
	}
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_DONE;
	m.done = &done;
	(void)ipc_peer_send(p, &m.base);
}

static void on_open(struct ipc_peer *p)
{
	struct world *w = ipc_peer_arg(p);

	w->opened++;
	assert_int_equal(ipc_peer_cred(p).pid, getpid());
}

static void on_close(struct ipc_peer *p)
{
	((struct world *)ipc_peer_arg(p))->closed++;
}

static const struct ipc_server_ops server_ops = {
	.name = "test",
	.request = &ctl__v1__to_daemon__descriptor,
	.mode = 0660,
	.max_peers = 3,
	.send_high = 1 << 20,
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

static void on_guard(uv_timer_t *t)
{
	(void)t;
	fail_msg("the loop did not do what was waited for within 5 s");
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/percale-ipc-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/api.sock", w->dir);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	(void)uv_timer_init(&w->loop, &w->guard);
	(void)uv_timer_start(&w->guard, on_guard, 5000, 0);
	uv_unref((uv_handle_t *)&w->guard);
	assert_int_equal(ipc_server_new(&w->loop, w->path, &server_ops, w, &w->server, &err), 0);
	log_set_level(LOG_ERROR);
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
	assert_int_equal(rmdir(w->dir), 0); /* the socket is gone */
	free(w);
	return 0;
}

#define RUN_UNTIL(w, condition)                                                                    \
	while (!(condition))                                                                       \
	(void)uv_run(&(w)->loop, UV_RUN_ONCE)

static int raw_connect(struct world *w)
{
	struct err err = { 0 };
	int fd;

	assert_int_equal(unix_connect(w->path, 0, &fd, &err), 0);
	return fd;
}

static struct ipc_frame *request_frame(uint64_t id)
{
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;

	m.has_request_id = 1;
	m.request_id = id;
	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	m.who = &who;
	return ipc_frame_pack(&m.base);
}

static void frames_arrive_whole_in_whatever_pieces(void **state)
{
	struct world *w = *state;
	struct ipc_frame *f = request_frame(300);
	CLEANUP(close_p) int fd = raw_connect(w);

	for (int n = 1; n <= 20; n++) {
		for (size_t i = 0; i < f->len; i++) {
			assert_int_equal(send(fd, f->data + i, 1, 0), 1);
			(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		}
		RUN_UNTIL(w, w->messages == n);
	}
	ipc_frame_unref(f);
}

static void every_truncation_waits_and_every_frame_is_delivered_once(void **state)
{
	struct ipc_frame *f = request_frame(5);
	struct cursor body;
	size_t consumed;

	(void)state;
	for (size_t n = 0; n < f->len; n++)
		assert_int_equal(ipc_frame_next(f->data, n, &body, &consumed), 0);
	assert_int_equal(ipc_frame_next(f->data, f->len, &body, &consumed), 1);
	assert_int_equal(consumed, f->len);
	ipc_frame_unref(f);
}

static void garbage_and_oversized_frames_close_only_their_peer(void **state)
{
	static const uint8_t oversized[] = { 0xff, 0xff, 0xff, 0xff },
	                     nonsense[] = { 0, 0, 0, 2, 0xff, 0xff };
	struct world *w = *state;
	CLEANUP(close_p) int good = raw_connect(w);
	CLEANUP(close_p) int bad1 = raw_connect(w);
	CLEANUP(close_p) int bad2 = raw_connect(w);
	struct ipc_frame *f = request_frame(1);
	char byte;

	assert_int_equal(send(bad1, oversized, sizeof(oversized), 0), sizeof(oversized));
	assert_int_equal(send(bad2, nonsense, sizeof(nonsense), 0), sizeof(nonsense));
	RUN_UNTIL(w, w->closed == 2);
	assert_int_equal(ipc_server_stats(w->server).bad_frames, 2);
	assert_int_equal(recv(bad1, &byte, 1, 0), 0);
	assert_int_equal(recv(bad2, &byte, 1, 0), 0);
	assert_int_equal(send(good, f->data, f->len, 0), f->len);
	RUN_UNTIL(w, w->messages == 1);
	ipc_frame_unref(f);
}

static void more_peers_than_allowed_are_turned_away(void **state)
{
	struct world *w = *state;
	int fds[4];

	for (unsigned i = 0; i < 4; i++)
		fds[i] = raw_connect(w);
	RUN_UNTIL(w, ipc_server_stats(w->server).refused == 1);
	assert_int_equal(w->opened, 3);
	for (unsigned i = 0; i < 4; i++)
		(void)close(fds[i]);
	RUN_UNTIL(w, w->closed == 3);
}

/* Requests without end: as many as the socket takes at once. Small pieces would fill its buffer
 * with their bookkeeping. */
struct flood {
	struct buf frames;
	size_t at;
};

static void flood_init(struct flood *flood)
{
	struct ipc_frame *f = request_frame(1);

	*flood = (struct flood){ .at = 0 };
	for (size_t i = 0; i < 16384; i++)
		buf_add(&flood->frames, f->data, f->len);
	ipc_frame_unref(f);
}

/* Returns how many bytes the socket took. */
static size_t flood_send(struct flood *flood, int fd)
{
	for (size_t sent = 0;;) {
		ssize_t n = send(fd, flood->frames.data + flood->at, flood->frames.len - flood->at,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return sent;
		sent += (size_t)n;
		flood->at = (flood->at + (size_t)n) % flood->frames.len;
	}
}

static void a_reader_that_never_reads_is_closed(void **state)
{
	struct world *w = *state;
	CLEANUP(close_p) int fd = raw_connect(w);
	struct flood flood;

	flood_init(&flood);
	while (!w->closed) {
		(void)flood_send(&flood, fd);
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(ipc_server_stats(w->server).slow_closed, 1);
	buf_done(&flood.frames);
}

static void a_peer_that_was_told_goodbye_is_not_listened_to(void **state)
{
	struct world *w = *state;
	CLEANUP(close_p) int fd = raw_connect(w);
	struct flood flood;
	size_t taken = 0;

	w->says_goodbye = true;
	flood_init(&flood);
	(void)flood_send(&flood, fd);
	RUN_UNTIL(w, w->closed == 1);
	for (int i = 0; i < 100; i++) {
		taken += flood_send(&flood, fd);
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	}
	assert_true(taken < 1 << 20); /* the sockets' buffers, and no memory of ours */
	assert_int_equal(w->messages, 1);
	buf_done(&flood.frames);
}

static void on_up(void *arg)
{
	((struct world *)arg)->ups++;
}

static void on_down(void *arg, const char *why)
{
	assert_non_null(why);
	((struct world *)arg)->downs++;
}

static void on_reply(void *arg, int status, ProtobufCMessage *reply)
{
	struct world *w = arg;

	assert_true((status == 0) == (reply != NULL));
	w->last_status = status;
	w->replies++;
}

static const struct ipc_client_ops client_ops = {
	.server = "testd",
	.reply = &ctl__v1__from_daemon__descriptor,
	.on_up = on_up,
	.on_down = on_down,
};

static int call(struct world *w, unsigned timeout_ms)
{
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;

	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	m.who = &who;
	return ipc_client_call(w->client, &m.base, timeout_ms, on_reply, w);
}

static void a_call_is_answered(void **state)
{
	struct world *w = *state;

	w->client = ipc_client_new(&w->loop, w->path, &client_ops, w);
	assert_int_equal(call(w, 1000), -ENOTCONN);
	RUN_UNTIL(w, w->ups == 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(call(w, 1000), 0);
	RUN_UNTIL(w, w->replies == 100);
	assert_int_equal(w->last_status, 0);
}

static void a_silent_server_costs_a_deadline(void **state)
{
	struct world *w = *state;

	w->silent = true;
	w->client = ipc_client_new(&w->loop, w->path, &client_ops, w);
	RUN_UNTIL(w, w->ups == 1);
	assert_int_equal(call(w, 30000), 0);
	assert_int_equal(call(w, 10), 0);
	RUN_UNTIL(w, w->replies == 1);
	assert_int_equal(w->last_status, -ETIMEDOUT);
	ipc_client_free(w->client);
	w->client = NULL;
	assert_int_equal(w->replies, 2);
	assert_int_equal(w->last_status, -ECANCELED);
}

static void a_client_comes_back_after_its_server(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	w->silent = true;
	w->client = ipc_client_new(&w->loop, w->path, &client_ops, w);
	RUN_UNTIL(w, w->ups == 1);
	assert_int_equal(call(w, 30000), 0);
	ipc_server_free(w->server);
	RUN_UNTIL(w, w->downs == 1);
	assert_int_equal(w->last_status, -ECONNRESET);
	w->silent = false;
	assert_int_equal(ipc_server_new(&w->loop, w->path, &server_ops, w, &w->server, &err), 0);
	RUN_UNTIL(w, w->ups == 2);
	assert_int_equal(call(w, 1000), 0);
	RUN_UNTIL(w, w->replies == 2);
	assert_int_equal(w->last_status, 0);
}

static void a_leftover_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct world *w = *state;
	struct ipc_server *second = NULL;
	CLEANUP(free_p) char *other = xasprintf("%s/other.sock", w->dir);
	struct err err = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(ipc_server_new(&w->loop, w->path, &server_ops, w, &second, &err),
	                 -EADDRINUSE);
	assert_non_null(strstr(err.text, w->path));
	assert_int_equal(unix_listen(other, 0600, &fd, &err), 0);
	(void)close(fd); /* as a killed process leaves it */
	assert_int_equal(unix_listen(other, 0640, &fd, &err), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	(void)close(fd);
	(void)unlink(other);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	assert_int_equal(unix_listen(other, 0600, &fd, &err), -EEXIST);
	(void)unlink(other);
}

static void a_socket_whose_backlog_is_full_is_alive(void **state)
{
	struct world *w = *state;
	CLEANUP(free_p) char *busy = xasprintf("%s/busy.sock", w->dir);
	CLEANUP(close_p) int owner = -1;
	CLEANUP(close_p) int waiting = -1;
	CLEANUP(close_p) int turned_away = -1;
	struct err err = { 0 };
	int fd;

	assert_int_equal(unix_listen(busy, 0600, &owner, &err), 0);
	assert_int_equal(listen(owner, 0), 0); /* its process does not accept at the moment */
	assert_int_equal(unix_connect(busy, 1, &waiting, &err), 0);
	assert_int_equal(unix_connect(busy, 1, &turned_away, &err), -EAGAIN);
	assert_int_equal(unix_listen(busy, 0600, &fd, &err), -EADDRINUSE);
	(void)unlink(busy);
}

static void *blocking_caller(void *arg)
{
	struct world *w = arg;
	struct ipc_call c;
	struct err err = { 0 };
	CLEANUP(free_p) char *run = xasprintf("%s/..", w->dir);
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;
	ProtobufCMessage *reply;

	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	m.who = &who;
	if (ipc_call_open(&c, run, strrchr(w->dir, '/') + 1, "api.sock",
	                  &ctl__v1__from_daemon__descriptor, 2000, &err) < 0)
		return (char *)"open failed";
	if (ipc_call(&c, &m.base, &reply, &err) < 0)
		return (char *)"call failed";
	if (((Ctl__V1__FromDaemon *)reply)->payload_case != CTL__V1__FROM_DAEMON__PAYLOAD_DONE)
		return (char *)"wrong reply";
	protobuf_c_message_free_unpacked(reply, NULL);
	w->silent = true;
	c.deadline = mono_after(mono_now(), 20);
	if (ipc_call(&c, &m.base, &reply, &err) != -ETIMEDOUT)
		return (char *)"a silent server was not noticed";
	ipc_call_close(&c);
	return NULL;
}

static void the_blocking_client_calls_and_gives_up(void **state)
{
	struct world *w = *state;
	pthread_t thread;
	void *failure;

	assert_int_equal(pthread_create(&thread, NULL, blocking_caller, w), 0);
	RUN_UNTIL(w, w->closed == 1);
	assert_int_equal(pthread_join(thread, &failure), 0);
	if (failure)
		fail_msg("%s", (const char *)failure);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(frames_arrive_whole_in_whatever_pieces),
		T(every_truncation_waits_and_every_frame_is_delivered_once),
		T(garbage_and_oversized_frames_close_only_their_peer),
		T(more_peers_than_allowed_are_turned_away),
		T(a_reader_that_never_reads_is_closed),
		T(a_peer_that_was_told_goodbye_is_not_listened_to),
		T(a_call_is_answered),
		T(a_silent_server_costs_a_deadline),
		T(a_client_comes_back_after_its_server),
		T(a_leftover_socket_is_replaced_and_a_live_one_is_not),
		T(a_socket_whose_backlog_is_full_is_alive),
		T(the_blocking_client_calls_and_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
