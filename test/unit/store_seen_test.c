/* SPDX-License-Identifier: BSD-2-Clause */
/* What a watcher is told, against a naive model: an array of revisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/seen.h"
#include "common/store/store.h"

#define NODE V3__KIND__KIND_NODE
#define POLICY V3__KIND__KIND_NETWORK_POLICY

static void only_new_revisions_are_told(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	assert_true(seen_update(s, NODE, NULL, "a", 5));
	assert_false(seen_update(s, NODE, NULL, "a", 5));
	assert_true(seen_update(s, NODE, NULL, "a", 6));
	assert_true(seen_remove(s, NODE, NULL, "a"));
	assert_false(seen_remove(s, NODE, NULL, "a"));
	assert_true(seen_update(s, NODE, NULL, "a", 6)); /* it is new again */
	seen_free(s);
	seen_free(NULL);
}

static void forward_only_lets_nothing_older_through(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	seen_forward_only(s);
	assert_true(seen_update(s, NODE, NULL, "a", 5));
	assert_false(seen_update(s, NODE, NULL, "a", 4));
	assert_false(seen_update(s, NODE, NULL, "a", 5));
	assert_true(seen_update(s, NODE, NULL, "a", 6));
	/* unless nothing that was known counts any more */
	seen_distrust(s);
	seen_snapshot(s);
	assert_true(seen_update(s, NODE, NULL, "a", 2));
	assert_false(seen_update(s, NODE, NULL, "a", 1));
	seen_free(s);
}

static void kind_namespace_and_name_make_the_identity(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	assert_true(seen_update(s, NODE, NULL, "a", 1));
	assert_true(seen_update(s, POLICY, "a", "a", 1));
	assert_true(seen_update(s, POLICY, "b", "a", 1));
	assert_true(seen_update(s, POLICY, "a", "b", 1));
	assert_int_equal(seen_count(s), 4);
	assert_true(seen_remove(s, POLICY, "a", "a"));
	assert_false(seen_update(s, POLICY, "b", "a", 1));
	seen_free(s);
}

struct gone {
	size_t n;
	char names[64][16];
	bool with_ns;
};

static void on_gone(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct gone *g = arg;

	(void)kind;
	g->with_ns = ns != NULL;
	assert_true(g->n < 64);
	(void)snprintf(g->names[g->n++], sizeof(g->names[0]), "%s", name);
}

static void what_a_snapshot_does_not_name_is_gone(void **state)
{
	struct seen *s = seen_new();
	struct gone g = { 0 };

	(void)state;
	seen_snapshot_end(s, on_gone, &g); /* without a beginning: nothing */
	assert_true(seen_update(s, NODE, NULL, "a", 1));
	assert_true(seen_update(s, POLICY, "ns", "b", 2));
	assert_true(seen_update(s, NODE, NULL, "c", 3));
	seen_snapshot(s);
	assert_false(seen_update(s, NODE, NULL, "a", 1));
	seen_snapshot(s); /* begun anew before its end */
	assert_true(seen_update(s, NODE, NULL, "c", 4));
	assert_false(seen_update(s, NODE, NULL, "a", 1));
	assert_true(seen_update(s, NODE, NULL, "d", 9));
	seen_snapshot_end(s, on_gone, &g);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.names[0], "b");
	assert_true(g.with_ns);
	assert_int_equal(seen_count(s), 3);
	seen_free(s);
}

/* A server with 20 objects changes them at random; its stream breaks at random; what the watcher
 * was told must be what there is. */
static uint64_t there[20], told[20];

static void forget(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	(void)kind;
	(void)ns;
	assert_int_not_equal(told[atoi(name)], 0);
	told[atoi(name)] = 0;
}

static void tell(struct seen *s, int i)
{
	char name[8];

	(void)snprintf(name, sizeof(name), "%d", i);
	if (there[i]) {
		bool changed = seen_update(s, NODE, NULL, name, there[i]);

		assert_int_equal(changed, told[i] != there[i]);
		told[i] = there[i];
	} else if (seen_remove(s, NODE, NULL, name)) {
		assert_int_not_equal(told[i], 0);
		told[i] = 0;
	}
}

/* A watcher with a memory: what it was told, and the driver's marks. */
static uint8_t marks[20], new_mark;

static bool recall(void *arg, model_kind kind, const char *ns, const char *name, uint8_t mark,
                   uint64_t *ret_revision, uint8_t *ret_mark)
{
	int i = atoi(name);

	(void)arg;
	(void)kind;
	(void)ns;
	new_mark = mark;
	*ret_revision = told[i];
	*ret_mark = marks[i];
	marks[i] = mark;
	return told[i] != 0;
}

static void each(void *arg,
                 void (*fn)(void *fn_arg, model_kind kind, const char *ns, const char *name,
                            uint8_t mark),
                 void *fn_arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "%d", i);
		if (told[i])
			fn(fn_arg, NODE, NULL, name, marks[i]);
	}
}

static void random_streams(struct seen *s)
{
	uint64_t revision = 1;

	memset(there, 0, sizeof(there));
	memset(told, 0, sizeof(told));
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		bool connected = random() % 4 != 0;

		for (int step = 0; step < 10; step++) {
			int i = (int)(random() % 20);

			there[i] = random() % 3 ? ++revision : 0;
			if (connected)
				tell(s, i);
		}
		if (!connected) {
			seen_snapshot(s);
			for (int i = 0; i < 20; i++)
				if (there[i])
					tell(s, i);
			seen_snapshot_end(s, forget, NULL);
		}
		for (int i = 0; i < 20; i++)
			assert_int_equal(there[i], told[i]);
	}
	seen_free(s);
}

static void random_streams_end_in_the_truth(void **state)
{
	static const struct store_memory memory = { recall, each };
	struct seen *s = seen_new();

	(void)state;
	random_streams(seen_new());
	seen_use(s, &memory, NULL);
	random_streams(s); /* 500 snapshots: marks come round again */
}

static void what_is_distrusted_is_told_again(void **state)
{
	static const struct store_memory memory = { recall, each };

	(void)state;
	memset(told, 0, sizeof(told));
	for (int with_memory = 0; with_memory < 2; with_memory++) {
		struct seen *s = seen_new();

		seen_use(s, with_memory ? &memory : NULL, NULL);
		for (int i = 0; i < 300; i++) {
			seen_snapshot(s);
			assert_int_equal(seen_update(s, NODE, NULL, "7", 5), i == 0);
			told[7] = 5;
			seen_snapshot_end(s, forget, NULL);
		}
		seen_distrust(s);
		seen_snapshot(s);
		assert_true(seen_update(s, NODE, NULL, "7", 5));
		assert_false(seen_update(s, NODE, NULL, "7", 5));
		seen_snapshot_end(s, forget, NULL);
		assert_int_equal(told[7], 5);
		told[7] = 0;
		seen_free(s);
	}
}

/* A mark is a byte, and each beginning takes one. */
static void snapshots_that_break_off_confuse_no_marks(void **state)
{
	static const struct store_memory memory = { recall, each };

	(void)state;
	for (int beginnings = 1; beginnings < 600; beginnings++) {
		for (int distrusted = 0; distrusted < 2; distrusted++) {
			struct seen *s = seen_new();

			memset(told, 0, sizeof(told));
			seen_use(s, &memory, NULL);
			seen_snapshot(s);
			for (int i = 1; i < 4; i++) {
				char name[8];

				(void)snprintf(name, sizeof(name), "%d", i);
				assert_true(seen_update(s, NODE, NULL, name, 5));
				told[i] = 5;
				marks[i] = new_mark;
			}
			seen_snapshot_end(s, forget, NULL);
			if (distrusted)
				seen_distrust(s);
			for (int i = 0; i < beginnings; i++)
				seen_snapshot(s);
			/* 1 is still there, 2 and 3 went meanwhile */
			if (distrusted)
				assert_true(seen_update(s, NODE, NULL, "1", 5));
			else if (seen_update(s, NODE, NULL, "1", 5))
				fail_msg("told again after %d", beginnings);
			seen_snapshot_end(s, forget, NULL);
			assert_int_equal(told[1], 5);
			if (told[2] || told[3])
				fail_msg("what went is still there after %d", beginnings);
			seen_free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_new_revisions_are_told),
		cmocka_unit_test(forward_only_lets_nothing_older_through),
		cmocka_unit_test(kind_namespace_and_name_make_the_identity),
		cmocka_unit_test(what_a_snapshot_does_not_name_is_gone),
		cmocka_unit_test(random_streams_end_in_the_truth),
		cmocka_unit_test(what_is_distrusted_is_told_again),
		cmocka_unit_test(snapshots_that_break_off_confuse_no_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
