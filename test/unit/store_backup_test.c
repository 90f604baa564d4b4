/* SPDX-License-Identifier: BSD-2-Clause */
/* Backups: whole, private, never in the way of what exists; and the way back, by differences and
 * with revisions that nobody has seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
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
#include "common/store/kv_backup.h"

static char dir[64], path[96], file[96];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/store_backup_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/ds.db", dir);
	(void)snprintf(file, sizeof(file), "%s/backup", dir);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct kv *must_open(void)
{
	struct kv *kv = NULL;
	struct err err = { 0 };

	if (kv_open(path, true, &kv, &err) < 0)
		fail_msg("%s", err.text);
	return kv;
}

/* value NULL: deletes. */
static uint64_t set(struct kv *kv, const char *key, const char *value)
{
	uint64_t r;

	assert_int_equal(kv_begin(kv, true, NULL), 0);
	if (value)
		assert_int_equal(kv_put(kv, key, value, strlen(value), 0, &r, NULL), 0);
	else
		assert_int_equal(kv_delete(kv, key, &r, NULL), 0);
	assert_int_equal(kv_commit(kv, NULL), 0);
	return r;
}

static void add_item(void *arg, const struct kv_item *item)
{
	buf_printf(arg, "%s=%.*s@%llu ", item->key, (int)item->len, item->value,
	           (unsigned long long)item->modified);
}

static void assert_holds(struct kv *kv, const char *wanted)
{
	struct buf b = { 0 };

	assert_true(kv_scan(kv, "", NULL, 0, add_item, &b, NULL) >= 0);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_done(&b);
}

static void restore(bool force, struct kv_restore *ret)
{
	struct err err = { 0 };

	if (kv_restore(path, file, force, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void backup(void)
{
	struct kv_backup b;
	struct err err = { 0 };

	if (kv_backup(path, file, false, &b, &err) < 0)
		fail_msg("%s", err.text);
}

static void a_backup_is_whole_private_and_overwrites_nothing(void **state)
{
	struct kv *kv = must_open(), *copy;
	struct kv_backup b;
	struct stat st;
	struct err err = { 0 };
	char cmd[160];

	(void)state;
	(void)set(kv, "a", "1");
	(void)set(kv, "b", "2");
	assert_int_equal(kv_backup(path, file, false, &b, &err), 0);
	assert_int_equal(b.objects, 2);
	assert_int_equal(b.revision, 3);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(b.bytes, st.st_size);
	assert_int_equal(kv_backup(path, file, false, &b, &err), -EEXIST);
	assert_non_null(strstr(err.text, "--force"));
	assert_int_equal(kv_backup(path, path, true, &b, &err), -EINVAL);
	(void)set(kv, "c", "3");
	assert_int_equal(kv_backup(path, file, true, &b, &err), 0);
	assert_int_equal(b.objects, 3);
	/* Nothing is left beside it: the datastore with -wal and -shm, the backup. */
	(void)snprintf(cmd, sizeof(cmd), "test $(ls %s | wc -l) = 4", dir);
	assert_int_equal(system(cmd), 0);
	kv_close(kv);
	assert_int_equal(kv_open(file, false, &copy, NULL), 0);
	assert_holds(copy, "a=1@2 b=2@3 c=3@4 ");
	kv_close(copy);
	assert_int_equal(kv_backup("/nowhere/ds.db", file, true, &b, &err), -ENOENT);
}

static void what_differs_comes_back_and_revisions_go_on(void **state)
{
	struct kv *kv = must_open();
	struct kv_restore r;
	struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	(void)set(kv, "a", "1");
	(void)set(kv, "b", "2");
	(void)set(kv, "c", "3");
	backup();
	(void)set(kv, "a", "changed");
	(void)set(kv, "b", NULL);
	(void)set(kv, "d", "new");
	assert_int_equal(kv_restore(path, file, false, &r, &err), -EEXIST);
	assert_non_null(strstr(err.text, "--force"));
	assert_holds(kv, "a=changed@5 c=3@4 d=new@7 ");
	restore(true, &r);
	assert_int_equal(r.written, 2);
	assert_int_equal(r.deleted, 1);
	assert_int_equal(r.same, 1);
	assert_int_equal(r.revision, 10);
	assert_holds(kv, "a=1@9 b=2@10 c=3@4 "); /* seen by who has it open */
	restore(false, &r);                      /* nothing differs: nothing to force */
	assert_int_equal(r.written + r.deleted, 0);
	assert_int_equal(r.revision, 10);
	(void)set(kv, "c", NULL);
	restore(false, &r); /* what is missing is restored without force */
	assert_int_equal(r.written, 1);
	assert_holds(kv, "a=1@9 b=2@10 c=3@12 ");
	kv_close(kv);
	buf_done(&b);
}

static void behind_a_loss_revisions_jump_beyond_all_that_was_seen(void **state)
{
	struct kv *kv = must_open();
	struct kv_restore r;
	uint64_t lost;
	char cmd[128];

	(void)state;
	(void)set(kv, "a", "1");
	backup();
	for (int i = 0; i < 50; i++)
		lost = set(kv, "a", "never backed up");
	kv_close(kv);
	(void)snprintf(cmd, sizeof(cmd), "rm %s*", path);
	assert_int_equal(system(cmd), 0);
	restore(false, &r); /* makes the datastore */
	assert_true(r.revision > lost);
	assert_true(r.revision > KV_RESTORE_JUMP);
	kv = must_open();
	assert_int_equal(kv_check(kv, NULL, NULL), 0);
	/* Once more: it has lived through the backup now. */
	restore(false, &r);
	assert_true(r.revision < 2 * (uint64_t)KV_RESTORE_JUMP);
	kv_close(kv);
	/* One that was made anew, and has come further than the backup already. */
	assert_int_equal(system(cmd), 0);
	kv = must_open();
	for (int i = 0; i < 20; i++)
		(void)set(kv, "a", "of another life");
	restore(true, &r);
	assert_true(r.revision > KV_RESTORE_JUMP);
	kv_close(kv);
}

static void what_is_no_backup_changes_nothing(void **state)
{
	struct kv *kv = must_open();
	struct kv_restore r;
	struct err err = { 0 };
	char *data;
	size_t len;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key%d", i);
		(void)set(kv, key, "1");
	}
	assert_int_equal(kv_restore(path, file, true, &r, &err), -ENOENT);
	assert_int_equal(file_replace(file, "hello", 5, 0600, NULL), 0);
	assert_int_equal(kv_restore(path, file, true, &r, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not an SQLite database"));
	assert_int_equal(unlink(file), 0);
	backup();
	(void)set(kv, "key7", "2");
	assert_int_equal(file_read(file, 1 << 24, &data, &len, NULL), 0);
	for (size_t at = 4096; at < len; at += 3 * 4096)
		memset(data + at, 0x5a, 4096);
	assert_int_equal(file_replace(file, data, len, 0600, NULL), 0);
	free(data);
	assert_int_equal(kv_restore(path, file, true, &r, &err), -EINVAL);
	assert_non_null(strstr(err.text, "the backup cannot be used"));
	assert_int_equal(set(kv, "key7", "3"), 303);
	kv_close(kv);
}

static void a_damaged_datastore_is_not_backed_up(void **state)
{
	struct kv *kv = must_open();
	struct kv_backup b;
	struct err err = { 0 };
	char *data;
	size_t len;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key%d", i);
		(void)set(kv, key, "1");
	}
	kv_close(kv);
	assert_int_equal(file_read(path, 1 << 24, &data, &len, NULL), 0);
	memset(data + len / 2 / 4096 * 4096, 0x5a, 4096);
	assert_int_equal(file_replace(path, data, len, 0600, NULL), 0);
	free(data);
	assert_int_equal(kv_backup(path, file, false, &b, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_int_not_equal(access(file, F_OK), 0);
}

static void a_backup_of_the_first_schema_can_be_restored(void **state)
{
	struct kv_restore r;
	struct kv *kv;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(
	                db,
	                "PRAGMA application_id = 0x50726361; PRAGMA user_version = 1;"
	                "CREATE TABLE object (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, "
	                "created INTEGER NOT NULL, modified INTEGER NOT NULL, value BLOB NOT NULL);"
	                "CREATE TABLE change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, "
	                "deleted INTEGER NOT NULL);"
	                "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), compacted "
	                "INTEGER NOT NULL);"
	                "INSERT INTO change VALUES (1, '', 1), (2, 'a', 0); INSERT INTO meta "
	                "VALUES "
	                "(1, 1);"
	                "INSERT INTO object VALUES (1, 'a', 2, 2, 'one')",
	                NULL, NULL, NULL),
	        SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	restore(false, &r);
	kv = must_open();
	assert_holds(kv, "a=one@1000000003 ");
	kv_close(kv);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_backup_is_whole_private_and_overwrites_nothing),
		T(what_differs_comes_back_and_revisions_go_on),
		T(behind_a_loss_revisions_jump_beyond_all_that_was_seen),
		T(what_is_no_backup_changes_nothing),
		T(a_damaged_datastore_is_not_backed_up),
		T(a_backup_of_the_first_schema_can_be_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
