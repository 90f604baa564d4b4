/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file says what it is: SQLite's application_id is ours and user_version is the number of the
 * schema. Both stand in the first 100 bytes, so a file is judged by reading these before SQLite
 * sees it, because SQLite's own opening of a database may already write beside it (-wal, -shm) or
 * roll a journal back into it. That they are there from the first instant on is made sure by
 * building a new database under another name, without WAL, and linking it into place when it is
 * complete.
 */
#include "common/store/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define KV_APPLICATION_ID 0x50726361 /* "Prca" */
#define KV_SCHEMA 1
#define KV_COMPACT_EVERY 1024u

static const char schema_sql[] =
        "BEGIN;"
        "CREATE TABLE object (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER "
        "NOT NULL,"
        " modified INTEGER NOT NULL, value BLOB NOT NULL);"
        "CREATE TABLE change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, deleted INTEGER NOT "
        "NULL);"
        "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), compacted INTEGER NOT NULL);"
        /* Revisions begin at 1 with nothing there, as etcd's do: 0 stays free to mean none. */
        "INSERT INTO change VALUES (1, '', 1);"
        "INSERT INTO meta VALUES (1, 1);"
        "COMMIT;";

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
};

struct kv {
	sqlite3 *db;
	char *path;
	dev_t dev; /* what we opened: the path may come to mean another file */
	ino_t ino;
	uint64_t revision; /* within a write transaction: of the last change so far */
	sqlite3_stmt *stmts[KV_STMT_N];
};

/* ---- errors */

/* SQLite's failure as an errno and a sentence that names the file, and what to do where that is
 * known. */
static int db_err(struct kv *kv, struct err *err, const char *what)
{
	int code = sqlite3_extended_errcode(kv->db), sys = sqlite3_system_errno(kv->db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return err_set(err, -ENOSPC,
		               "%s: no space is left for the datastore '%s'; nothing was lost, and "
		               "writes work again once there is space",
		               what, kv->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, -EBUSY,
		               "%s: another process holds the lock of the datastore '%s'", what,
		               kv->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, -EINVAL,
		               "%s: the datastore '%s' is damaged (%s); restore it from a backup",
		               what, kv->path, sqlite3_errmsg(kv->db));
	case SQLITE_READONLY:
		return err_set(err, -EROFS, "%s: the datastore '%s' cannot be written", what,
		               kv->path);
	case SQLITE_IOERR:
		/* Also a full disk: where the shared-memory file or a journal cannot grow. */
		if (sys == ENOSPC || sys == EDQUOT)
			return err_set(err, -ENOSPC,
			               "%s: no space is left for the datastore '%s'; nothing was "
			               "lost, and writes work again once there is space",
			               what, kv->path);
		return err_set(err, -EIO, "%s: the datastore '%s' failed: %s (%s)", what, kv->path,
		               sqlite3_errmsg(kv->db), sys ? strerror(sys) : "no system error");
	default:
		return err_set(err, -EIO, "%s: the datastore '%s' failed: %s", what, kv->path,
		               sqlite3_errmsg(kv->db));
	}
}

/* ---- opening */

enum header_verdict {
	HEADER_ABSENT,
	HEADER_EMPTY,
	HEADER_OURS
};

/* Reads what the file says of itself. SQLite's file format, section 1.3. */
static int header_check(const char *path, enum header_verdict *ret, struct err *err)
{
	static const char magic[16] = "SQLite format 3";
	/* Non-blocking: a FIFO would wait for a writer. */
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint8_t head[100];
	uint32_t schema = 0, application = 0;
	struct cursor c;
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT) {
		*ret = HEADER_ABSENT;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open datastore '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "'%s' is not a datastore: it is not a regular file",
		               path);
	if (st.st_size == 0) {
		*ret = HEADER_EMPTY;
		return 0;
	}
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return err_sys(err, "read datastore '%s'", path);
	if ((size_t)n < sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0)
		return err_set(err, -EINVAL,
		               "'%s' is not a datastore: it is not an SQLite database; it was left "
		               "as it is",
		               path);
	c = cursor_of(head, sizeof(head));
	(void)cursor_skip(&c, 60);
	(void)cursor_be32(&c, &schema);
	(void)cursor_skip(&c, 4);
	(void)cursor_be32(&c, &application);
	if (application != KV_APPLICATION_ID)
		return err_set(
		        err, -EINVAL,
		        "'%s' is not a datastore: it is the SQLite database of another program; it "
		        "was left as it is",
		        path);
	if (schema != KV_SCHEMA)
		return err_set(
		        err, -EINVAL,
		        "the datastore '%s' was written by %s version of this software (its schema "
		        "is %u, this one knows %u); it was left as it is",
		        path, schema > KV_SCHEMA ? "a newer" : "an unknown", schema, KV_SCHEMA);
	*ret = HEADER_OURS;
	return 0;
}

static int db_open(const char *path, sqlite3 **ret, struct err *err)
{
	/* NOMUTEX: one call at a time is our caller's promise. */
	int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		return 0;
	rc = err_set(err, -EIO, "open datastore '%s': %s", path, sqlite3_errmsg(*ret));
	sqlite3_close(*ret);
	*ret = NULL;
	return rc;
}

/* Builds an empty datastore beside path and links it into place. Somebody else being faster is
 * fine. */
static int db_create(const char *path, bool replace_empty, struct err *err)
{
	CLEANUP(free_p) char *tmp = xasprintf("%s.new.%ld", path, (long)getpid());
	CLEANUP(free_p)
	char *pragmas = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;"
	                          "PRAGMA synchronous = FULL; PRAGMA encoding = 'UTF-8';",
	                          KV_APPLICATION_ID, KV_SCHEMA);
	CLEANUP(free_p) char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	sqlite3 *db = NULL;
	char *msg = NULL;
	int fd, rc = 0;

	if (slash && slash != parent) {
		*slash = '\0';
		rc = dir_make(parent, 0755, err);
		if (rc < 0)
			return rc;
	}
	(void)unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "create datastore '%s'", path);
	close(fd);
	rc = db_open(tmp, &db, err);
	if (rc == 0 && (sqlite3_exec(db, pragmas, NULL, NULL, &msg) != SQLITE_OK ||
	                sqlite3_exec(db, schema_sql, NULL, NULL, &msg) != SQLITE_OK))
		rc = err_set(err, sqlite3_errcode(db) == SQLITE_FULL ? -ENOSPC : -EIO,
		             "create datastore '%s': %s", path, msg);
	sqlite3_free(msg);
	sqlite3_close(db);
	if (rc == 0 && replace_empty && rename(tmp, path) < 0)
		rc = err_sys(err, "create datastore '%s'", path);
	else if (rc == 0 && !replace_empty && link(tmp, path) < 0 && errno != EEXIST)
		rc = err_sys(err, "create datastore '%s'", path);
	(void)unlink(tmp);
	return rc < 0 ? rc : dir_sync_of(path, err);
}

static int kv_prepare(struct kv *kv, struct err *err)
{
	/* The page cache is kept small: typhad answers reads from its own memory. */
	static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	                              "PRAGMA cache_size = -512; PRAGMA foreign_keys = OFF;"
	                              "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";

	sqlite3_extended_result_codes(kv->db, 1);
	sqlite3_busy_timeout(kv->db, KV_BUSY_MS);
	if (sqlite3_exec(kv->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(kv, err, "open");
	for (int i = 0; i < KV_STMT_N; i++)
		if (sqlite3_prepare_v3(kv->db, stmt_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &kv->stmts[i], NULL) != SQLITE_OK)
			return db_err(kv, err, "open");
	return 0;
}

int kv_open(const char *path, struct kv **ret, struct err *err)
{
	enum header_verdict header = HEADER_ABSENT;
	struct kv *kv;
	struct stat st;
	uint64_t revision;
	int rc = header_check(path, &header, err);

	if (rc == 0 && header != HEADER_OURS)
		rc = db_create(path, header == HEADER_EMPTY, err);
	if (rc == 0 && header != HEADER_OURS)
		rc = header_check(path, &header, err);
	if (rc < 0)
		return rc;
	kv = xcalloc(1, sizeof(*kv));
	kv->path = xstrdup(path);
	rc = db_open(path, &kv->db, err);
	if (rc == 0)
		rc = kv_prepare(kv, err);
	if (rc == 0 && stat(path, &st) == 0) {
		kv->dev = st.st_dev;
		kv->ino = st.st_ino;
	}
	if (rc == 0)
		rc = kv_revision(kv, &revision,
		                 err); /* reads a page of each kind: damage shows now */
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
	sqlite3_close(kv->db);
	free(kv->path);
	free(kv);
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

/* What is written to a file without a name is lost with the process: rather no write than that. */
static int still_there(struct kv *kv, struct err *err)
{
	struct stat st;

	if (stat(kv->path, &st) == 0 && st.st_dev == kv->dev && st.st_ino == kv->ino)
		return 0;
	return err_set(
	        err, -ESTALE,
	        "the datastore '%s' was removed or replaced while it was in use; put it back, or "
	        "restart the daemon to use what is there now",
	        kv->path);
}

int kv_begin(struct kv *kv, bool write, struct err *err)
{
	int rc = write ? still_there(kv, err) : 0;

	if (rc < 0)
		return rc;
	rc = stmt_run(kv, stmt_of(kv, write ? KV_STMT_BEGIN_WRITE : KV_STMT_BEGIN_READ),
	              write ? "write" : "read", err);

	if (rc == 0 && write)
		rc = kv_revision(kv, &kv->revision, err);
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

int kv_put(struct kv *kv, const char *key, const char *value, size_t len, uint64_t *ret_revision,
           struct err *err)
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

int kv_compact(struct kv *kv, uint64_t keep, struct err *err)
{
	uint64_t oldest, bound;
	sqlite3_stmt *s;
	int rc = stmt_number(kv, KV_STMT_OLDEST, &oldest, err);

	if (rc < 0 || kv->revision - oldest < keep + KV_COMPACT_EVERY)
		return rc;
	bound = kv->revision - keep;
	s = stmt_of(kv, KV_STMT_COMPACT);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)bound);
	rc = stmt_run(kv, s, "compact", err);
	if (rc < 0)
		return rc;
	s = stmt_of(kv, KV_STMT_SET_COMPACTED);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)bound);
	return stmt_run(kv, s, "compact", err);
}
