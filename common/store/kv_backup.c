/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/kv_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/kv.h"
#include "common/store/kv_file.h"

static void db_p(sqlite3 **db)
{
	sqlite3_close(*db);
}

static void stmt_p(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

static void kv_p(struct kv **kv)
{
	kv_close(*kv);
}

/* ---- out */

/* Copies all of it in one go: one read transaction, which holds up nobody. */
static int copy_all(sqlite3 *from, sqlite3 *to, const char *path, const char *file, struct err *err)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!b)
		return kv_db_err(to, file, err, "back up");
	rc = sqlite3_backup_step(b, -1);
	if (sqlite3_backup_finish(b) != SQLITE_OK) /* the error is with the copy, whosever it is */
		return kv_db_err(to, file, err, "back up");
	if (rc != SQLITE_DONE)
		return kv_db_err(from, path, err, "back up");
	/* One file, without a -wal beside it. */
	if (sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
		return kv_db_err(to, file, err, "back up");
	return 0;
}

static int count(sqlite3 *db, const char *file, struct kv_backup *ret, struct err *err)
{
	CLEANUP(stmt_p) sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db,
	                       "SELECT count(*), (SELECT max(revision) FROM change) FROM object",
	                       -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_ROW)
		return kv_db_err(db, file, err, "count");
	ret->objects = (uint64_t)sqlite3_column_int64(s, 0);
	ret->revision = (uint64_t)sqlite3_column_int64(s, 1);
	return 0;
}

/* The copy, complete and checked, under a name of its own. */
static int backup_to(const char *path, const char *tmp, struct kv_backup *ret, struct err *err)
{
	CLEANUP(db_p) sqlite3 *from = NULL;
	CLEANUP(db_p) sqlite3 *to = NULL;
	CLEANUP(close_p) int fd = -1;
	struct stat st;
	int rc = kv_file_open(path, false, &from, err);

	if (rc == 0)
		rc = kv_file_check(from, path, NULL, err);
	if (rc < 0)
		return rc;
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "create '%s'", tmp);
	if (sqlite3_open_v2(tmp, &to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return kv_db_err(to, tmp, err, "back up");
	rc = copy_all(from, to, path, tmp, err);
	if (rc == 0)
		rc = kv_file_check(to, tmp, NULL, err);
	if (rc == 0)
		rc = count(to, tmp, ret, err);
	if (rc == 0 && (fsync(fd) < 0 || fstat(fd, &st) < 0))
		rc = err_sys(err, "write '%s'", tmp);
	if (rc == 0)
		ret->bytes = (uint64_t)st.st_size;
	return rc;
}

int kv_backup(const char *path, const char *file, bool force, struct kv_backup *ret,
              struct err *err)
{
	CLEANUP(free_p) char *tmp = xasprintf("%s.new.%ld", file, (long)getpid());
	struct stat a, b;
	int rc;

	if (stat(file, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return err_set(err, -EINVAL, "'%s' is the datastore itself", file);
	if (!force && access(file, F_OK) == 0)
		return err_set(err, -EEXIST, "'%s' exists already; --force replaces it", file);
	rc = backup_to(path, tmp, ret, err);
	if (rc == 0 && force && rename(tmp, file) < 0)
		rc = err_sys(err, "create '%s'", file);
	if (rc == 0 && !force && link(tmp, file) < 0) /* which replaces nothing */
		rc = err_sys(err, "create '%s'", file);
	kv_file_remove(tmp);
	return rc < 0 ? rc : dir_sync_of(file, err);
}

/* ---- back */

struct restore {
	sqlite3 *from;
	const char *path, *file;
	struct kv *kv;
	bool force;
	struct kv_restore *ret;
};

static int would_overwrite(const struct restore *r, const char *key, struct err *err)
{
	return err_set(
	        err, -EEXIST,
	        "the datastore '%s' holds what the backup '%s' does not hold alike ('%.200s' for "
	        "one); --force makes it what the backup is",
	        r->path, r->file, key);
}

/* One object of the backup. */
static int put_one(struct restore *r, const char *key, const void *value, size_t len,
                   uint32_t ttl_sec, struct err *err)
{
	struct kv_item item;
	uint64_t revision;
	int found = kv_get(r->kv, key, &item, err);

	if (found < 0)
		return found;
	if (found && item.len == len && (len == 0 || memcmp(item.value, value, len) == 0)) {
		r->ret->same++;
		return 0;
	}
	if (found && !r->force)
		return would_overwrite(r, key, err);
	r->ret->written++;
	return kv_put(r->kv, key, value, len, ttl_sec, &revision, err);
}

static int put_all(struct restore *r, uint32_t schema, struct err *err)
{
	CLEANUP(stmt_p) sqlite3_stmt *s = NULL;
	const char *sql = schema < 2 ? "SELECT key, value, 0 FROM object"
	                             : "SELECT key, value, coalesce(ttl, 0) FROM object "
	                               "LEFT JOIN expiry USING (key)";
	int rc = 0, step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(r->from, sql, -1, &s, NULL) != SQLITE_OK)
		return kv_db_err(r->from, r->file, err, "read");
	while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(s, 0);
		const void *value = sqlite3_column_blob(s, 1);
		size_t len = (size_t)sqlite3_column_bytes(s, 1);

		if (key)
			rc = put_one(r, key, value ? value : "", len,
			             (uint32_t)sqlite3_column_int64(s, 2), err);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = kv_db_err(r->from, r->file, err, "read");
	return rc;
}

/* What the backup does not have, collected while the datastore is read, and deleted then. */
struct surplus {
	sqlite3_stmt *find;
	char **keys;
	size_t n, cap;
	bool failed;
};

static void on_item(void *arg, const struct kv_item *item)
{
	struct surplus *x = arg;
	int step;

	sqlite3_reset(x->find);
	sqlite3_bind_text(x->find, 1, item->key, -1, SQLITE_STATIC);
	step = sqlite3_step(x->find);
	x->failed |= step != SQLITE_ROW && step != SQLITE_DONE;
	if (step != SQLITE_DONE)
		return;
	if (x->n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 64;
		x->keys = xrealloc(x->keys, x->cap * sizeof(*x->keys));
	}
	x->keys[x->n++] = xstrdup(item->key);
}

static int delete_surplus(struct restore *r, struct err *err)
{
	CLEANUP(stmt_p) sqlite3_stmt *find = NULL;
	struct surplus x = { 0 };
	uint64_t revision;
	int rc = 0;

	if (sqlite3_prepare_v2(r->from, "SELECT 1 FROM object WHERE key = ?1", -1, &find, NULL) !=
	    SQLITE_OK)
		return kv_db_err(r->from, r->file, err, "read");
	x.find = find;
	if (kv_scan(r->kv, "", NULL, 0, on_item, &x, err) < 0)
		rc = err ? err->code : -EIO;
	else if (x.failed)
		rc = kv_db_err(r->from, r->file, err, "read");
	else if (x.n && !r->force)
		rc = would_overwrite(r, x.keys[0], err);
	for (size_t i = 0; i < x.n; i++) {
		if (rc == 0)
			rc = kv_delete(r->kv, x.keys[i], &revision, err);
		free(x.keys[i]);
	}
	free(x.keys);
	r->ret->deleted = x.n;
	return rc;
}

/* The lineage and the revision of the backup. */
static int descent(sqlite3 *db, const char *file, uint32_t schema, char lineage[KV_LINEAGE_SIZE],
                   uint64_t *ret_revision, struct err *err)
{
	CLEANUP(stmt_p) sqlite3_stmt *s = NULL;
	const char *sql = schema < 2
	                          ? "SELECT '', max(revision) FROM change"
	                          : "SELECT lineage, (SELECT max(revision) FROM change) FROM meta";
	const char *text;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
		return kv_db_err(db, file, err, "read");
	text = (const char *)sqlite3_column_text(s, 0);
	(void)snprintf(lineage, KV_LINEAGE_SIZE, "%s", text ? text : "");
	*ret_revision = (uint64_t)sqlite3_column_int64(s, 1);
	return 0;
}

static int restore_within(struct restore *r, uint32_t schema, struct err *err)
{
	char from[KV_LINEAGE_SIZE] = "", to[KV_LINEAGE_SIZE] = "";
	uint64_t theirs, ours;
	int rc = descent(r->from, r->file, schema, from, &theirs, err);

	if (rc == 0)
		rc = kv_lineage(r->kv, to, err);
	if (rc == 0)
		rc = kv_revision(r->kv, &ours, err);
	if (rc == 0 && (ours < theirs || !*from || strcmp(from, to) != 0)) {
		rc = kv_jump(r->kv, (ours > theirs ? ours : theirs) + KV_RESTORE_JUMP, err);
		if (rc == 0 && *from)
			rc = kv_set_lineage(r->kv, from, err);
	}
	if (rc == 0)
		rc = delete_surplus(r, err);
	if (rc == 0)
		rc = put_all(r, schema, err);
	if (rc == 0)
		rc = kv_revision(r->kv, &r->ret->revision, err);
	return rc;
}

int kv_restore(const char *path, const char *file, bool force, struct kv_restore *ret,
               struct err *err)
{
	CLEANUP(db_p) sqlite3 *from = NULL;
	CLEANUP(kv_p) struct kv *kv = NULL;
	struct restore r = { .path = path, .file = file, .force = force, .ret = ret };
	uint32_t schema = 0;
	int rc = kv_file_open_readonly(file, &from, &schema, err);

	*ret = (struct kv_restore){ 0 };
	if (rc == 0)
		rc = kv_file_check(from, file, NULL, err);
	if (rc < 0)
		return err_wrap(err, rc, "the backup cannot be used");
	rc = kv_open(path, true, &kv, err);
	if (rc == 0)
		rc = kv_begin(kv, true, err);
	if (rc < 0)
		return rc;
	r.from = from;
	r.kv = kv;
	rc = restore_within(&r, schema, err);
	if (rc == 0)
		rc = kv_commit(kv, err);
	if (rc < 0)
		kv_rollback(kv);
	return rc;
}
