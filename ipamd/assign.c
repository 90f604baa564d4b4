/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assign: how a request gets its addresses.
 *
 *     what the handle already has on this node counts            (a repeated ADD is given the same
 * addresses) for each family:
 *       1. a confirmed block of ours, in a pool that fits, with room     -> handle, then block
 *       2. else claim one: what we own half, then free ones from our start index, then empty ones
 * of others, a minute old
 *       3. else, without strict affinity, room in a block of somebody else
 *
 * All or nothing: a request that cannot be served whole gives back what it took. Claims of one
 * family come one at a time; who needs a block meanwhile waits and looks again, because one claim
 * serves many.
 */
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "ipamd/choose.h"
#include "ipamd/handle.h"
#include "ipamd/request.h"

static void step(struct request *q);
static void rollback(struct request *q);

#define NO_RETRY "Max retries hit - excessive concurrent IPAM requests"

static int family_of(const struct request *q)
{
	return q->family == 0 ? AF_INET : AF_INET6;
}

/* ---- failing */

static void fail(struct request *q, Ipam__V1__ErrorCode code, const char *text)
{
	char *copy = xstrdup(text ? text : "unknown"); /* text may be what fail_text was */

	free(q->fail_text);
	q->fail_text = copy;
	q->fail_code = (int)code;
	rollback(q);
}

static void on_handle_less(void *arg, enum store_status status, const char *text)
{
	struct request *q = arg;

	/* When the datastore is away the handle counts too much, which the runtime's DEL or the
	 * next check puts right. */
	(void)status;
	(void)text;
	lane_forget(&q->change);
	rollback(q);
}

static void on_given_back(struct lane_change *c, enum lane_status status, const char *text)
{
	struct request *q = c->arg;

	(void)text;
	if (status == LANE_OK && c->n_got)
		handle_sub(q->ip, q->owner.handle, c->blk->name, 1, on_handle_less, q);
	else
		on_handle_less(q, STORE_OK, NULL);
}

/* Gives back one new address after the other, then answers with the failure. */
static void rollback(struct request *q)
{
	for (size_t i = 0; i < q->got.n; i++) {
		struct ip_prefix net = ip_prefix_network(&q->got.items[i]);
		struct blk *b = q->got.is_new[i] ? blk_find(q->ip, &net, false) : NULL;

		q->got.is_new[i] = false;
		if (!b)
			continue;
		q->stage = "gives back";
		q->ip->count.rollbacks++;
		q->change = (struct lane_change){ .kind = LANE_RELEASE_ORDINAL,
			                          .done = on_given_back,
			                          .arg = q };
		q->change.ordinal = (uint32_t)ip_prefix_ordinal(&net, &q->got.items[i].addr);
		lane_reserve(b, &q->change);
		lane_submit(&q->change);
		return;
	}
	request_answer_error(q, (Ipam__V1__ErrorCode)q->fail_code, q->fail_text);
}

/* How full the pools at hand are, for the one who reads the error. */
static void pools_text(struct request *q, struct buf *out)
{
	for (size_t i = 0; i < q->n_pools; i++) {
		struct pool *p = q->pools[i];
		unsigned bits = (unsigned)p->block_len - p->cidr.len;
		unsigned blocks = 0, own = 0;
		uint64_t left = 0;
		char text[IP_PREFIX_STR_MAX];

		hmap_for_each (b, &q->ip->blocks, struct blk, node) {
			if (!b->exists || !ip_prefix_covers(&p->cidr, &b->cidr))
				continue;
			blocks++;
			own += b->mine;
			left += b->n_free;
		}
		buf_printf(out, "; pool %s (%s): ", p->name, ip_prefix_str(&p->cidr, text));
		if (bits < 64)
			buf_printf(out, "%u of %llu blocks taken", blocks, 1ull << bits);
		else
			buf_printf(out, "%u of 2^%u blocks taken", blocks, bits);
		buf_printf(out, ", %u by this node, %llu addresses free in them", own,
		           (unsigned long long)left);
	}
}

static void fail_exhausted(struct request *q, const char *why)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	unsigned have = 0;

	for (size_t i = 0; i < q->got.n; i++)
		have += q->got.items[i].addr.family == family_of(q);
	buf_printf(&text, "Assigned %u out of %u requested %s addresses; %s", have,
	           q->num[q->family], q->family == 0 ? "IPv4" : "IPv6", why);
	pools_text(q, &text);
	fail(q, IPAM__V1__ERROR_CODE__ERROR_EXHAUSTED, buf_cstr(&text));
}

/* ---- taking from a block: handle first, then the block */

static void after_take(struct request *q, enum lane_status status, const char *text)
{
	bool specific = q->n_ips > 0;

	lane_forget(&q->change);
	switch (status) {
	case LANE_OK:
		step(q);
		return;
	case LANE_FULL:
	case LANE_GONE:
		if (++q->tries > IPAMD_RETRIES)
			fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE, NO_RETRY);
		else
			step(q);
		return;
	case LANE_NOT_OURS:
		if (specific)
			fail(q, IPAM__V1__ERROR_CODE__ERROR_NO_POOL,
			     "Block host affinity does not match");
		else if (++q->tries > IPAMD_RETRIES)
			fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE, NO_RETRY);
		else
			step(q);
		return;
	case LANE_TAKEN:
		fail(q, IPAM__V1__ERROR_CODE__ERROR_TAKEN, "Address already assigned in block");
		return;
	case LANE_INVALID:
		fail(q, IPAM__V1__ERROR_CODE__ERROR_INVALID,
		     text ? text : "the datastore refused the block");
		return;
	case LANE_RETRIES:
	case LANE_UNAVAILABLE:
		fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		     text ? text : "the datastore is away: try again");
		return;
	}
}

static void on_surplus_gone(void *arg, enum store_status status, const char *text)
{
	struct request *q = arg;

	(void)status;
	(void)text;
	after_take(q, (enum lane_status)q->fail_code, q->fail_text);
}

static void on_taken(struct lane_change *c, enum lane_status status, const char *text)
{
	struct request *q = c->arg;
	uint32_t surplus = c->want;

	if (status == LANE_OK) {
		/* What the change found is listed first: it was there before, and is not this
		 * request's to give back. */
		for (size_t i = 0; i < c->n_got; i++) {
			struct ip_addr a = ip_prefix_nth(&c->blk->cidr, c->got[i]);

			got_add(&q->got, &a, c->block_len, i >= c->n_got - c->n_new);
		}
		q->ip->count.assigned_addresses += c->n_new;
		q->ip->count.reused_addresses += c->n_got - c->n_new;
		if (c->any_affinity && !c->blk->mine)
			q->ip->count.borrowed += c->n_new;
		surplus -= (uint32_t)c->n_new;
	}
	if (status == LANE_UNAVAILABLE || surplus == 0) {
		/* Unavailable: the block may have been written; a handle may count too much, never
		 * too little. */
		after_take(q, status, text);
		return;
	}
	q->fail_code = (int)status;
	free(q->fail_text);
	q->fail_text = text ? xstrdup(text) : NULL;
	handle_sub(q->ip, q->owner.handle, c->blk->name, surplus, on_surplus_gone, q);
}

static void on_handle_added(void *arg, enum store_status status, const char *text)
{
	struct request *q = arg;

	if (status == STORE_OK) {
		q->stage = "writes the block";
		lane_submit(&q->change);
		return;
	}
	lane_forget(&q->change);
	fail(q,
	     status == STORE_INVALID ? IPAM__V1__ERROR_CODE__ERROR_INVALID
	                             : IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
	     text);
}

static void take(struct request *q, struct blk *b, enum lane_kind kind, uint32_t want,
                 uint32_t ordinal, bool any_affinity)
{
	q->stage = "writes the handle";
	q->change = (struct lane_change){
		.kind = kind,
		.owner = &q->owner,
		.want = want,
		.ordinal = ordinal,
		.any_affinity = any_affinity,
		.known = q->got.items,
		.n_known = q->got.n,
		.done = on_taken,
		.arg = q,
	};
	lane_reserve(b, &q->change);
	handle_add(q->ip, q->owner.handle, b->name, want, on_handle_added, q);
}

/* ---- claiming */

static bool in_pools(const struct request *q, const struct ip_prefix *cidr)
{
	for (size_t i = 0; i < q->n_pools; i++)
		if (ip_prefix_covers(&q->pools[i]->cidr, cidr) &&
		    cidr->len == q->pools[i]->block_len)
			return true;
	return false;
}

void assign_wake(struct ipamd *ip, unsigned family)
{
	struct list woken = LIST_INIT(woken);

	while (!list_empty(&ip->waiting[family])) {
		struct list *it = ip->waiting[family].next;

		list_unlink(it);
		list_push_back(&woken, it);
	}
	while (!list_empty(&woken)) {
		struct request *q = list_entry(woken.next, struct request, wait);

		list_unlink(&q->wait);
		step(q);
	}
}

static void on_claimed(void *arg, enum claim_status status, const char *text)
{
	struct request *q = arg;
	struct ipamd *ip = q->ip;
	unsigned family = q->family;
	bool was_claimer = q->claimer;

	q->claimer = false;
	if (was_claimer)
		ip->claiming[family] = false;
	if (status == CLAIM_UNAVAILABLE || status == CLAIM_FAILED)
		fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		     text ? text : "the claim of a block failed");
	else if (status != CLAIM_OK && ++q->tries > IPAMD_RETRIES)
		fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE, NO_RETRY);
	else
		step(q);
	if (was_claimer)
		assign_wake(ip, family);
}

static void on_reclaimed(void *arg, enum claim_status status, const char *text)
{
	struct request *q = arg;

	if (status == CLAIM_OK) {
		q->ip->count.reclaimed++;
		claim_block(q->ip, &q->claim_cidr, on_claimed, q);
	} else {
		on_claimed(q, status, text);
	}
}

/* A block that we own half: an affinity that was not confirmed, or whose block is missing, or a
 * block without affinity. */
static bool find_half(struct request *q, struct ip_prefix *ret)
{
	hmap_for_each (a, &q->ip->affinities, struct aff, node) {
		struct blk *b = blk_find(q->ip, &a->cidr, false);
		bool exists = b && b->exists;

		if (in_pools(q, &a->cidr) &&
		    (!exists || (b->mine && !a->confirmed && blk_room(b)))) {
			*ret = a->cidr;
			return true;
		}
	}
	return false;
}

static bool reclaimable(const struct blk *b, uint64_t now_sec)
{
	return b->empty && !b->broken && !b->mine && b->users == 0 && b->n_free && b->affinity &&
	       strncmp(b->affinity, "host:", 5) == 0 &&
	       now_sec >= b->claim_unix + IPAMD_RECLAIM_AGE_SEC;
}

/* 1: *ret is free; 2: *ret is an empty block of somebody else; 0: there is nothing. */
static int find_free(struct request *q, struct ip_prefix *ret)
{
	struct ipamd *ip = q->ip;
	uint64_t now_sec = wall_unix_ns() / 1000000000u;
	struct blk *reclaim = NULL;
	struct choose_walk w;
	struct ip_prefix cidr;

	for (size_t i = 0; i < q->n_pools; i++) {
		struct pool *p = q->pools[i];
		bool single = p->block_len == ip_addr_bits(&p->cidr.addr);

		choose_walk_init(&w, &p->cidr, p->block_len,
		                 single ? wall_unix_ns() : choose_seed(ip->d->node));
		while (choose_walk_next(&w, &cidr)) {
			struct blk *b = blk_find(ip, &cidr, false);

			if (!b || !b->exists) {
				*ret = cidr;
				return 1;
			}
			if (!reclaim && reclaimable(b, now_sec))
				reclaim = b;
		}
	}
	if (!reclaim)
		return 0;
	*ret = reclaim->cidr;
	return 2;
}

static void claim(struct request *q)
{
	struct ipamd *ip = q->ip;
	unsigned limit = ip->config.max_blocks ? ip->config.max_blocks : IPAMD_DEFAULT_MAX_BLOCKS;
	struct blk *b;
	char why[128];
	int found;

	if (ip->claiming[q->family]) {
		q->stage = "waits for a claim";
		list_push_back(&ip->waiting[q->family], &q->wait);
		return;
	}
	if (find_half(q, &q->claim_cidr)) {
		found = 1;
	} else if (aff_count(ip, family_of(q)) >= limit) {
		snprintf(why, sizeof(why),
		         "Need to allocate an IPAM block but could not - limit of %u blocks "
		         "reached for this node",
		         limit);
		fail_exhausted(q, why);
		return;
	} else if (!ip->config.auto_allocate_blocks) {
		fail_exhausted(q, "failed to find or claim a block");
		return;
	} else {
		found = find_free(q, &q->claim_cidr);
	}
	if (found == 0) {
		q->no_claim = true;
		step(q);
		return;
	}
	q->stage = "claims a block";
	q->claimer = true;
	ip->claiming[q->family] = true;
	b = blk_find(ip, &q->claim_cidr, false);
	if (found == 2)
		claim_release(ip, b->affinity + 5, &q->claim_cidr, b->sequence, on_reclaimed, q);
	else
		claim_block(ip, &q->claim_cidr, on_claimed, q);
}

/* ---- borrowing */

/* The block with room that comes first from our start index, so that nodes that borrow spread. */
static struct blk *find_borrow(struct request *q)
{
	struct blk *best = NULL;
	uint64_t best_distance = UINT64_MAX;

	for (size_t i = 0; i < q->n_pools && !best; i++) {
		struct pool *p = q->pools[i];
		struct choose_walk w;

		choose_walk_init(&w, &p->cidr, p->block_len, choose_seed(q->ip->d->node));
		hmap_for_each (b, &q->ip->blocks, struct blk, node) {
			uint64_t index, distance;

			if (b->mine || blk_room(b) == 0 || !ip_prefix_covers(&p->cidr, &b->cidr))
				continue;
			index = ip_prefix_ordinal(&p->cidr, &b->cidr.addr) >>
			        (ip_addr_bits(&b->cidr.addr) - b->cidr.len);
			distance = (index - w.start) & (w.total - 1);
			if (distance < best_distance) {
				best = b;
				best_distance = distance;
			}
		}
	}
	return best;
}

static void borrow(struct request *q, uint32_t need)
{
	CLEANUP(buf_done) struct buf why = { 0 };
	char text[IP_PREFIX_STR_MAX];
	struct blk *b;

	if (q->ip->config.strict_affinity) {
		fail_exhausted(q, "No more free affine blocks and strict affinity enabled");
		return;
	}
	b = find_borrow(q);
	if (b) {
		uint32_t room = blk_room(b);

		take(q, b, LANE_TAKE, need < room ? need : room, 0, true);
		return;
	}
	buf_str(&why, "No IPs available in pools: [");
	for (size_t i = 0; i < q->n_pools; i++)
		buf_printf(&why, "%s%s", i ? " " : "", ip_prefix_str(&q->pools[i]->cidr, text));
	buf_str(&why, "]");
	fail_exhausted(q, buf_cstr(&why));
}

/* ---- the steps */

static const char *no_label(void *arg, const char *label)
{
	(void)arg;
	(void)label;
	return NULL; /* nobody tells of namespaces yet; upstream does the same for one that it does
	                not know */
}

static bool select_pools(struct request *q)
{
	struct err err;
	struct pool_request r = {
		.family = family_of(q),
		.use = q->use,
		.wanted = q->wanted[q->family],
		.n_wanted = q->n_wanted[q->family],
		.node_label = cache_node_label,
		.namespace_label = no_label,
		.arg = q->ip,
	};

	free(q->pools);
	q->pools = NULL;
	if (pool_select(&q->ip->pools, &r, &q->pools, &q->n_pools, &err) == 0)
		return true;
	fail(q, IPAM__V1__ERROR_CODE__ERROR_NO_POOL, err.text);
	return false;
}

static uint32_t still_needed(const struct request *q)
{
	uint32_t have = 0;

	for (size_t i = 0; i < q->got.n; i++)
		have += q->got.items[i].addr.family == family_of(q);
	return have >= q->num[q->family] ? 0 : q->num[q->family] - have;
}

/* The addresses that the request names, one by one. */
static void step_ips(struct request *q)
{
	for (size_t i = 0; i < q->n_ips; i++) {
		const struct ip_addr *a = &q->ips[i].addr;
		struct pool *p = pool_of_addr(&q->ip->pools, a);
		char text[IP_ADDR_STR_MAX];
		struct ip_prefix cidr;
		struct blk *b;
		struct aff *own;
		struct err err;

		if (got_has(&q->got, a))
			continue;
		ip_addr_str(a, text);
		if (!p) {
			err_set(&err, 0, "The provided IP address is not in a configured pool: %s",
			        text);
			fail(q, IPAM__V1__ERROR_CODE__ERROR_NO_POOL, err.text);
			return;
		}
		if (!(p->uses & q->use)) {
			err_set(&err, 0,
			        "IP address %s is in IP pool \"%s\", which is not allowed for use "
			        "\"%s\"",
			        text, p->name, pool_use_str(q->use));
			fail(q, IPAM__V1__ERROR_CODE__ERROR_NO_POOL, err.text);
			return;
		}
		cidr = choose_block_of(a, p->block_len);
		b = blk_find(q->ip, &cidr, false);
		own = aff_find(q->ip, &cidr);
		if (b && b->broken) {
			fail(q, IPAM__V1__ERROR_CODE__ERROR_INVALID, "the block is malformed");
			return;
		}
		if (!b || !b->exists || (b->mine && (!own || !own->confirmed))) {
			q->stage = "claims a block";
			claim_block(q->ip, &cidr, on_claimed, q);
			return;
		}
		take(q, b, LANE_TAKE_ORDINAL, 1, (uint32_t)ip_prefix_ordinal(&cidr, a),
		     !q->ip->config.strict_affinity);
		return;
	}
	/* As upstream, an address that was asked for stands alone. */
	for (size_t i = 0; i < q->got.n; i++)
		q->got.items[i].len = (uint8_t)ip_addr_bits(&q->got.items[i].addr);
	request_answer_assigned(q);
}

static void step(struct request *q)
{
	struct ipamd *ip = q->ip;
	uint32_t need;

	if (!ip->ready) {
		fail(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		     "the datastore has gone away: try again");
		return;
	}
	if (q->n_ips) {
		step_ips(q);
		return;
	}
	while ((need = still_needed(q)) == 0) {
		if (q->family == 1) {
			request_answer_assigned(q);
			return;
		}
		q->family = 1;
		q->no_claim = false;
	}
	/* Each time: pools come and go while a request waits. */
	if (!select_pools(q))
		return;
	list_for_each (it, &ip->near) {
		struct blk *b = list_entry(it, struct blk, near);
		uint32_t room = blk_room(b);
		struct aff *own;

		if (!b->mine || room == 0 || !in_pools(q, &b->cidr))
			continue;
		own = aff_find(ip, &b->cidr);
		if (!own || !own->confirmed)
			continue;
		take(q, b, LANE_TAKE, need < room ? need : room, 0, false);
		return;
	}
	if (q->no_claim)
		borrow(q, need);
	else
		claim(q);
}

/* What the handle has on this node already: answers to requests whose reply was lost. */
static void find_existing(struct request *q)
{
	list_for_each (it, &q->ip->near) {
		struct blk *b = list_entry(it, struct blk, near);
		CLEANUP(free_p) uint32_t *ordinals = NULL;
		size_t n;

		q->family = b->cidr.addr.family == AF_INET ? 0 : 1;
		if (still_needed(q) == 0)
			continue;
		ordinals = xcalloc(b->msg->n_allocations, sizeof(*ordinals));
		n = block_find_handle(b->msg, q->owner.handle, ordinals, b->msg->n_allocations);
		for (size_t i = 0; i < n && still_needed(q); i++) {
			struct ip_addr a = ip_prefix_nth(&b->cidr, ordinals[i]);

			got_add(&q->got, &a, b->cidr.len, false);
			q->ip->count.reused_addresses++;
		}
	}
	q->family = 0;
}

void assign_start(struct request *q)
{
	if (!q->ip->node) {
		CLEANUP(buf_done) struct buf text = { 0 };

		buf_printf(&text,
		           "node '%s' has no Node resource in the datastore yet (noded writes it): "
		           "try again",
		           q->ip->d->node);
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE, buf_cstr(&text));
		return;
	}
	if (!q->n_ips)
		find_existing(q);
	step(q);
}
