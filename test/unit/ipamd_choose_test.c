/* SPDX-License-Identifier: BSD-2-Clause */
/* Which blocks a node looks at, and which pools a request may take from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "ipamd/choose.h"
#include "ipamd/pool.h"

static void seeds_are_upstreams(void **state)
{
	(void)state;
	assert_int_equal(choose_seed("node1"), 3957252814u);
	assert_int_equal(choose_seed("node2"), 3957252813u);
	assert_int_equal(choose_seed("worker-0"), 2999756864u);
	assert_int_equal(choose_seed("ip-10-0-0-1.ec2.internal"), 1440555195u);
	assert_int_equal(choose_seed("load-balancer"), 4270604816u);
}

static void a_walk_sees_each_block_once(void **state)
{
	struct ip_prefix pool, b;
	struct choose_walk w;
	bool seen[1024] = { 0 };
	unsigned n = 0;

	(void)state;
	assert_int_equal(ip_prefix_parse("10.1.0.0/16", &pool), 0);
	choose_walk_init(&w, &pool, 26, choose_seed("node1"));
	while (choose_walk_next(&w, &b)) {
		uint64_t i = ip_prefix_ordinal(&pool, &b.addr) / 64;

		assert_true(ip_prefix_covers(&pool, &b) && b.len == 26 && ip_prefix_is_network(&b));
		assert_false(seen[i]);
		seen[i] = true;
		n++;
	}
	assert_int_equal(n, 1024);
	/* A pool of one block. */
	assert_int_equal(ip_prefix_parse("10.1.0.0/26", &pool), 0);
	choose_walk_init(&w, &pool, 26, 1);
	assert_true(choose_walk_next(&w, &b));
	assert_true(ip_prefix_eq(&b, &pool));
	assert_false(choose_walk_next(&w, &b));
}

static void a_walk_in_a_huge_pool_stays_inside(void **state)
{
	struct ip_prefix pool, b, first, second;
	struct choose_walk w;

	(void)state;
	assert_int_equal(ip_prefix_parse("fd00:10::/32", &pool), 0);
	choose_walk_init(&w, &pool, 122, choose_seed("node1"));
	assert_true(choose_walk_next(&w, &first));
	assert_true(choose_walk_next(&w, &second));
	assert_int_equal(
	        ip_prefix_ordinal(&pool, &second.addr) - ip_prefix_ordinal(&pool, &first.addr), 64);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(choose_walk_next(&w, &b));
		assert_true(ip_prefix_covers(&pool, &b) && b.len == 122 &&
		            ip_prefix_is_network(&b));
	}
}

static void nodes_start_apart(void **state)
{
	struct ip_prefix pool, blocks[20];
	struct choose_walk w;
	unsigned same = 0;

	(void)state;
	assert_int_equal(ip_prefix_parse("10.0.0.0/16", &pool), 0);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "node%u", i);
		choose_walk_init(&w, &pool, 26, choose_seed(name));
		assert_true(choose_walk_next(&w, &blocks[i]));
		for (unsigned k = 0; k < i; k++)
			same += ip_prefix_eq(&blocks[i], &blocks[k]);
	}
	assert_true(same <= 2);
}

/* ---- pools */

static struct pool_set set;

static void add(const char *name, const char *spec)
{
	CLEANUP(free_p)
	char *text = xasprintf("{\"kind\":\"IPPool\",\"apiVersion\":\"projectcalico.org/v3\","
	                       "\"metadata\":{\"name\":\"%s\"},\"spec\":{%s}}",
	                       name, spec);
	ProtobufCMessage *m;
	struct err err = { 0 };
	struct pool *p;

	if (mapper_read_text(&v3__ippool__descriptor, text, strlen(text), MAPPER_REFUSE, &m, &err) <
	    0)
		fail_msg("%s", err.text);
	p = pool_new((V3__IPPool *)m, &err);
	if (!p)
		fail_msg("%s", err.text);
	pool_set_put(&set, p);
	msg_free(m);
}

static const char *label(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "zone") == 0 ? "a" : NULL;
}

static int setup(void **state)
{
	(void)state;
	add("b-auto", "\"cidr\":\"10.1.0.0/16\"");
	add("a-other-zone", "\"cidr\":\"10.2.0.0/16\",\"nodeSelector\":\"zone == 'b'\"");
	add("c-manual", "\"cidr\":\"10.3.0.0/16\",\"assignmentMode\":\"Manual\"");
	add("d-off", "\"cidr\":\"10.4.0.0/16\",\"disabled\":true");
	add("e-tunnel", "\"cidr\":\"10.5.0.0/16\",\"allowedUses\":[\"Tunnel\"]");
	add("f-six", "\"cidr\":\"fd00::/64\"");
	add("g-ns", "\"cidr\":\"10.6.0.0/16\",\"namespaceSelector\":\"team == "
	            "'x'\",\"allowedUses\":[\"Workload\"]");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pool_set_done(&set);
	return 0;
}

static void pools_are_chosen_as_upstream_does(void **state)
{
	static const struct {
		int family;
		enum pool_use use;
		const char *wanted[3];
		const char *expect; /* names, or the error */
	} cases[] = {
		{ AF_INET, POOL_WORKLOAD, { 0 }, "b-auto" },
		{ AF_INET, POOL_TUNNEL, { 0 }, "b-auto e-tunnel" },
		{ AF_INET6, POOL_WORKLOAD, { 0 }, "f-six" },
		{ AF_INET, POOL_WORKLOAD, { "c-manual" }, "c-manual" },
		{ AF_INET, POOL_WORKLOAD, { "a-other-zone", "b-auto" }, "a-other-zone b-auto" },
		{ AF_INET, POOL_WORKLOAD, { "10.6.0.0/16" }, "g-ns" },
		{ AF_INET, POOL_WORKLOAD, { "b-auto", "b-auto" }, "b-auto" },
		{ AF_INET,
		  POOL_WORKLOAD,
		  { "d-off" },
		  "the given pool (d-off) does not exist, or is not enabled" },
		{ AF_INET,
		  POOL_WORKLOAD,
		  { "10.9.0.0/16" },
		  "the given pool (10.9.0.0/16) does not exist, or is not enabled" },
		{ AF_INET, POOL_WORKLOAD, { "f-six" }, "the given pool f-six is not an IPv4 pool" },
		{ AF_INET,
		  POOL_WORKLOAD,
		  { "e-tunnel" },
		  "the given pool e-tunnel does not allow the required use (Workload)" },
		{ AF_INET6,
		  POOL_LOAD_BALANCER,
		  { 0 },
		  "cannot find a qualified ippool for IPv6 and use LoadBalancer: f-six does not "
		  "allow this use" },
		{ AF_INET,
		  POOL_LOAD_BALANCER,
		  { 0 },
		  "cannot find a qualified ippool for IPv4 and use LoadBalancer: a-other-zone does "
		  "not select this node, "
		  "b-auto does not allow this use, c-manual has assignmentMode Manual, d-off is "
		  "disabled, e-tunnel does not "
		  "allow this use, g-ns does not select the namespace" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pool_request r = {
			cases[i].family, cases[i].use, (char *const *)cases[i].wanted, 0, label,
			label,           NULL
		};
		CLEANUP(buf_done) struct buf out = { 0 };
		struct pool **pools = NULL;
		struct err err = { 0 };
		size_t n = 0;

		while (cases[i].wanted[r.n_wanted])
			r.n_wanted++;
		if (pool_select(&set, &r, &pools, &n, &err) == 0)
			for (size_t k = 0; k < n; k++)
				buf_printf(&out, "%s%s", k ? " " : "", pools[k]->name);
		else
			buf_str(&out, err.text);
		assert_string_equal(buf_cstr(&out), cases[i].expect);
		free(pools);
	}
}

static void pools_that_cannot_be_used(void **state)
{
	static const char *const specs[] = {
		"\"cidr\":\"10.0.0.0/27\"",
		"\"cidr\":\"10.0.0.0/16\",\"blockSize\":33",
		"\"cidr\":\"10.0.0.0/16\",\"blockSize\":8",
		"\"cidr\":\"x\"",
		"",
		"\"cidr\":\"10.0.0.0/16\",\"nodeSelector\":\"zone ==\""
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		CLEANUP(free_p)
		char *text = xasprintf("{\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}", specs[i]);
		struct err err = { 0 };
		ProtobufCMessage *m;

		assert_int_equal(mapper_read_text(&v3__ippool__descriptor, text, strlen(text),
		                                  MAPPER_KEEP, &m, &err),
		                 0);
		if (pool_new((V3__IPPool *)m, &err))
			fail_msg("accepted: %s", specs[i]);
		assert_true(err.text[0]);
		msg_free(m);
	}
}

static void the_pool_of_an_address(void **state)
{
	struct ip_addr a;

	(void)state;
	assert_int_equal(ip_addr_parse("10.1.2.3", &a), 0);
	assert_string_equal(pool_of_addr(&set, &a)->name, "b-auto");
	assert_int_equal(ip_addr_parse("10.4.0.1", &a), 0);
	assert_null(pool_of_addr(&set, &a)); /* disabled */
	assert_int_equal(ip_addr_parse("11.0.0.1", &a), 0);
	assert_null(pool_of_addr(&set, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_are_upstreams),
		cmocka_unit_test(a_walk_sees_each_block_once),
		cmocka_unit_test(a_walk_in_a_huge_pool_stays_inside),
		cmocka_unit_test(nodes_start_apart),
		cmocka_unit_test(pools_are_chosen_as_upstream_does),
		cmocka_unit_test(pools_that_cannot_be_used),
		cmocka_unit_test(the_pool_of_an_address),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
