/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"

static void ports_read_and_print(void **state)
{
	static const struct {
		const char *in, *out;
		uint32_t min, max;
	} cases[] = {
		{ "80", "80", 80, 80 },
		{ "080", "80", 80, 80 },
		{ "8000:8100", "8000:8100", 8000, 8100 },
		{ "443:443", "443", 443, 443 },
		{ "0", "0", 0, 0 },
		{ "65535", "65535", 65535, 65535 },
		{ "1:65535", "1:65535", 1, 65535 },
		{ "http", "http", 0, 0 },
		{ "Web_1.x-y", "Web_1.x-y", 0, 0 },
		{ "8a", "8a", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		V3__Port p = V3__PORT__INIT;
		CLEANUP(buf_done) struct buf out = { 0 };

		assert_int_equal(port_parse(cases[i].in, &p, NULL), 0);
		port_str(&p, &out);
		assert_string_equal(buf_cstr(&out), cases[i].out);
		assert_int_equal(p.min, cases[i].min);
		assert_int_equal(p.max, cases[i].max);
		assert_true(p.has_min == (p.name == NULL) && p.has_max == p.has_min);
		free(p.name);
	}
}

static void wrong_ports_say_what_is_wrong(void **state)
{
	static const struct {
		const char *in, *text;
	} cases[] = {
		{ "", "'' is not a port, a range of ports, or a port's name" },
		{ "70000", "'70000' is not a port (1 to 65535)" },
		{ "99999999999999999999999",
		  "'99999999999999999999999' is not a port (1 to 65535)" },
		{ "80:", "'80:' is not a range of ports (1 to 65535)" },
		{ ":80", "':80' is not a port (1 to 65535)" },
		{ "1:2:3", "'1:2:3' is not a range of ports (1 to 65535)" },
		{ "1:70000", "'1:70000' is not a range of ports (1 to 65535)" },
		{ "90:80", "'90:80' is not a range of ports: it ends before it starts" },
		{ "a b", "'a b' is not a port, a range of ports, or a port's name" },
		{ "a:b", "'a:b' is not a port, a range of ports, or a port's name" },
	};
	char name[130];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		V3__Port p = V3__PORT__INIT;
		struct err err = { 0 };

		assert_int_equal(port_parse(cases[i].in, &p, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].text);
		assert_null(p.name);
		assert_false(p.has_min);
	}
	memset(name, 'a', sizeof(name));
	name[129] = '\0';
	assert_int_equal(port_parse(name, &(V3__Port)V3__PORT__INIT, NULL), -EINVAL);
	{
		V3__Port p = V3__PORT__INIT;

		name[128] = '\0';
		assert_int_equal(port_parse(name, &p, NULL), 0);
		free(p.name);
	}
}

static void as_numbers_read_both_forms(void **state)
{
	static const struct {
		const char *in;
		int r;
		uint32_t asn;
	} cases[] = {
		{ "64512", 0, 64512 },
		{ "0", 0, 0 },
		{ "4294967295", 0, UINT32_MAX },
		{ "1.10", 0, 65546 },
		{ "0.1", 0, 1 },
		{ "65535.65535", 0, UINT32_MAX },
		{ "4294967296", -EINVAL, 0 },
		{ "65536.0", -EINVAL, 0 },
		{ "1.65536", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ ".", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".1", -EINVAL, 0 },
		{ "1.2.3", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t asn = 0;

		assert_int_equal(asn_parse(cases[i].in, &asn), cases[i].r);
		assert_int_equal(asn, cases[i].asn);
	}
}

static void protocols_have_numbers_and_names(void **state)
{
	static const struct {
		const char *name;
		int number;
		bool ports;
	} cases[] = {
		{ "TCP", 6, true },      { "UDP", 17, true },   { "ICMP", 1, false },
		{ "ICMPv6", 58, false }, { "SCTP", 132, true }, { "UDPLite", 136, false },
	};
	V3__Protocol p = V3__PROTOCOL__INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		p.name = (char *)(uintptr_t)cases[i].name;
		assert_int_equal(protocol_number_of_name(cases[i].name), cases[i].number);
		assert_int_equal(protocol_number(&p), cases[i].number);
		assert_string_equal(protocol_name_of_number(cases[i].number), cases[i].name);
		assert_int_equal(protocol_has_ports(cases[i].number), cases[i].ports);
	}
	assert_int_equal(protocol_number_of_name("icmpV6"), 58);
	assert_int_equal(protocol_number_of_name("ospf"), -1);
	assert_int_equal(protocol_number_of_name(""), -1);
	assert_null(protocol_name_of_number(89));
	assert_false(protocol_has_ports(-1));
	assert_int_equal(protocol_number(NULL), -1);
	p = (V3__Protocol)V3__PROTOCOL__INIT;
	assert_int_equal(protocol_number(&p), -1);
	p.has_number = true;
	p.number = 89;
	assert_int_equal(protocol_number(&p), 89);
	p.number = 256;
	assert_int_equal(protocol_number(&p), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_read_and_print),
		cmocka_unit_test(wrong_ports_say_what_is_wrong),
		cmocka_unit_test(as_numbers_read_both_forms),
		cmocka_unit_test(protocols_have_numbers_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
