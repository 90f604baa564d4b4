/* SPDX-License-Identifier: BSD-2-Clause */
/* How next hops are resolved through what others put into the kernel, and who hears of a change. */
#include "test/unit/test.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "bgpd/fib.h"
#include "common/base/mem.h"

static struct rt_route route(const char *dst, const char *via, int ifindex, uint32_t metric,
                             uint8_t type)
{
	struct rt_route r = {
		.ifindex = ifindex, .priority = metric, .type = type, .protocol = 3, .table = 254
	};

	assert_int_equal(ip_prefix_parse(dst, &r.dst), 0);
	if (via)
		assert_int_equal(ip_addr_parse(via, &r.via), 0);
	return r;
}

static void add(struct fib *f, const char *dst, const char *via, int ifindex, uint32_t metric,
                uint8_t type)
{
	struct rt_route r = route(dst, via, ifindex, metric, type);

	fib_route_add(f, &r, false);
}

static void del(struct fib *f, const char *dst, const char *via, int ifindex, uint32_t metric,
                uint8_t type)
{
	struct rt_route r = route(dst, via, ifindex, metric, type);

	fib_route_remove(f, &r);
}

static void address(struct fib *f, const char *a, bool deleted)
{
	struct rt_addr addr = { .ifindex = 1, .deleted = deleted };

	assert_int_equal(ip_prefix_parse(a, &addr.prefix), 0);
	fib_addr(f, &addr);
}

static unsigned heard;

static void on_change(void *arg, struct rib_entry *e)
{
	(void)arg;
	(void)e;
	heard++;
}

static void next_hops_are_resolved_through_the_longest_route(void **state)
{
	static const struct {
		const char *hop;
		bool resolved;
		const char *via; /* "": on the link */
		int ifindex;
		uint32_t cost;
	} cases[] = {
		{ "10.0.0.2", true, "", 1, 0 },
		{ "10.0.0.1", false, "", 0, 0 }, /* ourselves */
		{ "172.16.1.1", true, "10.0.0.254", 1, 0 },
		{ "172.16.1.129", true, "", 3, 5 },          /* the one with the least metric */
		{ "192.0.2.1", true, "10.0.0.253", 1, 100 }, /* the default route */
		{ "172.17.0.1", false, "", 0, 0 },           /* blackhole */
		{ "2001:db8::2", true, "", 2, 256 },
		{ "2001:db9::2", false, "", 0, 0 },
	};
	struct fib f;

	(void)state;
	fib_init(&f);
	address(&f, "10.0.0.1/24", false);
	add(&f, "10.0.0.0/24", NULL, 1, 0, RTN_UNICAST);
	add(&f, "172.16.0.0/16", "10.0.0.254", 1, 0, RTN_UNICAST);
	add(&f, "172.16.1.128/25", "10.0.0.250", 1, 20, RTN_UNICAST);
	add(&f, "172.16.1.128/25", NULL, 3, 5, RTN_UNICAST);
	add(&f, "172.17.0.0/16", NULL, 0, 0, RTN_BLACKHOLE);
	add(&f, "0.0.0.0/0", "10.0.0.253", 1, 100, RTN_UNICAST);
	add(&f, "2001:db8::/64", NULL, 2, 256, RTN_UNICAST);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_addr a;
		char via[IP_ADDR_STR_MAX];
		struct nexthop *n;

		assert_int_equal(ip_addr_parse(cases[i].hop, &a), 0);
		n = fib_nexthop(&f, &a);
		if (n->resolved != cases[i].resolved || n->ifindex != cases[i].ifindex ||
		    n->cost != cases[i].cost ||
		    strcmp(ip_addr_str(&n->via, via), cases[i].via) != 0)
			fail_msg("%s: resolved %d via '%s' dev %d cost %u", cases[i].hop,
			         n->resolved, via, n->ifindex, n->cost);
	}
	fib_done(&f);

	fib_init(&f);
	f.blind = true;
	assert_true(fib_nexthop(&f, &(struct ip_addr){ AF_INET, { 192, 0, 2, 1 } })->resolved);
	fib_done(&f);
}

static void a_change_is_told_to_those_who_depend_on_it(void **state)
{
	struct rib r;
	struct fib f;
	struct rib_source s;
	struct attr_set set = { 0 };
	struct ip_prefix p;
	struct path_spec spec;

	(void)state;
	rib_init(&r, on_change, NULL);
	fib_init(&f);
	rib_source_init(&s, ROUTE_BGP, "s");
	assert_int_equal(ip_prefix_parse("10.65.0.0/26", &p), 0);
	spec = (struct path_spec){
		.attrs = attrs_intern(&r.attrs, &set),
		.nexthop = fib_nexthop(&f, &(struct ip_addr){ AF_INET, { 10, 0, 0, 2 } }),
		.preference = PREFERENCE_BGP,
	};
	(void)rib_set(&r, &s, &p, &spec);

#define HEARS(n)                                                                                   \
	heard = 0;                                                                                 \
	fib_recheck(&f, &r);                                                                       \
	assert_false(rib_select(&r, 100));                                                         \
	assert_int_equal(heard, n)

	HEARS(0); /* not resolved: no best path, as before */
	assert_null(rib_find(&r, &s, &p)->entry->best);
	add(&f, "10.0.0.0/24", NULL, 1, 0, RTN_UNICAST);
	HEARS(1);
	assert_non_null(rib_find(&r, &s, &p)->entry->best);
	add(&f, "10.0.0.0/24", NULL, 1, 0, RTN_UNICAST); /* the same again */
	HEARS(0);
	add(&f, "10.1.0.0/24", NULL, 1, 0, RTN_UNICAST); /* elsewhere */
	HEARS(0);
	add(&f, "10.0.0.2/32", "10.0.0.9", 1, 0, RTN_UNICAST);
	HEARS(1);
	del(&f, "10.0.0.2/32", "10.0.0.9", 1, 0, RTN_UNICAST);
	HEARS(1);
	address(&f, "10.0.0.2/24", false); /* it is ourselves now */
	HEARS(1);
	assert_null(rib_find(&r, &s, &p)->entry->best);
	address(&f, "10.0.0.2/24", true);
	HEARS(1);
	del(&f, "10.0.0.0/24", NULL, 1, 0, RTN_UNICAST);
	HEARS(1);
	assert_null(rib_find(&r, &s, &p)->entry->best);

	assert_int_equal(rib_flush(&r, &s, 0xFF, false), 1);
	f.changed = true;
	HEARS(0);
	assert_int_equal(f.nexthops.n, 0); /* nobody uses it any more */
	rib_done(&r);
	fib_done(&f);
}

/* A peer names as many next hops as it likes; what is kept is what paths use. */
static void next_hops_of_the_past_are_forgotten(void **state)
{
	struct rib r;
	struct fib f;
	struct rib_source s;
	struct ip_prefix p = { { AF_INET, { 10, 1 } }, 16 };

	(void)state;
	rib_init(&r, on_change, NULL);
	fib_init(&f);
	rib_source_init(&s, ROUTE_BGP, "peer");
	for (uint32_t i = 0; i < 10000; i++) {
		struct attr_set set = { .next_hop = ip_addr_v4(0x0B000000 + i) };
		struct path_spec spec = { .attrs = attrs_intern(&r.attrs, &set),
			                  .nexthop = fib_nexthop(&f, &set.next_hop) };

		assert_non_null(rib_set(&r, &s, &p, &spec));
		fib_recheck(&f, &r);
		(void)rib_select(&r, 10);
		assert_true(f.nexthops.n < 200);
	}
	(void)rib_flush(&r, &s, 0xFF, false);
	(void)rib_select(&r, 10);
	f.changed = true;
	fib_recheck(&f, &r);
	assert_int_equal(f.nexthops.n, 0);
	rib_done(&r);
	fib_done(&f);
}

static unsigned gone;

static void on_gone(void *arg, const struct rt_route *rt)
{
	(void)arg;
	(void)rt;
	gone++;
}

static void reading_back_removes_what_is_not_seen_again(void **state)
{
	struct fib f;
	struct rt_route r = route("10.0.0.0/24", "10.9.0.1", 1, 7, RTN_UNICAST);
	struct ip_addr a = { AF_INET, { 10, 0, 0, 5 } };
	struct rt_link link = { .ifindex = 4, .name = "eth0", .flags = IFF_UP };

	(void)state;
	fib_init(&f);
	add(&f, "10.0.0.0/24", NULL, 1, 0, RTN_UNICAST);
	add(&f, "10.0.0.0/24", NULL, 1, 9, RTN_UNICAST);
	add(&f, "10.0.0.0/25", NULL, 2, 0, RTN_UNICAST);
	add(&f, "10.0.0.128/25", NULL, 2, 0, RTN_UNICAST);
	fib_mark(&f);
	add(&f, "10.0.0.0/24", NULL, 1, 9, RTN_UNICAST);
	gone = 0;
	fib_sweep(&f, on_gone, NULL);
	assert_int_equal(gone, 3);
	assert_int_equal(f.tries[BGP_IPV4].n, 1);
	assert_int_equal(fib_lookup(&f, &a)->rt.priority, 9);
	/* A replacement takes the place of the one with the same metric, and of no other. */
	fib_route_add(&f, &r, true);
	assert_int_equal(fib_lookup(&f, &a)->rt.priority, 7);
	assert_int_equal(fib_lookup(&f, &a)->next->rt.priority, 9);
	r.via.bytes[3] = 2;
	fib_route_add(&f, &r, true);
	assert_int_equal(fib_lookup(&f, &a)->rt.via.bytes[3], 2);
	assert_int_equal(fib_lookup(&f, &a)->next->rt.priority, 9);

	assert_true(fib_link(&f, &link));
	assert_false(fib_link(&f, &link));
	assert_string_equal(fib_link_name(&f, 4), "eth0");
	link.flags = 0;
	assert_true(fib_link(&f, &link));
	link.deleted = true;
	assert_true(fib_link(&f, &link));
	assert_null(fib_link_name(&f, 4));

	/* Links too: the event of one that went may be lost. */
	link.deleted = false;
	(void)fib_link(&f, &link);
	link.ifindex = 5;
	(void)fib_link(&f, &link);
	fib_mark(&f);
	(void)fib_link(&f, &link);
	fib_sweep(&f, on_gone, NULL);
	assert_null(fib_link_name(&f, 4));
	assert_string_equal(fib_link_name(&f, 5), "eth0");
	fib_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_hops_are_resolved_through_the_longest_route),
		cmocka_unit_test(a_change_is_told_to_those_who_depend_on_it),
		cmocka_unit_test(next_hops_of_the_past_are_forgotten),
		cmocka_unit_test(reading_back_removes_what_is_not_seen_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
