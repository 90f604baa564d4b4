/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_op.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/key.h"
#include "common/store/etcd_feed.h"
#include "proto/etcd_rpc.pb-c.h"

#define TRIES_MAX 30u /* of an unconditional write that others get in between of */

static void write_try(struct etcd_op *op, const Etcd__KeyValue *old);

/* ---- answers */

static void items_clear(struct etcd_op *op)
{
	for (size_t i = 0; i < op->n; i++)
		resource_free(op->items[i]);
	op->n = 0;
}

static void item_add(struct etcd_op *op, struct resource *r)
{
	if (op->n == op->cap) {
		op->cap = op->cap ? op->cap * 2 : 1;
		op->items = xrealloc(op->items, op->cap * sizeof(struct resource *));
	}
	op->items[op->n++] = r;
}

static void set_answer(struct etcd_op *op, enum store_status status, const char *text)
{
	op->status = status;
	free(op->text);
	op->text = xstrdup(text);
}

static void set_status(struct etcd_op *op, enum store_status status)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (status != STORE_OK)
		object_status_text(status, op->kind, op->ns, op->name, &text);
	set_answer(op, status, status == STORE_OK ? NULL : buf_cstr(&text));
}

static void finish(struct etcd_op *op)
{
	op->finished(op);
}

static void finish_status(struct etcd_op *op, enum store_status status)
{
	set_status(op, status);
	finish(op);
}

/* A call has failed: in etcd's words. */
static void finish_failed(struct etcd_op *op, const struct etcd_reply *r)
{
	CLEANUP(free_p)
	char *text = xasprintf("%s%s", r->text && *r->text ? r->text : "etcd has failed",
	                       r->doubtful ? "; the write may or may not have been done" : "");

	items_clear(op);
	set_answer(op, r->code == GRPC_INVALID_ARGUMENT ? STORE_INVALID : STORE_UNAVAILABLE, text);
	finish(op);
}

static void finish_unreadable(struct etcd_op *op)
{
	struct etcd_reply r = { .code = GRPC_INTERNAL, .text = "etcd's answer makes no sense" };

	finish_failed(op, &r);
}

static void take_header(struct etcd_op *op, const Etcd__ResponseHeader *h)
{
	if (h)
		op->header = (uint64_t)h->revision;
}

static struct resource *decode(const struct etcd_op *op, const Etcd__KeyValue *kv, struct err *err)
{
	struct resource *r;

	return object_decode(op->kind, op->ns, op->name, (uint64_t)kv->mod_revision,
	                     (const char *)kv->value.data, kv->value.len, &r, err) < 0
	               ? NULL
	               : r;
}

/* Against the write: what is there is the answer's item. */
static void finish_refused(struct etcd_op *op, enum store_status status, const Etcd__KeyValue *kv)
{
	struct resource *now = kv ? decode(op, kv, NULL) : NULL;

	if (now)
		item_add(op, now);
	finish_status(op, status);
}

/* ---- requests */

static void call(struct etcd_op *op, const struct etcd_method *method, const ProtobufCMessage *m,
                 etcd_reply_fn *fn)
{
	op->call = etcd_client_call(op->client, method, m, fn, op);
}

static void read_key(struct etcd_op *op, etcd_reply_fn *fn)
{
	Etcd__RangeRequest m = ETCD__RANGE_REQUEST__INIT;

	m.key = etcd_bytes(op->key);
	call(op, &etcd_range, &m.base, fn);
}

/* ---- get */

static void on_got(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__RangeResponse *m = (const Etcd__RangeResponse *)r->msg;
	struct resource *found;
	struct err err;

	op->call = NULL;
	if (!m) {
		finish_failed(op, r);
		return;
	}
	take_header(op, m->header);
	if (m->n_kvs == 0) {
		finish_status(op, STORE_NOT_FOUND);
		return;
	}
	found = decode(op, m->kvs[0], &err);
	if (found) {
		item_add(op, found);
		finish_status(op, STORE_OK);
	} else {
		CLEANUP(free_p)
		char *text = xasprintf("the value of '%s' cannot be read: %s", op->key, err.text);

		set_answer(op, STORE_NOT_FOUND, text);
		finish(op);
	}
}

/* ---- list */

static void page_ask(struct etcd_op *op);

static void list_begin(struct etcd_op *op)
{
	items_clear(op);
	buf_clear(&op->after);
	op->snapshot = 0;
	page_ask(op);
}

static void list_finish(struct etcd_op *op)
{
	if (op->kind == V3__KIND__KIND_PROFILE && !op->ns) {
		struct resource *r = object_static_profile();

		if (r && (!op->name || strncmp(r->name, op->name, strlen(op->name)) == 0))
			item_add(op, r);
		else
			resource_free(r);
	}
	store_sort(op->items, op->n);
	op->header = op->snapshot;
	finish_status(op, STORE_OK);
}

static void on_page(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__RangeResponse *m = (const Etcd__RangeResponse *)r->msg;
	const Etcd__KeyValue *last = m && m->n_kvs ? m->kvs[m->n_kvs - 1] : NULL;
	struct err err;

	op->call = NULL;
	if (!m && r->too_large && op->page_keys > 1) {
		op->page_keys /= 2;
		page_ask(op);
	} else if (!m && op->snapshot && strstr(r->text, ETCD_COMPACTED) &&
	           op->tries++ < TRIES_MAX) {
		list_begin(op); /* of what is now */
	} else if (!m) {
		finish_failed(op, r);
	} else if (!m->header) {
		finish_unreadable(op);
	} else {
		if (!op->snapshot)
			op->snapshot = (uint64_t)m->header->revision;
		for (size_t i = 0; i < m->n_kvs; i++) {
			struct resource *item =
			        etcd_kv_read(m->kvs[i], op->kind, op->ns, op->name, &err);

			if (item)
				item_add(op, item);
		}
		if (m->more && last) {
			buf_clear(&op->after);
			buf_add(&op->after, last->key.data, last->key.len);
			page_ask(op);
		} else {
			list_finish(op);
		}
	}
}

static void page_ask(struct etcd_op *op)
{
	const struct kind_info *k = kind_info(op->kind);
	Etcd__RangeRequest m = ETCD__RANGE_REQUEST__INIT;
	CLEANUP(buf_done) struct buf from = { 0 };
	CLEANUP(free_p) char *end = key_prefix(op->kind, op->ns);

	if (op->name && k->v3 && (op->ns || !k->namespaced)) {
		char *longer = xasprintf("%s%s", end, op->name);

		free(end);
		end = longer;
	}
	if (op->after.len) { /* the first key behind it */
		buf_add(&from, op->after.data, op->after.len);
		buf_byte(&from, 0);
	} else {
		buf_str(&from, end);
	}
	end[strlen(end) - 1]++; /* the first key behind all that begin so: never 0xff, it is text */
	m.key = (ProtobufCBinaryData){ from.len, from.data };
	m.range_end = etcd_bytes(end);
	m.limit = op->page_keys;
	m.revision = (int64_t)op->snapshot;
	call(op, &etcd_range, &m.base, on_page);
}

/* ---- writes */

static void on_put(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;

	op->call = NULL;
	if (!r->msg) {
		finish_failed(op, r);
		return;
	}
	take_header(op, ((const Etcd__PutResponse *)r->msg)->header);
	resource_set_revision(op->stored, op->header);
	item_add(op, op->stored);
	op->stored = NULL;
	finish_status(op, STORE_OK);
}

/* The transaction was not for what is there. */
static void on_other_value(struct etcd_op *op, const Etcd__KeyValue *now)
{
	bool once_more = op->type == ETCD_APPLY || (op->type == ETCD_UPDATE && !op->expected);

	if (op->type == ETCD_CREATE)
		finish_refused(op, STORE_ALREADY_EXISTS, now);
	else if (!now && op->type != ETCD_APPLY)
		finish_refused(op, STORE_NOT_FOUND, NULL);
	else if (once_more && op->tries++ < TRIES_MAX)
		write_try(op, now);
	else
		finish_refused(op, STORE_CONFLICT, now);
}

static void on_txn(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__TxnResponse *m = (const Etcd__TxnResponse *)r->msg;
	const Etcd__ResponseOp *first = m && m->n_responses ? m->responses[0] : NULL;

	op->call = NULL;
	if (!m) {
		finish_failed(op, r);
		return;
	}
	take_header(op, m->header);
	if (m->succeeded) {
		resource_set_revision(op->stored, op->header);
		item_add(op, op->stored);
		op->stored = NULL;
		finish_status(op, STORE_OK);
	} else if (first && first->response_case == ETCD__RESPONSE_OP__RESPONSE_RANGE) {
		on_other_value(op, first->range->n_kvs ? first->range->kvs[0] : NULL);
	} else {
		finish_unreadable(op);
	}
}

/* If the key's version or revision is what it should be, then, else read what is there. */
static void txn(struct etcd_op *op, Etcd__Compare *compare, Etcd__RequestOp *then,
                etcd_reply_fn *fn)
{
	Etcd__TxnRequest m = ETCD__TXN_REQUEST__INIT;
	Etcd__RangeRequest range = ETCD__RANGE_REQUEST__INIT;
	Etcd__RequestOp otherwise = ETCD__REQUEST_OP__INIT, *otherwise_p = &otherwise;

	if (compare) {
		compare->key = etcd_bytes(op->key);
		m.n_compare = 1;
		m.compare = &compare;
	}
	range.key = etcd_bytes(op->key);
	otherwise.request_case = ETCD__REQUEST_OP__REQUEST_RANGE;
	otherwise.range = &range;
	m.n_success = 1;
	m.success = &then;
	m.n_failure = 1;
	m.failure = &otherwise_p;
	call(op, &etcd_txn, &m.base, fn);
}

static void compare_revision(Etcd__Compare *c, uint64_t revision)
{
	c->target = ETCD__COMPARE__TARGET__MOD;
	c->target_union_case = ETCD__COMPARE__TARGET_UNION_MOD_REVISION;
	c->mod_revision = (int64_t)revision;
}

static void compare_version(Etcd__Compare *c, Etcd__Compare__Result result)
{
	c->result = result;
	c->target = ETCD__COMPARE__TARGET__VERSION;
	c->target_union_case = ETCD__COMPARE__TARGET_UNION_VERSION;
	c->version = 0;
}

static void write_send(struct etcd_op *op)
{
	bool v3 = kind_info(op->kind)->v3;
	Etcd__PutRequest put = ETCD__PUT_REQUEST__INIT;
	Etcd__RequestOp then = ETCD__REQUEST_OP__INIT;
	Etcd__Compare compare = ETCD__COMPARE__INIT;

	put.key = etcd_bytes(op->key);
	put.value = (ProtobufCBinaryData){ op->value.len, op->value.data };
	put.lease = op->lease;
	if (op->type == ETCD_APPLY && !v3) { /* as upstream does */
		call(op, &etcd_put, &put.base, on_put);
		return;
	}
	then.request_case = ETCD__REQUEST_OP__REQUEST_PUT;
	then.put = &put;
	if (op->type == ETCD_CREATE || !op->seen_revision)
		compare_version(&compare, op->type == ETCD_UPDATE ? ETCD__COMPARE__RESULT__GREATER
		                                                  : ETCD__COMPARE__RESULT__EQUAL);
	else
		compare_revision(&compare, op->seen_revision);
	txn(op, &compare, &then, on_txn);
}

static void on_lease(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__LeaseGrantResponse *m = (const Etcd__LeaseGrantResponse *)r->msg;
	struct etcd_reply refused = { .code = GRPC_UNAVAILABLE };

	op->call = NULL;
	if (!m) {
		finish_failed(op, r);
	} else if (m->error && *m->error) {
		refused.text = m->error;
		finish_failed(op, &refused);
	} else {
		op->lease = m->id;
		write_send(op);
	}
}

/* The write on top of old, which may be NULL: nothing is there, or nobody cares. */
static void write_try(struct etcd_op *op, const Etcd__KeyValue *old)
{
	struct resource *was = old ? decode(op, old, NULL) : NULL; /* else it is overwritten */
	Etcd__LeaseGrantRequest lease = ETCD__LEASE_GRANT_REQUEST__INIT;
	struct err err;

	resource_free(op->stored);
	op->stored = resource_copy(op->r);
	object_stamp(op->stored, was ? was->msg : NULL, wall_unix_ns() / 1000000000u);
	resource_free(was);
	buf_clear(&op->value);
	if (object_encode(op->stored, &op->value, &err) < 0) {
		set_answer(op, STORE_INVALID, err.text);
		finish(op);
		return;
	}
	op->seen_revision = old ? (uint64_t)old->mod_revision : op->expected;
	if (!op->r->ttl_sec || op->lease) {
		write_send(op);
		return;
	}
	lease.ttl = op->r->ttl_sec;
	call(op, &etcd_lease_grant, &lease.base, on_lease);
}

/* What an update or apply of an object with metadata begins with. */
static void on_old(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__RangeResponse *m = (const Etcd__RangeResponse *)r->msg;
	const Etcd__KeyValue *old = m && m->n_kvs ? m->kvs[0] : NULL;
	enum object_write write = op->type == ETCD_APPLY ? OBJECT_APPLY : OBJECT_UPDATE;
	enum store_status verdict;

	op->call = NULL;
	if (!m) {
		finish_failed(op, r);
		return;
	}
	take_header(op, m->header);
	verdict = object_verdict(write, old != NULL, old ? (uint64_t)old->mod_revision : 0,
	                         op->expected);
	if (verdict == STORE_OK)
		write_try(op, old);
	else
		finish_refused(op, verdict, old);
}

/* ---- remove */

static void on_removed(void *arg, const struct etcd_reply *r)
{
	struct etcd_op *op = arg;
	const Etcd__TxnResponse *m = (const Etcd__TxnResponse *)r->msg;
	const Etcd__ResponseOp *first = m && m->n_responses ? m->responses[0] : NULL;

	op->call = NULL;
	if (!m) {
		finish_failed(op, r);
		return;
	}
	take_header(op, m->header);
	if (!m->succeeded && first && first->response_case == ETCD__RESPONSE_OP__RESPONSE_RANGE) {
		on_other_value(op, first->range->n_kvs ? first->range->kvs[0] : NULL);
	} else if (m->succeeded && first &&
	           first->response_case == ETCD__RESPONSE_OP__RESPONSE_DELETE_RANGE) {
		const Etcd__DeleteRangeResponse *d = first->delete_range;
		struct resource *was =
		        d->deleted && d->n_prev_kvs ? decode(op, d->prev_kvs[0], NULL) : NULL;

		if (d->deleted)
			item_add(op, was ? was : resource_new(op->kind, op->ns, op->name, 0, NULL));
		finish_status(op, d->deleted ? STORE_OK : STORE_NOT_FOUND);
	} else {
		finish_unreadable(op);
	}
}

static void remove_send(struct etcd_op *op)
{
	Etcd__DeleteRangeRequest del = ETCD__DELETE_RANGE_REQUEST__INIT;
	Etcd__RequestOp then = ETCD__REQUEST_OP__INIT;
	Etcd__Compare compare = ETCD__COMPARE__INIT;

	del.key = etcd_bytes(op->key);
	del.prev_kv = true;
	then.request_case = ETCD__REQUEST_OP__REQUEST_DELETE_RANGE;
	then.delete_range = &del;
	compare_revision(&compare, op->expected);
	txn(op, op->expected ? &compare : NULL, &then, on_removed);
}

/* ---- the interface */

/* The profile that is always there: it can be read, and nothing else. */
static void answer_for_static(struct etcd_op *op)
{
	enum store_status status = op->type == ETCD_GET      ? STORE_OK
	                           : op->type == ETCD_CREATE ? STORE_ALREADY_EXISTS
	                                                     : STORE_INVALID;
	struct resource *r = status == STORE_INVALID ? NULL : object_static_profile();

	set_status(op, status);
	if (r)
		item_add(op, r);
}

static void check(struct etcd_op *op)
{
	const struct kind_info *k = kind_info(op->kind);
	struct err err = { 0 };

	if (op->type == ETCD_LIST) {
		if (!k)
			set_answer(op, STORE_INVALID, "the kind is unknown to this version");
		else if (op->ns && !k->namespaced)
			set_answer(op, STORE_INVALID, "objects of this kind have no namespace");
		return;
	}
	if (!op->r || object_check(op->r, &err) == 0)
		op->key = object_key(op->kind, op->ns, op->name, &err);
	if (!op->key)
		set_answer(op, STORE_INVALID, err.text);
	else if (object_is_static(op->kind, op->name))
		answer_for_static(op);
}

struct etcd_op *etcd_op_new(enum etcd_op_type type, model_kind kind, const char *ns,
                            const char *name, const struct resource *r, uint64_t expected)
{
	struct etcd_op *op = xcalloc(1, sizeof(*op));

	op->type = type;
	op->kind = kind;
	op->ns = xstrdup(ns && *ns ? ns : NULL);
	op->name = xstrdup(name);
	op->r = r ? resource_copy(r) : NULL;
	op->expected = expected;
	op->page_keys = ETCD_PAGE_KEYS;
	list_init(&op->node);
	check(op);
	return op;
}

bool etcd_op_is_answered(const struct etcd_op *op)
{
	return op->text || op->n;
}

void etcd_op_start(struct etcd_op *op, struct etcd_client *client)
{
	op->client = client;
	switch (op->type) {
	case ETCD_GET:
		read_key(op, on_got);
		break;
	case ETCD_LIST:
		list_begin(op);
		break;
	case ETCD_UPDATE:
	case ETCD_APPLY:
		if (kind_info(op->kind)->v3)
			read_key(op, on_old);
		else
			write_try(op, NULL);
		break;
	case ETCD_CREATE:
		write_try(op, NULL);
		break;
	case ETCD_REMOVE:
		remove_send(op);
		break;
	}
}

void etcd_op_free(struct etcd_op *op)
{
	if (!op)
		return;
	list_unlink(&op->node);
	etcd_call_cancel(op->call);
	items_clear(op);
	free(op->items);
	resource_free(op->r);
	resource_free(op->stored);
	buf_done(&op->value);
	buf_done(&op->after);
	free(op->ns);
	free(op->name);
	free(op->key);
	free(op->text);
	free(op);
}
