/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, hashes and rules, compared with what upstream makes of the same input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/iptables_text.h"
#include "felixd/dataplane/names.h"
#include "felixd/dataplane/render.h"
#include "felixd/dataplane/sha3.h"
#include "test/unit/felixd_dataplane_vectors.h"

/* ---- a sink that keeps everything */

struct kept {
	enum table_id table;
	char name[64]; /* with *appends* */
	struct chain *c;
};
static struct kept kept[256];
static size_t n_kept;

static void keep(enum table_id table, const char *name, struct chain *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < n_kept; i++)
		if (kept[i].table == table && strcmp(kept[i].name, name) == 0)
			break;
	if (i == n_kept) {
		assert_true(n_kept < ARRAY_SIZE(kept));
		n_kept++;
	} else {
		chain_free(kept[i].c);
	}
	kept[i].table = table;
	snprintf(kept[i].name, sizeof(kept[i].name), "%s", name);
	kept[i].c = c;
	iptables_text_hash(c, name);
}

static void keep_chain(void *arg, enum table_id table, struct chain *c)
{
	(void)arg;
	keep(table, c->name, c);
}

static void keep_hook(void *arg, enum table_id table, const char *chain, struct chain *inserts,
                      struct chain *appends)
{
	char name[64];

	(void)arg;
	keep(table, chain, inserts);
	snprintf(name, sizeof(name), "%s*appends*", chain);
	keep(table, name, appends);
}

static const struct render_sink sink = { keep_chain, keep_hook, NULL, NULL };

static int forget(void **state)
{
	(void)state;
	while (n_kept)
		chain_free(kept[--n_kept].c);
	return 0;
}

static const struct chain *found(enum table_id table, const char *name)
{
	for (size_t i = 0; i < n_kept; i++)
		if (kept[i].table == table && strcmp(kept[i].name, name) == 0)
			return kept[i].c;
	return NULL;
}

static void check_vectors(const struct vector *v, size_t n)
{
	for (size_t i = 0, at = 0; i < n; i++) {
		const struct chain *c = found(v[i].table, v[i].chain);
		struct buf text = { 0 }, want = { 0 };

		at = i && v[i].table == v[i - 1].table && strcmp(v[i].chain, v[i - 1].chain) == 0
		             ? at + 1
		             : 0;
		if (!c || at >= c->n_rules)
			fail_msg("%s %s: rule %zu is missing", table_names[v[i].table], v[i].chain,
			         at);
		iptables_text_rule(&text, v[i].chain, &c->rules[at]);
		buf_printf(&want, "-A %s HASH %s", v[i].chain, v[i].text);
		assert_string_equal(buf_cstr(&text), buf_cstr(&want));
		assert_string_equal(c->rules[at].id, v[i].hash);
		if (i + 1 == n || v[i + 1].table != v[i].table ||
		    strcmp(v[i + 1].chain, v[i].chain) != 0)
			assert_int_equal(c->n_rules, at + 1);
		buf_done(&text);
		buf_done(&want);
	}
}

static struct dataplane_config defaults(void)
{
	return (struct dataplane_config){
		.interface_prefix = "cali",
		.endpoint_to_host_action = "ACCEPT",
		.chain_insert_mode = "insert",
		.filter_allow_action = "ACCEPT",
		.mangle_allow_action = "ACCEPT",
		.log_prefix = "calico-packet",
		.deny_action = "DROP",
		.mark_mask = 0xffff0000,
		.device_route_protocol = 3,
		.nat_outgoing_random_fully = true,
	};
}

static struct render_config config(void)
{
	struct dataplane_config dc = defaults();
	struct render_config r;
	struct err err;

	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	return r;
}

/* ---- names */

static void names_longer_than_the_limit_are_hashed(void **state)
{
	static const struct {
		const char *prefix, *suffix;
		size_t max;
		const char *want;
	} cases[] = {
		{ "felix", "_2345", 10, "felix_kMQI" },
		{ "felix", "12345678910", 13, "felix_Y2QCZIS" },
		{ "felix", "12345", 10, "felix12345" },
		{ "felix", "1234", 10, "felix1234" },
		{ "felix", "_234", 10, "felix_234" },
		{ "felix", "", 10, "felix_" },
		{ "cali-pi-", "np/default/default.allow-nginx-to-db", 28,
		  "cali-pi-_k4HcDUjjdad2uWvzSg4" },
		{ "cali-pi-", "gnp/default.foo", 28, "cali-pi-gnp/default.foo" },
		{ "cali-thfw-", "any-interface-at-all", 28, "cali-thfw-_Nqh4HyA73udmyanQI" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		name_limited(out, cases[i].max, cases[i].prefix, cases[i].suffix);
		assert_string_equal(out, cases[i].want);
	}
}

static void policies_profiles_and_groups_have_upstreams_chain_names(void **state)
{
	struct calc_policy_id a = { .kind = "GlobalNetworkPolicy", .ns = "", .name = "a" };
	struct calc_policy_id ab[] = { a,
		                       { .kind = "GlobalNetworkPolicy", .ns = "", .name = "b" } };
	struct calc_policy_id web = { .kind = "NetworkPolicy", .ns = "default", .name = "web" };
	char out[CHAIN_NAME_MAX];

	(void)state;
	name_policy_chain(out, true, &a);
	assert_string_equal(out, "cali-pi-gnp/a");
	name_policy_chain(out, false, &web);
	assert_string_equal(out, "cali-po-np/default/web");
	name_profile_chain(out, true, "kns.default");
	assert_string_equal(out, "cali-pri-kns.default");
	name_group_chain(out, true, "all()", ab, 2);
	assert_string_equal(out, "cali-gi-js-B7zioflPRrAki3OCu");
}

static void sets_are_named_by_cutting(void **state)
{
	char out[SET_NAME_MAX];

	(void)state;
	name_set(out, AF_INET, "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug");
	assert_string_equal(out, "cali40s:5y5I3VdRZfDU01O--xXAPx2");
	name_set(out, AF_INET6, "masq-ipam-pools");
	assert_string_equal(out, "cali60masq-ipam-pools");
	assert_true(name_set_is_ours(AF_INET, "cali4t1"));
	assert_true(name_set_is_ours(AF_INET, "felix-all-ipam-pools"));
	assert_false(name_set_is_ours(AF_INET, "cali60x"));
	assert_false(name_set_is_ours(AF_INET6, "cali40x"));
	assert_false(name_set_is_ours(AF_INET, "blocklist"));
}

static void sha3_of_nothing_and_of_more_than_a_block(void **state)
{
	/* FIPS 202's examples: no bits; and 200 bytes of 0xa3. */
	static const uint8_t nothing[28] = { 0x6b, 0x4e, 0x03, 0x42, 0x36, 0x67, 0xdb,
		                             0xb7, 0x3b, 0x6e, 0x15, 0x45, 0x4f, 0x0e,
		                             0xb1, 0xab, 0xd4, 0x59, 0x7f, 0x9a, 0x1b,
		                             0x07, 0x8e, 0x3f, 0x5b, 0x5a, 0x6b, 0xc7 };
	static const uint8_t a3[28] = { 0x93, 0x76, 0x81, 0x6a, 0xba, 0x50, 0x3f, 0x72, 0xf9, 0x6c,
		                        0xe7, 0xeb, 0x65, 0xac, 0x09, 0x5d, 0xee, 0xe3, 0xbe, 0x4b,
		                        0xf9, 0xbb, 0xc2, 0xa1, 0xcb, 0x7e, 0x11, 0xe0 };
	uint8_t out[28], in[200];

	(void)state;
	memset(in, 0xa3, sizeof(in));
	sha3_224(NULL, 0, out);
	assert_memory_equal(out, nothing, sizeof(out));
	sha3_224(in, sizeof(in), out);
	assert_memory_equal(out, a3, sizeof(out));
}

/* ---- hashes */

static void each_hash_covers_the_rules_before_it(void **state)
{
	static const char *const want[] = { "hecdSCslEjdBPBPo", "plvr29-ZiKUwbzDV",
		                            "BMJ7gfua-eMLZ8Gu", "rmnR1gc8haxMy_0W" };
	struct chain *c = chain_new("FORWARD");

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		rule_begin(c);
		if (i % 2)
			rule_accept(c);
		else
			rule_drop(c);
	}
	iptables_text_hash(c, "FORWARD");
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(c->rules[i].id, want[i]);
	chain_free(c);
}

static void hooks_have_the_hashes_of_real_nodes(void **state)
{
	static const struct vector want[] = {
		{ TABLE_FILTER, "FORWARD", "wUHhoiAYhphO9Mso", "--jump cali-FORWARD" },
		{ TABLE_FILTER, "INPUT", "Cz_u1IQiXIMmKD4c", "--jump cali-INPUT" },
		{ TABLE_FILTER, "OUTPUT", "tVnHkvAo15HuiPy0", "--jump cali-OUTPUT" },
		{ TABLE_RAW, "PREROUTING", "6gwbT8clXdHdC1b1", "--jump cali-PREROUTING" },
		{ TABLE_NAT, "POSTROUTING*appends*", "0i8pjzKKPyA34aQD",
		  "--jump cali-POSTROUTING" },
	};
	struct render_config r = config();

	(void)state;
	render_static(&r, &sink);
	check_vectors(want, ARRAY_SIZE(want));
	render_config_done(&r);
}

static void comments_lose_what_iptables_cannot_quote(void **state)
{
	char out[RULE_COMMENT_MAX + 1], long_one[400];

	(void)state;
	assert_int_equal(iptables_text_comment(out, "a b@%+=:,./-_9\"'\\;\n\xc3\xa4"), 21);
	assert_string_equal(out, "a b@%+=:,./-_9_______");
	memset(long_one, 'x', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	assert_int_equal(iptables_text_comment(out, long_one), RULE_COMMENT_MAX);
}

/* ---- the layout */

static void static_chains_are_upstreams(void **state)
{
	struct render_config r = config();

	(void)state;
	r.vxlan = true;
	r.vxlan_device = "vxlan.calico";
	render_static(&r, &sink);
	render_nat_outgoing(&r, true, &sink);
	check_vectors(static_vectors, ARRAY_SIZE(static_vectors));
	render_config_done(&r);
}

static struct calc_rule any_rule(enum calc_action action)
{
	return (struct calc_rule){ .action = action,
		                   .protocol = -1,
		                   .not_protocol = -1,
		                   .icmp_type = -1,
		                   .icmp_code = -1,
		                   .not_icmp_type = -1,
		                   .not_icmp_code = -1 };
}

static void a_pod_with_a_policy_is_upstreams(void **state)
{
	static const char *const all[] = { "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug" };
	static const struct calc_port_range http = { 80, 80 };
	struct render_config r = config();
	struct calc_rule allow = any_rule(CALC_ALLOW), web = allow;
	struct calc_policy_id id = { .kind = "NetworkPolicy", .ns = "default", .name = "web" };
	struct calc_policy p = { .id = id, .tier = "default", .ingress = &web, .n_ingress = 1 };
	struct calc_profile kns = { .name = "kns.default",
		                    .ingress = &allow,
		                    .egress = &allow,
		                    .n_ingress = 1,
		                    .n_egress = 1 };
	struct calc_tier tier = { .name = "default", .ingress = &id, .n_ingress = 1 };
	const char *profile = "kns.default", *interface = "cali1234";
	struct calc_endpoint e = { .ns = "default",
		                   .name = "w",
		                   .interface = interface,
		                   .tiers = &tier,
		                   .n_tiers = 1,
		                   .profiles = &profile,
		                   .n_profiles = 1 };

	(void)state;
	web.protocol = IPPROTO_TCP;
	web.src.sets = all;
	web.src.n_sets = 1;
	web.dst.ports = &http;
	web.dst.n_ports = 1;
	keep_chain(NULL, TABLE_FILTER, render_policy(&r, &p, true));
	keep_chain(NULL, TABLE_FILTER, render_profile(&r, &kns, true));
	keep_chain(NULL, TABLE_FILTER, render_profile(&r, &kns, false));
	keep_chain(NULL, TABLE_FILTER, render_endpoint(&r, &e, true));
	keep_chain(NULL, TABLE_FILTER, render_endpoint(&r, &e, false));
	render_dispatch(&r, &interface, 1, true, &sink);
	render_dispatch(&r, &interface, 1, false, &sink);
	check_vectors(pod_vectors, ARRAY_SIZE(pod_vectors));
	render_config_done(&r);
}

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

static struct calc_policy_id gnp(const char *name, const char *selector, bool staged)
{
	return (struct calc_policy_id){ .kind = staged ? "StagedGlobalNetworkPolicy"
		                                       : "GlobalNetworkPolicy",
		                        .ns = "",
		                        .name = name,
		                        .selector = selector,
		                        .staged = staged };
}

static void a_host_endpoint_is_upstreams(void **state)
{
	struct felix_port in[] = { { .protocol = IPPROTO_TCP, .port = 22 },
		                   { IPPROTO_UDP, 68, net("10.0.0.0/8") } },
	                  out[] = { { .protocol = IPPROTO_UDP, .port = 53 },
		                    { IPPROTO_TCP, 179, net("fd00::/8") } };
	struct calc_policy_id u = gnp("u", "all()", false), d = gnp("d", "all()", false),
	                      f = gnp("f", "all()", false), y = gnp("y", "has(b)", true),
	                      all[] = { f, gnp("s", "all()", true), gnp("n", "all()", false),
		                        gnp("x", "has(a)", false), gnp("y", "has(a)", true) };
	struct calc_tier untracked = { "default", true, &u, &u, 1, 1 },
	                 pre = { "default", true, &d, NULL, 1, 0 },
	                 forward = { "default", false, &f, NULL, 1, 0 },
	                 normal = { "default", false, all, &y, 5, 1 };
	const char *profile = "open";
	struct calc_host_endpoint e = { .name = "e",
		                        .interface = "eth0",
		                        .untracked = { &untracked, 1 },
		                        .pre_dnat = { &pre, 1 },
		                        .forward = { &forward, 1 },
		                        .normal = { &normal, 1 },
		                        .profiles = &profile,
		                        .n_profiles = 1 },
	                          bare = { .name = "a", .interface = "*" };
	const struct render_host hosts[] = { { "eth0", &e }, { "eth1", &bare }, { "wan", &bare } };
	struct dataplane_config dc = defaults();
	struct render_config r;
	struct err err;

	(void)state;
	dc.failsafe_in = (struct felix_ports){ in, 2 };
	dc.failsafe_out = (struct felix_ports){ out, 2 };
	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	render_failsafes(&r, &sink);
	render_host_endpoint(&r, &e, "eth0", &sink);
	render_host_endpoint(&r, &bare, RENDER_ANY_INTERFACE, &sink);
	render_host_dispatch(&r, hosts, 3, &bare, &sink);
	check_vectors(host_vectors, ARRAY_SIZE(host_vectors));
	render_config_done(&r);
}

static void a_host_endpoint_rejects_in_filter_alone(void **state)
{
	struct calc_host_endpoint bare = { .name = "a", .interface = "eth0" };
	const struct render_host host = { "eth0", &bare };
	struct dataplane_config dc = defaults();
	struct render_config r;
	const struct chain *c;
	struct err err;

	(void)state;
	dc.deny_action = "REJECT";
	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	render_host_endpoint(&r, &bare, "eth0", &sink);
	c = found(TABLE_FILTER, "cali-th-eth0");
	assert_int_equal(c->rules[c->n_rules - 1].action.kind, ACTION_REJECT);
	c = found(TABLE_MANGLE, "cali-th-eth0");
	assert_int_equal(c->rules[c->n_rules - 1].action.kind, ACTION_DROP);
	/* Nothing leads to chains of a class that the endpoint does not have, and without a
	 * wildcard other interfaces are nobody's. */
	render_host_dispatch(&r, &host, 1, NULL, &sink);
	assert_int_equal(found(TABLE_FILTER, "cali-from-host-endpoint")->n_rules, 1);
	assert_int_equal(found(TABLE_MANGLE, "cali-to-host-endpoint")->n_rules, 1);
	assert_int_equal(found(TABLE_MANGLE, "cali-from-host-endpoint")->n_rules, 0);
	assert_int_equal(found(TABLE_RAW, "cali-from-host-endpoint")->n_rules, 0);
	assert_int_equal(found(TABLE_RAW, "cali-to-host-endpoint")->n_rules, 0);
	render_config_done(&r);
}

/* ---- policies: what a rule becomes, as text without "-A chain HASH" */

static void check_rule(const struct calc_rule *rule, const char *const *want)
{
	struct render_config r = config();
	struct calc_policy p = { .id = { .kind = "GlobalNetworkPolicy", .ns = "", .name = "p" },
		                 .tier = "default",
		                 .ingress = rule,
		                 .n_ingress = 1 };
	struct chain *c = render_policy(&r, &p, true);
	size_t i;

	for (i = 0; want[i]; i++) {
		struct buf text = { 0 };
		const char *s;

		if (i >= c->n_rules)
			fail_msg("rule %zu is missing: %s", i, want[i]);
		iptables_text_rule(&text, "c", &c->rules[i]);
		s = strstr(buf_cstr(&text), "HASH") + 4;
		if (i == 0) {
			assert_non_null(strstr(s, "\"GlobalNetworkPolicy p ingress\""));
			s = strstr(s, "ingress\"") + 8;
		}
		assert_string_equal(*s ? s + 1 : s, want[i]);
		buf_done(&text);
	}
	assert_int_equal(c->n_rules, i);
	chain_free(c);
	render_config_done(&r);
}

#define CHECK(rule, ...) check_rule(&(rule), (const char *const[]){ __VA_ARGS__, NULL })

static void actions(void **state)
{
	struct calc_rule allow = any_rule(CALC_ALLOW), deny = any_rule(CALC_DENY),
	                 pass = any_rule(CALC_PASS), log = any_rule(CALC_LOG);

	(void)state;
	CHECK(allow, "--jump MARK --set-mark 0x10000/0x10000");
	CHECK(pass, "--jump MARK --set-mark 0x20000/0x20000");
	CHECK(deny, "--jump MARK --set-mark 0x40000/0x40000",
	      "-m mark --mark 0x40000/0x40000 --jump DROP");
	CHECK(log, "--jump LOG --log-prefix \"calico-packet: \" --log-level 5");
	allow.ip_version = 6;
	CHECK(allow, "");
}

static void every_match_in_its_place(void **state)
{
	struct ip_prefix n10 = net("10.0.0.0/8"), n11 = net("11.0.0.0/8"), v6 = net("fd00::/8");
	static const char *const s1[] = { "s:one" }, *const s2[] = { "s:two" };
	static const char *const ns1[] = { "s:not1" }, *const ns2[] = { "s:not2" };
	static const struct calc_port_range p1[] = { { 1, 1 } }, p2[] = { { 2, 3 } };
	struct calc_rule r = any_rule(CALC_ALLOW);

	(void)state;
	r.protocol = IPPROTO_TCP;
	r.src = (struct calc_side){ .nets = &n10,
		                    .n_nets = 1,
		                    .sets = s1,
		                    .n_sets = 1,
		                    .ports = p1,
		                    .n_ports = 1,
		                    .not_sets = ns1,
		                    .n_not_sets = 1,
		                    .not_ports = p2,
		                    .n_not_ports = 1 };
	r.dst = (struct calc_side){ .nets = &n11,
		                    .n_nets = 1,
		                    .sets = s2,
		                    .n_sets = 1,
		                    .ports = p2,
		                    .n_ports = 1,
		                    .not_sets = ns2,
		                    .n_not_sets = 1,
		                    .not_ports = p1,
		                    .n_not_ports = 1 };
	CHECK(r, "-p tcp --source 10.0.0.0/8 -m set --match-set cali40s:one src"
	         " -m multiport --source-ports 1 --destination 11.0.0.0/8"
	         " -m set --match-set cali40s:two dst -m multiport --destination-ports 2:3"
	         " -m set ! --match-set cali40s:not1 src -m multiport ! --source-ports 2:3"
	         " -m set ! --match-set cali40s:not2 dst -m multiport ! --destination-ports 1"
	         " --jump MARK --set-mark 0x10000/0x10000");

	r = any_rule(CALC_ALLOW);
	r.protocol = IPPROTO_ICMP;
	r.icmp_type = 8;
	r.icmp_code = 0;
	CHECK(r, "-p icmp -m icmp --icmp-type 8/0 --jump MARK --set-mark 0x10000/0x10000");
	r.icmp_type = r.icmp_code = -1;
	r.not_icmp_type = 3;
	CHECK(r, "-p icmp -m icmp ! --icmp-type 3 --jump MARK --set-mark 0x10000/0x10000");
	r = any_rule(CALC_ALLOW);
	r.not_protocol = IPPROTO_UDP;
	r.src.not_nets = &n10;
	r.src.n_not_nets = 1;
	CHECK(r, "! -p udp ! --source 10.0.0.0/8 --jump MARK --set-mark 0x10000/0x10000");
	r = any_rule(CALC_ALLOW);
	r.protocol = 47;
	CHECK(r, "-p 47 --jump MARK --set-mark 0x10000/0x10000");
	r.protocol = IPPROTO_TCP;
	r.protocol_by_number = true; /* as the policy has it: the hash sees it */
	CHECK(r, "-p 6 --jump MARK --set-mark 0x10000/0x10000");
	r.src.nets = &v6; /* nothing left for IPv4 */
	r.src.n_nets = 1;
	CHECK(r, "");
}

static void more_than_one_rule_can_say_takes_blocks(void **state)
{
	struct ip_prefix nets[] = { net("10.0.0.0/8"), net("fd00::/8"), net("11.0.0.1/32") };
	struct ip_prefix not_nets[] = { net("10.1.0.0/16"), net("10.2.0.0/16") };
	static const char *const named[] = { "n:http" };
	struct calc_port_range many[16];
	struct calc_rule r = any_rule(CALC_DENY);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct calc_port_range){ (uint16_t)(i + 1), (uint16_t)(i + 1) };
	many[14].max = 20; /* a range does not fit into the last slot */
	r.protocol = IPPROTO_TCP;
	r.dst.ports = many;
	r.dst.n_ports = 16;
	r.dst.port_sets = named;
	r.dst.n_port_sets = 1;
	r.src.nets = nets;
	r.src.n_nets = 3;
	r.src.not_nets = not_nets;
	r.src.n_not_nets = 2;
	CHECK(r, "--jump MARK --set-mark 0/0x180000",
	      "-p tcp -m multiport --destination-ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14"
	      " --jump MARK --set-mark 0x80000/0x80000",
	      "-p tcp -m multiport --destination-ports 15:20,16"
	      " --jump MARK --set-mark 0x80000/0x80000",
	      "-m set --match-set cali40n:http dst,dst --jump MARK --set-mark 0x80000/0x80000",
	      "--source 10.0.0.0/8 --jump MARK --set-mark 0x100000/0x100000",
	      "--source 11.0.0.1/32 --jump MARK --set-mark 0x100000/0x100000",
	      "-m mark --mark 0/0x100000 --jump MARK --set-mark 0/0x80000",
	      "--source 10.1.0.0/16 --jump MARK --set-mark 0/0x80000",
	      "--source 10.2.0.0/16 --jump MARK --set-mark 0/0x80000",
	      "-p tcp -m mark --mark 0x80000/0x80000 --jump MARK --set-mark 0x40000/0x40000",
	      "-m mark --mark 0x40000/0x40000 --jump DROP");

	/* One positive network has the rule's only place: the negated one needs a block. */
	r = any_rule(CALC_ALLOW);
	r.dst.nets = nets;
	r.dst.n_nets = 1;
	r.dst.not_nets = not_nets;
	r.dst.n_not_nets = 1;
	CHECK(r, "--jump MARK --set-mark 0x80000/0x180000",
	      "--destination 10.1.0.0/16 --jump MARK --set-mark 0/0x80000",
	      "--destination 10.0.0.0/8 -m mark --mark 0x80000/0x80000"
	      " --jump MARK --set-mark 0x10000/0x10000");
}

static void a_rule_the_kernel_would_refuse_is_left_out(void **state)
{
	static const struct calc_port_range http = { 80, 80 };
	struct calc_rule r = any_rule(CALC_ALLOW);

	(void)state;
	r.dst.ports = &http;
	r.dst.n_ports = 1;
	CHECK(r, "");
	r = any_rule(CALC_ALLOW);
	r.icmp_type = 8;
	CHECK(r, "");
	r = any_rule(CALC_ALLOW);
	r.protocol = r.not_protocol = 6;
	CHECK(r, "");
	r = any_rule(CALC_ALLOW);
	struct ip_prefix all = net("0.0.0.0/0");
	r.src.not_nets = &all;
	r.src.n_not_nets = 1;
	CHECK(r, "");
}

static void log_prefixes_are_filled_in(void **state)
{
	struct dataplane_config dc = defaults();
	struct render_config r;
	struct calc_rule log = any_rule(CALC_LOG);
	struct calc_policy p = { .id = { .kind = "NetworkPolicy", .ns = "ns", .name = "p" },
		                 .tier = "t",
		                 .egress = &log,
		                 .n_egress = 1 };
	struct err err;

	(void)state;
	dc.log_prefix = "%t|%k|%n|%p|%x%";
	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	struct chain *c = render_policy(&r, &p, false);
	assert_string_equal(c->rules[0].action.log_prefix, "t|np|p|ns/p|%x%");
	chain_free(c);
	render_config_done(&r);
}

/* ---- endpoints */

static void ignore_chain(void *arg, struct chain *c)
{
	size_t *n = arg;

	(*n)++;
	keep_chain(NULL, TABLE_FILTER, c);
}

static void policies_with_one_selector_share_a_chain(void **state)
{
	struct render_config r = config();
	struct calc_policy_id ids[8];
	char names[8][2];
	struct calc_tier tier = { .name = "t", .default_pass = true, .egress = ids, .n_egress = 8 };
	struct calc_endpoint e = { .interface = "cali1", .tiers = &tier, .n_tiers = 1 };
	size_t groups = 0;
	struct chain *c;
	const struct chain *g;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		snprintf(names[i], 2, "%c", (char)('a' + i));
		ids[i] = (struct calc_policy_id){ .kind = "GlobalNetworkPolicy",
			                          .ns = "",
			                          .name = names[i],
			                          .selector = i < 7 ? "all()" : "x == 'y'" };
	}
	render_endpoint_groups(&r, &e, false, ignore_chain, &groups);
	assert_int_equal(groups, 1);
	c = render_endpoint(&r, &e, false);
	/* 2 conntrack, 1 clear, 2 encapsulation, tier: 1 + 2 * 2, and the end: no drop in between,
	 * the tier passes */
	assert_int_equal(c->n_rules, 11);
	g = found(TABLE_FILTER, c->rules[6].action.chain);
	assert_non_null(g);
	assert_int_equal(g->n_rules, 8); /* seven jumps, and a way out before the sixth */
	assert_int_equal(g->rules[0].n_matches, 0);
	assert_int_equal(g->rules[5].action.kind, ACTION_RETURN);
	assert_int_equal(g->rules[6].n_matches, 0);
	assert_string_equal(c->rules[8].action.chain, "cali-po-gnp/h");
	chain_free(c);
	render_config_done(&r);
}

static void with_return_as_verdict_established_packets_carry_the_mark(void **state)
{
	struct dataplane_config dc = defaults();
	struct render_config r;
	struct calc_endpoint e = { .interface = "cali1" };
	struct err err;
	struct chain *c;

	(void)state;
	dc.filter_allow_action = "return"; /* any case */
	dc.deny_action = "REJECT";
	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	c = render_endpoint(&r, &e, true);
	assert_int_equal(c->rules[0].action.kind, ACTION_MARK);
	assert_int_equal(c->rules[1].action.kind, ACTION_RETURN);
	assert_int_equal(c->rules[2].action.kind, ACTION_REJECT);
	assert_string_equal(c->rules[c->n_rules - 1].comments[0], "Reject if no profiles matched");
	chain_free(c);
	render_config_done(&r);
}

static void dispatch_is_a_tree(void **state)
{
	static const char *const names[] = { "cali1", "cali1a1", "cali1a2", "cali1b1" };
	struct render_config r = config();
	const struct chain *c;

	(void)state;
	render_dispatch(&r, names, 4, false, &sink);
	c = found(TABLE_FILTER, "cali-from-wl-dispatch");
	assert_int_equal(c->n_rules, 4);
	assert_string_equal(c->rules[0].action.chain, "cali-fw-cali1");
	assert_string_equal(c->rules[1].action.chain, "cali-from-wl-dispatch-a");
	assert_string_equal(c->rules[1].matches[0].iface, "cali1a+");
	assert_string_equal(c->rules[2].action.chain, "cali-fw-cali1b1");
	assert_int_equal(c->rules[3].action.kind, ACTION_DROP);
	c = found(TABLE_FILTER, "cali-from-wl-dispatch-a");
	assert_int_equal(c->n_rules, 3);
	assert_int_equal(c->rules[2].action.kind, ACTION_DROP);
	render_config_done(&r);
}

/* ---- configuration */

static void bad_settings_are_named(void **state)
{
	static const struct {
		const char *prefix, *allow, *deny, *host;
		uint32_t mask;
		const char *names;
	} cases[] = {
		{ "cali", "DROP", "DROP", "DROP", 0xffff0000, "IptablesFilterAllowAction" },
		{ "cali", "ACCEPT", "ACCEPT", "DROP", 0xffff0000, "IptablesFilterDenyAction" },
		{ "cali", "ACCEPT", "DROP", "REJECT", 0xffff0000, "DefaultEndpointToHostAction" },
		{ "cali", "ACCEPT", "DROP", "DROP", 0xf0, "IptablesMarkMask" },
		{ ",", "ACCEPT", "DROP", "DROP", 0xffff0000, "InterfacePrefix" },
		{ "muchtoolonganame", "ACCEPT", "DROP", "DROP", 0xffff0000, "InterfacePrefix" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dataplane_config dc = defaults();
		struct render_config r;
		struct err err = { 0 };

		dc.interface_prefix = cases[i].prefix;
		dc.filter_allow_action = cases[i].allow;
		dc.deny_action = cases[i].deny;
		dc.endpoint_to_host_action = cases[i].host;
		dc.mark_mask = cases[i].mask;
		assert_true(render_config_init(&r, &dc, AF_INET, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].names));
	}
}

static void several_prefixes(void **state)
{
	struct dataplane_config dc = defaults();
	struct render_config r;
	struct err err;

	(void)state;
	dc.interface_prefix = "cali,tap,x";
	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	assert_int_equal(r.n_prefixes, 3);
	assert_string_equal(r.prefixes[0], "cali+");
	assert_string_equal(r.prefixes[1], "tap+");
	assert_string_equal(r.prefixes[2], "x+");
	render_config_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_longer_than_the_limit_are_hashed),
		cmocka_unit_test(policies_profiles_and_groups_have_upstreams_chain_names),
		cmocka_unit_test(sets_are_named_by_cutting),
		cmocka_unit_test(sha3_of_nothing_and_of_more_than_a_block),
		cmocka_unit_test(each_hash_covers_the_rules_before_it),
		cmocka_unit_test_teardown(hooks_have_the_hashes_of_real_nodes, forget),
		cmocka_unit_test(comments_lose_what_iptables_cannot_quote),
		cmocka_unit_test_teardown(static_chains_are_upstreams, forget),
		cmocka_unit_test_teardown(a_pod_with_a_policy_is_upstreams, forget),
		cmocka_unit_test_teardown(a_host_endpoint_is_upstreams, forget),
		cmocka_unit_test_teardown(a_host_endpoint_rejects_in_filter_alone, forget),
		cmocka_unit_test(actions),
		cmocka_unit_test(every_match_in_its_place),
		cmocka_unit_test(more_than_one_rule_can_say_takes_blocks),
		cmocka_unit_test(a_rule_the_kernel_would_refuse_is_left_out),
		cmocka_unit_test(log_prefixes_are_filled_in),
		cmocka_unit_test_teardown(policies_with_one_selector_share_a_chain, forget),
		cmocka_unit_test(with_return_as_verdict_established_packets_carry_the_mark),
		cmocka_unit_test_teardown(dispatch_is_a_tree, forget),
		cmocka_unit_test(bad_settings_are_named),
		cmocka_unit_test(several_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
