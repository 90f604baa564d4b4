/* SPDX-License-Identifier: BSD-2-Clause */
/* The trie against a naive list; the decision step by step in the order of the RFC, whatever the
 * order of arrival; the RIB's life of paths. */
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "bgpd/rib.h"
#include "common/base/mem.h"

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

/* ---- trie ---- */

static struct ip_prefix random_prefix(void)
{
	struct ip_prefix p = {
		ip_addr_v4(((uint32_t)rand() & 0x3Fu) << 26 | ((uint32_t)rand() & 0xFu) << 12), 0
	};

	p.len = (uint8_t)(rand() % 33);
	return ip_prefix_network(&p);
}

static void trie_is_a_sorted_list(void **state)
{
	enum {
		N = 400
	};
	static struct trie_node nodes[N];
	static bool used[N];
	struct trie t = { 0 };
	size_t n = 0;

	(void)state;
	srand(4);
	for (int step = 0; step < 20000; step++) {
		struct ip_prefix p = random_prefix();
		struct trie_node *found = trie_find(&t, &p), *longest = NULL, *shorter = NULL;
		size_t i = (size_t)rand() % N;

		for (size_t k = 0; k < N; k++)
			if (used[k] && ip_prefix_covers(&nodes[k].prefix, &p)) {
				if (!longest || nodes[k].prefix.len > longest->prefix.len)
					longest = &nodes[k];
			}
		assert_ptr_equal(trie_covering(&t, &p), longest);
		assert_ptr_equal(found, longest && longest->prefix.len == p.len ? longest : NULL);
		for (size_t k = 0; found && k < N; k++)
			if (used[k] && &nodes[k] != found &&
			    ip_prefix_covers(&nodes[k].prefix, &p) &&
			    (!shorter || nodes[k].prefix.len > shorter->prefix.len))
				shorter = &nodes[k];
		if (found)
			assert_ptr_equal(trie_shorter(found), shorter);

		if (used[i]) {
			trie_remove(&t, &nodes[i]);
			used[i] = false;
			n--;
		} else if (!found) {
			nodes[i].prefix = p;
			assert_true(trie_insert(&t, &nodes[i]));
			used[i] = true;
			n++;
		}
		assert_int_equal(t.n, n);
		if (step % 100 == 0) {
			struct trie_node *last = NULL;
			size_t seen = 0;

			trie_for_each(it, &t)
			{
				assert_false(it->glue);
				if (last)
					assert_true(ip_prefix_cmp(&last->prefix, &it->prefix) < 0);
				last = it;
				seen++;
			}
			assert_int_equal(seen, n);
		}
	}
	for (size_t i = 0; i < N; i++)
		if (used[i])
			trie_remove(&t, &nodes[i]);
	assert_null(t.root);
}

/* ---- the decision ---- */

struct candidate {
	const char *name;
	uint8_t preference;
	uint32_t local_pref, med, originator, router_id, cost;
	uint8_t origin, path_n;
	uint32_t first_as;
	bool internal, unresolved;
	uint8_t clusters;
	const char *address;
};

/* Each row beats the next one, by the one thing that is told; the rest of what differs would say
 * otherwise. */
static const struct candidate ladder[] = {
	{ "preference", 200, 50, 9, 0, 9, 9, 2, 9, 1, true, false, 3, "10.0.0.9" },
	{ "local_pref", 100, 200, 9, 0, 9, 9, 2, 9, 1, true, false, 3, "10.0.0.9" },
	{ "AS_PATH length", 100, 100, 9, 0, 9, 9, 2, 1, 1, true, false, 3, "10.0.0.9" },
	{ "origin", 100, 100, 9, 0, 9, 9, 0, 2, 1, true, false, 3, "10.0.0.9" },
	{ "MED", 100, 100, 1, 0, 9, 9, 1, 2, 1, true, false, 3, "10.0.0.9" },
	{ "external", 100, 100, 5, 0, 9, 9, 1, 2, 1, false, false, 3, "10.0.0.9" },
	{ "cost", 100, 100, 5, 0, 9, 1, 1, 2, 1, true, false, 3, "10.0.0.9" },
	{ "ORIGINATOR_ID", 100, 100, 5, 2, 9, 5, 1, 2, 1, true, false, 3, "10.0.0.9" },
	{ "identifier", 100, 100, 5, 0, 3, 5, 1, 2, 1, true, false, 3, "10.0.0.9" },
	{ "CLUSTER_LIST", 100, 100, 5, 0, 4, 5, 1, 2, 1, true, false, 1, "10.0.0.9" },
	{ "address", 100, 100, 5, 0, 4, 5, 1, 2, 1, true, false, 2, "10.0.0.7" },
	{ "last", 100, 100, 5, 0, 4, 5, 1, 2, 1, true, false, 2, "10.0.0.8" },
	{ "unresolved", 200, 999, 0, 1, 1, 1, 0, 1, 1, false, true, 0, "10.0.0.1" },
};
#define LADDER ARRAY_SIZE(ladder)

struct bench {
	struct path path;
	struct rib_source source;
	struct nexthop nexthop;
	struct attrs attrs;
	uint8_t as_path[2 + 4 * 16], clusters[16];
};

static void build(struct bench *b, const struct candidate *c)
{
	memset(b, 0, sizeof(*b));
	rib_source_init(&b->source, ROUTE_BGP, c->name);
	b->source.internal = c->internal;
	b->source.router_id = c->router_id;
	assert_int_equal(ip_addr_parse(c->address, &b->source.address), 0);
	b->nexthop.resolved = !c->unresolved;
	b->nexthop.cost = c->cost;
	b->attrs.set = (struct attr_set){
		.origin = c->origin,
		.has = ATTR_HAS_LOCAL_PREF | ATTR_HAS_MED |
		       (c->originator ? ATTR_HAS_ORIGINATOR : 0),
		.local_pref = c->local_pref,
		.med = c->med,
		.originator_id = c->originator,
	};
	b->as_path[0] = BGP_AS_SEQUENCE;
	b->as_path[1] = c->path_n;
	b->as_path[5] = (uint8_t)c->first_as;
	b->attrs.set.as_path = (struct attr_bytes){ b->as_path, (uint16_t)(2 + 4 * c->path_n) };
	b->attrs.set.clusters = (struct attr_bytes){ b->clusters, (uint16_t)(4 * c->clusters) };
	b->path = (struct path){ .source = &b->source,
		                 .attrs = &b->attrs,
		                 .nexthop = &b->nexthop,
		                 .preference = c->preference };
}

static void each_step_decides_in_its_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < LADDER; i++)
		for (int order = 0; order < 2; order++) {
			struct bench a, b;

			build(&a, &ladder[i]);
			build(&b, &ladder[i + 1]);
			if (order)
				b.path.next = &a.path;
			else
				a.path.next = &b.path;
			struct path *best = best_path(order ? &b.path : &a.path);
			if (best != &a.path)
				fail_msg("'%s' does not beat '%s'", ladder[i].name,
				         ladder[i + 1].name);
		}
	struct bench none;

	build(&none, &ladder[LADDER - 1]);
	assert_null(best_path(&none.path));
	assert_null(best_path(NULL));
}

static void the_order_of_arrival_does_not_matter(void **state)
{
	struct bench all[6];
	/* MED within AS 1 and AS 2: the case in which comparing pair by pair goes in circles. */
	static const struct candidate set[6] = {
		{ "a", 100, 100, 10, 0, 1, 5, 0, 1, 1, true, false, 0, "10.0.0.1" },
		{ "b", 100, 100, 5, 0, 3, 5, 0, 1, 1, true, false, 0, "10.0.0.2" },
		{ "c", 100, 100, 0, 0, 2, 5, 0, 1, 2, true, false, 0, "10.0.0.3" },
		{ "d", 100, 100, 7, 0, 1, 5, 0, 1, 2, true, false, 0, "10.0.0.4" },
		{ "e", 100, 100, 0, 0, 9, 5, 0, 1, 3, true, false, 0, "10.0.0.5" },
		{ "f", 100, 90, 0, 0, 1, 5, 0, 1, 4, true, false, 0, "10.0.0.6" },
	};
	size_t order[6] = { 0, 1, 2, 3, 4, 5 };

	(void)state;
	srand(1);
	for (int round = 0; round < 500; round++) {
		for (size_t i = 5; i > 0; i--) {
			size_t k = (size_t)rand() % (i + 1), x = order[i];

			order[i] = order[k];
			order[k] = x;
		}
		for (size_t i = 0; i < 6; i++)
			build(&all[i], &set[order[i]]);
		for (size_t i = 0; i < 5; i++)
			all[i].path.next = &all[i + 1].path;
		assert_string_equal(best_path(&all[0].path)->source->name, "c");
	}
}

/* ---- the RIB ---- */

static unsigned changes;

static void on_change(void *arg, struct rib_entry *e)
{
	(void)arg;
	(void)e;
	changes++;
}

static struct path *put(struct rib *r, struct rib_source *s, const char *p, uint32_t lp,
                        struct nexthop *nh)
{
	struct attr_set set = { .has = ATTR_HAS_LOCAL_PREF, .local_pref = lp };
	struct path_spec spec = { .attrs = attrs_intern(&r->attrs, &set),
		                  .nexthop = nh,
		                  .preference = PREFERENCE_BGP };
	struct ip_prefix pr = prefix(p);

	return rib_set(r, s, &pr, &spec);
}

static void paths_come_and_go(void **state)
{
	struct rib r;
	struct rib_source a, b;
	struct nexthop nh = { .resolved = true };
	struct ip_prefix p = prefix("10.1.0.0/16");

	(void)state;
	list_init(&nh.paths);
	rib_init(&r, on_change, NULL);
	rib_source_init(&a, ROUTE_BGP, "a");
	rib_source_init(&b, ROUTE_BGP, "b");
	b.address = ip_addr_v4(1);
	changes = 0;

	(void)put(&r, &a, "10.1.0.0/16", 100, &nh);
	(void)put(&r, &b, "10.1.0.0/16", 200, &nh);
	(void)put(&r, &b, "10.1.0.0/16", 50, &nh);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 1); /* once, however often it changed */
	assert_ptr_equal(rib_find(&r, &a, &p)->entry->best->source, &a);
	assert_int_equal(r.attrs.map.n, 2);

	/* The same again is no change. */
	(void)put(&r, &a, "10.1.0.0/16", 100, &nh);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 1);

	/* Stale: still the best; confirmed: no change; the rest goes. */
	(void)put(&r, &a, "10.2.0.0/16", 100, &nh);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 2);
	assert_int_equal(rib_mark_stale(&r, &a, 1), 2);
	assert_int_equal(a.n_stale, 2);
	(void)put(&r, &a, "10.1.0.0/16", 100, &nh);
	assert_int_equal(a.n_stale, 1);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 2);
	assert_int_equal(rib_flush(&r, &a, 1, true), 1);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 3);
	assert_int_equal(r.tries[BGP_IPV4].n, 1);

	/* The next hop goes. */
	nh.resolved = false;
	rib_touch_nexthop(&r, &nh);
	assert_false(rib_select(&r, 10));
	assert_int_equal(changes, 4);
	assert_null(rib_find(&r, &a, &p)->entry->best);

	assert_int_equal(rib_flush(&r, &a, 0xFF, false), 1);
	assert_true(rib_remove(&r, &b, &p));
	assert_false(rib_remove(&r, &b, &p));
	assert_true(list_empty(&nh.paths));
	rib_done(&r);
}

static void random_changes_leave_what_a_naive_table_has(void **state)
{
	enum {
		SOURCES = 4,
		PREFIXES = 50
	};
	struct rib_source sources[SOURCES];
	uint32_t naive[SOURCES][PREFIXES] = { { 0 } }; /* LOCAL_PREF, 0: none */
	struct nexthop nh = { .resolved = true };
	struct rib r;

	(void)state;
	list_init(&nh.paths);
	rib_init(&r, on_change, NULL);
	for (unsigned i = 0; i < SOURCES; i++) {
		rib_source_init(&sources[i], ROUTE_BGP, "s");
		sources[i].address = ip_addr_v4(i + 1);
	}
	srand(2);
	for (int step = 0; step < 20000; step++) {
		unsigned s = (unsigned)rand() % SOURCES, k = (unsigned)rand() % PREFIXES;
		struct ip_prefix p = { ip_addr_v4(0x0A000000u + (k << 8)), 24 };
		char text[IP_PREFIX_STR_MAX];

		if (rand() % 3) {
			naive[s][k] = 1 + (uint32_t)rand() % 5;
			(void)put(&r, &sources[s], ip_prefix_str(&p, text), naive[s][k], &nh);
		} else {
			assert_int_equal(rib_remove(&r, &sources[s], &p), naive[s][k] != 0);
			naive[s][k] = 0;
		}
		if (rand() % 10)
			continue;
		while (rib_select(&r, 3))
			;
		for (k = 0; k < PREFIXES; k++) {
			struct ip_prefix q = { ip_addr_v4(0x0A000000u + (k << 8)), 24 };
			struct trie_node *n = trie_find(&r.tries[BGP_IPV4], &q);
			int best = -1;

			for (int i = 0; i < SOURCES; i++)
				if (naive[i][k] && (best < 0 || naive[i][k] > naive[best][k]))
					best = i;
			if (best < 0)
				assert_null(n);
			else
				assert_ptr_equal(
				        container_of(n, struct rib_entry, node)->best->source,
				        &sources[best]);
		}
	}
	for (int i = 0; i < SOURCES; i++)
		(void)rib_flush(&r, &sources[i], 0xFF, false);
	rib_done(&r);
}

/* ---- attributes ---- */

static void equal_sets_are_one(void **state)
{
	struct attrs_table t = { 0 };
	uint8_t one[] = { 2, 1, 0, 0, 0, 1 }, two[] = { 2, 1, 0, 0, 0, 1 };
	struct attr_set a = { .as_path = { one, 6 }, .next_hop = ip_addr_v4(1) };
	struct attr_set b = { .as_path = { two, 6 }, .next_hop = ip_addr_v4(1) };
	struct attrs *x = attrs_intern(&t, &a), *y = attrs_intern(&t, &b), *z;

	(void)state;
	assert_ptr_equal(x, y);
	assert_true(x->set.as_path.p != one);
	/* The same bytes as another attribute are another set. */
	b.as_path.len = 0;
	b.communities = (struct attr_bytes){ two, 4 };
	z = attrs_intern(&t, &b);
	assert_ptr_not_equal(x, z);
	attrs_unref(&t, x);
	attrs_unref(&t, y);
	attrs_unref(&t, z);
	attrs_table_done(&t);
}

static void paths_are_prepended(void **state)
{
	CLEANUP(buf_done) struct buf a = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	static uint8_t full[2 + 255 * 4] = { 2, 255 };
	struct attr_bytes path = { NULL, 0 };

	(void)state;
	attr_path_prepend(&path, 65001, &a);
	path = (struct attr_bytes){ a.data, (uint16_t)a.len };
	attr_path_prepend(&path, 65002, &b);
	path = (struct attr_bytes){ b.data, (uint16_t)b.len };
	attr_path_str(&path, &text);
	assert_string_equal(buf_cstr(&text), "65002 65001");
	assert_int_equal(attr_path_len(&path), 2);
	assert_int_equal(attr_path_first(&path), 65002);
	assert_true(attr_path_has(&path, 65001));
	assert_false(attr_path_has(&path, 65003));
	/* A segment holds 255: then a new one begins. */
	path = (struct attr_bytes){ full, sizeof(full) };
	buf_clear(&a);
	attr_path_prepend(&path, 65003, &a);
	assert_int_equal(a.len, sizeof(full) + 6);
	path = (struct attr_bytes){ a.data, (uint16_t)a.len };
	assert_int_equal(attr_path_len(&path), 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trie_is_a_sorted_list),
		cmocka_unit_test(each_step_decides_in_its_turn),
		cmocka_unit_test(the_order_of_arrival_does_not_matter),
		cmocka_unit_test(paths_come_and_go),
		cmocka_unit_test(random_changes_leave_what_a_naive_table_has),
		cmocka_unit_test(equal_sets_are_one),
		cmocka_unit_test(paths_are_prepended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
