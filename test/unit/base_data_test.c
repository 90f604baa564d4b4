/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors, hash tables, digests, files. */
#include "test/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/sha.h"
#include "common/base/uuid.h"

static void a_cursor_never_reads_past_its_end(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct cursor c = cursor_of(bytes, 7), sub;
	uint8_t eight[8] = { 99 };
	uint32_t u32;
	uint16_t u16;
	uint8_t u8;

	(void)state;
	assert_false(cursor_bytes(&c, eight, sizeof(eight)));
	assert_int_equal(eight[0], 99);
	assert_int_equal(cursor_left(&c), 7);
	assert_true(cursor_be16(&c, &u16));
	assert_int_equal(u16, 0x0102);
	assert_true(cursor_sub(&c, 3, &sub));
	assert_false(cursor_be32(&sub, &u32));
	assert_true(cursor_skip(&sub, 2));
	assert_true(cursor_u8(&sub, &u8));
	assert_int_equal(u8, 5);
	assert_false(cursor_u8(&sub, &u8));
	assert_false(cursor_sub(&c, 3, &sub));
	assert_int_equal(cursor_left(&c), 2);
}

struct entry {
	struct hmap_node node;
	unsigned key;
	bool present;
};

static struct entry *lookup(struct hmap *m, unsigned key)
{
	hmap_find(it, m, hash_bytes(&key, sizeof(key)), struct entry, node, it->key == key);
	return it;
}

static void a_hash_table_agrees_with_an_array(void **state)
{
	enum {
		N = 500,
		STEPS = 20000
	};
	static struct entry entries[N];
	struct hmap m = HMAP_INIT;
	size_t n = 0, seen = 0;
	unsigned seed = 7;

	(void)state;
	assert_null(lookup(&m, 3));
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned key = (unsigned)rand_r(&seed) % N;
		struct entry *e = &entries[key];

		assert_ptr_equal(lookup(&m, key), e->present ? e : NULL);
		e->key = key;
		if (e->present)
			hmap_remove(&m, &e->node);
		else
			hmap_insert(&m, &e->node, hash_bytes(&key, sizeof(key)));
		n += e->present ? (size_t)-1 : 1;
		e->present = !e->present;
		assert_int_equal(m.n, n);
	}
	hmap_for_each (it, &m, struct entry, node) {
		assert_true(it->present);
		hmap_remove(&m, &it->node);
		seen++;
	}
	assert_int_equal(seen, n);
	assert_int_equal(m.n, 0);
	hmap_done(&m);
}

static void lists_keep_their_order(void **state)
{
	struct item {
		struct list node;
		int v;
	} items[3] = { { .v = 1 }, { .v = 2 }, { .v = 3 } };
	struct list head = LIST_INIT(head);
	int sum = 0;

	(void)state;
	list_push_back(&head, &items[1].node);
	list_push_back(&head, &items[2].node);
	list_push_front(&head, &items[0].node);
	list_for_each_safe (it, &head) {
		sum = sum * 10 + list_entry(it, struct item, node)->v;
		list_unlink(it);
		list_unlink(it); /* harmless */
	}
	assert_int_equal(sum, 123);
	assert_true(list_empty(&head));
}

/* FIPS 180-4's examples, and lengths around a block's end. */
static void digests_are_right(void **state)
{
	static const struct {
		const char *text, *sha1, *sha224, *sha256;
	} cases[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		  "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
		  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
		  "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
		  "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t out[32];
	char hex[65];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].text);

		sha1(cases[i].text, len, out);
		hex_lower(out, 20, hex);
		assert_string_equal(hex, cases[i].sha1);
		sha224(cases[i].text, len, out);
		hex_lower(out, 28, hex);
		assert_string_equal(hex, cases[i].sha224);
		sha256(cases[i].text, len, out);
		hex_lower(out, 32, hex);
		assert_string_equal(hex, cases[i].sha256);
	}
}

static void base64url_has_no_padding(void **state)
{
	char out[16];

	(void)state;
	base64url((const uint8_t *)"\xfb\xff\xfe", 3, out);
	assert_string_equal(out, "-__-");
	base64url((const uint8_t *)"ab", 2, out);
	assert_string_equal(out, "YWI");
	base64url((const uint8_t *)"", 0, out);
	assert_string_equal(out, "");
}

static void files_are_replaced_whole(void **state)
{
	char dir[] = "/tmp/percale-file-XXXXXX", *text;
	CLEANUP(free_p) char *path = NULL;
	struct err err = { 0 };
	struct stat st;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/f", dir);
	assert_int_equal(file_replace(path, "one", 3, 0600, &err), 0);
	assert_int_equal(file_replace(path, "four!", 5, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(file_read(path, 100, &text, &len, &err), 0);
	assert_string_equal(text, "four!");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(file_read(path, 4, &text, &len, &err), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_read(path, 4, &text, &len, &err), -ENOENT);
	assert_int_equal(rmdir(dir), 0);
}

static void identities_are_random_but_for_version_and_variant(void **state)
{
	char a[UUID_STR_SIZE], b[UUID_STR_SIZE], hex[UUID_HEX_SIZE];

	(void)state;
	uuid_str(a);
	uuid_str(b);
	uuid_hex(hex);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(strlen(hex), 32);
	for (size_t i = 0; i < 36; i++)
		assert_non_null(strchr(
		        i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef", a[i]));
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_int_equal(hex[12], '4');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_are_random_but_for_version_and_variant),
		cmocka_unit_test(a_cursor_never_reads_past_its_end),
		cmocka_unit_test(a_hash_table_agrees_with_an_array),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(digests_are_right),
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(files_are_replaced_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
