/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines to options, and the configuration file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/cli.h"
#include "calicoctl/settings.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"

static int nothing(const struct options *o)
{
	(void)o;
	return 0;
}

static const struct cli_command commands[] = {
	{ "get", "", "", NULL,
	  FLAG_FILENAME | FLAG_RECURSIVE | FLAG_OUTPUT | FLAG_NAMESPACE | FLAG_ALL_NAMESPACES,
	  SIZE_MAX, nothing },
	{ "apply", "", "", NULL, FLAG_FILENAME | FLAG_RECURSIVE, 0, nothing },
	{ "node status", "", "", NULL, 0, 0, nothing },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

/* What a command line (words between single blanks) comes to, in one line. */
static const char *parsed(const char *line)
{
	static struct buf out;
	CLEANUP(free_p) char *words = xasprintf("calicoctl %s", line);
	const struct cli_command *c;
	struct options o;
	struct err err;
	char *argv[32];
	int argc = 0;
	bool help;

	for (char *w = words, *end; w && *w; w = end) {
		end = strchr(w, ' ');
		if (end)
			*end++ = '\0';
		argv[argc++] = w;
	}
	buf_clear(&out);
	if (cli_parse(commands, argc, argv, &o, &c, &help, &err) != 0) {
		buf_printf(&out, "error: %s", err.text);
	} else {
		buf_printf(&out, "%s%s:", c ? c->name : "none", help ? " help" : "");
		for (size_t i = 0; i < o.n_files; i++)
			buf_printf(&out, " f=%s", o.files[i]);
		if (o.recursive)
			buf_str(&out, " R");
		if (o.all_namespaces)
			buf_str(&out, " A");
		if (o.ns)
			buf_printf(&out, " n=%s", o.ns);
		if (o.output)
			buf_printf(&out, " o=%s", o.output);
		if (o.log_level)
			buf_printf(&out, " l=%s", o.log_level);
		if (o.run_dir)
			buf_printf(&out, " run=%s", o.run_dir);
		for (size_t i = 0; i < o.n_args; i++)
			buf_printf(&out, " %s", o.args[i]);
	}
	cli_done(&o);
	return buf_cstr(&out);
}

static void command_lines(void **state)
{
	/* clang-format off */
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "", "none:" },
		{ "--help", "none help:" },
		{ "get", "get:" },
		{ "get pools p1 p2", "get: pools p1 p2" },
		{ "get pools -o wide", "get: o=wide pools" },
		{ "get -o=wide pools", "get: o=wide pools" },
		{ "get -owide pools", "get: o=wide pools" },
		{ "get --output wide pools", "get: o=wide pools" },
		{ "get --output=wide pools", "get: o=wide pools" },
		{ "get --output= pools", "get: o= pools" },
		{ "-l debug get pools", "get: l=debug pools" },
		{ "--run-dir /x get pools", "get: run=/x pools" },
		{ "apply -Rf dir", "apply: f=dir R" },
		{ "apply -fR -f -", "apply: f=R f=-" },
		{ "apply -f a --filename b", "apply: f=a f=b" },
		{ "apply --recursive=false -f a", "apply: f=a" },
		{ "apply --recursive=maybe", "error: invalid argument \"maybe\" for \"--recursive\" flag" },
		{ "get np -A", "get: A np" },
		{ "get np -a", "get: A np" },
		{ "get np -n ns1", "get: n=ns1 np" },
		{ "get -- -x --y", "get: -x --y" },
		{ "get - ", "get: -" },
		{ "get --help", "get help:" },
		{ "help get", "get help:" },
		{ "help node status", "node status help:" },
		{ "node status", "node status:" },
		{ "node", "error: node: a command is missing: status" },
		{ "node frob", "error: unknown command \"node frob\" for \"calicoctl\"" },
		{ "frob", "error: unknown command \"frob\" for \"calicoctl\"" },
		{ "get --frob", "error: unknown flag: --frob" },
		{ "get --frob=1", "error: unknown flag: --frob" },
		{ "get -x", "error: unknown shorthand flag: 'x' in -x" },
		{ "get -Rx", "error: unknown shorthand flag: 'x' in -Rx" },
		{ "get -o", "error: flag needs an argument: 'o' in -o" },
		{ "get --output", "error: flag needs an argument: --output" },
		{ "apply -o wide", "error: unknown flag: --output" },
		{ "apply extra", "error: unexpected argument 'extra'" },
		{ "node status -f x", "error: unknown flag: --filename" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(parsed(cases[i].line), cases[i].want) != 0)
			fail_msg("'%s': got '%s', want '%s'", cases[i].line, parsed(cases[i].line),
			         cases[i].want);
}

static void configuration_files(void **state)
{
#define HEAD "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata:\nspec:\n"
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ HEAD, "typha" },
		{ HEAD "  datastoreType: typha\n  typhaSocket: /x/api.sock\n", "typha /x/api.sock" },
		{ HEAD "  datastoreType: embedded\n  datastorePath: /x/db\n", "embedded /x/db" },
		{ HEAD "  datastoreType: embedded\n", "embedded" },
		{ HEAD "  datastoreType: kubernetes\n",
		  "error: cfg: datastore type 'kubernetes' is not supported: use 'typha' (typhad's socket in the run "
		  "directory) or 'embedded' (a database file)" },
		{ HEAD "  etcdEndpoints: https://10.0.0.1:2379\n",
		  "error: cfg: datastore type 'etcdv3' is not supported: use 'typha' (typhad's socket in the run "
		  "directory) or 'embedded' (a database file)" },
		{ "", "error: cfg: expected one document, found 0" },
		{ HEAD "---\n" HEAD, "error: cfg: expected one document, found 2" },
		{ "kind: IPPool\n", "error: cfg: the kind is not CalicoAPIConfig" },
		{ "- a\n", "error: cfg: the kind is not CalicoAPIConfig" },
		{ "a: [\n", "error: cfg: line 2, column 1: did not find expected node content (while parsing a flow node, line 2)" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings s = { 0 };
		CLEANUP(buf_done) struct buf seen = { 0 };
		struct err err;

		if (settings_parse("cfg", cases[i].text, strlen(cases[i].text), &s, &err) != 0)
			buf_printf(&seen, "error: %s", err.text);
		else
			buf_printf(&seen, "%s%s%s", s.embedded ? "embedded" : "typha",
			           s.path ? " " : "", s.path ? s.path : "");
		settings_done(&s);
		assert_string_equal(buf_cstr(&seen), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
		cmocka_unit_test(configuration_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
