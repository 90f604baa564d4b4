/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/lane.h"

#include <assert.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipamd/ipamd.h"

static void lane_kick(struct blk *b);

void lane_reserve(struct blk *b, struct lane_change *c)
{
	assert(!c->blk);
	c->blk = b;
	list_init(&c->link);
	b->users++;
	b->reserved += c->want;
}

void lane_forget(struct lane_change *c)
{
	struct blk *b = c->blk;

	free(c->got);
	free(c->handle);
	c->got = NULL;
	c->handle = NULL;
	if (!b)
		return;
	c->blk = NULL;
	b->reserved -= c->want;
	b->users--;
	blk_tidy(b);
}

/* ---- applying changes to a copy */

static bool is_known(const struct lane_change *c, const struct ip_prefix *block, uint32_t ordinal)
{
	struct ip_addr a = ip_prefix_nth(block, ordinal);

	for (size_t i = 0; i < c->n_known; i++)
		if (ip_addr_eq(&c->known[i].addr, &a))
			return true;
	return false;
}

static enum lane_status apply_take(struct lane_change *c, V3__IpamBlock *msg)
{
	size_t have = block_find_handle(msg, c->owner->handle, c->got, msg->n_allocations);
	size_t n = 0;

	/*
	 * Addresses that this handle has here and the caller does not know of: a write of ours
	 * whose answer was lost. They are what the caller wants; taking more would leak them.
	 */
	for (size_t i = 0; i < have && n < c->want; i++)
		if (!is_known(c, &c->blk->cidr, c->got[i]))
			c->got[n++] = c->got[i];
	c->n_new = block_take(msg, c->owner, c->want - n, c->got + n);
	c->n_got = n + c->n_new;
	return c->n_got ? LANE_OK : LANE_FULL;
}

static enum lane_status apply_take_ordinal(struct lane_change *c, V3__IpamBlock *msg)
{
	const V3__IpamAttribute *a = block_owner_of(msg, c->ordinal);

	if (a && handle_eq(a->handle_id, c->owner->handle)) {
		c->n_new = 0;
	} else {
		if (block_take_ordinal(msg, c->owner, c->ordinal) < 0)
			return LANE_TAKEN;
		c->n_new = 1;
	}
	c->got[0] = c->ordinal;
	c->n_got = 1;
	return LANE_OK;
}

static enum lane_status apply(struct lane_change *c, V3__IpamBlock *msg, uint64_t now_sec)
{
	struct ipamd *ip = c->blk->ip;
	bool takes = c->kind == LANE_TAKE || c->kind == LANE_TAKE_ORDINAL;

	free(c->got);
	free(c->handle);
	c->handle = NULL;
	c->got = xcalloc(msg->n_allocations, sizeof(*c->got));
	c->n_got = c->n_new = 0;
	c->block_len = c->blk->cidr.len;
	if (takes && !c->any_affinity &&
	    (!msg->affinity || strcmp(msg->affinity, ip->affinity) != 0))
		return LANE_NOT_OURS;
	switch (c->kind) {
	case LANE_TAKE:
		return apply_take(c, msg);
	case LANE_TAKE_ORDINAL:
		return apply_take_ordinal(c, msg);
	case LANE_RELEASE_HANDLE:
		c->n_got = c->n_new = block_release_handle(msg, c->owner->handle, now_sec,
		                                           ip->config.cooldown_sec, c->got);
		return LANE_OK;
	case LANE_RELEASE_ORDINAL:
		if (block_release_ordinal(msg, c->ordinal, now_sec, &c->handle) == 0) {
			c->got[0] = c->ordinal;
			c->n_got = c->n_new = 1;
		}
		return LANE_OK;
	}
	return LANE_INVALID;
}

/* ---- writing */

struct lane_write {
	struct blk *blk;
	V3__IpamBlock *msg; /* what is being written; NULL: the block is being removed */
};

static void finish(struct list *from, enum lane_status status, const char *text)
{
	struct list done = LIST_INIT(done);

	/* Callbacks submit and free: they see an empty list. */
	while (!list_empty(from)) {
		struct list *it = from->next;

		list_unlink(it);
		list_push_back(&done, it);
	}
	while (!list_empty(&done)) {
		struct lane_change *c = list_entry(done.next, struct lane_change, link);

		list_unlink(&c->link);
		c->done(c, status, text);
	}
}

static void requeue(struct blk *b)
{
	while (!list_empty(&b->writing)) {
		struct list *it = b->writing.prev;

		list_unlink(it);
		list_push_front(&b->ready, it);
	}
}

/* What is there now, from an answer. */
static void learn(struct blk *b, const struct store_result *r)
{
	if (r->n && r->items[0] && r->items[0]->msg)
		blk_set(b, (V3__IpamBlock *)msg_copy(r->items[0]->msg), r->items[0]->revision);
	else
		blk_set(b, NULL, b->revision);
}

static void unbusy(struct blk *b)
{
	b->busy = false;
	lane_kick(b);
	blk_tidy(b);
}

static void on_written(void *arg, const struct store_result *r)
{
	struct lane_write *w = arg;
	struct blk *b = w->blk;
	V3__IpamBlock *msg = w->msg;

	free(w);
	if (b->ip->stopping) {
		msg_free(msg ? &msg->base : NULL);
		return;
	}
	switch (r->status) {
	case STORE_OK:
		b->tries = 0;
		blk_set(b, msg, msg && r->n ? r->items[0]->revision : b->revision);
		msg = NULL;
		finish(&b->writing, LANE_OK, NULL);
		break;
	case STORE_CONFLICT:
	case STORE_ALREADY_EXISTS:
	case STORE_NOT_FOUND:
		b->ip->count.block_conflicts++;
		if (r->status == STORE_NOT_FOUND)
			blk_set(b, NULL, b->revision);
		else
			learn(b, r);
		if (++b->tries > IPAMD_RETRIES) {
			b->tries = 0;
			finish(&b->writing, LANE_RETRIES,
			       "Max retries hit - excessive concurrent IPAM requests");
		} else {
			requeue(b);
		}
		break;
	case STORE_INVALID:
		finish(&b->writing, LANE_INVALID, r->text);
		break;
	case STORE_UNAVAILABLE:
		finish(&b->writing, LANE_UNAVAILABLE, r->text);
		finish(&b->ready, LANE_UNAVAILABLE, r->text);
		break;
	}
	msg_free(msg ? &msg->base : NULL);
	unbusy(b);
}

static void lane_write(struct blk *b, V3__IpamBlock *msg)
{
	struct ipamd *ip = b->ip;
	struct lane_write *w = xcalloc(1, sizeof(*w));
	struct resource *r;

	w->blk = b;
	b->busy = true;
	ip->count.block_writes++;
	list_for_each (it, &b->writing)
		ip->count.block_changes++;
	if (!msg->affinity && block_empty(msg)) {
		/* Nobody's and empty: it goes. */
		msg_free(&msg->base);
		store_remove(ip->store, V3__KIND__KIND_IPAM_BLOCK, NULL, b->name, b->revision,
		             on_written, w);
		return;
	}
	w->msg = msg;
	r = resource_new(V3__KIND__KIND_IPAM_BLOCK, NULL, b->name, b->revision,
	                 msg_copy(&msg->base));
	store_update(ip->store, r, on_written, w);
	resource_free(r);
}

static void on_read(void *arg, const struct store_result *r)
{
	struct blk *b = arg;
	V3__IpamBlock *msg = NULL;
	struct ip_prefix cidr;

	if (b->ip->stopping)
		return;
	/* Busy to the end: callbacks let go of the block, and with the last one it would be freed.
	 */
	if (r->status == STORE_OK && r->n && r->items[0]->msg) {
		msg = (V3__IpamBlock *)msg_copy(r->items[0]->msg);
		blk_set(b, (V3__IpamBlock *)msg_copy(r->items[0]->msg), r->items[0]->revision);
		if (!block_check(msg, &cidr, NULL) || b->revision != r->items[0]->revision) {
			msg_free(&msg->base);
			msg = NULL;
		}
	} else if (r->status == STORE_NOT_FOUND) {
		blk_set(b, NULL, b->revision);
	} else {
		finish(&b->ready, LANE_UNAVAILABLE, r->text);
	}
	/* A digest forgets the message; it is put back for the write that follows at once. */
	if (msg && !b->msg)
		b->msg = msg;
	else
		msg_free(msg ? &msg->base : NULL);
	unbusy(b);
}

static void lane_kick(struct blk *b)
{
	struct ipamd *ip = b->ip;
	struct list refused = LIST_INIT(refused), idle = LIST_INIT(idle);
	enum lane_status why = LANE_OK;
	V3__IpamBlock *msg;
	uint64_t now_sec = wall_unix_ns() / 1000000000u;

	if (b->busy || list_empty(&b->ready))
		return;
	if (!b->exists || b->broken) {
		b->users++;
		finish(&b->ready, b->broken ? LANE_INVALID : LANE_GONE,
		       b->broken ? "the block is malformed" : NULL);
		b->users--;
		return;
	}
	if (!b->msg) {
		b->busy = true;
		store_get(ip->store, V3__KIND__KIND_IPAM_BLOCK, NULL, b->name, on_read, b);
		return;
	}
	b->users++;
	msg = (V3__IpamBlock *)msg_copy(&b->msg->base);
	(void)block_gc(msg, now_sec, ip->config.cooldown_sec);
	while (!list_empty(&b->ready)) {
		struct lane_change *c = list_entry(b->ready.next, struct lane_change, link);
		enum lane_status s = apply(c, msg, now_sec);

		list_unlink(&c->link);
		if (s != LANE_OK) {
			/* Mostly all the same; a different one goes round once more. */
			if (list_empty(&refused))
				why = s;
			list_push_back(s == why ? &refused : &b->ready, &c->link);
			if (s != why)
				break;
		} else {
			list_push_back(c->n_new ? &b->writing : &idle, &c->link);
		}
	}
	(void)block_gc(msg, now_sec, ip->config.cooldown_sec);
	if (!list_empty(&b->writing)) {
		block_bump(msg);
		lane_write(b, msg);
	} else {
		msg_free(&msg->base);
		if (!b->mine && list_empty(&b->near)) {
			/* was only fetched for this */
			msg_free(&b->msg->base);
			b->msg = NULL;
		}
	}
	finish(&idle, LANE_OK, NULL);
	finish(&refused, why, NULL);
	b->users--;
	if (!b->busy)
		lane_kick(b);
}

/* A turn of the loop gathers what comes in together: the first change waits for those behind it. */
static void on_turn(uv_idle_t *idle)
{
	struct ipamd *ip = idle->data;
	struct list now = LIST_INIT(now);

	uv_idle_stop(idle);
	while (!list_empty(&ip->turn_blocks)) {
		struct list *it = ip->turn_blocks.next;

		list_unlink(it);
		list_push_back(&now, it);
	}
	while (!list_empty(&now)) {
		struct blk *b = list_entry(now.next, struct blk, turn);

		list_unlink(&b->turn);
		b->busy = false;
		lane_kick(b);
		blk_tidy(b);
	}
}

void lane_submit(struct lane_change *c)
{
	struct blk *b = c->blk;
	struct ipamd *ip = b->ip;

	list_push_back(&b->ready, &c->link);
	if (b->busy || ip->stopping)
		return;
	b->busy = true;
	list_push_back(&ip->turn_blocks, &b->turn);
	(void)uv_idle_start(&ip->turn, on_turn);
}
