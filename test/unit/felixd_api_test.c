/* SPDX-License-Identifier: BSD-2-Clause */
/* felixd's api.sock over a real socket, with a calc that remembers one endpoint: who is answered
 * when, and peers that vanish while they are. */
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "felixd/felixd.h"
#include "proto/felixd_endpoint_v1.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"

/* ---- what felixd stands on */

static char dir[40], path[64];
static bool endpoint_there;

int calc_local_endpoint(struct calc *c, const struct resource *wep, struct err *err)
{
	(void)c;
	(void)wep;
	(void)err;
	endpoint_there = true;
	return 0;
}

void calc_local_endpoint_remove(struct calc *c, const char *ns, const char *name)
{
	(void)c;
	(void)ns;
	(void)name;
	endpoint_there = false;
}

bool calc_local_endpoint_info(const struct calc *c, const char *ns, const char *name,
                              struct calc_local_info *ret)
{
	(void)c;
	(void)ns;
	(void)name;
	*ret = (struct calc_local_info){ .container = "" };
	return endpoint_there;
}

void daemon_sock_path(const struct daemon *d, const char *daemon, const char *file, char out[108])
{
	(void)d;
	(void)daemon;
	(void)file;
	memcpy(out, path, sizeof(path));
}

bool daemon_watched(const struct daemon *d)
{
	(void)d;
	return false;
}

void daemon_event(struct daemon *d, const char *section, const char *json)
{
	(void)d;
	(void)section;
	(void)json;
}

/* ---- one felixd */

static uv_loop_t loop;
static struct daemon the_daemon = { .loop = &loop };
static struct felixd f;

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	log_set_level(LOG_ERROR - 1); /* a dropped peer is what these tests are about */
	strcpy(dir, "/tmp/felixd_api_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/api.sock", dir);
	assert_int_equal(uv_loop_init(&loop), 0);
	f = (struct felixd){ .d = &the_daemon, .synced = true, .unlocked = true };
	list_init(&f.waits);
	endpoint_there = false;
	if (api_open(&f, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_close(&f);
	assert_true(list_empty(&f.waits));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return rmdir(dir);
}

static int peer(void)
{
	int fd;

	assert_int_equal(unix_connect(path, 0, &fd, NULL), 0);
	return fd;
}

static void send_message(int fd, const Endpoint__V1__ToFelixd *m)
{
	struct ipc_frame *frame = ipc_frame_pack(&m->base);

	assert_non_null(frame);
	for (size_t at = 0; at < frame->len;) {
		ssize_t n = send(fd, frame->data + at, frame->len - at, MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	ipc_frame_unref(frame);
	for (int i = 0; i < 4; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void program(int fd, uint64_t id, const char *name, unsigned deadline_ms)
{
	Endpoint__V1__ToFelixd m = ENDPOINT__V1__TO_FELIXD__INIT;
	Endpoint__V1__Program p = ENDPOINT__V1__PROGRAM__INIT;

	p.namespace_ = (char *)"ns";
	p.name = (char *)(uintptr_t)name;
	p.has_revision = p.has_deadline_ms = 1;
	p.revision = 7;
	p.deadline_ms = deadline_ms;
	p.has_workload_endpoint = 1;
	m.has_request_id = 1;
	m.request_id = id;
	m.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_PROGRAM;
	m.program = &p;
	send_message(fd, &m);
}

static void remove_endpoint(int fd, uint64_t id, const char *name)
{
	Endpoint__V1__ToFelixd m = ENDPOINT__V1__TO_FELIXD__INIT;
	Endpoint__V1__Remove r = ENDPOINT__V1__REMOVE__INIT;

	r.namespace_ = (char *)"ns";
	r.name = (char *)(uintptr_t)name;
	m.has_request_id = 1;
	m.request_id = id;
	m.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_REMOVE;
	m.remove = &r;
	send_message(fd, &m);
}

/* The next answer: its request's id, or 0 when there is none. *ret_code: of an error, else 0. */
static uint64_t answer(int fd, int *ret_code)
{
	uint8_t data[4096];
	struct cursor body;
	size_t consumed;
	Endpoint__V1__FromFelixd *m;
	uint64_t id;
	ssize_t n;

	for (int i = 0; i < 4; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	n = recv(fd, data, sizeof(data), MSG_DONTWAIT | MSG_PEEK);
	if (n <= 0)
		return 0;
	assert_int_equal(ipc_frame_next(data, (size_t)n, &body, &consumed), 1);
	m = (Endpoint__V1__FromFelixd *)ipc_unpack(&endpoint__v1__from_felixd__descriptor, &body);
	assert_non_null(m);
	id = m->request_id;
	*ret_code = m->payload_case == ENDPOINT__V1__FROM_FELIXD__PAYLOAD_ERROR
	                    ? (int)m->error->code
	                    : 0;
	endpoint__v1__from_felixd__free_unpacked(m, NULL);
	assert_int_equal(recv(fd, data, consumed, 0), consumed);
	return id;
}

/* ---- the tests */

static void an_endpoint_is_answered_when_its_revision_is_in_the_kernel(void **state)
{
	CLEANUP(close_p) int fd = peer();
	int code = -1;

	(void)state;
	program(fd, 1, "a", 0);
	api_on_endpoint(&f, "ns", "a", 6, 0, NULL); /* an older revision */
	assert_int_equal(answer(fd, &code), 0);
	api_on_endpoint(&f, "ns", "b", 7, 0, NULL); /* another one */
	assert_int_equal(answer(fd, &code), 0);
	api_on_endpoint(&f, "ns", "a", 7, 0, NULL);
	assert_int_equal(answer(fd, &code), 1);
	assert_int_equal(code, 0);
	remove_endpoint(fd, 2, "a");
	assert_int_equal(answer(fd, &code), 0);
	api_on_in_step(&f);
	assert_int_equal(answer(fd, &code), 2);
	assert_int_equal(code, 0);
}

static void what_the_kernel_refused_is_told_at_the_deadline(void **state)
{
	CLEANUP(close_p) int fd = peer();
	int code = -1;

	(void)state;
	program(fd, 1, "a", 30);
	api_on_endpoint(&f, "ns", "a", 7, -5, "it is full");
	assert_int_equal(answer(fd, &code), 0);
	while (f.deadlines == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(answer(fd, &code), 1);
	assert_int_equal(code, ENDPOINT__V1__ERROR_CODE__ERROR_KERNEL);
}

static void a_later_request_overtakes_an_earlier_one(void **state)
{
	CLEANUP(close_p) int fd = peer();
	int code = -1;

	(void)state;
	program(fd, 1, "a", 0);
	remove_endpoint(fd, 2, "a");
	assert_int_equal(answer(fd, &code), 1);
	assert_int_equal(code, ENDPOINT__V1__ERROR_CODE__ERROR_DEADLINE);
	program(fd, 3, "a", 0);
	assert_int_equal(answer(fd, &code), 2); /* the old one is gone */
	assert_int_equal(code, 0);
	assert_int_equal(answer(fd, &code), 0);
}

/* An answer that cannot be sent closes the peer, in the midst of its waits being ended. */
static void an_answer_that_cannot_be_sent_ends_every_wait_of_its_peer_once(void **state)
{
	static char why[IPC_FRAME_MAX];
	CLEANUP(close_p) int fd = peer();
	CLEANUP(close_p) int other = peer();
	int code = -1;

	(void)state;
	memset(why, 'x', sizeof(why) - 1);
	program(other, 9, "b", 0);
	for (uint64_t id = 1; id <= 3; id++)
		program(fd, id, "a", 500);
	for (uint64_t id = 4; id <= 6; id++)
		program(fd, id, "b", 0);
	api_on_endpoint(&f, "ns", "a", 7, -5, why);
	while (f.deadlines == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	api_on_endpoint(&f, "ns", "b", 7, 0, NULL);
	assert_int_equal(answer(other, &code), 9);
	assert_true(list_empty(&f.waits));
}

static void what_a_stranger_can_send_is_bounded(void **state)
{
	static char name[4096];
	CLEANUP(close_p) int fd = peer();
	int code = -1;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	program(fd, 1, name, 0);
	assert_int_equal(answer(fd, &code), 1);
	assert_int_equal(code, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID);
	remove_endpoint(fd, 2, name);
	assert_int_equal(answer(fd, &code), 2);
	assert_int_equal(code, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID);
	for (uint64_t id = 1; id <= 4096; id++)
		program(fd, id, "a", 0);
	assert_int_equal(answer(fd, &code), 0);
	program(fd, 5000, "a", 0);
	assert_int_equal(answer(fd, &code), 5000);
	assert_int_equal(code, ENDPOINT__V1__ERROR_CODE__ERROR_NOT_READY);
	api_on_endpoint(&f, "ns", "a", 7, 0, NULL);
	assert_int_equal(f.programmed, 4096);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_endpoint_is_answered_when_its_revision_is_in_the_kernel),
		T(what_the_kernel_refused_is_told_at_the_deadline),
		T(a_later_request_overtakes_an_earlier_one),
		T(an_answer_that_cannot_be_sent_ends_every_wait_of_its_peer_once),
		T(what_a_stranger_can_send_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
