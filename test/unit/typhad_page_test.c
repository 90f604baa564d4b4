/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages: what is packed once is given to all, and is never older than what is. */
#include "test/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/sync.h"
#include "proto/v3_policy.pb-c.h"
#include "typhad/page.h"

#define GLOBAL V3__KIND__KIND_GLOBAL_NETWORK_SET
#define TIER V3__KIND__KIND_TIER
#define ALL (~(uint64_t)0)

static struct cache cache;
static struct pages pages;

static int set_up(void **state)
{
	(void)state;
	cache_init(&cache);
	pages_init(&pages, &cache, &codec_zstd);
	cache.left = pages_left;
	cache.left_arg = &pages;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cache.left = NULL;
	pages_done(&pages);
	cache_done(&cache);
	return 0;
}

/* pad: bytes that do not pack; none of it is left when it has been 0. */
static void put(model_kind kind, unsigned name, uint64_t revision, size_t pad)
{
	CLEANUP(free_p) char *text = xcalloc(1, pad + 16);
	ProtobufCMessage *m = msg_new(kind_info(kind)->message);
	struct resource *r;

	(void)snprintf(text, 16, "%u", name);
	r = resource_new(kind, NULL, text, revision, m);
	for (size_t i = 0; i < pad; i++)
		text[i] = (char)('!' + random() % 90);
	text[pad] = '\0';
	msg_set_str(&model_meta(m, true)->uid, text);
	assert_true(cache_put(&cache, r));
	resource_free(r);
}

static void put_away(model_kind kind, unsigned name)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", name);
	cache_remove(&cache, kind, NULL, text);
}

/* ---- a reader */

#define OBJECTS 120

struct reader {
	uint64_t kinds, told, start;
	uint64_t believes[2][OBJECTS]; /* revisions; 0: is not there */
	unsigned restarts;
};

static unsigned take_frames(struct reader *r, const uint8_t *data, size_t len)
{
	unsigned n = 0;
	struct cursor body;
	size_t used;

	for (size_t at = 0; at < len; at += used) {
		Sync__V1__FromTyphad *m;

		assert_int_equal(ipc_frame_next(data + at, len - at, &body, &used), 1);
		m = (Sync__V1__FromTyphad *)ipc_unpack(&sync__v1__from_typhad__descriptor, &body);
		assert_non_null(m);
		if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED) {
			CLEANUP(buf_done) struct buf raw = { 0 };
			struct err err = { 0 };

			if (sync_unpack(&codec_zstd, m->compressed, &raw, &err) < 0)
				fail_msg("%s", err.text);
			n += take_frames(r, raw.data, raw.len);
		} else {
			const Sync__V1__UpdateEvent *u = m->update;

			assert_int_equal(m->payload_case, SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE);
			assert_true(r->kinds & CACHE_KIND_BIT(u->resource->kind));
			r->believes[u->resource->kind == TIER][atoi(u->resource->name)] =
			        u->deleted ? 0 : u->resource->revision;
			n++;
		}
		sync__v1__from_typhad__free_unpacked(m, NULL);
	}
	return n;
}

/* false: it is at the end. */
static bool step(struct reader *r)
{
	struct ipc_frame *f;
	uint64_t upto;
	unsigned n;

	if (r->told < cache.floor && r->start < cache.floor) {
		memset(r->believes, 0, sizeof(r->believes));
		r->told = 0;
		r->start = cache.seq;
		r->restarts++;
	}
	f = pages_next(&pages, r->kinds, r->told, &upto, &n);
	if (!f) {
		assert_int_equal(n, 0);
		assert_int_equal(upto, cache.seq);
		r->told = upto;
		return false;
	}
	assert_true(upto > r->told && upto <= cache.seq);
	r->told = upto;
	assert_int_equal(take_frames(r, f->data, f->len), n);
	return true;
}

static unsigned read_all(struct reader *r)
{
	unsigned n = 0;

	while (step(r))
		n++;
	return n;
}

/* ---- tests */

static void a_snapshot_is_packed_once_for_all(void **state)
{
	struct reader r[20] = { { 0 } };
	uint64_t packed = 0;

	(void)state;
	for (unsigned i = 0; i < OBJECTS; i++)
		put(GLOBAL, i, i + 1, 4000);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
		r[i].kinds = ALL;
		assert_in_range(read_all(&r[i]), 7, 9); /* 480 KB in pages of 64 */
		for (unsigned k = 0; k < OBJECTS; k++)
			assert_int_equal(r[i].believes[0][k], k + 1);
		if (i == 0)
			packed = pages.packed;
	}
	assert_int_equal(pages.packed, packed);
	assert_true(pages.bytes > 100000); /* and what is random in it does pack a bit */

	/* One changes: it alone is told, and one page is packed anew for who comes next. */
	put(GLOBAL, 60, 1000, 4000);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
		assert_int_equal(read_all(&r[i]), 1);
		assert_int_equal(r[i].believes[0][60], 1000);
	}
	assert_int_equal(pages.packed, packed + 1);
	for (size_t i = 0; i < 3; i++) {
		struct reader late = { .kinds = ALL };

		(void)read_all(&late);
		assert_memory_equal(late.believes, r[0].believes, sizeof(late.believes));
	}
	assert_in_range(pages.packed, packed + 2, packed + 3);
}

static void many_small_changes_of_a_turn_are_packed_together(void **state)
{
	struct reader r[3] = { { .kinds = ALL }, { .kinds = ALL }, { .kinds = ALL } };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(read_all(&r[i]), 0);
	for (unsigned i = 0; i < 50; i++)
		put(GLOBAL, i, i + 1, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(read_all(&r[i]), 1);
	assert_int_equal(pages.packed, 1);
	assert_int_equal(pages.shared, 2);
	assert_true(pages.small < pages.raw / 3);
}

static void each_class_has_pages_of_its_own(void **state)
{
	struct reader r = { .kinds = CACHE_KIND_BIT(TIER) };

	(void)state;
	for (unsigned i = 0; i < OBJECTS; i++) {
		put(GLOBAL, i, i + 1, 3000);
		put(TIER, i, i + 1, 3000);
	}
	(void)read_all(&r);
	assert_int_equal(r.believes[0][5], 0);
	assert_int_equal(r.believes[1][5], 6);
	/* more sets of kinds than there are classes: they are served all the same */
	for (unsigned i = 0; i < 2 * PAGE_CLASSES; i++) {
		struct reader other = { .kinds = CACHE_KIND_BIT(TIER) | CACHE_KIND_BIT(30 + i) };

		(void)read_all(&other);
		assert_int_equal(other.believes[1][OBJECTS - 1], OBJECTS);
	}
	assert_int_equal(pages.n_classes, PAGE_CLASSES);
}

static void an_object_larger_than_a_page_goes_alone(void **state)
{
	struct reader r = { .kinds = ALL };

	(void)state;
	put(GLOBAL, 1, 1, 10);
	put(GLOBAL, 2, 2, 1200000);
	put(GLOBAL, 3, 3, 10);
	assert_int_equal(read_all(&r), 3);
	assert_int_equal(r.believes[0][2], 2);
	assert_int_equal(r.believes[0][3], 3);
}

/*
 * Objects of two kinds change at random, in size too; readers of different speed, kinds and places
 * follow; some start over. At the end everyone believes what is.
 */
#define READERS 9

static void readers_of_any_speed_end_in_the_truth(void **state)
{
	static const uint64_t classes[] = { ALL, CACHE_KIND_BIT(GLOBAL), CACHE_KIND_BIT(TIER) };
	static uint64_t model[2][OBJECTS];
	static struct reader readers[READERS];
	uint64_t revision = 0;

	(void)state;
	srandom(5);
	for (int k = 0; k < READERS; k++)
		readers[k].kinds = classes[k % 3];
	for (int round = 0; round < 12000; round++) {
		unsigned i = (unsigned)(random() % OBJECTS), tier = random() % 4 == 0;
		uint64_t told = cache.seq;

		if (random() % 3) {
			model[tier][i] = ++revision;
			put(tier ? TIER : GLOBAL, i, revision,
			    random() % 50 ? (size_t)(random() % 5000) : 80000);
		} else {
			model[tier][i] = 0;
			put_away(tier ? TIER : GLOBAL, i);
		}
		for (int k = 0; k < READERS; k++) {
			if (random() % (2 << k) == 0)
				(void)step(&readers[k]);
			if (random() % 2000 == 0) { /* one that has just come */
				memset(readers[k].believes, 0, sizeof(readers[k].believes));
				readers[k].told = 0;
				readers[k].start = cache.seq;
			}
			if (readers[k].told < told)
				told = readers[k].told;
		}
		if (random() % 10 == 0)
			cache_prune(&cache, told, 12);
	}
	for (int k = 0; k < READERS; k++) {
		(void)read_all(&readers[k]);
		for (int t = 0; t < 2; t++)
			for (unsigned i = 0; i < OBJECTS; i++)
				assert_int_equal(readers[k].believes[t][i],
				                 readers[k].kinds &
				                                 CACHE_KIND_BIT(t ? TIER : GLOBAL)
				                         ? model[t][i]
				                         : 0);
	}
	assert_true(readers[READERS - 1].restarts > 0 && pages.shared > 0);
	/* what the pages take does not grow with time */
	assert_true(pages.bytes < 3 * 2 * cache.bytes);
	for (size_t k = 0; k < pages.n_classes; k++)
		for (size_t i = 1; i < pages.classes[k].n; i++)
			assert_true(pages.classes[k].pages[i - 1].upto <=
			            pages.classes[k].pages[i].after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
		TEST(a_snapshot_is_packed_once_for_all),
		TEST(many_small_changes_of_a_turn_are_packed_together),
		TEST(each_class_has_pages_of_its_own),
		TEST(an_object_larger_than_a_page_goes_alone),
		TEST(readers_of_any_speed_end_in_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
