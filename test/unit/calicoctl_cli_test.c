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

static const struct cli_flag file_flags[] = {
	{ "filename", 'f', CLI_LIST, offsetof(struct options, files), "FILE", NULL, "@file", "" },
	{ "recursive", 'R', CLI_BOOL, offsetof(struct options, recursive), NULL, NULL, NULL, "" },
	{ 0 },
};

static const struct cli_flag get_flags[] = {
	{ "output", 'o', CLI_TEXT, offsetof(struct options, output), "F", NULL, "@output", "" },
	{ "all-namespaces", 'A', CLI_BOOL, offsetof(struct options, all_namespaces), NULL, NULL,
	  NULL, "" },
	{ "all-namespaces", 'a', CLI_BOOL, offsetof(struct options, all_namespaces), NULL, NULL,
	  NULL, NULL },
	{ "namespace", 'n', CLI_TEXT, offsetof(struct options, ns), "NS", NULL, NULL, "" },
	{ "selector", 'l', CLI_SELECTOR, offsetof(struct options, selector), "SELECTOR", NULL, NULL,
	  "Which" },
	{ 0 },
};

static const struct cli_flag diags_flags[] = {
	{ "max-logs", 0, CLI_INT, offsetof(struct options, diags.max_logs), "N", "5", NULL,
	  "How many" },
	{ "kernel-config", 'f', CLI_TEXT, offsetof(struct options, node.kernel_config), "FILE",
	  NULL, NULL, "" },
	{ 0 },
};

static const struct cli_command commands[] = {
	{ "get",
	  "[KIND]",
	  "Show",
	  "More.\n",
	  { file_flags, get_flags },
	  0,
	  SIZE_MAX,
	  NULL,
	  nothing },
	{ "apply", "", "", NULL, { file_flags }, 0, 0, NULL, nothing },
	{ "patch", "", "", NULL, { 0 }, 2, 2, NULL, nothing },
	{ "label", "", "", NULL, { 0 }, 3, SIZE_MAX, NULL, nothing },
	{ "node", "", "This node", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "node status", "", "Its state", NULL, { 0 }, 0, 0, NULL, nothing },
	{ "node diags", "", "Its logs", NULL, { diags_flags }, 0, 0, NULL, nothing },
	{ "datastore migrate", "", "", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "datastore migrate lock", "", "", NULL, { 0 }, 0, 0, NULL, nothing },
	{ 0 },
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
		for (size_t i = 0; i < o.files.n; i++)
			buf_printf(&out, " f=%s", o.files.items[i]);
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
		if (o.selector)
			buf_printf(&out, " s=%s", o.selector);
		if (o.diags.max_logs)
			buf_printf(&out, " logs=%d", o.diags.max_logs);
		if (o.node.kernel_config)
			buf_printf(&out, " kernel=%s", o.node.kernel_config);
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
		{ "node", "node help:" },
		{ "node --help", "node help:" },
		{ "node frob", "error: unknown command \"frob\" for \"calicoctl node\"" },
		{ "node diags", "node diags: logs=5" },
		{ "node diags --max-logs 7 -f x", "node diags: logs=7 kernel=x" },
		{ "node -f x diags", "node diags: logs=5 kernel=x" },
		{ "node diags --max-logs=-1", "node diags: logs=-1" },
		{ "node diags --max-logs=x", "error: invalid argument \"x\" for \"--max-logs\" flag: not a whole number" },
		{ "node diags --max-logs=9999999999", "error: invalid argument \"9999999999\" for \"--max-logs\" flag: out of range" },
		{ "node diags --max-logs=", "error: invalid argument \"\" for \"--max-logs\" flag: not a whole number" },
		{ "datastore migrate", "datastore migrate help:" },
		{ "datastore migrate lock", "datastore migrate lock:" },
		{ "datastore frob", "error: unknown command \"datastore\" for \"calicoctl\"" },
		{ "get -l info", "get: l=info" },
		{ "get -lInfo", "get: l=Info" },
		{ "get -l app=='x'", "get: s=app=='x'" },
		{ "get --selector info", "get: s=info" },
		{ "get --selector=a=b,c", "get: s=a=b,c" },
		{ "-l debug get -l a=b", "get: l=debug s=a=b" },
		{ "get --log-level debug -l a=b", "get: l=debug s=a=b" },
		{ "apply -l a=b", "apply: l=a=b" },
		{ "patch", "error: accepts 2 arg(s), received 0" },
		{ "patch a b c", "error: accepts 2 arg(s), received 3" },
		{ "patch --help", "patch help:" },
		{ "label a b", "error: requires at least 3 arg(s), only received 2" },
		{ "-Rf x apply", "apply: f=x R" },
		{ "-o wide apply", "error: unknown shorthand flag: 'o' in -o" },
		{ "frob", "error: unknown command \"frob\" for \"calicoctl\"" },
		{ "get --frob", "error: unknown flag: --frob" },
		{ "get --frob=1", "error: unknown flag: --frob" },
		{ "get -x", "error: unknown shorthand flag: 'x' in -x" },
		{ "get -Rx", "error: unknown shorthand flag: 'x' in -Rx" },
		{ "get -o", "error: flag needs an argument: 'o' in -o" },
		{ "get --output", "error: flag needs an argument: --output" },
		{ "apply -o wide", "error: unknown shorthand flag: 'o' in -o" },
		{ "apply --output wide", "error: unknown flag: --output" },
		{ "apply extra", "error: unexpected argument 'extra'" },
		{ "node status -f x", "error: unknown shorthand flag: 'f' in -f" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(parsed(cases[i].line), cases[i].want) != 0)
			fail_msg("'%s': got '%s', want '%s'", cases[i].line, parsed(cases[i].line),
			         cases[i].want);
}

static void help_texts(void **state)
{
	CLEANUP(buf_done) struct buf get = { 0 }, node = { 0 }, all = { 0 };

	(void)state;
	cli_help(commands, &commands[0], &get);
	assert_non_null(strstr(buf_cstr(&get),
	                       "Show\n\nUsage:\n  calicoctl get [KIND] [flags]\n\nMore.\n"));
	assert_non_null(strstr(buf_cstr(&get), "\n  -l, --selector SELECTOR        Which\n"));
	assert_non_null(strstr(buf_cstr(&get), "\n      --allow-version-mismatch   Go on"));
	assert_null(strstr(buf_cstr(&get), "(null)"));
	cli_help(commands, &commands[4], &node);
	assert_non_null(strstr(buf_cstr(&node),
	                       "Usage:\n  calicoctl node COMMAND [flags]\n\nCommands:\n"
	                       "  status  Its state\n  diags   Its logs\n"));
	cli_help(commands, NULL, &all);
	assert_non_null(strstr(buf_cstr(&all), "\n  node   This node\n"));
	assert_null(strstr(buf_cstr(&all), "status"));
}

static void describe(const struct settings *s, struct buf *out)
{
	static const char *const types[] = { "typha", "embedded", "etcdv3" };

	buf_str(out, types[s->datastore]);
	if (s->path)
		buf_printf(out, " %s", s->path);
	if (s->datastore != DATASTORE_ETCD)
		return;
	if (s->etcd.endpoints)
		buf_printf(out, " endpoints=%s", s->etcd.endpoints);
	if (s->etcd.discovery_srv)
		buf_printf(out, " srv=%s", s->etcd.discovery_srv);
	if (s->etcd.username)
		buf_printf(out, " user=%s:%s", s->etcd.username, s->etcd.password);
	if (s->etcd.key_file)
		buf_printf(out, " key_file=%s", s->etcd.key_file);
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
		  "directory), 'etcdv3' or 'embedded' (a database file)" },
		{ HEAD "  etcdEndpoints: https://10.0.0.1:2379\n  etcdKeyFile: k\n",
		  "etcdv3 endpoints=https://10.0.0.1:2379 key_file=k" },
		{ HEAD "  etcdDiscoverySrv: example.org\n  etcdUsername: u\n  etcdPassword: p\n",
		  "etcdv3 srv=example.org user=u:p" },
		{ HEAD "  datastoreType: etcdv3\n", "error: cfg: no etcd endpoints specified" },
		{ HEAD "  etcdEndpoints: a\n  etcdDiscoverySrv: b\n",
		  "error: cfg: multiple discovery or bootstrap options specified, use either \"etcdEndpoints\" or "
		  "\"etcdDiscoverySrv\"" },
		{ HEAD "  etcdEndpoints: a\n  etcdCACertFile: b\n  etcdCert: c\n",
		  "error: cfg: Cannot mix inline certificate-key and certificate / key files" },
		{ HEAD "  datastoreType: typha\n  etcdEndpoints: a\n", "typha" },
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
			describe(&s, &seen);
		settings_done(&s);
		assert_string_equal(buf_cstr(&seen), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
		cmocka_unit_test(help_texts),
		cmocka_unit_test(configuration_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
