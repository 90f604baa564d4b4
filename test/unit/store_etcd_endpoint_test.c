/* SPDX-License-Identifier: BSD-2-Clause */
/* Where etcd is: endpoints as text, SRV records, options from files and the environment. */
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/etcd_endpoint.h"
#include "common/store/etcd_options.h"

static char *shown(const struct etcd_endpoints *e)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < e->n; i++)
		buf_printf(&b, "%s%s(%s)", i ? " " : "", e->items[i].text, e->items[i].host);
	return buf_take(&b);
}

static void lists_of_endpoints(void **state)
{
	/* clang-format off */
	static const struct {
		const char *list; bool tls; const char *want;
	} cases[] = {
		{ "http://10.0.0.1:2379", true, "http://10.0.0.1:2379(10.0.0.1)" },
		{ "https://10.0.0.1:2379,https://10.0.0.2:4001", false, "https://10.0.0.1:2379(10.0.0.1) https://10.0.0.2:4001(10.0.0.2)" },
		{ " http://a , http://b/ ,", false, "http://a:2379(a) http://b:2379(b)" },
		{ "https://[fd00::1]:2379", false, "https://[fd00::1]:2379(fd00::1)" },
		{ "http://[fe80::1%eth0]", false, "http://[fe80::1%eth0]:2379(fe80::1%eth0)" },
		{ "HTTPS://etcd.example:1", false, "https://etcd.example:1(etcd.example)" },
		{ "etcd:2379", false, "http://etcd:2379(etcd)" },
		{ "etcd:2379", true, "https://etcd:2379(etcd)" },
		{ "etcd", true, "https://etcd:2379(etcd)" },
		{ "", false, "no etcd endpoints specified" },
		{ " , ,", false, "no etcd endpoints specified" },
		{ "unix:///run/etcd.sock", false, "etcd endpoint unix:///run/etcd.sock: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://", false, "etcd endpoint http://: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://:2379", false, "etcd endpoint http://:2379: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a:", false, "etcd endpoint http://a:: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a:0", false, "etcd endpoint http://a:0: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a:65536", false, "etcd endpoint http://a:65536: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a:23x", false, "etcd endpoint http://a:23x: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a:2379/v3", false, "etcd endpoint http://a:2379/v3: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a/v3", false, "etcd endpoint http://a/v3: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://u:p@a", false, "etcd endpoint http://...@a: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://fd00::1", false, "etcd endpoint http://fd00::1: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://[fd00::1", false, "etcd endpoint http://[fd00::1: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://[]", false, "etcd endpoint http://[]: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://[::1]x", false, "etcd endpoint http://[::1]x: expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a b", false, "etcd endpoint \"http://a b\": expected https://HOST:PORT or http://HOST:PORT" },
		{ "http://a\nb", false, "etcd endpoint http://a\\x0ab: expected https://HOST:PORT or http://HOST:PORT" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct etcd_endpoints e = { 0 };
		CLEANUP(free_p) char *seen = NULL;
		struct err err;

		seen = etcd_endpoints_parse(cases[i].list, cases[i].tls, &e, &err) < 0
		               ? xstrdup(err.text)
		               : shown(&e);
		assert_string_equal(seen, cases[i].want);
		etcd_endpoints_done(&e);
	}
}

static void the_number_of_endpoints_is_limited(void **state)
{
	CLEANUP(buf_done) struct buf list = { 0 };
	struct etcd_endpoints e = { 0 };

	(void)state;
	for (unsigned i = 0; i < ETCD_ENDPOINTS_MAX; i++)
		buf_str(&list, "http://a,");
	assert_int_equal(etcd_endpoints_parse(buf_cstr(&list), false, &e, NULL), 0);
	etcd_endpoints_done(&e);
	buf_str(&list, "http://a");
	assert_true(etcd_endpoints_parse(buf_cstr(&list), false, &e, NULL) < 0);
	etcd_endpoints_done(&e);
}

/* An answer for _etcd-client._tcp.x: two SRV records, the second of a better priority. */
static const uint8_t answer[] = {
	/* id, flags, counts */
	0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0,
	/* question, from 12 on */
	12, '_', 'e', 't', 'c', 'd', '-', 'c', 'l', 'i', 'e', 'n', 't', 4, '_', 't', 'c', 'p', 1,
	'x', 0, 0, 33, 0, 1,
	/* SRV 20 0 2379 b.x */
	0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 10, 0, 20, 0, 0, 9, 0x4b, 1, 'b', 0xc0, 30,
	/* SRV 10 5 4001 a.x */
	0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 10, 0, 10, 0, 5, 0x0f, 0xa1, 1, 'a', 0xc0, 30
};

static void srv_records(void **state)
{
	struct etcd_endpoints e = { 0 };
	CLEANUP(free_p) char *seen = NULL;

	(void)state;
	assert_true(etcd_endpoints_of_srv(answer, sizeof(answer), true, &e));
	seen = shown(&e);
	assert_string_equal(seen, "https://a.x:4001(a.x) https://b.x:2379(b.x)");
	etcd_endpoints_done(&e);
	for (size_t n = 0; n < sizeof(answer); n++) /* cut short: what is whole, at most */
		if (etcd_endpoints_of_srv(answer, n, true, &e))
			etcd_endpoints_done(&e);
}

static void options_of_a_file_and_of_the_environment(void **state)
{
	struct store_etcd_options o = { 0 }, copy;

	(void)state;
	setenv("ETCD_ENDPOINTS", "http://plain", 1);
	setenv("CALICO_ETCD_ENDPOINTS", "http://prefixed", 1);
	setenv("ETCD_USERNAME", "user", 1);
	setenv("CALICO_ETCD_USERNAME", "", 1); /* says nothing */
	setenv("ETCD_CA_CERT_FILE", "/ca", 1);
	assert_true(etcd_options_set(&o, "EtcdCACertFile", "/own"));
	assert_false(etcd_options_set(&o, "etcdColour", "red"));
	etcd_options_env(&o);
	assert_string_equal(o.endpoints, "http://prefixed");
	assert_string_equal(o.username, "user");
	assert_string_equal(o.ca_file, "/own");
	assert_null(o.password);
	assert_int_equal(etcd_options_check(&o, NULL), 0);
	etcd_options_copy(&copy, &o);
	etcd_options_done(&o);
	assert_string_equal(copy.endpoints, "http://prefixed");
	assert_null(o.endpoints);
	assert_true(etcd_options_set(&copy, "etcdkey", "PEM"));
	assert_true(etcd_options_check(&copy, NULL) < 0); /* mixed */
	etcd_options_done(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_endpoints),
		cmocka_unit_test(the_number_of_endpoints_is_limited),
		cmocka_unit_test(srv_records),
		cmocka_unit_test(options_of_a_file_and_of_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
