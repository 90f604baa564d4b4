/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster diags: the whole of the datastore, what IPAM makes of it, and what this node says, in one
 * archive. Without Kubernetes there is no way to other nodes: their `node diags` has to be run
 * there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calicoctl/bundle.h"
#include "calicoctl/ipam.h"
#include "calicoctl/migrate.h"
#include "calicoctl/node.h"
#include "calicoctl/output.h"
#include "calicoctl/shown.h"
#include "calicoctl/table.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"

#define LOG_DIR "/var/log/calico"

/* "30m": digits and a unit. */
static bool is_since(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && s[n] && strchr("smh", s[n]) && !s[n + 1];
}

static int check_options(const struct options *o)
{
	if (o->diags.since && *o->diags.since && !is_since(o->diags.since)) {
		fprintf(stderr,
		        "Error executing command: invalid duration for since flag (try 10s, 5m, or "
		        "1h): %s\n",
		        visible(o->diags.since));
		return -EINVAL;
	}
	if (o->diags.max_logs < 0) {
		fputs("Error executing command: negative value for max-logs flag\n", stderr);
		return -EINVAL;
	}
	if (o->diags.max_parallelism < 1) {
		fputs("Error executing command: max-parallelism must be at least 1\n", stderr);
		return -EINVAL;
	}
	return 0;
}

static void note(const struct bundle *b, const char *name, const char *what, const struct err *err)
{
	printf("ERROR %s: %s\n", what, err->text);
	bundle_text(b, name, err->text, strlen(err->text));
}

/* What has no metadata is named by its key. */
static struct json *item_tree(const struct resource *r, const struct kind_info *kind)
{
	const struct node_map none = { 0 };
	struct json *j = kind->v3 ? shown_tree(r) : migrate_ipam_item(r, &none);

	return j ? j : mapper_write(r->msg);
}

/* A kind as YAML, and as the table that people read. */
static void gather_kind(struct db *db, const struct bundle *b, const struct kind_info *kind)
{
	CLEANUP(free_p) char *yaml = xasprintf("cluster/%s.yaml", kind->plural);
	CLEANUP(free_p) char *text = xasprintf("cluster/%s.txt", kind->plural);
	CLEANUP(result_p) struct store_result *all = NULL;
	CLEANUP(buf_done) struct buf out = { 0 };
	struct table_style style = { .wide = true, .namespaces = true };
	struct json *items, *list;
	struct err err;

	if (ipam_list(db, kind->kind, &all, &err) != 0) {
		note(b, yaml, kind->plural, &err);
		return;
	}
	items = json_new(JSON_ARRAY);
	for (size_t i = 0; i < all->n; i++)
		json_append(items, item_tree(all->items[i], kind));
	if (kind->v3 && table_write(kind, items->items, items->len, &style, &out, &err) == 0)
		bundle_text(b, text, buf_cstr(&out), out.len);
	buf_clear(&out);
	list = shown_list(kind, items, all->header_revision);
	if (output_yaml(list, &out, &err) == 0)
		bundle_text(b, yaml, buf_cstr(&out), out.len);
	else
		note(b, yaml, kind->plural, &err);
	json_free(list);
}

static void gather_ipam(struct db *db, const struct bundle *b)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	CLEANUP(free_p) char *text = NULL;
	struct err err;
	size_t len;
	FILE *f;

	if (ipam_usage(db, true, &out, &err) == 0)
		bundle_text(b, "ipam/show", buf_cstr(&out), out.len);
	else
		note(b, "ipam/show", "ipam show", &err);
	f = open_memstream(&text, &len);
	if (!f)
		return;
	if (ipam_check(db, true, true, NULL, f, &err) != 0)
		fprintf(f, "%s\n", err.text);
	(void)fclose(f);
	bundle_text(b, "ipam/check", text, len);
}

/* Nodes that are asked for and are not this one. */
static void note_focus(const char *nodes, const char *own)
{
	while (nodes && *nodes) {
		size_t len = strcspn(nodes, ",");

		if (len && (strlen(own) != len || strncmp(nodes, own, len) != 0))
			printf("Node %.*s cannot be reached without Kubernetes: run 'calicoctl "
			       "node diags' there\n",
			       (int)len, nodes);
		nodes += len + (nodes[len] == ',');
	}
}

static int gather(const struct options *o, const struct bundle *b)
{
	char host[256] = "node";
	const char *name = getenv("NODENAME");
	CLEANUP(free_p) char *below = NULL;
	const char *since = o->diags.since && *o->diags.since ? o->diags.since : NULL;
	struct db *db = db_begin(o, false);

	if (!db)
		return -EIO;
	puts("Collecting resources...");
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k))
		gather_kind(db, b, k);
	puts("Collecting IPAM...");
	gather_ipam(db, b);
	db_close(db);
	if (!name || !*name) {
		(void)gethostname(host, sizeof(host) - 1);
		name = host;
	}
	note_focus(o->diags.focus_nodes, name);
	printf("Collecting detailed diags for node %s...\n", visible(name));
	below = xasprintf("nodes/%s/", strchr(name, '/') ? "node" : name);
	node_gather(o, b, below, since, LOG_DIR, (size_t)o->diags.max_logs);
	return 0;
}

int cmd_cluster_diags(const struct options *o)
{
	CLEANUP(free_p) char *archive = NULL;
	time_t now = time(NULL);
	char name[64] = "calico-diagnostics";
	struct bundle b;
	struct err err;
	struct tm tm;
	int rc;

	if (check_options(o) != 0)
		return 1;
	puts("==== Begin collecting diagnostics. ====");
	if (gmtime_r(&now, &tm))
		strftime(name, sizeof(name), "calico-diagnostics-%Y%m%d_%H%M%S", &tm);
	rc = bundle_open(&b, name, &err);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("Created temporary directory: %s\n", b.temp);
	rc = gather(o, &b);
	if (rc == 0) {
		puts("\n==== Producing a diagnostics bundle. ====");
		archive = xasprintf("./%s.tar.gz", name);
		rc = bundle_archive(&b, archive, &err);
		fflush(stdout);
		if (rc)
			fprintf(stderr, "Could not create new archive %s: %s\n", archive, err.text);
		else
			printf("Diagnostic bundle created at %s\n", archive);
	}
	if (o->diags.keep_temp_dir) {
		free(b.temp);
		free(b.name);
	} else {
		bundle_close(&b, true);
	}
	return rc ? 1 : 0;
}
