/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy's rules into a chain.
 *
 * One rule of a policy is usually one match and one verdict. It takes more where iptables cannot
 * say it at once: more than 15 ports, several networks, named ports beside numbers. Then the rule
 * is split into blocks, one per field, that leave their common verdict in scratch0:
 *
 *     scratch0 = scratch1 = 0                       (scratch0 = 1 if the first block is a negated
 * one) block 1: any of these     -> scratch0 = 1     (the first positive block may write the result
 * itself) block 2: any of these     -> scratch1 = 1 scratch1 clear   -> scratch0 = 0 block 3: any
 * of these not -> scratch0 = 0 rest of the rule and scratch0 -> verdict
 */
#include "felixd/dataplane/render.h"

#include <netinet/in.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/names.h"

/* A side of a rule, narrowed to one family, with what blocks have taken over removed. */
struct side {
	const struct ip_prefix **nets, **not_nets;
	size_t n_nets, n_not_nets;
	const struct calc_port_range *ports;
	size_t n_ports;
	const char *const *port_sets;
	size_t n_port_sets;
};

struct blocks {
	const struct render_config *r;
	struct chain *c;
	bool used, positive_done;
};

static void add_match(struct chain *c, struct match m)
{
	rule_match(c, &m);
}

/* Nets of the family. false: the rule cannot match any packet of this family (or, negated, never
 * matches at all). */
static bool nets_of_family(const struct ip_prefix *nets, size_t n, int family, bool negated,
                           const struct ip_prefix ***ret, size_t *ret_n)
{
	*ret = xcalloc(n + 1, sizeof(**ret));
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (nets[i].addr.family != family)
			continue;
		if (negated && nets[i].len == 0)
			return false;
		(*ret)[(*ret_n)++] = &nets[i];
	}
	return n == 0 || *ret_n > 0;
}

static bool side_init(struct side *s, const struct calc_side *from, int family)
{
	bool ok = nets_of_family(from->nets, from->n_nets, family, false, &s->nets, &s->n_nets);

	ok = nets_of_family(from->not_nets, from->n_not_nets, family, true, &s->not_nets,
	                    &s->n_not_nets) &&
	     ok;
	s->ports = from->ports;
	s->n_ports = from->n_ports;
	s->port_sets = from->port_sets;
	s->n_port_sets = from->n_port_sets;
	return ok;
}

static void side_done(struct side *s)
{
	free(s->nets);
	free(s->not_nets);
}

/* How many of the n ranges fit into one multiport match. */
static size_t port_split(const struct calc_port_range *ranges, size_t n)
{
	unsigned slots = PORT_SLOTS;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned need = ranges[i].min == ranges[i].max ? 1 : 2;

		if (need > slots)
			break;
		slots -= need;
	}
	return i;
}

static size_t port_splits(const struct calc_port_range *ranges, size_t n)
{
	size_t splits = 0;

	for (size_t at = 0; at < n; at += port_split(ranges + at, n - at))
		splits++;
	return splits;
}

static void match_id_set(struct blocks *b, bool src, const char *id, bool ip_port, bool neg)
{
	char name[SET_NAME_MAX];

	name_set(name, b->r->family, id);
	add_match(b->c, match_set(src, name, ip_port, neg));
}

/* ---- blocks */

static void block_begin(struct blocks *b, bool positive)
{
	if (b->used)
		return;
	b->used = true;
	rule_begin(b->c);
	rule_mark(b->c, positive ? 0 : b->r->scratch0, b->r->scratch0 | b->r->scratch1);
}

static void block_hit(struct blocks *b)
{
	uint32_t bit = b->positive_done ? b->r->scratch1 : b->r->scratch0;

	rule_mark(b->c, bit, bit);
}

static void block_end(struct blocks *b)
{
	if (!b->positive_done) {
		b->positive_done = true;
		return;
	}
	rule_begin(b->c);
	add_match(b->c, match_mark_clear(b->r->scratch1));
	rule_mark(b->c, 0, b->r->scratch0);
}

static void block_ports(struct blocks *b, const struct calc_rule *rule, struct side *s, bool src)
{
	block_begin(b, true);
	for (size_t at = 0; at < s->n_ports;) {
		size_t n = port_split(s->ports + at, s->n_ports - at);

		rule_begin(b->c);
		if (rule->protocol >= 0)
			add_match(b->c,
			          match_proto(rule->protocol, rule->protocol_by_number, false));
		add_match(b->c, match_ports(src, s->ports + at, n, false));
		block_hit(b);
		at += n;
	}
	for (size_t i = 0; i < s->n_port_sets; i++) {
		rule_begin(b->c);
		match_id_set(b, src, s->port_sets[i], true, false);
		block_hit(b);
	}
	block_end(b);
	s->n_ports = s->n_port_sets = 0;
}

static void block_nets(struct blocks *b, struct side *s, bool src)
{
	block_begin(b, true);
	for (size_t i = 0; i < s->n_nets; i++) {
		rule_begin(b->c);
		add_match(b->c, match_net(src, s->nets[i], false));
		block_hit(b);
	}
	block_end(b);
	s->n_nets = 0;
}

static void block_not_nets(struct blocks *b, struct side *s, bool src)
{
	block_begin(b, false);
	for (size_t i = 0; i < s->n_not_nets; i++) {
		rule_begin(b->c);
		add_match(b->c, match_net(src, s->not_nets[i], false));
		rule_mark(b->c, 0, b->r->scratch0);
	}
	s->n_not_nets = 0;
}

static void render_blocks(struct blocks *b, const struct calc_rule *rule, struct side *src,
                          struct side *dst)
{
	if (port_splits(src->ports, src->n_ports) + src->n_port_sets > 1)
		block_ports(b, rule, src, true);
	if (port_splits(dst->ports, dst->n_ports) + dst->n_port_sets > 1)
		block_ports(b, rule, dst, false);
	if (src->n_nets > 1)
		block_nets(b, src, true);
	if (dst->n_nets > 1)
		block_nets(b, dst, false);
	/* A rule has room for one network per direction, whether negated or not. */
	if (src->n_nets + src->n_not_nets > 1)
		block_not_nets(b, src, true);
	if (dst->n_nets + dst->n_not_nets > 1)
		block_not_nets(b, dst, false);
}

/* ---- the rule that is left */

static void match_side(struct blocks *b, const struct calc_side *from, const struct side *s,
                       bool src)
{
	if (s->n_nets)
		add_match(b->c, match_net(src, s->nets[0], false));
	for (size_t i = 0; i < from->n_sets; i++)
		match_id_set(b, src, from->sets[i], false, false);
	if (s->n_ports)
		add_match(b->c, match_ports(src, s->ports, s->n_ports, false));
	if (s->n_port_sets)
		match_id_set(b, src, s->port_sets[0], true, false);
}

static void match_side_negated(struct blocks *b, const struct calc_side *from, const struct side *s,
                               bool src)
{
	if (s->n_not_nets)
		add_match(b->c, match_net(src, s->not_nets[0], true));
	for (size_t i = 0; i < from->n_not_sets; i++)
		match_id_set(b, src, from->not_sets[i], false, true);
	for (size_t at = 0; at < from->n_not_ports;) {
		size_t n = port_split(from->not_ports + at, from->n_not_ports - at);

		add_match(b->c, match_ports(src, from->not_ports + at, n, true));
		at += n;
	}
	for (size_t i = 0; i < from->n_not_port_sets; i++)
		match_id_set(b, src, from->not_port_sets[i], true, true);
}

static void match_rest(struct blocks *b, const struct calc_rule *rule, const struct side *src,
                       const struct side *dst)
{
	if (rule->protocol >= 0)
		add_match(b->c, match_proto(rule->protocol, rule->protocol_by_number, false));
	match_side(b, &rule->src, src, true);
	match_side(b, &rule->dst, dst, false);
	if (rule->icmp_type >= 0)
		add_match(b->c, match_icmp(rule->icmp_type, rule->icmp_code, false));
	/* A rule has room for one protocol; another one denied beside it says nothing. */
	if (rule->not_protocol >= 0 && rule->protocol < 0)
		add_match(b->c,
		          match_proto(rule->not_protocol, rule->not_protocol_by_number, true));
	match_side_negated(b, &rule->src, src, true);
	match_side_negated(b, &rule->dst, dst, false);
	if (rule->not_icmp_type >= 0)
		add_match(b->c, match_icmp(rule->not_icmp_type, rule->not_icmp_code, true));
	if (b->used)
		add_match(b->c, match_mark(b->r->scratch0, b->r->scratch0));
}

static bool has_ports(const struct calc_side *s)
{
	return s->n_ports || s->n_not_ports;
}

/*
 * The kernel refuses the whole table for one rule that asks for ports of a protocol without any.
 * The datastore's validation refuses such a policy first; what comes through nevertheless is told
 * apart here, so that one bad rule costs no more than itself.
 */
static bool rule_makes_sense(const struct calc_rule *rule, int family)
{
	bool ports = has_ports(&rule->src) || has_ports(&rule->dst);
	bool icmp = rule->icmp_type >= 0 || rule->not_icmp_type >= 0;

	if (ports && rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP &&
	    rule->protocol != IPPROTO_SCTP && rule->protocol != IPPROTO_UDPLITE)
		return false;
	if (icmp && rule->protocol != (family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	return rule->not_protocol < 0 || rule->not_protocol != rule->protocol;
}

/* %t tier, %k kind, %n name, %p namespace/name. */
static void log_prefix(struct buf *out, const char *fmt, const struct calc_policy_id *id,
                       const char *tier)
{
	for (; *fmt; fmt++) {
		const char *text = NULL;

		if (*fmt == '%') {
			switch (fmt[1]) {
			case 't':
				text = tier;
				break;
			case 'k':
				text = name_kind_short(id->kind);
				break;
			case 'n':
			case 'p':
				if (fmt[1] == 'p' && id->ns && *id->ns)
					buf_printf(out, "%s/", id->ns);
				text = id->name;
				break;
			}
		}
		if (text) {
			buf_str(out, text);
			fmt++;
		} else {
			buf_byte(out, (uint8_t)*fmt);
		}
	}
}

static void add_verdict(struct blocks *b, const struct calc_rule *rule, size_t index,
                        const struct calc_policy_id *id, const char *tier)
{
	uint32_t bit = rule->action == CALC_ALLOW  ? b->r->accept
	               : rule->action == CALC_PASS ? b->r->pass
	                                           : b->r->drop;

	rule_counts(b->c, index);
	if (rule->action == CALC_LOG) {
		CLEANUP(buf_done) struct buf prefix = { 0 };

		log_prefix(&prefix, b->r->log_prefix, id, tier);
		rule_action(b->c, &(struct action){ .kind = ACTION_LOG,
		                                    .log_prefix = buf_cstr(&prefix) });
		return;
	}
	rule_mark(b->c, bit, bit);
	rule_begin(b->c);
	add_match(b->c, match_mark(bit, bit));
	if (rule->action == CALC_DENY)
		render_deny(b->r, b->c);
	else
		rule_return(b->c);
}

static void render_rule(const struct render_config *r, struct chain *c,
                        const struct calc_rule *rule, size_t index, const struct calc_policy_id *id,
                        const char *tier)
{
	struct blocks b = { .r = r, .c = c };
	struct side src = { 0 }, dst = { 0 };
	bool ok;

	if (rule->ip_version && rule->ip_version != (r->family == AF_INET6 ? 6 : 4))
		return;
	if (!rule_makes_sense(rule, r->family)) {
		log_warn("a rule no packet can match is left out", "policy=%s chain=%s",
		         LOG_VIS(id->name), LOG_VIS(c->name));
		return;
	}
	ok = side_init(&src, &rule->src, r->family);
	ok = side_init(&dst, &rule->dst, r->family) && ok;
	if (ok) {
		render_blocks(&b, rule, &src, &dst);
		rule_begin(c);
		match_rest(&b, rule, &src, &dst);
		add_verdict(&b, rule, index, id, tier);
	}
	side_done(&src);
	side_done(&dst);
}

static void render_rules(const struct render_config *r, struct chain *c,
                         const struct calc_rule *rules, size_t n, const struct calc_policy_id *id,
                         const char *tier)
{
	for (size_t i = 0; i < n; i++)
		render_rule(r, c, &rules[i], i, id, tier);
	/* A RETURN at the end does what the end does. */
	while (c->n_rules && c->rules[c->n_rules - 1].action.kind == ACTION_RETURN)
		chain_drop_last(c);
}

/* The chain's owner, as a comment of its first rule, which is there for its sake alone in an empty
 * chain. */
static void name_owner(struct chain *c, const char *what, const char *ns, const char *name,
                       bool ingress)
{
	if (c->n_rules == 0)
		rule_begin(c);
	rule_comment_at(c, 0, "%s %s%s%s %s", what, ns, *ns ? "/" : "", name,
	                ingress ? "ingress" : "egress");
}

struct chain *render_policy(const struct render_config *r, const struct calc_policy *p,
                            bool ingress)
{
	char name[CHAIN_NAME_MAX];
	struct chain *c;

	name_policy_chain(name, ingress, &p->id);
	c = chain_new(name);
	render_rules(r, c, ingress ? p->ingress : p->egress, ingress ? p->n_ingress : p->n_egress,
	             &p->id, p->tier ? p->tier : "");
	name_owner(c, p->id.kind, p->id.ns ? p->id.ns : "", p->id.name, ingress);
	return c;
}

struct chain *render_profile(const struct render_config *r, const struct calc_profile *p,
                             bool ingress)
{
	struct calc_policy_id id = { .kind = "pro", .ns = "", .name = p->name };
	char name[CHAIN_NAME_MAX];
	struct chain *c;

	name_profile_chain(name, ingress, p->name);
	c = chain_new(name);
	render_rules(r, c, ingress ? p->ingress : p->egress, ingress ? p->n_ingress : p->n_egress,
	             &id, "");
	name_owner(c, "Profile", "", p->name, ingress);
	return c;
}
