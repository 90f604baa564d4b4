/* SPDX-License-Identifier: BSD-2-Clause */
/* common/model/block.c against upstream's rules, and against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/block.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"

#define T0 1787380400u /* 2026-08-22T06:33:20Z */

static V3__IpamBlock *new_block(const char *cidr)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(cidr, &p), 0);
	return block_new(&p, "host:node1", (uint64_t)T0 * 1000000000u);
}

static struct block_owner owner(const char *handle)
{
	return (struct block_owner){ .handle = (char *)handle };
}

static void check(const V3__IpamBlock *b)
{
	struct ip_prefix cidr;
	struct err err;

	if (!block_check(b, &cidr, &err))
		fail_msg("%s", err.text);
}

/* The example of the reference, byte for byte: what upstream stores for the same history. */
static void json_is_upstreams(void **state)
{
	struct block_attr attrs[] = {
		{ (char *)"pod", (char *)"web-0" },
		{ (char *)"namespace", (char *)"ns1" },
		{ (char *)"node", (char *)"node1" },
		{ (char *)"timestamp", (char *)"2026-08-22 06:33:25 +0000 UTC" },
	};
	struct block_owner o = { (char *)"k8s-pod-network.4f1c", attrs, 4 };
	V3__IpamBlock *b = new_block("10.0.0.0/30");
	CLEANUP(buf_done) struct buf out = { 0 };
	uint32_t got[4];

	(void)state;
	mapper_write_text(&b->base, 0, &out);
	assert_string_equal(
	        buf_cstr(&out),
	        "{\"cidr\":\"10.0.0.0/"
	        "30\",\"affinity\":\"host:node1\",\"affinity_claim_time\":\"2026-08-22T06:33:20Z\","
	        "\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,3],\"attributes\":"
	        "null,"
	        "\"sequenceNumber\":1787380400000000000,\"sequenceNumberForAllocation\":{},"
	        "\"deleted\":false}");
	assert_int_equal(block_take(b, &o, 1, got), 1);
	block_bump(b);
	buf_clear(&out);
	mapper_write_text(&b->base, 0, &out);
	assert_string_equal(
	        buf_cstr(&out),
	        "{\"cidr\":\"10.0.0.0/"
	        "30\",\"affinity\":\"host:node1\",\"affinity_claim_time\":\"2026-08-22T06:33:20Z\","
	        "\"allocations\":[0,null,null,null],\"unallocated\":[1,2,3],\"attributes\":[{"
	        "\"handle_id\":"
	        "\"k8s-pod-network.4f1c\",\"secondary\":{\"namespace\":\"ns1\",\"node\":\"node1\","
	        "\"pod\":\"web-0\","
	        "\"timestamp\":\"2026-08-22 06:33:25 +0000 "
	        "UTC\"}}],\"sequenceNumber\":1787380400000000001,"
	        "\"sequenceNumberForAllocation\":{\"0\":1787380400000000000},\"deleted\":false}");
	msg_free(&b->base);
}

static void free_addresses_are_a_queue(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/30");
	struct block_owner a = owner("a"), c = owner("c");
	uint32_t got[4];

	(void)state;
	assert_int_equal(block_take(b, &a, 2, got), 2);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 1);
	assert_int_equal(b->n_attributes, 1); /* one entry for equal owners */
	assert_int_equal(block_release_handle(b, "a", T0, 0, got), 2);
	assert_int_equal(b->n_attributes, 0);
	/* The released ones come last. */
	assert_int_equal(block_take(b, &c, 4, got), 4);
	assert_int_equal(got[0], 2);
	assert_int_equal(got[1], 3);
	assert_int_equal(got[2], 0);
	assert_int_equal(got[3], 1);
	assert_int_equal(block_take(b, &a, 1, got), 0);
	check(b);
	msg_free(&b->base);
}

static void one_address_by_name(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/29");
	struct block_owner a = owner("a");
	char *handle = NULL;
	uint32_t got[8];

	(void)state;
	assert_int_equal(block_take_ordinal(b, &a, 5), 0);
	assert_int_equal(block_take_ordinal(b, &a, 5), -EEXIST);
	assert_int_equal(block_find_handle(b, "a", got, 8), 1);
	assert_int_equal(got[0], 5);
	assert_int_equal(block_release_ordinal(b, 4, T0, &handle), -ENOENT);
	assert_int_equal(block_release_ordinal(b, 5, T0, &handle), 0);
	assert_string_equal(handle, "a");
	free(handle);
	assert_int_equal(block_release_ordinal(b, 5, T0, &handle), -ENOENT);
	assert_true(block_gc(b, T0, 0));
	assert_int_equal(block_free_count(b), 8);
	assert_int_equal(b->n_sequencenumberforallocation, 0);
	check(b);
	msg_free(&b->base);
}

static void cool_down_holds_an_address(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/30");
	struct block_owner a = owner("a");
	uint32_t got[4];

	(void)state;
	assert_int_equal(block_take(b, &a, 1, got), 1);
	assert_int_equal(block_release_handle(b, "a", T0, 30, NULL), 1);
	assert_int_equal(block_free_count(b), 3);
	assert_false(block_empty(b)); /* cooling counts as taken */
	assert_null(block_owner_of(b, 0));
	assert_int_equal(block_find_handle(b, "a", got, 4), 0);
	assert_int_equal(block_take_ordinal(b, &a, 0), -EEXIST);
	check(b);
	assert_false(block_gc(b, T0 + 30, 30)); /* strictly before now - cooldown */
	assert_true(block_gc(b, T0 + 31, 30));
	assert_int_equal(block_free_count(b), 4);
	assert_true(block_empty(b));
	check(b);
	msg_free(&b->base);
}

static void handles_end_at_a_carriage_return(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/30");
	struct block_owner old = owner("net.id\r\neth0");

	(void)state;
	assert_int_equal(block_take_ordinal(b, &old, 0), 0);
	assert_int_equal(block_find_handle(b, "net.id", NULL, 0), 1);
	assert_int_equal(block_find_handle(b, "NET.id", NULL, 0), 0);
	assert_int_equal(block_release_handle(b, "net.id", T0, 0, NULL), 1);
	msg_free(&b->base);
}

static void windows_addresses_do_not_make_a_block_used(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/29");
	struct block_owner w = owner(BLOCK_WINDOWS_HANDLE), a = owner("a");
	uint32_t got[8];

	(void)state;
	assert_int_equal(block_take(b, &w, 3, got), 3);
	assert_true(block_empty(b));
	assert_int_equal(block_take(b, &a, 1, got), 1);
	assert_false(block_empty(b));
	msg_free(&b->base);
}

static void broken_blocks_are_refused(void **state)
{
	static const char *const bad[] = {
		"{\"cidr\":\"10.0.0.1/"
		"30\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,3]}",
		"{\"cidr\":\"10.0.0.0/8\",\"allocations\":[],\"unallocated\":[]}",
		"{\"cidr\":\"nonsense\",\"allocations\":[],\"unallocated\":[]}",
		"{\"allocations\":[null],\"unallocated\":[0]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[null,null,null],\"unallocated\":[0,1,2]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[0,null,null,null],\"unallocated\":[1,2,3]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,4]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,-1]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,2]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2]}",
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[0,null,null,null],\"unallocated\":[0,1,2,3],\"attributes\":["
		"{}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ProtobufCMessage *m;
		struct ip_prefix cidr;
		struct err err = { 0 };

		assert_int_equal(mapper_read_text(&v3__ipam_block__descriptor, bad[i],
		                                  strlen(bad[i]), MAPPER_KEEP, &m, &err),
		                 0);
		if (block_check((V3__IpamBlock *)m, &cidr, &err))
			fail_msg("accepted: %s", bad[i]);
		assert_true(err.text[0]);
		msg_free(m);
	}
}

/* A stored block, changed by ours, keeps what we do not know and its 64-bit numbers. */
static void what_others_wrote_survives(void **state)
{
	static const char text[] =
	        "{\"cidr\":\"10.0.0.0/"
	        "31\",\"affinity\":null,\"allocations\":[0,null],\"unallocated\":[1],"
	        "\"attributes\":[{\"handle_id\":\"x\",\"secondary\":{\"pod\":\"p\"}}],"
	        "\"sequenceNumber\":1787380400000000123,\"sequenceNumberForAllocation\":{\"0\":"
	        "1787380400000000007},"
	        "\"deleted\":false,\"novel\":{\"a\":1}}";
	CLEANUP(buf_done) struct buf out = { 0 };
	struct block_owner a = owner("a");
	ProtobufCMessage *m;
	uint32_t got[2];

	(void)state;
	assert_int_equal(mapper_read_text(&v3__ipam_block__descriptor, text, strlen(text),
	                                  MAPPER_KEEP, &m, NULL),
	                 0);
	assert_int_equal(block_take((V3__IpamBlock *)m, &a, 1, got), 1);
	block_bump((V3__IpamBlock *)m);
	mapper_write_text(m, 0, &out);
	assert_non_null(strstr(buf_cstr(&out), "\"sequenceNumber\":1787380400000000124"));
	assert_non_null(strstr(buf_cstr(&out), "\"0\":1787380400000000007"));
	assert_non_null(strstr(buf_cstr(&out), "\"1\":1787380400000000123"));
	assert_non_null(strstr(buf_cstr(&out), "\"novel\":{\"a\":1}"));
	assert_non_null(strstr(buf_cstr(&out), "\"affinity\":null"));
	msg_free(m);
}

/* Beside a model that is an array of owners. */
static void random_use_agrees_with_a_naive_model(void **state)
{
	static const char *const names[] = { "h0", "h1", "h2", "h3", "h4" };
	V3__IpamBlock *b = new_block("10.0.0.0/26");
	int model[64];
	uint32_t rnd = 7, got[64];

	(void)state;
	memset(model, -1, sizeof(model));
	for (unsigned round = 0; round < 20000; round++) {
		unsigned h, what;
		struct block_owner o;
		char *handle = NULL;
		size_t n, expect = 0;

		rnd = rnd * 1664525u + 1013904223u;
		h = (rnd >> 8) % ARRAY_SIZE(names);
		what = (rnd >> 16) % 4;
		o = owner(names[h]);
		if (what == 0) {
			size_t want = (rnd >> 20) % 5;

			for (size_t i = 0; i < 64; i++)
				expect += model[i] < 0;
			n = block_take(b, &o, want, got);
			assert_int_equal(n, want < expect ? want : expect);
			for (size_t i = 0; i < n; i++) {
				assert_true(got[i] < 64 && model[got[i]] < 0);
				model[got[i]] = (int)h;
			}
		} else if (what == 1) {
			unsigned at = (rnd >> 20) % 64;

			assert_int_equal(block_take_ordinal(b, &o, at),
			                 model[at] < 0 ? 0 : -EEXIST);
			if (model[at] < 0)
				model[at] = (int)h;
		} else if (what == 2) {
			n = block_release_handle(b, names[h], T0 + round, 0, NULL);
			for (size_t i = 0; i < 64; i++)
				if (model[i] == (int)h) {
					model[i] = -1;
					expect++;
				}
			assert_int_equal(n, expect);
		} else {
			unsigned at = (rnd >> 20) % 64;

			assert_int_equal(block_release_ordinal(b, at, T0 + round, &handle),
			                 model[at] < 0 ? -ENOENT : 0);
			if (model[at] >= 0)
				assert_string_equal(handle, names[model[at]]);
			free(handle);
			model[at] = -1;
			(void)block_gc(b, T0 + round, 0);
		}
		check(b);
		for (unsigned i = 0; i < 64; i++) {
			const V3__IpamAttribute *a = block_owner_of(b, i);

			assert_int_equal(a != NULL, model[i] >= 0);
			if (a)
				assert_string_equal(a->handle_id, names[model[i]]);
		}
	}
	msg_free(&b->base);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t sec;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "2026-08-22T06:33:20Z", true, 1787380400 },
		{ "2026-08-22T08:33:20+02:00", true, 1787380400 },
		{ "2026-08-22T06:33:20.123456789Z", true, 1787380400 },
		{ "2024-02-29T00:00:00Z", true, 1709164800 },
		{ "2026-08-22T06:33:20", false, 0 },
		{ "2026-08-22 06:33:20Z", false, 0 },
		{ "2026-13-22T06:33:20Z", false, 0 },
		{ "2026-08-22T06:33:20.Z", false, 0 },
		{ "2026-08-22T06:33:20Zx", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t sec = 0;

		if (rfc3339_parse(cases[i].text, &sec) != cases[i].ok || sec != cases[i].sec)
			fail_msg("%s", cases[i].text);
	}
	assert_false(rfc3339_parse(NULL, &(uint64_t){ 0 }));
}

static void handles_count(void **state)
{
	V3__IpamHandle *h = (V3__IpamHandle *)msg_new(&v3__ipam_handle__descriptor);

	(void)state;
	assert_int_equal(handle_count(h, "10.0.0.0/26"), 0);
	handle_set_count(h, "10.0.0.0/26", 2);
	handle_set_count(h, "10.0.1.0/26", 1);
	handle_set_count(h, "10.9.0.0/26", 0);
	assert_int_equal(h->n_block, 2);
	handle_set_count(h, "10.0.0.0/26", 1);
	assert_int_equal(handle_count(h, "10.0.0.0/26"), 1);
	handle_set_count(h, "10.0.0.0/26", -3);
	assert_int_equal(handle_count(h, "10.0.0.0/26"), 0);
	assert_int_equal(handle_count(h, "10.0.1.0/26"), 1);
	assert_int_equal(h->n_block, 1);
	msg_free(&h->base);
}

/* The number that guards a release: of the time when the address was taken, and exact. */
static void sequence_numbers_are_exact(void **state)
{
	V3__IpamBlock *b = new_block("10.0.0.0/30");
	struct block_owner o = owner("h1");
	uint32_t got[2];

	(void)state;
	b->sequencenumber = UINT64_C(1787380400000000001);
	assert_int_equal(block_take(b, &o, 1, got), 1);
	block_bump(b);
	assert_int_equal(block_take(b, &o, 1, got + 1), 1);
	assert_true(block_sequence_of(b, got[0]) == UINT64_C(1787380400000000001));
	assert_true(block_sequence_of(b, got[1]) == UINT64_C(1787380400000000002));
	assert_true(block_sequence_of(b, 3) == 0);
	msg_free(&b->base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_upstreams),
		cmocka_unit_test(free_addresses_are_a_queue),
		cmocka_unit_test(one_address_by_name),
		cmocka_unit_test(cool_down_holds_an_address),
		cmocka_unit_test(handles_end_at_a_carriage_return),
		cmocka_unit_test(windows_addresses_do_not_make_a_block_used),
		cmocka_unit_test(broken_blocks_are_refused),
		cmocka_unit_test(what_others_wrote_survives),
		cmocka_unit_test(random_use_agrees_with_a_naive_model),
		cmocka_unit_test(times),
		cmocka_unit_test(handles_count),
		cmocka_unit_test(sequence_numbers_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
