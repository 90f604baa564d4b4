/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "common/model/validate.h"
#include "proto/v3_node.pb-c.h"

#define KINDS "test/unit/model_kinds"
#define API "\"apiVersion\":\"projectcalico.org/v3\""

static ProtobufCMessage *manifest(const struct kind_info *k, const char *text)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(k->message, text, strlen(text), MAPPER_REFUSE, &m, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return m;
}

/* ---- defaults */

static const struct {
	const char *kind, *in, *out;
} defaults[] = {
	{ "BGPConfiguration", "{\"metadata\":{\"name\":\"default\"}}",
	  "{\"kind\":\"BGPConfiguration\"," API
	  ",\"metadata\":{\"name\":\"default\"},\"spec\":{\"logSeverityScreen\":\"Info\","
	  "\"serviceLoadBalancerAggregation\":\"Enabled\"}}" },
	{ "BGPPeer", "{\"metadata\":{\"name\":\"n\"}}",
	  "{\"kind\":\"BGPPeer\"," API ",\"metadata\":{\"name\":\"n\"},\"spec\":{}}" },
};

static void defaults_are_upstreams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const struct kind_info *k = kind_by_name(defaults[i].kind);
		CLEANUP(buf_done) struct buf out = { 0 };
		ProtobufCMessage *m = manifest(k, defaults[i].in);

		model_default(k->kind, m);
		mapper_write_text(m, 0, &out);
		assert_string_equal(buf_cstr(&out), defaults[i].out);
		buf_clear(&out);
		model_default(k->kind, m); /* once is enough */
		mapper_write_text(m, 0, &out);
		assert_string_equal(buf_cstr(&out), defaults[i].out);
		msg_free(m);
	}
}

static void defaults_make_an_empty_message_whole(void **state)
{
	(void)state;
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		ProtobufCMessage *m = msg_new(k->message);
		struct violations v;

		model_default(k->kind, m);
		assert_int_equal(model_meta(m, false) != NULL, k->v3);
		(void)model_validate(
		        k->kind, m,
		        &v); /* with nothing in it, nothing is dereferenced that is not there */
		if (k->v3)
			assert_true(v.n > 0);
		violations_done(&v);
		msg_free(m);
		m = msg_new(k->message);
		(void)model_validate(k->kind, m, &v);
		violations_done(&v);
		msg_free(m);
	}
}

/* ---- rules. META and SPEC make an object of its parts; wrong NULL: it is allowed */

#define OBJ(meta, spec) "{\"metadata\":{" meta "},\"spec\":{" spec "}}"
#define N "\"name\":\"x\""
#define NS N ",\"namespace\":\"ns\""
#define ONE(field) "error with field " field

static const struct {
	const char *kind, *in, *wrong;
} cases[] = {
/* IPAM */
#define BLOCK(alloc, free_)                                                                        \
	"{\"cidr\":\"10.0.0.0/31\",\"allocations\":" alloc ",\"unallocated\":" free_               \
	",\"attributes\":[{\"handle_id\":\"h\"}]}"
	{ "IPAMBlock", BLOCK("[0,null]", "[1]"), NULL },
	{ "IPAMBlock", BLOCK("[0]", "[]"),
	  "allocations (has 1 items, which is not the number of addresses in 10.0.0.0/31)" },
	{ "IPAMBlock", BLOCK("[1,null]", "[1]"),
	  ONE("allocations[0] (1 is not the index of an attribute)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[2]"),
	  ONE("unallocated[0] (2 is not an ordinal of the block)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[-1]"),
	  ONE("unallocated[0] (-1 is not an ordinal of the block)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[0]"), ONE("unallocated[0] (0 is allocated)") },
	{ "IPAMBlock", "{\"cidr\":\"10.0.0.1/31\"}", "cidr = '10.0.0.1/31'" },
	{ "IPAMBlock", "{\"cidr\":\"10.0.0.0/8\"}", "allocations (has 0 items" },
	{ "IPAMBlock", "{}", ONE("cidr (is required)") },
	{ "IPAMAffinity", "{}", NULL },
	{ "IPAMAffinity", "{\"state\":\"pendingDeletion\"}", NULL },
	{ "IPAMAffinity", "{\"state\":\"x\"}",
	  ONE("state (supported values: \"pending\", \"confirmed\", \"pendingDeletion\")") },
	{ "IPAMHandle", "{\"block\":{\"10.0.0.0/26\":2}}", NULL },
	{ "IPAMHandle", "{\"block\":{\"x\":2}}", ONE("block = 'x' (is not a CIDR)") },
	{ "IPAMHandle", "{\"block\":{\"10.0.0.0/26\":-2}}",
	  ONE("block.10.0.0.0/26 (-2 is not a number of addresses)") },
	{ "IPAMConfig",
	  "{\"ipCooldownSeconds\":1200,\"maxBlocksPerHost\":20,\"kubeVirtVMAddressPersistence\":"
	  "\"Enabled\"}",
	  NULL },
	{ "IPAMConfig", "{\"ipCooldownSeconds\":1201}",
	  ONE("ipCooldownSeconds (ipCooldownSeconds in body should be less than or equal to "
	      "1200)") },
	{ "IPAMConfig", "{\"maxBlocksPerHost\":-1}",
	  "maxBlocksPerHost in body should be greater than or equal to 0" },
	{ "IPAMConfig", "{\"kubeVirtVMAddressPersistence\":\"x\"}",
	  "kubeVirtVMAddressPersistence (supported values" },
};

static void what_is_wrong_is_told_and_nothing_else(void **state)
{
	unsigned long long good = 0, bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kind_info *k = kind_by_name(cases[i].kind);
		CLEANUP(buf_done) struct buf text = { 0 };
		ProtobufCMessage *m = manifest(k, cases[i].in);
		struct violations v;
		size_t n;

		model_default(k->kind, m);
		n = model_validate(k->kind, m, &v);
		assert_int_equal(n, v.n);
		if (n > 0)
			violations_str(&v, &text);
		if (!cases[i].wrong) {
			good |= 1ull << k->kind;
			if (n > 0)
				fail_msg("%s: %s", cases[i].in, buf_cstr(&text));
		} else {
			bad |= 1ull << k->kind;
			if (strncmp(cases[i].wrong, "error with field", 16) == 0 &&
			    strcmp(buf_cstr(&text), cases[i].wrong) != 0)
				fail_msg("%s: '%s', not '%s'", cases[i].in, buf_cstr(&text),
				         cases[i].wrong);
			if (!strstr(buf_cstr(&text), cases[i].wrong))
				fail_msg("%s: '%s', not '%s'", cases[i].in, buf_cstr(&text),
				         cases[i].wrong);
		}
		violations_done(&v);
		msg_free(m);
	}
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		CLEANUP(free_p) char *file = xasprintf(KINDS "/%s.cases", k->name);

		if (access(file, R_OK) == 0)
			continue;                    /* model_kinds_test has it */
		assert_true(good & 1ull << k->kind); /* each kind has something that is right, and
		                                        something that is wrong */
		assert_true(bad & 1ull << k->kind);
	}
}

#define LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

static void several_violations_are_a_list(void **state)
{
	ProtobufCMessage *m = manifest(kind_by_name("Tier"),
	                               "{\"metadata\":{},\"spec\":{\"defaultAction\":\"Log\"}}");
	CLEANUP(buf_done) struct buf text = { 0 };
	struct violations v;

	(void)state;
	assert_int_equal(model_validate(V3__KIND__KIND_TIER, m, &v), 5);
	violations_str(&v, &text);
	assert_string_equal(buf_cstr(&text),
	                    "error with the following fields:\n"
	                    "-  Metadata.Name = '' (name must consist of lower case alphanumeric "
	                    "characters, '-' or '.' (regex: " LABEL "(\\." LABEL ")*))\n"
	                    "-  DefaultAction = 'Log' (Reason: failed to validate Field: "
	                    "DefaultAction because of Tag: oneof )\n"
	                    "-  Metadata.Name = '' (name must consist of lower case alphanumeric "
	                    "characters or '-' (regex: " LABEL "))\n"
	                    "-  spec.defaultAction (supported values: \"Pass\", \"Deny\")\n"
	                    "-  Tier (\"spec.defaultAction\" must validate all the schemas "
	                    "(allOf))\n");
	violations_done(&v);
	violations_done(&v);
	assert_int_equal(model_validate(V3__KIND__KIND_NODE, m, &v), 1); /* a tier is no node */
	violations_done(&v);
	msg_free(m);
}

static void lists_and_lengths_have_limits(void **state)
{
	CLEANUP(buf_done) struct buf in = { 0 }, text = { 0 };
	ProtobufCMessage *m;
	struct violations v;

	(void)state;
	buf_str(&in, "{\"metadata\":{\"name\":\"x\",\"annotations\":{\"a\":\"");
	for (int i = 0; i < 256 << 10; i++)
		buf_byte(&in, 'a');
	buf_str(&in, "\"}},\"spec\":{\"selector\":\"has(");
	for (int i = 0; i < 1024; i++)
		buf_byte(&in, 'a');
	buf_str(&in, ")\",\"egress\":[{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{"
	             "\"ports\":[1");
	for (int i = 0; i < 50; i++)
		buf_str(&in, ",1");
	buf_str(&in, "],\"nets\":[\"10.0.0.0/8\"");
	for (int i = 0; i < 256; i++)
		buf_printf(&in, ",\"10.%d.0.0/16\"", i);
	buf_str(&in, "]}}],\"ingress\":[{\"action\":\"Allow\"}");
	for (int i = 0; i < 1024; i++)
		buf_str(&in, ",{\"action\":\"Allow\"}");
	buf_str(&in, "]}}");
	m = manifest(kind_by_name("GlobalNetworkPolicy"), buf_cstr(&in));
	assert_int_equal(model_validate(V3__KIND__KIND_GLOBAL_NETWORK_POLICY, m, &v), 7);
	for (size_t i = 0; i < v.n; i++) {
		free(v.items[i].value);
		v.items[i].value = NULL;
	}
	violations_str(&v, &text);
	assert_string_equal(buf_cstr(&text),
	                    "error with the following fields:\n"
	                    "-  Metadata.Annotations (key) (total size of annotations is too large "
	                    "by 1 bytes)\n"
	                    "-  Selector (Reason: failed to validate Field: Selector because of "
	                    "Tag: selector )\n"
	                    "-  Metadata.Annotations (key) (total size of annotations is too large "
	                    "by 1 bytes)\n"
	                    "-  spec.ingress (must have at most 1024 items)\n"
	                    "-  spec.egress[0].destination.nets (must have at most 256 items)\n"
	                    "-  spec.egress[0].destination.ports (must have at most 50 items)\n"
	                    "-  spec.selector (may not be more than 1024 bytes)\n");
	violations_done(&v);
	msg_free(m);
}

/* The longest that may be, and one more. */
static void names_may_be_so_long(void **state)
{
	static const struct {
		const char *kind, *before, *after;
		size_t max;
	} limits[] = {
		{ "Tier", "{\"metadata\":{\"name\":\"", "\"}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"", "\"}}", 253 },
		{ "NetworkSet", "{\"metadata\":{\"name\":\"x\",\"namespace\":\"", "\"}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"", "\":\"\"}}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"p/", "\":\"\"}}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"", "/n\":\"\"}}}", 253 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"", "\"}}}", 63 },
		{ "GlobalNetworkPolicy",
		  "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"selector\":\"a == '", "'\"}}",
		  1024 - strlen("a == ''") },
		{ "WorkloadEndpoint",
		  "{\"metadata\":{\"namespace\":\"n\"},\"spec\":{\"node\":\"n\",\"orchestrator\":"
		  "\"k8s\","
		  "\"pod\":\"p\",\"endpoint\":\"e\",\"interfaceName\":\"",
		  "\"}}", 15 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		for (size_t more = 0; more < 2; more++) {
			const struct kind_info *k = kind_by_name(limits[i].kind);
			CLEANUP(buf_done) struct buf in = { 0 };
			ProtobufCMessage *m;
			struct violations v;

			buf_str(&in, limits[i].before);
			for (size_t n = 0; n < limits[i].max + more; n++)
				buf_byte(&in, 'a');
			buf_str(&in, limits[i].after);
			m = manifest(k, buf_cstr(&in));
			model_default(k->kind, m);
			if (model_validate(k->kind, m, &v) != more)
				fail_msg("%s: %zu violations", buf_cstr(&in), v.n);
			violations_done(&v);
			msg_free(m);
		}
	}
}

static void the_list_of_violations_ends(void **state)
{
	CLEANUP(buf_done) struct buf in = { 0 };
	ProtobufCMessage *m;
	struct violations v;

	(void)state;
	buf_str(&in, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"nets\":[\"a\"");
	for (int i = 0; i < 1000; i++)
		buf_printf(&in, ",\"b%d\"", i);
	buf_str(&in, "]}}");
	m = manifest(kind_by_name("GlobalNetworkSet"), buf_cstr(&in));
	assert_int_equal(model_validate(V3__KIND__KIND_GLOBAL_NETWORK_SET, m, &v), 64);
	violations_done(&v);
	msg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_upstreams),
		cmocka_unit_test(defaults_make_an_empty_message_whole),
		cmocka_unit_test(what_is_wrong_is_told_and_nothing_else),
		cmocka_unit_test(several_violations_are_a_list),
		cmocka_unit_test(lists_and_lengths_have_limits),
		cmocka_unit_test(names_may_be_so_long),
		cmocka_unit_test(the_list_of_violations_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
