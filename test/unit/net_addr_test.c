/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/addr.h"

static void addresses_are_read_strictly(void **state)
{
	static const char *const good[] = { "0.0.0.0", "10.0.0.1", "255.255.255.255",
		                            "::",      "fd00::1",  "::ffff:10.0.0.1" };
	static const char *const bad[] = { "",          "10",         "10.0.0",   "10.0.0.256",
		                           "010.0.0.1", "1.2.3.4.5",  " 1.2.3.4", "1.2.3.4 ",
		                           "0x1.2.3.4", "fe80::1%lo", ":::",      "1::2::3",
		                           "12345::",   "1.2.3.4/32" };
	struct ip_addr a;
	char text[IP_ADDR_STR_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(ip_addr_parse(good[i], &a), 0);
		assert_string_equal(ip_addr_str(&a, text), good[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ip_addr_parse(bad[i], &a), -EINVAL);
}

static void prefixes_are_read_strictly(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" }, { "10.1.2.3", "10.1.2.3/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },   { "10.1.2.3/24", "10.1.2.3/24" },
		{ "FD00::/64", "fd00::/64" },   { "::1", "::1/128" },
	};
	static const char *const bad[] = { "10.0.0.0/33",  "10.0.0.0/",   "10.0.0.0/08",
		                           "10.0.0.0/+8",  "fd00::/129",  "/8",
		                           "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/99999999999" };
	struct ip_prefix p;
	char text[IP_PREFIX_STR_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(ip_prefix_parse(good[i].in, &p), 0);
		assert_string_equal(ip_prefix_str(&p, text), good[i].out);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ip_prefix_parse(bad[i], &p), -EINVAL);
}

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

static void prefixes_contain_and_cover(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers, overlaps;
	} cases[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true, true },
		{ "10.1.0.0/16", "10.0.0.0/8", false, true },
		{ "10.0.0.0/25", "10.0.0.128/25", false, false },
		{ "0.0.0.0/0", "1.2.3.4", true, true },
		{ "::/0", "1.2.3.4", false, false },
		{ "fd00::/7", "fdff::1", true, true },
		{ "fd00::/65", "fd00:0:0:0:8000::/65", false, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_prefix a = prefix(cases[i].outer), b = prefix(cases[i].inner);

		assert_int_equal(ip_prefix_covers(&a, &b), cases[i].covers);
		assert_int_equal(ip_prefix_overlaps(&a, &b), cases[i].overlaps);
	}
}

static void host_bits_are_seen_and_cleared(void **state)
{
	struct ip_prefix p = prefix("10.1.2.3/20"), net = ip_prefix_network(&p);
	char text[IP_PREFIX_STR_MAX];

	(void)state;
	assert_false(ip_prefix_is_network(&p));
	assert_true(ip_prefix_is_network(&net));
	assert_string_equal(ip_prefix_str(&net, text), "10.1.0.0/20");
}

static void ordinals_and_addresses_are_inverse(void **state)
{
	static const char *const nets[] = { "10.0.0.64/26", "fd00::ffc0/122", "10.0.255.0/24" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nets); i++) {
		struct ip_prefix p = prefix(nets[i]);

		for (uint64_t n = 0; n < 64; n++) {
			struct ip_addr a = ip_prefix_nth(&p, n);

			assert_true(ip_prefix_contains(&p, &a));
			assert_int_equal(ip_prefix_ordinal(&p, &a), n);
		}
	}
}

static void addition_carries_and_stops(void **state)
{
	struct ip_addr a = ip_addr_v4(0x0a0000ff);

	(void)state;
	assert_true(ip_addr_add(&a, 1));
	assert_int_equal(ip_addr_to_v4(&a), 0x0a000100);
	a = ip_addr_v4(0xffffffff);
	assert_false(ip_addr_add(&a, 1));
	assert_int_equal(ip_addr_to_v4(&a), 0xffffffff);
}

static void macs_are_read_strictly(void **state)
{
	struct mac_addr m;
	char text[MAC_STR_MAX];

	(void)state;
	assert_int_equal(mac_parse("EE:ee:ee:0a:00:01", &m), 0);
	assert_string_equal(mac_str(&m, text), "ee:ee:ee:0a:00:01");
	assert_int_equal(mac_parse("ee:ee:ee:ee:ee", &m), -EINVAL);
	assert_int_equal(mac_parse("ee:ee:ee:ee:ee:ee:ee", &m), -EINVAL);
	assert_int_equal(mac_parse("e:ee:ee:ee:ee:ee", &m), -EINVAL);
	assert_int_equal(mac_parse("", &m), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_strictly),
		cmocka_unit_test(prefixes_are_read_strictly),
		cmocka_unit_test(prefixes_contain_and_cover),
		cmocka_unit_test(host_bits_are_seen_and_cleared),
		cmocka_unit_test(ordinals_and_addresses_are_inverse),
		cmocka_unit_test(addition_carries_and_stops),
		cmocka_unit_test(macs_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
