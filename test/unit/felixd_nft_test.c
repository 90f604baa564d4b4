/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nftables backend: texts and hashes against those of upstream; every match and action against
 * a real kernel, in a network namespace of the test's own, as nft shows it; sets whose networks lie
 * in each other; what is right is not written again. What needs the kernel is skipped without the
 * right to a namespace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/nft_rules.h"
#include "felixd/dataplane/nft_sets.h"
#include "felixd/dataplane/nft_text.h"
#include "felixd/dataplane/render.h"

/* ---- hashes */

struct vector {
	const char *chain, *hash, *text;
};

static void check_hashes(enum table_id layer, const char *name, struct chain *c, const char *seed,
                         const struct vector *v, size_t n)
{
	size_t at = 0;

	nft_text_hash(c, layer, AF_INET, seed);
	for (size_t i = 0; i < n; i++) {
		struct buf text = { 0 };

		if (strcmp(v[i].chain, name) != 0)
			continue;
		if (at >= c->n_rules)
			fail_msg("%s has only %zu rules", name, at);
		nft_text_rule(&text, layer, AF_INET, &c->rules[at]);
		assert_string_equal(buf_cstr(&text), v[i].text);
		assert_string_equal(c->rules[at++].id, v[i].hash);
		buf_done(&text);
	}
	if (at)
		assert_int_equal(at, c->n_rules);
}

static void generic_hashes_are_upstreams(void **state)
{
	static const struct vector forward[] = {
		{ "f", "DCGauXoHP5A9-AIO", "counter drop" },
		{ "f", "6tpY0LmXqEPD5dsI", "counter accept" },
		{ "f", "_Zdh35A6d8kLWs7z", "counter drop" },
		{ "f", "K23j5egouXzd1qRD", "counter accept" },
	};
	struct chain *c = chain_new("FORWARD");

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		rule_begin(c);
		if (i % 2)
			rule_accept(c);
		else
			rule_drop(c);
	}
	check_hashes(TABLE_FILTER, "f", c, "FORWARD", forward, ARRAY_SIZE(forward));
	chain_free(c);
}

static const struct vector statics[] = {
	{ "filter-INPUT", "H0S9z2pOh43UL0cc", "counter jump filter-cali-INPUT" },
	{ "filter-FORWARD", "dpfqBgJrpRwlrqw1", "counter jump filter-cali-FORWARD" },
	{ "filter-FORWARD*appends*", "yp7iNUYNEhDmKF6E",
	  "meta mark & 0x10000 == 0x10000 counter accept" },
	{ "filter-FORWARD*appends*", "fXaqbwKfGHq5dvHP", "counter meta mark set mark or 0x10000" },
	{ "filter-OUTPUT", "cxN7yDysHHPQSuUC", "counter jump filter-cali-OUTPUT" },
	{ "nat-POSTROUTING*appends*", "z057H0Z77Fcko47w", "counter jump nat-cali-POSTROUTING" },
	{ "filter-cali-FORWARD", "DjLNGAdnReheqqCp", "counter meta mark set mark & 0xffe5ffff" },
	{ "filter-cali-FORWARD", "nYRf9HAGIu4qv2zI",
	  "meta mark & 0x10000 == 0 counter jump filter-cali-from-hep-forward" },
	{ "filter-cali-FORWARD", "otxs2Q4D05BNLIsQ",
	  "iifname cali* counter jump filter-cali-from-wl-dispatch" },
	{ "filter-cali-FORWARD", "j573pOiV4ETpv7o4",
	  "oifname cali* counter jump filter-cali-to-wl-dispatch" },
	{ "filter-cali-FORWARD", "spaMQnRTjqphyAAs", "counter jump filter-cali-to-hep-forward" },
	{ "filter-cali-FORWARD", "gPO_isDuaIy0xfd5", "counter jump filter-cali-cidr-block" },
	{ "filter-cali-OUTPUT", "98uiW9xxCe92G9L3",
	  "meta mark & 0x10000 == 0x10000 counter accept" },
	{ "filter-cali-OUTPUT", "XeexzRpdwsnmqftJ", "oifname cali* counter return" },
	{ "filter-cali-OUTPUT", "CG2tcTTN3DS2FC_s", "counter meta mark set mark & 0xffe4ffff" },
	{ "filter-cali-OUTPUT", "OEg1D1yn2B2IRfVG",
	  "ct status != dnat counter jump filter-cali-to-host-endpoint" },
	{ "filter-cali-OUTPUT", "ZxVD63uRncCV21YB",
	  "meta mark & 0x10000 == 0x10000 counter accept" },
	{ "filter-cali-from-wl-dispatch", "Lui9n9_J-BlSLUtk",
	  "iifname vmap @filter-cali-from-wl-dispatch" },
	{ "filter-cali-from-wl-dispatch", "KMISEjprqaGFiicp", "counter drop" },
	{ "filter-cali-to-wl-dispatch", "ljtHSLJQhigspPd1",
	  "oifname vmap @filter-cali-to-wl-dispatch" },
	{ "filter-cali-to-wl-dispatch", "zeZtiiPDsE6BwqUG", "counter drop" },
	{ "filter-cali-tw-cali1234", "O1ubADHSmlm5gCoN",
	  "ct state related,established counter accept" },
	{ "filter-cali-tw-cali1234", "XlRIw9O1LjvYcyrA", "ct state invalid counter drop" },
	{ "filter-cali-tw-cali1234", "D7zX2qMNhgIe9cw3",
	  "counter meta mark set mark & 0xfffcffff" },
	{ "filter-cali-tw-cali1234", "Q8xnduyKFfiGox4s",
	  "counter meta mark set mark & 0xfffdffff" },
	{ "filter-cali-tw-cali1234", "j5kGP1Q6IxbFGleZ",
	  "meta mark & 0x20000 == 0 counter jump filter-cali-pi-np/default/web" },
	{ "filter-cali-tw-cali1234", "V_SEC1eVkpRSK8To",
	  "meta mark & 0x10000 == 0x10000 counter return" },
	{ "filter-cali-tw-cali1234", "b6KDhxq4xSX2oPz_", "meta mark & 0x20000 == 0 counter drop" },
	{ "filter-cali-tw-cali1234", "Qa_H3KLKY2pV80o7",
	  "counter jump filter-cali-pri-kns.default" },
	{ "filter-cali-tw-cali1234", "zIp44BOaW4ROd6-t",
	  "meta mark & 0x10000 == 0x10000 counter return" },
	{ "filter-cali-tw-cali1234", "llbujwJQBZHXzjHt", "counter drop" },
};
static size_t n_checked;

static void check_chain(void *arg, enum table_id table, struct chain *c)
{
	char name[NFT_NAME_MAX];

	(void)arg;
	nft_name(name, table, c->name);
	check_hashes(table, name, c, c->name, statics, ARRAY_SIZE(statics));
	n_checked++;
	chain_free(c);
}

static void check_hook(void *arg, enum table_id table, const char *hook, struct chain *inserts,
                       struct chain *appends)
{
	char name[NFT_NAME_MAX], seed[NFT_NAME_MAX];

	(void)arg;
	nft_name(name, table, hook);
	if (inserts)
		check_hashes(table, name, inserts, hook, statics, ARRAY_SIZE(statics));
	snprintf(seed, sizeof(seed), "%s*appends*", hook);
	nft_name(name, table, seed);
	if (appends)
		check_hashes(table, name, appends, seed, statics, ARRAY_SIZE(statics));
	chain_free(inserts);
	chain_free(appends);
}

static void check_map(void *arg, enum table_id table, const char *name,
                      const struct verdict *entries, size_t n)
{
	(void)arg;
	assert_int_equal(table, TABLE_FILTER);
	if (n) {
		assert_string_equal(entries[0].iface, "cali1234");
		assert_string_equal(entries[0].chain,
		                    strstr(name, "-to-") ? "cali-tw-cali1234" : "cali-fw-cali1234");
	}
}

static struct render_config config(const char *deny)
{
	struct dataplane_config dc = {
		.interface_prefix = "cali",
		.endpoint_to_host_action = "ACCEPT",
		.filter_allow_action = "ACCEPT",
		.mangle_allow_action = "ACCEPT",
		.log_prefix = "calico-packet",
		.deny_action = deny,
		.mark_mask = 0xffff0000,
		.device_route_protocol = 3,
		.nat_outgoing_random_fully = true,
	};
	struct render_config r;
	struct err err;

	assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
	r.vmaps = true;
	return r;
}

static void static_chains_and_a_pod_are_upstreams(void **state)
{
	static const struct render_sink sink = { check_chain, check_hook, check_map, NULL };
	static const char *const interfaces[] = { "cali1234" };
	struct calc_policy_id web = { .kind = "NetworkPolicy", .ns = "default", .name = "web" };
	struct calc_tier tier = { .name = "default", .ingress = &web, .n_ingress = 1 };
	const char *profiles[] = { "kns.default" };
	struct calc_endpoint e = { .interface = "cali1234",
		                   .tiers = &tier,
		                   .n_tiers = 1,
		                   .profiles = profiles,
		                   .n_profiles = 1 };
	struct render_config r = config("DROP");

	(void)state;
	render_static(&r, &sink);
	render_dispatch(&r, interfaces, 1, true, &sink);
	render_dispatch(&r, interfaces, 1, false, &sink);
	check_chain(NULL, TABLE_FILTER, render_endpoint(&r, &e, true));
	assert_true(n_checked > 20);
	render_config_done(&r);
}

static void a_policys_rule_is_upstreams(void **state)
{
	static const struct calc_port_range http = { 80, 80 };
	static const struct vector want[] = {
		{ "p", "WtLZxt3iBiAvYH_I",
		  "meta l4proto tcp ip saddr @cali40s-5y5I3VdRZfDU01O--xXAPx2 tcp dport { 80 } "
		  "counter meta mark set mark or 0x10000" }
	};
	struct match m[] = { match_proto(6, false, false),
		             match_set(true, "cali40s:5y5I3VdRZfDU01O--xXAPx2", false, false),
		             match_ports(false, &http, 1, false) };
	struct chain *c = chain_new("cali-pi-np/default/web");
	char comment[NFT_COMMENT_MAX], id[RULE_ID_MAX];

	(void)state;
	rule_begin(c);
	rule_comment(c, "NetworkPolicy default/web \"ingress\"");
	rule_match_all(c, m, ARRAY_SIZE(m));
	rule_mark(c, 0x10000, 0x10000);
	check_hashes(TABLE_FILTER, "p", c, c->name, want, 1);
	nft_text_comment(comment, &c->rules[0]);
	assert_string_equal(comment, "cali:WtLZxt3iBiAvYH_I; NetworkPolicy default/web _ingress_");
	nft_text_id(comment, strlen(comment), id);
	assert_string_equal(id, "WtLZxt3iBiAvYH_I");
	nft_text_id("cali:WtLZxt3iBiAvYH_", 20, id);
	assert_string_equal(id, "");
	chain_free(c);
}

/* ---- the kernel's side */

static bool have_kernel;

static int enter_namespace(void **state)
{
	(void)state;
	have_kernel = unshare(CLONE_NEWNET) == 0 && system("nft list ruleset >/dev/null 2>&1") == 0;
	return 0;
}

static char *listed(void)
{
	FILE *f = popen("nft -y list table ip calico 2>&1", "r");
	struct buf out = { 0 };
	char part[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&out, part, n);
	pclose(f);
	return buf_take(&out);
}

static bool is_shown(const char *text)
{
	char *all = listed();
	bool is = strstr(all, text) != NULL;

	free(all);
	return is;
}

static void shows(const char *text)
{
	char *all = listed();

	if (!strstr(all, text))
		fail_msg("nft does not show '%s':\n%s", text, all);
	free(all);
}

static void run(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

struct backend {
	struct nft_link *link;
	struct nft_sets *sets;
	struct nft_rules *rules;
};

static struct backend backend(void)
{
	struct backend b;
	struct err err;

	assert_int_equal(nft_link_open(AF_INET, &b.link, &err), 0);
	b.sets = nft_sets_new(b.link);
	b.rules = nft_rules_new(b.link, b.sets);
	return b;
}

static void done(struct backend *b)
{
	nft_rules_ops.free(b->rules);
	nft_sets_ops.free(b->sets);
	nft_link_close(b->link);
}

static void applied(struct backend *b)
{
	struct err err = { 0 };
	int rc;

	while ((rc = nft_sets_ops.apply(b->sets, SIZE_MAX, &err)) > 0)
		;
	if (rc < 0)
		fail_msg("sets: %s", err.text);
	if (nft_rules_ops.apply(b->rules, &err) < 0)
		fail_msg("rules: %s", err.text);
	(void)nft_sets_ops.destroy_unwanted(b->sets);
}

static void want_sets(struct backend *b)
{
	static const char *const ids[] = { "dscp-src-net",    "network-ip-pools", "this-host",
		                           "masq-ipam-pools", "all-vxlan-net",    "s:one" };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		nft_sets_ops.want(b->sets, ids[i], IPSET_NET, NULL, 0);
	nft_sets_ops.want(b->sets, "n:http", IPSET_IP_PORT, NULL, 0);
}

static struct chain *hook_to(const char *target)
{
	struct chain *c = chain_new("hook");

	rule_begin(c);
	rule_jump(c, target);
	return c;
}

static void every_static_rule_is_taken_and_not_written_twice(void **state)
{
	static const char *const denies[] = { "DROP", "REJECT" };

	(void)state;
	if (!have_kernel)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(denies); i++) {
		struct render_config r = config(denies[i]);

		for (unsigned again = 0; again < 2; again++) {
			struct backend b = backend();
			struct render_sink sink = { nft_rules_ops.set_chain, nft_rules_ops.set_hook,
				                    nft_rules_ops.set_map, b.rules };

			want_sets(&b);
			r.vxlan = true;
			r.vxlan_device = "vxlan.calico";
			render_static(&r, &sink);
			render_nat_outgoing(&r, true, &sink);
			applied(&b);
			if (again) {
				assert_int_equal(nft_rules_ops.stats(b.rules).writes, 0);
				assert_int_equal(nft_sets_ops.stats(b.sets).requests, 0);
			} else {
				assert_int_equal(nft_rules_ops.stats(b.rules).writes, 1);
			}
			assert_int_equal(nft_rules_ops.stats(b.rules).failures, 0);
			done(&b);
		}
		render_config_done(&r);
	}
	shows("udp dport 4789 counter packets 0 bytes 0 notrack");
	shows("fib saddr . mark . iif oif 0 counter packets 0 bytes 0 drop");
	shows("oifname \"vxlan.calico\" fib saddr . oif type != local fib saddr type local counter "
	      "packets 0 bytes 0 masquerade to :4790-65535 fully-random");
	shows("ip saddr @cali40dscp-src-net ip daddr != @cali40network-ip-pools");
	shows("iifname \"cali*\" counter packets 0 bytes 0 goto filter-cali-wl-to-host");
	shows("iifname vmap @filter-cali-from-wl-dispatch");
	shows("counter packets 0 bytes 0 reject comment");
	shows("type nat hook postrouting priority 110;");
	run("nft delete table ip calico");
}

static void every_match_is_shown_as_it_was_meant(void **state)
{
	static const struct calc_port_range ports[] = { { 80, 80 },
		                                        { 1000, 1010 },
		                                        { 65535, 65535 } };
	static const struct {
		struct match m;
		int proto;
		const char *shown;
	} cases[] = {
		{ { .kind = MATCH_PORTS, .src = true, .ports = { ports, 3 } },
		  6,
		  "tcp sport { 80, 1000-1010, 65535 }" },
		{ { .kind = MATCH_PORTS, .neg = true, .ports = { ports, 1 } },
		  17,
		  "udp dport != 80" },
		{ { .kind = MATCH_PORTS, .neg = true, .ports = { ports + 1, 1 } },
		  132,
		  "sctp dport != { 1000-1010 }" },
		{ { .kind = MATCH_PORT, .port = 53 }, 6, "tcp dport 53" },
		{ { .kind = MATCH_ICMP, .icmp = { 8, 0 } },
		  1,
		  "icmp type echo-request icmp code " },
		{ { .kind = MATCH_ICMP, .neg = true, .icmp = { 3, -1 } },
		  1,
		  "icmp type != destination-unreachable" },
		{ { .kind = MATCH_ICMP, .neg = true, .icmp = { 8, 3 } },
		  1,
		  "icmp type != echo-request icmp code != port-unreachable" },
		{ { .kind = MATCH_SET, .src = true, .set = { "cali40n:http", true } },
		  -1,
		  "ip saddr . meta l4proto . th sport @cali40n-http" },
		{ { .kind = MATCH_SET, .neg = true, .set = { "cali40n:http", true } },
		  -1,
		  "ip daddr . meta l4proto . th dport != @cali40n-http" },
		{ { .kind = MATCH_SET, .set = { "cali40s:one", false } },
		  -1,
		  "ip daddr @cali40s-one" },
		{ { .kind = MATCH_PROTO, .neg = true, .proto = { 47, false } },
		  -1,
		  "meta l4proto != gre" },
		{ { .kind = MATCH_MARK, .neg = true, .mark = { 0, 0x30000 } },
		  -1,
		  "meta mark & 0x00030000 != 0x00000000" },
		{ { .kind = MATCH_IFACE, .iface = "cali1" }, -1, "oifname \"cali1\"" },
		{ { .kind = MATCH_IFACE, .src = true, .iface = "cali123456789ab" },
		  -1,
		  "iifname \"cali123456789ab\"" },
		{ { .kind = MATCH_NET,
		    .neg = true,
		    .src = true,
		    .net = { { AF_INET, { 10, 1, 2, 3 } }, 8 } },
		  -1,
		  "ip saddr != 10.0.0.0/8" },
		{ { .kind = MATCH_NET, .net = { { AF_INET, { 10, 1, 2, 3 } }, 32 } },
		  -1,
		  "ip daddr 10.1.2.3" },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_RELATED | CT_ESTABLISHED },
		  -1,
		  "ct state established,related" },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_INVALID }, -1, "ct state invalid" },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_DNAT }, -1, "ct status dnat" },
	};
	struct chain *c = chain_new("cali-test");
	struct backend b;

	(void)state;
	if (!have_kernel)
		skip();
	b = backend();
	want_sets(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rule_begin(c);
		rule_comment(c, "case %zu", i);
		if (cases[i].proto >= 0) {
			struct match p = match_proto(cases[i].proto, false, false);

			rule_match(c, &p);
		}
		rule_match(c, &cases[i].m);
		rule_mark(c, 0x10000, 0x30000);
	}
	rule_begin(c);
	rule_action(c, &(struct action){ .kind = ACTION_LOG, .log_prefix = "a-prefix" });
	rule_begin(c); /* neither match nor action */
	rule_comment(c, "falls through");
	rule_begin(c);
	rule_return(c);
	nft_rules_ops.set_chain(b.rules, TABLE_FILTER, c);
	nft_rules_ops.set_hook(b.rules, TABLE_FILTER, "FORWARD", hook_to("cali-test"), NULL);
	applied(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *all = listed(), end[32], *at, *line;

		snprintf(end, sizeof(end), "; case %zu\"", i);
		at = strstr(all, end);
		assert_non_null(at);
		*at = '\0';
		line = strrchr(all, '\n');
		if (!strstr(line, cases[i].shown))
			fail_msg("case %zu is not shown as '%s': %s", i, cases[i].shown, line);
		free(all);
	}
	shows("meta mark set meta mark & 0xfffdffff | 0x00010000");
	shows("log prefix \"a-prefix: \"");
	shows("falls through\"");
	done(&b);
	run("nft delete table ip calico");
}

static struct calc_member net(uint8_t a, uint8_t b, uint8_t len)
{
	return (struct calc_member){ .net = { { AF_INET, { 10, a, b, 0 } }, len } };
}

static void covered_networks_come_back_when_the_cover_goes(void **state)
{
	struct calc_member m[] = { net(1, 0, 16), net(1, 1, 24), net(1, 2, 24), net(2, 0, 16) };
	struct calc_member cover = net(0, 0, 8), half = { .net = { { AF_INET, { 128 } }, 1 } };
	struct backend b;

	(void)state;
	if (!have_kernel)
		skip();
	b = backend();
	nft_sets_ops.want(b.sets, "s:one", IPSET_NET, m, 4);
	applied(&b);
	shows("elements = { 10.1.0.0/16, 10.2.0.0/16 }");
	nft_sets_ops.change(b.sets, "s:one", &cover, 1, NULL, 0);
	nft_sets_ops.change(b.sets, "s:one", &half, 1, NULL, 0);
	applied(&b);
	shows("elements = { 10.0.0.0/8, 128.0.0.0/1 }");
	nft_sets_ops.change(b.sets, "s:one", NULL, 0, m, 1); /* under cover */
	applied(&b);
	shows("elements = { 10.0.0.0/8, 128.0.0.0/1 }");
	nft_sets_ops.change(b.sets, "s:one", NULL, 0, &cover, 1);
	nft_sets_ops.change(b.sets, "s:one", NULL, 0, &half, 1);
	applied(&b);
	shows("elements = { 10.1.1.0/24, 10.1.2.0/24,");
	shows("10.2.0.0/16 }");
	/* What somebody else does is seen and put right. */
	run("nft delete element ip calico cali40s-one '{ 10.1.1.0/24 }' && "
	    "nft add element ip calico cali40s-one '{ 192.0.2.0/25 }'");
	nft_sets_ops.doubt(b.sets);
	applied(&b);
	shows("elements = { 10.1.1.0/24, 10.1.2.0/24,");
	assert_false(is_shown("192.0.2"));
	assert_int_equal(nft_sets_ops.stats(b.sets).failures, 0);
	run("nft add element ip calico cali40s-one '{ 192.0.2.3-192.0.2.9 }'"); /* no network */
	nft_sets_ops.doubt(b.sets);
	applied(&b);
	assert_false(is_shown("192.0.2"));
	shows("10.2.0.0/16 }");
	nft_sets_ops.unwant(b.sets, "s:one");
	applied(&b);
	assert_false(is_shown("cali40s-one"));
	done(&b);
	run("nft delete table ip calico");
}

static void set_map(struct backend *b, unsigned n)
{
	struct verdict *v = xcalloc(n, sizeof(*v));
	struct chain *c = chain_new("cali-dispatch");

	for (unsigned i = 0; i < n; i++) {
		struct chain *ep;

		snprintf(v[i].iface, sizeof(v[i].iface), "cali%04u", i);
		snprintf(v[i].chain, sizeof(v[i].chain), "cali-tw-cali%04u", i);
		ep = chain_new(v[i].chain);
		rule_begin(ep);
		rule_drop(ep);
		nft_rules_ops.set_chain(b->rules, TABLE_FILTER, ep);
	}
	rule_begin(c);
	rule_action(c, &(struct action){ .kind = ACTION_VMAP, .vmap = { "cali-dispatch", false } });
	nft_rules_ops.set_map(b->rules, TABLE_FILTER, "cali-dispatch", v, n);
	nft_rules_ops.set_chain(b->rules, TABLE_FILTER, c);
	free(v);
}

static void a_map_follows_and_takes_its_chains_with_it(void **state)
{
	struct backend b;

	(void)state;
	if (!have_kernel)
		skip();
	b = backend();
	nft_rules_ops.set_hook(b.rules, TABLE_FILTER, "FORWARD", hook_to("cali-dispatch"), NULL);
	set_map(&b, 300);
	applied(&b);
	shows("\"cali0299\" : goto filter-cali-tw-cali0299");
	set_map(&b, 299);
	applied(&b);
	assert_false(is_shown("cali0299"));
	shows("\"cali0298\" : goto filter-cali-tw-cali0298");
	run("nft flush map ip calico filter-cali-dispatch; nft add chain ip calico theirs; "
	    "nft insert rule ip calico filter-cali-tw-cali0001 accept");
	nft_rules_ops.doubt(b.rules);
	applied(&b);
	shows("\"cali0298\" : goto filter-cali-tw-cali0298");
	assert_false(is_shown("theirs"));
	assert_false(is_shown("\taccept"));
	assert_int_equal(nft_rules_ops.stats(b.rules).repairs, 1);
	run("nft delete table ip calico");
	b.link->foreign = false;
	nft_rules_ops.doubt(b.rules);
	applied(&b);
	shows("\"cali0298\" : goto filter-cali-tw-cali0298");
	done(&b);
	run("nft delete table ip calico");
}

static void a_chain_without_its_set_harms_no_other(void **state)
{
	struct match m = match_set(true, "cali40s:none", false, false);
	struct chain *c = chain_new("cali-a"), *d = chain_new("cali-b"), *h = hook_to("cali-a");
	struct backend b;
	struct err err;

	(void)state;
	if (!have_kernel)
		skip();
	b = backend();
	rule_begin(c);
	rule_match(c, &m);
	rule_drop(c);
	rule_begin(d);
	rule_accept(d);
	rule_begin(h);
	rule_jump(h, "cali-b");
	nft_rules_ops.set_chain(b.rules, TABLE_FILTER, c);
	nft_rules_ops.set_chain(b.rules, TABLE_FILTER, d);
	nft_rules_ops.set_hook(b.rules, TABLE_FILTER, "INPUT", h, NULL);
	applied(&b);
	assert_true(nft_rules_ops.chain_failed(b.rules, TABLE_FILTER, "cali-a", &err));
	assert_false(nft_rules_ops.chain_failed(b.rules, TABLE_FILTER, "cali-b", &err));
	assert_true(nft_rules_ops.pending(b.rules));
	nft_sets_ops.want(b.sets, "s:none", IPSET_NET, NULL, 0);
	applied(&b);
	assert_false(nft_rules_ops.chain_failed(b.rules, TABLE_FILTER, "cali-a", &err));
	shows("ip saddr @cali40s-none");
	assert_false(nft_rules_ops.pending(b.rules));
	done(&b);
	run("nft delete table ip calico");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generic_hashes_are_upstreams),
		cmocka_unit_test(static_chains_and_a_pod_are_upstreams),
		cmocka_unit_test(a_policys_rule_is_upstreams),
		cmocka_unit_test(every_static_rule_is_taken_and_not_written_twice),
		cmocka_unit_test(every_match_is_shown_as_it_was_meant),
		cmocka_unit_test(covered_networks_come_back_when_the_cover_goes),
		cmocka_unit_test(a_map_follows_and_takes_its_chains_with_it),
		cmocka_unit_test(a_chain_without_its_set_harms_no_other),
	};

	return cmocka_run_group_tests_name("felixd_nft", tests, enter_namespace, NULL);
}
