/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/check.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipamd/handle.h"
#include "ipamd/ipamd.h"

/* A handle whose count for a block of ours is not what the block says. */
struct suspect {
	char *id, *block;
	uint64_t revision; /* of the handle; 0: there is none */
	int64_t truth;
};

struct check {
	struct ipamd *ip;
	bool listing;          /* an answer of the datastore's is awaited */
	struct suspect *first; /* what the last look found */
	size_t n_first;
	struct hmap truth; /* this node's blocks: struct held, by handle and block */
};

/* How many addresses a handle holds in a block of ours. */
struct held {
	struct hmap_node node;
	char *id;
	const struct blk *blk;
	int64_t n;
	bool seen; /* there is a handle that says something of it */
};

static uint32_t held_hash(const char *id, const struct blk *b)
{
	return hash_mix(hash_str(id), ip_prefix_hash(&b->cidr));
}

static struct held *held_find(struct check *k, const char *id, const struct blk *b)
{
	hmap_find(h, &k->truth, held_hash(id, b), struct held, node,
	          h->blk == b && strcmp(h->id, id) == 0);
	return h;
}

static void count_blocks(struct check *k)
{
	list_for_each (it, &k->ip->near) {
		struct blk *b = list_entry(it, struct blk, near);

		for (size_t i = 0; b->mine && i < b->msg->n_allocations; i++) {
			const V3__IpamAttribute *a = block_owner_of(b->msg, (uint32_t)i);
			struct held *h;
			char *id;

			if (!a || !a->handle_id || handle_eq(a->handle_id, BLOCK_WINDOWS_HANDLE))
				continue;
			id = xstrndup(a->handle_id, strcspn(a->handle_id, "\r"));
			h = held_find(k, id, b);
			if (!h) {
				h = xcalloc(1, sizeof(*h));
				h->id = take_ptr(&id);
				h->blk = b;
				hmap_insert(&k->truth, &h->node, held_hash(h->id, b));
			}
			h->n++;
			free(id);
		}
	}
}

static void forget_truth(struct check *k)
{
	hmap_for_each (h, &k->truth, struct held, node) {
		hmap_remove(&k->truth, &h->node);
		free(h->id);
		free(h);
	}
	hmap_done(&k->truth);
}

static void forget_first(struct check *k)
{
	for (size_t i = 0; i < k->n_first; i++) {
		free(k->first[i].id);
		free(k->first[i].block);
	}
	free(k->first);
	k->first = NULL;
	k->n_first = 0;
}

static void check_free(struct check *k)
{
	forget_truth(k);
	forget_first(k);
	free(k);
}

static void on_repaired(void *arg, enum store_status status, const char *text)
{
	struct ipamd *ip = arg;

	(void)text;
	if (status != STORE_OK || ip->stopping)
		return; /* it has changed, or the datastore is away: the next check looks again */
	ip->count.handles_repaired++;
}

/* One difference: repaired if it was there at the last look, noted for the next one if not. */
static void differs(struct check *k, struct suspect **list, size_t *n, const char *id,
                    const char *block, const struct resource *handle, int64_t truth)
{
	uint64_t revision = handle ? handle->revision : 0;

	for (size_t i = 0; i < k->n_first; i++) {
		const struct suspect *s = &k->first[i];

		if (s->revision != revision || s->truth != truth || strcmp(s->id, id) != 0 ||
		    strcmp(s->block, block) != 0)
			continue;
		log_warn("handle repaired", "handle=%s block=%s addresses=%lld", LOG_VIS(id),
		         LOG_VIS(block), (long long)truth);
		handle_repair(k->ip, id, handle ? (const V3__IpamHandle *)handle->msg : NULL,
		              revision, block, truth, on_repaired, k->ip);
		return;
	}
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = (struct suspect){ xstrdup(id), xstrdup(block), revision, truth };
}

static void on_timer(uv_timer_t *t)
{
	check_start(t->data);
}

static void again(struct ipamd *ip, unsigned sec)
{
	(void)uv_timer_start(&ip->check_timer, on_timer, sec * 1000ull, 0);
}

static void on_handles(void *arg, const struct store_result *r)
{
	struct check *k = arg;
	struct ipamd *ip = k->ip;
	struct suspect *found = NULL;
	size_t n = 0;

	if (r->status != STORE_OK || !ip->ready) {
		ip->check = NULL;
		check_free(k);
		if (ip->ready) /* else the next snapshot begins a new one */
			again(ip, ip->check_grace_sec);
		return;
	}
	count_blocks(k);
	for (size_t i = 0; i < r->n; i++) {
		const V3__IpamHandle *h = (const V3__IpamHandle *)r->items[i]->msg;

		for (size_t j = 0; h && j < h->n_block; j++) {
			struct ip_prefix cidr;
			struct blk *b =
			        h->block[j]->key && ip_prefix_parse(h->block[j]->key, &cidr) == 0
			                ? blk_find(ip, &cidr, false)
			                : NULL;
			struct held *t;

			/* Ours, or nobody's: a block that does not exist holds nothing. Others look
			 * after theirs. */
			if (b && b->exists && (!b->mine || !b->msg))
				continue;
			t = b && b->exists ? held_find(k, r->items[i]->name, b) : NULL;
			if (t)
				t->seen = true;
			if (h->block[j]->key && h->block[j]->value != (t ? t->n : 0))
				differs(k, &found, &n, r->items[i]->name, h->block[j]->key,
				        r->items[i], t ? t->n : 0);
		}
	}
	hmap_for_each (t, &k->truth, struct held, node) {
		const struct resource *there = NULL;

		if (t->seen)
			continue;
		for (size_t i = 0; i < r->n && !there; i++)
			if (strcmp(r->items[i]->name, t->id) == 0)
				there = r->items[i];
		differs(k, &found, &n, t->id, t->blk->name, there, t->n);
	}
	ip->count.handles_checked += r->n;
	ip->handles_suspect = n;
	forget_truth(k);
	forget_first(k);
	k->listing = false;
	if (n) {
		k->first = found;
		k->n_first = n;
		again(ip, ip->check_grace_sec);
		return;
	}
	ip->check = NULL;
	check_free(k);
	again(ip, ip->check_interval_sec);
}

void check_start(struct ipamd *ip)
{
	if (!ip->ready || ip->stopping)
		return;
	if (!ip->check) {
		ip->check = xcalloc(1, sizeof(*ip->check));
		ip->check->ip = ip;
	} else if (ip->check->listing) {
		return;
	}
	ip->check->listing = true;
	store_list(ip->store, V3__KIND__KIND_IPAM_HANDLE, NULL, NULL, on_handles, ip->check);
}

void check_stop(struct ipamd *ip)
{
	if (ip->check)
		check_free(ip->check);
	ip->check = NULL;
}
