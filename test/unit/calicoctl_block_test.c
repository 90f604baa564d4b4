/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses out of IPAM blocks, beside a naive model: which ordinals are assigned, to which handle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/block.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"

#define NOW "2026-08-22T06:33:20Z"

static ProtobufCMessage *read_json(const ProtobufCMessageDescriptor *d, const char *text)
{
	ProtobufCMessage *m = NULL;

	if (mapper_read_text(d, text, strlen(text), MAPPER_KEEP, &m, NULL) != 0)
		fail_msg("not a message: %s", text);
	return m;
}

static V3__IpamBlock *block(const char *text)
{
	return (V3__IpamBlock *)read_json(&v3__ipam_block__descriptor, text);
}

static const char *written(const void *m)
{
	static struct buf out;

	buf_clear(&out);
	mapper_write_text(m, 0, &out);
	return buf_cstr(&out);
}

#define TWO                                                                                        \
	"{\"cidr\":\"10.0.0.0/30\",\"affinity\":\"host:n1\",\"allocations\":[0,1,null,0],"         \
	"\"unallocated\":[2],\"attributes\":[{\"handle_id\":\"h1\"},{\"handle_id\":\"h2\\rx\"}],"  \
	"\"sequenceNumber\":9,\"sequenceNumberForAllocation\":{\"0\":5,\"1\":6,\"3\":7},"          \
	"\"deleted\":false}"

static void releases(void **state)
{
	/* clang-format off */
	static const struct {
		unsigned ordinal;
		bool cooldown, done;
		const char *handle, *after;
	} cases[] = {
		/* another still has the handle: the attribute stays */
		{ 0, false, true, "h1",
		  "{\"cidr\":\"10.0.0.0/30\",\"affinity\":\"host:n1\",\"allocations\":[null,1,null,0],"
		  "\"unallocated\":[2,0],\"attributes\":[{\"handle_id\":\"h1\"},{\"handle_id\":\"h2\\rx\"}],"
		  "\"sequenceNumber\":9,\"sequenceNumberForAllocation\":{\"1\":6,\"3\":7},\"deleted\":false}" },
		/* the last of a handle: the attribute goes; a handle is compared up to the carriage return */
		{ 1, false, true, "h2",
		  "{\"cidr\":\"10.0.0.0/30\",\"affinity\":\"host:n1\",\"allocations\":[0,null,null,0],"
		  "\"unallocated\":[2,1],\"attributes\":[{\"handle_id\":\"h1\"}],"
		  "\"sequenceNumber\":9,\"sequenceNumberForAllocation\":{\"0\":5,\"3\":7},\"deleted\":false}" },
		{ 1, true, true, "h2",
		  "{\"cidr\":\"10.0.0.0/30\",\"affinity\":\"host:n1\",\"allocations\":[0,1,null,0],"
		  "\"unallocated\":[2],\"attributes\":[{\"handle_id\":\"h1\"},{\"releasedAt\":\"" NOW "\"}],"
		  "\"sequenceNumber\":9,\"sequenceNumberForAllocation\":{\"0\":5,\"1\":9,\"3\":7},\"deleted\":false}" },
		/* free, and outside */
		{ 2, false, false, NULL, TWO },
		{ 4, false, false, NULL, TWO },
		{ 4000000000u, true, false, NULL, TWO },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		V3__IpamBlock *b = block(TWO);
		ProtobufCMessage *want = read_json(&v3__ipam_block__descriptor, cases[i].after);
		CLEANUP(free_p) char *handle = NULL;

		assert_int_equal(
		        block_release(b, cases[i].ordinal, cases[i].cooldown, NOW, &handle),
		        cases[i].done);
		if (cases[i].handle)
			assert_string_equal(handle, cases[i].handle);
		else
			assert_null(handle);
		if (!msg_equal(&b->base, want))
			fail_msg("case %zu: %s", i, written(b));
		msg_free(&b->base);
		msg_free(want);
	}
}

static void cooling_addresses_are_not_released_again(void **state)
{
	V3__IpamBlock *b = block(TWO);
	CLEANUP(free_p) char *handle = NULL, *again = NULL;
	(void)state;

	assert_true(block_release(b, 1, true, NOW, &handle));
	assert_false(block_release(b, 1, true, NOW, &again));
	assert_false(block_release(b, 1, false, NOW, &again));
	assert_false(block_is_empty(b)); /* not yet: the address may still be in somebody's cache */
	msg_free(&b->base);
}

static void damaged_blocks_do_no_harm(void **state)
{
	V3__IpamBlock *b =
	        block("{\"cidr\":\"10.0.0.0/30\",\"allocations\":[7,0,-5],\"unallocated\":[],"
	              "\"attributes\":[{}],\"sequenceNumber\":1}");
	char *handle;
	(void)state;

	assert_false(block_release(b, 0, false, NOW, &handle)); /* an attribute that is not there */
	assert_false(block_release(b, 2, false, NOW, &handle));
	assert_true(
	        block_release(b, 1, false, NOW, &handle)); /* no handle, and no sequence number */
	assert_null(handle);
	assert_int_equal(b->n_attributes, 0);
	assert_int_equal(b->allocations[0], 7);
	msg_free(&b->base);
}

static void emptiness_and_affinity(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		bool empty, of_n1;
	} cases[] = {
		{ "{\"allocations\":[null,null],\"attributes\":[]}", true, false },
		{ "{\"allocations\":[null,0],\"attributes\":[{}],\"affinity\":\"host:n1\"}", false, true },
		{ "{\"allocations\":[0,0],\"attributes\":[{\"handle_id\":\"windows-reserved-ipam-handle\"}],"
		  "\"affinity\":\"host:n10\"}", true, false },
		{ "{\"allocations\":[3],\"attributes\":[],\"affinity\":\"virtual:n1\"}", false, false },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		V3__IpamBlock *b = block(cases[i].text);

		assert_int_equal(block_is_empty(b), cases[i].empty);
		assert_int_equal(block_is_affine(b, "n1"), cases[i].of_n1);
		msg_free(&b->base);
	}
}

static void handles_count_down(void **state)
{
	V3__IpamHandle *h = (V3__IpamHandle *)read_json(
	        &v3__ipam_handle__descriptor,
	        "{\"block\":{\"10.0.0.0/26\":2,\"10.0.1.0/26\":1},\"deleted\":false}");
	(void)state;

	assert_false(handle_decrement(h, "10.0.0.0/26", 1));
	assert_false(handle_decrement(h, "10.9.0.0/26", 1));
	assert_false(handle_decrement(h, "10.0.0.0/26", 1));
	assert_int_equal(h->n_block, 1);
	assert_true(handle_decrement(h, "10.0.1.0/26", 5));
	msg_free(&h->base);
}

/* A /26, a few hundred releases in any order: the block always says what the model says. */
static void any_order(void **state)
{
	(void)state;

	for (unsigned seed = 1; seed < 40; seed++) {
		int model[64]; /* handle of an ordinal; -1: free */
		V3__IpamBlock *b = (V3__IpamBlock *)msg_new(&v3__ipam_block__descriptor);

		srand(seed);
		b->n_attributes = 7;
		b->attributes = xcalloc(7, sizeof(V3__IpamAttribute *));
		for (int h = 0; h < 7; h++) {
			CLEANUP(free_p) char *id = xasprintf("h%d", h);

			b->attributes[h] =
			        (V3__IpamAttribute *)msg_new(&v3__ipam_attribute__descriptor);
			msg_set_str(&b->attributes[h]->handle_id, id);
		}
		b->n_allocations = 64;
		b->allocations = xcalloc(64, sizeof(*b->allocations));
		for (int o = 0; o < 64; o++)
			b->allocations[o] = model[o] = rand() % 7;
		for (int i = 0; i < 300; i++) {
			int o = rand() % 64;
			CLEANUP(free_p) char *handle = NULL;
			bool done = block_release(b, (unsigned)o, false, NOW, &handle);

			assert_int_equal(done, model[o] >= 0);
			if (done)
				assert_int_equal(handle[1] - '0', model[o]);
			model[o] = -1;
			for (int k = 0; k < 64; k++) {
				assert_int_equal(b->allocations[k] < 0, model[k] < 0);
				if (model[k] >= 0)
					assert_int_equal(
					        b->attributes[b->allocations[k]]->handle_id[1] -
					                '0',
					        model[k]);
			}
			if (done)
				assert_int_equal(b->unallocated[b->n_unallocated - 1], o);
		}
		msg_free(&b->base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases),
		cmocka_unit_test(cooling_addresses_are_not_released_again),
		cmocka_unit_test(damaged_blocks_do_no_harm),
		cmocka_unit_test(emptiness_and_affinity),
		cmocka_unit_test(handles_count_down),
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
