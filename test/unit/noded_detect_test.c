/* SPDX-License-Identifier: BSD-2-Clause */
/* Which address is the node's, and what its record then says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "noded/detect.h"
#include "noded/record.h"

static struct host_addr host[] = {
	{ "lo", 1, { { 0 }, 0 } },           { "eth0", 2, { { 0 }, 0 } },
	{ "eth0", 2, { { 0 }, 0 } },         { "eth1", 3, { { 0 }, 0 } },
	{ "docker0", 4, { { 0 }, 0 } },      { "cali123", 5, { { 0 }, 0 } },
	{ "vxlan.calico", 6, { { 0 }, 0 } }, { "eth0", 2, { { 0 }, 0 } },
};

static int setup(void **state)
{
	static const char *const addrs[] = { "127.0.0.1/8",    "10.0.0.5/24",   "10.0.0.6/24",
		                             "192.168.5.7/16", "172.17.0.1/16", "169.254.1.1/32",
		                             "10.1.1.1/32",    "2001:db8::5/64" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(host); i++)
		assert_int_equal(ip_prefix_parse(addrs[i], &host[i].prefix), 0);
	return 0;
}

static void methods(void **state)
{
	static const struct {
		const char *method;
		int family;
		const char *source, *keep, *expect; /* NULL: none */
	} cases[] = {
		{ NULL, AF_INET, NULL, NULL, "192.168.5.7/16" }, /* from the highest index down */
		{ "first-found", AF_INET, NULL, NULL, "192.168.5.7/16" },
		{ "first-found", AF_INET, NULL, "10.0.0.6", "10.0.0.6/24" },
		{ "first-found", AF_INET, NULL, "172.17.0.1",
		  "192.168.5.7/16" }, /* kept only if it fits */
		{ "first-found", AF_INET6, NULL, NULL, "2001:db8::5/64" },
		{ "interface=eth0", AF_INET, NULL, NULL, "10.0.0.5/24" },
		{ "interface=nope, eth.*", AF_INET, NULL, NULL, "192.168.5.7/16" },
		{ "interface=docker.*", AF_INET, NULL, NULL,
		  "172.17.0.1/16" },                           /* no default exclusions */
		{ "interface=lo", AF_INET, NULL, NULL, NULL }, /* not global unicast */
		{ "skip-interface=eth1", AF_INET, NULL, NULL, "10.0.0.5/24" },
		{ "skip-interface=eth.*", AF_INET, NULL, NULL, NULL },
		{ "cidr=10.0.0.0/24", AF_INET, NULL, NULL, "10.0.0.5/24" },
		{ "cidr=11.0.0.0/8,172.16.0.0/12", AF_INET, NULL, NULL, "172.17.0.1/16" },
		{ "cidr=11.0.0.0/8", AF_INET, NULL, NULL, NULL },
		{ "can-reach=8.8.8.8", AF_INET, "10.0.0.5", NULL, "10.0.0.5/24" },
		{ "can-reach=8.8.8.8", AF_INET, NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_addr source, keep;
		struct err err = { 0 };
		struct ip_prefix got;
		struct detect *d;
		bool found;
		char text[IP_PREFIX_STR_MAX] = "none";

		if (detect_new(cases[i].method, &d, &err) < 0)
			fail_msg("%s", err.text);
		if (cases[i].source)
			assert_int_equal(ip_addr_parse(cases[i].source, &source), 0);
		if (cases[i].keep)
			assert_int_equal(ip_addr_parse(cases[i].keep, &keep), 0);
		found = detect_run(d, cases[i].family, host, ARRAY_SIZE(host),
		                   cases[i].source ? &source : NULL, cases[i].keep ? &keep : NULL,
		                   &got);
		if (found)
			ip_prefix_str(&got, text);
		if (strcmp(text, cases[i].expect ? cases[i].expect : "none") != 0)
			fail_msg("case %zu (%s): %s", i, cases[i].method, text);
		detect_free(d);
	}
}

static void methods_that_make_no_sense(void **state)
{
	static const char *const bad[] = {
		"first", "interface=",       "interface=(",           "skip-interface= , ",
		"cidr=", "cidr=10.0.0.0/33", "can-reach=example.com", "kubernetes-internal-ip"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		struct detect *d;

		assert_int_equal(detect_new(bad[i], &d, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static V3__Node *node_of(const char *json)
{
	ProtobufCMessage *m;
	struct err err;

	if (mapper_read_text(&v3__node__descriptor, json, strlen(json), MAPPER_KEEP, &m, &err) < 0)
		fail_msg("%s", err.text);
	return (V3__Node *)m;
}

static void a_record_keeps_what_others_wrote(void **state)
{
	static const char before[] =
	        "{\"kind\":\"Node\",\"apiVersion\":\"projectcalico.org/"
	        "v3\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"1\"}},"
	        "\"spec\":{\"bgp\":{\"ipv4Address\":\"10.9.9.9/"
	        "24\",\"routeReflectorClusterID\":\"1.0.0.1\"},"
	        "\"addresses\":[{\"address\":\"10.9.9.9/"
	        "24\",\"type\":\"CalicoNodeIP\"},{\"address\":\"h\",\"type\":\"ExternalIP\"}],"
	        "\"novel\":{\"x\":[1]}}}";
	struct record_label label = { (char *)"b", (char *)"2" };
	struct record_wish w = {
		.have_as = true, .as = 65001, .k8s_node = "k", .labels = &label, .n_labels = 1
	};
	CLEANUP(buf_done) struct buf out = { 0 };
	V3__Node *n = node_of(before);

	(void)state;
	assert_int_equal(ip_prefix_parse("10.0.0.5/24", &w.addr[0]), 0);
	assert_true(record_apply(n, &w));
	assert_false(record_apply(n, &w)); /* nothing to do twice */
	mapper_write_text(&n->base, 0, &out);
	assert_non_null(strstr(buf_cstr(&out), "\"labels\":{\"a\":\"1\",\"b\":\"2\"}"));
	assert_non_null(strstr(buf_cstr(&out),
	                       "\"bgp\":{\"asNumber\":65001,\"ipv4Address\":\"10.0.0.5/"
	                       "24\",\"routeReflectorClusterID\":\"1.0.0.1\"}"));
	assert_non_null(strstr(buf_cstr(&out), "\"novel\":{\"x\":[1]}"));
	assert_non_null(strstr(buf_cstr(&out), "{\"address\":\"h\",\"type\":\"ExternalIP\"}"));
	assert_non_null(
	        strstr(buf_cstr(&out), "{\"address\":\"10.0.0.5/24\",\"type\":\"CalicoNodeIP\"}"));
	assert_non_null(strstr(buf_cstr(&out),
	                       "\"orchRefs\":[{\"nodeName\":\"k\",\"orchestrator\":\"k8s\"}]"));
	assert_null(strstr(buf_cstr(&out), "10.9.9.9"));
	msg_free(&n->base);
}

static void a_record_without_wishes_stays(void **state)
{
	struct record_wish w = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	V3__Node *n = node_of("{\"metadata\":{\"name\":\"n\"},\"spec\":{}}");

	(void)state;
	assert_false(record_apply(n, &w));
	mapper_write_text(&n->base, 0, &out);
	assert_null(strstr(buf_cstr(&out), "\"bgp\"")); /* an empty bgp would be refused */
	msg_free(&n->base);
}

static void labels(void **state)
{
	struct record_label *l;
	struct err err;
	size_t n;

	(void)state;
	assert_int_equal(record_labels_parse("a=1,b=,example.com/c=x=y", &l, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(l[1].value, "");
	assert_string_equal(l[2].key, "example.com/c");
	assert_string_equal(l[2].value, "x=y");
	record_labels_free(l, n);
	assert_int_equal(record_labels_parse("a", &l, &n, &err), -EINVAL);
	assert_int_equal(record_labels_parse("=a", &l, &n, &err), -EINVAL);
	assert_int_equal(record_labels_parse("", &l, &n, &err), 0);
	assert_int_equal(n, 0);
	free(l);
}

static void default_pools(void **state)
{
	static const struct {
		struct record_pool p;
		const char *expect; /* spec, or NULL: refused */
	} cases[] = {
		{ { AF_INET, "10.244.1.0/16", NULL, NULL, NULL, NULL, NULL, NULL },
		  "\"cidr\":\"10.244.0.0/"
		  "16\",\"vxlanMode\":\"Never\",\"ipipMode\":\"Never\",\"natOutgoing\":true,"
		  "\"blockSize\":26,"
		  "\"nodeSelector\":\"all()\"" },
		{ { AF_INET, "10.0.0.0/16", "28", "Cross-Subnet", "off", "No", "zone == 'a'",
		    "true" },
		  "\"cidr\":\"10.0.0.0/16\",\"vxlanMode\":\"Never\",\"ipipMode\":\"CrossSubnet\"" },
		{ { AF_INET6, "fd00::/48", NULL, NULL, "always", NULL, NULL, NULL },
		  "\"vxlanMode\":\"Always\"" },
		{ { AF_INET, "fd00::/48", NULL, NULL, NULL, NULL, NULL, NULL }, NULL },
		{ { AF_INET, "10.0.0.0/27", NULL, NULL, NULL, NULL, NULL, NULL }, NULL },
		{ { AF_INET, "10.0.0.0/16", "19", NULL, NULL, NULL, NULL, NULL }, NULL },
		{ { AF_INET, "10.0.0.0/16", NULL, "sometimes", NULL, NULL, NULL, NULL }, NULL },
		{ { AF_INET, "10.0.0.0/16", NULL, "always", "always", NULL, NULL, NULL }, NULL },
		{ { AF_INET, "10.0.0.0/16", NULL, NULL, NULL, NULL, "zone ==", NULL }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct err err = { 0 };
		V3__IPPool *p = record_pool_new(&cases[i].p, &err);

		if (!cases[i].expect) {
			if (p)
				fail_msg("case %zu was accepted", i);
			assert_true(err.text[0]);
			continue;
		}
		if (!p)
			fail_msg("case %zu: %s", i, err.text);
		mapper_write_text(&p->base, 0, &out);
		if (!strstr(buf_cstr(&out), cases[i].expect))
			fail_msg("case %zu: %s", i, buf_cstr(&out));
		msg_free(&p->base);
	}
}

static void the_default_cidr_avoids_the_host(void **state)
{
	struct ip_prefix h[3];
	char text[IP_PREFIX_STR_MAX];

	(void)state;
	assert_int_equal(ip_prefix_parse("192.168.5.7/24", &h[0]), 0);
	assert_int_equal(ip_prefix_parse("172.16.9.9/16", &h[1]), 0);
	assert_int_equal(ip_prefix_parse("172.17.0.1/16", &h[2]), 0);
	assert_string_equal(record_pool_cidr(h, 0, text), "192.168.0.0/16");
	assert_string_equal(record_pool_cidr(h, 1, text), "172.16.0.0/16");
	assert_string_equal(record_pool_cidr(h, 3, text), "172.18.0.0/16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods),
		cmocka_unit_test(methods_that_make_no_sense),
		cmocka_unit_test(a_record_keeps_what_others_wrote),
		cmocka_unit_test(a_record_without_wishes_stays),
		cmocka_unit_test(labels),
		cmocka_unit_test(default_pools),
		cmocka_unit_test(the_default_cidr_avoids_the_host),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
