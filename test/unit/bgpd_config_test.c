/* SPDX-License-Identifier: BSD-2-Clause */
/* bgpd.conf: the manual's example, every error with its line, what peers inherit, and what policies
 * say. */
#include "test/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bgpd/config.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define HEAD "router-id 10.0.0.1; local-as 64512;\n"

static struct config *parse(const char *text)
{
	struct config *c = NULL;
	struct err err = { 0 };
	unsigned line;

	if (config_parse(text, strlen(text), &c, &line, &err) < 0)
		fail_msg("%s\n%s", err.text, text);
	return c;
}

/* ---- the example of bgpd.conf(5) is parsed as it stands there ---- */

static char *manual_example(void)
{
	char *page, *start, *end;
	size_t len;
	struct err err;
	struct buf b = { 0 };

	if (file_read("bgpd/bgpd.conf.5", 1 << 20, &page, &len, &err) < 0)
		fail_msg("%s (run from the top of the tree)", err.text);
	start = strstr(page, ".Sh EXAMPLES");
	assert_non_null(start);
	start = strstr(start, ".Bd -literal\n");
	assert_non_null(start);
	start += strlen(".Bd -literal\n");
	end = strstr(start, ".Ed\n");
	assert_non_null(end);
	buf_add(&b, start, (size_t)(end - start));
	free(page);
	return buf_take(&b);
}

static void the_manual_s_example(void **state)
{
	CLEANUP(free_p) char *text = manual_example();
	struct config *c = parse(text);
	const struct config_peer *p;

	(void)state;
	assert_int_equal(c->router_id, 0x0a000001);
	assert_int_equal(c->local_as, 64512);
	assert_int_equal(c->n_peers, 3);
	assert_int_equal(c->n_networks, 1);
	assert_true(c->networks[0].blackhole);
	assert_non_null(c->learn);
	p = config_peer_find(c, "Mesh_10_0_0_2");
	assert_non_null(p);
	assert_true(p->passive);
	assert_int_equal(p->ttl, 64);
	assert_int_equal(p->remote_as, 64512);
	assert_int_equal(p->timers.hold_sec, 240);
	assert_int_equal(p->graceful.restart_sec, 120);
	assert_string_equal(p->export->name, "to-peers");
	p = config_peer_find(c, "Global_172_16_0_1");
	assert_int_equal(p->timers.hold_sec, 90);
	assert_int_equal(p->timers.connect_retry_sec, 5);
	assert_false(p->passive);
	config_free(c);
}

static void what_its_policy_says(void **state)
{
	static const struct {
		const char *prefix;
		enum route_source source;
		const char *interface;
		bool accept;
	} cases[] = {
		{ "192.168.162.128/26", ROUTE_NETWORK, NULL, true },    /* the block */
		{ "192.168.162.130/32", ROUTE_KERNEL, "cali1", false }, /* a pod in it */
		{ "192.168.7.1/32", ROUTE_KERNEL, "cali2",
		  true }, /* borrowed from another's block */
		{ "192.168.7.1/32", ROUTE_KERNEL, "vxlan.cali", false },
		{ "192.168.7.1/32", ROUTE_KERNEL, "vxlan.calico", false },
		{ "10.99.1.0/26", ROUTE_NETWORK, NULL, false },   /* disableBGPExport */
		{ "172.16.0.0/24", ROUTE_KERNEL, "eth0", false }, /* no pool */
		{ "0.0.0.0/0", ROUTE_KERNEL, "eth0", false },
		{ "192.168.0.0/16", ROUTE_BGP, NULL, true },
	};
	CLEANUP(free_p) char *text = manual_example();
	struct config *c = parse(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_route r = { .source = cases[i].source,
			                  .interface = cases[i].interface };

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &r.prefix), 0);
		if ((policy_match(c->learn, &r) != NULL) != cases[i].accept)
			fail_msg("%s", cases[i].prefix);
	}
	config_free(c);
}

/* ---- errors ---- */

static void errors_name_line_and_reason(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says; /* a part of the sentence */
	} cases[] = {
		{ "", 1, "router-id is missing" },
		{ "router-id 10.0.0.1;\n", 2, "local-as is missing" },
		{ "router-id 0.0.0.0;", 1, "router-id is a non-zero IPv4 address" },
		{ "router-id ::1;", 1, "router-id is a non-zero IPv4 address" },
		{ "router-id x;", 1, "expected the router id (an address), found 'x'" },
		{ "router-id 10.0.0.1;\nrouter-id 10.0.0.2;", 2, "'router-id' is given twice" },
		{ "router-id 10.0.0.1\nlocal-as 1;", 2, "expected ';', found 'local-as'" },
		{ "local-as 0;", 1, "'0' is not an AS number" },
		{ "local-as 4294967296;", 1, "'4294967296' is not an AS number" },
		{ "local-as 1.65536;", 1, "is not an AS number" },
		{ "\n\nfrobnicate 1;", 3, "'frobnicate' is not a statement of the file" },
		{ "listen { port 0; }", 1, "port 0 is not between 1 and 65535" },
		{ "listen { port 0179; }", 1, "expected port (a number), found '0179'" },
		{ "listen { address 10.0.0.1; address 10.0.0.2; }", 1,
		  "two addresses of one family" },
		{ "listen { nothing; }", 1, "'nothing' is not a statement of listen" },
		{ "listen {\n port 179;\n", 3, "listen is not closed with '}'" },
		{ "priority 2147483647;", 1, "is not between 1 and 2147483646" },
		{ "timers { hold 2; }", 1, "hold 2: it is 0 or at least 3 seconds" },
		{ "timers { hold 65536; }", 1, "is not between" },
		{ "graceful-restart { restart-time 4096; }", 1,
		  "restart-time 4096 is not between 0 and 4095" },
		{ "prefix-list a { 10.0.0.1/8; }", 1,
		  "prefix 10.0.0.1/8 has bits set behind its length" },
		{ "prefix-list a { 10.0.0.0/33; }", 1, "expected a prefix, found '10.0.0.0/33'" },
		{ "prefix-list a { 10.0.0.0/8 length 7 to 9; }", 1,
		  "length 7 is not between 8 and 32" },
		{ "prefix-list a { 10.0.0.0/8 length 9 upto 10; }", 1,
		  "expected 'to', found 'upto'" },
		{ "prefix-list a { }\nprefix-list a { }", 2, "prefix-list a is defined twice" },
		{ HEAD "policy p {\n accept;\n reject prefix nowhere;\n}", 4,
		  "prefix-list nowhere is not defined" },
		{ "policy p { maybe; }", 1, "expected 'accept' or 'reject', found 'maybe'" },
		{ "policy p { accept source elsewhere; }", 1,
		  "expected network, kernel or bgp, found 'elsewhere'" },
		{ "policy p { reject local-preference 5; }", 1,
		  "'local-preference' has no place in this rule" },
		{ "policy all { }", 1, "policy all is built in" },
		{ "policy p { }\npolicy p { }", 2, "policy p is defined twice" },
		{ HEAD "kernel { program q; }", 2, "policy q is not defined" },
		{ HEAD "peer x {\n address 10.0.0.2;\n remote-as 1;\n export q; }", 5,
		  "policy q is not defined" },
		{ HEAD "peer x { remote-as 1; }", 2, "peer x has no address" },
		{ HEAD "peer x { address 10.0.0.2; }", 2, "peer x has no remote-as" },
		{ HEAD "peer x { address 10.0.0.2; remote-as 1; source-address ::1; }", 2,
		  "of different families" },
		{ HEAD "peer x { group g; }", 2, "group g is not defined above" },
		{ HEAD "peer x { address 10.0.0.2; group g; }", 2,
		  "'group' is not a statement of peer" },
		{ HEAD "peer x { address 10.0.0.2; remote-as 1; }\npeer y { address 10.0.0.2; "
		       "remote-as 1; }",
		  3, "peers x and y have the same address 10.0.0.2" },
		{ HEAD "peer x { address 10.0.0.2; remote-as 1; }\npeer x { address 10.0.0.3; "
		       "remote-as 1; }",
		  3, "peer x is defined twice" },
		{ HEAD "peer x { families; }", 2, "expected ipv4 or ipv6, each once, found ';'" },
		{ HEAD "peer x { families ipv4 ipv4; }", 2, "each once" },
		{ HEAD "peer x { next-hop me; }", 2, "expected auto, self or keep" },
		{ HEAD "peer x { multihop 256; }", 2, "multihop 256 is not between 1 and 255" },
		{ HEAD "peer x { graceful-restart { deferral-time 3; } }", 2,
		  "deferral-time is one for all peers" },
		{ HEAD "network 10.0.0.0/8;\nnetwork 10.0.0.0/8 blackhole;", 3,
		  "network 10.0.0.0/8 is given twice" },
		{ HEAD "network 10.0.0.0/8 whitehole;", 2, "expected ';', found 'whitehole'" },
		{ "router-id \"10.0.0.1", 1, "a string is not closed" },
		{ "description \"a\nb\";", 1, "is not a statement" },
		{ HEAD "peer x { description \"a\nb\"; }", 2,
		  "a string ends in the middle of its line" },
		{ "router-id = 1;", 1, "'=' has no place here" },
		{ "\x01", 1, "the byte 0x01 has no place here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c = NULL;
		struct err err = { 0 };
		unsigned line = 0;

		if (config_parse(cases[i].text, strlen(cases[i].text), &c, &line, &err) != -EINVAL)
			fail_msg("accepted: %s", cases[i].text);
		if (line != cases[i].line || !strstr(err.text, cases[i].says))
			fail_msg("%s\n-> %u: %s", cases[i].text, line, err.text);
		assert_null(c);
	}
}

static void every_truncation_of_the_example_is_refused_or_parsed(void **state)
{
	CLEANUP(free_p) char *text = manual_example();

	(void)state;
	for (size_t n = strlen(text); n-- > 0;) {
		struct config *c = NULL;
		struct err err = { 0 };
		unsigned line;

		if (config_parse(text, n, &c, &line, &err) == 0)
			config_free(c);
		else
			assert_true(line > 0 && strncmp(err.text, "line ", 5) == 0);
	}
}

/* ---- meaning ---- */

static void peers_inherit(void **state)
{
	struct config *c = parse(
	        HEAD
	        "timers { hold 30; connect-retry 7; }\n"
	        "graceful-restart { restart-time 60; stale-time 50; deferral-time 9; }\n"
	        "group g { remote-as 64512; timers { hold 12; } multihop 3; families ipv4 ipv6; }\n"
	        "peer a { group g; address 10.0.0.2; graceful-restart { restart-time 5; } }\n"
	        "peer b { address 10.0.0.3; remote-as 65001; graceful-restart off; import none; }\n"
	        "peer c { group g; address 2001:db8::1; timers { keepalive 2; } port 1179; "
	        "disabled; }\n");
	const struct config_peer *a = config_peer_find(c, "a"), *b = config_peer_find(c, "b"),
	                         *p = config_peer_find(c, "c");

	(void)state;
	assert_int_equal(a->timers.hold_sec, 12);
	assert_int_equal(a->timers.connect_retry_sec, 7);
	assert_int_equal(a->graceful.restart_sec, 5);
	assert_int_equal(a->graceful.stale_sec, 50);
	assert_true(a->graceful.on);
	assert_int_equal(a->ttl, 3);
	assert_int_equal(a->families, 3);
	assert_int_equal(b->timers.hold_sec, 30);
	assert_false(b->graceful.on);
	assert_int_equal(b->ttl, 1);
	assert_int_equal(b->port, 179);
	assert_int_equal(b->families, 1);
	assert_string_equal(b->import->name, "none");
	assert_null(b->export);
	assert_int_equal(p->timers.hold_sec, 12);
	assert_int_equal(p->timers.keepalive_sec, 2);
	assert_int_equal(p->port, 1179);
	assert_true(p->disabled);
	assert_int_equal(c->graceful.deferral_sec, 9);
	config_free(c);

	c = parse(HEAD "graceful-restart off;\npeer a { address 10.0.0.2; remote-as 1.1; }\n"
	               "peer b { address 10.0.0.3; remote-as 2; graceful-restart { } }\n");
	assert_false(config_peer_find(c, "a")->graceful.on);
	assert_int_equal(config_peer_find(c, "a")->remote_as, 65537);
	config_free(c);
}

static void prefix_lists(void **state)
{
	static const struct {
		const char *entry, *prefix;
		bool match;
	} cases[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.0.0.0/8", "10.0.0.0/9", false },
		{ "10.0.0.0/8 exact", "10.0.0.0/8", true },
		{ "10.0.0.0/8 or-longer", "10.0.0.0/8", true },
		{ "10.0.0.0/8 or-longer", "10.1.2.3/32", true },
		{ "10.0.0.0/8 or-longer", "11.0.0.0/8", false },
		{ "10.0.0.0/8 or-longer", "8.0.0.0/5", false },
		{ "10.0.0.0/8 longer", "10.0.0.0/8", false },
		{ "10.0.0.0/8 longer", "10.0.0.0/9", true },
		{ "10.0.0.1/32 longer", "10.0.0.1/32", false },
		{ "10.0.0.0/8 length 24 to 26", "10.1.0.0/23", false },
		{ "10.0.0.0/8 length 24 to 26", "10.1.0.0/24", true },
		{ "10.0.0.0/8 length 24 to 26", "10.1.0.64/26", true },
		{ "10.0.0.0/8 length 24 to 26", "10.1.0.64/27", false },
		{ "0.0.0.0/0 or-longer", "192.0.2.0/24", true },
		{ "0.0.0.0/0 or-longer", "2001:db8::/32", false },
		{ "2001:db8::/32 or-longer", "2001:db8:1::/48", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_p)
		char *text = xasprintf(HEAD "prefix-list l { %s; }", cases[i].entry);
		struct config *c = parse(text);
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &p), 0);
		if (prefix_list_match(c->lists[0], &p) != cases[i].match)
			fail_msg("%s: %s", cases[i].entry, cases[i].prefix);
		config_free(c);
	}
}

static void globs(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} cases[] = {
		{ "cali*", "cali12", true },
		{ "cali*", "cal", false },
		{ "*.cali", "vxlan.cali", true },
		{ "*.cali", "vxlan.calico", false },
		{ "*", "", true },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "acb", false },
		{ "tunl0", "tunl0", true },
		{ "", "x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (glob_match(cases[i].pattern, cases[i].s) != cases[i].match)
			fail_msg("%s %s", cases[i].pattern, cases[i].s);
}

static void what_needs_a_new_session(void **state)
{
	static const struct {
		const char *change;
		bool reset;
	} cases[] = {
		{ "", false },
		{ "description \"new\";", false },
		{ "export all;", false },
		{ "import none;", false },
		{ "next-hop self;", false },
		{ "max-prefixes 5;", false },
		{ "timers { connect-retry 9; }", false },
		{ "graceful-restart { stale-time 9; }", false },
		{ "timers { hold 9; }", true },
		{ "graceful-restart { restart-time 9; }", true },
		{ "graceful-restart off;", true },
		{ "families ipv4 ipv6;", true },
		{ "multihop 7;", true },
		{ "port 1179;", true },
		{ "source-address 10.0.0.9;", true },
	};
	struct config *a = parse(HEAD "peer x { address 10.0.0.2; remote-as 1; }");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_p)
		char *text = xasprintf(HEAD "peer x { address 10.0.0.2; remote-as 1; %s }",
		                       cases[i].change);
		struct config *b = parse(text);

		if (config_peer_needs_reset(a->peers[0], b->peers[0]) != cases[i].reset)
			fail_msg("%s", cases[i].change);
		config_free(b);
	}
	config_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_s_example),
		cmocka_unit_test(what_its_policy_says),
		cmocka_unit_test(errors_name_line_and_reason),
		cmocka_unit_test(every_truncation_of_the_example_is_refused_or_parsed),
		cmocka_unit_test(peers_inherit),
		cmocka_unit_test(prefix_lists),
		cmocka_unit_test(globs),
		cmocka_unit_test(what_needs_a_new_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
