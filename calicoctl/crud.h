/* SPDX-License-Identifier: BSD-2-Clause */
/* crud: what the commands on resources share. */
#pragma once

#include "calicoctl/calicoctl.h"
#include "calicoctl/manifest.h"

struct db;
struct err;

/*
 * Reads all that -f names. false: nothing to do, or nothing readable; that has been said, and
 * *ret_status is the exit status. true: at least one resource was understood.
 */
bool crud_load(const struct options *o, const char *verb, struct manifest *m, int *ret_status);

/*
 * The namespace of a kind's object, that says doc_ns (may be NULL), given the flag -n; *ret is
 * borrowed, NULL for kinds without.
 */
int crud_namespace(const struct options *o, const struct kind_info *kind, const char *doc_ns,
                   const char **ret, struct err *err);

/* The kind of an argument such as "pools". Says what is wrong in *err. */
const struct kind_info *crud_kind(const char *arg, struct err *err);

/* Applies what a manifest holds, and says what became of it. Returns the exit status. */
int crud_apply(const struct options *o, struct db *db, struct manifest *m);
