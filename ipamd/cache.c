/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/cache.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipamd/ipamd.h"
#include "proto/v3_node.pb-c.h"

/* ---- blocks */

struct blk *blk_find(struct ipamd *ip, const struct ip_prefix *cidr, bool create)
{
	uint32_t hash = ip_prefix_hash(cidr);

	hmap_find(b, &ip->blocks, hash, struct blk, node, ip_prefix_eq(&b->cidr, cidr));
	if (!b && create) {
		b = xcalloc(1, sizeof(*b));
		b->ip = ip;
		b->cidr = *cidr;
		ip_prefix_str(cidr, b->name);
		list_init(&b->near);
		list_init(&b->ready);
		list_init(&b->writing);
		list_init(&b->turn);
		hmap_insert(&ip->blocks, &b->node, hash);
	}
	return b;
}

void blk_tidy(struct blk *b)
{
	if (b->exists || b->users || b->busy)
		return;
	hmap_remove(&b->ip->blocks, &b->node);
	list_unlink(&b->near);
	msg_free(b->msg ? &b->msg->base : NULL);
	free(b->affinity);
	free(b);
}

/* Does this node hold an address there, although the block is another's? */
static bool holds_ours(const struct ipamd *ip, const V3__IpamBlock *msg)
{
	for (size_t i = 0; i < msg->n_attributes; i++) {
		const V3__IpamAttribute *a = msg->attributes[i];

		for (size_t k = 0; k < a->n_secondary; k++)
			if (a->secondary[k]->key && a->secondary[k]->value &&
			    strcmp(a->secondary[k]->key, "node") == 0 &&
			    strcmp(a->secondary[k]->value, ip->d->node) == 0)
				return true;
	}
	return false;
}

static void near_insert(struct blk *b)
{
	struct list *at = &b->ip->near;

	if (!list_empty(&b->near))
		return;
	list_for_each (it, &b->ip->near) {
		if (ip_prefix_cmp(&list_entry(it, struct blk, near)->cidr, &b->cidr) > 0) {
			at = it;
			break;
		}
	}
	list_insert_before(at, &b->near);
}

void blk_set(struct blk *b, V3__IpamBlock *msg, uint64_t revision)
{
	bool said = b->broken && revision == b->revision;
	struct ip_prefix cidr;
	struct err err = { 0 };

	if (revision < b->revision) {
		msg_free(msg ? &msg->base : NULL);
		return;
	}
	b->revision = revision;
	msg_free(b->msg ? &b->msg->base : NULL);
	b->msg = NULL;
	free(b->affinity);
	b->affinity = NULL;
	b->exists = msg != NULL;
	b->broken = b->mine = b->empty = false;
	b->n_free = 0;
	if (!msg) {
		list_unlink(&b->near);
		return;
	}
	if (msg->affinity && *msg->affinity)
		b->affinity = xstrdup(msg->affinity);
	b->sequence = msg->sequencenumber;
	b->claim_unix = 0;
	(void)rfc3339_parse(msg->affinity_claim_time, &b->claim_unix);
	b->mine = b->affinity && strcmp(b->affinity, b->ip->affinity) == 0;
	if (block_check(msg, &cidr, &err) && !ip_prefix_eq(&cidr, &b->cidr))
		err_set(&err, -EINVAL, "cidr is %s", msg->cidr);
	if (err.code) {
		b->broken = true;
		b->ip->count.bad_blocks += !said;
		if (!said)
			log_error("block is malformed and will not be used: look at it with "
			          "calicoctl ipam check",
			          "block=%s reason=%s", b->name, LOG_VIS(err.text));
	} else {
		b->n_free = (uint32_t)block_free_count(msg);
		b->empty = block_empty(msg);
	}
	if (!b->broken && (b->mine || holds_ours(b->ip, msg))) {
		b->msg = msg;
		near_insert(b);
	} else {
		list_unlink(&b->near);
		msg_free(&msg->base);
	}
}

/* ---- this node's affinities */

struct aff *aff_find(struct ipamd *ip, const struct ip_prefix *cidr)
{
	hmap_find(a, &ip->affinities, ip_prefix_hash(cidr), struct aff, node,
	          ip_prefix_eq(&a->cidr, cidr));
	return a;
}

void aff_set(struct ipamd *ip, const struct ip_prefix *cidr, const char *state, uint64_t revision)
{
	struct aff *a = aff_find(ip, cidr);

	if (!a) {
		a = xcalloc(1, sizeof(*a));
		a->cidr = *cidr;
		ip_prefix_str(cidr, a->name);
		hmap_insert(&ip->affinities, &a->node, ip_prefix_hash(cidr));
	}
	if (revision < a->revision)
		return;
	a->revision = revision;
	a->confirmed = !state || !*state || strcmp(state, "confirmed") == 0;
}

void aff_remove(struct ipamd *ip, const struct ip_prefix *cidr)
{
	struct aff *a = aff_find(ip, cidr);

	if (!a)
		return;
	hmap_remove(&ip->affinities, &a->node);
	free(a);
}

unsigned aff_count(struct ipamd *ip, int family)
{
	unsigned n = 0;

	hmap_for_each (a, &ip->affinities, struct aff, node)
		n += a->cidr.addr.family == family;
	return n;
}

/* An affinity's name is "<node>/<cidr>". True when it is one of this node's. */
static bool own_affinity(const struct ipamd *ip, const char *name, struct ip_prefix *ret)
{
	size_t len = strlen(ip->d->node);

	return strncmp(name, ip->d->node, len) == 0 && name[len] == '/' &&
	       ip_prefix_parse(name + len + 1, ret) == 0;
}

/* ---- the watch */

static void set_config(struct ipamd *ip, const V3__IpamConfig *c)
{
	/* No object: upstream's defaults. An object: what it does not mention is zero (members are
	 * omitted when zero). */
	ip->config = (struct ipam_config){ .auto_allocate_blocks = true };
	if (!c)
		return;
	ip->config.strict_affinity = c->has_strict_affinity && c->strict_affinity;
	ip->config.auto_allocate_blocks = c->has_auto_allocate_blocks && c->auto_allocate_blocks;
	if (c->has_maxblocksperhost && c->maxblocksperhost > 0)
		ip->config.max_blocks = c->maxblocksperhost > UINT32_MAX
		                                ? UINT32_MAX
		                                : (uint32_t)c->maxblocksperhost;
	if (c->has_ipcooldownseconds && c->ipcooldownseconds > 0)
		ip->config.cooldown_sec =
		        c->ipcooldownseconds > 86400 ? 86400 : (uint32_t)c->ipcooldownseconds;
}

static void set_pool(struct ipamd *ip, const char *name, const V3__IPPool *msg)
{
	struct err err = { 0 };
	struct pool *p = pool_new(msg, &err);

	if (p) {
		pool_set_put(&ip->pools, p);
		return;
	}
	ip->count.bad_pools++;
	log_warn("pool cannot be used", "pool=%s reason=%s", LOG_VIS(name), LOG_VIS(err.text));
	pool_set_remove(&ip->pools, name);
}

void cache_update(struct ipamd *ip, const struct resource *r)
{
	struct ip_prefix cidr;

	if (!r->msg)
		return;
	switch ((int)r->kind) {
	case V3__KIND__KIND_IPAM_BLOCK:
		if (ip_prefix_parse(r->name, &cidr) == 0)
			blk_set(blk_find(ip, &cidr, true), (V3__IpamBlock *)msg_copy(r->msg),
			        r->revision);
		break;
	case V3__KIND__KIND_IPAM_AFFINITY:
		if (own_affinity(ip, r->name, &cidr))
			aff_set(ip, &cidr, ((const V3__IpamAffinity *)r->msg)->state, r->revision);
		break;
	case V3__KIND__KIND_IPAM_CONFIG:
		set_config(ip, (const V3__IpamConfig *)r->msg);
		break;
	case V3__KIND__KIND_IP_POOL:
		set_pool(ip, r->name, (const V3__IPPool *)r->msg);
		break;
	case V3__KIND__KIND_NODE:
		if (strcmp(r->name, ip->d->node) == 0) {
			msg_free(ip->node);
			ip->node = msg_copy(r->msg);
		}
		break;
	default:
		break;
	}
}

void cache_remove(struct ipamd *ip, int kind, const char *name)
{
	struct ip_prefix cidr;
	struct blk *b;

	switch (kind) {
	case V3__KIND__KIND_IPAM_BLOCK:
		b = ip_prefix_parse(name, &cidr) == 0 ? blk_find(ip, &cidr, false) : NULL;
		/* A removal has no revision. If it is older than what our own write told, the next
		 * event says so. */
		if (b) {
			blk_set(b, NULL, b->revision);
			blk_tidy(b);
		}
		break;
	case V3__KIND__KIND_IPAM_AFFINITY:
		if (own_affinity(ip, name, &cidr))
			aff_remove(ip, &cidr);
		break;
	case V3__KIND__KIND_IPAM_CONFIG:
		set_config(ip, NULL);
		break;
	case V3__KIND__KIND_IP_POOL:
		pool_set_remove(&ip->pools, name);
		break;
	case V3__KIND__KIND_NODE:
		if (strcmp(name, ip->d->node) == 0) {
			msg_free(ip->node);
			ip->node = NULL;
		}
		break;
	default:
		break;
	}
}

void cache_done(struct ipamd *ip)
{
	hmap_for_each (b, &ip->blocks, struct blk, node) {
		b->exists = false;
		b->users = 0;
		b->busy = false;
		blk_tidy(b);
	}
	hmap_done(&ip->blocks);
	hmap_for_each (a, &ip->affinities, struct aff, node)
		free(a);
	hmap_done(&ip->affinities);
	pool_set_done(&ip->pools);
	msg_free(ip->node);
	ip->node = NULL;
}

const char *cache_node_label(void *arg, const char *label)
{
	struct ipamd *ip = arg;
	const V3__Node *node = (const V3__Node *)ip->node;

	return node && node->metadata
	               ? meta_get(node->metadata->n_labels, node->metadata->labels, label)
	               : NULL;
}
