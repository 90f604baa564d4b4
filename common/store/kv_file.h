/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_file: the file of a datastore: what it says it is, how it comes to be, its schema, its health.
 *
 * The file says what it is: SQLite's application_id is ours and user_version is the number of the
 * schema. Both stand in the first 100 bytes, so a file is judged by reading these before SQLite
 * sees it, because SQLite's own opening of a database may already write beside it (-wal, -shm) or
 * roll a journal back into it. That they are there from the first instant on is made sure by
 * building a new database under another name, without WAL, and linking it into place when it is
 * complete.
 *
 * Schemas are only ever added to: a process of the older version that has the file open goes on
 * working while a newer one brings the file up to date.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct sqlite3;

#define KV_SCHEMA 2

/* SQLite's last failure on db as an errno and a sentence that names the file, and what to do where
 * that is known. */
int kv_db_err(struct sqlite3 *db, const char *path, struct err *err, const char *what);

/*
 * Opens path; create: and makes it, mode 0600, when it is absent or empty. A file of an older
 * schema is brought up to date. -EINVAL with a sentence when the file is not a datastore of the
 * suite or was written by a newer version: then neither it nor anything beside it has been touched.
 */
int kv_file_open(const char *path, bool create, struct sqlite3 **ret, struct err *err);

/* Opens a datastore for reading only, whatever its schema, which goes to *ret_schema. */
int kv_file_open_readonly(const char *path, struct sqlite3 **ret, uint32_t *ret_schema,
                          struct err *err);

/*
 * Is the file whole? SQLite's structures, and what holds between the tables. Of a file beyond
 * KV_CHECK_WHOLE_MAX the part that grows with the number of objects is left out, so that the time
 * is bounded; *ret_whole, which may be NULL, says whether all of it was looked at. -EINVAL with a
 * sentence that names the damage and the way out; nothing has been written then.
 */
#define KV_CHECK_WHOLE_MAX (512u << 20) /* bytes */
int kv_file_check(struct sqlite3 *db, const char *path, bool *ret_whole, struct err *err);

/* Unlinks the file and what SQLite may have left beside it. Nobody may have it open. */
void kv_file_remove(const char *path);

/* Makes the file give space back (see kv_tidy()), when an older version has made it without. Slow:
 * writes all of it once. */
int kv_file_make_shrinkable(struct sqlite3 *db, const char *path, struct err *err);
