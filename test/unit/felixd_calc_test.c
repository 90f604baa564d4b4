/* SPDX-License-Identifier: BSD-2-Clause */
/* What calc tells a dataplane, step by step. */
#include "test/unit/felixd_calc_toy.h"

#include <errno.h>

#include "common/base/clock.h"
#include "felixd/calc/wep.h"

#define WEP V3__KIND__KIND_WORKLOAD_ENDPOINT
#define NP V3__KIND__KIND_NETWORK_POLICY
#define GNP V3__KIND__KIND_GLOBAL_NETWORK_POLICY
#define PROFILE V3__KIND__KIND_PROFILE
#define HEP V3__KIND__KIND_HOST_ENDPOINT
#define SNP V3__KIND__KIND_STAGED_NETWORK_POLICY
#define SGNP V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY
#define SKNP V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY
#define TIER V3__KIND__KIND_TIER
#define NETSET V3__KIND__KIND_NETWORK_SET
#define GNETSET V3__KIND__KIND_GLOBAL_NETWORK_SET
#define POOL V3__KIND__KIND_IP_POOL

struct bench {
	struct calc *c;
	struct toy t;
	uint64_t revision;
};

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	b->c = calc_new("node1", &toy_ops, &b->t);
	b->revision = 100;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	calc_free(b->c);
	toy_done(&b->t);
	free(b);
	return 0;
}

static int put_at(struct bench *b, model_kind kind, const char *ns, const char *name,
                  uint64_t revision, const char *json)
{
	struct resource *r = toy_resource(kind, ns, name, revision, json);
	int rc = calc_update(b->c, r, NULL);

	resource_free(r);
	return rc;
}

static void put(struct bench *b, model_kind kind, const char *ns, const char *name,
                const char *json)
{
	assert_int_equal(put_at(b, kind, ns, name, ++b->revision, json), 0);
}

/* An endpoint of a node: labels as JSON members, ports as JSON. */
static char *wep_json(const char *node, const char *labels, const char *ip, const char *extra)
{
	return xasprintf("{\"metadata\":{\"labels\":{%s}},\"spec\":{\"orchestrator\":\"k8s\","
	                 "\"node\":\"%s\","
	                 "\"containerID\":\"c-%s\",\"ipNetworks\":[\"%s/"
	                 "32\"],\"interfaceName\":\"cali%s\"%s}}",
	                 labels, node, ip, ip, ip + strlen(ip) - 3, extra);
}

static void put_wep(struct bench *b, const char *ns, const char *name, const char *node,
                    const char *labels, const char *ip, const char *extra)
{
	char *json = wep_json(node, labels, ip, extra);

	put(b, WEP, ns, name, json);
	free(json);
}

static void flush(struct bench *b)
{
	buf_clear(&b->t.log);
	calc_flush(b->c);
	assert_false(calc_dirty(b->c));
}

static void expect_log(struct bench *b, const char *log)
{
	flush(b);
	assert_string_equal(buf_cstr(&b->t.log), log);
}

static void expect(struct bench *b, const char *text)
{
	char *have;

	flush(b);
	have = toy_text(&b->t);
	assert_string_equal(have, text);
	free(have);
}

static void nothing_is_told_before_in_sync(void **state)
{
	struct bench *b = *state;

	put_wep(b, "ns1", "w1", "node1", "\"a\":\"b\"", "10.0.0.1", "");
	assert_false(calc_dirty(b->c));
	expect(b, "");
	calc_in_sync(b->c);
	assert_true(calc_dirty(b->c));
	expect_log(b, "endpoint;in_sync;");
	calc_in_sync(b->c);
	expect_log(b, "");
	assert_int_equal(b->t.in_sync, 1);
}

static void a_policy_is_active_while_it_matches_here(void **state)
{
	struct bench *b = *state;
	char *text;

	calc_in_sync(b->c);
	put(b, NP, "ns1", "p",
	    "{\"spec\":{\"selector\":\"role == "
	    "'web'\",\"ingress\":[{\"action\":\"Allow\",\"source\":{\"selector\":\"role == "
	    "'db'\"}}]}}");
	put_wep(b, "ns1", "far", "node2", "\"role\":\"web\"", "10.0.0.9", "");
	put_wep(b, "ns2", "other", "node1", "\"role\":\"web\"", "10.0.0.8", "");
	put_wep(b, "ns1", "db", "node2", "\"role\":\"db\"", "10.0.0.7", "");
	expect(b, "endpoint ns2/other cali0.8 10.0.0.8/32\n");
	assert_int_equal(calc_stats(b->c).active_policies, 0);
	assert_int_equal(calc_stats(b->c).sets, 0);

	put_wep(b, "ns1", "web", "node1", "\"role\":\"web\"", "10.0.0.1", "");
	expect_log(b, "set_new;policy;endpoint;");
	text = toy_text(&b->t);
	assert_non_null(strstr(
	        text,
	        "endpoint ns1/web cali0.1 10.0.0.1/32 [default in: NetworkPolicy/ns1/p out:]\n"));
	assert_non_null(strstr(text, " 10.0.0.7/32\n"));
	free(text);

	put_wep(b, "ns1", "db", "node2", "\"role\":\"db\"", "10.0.0.6", "");
	expect_log(b, "set_delta;");
	put_wep(b, "ns1", "db2", "node2", "\"role\":\"db\"", "10.0.0.6",
	        ""); /* the same address once more */
	expect_log(b, "");
	calc_remove(b->c, WEP, "ns1", "db");
	expect_log(b, "");
	calc_remove(b->c, WEP, "ns1", "db2");
	expect_log(b, "set_delta;");

	put_wep(b, "ns1", "web", "node1", "\"role\":\"none\"", "10.0.0.1", "");
	expect_log(b, "endpoint;policy_remove;set_remove;");
	put_wep(b, "ns1", "web", "node1", "\"role\":\"web\"", "10.0.0.1", "");
	calc_remove(b->c, WEP, "ns1", "web");
	expect_log(b, "endpoint_remove;");
	calc_remove(b->c, WEP, "ns2", "other");
	expect(b, "");
}

static void what_goes_and_comes_back_between_two_flushes_never_went(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Deny\",\"source\":{\"selector\":\"x == "
	    "'y'\"}}]}}");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", ",\"profiles\":[\"prof\"]");
	expect_log(b, "set_new;policy;profile;endpoint;in_sync;");
	calc_remove(b->c, WEP, "ns1", "w");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", ",\"profiles\":[\"prof\"]");
	expect_log(b, "policy;profile;endpoint;");
	calc_remove(b->c, GNP, NULL, "p");
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Deny\",\"source\":{\"selector\":\"x=='y'\"}}]}"
	    "}");
	expect_log(b, "policy;endpoint;");
}

static void an_endpoint_that_only_flashes_up_is_still_taken_back(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	flush(b);
	calc_remove(b->c, WEP, "ns1", "w");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.2", "");
	put_wep(b, "ns1", "w", "node2", "", "10.0.0.2", ""); /* moves away */
	expect_log(b, "endpoint_remove;");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.2", "");
	calc_remove(b->c, WEP, "ns1", "w");
	expect_log(b, "");
}

static void a_policy_can_be_needed_on_every_node(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"selector\":\"has(nobody)\",\"performanceHints\":["
	    "\"AssumeNeededOnEveryNode\"]}}");
	expect(b, "policy GlobalNetworkPolicy//p default\n");
	put(b, GNP, NULL, "p", "{\"spec\":{\"selector\":\"has(nobody)\"}}");
	expect(b, "");
	put(b, GNP, NULL, "p", "{\"spec\":{\"performanceHints\":[\"AssumeNeededOnEveryNode\"]}}");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	flush(b);
	calc_remove(b->c, WEP, "ns1", "w");
	expect(b, "policy GlobalNetworkPolicy//p default\n");
	calc_remove(b->c, GNP, NULL, "p");
	expect(b, "");
}

static void tiers_and_policies_come_in_order(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put(b, TIER, NULL, "default", "{\"spec\":{\"order\":1000000,\"defaultAction\":\"Deny\"}}");
	put(b, TIER, NULL, "first", "{\"spec\":{\"order\":10,\"defaultAction\":\"Pass\"}}");
	put(b, TIER, NULL, "unordered", "{\"spec\":{}}");
	put(b, GNP, NULL, "missing", "{\"spec\":{\"tier\":\"aaa\",\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "c", "{\"spec\":{\"order\":5,\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "b", "{\"spec\":{\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "a", "{\"spec\":{\"types\":[\"Ingress\",\"Egress\"]}}");
	put(b, NP, "ns1", "a", "{\"spec\":{\"types\":[\"Egress\"]}}");
	put(b, GNP, NULL, "f",
	    "{\"spec\":{\"tier\":\"first\",\"order\":-1.5,\"types\":[\"Egress\"]}}");
	put(b, GNP, NULL, "u", "{\"spec\":{\"tier\":\"unordered\",\"types\":[\"Ingress\"]}}");
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	flush(b);
	assert_true(toy_has(
	        &b->t,
	        "endpoint ns1/w cali0.1 10.0.0.1/32 [first pass in: out: GlobalNetworkPolicy//f]"
	        " [default in: GlobalNetworkPolicy//c GlobalNetworkPolicy//a GlobalNetworkPolicy//b"
	        " out: GlobalNetworkPolicy//a NetworkPolicy/ns1/a]"
	        " [unordered in: GlobalNetworkPolicy//u out:] [aaa in: "
	        "GlobalNetworkPolicy//missing out:]"));
	put(b, TIER, NULL, "aaa", "{\"spec\":{\"order\":1,\"defaultAction\":\"Deny\"}}");
	expect_log(b, "endpoint;");
	assert_true(toy_has(
	        &b->t,
	        "endpoint ns1/w cali0.1 10.0.0.1/32 [aaa in: GlobalNetworkPolicy//missing out:]"
	        " [first pass in: out: GlobalNetworkPolicy//f]"));
	put(b, TIER, NULL, "aaa", "{\"spec\":{\"order\":1,\"defaultAction\":\"Deny\"}}");
	expect_log(b, "");
	put(b, GNP, NULL, "c", "{\"spec\":{\"order\":7,\"types\":[\"Egress\"]}}");
	expect_log(b, "policy;endpoint;");
}

static void types_follow_from_rules(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	put(b, GNP, NULL, "none", "{\"spec\":{\"order\":1}}");
	put(b, GNP, NULL, "out", "{\"spec\":{\"order\":2,\"egress\":[{\"action\":\"Deny\"}]}}");
	put(b, GNP, NULL, "both",
	    "{\"spec\":{\"order\":3,\"egress\":[{\"action\":\"Deny\"}],\"ingress\":[{\"action\":"
	    "\"Deny\"}]}}");
	flush(b);
	assert_true(toy_has(
	        &b->t, "endpoint ns1/w cali0.1 10.0.0.1/32 [default in: GlobalNetworkPolicy//none"
	               " GlobalNetworkPolicy//both out: GlobalNetworkPolicy//out "
	               "GlobalNetworkPolicy//both]"));
}

static void policies_for_host_endpoints_alone_are_left_out(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	put(b, GNP, NULL, "u",
	    "{\"spec\":{\"doNotTrack\":true,\"applyOnForward\":true,\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "d",
	    "{\"spec\":{\"preDNAT\":true,\"applyOnForward\":true,\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "f", "{\"spec\":{\"applyOnForward\":true,\"types\":[\"Ingress\"]}}");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32 [default in: GlobalNetworkPolicy//f out:]\n"
	          "policy GlobalNetworkPolicy//f default\n");
	put(b, GNP, NULL, "f",
	    "{\"spec\":{\"applyOnForward\":true,\"preDNAT\":true,\"types\":[\"Ingress\"]}}");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32\n");
}

#define ETH0                                                                                       \
	"{\"metadata\":{\"labels\":{\"role\":\"node\"}},\"spec\":{\"node\":\"node1\","             \
	"\"interfaceName\":"                                                                       \
	"\"eth0\",\"expectedIPs\":[\"172.16.0.1\"],\"ports\":[{\"name\":\"ssh\",\"protocol\":"     \
	"\"TCP\","                                                                                 \
	"\"port\":22}]}}"

static void a_host_endpoint_has_a_list_for_each_class(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put(b, TIER, NULL, "default", "{\"spec\":{\"defaultAction\":\"Deny\"}}");
	put(b, HEP, NULL, "eth0", ETH0);
	put(b, HEP, NULL, "far", "{\"spec\":{\"node\":\"node2\",\"interfaceName\":\"eth0\"}}");
	put_wep(b, "ns1", "w", "node1", "\"role\":\"node\"", "10.0.0.1", "");
	expect_log(b, "host;endpoint;in_sync;");
	put(b, GNP, NULL, "u",
	    "{\"spec\":{\"doNotTrack\":true,\"applyOnForward\":true,\"types\":[\"Ingress\","
	    "\"Egress\"]}"
	    "}");
	put(b, GNP, NULL, "d",
	    "{\"spec\":{\"preDNAT\":true,\"applyOnForward\":true,\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "f",
	    "{\"spec\":{\"applyOnForward\":true,\"types\":[\"Ingress\",\"Egress\"]}}");
	put(b, GNP, NULL, "n",
	    "{\"spec\":{\"selector\":\"role == 'node'\",\"types\":[\"Egress\"]}}");
	put(b, NP, "ns1", "np", "{\"spec\":{\"types\":[\"Ingress\"]}}");
	flush(b);
	assert_true(toy_has(&b->t, "endpoint host eth0 'eth0' 172.16.0.1/32"
	                           " untracked [default pass in: GlobalNetworkPolicy//u out: "
	                           "GlobalNetworkPolicy//u]"
	                           " pre-dnat [default pass in: GlobalNetworkPolicy//d out:]"
	                           " forward [default in: GlobalNetworkPolicy//f out: "
	                           "GlobalNetworkPolicy//f]"
	                           " normal [default in: GlobalNetworkPolicy//f"
	                           " out: GlobalNetworkPolicy//f GlobalNetworkPolicy//n]"));
	assert_true(toy_has(&b->t, "endpoint ns1/w cali0.1 10.0.0.1/32 [default"
	                           " in: GlobalNetworkPolicy//f NetworkPolicy/ns1/np"));
	assert_int_equal(calc_stats(b->c).host_endpoints, 1);
	/* From one class to another, and back. */
	put(b, GNP, NULL, "f", "{\"spec\":{\"types\":[\"Ingress\"]}}");
	put(b, GNP, NULL, "d", "{\"spec\":{\"types\":[\"Ingress\"]}}");
	flush(b);
	assert_true(toy_has(&b->t, "endpoint host eth0 'eth0' 172.16.0.1/32"
	                           " untracked [default pass in: GlobalNetworkPolicy//u out: "
	                           "GlobalNetworkPolicy//u]"
	                           " pre-dnat forward normal [default in: GlobalNetworkPolicy//d"
	                           " GlobalNetworkPolicy//f out: GlobalNetworkPolicy//n]"));
	assert_true(toy_has(&b->t, "endpoint ns1/w cali0.1 10.0.0.1/32 [default"
	                           " in: GlobalNetworkPolicy//d GlobalNetworkPolicy//f "));
	put(b, GNP, NULL, "d",
	    "{\"spec\":{\"preDNAT\":true,\"applyOnForward\":true,\"types\":[\"Ingress\"]}}");
	flush(b);
	assert_true(toy_has(&b->t, "endpoint ns1/w cali0.1 10.0.0.1/32 [default"
	                           " in: GlobalNetworkPolicy//f "));
	/* Away to another node, and gone. */
	put(b, HEP, NULL, "eth0", "{\"spec\":{\"node\":\"node2\",\"interfaceName\":\"eth0\"}}");
	expect_log(b, "host_remove;policy_remove;policy_remove;");
	assert_int_equal(calc_stats(b->c).host_endpoints, 0);
	put(b, HEP, NULL, "eth0", ETH0);
	flush(b);
	calc_remove(b->c, HEP, NULL, "eth0");
	expect_log(b, "host_remove;policy_remove;policy_remove;");
}

static void host_endpoints_are_members_and_have_named_ports(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"selector\":\"projectcalico.org/namespace == "
	    "'ns1'\",\"egress\":[{\"action\":"
	    "\"Allow\",\"destination\":{\"selector\":\"role == 'node'\"}},{\"action\":\"Allow\","
	    "\"protocol\":\"TCP\",\"destination\":{\"ports\":[\"ssh\"]}}]}}");
	put(b, HEP, NULL, "eth0", ETH0);
	flush(b);
	assert_true(toy_find(&b->t, "member s:") < b->t.n);
	char *text = toy_text(&b->t);
	assert_non_null(strstr(text, " 172.16.0.1/32\n"));
	assert_non_null(strstr(text, " 172.16.0.1/32,6:22\n"));
	free(text);
	calc_remove(b->c, HEP, NULL, "eth0");
	flush(b);
	text = toy_text(&b->t);
	assert_null(strstr(text, "172.16.0.1"));
	free(text);
}

static void host_endpoints_that_make_no_sense(void **state)
{
	struct bench *b = *state;
	static const char *const bad[] = {
		"{\"spec\":{\"node\":\"node1\"}}",
		"{\"spec\":{\"node\":\"node1\",\"interfaceName\":\"a/b\"}}",
		"{\"spec\":{\"node\":\"node1\",\"expectedIPs\":[\"x\"]}}",
	};

	calc_in_sync(b->c);
	flush(b);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(b, HEP, NULL, "h", ETH0);
		expect_log(b, "host;");
		assert_int_equal(put_at(b, HEP, NULL, "h", 1000 + i, bad[i]), -EINVAL);
		expect_log(b, "host_remove;");
	}
}

static void staged_policies_stand_in_the_lists_alone(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "\"app\":\"web\"", "10.0.0.1", "");
	put(b, SNP, "ns1", "s",
	    "{\"spec\":{\"order\":1,\"ingress\":[{\"action\":\"Deny\",\"source\":{\"selector\":\"a "
	    "== "
	    "'b'\"}}]}}");
	put(b, SGNP, NULL, "s", "{\"spec\":{\"order\":3,\"types\":[\"Ingress\",\"Egress\"]}}");
	put(b, SKNP, "ns1", "s",
	    "{\"spec\":{\"podSelector\":{\"matchLabels\":{\"app\":\"web\"},\"matchExpressions\":[{"
	    "\"key\":"
	    "\"app\",\"operator\":\"In\",\"values\":[\"web\",\"db\"]},{\"key\":\"x\",\"operator\":"
	    "\"DoesNotExist\"}]}}}");
	put(b, SKNP, "ns1", "other",
	    "{\"spec\":{\"podSelector\":{\"matchLabels\":{\"app\":\"db\"}}}}");
	put(b, NP, "ns1", "e", "{\"spec\":{\"order\":2,\"types\":[\"Ingress\"]}}");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32 [default in: ~StagedNetworkPolicy/ns1/s"
	          " NetworkPolicy/ns1/e ~StagedGlobalNetworkPolicy//s"
	          " ~StagedKubernetesNetworkPolicy/ns1/s out: ~StagedGlobalNetworkPolicy//s]\n"
	          "policy NetworkPolicy/ns1/e default\n");
	assert_int_equal(calc_stats(b->c).sets, 0);
	assert_int_equal(calc_stats(b->c).staged_policies, 4);
	assert_int_equal(calc_stats(b->c).active_policies, 1);
	put(b, SNP, "ns1", "s", "{\"spec\":{\"stagedAction\":\"Delete\"}}");
	calc_remove(b->c, SGNP, NULL, "s");
	calc_remove(b->c, SKNP, "ns1", "s");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32 [default in: NetworkPolicy/ns1/e out:]\n"
	          "policy NetworkPolicy/ns1/e default\n");
}

static void profiles_give_rules_and_labels(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "\"own\":\"1\",\"pcns.team\":\"forged\"", "10.0.0.1",
	        ",\"profiles\":[\"kns.ns1\",\"projectcalico-default-allow\"]");
	put(b, GNP, NULL, "blue", "{\"spec\":{\"namespaceSelector\":\"team == 'blue'\"}}");
	put(b, GNP, NULL, "forged", "{\"spec\":{\"namespaceSelector\":\"team == 'forged'\"}}");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32 <kns.ns1> <projectcalico-default-allow>\n"
	          "profile kns.ns1  | in deny | out deny\n"
	          "profile projectcalico-default-allow  | in allow | out allow\n");
	put(b, PROFILE, NULL, "kns.ns1",
	    "{\"spec\":{\"labelsToApply\":{\"pcns.team\":\"blue\",\"own\":\"2\"},\"ingress\":[{"
	    "\"action\":\"Allow\"}]}}");
	put(b, GNP, NULL, "own", "{\"spec\":{\"selector\":\"own == '2'\"}}");
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32 [default in: GlobalNetworkPolicy//blue out:] "
	          "<kns.ns1> "
	          "<projectcalico-default-allow>\n"
	          "policy GlobalNetworkPolicy//blue default\n"
	          "profile kns.ns1  | in allow\n"
	          "profile projectcalico-default-allow  | in allow | out allow\n");
	/* A stored copy of the built-in one changes nothing, nor does its removal. */
	put(b, PROFILE, NULL, "projectcalico-default-allow",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Deny\"}]}}");
	calc_remove(b->c, PROFILE, NULL, "projectcalico-default-allow");
	expect_log(b, "");
	calc_remove(b->c, PROFILE, NULL, "kns.ns1");
	expect_log(b, "profile;endpoint;policy_remove;");
	assert_true(toy_has(&b->t, "profile kns.ns1  | in deny | out deny"));
	calc_remove(b->c, WEP, "ns1", "w");
	expect(b, "");
}

static void sets_hold_endpoints_and_network_sets(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", "");
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Allow\",\"source\":{\"selector\":\"x == "
	    "'y'\"}}]}}");
	put(b, GNETSET, NULL, "g",
	    "{\"metadata\":{\"labels\":{\"x\":\"y\"}},\"spec\":{\"nets\":[\"0.0.0.0/0\",\"10.9.8.7/"
	    "8\",\"junk\",\"fd00::/64\"]}}");
	put(b, NETSET, "ns1", "g",
	    "{\"metadata\":{\"labels\":{\"x\":\"y\"}},\"spec\":{\"nets\":[\"10.0.0.0/"
	    "8\",\"1.2.3.4\"]}}");
	put(b, NETSET, "ns2", "g",
	    "{\"metadata\":{\"labels\":{\"x\":\"z\"}},\"spec\":{\"nets\":[\"9.9.9.9\"]}}");
	flush(b);
	char *text = toy_text(&b->t);
	assert_non_null(strstr(text, " 0.0.0.0/1\n"));
	assert_non_null(strstr(text, " 128.0.0.0/1\n"));
	assert_non_null(strstr(text, " 10.0.0.0/8\n"));
	assert_non_null(strstr(text, " fd00::/64\n"));
	assert_non_null(strstr(text, " 1.2.3.4/32\n"));
	assert_null(strstr(text, "9.9.9.9"));
	free(text);
	assert_int_equal(calc_stats(b->c).set_members, 5);
	calc_remove(b->c, GNETSET, NULL, "g");
	calc_remove(b->c, NETSET, "ns1", "g");
	flush(b);
	assert_int_equal(calc_stats(b->c).set_members, 0);
}

static void named_ports(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "\"x\":\"y\"", "10.0.0.1",
	        ",\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080},{\"name\":"
	        "\"http\",\"protocol\":\"UDP\",\"port\":53},"
	        "{\"name\":\"other\",\"protocol\":\"TCP\",\"port\":1}]");
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{"
	    "\"selector\":\"x == 'y'\",\"ports\":[\"http\"]}}]}}");
	flush(b);
	char *text = toy_text(&b->t);
	assert_non_null(strstr(text, " 10.0.0.1/32,6:8080\n"));
	assert_null(strstr(text, ",17:53"));
	assert_null(strstr(text, "dst-set:"));
	assert_non_null(strstr(text, "dst-portset:n:"));
	free(text);
	put(b, GNP, NULL, "p",
	    "{\"spec\":{\"ingress\":[{\"action\":\"Allow\",\"destination\":{\"ports\":[\"http\"]}}]"
	    "}}");
	expect_log(b, "set_new;policy;set_remove;");
	text = toy_text(&b->t);
	assert_non_null(strstr(text, ",17:53\n"));
	assert_non_null(strstr(text, ",6:8080\n"));
	free(text);
}

static void what_makes_no_sense_counts_as_absent(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put_wep(b, "ns1", "w", "node1", "", "10.0.0.1", ",\"profiles\":[\"p\"]");
	put(b, GNP, NULL, "p", "{\"spec\":{}}");
	put(b, PROFILE, NULL, "p", "{\"spec\":{\"ingress\":[{\"action\":\"Allow\"}]}}");
	expect_log(b, "policy;profile;endpoint;in_sync;");
	assert_int_equal(put_at(b, GNP, NULL, "p", 200, "{\"spec\":{\"selector\":\"a = b\"}}"),
	                 -22);
	expect_log(b, "endpoint;policy_remove;");
	assert_int_equal(put_at(b, PROFILE, NULL, "p", 201,
	                        "{\"spec\":{\"ingress\":[{\"action\":\"Maybe\"}]}}"),
	                 -22);
	expect_log(b, "profile;");
	assert_true(toy_has(&b->t, "profile p  | in deny | out deny"));
	/* one part cannot reach over into its neighbour */
	assert_int_equal(put_at(b, NP, "ns1", "q", 202,
	                        "{\"spec\":{\"selector\":\"a == 'b') || (c == 'd'\"}}"),
	                 -22);
	assert_int_equal(put_at(b, WEP, "ns1", "w", 203,
	                        "{\"spec\":{\"node\":\"node1\",\"interfaceName\":\"cali1\"}}"),
	                 -22);
	expect(b, "");
	assert_int_equal(put_at(b, WEP, "ns1", "w", 204,
	                        "{\"spec\":{\"node\":\"node1\",\"ipNetworks\":[\"10.0.0.1/"
	                        "32\"],\"interfaceName\":\"../../x\"}}"),
	                 -22);
	expect(b, "");
}

static void pools_are_told_by_cidr(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	put(b, POOL, NULL, "b", "{\"spec\":{\"cidr\":\"10.0.0.0/16\",\"natOutgoing\":true}}");
	put(b, POOL, NULL, "c", "{\"spec\":{\"cidr\":\"10.0.0.0/16\"}}");
	expect(b, "pool 10.0.0.0/16 masquerade\n");
	put(b, POOL, NULL, "a", "{\"spec\":{\"cidr\":\"10.0.0.0/16\"}}");
	expect(b, "pool 10.0.0.0/16 plain\n");
	put(b, POOL, NULL, "a", "{\"spec\":{\"cidr\":\"10.1.0.0/16\"}}");
	expect(b, "pool 10.0.0.0/16 masquerade\npool 10.1.0.0/16 plain\n");
	calc_remove(b->c, POOL, NULL, "b");
	calc_remove(b->c, POOL, NULL, "a");
	expect(b, "pool 10.0.0.0/16 plain\n");
	calc_remove(b->c, POOL, NULL, "c");
	expect(b, "");
}

/* ---- the priority lane */

static int lane(struct bench *b, const char *node, const char *ip, uint64_t revision)
{
	char *json = wep_json(node, "", ip, "");
	struct resource *r = toy_resource(WEP, "ns1", "w", revision, json);
	int rc = calc_local_endpoint(b->c, r, NULL);

	resource_free(r);
	free(json);
	return rc;
}

static void store(struct bench *b, const char *ip, uint64_t revision)
{
	char *json = wep_json("node1", "", ip, "");

	assert_int_equal(put_at(b, WEP, "ns1", "w", revision, json), 0);
	free(json);
}

static void the_newer_of_plugin_and_datastore_is_in_force(void **state)
{
	struct bench *b = *state;
	struct calc_local_info info;

	calc_in_sync(b->c);
	assert_int_equal(lane(b, "node2", "10.0.0.1", 10), -22);
	assert_int_equal(lane(b, "node1", "10.0.0.1", 10), 0);
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32\n");
	assert_true(calc_local_endpoint_info(b->c, "ns1", "w", &info));
	assert_int_equal(info.revision, 10);
	assert_string_equal(info.container, "c-10.0.0.1");
	store(b, "10.0.0.2", 8); /* an old one, late */
	expect_log(b, "");
	calc_remove(b->c, WEP, "ns1", "w"); /* and its end */
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32\n");
	store(b, "10.0.0.1", 10);
	expect_log(b, "endpoint;");
	assert_int_equal(lane(b, "node1", "10.0.0.1", 10),
	                 0); /* asked again: told again, for the verdict */
	expect_log(b, "endpoint;");
	store(b, "10.0.0.3", 12);
	expect(b, "endpoint ns1/w cali0.3 10.0.0.3/32\n");
	calc_remove(b->c, WEP, "ns1", "w");
	expect(b, "");
}

static void what_the_plugin_took_away_stays_away(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	store(b, "10.0.0.1", 10);
	calc_local_endpoint_remove(b->c, "ns1", "w");
	expect(b, "");
	store(b, "10.0.0.1", 10); /* a snapshot says it again */
	expect(b, "");
	store(b, "10.0.0.2", 11);
	expect(b, "endpoint ns1/w cali0.2 10.0.0.2/32\n");

	/* programmed and removed before the datastore's copy arrives */
	assert_int_equal(lane(b, "node1", "10.0.0.1", 20), 0);
	calc_local_endpoint_remove(b->c, "ns1", "w");
	store(b, "10.0.0.1", 20);
	expect(b, "");
	calc_remove(b->c, WEP, "ns1", "w");
	store(b, "10.0.0.4", 21);
	expect(b, "endpoint ns1/w cali0.4 10.0.0.4/32\n");
	calc_local_endpoint_remove(b->c, "ns1", "nobody");
}

static void an_endpoint_that_a_snapshot_should_name_and_does_not_is_gone(void **state)
{
	struct bench *b = *state;

	calc_in_sync(b->c);
	assert_int_equal(lane(b, "node1", "10.0.0.1", 20), 0);
	calc_in_sync(b->c); /* the datastore has not come so far yet */
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32\n");
	assert_int_equal(put_at(b, TIER, NULL, "t", 25, "{\"spec\":{}}"), 0);
	expect(b, "endpoint ns1/w cali0.1 10.0.0.1/32\n");
	calc_in_sync(b->c);
	expect(b, "");
}

static void profiles_count_once_and_labels_last(void **state)
{
	struct resource *r = toy_resource(
	        WEP, "ns1", "w", 1,
	        "{\"metadata\":{\"labels\":{\"z\":\"1\",\"projectcalico.org/namespace\":\"no\","
	        "\"a\":\"2\"}},\"spec\":{\"node\":\"node2\",\"ipNetworks\":[\"10.0.0.1/32\"],"
	        "\"profiles\":[\"b\",\"c\",\"a\",\"b\",\"a\"]}}");
	struct wep w;

	(void)state;
	assert_int_equal(wep_read(r, "node1", &w, NULL), 0);
	assert_int_equal(w.n_profiles, 3);
	assert_string_equal(w.profiles[0], "b");
	assert_string_equal(w.profiles[1], "c");
	assert_string_equal(w.profiles[2], "a");
	assert_int_equal(w.labels.n, 3);
	for (size_t i = 0; i < w.labels.n; i++)
		if (strcmp(w.labels.v[i].key, "projectcalico.org/namespace") == 0)
			assert_string_equal(w.labels.v[i].value, "ns1");
	wep_done(&w);
	resource_free(r);
}

/* Milliseconds that an endpoint with so many labels and profiles takes. */
static int64_t time_of(struct bench *b, unsigned n)
{
	CLEANUP(buf_done) struct buf labels = { 0 }, profiles = { 0 };
	struct resource *r;
	struct mono_ms start;
	int64_t ms;
	char *json;

	for (unsigned i = 0; i < n; i++) {
		buf_printf(&labels, "%s\"k%u\":\"v\"", i ? "," : "", i);
		buf_printf(&profiles, "%s\"p%u\"", i ? "," : ",\"profiles\":[", i);
	}
	buf_str(&profiles, "]");
	json = wep_json("node2", buf_cstr(&labels), "10.0.0.1", buf_cstr(&profiles));
	r = toy_resource(WEP, "ns1", "w", ++b->revision, json);
	free(json);
	start = mono_now();
	assert_int_equal(calc_update(b->c, r, NULL), 0);
	ms = mono_since_ms(start);
	resource_free(r);
	return ms;
}

/* Whoever may write an endpoint must not be able to hold every node's felixd. */
static void an_endpoint_costs_what_it_is_long(void **state)
{
	struct bench *b = *state;
	int64_t small = time_of(b, 4000), large = time_of(b, 40000);

	assert_true(large <= 25 * (small + 5));
}

/* Milliseconds that a profile with so many labels takes the second time, one label changed. */
static int64_t profile_time_of(struct bench *b, unsigned n)
{
	int64_t ms = 0;

	for (int round = 0; round < 2; round++) {
		CLEANUP(buf_done) struct buf json = { 0 };
		struct resource *r;
		struct mono_ms start;

		buf_str(&json, "{\"spec\":{\"labelsToApply\":{");
		for (unsigned i = 0; i < n; i++)
			buf_printf(&json, "\"k%06u\":\"%d\",", i, i == n - 1 ? round : 7);
		buf_str(&json, "\"z\":\"\"}}}");
		r = toy_resource(PROFILE, NULL, "p", ++b->revision, buf_cstr(&json));
		start = mono_now();
		assert_int_equal(calc_update(b->c, r, NULL), 0);
		ms = mono_since_ms(start);
		resource_free(r);
	}
	return ms;
}

static void a_profile_costs_what_it_is_long(void **state)
{
	struct bench *b = *state;
	int64_t small = profile_time_of(b, 4000), large = profile_time_of(b, 40000);

	assert_true(large <= 25 * (small + 5));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_told_before_in_sync),
		TEST(a_policy_is_active_while_it_matches_here),
		TEST(what_goes_and_comes_back_between_two_flushes_never_went),
		TEST(an_endpoint_that_only_flashes_up_is_still_taken_back),
		TEST(a_policy_can_be_needed_on_every_node),
		TEST(tiers_and_policies_come_in_order),
		TEST(types_follow_from_rules),
		TEST(policies_for_host_endpoints_alone_are_left_out),
		TEST(a_host_endpoint_has_a_list_for_each_class),
		TEST(host_endpoints_are_members_and_have_named_ports),
		TEST(host_endpoints_that_make_no_sense),
		TEST(staged_policies_stand_in_the_lists_alone),
		TEST(profiles_give_rules_and_labels),
		TEST(sets_hold_endpoints_and_network_sets),
		TEST(named_ports),
		TEST(what_makes_no_sense_counts_as_absent),
		TEST(pools_are_told_by_cidr),
		TEST(the_newer_of_plugin_and_datastore_is_in_force),
		TEST(what_the_plugin_took_away_stays_away),
		TEST(an_endpoint_that_a_snapshot_should_name_and_does_not_is_gone),
		TEST(profiles_count_once_and_labels_last),
		TEST(an_endpoint_costs_what_it_is_long),
		TEST(a_profile_costs_what_it_is_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
