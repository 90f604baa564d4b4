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
#include <unistd.h>

#include "common/base/buf.h"
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

	if (kv_open(path, &kv, &err) < 0)
		fail_msg("%s", err.text);
	return kv;
}

static uint64_t put(struct kv *kv, const char *key, const char *value)
{
	uint64_t revision = 0;

	assert_int_equal(kv_put(kv, key, value, strlen(value), &revision, NULL), 0);
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
	struct kv *kv = kv_must_open();
	struct buf b = { 0 };
	uint64_t r;

	(void)state;
	assert_int_equal(kv_begin(kv, true, NULL), 0);
	for (int i = 0; i < 1100; i++)
		(void)put(kv, "a", "");
	assert_int_equal(kv_compact(kv, 10, NULL), 0);
	assert_int_equal(kv_commit(kv, NULL), 0);
	assert_int_equal(kv_revision(kv, &r, NULL), 0);
	assert_int_equal(r, 1101);
	assert_int_equal(kv_changes(kv, 1000, add_change, &b, NULL), -ESTALE);
	assert_int_equal(kv_changes(kv, 1091, add_change, &b, NULL), 0);
	assert_non_null(strstr(buf_cstr(&b), "1092+a "));
	buf_done(&b);
	kv_close(kv);
}

/* Refused with a sentence, every byte as it was, nothing new beside it. */
static void assert_left_alone(const char *sentence)
{
	struct kv *kv = NULL;
	struct err err = { 0 };
	char *before, *after, cmd[160];
	size_t n_before, n_after;

	assert_int_equal(file_read(path, 1 << 24, &before, &n_before, NULL), 0);
	assert_int_equal(kv_open(path, &kv, &err), -EINVAL);
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
	assert_int_equal(kv_open(path, &kv, &err), -EINVAL);
	(void)alarm(0);
	assert_non_null(strstr(err.text, "not a regular file"));
}

static void a_newer_schema_is_left_alone(void **state)
{
	(void)state;
	kv_close(kv_must_open());
	sql("PRAGMA user_version = 2");
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
	assert_true(kv_open(path, &kv, &err) < 0);
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

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(revisions_count_every_change),
		T(a_rollback_leaves_nothing),
		T(a_scan_keeps_to_its_prefix_and_its_page),
		T(the_log_tells_changes_in_order),
		T(compaction_moves_the_bound_and_says_so),
		T(files_that_are_no_datastore_are_left_alone),
		T(what_is_no_file_is_refused_at_once),
		T(a_newer_schema_is_left_alone),
		T(a_damaged_datastore_is_told),
		T(an_empty_file_becomes_a_datastore),
		T(two_at_once_see_each_other),
		T(a_file_that_was_taken_away_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
