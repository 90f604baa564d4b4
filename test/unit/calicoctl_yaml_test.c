/* SPDX-License-Identifier: BSD-2-Clause */
/* Manifests from text to trees: scalars in the order of YAML 1.1's types, then structure, streams,
 * limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/typed.h"
#include "calicoctl/yaml.h"
#include "common/base/mem.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

/* The only document as JSON on one line; or "error: ...". */
static const char *parsed(const char *text, const ProtobufCMessageDescriptor *d)
{
	static struct buf out;
	struct yaml_docs docs;

	buf_clear(&out);
	yaml_parse(text, strlen(text), &docs);
	if (docs.n != 1) {
		buf_printf(&out, "%zu documents", docs.n);
	} else if (!docs.items[0].tree) {
		buf_printf(&out, "error: %s", docs.items[0].err.text);
	} else {
		typed_settle(d, docs.items[0].tree);
		json_write(docs.items[0].tree, 0, &out);
	}
	yaml_docs_done(&docs);
	return buf_cstr(&out);
}

static void scalars_are_resolved_as_yaml_1_1_has_it(void **state)
{
	/* clang-format off */
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		/* null */
		{ "a:", "null" },
		{ "a: ~", "null" },
		{ "a: null", "null" },
		{ "a: NULL", "null" },
		{ "a: nUll", "\"nUll\"" },
		{ "a: ''", "\"\"" },
		{ "a: 'null'", "\"null\"" },
		/* booleans */
		{ "a: true", "true" },
		{ "a: True", "true" },
		{ "a: TRUE", "true" },
		{ "a: tRue", "\"tRue\"" },
		{ "a: yes", "true" },
		{ "a: On", "true" },
		{ "a: y", "true" },
		{ "a: no", "false" },
		{ "a: OFF", "false" },
		{ "a: n", "false" },
		{ "a: \"yes\"", "\"yes\"" },
		{ "a: 'true'", "\"true\"" },
		{ "a: !!str true", "\"true\"" },
		/* integers */
		{ "a: 0", "0" },
		{ "a: 12", "12" },
		{ "a: -12", "-12" },
		{ "a: +12", "12" },
		{ "a: 0x1F", "31" },
		{ "a: 0b101", "5" },
		{ "a: 0o17", "15" },
		{ "a: 017", "15" },
		{ "a: 089", "89" },
		{ "a: -0x10", "-16" },
		{ "a: 18446744073709551615", "18446744073709551615" },
		{ "a: '12'", "\"12\"" },
		{ "a: !!int \"12\"", "12" },
		{ "a: 1_000", "\"1_000\"" },
		{ "a: 12:30:45", "\"12:30:45\"" },
		{ "a: 8000:8100", "\"8000:8100\"" },
		{ "a: 0x", "\"0x\"" },
		{ "a: 0xfffffffffffffffff", "\"0xfffffffffffffffff\"" },
		/* floats */
		{ "a: 1.5", "1.5" },
		{ "a: .5", "0.5" },
		{ "a: 5.", "5" },
		{ "a: 1e3", "1e3" },
		{ "a: 1E-3", "1e-3" },
		{ "a: +1.5e+3", "1.5e3" },
		{ "a: 1.5.2", "\"1.5.2\"" },
		{ "a: .", "\".\"" },
		{ "a: .inf", "\".inf\"" },
		{ "a: 1e", "\"1e\"" },
		/* texts */
		{ "a: 10.0.0.0/16", "\"10.0.0.0/16\"" },
		{ "a: fd00:1::/64", "\"fd00:1::/64\"" },
		{ "a: 2026-08-22", "\"2026-08-22\"" },
		{ "a: role == 'db' && has(x)", "\"role == 'db' \\u0026\\u0026 has(x)\"" },
		{ "a: \"tab\\tnl\\n\\u00e9\"", "\"tab\\tnl\\n\xc3\xa9\"" },
		{ "a: |\n  one\n  two\n", "\"one\\ntwo\\n\"" },
		{ "a: >-\n  one\n  two\n", "\"one two\"" },
		{ "a: b # c", "\"b\"" },
		{ "a: b#c", "\"b#c\"" },
		/* tags of someone else's */
		{ "a: !!binary aGk=", "error: line 1: tag 'tag:yaml.org,2002:binary' is not supported" },
		{ "a: !!int x", "error: line 1: 'x' is not a !!int" },
		{ "a: !mine x", "error: line 1: tag '!mine' is not supported" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf want = { 0 };

		if (strncmp(cases[i].json, "error:", 6) == 0)
			buf_str(&want, cases[i].json);
		else
			buf_printf(&want, "{\"a\":%s}", cases[i].json);
		if (strcmp(parsed(cases[i].yaml, NULL), buf_cstr(&want)) != 0)
			fail_msg("%s: got %s, want %s", cases[i].yaml, parsed(cases[i].yaml, NULL),
			         buf_cstr(&want));
	}
}

static void a_field_decides_what_a_plain_scalar_is(void **state)
{
	/* clang-format off */
	static const struct {
		const ProtobufCMessageDescriptor *d;
		const char *yaml, *json;
	} cases[] = {
		/* a label is a text as it was written */
		{ &v3__ippool__descriptor, "metadata: {name: 17, labels: {v: 1.10, on: yes, z: 007, t: 'x'}}",
		  "{\"metadata\":{\"name\":\"17\",\"labels\":{\"v\":\"1.10\",\"on\":\"yes\",\"z\":\"007\",\"t\":\"x\"}}}" },
		{ &v3__ippool__descriptor, "spec: {blockSize: 0x1a, disabled: on, natOutgoing: 'true'}",
		  "{\"spec\":{\"blockSize\":26,\"disabled\":true,\"natOutgoing\":\"true\"}}" },
		/* AS numbers may have a dot, ports may be called "on" */
		{ &v3__node__descriptor, "spec: {bgp: {asNumber: 1.10}}", "{\"spec\":{\"bgp\":{\"asNumber\":\"1.10\"}}}" },
		{ &v3__node__descriptor, "spec: {bgp: {asNumber: 65001}}", "{\"spec\":{\"bgp\":{\"asNumber\":65001}}}" },
		{ &v3__network_policy__descriptor,
		  "spec: {types: [no], ingress: [{protocol: 6, destination: {ports: [80, '81', on, 90:99]}}]}",
		  "{\"spec\":{\"types\":[\"no\"],\"ingress\":[{\"protocol\":6,"
		  "\"destination\":{\"ports\":[80,\"81\",\"on\",\"90:99\"]}}]}}" },
		/* what has no field is plain JSON */
		{ &v3__ippool__descriptor, "spec: {nonsense: {a: 010, b: yes}}",
		  "{\"spec\":{\"nonsense\":{\"a\":8,\"b\":true}}}" },
		/* JSON text takes the same way */
		{ &v3__ippool__descriptor, "{\"metadata\": {\"name\": 5, \"labels\": {\"a\": true}}}",
		  "{\"metadata\":{\"name\":\"5\",\"labels\":{\"a\":\"true\"}}}" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(parsed(cases[i].yaml, cases[i].d), cases[i].json);
}

static void structure(void **state)
{
	/* clang-format off */
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "a: {b: [1, {c: d}], e: []}", "{\"a\":{\"b\":[1,{\"c\":\"d\"}],\"e\":[]}}" },
		{ "- a\n- - b\n  - c\n", "[\"a\",[\"b\",\"c\"]]" },
		{ "a:\n- b\n- c: 1\n  d: 2\n", "{\"a\":[\"b\",{\"c\":1,\"d\":2}]}" },
		{ "\xef\xbb\xbf" "a: 1", "{\"a\":1}" },
		{ "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" },
		{ "1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}" },
		/* JSON that YAML would not take */
		{ "{\"a\":\t\"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}" },
		/* a flow mapping that JSON would not take */
		{ "{a: b, c: [d, ]}", "{\"a\":\"b\",\"c\":[\"d\"]}" },
		/* anchors, aliases, merge keys */
		{ "a: &x {b: 1}\nc: *x\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}" },
		{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
		{ "&k a: 1\nb: *k\n", "{\"a\":1,\"b\":\"a\"}" },
		{ "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"c\":3,\"b\":1}}" },
		{ "a: {<<: [{b: 1}, {b: 2, c: 3}]}", "{\"a\":{\"b\":1,\"c\":3}}" },
		{ "a: {<<: &x {b: 1}}\nd: *x\n", "{\"a\":{\"b\":1},\"d\":{\"b\":1}}" },
		{ "a: {'<<': 1}", "{\"a\":{\"\\u003c\\u003c\":1}}" },
		{ "a: {<<: 1}", "error: line 1: map merge requires map or sequence of maps as the value" },
		{ "a: *x", "error: line 1: unknown anchor 'x' referenced" },
		{ "a: &x [*x]", "error: line 1: anchor 'x' value contains itself" },
		/* errors say where */
		{ "a: 1\nb: 2\na: 3\n", "error: line 3: key 'a' already set in map" },
		{ "a: 1\n\tb: 2\n", "error: line 2, column 1: found a tab character that violates "
				    "indentation (while scanning a plain scalar, line 1)" },
		{ "a: [1\nb: 2\n", "error: line 2, column 2: did not find expected ',' or ']' "
				   "(while parsing a flow sequence, line 1)" },
		{ "a: b: c", "error: line 1, column 5: mapping values are not allowed in this context" },
		{ "{[a]: b}", "error: line 1: a key must be a plain or quoted text" },
		{ "a: \"\\ud800\"", "error: line 1, column 7: found invalid Unicode character escape code "
				    "(while parsing a quoted scalar, line 1)" },
		{ "a: \xff", "error: line 1: invalid leading UTF-8 octet" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(parsed(cases[i].yaml, NULL), cases[i].json) != 0)
			fail_msg("%s: got %s, want %s", cases[i].yaml, parsed(cases[i].yaml, NULL),
			         cases[i].json);
}

static void a_stream_falls_into_documents(void **state)
{
	/* clang-format off */
	static const struct {
		const char *yaml, *docs; /* "line:json" each; a broken one is "line:!" */
	} cases[] = {
		{ "", "" },
		{ "\n# nothing\n\n", "" },
		{ "---\n---\n# still nothing\n", "" },
		{ "a: 1", "1:{\"a\":1} " },
		{ "\n\n# about a\na: 1\n", "4:{\"a\":1} " },
		{ "a: 1\n---\nb: 2\n", "1:{\"a\":1} 3:{\"b\":2} " },
		{ "---\na: 1\n---\n\nb: 2\n...\n", "2:{\"a\":1} 5:{\"b\":2} " },
		{ "--- {a: 1}\n---  # more\n[2]\n", "1:{\"a\":1} 3:[2] " },
		{ "%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n# c\n---\nb: 2\n", "3:{\"a\":1} 8:{\"b\":2} " },
		{ "a: 1\n...\nb: 2\n", "1:{\"a\":1} 3:{\"b\":2} " },
		{ "---\n---\na: 1\n", "3:{\"a\":1} " },
		{ "a: |\n  x\n  ---\n  y\n", "1:{\"a\":\"x\\n---\\ny\\n\"} " },
		{ "---a: 1\n", "1:{\"---a\":1} " },
		{ "a: 1\n---\nb: [\n---\nc: 3\n", "1:{\"a\":1} 3:! 5:{\"c\":3} " },
		{ "{\"a\":1}\n---\r\n{\"b\":2}\n", "1:{\"a\":1} 3:{\"b\":2} " },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf seen = { 0 };
		struct yaml_docs docs;

		yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &docs);
		for (size_t n = 0; n < docs.n; n++) {
			assert_int_equal(docs.items[n].number, n + 1);
			buf_printf(&seen, "%u:", docs.items[n].line);
			if (docs.items[n].tree)
				json_write(docs.items[n].tree, 0, &seen);
			else
				buf_byte(&seen, '!');
			buf_byte(&seen, ' ');
		}
		yaml_docs_done(&docs);
		assert_string_equal(buf_cstr(&seen), cases[i].docs);
	}
}

static void lines_of_fields(void **state)
{
	static const char text[] =
	        "kind: X\n---\nkind: Y\nmetadata:\n  labels:\n    a.b/c: d\n"
	        "spec:\n  ingress:\n  - action: Allow\n    ports:\n    - 1\n    - 2\n";
	/* clang-format off */
	static const struct {
		const char *path;
		unsigned line;
	} cases[] = {
		{ "kind", 3 },
		{ "metadata.labels.a.b/c", 6 },
		{ "spec.ingress[0].ports[1]", 12 },
		{ "spec.ingress[0].nothing", 9 },
		{ "spec.ingress[7]", 9 },
		{ "nothing", 3 },
		{ "", 3 },
		{ "[", 3 },
		{ "spec.ingress[x", 9 },
	};
	/* clang-format on */
	struct yaml_docs docs;
	(void)state;

	yaml_parse(text, strlen(text), &docs);
	assert_int_equal(docs.n, 2);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(yaml_line_of(&docs.items[1], docs.items[1].tree, cases[i].path),
		                 cases[i].line);
	yaml_docs_done(&docs);
}

static void bombs_are_refused(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	(void)state;

	/* a billion laughs */
	buf_str(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&text, "%s*a%d", k ? "," : "", i - 1);
		buf_str(&text, "]\n");
	}
	assert_string_equal(parsed(buf_cstr(&text), NULL),
	                    "error: line 5: aliases expand to too many values");

	/* the same through merge keys */
	buf_clear(&text);
	buf_str(&text, "a0: &a0 {x: 1, y: 2}\n");
	for (int i = 1; i < 40; i++)
		buf_printf(&text, "a%d: &a%d {<<: *a%d, l%d: *a%d, r%d: *a%d}\n", i, i, i - 1, i,
		           i - 1, i, i - 1);
	assert_non_null(strstr(parsed(buf_cstr(&text), NULL), "aliases expand to too many values"));

	/* nesting, written out and by aliases */
	buf_clear(&text);
	for (int i = 0; i < 5000; i++)
		buf_byte(&text, '[');
	assert_non_null(strstr(parsed(buf_cstr(&text), NULL), "nested too deep"));
	buf_clear(&text);
	buf_str(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++)
		buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_non_null(strstr(parsed(buf_cstr(&text), NULL), "nested too deep"));

	/* members of one mapping */
	buf_clear(&text);
	for (unsigned i = 0; i <= YAML_KEYS_MAX; i++)
		buf_printf(&text, "k%u: 1\n", i);
	assert_string_equal(parsed(buf_cstr(&text), NULL),
	                    "error: line 4097: too many members in one mapping");
}

static void every_truncation_is_an_error_or_a_value(void **state)
{
	static const char text[] =
	        "%YAML 1.1\n---\na: &x {b: [1, 'two', \"th\\u0072ee\"]}\nc: *x\nd:\n  <<: *x\n"
	        "e: |\n  text\n...\n---\n{\"f\": [true, null, 1.5e3]}\n";
	(void)state;

	for (size_t n = 0; n < strlen(text); n++) {
		CLEANUP(free_p)
		char *part = xmemdup(text, n + 1); /* so that reading behind n is seen */
		struct yaml_docs docs;

		yaml_parse(part, n, &docs);
		for (size_t i = 0; i < docs.n; i++) {
			assert_true(docs.items[i].tree || docs.items[i].err.text[0]);
			if (docs.items[i].tree)
				typed_settle(NULL, docs.items[i].tree);
		}
		yaml_docs_done(&docs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_are_resolved_as_yaml_1_1_has_it),
		cmocka_unit_test(a_field_decides_what_a_plain_scalar_is),
		cmocka_unit_test(structure),
		cmocka_unit_test(a_stream_falls_into_documents),
		cmocka_unit_test(lines_of_fields),
		cmocka_unit_test(bombs_are_refused),
		cmocka_unit_test(every_truncation_is_an_error_or_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
