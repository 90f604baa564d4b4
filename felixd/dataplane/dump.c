/* SPDX-License-Identifier: BSD-2-Clause */
/* What the dataplane believes, for ctl. */
#include <inttypes.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "felixd/dataplane/dataplane_i.h"

struct dataplane_stats dataplane_stats(const struct dataplane *dp)
{
	struct ruleset_stats t = dp->tables.ops->stats(dp->tables.self);
	struct setstore_stats s = dp->sets.ops->stats(dp->sets.self);
	struct route_stats r = route_stats(dp->routes);
	struct dataplane_stats st = {
		.iptables_writes = t.writes,
		.iptables_rules = t.rules,
		.ipset_requests = s.requests,
		.route_requests = r.requests + neighs_requests(dp->neighs),
		.repairs = t.repairs + s.repairs + r.repairs,
		.failures = dp->failures,
		.chains = t.chains,
		.rules = t.rules_wanted,
		.sets = s.sets,
		.routes = r.routes,
		.nftables = dp->nft != NULL,
	};

	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		st.table[i].name = table_names[i];
		st.table[i].chains = t.table[i].chains;
		st.table[i].rules = t.table[i].rules;
	}
	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id)
		st.endpoints_up += ep->stage == STAGE_DONE;
	return st;
}

_Static_assert((int)TABLE_COUNT == DATAPLANE_TABLES, "each table has its statistics");

const struct summary *dataplane_apply_sec(const struct dataplane *dp)
{
	return &dp->apply_sec;
}

struct dumping {
	void (*fn)(void *arg, const char *section, const char *json);
	void *arg;
	const struct ruleset *tables;
};

static void dump_chain(void *arg, enum table_id table, const struct chain *c)
{
	struct dumping *d = arg;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct jsonw w;

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "table", table_names[table]);
	jsonw_str(&w, "chain", c->name);
	jsonw_array(&w, "rules");
	for (size_t i = 0; i < c->n_rules; i++) {
		CLEANUP(buf_done) struct buf text = { 0 };

		d->tables->ops->text(d->tables->self, &text, table, c->name, &c->rules[i]);
		jsonw_object(&w, NULL);
		jsonw_str(&w, "hash", c->rules[i].id);
		jsonw_str(&w, "rule", buf_cstr(&text));
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	d->fn(d->arg, "chain", buf_cstr(&out));
}

static void dump_set(void *arg, const char *name, enum ipset_type type, size_t members,
                     size_t pending)
{
	static const char *const types[] = { "hash:net", "hash:ip,port", "hash:ip", "?" };
	struct dumping *d = arg;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct jsonw w;

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "set", name);
	jsonw_str(&w, "type", types[type]);
	jsonw_u64(&w, "members", members);
	jsonw_u64(&w, "pending", pending);
	jsonw_end_object(&w);
	d->fn(d->arg, "ipset", buf_cstr(&out));
}

static void dump_endpoint(struct dumping *d, const struct dataplane *dp, const struct endpoint *ep)
{
	static const char *const stages[] = { "shadowed", "chains", "host", "done" };
	CLEANUP(buf_done) struct buf out = { 0 };
	char text[IP_PREFIX_STR_MAX];
	struct jsonw w;
	bool up;

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "namespace", ep->ns);
	jsonw_str(&w, "name", ep->name);
	jsonw_u64(&w, "revision", ep->revision);
	jsonw_str(&w, "interface", ep->interface);
	jsonw_i64(&w, "ifindex", link_index(dp->links, ep->interface, &up));
	jsonw_bool(&w, "up", up);
	jsonw_str(&w, "stage", stages[ep->stage]);
	jsonw_array(&w, "addresses");
	for (size_t i = 0; i < ep->e->n_addrs; i++)
		jsonw_str(&w, NULL, ip_prefix_str(&ep->e->addrs[i], text));
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	d->fn(d->arg, "kernel_endpoint", buf_cstr(&out));
}

static void dump_host(void *arg, const struct calc_host_endpoint *e, const char *interface)
{
	struct dumping *d = arg;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct jsonw w;

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "name", e->name);
	jsonw_bool(&w, "active", interface != NULL);
	if (interface)
		jsonw_str(&w, "interface", interface);
	jsonw_end_object(&w);
	d->fn(d->arg, "host_endpoint", buf_cstr(&out));
}

void dataplane_dump(const struct dataplane *dp,
                    void (*fn)(void *arg, const char *section, const char *json), void *arg)
{
	struct dumping d = { fn, arg, &dp->tables };

	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id)
		dump_endpoint(&d, dp, ep);
	hosts_each(dp, dump_host, &d);
	dp->sets.ops->each(dp->sets.self, dump_set, &d);
	dp->tables.ops->each_chain(dp->tables.self, dump_chain, &d);
}
