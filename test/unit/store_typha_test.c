/* SPDX-License-Identifier: BSD-2-Clause */
/* The typha driver against a typhad of this test's own: true differences over reconnections,
 * deadlines of what waits, lists in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/codec.h"
#include "common/loop/server.h"
#include "common/store/store.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define KIND V3__KIND__KIND_GLOBAL_NETWORK_SET

static uv_loop_t loop;
static char dir[64], path[96];

/* ---- a typhad that does what it is told */

static struct {
	struct ipc_server *server;
	struct ipc_peer *peer;
	uint64_t last_id; /* of the last request */
	Sync__V1__ToTyphad__PayloadCase last;
	unsigned hellos, watches, requests;
	bool refuse_hello, mute;
	uint64_t revision, min_revision; /* answered to Watch; asked for by it */
	bool progress;                   /* asked for by it */
	bool live;                       /* said in results */
	char *lineage[4];
	size_t n_lineage;
} fake;

static void fake_send(uint64_t id, Sync__V1__FromTyphad__PayloadCase what, void *payload)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;

	m.has_request_id = id != 0;
	m.request_id = id;
	m.payload_case = what;
	m.hello = payload; /* all members of the union are pointers */
	(void)ipc_peer_send(fake.peer, &m.base);
}

static void fake_result(uint64_t id)
{
	Sync__V1__Result result = SYNC__V1__RESULT__INIT;

	result.has_header_revision = 1;
	result.header_revision = fake.revision;
	result.has_live = 1;
	result.live = fake.live;
	fake_send(id, SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT, &result);
}

static void fake_progress(uint64_t revision)
{
	Sync__V1__Progress p = SYNC__V1__PROGRESS__INIT;

	p.has_revision = 1;
	p.revision = revision;
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_PROGRESS, &p);
}

static void fake_update(const char *name, uint64_t revision, bool deleted)
{
	Sync__V1__UpdateEvent u = SYNC__V1__UPDATE_EVENT__INIT;
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT;

	r.has_kind = 1;
	r.kind = KIND;
	r.name = (char *)(uintptr_t)name;
	r.has_revision = 1;
	r.revision = revision;
	r.has_body = !deleted;
	u.resource = &r;
	u.has_deleted = deleted;
	u.deleted = deleted;
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE, &u);
}

static void fake_snapshot_start(void)
{
	Sync__V1__SnapshotStart s = SYNC__V1__SNAPSHOT_START__INIT;

	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_SNAPSHOT_START, &s);
}

static void fake_in_sync(void)
{
	Sync__V1__InSync s = SYNC__V1__IN_SYNC__INIT;

	s.has_header_revision = 1;
	s.header_revision = fake.revision;
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC, &s);
}

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	const Sync__V1__ToTyphad *m = (const Sync__V1__ToTyphad *)msg;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;

	fake.peer = p;
	if (m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO) {
		fake.hellos++;
		assert_string_equal(m->hello->program, "prog");
		assert_string_equal(m->hello->hostname, "node");
		assert_int_equal(m->hello->version, 2);
		assert_int_equal(m->hello->min_version, 1);
		if (fake.refuse_hello) {
			Sync__V1__Error e = SYNC__V1__ERROR__INIT;

			e.has_code = 1;
			e.code = SYNC__V1__ERROR_CODE__ERROR_VERSION;
			e.text = (char *)(uintptr_t) "not today";
			fake_send(m->request_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR, &e);
		} else if (!fake.mute) {
			hello.lineage = fake.lineage;
			hello.n_lineage = fake.n_lineage;
			fake_send(m->request_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO, &hello);
		}
		return;
	}
	if (m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_WATCH) {
		fake.watches++;
		fake.min_revision = m->watch->min_revision;
		fake.progress = m->watch->progress;
		fake_result(m->request_id);
		return;
	}
	if (m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_PING) {
		fake_result(m->request_id);
		return;
	}
	fake.requests++;
	fake.last = m->payload_case;
	fake.last_id = m->request_id;
}

static const struct ipc_server_ops fake_ops = {
	.name = "fake",
	.request = &sync__v1__to_typhad__descriptor,
	.mode = 0600,
	.on_message = on_message,
};

static void fake_open(void)
{
	struct err err = { 0 };

	fake.peer = NULL;
	if (ipc_server_new(&loop, path, &fake_ops, NULL, &fake.server, &err) < 0)
		fail_msg("%s", err.text);
}

static void fake_close(void)
{
	ipc_server_free(fake.server);
	fake.server = NULL;
}

/* ---- the driver's side */

static struct {
	char text[1024];
	unsigned in_sync, downs;
} seen;

static void note(const char *sign, const char *name, uint64_t revision)
{
	size_t n = strlen(seen.text);

	(void)snprintf(seen.text + n, sizeof(seen.text) - n, "%s%s", sign, name);
	n = strlen(seen.text);
	(void)snprintf(seen.text + n, sizeof(seen.text) - n, revision ? "=%llu " : " ",
	               (unsigned long long)revision);
}

static void on_update(void *arg, const struct resource *r)
{
	(void)arg;
	note("+", r->name, r->revision);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	(void)kind;
	assert_null(ns);
	note("-", name, 0);
}

static void on_in_sync(void *arg)
{
	(void)arg;
	seen.in_sync++;
	note("!", "", 0);
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	assert_true(strlen(why) > 0);
	seen.downs++;
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
};

static struct store_result *answer;

static void on_done(void *arg, const struct store_result *r)
{
	(void)arg;
	assert_null(answer);
	answer = store_result_copy(r);
}

static struct store_result *take_answer(void)
{
	struct store_result *r;

	while (!answer)
		uv_run(&loop, UV_RUN_ONCE);
	r = answer;
	answer = NULL;
	return r;
}

#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		struct mono_ms start_ = mono_now();                                                \
		while (!(condition)) {                                                             \
			uv_run(&loop, UV_RUN_NOWAIT);                                              \
			assert_true(mono_since_ms(start_) < 15000);                                \
		}                                                                                  \
	} while (0)

static struct store *must_open(void)
{
	struct store *s = NULL;

	assert_int_equal(store_typha_open(&loop, path, "prog", "node", &s, NULL), 0);
	return s;
}

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	memset(&fake, 0, sizeof(fake));
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(uv_loop_init(&loop), 0);
	(void)snprintf(dir, sizeof(dir), "/tmp/store_typha_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/api.sock", dir);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	fake_close();
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(uv_loop_close(&loop), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void a_watch_delivers_true_differences(void **state)
{
	static const model_kind kinds[] = { KIND };
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	assert_int_equal(store_watch(s, kinds, 1, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake_snapshot_start();
	fake_update("a", 1, false);
	fake_update("b", 2, false);
	fake_in_sync();
	fake_update("a", 3, false);
	fake_update("a", 3, false);
	fake_update("never", 0, true);
	fake_update("c", 4, false);
	fake_update("c", 0, true);
	fake_update("d", 5, false);
	UNTIL(strstr(seen.text, "+d"));
	assert_string_equal(seen.text, "+a=1 +b=2 ! +a=3 +c=4 -c +d=5 ");

	/* typhad goes; while it is away a changes and b is deleted. */
	fake_close();
	UNTIL(seen.downs == 1);
	seen.text[0] = '\0';
	fake_open();
	UNTIL(fake.watches == 2);
	fake_snapshot_start();
	fake_update("d", 5, false);
	fake_update("a", 7, false);
	fake_update("e", 8, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 2);
	assert_string_equal(seen.text, "+a=7 +e=8 -b ! ");

	/* A new snapshot on a connection that stands, broken off and begun again. */
	seen.text[0] = '\0';
	fake_snapshot_start();
	fake_update("a", 7, false);
	fake_snapshot_start();
	fake_update("e", 9, false);
	fake_update("a", 7, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 3);
	assert_string_equal(seen.text, "+e=9 -d ! ");
	store_free(s);
}

static void asked_to_go_it_goes_when_all_is_answered(void **state)
{
	Sync__V1__GoAway go = SYNC__V1__GO_AWAY__INIT;
	struct store *s;
	struct store_result *a;
	uint64_t first;

	(void)state;
	fake_open();
	s = must_open();
	assert_int_equal(store_watch(s, NULL, 0, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake_snapshot_start();
	fake_update("a", 1, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 1);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	UNTIL(fake.requests == 1);
	first = fake.last_id;
	go.reason = (char *)(uintptr_t) "no room";
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_GO_AWAY, &go);
	fake_update("b", 2, false);
	UNTIL(strstr(seen.text, "+b")); /* it has read what came behind GoAway */
	store_remove(s, KIND, NULL, "b", 2, on_done, NULL); /* asked of the next one */
	for (int i = 0; i < 50; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(fake.requests, 1);
	assert_int_equal(fake.hellos, 1);
	fake_result(first);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	store_result_free(a);
	UNTIL(fake.watches == 2 && fake.requests == 2);
	assert_int_equal(fake.hellos, 2);
	assert_int_equal(fake.last, SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE);
	fake_result(fake.last_id);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	store_result_free(a);
	assert_int_equal(seen.downs, 0); /* nobody was told */
	fake_snapshot_start();
	fake_update("a", 1, false);
	fake_update("c", 3, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 2);
	assert_string_equal(seen.text, "+a=1 ! +b=2 +c=3 -b ! ");
	store_free(s);
}

/* One that never answers what is under way is left all the same. */
static void asked_to_go_it_does_not_wait_for_ever(void **state)
{
	Sync__V1__GoAway go = SYNC__V1__GO_AWAY__INIT;
	struct store *s;
	struct store_result *a;

	(void)state;
	fake_open();
	s = must_open();
	store_get(s, KIND, NULL, "a", on_done, NULL);
	UNTIL(fake.requests == 1);
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_GO_AWAY, &go);
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	store_result_free(a);
	UNTIL(fake.hellos == 2);
	store_free(s);
}

static void a_ping_is_answered(void **state)
{
	Sync__V1__Ping ping = SYNC__V1__PING__INIT;
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	assert_int_equal(store_watch(s, NULL, 0, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_PING, &ping);
	UNTIL(fake.requests == 1);
	assert_int_equal(fake.last, SYNC__V1__TO_TYPHAD__PAYLOAD_PONG);
	store_free(s);
}

static void fake_packed(const char *name, uint64_t revision, bool spoil)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__UpdateEvent u = SYNC__V1__UPDATE_EVENT__INIT;
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT;
	Sync__V1__Compressed packed = SYNC__V1__COMPRESSED__INIT;
	CLEANUP(buf_done) struct buf raw = { 0 };
	CLEANUP(buf_done) struct buf small = { 0 };
	struct ipc_frame *f;

	r.has_kind = r.has_revision = r.has_body = 1;
	r.kind = KIND;
	r.name = (char *)(uintptr_t)name;
	u.resource = &r;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE;
	m.update = &u;
	for (unsigned i = 0; i < 3; i++) {
		r.revision = revision + i;
		f = ipc_frame_pack(&m.base);
		buf_add(&raw, f->data, f->len);
		ipc_frame_unref(f);
	}
	if (spoil)
		raw.len--; /* a frame that is not whole */
	assert_int_equal(codec_zstd.pack(raw.data, raw.len, &small), 0);
	packed.has_raw_size = packed.has_frames = 1;
	packed.raw_size = (uint32_t)raw.len;
	packed.frames = (ProtobufCBinaryData){ small.len, small.data };
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED, &packed);
}

static void packed_frames_count_as_frames(void **state)
{
	const char *const addresses[] = { path };
	const struct store_typha_options options = { .addresses = addresses,
		                                     .n_addresses = 1,
		                                     .program = "prog",
		                                     .node = "node",
		                                     .codec = &codec_zstd };
	struct store *s = NULL;

	(void)state;
	fake_open();
	assert_int_equal(store_typha_connect(&loop, &options, &s, NULL), 0);
	assert_int_equal(store_watch(s, NULL, 0, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake_packed("p", 1, false);
	UNTIL(strstr(seen.text, "+p=3"));
	assert_string_equal(seen.text, "+p=1 +p=2 +p=3 ");
	fake_packed("q", 1, true); /* what makes no sense ends the connection */
	UNTIL(seen.downs == 1 && fake.watches == 2);
	store_free(s);

	s = must_open(); /* which has not offered to understand it */
	assert_int_equal(store_watch(s, NULL, 0, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 3);
	seen.text[0] = '\0';
	fake_packed("r", 1, false);
	UNTIL(seen.downs == 2);
	assert_string_equal(seen.text, "");
	store_free(s);
}

static void requests_are_answered_in_any_order(void **state)
{
	struct store *s;
	struct store_result *a;
	uint64_t first;

	(void)state;
	fake_open();
	s = must_open();
	store_get(s, KIND, NULL, "a", on_done, NULL); /* before it is connected: held */
	UNTIL(fake.requests == 1);
	first = fake.last_id;
	store_remove(s, KIND, NULL, "b", 3, on_done, NULL);
	UNTIL(fake.requests == 2);
	assert_int_equal(fake.last, SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE);
	fake_result(fake.last_id);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	store_result_free(a);
	fake_result(first);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	store_result_free(a);
	store_free(s);
}

static void errors_become_statuses(void **state)
{
	static const struct {
		Sync__V1__ErrorCode code;
		enum store_status status;
	} table[] = {
		{ SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND, STORE_NOT_FOUND },
		{ SYNC__V1__ERROR_CODE__ERROR_ALREADY_EXISTS, STORE_ALREADY_EXISTS },
		{ SYNC__V1__ERROR_CODE__ERROR_CONFLICT, STORE_CONFLICT },
		{ SYNC__V1__ERROR_CODE__ERROR_INVALID, STORE_INVALID },
		{ SYNC__V1__ERROR_CODE__ERROR_DATASTORE, STORE_UNAVAILABLE },
		{ SYNC__V1__ERROR_CODE__ERROR_LIMIT, STORE_UNAVAILABLE },
		{ (Sync__V1__ErrorCode)99, STORE_UNAVAILABLE },
	};
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		Sync__V1__Error e = SYNC__V1__ERROR__INIT;
		Sync__V1__Resource current = SYNC__V1__RESOURCE__INIT;
		struct store_result *a;

		store_get(s, KIND, NULL, "a", on_done, NULL);
		UNTIL(fake.requests == i + 1);
		e.has_code = 1;
		e.code = table[i].code;
		e.text = (char *)(uintptr_t) "because";
		e.current = &current;
		current.has_kind = 1;
		current.kind = KIND;
		current.name = (char *)(uintptr_t) "a";
		current.has_revision = 1;
		current.revision = 6;
		fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR, &e);
		a = take_answer();
		assert_int_equal(a->status, table[i].status);
		assert_string_equal(a->text, "because");
		assert_int_equal(a->n, 1);
		assert_int_equal(a->items[0]->revision, 6);
		store_result_free(a);
	}
	store_free(s);
}

static void a_list_comes_in_parts(void **state)
{
	Sync__V1__ListResult part = SYNC__V1__LIST_RESULT__INIT;
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT, *rs[] = { &r };
	struct store_result *a;
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	store_list(s, KIND, NULL, NULL, on_done, NULL);
	UNTIL(fake.requests == 1);
	r.has_kind = r.has_body = 1;
	r.kind = KIND;
	r.name = (char *)(uintptr_t) "a";
	part.n_resources = 1;
	part.resources = rs;
	part.has_more = part.more = 1;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST, &part);
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST, &part);
	part.more = 0;
	part.has_header_revision = 1;
	part.header_revision = 77;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST, &part);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	assert_int_equal(a->n, 3);
	assert_int_equal(a->header_revision, 77);
	store_result_free(a);

	/* The connection breaks in the middle. */
	store_list(s, KIND, NULL, NULL, on_done, NULL);
	UNTIL(fake.requests == 2);
	part.more = 1;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST, &part);
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_null(answer);
	fake_close();
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	store_result_free(a);
	store_free(s);
}

static void without_a_typhad_calls_fail_at_once(void **state)
{
	struct store *s = must_open();
	struct mono_ms start = mono_now();
	struct store_result *a;

	(void)state;
	store_get(s, KIND, NULL, "a", on_done, NULL);
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	assert_non_null(strstr(a->text, path));
	store_result_free(a);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	assert_null(answer); /* never before the call returns */
	store_result_free(take_answer());
	assert_true(mono_since_ms(start) < 1500);
	store_free(s);
}

static void a_restart_of_typhad_goes_unnoticed_by_calls_made_meanwhile(void **state)
{
	static const model_kind kinds[] = { KIND };
	struct store_result *a;
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	assert_int_equal(store_watch(s, kinds, 1, &watch_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake_close();
	UNTIL(seen.downs == 1);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	fake_open();
	UNTIL(fake.requests == 1);
	fake_result(fake.last_id);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	store_result_free(a);

	/* But not for ever. */
	fake_close();
	UNTIL(seen.downs == 2);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	store_result_free(a);
	store_free(s);
}

static void what_was_sent_when_the_connection_broke_is_in_doubt(void **state)
{
	struct store_result *a;
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	store_remove(s, KIND, NULL, "a", 0, on_done, NULL);
	UNTIL(fake.requests == 1);
	fake_close();
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	store_result_free(a);
	store_free(s);
}

static void a_refused_hello_is_told(void **state)
{
	struct store_result *a;
	struct store *s;

	(void)state;
	fake.refuse_hello = true;
	fake_open();
	s = must_open();
	store_get(s, KIND, NULL, "a", on_done, NULL);
	a = take_answer();
	assert_int_equal(a->status, STORE_UNAVAILABLE);
	assert_non_null(strstr(a->text, "not today"));
	store_result_free(a);
	store_free(s);
}

static void freeing_answers_what_waits(void **state)
{
	struct store *s;

	(void)state;
	fake_open();
	s = must_open();
	store_get(s, KIND, NULL, "a", on_done, NULL);
	store_free(s);
	assert_non_null(answer);
	assert_int_equal(answer->status, STORE_UNAVAILABLE);
	store_result_free(answer);
	answer = NULL;
}

/* ---- a typhad fed by typhads */

static void on_revision(void *arg, uint64_t revision)
{
	(void)arg;
	note("@", "", revision);
}

static const struct store_watch_ops chained_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
	.on_revision = on_revision,
};

static struct store *must_chain(unsigned patience_ms)
{
	const char *const addresses[] = { path };
	const struct store_typha_options options = {
		.addresses = addresses,
		.n_addresses = 1,
		.program = "prog",
		.node = "node",
		.read_timeout_ms = patience_ms,
		.instance = "me",
	};
	struct store *s = NULL;

	assert_int_equal(store_typha_connect(&loop, &options, &s, NULL), 0);
	assert_int_equal(store_watch(s, NULL, 0, &chained_ops, NULL), 0);
	return s;
}

static struct store_stats stats_of(const struct store *s)
{
	struct store_stats stats = { 0 };

	store_stats(s, &stats);
	return stats;
}

static void what_was_told_is_never_taken_back(void **state)
{
	struct store *s;
	unsigned hellos;

	(void)state;
	fake_open();
	s = must_chain(400);
	UNTIL(fake.watches == 1);
	assert_true(fake.progress);
	assert_int_equal(fake.min_revision, 0);
	fake.revision = 6;
	fake_snapshot_start();
	fake_update("a", 1, false);
	fake_update("b", 5, false);
	fake_update("c", 6, false);
	fake_in_sync();
	fake_update("c", 9, true); /* it was gone by 9 */
	UNTIL(strstr(seen.text, "-c"));
	assert_string_equal(seen.text, "+a=1 +b=5 +c=6 @=6 ! -c ");

	/* Another one, which has not heard of the end of c. */
	fake_close();
	UNTIL(seen.downs == 1);
	seen.text[0] = '\0';
	fake.revision = 8;
	fake_open();
	UNTIL(fake.watches == 2);
	assert_int_equal(fake.min_revision, 9);
	UNTIL(seen.downs == 2);
	assert_non_null(strstr(stats_of(s).last_error, "is behind"));
	assert_int_equal(stats_of(s).left_behind, 0);
	/* It does not get there: it is left, for the next one, which is the same here. */
	hellos = fake.hellos;
	UNTIL(fake.hellos > hellos);
	assert_int_equal(stats_of(s).left_behind, 1);
	/* This time it does, late. */
	UNTIL(fake.watches == 3);
	fake.revision = 9;
	fake_snapshot_start();
	fake_update("a", 1, false);
	fake_update("b", 4, false); /* not so: but neither would that be believed */
	fake_update("d", 9, false);
	fake_in_sync();
	fake_progress(11);
	UNTIL(strstr(seen.text, "@=11"));
	assert_string_equal(seen.text, "+d=9 @=9 ! @=11 ");
	assert_null(stats_of(s).last_error);
	assert_int_equal(stats_of(s).revision, 11);
	store_free(s);
}

static void a_datastore_that_went_back_in_time_is_learnt_anew(void **state)
{
	struct store *s;

	(void)state;
	fake_open();
	s = must_chain(300);
	UNTIL(fake.watches == 1);
	fake.revision = 20;
	fake_snapshot_start();
	fake_update("a", 15, false);
	fake_update("b", 20, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 1);

	/* It was restored while nobody was connected: who is up to date cannot be behind. */
	fake_close();
	UNTIL(seen.downs == 1);
	seen.text[0] = '\0';
	fake.revision = 10;
	fake.live = true;
	fake_open();
	UNTIL(fake.watches == 2);
	assert_int_equal(fake.min_revision, 20);
	UNTIL(fake.watches == 3);
	assert_int_equal(fake.min_revision, 0);
	assert_int_equal(stats_of(s).rewinds, 1);
	assert_int_equal(stats_of(s).left_behind, 0);
	fake_snapshot_start();
	fake_update("a", 5, false);
	fake_update("c", 10, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 2);
	assert_string_equal(seen.text, "+a=5 +c=10 -b @=10 ! ");

	/* And while the server looks on. */
	fake_progress(7);
	UNTIL(fake.watches == 4);
	assert_int_equal(fake.min_revision, 0);
	assert_int_equal(stats_of(s).rewinds, 2);
	store_free(s);
}

static void pack_add(struct buf *raw, Sync__V1__FromTyphad__PayloadCase what, void *payload)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	struct ipc_frame *f;

	m.payload_case = what;
	m.progress = payload; /* of a union */
	f = ipc_frame_pack(&m.base);
	buf_add(raw, f->data, f->len);
	ipc_frame_unref(f);
}

/* The first of packed frames ends the connection: what is behind it is of a server that was left.
 */
static void what_is_packed_behind_the_end_is_not_heard(void **state)
{
	const char *const addresses[] = { path };
	const struct store_typha_options options = { .addresses = addresses,
		                                     .n_addresses = 1,
		                                     .program = "prog",
		                                     .node = "node",
		                                     .codec = &codec_zstd,
		                                     .instance = "me" };
	Sync__V1__Progress progress = SYNC__V1__PROGRESS__INIT;
	Sync__V1__InSync in_sync = SYNC__V1__IN_SYNC__INIT;
	Sync__V1__Compressed packed = SYNC__V1__COMPRESSED__INIT;
	CLEANUP(buf_done) struct buf raw = { 0 };
	CLEANUP(buf_done) struct buf small = { 0 };
	struct store *s = NULL;

	(void)state;
	fake_open();
	assert_int_equal(store_typha_connect(&loop, &options, &s, NULL), 0);
	assert_int_equal(store_watch(s, NULL, 0, &chained_ops, NULL), 0);
	UNTIL(fake.watches == 1);
	fake.revision = 20;
	fake_snapshot_start();
	fake_update("a", 15, false);
	fake_in_sync();
	UNTIL(seen.in_sync == 1);
	seen.text[0] = '\0';

	progress.has_revision = in_sync.has_header_revision = 1;
	progress.revision = 7; /* it has gone back in time */
	in_sync.header_revision = 8;
	pack_add(&raw, SYNC__V1__FROM_TYPHAD__PAYLOAD_PROGRESS, &progress);
	pack_add(&raw, SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC, &in_sync);
	assert_int_equal(codec_zstd.pack(raw.data, raw.len, &small), 0);
	packed.has_raw_size = packed.has_frames = 1;
	packed.raw_size = (uint32_t)raw.len;
	packed.frames = (ProtobufCBinaryData){ small.len, small.data };
	fake_send(0, SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED, &packed);
	UNTIL(seen.downs == 1 && fake.watches == 2);
	assert_int_equal(stats_of(s).rewinds, 1);
	assert_string_equal(seen.text, "");
	assert_int_equal(seen.in_sync, 1);
	store_free(s);
}

static void turns(unsigned n)
{
	for (struct mono_ms start = mono_now(); mono_since_ms(start) < n;)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void a_write_is_answered_when_the_watch_has_told_of_it(void **state)
{
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT;
	Sync__V1__Result result = SYNC__V1__RESULT__INIT;
	Sync__V1__Error error = SYNC__V1__ERROR__INIT;
	struct store_result *a;
	struct store *s;

	(void)state;
	fake_open();
	s = must_chain(10000);
	UNTIL(fake.watches == 1);
	fake.revision = 5;
	fake_snapshot_start();
	fake_in_sync();
	UNTIL(seen.in_sync == 1);

	store_remove(s, KIND, NULL, "a", 0, on_done, NULL);
	UNTIL(fake.requests == 1);
	result.has_header_revision = 1;
	result.header_revision = 7;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT, &result);
	fake_progress(6);
	UNTIL(strstr(seen.text, "@=6"));
	turns(50);
	assert_null(answer);
	fake_progress(7);
	a = take_answer();
	assert_int_equal(a->status, STORE_OK);
	assert_int_equal(a->header_revision, 7);
	store_result_free(a);

	/* A conflict keeps its words, and the object that is there is there for the reader, too. */
	store_remove(s, KIND, NULL, "b", 3, on_done, NULL);
	UNTIL(fake.requests == 2);
	r.has_kind = r.has_revision = 1;
	r.kind = KIND;
	r.name = (char *)(uintptr_t) "b";
	r.revision = 8;
	error.has_code = 1;
	error.code = SYNC__V1__ERROR_CODE__ERROR_CONFLICT;
	error.text = (char *)(uintptr_t) "b has changed";
	error.current = &r;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR, &error);
	turns(50);
	assert_null(answer);

	/* The connection breaks: the answer is known, and the next one must be as far. */
	fake_close();
	UNTIL(seen.downs == 1);
	fake_open();
	fake.revision = 8;
	UNTIL(fake.watches == 2);
	assert_int_equal(fake.min_revision, 8);
	assert_null(answer);
	fake_snapshot_start();
	fake_update("b", 8, false);
	fake_in_sync();
	a = take_answer();
	assert_int_equal(a->status, STORE_CONFLICT);
	assert_string_equal(a->text, "b has changed");
	assert_int_equal(a->items[0]->revision, 8);
	store_result_free(a);
	assert_int_equal(stats_of(s).unseen, 0);

	/* What has no revision needs none. */
	store_get(s, KIND, NULL, "b", on_done, NULL);
	UNTIL(fake.requests == 3);
	error.current = NULL;
	error.code = SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND;
	fake_send(fake.last_id, SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR, &error);
	a = take_answer();
	assert_int_equal(a->status, STORE_NOT_FOUND);
	store_result_free(a);
	store_free(s);
}

static void nobody_is_fed_by_himself(void **state)
{
	char *const *lineage;
	struct store *s;

	(void)state;
	fake_open();
	fake.lineage[0] = (char *)(uintptr_t) "x";
	fake.lineage[1] = (char *)(uintptr_t) "me";
	fake.n_lineage = 2;
	s = must_chain(10000);
	UNTIL(stats_of(s).loops == 1);
	assert_non_null(strstr(stats_of(s).last_error, "fed by this one"));
	assert_int_equal(fake.watches, 0);
	fake.lineage[1] = (char *)(uintptr_t) "y";
	UNTIL(fake.watches == 1);
	assert_int_equal(store_typha_lineage(s, &lineage), 2);
	assert_string_equal(lineage[1], "y");
	fake_snapshot_start();
	fake_in_sync();
	UNTIL(seen.in_sync == 1);
	assert_null(stats_of(s).last_error);
	store_free(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_watch_delivers_true_differences),
		T(asked_to_go_it_goes_when_all_is_answered),
		T(asked_to_go_it_does_not_wait_for_ever),
		T(a_ping_is_answered),
		T(packed_frames_count_as_frames),
		T(requests_are_answered_in_any_order),
		T(errors_become_statuses),
		T(a_list_comes_in_parts),
		T(without_a_typhad_calls_fail_at_once),
		T(a_restart_of_typhad_goes_unnoticed_by_calls_made_meanwhile),
		T(what_was_sent_when_the_connection_broke_is_in_doubt),
		T(a_refused_hello_is_told),
		T(freeing_answers_what_waits),
		T(what_was_told_is_never_taken_back),
		T(a_datastore_that_went_back_in_time_is_learnt_anew),
		T(what_is_packed_behind_the_end_is_not_heard),
		T(a_write_is_answered_when_the_watch_has_told_of_it),
		T(nobody_is_fed_by_himself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
