/* SPDX-License-Identifier: BSD-2-Clause */
/* What both ends of typhad's protocol agree on: versions, sync types, packed frames. */
#include "test/unit/test.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/sync.h"

static void the_newest_version_that_both_speak(void **state)
{
	static const struct {
		uint32_t version, min;
		unsigned agreed;
	} cases[] = {
		{ 2, 1, 2 }, { 2, 2, 2 }, { 1, 1, 1 }, { 1, 0, 1 }, { 2, 0, 2 }, { 9, 2, 2 },
		{ 9, 1, 2 }, { 9, 3, 0 }, { 9, 0, 0 }, { 0, 0, 0 }, { 1, 2, 0 }, /* nonsense */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(sync_version_agree(cases[i].version, cases[i].min),
		                 cases[i].agreed);
}

#define BIT(k) ((uint64_t)1 << V3__KIND__KIND_##k)

static void types_carry_what_upstreams_carry(void **state)
{
	uint64_t kinds = 1;

	(void)state;
	assert_int_equal(sync_type_kinds(NULL, &kinds), 0);
	assert_true(kinds == ~(uint64_t)0);
	assert_int_equal(sync_type_kinds("", &kinds), 0);
	assert_true(kinds == ~(uint64_t)0);
	assert_int_equal(sync_type_kinds("felix", &kinds), 0);
	assert_true(kinds & BIT(WORKLOAD_ENDPOINT));
	assert_true(kinds & BIT(IPAM_BLOCK));
	assert_false(kinds & (BIT(IPAM_AFFINITY) | BIT(BGP_FILTER) | BIT(CALICO_NODE_STATUS)));
	assert_int_equal(sync_type_kinds("bgp", &kinds), 0);
	assert_true(kinds == (BIT(IP_POOL) | BIT(BGP_CONFIGURATION) | BIT(NODE) | BIT(BGP_PEER) |
	                      BIT(BGP_FILTER) | BIT(IPAM_AFFINITY)));
	assert_int_equal(sync_type_kinds("tunnel-ip-allocation", &kinds), 0);
	assert_true(kinds == (BIT(IP_POOL) | BIT(NODE)));
	assert_int_equal(sync_type_kinds("node-status", &kinds), 0);
	assert_true(kinds == BIT(CALICO_NODE_STATUS));
	assert_int_equal(sync_type_kinds("Felix", &kinds), -ENOENT);
	assert_int_equal(sync_type_kinds("felix ", &kinds), -ENOENT);
	assert_non_null(strstr(sync_type_names(), "tunnel-ip-allocation"));

	assert_true(sync_type_own_kinds("bgp") == BIT(IPAM_AFFINITY));
	assert_true(sync_type_own_kinds("felix") == 0);
	assert_true(sync_type_own_kinds(NULL) == 0);
	assert_true(sync_object_is_of("n1/10.0.0.0/26", "n1"));
	assert_false(sync_object_is_of("n1/10.0.0.0/26", "n"));
	assert_false(sync_object_is_of("n1/10.0.0.0/26", "n11"));
	assert_false(sync_object_is_of("n1", "n1"));
}

static void packed_frames_are_checked(void **state)
{
	CLEANUP(buf_done) struct buf small = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	Sync__V1__Compressed m = SYNC__V1__COMPRESSED__INIT;
	CLEANUP(free_p) char *text = xcalloc(1, 100000);
	struct err err = { 0 };

	(void)state;
	memset(text, 'y', 100000);
	assert_int_equal(codec_zstd.pack(text, 100000, &small), 0);
	assert_true(small.len < 1000);
	m.raw_size = 100000;
	m.frames = (ProtobufCBinaryData){ small.len, small.data };
	assert_int_equal(sync_unpack(&codec_zstd, &m, &out, &err), 0);
	assert_int_equal(out.len, 100000);
	assert_memory_equal(out.data, text, 100000);
	buf_clear(&out);

	m.raw_size = 99999; /* it says another size inside */
	assert_int_equal(sync_unpack(&codec_zstd, &m, &out, &err), -EPROTO);
	m.raw_size = 0;
	assert_int_equal(sync_unpack(&codec_zstd, &m, &out, &err), -EPROTO);
	m.raw_size = SYNC_RAW_MAX + 1;
	assert_int_equal(sync_unpack(&codec_zstd, &m, &out, &err), -EMSGSIZE);
	assert_non_null(strstr(err.text, "4194309"));
	m.raw_size = 100000;
	for (size_t n = 0; n < small.len; n++) { /* truncated anywhere */
		m.frames.len = n;
		assert_int_equal(sync_unpack(&codec_zstd, &m, &out, &err), -EPROTO);
		assert_int_equal(out.len, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_version_that_both_speak),
		cmocka_unit_test(types_carry_what_upstreams_carry),
		cmocka_unit_test(packed_frames_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
