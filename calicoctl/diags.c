/* SPDX-License-Identifier: BSD-2-Clause */
/* node diags: what helps to find a fault of this node, in one archive. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calicoctl/bundle.h"
#include "calicoctl/debug.h"
#include "calicoctl/node.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define ARGS_MAX 12

/* What the host's own tools say. */
static const struct {
	const char *info, *name;
	const char *argv[ARGS_MAX];
} commands[] = {
	{ NULL, "date", { "date" } },
	{ NULL, "hostname", { "hostname" } },
	{ NULL, "kernel", { "uname", "-a" } },
	{ "Dumping routes (IPv4)", "ipv4_route", { "ip", "-4", "route", "show", "table", "all" } },
	{ "Dumping routes (IPv6)", "ipv6_route", { "ip", "-6", "route", "show", "table", "all" } },
	{ "Dumping rules (IPv4)", "ipv4_rule", { "ip", "-4", "rule" } },
	{ "Dumping rules (IPv6)", "ipv6_rule", { "ip", "-6", "rule" } },
	{ "Dumping interface info (IPv4)", "ipv4_addr", { "ip", "-4", "addr" } },
	{ "Dumping interface info (IPv6)", "ipv6_addr", { "ip", "-6", "addr" } },
	{ "Dumping interfaces", "links", { "ip", "-d", "-s", "link" } },
	{ "Dumping neighbours", "neighbours", { "ip", "neigh" } },
	{ "Dumping nftables", "nft_ruleset", { "nft", "-n", "-a", "list", "ruleset" } },
	{ "Dumping iptables (IPv4)", "ipv4_tables", { "iptables-save", "-c" } },
	{ "Dumping iptables (IPv6)", "ipv6_tables", { "ip6tables-save", "-c" } },
	{ "Dumping iptables (legacy, IPv4)",
	  "ipv4_tables_legacy",
	  { "iptables-legacy-save", "-c" } },
	{ "Dumping ipsets", "ipsets", { "ipset", "list" } },
	{ "Dumping ss", "ss", { "ss", "-a", "-n", "-p" } },
};

static void gather_daemon(const struct options *o, const struct bundle *b, const char *below,
                          const char *daemon)
{
	CLEANUP(free_p) char *name = xasprintf("%sdaemons/%s.json", below, daemon);
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err err;

	if (debug_all(o, daemon, &out, &err) != 0) {
		printf("Failed to ask %s: %s\n", daemon, err.text);
		buf_printf(&out, "\n(%s)\n", err.text);
	}
	bundle_text(b, name, buf_cstr(&out), out.len);
}

/* "30m": "-30m", as journalctl wants it. */
static void gather_journal(const struct bundle *b, const char *below, const char *daemon,
                           const char *since)
{
	CLEANUP(free_p) char *name = xasprintf("%slogs/journal_%s", below, daemon);
	CLEANUP(free_p) char *unit = xasprintf("%s.service", daemon);
	CLEANUP(free_p) char *from = since ? xasprintf("-%s", since) : NULL;
	const char *const argv[] = { "journalctl", "--no-pager",       "-q", "-u",
		                     unit,         from ? "-S" : NULL, from, NULL };

	bundle_run(b, NULL, name, argv);
}

static void gather_status(const struct options *o, const struct bundle *b, const char *below)
{
	CLEANUP(free_p) char *name = xasprintf("%snode_status", below);
	CLEANUP(free_p) char *text = NULL;
	struct err err;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	if (node_status(o, f, &err) != 0)
		fprintf(f, "%s\n", err.text);
	(void)fclose(f);
	bundle_text(b, name, text, len);
}

void node_gather(const struct options *o, const struct bundle *b, const char *below,
                 const char *since, const char *log_dir, size_t max_logs)
{
	CLEANUP(free_p) char *logs = xasprintf("%slogs/files", below);
	struct err err;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		CLEANUP(free_p) char *name = xasprintf("%s%s", below, commands[i].name);

		bundle_run(b, commands[i].info, name, commands[i].argv);
	}
	puts("Asking the daemons");
	for (const char *const *d = debug_daemons; *d; d++)
		gather_daemon(o, b, below, *d);
	gather_status(o, b, below);
	puts("Copying Calico logs");
	for (const char *const *d = debug_daemons; *d && max_logs; d++)
		gather_journal(b, below, *d, since);
	if (!log_dir || max_logs == 0)
		return;
	rc = bundle_copy(b, log_dir, logs, max_logs, &err);
	if (rc == -ENOTDIR)
		printf("No logs found in %s; skipping log copying\n", log_dir);
	else if (rc < 0)
		printf("Error copying log files: %s\n", err.text);
}

int cmd_node_diags(const struct options *o)
{
	CLEANUP(free_p) char *path = NULL;
	time_t now = time(NULL);
	char stamp[32] = "";
	struct bundle b;
	struct err err;
	struct tm tm;
	int rc;

	if (!node_is_root())
		return 1;
	puts("Collecting diagnostics");
	rc = bundle_open(&b, "diagnostics", &err);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("Using temp dir: %s\n", b.temp);
	node_gather(o, &b, "", NULL, o->node.log_dir, SIZE_MAX);
	if (localtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%d_%H%M%S", &tm);
	path = xasprintf("%s/diags-%s.tar.gz", b.temp, stamp);
	rc = bundle_archive(&b, path, &err);
	if (rc) {
		fflush(stdout);
		fprintf(stderr, "Error compressing the diagnostics: %s; they are in %s/%s\n",
		        err.text, b.temp, b.name);
		free(b.temp); /* what was gathered stays */
		free(b.name);
		return 1;
	}
	printf("\nDiags saved to %s\n"
	       "If required, you can upload the diagnostics bundle to a file sharing service.\n",
	       path);
	bundle_close(&b, false);
	return 0;
}
