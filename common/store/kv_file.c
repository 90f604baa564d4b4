/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/kv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/kv.h"

#define KV_APPLICATION_ID 0x50726361 /* "Prca" */

static const char schema_1_sql[] =
        "CREATE TABLE object (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER "
        "NOT NULL,"
        " modified INTEGER NOT NULL, value BLOB NOT NULL);"
        "CREATE TABLE change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, deleted INTEGER NOT "
        "NULL);"
        "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), compacted INTEGER NOT NULL);"
        /* Revisions begin at 1 with nothing there, as etcd's do: 0 stays free to mean none. */
        "INSERT INTO change VALUES (1, '', 1);"
        "INSERT INTO meta VALUES (1, 1);";

/* due: milliseconds of CLOCK_BOOTTIME in the boot that meta.boot names. mark: when (seconds of the
 * wall clock) the log had come how far. lineage: what a restored datastore shares with its backup.
 */
static const char schema_2_sql[] =
        "ALTER TABLE meta ADD COLUMN boot TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE meta ADD COLUMN lineage TEXT NOT NULL DEFAULT '';"
        "UPDATE meta SET lineage = lower(hex(randomblob(16)));"
        "CREATE TABLE expiry (key TEXT PRIMARY KEY, due INTEGER NOT NULL, ttl INTEGER NOT NULL) "
        "WITHOUT ROWID;"
        "CREATE INDEX expiry_due ON expiry (due);"
        "CREATE TABLE mark (at INTEGER PRIMARY KEY, revision INTEGER NOT NULL);";

/* ---- errors */

#define SIDE_BY_SIDE                                                                               \
	"move it away, with its -wal and -shm, and run 'calicoctl datastore restore BACKUP'"

static int damaged(const char *path, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static int damaged(const char *path, struct err *err, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(err, -EINVAL,
	               "the datastore '%s' is damaged (%s); it was left as it is: " SIDE_BY_SIDE,
	               path, why);
}

int kv_db_err(sqlite3 *db, const char *path, struct err *err, const char *what)
{
	int code = sqlite3_extended_errcode(db), sys = sqlite3_system_errno(db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return err_set(err, -ENOSPC,
		               "%s: no space is left for the datastore '%s'; nothing was lost, and "
		               "writes work again once there is space",
		               what, path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, -EBUSY,
		               "%s: another process holds the lock of the datastore '%s'", what,
		               path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return damaged(path, err, "%s: %s", what, sqlite3_errmsg(db));
	case SQLITE_READONLY:
		return err_set(err, -EROFS, "%s: the datastore '%s' cannot be written", what, path);
	case SQLITE_IOERR:
		/* Also a full disk: where the shared-memory file or a journal cannot grow. */
		if (sys == ENOSPC || sys == EDQUOT)
			return err_set(err, -ENOSPC,
			               "%s: no space is left for the datastore '%s'; nothing was "
			               "lost, and writes work again once there is space",
			               what, path);
		return err_set(err, -EIO, "%s: the datastore '%s' failed: %s (%s)", what, path,
		               sqlite3_errmsg(db), sys ? strerror(sys) : "no system error");
	default:
		return err_set(err, -EIO, "%s: the datastore '%s' failed: %s", what, path,
		               sqlite3_errmsg(db));
	}
}

/* ---- opening */

enum header_verdict {
	HEADER_ABSENT,
	HEADER_EMPTY,
	HEADER_OURS
};

static int db_open(const char *path, int mode, sqlite3 **ret, struct err *err)
{
	/* NOMUTEX: one call at a time is our caller's promise. */
	int rc = sqlite3_open_v2(path, ret, mode | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		return 0;
	rc = err_set(err, -EIO, "open datastore '%s': %s", path, sqlite3_errmsg(*ret));
	sqlite3_close(*ret);
	*ret = NULL;
	return rc;
}

/*
 * The file's first bytes; *ret_len is how many there are. Through SQLite, which opens it and looks
 * at nothing until a statement runs: a descriptor of our own, when it is closed, would take with
 * it the locks of whatever connection this process has to the same file (fcntl(2)).
 */
static int header_read(const char *path, uint8_t *head, size_t size, size_t *ret_len,
                       struct err *err)
{
	sqlite3 *db = NULL;
	sqlite3_file *file = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	int sys = rc == SQLITE_OK ? 0 : sqlite3_system_errno(db);

	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xRead(file, head, (int)size, 0);
	sqlite3_close(db);
	errno = sys ? sys : EIO;
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return err_sys(err, "open datastore '%s'", path);
	*ret_len = rc == SQLITE_OK ? size : 0; /* short: too short for what it is to be */
	return 0;
}

/* Reads what the file says of itself. SQLite's file format, section 1.3. */
static int header_check(const char *path, enum header_verdict *ret, uint32_t *ret_schema,
                        struct err *err)
{
	static const char magic[16] = "SQLite format 3";
	uint8_t head[100];
	uint32_t schema = 0, application = 0;
	struct cursor c;
	struct stat st;
	size_t n = 0;
	int rc;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "open datastore '%s'", path);
		*ret = HEADER_ABSENT;
		return 0;
	}
	if (!S_ISREG(st.st_mode)) /* a FIFO would wait for a writer */
		return err_set(err, -EINVAL, "'%s' is not a datastore: it is not a regular file",
		               path);
	if (st.st_size == 0) {
		*ret = HEADER_EMPTY;
		return 0;
	}
	rc = header_read(path, head, sizeof(head), &n, err);
	if (rc < 0)
		return rc;
	if (n < sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0)
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
	*ret_schema = schema;
	if (schema == 0 || schema > KV_SCHEMA)
		return err_set(
		        err, -EINVAL,
		        "the datastore '%s' was written by %s version of this software (its schema "
		        "is %u, this one knows %u); it was left as it is",
		        path, schema > KV_SCHEMA ? "a newer" : "an unknown", schema, KV_SCHEMA);
	*ret = HEADER_OURS;
	return 0;
}

void kv_file_remove(const char *path)
{
	static const char *const endings[] = { "", "-journal", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		CLEANUP(free_p) char *name = xasprintf("%s%s", path, endings[i]);

		(void)unlink(name);
	}
}

/* Builds an empty datastore beside path and links it into place. Somebody else being faster is
 * fine. */
static int db_create(const char *path, bool replace_empty, struct err *err)
{
	CLEANUP(free_p) char *tmp = xasprintf("%s.new.%ld", path, (long)getpid());
	CLEANUP(free_p)
	char *sql = xasprintf("PRAGMA auto_vacuum = INCREMENTAL;" /* first: it shapes page 1 */
	                      "PRAGMA application_id = %d; PRAGMA user_version = %d;"
	                      "PRAGMA synchronous = FULL; PRAGMA encoding = 'UTF-8';"
	                      "BEGIN; %s %s COMMIT;",
	                      KV_APPLICATION_ID, KV_SCHEMA, schema_1_sql, schema_2_sql);
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
	rc = db_open(tmp, SQLITE_OPEN_READWRITE, &db, err);
	if (rc == 0 && sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK)
		rc = err_set(err, sqlite3_errcode(db) == SQLITE_FULL ? -ENOSPC : -EIO,
		             "create datastore '%s': %s", path, msg);
	sqlite3_free(msg);
	sqlite3_close(db);
	if (rc == 0 && replace_empty && rename(tmp, path) < 0)
		rc = err_sys(err, "create datastore '%s'", path);
	else if (rc == 0 && !replace_empty && link(tmp, path) < 0 && errno != EEXIST)
		rc = err_sys(err, "create datastore '%s'", path);
	kv_file_remove(tmp);
	return rc < 0 ? rc : dir_sync_of(path, err);
}

/* ---- older schemas */

/* The number that a statement returns first; -1 when it fails. */
static int64_t number_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* Somebody else may be doing the same: what the schema is shows once we have the lock. */
static int migrate(sqlite3 *db, const char *path, struct err *err)
{
	int rc = 0;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return kv_db_err(db, path, err, "bring to the new schema");
	if (number_of(db, "PRAGMA user_version") == 1 &&
	    (sqlite3_exec(db, schema_2_sql, NULL, NULL, NULL) != SQLITE_OK ||
	     sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL) != SQLITE_OK))
		rc = kv_db_err(db, path, err, "bring to the new schema");
	if (rc == 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		rc = kv_db_err(db, path, err, "bring to the new schema");
	if (rc < 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int kv_file_make_shrinkable(sqlite3 *db, const char *path, struct err *err)
{
	if (number_of(db, "PRAGMA auto_vacuum") == 2)
		return 0;
	if (sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return kv_db_err(db, path, err, "write anew");
	return 0;
}

int kv_file_open(const char *path, bool create, sqlite3 **ret, struct err *err)
{
	/* The page cache is kept small: typhad answers reads from its own memory. The -wal file
	 * shrinks again after a large transaction. */
	static const char pragmas[] =
	        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	        "PRAGMA cache_size = -512; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;"
	        "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 4194304;";
	enum header_verdict header = HEADER_ABSENT;
	uint32_t schema = 0;
	sqlite3 *db = NULL;
	int rc = header_check(path, &header, &schema, err);

	if (rc == 0 && header != HEADER_OURS && !create)
		rc = err_set(err, -ENOENT, "there is no datastore '%s'", path);
	if (rc == 0 && header != HEADER_OURS)
		rc = db_create(path, header == HEADER_EMPTY, err);
	if (rc == 0 && header != HEADER_OURS)
		rc = header_check(path, &header, &schema, err);
	if (rc == 0)
		rc = db_open(path, SQLITE_OPEN_READWRITE, &db, err);
	if (rc < 0)
		return rc;
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, KV_BUSY_MS);
	if (sqlite3_exec(db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		rc = kv_db_err(db, path, err, "open");
	if (rc == 0 && schema < KV_SCHEMA)
		rc = migrate(db, path, err);
	if (rc < 0)
		sqlite3_close(db);
	else
		*ret = db;
	return rc;
}

int kv_file_open_readonly(const char *path, sqlite3 **ret, uint32_t *ret_schema, struct err *err)
{
	enum header_verdict header = HEADER_ABSENT;
	int rc = header_check(path, &header, ret_schema, err);

	if (rc == 0 && header != HEADER_OURS)
		rc = err_set(err, -ENOENT, "there is no datastore '%s'", path);
	if (rc == 0)
		rc = db_open(path, SQLITE_OPEN_READONLY, ret, err);
	if (rc == 0)
		sqlite3_extended_result_codes(*ret, 1);
	return rc;
}

/* ---- health */

/* Runs a check that answers "ok", or a row per damage. */
static int check_run(sqlite3 *db, const char *path, const char *sql, struct err *err)
{
	sqlite3_stmt *s = NULL;
	const char *verdict;
	int rc = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
		rc = kv_db_err(db, path, err, "check");
	verdict = rc == 0 ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (rc == 0 && (!verdict || strcmp(verdict, "ok") != 0)) {
		char line[200] = "";

		/* Its heading, "*** in database main ***", says nothing. */
		if (verdict && strncmp(verdict, "***", 3) == 0 && strchr(verdict, '\n'))
			verdict = strchr(verdict, '\n') + 1;
		(void)snprintf(line, sizeof(line), "%s", verdict ? verdict : "no verdict");
		line[strcspn(line, "\n")] = '\0';
		rc = damaged(path, err, "%s", line);
	}
	sqlite3_finalize(s);
	return rc;
}

int kv_file_check(sqlite3 *db, const char *path, bool *ret_whole, struct err *err)
{
	/* Whoever counted on a revision that the log does not know would be given it twice. */
	static const char beyond[] =
	        "SELECT CASE WHEN (SELECT max(modified) FROM object) > (SELECT max(revision) FROM "
	        "change) THEN 'an object has a revision that the log does not know' ELSE 'ok' END";
	static const char log[] =
	        "SELECT CASE WHEN (SELECT count(*) FROM meta) != 1 THEN 'its description is "
	        "missing' "
	        "WHEN (SELECT max(revision) FROM change) IS NULL THEN 'its log is empty' "
	        "WHEN (SELECT compacted FROM meta) > (SELECT max(revision) FROM change) "
	        "THEN 'its log ends before its beginning' ELSE 'ok' END";
	static const char *const parts[] = { "PRAGMA quick_check(change, 1)",
		                             "PRAGMA quick_check(meta, 1)",
		                             "PRAGMA quick_check(expiry, 1)", log };
	static const char *const whole[] = { "PRAGMA quick_check(1)", log, beyond };
	int64_t bytes = number_of(db, "PRAGMA page_count") * number_of(db, "PRAGMA page_size");
	bool all = bytes <= (int64_t)KV_CHECK_WHOLE_MAX;
	const char *const *checks = all ? whole : parts;
	size_t n = all ? ARRAY_SIZE(whole) : ARRAY_SIZE(parts);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_run(db, path, checks[i], err);
	if (ret_whole)
		*ret_whole = all;
	return rc;
}
