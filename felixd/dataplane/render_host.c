/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host endpoints: the host itself as a party of policy, behind one interface or all.
 *
 *     raw     untracked policy, in and out; mangle: pre-DNAT policy, in, and normal policy for what
 *             the host sends to a destination that was rewritten; filter: normal policy in and
 *             out, and forward policy, which has chains of its own
 *
 * Its failsafe ports stay open, but for forwarded packets: the host must not lock its owner out.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "felixd/dataplane/names.h"
#include "felixd/dataplane/render_endpoint.h"

static void add_match(struct chain *c, struct match m)
{
	rule_match(c, &m);
}

/* ---- failsafe ports */

/* src_port: answers, from the port. src_net: the far side is the source. */
static void open_ports(const struct render_config *r, struct chain *c,
                       const struct felix_ports *list, bool src_port, bool src_net)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct felix_port *f = &list->v[i];
		const struct calc_port_range port = { f->port, f->port };

		if (f->net.addr.family && f->net.addr.family != r->family)
			continue;
		rule_begin(c);
		add_match(c, match_proto(f->protocol, false, false));
		add_match(c, match_ports(src_port, &port, 1, false));
		if (f->net.addr.family)
			add_match(c, match_net(src_net, &f->net, false));
		rule_accept(c);
	}
}

void render_failsafes(const struct render_config *r, const struct render_sink *sink)
{
	static const enum table_id tables[] = { TABLE_RAW, TABLE_MANGLE, TABLE_FILTER };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct chain *in = chain_new("cali-failsafe-in");
		struct chain *out = chain_new("cali-failsafe-out");

		open_ports(r, in, &r->failsafe_in, false, true);
		open_ports(r, out, &r->failsafe_out, false, false);
		/* Before connection tracking nobody knows what is an answer. */
		if (tables[i] == TABLE_RAW) {
			open_ports(r, in, &r->failsafe_out, true, true);
			open_ports(r, out, &r->failsafe_in, true, false);
		}
		sink->set_chain(sink->arg, tables[i], in);
		sink->set_chain(sink->arg, tables[i], out);
	}
}

/* ---- chains */

enum host_class {
	HOST_UNTRACKED,
	HOST_PRE_DNAT,
	HOST_FORWARD,
	HOST_NORMAL
};

struct host_chain {
	enum table_id table;
	enum host_class class;
	const char *prefix;
	bool ingress;
	enum action_kind allow; /* of what is established */
	const struct calc_tiers *tiers;
};

struct emitting {
	const struct render_sink *sink;
	enum table_id table;
};

static void emit(void *arg, struct chain *c)
{
	struct emitting *e = arg;

	e->sink->set_chain(e->sink->arg, e->table, c);
}

static void forward_by_default(const struct render_config *r, struct chain *c)
{
	rule_begin(c);
	rule_comment(c, "Allow forwarded traffic by default");
	rule_mark(c, r->accept, r->accept);
	rule_begin(c);
	rule_comment(c, "Return for accepted forward traffic");
	rule_return(c);
}

static void render_host_chain(const struct render_config *filter, const struct host_chain *h,
                              const struct calc_host_endpoint *e, const char *interface,
                              const struct render_sink *sink)
{
	struct render_config r =
	        h->table == TABLE_FILTER ? *filter : render_config_elsewhere(filter);
	struct emitting to = { sink, h->table };
	char name[CHAIN_NAME_MAX];
	struct chain *c;

	render_groups(&r, h->tiers->v, h->tiers->n, h->ingress, emit, &to);
	name_chain(name, h->prefix, interface);
	c = chain_new(name);
	if (h->class != HOST_UNTRACKED)
		render_established(&r, c, h->allow);
	if (h->class != HOST_FORWARD) {
		rule_begin(c);
		rule_jump(c, h->ingress ? "cali-failsafe-in" : "cali-failsafe-out");
	}
	rule_begin(c);
	rule_mark(c, 0, r.accept | r.pass);
	for (size_t i = 0; i < h->tiers->n; i++)
		render_tier(&r, c, &h->tiers->v[i], h->ingress, h->class == HOST_UNTRACKED);
	if (h->class == HOST_FORWARD && h->tiers->n == 0)
		forward_by_default(&r, c);
	if (h->class == HOST_NORMAL)
		render_profiles(&r, c, e->profiles, e->n_profiles, h->ingress);
	sink->set_chain(sink->arg, h->table, c);
}

void render_host_endpoint(const struct render_config *r, const struct calc_host_endpoint *e,
                          const char *interface, const struct render_sink *sink)
{
	const enum action_kind allow = r->filter_allow;
	/* In mangle RETURN, not ACCEPT: others may have something to do there with what passes. */
	const struct host_chain chains[] = {
		{ TABLE_FILTER, HOST_NORMAL, "cali-th-", false, allow, &e->normal },
		{ TABLE_FILTER, HOST_NORMAL, "cali-fh-", true, allow, &e->normal },
		{ TABLE_FILTER, HOST_FORWARD, "cali-thfw-", false, allow, &e->forward },
		{ TABLE_FILTER, HOST_FORWARD, "cali-fhfw-", true, allow, &e->forward },
		{ TABLE_MANGLE, HOST_NORMAL, "cali-th-", false, ACTION_RETURN, &e->normal },
		{ TABLE_MANGLE, HOST_PRE_DNAT, "cali-fh-", true, r->mangle_allow, &e->pre_dnat },
		{ TABLE_RAW, HOST_UNTRACKED, "cali-th-", false, ACTION_ACCEPT, &e->untracked },
		{ TABLE_RAW, HOST_UNTRACKED, "cali-fh-", true, ACTION_ACCEPT, &e->untracked },
	};

	/* Where nothing leads, a chain does not reach the kernel: so with the last three of an
	 * endpoint without such policies. */
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		render_host_chain(r, &chains[i], e, interface, sink);
}

/* ---- dispatch */

static void go_to_any(const struct render_config *r, const struct render_tree *t, struct chain *c)
{
	char target[CHAIN_NAME_MAX];

	if (!t->any)
		return;
	if (t->table == TABLE_MANGLE && t->to) { /* filter has let these pass before */
		for (size_t i = 0; i < r->n_prefixes; i++) {
			rule_begin(c);
			rule_comment(c, "Skip egress WHEP policy for traffic to local workload");
			add_match(c, match_iface(false, r->prefixes[i]));
			rule_return(c);
		}
	}
	name_chain(target, t->prefix, RENDER_ANY_INTERFACE);
	rule_begin(c);
	rule_goto(c, target);
}

static bool has_class(const struct calc_host_endpoint *e, enum host_class class)
{
	if (class == HOST_UNTRACKED)
		return e->untracked.n > 0;
	if (class == HOST_PRE_DNAT)
		return e->pre_dnat.n > 0;
	return true;
}

void render_host_dispatch(const struct render_config *r, const struct render_host *hosts, size_t n,
                          const struct calc_host_endpoint *any, const struct render_sink *sink)
{
	static const struct {
		enum host_class class;
		struct render_tree tree;
	} trees[] = {
		{ HOST_NORMAL,
		  { TABLE_FILTER, "cali-from-host-endpoint", "cali-fh-", false, go_to_any, true } },
		{ HOST_NORMAL,
		  { TABLE_FILTER, "cali-to-host-endpoint", "cali-th-", true, go_to_any, true } },
		{ HOST_FORWARD,
		  { TABLE_FILTER, "cali-from-hep-forward", "cali-fhfw-", false, go_to_any, true } },
		{ HOST_FORWARD,
		  { TABLE_FILTER, "cali-to-hep-forward", "cali-thfw-", true, go_to_any, true } },
		{ HOST_NORMAL,
		  { TABLE_MANGLE, "cali-to-host-endpoint", "cali-th-", true, go_to_any, true } },
		{ HOST_PRE_DNAT,
		  { TABLE_MANGLE, "cali-from-host-endpoint", "cali-fh-", false, go_to_any, true } },
		{ HOST_UNTRACKED,
		  { TABLE_RAW, "cali-from-host-endpoint", "cali-fh-", false, go_to_any, false } },
		{ HOST_UNTRACKED,
		  { TABLE_RAW, "cali-to-host-endpoint", "cali-th-", true, go_to_any, false } },
	};
	const char **names = xcalloc(n + 1, sizeof(*names));

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		struct render_tree t = trees[i].tree;
		size_t n_names = 0;

		for (size_t k = 0; k < n; k++)
			if (has_class(hosts[k].e, trees[i].class))
				names[n_names++] = hosts[k].interface;
		t.any = t.any && any && has_class(any, trees[i].class);
		render_tree(r, &t, names, n_names, sink);
	}
	free(names);
}
