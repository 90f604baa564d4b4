/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/claim.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipamd/ipamd.h"

struct claim {
	struct ipamd *ip;
	char *node;
	struct ip_prefix cidr;
	char cidr_text[IP_PREFIX_STR_MAX];
	char *name; /* of the affinity: "<node>/<cidr>" */
	uint64_t aff_revision;
	bool was_confirmed; /* the affinity, when we came */
	uint64_t sequence;
	V3__IpamBlock *block; /* release: as it was read */
	uint64_t block_revision;
	unsigned tries;
	claim_done_fn *fn;
	void *arg;
};

static void on_settled(void *arg, enum claim_status status, const char *text);

static struct claim *claim_new(struct ipamd *ip, const char *node, const struct ip_prefix *cidr,
                               claim_done_fn *fn, void *arg)
{
	struct claim *c = xcalloc(1, sizeof(*c));

	c->ip = ip;
	c->node = xstrdup(node);
	c->cidr = *cidr;
	ip_prefix_str(cidr, c->cidr_text);
	c->name = xasprintf("%s/%s", node, c->cidr_text);
	c->fn = fn;
	c->arg = arg;
	return c;
}

static void claim_end(struct claim *c, enum claim_status status, const char *text)
{
	/* While ipamd stops, every call is answered STORE_UNAVAILABLE and every claim ends here;
	 * its request is dropped elsewhere. */
	if (!c->ip->stopping || c->fn == on_settled)
		c->fn(c->arg, status, text);
	msg_free(c->block ? &c->block->base : NULL);
	free(c->node);
	free(c->name);
	free(c);
}

/* What every step makes of a refusal that it does not expect. */
static void claim_fail(struct claim *c, const struct store_result *r)
{
	enum claim_status s = r->status == STORE_UNAVAILABLE ? CLAIM_UNAVAILABLE
	                      : r->status == STORE_INVALID   ? CLAIM_FAILED
	                                                     : CLAIM_CONFLICT;

	claim_end(c, s, r->text);
}

static bool is_own(const struct claim *c)
{
	return strcmp(c->node, c->ip->d->node) == 0;
}

/* The affinity of the answer: into the cache, and its revision into c. */
static void learn_affinity(struct claim *c, const struct store_result *r, const char *state)
{
	if (!r->n)
		return;
	c->aff_revision = r->items[0]->revision;
	if (is_own(c))
		aff_set(c->ip, &c->cidr, state, c->aff_revision);
}

static const char *answer_state(const struct store_result *r)
{
	const V3__IpamAffinity *a =
	        r->n && r->items[0]->msg ? (const V3__IpamAffinity *)r->items[0]->msg : NULL;

	return a && a->state ? a->state : "";
}

static void write_affinity(struct claim *c, const char *state, bool create, store_done_fn *fn)
{
	V3__IpamAffinity *a = (V3__IpamAffinity *)msg_new(&v3__ipam_affinity__descriptor);
	struct resource *r;

	a->state = xstrdup(state);
	a->has_deleted = true;
	r = resource_new(V3__KIND__KIND_IPAM_AFFINITY, NULL, c->name, c->aff_revision, &a->base);
	if (create)
		store_create(c->ip->store, r, fn, c);
	else
		store_update(c->ip->store, r, fn, c);
	resource_free(r);
}

static void on_affinity_removed(void *arg, const struct store_result *r)
{
	struct claim *c = arg;
	bool gone = r->status == STORE_OK || r->status == STORE_NOT_FOUND;

	if (gone && is_own(c))
		aff_remove(c->ip, &c->cidr);
	if (gone)
		claim_end(c, CLAIM_OK, NULL);
	else
		claim_fail(c, r);
}

static void remove_affinity(struct claim *c, store_done_fn *fn)
{
	store_remove(c->ip->store, V3__KIND__KIND_IPAM_AFFINITY, NULL, c->name, c->aff_revision, fn,
	             c);
}

/* ---- claiming */

static void on_confirmed(void *arg, const struct store_result *r)
{
	struct claim *c = arg;

	if (r->status == STORE_OK) {
		learn_affinity(c, r, "confirmed");
	} else if (r->status == STORE_CONFLICT && r->n &&
	           (strcmp(answer_state(r), "confirmed") == 0 || !*answer_state(r))) {
		learn_affinity(c, r, "confirmed"); /* somebody was faster; all the same */
	} else {
		claim_fail(c, r);
		return;
	}
	c->ip->count.claims++;
	log_info("block claimed", "block=%s", c->cidr_text);
	claim_end(c, CLAIM_OK, NULL);
}

/* The block was another's all the time: our pending affinity must not stay. */
static void on_lost(void *arg, const struct store_result *r)
{
	struct claim *c = arg;

	if (r->status == STORE_OK || r->status == STORE_NOT_FOUND)
		aff_remove(c->ip, &c->cidr);
	c->ip->count.claim_conflicts++;
	claim_end(c, r->status == STORE_UNAVAILABLE ? CLAIM_UNAVAILABLE : CLAIM_CONFLICT, r->text);
}

static void create_block(struct claim *c);

static void on_rewritten(void *arg, const struct store_result *r)
{
	struct claim *c = arg;
	struct blk *b = blk_find(c->ip, &c->cidr, true);

	if (r->status == STORE_OK) {
		blk_set(b, c->block, r->n ? r->items[0]->revision : 0);
		c->block = NULL;
		write_affinity(c, "confirmed", false, on_confirmed);
	} else if ((r->status == STORE_CONFLICT || r->status == STORE_NOT_FOUND) &&
	           ++c->tries < IPAMD_RETRIES) {
		create_block(c); /* finds out what is there now */
	} else {
		claim_fail(c, r);
	}
}

static void on_block_created(void *arg, const struct store_result *r)
{
	struct claim *c = arg;
	const V3__IpamBlock *there;
	struct ip_prefix cidr;
	struct blk *b;

	if (r->status == STORE_OK) {
		b = blk_find(c->ip, &c->cidr, true);
		blk_set(b, c->block, r->n ? r->items[0]->revision : 0);
		c->block = NULL;
		write_affinity(c, "confirmed", false, on_confirmed);
		return;
	}
	msg_free(c->block ? &c->block->base : NULL);
	c->block = NULL;
	if (r->status != STORE_ALREADY_EXISTS || r->n == 0 || !r->items[0]->msg) {
		claim_fail(c, r);
		return;
	}
	there = (const V3__IpamBlock *)r->items[0]->msg;
	blk_set(blk_find(c->ip, &c->cidr, true), (V3__IpamBlock *)msg_copy(&there->base),
	        r->items[0]->revision);
	if (!block_check(there, &cidr, NULL)) {
		claim_end(c, CLAIM_FAILED, "the block is malformed");
	} else if (!there->affinity || strcmp(there->affinity, c->ip->affinity) != 0) {
		remove_affinity(c, on_lost);
	} else if (c->was_confirmed) {
		write_affinity(c, "confirmed", false, on_confirmed);
	} else {
		/* Somebody may be half-way through releasing it: a new revision makes him lose his
		 * compare-and-swap. */
		struct resource *res;

		c->block = (V3__IpamBlock *)msg_copy(&there->base);
		block_bump(c->block);
		res = resource_new(V3__KIND__KIND_IPAM_BLOCK, NULL, c->cidr_text,
		                   r->items[0]->revision, msg_copy(&c->block->base));
		store_update(c->ip->store, res, on_rewritten, c);
		resource_free(res);
	}
}

static void create_block(struct claim *c)
{
	struct resource *r;

	msg_free(c->block ? &c->block->base : NULL);
	c->block = block_new(&c->cidr, c->ip->affinity, wall_unix_ns());
	r = resource_new(V3__KIND__KIND_IPAM_BLOCK, NULL, c->cidr_text, 0,
	                 msg_copy(&c->block->base));
	store_create(c->ip->store, r, on_block_created, c);
	resource_free(r);
}

static void on_pending(void *arg, const struct store_result *r)
{
	struct claim *c = arg;

	switch (r->status) {
	case STORE_OK:
		learn_affinity(c, r, "pending");
		create_block(c);
		return;
	case STORE_ALREADY_EXISTS:
	case STORE_CONFLICT:
		if (++c->tries > IPAMD_RETRIES || r->n == 0)
			break;
		c->was_confirmed = strcmp(answer_state(r), "confirmed") == 0 || !*answer_state(r);
		learn_affinity(c, r, answer_state(r));
		if (c->was_confirmed)
			create_block(c);
		else
			write_affinity(c, "pending", false, on_pending);
		return;
	case STORE_NOT_FOUND:
		if (++c->tries > IPAMD_RETRIES)
			break;
		write_affinity(c, "pending", true, on_pending);
		return;
	default:
		break;
	}
	claim_fail(c, r);
}

void claim_block(struct ipamd *ip, const struct ip_prefix *cidr, claim_done_fn *fn, void *arg)
{
	struct claim *c = claim_new(ip, ip->d->node, cidr, fn, arg);

	write_affinity(c, "pending", true, on_pending);
}

/* ---- releasing */

static void on_block_gone(void *arg, const struct store_result *r)
{
	struct claim *c = arg;
	struct blk *b = blk_find(c->ip, &c->cidr, false);

	if (r->status != STORE_OK && r->status != STORE_NOT_FOUND) {
		claim_fail(c, r);
		return;
	}
	if (b) {
		blk_set(b, NULL, b->revision);
		blk_tidy(b);
	}
	c->ip->count.affinities_released++;
	log_info("block released", "block=%s node=%s", c->cidr_text, LOG_VIS(c->node));
	remove_affinity(c, on_affinity_removed);
}

static void on_pending_deletion(void *arg, const struct store_result *r)
{
	struct claim *c = arg;

	if (r->status != STORE_OK) {
		claim_fail(c, r);
		return;
	}
	learn_affinity(c, r, "pendingDeletion");
	store_remove(c->ip->store, V3__KIND__KIND_IPAM_BLOCK, NULL, c->cidr_text, c->block_revision,
	             on_block_gone, c);
}

static void on_block_read(void *arg, const struct store_result *r)
{
	struct claim *c = arg;
	const V3__IpamBlock *b;
	struct ip_prefix cidr;

	if (r->status == STORE_NOT_FOUND) {
		remove_affinity(c, on_affinity_removed); /* an affinity to nothing */
		return;
	}
	if (r->status != STORE_OK || r->n == 0 || !r->items[0]->msg) {
		claim_fail(c, r);
		return;
	}
	b = (const V3__IpamBlock *)r->items[0]->msg;
	c->block_revision = r->items[0]->revision;
	if (c->sequence && b->sequencenumber != c->sequence) {
		claim_end(c, CLAIM_CONFLICT, "IPAM block updated since we last read it");
	} else if (!b->affinity || strncmp(b->affinity, "host:", 5) != 0 ||
	           strcmp(b->affinity + 5, c->node) != 0) {
		remove_affinity(c, on_affinity_removed); /* stale */
	} else if (!block_check(b, &cidr, NULL) || !block_empty(b)) {
		claim_end(c, CLAIM_NOT_EMPTY, "block is not empty");
	} else {
		write_affinity(c, "pendingDeletion", false, on_pending_deletion);
	}
}

static void on_affinity_read(void *arg, const struct store_result *r)
{
	struct claim *c = arg;

	if (r->status == STORE_NOT_FOUND) {
		if (is_own(c))
			aff_remove(c->ip, &c->cidr);
		claim_end(c, CLAIM_CONFLICT, "the affinity is gone");
		return;
	}
	if (r->status != STORE_OK || r->n == 0) {
		claim_fail(c, r);
		return;
	}
	learn_affinity(c, r, answer_state(r));
	store_get(c->ip->store, V3__KIND__KIND_IPAM_BLOCK, NULL, c->cidr_text, on_block_read, c);
}

void claim_release(struct ipamd *ip, const char *node, const struct ip_prefix *cidr,
                   uint64_t sequence, claim_done_fn *fn, void *arg)
{
	struct claim *c = claim_new(ip, node, cidr, fn, arg);

	c->sequence = sequence;
	store_get(ip->store, V3__KIND__KIND_IPAM_AFFINITY, NULL, c->name, on_affinity_read, c);
}

void claim_forget(struct ipamd *ip, const struct ip_prefix *cidr, claim_done_fn *fn, void *arg)
{
	struct claim *c = claim_new(ip, ip->d->node, cidr, fn, arg);
	struct aff *a = aff_find(ip, cidr);

	c->aff_revision = a ? a->revision : 0;
	remove_affinity(c, on_affinity_removed);
}

/* ---- after a snapshot */

struct settle {
	struct ipamd *ip;
	void (*fn)(struct ipamd *ip);
};

static void on_settled(void *arg, enum claim_status status, const char *text)
{
	struct settle *s = arg;
	struct ipamd *ip = s->ip;

	if (status != CLAIM_OK && status != CLAIM_CONFLICT && !ip->stopping)
		log_warn("a claim could not be put right", "reason=%s",
		         text ? LOG_VIS(text) : "conflict");
	if (--ip->settling == 0 && !ip->stopping)
		s->fn(ip);
	free(s);
}

static struct settle *settle_new(struct ipamd *ip, void (*fn)(struct ipamd *ip))
{
	struct settle *s = xcalloc(1, sizeof(*s));

	*s = (struct settle){ ip, fn };
	ip->settling++;
	return s;
}

void claim_settle(struct ipamd *ip, void (*fn)(struct ipamd *ip))
{
	ip->settling++;
	hmap_for_each (a, &ip->affinities, struct aff, node) {
		struct blk *b = blk_find(ip, &a->cidr, false);
		bool mine = b && b->exists && b->mine;

		if (mine && !a->confirmed)
			claim_block(ip, &a->cidr, on_settled, settle_new(ip, fn));
		else if (!mine && (!a->confirmed || (b && b->exists)))
			claim_forget(ip, &a->cidr, on_settled, settle_new(ip, fn));
	}
	list_for_each (it, &ip->near) {
		struct blk *b = list_entry(it, struct blk, near);

		if (b->mine && !aff_find(ip, &b->cidr))
			claim_block(ip, &b->cidr, on_settled, settle_new(ip, fn));
	}
	if (--ip->settling == 0)
		fn(ip);
}

static void on_swept(void *arg, enum claim_status status, const char *text)
{
	(void)arg;
	if (status == CLAIM_FAILED)
		log_warn("an empty block could not be given back", "reason=%s",
		         text ? LOG_VIS(text) : "");
}

void claim_sweep(struct ipamd *ip)
{
	if (!ip->ready || !ip->node)
		return;
	list_for_each (it, &ip->near) {
		struct blk *b = list_entry(it, struct blk, near);
		struct aff *a = aff_find(ip, &b->cidr);
		struct pool *p = pool_of_addr(&ip->pools, &b->cidr.addr);

		if (b->mine && b->empty && b->users == 0 && a && a->confirmed && p &&
		    !pool_selects_node(p, cache_node_label, ip))
			claim_release(ip, ip->d->node, &b->cidr, 0, on_swept, NULL);
	}
}
