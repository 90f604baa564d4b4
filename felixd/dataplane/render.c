/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration, hooks and static chains; policies and endpoints have files of their own. Rules
 * stand in upstream's order: the hash sees it. */
#include "felixd/dataplane/render.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/names.h"

#define VXLAN_PORT 4789

/* ---- configuration */

static int read_action(const char *name, const char *value, const char *dflt,
                       const enum action_kind *allowed, size_t n, enum action_kind *ret,
                       struct err *err)
{
	static const struct {
		const char *name;
		enum action_kind kind;
	} words[] = { { "ACCEPT", ACTION_ACCEPT },
		      { "RETURN", ACTION_RETURN },
		      { "DROP", ACTION_DROP },
		      { "REJECT", ACTION_REJECT } };

	if (!value || !*value)
		value = dflt;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (size_t k = 0; k < n; k++)
			if (strcasecmp(words[i].name, value) == 0 && words[i].kind == allowed[k]) {
				*ret = words[i].kind;
				return 0;
			}
	return err_set(err, -EINVAL, "%s: '%s' is not an action it may have", name, value);
}

/* The lowest bit of what is left of the pool. */
static uint32_t take_bit(uint32_t *pool)
{
	uint32_t bit = *pool & -*pool;

	*pool &= ~bit;
	return bit;
}

static int read_prefixes(struct render_config *r, const char *list, struct err *err)
{
	char *save = NULL;
	size_t len = strlen(list);

	char *copy, *at;

	/* A prefix of n characters and its comma become n + 2: never more than twice what they
	 * were. */
	r->prefix_text = xcalloc(1, 2 * len + 2 + len + 1);
	at = r->prefix_text;
	copy = at + 2 * len + 2;
	memcpy(copy, list, len + 1);
	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		size_t n = strlen(p);

		if (r->n_prefixes == RENDER_PREFIXES_MAX)
			return err_set(err, -E2BIG, "InterfacePrefix: more than %d prefixes",
			               RENDER_PREFIXES_MAX);
		if (n > 13)
			return err_set(err, -EINVAL, "InterfacePrefix: '%s' is too long", p);
		memcpy(at, p, n);
		memcpy(at + n, "+", 2);
		r->prefixes[r->n_prefixes++] = at;
		at += n + 2;
	}
	if (r->n_prefixes == 0)
		return err_set(err, -EINVAL, "InterfacePrefix: '%s' names no prefix", list);
	return 0;
}

int render_config_init(struct render_config *r, const struct dataplane_config *config, int family,
                       struct err *err)
{
	static const enum action_kind allow[] = { ACTION_ACCEPT, ACTION_RETURN };
	static const enum action_kind deny[] = { ACTION_DROP, ACTION_REJECT };
	static const enum action_kind host[] = { ACTION_DROP, ACTION_RETURN, ACTION_ACCEPT };
	uint32_t pool = config->mark_mask;
	int rc;

	*r = (struct render_config){ .family = family,
		                     .vxlan_port = VXLAN_PORT,
		                     .random_fully = config->nat_outgoing_random_fully,
		                     .allow_invalid = config->allow_invalid,
		                     .allow_workload_vxlan = config->allow_workload_vxlan,
		                     .allow_workload_ipip = config->allow_workload_ipip,
		                     .nat_ports = config->nat_ports };
	if (config->nat_interface && *config->nat_interface)
		r->nat_interface = config->nat_interface;
	r->failsafe_in = config->failsafe_in;
	r->failsafe_out = config->failsafe_out;
	r->accept = take_bit(&pool);
	r->pass = take_bit(&pool);
	r->drop = take_bit(&pool);
	r->scratch0 = take_bit(&pool);
	r->scratch1 = take_bit(&pool);
	if (!r->scratch1)
		return err_set(err, -EINVAL,
		               "IptablesMarkMask: 0x%08x has fewer than the 5 bits needed",
		               config->mark_mask);
	r->log_prefix =
	        config->log_prefix && *config->log_prefix ? config->log_prefix : "calico-packet";
	rc = read_prefixes(r, config->interface_prefix ? config->interface_prefix : "cali", err);
	if (rc == 0)
		rc = read_action("IptablesFilterAllowAction", config->filter_allow_action, "ACCEPT",
		                 allow, ARRAY_SIZE(allow), &r->filter_allow, err);
	if (rc == 0)
		rc = read_action("IptablesMangleAllowAction", config->mangle_allow_action, "ACCEPT",
		                 allow, ARRAY_SIZE(allow), &r->mangle_allow, err);
	if (rc == 0)
		rc = read_action("IptablesFilterDenyAction", config->deny_action, "DROP", deny,
		                 ARRAY_SIZE(deny), &r->deny, err);
	if (rc == 0)
		rc = read_action("DefaultEndpointToHostAction", config->endpoint_to_host_action,
		                 "DROP", host, ARRAY_SIZE(host), &r->to_host, err);
	if (rc < 0)
		render_config_done(r);
	return rc;
}

void render_config_done(struct render_config *r)
{
	free(r->prefix_text);
	r->prefix_text = NULL;
}

void render_deny(const struct render_config *r, struct chain *c)
{
	rule_action(c, &(struct action){ .kind = r->deny });
}

struct render_config render_config_elsewhere(const struct render_config *r)
{
	struct render_config other = *r;

	other.deny = ACTION_DROP;
	return other;
}

const char *render_deny_word(const struct render_config *r)
{
	return r->deny == ACTION_REJECT ? "Reject" : "Drop";
}

/* ---- rules that come up again and again */

static void add_match(struct chain *c, struct match m)
{
	rule_match(c, &m);
}

static void allow_rule(struct chain *c, enum action_kind allow)
{
	rule_action(c, &(struct action){ .kind = allow });
}

/* "accept mark set -> allow" */
static void accepted(const struct render_config *r, struct chain *c, enum action_kind allow,
                     const char *comment)
{
	rule_begin(c);
	if (comment)
		rule_comment(c, "%s", comment);
	add_match(c, match_mark(r->accept, r->accept));
	allow_rule(c, allow);
}

static uint32_t all_bits(const struct render_config *r)
{
	/* Not drop: it is set only right before it is tested. */
	return r->accept | r->pass | r->scratch0 | r->scratch1;
}

static void clear_marks(struct chain *c, uint32_t bits)
{
	rule_begin(c);
	rule_mark(c, 0, bits);
}

static void jump_to(struct chain *c, const char *target)
{
	rule_begin(c);
	rule_jump(c, target);
}

static const char host_policy_accepted[] = "Host endpoint policy accepted packet.";

/* ---- raw */

static void vxlan_notrack(const struct render_config *r, struct chain *c)
{
	if (!r->vxlan)
		return;
	rule_begin(c);
	add_match(c, match_proto(IPPROTO_UDP, false, false));
	add_match(c, (struct match){ .kind = MATCH_PORT, .port = r->vxlan_port });
	rule_action(c, &(struct action){ .kind = ACTION_NOTRACK });
}

static struct chain *raw_prerouting(const struct render_config *r)
{
	struct chain *c = chain_new("cali-PREROUTING");

	clear_marks(c, all_bits(r));
	vxlan_notrack(r, c);
	for (size_t i = 0; i < r->n_prefixes; i++) {
		rule_begin(c);
		add_match(c, match_iface(true, r->prefixes[i]));
		rule_mark(c, r->scratch0, r->scratch0);
	}
	rule_begin(c);
	add_match(c, match_mark(r->scratch0, r->scratch0));
	rule_jump(c, "cali-rpf-skip");
	/* A pod may not speak in another's name: its address must be routed back through its
	 * interface. */
	rule_begin(c);
	add_match(c, match_mark(r->scratch0, r->scratch0));
	add_match(c, (struct match){ .kind = MATCH_RPF, .neg = true });
	/* REJECT is a target of the filter table only: here the packet is dropped whatever the deny
	 * action is. */
	rule_drop(c);
	rule_begin(c);
	add_match(c, match_mark_clear(r->scratch0));
	rule_jump(c, "cali-from-host-endpoint");
	accepted(r, c, ACTION_ACCEPT, NULL);
	return c;
}

static struct chain *raw_output(const struct render_config *r)
{
	struct chain *c = chain_new("cali-OUTPUT");

	clear_marks(c, all_bits(r));
	jump_to(c, "cali-to-host-endpoint");
	vxlan_notrack(r, c);
	accepted(r, c, ACTION_ACCEPT, NULL);
	return c;
}

/* ---- mangle */

static struct chain *mangle_prerouting(const struct render_config *r)
{
	struct chain *c = chain_new("cali-PREROUTING");

	rule_begin(c);
	add_match(c, match_ct(CT_RELATED | CT_ESTABLISHED, false));
	allow_rule(c, r->mangle_allow);
	accepted(r, c, r->mangle_allow, NULL);
	jump_to(c, "cali-from-host-endpoint");
	accepted(r, c, r->mangle_allow, host_policy_accepted);
	return c;
}

static void match_own_set(const struct render_config *r, struct chain *c, bool src, const char *id,
                          bool neg)
{
	char name[SET_NAME_MAX];

	name_set(name, r->family, id);
	add_match(c, match_set(src, name, false, neg));
}

static struct chain *mangle_postrouting(const struct render_config *r)
{
	struct chain *c = chain_new("cali-POSTROUTING");

	rule_begin(c);
	rule_comment(c, "set dscp for traffic leaving cluster.");
	match_own_set(r, c, true, "dscp-src-net", false);
	match_own_set(r, c, false, "network-ip-pools", true);
	match_own_set(r, c, false, "this-host", true);
	rule_jump(c, "cali-egress-dscp");
	accepted(r, c, ACTION_RETURN, NULL);
	clear_marks(c, all_bits(r));
	rule_begin(c);
	add_match(c, match_ct(CT_DNAT, false));
	rule_jump(c, "cali-to-host-endpoint");
	accepted(r, c, ACTION_RETURN, host_policy_accepted);
	return c;
}

/* ---- nat */

static void masquerade(const struct render_config *r, struct chain *c, uint16_t min, uint16_t max)
{
	rule_action(c, &(struct action){ .kind = ACTION_MASQUERADE,
	                                 .masq = { min, max, r->random_fully } });
}

/* What leaves by the tunnel with a source of this host, but not the tunnel's own: gets the
 * tunnel's. */
static void tunnel_masquerade(const struct render_config *r, struct chain *c, bool udp)
{
	rule_begin(c);
	if (udp)
		add_match(c, match_proto(IPPROTO_UDP, true, false));
	add_match(c, match_iface(false, r->vxlan_device));
	add_match(c, match_local(true, true, true));
	add_match(c, match_local(true, false, false));
	if (!udp) {
		masquerade(r, c, 0, 0);
		return;
	}
	/* Clear of the VXLAN port, on the wider side of it. */
	if (r->vxlan_port - 1024 > 65535 - r->vxlan_port)
		masquerade(r, c, 1024, (uint16_t)(r->vxlan_port - 1));
	else
		masquerade(r, c, (uint16_t)(r->vxlan_port + 1), 65535);
}

static struct chain *nat_postrouting(const struct render_config *r)
{
	struct chain *c = chain_new("cali-POSTROUTING");

	jump_to(c, "cali-fip-snat");
	jump_to(c, "cali-nat-outgoing");
	if (r->vxlan && r->vxlan_device) {
		tunnel_masquerade(r, c, true);
		tunnel_masquerade(r, c, false);
	}
	return c;
}

static void nat_outgoing_rule(const struct render_config *r, struct chain *c, int protocol)
{
	rule_begin(c);
	match_own_set(r, c, true, "masq-ipam-pools", false);
	match_own_set(r, c, false, "network-ip-pools", true);
	if (protocol)
		add_match(c, match_proto(protocol, false, false));
	if (r->nat_interface)
		add_match(c, match_iface(false, r->nat_interface));
}

void render_nat_outgoing(const struct render_config *r, bool any_pool,
                         const struct render_sink *sink)
{
	static const int with_ports[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct chain *c = chain_new("cali-nat-outgoing");

	/* A range of ports is for protocols that have ports; when it is exhausted, the packet is
	 * not given others. */
	for (size_t i = 0; any_pool && r->nat_ports.max && i < ARRAY_SIZE(with_ports); i++) {
		nat_outgoing_rule(r, c, with_ports[i]);
		masquerade(r, c, r->nat_ports.min, r->nat_ports.max);
		nat_outgoing_rule(r, c, with_ports[i]);
		rule_return(c);
	}
	if (any_pool) {
		nat_outgoing_rule(r, c, 0);
		masquerade(r, c, 0, 0);
	}
	sink->set_chain(sink->arg, TABLE_NAT, c);
}

/* ---- filter */

static void vxlan_ports(const struct render_config *r, struct chain *c)
{
	struct calc_port_range port = { r->vxlan_port, r->vxlan_port };

	add_match(c, match_proto(IPPROTO_UDP, true, false));
	add_match(c, match_ports(false, &port, 1, false));
}

static struct chain *filter_input(const struct render_config *r)
{
	struct chain *c = chain_new("cali-INPUT");
	const char *ip = r->family == AF_INET6 ? "IPv6" : "IPv4";

	if (r->vxlan) {
		rule_begin(c);
		rule_comment(c, "Allow %s VXLAN packets from allowed hosts", ip);
		vxlan_ports(r, c);
		match_own_set(r, c, true, "all-vxlan-net", false);
		add_match(c, match_local(false, false, false));
		allow_rule(c, r->filter_allow);
		rule_begin(c);
		/* Upstream drops here for IPv4 whatever the deny action is. */
		rule_comment(c, "%s %s VXLAN packets from non-allowed hosts",
		             r->family == AF_INET6 ? render_deny_word(r) : "Drop", ip);
		vxlan_ports(r, c);
		add_match(c, match_local(false, false, false));
		if (r->family == AF_INET6)
			render_deny(r, c);
		else
			rule_drop(c);
	}
	for (size_t i = 0; i < r->n_prefixes; i++) {
		rule_begin(c);
		add_match(c, match_iface(true, r->prefixes[i]));
		rule_goto(c, "cali-wl-to-host");
	}
	accepted(r, c, r->filter_allow, NULL);
	clear_marks(c, all_bits(r));
	jump_to(c, "cali-from-host-endpoint");
	accepted(r, c, r->filter_allow, host_policy_accepted);
	return c;
}

static struct chain *filter_wl_to_host(const struct render_config *r)
{
	/* Multicast listener messages and neighbour discovery: a pod could not even find its
	 * gateway without. */
	static const int types[] = { 130, 131, 132, 133, 135, 136 };
	struct chain *c = chain_new("cali-wl-to-host");

	for (size_t i = 0; r->family == AF_INET6 && i < ARRAY_SIZE(types); i++) {
		rule_begin(c);
		add_match(c, match_proto(IPPROTO_ICMPV6, true, false));
		add_match(c, match_icmp(types[i], -1, false));
		allow_rule(c, r->filter_allow);
	}
	jump_to(c, "cali-from-wl-dispatch");
	rule_begin(c);
	rule_comment(c, "Configured DefaultEndpointToHostAction");
	rule_action(c, &(struct action){ .kind = r->to_host });
	return c;
}

static struct chain *filter_forward(const struct render_config *r)
{
	struct chain *c = chain_new("cali-FORWARD");

	clear_marks(c, all_bits(r) & ~r->accept);
	rule_begin(c);
	add_match(c, match_mark_clear(r->accept));
	rule_jump(c, "cali-from-hep-forward");
	for (size_t i = 0; i < r->n_prefixes; i++) {
		rule_begin(c);
		add_match(c, match_iface(true, r->prefixes[i]));
		rule_jump(c, "cali-from-wl-dispatch");
	}
	for (size_t i = 0; i < r->n_prefixes; i++) {
		rule_begin(c);
		add_match(c, match_iface(false, r->prefixes[i]));
		rule_jump(c, "cali-to-wl-dispatch");
	}
	jump_to(c, "cali-to-hep-forward");
	jump_to(c, "cali-cidr-block");
	return c;
}

static struct chain *filter_output(const struct render_config *r)
{
	struct chain *c = chain_new("cali-OUTPUT");

	accepted(r, c, r->filter_allow, NULL);
	for (size_t i = 0; i < r->n_prefixes; i++) {
		rule_begin(c);
		add_match(c, match_iface(false, r->prefixes[i]));
		rule_return(c);
	}
	if (r->vxlan) {
		rule_begin(c);
		rule_comment(c, "Allow %s VXLAN packets to other allowed hosts",
		             r->family == AF_INET6 ? "IPv6" : "IPv4");
		vxlan_ports(r, c);
		add_match(c, match_local(true, false, false));
		match_own_set(r, c, false, "all-vxlan-net", false);
		allow_rule(c, r->filter_allow);
	}
	clear_marks(c, all_bits(r));
	rule_begin(c);
	add_match(c, match_ct(CT_DNAT, true));
	rule_jump(c, "cali-to-host-endpoint");
	accepted(r, c, r->filter_allow, host_policy_accepted);
	return c;
}

/* After all other rules of FORWARD: what a pod's policy accepted is accepted; the mark tells
 * mangle's POSTROUTING. */
static struct chain *forward_tail(const struct render_config *r)
{
	struct chain *c = chain_new("FORWARD");

	accepted(r, c, r->filter_allow, "Policy explicitly accepted packet.");
	rule_begin(c);
	rule_mark(c, r->accept, r->accept);
	return c;
}

/* ---- all of it */

void render_static(const struct render_config *r, const struct render_sink *sink)
{
	static const struct {
		enum table_id table;
		const char *kernel, *ours;
		bool append; /* whatever ChainInsertMode says */
	} hooks[] = {
		{ TABLE_RAW, "PREROUTING", "cali-PREROUTING", false },
		{ TABLE_RAW, "OUTPUT", "cali-OUTPUT", false },
		{ TABLE_MANGLE, "PREROUTING", "cali-PREROUTING", false },
		{ TABLE_MANGLE, "POSTROUTING", "cali-POSTROUTING", false },
		{ TABLE_NAT, "PREROUTING", "cali-PREROUTING", false },
		{ TABLE_NAT, "OUTPUT", "cali-OUTPUT", false },
		{ TABLE_NAT, "POSTROUTING", "cali-POSTROUTING", true },
		{ TABLE_FILTER, "INPUT", "cali-INPUT", false },
		{ TABLE_FILTER, "FORWARD", "cali-FORWARD", false },
		{ TABLE_FILTER, "OUTPUT", "cali-OUTPUT", false },
	};
	/* Host endpoints fill some of these; floating IPs, DSCP and service loop prevention fill
	 * the others when there are such: until then they stand empty, as upstream's do. */
	static const struct {
		enum table_id table;
		const char *name;
	} empty[] = {
		{ TABLE_RAW, "cali-rpf-skip" },
		{ TABLE_RAW, "cali-from-host-endpoint" },
		{ TABLE_RAW, "cali-to-host-endpoint" },
		{ TABLE_MANGLE, "cali-from-host-endpoint" },
		{ TABLE_MANGLE, "cali-to-host-endpoint" },
		{ TABLE_MANGLE, "cali-egress-dscp" },
		{ TABLE_NAT, "cali-fip-dnat" },
		{ TABLE_NAT, "cali-fip-snat" },
		{ TABLE_FILTER, "cali-from-host-endpoint" },
		{ TABLE_FILTER, "cali-to-host-endpoint" },
		{ TABLE_FILTER, "cali-from-hep-forward" },
		{ TABLE_FILTER, "cali-to-hep-forward" },
		{ TABLE_FILTER, "cali-cidr-block" },
	};
	struct chain *c;

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		sink->set_chain(sink->arg, empty[i].table, chain_new(empty[i].name));
	sink->set_chain(sink->arg, TABLE_RAW, raw_prerouting(r));
	sink->set_chain(sink->arg, TABLE_RAW, raw_output(r));
	sink->set_chain(sink->arg, TABLE_MANGLE, mangle_prerouting(r));
	sink->set_chain(sink->arg, TABLE_MANGLE, mangle_postrouting(r));
	c = chain_new("cali-PREROUTING");
	jump_to(c, "cali-fip-dnat");
	sink->set_chain(sink->arg, TABLE_NAT, c);
	c = chain_new("cali-OUTPUT");
	jump_to(c, "cali-fip-dnat");
	sink->set_chain(sink->arg, TABLE_NAT, c);
	sink->set_chain(sink->arg, TABLE_NAT, nat_postrouting(r));
	sink->set_chain(sink->arg, TABLE_FILTER, filter_input(r));
	sink->set_chain(sink->arg, TABLE_FILTER, filter_wl_to_host(r));
	sink->set_chain(sink->arg, TABLE_FILTER, filter_forward(r));
	sink->set_chain(sink->arg, TABLE_FILTER, filter_output(r));
	render_failsafes(r, sink);
	render_nat_outgoing(r, false, sink);
	render_dispatch(r, NULL, 0, false, sink);
	render_dispatch(r, NULL, 0, true, sink);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct chain *hook = chain_new(hooks[i].kernel), *tail = NULL;

		jump_to(hook, hooks[i].ours);
		if (hooks[i].table == TABLE_FILTER && strcmp(hooks[i].kernel, "FORWARD") == 0)
			tail = forward_tail(r);
		sink->set_hook(sink->arg, hooks[i].table, hooks[i].kernel,
		               hooks[i].append ? NULL : hook, hooks[i].append ? hook : tail);
	}
}
