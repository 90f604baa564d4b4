/* SPDX-License-Identifier: BSD-2-Clause */
/* The embedded driver through its front door: answers, the watch, other processes, broken values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/embedded_job.h"
#include "common/store/kv.h"
#include "common/store/store.h"
#include "proto/v3_policy.pb-c.h"

#define KIND V3__KIND__KIND_GLOBAL_NETWORK_SET
#define PREFIX "/calico/resources/v3/projectcalico.org/globalnetworksets/"

static uv_loop_t loop;
static char dir[64], path[96];

static struct store *must_open(void)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (store_embedded_open(&loop, path, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	assert_int_equal(uv_loop_init(&loop), 0);
	(void)snprintf(dir, sizeof(dir), "/tmp/store_embedded_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/ds.db", dir);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(uv_loop_close(&loop), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct resource *object(const char *name, const char *v, uint64_t revision)
{
	ProtobufCMessage *m = msg_new(&v3__global_network_set__descriptor);
	V3__ObjectMeta *meta = model_meta(m, true);

	msg_set_str(&meta->name, name);
	meta_set(&meta->n_labels, (V3__ObjectMeta__LabelsEntry ***)&meta->labels, "v", v);
	return resource_new(KIND, NULL, name, revision, m);
}

static const char *value(const struct resource *r)
{
	const V3__ObjectMeta *meta = model_meta(r->msg, false);

	return meta_get(meta->n_labels, (V3__ObjectMeta__LabelsEntry *const *)meta->labels, "v");
}

/* ---- one call at a time */

static struct store_result *answer;

static void on_done(void *arg, const struct store_result *r)
{
	(void)arg;
	assert_null(answer); /* once */
	answer = store_result_copy(r);
}

static struct store_result *wait_answer(void)
{
	struct store_result *r;

	assert_null(answer); /* not before the call returned */
	while (!answer)
		uv_run(&loop, UV_RUN_ONCE);
	r = answer;
	answer = NULL;
	assert_int_equal(r->status == STORE_OK, r->text == NULL);
	return r;
}

typedef void write_fn(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);

/* Writes and gives the answer's status; *ret_revision: of the object in the answer, 0 when there is
 * none. */
static enum store_status put(struct store *s, write_fn *fn, const char *name, const char *v,
                             uint64_t revision, uint64_t *ret_revision)
{
	struct resource *r = object(name, v, revision);
	struct store_result *a;
	enum store_status status;

	fn(s, r, on_done, NULL);
	resource_free(r);
	a = wait_answer();
	status = a->status;
	if (ret_revision)
		*ret_revision = a->n ? a->items[0]->revision : 0;
	store_result_free(a);
	return status;
}

static enum store_status del(struct store *s, const char *name, uint64_t revision,
                             uint64_t *ret_revision)
{
	struct store_result *a;
	enum store_status status;

	store_remove(s, KIND, NULL, name, revision, on_done, NULL);
	a = wait_answer();
	status = a->status;
	if (ret_revision)
		*ret_revision = a->n ? a->items[0]->revision : 0;
	store_result_free(a);
	return status;
}

static void compare_and_swap(void **state)
{
	struct store *s = must_open();
	struct store_result *a;
	uint64_t r1, r2, r;

	(void)state;
	assert_int_equal(put(s, store_update, "a", "0", 0, &r), STORE_NOT_FOUND);
	assert_int_equal(put(s, store_create, "a", "1", 99, &r1),
	                 STORE_OK); /* its revision is ignored */
	assert_int_equal(r1, 2);
	assert_int_equal(put(s, store_create, "a", "2", 0, &r), STORE_ALREADY_EXISTS);
	assert_int_equal(r, r1);
	assert_int_equal(put(s, store_update, "a", "2", r1 + 1, &r), STORE_CONFLICT);
	assert_int_equal(r, r1);
	assert_int_equal(put(s, store_update, "a", "2", r1, &r2), STORE_OK);
	assert_int_equal(r2, r1 + 1);
	assert_int_equal(put(s, store_update, "a", "3", r1, &r), STORE_CONFLICT);
	assert_int_equal(put(s, store_update, "a", "3", 0, &r), STORE_OK);
	assert_int_equal(put(s, store_apply, "a", "4", r1, &r), STORE_OK);
	assert_int_equal(put(s, store_apply, "b", "1", 0, NULL), STORE_OK);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_OK);
	assert_string_equal(value(a->items[0]), "4");
	assert_int_equal(a->items[0]->revision, r);
	assert_int_equal(strtoul(model_meta(a->items[0]->msg, false)->resourceversion, NULL, 10),
	                 r);
	assert_int_equal(a->header_revision, r + 1);
	store_result_free(a);
	assert_int_equal(del(s, "a", r1, &r2), STORE_CONFLICT);
	assert_int_equal(r2, r);
	assert_int_equal(del(s, "a", r, &r2), STORE_OK);
	assert_int_equal(r2, r);
	assert_int_equal(del(s, "a", r, NULL), STORE_NOT_FOUND);
	assert_int_equal(del(s, "b", 0, NULL), STORE_OK);
	store_get(s, KIND, NULL, "a", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_NOT_FOUND);
	assert_string_equal(a->text, "resource does not exist: GlobalNetworkSet(a)");
	store_result_free(a);
	store_free(s);
}

static void requests_without_sense(void **state)
{
	struct store *s = must_open();
	struct resource *r = object("a", "1", 0);
	struct store_result *a;

	(void)state;
	free(r->name);
	r->name = xstrdup("b");
	store_create(s, r, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_INVALID);
	store_result_free(a);
	resource_free(r);
	store_get(s, (model_kind)999, NULL, "a", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_INVALID);
	store_result_free(a);
	store_list(s, KIND, "ns", NULL, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_INVALID);
	store_result_free(a);
	store_remove(s, KIND, NULL, "a/b", 0, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_INVALID);
	store_result_free(a);
	store_free(s);
}

static void metadata_is_made_and_kept(void **state)
{
	struct store *s = must_open();
	struct resource *r = object("a", "1", 0);
	struct store_result *a, *b;

	(void)state;
	store_create(s, r, on_done, NULL);
	a = wait_answer();
	store_apply(s, r, on_done, NULL);
	b = wait_answer();
	assert_string_equal(model_meta(a->items[0]->msg, false)->uid,
	                    model_meta(b->items[0]->msg, false)->uid);
	assert_string_equal(model_meta(a->items[0]->msg, false)->creationtimestamp,
	                    model_meta(b->items[0]->msg, false)->creationtimestamp);
	assert_null(model_meta(r->msg, false)->uid); /* what was lent is as it was */
	store_result_free(a);
	store_result_free(b);
	resource_free(r);
	store_free(s);
}

static void lists_are_sorted_and_filtered(void **state)
{
	static const char *const sets[][2] = {
		{ "a-b", "x" }, { "a", "y" }, { "a", "x" }, { "b", "xx" }
	};
	struct store *s = must_open();
	struct store_result *a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		ProtobufCMessage *m = msg_new(&v3__network_set__descriptor);
		struct resource *r;

		msg_set_str(&model_meta(m, true)->name, sets[i][1]);
		msg_set_str(&model_meta(m, true)->namespace_, sets[i][0]);
		r = resource_new(V3__KIND__KIND_NETWORK_SET, sets[i][0], sets[i][1], 0, m);
		store_create(s, r, on_done, NULL);
		store_result_free(wait_answer());
		resource_free(r);
	}
	store_list(s, V3__KIND__KIND_NETWORK_SET, NULL, NULL, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->n, 4); /* "a-b/x" would sort before "a/x" as a key */
	assert_string_equal(a->items[0]->ns, "a");
	assert_string_equal(a->items[0]->name, "x");
	assert_string_equal(a->items[2]->ns, "a-b");
	assert_string_equal(a->items[3]->name, "xx");
	store_result_free(a);
	store_list(s, V3__KIND__KIND_NETWORK_SET, "a", NULL, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->n, 2);
	store_result_free(a);
	store_list(s, V3__KIND__KIND_NETWORK_SET, NULL, "x", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->n, 3);
	store_result_free(a);
	store_free(s);
}

static void the_static_profile_can_only_be_read(void **state)
{
	struct store *s = must_open();
	struct store_result *a;
	struct resource *r;

	(void)state;
	store_list(s, V3__KIND__KIND_PROFILE, NULL, NULL, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->n, 1);
	r = resource_copy(a->items[0]);
	store_result_free(a);
	store_create(s, r, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_ALREADY_EXISTS);
	store_result_free(a);
	store_update(s, r, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_INVALID);
	store_result_free(a);
	resource_free(r);
	store_free(s);
}

/* ---- the watch */

struct seen_by {
	char text[4096]; /* what came, in order */
	unsigned in_sync;
};

static void on_update(void *arg, const struct resource *r)
{
	struct seen_by *w = arg;
	size_t n = strlen(w->text);

	(void)snprintf(w->text + n, sizeof(w->text) - n, "+%s=%s ", r->name, value(r));
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct seen_by *w = arg;
	size_t n = strlen(w->text);

	(void)kind;
	(void)ns;
	(void)snprintf(w->text + n, sizeof(w->text) - n, "-%s ", name);
}

static void on_in_sync(void *arg)
{
	((struct seen_by *)arg)->in_sync++;
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = NULL,
};

static struct store *must_watch(struct seen_by *w)
{
	static const model_kind kinds[] = { KIND };
	struct store *s = must_open();

	memset(w, 0, sizeof(*w));
	assert_int_equal(store_watch(s, kinds, 1, &watch_ops, w), 0);
	assert_int_equal(store_watch(s, kinds, 1, &watch_ops, w), -EBUSY);
	while (!w->in_sync)
		uv_run(&loop, UV_RUN_ONCE);
	return s;
}

static void on_done_look(void *arg, const struct store_result *r)
{
	const struct seen_by *w = arg;

	assert_int_equal(r->status, STORE_OK);
	assert_non_null(strstr(w->text, "+c=1 ")); /* the watch knew it first */
	answer = store_result_copy(r);
}

static void the_watch_tells_everything_once(void **state)
{
	struct store *s = must_open();
	struct seen_by w;
	struct resource *r;

	(void)state;
	(void)put(s, store_create, "a", "1", 0, NULL);
	store_free(s);
	s = must_watch(&w);
	assert_string_equal(w.text, "+a=1 ");
	(void)put(s, store_create, "b", "1", 0, NULL);
	(void)put(s, store_update, "a", "2", 0, NULL);
	(void)put(s, store_create, "a", "3", 0, NULL); /* refused: nothing is told */
	(void)del(s, "b", 0, NULL);
	(void)del(s, "b", 0, NULL);
	assert_string_equal(w.text, "+a=1 +b=1 +a=2 -b ");
	r = object("c", "1", 0);
	store_create(s, r, on_done_look, &w);
	store_result_free(wait_answer());
	resource_free(r);
	assert_int_equal(w.in_sync, 1);
	store_free(s);
}

static void other_processes_are_noticed(void **state)
{
	struct seen_by w, w2;
	struct store *s = must_watch(&w), *other = must_watch(&w2);
	struct mono_ms start = mono_now();
	struct store_stats stats;

	(void)state;
	(void)put(other, store_create, "x", "1", 0, NULL);
	while (strlen(w.text) == 0 && mono_since_ms(start) < 10000)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_string_equal(w.text, "+x=1 ");
	(void)put(other, store_apply, "x", "2", 0, NULL);
	(void)put(s, store_create, "y", "1", 0,
	          NULL); /* a write of ours finds it, too, and in order */
	assert_string_equal(w.text, "+x=1 +x=2 +y=1 ");
	store_stats(s, &stats);
	assert_int_equal(stats.foreign_changes, 2);
	assert_int_equal(stats.writes, 1);
	store_free(s);
	store_free(other);
}

/* The disk of the process that says so is slow. SQLite's fdatasync() is this one. */
static bool slow_disk;

int fdatasync(int fd)
{
	if (slow_disk)
		(void)usleep(2000000);
	return (int)syscall(SYS_fdatasync, fd);
}

/* Another process, begun before anything is open here: when told, it writes one object. */
static pid_t slow_writer(int *ret_go)
{
	static const char object_json[] =
	        "{\"kind\":\"GlobalNetworkSet\",\"apiVersion\":\"projectcalico.org/v3\","
	        "\"metadata\":{\"name\":\"late\",\"labels\":{\"v\":\"1\"}},\"spec\":{}}";
	uint64_t revision;
	struct kv *kv = NULL;
	int go[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		(void)close(go[0]);
		*ret_go = go[1];
		return pid;
	}
	(void)close(go[1]);
	if (read(go[0], &byte, 1) != 1 || kv_open(path, false, &kv, NULL) < 0 ||
	    kv_begin(kv, true, NULL) < 0 ||
	    kv_put(kv, PREFIX "late", object_json, strlen(object_json), 0, &revision, NULL) < 0)
		_exit(1);
	slow_disk = true;
	_exit(kv_commit(kv, NULL) < 0);
}

static void on_deadline(uv_timer_t *t)
{
	(void)t; /* it ends the waiting by being over */
}

/* What is written wakes us, what is committed does not, and between the two is a disk that takes
 * its time. */
static void a_commit_that_takes_seconds_is_noticed(void **state)
{
	struct mono_ms start;
	struct seen_by w;
	struct store *s;
	uv_timer_t deadline;
	int go = -1, status = 0;
	pid_t pid = slow_writer(&go);

	(void)state;
	s = must_watch(&w);
	start = mono_now();
	assert_int_equal(write(go, "", 1), 1);
	assert_int_equal(uv_timer_init(&loop, &deadline), 0);
	assert_int_equal(uv_timer_start(&deadline, on_deadline, 10000, 0), 0);
	while (!strstr(w.text, "+late=") && uv_is_active((uv_handle_t *)&deadline))
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&deadline, NULL);
	store_free(s);
	uv_run(&loop, UV_RUN_DEFAULT); /* the timer is on this stack */
	(void)close(go);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(mono_since_ms(start) >= 2000); /* else the disk was not slow */
	assert_non_null(strstr(w.text, "+late="));
}

static void a_compacted_log_leads_to_a_relist(void **state)
{
	struct seen_by w;
	struct store *s = must_watch(&w);
	struct mono_ms start = mono_now();
	sqlite3 *db;

	(void)state;
	(void)put(s, store_create, "a", "1", 0, NULL);
	(void)put(s, store_create, "b", "1", 0, NULL);
	(void)put(s, store_create, "c", "1", 0, NULL);
	/* Somebody deletes a, changes b and compacts behind our back. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "BEGIN; DELETE FROM object WHERE key = '" PREFIX "a';"
	                              "UPDATE object SET modified = 6, value = replace(value, "
	                              "'\"v\":\"1\"', '\"v\":\"2\"')"
	                              " WHERE key = '" PREFIX "b';"
	                              "INSERT INTO change VALUES (5, '" PREFIX
	                              "a', 1), (6, '" PREFIX "b', 0);"
	                              "DELETE FROM change WHERE revision < 6; UPDATE meta SET "
	                              "compacted = 5; COMMIT",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	w.text[0] = '\0';
	while (w.in_sync < 2 && mono_since_ms(start) < 10000)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_string_equal(w.text, "+b=2 -a ");
	store_free(s);
}

static void count_bad(void *arg, const char *key, const char *why)
{
	assert_string_equal(key, PREFIX "bad");
	assert_true(strlen(why) > 0);
	++*(int *)arg;
}

static void broken_values_are_skipped_counted_and_can_be_replaced(void **state)
{
	struct store *s = must_open();
	struct store_stats stats;
	struct store_result *a;
	struct seen_by w;
	sqlite3 *db;
	int bad = 0;

	(void)state;
	(void)put(s, store_create, "good", "1", 0, NULL);
	store_free(s);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "INSERT INTO object (key, created, modified, value) VALUES"
	                              " ('" PREFIX "bad', 3, 3, '{\"metadata\":'),"
	                              " ('/calico/felix/v2/other', 4, 4, 'not ours');"
	                              "INSERT INTO change VALUES (3, '" PREFIX "bad', 0)",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	s = must_watch(&w);
	assert_string_equal(w.text, "+good=1 ");
	store_stats(s, &stats);
	assert_int_equal(stats.bad_values, 1);
	store_bad_values(s, count_bad, &bad);
	assert_int_equal(bad, 1);
	store_get(s, KIND, NULL, "bad", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_NOT_FOUND);
	assert_non_null(strstr(a->text, "cannot be read"));
	store_result_free(a);
	store_list(s, KIND, NULL, NULL, on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->n, 1);
	store_result_free(a);
	assert_int_equal(put(s, store_create, "bad", "1", 0, NULL), STORE_ALREADY_EXISTS);
	assert_int_equal(put(s, store_apply, "bad", "1", 0, NULL), STORE_OK);
	store_stats(s, &stats);
	assert_int_equal(stats.bad_values, 0);
	assert_string_equal(w.text, "+good=1 +bad=1 ");
	store_free(s);
}

/* ---- many at once */

static unsigned answered, ok;

static void on_counted(void *arg, const struct store_result *r)
{
	(void)arg;
	answered++;
	ok += r->status == STORE_OK;
}

static void writes_that_wait_share_a_commit(void **state)
{
	struct store *s = must_open();
	struct store_stats stats;

	(void)state;
	answered = ok = 0;
	for (int i = 0; i < 1000; i++) {
		char name[16];
		struct resource *r;

		(void)snprintf(name, sizeof(name), "o%d", i % 900); /* a hundred exist already */
		r = object(name, "1", 0);
		store_create(s, r, on_counted, NULL);
		resource_free(r);
	}
	assert_int_equal(answered, 0);
	while (answered < 1000)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(ok, 900);
	store_stats(s, &stats);
	assert_int_equal(stats.writes, 900);
	assert_int_equal(stats.conflicts, 100);
	assert_true(stats.commits <= 8);
	assert_int_equal(stats.revision, 901);
	store_free(s);
}

static void calls_under_way_are_answered_when_the_store_is_freed(void **state)
{
	struct store *s = must_open();
	struct resource *r = object("a", "1", 0);

	(void)state;
	answered = ok = 0;
	store_create(s, r, on_counted, NULL); /* with the worker */
	store_update(s, r, on_counted, NULL); /* queued */
	store_free(s);
	assert_int_equal(answered, 2);
	assert_int_equal(ok, 0);
	resource_free(r);
}

/* Random writes against an array; then everything is read back, by the watch and after reopening.
 */
static void random_writes_against_a_model(void **state)
{
	struct {
		uint64_t revision; /* 0: not there */
		int v;
	} model[12] = { 0 };
	struct store *s = must_open();
	struct store_result *a;
	size_t there = 0;

	(void)state;
	srandom(3);
	for (int step = 0; step < 1500; step++) {
		int i = (int)(random() % 12), what = (int)(random() % 4);
		uint64_t expected = random() % 2 ? model[i].revision : (uint64_t)(random() % 1500),
		         r;
		bool exists = model[i].revision != 0, wins;
		char name[8], v[16];
		enum store_status status;

		(void)snprintf(name, sizeof(name), "o%d", i);
		(void)snprintf(v, sizeof(v), "%d", step);
		if (what == 0) {
			status = put(s, store_create, name, v, expected, &r);
			wins = !exists;
		} else if (what == 1) {
			status = put(s, store_update, name, v, expected, &r);
			wins = exists && (!expected || expected == model[i].revision);
		} else if (what == 2) {
			status = put(s, store_apply, name, v, expected, &r);
			wins = true;
		} else {
			status = del(s, name, expected, &r);
			wins = exists && (!expected || expected == model[i].revision);
		}
		assert_int_equal(status == STORE_OK, wins);
		if (wins) {
			model[i].revision = what == 3 ? 0 : r;
			model[i].v = step;
		} else {
			assert_int_equal(r, model[i].revision);
		}
	}
	store_free(s);
	s = must_open();
	store_list(s, KIND, NULL, NULL, on_done, NULL);
	a = wait_answer();
	for (size_t i = 0; i < a->n; i++) {
		int m = atoi(a->items[i]->name + 1);

		assert_int_equal(a->items[i]->revision, model[m].revision);
		assert_int_equal(atoi(value(a->items[i])), model[m].v);
	}
	for (size_t i = 0; i < 12; i++)
		there += model[i].revision != 0;
	assert_int_equal(a->n, there);
	store_result_free(a);
	store_free(s);
}

/* Runs one operation as the driver does; a failed reading must not be mistaken for an empty
 * datastore. */
static void run_one(struct job *j, enum op_type type, uint64_t kinds)
{
	struct op *op = xcalloc(1, sizeof(*op));

	job_clear(j);
	op->type = type;
	op->expected = kinds;
	list_push_back(&j->ops, &op->node);
	job_run(j);
	list_unlink(&op->node);
	op_free(op);
}

static void a_watch_whose_first_reading_fails_begins_again(void **state)
{
	struct job j = { .path = path };
	struct store *s = must_open();

	(void)state;
	list_init(&j.ops);
	assert_int_equal(put(s, store_create, "a", "1", 0, NULL), STORE_OK);
	store_free(s);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(kv_open(path, true, &j.kv, NULL), 0);
	assert_int_equal(kv_begin(j.kv, false, NULL), 0); /* the next transaction cannot begin */
	run_one(&j, OP_LOAD, ~(uint64_t)0);
	assert_false(j.load_done);
	run_one(&j, OP_CATCH_UP, 0); /* what wakes the driver in the meantime */
	assert_true(j.reload);
	run_one(&j, OP_LOAD, 0);
	assert_true(j.load_done);
	assert_int_equal(j.n_changes, 2); /* it, and the profile that is always there */
	job_clear(&j);
	kv_close(j.kv);
}

/* ---- time to live */

static enum store_status put_ttl(struct store *s, const char *name, uint32_t ttl_sec)
{
	struct resource *r = object(name, "1", 0);
	struct store_result *a;
	enum store_status status;

	r->ttl_sec = ttl_sec;
	store_apply(s, r, on_done, NULL);
	resource_free(r);
	a = wait_answer();
	status = a->status;
	store_result_free(a);
	return status;
}

static void what_lives_a_second_goes_by_itself_once_and_everybody_hears(void **state)
{
	struct seen_by w, w2;
	struct store *s = must_watch(&w), *other = must_watch(&w2);
	struct store_stats a, b;
	struct mono_ms start;

	(void)state;
	assert_int_equal(put_ttl(s, "stays", 3600), STORE_OK);
	assert_int_equal(put_ttl(s, "kept", 1), STORE_OK);
	assert_int_equal(put_ttl(s, "goes", 1), STORE_OK);
	assert_int_equal(put_ttl(s, "kept", 0), STORE_OK); /* written again */
	start = mono_now();
	while ((!strstr(w.text, "-goes ") || !strstr(w2.text, "-goes ")) &&
	       mono_since_ms(start) < 10000)
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(w.text, "+stays=1 +kept=1 +goes=1 +kept=1 -goes ");
	assert_non_null(strstr(w2.text, "-goes "));
	assert_true(mono_since_ms(start) >= 900);
	store_stats(s, &a);
	store_stats(other, &b);
	assert_int_equal(a.expired + b.expired, 1); /* by one of the two */
	assert_int_equal(a.writes + b.writes, 4);
	store_free(s);
	store_free(other);
}

static void what_was_due_while_nobody_was_there_is_not_seen(void **state)
{
	struct store *s = must_open();
	struct store_result *a;
	sqlite3 *db;

	(void)state;
	assert_int_equal(put_ttl(s, "goes", 60), STORE_OK);
	store_free(s);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE expiry SET due = due - 60000", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	s = must_open();
	store_get(s, KIND, NULL, "goes", on_done, NULL);
	a = wait_answer();
	assert_int_equal(a->status, STORE_NOT_FOUND);
	assert_int_equal(a->header_revision, 3); /* it was deleted, as of any deletion */
	store_result_free(a);
	store_free(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(compare_and_swap),
		T(requests_without_sense),
		T(metadata_is_made_and_kept),
		T(lists_are_sorted_and_filtered),
		T(the_static_profile_can_only_be_read),
		T(the_watch_tells_everything_once),
		T(other_processes_are_noticed),
		T(a_commit_that_takes_seconds_is_noticed),
		T(a_compacted_log_leads_to_a_relist),
		T(broken_values_are_skipped_counted_and_can_be_replaced),
		T(a_watch_whose_first_reading_fails_begins_again),
		T(what_lives_a_second_goes_by_itself_once_and_everybody_hears),
		T(what_was_due_while_nobody_was_there_is_not_seen),
		T(writes_that_wait_share_a_commit),
		T(calls_under_way_are_answered_when_the_store_is_freed),
		T(random_writes_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
