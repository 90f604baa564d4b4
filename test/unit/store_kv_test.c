/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and values in SQLite: revisions, the log, what files are taken and what files are left
 * alone. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/kv.h"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/store_kv_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sub/ds.db", dir);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct kv *kv_must_open(void)
{
	struct kv *kv = NULL;
	struct err err = { 0 };

	if (kv_open(path, true, &kv, &err) < 0)
		fail_msg("%s", err.text);
	return kv;
}

static uint64_t put(struct kv *kv, const char *key, const char *value)
{
	uint64_t revision = 0;

	assert_int_equal(kv_put(kv, key, value, strlen(value), 0, &revision, NULL), 0);
	return revision;
}

static void write_file(const char *p, const void *data, size_t len)
{
	assert_int_equal(file_replace(p, data, len, 0600, NULL), 0);
}

static void revisions_count_every_change(void **state)
{
	struct kv *kv = kv_must_open();
	struct kv_item item;
	uint64_t r;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 1);
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	assert_int_equal(put(kv, "/calico/a", "1"), 2);
	assert_int_equal(put(kv, "/calico/b", "2"), 3);
	assert_int_equal(put(kv, "/calico/a", "3"), 4);
	assert_int_equal(kv_delete(kv, "/calico/b", &r, NULL), 0);
	assert_int_equal(r, 5);
	assert_int_equal(kv_commit(kv, NULL), 0);
	assert_int_equal(kv_get(kv, "/calico/a", &item, NULL), 1);
	assert_int_equal(item.len, 1);
	assert_memory_equal(item.value, "3", 1);
	assert_int_equal(item.created, 2);
	assert_int_equal(item.modified, 4);
	assert_int_equal(kv_get(kv, "/calico/b", &item, NULL), 0);
	kv_close(kv);

	kv = kv_must_open(); /* all of it is still there */
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 5);
	assert_int_equal(kv_get(kv, "/calico/a", &item, NULL), 1);
	kv_close(kv);
}

static void a_rollback_leaves_nothing(void **state)
{
	struct kv *kv = kv_must_open();
	struct kv_item item;
	uint64_t r;

	(void)state;
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	(void)put(kv, "/calico/a", "1");
	kv_rollback(kv);
	kv_rollback(kv);
	assert_int_equal(kv_get(kv, "/calico/a", &item, NULL), 0);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 1);
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	assert_int_equal(put(kv, "/calico/a", "1"), 2);
	assert_int_equal(kv_commit(kv, NULL), 0);
	kv_close(kv);
}

static void add_key(void *arg, const struct kv_item *item)
{
	buf_printf(arg, "%s ", item->key);
}

static void a_scan_keeps_to_its_prefix_and_its_page(void **state)
{
	struct kv *kv = kv_must_open();
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	(void)put(kv, "/a/1", "");
	(void)put(kv, "/a/2", "");
	(void)put(kv, "/a/3", "");
	(void)put(kv, "/ab", "");
	(void)put(kv, "/b", "");
	assert_int_equal(kv_commit(kv, NULL), 0);
	assert_int_equal(kv_scan(kv, "/a/", NULL, 0, add_key, &b, NULL), 3);
	assert_string_equal(buf_cstr(&b), "/a/1 /a/2 /a/3 ");
	buf_clear(&b);
	assert_int_equal(kv_scan(kv, "/a/", "/a/1", 1, add_key, &b, NULL), 1);
	assert_string_equal(buf_cstr(&b), "/a/2 ");
	buf_done(&b);
	kv_close(kv);
}

static void add_change(void *arg, uint64_t revision, const char *key, bool deleted)
{
	buf_printf(arg, "%llu%s%s ", (unsigned long long)revision, deleted ? "-" : "+", key);
}

static void the_log_tells_changes_in_order(void **state)
{
	struct kv *kv = kv_must_open();
	struct buf b = { 0 };
	uint64_t r;

	(void)state;
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	(void)put(kv, "a", "");
	(void)put(kv, "b", "");
	assert_int_equal(kv_delete(kv, "a", &r, NULL), 0);
	assert_int_equal(kv_commit(kv, NULL), 0);
	assert_int_equal(kv_changes(kv, 1, add_change, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "2+a 3+b 4-a ");
	buf_clear(&b);
	assert_int_equal(kv_changes(kv, 3, add_change, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "4-a ");
	buf_done(&b);
	kv_close(kv);
}

static void compaction_moves_the_bound_and_says_so(void **state)
{
	const struct kv_keep keep = { 10, 0 };
	struct kv *kv = kv_must_open();
	struct buf b = { 0 };
	bool more = false;
	uint64_t r;

	(void)state;
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	for (int i = 0; i < 1100; i++)
		(void)put(kv, "a", "");
	assert_int_equal(kv_tidy(kv, &keep, 0, &more, NULL), 0);
	assert_false(more);
	assert_int_equal(kv_commit(kv, NULL), 0);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 1101);
	assert_int_equal(kv_changes(kv, 1000, add_change, &b, NULL), -ESTALE);
	assert_int_equal(kv_changes(kv, 1091, add_change, &b, NULL), 0);
	assert_non_null(strstr(buf_cstr(&b), "1092+a "));
	buf_done(&b);
	kv_close(kv);
}

/* Tidies until there is no more of it. Returns in how many transactions. */
static int tidy(struct kv *kv, struct kv_keep keep, uint64_t now_sec)
{
	int n = 0;

	for (bool more = true; more; n++) {
		more = false;
		assert_int_equal(kv_begin(kv, true, NULL), 0);
		assert_int_equal(kv_tidy(kv, &keep, now_sec, &more, NULL), 0);
		assert_int_equal(kv_commit(kv, NULL), 0);
		assert_true(n < 10000);
	}
	return n;
}

static void sql(const char *text);

static void the_log_grows_no_older_than_it_may(void **state)
{
	const struct kv_keep keep = { 1000000, 3600 };
	struct kv *kv = kv_must_open();
	struct buf b = { 0 };
	uint64_t r;

	(void)state;
	for (uint64_t minute = 0; minute < 180; minute++) {
		bool more = false;

		assert_int_equal(kv_begin(kv, true, NULL), 0);
		(void)put(kv, "a", "");
		assert_int_equal(kv_tidy(kv, &keep, 1000000 + minute * 60, &more, NULL), 0);
		assert_int_equal(kv_commit(kv, NULL), 0);
	}
	assert_int_equal(kv_changes(kv, 110, add_change, &b, NULL), -ESTALE);
	assert_int_equal(kv_changes(kv, 122, add_change, &b, NULL), 0); /* 60 minutes */
	/* A clock that is put back: what is there counts as of now, and goes an hour later. */
	tidy(kv, keep, 500000);
	assert_int_equal(kv_changes(kv, 122, add_change, &b, NULL), 0);
	tidy(kv, keep, 500000 + 3600);
	assert_int_equal(kv_changes(kv, 122, add_change, &b, NULL), -ESTALE);
	/* One that jumps ahead costs the log, never the revision. */
	tidy(kv, keep, 1u << 31);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 181);
	buf_done(&b);
	kv_close(kv);
}

static uint64_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void put_many(struct kv *kv, int from, int to, size_t len)
{
	char *value = xcalloc(1, len + 1), key[32];

	memset(value, 'x', len);
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	for (int i = from; i < to; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		(void)put(kv, key, value);
	}
	assert_int_equal(kv_commit(kv, NULL), 0);
	free(value);
}

/* Many changes to a few objects, then many objects that go: the file is bounded, and shrinks. */
static void the_file_is_as_large_as_what_is_in_it(void **state)
{
	const struct kv_keep keep = { 1000, 0 };
	struct kv *kv = kv_must_open();
	uint64_t small, large;

	(void)state;
	put_many(kv, 0, 10, 100);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 50; i++)
			put_many(kv, 0, 10, 100);
		(void)tidy(kv, keep, 0);
	}
	kv_close(kv); /* a checkpoint */
	small = file_size();
	assert_true(small < 1u << 20); /* 100,000 changes would be 3 MB */
	kv = kv_must_open();
	put_many(kv, 10, 10010, 1000);
	kv_close(kv);
	large = file_size();
	assert_true(large > 10u << 20);
	kv = kv_must_open();
	for (int i = 10; i < 10010; i += 500) {
		assert_int_equal(kv_begin(kv, true, NULL), 0);
		for (int k = i; k < i + 500; k++) {
			uint64_t r;
			char key[32];

			(void)snprintf(key, sizeof(key), "k%d", k);
			assert_int_equal(kv_delete(kv, key, &r, NULL), 0);
		}
		assert_int_equal(kv_commit(kv, NULL), 0);
	}
	assert_true(tidy(kv, keep, 0) > 8); /* in pieces: others may write in between */
	kv_close(kv);
	assert_true(file_size() < small + (3u << 20));
}

/* As the first version made it. */
static void a_datastore_of_the_first_schema_is_brought_up_to_date(void **state)
{
	const struct kv_keep keep = { 1000, 0 };
	struct kv *kv;
	struct kv_item item;
	struct buf b = { 0 };
	uint64_t r;
	char sub[80];

	(void)state;
	(void)snprintf(sub, sizeof(sub), "%s/sub", dir);
	assert_int_equal(dir_make(sub, 0755, NULL), 0);
	sql("PRAGMA application_id = 0x50726361; PRAGMA user_version = 1; PRAGMA journal_mode = "
	    "WAL;"
	    "CREATE TABLE object (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created "
	    "INTEGER "
	    "NOT NULL, modified INTEGER NOT NULL, value BLOB NOT NULL);"
	    "CREATE TABLE change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, deleted INTEGER "
	    "NOT NULL);"
	    "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), compacted INTEGER NOT NULL);"
	    "INSERT INTO change VALUES (1, '', 1); INSERT INTO meta VALUES (1, 1);"
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
	    " INSERT INTO object (key, created, modified, value) SELECT 'k' || i, i + 1, i + 1, "
	    "hex(zeroblob(500)) FROM n;"
	    "INSERT INTO change SELECT modified, key, 0 FROM object");
	kv = kv_must_open();
	assert_int_equal(kv_check(kv, NULL, NULL), 0);
	assert_int_equal(kv_make_shrinkable(kv, NULL), 0);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 5001);
	assert_int_equal(kv_get(kv, "k7", &item, NULL), 1);
	assert_int_equal(item.modified, 8);
	assert_int_equal(item.len, 1000);
	kv_rollback(kv); /* the item is not needed any more */
	assert_int_equal(kv_changes(kv, 4999, add_change, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "5000+k4999 5001+k5000 ");
	/* A process of the older version that has it open goes on writing. */
	sql("BEGIN; UPDATE object SET modified = 5002, value = 'y' WHERE key = 'k7';"
	    "INSERT INTO change VALUES (5002, 'k7', 0); COMMIT");
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	assert_int_equal(kv_put(kv, "k7", "z", 1, 60, &r, NULL), 0);
	assert_int_equal(r, 5003);
	for (int i = 100; i <= 5000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(kv_delete(kv, key, &r, NULL), 0);
	}
	assert_int_equal(kv_commit(kv, NULL), 0);
	(void)tidy(kv, keep, 0);
	kv_close(kv);
	assert_true(file_size() < 3u << 20); /* it shrinks like one that is new */
	kv_close(kv_must_open());
	buf_done(&b);
}

/* ---- time to live */

static void put_ttl(struct kv *kv, const char *key, uint32_t ttl_sec)
{
	uint64_t r;

	assert_int_equal(kv_begin(kv, true, NULL), 0);
	assert_int_equal(kv_put(kv, key, "", 0, ttl_sec, &r, NULL), 0);
	assert_int_equal(kv_commit(kv, NULL), 0);
}

static void expire(struct kv *kv, struct buf *b)
{
	buf_clear(b);
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	assert_int_equal(kv_expire(kv, add_change, b, NULL), 0);
	assert_int_equal(kv_commit(kv, NULL), 0);
}

static void what_is_due_goes_and_is_in_the_log(void **state)
{
	struct kv *kv = kv_must_open();
	struct kv_item item;
	struct buf b = { 0 };
	uint64_t at;

	(void)state;
	assert_int_equal(kv_next_expiry(kv, &at, NULL), 0);
	assert_int_equal(at, 0);
	put_ttl(kv, "a", 100);
	put_ttl(kv, "b", 50);
	put_ttl(kv, "c", 50);
	put_ttl(kv, "c", 0); /* written again without: it stays */
	assert_int_equal(kv_next_expiry(kv, &at, NULL), 0);
	assert_true(at > boottime_ms() + 45000 && at <= boottime_ms() + 50000);
	expire(kv, &b);
	assert_string_equal(buf_cstr(&b), "");
	kv_close(kv);
	sql("UPDATE expiry SET due = due - 60000"); /* a minute passes */
	kv = kv_must_open();
	expire(kv, &b);
	assert_string_equal(buf_cstr(&b), "6-b ");
	expire(kv, &b); /* by whoever comes first, once */
	assert_string_equal(buf_cstr(&b), "");
	buf_clear(&b);
	assert_int_equal(kv_changes(kv, 5, add_change, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "6-b ");
	assert_int_equal(kv_get(kv, "a", &item, NULL), 1);
	assert_int_equal(kv_get(kv, "c", &item, NULL), 1);
	/* Behind a reboot what was due begins its time anew: how long it took nobody knows. */
	kv_close(kv);
	sql("UPDATE expiry SET due = 1; UPDATE meta SET boot = 'another'");
	kv = kv_must_open();
	assert_int_equal(kv_next_expiry(kv, &at, NULL), 0);
	assert_int_equal(at, 1); /* to be looked at */
	expire(kv, &b);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(kv_next_expiry(kv, &at, NULL), 0);
	assert_true(at > boottime_ms() + 95000 && at <= boottime_ms() + 100000);
	kv_close(kv);
	buf_done(&b);
}

/* ---- health */

static void invariants_are_checked(void **state)
{
	static const char *const breaks[][2] = {
		{ "UPDATE object SET modified = 99", "a revision that the log does not know" },
		{ "UPDATE meta SET compacted = 99", "ends before its beginning" },
	};
	struct err err = { 0 };
	struct kv *kv = kv_must_open();
	bool whole = false;

	(void)state;
	put_ttl(kv, "a", 0);
	assert_int_equal(kv_check(kv, &whole, NULL), 0);
	assert_true(whole);
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		sql(breaks[i][0]);
		assert_int_equal(kv_check(kv, &whole, &err), -EINVAL);
		assert_non_null(strstr(err.text, breaks[i][1]));
		assert_non_null(strstr(err.text, "calicoctl datastore restore"));
		sql("UPDATE object SET modified = 2; UPDATE meta SET compacted = 1");
	}
	kv_close(kv);
}

/* A page in the middle of the file, which opening does not meet. */
static void a_damaged_page_is_found_and_left(void **state)
{
	struct kv *kv = kv_must_open();
	struct err err = { 0 };
	char *data, *after;
	size_t len, len_after;

	(void)state;
	put_many(kv, 0, 3000, 300);
	kv_close(kv);
	assert_int_equal(file_read(path, 1 << 24, &data, &len, NULL), 0);
	memset(data + len / 2 / 4096 * 4096, 0x5a, 4096);
	write_file(path, data, len);
	kv = kv_must_open();
	assert_int_equal(kv_check(kv, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is damaged"));
	assert_non_null(strstr(err.text, path));
	kv_close(kv);
	assert_int_equal(file_read(path, 1 << 24, &after, &len_after, NULL), 0);
	assert_int_equal(len, len_after);
	assert_memory_equal(data, after, len);
	free(data);
	free(after);
}

/* Refused with a sentence, every byte as it was, nothing new beside it. */
static void assert_left_alone(const char *sentence)
{
	struct kv *kv = NULL;
	struct err err = { 0 };
	char *before, *after, cmd[160];
	size_t n_before, n_after;

	assert_int_equal(file_read(path, 1 << 24, &before, &n_before, NULL), 0);
	assert_int_equal(kv_open(path, true, &kv, &err), -EINVAL);
	if (!strstr(err.text, sentence) || !strstr(err.text, path))
		fail_msg("the sentence is: %s", err.text);
	assert_int_equal(file_read(path, 1 << 24, &after, &n_after, NULL), 0);
	assert_int_equal(n_before, n_after);
	assert_memory_equal(before, after, n_before);
	(void)snprintf(cmd, sizeof(cmd), "test $(ls %s/sub | wc -l) = 1", dir);
	assert_int_equal(system(cmd), 0);
	free(before);
	free(after);
}

static void sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void files_that_are_no_datastore_are_left_alone(void **state)
{
	char noise[4096];

	(void)state;
	assert_int_equal(dir_make(strcat(strcpy(noise, dir), "/sub"), 0755, NULL), 0);
	write_file(path, "hello", 5);
	assert_left_alone("it is not an SQLite database");
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 7919 >> 3);
	write_file(path, noise, sizeof(noise));
	assert_left_alone("it is not an SQLite database");
	write_file(path, "SQLite format 3", 16); /* cut off */
	assert_left_alone("it is not an SQLite database");
	assert_int_equal(unlink(path), 0);
	sql("CREATE TABLE t (x)");
	assert_left_alone("of another program");
}

/* Opening a FIFO for reading waits for a writer, who may never come. */
static void what_is_no_file_is_refused_at_once(void **state)
{
	struct kv *kv = NULL;
	struct err err = { 0 };
	char sub[256];

	(void)state;
	assert_int_equal(dir_make(strcat(strcpy(sub, dir), "/sub"), 0755, NULL), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)alarm(5);
	assert_int_equal(kv_open(path, true, &kv, &err), -EINVAL);
	(void)alarm(0);
	assert_non_null(strstr(err.text, "not a regular file"));
}

static void a_newer_schema_is_left_alone(void **state)
{
	(void)state;
	kv_close(kv_must_open());
	sql("PRAGMA user_version = 9");
	assert_left_alone("a newer version");
}

static void a_damaged_datastore_is_told(void **state)
{
	struct kv *kv = kv_must_open();
	struct err err = { 0 };
	char *data;
	size_t len;

	(void)state;
	kv_close(kv);
	assert_int_equal(file_read(path, 1 << 24, &data, &len, NULL), 0);
	for (size_t i = 100; i < len; i++)
		data[i] = (char)(data[i] ^ 0x5a);
	write_file(path, data, len);
	free(data);
	kv = NULL;
	assert_true(kv_open(path, true, &kv, &err) < 0);
	assert_non_null(strstr(err.text, path));
}

static void an_empty_file_becomes_a_datastore(void **state)
{
	char sub[80];
	uint64_t r;
	struct kv *kv;

	(void)state;
	(void)snprintf(sub, sizeof(sub), "%s/sub", dir);
	assert_int_equal(dir_make(sub, 0755, NULL), 0);
	write_file(path, "", 0);
	kv = kv_must_open();
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 1);
	kv_close(kv);
}

static void two_at_once_see_each_other(void **state)
{
	struct kv *a = kv_must_open(), *b = kv_must_open();
	struct kv_item item;

	(void)state;
	assert_int_equal(kv_begin(a, true, NULL), 0);
	assert_int_equal(put(a, "k", "1"), 2);
	assert_int_equal(kv_get(b, "k", &item, NULL), 0); /* not yet */
	assert_int_equal(kv_commit(a, NULL), 0);
	assert_int_equal(kv_begin(b, true, NULL), 0);
	assert_int_equal(put(b, "k", "2"), 3);
	assert_int_equal(kv_commit(b, NULL), 0);
	assert_int_equal(kv_get(a, "k", &item, NULL), 1);
	assert_int_equal(item.modified, 3);
	kv_close(a);
	kv_close(b);
}

static void a_file_that_was_taken_away_is_not_written(void **state)
{
	struct kv *kv = kv_must_open();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kv_begin(kv, true, &err), -ESTALE);
	assert_non_null(strstr(err.text, "was removed or replaced"));
	kv_close(kv);
}

/* A process of its own, begun before anything is open here: what SQLite knows of the locks of a
 * process must not be inherited. With each byte that it is sent, it opens the datastore, looks for
 * a key, closes it again, and tells what it has found. */
struct other {
	int to, from;
	pid_t pid;
};

static char other_look(void)
{
	struct kv *kv;
	struct kv_item item;
	char found = '?';

	if (kv_open(path, true, &kv, NULL) < 0)
		return found;
	found = kv_get(kv, "late", &item, NULL) == 1 ? 'y' : 'n';
	kv_close(kv);
	return found;
}

static void other_begin(struct other *o)
{
	int in[2], out[2];
	char byte;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (o->pid == 0) {
		(void)close(in[1]);
		while (read(in[0], &byte, 1) == 1) {
			byte = other_look();
			if (write(out[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	o->to = in[1];
	o->from = out[0];
}

static char other_looks(const struct other *o)
{
	char found = '-';

	assert_int_equal(write(o->to, "", 1), 1);
	assert_int_equal(read(o->from, &found, 1), 1);
	return found;
}

static void other_end(struct other *o)
{
	int status;

	(void)close(o->to);
	(void)close(o->from);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
}

/* POSIX locks go when a process closes any descriptor of the file: SQLite sees to it for its own
 * only. Without them, the next process to close the datastore thinks itself the last, and deletes
 * the -wal file under those that write to it. */
static void opening_it_once_more_gives_no_lock_away(void **state)
{
	struct other other;
	struct kv *kv, *again;

	(void)state;
	other_begin(&other);
	kv = kv_must_open();
	again = kv_must_open(); /* as after an I/O error */
	kv_close(kv);
	assert_int_equal(other_looks(&other), 'n');
	assert_int_equal(kv_begin(again, true, NULL), 0);
	(void)put(again, "late", "1");
	assert_int_equal(kv_commit(again, NULL), 0);
	assert_int_equal(other_looks(&other), 'y');
	kv_close(again);
	other_end(&other);
}

static void a_transaction_that_cannot_begin_is_not_left_open(void **state)
{
	struct kv *kv = kv_must_open(), *other = kv_must_open();
	struct err err = { 0 };
	sqlite3 *db = NULL;

	(void)state;
	/* What the first write of a boot looks for is not there. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db, "ALTER TABLE meta RENAME COLUMN boot TO boots", NULL, NULL, NULL),
	        SQLITE_OK);
	assert_true(kv_begin(kv, true, &err) < 0);
	assert_int_equal(
	        sqlite3_exec(db, "ALTER TABLE meta RENAME COLUMN boots TO boot", NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(kv_begin(other, true, NULL), 0);
	kv_rollback(other);
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	kv_rollback(kv);
	kv_close(other);
	kv_close(kv);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(revisions_count_every_change),
		T(a_rollback_leaves_nothing),
		T(a_scan_keeps_to_its_prefix_and_its_page),
		T(the_log_tells_changes_in_order),
		T(compaction_moves_the_bound_and_says_so),
		T(the_log_grows_no_older_than_it_may),
		T(the_file_is_as_large_as_what_is_in_it),
		T(a_datastore_of_the_first_schema_is_brought_up_to_date),
		T(what_is_due_goes_and_is_in_the_log),
		T(invariants_are_checked),
		T(a_damaged_page_is_found_and_left),
		T(files_that_are_no_datastore_are_left_alone),
		T(what_is_no_file_is_refused_at_once),
		T(a_newer_schema_is_left_alone),
		T(a_damaged_datastore_is_told),
		T(an_empty_file_becomes_a_datastore),
		T(two_at_once_see_each_other),
		T(a_file_that_was_taken_away_is_not_written),
		T(opening_it_once_more_gives_no_lock_away),
		T(a_transaction_that_cannot_begin_is_not_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
