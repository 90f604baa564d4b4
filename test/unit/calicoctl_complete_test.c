/* SPDX-License-Identifier: BSD-2-Clause */
/* How command lines may go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/complete.h"
#include "common/base/mem.h"

static int nothing(const struct options *o)
{
	(void)o;
	return 0;
}

#define AT(member) offsetof(struct options, member)
static const struct cli_flag get_flags[] = {
	{ "output", 'o', CLI_TEXT, AT(output), "FORMAT", "ps", "@output", "How" },
	{ "filename", 'f', CLI_LIST, AT(files), "FILE", NULL, "@file", "Which" },
	{ "namespace", 'n', CLI_TEXT, AT(ns), "NS", NULL, "@namespace", "Where" },
	{ "watch", 'w', CLI_BOOL, AT(watch), NULL, NULL, NULL, "Go on" },
	{ "hidden", 'x', CLI_BOOL, AT(remove), NULL, NULL, NULL, NULL },
	{ 0 },
};
static const struct cli_flag diags_flags[] = {
	{ "log-dir", 0, CLI_TEXT, AT(node.log_dir), "DIR", NULL, "@dir", "Where" },
	{ "type", 't', CLI_TEXT, AT(patch_type), "T", NULL, "one two", "Which" },
	{ 0 },
};
static const struct cli_command commands[] = {
	{ "get", "", "Show", NULL, { get_flags }, 0, SIZE_MAX, "@kind|@name", nothing },
	{ "explain", "", "Tell", NULL, { 0 }, 0, 1, "@field|", nothing },
	{ "node", "", "Node", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "node status", "", "State", NULL, { 0 }, 0, 0, NULL, nothing },
	{ "node diags", "", "Logs", NULL, { diags_flags }, 0, 0, NULL, nothing },
	{ "debug", "", "Ask", NULL, { 0 }, 0, 3, "a ab|who dump|", nothing },
	{ "__hidden", "", NULL, NULL, { 0 }, 0, 3, NULL, nothing },
	{ 0 },
};

static void names(void *arg, const struct options *o, const char *kind, struct buf *out)
{
	(void)arg;
	if (kind)
		buf_printf(out, "%s-1\n%s-2\n%s\n", kind, kind, o->ns ? o->ns : "none");
	else
		buf_str(out, "ns1\nns2\nother\n");
}

/* The candidates for a command line, whose words are between blanks; without what explains them. */
static const char *candidates(const char *line)
{
	static struct buf shown;
	const struct complete_env env = { .names = names };
	CLEANUP(free_p) char *copy = xstrdup(line);
	CLEANUP(buf_done) struct buf out = { 0 };
	char *words[16];
	size_t n = 0;

	for (char *w = copy, *end; w; w = end) {
		end = strchr(w, ' ');
		if (end)
			*end++ = '\0';
		words[n++] = w;
	}
	complete(commands, words, n, &env, &out);
	buf_clear(&shown);
	for (const char *at = buf_cstr(&out); *at;) {
		buf_printf(&shown, "%s%.*s", shown.len ? " " : "", (int)strcspn(at, "\t\n"), at);
		at += strcspn(at, "\n") + 1;
	}
	return buf_cstr(&shown);
}

static void command_lines(void **state)
{
	/* clang-format off */
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "", "get explain node debug" },
		{ "g", "get" },
		{ "x", "" },
		{ "node ", "status diags" },
		{ "node s", "status" },
		{ "nodes ", "" },
		{ "get ippo", "ippools" },
		{ "get ippools ", "ippools-1 ippools-2 none" },
		{ "get ippools ippools-", "ippools-1 ippools-2" },
		{ "get ippools x -n foo ", "ippools-1 ippools-2 foo" },
		{ "get -n foo ippools f", "foo" },
		{ "get -o ", "ps wide yaml json name custom-columns= go-template= go-template-file= :nospace" },
		{ "get -o j", "json" },
		{ "get --output j", "json" },
		{ "get --output=j", "--output=json" },
		{ "get -o custom", "custom-columns= :nospace" },
		{ "get -w -o ya", "yaml" },
		{ "get -wo ya", "yaml" },
		{ "-o json get ippo", "ippools" },
		{ "get -f ", ":file" },
		{ "get --filename=x", ":file" },
		{ "get -n ns", "ns1 ns2" },
		{ "get --namespace=ns", "--namespace=ns1 --namespace=ns2" },
		{ "get --o", "--output" },
		{ "get --hid", "" },
		{ "get --h", "--help" },
		{ "get ippools --wa", "--watch" },
		{ "get -- --wa", "" },
		{ "node diags --log-dir ", ":dir" },
		{ "node diags -t ", "one two" },
		{ "node diags --type=o", "--type=one" },
		{ "node diags ", "" },
		{ "--context ", "" },
		{ "--log-level w", "warn" },
		{ "debug ", "a ab" },
		{ "debug a ", "who dump" },
		{ "debug a who ", "" },
		{ "explain ippoo", "ippools :nospace" },
		{ "explain pool.spec.ci", "pool.spec.cidr :nospace" },
		{ "explain pool.x.", ":nospace" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(candidates(cases[i].line), cases[i].want) != 0)
			fail_msg("'%s': '%s', want '%s'", cases[i].line, candidates(cases[i].line),
			         cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
