/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache: packed once, found, listed; readers at any place of the order of changes end in the
 * truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "typhad/cache.h"

#define GLOBAL V3__KIND__KIND_GLOBAL_NETWORK_SET
#define LOCAL V3__KIND__KIND_NETWORK_SET
#define ALL (~(uint64_t)0)

static bool put(struct cache *c, model_kind kind, const char *ns, const char *name,
                uint64_t revision)
{
	ProtobufCMessage *m = msg_new(kind_info(kind)->message);
	struct resource *r;
	bool done;

	msg_set_str(&model_meta(m, true)->name, name);
	r = resource_new(kind, ns, name, revision, m);
	done = cache_put(c, r);
	resource_free(r);
	return done;
}

static Sync__V1__FromTyphad *unpack(const struct cache_object *o)
{
	return sync__v1__from_typhad__unpack(NULL, o->frame->len - IPC_FRAME_HEADER,
	                                     o->frame->data + IPC_FRAME_HEADER);
}

static void the_frame_is_the_update_and_ends_with_the_body(void **state)
{
	struct cache c;
	const struct cache_object *o;
	Sync__V1__FromTyphad *m;

	(void)state;
	cache_init(&c);
	assert_true(put(&c, LOCAL, "ns", "a", 5));
	o = cache_find(&c, LOCAL, "ns", "a");
	assert_non_null(o);
	assert_string_equal(cache_ns(o), "ns");
	assert_string_equal(cache_name(o), "a");
	m = unpack(o);
	assert_int_equal(m->payload_case, SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE);
	assert_false(m->has_request_id);
	assert_false(m->update->deleted);
	assert_int_equal(m->update->resource->revision, 5);
	assert_string_equal(m->update->resource->namespace_, "ns");
	assert_int_equal(m->update->resource->body.len, o->body_len);
	assert_memory_equal(m->update->resource->body.data, cache_body(o), o->body_len);
	sync__v1__from_typhad__free_unpacked(m, NULL);
	assert_int_equal(c.packed, 1);
	assert_null(cache_find(&c, LOCAL, NULL, "a"));
	assert_null(cache_find(&c, GLOBAL, "ns", "a"));
	cache_done(&c);
}

static void what_is_removed_is_a_tombstone_until_all_know(void **state)
{
	struct cache c;
	const struct cache_object *o;
	Sync__V1__FromTyphad *m;

	(void)state;
	cache_init(&c);
	assert_true(put(&c, GLOBAL, NULL, "a", 1));
	assert_true(put(&c, GLOBAL, NULL, "b", 2));
	cache_remove(&c, GLOBAL, NULL, "a");
	cache_remove(&c, GLOBAL, NULL, "a");
	cache_remove(&c, GLOBAL, NULL, "never");
	assert_null(cache_find(&c, GLOBAL, NULL, "a"));
	assert_int_equal(cache_count(&c), 1);
	assert_int_equal(c.tombstones, 1);
	o = cache_next(&c, 2, ALL);
	m = unpack(o);
	assert_true(m->update->deleted);
	assert_string_equal(m->update->resource->name, "a");
	assert_false(m->update->resource->has_body);
	sync__v1__from_typhad__free_unpacked(m, NULL);
	assert_null(cache_next(&c, 3, ALL));
	cache_prune(&c, 2, 100);
	assert_int_equal(c.tombstones, 1);
	cache_prune(&c, 3, 100);
	assert_int_equal(c.tombstones, 0);
	assert_int_equal(c.floor, 3);
	/* It comes back before everyone knows that it was gone: no tombstone then. */
	cache_remove(&c, GLOBAL, NULL, "b");
	assert_true(put(&c, GLOBAL, NULL, "b", 4));
	assert_int_equal(c.tombstones, 0);
	cache_prune(&c, 0, 0);
	assert_int_equal(c.floor, 3);
	assert_int_equal(cache_revision(cache_find(&c, GLOBAL, NULL, "b")), 4);
	cache_done(&c);
}

static void count_marked(void *arg, model_kind kind, const char *ns, const char *name, uint8_t mark)
{
	(void)kind;
	(void)ns;
	(void)name;
	((unsigned *)arg)[mark]++;
}

static void the_cache_is_a_drivers_memory(void **state)
{
	unsigned marked[256] = { 0 };
	uint64_t revision;
	struct cache c;
	uint8_t mark;

	(void)state;
	cache_init(&c);
	assert_false(cache_recall(&c, LOCAL, "ns", "a", 3, &revision, &mark));
	assert_true(put(&c, LOCAL, "ns", "a", 7)); /* is new: has that mark */
	assert_true(put(&c, GLOBAL, NULL, "b", 300));
	assert_true(put(&c, GLOBAL, NULL, "gone", 9));
	assert_true(cache_recall(&c, LOCAL, "ns", "a", 4, &revision, &mark));
	assert_int_equal(revision, 7);
	assert_int_equal(mark, 3);
	assert_true(cache_recall(&c, GLOBAL, NULL, "b", 4, &revision, &mark));
	assert_int_equal(revision, 300);
	assert_true(put(&c, GLOBAL, NULL, "b", 301)); /* keeps its mark */
	cache_remove(&c, GLOBAL, NULL, "gone");
	assert_false(cache_recall(&c, GLOBAL, NULL, "gone", 5, &revision, &mark));
	cache_each(&c, count_marked, marked);
	assert_int_equal(marked[4], 2);
	assert_int_equal(marked[3] + marked[5], 0);
	cache_done(&c);
}

static void readers_see_their_kinds_only(void **state)
{
	struct cache c;

	(void)state;
	cache_init(&c);
	assert_true(put(&c, GLOBAL, NULL, "a", 1));
	assert_true(put(&c, LOCAL, "n", "b", 2));
	assert_string_equal(cache_name(cache_next(&c, 0, CACHE_KIND_BIT(LOCAL))), "b");
	assert_null(cache_next(&c, 0, CACHE_KIND_BIT(V3__KIND__KIND_NODE)));
	cache_done(&c);
}

static void lists_are_sorted_by_namespace_and_name(void **state)
{
	static const char *const names[][2] = {
		{ "a-b", "x" }, { "a", "z" }, { "b", "a" }, { "a", "y" }
	};
	const struct cache_object **list;
	struct cache c;

	(void)state;
	cache_init(&c);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(put(&c, LOCAL, names[i][0], names[i][1], i + 1));
	assert_true(put(&c, GLOBAL, NULL, "g", 9));
	cache_remove(&c, LOCAL, "b", "a");
	assert_int_equal(cache_list(&c, LOCAL, NULL, NULL, &list), 3);
	assert_string_equal(cache_name(list[0]), "y");
	assert_string_equal(cache_name(list[1]), "z");
	assert_string_equal(cache_ns(list[2]), "a-b");
	free(list);
	assert_int_equal(cache_list(&c, LOCAL, "a", "z", &list), 1);
	free(list);
	assert_int_equal(cache_list(&c, V3__KIND__KIND_NODE, NULL, NULL, &list), 0);
	free(list);
	cache_done(&c);
}

static void objects_too_large_for_a_frame_are_not_told(void **state)
{
	ProtobufCMessage *m = msg_new(kind_info(GLOBAL)->message);
	char *big = xcalloc(1, IPC_FRAME_MAX + 1);
	struct resource *r;
	struct cache c;

	(void)state;
	cache_init(&c);
	assert_true(put(&c, GLOBAL, NULL, "a", 1));
	memset(big, 'x', IPC_FRAME_MAX);
	msg_set_str(&model_meta(m, true)->name, big);
	r = resource_new(GLOBAL, NULL, "a", 2, m);
	assert_false(cache_put(&c, r));
	assert_int_equal(c.too_large, 1);
	assert_null(cache_find(&c, GLOBAL, NULL,
	                       "a")); /* rather nothing than what is not true any more */
	resource_free(r);
	free(big);
	cache_done(&c);
}

/*
 * Objects change at random; readers of different speed follow; one is so slow that tombstones are
 * forgotten before it knows of them, and starts over, as fanout does. At the end everyone believes
 * what is.
 */
#define OBJECTS 40
#define READERS 5

struct reader {
	uint64_t told, start, believes[OBJECTS];
	unsigned restarts;
};

static void reader_step(const struct cache *c, struct reader *r)
{
	const struct cache_object *o;

	if (r->told < c->floor && r->start < c->floor) {
		memset(r->believes, 0, sizeof(r->believes));
		r->told = 0;
		r->start = c->seq;
		r->restarts++;
	}
	o = cache_next(c, r->told, ALL);
	if (!o) {
		r->told = c->seq;
		return;
	}
	assert_true(o->seq > r->told);
	r->told = o->seq;
	r->believes[atoi(cache_name(o))] = cache_revision(o); /* 0: a tombstone */
}

static void readers_of_any_speed_end_in_the_truth(void **state)
{
	uint64_t model[OBJECTS] = { 0 }, revision = 0;
	struct reader readers[READERS] = { 0 };
	uint64_t updates = 0;
	struct cache c;

	(void)state;
	srandom(11);
	cache_init(&c);
	for (int round = 0; round < 20000; round++) {
		int i = (int)(random() % OBJECTS);
		uint64_t told = c.seq;
		char name[8];

		(void)snprintf(name, sizeof(name), "%d", i);
		if (random() % 3) {
			model[i] = ++revision;
			assert_true(put(&c, GLOBAL, NULL, name, revision));
			updates++;
		} else {
			updates += model[i] != 0;
			model[i] = 0;
			cache_remove(&c, GLOBAL, NULL, name);
		}
		for (int k = 0; k < READERS; k++) {
			if (random() % (1 << (2 * k)) == 0)
				reader_step(&c, &readers[k]);
			if (readers[k].told < told)
				told = readers[k].told;
		}
		if (random() % 10 == 0)
			cache_prune(&c, told, 12);
	}
	assert_int_equal(c.packed, updates);
	for (int k = 0; k < READERS; k++) {
		while (readers[k].told < c.seq)
			reader_step(&c, &readers[k]);
		for (int i = 0; i < OBJECTS; i++)
			assert_int_equal(readers[k].believes[i], model[i]);
	}
	assert_int_equal(readers[0].restarts, 0);
	assert_true(readers[READERS - 1].restarts > 0);
	assert_true(c.cap < 1024); /* the order does not grow with the number of changes */
	cache_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_frame_is_the_update_and_ends_with_the_body),
		cmocka_unit_test(what_is_removed_is_a_tombstone_until_all_know),
		cmocka_unit_test(the_cache_is_a_drivers_memory),
		cmocka_unit_test(readers_see_their_kinds_only),
		cmocka_unit_test(lists_are_sorted_by_namespace_and_name),
		cmocka_unit_test(objects_too_large_for_a_frame_are_not_told),
		cmocka_unit_test(readers_of_any_speed_end_in_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
