/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl: what ipamd believes, for calicoctl debug ipamd. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "ipamd/ipamd.h"
#include "ipamd/request.h"

static void dump_pools(struct daemon *d, void *ctx)
{
	struct ipamd *ip = d->state;
	char text[IP_PREFIX_STR_MAX];

	for (size_t i = 0; i < ip->pools.n; i++) {
		const struct pool *p = ip->pools.items[i];
		struct jsonw *w = daemon_dump_writer(ctx);
		unsigned blocks = 0, own = 0;
		uint64_t left = 0;

		hmap_for_each (b, &ip->blocks, struct blk, node) {
			if (!b->exists || !ip_prefix_covers(&p->cidr, &b->cidr))
				continue;
			blocks++;
			own += b->mine;
			left += b->n_free;
		}
		jsonw_object(w, NULL);
		jsonw_str(w, "name", p->name);
		jsonw_str(w, "cidr", ip_prefix_str(&p->cidr, text));
		jsonw_u64(w, "blockSize", p->block_len);
		jsonw_bool(w, "disabled", p->disabled);
		jsonw_str(w, "assignmentMode", p->manual ? "Manual" : "Automatic");
		jsonw_str(w, "nodeSelector", selector_str(p->node_selector));
		jsonw_bool(w, "selectsThisNode", pool_selects_node(p, cache_node_label, ip));
		jsonw_u64(w, "blocks", blocks);
		jsonw_u64(w, "ownBlocks", own);
		jsonw_u64(w, "freeInBlocks", left);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "pools");
	}
}

static void dump_blocks(struct daemon *d, void *ctx)
{
	struct ipamd *ip = d->state;

	hmap_for_each (b, &ip->blocks, struct blk, node) {
		struct jsonw *w = daemon_dump_writer(ctx);
		struct aff *a = aff_find(ip, &b->cidr);

		jsonw_object(w, NULL);
		jsonw_str(w, "cidr", b->name);
		jsonw_str(w, "affinity", b->affinity);
		jsonw_bool(w, "exists", b->exists);
		jsonw_bool(w, "own", b->mine);
		if (b->mine)
			jsonw_bool(w, "confirmed", a && a->confirmed);
		jsonw_bool(w, "malformed", b->broken);
		jsonw_u64(w, "free", b->n_free);
		jsonw_u64(w, "reserved", b->reserved);
		jsonw_u64(w, "revision", b->revision);
		jsonw_u64(w, "sequenceNumber", b->sequence);
		jsonw_bool(w, "writing", b->busy);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "blocks");
	}
}

static void dump_handles(struct daemon *d, void *ctx)
{
	struct ipamd *ip = d->state;

	list_for_each (it, &ip->near) {
		struct blk *b = list_entry(it, struct blk, near);

		for (size_t i = 0; i < b->msg->n_allocations; i++) {
			const V3__IpamAttribute *a = block_owner_of(b->msg, (uint32_t)i);
			struct ip_addr addr = ip_prefix_nth(&b->cidr, i);
			char text[IP_ADDR_STR_MAX];
			struct jsonw *w;

			if (!a)
				continue;
			w = daemon_dump_writer(ctx);
			jsonw_object(w, NULL);
			jsonw_str(w, "address", ip_addr_str(&addr, text));
			jsonw_str(w, "handle", a->handle_id);
			jsonw_str(w, "block", b->name);
			jsonw_object(w, "attributes");
			for (size_t k = 0; k < a->n_secondary; k++)
				if (a->secondary[k]->key)
					jsonw_str(w, a->secondary[k]->key, a->secondary[k]->value);
			jsonw_end_object(w);
			jsonw_end_object(w);
			daemon_dump_item(ctx, "handles");
		}
	}
}

static void dump_queue(struct daemon *d, void *ctx)
{
	struct ipamd *ip = d->state;
	static const char *const kinds[] = { "assign", "release_by_handle", "release_ips" };

	list_for_each (it, &ip->requests) {
		struct request *q = list_entry(it, struct request, link);
		struct jsonw *w = daemon_dump_writer(ctx);

		jsonw_object(w, NULL);
		jsonw_str(w, "request", kinds[q->kind]);
		jsonw_str(w, "handle", q->owner.handle);
		jsonw_str(w, "stage", q->stage);
		jsonw_i64(w, "ageMs", mono_since_ms(q->arrived));
		jsonw_u64(w, "tries", q->tries);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "queue");
	}
}

const struct daemon_dump ipamd_dumps[] = {
	{ "pools", "pools, whether they select this node, and how full they are", dump_pools },
	{ "blocks", "all blocks of the cluster; own ones with their queue", dump_blocks },
	{ "handles", "addresses given out on this node: who has them", dump_handles },
	{ "queue", "requests under way", dump_queue },
	{ 0 },
};

void ipamd_health(struct daemon *d, void *ctx)
{
	struct ipamd *ip = d->state;
	const struct ipamd_counters *c = &ip->count;
	struct ipc_server_stats s =
	        ip->api ? ipc_server_stats(ip->api) : (struct ipc_server_stats){ 0 };
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "assign_requests", c->assign },
		{ "assign_failed", c->assign_failed },
		{ "assigned_addresses", c->assigned_addresses },
		{ "reused_addresses", c->reused_addresses },
		{ "release_requests", c->release },
		{ "released_addresses", c->released_addresses },
		{ "requests_under_way", ip->n_requests },
		{ "block_writes", c->block_writes },
		{ "block_changes", c->block_changes },
		{ "block_conflicts", c->block_conflicts },
		{ "handle_writes", c->handle_writes },
		{ "handle_conflicts", c->handle_conflicts },
		{ "claims", c->claims },
		{ "claim_conflicts", c->claim_conflicts },
		{ "borrowed_addresses", c->borrowed },
		{ "blocks_reclaimed", c->reclaimed },
		{ "affinities_released", c->affinities_released },
		{ "rollbacks", c->rollbacks },
		{ "handles_checked", c->handles_checked },
		{ "handles_suspect", ip->handles_suspect },
		{ "handles_repaired", c->handles_repaired },
		{ "malformed_blocks", c->bad_blocks },
		{ "unusable_pools", c->bad_pools },
		{ "api_peers", s.peers },
		{ "api_bad_frames", s.bad_frames },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		daemon_counter(ctx, rows[i].name, rows[i].value);
}
