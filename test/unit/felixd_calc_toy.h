/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A toy dataplane: what calc says, kept as lines of text, and the contract of output.h checked on
 * the way.
 *
 *     set <id> net            member <id> 10.0.0.1/32         policy <kind>/<ns>/<name> <tier>
 * <rules> profile <name> <rules>  endpoint <ns>/<name> <...>      pool <cidr> <masquerade>
 *     endpoint host <name> <...>      a staged policy in a list has a '~' before it
 */
#pragma once

#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "felixd/calc/calc.h"

struct toy {
	char **lines;
	size_t n, cap;
	struct buf log; /* the order of messages: "set_new x; policy y; ..." */
	unsigned in_sync;
};

static inline int toy_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline size_t toy_find(const struct toy *t, const char *prefix)
{
	size_t len = strlen(prefix), i = 0;

	while (i < t->n && strncmp(t->lines[i], prefix, len) != 0)
		i++;
	return i;
}

static inline bool toy_has(const struct toy *t, const char *prefix)
{
	return toy_find(t, prefix) < t->n;
}

static inline void toy_add(struct toy *t, char *line /* taken */)
{
	if (t->n == t->cap) {
		t->cap = t->cap * 2 + 16;
		t->lines = xrealloc(t->lines, t->cap * sizeof(*t->lines));
	}
	t->lines[t->n++] = line;
}

static inline void toy_drop(struct toy *t, const char *prefix)
{
	size_t i = toy_find(t, prefix);

	if (i == t->n)
		fail_msg("'%s' goes, but was never there", prefix);
	free(t->lines[i]);
	t->lines[i] = t->lines[--t->n];
}

static inline void toy_done(struct toy *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->lines[i]);
	free(t->lines);
	buf_done(&t->log);
	*t = (struct toy){ 0 };
}

/* All lines, sorted. The caller's. */
static inline char *toy_text(struct toy *t)
{
	struct buf b = { 0 };

	if (t->n)
		qsort(t->lines, t->n, sizeof(*t->lines), toy_cmp);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(&b, "%s\n", t->lines[i]);
	if (!b.len)
		return xstrdup("");
	return buf_take(&b);
}

/* ---- text of rules */

static inline void toy_side(struct buf *b, const char *name, const struct calc_side *s)
{
	char net[IP_PREFIX_STR_MAX];

	for (size_t i = 0; i < s->n_nets; i++)
		buf_printf(b, " %s:%s", name, ip_prefix_str(&s->nets[i], net));
	for (size_t i = 0; i < s->n_not_nets; i++)
		buf_printf(b, " !%s:%s", name, ip_prefix_str(&s->not_nets[i], net));
	for (size_t i = 0; i < s->n_ports; i++)
		buf_printf(b, " %s-port:%u-%u", name, s->ports[i].min, s->ports[i].max);
	for (size_t i = 0; i < s->n_not_ports; i++)
		buf_printf(b, " !%s-port:%u-%u", name, s->not_ports[i].min, s->not_ports[i].max);
	for (size_t i = 0; i < s->n_port_sets; i++)
		buf_printf(b, " %s-portset:%s", name, s->port_sets[i]);
	for (size_t i = 0; i < s->n_not_port_sets; i++)
		buf_printf(b, " !%s-portset:%s", name, s->not_port_sets[i]);
	for (size_t i = 0; i < s->n_sets; i++)
		buf_printf(b, " %s-set:%s", name, s->sets[i]);
	for (size_t i = 0; i < s->n_not_sets; i++)
		buf_printf(b, " !%s-set:%s", name, s->not_sets[i]);
}

static inline void toy_rules(struct buf *b, const char *direction, const struct calc_rule *rules,
                             size_t n)
{
	static const char *const actions[] = { "allow", "deny", "pass", "log" };

	for (size_t i = 0; i < n; i++) {
		const struct calc_rule *r = &rules[i];

		buf_printf(b, " | %s %s", direction, actions[r->action]);
		if (r->ip_version)
			buf_printf(b, " v%u", r->ip_version);
		if (r->protocol >= 0)
			buf_printf(b, " proto:%d", r->protocol);
		if (r->not_protocol >= 0)
			buf_printf(b, " !proto:%d", r->not_protocol);
		if (r->icmp_type >= 0)
			buf_printf(b, " icmp:%d/%d", r->icmp_type, r->icmp_code);
		if (r->not_icmp_type >= 0)
			buf_printf(b, " !icmp:%d/%d", r->not_icmp_type, r->not_icmp_code);
		toy_side(b, "src", &r->src);
		toy_side(b, "dst", &r->dst);
	}
}

static inline char *toy_member(const char *id, const struct calc_member *m)
{
	char net[IP_PREFIX_STR_MAX];

	assert_true(m->net.len > 0);
	assert_true(ip_prefix_is_network(&m->net));
	return m->protocol ? xasprintf("member %s %s,%u:%u", id, ip_prefix_str(&m->net, net),
	                               m->protocol, m->port)
	                   : xasprintf("member %s %s", id, ip_prefix_str(&m->net, net));
}

/* ---- contract */

static inline void toy_sets_exist(const struct toy *t, const struct calc_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (int side = 0; side < 2; side++) {
			const struct calc_side *s = side ? &rules[i].dst : &rules[i].src;
			const char *const *lists[] = { s->sets, s->not_sets, s->port_sets,
				                       s->not_port_sets };
			size_t counts[] = { s->n_sets, s->n_not_sets, s->n_port_sets,
				            s->n_not_port_sets };

			for (size_t k = 0; k < 4; k++) {
				for (size_t x = 0; x < counts[k]; x++) {
					char *line = xasprintf("set %s ", lists[k][x]);

					if (!toy_has(t, line))
						fail_msg("a rule uses set %s, which is not there",
						         lists[k][x]);
					free(line);
				}
			}
		}
	}
}

/* No line that begins with one of the kinds may contain what. */
static inline void toy_unused(const struct toy *t, const char *kind, const char *what)
{
	for (size_t i = 0; i < t->n; i++)
		if (strncmp(t->lines[i], kind, strlen(kind)) == 0 && strstr(t->lines[i], what))
			fail_msg("'%s' goes, but is still used by '%s'", what, t->lines[i]);
}

static inline void toy_replace(struct toy *t, const char *prefix, char *line)
{
	if (toy_has(t, prefix))
		toy_drop(t, prefix);
	toy_add(t, line);
}

/* ---- the operations */

static inline void toy_set_delta(void *arg, const char *id, const struct calc_member *added,
                                 size_t n_added, const struct calc_member *removed,
                                 size_t n_removed)
{
	struct toy *t = arg;
	char *set = xasprintf("set %s ", id);

	assert_true(toy_has(t, set));
	free(set);
	for (size_t i = 0; i < n_added; i++) {
		char *m = toy_member(id, &added[i]);

		for (size_t k = 0; k < t->n; k++)
			if (strcmp(t->lines[k], m) == 0)
				fail_msg("'%s' comes twice", m);
		toy_add(t, m);
	}
	for (size_t i = 0; i < n_removed; i++) {
		char *m = toy_member(id, &removed[i]);
		size_t k = 0;

		while (k < t->n && strcmp(t->lines[k], m) != 0)
			k++;
		if (k == t->n)
			fail_msg("'%s' goes, but was never there", m);
		free(t->lines[k]);
		t->lines[k] = t->lines[--t->n];
		free(m);
	}
}

static inline void toy_set_new(void *arg, const char *id, enum calc_set_type type,
                               const struct calc_member *members, size_t n)
{
	struct toy *t = arg;
	char *prefix = xasprintf("set %s ", id);

	assert_false(toy_has(t, prefix));
	free(prefix);
	toy_add(t, xasprintf("set %s %s", id, type == CALC_SET_NET ? "net" : "ip,port"));
	toy_set_delta(t, id, members, n, NULL, 0);
	buf_str(&t->log, "set_new;");
}

static inline void toy_set_delta_logged(void *arg, const char *id, const struct calc_member *added,
                                        size_t n_added, const struct calc_member *removed,
                                        size_t n_removed)
{
	assert_true(n_added || n_removed);
	toy_set_delta(arg, id, added, n_added, removed, n_removed);
	buf_str(&((struct toy *)arg)->log, "set_delta;");
}

static inline void toy_set_remove(void *arg, const char *id)
{
	struct toy *t = arg;
	char *set = xasprintf("set %s ", id), *member = xasprintf("member %s ", id);

	toy_unused(t, "policy ", id);
	toy_unused(t, "profile ", id);
	toy_drop(t, set);
	while (toy_has(t, member))
		toy_drop(t, member);
	free(set);
	free(member);
	buf_str(&t->log, "set_remove;");
}

static inline void toy_policy_update(void *arg, const struct calc_policy *p)
{
	struct toy *t = arg;
	struct buf b = { 0 };
	char *prefix = xasprintf("policy %s/%s/%s ", p->id.kind, p->id.ns, p->id.name);

	toy_sets_exist(t, p->ingress, p->n_ingress);
	toy_sets_exist(t, p->egress, p->n_egress);
	buf_printf(&b, "%s%s", prefix, p->tier);
	toy_rules(&b, "in", p->ingress, p->n_ingress);
	toy_rules(&b, "out", p->egress, p->n_egress);
	toy_replace(t, prefix, buf_take(&b));
	free(prefix);
	buf_str(&t->log, "policy;");
}

static inline void toy_policy_remove(void *arg, const struct calc_policy_id *id)
{
	struct toy *t = arg;
	char *prefix = xasprintf("policy %s/%s/%s ", id->kind, id->ns, id->name);
	char *use = xasprintf(" %s/%s/%s", id->kind, id->ns, id->name);

	toy_unused(t, "endpoint ", use);
	toy_drop(t, prefix);
	free(prefix);
	free(use);
	buf_str(&t->log, "policy_remove;");
}

static inline void toy_profile_update(void *arg, const struct calc_profile *p)
{
	struct toy *t = arg;
	struct buf b = { 0 };
	char *prefix = xasprintf("profile %s ", p->name);

	toy_sets_exist(t, p->ingress, p->n_ingress);
	toy_sets_exist(t, p->egress, p->n_egress);
	buf_str(&b, prefix);
	toy_rules(&b, "in", p->ingress, p->n_ingress);
	toy_rules(&b, "out", p->egress, p->n_egress);
	toy_replace(t, prefix, buf_take(&b));
	free(prefix);
	buf_str(&t->log, "profile;");
}

static inline void toy_profile_remove(void *arg, const char *name)
{
	struct toy *t = arg;
	char *prefix = xasprintf("profile %s ", name), *use = xasprintf("<%s>", name);

	toy_unused(t, "endpoint ", use);
	toy_drop(t, prefix);
	free(prefix);
	free(use);
	buf_str(&t->log, "profile_remove;");
}

static inline void toy_policy_ids(struct toy *t, struct buf *b, const char *direction,
                                  const struct calc_policy_id *ids, size_t n)
{
	buf_printf(b, " %s:", direction);
	for (size_t i = 0; i < n; i++) {
		char *prefix = xasprintf("policy %s/%s/%s ", ids[i].kind, ids[i].ns, ids[i].name);

		if (toy_has(t, prefix) == ids[i].staged)
			fail_msg("an endpoint uses '%s', which is%s there", prefix,
			         ids[i].staged ? "" : " not");
		free(prefix);
		buf_printf(b, " %s%s/%s/%s", ids[i].staged ? "~" : "", ids[i].kind, ids[i].ns,
		           ids[i].name);
	}
}

static inline void toy_tiers(struct toy *t, struct buf *b, const struct calc_tier *tiers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(tiers[i].n_ingress || tiers[i].n_egress);
		buf_printf(b, " [%s%s", tiers[i].name, tiers[i].default_pass ? " pass" : "");
		toy_policy_ids(t, b, "in", tiers[i].ingress, tiers[i].n_ingress);
		toy_policy_ids(t, b, "out", tiers[i].egress, tiers[i].n_egress);
		buf_byte(b, ']');
	}
}

static inline void toy_profiles(struct toy *t, struct buf *b, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *profile = xasprintf("profile %s ", v[i]);

		if (!toy_has(t, profile))
			fail_msg("an endpoint uses '%s', which is not there", profile);
		free(profile);
		buf_printf(b, " <%s>", v[i]);
	}
}

static inline void toy_endpoint_update(void *arg, const struct calc_endpoint *e)
{
	struct toy *t = arg;
	struct buf b = { 0 };
	char *prefix = xasprintf("endpoint %s/%s ", e->ns, e->name);
	char text[IP_PREFIX_STR_MAX];

	buf_printf(&b, "%s%s", prefix, e->interface);
	for (size_t i = 0; i < e->n_addrs; i++)
		buf_printf(&b, " %s", ip_prefix_str(&e->addrs[i], text));
	toy_tiers(t, &b, e->tiers, e->n_tiers);
	toy_profiles(t, &b, e->profiles, e->n_profiles);
	toy_replace(t, prefix, buf_take(&b));
	free(prefix);
	buf_str(&t->log, "endpoint;");
}

static inline void toy_host_endpoint_update(void *arg, const struct calc_host_endpoint *e)
{
	struct toy *t = arg;
	struct buf b = { 0 };
	char *prefix = xasprintf("endpoint host %s ", e->name);
	char text[IP_PREFIX_STR_MAX];
	const struct {
		const char *name;
		const struct calc_tiers *tiers;
	} lists[] = { { "untracked", &e->untracked },
		      { "pre-dnat", &e->pre_dnat },
		      { "forward", &e->forward },
		      { "normal", &e->normal } };

	buf_printf(&b, "%s'%s'", prefix, e->interface);
	for (size_t i = 0; i < e->n_addrs; i++)
		buf_printf(&b, " %s", ip_prefix_str(&e->addrs[i], text));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		buf_printf(&b, " %s", lists[i].name);
		toy_tiers(t, &b, lists[i].tiers->v, lists[i].tiers->n);
	}
	toy_profiles(t, &b, e->profiles, e->n_profiles);
	toy_replace(t, prefix, buf_take(&b));
	free(prefix);
	buf_str(&t->log, "host;");
}

static inline void toy_host_endpoint_remove(void *arg, const char *name)
{
	struct toy *t = arg;
	char *prefix = xasprintf("endpoint host %s ", name);

	toy_drop(t, prefix);
	free(prefix);
	buf_str(&t->log, "host_remove;");
}

static inline void toy_endpoint_remove(void *arg, const char *ns, const char *name)
{
	struct toy *t = arg;
	char *prefix = xasprintf("endpoint %s/%s ", ns, name);

	toy_drop(t, prefix);
	free(prefix);
	buf_str(&t->log, "endpoint_remove;");
}

static inline void toy_pool_update(void *arg, const struct calc_pool *p)
{
	struct toy *t = arg;
	char text[IP_PREFIX_STR_MAX],
	        *prefix = xasprintf("pool %s ", ip_prefix_str(&p->cidr, text));

	toy_replace(t, prefix, xasprintf("%s%s", prefix, p->masquerade ? "masquerade" : "plain"));
	free(prefix);
	buf_str(&t->log, "pool;");
}

static inline void toy_pool_remove(void *arg, const struct ip_prefix *cidr)
{
	struct toy *t = arg;
	char text[IP_PREFIX_STR_MAX], *prefix = xasprintf("pool %s ", ip_prefix_str(cidr, text));

	toy_drop(t, prefix);
	free(prefix);
	buf_str(&t->log, "pool_remove;");
}

static inline void toy_in_sync(void *arg)
{
	struct toy *t = arg;

	t->in_sync++;
	buf_str(&t->log, "in_sync;");
}

static const struct calc_output_ops toy_ops = {
	.set_new = toy_set_new,
	.set_delta = toy_set_delta_logged,
	.policy_update = toy_policy_update,
	.profile_update = toy_profile_update,
	.endpoint_update = toy_endpoint_update,
	.endpoint_remove = toy_endpoint_remove,
	.host_endpoint_update = toy_host_endpoint_update,
	.host_endpoint_remove = toy_host_endpoint_remove,
	.profile_remove = toy_profile_remove,
	.policy_remove = toy_policy_remove,
	.set_remove = toy_set_remove,
	.pool_update = toy_pool_update,
	.pool_remove = toy_pool_remove,
	.in_sync = toy_in_sync,
};

/* ---- objects */

/* A resource from JSON without kind and apiVersion. The caller's. */
static inline struct resource *toy_resource(model_kind kind, const char *ns, const char *name,
                                            uint64_t revision, const char *json)
{
	ProtobufCMessage *msg = NULL;
	struct err err = { 0 };

	if (mapper_read_text(kind_info(kind)->message, json, strlen(json), MAPPER_REFUSE, &msg,
	                     &err) < 0)
		fail_msg("%s: %s", json, err.text);
	return resource_new(kind, ns, name, revision, msg);
}
