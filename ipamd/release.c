/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * release: by handle, and by address.
 *
 *     read the handle  ->  free its addresses, block by block  ->  write the handle, if it is still
 * what was read
 *
 * The handle is read first and written last, by compare-and-swap: what it then loses is exactly
 * what the blocks no longer hold, even where it counted too much before. If it has changed
 * meanwhile somebody has taken addresses for it, and everything is done once more.
 */
#include <string.h>

#include "common/base/mem.h"
#include "ipamd/choose.h"
#include "ipamd/handle.h"
#include "ipamd/request.h"

#define AWAY "the datastore has gone away: try again"

static void read_handle(struct request *q);

static void note(struct request *q, enum lane_status status, const char *text)
{
	if (status == LANE_OK || status == LANE_GONE)
		return; /* a block that is gone holds nothing */
	q->unavailable |= status == LANE_UNAVAILABLE || status == LANE_RETRIES;
	if (!q->trouble)
		q->trouble = xstrdup(text ? text : "the block could not be written");
}

static void answer(struct request *q)
{
	if (q->trouble)
		request_answer_error(q,
		                     q->unavailable ? IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE
		                                    : IPAM__V1__ERROR_CODE__ERROR_INVALID,
		                     q->trouble);
	else
		request_answer_released(q);
}

static void add_freed(struct request *q, const struct lane_change *c)
{
	q->freed = xrealloc(q->freed, (q->n_freed + c->n_got + 1) * sizeof(*q->freed));
	for (size_t i = 0; i < c->n_got; i++) {
		struct ip_addr a = ip_prefix_nth(&c->blk->cidr, c->got[i]);

		q->freed[q->n_freed++] = ip_prefix_host(&a);
	}
}

static void forget_changes(struct request *q)
{
	for (size_t i = 0; i < q->n_changes; i++) {
		lane_forget(&q->changes[i]);
		if (q->blocks)
			free(q->blocks[i]);
	}
	free(q->changes);
	free(q->blocks);
	q->changes = NULL;
	q->blocks = NULL;
	q->n_changes = 0;
}

/* ---- by handle */

static void on_handle_written(void *arg, enum store_status status, const char *text)
{
	struct request *q = arg;

	forget_changes(q);
	if (status == STORE_CONFLICT && ++q->tries < IPAMD_RETRIES) {
		read_handle(q);
		return;
	}
	if (status != STORE_OK && !q->trouble) {
		q->unavailable = true;
		q->trouble = xstrdup(text ? text : AWAY);
	}
	claim_sweep(q->ip);
	answer(q);
}

static void blocks_done(struct request *q)
{
	if (q->trouble) {
		forget_changes(q);
		answer(q); /* the handle stays as it is: it counts too much at most */
	} else if (!q->handle) {
		/* Addresses of a handle that is not there: others' mistake, repaired by what was
		 * just done. */
		forget_changes(q);
		answer(q);
	} else {
		q->stage = "writes the handle";
		handle_drop(q->ip, q->owner.handle, (const V3__IpamHandle *)q->handle,
		            q->handle_revision, q->blocks, q->n_changes, on_handle_written, q);
	}
}

static void on_freed(struct lane_change *c, enum lane_status status, const char *text)
{
	struct request *q = c->arg;

	if (status == LANE_OK)
		add_freed(q, c);
	note(q, status, text);
	if (--q->pending == 0)
		blocks_done(q);
}

static bool has_block(const struct request *q, const char *name)
{
	for (size_t i = 0; i < q->n_changes; i++)
		if (strcmp(q->blocks[i], name) == 0)
			return true;
	return false;
}

/* blk NULL: the handle names something that is no block we can find; the entry goes with the rest.
 */
static void add_block(struct request *q, const char *name, struct blk *b)
{
	struct lane_change *c = &q->changes[q->n_changes];

	q->blocks[q->n_changes++] = xstrdup(name);
	*c = (struct lane_change){
		.kind = LANE_RELEASE_HANDLE, .owner = &q->owner, .done = on_freed, .arg = q
	};
	if (b)
		lane_reserve(b, c);
}

static void on_handle_read(void *arg, const struct store_result *r)
{
	struct request *q = arg;
	const V3__IpamHandle *h = NULL;
	size_t near = 0;

	if (q->ip->stopping)
		return;
	if (r->status != STORE_OK && r->status != STORE_NOT_FOUND) {
		q->unavailable = true;
		q->trouble = xstrdup(r->text);
		answer(q);
		return;
	}
	msg_free(q->handle);
	q->handle = NULL;
	if (r->status == STORE_OK && r->n && r->items[0]->msg) {
		q->handle = msg_copy(r->items[0]->msg);
		q->handle_revision = r->items[0]->revision;
		h = (const V3__IpamHandle *)q->handle;
	}
	list_for_each (it, &q->ip->near)
		near++;
	q->changes = xcalloc((h ? h->n_block : 0) + near + 1, sizeof(*q->changes));
	q->blocks = xcalloc((h ? h->n_block : 0) + near + 1, sizeof(*q->blocks));
	for (size_t i = 0; h && i < h->n_block; i++) {
		struct ip_prefix cidr;

		if (h->block[i]->key && !has_block(q, h->block[i]->key))
			add_block(q, h->block[i]->key,
			          ip_prefix_parse(h->block[i]->key, &cidr) == 0
			                  ? blk_find(q->ip, &cidr, false)
			                  : NULL);
	}
	/* What the handle should name and does not. */
	list_for_each (it, &q->ip->near) {
		struct blk *b = list_entry(it, struct blk, near);

		if (block_find_handle(b->msg, q->owner.handle, NULL, 0) && !has_block(q, b->name))
			add_block(q, b->name, b);
	}
	if (!q->handle && q->n_changes == 0) {
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_NOT_FOUND,
		                     "there is no such handle");
		return;
	}
	q->stage = "writes blocks";
	q->pending = 1;
	for (size_t i = 0; i < q->n_changes; i++)
		q->pending += q->changes[i].blk != NULL;
	for (size_t i = 0; i < q->n_changes; i++)
		if (q->changes[i].blk)
			lane_submit(&q->changes[i]);
	if (--q->pending == 0)
		blocks_done(q);
}

static void read_handle(struct request *q)
{
	q->stage = "reads the handle";
	store_get(q->ip->store, V3__KIND__KIND_IPAM_HANDLE, NULL, q->owner.handle, on_handle_read,
	          q);
}

/* ---- by address */

static void ips_done(struct request *q)
{
	forget_changes(q);
	claim_sweep(q->ip);
	answer(q);
}

static void on_ip_handle(void *arg, enum store_status status, const char *text)
{
	struct request *q = arg;

	/* Upstream only logs this; the address is free, the handle counts too much until it is
	 * released or checked. */
	(void)status;
	(void)text;
	if (--q->pending == 0)
		ips_done(q);
}

static void on_ip_freed(struct lane_change *c, enum lane_status status, const char *text)
{
	struct request *q = c->arg;

	if (status == LANE_OK)
		add_freed(q, c);
	note(q, status, text);
	if (status == LANE_OK && c->n_got && c->handle)
		handle_sub(q->ip, c->handle, c->blk->name, 1, on_ip_handle, q);
	else if (--q->pending == 0)
		ips_done(q);
}

/* The block that a lies in, whatever its size: pools may be gone. */
static struct blk *block_of(struct ipamd *ip, const struct ip_addr *a)
{
	unsigned max = ip_addr_bits(a);

	for (unsigned len = max - 12; len <= max; len++) {
		struct ip_prefix cidr = choose_block_of(a, len);
		struct blk *b = blk_find(ip, &cidr, false);

		if (b && b->exists)
			return b;
	}
	return NULL;
}

static void release_ips(struct request *q)
{
	q->changes = xcalloc(q->n_ips, sizeof(*q->changes));
	q->stage = "writes blocks";
	q->pending = 1;
	for (size_t i = 0; i < q->n_ips; i++) {
		struct blk *b = block_of(q->ip, &q->ips[i].addr);
		struct lane_change *c = &q->changes[q->n_changes];

		if (!b)
			continue; /* free, then */
		*c = (struct lane_change){ .kind = LANE_RELEASE_ORDINAL,
			                   .done = on_ip_freed,
			                   .arg = q };
		c->ordinal = (uint32_t)ip_prefix_ordinal(&b->cidr, &q->ips[i].addr);
		q->n_changes++;
		q->pending++;
		lane_reserve(b, c);
		lane_submit(c);
	}
	if (--q->pending == 0)
		ips_done(q);
}

void release_start(struct request *q)
{
	if (q->kind == REQUEST_RELEASE_HANDLE)
		read_handle(q);
	else
		release_ips(q);
}
