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
#include "common/model/key.h"
#include "test/unit/every_kind.h"

static const struct {
	model_kind kind;
	const char *ns, *name, *key;
} both_ways[] = {
	{ V3__KIND__KIND_IP_POOL, NULL, "pool1",
	  "/calico/resources/v3/projectcalico.org/ippools/pool1" },
	{ V3__KIND__KIND_NETWORK_POLICY, "ns1", "allow",
	  "/calico/resources/v3/projectcalico.org/networkpolicies/ns1/allow" },
	{ V3__KIND__KIND_NETWORK_POLICY, "ns1", "knp.default.web",
	  "/calico/resources/v3/projectcalico.org/networkpolicies/ns1/knp.default.web" },
	{ V3__KIND__KIND_GLOBAL_NETWORK_POLICY, NULL, "deny",
	  "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/deny" },
	{ V3__KIND__KIND_PROFILE, NULL, "kns.ns1",
	  "/calico/resources/v3/projectcalico.org/profiles/kns.ns1" },
	{ V3__KIND__KIND_NODE, NULL, "node1",
	  "/calico/resources/v3/projectcalico.org/nodes/node1" },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT, "ns1", "node1-k8s-web--0-eth0",
	  "/calico/resources/v3/projectcalico.org/workloadendpoints/ns1/node1-k8s-web--0-eth0" },
	{ V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default",
	  "/calico/resources/v3/projectcalico.org/clusterinformations/default" },
	{ V3__KIND__KIND_TIER, NULL, "default",
	  "/calico/resources/v3/projectcalico.org/tiers/default" },
	{ V3__KIND__KIND_NETWORK_SET, "a", "b",
	  "/calico/resources/v3/projectcalico.org/networksets/a/b" },
	{ V3__KIND__KIND_GLOBAL_NETWORK_SET, NULL, "b",
	  "/calico/resources/v3/projectcalico.org/globalnetworksets/b" },
	{ V3__KIND__KIND_BGP_CONFIGURATION, NULL, "node.n1",
	  "/calico/resources/v3/projectcalico.org/bgpconfigurations/node.n1" },
	{ V3__KIND__KIND_BGP_PEER, NULL, "p", "/calico/resources/v3/projectcalico.org/bgppeers/p" },
	{ V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.0.0/26",
	  "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26" },
	{ V3__KIND__KIND_IPAM_BLOCK, NULL, "fd00:1::/122",
	  "/calico/ipam/v2/assignment/ipv6/block/fd00:1::-122" },
	{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "n1/10.0.0.0/26",
	  "/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26" },
	{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "n-1.x/fd00:1::/122",
	  "/calico/ipam/v2/host/n-1.x/ipv6/block/fd00:1::-122" },
	{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "virtual:load-balancer/10.0.0.0/26",
	  "/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.0.0.0-26" },
	{ V3__KIND__KIND_IPAM_HANDLE, NULL, "k8s-pod-network.4f1c",
	  "/calico/ipam/v2/handle/k8s-pod-network.4f1c" },
	{ V3__KIND__KIND_IPAM_CONFIG, NULL, "default", "/calico/ipam/v2/config" },
	{ V3__KIND__KIND_BLOCK_AFFINITY, NULL, "n1-10-0-0-0-26",
	  "/calico/resources/v3/projectcalico.org/blockaffinities/n1-10-0-0-0-26" },
	{ V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY, "ns1", "web",
	  "/calico/resources/v3/projectcalico.org/stagedkubernetesnetworkpolicies/ns1/web" },
	{ V3__KIND__KIND_FELIX_STATUS, NULL, "no-region/n1",
	  "/calico/felix/v2/no-region/host/n1/status" },
	{ V3__KIND__KIND_FELIX_LAST_STATUS, NULL, "region-a/n1",
	  "/calico/felix/v2/region-a/host/n1/last_reported_status" },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT_STATUS, NULL, "no-region/n1/k8s/ns1%2fweb-0/eth0",
	  "/calico/felix/v2/no-region/host/n1/workload/k8s/ns1%2fweb-0/endpoint/eth0" },
	{ V3__KIND__KIND_HOST_ENDPOINT_STATUS, NULL, "n1/n1-eth%25",
	  "/calico/felix/v1/host/n1/endpoint/n1-eth%25" },
};

static void keys_are_upstreams_and_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(both_ways); i++) {
		struct err err = { 0 };
		char *key = key_of(both_ways[i].kind, both_ways[i].ns, both_ways[i].name, &err);
		char *ns = NULL, *name = NULL;
		model_kind kind;

		assert_non_null(key);
		assert_string_equal(key, both_ways[i].key);
		assert_int_equal(key_parse(key, &kind, &ns, &name), 0);
		assert_int_equal(kind, both_ways[i].kind);
		assert_string_equal(name, both_ways[i].name);
		assert_true((ns == NULL) == (both_ways[i].ns == NULL));
		if (ns)
			assert_string_equal(ns, both_ways[i].ns);
		free(key);
		free(ns);
		free(name);
	}
}

static void names_that_would_not_come_back_are_refused(void **state)
{
	static const struct {
		model_kind kind;
		const char *ns, *name;
	} bad[] = {
		{ V3__KIND__KIND_IP_POOL, NULL, "" },
		{ V3__KIND__KIND_IP_POOL, NULL, NULL },
		{ V3__KIND__KIND_IP_POOL, NULL, "a/b" },
		{ V3__KIND__KIND_IP_POOL, NULL, "a%2fb" },
		{ V3__KIND__KIND_NETWORK_POLICY, NULL, "a" },
		{ V3__KIND__KIND_NETWORK_POLICY, "", "a" },
		{ V3__KIND__KIND_NETWORK_POLICY, "a/b", "a" },
		{ V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.0.1/26" },
		{ V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.0.0" },
		{ V3__KIND__KIND_IPAM_BLOCK, NULL, "FD00::/122" },
		{ V3__KIND__KIND_IPAM_BLOCK, NULL, "nonsense" },
		{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "n1" },
		{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "/10.0.0.0/26" },
		{ V3__KIND__KIND_IPAM_AFFINITY, NULL, "n1/x" },
		{ V3__KIND__KIND_IPAM_HANDLE, NULL, "a/b" },
		{ V3__KIND__KIND_IPAM_HANDLE, NULL, "" },
		{ V3__KIND__KIND_IPAM_CONFIG, NULL, "other" },
		{ V3__KIND__KIND_FELIX_STATUS, NULL, "n1" },
		{ V3__KIND__KIND_FELIX_STATUS, NULL, "no-region/" },
		{ V3__KIND__KIND_FELIX_STATUS, NULL, "no-region/n1/x" },
		{ V3__KIND__KIND_FELIX_STATUS, NULL, "no-region/n%1" },
		{ V3__KIND__KIND_WORKLOAD_ENDPOINT_STATUS, NULL, "no-region/n1/k8s/ns1/web/eth0" },
		{ V3__KIND__KIND_HOST_ENDPOINT_STATUS, NULL, "/n1-eth0" },
		{ (model_kind)4711, NULL, "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };

		assert_null(key_of(bad[i].kind, bad[i].ns, bad[i].name, &err));
		assert_int_equal(err.code, -EINVAL);
		assert_true(err.text[0] != '\0');
		assert_null(key_of(bad[i].kind, bad[i].ns, bad[i].name, NULL));
	}
}

static void strange_keys_are_not_ours(void **state)
{
	static const char *const strange[] = {
		"",
		"/",
		"/calico",
		"/calico/v1/Ready",
		"/calico/resources/v3/projectcalico.org/",
		"/calico/resources/v3/projectcalico.org/ippools",
		"/calico/resources/v3/projectcalico.org/ippools/",
		"/calico/resources/v3/projectcalico.org/ippools/a/b",
		"/calico/resources/v3/projectcalico.org/ipamblocks/a",
		"/calico/resources/v3/projectcalico.org/nosuch/a",
		"/calico/resources/v3/projectcalico.org/networkpolicies/a",
		"/calico/resources/v3/projectcalico.org/networkpolicies/a/",
		"/calico/resources/v3/projectcalico.org/networkpolicies//a",
		"/calico/resources/v3/projectcalico.org/networkpolicies/a/b/c",
		"/calico/ipam/v2/",
		"/calico/ipam/v2/config/x",
		"/calico/ipam/v2/handle/",
		"/calico/ipam/v2/handle/a/b",
		"/calico/ipam/v2/host/n1",
		"/calico/ipam/v2/host//ipv4/block/10.0.0.0-26",
		"/calico/ipam/v2/host/n1/ipv4/block/fd00::-122",
		"/calico/ipam/v2/host/virtual:n1/ipv4/block/10.0.0.0-26",
		"/calico/ipam/v2/assignment/ipv4/block/10.0.0.0",
		"/calico/ipam/v2/assignment/ipv4/block/10.0.0.0/26",
		"/calico/ipam/v2/assignment/ipv4/block/10.0.0.1-26",
		"/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-026",
		"/calico/ipam/v2/assignment/ipv6/block/10.0.0.0-26",
		"/calico/ipam/v2/assignment/ipv6/block/",
		"/calico/felix/v2/no-region/host/n1",
		"/calico/felix/v2/no-region/host//status",
		"/calico/felix/v2/no-region/host/n1/status/x",
		"/calico/felix/v2/no-region/host/n%2/status",
		"/calico/felix/v2/no-region/host/n1/workload/k8s/ns1%2fweb-0/endpoint/",
		"/calico/felix/v1/host/n1/status",
		"/calico/felix/v1/host/n1/endpoint/a/b",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		model_kind kind;
		char *ns, *name;

		assert_int_equal(key_parse(strange[i], &kind, &ns, &name), -ENOENT);
	}
}

static void escapes_are_read(void **state)
{
	model_kind kind;
	char *ns, *name;

	(void)state;
	assert_int_equal(key_parse("/calico/resources/v3/projectcalico.org/profiles/a%2fb%25c%2",
	                           &kind, &ns, &name),
	                 0);
	assert_string_equal(name, "a/b%c%2");
	free(name);
	assert_int_equal(key_parse("/calico/ipam/v2/handle/x2f%3f%2e25%", &kind, &ns, &name), 0);
	assert_string_equal(name, "x2f%3f%2e25%");
	free(name);
}

static void prefixes_end_with_a_slash(void **state)
{
	char *s;

	(void)state;
	s = key_prefix(V3__KIND__KIND_NETWORK_POLICY, NULL);
	assert_string_equal(s, "/calico/resources/v3/projectcalico.org/networkpolicies/");
	free(s);
	s = key_prefix(V3__KIND__KIND_NETWORK_POLICY, "ns1");
	assert_string_equal(s, "/calico/resources/v3/projectcalico.org/networkpolicies/ns1/");
	free(s);
	assert_null(key_prefix((model_kind)4711, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(both_ways); i++) {
		s = key_prefix(both_ways[i].kind, both_ways[i].ns);
		assert_non_null(s);
		assert_memory_equal(both_ways[i].key, s, strlen(s));
		free(s);
	}
}

static void kinds_are_found_by_every_name(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k), n++) {
		assert_ptr_equal(kind_info(k->kind), k);
		assert_ptr_equal(kind_by_name(k->name), k);
		assert_ptr_equal(kind_by_message(k->message)->message, k->message);
		for (const char *const *a = k->aliases; *a; a++)
			assert_ptr_equal(kind_by_alias(*a), k);
		if (*k->aliases)
			assert_ptr_equal(kind_by_alias(k->plural), k);
	}
	/* every number of the enum has its row, and no row a number that is not there */
	assert_int_equal(n, v3__kind__descriptor.n_values - 1);
	assert_string_equal(kind_by_alias("Pols")->name, "NetworkPolicy");
	assert_string_equal(kind_by_alias("NO")->name, "Node");
	assert_null(kind_by_name("ippool"));
	assert_null(kind_by_alias("ipamblocks"));
	assert_null(kind_by_alias(""));
	assert_null(kind_info(V3__KIND__KIND_UNSPECIFIED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_upstreams_and_come_back),
		cmocka_unit_test(names_that_would_not_come_back_are_refused),
		cmocka_unit_test(strange_keys_are_not_ours),
		cmocka_unit_test(escapes_are_read),
		cmocka_unit_test(prefixes_end_with_a_slash),
		cmocka_unit_test(kinds_are_found_by_every_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
