/* SPDX-License-Identifier: BSD-2-Clause */
/* An endpoint's chains, the chains that groups of its policies share, and the dispatch to it by
 * interface. */
#include "felixd/dataplane/render.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "felixd/dataplane/names.h"
#include "felixd/dataplane/render_endpoint.h"

static void add_match(struct chain *c, struct match m)
{
	rule_match(c, &m);
}

/* ---- groups: consecutive policies with one selector apply to the same endpoints, so endpoints can
 * share their jumps */

static const struct calc_policy_id *tier_policies(const struct calc_tier *t, bool to, size_t *ret_n)
{
	*ret_n = to ? t->n_ingress : t->n_egress;
	return to ? t->ingress : t->egress;
}

static size_t group_len(const struct calc_policy_id *ids, size_t n)
{
	size_t len = 1;

	while (len < n && ids[0].selector && ids[len].selector &&
	       strcmp(ids[0].selector, ids[len].selector) == 0)
		len++;
	return len;
}

static size_t count_enforced(const struct calc_policy_id *ids, size_t n)
{
	size_t enforced = 0;

	for (size_t i = 0; i < n; i++)
		enforced += !ids[i].staged;
	return enforced;
}

static struct chain *render_group(const struct render_config *r, const struct calc_policy_id *ids,
                                  size_t n, bool ingress)
{
	char name[CHAIN_NAME_MAX], target[CHAIN_NAME_MAX];
	struct chain *c;
	size_t jumps = 0;

	name_group_chain(name, ingress, ids[0].selector, ids, n);
	c = chain_new(name);
	for (size_t i = 0; i < n; i++) {
		/* Every fifth policy a way out, so that a verdict reached early is not tested n
		 * times; the jump after it needs no test of its own. */
		bool fifth = jumps % 5 == 0;

		if (ids[i].staged)
			continue;
		if (fifth && jumps > 0) {
			struct match verdict = match_mark(0, r->pass | r->accept);

			verdict.neg = true;
			rule_begin(c);
			rule_comment(c, "Return on verdict");
			add_match(c, verdict);
			rule_return(c);
		}
		rule_begin(c);
		if (!fifth)
			add_match(c, match_mark_clear(r->pass | r->accept));
		name_policy_chain(target, ingress, &ids[i]);
		rule_jump(c, target);
		jumps++;
	}
	return c;
}

void render_groups(const struct render_config *r, const struct calc_tier *tiers, size_t n_tiers,
                   bool ingress, void (*emit)(void *arg, struct chain *c), void *arg)
{
	for (size_t t = 0; t < n_tiers; t++) {
		const struct calc_policy_id *ids;
		size_t n;

		ids = tier_policies(&tiers[t], ingress, &n);
		for (size_t i = 0, len; i < n; i += len) {
			len = group_len(ids + i, n - i);
			if (count_enforced(ids + i, len) > 1)
				emit(arg, render_group(r, ids + i, len, ingress));
		}
	}
}

void render_endpoint_groups(const struct render_config *r, const struct calc_endpoint *e, bool to,
                            void (*emit)(void *arg, struct chain *c), void *arg)
{
	render_groups(r, e->tiers, e->n_tiers, to, emit, arg);
}

/* ---- endpoint */

void render_established(const struct render_config *r, struct chain *c, enum action_kind allow)
{
	if (allow != ACTION_ACCEPT) {
		rule_begin(c);
		add_match(c, match_ct(CT_RELATED | CT_ESTABLISHED, false));
		rule_mark(c, r->accept, r->accept);
	}
	rule_begin(c);
	add_match(c, match_ct(CT_RELATED | CT_ESTABLISHED, false));
	rule_action(c, &(struct action){ .kind = allow });
	if (r->allow_invalid)
		return;
	rule_begin(c);
	add_match(c, match_ct(CT_INVALID, false));
	render_deny(r, c);
}

/* A pod that wraps packets in an encapsulation of its own would walk past the policy of the far
 * side. */
static void drop_encapsulation(const struct render_config *r, struct chain *c)
{
	struct calc_port_range port = { r->vxlan_port, r->vxlan_port };

	if (!r->allow_workload_vxlan) {
		rule_begin(c);
		rule_comment(c, "%s VXLAN encapped packets originating in workloads",
		             render_deny_word(r));
		add_match(c, match_proto(IPPROTO_UDP, true, false));
		add_match(c, match_ports(false, &port, 1, false));
		render_deny(r, c);
	}
	if (r->allow_workload_ipip)
		return;
	rule_begin(c);
	rule_comment(c, "%s IPinIP encapped packets originating in workloads", render_deny_word(r));
	add_match(c, match_proto(IPPROTO_IPIP, true, false));
	render_deny(r, c);
}

static void ask(const struct render_config *r, struct chain *c, const char *target, bool untracked)
{
	rule_begin(c);
	add_match(c, match_mark_clear(r->pass));
	rule_jump(c, target);
	if (untracked) {
		rule_begin(c);
		add_match(c, match_mark(r->accept, r->accept));
		rule_action(c, &(struct action){ .kind = ACTION_NOTRACK });
	}
	rule_begin(c);
	rule_comment(c, "Return if policy accepted");
	add_match(c, match_mark(r->accept, r->accept));
	rule_return(c);
}

void render_tier(const struct render_config *r, struct chain *c, const struct calc_tier *t,
                 bool ingress, bool untracked)
{
	const struct calc_policy_id *ids;
	char target[CHAIN_NAME_MAX];
	size_t n;

	ids = tier_policies(t, ingress, &n);
	if (n == 0)
		return;
	rule_begin(c);
	rule_comment(c, "Start of tier %s", t->name);
	rule_mark(c, 0, r->pass);
	for (size_t i = 0, len; i < n; i += len) {
		len = group_len(ids + i, n - i);
		if (count_enforced(ids + i, len) > 1) {
			name_group_chain(target, ingress, ids[i].selector, ids + i, len);
			ask(r, c, target, untracked);
			continue;
		}
		for (size_t k = i; k < i + len; k++) {
			if (ids[k].staged)
				continue;
			name_policy_chain(target, ingress, &ids[k]);
			ask(r, c, target, untracked);
		}
	}
	if (t->default_pass || count_enforced(ids, n) == 0)
		return;
	rule_begin(c);
	rule_comment(c, "End of tier %s. %s if no policies passed packet", t->name,
	             render_deny_word(r));
	add_match(c, match_mark_clear(r->pass));
	render_deny(r, c);
}

void render_profiles(const struct render_config *r, struct chain *c, const char *const *profiles,
                     size_t n, bool ingress)
{
	char target[CHAIN_NAME_MAX];

	for (size_t i = 0; i < n; i++) {
		name_profile_chain(target, ingress, profiles[i]);
		rule_begin(c);
		rule_jump(c, target);
		rule_begin(c);
		rule_comment(c, "Return if profile accepted");
		add_match(c, match_mark(r->accept, r->accept));
		rule_return(c);
	}
	rule_begin(c);
	rule_comment(c, "%s if no profiles matched", render_deny_word(r));
	render_deny(r, c);
}

struct chain *render_endpoint(const struct render_config *r, const struct calc_endpoint *e, bool to)
{
	char name[CHAIN_NAME_MAX];
	struct chain *c;

	name_endpoint_chain(name, to, e->interface);
	c = chain_new(name);
	render_established(r, c, r->filter_allow);
	rule_begin(c);
	rule_mark(c, 0, r->accept | r->pass);
	if (!to)
		drop_encapsulation(r, c);
	for (size_t i = 0; i < e->n_tiers; i++)
		render_tier(r, c, &e->tiers[i], to, false);
	render_profiles(r, c, e->profiles, e->n_profiles, to);
	return c;
}

/* ---- dispatch */

static void unknown_interface(const struct render_config *r, const struct render_tree *t,
                              struct chain *c)
{
	(void)t;
	rule_begin(c);
	rule_comment(c, "Unknown interface");
	render_deny(r, c);
}

static void goto_endpoint(const struct render_tree *t, struct chain *c, const char *interface)
{
	char target[CHAIN_NAME_MAX];

	name_chain(target, t->prefix, interface);
	rule_begin(c);
	add_match(c, match_iface(!t->to, interface));
	rule_goto(c, target);
}

/* Names that share their first len characters, from the first on. A name no longer than len stands
 * alone. */
static size_t bin_len(const char *const *names, size_t n, size_t len)
{
	size_t k = 1;

	while (k < n && strlen(names[0]) >= len && strncmp(names[0], names[k], len) == 0)
		k++;
	return k;
}

/* One look into a map, however many endpoints there are. */
static void dispatch_by_map(const struct render_config *r, const struct render_tree *t,
                            const char *const *interfaces, size_t n, const struct render_sink *sink)
{
	struct chain *root = chain_new(t->root);
	struct verdict *entries = xcalloc(n + 1, sizeof(*entries));

	for (size_t i = 0; i < n; i++) {
		snprintf(entries[i].iface, sizeof(entries[i].iface), "%s", interfaces[i]);
		name_chain(entries[i].chain, t->prefix, interfaces[i]);
	}
	rule_begin(root);
	rule_action(root, &(struct action){ .kind = ACTION_VMAP, .vmap = { root->name, !t->to } });
	t->end(r, t, root);
	sink->set_map(sink->arg, t->table, root->name, entries, n);
	sink->set_chain(sink->arg, t->table, root);
	free(entries);
}

/*
 * A tree of two levels: the root tells interfaces apart by the character behind what all names have
 * in common. With names that end in a hash that is a 16th of the rules or less to go through.
 */
void render_tree(const struct render_config *r, const struct render_tree *t,
                 const char *const *interfaces, size_t n, const struct render_sink *sink)
{
	struct chain *root = chain_new(t->root);
	size_t common = 0;

	/* Sorted: what the first and the last have in common, all have. */
	while (n && interfaces[0][common] && interfaces[0][common] == interfaces[n - 1][common])
		common++;
	for (size_t i = 0, k; i < n; i += k) {
		char name[CHAIN_NAME_MAX], prefix[CHAIN_NAME_MAX];
		struct chain *child;

		k = bin_len(interfaces + i, n - i, common + 1);
		if (k == 1) {
			goto_endpoint(t, root, interfaces[i]);
			continue;
		}
		snprintf(name, sizeof(name), "%s-%c", t->root, interfaces[i][common]);
		snprintf(prefix, sizeof(prefix), "%.*s+", (int)common + 1, interfaces[i]);
		child = chain_new(name);
		for (size_t j = i; j < i + k; j++)
			goto_endpoint(t, child, interfaces[j]);
		t->end(r, t, child);
		rule_begin(root);
		add_match(root, match_iface(!t->to, prefix));
		rule_goto(root, name);
		sink->set_chain(sink->arg, t->table, child);
	}
	t->end(r, t, root);
	sink->set_chain(sink->arg, t->table, root);
}

void render_dispatch(const struct render_config *r, const char *const *interfaces, size_t n,
                     bool to, const struct render_sink *sink)
{
	const struct render_tree t = {
		.table = TABLE_FILTER,
		.root = to ? "cali-to-wl-dispatch" : "cali-from-wl-dispatch",
		.prefix = to ? "cali-tw-" : "cali-fw-",
		.to = to,
		.end = unknown_interface,
	};

	/* Host endpoints are few: upstream has trees for them with every backend. */
	if (r->vmaps)
		dispatch_by_map(r, &t, interfaces, n, sink);
	else
		render_tree(r, &t, interfaces, n, sink);
}
