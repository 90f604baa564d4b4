/* SPDX-License-Identifier: BSD-2-Clause */
/* What bgpd believes, for people: the sections of ctl.sock's dump, and its counters. */
#include "bgpd/bgpd.h"
#include "bgpd/export.h"
#include "bgpd/peer.h"

static void dump_peers(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;
	char text[IP_ADDR_STR_MAX];

	list_for_each (it, &b->peers) {
		const struct peer *p = list_entry(it, struct peer, link);
		struct jsonw *w = daemon_dump_writer(ctx);

		jsonw_object(w, NULL);
		jsonw_str(w, "name", p->name);
		jsonw_str(w, "description", p->cfg->description);
		jsonw_str(w, "address", ip_addr_str(&p->source.address, text));
		jsonw_u64(w, "port", p->cfg->port);
		jsonw_u64(w, "remoteAs", p->cfg->remote_as);
		jsonw_bool(w, "internal", p->source.internal);
		jsonw_bool(w, "passive", p->cfg->passive);
		jsonw_str(w, "state", fsm_state_name(p->shown));
		jsonw_u64(w, "sinceUnixSec", p->since_unix_sec);
		jsonw_str(w, "lastError", p->last_error);
		if (p->live) {
			struct ip_addr id = ip_addr_v4(p->open.id);

			jsonw_str(w, "localAddress", ip_addr_str(&p->live->local, text));
			jsonw_str(w, "routerId", ip_addr_str(&id, text));
			jsonw_bool(w, "weConnected", p->live->ours);
			jsonw_u64(w, "holdSec", p->live->fsm.hold_sec);
			jsonw_u64(w, "keepaliveSec", p->live->fsm.keepalive_sec);
			jsonw_bool(w, "fourOctetAs", p->live->wire.as4);
			jsonw_bool(w, "gracefulRestart", p->open.gr && p->cfg->graceful.on);
			jsonw_u64(w, "peerRestartSec", p->open.gr_sec);
			jsonw_u64(w, "queuedBytes", p->live->queued);
			jsonw_bool(w, "behind", p->behind);
		}
		jsonw_u64(w, "paths", p->source.n_paths);
		jsonw_u64(w, "stalePaths", p->source.n_stale);
		jsonw_u64(w, "prefixesSent", export_told(p));
		jsonw_u64(w, "updatesIn", p->updates_in);
		jsonw_u64(w, "updatesOut", p->updates_out);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "peers");
	}
}

static void dump_routes(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;
	char text[IP_PREFIX_STR_MAX];

	for (int f = 0; f < BGP_FAMILIES; f++)
		trie_for_each(n, &b->rib.tries[f])
		{
			const struct rib_entry *e = container_of(n, struct rib_entry, node);

			for (const struct path *p = e->paths; p; p = p->next) {
				CLEANUP(buf_done) struct buf as_path = { 0 };
				struct jsonw *w = daemon_dump_writer(ctx);

				attr_path_str(&p->attrs->set.as_path, &as_path);
				jsonw_object(w, NULL);
				jsonw_str(w, "prefix", ip_prefix_str(&e->node.prefix, text));
				jsonw_str(w, "source", route_source_name(p->source->kind));
				jsonw_str(w, "peer",
				          p->source->kind == ROUTE_BGP ? p->source->name : "");
				jsonw_str(w, "nextHop", ip_addr_str(&p->attrs->set.next_hop, text));
				jsonw_bool(w, "usable", path_usable(p));
				jsonw_bool(w, "best", e->best == p);
				jsonw_bool(w, "stale", p->stale);
				jsonw_u64(w, "localPref", path_local_pref(p));
				jsonw_str(w, "asPath", buf_cstr(&as_path));
				jsonw_end_object(w);
				daemon_dump_item(ctx, "routes");
			}
		}
}

static void dump_attrs(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;
	char text[IP_ADDR_STR_MAX];

	hmap_for_each (a, &b->rib.attrs.map, struct attrs, node) {
		CLEANUP(buf_done) struct buf as_path = { 0 };
		struct jsonw *w = daemon_dump_writer(ctx);

		attr_path_str(&a->set.as_path, &as_path);
		jsonw_object(w, NULL);
		jsonw_u64(w, "references", a->refs);
		jsonw_u64(w, "origin", a->set.origin);
		jsonw_str(w, "asPath", buf_cstr(&as_path));
		jsonw_str(w, "nextHop", ip_addr_str(&a->set.next_hop, text));
		if (a->set.has & ATTR_HAS_MED)
			jsonw_u64(w, "med", a->set.med);
		if (a->set.has & ATTR_HAS_LOCAL_PREF)
			jsonw_u64(w, "localPref", a->set.local_pref);
		jsonw_u64(w, "communities", a->set.communities.len / 4u);
		jsonw_u64(w, "largeCommunities", a->set.large.len / 12u);
		jsonw_u64(w, "unknownBytes", a->set.unknown.len);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "attrs");
	}
}

static void dump_nexthops(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;
	char text[IP_ADDR_STR_MAX];

	hmap_for_each (n, &b->fib.nexthops, struct nexthop, node) {
		struct jsonw *w = daemon_dump_writer(ctx);

		jsonw_object(w, NULL);
		jsonw_str(w, "address", ip_addr_str(&n->addr, text));
		jsonw_bool(w, "resolved", n->resolved);
		jsonw_str(w, "via", ip_addr_str(&n->via, text));
		jsonw_str(w, "interface", n->ifindex ? fib_link_name(&b->fib, n->ifindex) : NULL);
		jsonw_u64(w, "cost", n->cost);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "nexthops");
	}
}

static void dump_kernel_route(void *ctx, const struct ip_prefix *p, const struct rt_route *want,
                              const struct rt_route *have, bool stale)
{
	struct jsonw *w = daemon_dump_writer(ctx);
	char text[256];

	jsonw_object(w, NULL);
	jsonw_str(w, "prefix", ip_prefix_str(p, text));
	jsonw_str(w, "wanted", want ? rt_route_str(want, text, sizeof(text)) : NULL);
	jsonw_str(w, "present", have ? rt_route_str(have, text, sizeof(text)) : NULL);
	jsonw_bool(w, "stale", stale);
	jsonw_end_object(w);
	daemon_dump_item(ctx, "kernel");
}

static void dump_kernel(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;

	if (b->kernel)
		kernel_each(b->kernel, dump_kernel_route, ctx);
}

const struct daemon_dump ctl_dumps[] = {
	{ "peers", "configured peers, their sessions and counters", dump_peers },
	{ "routes", "every path of every prefix", dump_routes },
	{ "attrs", "interned attribute sets", dump_attrs },
	{ "nexthops", "next hops and how they are resolved", dump_nexthops },
	{ "kernel", "routes of protocol bird: wanted and present", dump_kernel },
	{ NULL, NULL, NULL },
};

void ctl_health(struct daemon *d, void *ctx)
{
	struct bgpd *b = d->state;
	struct kernel_stats k = b->kernel ? kernel_stats(b->kernel) : (struct kernel_stats){ 0 };
	uint64_t up = 0, all = 0;

	list_for_each (it, &b->peers) {
		all++;
		up += peer_established(list_entry(it, struct peer, link));
	}
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "peers", all },
		{ "peers_established", up },
		{ "prefixes_ipv4", b->rib.tries[BGP_IPV4].n },
		{ "prefixes_ipv6", b->rib.tries[BGP_IPV6].n },
		{ "attribute_sets", b->rib.attrs.map.n },
		{ "export_groups", export_groups(b) },
		{ "selections", b->rib.selections },
		{ "connections_accepted", b->stats.accepted },
		{ "connections_refused", b->stats.refused },
		{ "collisions", b->stats.collisions },
		{ "updates_in", b->stats.updates_in },
		{ "updates_out", b->stats.updates_out },
		{ "notifications_in", b->stats.notifications_in },
		{ "notifications_out", b->stats.notifications_out },
		{ "treated_as_withdraw", b->stats.treated_as_withdraw },
		{ "attributes_discarded", b->stats.attributes_discarded },
		{ "kernel_wanted", k.wanted },
		{ "kernel_present", k.present },
		{ "kernel_stale", k.stale },
		{ "kernel_added", k.added },
		{ "kernel_replaced", k.replaced },
		{ "kernel_deleted", k.deleted },
		{ "kernel_failed", k.failed },
		{ "kernel_taken", k.taken },
		{ "kernel_resyncs", k.resyncs },
	};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		daemon_counter(ctx, counters[i].name, counters[i].value);
}
