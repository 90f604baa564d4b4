/* SPDX-License-Identifier: BSD-2-Clause */
/* The behaviours of the Mustache specification that confd/mustache.c implements, in its order, and
 * what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "confd/mustache.h"

static void render(const char *template, const char *data, struct buf *out)
{
	struct err err = { 0 };
	struct mustache *m = NULL;
	struct json *j = NULL;

	if (json_parse(data, strlen(data), &j, &err) < 0 ||
	    mustache_parse(template, strlen(template), &m, &err) < 0 ||
	    mustache_render(m, j, out, &err) < 0)
		fail_msg("%s: %s", template, err.text);
	mustache_free(m);
	json_free(j);
}

static void as_the_specification_says(void **state)
{
	static const struct {
		const char *template, *data, *expect;
	} cases[] = {
		/* comments */
		{ "12345{{! Comment Block! }}67890", "{}", "1234567890" },
		{ "12345{{!\n  multi\n  line\n}}67890\n", "{}", "1234567890\n" },
		{ "Begin.\n{{! Comment Block! }}\nEnd.\n", "{}", "Begin.\nEnd.\n" },
		{ "Begin.\n  {{! Indented }}\nEnd.\n", "{}", "Begin.\nEnd.\n" },
		{ "|\r\n{{! Standalone }}\r\n|", "{}", "|\r\n|" },
		{ "  {{! I'm Still Standalone }}\n!", "{}", "!" },
		{ "!\n  {{! I'm Still Standalone }}", "{}", "!\n" },
		{ "Begin.\n{{!\nSomething's going on here...\n}}\nEnd.\n", "{}", "Begin.\nEnd.\n" },
		{ "  12 {{! 34 }}\n", "{}", "  12 \n" },
		{ "12345 {{! Comment Block! }} 67890", "{}", "12345  67890" },
		/* delimiters */
		{ "{{=<% %>=}}(<%text%>)", "{\"text\":\"Hey!\"}", "(Hey!)" },
		{ "({{=[ ]=}}[text])", "{\"text\":\"It worked!\"}", "(It worked!)" },
		{ "[\n{{#section}}\n  {{data}}\n  |data|\n{{/section}}\n{{= | | =}}\n|#section|\n  "
		  "{{data}}\n  |data|\n|/section|\n]\n",
		  "{\"section\":true,\"data\":\"I got interpolated.\"}",
		  "[\n  I got interpolated.\n  |data|\n  {{data}}\n  I got interpolated.\n]\n" },
		{ "| {{=@ @=}} |", "{}", "|  |" },
		{ " | {{=@ @=}}\n", "{}", " | \n" },
		{ "Begin.\n{{=@ @=}}\nEnd.\n", "{}", "Begin.\nEnd.\n" },
		{ "|\r\n{{= @ @ =}}\r\n|", "{}", "|\r\n|" },
		{ "  {{=@ @=}}\n=", "{}", "=" },
		{ "=\n  {{=@ @=}}", "{}", "=\n" },
		{ "|{{= @   @ =}}|", "{}", "||" },
		/* interpolation */
		{ "Hello from {Mustache}!\n", "{}", "Hello from {Mustache}!\n" },
		{ "Hello, {{subject}}!\n", "{\"subject\":\"world\"}", "Hello, world!\n" },
		{ "{{x}}", "{\"x\":\"& \\\" < >\"}", "&amp; &quot; &lt; &gt;" },
		{ "{{{x}}}", "{\"x\":\"& \\\" < >\"}", "& \" < >" },
		{ "{{&x}}", "{\"x\":\"& \\\" < >\"}", "& \" < >" },
		{ "{{mph}} {{{mph}}} {{&mph}}", "{\"mph\":85}", "85 85 85" },
		{ "{{power}} jiggawatts!", "{\"power\":1.210}", "1.210 jiggawatts!" },
		{ "I ({{cannot}}) ({{{cannot}}}) be seen!", "{\"cannot\":null}",
		  "I () () be seen!" },
		{ "I ({{cannot}}) be seen!", "{}", "I () be seen!" },
		{ "\"{{person.name}}\" == \"{{#person}}{{name}}{{/person}}\"",
		  "{\"person\":{\"name\":\"Joe\"}}", "\"Joe\" == \"Joe\"" },
		{ "{{a.b.c.d.e.name}}",
		  "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"name\":\"Phil\"}}}}}}", "Phil" },
		{ "\"{{a.b.c}}\" == \"\"", "{\"a\":{}}", "\"\" == \"\"" },
		{ "\"{{a.b.c.name}}\" == \"\"", "{\"a\":{\"b\":{}},\"c\":{\"name\":\"Jim\"}}",
		  "\"\" == \"\"" },
		{ "{{#a}}{{b.c}}{{/a}}", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"ERROR\"}}", "" },
		{ "{{.}}", "\"x\"", "x" },
		{ "| {{string}} |", "{\"string\":\"---\"}", "| --- |" },
		{ "  {{string}}\n", "{\"string\":\"---\"}", "  ---\n" },
		{ "|{{ string }}|{{{ string }}}|{{& string }}|", "{\"string\":\"---\"}",
		  "|---|---|---|" },
		/* inverted */
		{ "\"{{^boolean}}This should be rendered.{{/boolean}}\"", "{\"boolean\":false}",
		  "\"This should be rendered.\"" },
		{ "\"{{^boolean}}no{{/boolean}}\"", "{\"boolean\":true}", "\"\"" },
		{ "\"{{^null}}yes{{/null}}\"", "{\"null\":null}", "\"yes\"" },
		{ "\"{{^context}}no{{/context}}\"", "{\"context\":{\"name\":\"Joe\"}}", "\"\"" },
		{ "\"{{^list}}no{{/list}}\"", "{\"list\":[{\"n\":1}]}", "\"\"" },
		{ "\"{{^list}}Yay lists!{{/list}}\"", "{\"list\":[]}", "\"Yay lists!\"" },
		{ "{{^bool}}\n* first\n{{/bool}}\n* {{two}}\n{{^bool}}\n* third\n{{/bool}}\n",
		  "{\"bool\":false,\"two\":\"second\"}", "* first\n* second\n* third\n" },
		{ "| A {{^bool}}B {{^bool}}C{{/bool}} D{{/bool}} E |", "{\"bool\":false}",
		  "| A B C D E |" },
		{ "[{{^missing}}Cannot find key 'missing'!{{/missing}}]", "{}",
		  "[Cannot find key 'missing'!]" },
		{ "\"{{^a.b.c}}Not Here{{/a.b.c}}\" == \"Not Here\"", "{\"a\":{}}",
		  "\"Not Here\" == \"Not Here\"" },
		{ "| This Is\n{{^boolean}}\n|\n{{/boolean}}\n| A Line\n", "{\"boolean\":false}",
		  "| This Is\n|\n| A Line\n" },
		/* sections */
		{ "\"{{#boolean}}yes{{/boolean}}\"", "{\"boolean\":true}", "\"yes\"" },
		{ "\"{{#boolean}}no{{/boolean}}\"", "{\"boolean\":false}", "\"\"" },
		{ "\"{{#null}}no{{/null}}\"", "{\"null\":null}", "\"\"" },
		{ "\"{{#context}}Hi {{name}}.{{/context}}\"", "{\"context\":{\"name\":\"Joe\"}}",
		  "\"Hi Joe.\"" },
		{ "\"{{#sec}}{{a}}, {{b}}, {{c.d}}{{/sec}}\"",
		  "{\"a\":\"foo\",\"b\":\"wrong\",\"sec\":{\"b\":\"bar\"},\"c\":{\"d\":\"baz\"}}",
		  "\"foo, bar, baz\"" },
		{ "{{#foo}}{{.}} is {{foo}}{{/foo}}", "{\"foo\":\"bar\"}", "bar is bar" },
		{ "{{#tops}}{{#middles}}{{tname.lower}}{{mname}}.{{#bottoms}}{{tname.upper}}{{"
		  "mname}}{{bname}}.{{/bottoms}}{{/middles}}{{/tops}}",
		  "{\"tops\":[{\"tname\":{\"upper\":\"A\",\"lower\":\"a\"},\"middles\":[{\"mname\":"
		  "\"1\",\"bottoms\":"
		  "[{\"bname\":\"x\"},{\"bname\":\"y\"}]}]}]}",
		  "a1.A1x.A1y." },
		{ "\"{{#list}}{{item}}{{/list}}\"",
		  "{\"list\":[{\"item\":1},{\"item\":2},{\"item\":3}]}", "\"123\"" },
		{ "\"{{#list}}Yay lists!{{/list}}\"", "{\"list\":[]}", "\"\"" },
		{ "\"{{#list}}({{.}}){{/list}}\"", "{\"list\":[\"a\",1,true]}",
		  "\"(a)(1)(true)\"" },
		{ "\"{{#list}}({{#.}}{{.}}{{/.}}){{/list}}\"", "{\"list\":[[1,2,3],[\"a\",\"b\"]]}",
		  "\"(123)(ab)\"" },
		{ "{{#bool}}\n* first\n{{/bool}}\n* {{two}}\n{{#bool}}\n* third\n{{/bool}}\n",
		  "{\"bool\":true,\"two\":\"second\"}", "* first\n* second\n* third\n" },
		{ "| A {{#bool}}B {{#bool}}C{{/bool}} D{{/bool}} E |", "{\"bool\":true}",
		  "| A B C D E |" },
		{ "| A {{#bool}}B {{#bool}}C{{/bool}} D{{/bool}} E |", "{\"bool\":false}",
		  "| A  E |" },
		{ " | {{#boolean}}\t|\t{{/boolean}} | \n", "{\"boolean\":true}", " | \t|\t | \n" },
		{ " {{#boolean}}YES{{/boolean}}\n {{#boolean}}GOOD{{/boolean}}\n",
		  "{\"boolean\":true}", " YES\n GOOD\n" },
		{ "| This Is\n  {{#boolean}}\n|\n  {{/boolean}}\n| A Line\n", "{\"boolean\":true}",
		  "| This Is\n|\n| A Line\n" },
		{ "|\r\n{{#boolean}}\r\n{{/boolean}}\r\n|", "{\"boolean\":true}", "|\r\n|" },
		{ "  {{#boolean}}\n#{{/boolean}}\n/", "{\"boolean\":true}", "#\n/" },
		{ "#{{#boolean}}\n/\n  {{/boolean}}", "{\"boolean\":true}", "#\n/\n" },
		{ "|{{# boolean }}={{/ boolean }}|", "{\"boolean\":true}", "|=|" },
		/* what this one adds: an empty text is nothing, so that a template can ask for it
		 */
		{ "{{#s}}yes{{/s}}{{^s}}no{{/s}}", "{\"s\":\"\"}", "no" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };

		render(cases[i].template, cases[i].data, &out);
		if (strcmp(buf_cstr(&out), cases[i].expect) != 0)
			fail_msg("case %zu\n%s\nexpected:\n%s\nseen:\n%s", i, cases[i].template,
			         cases[i].expect, buf_cstr(&out));
	}
}

static void errors_name_the_line(void **state)
{
	static const struct {
		const char *template, *error;
	} cases[] = {
		{ "a\nb {{x\n", "line 2: a tag is opened with {{ and never closed with }}" },
		{ "{{{x}}\n", "line 1: a tag is opened with {{ and never closed with }}}" },
		{ "\n\n{{#a}}\n", "line 3: section 'a' is never closed" },
		{ "{{/a}}", "line 1: section 'a' is closed and was never opened" },
		{ "{{#a}}\n{{/b}}", "line 2: section 'b' is closed, and 'a' of line 1 is open" },
		{ "{{>part}}", "line 1: partials ({{>part}}) are not supported" },
		{ "{{}}", "line 1: '' is not a name" },
		{ "{{a b}}", "line 1: a name holds white space: 'a b'" },
		{ "{{a..b}}", "line 1: 'a..b' is not a name" },
		{ "{{=x=}}", "line 1: new delimiters are written {{=OPEN CLOSE=}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct mustache *m;
		char plain[512];
		size_t n = 0;

		assert_int_equal(
		        mustache_parse(cases[i].template, strlen(cases[i].template), &m, &err),
		        -EINVAL);
		/* str_vis() may quote what it shows. */
		for (const char *c = err.text; *c; c++)
			if (*c != '"')
				plain[n++] = *c;
		plain[n] = '\0';
		assert_string_equal(plain, cases[i].error);
	}
}

static void depth_and_work_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf t = { 0 }, out = { 0 };
	struct err err = { 0 };
	struct mustache *m;
	struct json *j;

	(void)state;
	for (unsigned i = 0; i < MUSTACHE_DEPTH_MAX; i++)
		buf_str(&t, "{{#a}}");
	for (unsigned i = 0; i < MUSTACHE_DEPTH_MAX; i++)
		buf_str(&t, "{{/a}}");
	assert_int_equal(mustache_parse(buf_cstr(&t), t.len, &m, &err), 0);
	assert_int_equal(json_parse("{\"a\":[1,2,3,4,5,6,7,8]}", 23, &j, &err), 0);
	assert_int_equal(mustache_render(m, j, &out, &err), -EFBIG); /* 8 to the power of 32 */
	mustache_free(m);
	json_free(j);
	buf_str(&t, "{{#a}}{{/a}}");
	buf_clear(&t);
	for (unsigned i = 0; i <= MUSTACHE_DEPTH_MAX; i++)
		buf_str(&t, "{{#a}}");
	assert_int_equal(mustache_parse(buf_cstr(&t), t.len, &m, &err), -EINVAL);
	assert_int_equal(mustache_parse("x", MUSTACHE_TEXT_MAX + 1, &m, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_specification_says),
		cmocka_unit_test(errors_name_the_line),
		cmocka_unit_test(depth_and_work_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
