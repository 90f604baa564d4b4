/* SPDX-License-Identifier: BSD-2-Clause */
/* Go templates: what comes out, and what is refused, as Go's text/template has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "calicoctl/template.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_policy.pb-c.h"

static const char pools[] =
        "{\"kind\":\"IPPoolList\",\"apiVersion\":\"projectcalico.org/v3\","
        "\"metadata\":{\"resourceVersion\":\"31\"},\"items\":["
        "{\"kind\":\"IPPool\",\"metadata\":{\"name\":\"p1\",\"labels\":{\"b\":\"2\",\"a\":\"1\"}},"
        "\"spec\":{\"cidr\":\"10.0.0.0/16\",\"blockSize\":26,\"allowedUses\":[\"Workload\","
        "\"Tunnel\"]}},"
        "{\"kind\":\"IPPool\",\"metadata\":{\"name\":\"p2\"},"
        "\"spec\":{\"cidr\":\"10.1.0.0/16\",\"natOutgoing\":true,\"newThing\":{\"x\":[1,2]}}}]}";
static const char policy[] =
        "{\"kind\":\"NetworkPolicy\",\"metadata\":{\"name\":\"web\",\"namespace\":\"ns1\"},"
        "\"spec\":{\"order\":1000000,\"ingress\":[{\"action\":\"Allow\",\"protocol\":\"TCP\","
        "\"destination\":{\"ports\":[80,\"8000:8100\"]}},{\"action\":\"Deny\"}]}}";

static const char *config(void *arg, const char *name)
{
	(void)arg;
	return strcasecmp(name, "asnumber") == 0 ? "64512" : NULL;
}

/* What a template comes to on the results: 'L' the list of pools, 'P' the policy. */
static const char *run(const char *which, const char *text)
{
	static struct buf out;
	const struct template_env env = { .config = config };
	struct template_result results[4];
	struct template *t = NULL;
	size_t n = strlen(which);
	struct err err;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const char *json = which[i] == 'L' ? pools : policy;
		struct json *tree;

		assert_int_equal(json_parse(json, strlen(json), &tree, NULL), 0);
		results[i] =
		        (struct template_result){ tree,
			                          which[i] == 'L' ? &v3__ippool__descriptor
			                                          : &v3__network_policy__descriptor,
			                          which[i] == 'L' };
	}
	buf_clear(&out);
	rc = template_parse("get", text, strlen(text), &t, &err);
	if (rc == 0)
		rc = template_run(t, results, n, &env, &out, &err);
	if (rc)
		buf_printf(&out, "!%s", err.text);
	template_free(t);
	for (size_t i = 0; i < n; i++)
		json_free((struct json *)results[i].tree);
	return buf_cstr(&out);
}

#define POOLS(x) "{{range .}}{{range .Items}}" x "{{end}}{{end}}"
#define POLICY(x) "{{range .}}" x "{{end}}"

/* clang-format off */
static const struct {
	const char *results, *text, *want;
} cases[] = {
	/* text, comments, blanks */
	{ "", "plain }} text", "plain }} text" },
	{ "", "a{{/* no */}}b", "ab" },
	{ "", "a {{- /* no */ -}} b", "ab" },
	{ "", "a \n {{- 1 -}} \n b", "a1b" },
	{ "", "a {{ 1 }} b", "a 1 b" },
	{ "", "{{-1}}", "-1" },
	{ "", "{{3 -}} x", "3x" },

	/* literals */
	{ "", "{{\"a\\tb\\\"c\\x41\\u00e9\\101\"}}", "a\tb\"cA\xc3\xa9" "A" },
	{ "", "{{`raw \\n`}}", "raw \\n" },
	{ "", "{{'x'}} {{0x10}} {{1.5}} {{1e6}} {{true}} {{-3}}", "120 16 1.5 1e+06 true -3" },
	{ "", "{{nil}}", "<nil>" },

	/* fields */
	{ "L", POOLS("{{.Name}}={{.Spec.CIDR}};"), "p1=10.0.0.0/16;p2=10.1.0.0/16;" },
	{ "L", POOLS("{{.metadata.name}}={{.spec.cidr}};"), "p1=10.0.0.0/16;p2=10.1.0.0/16;" },
	{ "L", POOLS("{{.ObjectMeta.Name}} {{.TypeMeta.Kind}};"), "p1 IPPool;p2 IPPool;" },
	{ "L", "{{range .}}{{.Kind}} {{.ListMeta.ResourceVersion}} {{.ResourceVersion}} {{.APIVersion}} {{len .Items}}{{end}}",
	  "IPPoolList 31 31 projectcalico.org/v3 2" },
	{ "L", "{{(index . 0).ResourceVersion}}", "31" },
	{ "L", "{{(index (index . 0).Items 1).Name}}", "p2" },
	{ "L", POOLS("{{.Spec.NATOutgoing}} {{.Spec.Disabled}} {{.Spec.BlockSize}} [{{.Spec.IPIPMode}}] {{.Spec.AssignmentMode}};"),
	  "false false 26 [] <nil>;true false 0 [] <nil>;" },
	{ "L", POOLS("{{.Spec.AllowedUses}} {{.Labels}};"), "[Workload Tunnel] map[a:1 b:2];[] map[];" },
	{ "L", POOLS("{{.Labels.a}}/{{index .Labels \"zz\"}};"), "1/;<no value>/;" },
	{ "L", POOLS("{{with .spec.newThing}}{{.x}}{{end}}"), "!template: get:1:34: can't evaluate field newThing in type v3.IpPoolSpec" },
	{ "L", "{{range .}}{{with (index .Items 1).spec.newThing}}{{.x}} {{.X}} {{.y}}{{end}}{{end}}", "[1 2] [1 2] <no value>" },
	{ "P", POLICY("{{.Spec.Order}} {{.Namespace}} {{.Spec.Tier}}"), "1e+06 ns1 " },
	{ "P", POLICY("{{range .Spec.Ingress}}{{.Action}} {{.Protocol}} {{.Destination.Ports}} {{.Source.Nets}};{{end}}"),
	  "Allow TCP [80 8000:8100] [];Deny map[] [] [];" },
	{ "P", POLICY("{{.Nope}}"), "!template: get:1:13: can't evaluate field Nope in type v3.NetworkPolicy" },
	{ "P", "{{.Spec}}", "!template: get:1:2: can't evaluate field Spec in type []runtime.Object" },
	{ "P", POLICY("{{.Name.X}}"), "!template: get:1:13: can't evaluate field X in type string" },

	/* control */
	{ "", "{{if 1}}a{{else}}b{{end}}{{if 0}}a{{else}}b{{end}}{{if \"\"}}a{{end}}", "ab" },
	{ "", "{{if 0}}a{{else if 0}}b{{else if 1}}c{{else}}d{{end}}", "c" },
	{ "", "{{with \"x\"}}{{.}}{{else}}none{{end}}{{with \"\"}}x{{else}}none{{end}}", "xnone" },
	{ "", "{{with 0}}a{{else with 7}}{{.}}{{end}}", "7" },
	{ "", "{{range .}}x{{else}}none{{end}}", "none" },
	{ "", "{{range 3}}{{.}},{{end}}", "0,1,2," },
	{ "", "{{range $i := 3}}{{$i}},{{end}}", "0,1,2," },
	{ "", "{{range 9}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}", "023" },
	{ "L", POOLS("{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}"), "a=1,b=2," },
	{ "L", "{{range .}}{{range $i, $p := .Items}}{{$i}}:{{$p.Name}} {{end}}{{end}}", "0:p1 1:p2 " },
	{ "L", "{{range $list := .}}{{range .Items}}{{$list.Kind}} {{end}}{{end}}", "IPPoolList IPPoolList " },
	{ "L", "{{range .}}{{range .Items}}{{len $}}{{end}}{{end}}", "11" },
	{ "", "{{$x := 1}}{{$x}}{{if 1}}{{$x = 2}}{{$x := 3}}{{$x}}{{end}}{{$x}}", "132" },
	{ "", "{{if $x := 5}}{{$x}}{{end}}", "5" },
	{ "", "{{$y}}", "!template: get:1:2: undefined variable \"$y\"" },
	{ "LP", "{{range .}}{{.Kind}} {{end}}", "IPPoolList NetworkPolicy " },

	/* functions */
	{ "", "{{and 1 0 2}} {{or 0 \"\" 3}} {{not 0}} {{and 1 2}} {{or 0 0}}", "0 3 true 2 0" },
	{ "", "{{or 1 (index 1 2)}}", "1" },
	{ "", "{{eq 1 2 1}} {{ne \"a\" \"b\"}} {{lt 1 2}} {{le 2 2}} {{gt \"a\" \"b\"}} {{ge 1.5 1.5}}",
	  "true true true true false true" },
	{ "", "{{eq 1 \"a\"}}", "!template: get:1:2: incompatible types for comparison" },
	{ "", "{{len \"abc\"}} {{\"abc\" | len}} {{index \"abc\" 1}} {{slice \"abcdef\" 1 3}}", "3 3 98 bc" },
	{ "", "{{slice \"abc\" 2 1}}", "!template: get:1:2: index out of range: 2" },
	{ "", "{{index \"abc\" 3}}", "!template: get:1:2: index out of range: 3" },
	{ "", "{{len 3}}", "!template: get:1:2: error calling len: len of this type" },
	{ "", "{{print 1 2 \"a\" \"b\" 3}}|{{println \"x\" 1}}", "1 2ab3|x 1\n" },
	{ "L", POOLS("{{join .Spec.AllowedUses \",\"}}|{{join .Labels \" \"}}|{{join .Name \"-\"}};"),
	  "Workload,Tunnel|a=1 b=2|p1;||p2;" },
	{ "L", POOLS("{{joinAndTruncate .Spec.AllowedUses \",\" 10}};"), "Workloa...;;" },
	{ "", "{{config \"ASNumber\"}}", "64512" },
	{ "", "{{config \"x\"}}", "!template: get:1:2: error calling config: unhandled config type" },
	{ "", "{{printf \"%d %5d|%-5d|%05d %x %X %o\" 1 2 3 -4 255 255 8}}", "1     2|3    |-0004 ff FF 10" },
	{ "", "{{printf \"%s|%8s|%-8s|%.2s|%q|%v\" \"a\" \"b\" \"c\" \"\xc3\xa9\xc3\xa9\xc3\xa9\" \"d\\\"\" \"e\"}}",
	  "a|       b|c       |\xc3\xa9\xc3\xa9|\"d\\\"\"|e" },
	{ "", "{{printf \"%t %.2f %g %e %c%%\" true 1.5 1e6 1.5 'x'}}", "true 1.50 1e+06 1.500000e+00 x%" },
	{ "", "{{printf \"%d\" \"a\"}} {{printf \"%s\" 3}} {{printf \"%d\"}} {{printf \"x\" 1 \"b\"}} {{printf \"%\"}}",
	  "%!d(string=a) %!s(int=3) %!d(MISSING) x%!(EXTRA int=1, string=b) %!(NOVERB)" },
	{ "", "{{\"a\" | printf \"%s-%s\" \"b\"}}", "b-a" },
	{ "", "{{(print \"x\") | len}} {{len (print \"xy\")}}", "1 2" },

	/* refused */
	{ "", "{{foo}}", "!template: get:1: function \"foo\" not defined" },
	{ "", "{{if}}", "!template: get:1: missing value for if" },
	{ "", "{{}}", "!template: get:1: missing value for command" },
	{ "", "{{1", "!template: get:1: unclosed action" },
	{ "", "\n{{\"a", "!template: get:2: unterminated quoted string" },
	{ "", "{{\"\\z\"}}", "!template: get:1: invalid escape in a string" },
	{ "", "{{/* x", "!template: get:1: unclosed comment" },
	{ "", "{{if 1}}", "!template: get:1: unexpected EOF" },
	{ "", "{{end}}", "!template: get:1: unexpected {{end}}" },
	{ "", "{{if 1}}{{else}}{{else}}{{end}}", "!template: get:1: expected end; found {{else}}" },
	{ "", "{{break}}", "!template: get:1: {{break}} outside {{range}}" },
	{ "", "{{1 | 2}}", "!template: get:1: a command behind a '|' must be a function" },
	{ "", "{{1 2}}", "!template: get:1:2: can't give argument to non-function" },
	{ "", "{{not 1 2}}", "!template: get:1:2: wrong number of args for not: want 1 got 2" },
	{ "", "{{1 }", "!template: get:1: unexpected '}' in operand" },
	{ "", "{{12ab}}", "!template: get:1: bad number syntax: \"12ab\"" },
	{ "", "{{range \"abc\"}}{{end}}", "!template: get:1:8: range can't iterate over this value" },
};
/* clang-format on */

static void templates(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = run(cases[i].results, cases[i].text);

		if (strcmp(got, cases[i].want) != 0) {
			print_error("'%s': got '%s', want '%s'\n", cases[i].text, got,
			            cases[i].want);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Nothing runs for ever, grows for ever or is nested for ever. */
static void limits(void **state)
{
	struct buf deep = { 0 };

	(void)state;
	assert_non_null(strstr(run("", "{{range 99999}}{{range 99999}}{{end}}{{end}}"), "steps"));
	assert_non_null(
	        strstr(run("", "{{$x := \"0123456789\"}}{{range 99}}{{$x = print $x $x}}{{end}}"),
	               "bytes of texts"));
	for (int i = 0; i < 100; i++)
		buf_str(&deep, "{{if 1}}");
	assert_non_null(strstr(run("", buf_cstr(&deep)), "nested deeper"));
	buf_clear(&deep);
	buf_str(&deep, "{{");
	for (int i = 0; i < 100; i++)
		buf_byte(&deep, '(');
	assert_non_null(strstr(run("", buf_cstr(&deep)), "nested deeper"));
	buf_done(&deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
