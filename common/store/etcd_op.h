/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_op: one operation on the store as calls to etcd.
 *
 *     get      Range of the key
 *     list     Range of the prefix, page by page, all at the first page's revision
 *     create   Txn: Version == 0? Put : Range
 *     update   [Range of what is there,] Txn: ModRevision == revision? Put : Range
 *     apply    the same, and again when somebody else was faster; IPAM's objects: Put
 *     remove   Txn: [ModRevision == revision?] DeleteRange : Range
 *
 * What is there is read first because uid and creationTimestamp are kept; IPAM's objects have
 * neither. An object that expires gets a lease of its own.
 */
#pragma once

#include "common/base/list.h"
#include "common/store/etcd_client.h"
#include "common/store/object.h"
#include "common/store/store.h"

enum etcd_op_type {
	ETCD_GET,
	ETCD_LIST,
	ETCD_CREATE,
	ETCD_UPDATE,
	ETCD_APPLY,
	ETCD_REMOVE,
};

struct etcd_op {
	struct list node; /* the owner's */
	struct etcd_client *client;
	enum etcd_op_type type;
	model_kind kind;
	char *ns, *name;    /* of a list: name is the prefix; each may be NULL */
	char *key;          /* not of lists */
	uint64_t expected;  /* revision; 0: whatever is there */
	struct resource *r; /* to be written, as it came */
	store_done_fn *fn;
	void *arg;
	void *owner;
	uint64_t expires; /* the owner's: loop time in ms */
	/* how far it is */
	struct etcd_call *call;
	struct resource *stored; /* what is being written */
	struct buf value;
	int64_t lease;
	uint64_t seen_revision; /* the write is made on top of this one; 0: of nothing */
	unsigned tries;
	struct buf after; /* of a list: the last key */
	uint64_t snapshot;
	int64_t page_keys;
	/* the answer */
	enum store_status status;
	char *text;
	uint64_t header;
	struct resource **items;
	size_t n, cap;
	void (*finished)(struct etcd_op *op); /* the owner's: once, not before etcd_op_start()
	                                         returns */
};

/* Strings are copied, r too. An operation that makes no sense has its answer already: text is set.
 */
struct etcd_op *etcd_op_new(enum etcd_op_type type, model_kind kind, const char *ns,
                            const char *name, const struct resource *r, uint64_t expected);
void etcd_op_start(struct etcd_op *op, struct etcd_client *client);
bool etcd_op_is_answered(const struct etcd_op *op); /* before it was started */
void etcd_op_free(struct etcd_op *op);              /* cancels what is under way; NULL is fine */
