/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/kv.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/kv_file.h"

#define COMPACT_EVERY 1024u  /* changes: fewer are not worth the while */
#define COMPACT_STEP 4096u   /* changes that one transaction drops at most */
#define MARKS_PER_AGE 16     /* how finely the age of changes is known */
#define VACUUM_STEP 256      /* pages that one transaction gives back at most */
#define VACUUM_FREE_MIN 512u /* pages: fewer are left for what will be written */
#define EXPIRE_STEP 1024u    /* objects that expire in one transaction at most */

enum kv_stmt {
	KV_STMT_BEGIN_READ,
	KV_STMT_BEGIN_WRITE,
	KV_STMT_COMMIT,
	KV_STMT_ROLLBACK,
	KV_STMT_REVISION,
	KV_STMT_GET,
	KV_STMT_INSERT,
	KV_STMT_REPLACE,
	KV_STMT_DELETE,
	KV_STMT_LOG,
	KV_STMT_SCAN,
	KV_STMT_CHANGES,
	KV_STMT_COMPACTED,
	KV_STMT_OLDEST,
	KV_STMT_COMPACT,
	KV_STMT_SET_COMPACTED,
	KV_STMT_EXPIRY_SET,
	KV_STMT_EXPIRY_CLEAR,
	KV_STMT_EXPIRY_NEXT,
	KV_STMT_EXPIRED,
	KV_STMT_BOOT,
	KV_STMT_MARK,
	KV_STMT_MARK_NEWEST,
	KV_STMT_MARK_BOUND,
	KV_STMT_MARK_DROP,
	KV_STMT_LINEAGE,
	KV_STMT_SET_LINEAGE,
	KV_STMT_PAGES,
	KV_STMT_PAGES_FREE,
	KV_STMT_N
};

static const char *const stmt_sql[KV_STMT_N] = {
	[KV_STMT_BEGIN_READ] = "BEGIN",
	[KV_STMT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[KV_STMT_COMMIT] = "COMMIT",
	[KV_STMT_ROLLBACK] = "ROLLBACK",
	[KV_STMT_REVISION] = "SELECT max(revision) FROM change",
	[KV_STMT_GET] = "SELECT value, created, modified FROM object WHERE key = ?1",
	[KV_STMT_INSERT] =
	        "INSERT INTO object (key, created, modified, value) VALUES (?1, ?2, ?2, ?3)",
	[KV_STMT_REPLACE] = "UPDATE object SET modified = ?2, value = ?3 WHERE key = ?1",
	[KV_STMT_DELETE] = "DELETE FROM object WHERE key = ?1",
	[KV_STMT_LOG] = "INSERT INTO change VALUES (?1, ?2, ?3)",
	/* clang-format off */
	[KV_STMT_SCAN] = "SELECT key, value, created, modified FROM object WHERE key > ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
	/* clang-format on */
	[KV_STMT_CHANGES] =
	        "SELECT revision, key, deleted FROM change WHERE revision > ?1 ORDER BY revision",
	[KV_STMT_COMPACTED] = "SELECT compacted FROM meta",
	[KV_STMT_OLDEST] = "SELECT min(revision) FROM change",
	[KV_STMT_COMPACT] = "DELETE FROM change WHERE revision <= ?1",
	[KV_STMT_SET_COMPACTED] = "UPDATE meta SET compacted = ?1",
	[KV_STMT_EXPIRY_SET] = "INSERT OR REPLACE INTO expiry VALUES (?1, ?2, ?3)",
	[KV_STMT_EXPIRY_CLEAR] = "DELETE FROM expiry WHERE key = ?1",
	[KV_STMT_EXPIRY_NEXT] = "SELECT min(due) FROM expiry",
	[KV_STMT_EXPIRED] = "SELECT key FROM expiry WHERE due <= ?1 ORDER BY due LIMIT ?2",
	[KV_STMT_BOOT] = "SELECT boot FROM meta",
	[KV_STMT_MARK] = "INSERT OR IGNORE INTO mark VALUES (?1, ?2)",
	[KV_STMT_MARK_NEWEST] = "SELECT max(at) FROM mark",
	[KV_STMT_MARK_BOUND] = "SELECT max(revision) FROM mark WHERE at <= ?1",
	[KV_STMT_MARK_DROP] = "DELETE FROM mark WHERE revision <= ?1 OR at > ?2",
	[KV_STMT_LINEAGE] = "SELECT lineage FROM meta",
	[KV_STMT_SET_LINEAGE] = "UPDATE meta SET lineage = ?1",
	[KV_STMT_PAGES] = "PRAGMA page_count",
	[KV_STMT_PAGES_FREE] = "PRAGMA freelist_count",
};

struct kv {
	sqlite3 *db;
	char *path;
	dev_t dev; /* what we opened: the path may come to mean another file */
	ino_t ino;
	uint64_t revision; /* within a write transaction: of the last change so far */
	bool boot_known;   /* what is due is so in this boot's time */
	char boot[BOOT_ID_SIZE];
	sqlite3_stmt *stmts[KV_STMT_N];
};

static void sqlite_free_p(char **p)
{
	sqlite3_free(*p);
}

static int db_err(struct kv *kv, struct err *err, const char *what)
{
	return kv_db_err(kv->db, kv->path, err, what);
}

/* ---- opening */

static bool still_same(const struct kv *kv)
{
	struct stat st;

	return stat(kv->path, &st) == 0 && st.st_dev == kv->dev && st.st_ino == kv->ino;
}

int kv_open(const char *path, bool create, struct kv **ret, struct err *err)
{
	struct kv *kv = xcalloc(1, sizeof(*kv));
	struct stat st;
	uint64_t revision;
	int rc;

	kv->path = xstrdup(path);
	boot_id(kv->boot);
	rc = kv_file_open(path, create, &kv->db, err);
	for (int i = 0; i < KV_STMT_N && rc == 0; i++)
		if (sqlite3_prepare_v3(kv->db, stmt_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &kv->stmts[i], NULL) != SQLITE_OK)
			rc = db_err(kv, err, "open");
	if (rc == 0 && stat(path, &st) == 0) {
		kv->dev = st.st_dev;
		kv->ino = st.st_ino;
	}
	if (rc == 0) /* reads a page of each kind: damage shows now */
		rc = kv_revision(kv, &revision, err);
	if (rc < 0) {
		kv_close(kv);
		return rc;
	}
	*ret = kv;
	return 0;
}

void kv_close(struct kv *kv)
{
	if (!kv)
		return;
	for (int i = 0; i < KV_STMT_N; i++)
		sqlite3_finalize(kv->stmts[i]);
	/* Closing removes the -wal file by its name, which may be another datastore's by now. */
	if (kv->db && !still_same(kv)) {
		int keep = 1;

		(void)sqlite3_file_control(kv->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
		(void)sqlite3_db_config(kv->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	}
	sqlite3_close(kv->db);
	free(kv->path);
	free(kv);
}

int kv_check(struct kv *kv, bool *ret_whole, struct err *err)
{
	int rc = kv_file_check(kv->db, kv->path, ret_whole, err);

	if (rc < 0) /* what is damaged is not written to, not even by closing it */
		(void)sqlite3_db_config(kv->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return rc;
}

int kv_make_shrinkable(struct kv *kv, struct err *err)
{
	return kv_file_make_shrinkable(kv->db, kv->path, err);
}

/* ---- statements */

/* A statement of ours, ready for its parameters. */
static sqlite3_stmt *stmt_of(struct kv *kv, enum kv_stmt which)
{
	sqlite3_stmt *s = kv->stmts[which];

	sqlite3_reset(s);
	return s;
}

/* Runs a statement that returns no row. */
static int stmt_run(struct kv *kv, sqlite3_stmt *s, const char *what, struct err *err)
{
	int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_err(kv, err, what);

	sqlite3_reset(s);
	return rc;
}

/* Runs a statement that returns one number; NULL reads as 0. */
static int stmt_number(struct kv *kv, enum kv_stmt which, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, which);

	if (sqlite3_step(s) != SQLITE_ROW) {
		int rc = db_err(kv, err, "read");

		sqlite3_reset(s);
		return rc;
	}
	*ret = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return 0;
}

/* What is due was so in the time of another boot: how long the machine was off, nobody knows, so
 * that everything is given its whole time again. As etcd does with its leases when it has a new
 * leader. */
static int boot_check(struct kv *kv, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_BOOT);
	CLEANUP(sqlite_free_p) char *sql = NULL;
	bool same;

	if (sqlite3_step(s) != SQLITE_ROW) {
		int rc = db_err(kv, err, "read");

		sqlite3_reset(s);
		return rc;
	}
	same = strcmp((const char *)sqlite3_column_text(s, 0), kv->boot) == 0;
	sqlite3_reset(s);
	if (!same) {
		sql = sqlite3_mprintf("UPDATE expiry SET due = %lld + ttl * 1000;"
		                      "UPDATE meta SET boot = %Q",
		                      (long long)boottime_ms(), kv->boot);
		if (!sql || sqlite3_exec(kv->db, sql, NULL, NULL, NULL) != SQLITE_OK)
			return db_err(kv, err, "write");
	}
	kv->boot_known = true; /* nobody turns it back */
	return 0;
}

int kv_begin(struct kv *kv, bool write, struct err *err)
{
	int rc;

	/* What is written to a file without a name is lost with the process: rather no write. */
	if (write && !still_same(kv))
		return err_set(err, -ESTALE,
		               "the datastore '%s' was removed or replaced while it was in use; "
		               "put it back, or restart the daemon to use what is there now",
		               kv->path);
	rc = stmt_run(kv, stmt_of(kv, write ? KV_STMT_BEGIN_WRITE : KV_STMT_BEGIN_READ),
	              write ? "write" : "read", err);
	if (rc == 0 && write)
		rc = kv_revision(kv, &kv->revision, err);
	if (rc == 0 && write && !kv->boot_known)
		rc = boot_check(kv, err);
	if (rc < 0)
		kv_rollback(kv);
	return rc;
}

int kv_commit(struct kv *kv, struct err *err)
{
	return stmt_run(kv, stmt_of(kv, KV_STMT_COMMIT), "write", err);
}

void kv_rollback(struct kv *kv)
{
	for (int i = 0; i < KV_STMT_N; i++)
		sqlite3_reset(kv->stmts[i]);
	if (!sqlite3_get_autocommit(kv->db))
		(void)stmt_run(kv, stmt_of(kv, KV_STMT_ROLLBACK), "roll back", NULL);
}

int kv_revision(struct kv *kv, uint64_t *ret, struct err *err)
{
	return stmt_number(kv, KV_STMT_REVISION, ret, err);
}

int kv_get(struct kv *kv, const char *key, struct kv_item *ret, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_GET);
	int rc;

	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	if (rc == SQLITE_DONE) {
		sqlite3_reset(s);
		return 0;
	}
	if (rc != SQLITE_ROW) {
		rc = db_err(kv, err, "read");
		sqlite3_reset(s);
		return rc;
	}
	ret->key = key;
	ret->value = sqlite3_column_blob(s, 0);
	ret->len = (size_t)sqlite3_column_bytes(s, 0);
	ret->created = (uint64_t)sqlite3_column_int64(s, 1);
	ret->modified = (uint64_t)sqlite3_column_int64(s, 2);
	if (!ret->value)
		ret->value = "";
	return 1;
}

static int kv_log(struct kv *kv, const char *key, bool deleted, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_LOG);

	sqlite3_bind_int64(s, 1, (sqlite3_int64)kv->revision);
	sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 3, deleted);
	return stmt_run(kv, s, "write", err);
}

/* In ttl_sec from now, or (0) never. */
static int kv_expiry(struct kv *kv, const char *key, uint32_t ttl_sec, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, ttl_sec ? KV_STMT_EXPIRY_SET : KV_STMT_EXPIRY_CLEAR);

	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	if (ttl_sec) {
		sqlite3_bind_int64(s, 2, (sqlite3_int64)(boottime_ms() + ttl_sec * 1000ull));
		sqlite3_bind_int64(s, 3, ttl_sec);
	}
	return stmt_run(kv, s, "write", err);
}

int kv_put(struct kv *kv, const char *key, const char *value, size_t len, uint32_t ttl_sec,
           uint64_t *ret_revision, struct err *err)
{
	uint64_t revision = kv->revision + 1;
	int rc;

	for (int try = 0; try < 2; try++) {
		sqlite3_stmt *s = stmt_of(kv, try == 0 ? KV_STMT_REPLACE : KV_STMT_INSERT);

		sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 2, (sqlite3_int64)revision);
		sqlite3_bind_blob64(s, 3, value, len, SQLITE_STATIC);
		rc = stmt_run(kv, s, "write", err);
		if (rc < 0)
			return rc;
		if (sqlite3_changes(kv->db) > 0)
			break;
	}
	kv->revision = revision;
	rc = kv_log(kv, key, false, err);
	if (rc == 0)
		rc = kv_expiry(kv, key, ttl_sec, err);
	if (rc == 0)
		*ret_revision = revision;
	return rc;
}

int kv_delete(struct kv *kv, const char *key, uint64_t *ret_revision, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_DELETE);
	int rc;

	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	rc = stmt_run(kv, s, "delete", err);
	if (rc < 0)
		return rc;
	kv->revision++;
	rc = kv_log(kv, key, true, err);
	if (rc == 0)
		rc = kv_expiry(kv, key, 0, err);
	if (rc == 0)
		*ret_revision = kv->revision;
	return rc;
}

int64_t kv_scan(struct kv *kv, const char *prefix, const char *after, uint64_t limit,
                kv_item_fn *fn, void *arg, struct err *err)
{
	CLEANUP(free_p)
	char *end = xasprintf("%s\xff", prefix); /* no UTF-8 text follows that byte */
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_SCAN);
	int64_t n = 0;
	int rc;

	sqlite3_bind_text(s, 1, after ? after : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, prefix, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, end, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, limit ? (sqlite3_int64)limit : -1);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct kv_item item = {
			.key = (const char *)sqlite3_column_text(s, 0),
			.value = sqlite3_column_blob(s, 1),
			.len = (size_t)sqlite3_column_bytes(s, 1),
			.created = (uint64_t)sqlite3_column_int64(s, 2),
			.modified = (uint64_t)sqlite3_column_int64(s, 3),
		};

		if (!item.value)
			item.value = "";
		if (item.key)
			fn(arg, &item);
		n++;
	}
	if (rc != SQLITE_DONE)
		n = db_err(kv, err, "read");
	sqlite3_reset(s);
	return n;
}

int kv_changes(struct kv *kv, uint64_t revision, kv_change_fn *fn, void *arg, struct err *err)
{
	uint64_t compacted;
	sqlite3_stmt *s;
	int rc = stmt_number(kv, KV_STMT_COMPACTED, &compacted, err);

	if (rc < 0)
		return rc;
	if (revision < compacted)
		return err_set(err, -ESTALE,
		               "revision %llu has been compacted; %llu is the first kept",
		               (unsigned long long)revision, (unsigned long long)compacted + 1);
	s = stmt_of(kv, KV_STMT_CHANGES);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)revision);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(s, 1);

		if (key)
			fn(arg, (uint64_t)sqlite3_column_int64(s, 0), key,
			   sqlite3_column_int(s, 2));
	}
	rc = rc == SQLITE_DONE ? 0 : db_err(kv, err, "read");
	sqlite3_reset(s);
	return rc;
}

/* ---- objects that go by themselves */

int kv_next_expiry(struct kv *kv, uint64_t *ret_boot_ms, struct err *err)
{
	int rc = stmt_number(kv, KV_STMT_EXPIRY_NEXT, ret_boot_ms, err);

	/* Of another boot, perhaps: kv_expire() will see to it. */
	if (rc == 0 && *ret_boot_ms && !kv->boot_known)
		*ret_boot_ms = 1;
	return rc;
}

int kv_expire(struct kv *kv, kv_change_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_EXPIRED);
	CLEANUP(free_p) char **keys = xcalloc(EXPIRE_STEP, sizeof(*keys));
	size_t n = 0;
	int rc;

	sqlite3_bind_int64(s, 1, (sqlite3_int64)boottime_ms());
	sqlite3_bind_int64(s, 2, EXPIRE_STEP);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		keys[n++] = xstrdup((const char *)sqlite3_column_text(s, 0));
	rc = rc == SQLITE_DONE ? 0 : db_err(kv, err, "read");
	sqlite3_reset(s);
	for (size_t i = 0; i < n; i++) {
		uint64_t revision;

		if (rc == 0)
			rc = kv_delete(kv, keys[i], &revision, err);
		if (rc == 0)
			fn(arg, revision, keys[i], true);
		free(keys[i]);
	}
	return rc;
}

/* ---- keeping the file small */

/* Drops the changes up to bound, a step's worth at most. */
static int compact_to(struct kv *kv, uint64_t oldest, uint64_t bound, bool *ret_more,
                      struct err *err)
{
	sqlite3_stmt *s;
	int rc;

	if (bound >= oldest + COMPACT_STEP) {
		bound = oldest + COMPACT_STEP - 1;
		*ret_more = true;
	}
	s = stmt_of(kv, KV_STMT_COMPACT);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)bound);
	rc = stmt_run(kv, s, "compact", err);
	if (rc < 0)
		return rc;
	s = stmt_of(kv, KV_STMT_SET_COMPACTED);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)bound);
	return stmt_run(kv, s, "compact", err);
}

/* Notes how far the log has come by now, when the last such mark is old enough; forgets those that
 * nobody needs. A clock that was put back leaves marks in the future: they go. */
static int mark_now(struct kv *kv, uint64_t now_sec, uint64_t age_sec, uint64_t bound,
                    struct err *err)
{
	uint64_t newest;
	sqlite3_stmt *s;
	int rc = stmt_number(kv, KV_STMT_MARK_NEWEST, &newest, err);

	if (rc < 0 || (now_sec >= newest && now_sec - newest < age_sec / MARKS_PER_AGE + 1))
		return rc;
	s = stmt_of(kv, KV_STMT_MARK_DROP);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)bound);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)now_sec);
	rc = stmt_run(kv, s, "compact", err);
	if (rc < 0)
		return rc;
	s = stmt_of(kv, KV_STMT_MARK);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)now_sec);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)kv->revision);
	return stmt_run(kv, s, "compact", err);
}

static int compact(struct kv *kv, const struct kv_keep *keep, uint64_t now_sec, bool *ret_more,
                   struct err *err)
{
	uint64_t oldest, bound, aged = 0;
	bool by_age;
	int rc = stmt_number(kv, KV_STMT_OLDEST, &oldest, err);

	if (rc == 0 && keep->age_sec && now_sec > keep->age_sec) {
		sqlite3_stmt *s = stmt_of(kv, KV_STMT_MARK_BOUND);

		sqlite3_bind_int64(s, 1, (sqlite3_int64)(now_sec - keep->age_sec));
		rc = stmt_number(kv, KV_STMT_MARK_BOUND, &aged, err);
	}
	if (rc < 0)
		return rc;
	bound = kv->revision > keep->changes ? kv->revision - keep->changes : 0;
	by_age = aged > bound;
	if (by_age)
		bound = aged;
	if (bound >= kv->revision) /* the last change stays: it says what the revision is */
		bound = kv->revision - 1;
	if (keep->age_sec)
		rc = mark_now(kv, now_sec, keep->age_sec, bound, err);
	if (rc < 0 || bound < oldest || (!by_age && bound - oldest < COMPACT_EVERY))
		return rc;
	return compact_to(kv, oldest, bound, ret_more, err);
}

/* Gives free pages at the end of the file back, when they are a good part of it. */
static int vacuum(struct kv *kv, bool *ret_more, struct err *err)
{
	char sql[64];
	uint64_t pages, free_pages = 0;
	int rc = stmt_number(kv, KV_STMT_PAGES, &pages, err);

	if (rc == 0)
		rc = stmt_number(kv, KV_STMT_PAGES_FREE, &free_pages, err);
	if (rc < 0 || free_pages < VACUUM_FREE_MIN || free_pages < pages / 4)
		return rc;
	(void)snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", VACUUM_STEP);
	if (sqlite3_exec(kv->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(kv, err, "shrink");
	rc = stmt_number(kv, KV_STMT_PAGES, &free_pages, err);
	if (free_pages < pages) /* a file of an older version gives nothing back */
		*ret_more = true;
	return rc;
}

int kv_tidy(struct kv *kv, const struct kv_keep *keep, uint64_t now_unix_sec, bool *ret_more,
            struct err *err)
{
	int rc = compact(kv, keep, now_unix_sec, ret_more, err);

	return rc < 0 ? rc : vacuum(kv, ret_more, err);
}

/* ---- restoring */

int kv_lineage(struct kv *kv, char ret[KV_LINEAGE_SIZE], struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_LINEAGE);
	int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_err(kv, err, "read");

	if (rc == 0)
		(void)snprintf(ret, KV_LINEAGE_SIZE, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_reset(s);
	return rc;
}

int kv_set_lineage(struct kv *kv, const char *lineage, struct err *err)
{
	sqlite3_stmt *s = stmt_of(kv, KV_STMT_SET_LINEAGE);

	sqlite3_bind_text(s, 1, lineage, -1, SQLITE_STATIC);
	return stmt_run(kv, s, "write", err);
}

int kv_jump(struct kv *kv, uint64_t revision, struct err *err)
{
	assert(revision > kv->revision);
	kv->revision = revision;
	return kv_log(kv, "", true, err);
}
