/* SPDX-License-Identifier: BSD-2-Clause */
/* How the selectors of policies and rules are put together, and what becomes of rules: the tables
 * of the reference. */
#include "test/unit/felixd_calc_toy.h"

#include "common/model/selector.h"
#include "common/policy/compose.h"
#include "felixd/calc/rules.h"

static ProtobufCMessage *message(const ProtobufCMessageDescriptor *d, const char *json)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(d, json, strlen(json), MAPPER_REFUSE, &m, &err) < 0)
		fail_msg("%s: %s", json, err.text);
	return m;
}

/* clang-format off */
static const struct {
	const char *spec, *text, *canonical;
} global_policies[] = {
	{ "{}", "", "all()" },
	{ "{\"selector\":\" \"}", "", "all()" },
	{ "{\"selector\":\"role == 'a'\"}", "role == 'a'", "role == \"a\"" },
	{ "{\"namespaceSelector\":\"env == 'p'\"}", "pcns.env == \"p\"", "pcns.env == \"p\"" },
	{ "{\"selector\":\"role == 'a'\",\"namespaceSelector\":\"env == 'p'\"}", "(role == 'a') && pcns.env == \"p\"",
	  "(role == \"a\" && pcns.env == \"p\")" },
	{ "{\"selector\":\"all()\",\"namespaceSelector\":\"env == 'p'\"}",
	  "(has(projectcalico.org/namespace)) && pcns.env == \"p\"", "(has(projectcalico.org/namespace) && pcns.env == \"p\")" },
	{ "{\"namespaceSelector\":\"all()\"}", "has(projectcalico.org/namespace)", "has(projectcalico.org/namespace)" },
	{ "{\"selector\":\"role == 'a'\",\"serviceAccountSelector\":\"all()\"}",
	  "(role == 'a') && has(projectcalico.org/serviceaccount)", "(role == \"a\" && has(projectcalico.org/serviceaccount))" },
	{ "{\"selector\":\"r == 'a'\",\"namespaceSelector\":\"e == 'p'\",\"serviceAccountSelector\":\"t == 'x'\"}",
	  "((r == 'a') && pcns.e == \"p\") && pcsa.t == \"x\"", "((r == \"a\" && pcns.e == \"p\") && pcsa.t == \"x\")" },
};

static const struct {
	const char *spec, *text;
} network_policies[] = {
	{ "{}", "projectcalico.org/namespace == 'n1'" },
	{ "{\"selector\":\"a == 'b'\"}", "(a == 'b') && projectcalico.org/namespace == 'n1'" },
	{ "{\"selector\":\"a == 'b'\",\"serviceAccountSelector\":\"t == 'v'\"}",
	  "((a == 'b') && projectcalico.org/namespace == 'n1') && pcsa.t == \"v\"" },
	{ "{\"serviceAccountSelector\":\"t == 'v' || u == 'w'\"}",
	  "(projectcalico.org/namespace == 'n1') && (pcsa.t == \"v\" || pcsa.u == \"w\")" },
};

/* Rule entities of a policy in n1, by text: compared through the canonical form. NULL: nothing wanted. */
static const struct {
	const char *entity, *want, *unwanted;
} entities[] = {
	{ "{}", NULL, NULL },
	{ "{\"nets\":[\"10.0.0.0/8\"]}", NULL, NULL },
	{ "{\"selector\":\"a == 'b'\"}", "(projectcalico.org/namespace == 'n1') && (a == 'b')", NULL },
	{ "{\"notSelector\":\"a == 'b'\"}", "(projectcalico.org/namespace == 'n1') && (!(a == 'b'))", NULL },
	{ "{\"namespaceSelector\":\"env == 'p'\"}", "pcns.env == \"p\"", NULL },
	{ "{\"namespaceSelector\":\"all()\",\"selector\":\"a == 'b'\"}", "(has(projectcalico.org/namespace)) && (a == 'b')", NULL },
	{ "{\"namespaceSelector\":\"global()\",\"selector\":\"a == 'b'\"}", "(!has(projectcalico.org/namespace)) && (a == 'b')", NULL },
	{ "{\"serviceAccounts\":{\"names\":[\"x\"]}}",
	  "(projectcalico.org/namespace == 'n1') && (projectcalico.org/serviceaccount in {\"x\"})", NULL },
	{ "{\"serviceAccounts\":{\"names\":[\"x\"],\"selector\":\"t == 'v'\"}}",
	  "(projectcalico.org/namespace == 'n1') && ((pcsa.t == \"v\") && (projectcalico.org/serviceaccount in {\"x\"}))", NULL },
	{ "{\"serviceAccounts\":{\"names\":[\"x\"]},\"selector\":\"a == 'b'\"}",
	  "(projectcalico.org/namespace == 'n1') && ((projectcalico.org/serviceaccount in {\"x\"}) && (a == 'b'))", NULL },
};

/* The same in a global policy. */
static const struct {
	const char *entity, *want, *unwanted;
} global_entities[] = {
	{ "{\"selector\":\"a == 'b'\"}", "a == 'b'", NULL },
	{ "{\"notSelector\":\"a == 'b'\"}", NULL, "a == 'b'" },
	{ "{\"selector\":\"a == 'b'\",\"notSelector\":\"c == 'd' || has(e)\"}", "(a == 'b') && (!(c == 'd' || has(e)))", NULL },
	{ "{\"namespaceSelector\":\"all()\"}", "has(projectcalico.org/namespace)", NULL },
	{ "{\"serviceAccounts\":{\"selector\":\"t == 'v'\"}}", "pcsa.t == \"v\"", NULL },
};

/* Rules of a global policy. %X stands for the set of x == "y", %A for that of all(). */
static const struct {
	const char *rule, *text;
} rules[] = {
	{ "{\"action\":\"Allow\"}", " | in allow" },
	{ "{\"action\":\"Log\",\"ipVersion\":6}", " | in log v6" },
	{ "{\"action\":\"Pass\",\"protocol\":\"TCP\"}", " | in pass proto:6" },
	{ "{\"action\":\"Deny\",\"protocol\":132,\"notProtocol\":\"UDP\"}", " | in deny proto:132 !proto:17" },
	{ "{\"action\":\"Deny\",\"protocol\":\"ICMP\",\"icmp\":{\"type\":8}}", " | in deny v4 proto:1 icmp:8/-1" },
	{ "{\"action\":\"Deny\",\"protocol\":\"ICMPv6\",\"icmp\":{\"type\":128,\"code\":0},\"notICMP\":{\"type\":1}}",
	  " | in deny v6 proto:58 icmp:128/0 !icmp:1/-1" },
	{ "{\"action\":\"Allow\",\"source\":{\"nets\":[\"10.1.2.3/8\",\"fd00::1/64\"],\"notNets\":[\"10.2.0.0/16\"]}}",
	  " | in allow src:10.0.0.0/8 src:fd00::/64 !src:10.2.0.0/16" },
	{ "{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{\"ports\":[80,\"8000:8100\"],\"notPorts\":[8080]}}",
	  " | in allow proto:6 dst-port:80-80 dst-port:8000-8100 !dst-port:8080-8080" },
	{ "{\"action\":\"Allow\",\"source\":{\"selector\":\"x == 'y'\"}}", " | in allow src-set:%X" },
	{ "{\"action\":\"Allow\",\"source\":{\"notSelector\":\"x == 'y'\"}}", " | in allow !src-set:%X" },
	{ "{\"action\":\"Allow\",\"source\":{\"selector\":\"x == 'y'\"},\"destination\":{\"selector\":\"all()\"}}",
	  " | in allow src-set:%X dst-set:%A" },
	/* named ports: the set says whom, too; a numeric port beside it needs the selector's set */
	{ "{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{\"selector\":\"x == 'y'\",\"ports\":[\"http\"]}}",
	  " | in allow proto:6 dst-portset:%(X,tcp,http)" },
	{ "{\"action\":\"Allow\",\"protocol\":\"UDP\",\"destination\":{\"selector\":\"x == 'y'\",\"ports\":[\"dns\",53]}}",
	  " | in allow proto:17 dst-port:53-53 dst-portset:%(X,udp,dns) dst-set:%X" },
	{ "{\"action\":\"Allow\",\"destination\":{\"ports\":[\"http\"]}}", " | in allow dst-portset:%(A,any,http)" },
	{ "{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{\"selector\":\"x == 'y'\",\"notPorts\":[\"http\"]}}",
	  " | in allow proto:6 !dst-portset:%(X,tcp,http) dst-set:%X" },
	{ "{\"action\":\"Allow\",\"protocol\":\"SCTP\",\"source\":{\"ports\":[\"sig\"]}}", " | in allow proto:132 src-portset:%(A,sctp,sig)" },
	{ "{\"action\":\"Allow\",\"destination\":{\"services\":{\"name\":\"nginx\",\"namespace\":\"default\"}}}",
	  " | in allow dst-portset:svc:RETMWMZ3VCy3Kifv2Qin5MvOA9hFePnt82nebg" },
	{ "{\"action\":\"Allow\",\"source\":{\"services\":{\"name\":\"nginx\",\"namespace\":\"default\"}}}",
	  " | in allow src-set:svcnoport:7qoSZcUIUv_1K0tLMunb3ADnwH1Rn1sMcVoK0w" },
};

static const struct {
	const char *rule, *why;
} bad_rules[] = {
	{ "{}", "ingress[0]: action" },
	{ "{\"action\":\"allow\"}", "ingress[0]: action" },
	{ "{\"action\":\"Allow\",\"ipVersion\":5}", "ingress[0]: ipVersion" },
	{ "{\"action\":\"Allow\",\"source\":{\"nets\":[\"10.0.0.0/33\"]}}", "ingress[0]: source: nets[0]" },
	{ "{\"action\":\"Allow\",\"destination\":{\"selector\":\"a\"}}", "ingress[0]: destination: selector" },
	{ "{\"action\":\"Allow\",\"destination\":{\"notSelector\":\"a\"}}", "ingress[0]: destination: notSelector" },
	{ "{\"action\":\"Allow\",\"destination\":{\"namespaceSelector\":\"a\"}}", "ingress[0]: destination: namespaceSelector" },
	{ "{\"action\":\"Allow\",\"source\":{\"serviceAccounts\":{\"selector\":\"a\"}}}", "ingress[0]: source: serviceAccounts.selector" },
	{ "{\"action\":\"Allow\",\"source\":{\"serviceAccounts\":{\"names\":[\"a\",\"b\\\"} || all()\"]}}}",
	  "ingress[0]: source: serviceAccounts.names[1]" },
	{ "{\"action\":\"Allow\",\"icmp\":{\"code\":0}}", "ingress[0]: icmp" },
};
/* clang-format on */

static void selectors_of_policies(void **state)
{
	struct selector *s;
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(global_policies); i++) {
		ProtobufCMessage *m = message(&v3__global_network_policy_spec__descriptor,
		                              global_policies[i].spec);

		assert_int_equal(compose_global_policy((void *)m, &s, &text, NULL), 0);
		assert_string_equal(text, global_policies[i].text);
		assert_string_equal(selector_str(s), global_policies[i].canonical);
		selector_unref(s);
		free(text);
		msg_free(m);
	}
	for (size_t i = 0; i < ARRAY_SIZE(network_policies); i++) {
		ProtobufCMessage *m =
		        message(&v3__network_policy_spec__descriptor, network_policies[i].spec);

		assert_int_equal(compose_network_policy("n1", (void *)m, &s, &text, NULL), 0);
		assert_string_equal(text, network_policies[i].text);
		selector_unref(s);
		free(text);
		msg_free(m);
	}
}

static void expect_selector(const struct selector *have, const char *text)
{
	struct selector *s;

	if (!text) {
		assert_null(have);
		return;
	}
	assert_non_null(have);
	assert_int_equal(selector_parse(text, &s, NULL), 0);
	assert_string_equal(selector_str(have), selector_str(s));
	selector_unref(s);
}

static void expect_entity(const char *ns, const char *json, const char *want, const char *unwanted)
{
	ProtobufCMessage *m = message(&v3__entity_rule__descriptor, json);
	struct selector *a, *b;

	assert_int_equal(compose_entity(ns, (void *)m, &a, &b, NULL), 0);
	expect_selector(a, want);
	expect_selector(b, unwanted);
	selector_unref(a);
	selector_unref(b);
	msg_free(m);
}

static void selectors_of_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
		expect_entity("n1", entities[i].entity, entities[i].want, entities[i].unwanted);
	for (size_t i = 0; i < ARRAY_SIZE(global_entities); i++)
		expect_entity("", global_entities[i].entity, global_entities[i].want,
		              global_entities[i].unwanted);
}

/* Puts IDs in the place of %X, %A and %(X,tcp,http). */
static char *expand(const char *text, const char *x, const char *all)
{
	struct buf b = { 0 };

	for (; *text; text++) {
		if (*text != '%') {
			buf_byte(&b, (uint8_t)*text);
		} else if (text[1] == '(') {
			const char *end = strchr(text, ')');
			char *content = xasprintf("%s%.*s", text[2] == 'X' ? x : all,
			                          (int)(end - text - 3), text + 3);
			char id[SELECTOR_ID_MAX];

			selector_make_id("n", content, id);
			buf_str(&b, id);
			free(content);
			text = end;
		} else {
			buf_str(&b, *++text == 'X' ? x : all);
		}
	}
	return buf_take(&b);
}

static void rules_and_their_sets(void **state)
{
	struct selector *x, *all;

	(void)state;
	assert_int_equal(selector_parse("x == 'y'", &x, NULL), 0);
	assert_int_equal(selector_parse("", &all, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		V3__Rule *m = (V3__Rule *)message(&v3__rule__descriptor, rules[i].rule);
		char *expect = expand(rules[i].text, selector_id(x), selector_id(all));
		struct rules r;
		struct buf b = { 0 };

		assert_int_equal(rules_convert("", &m, 1, NULL, 0, &r, NULL), 0);
		toy_rules(&b, "in", r.ingress, r.n_ingress);
		assert_string_equal(buf_cstr(&b), expect);
		for (size_t k = 0; k < r.n_specs;
		     k++) /* each set that is used is described, and the other way round */
			assert_non_null(strstr(expect, r.specs[k].id));
		buf_done(&b);
		rules_done(&r);
		free(expect);
		msg_free(&m->base);
	}
	selector_unref(x);
	selector_unref(all);
}

static void bad_rules_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_rules); i++) {
		V3__Rule *m = (V3__Rule *)message(&v3__rule__descriptor, bad_rules[i].rule);
		struct rules r;
		struct err err = { 0 };

		assert_int_equal(rules_convert("", &m, 1, NULL, 0, &r, &err), -22);
		if (strncmp(err.text, bad_rules[i].why, strlen(bad_rules[i].why)) != 0)
			fail_msg("%s: '%s'", bad_rules[i].rule, err.text);
		assert_int_equal(r.n_specs, 0);
		assert_null(r.ingress);
		msg_free(&m->base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_of_policies),
		cmocka_unit_test(selectors_of_rules),
		cmocka_unit_test(rules_and_their_sets),
		cmocka_unit_test(bad_rules_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
