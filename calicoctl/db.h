/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * db: the datastore for a program that does one thing at a time: each call runs the loop until it
 * is answered, or a deadline has passed.
 */
#pragma once

#include <stdint.h>

#include "calicoctl/calicoctl.h"
#include "common/store/store.h"

struct err;
struct db;

/*
 * Opens what flags, configuration file and environment say: typhad's socket, etcd, or an embedded
 * file. An embedded file that is not there is made only when create is set: else its name is a
 * typing error. typhad is asked at once: when it is not there, or does not answer within 2.5 s,
 * *err says so.
 */
int db_open(const struct options *o, bool create, struct db **ret, struct err *err);
void db_close(struct db *db); /* NULL is fine */

/* From now on, what is not answered within ms counts as not answered. */
void db_hurry(struct db *db, int ms);

/* Results are the caller's, freed with store_result_free(), or by CLEANUP(result_p). */
struct store_result *db_get(struct db *db, model_kind kind, const char *ns, const char *name);
struct store_result *db_list(struct db *db, model_kind kind, const char *ns, const char *prefix);
struct store_result *db_create(struct db *db, const struct resource *r);
struct store_result *db_update(struct db *db,
                               const struct resource *r); /* revision: compare-and-swap */
struct store_result *db_remove(struct db *db, model_kind kind, const char *ns, const char *name,
                               uint64_t revision);
void result_p(struct store_result **r);

/*
 * Watches one kind and runs the loop until *stop is set (by a callback). Whatever is asked of db
 * must be asked before. ops and arg are borrowed until db_close().
 */
int db_watch(struct db *db, model_kind kind, const struct store_watch_ops *ops, void *arg,
             const bool *stop, struct err *err);

/* "resource does not exist: IPPool(pool1) with error: <nil>", and so on, as upstream words a
 * failure. */
void db_error(const struct store_result *r, model_kind kind, const char *ns, const char *name,
              struct err *err);

/* What every command that needs the datastore begins with: opens it and compares versions. Says
 * what is wrong on standard error. */
struct db *db_begin(const struct options *o, bool create);
