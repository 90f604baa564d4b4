/* SPDX-License-Identifier: BSD-2-Clause */
/* write: from a manifest's item to an object in the datastore. */
#pragma once

#include "calicoctl/calicoctl.h"
#include "calicoctl/db.h"
#include "calicoctl/manifest.h"

struct err;

/*
 * The object that item wants, with defaults filled in and checked; the item's message is taken when
 * that succeeds. -EBADMSG: item->error was set, and says it.
 */
int write_prepare(const struct options *o, struct manifest_item *item, struct resource **ret,
                  struct err *err);

/* A WorkloadEndpoint's name, which follows from its spec. */
int write_complete_wep(ProtobufCMessage *msg, V3__ObjectMeta *meta, struct err *err);

/* The revision that a manifest names, or 0. */
int write_revision(const V3__ObjectMeta *meta, uint64_t *ret, struct err *err);

/*
 * What an update writes: the labels, annotations and spec of r; all other metadata, the status, and
 * what we have no field for, as they are stored.
 */
void write_merge(struct resource *r, const struct resource *stored);

/* -EEXIST: it is there already. */
int write_create(struct db *db, const struct resource *r, struct err *err);

/* Without a revision of r's own, somebody else's write in between is no reason to give up. */
int write_update(struct db *db, const struct resource *r, struct err *err);

/* Changes the JSON tree of an object. */
typedef int write_change_fn(void *arg, struct json **tree, struct err *err);

/*
 * Reads an object, has it changed, checks it and writes it back: once more, from the beginning,
 * when somebody else wrote in between.
 */
int write_modify(struct db *db, const struct kind_info *kind, const char *ns, const char *name,
                 write_change_fn *change, void *arg, struct err *err);
