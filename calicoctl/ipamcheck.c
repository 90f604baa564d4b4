/* SPDX-License-Identifier: BSD-2-Clause */
/* ipam check: loads what there is, a kind at a time, and has check.c judge it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/check.h"
#include "calicoctl/cluster.h"
#include "calicoctl/ipam.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/version.h"

struct loaded {
	struct store_result *blocks, *pools, *nodes, *weps, *handles;
};

static void say(FILE *to, struct buf *out)
{
	fputs(buf_cstr(out), to);
	fflush(to);
	buf_clear(out);
}

static int load(struct db *db, model_kind kind, const char *what, struct store_result **ret,
                struct err *err)
{
	int rc = ipam_list(db, kind, ret, err);

	return rc ? err_wrap(err, rc, "failed to %s", what) : 0;
}

/* A phase is told as soon as it is over: a large datastore takes its time. */
static int judge(struct db *db, struct check *c, struct loaded *l, FILE *to, struct buf *out,
                 struct err *err)
{
	uint32_t cooldown;
	int rc;

	buf_str(out, "Loading all IPAM blocks...\n");
	say(to, out);
	rc = load(db, V3__KIND__KIND_IPAM_BLOCK, "list IPAM blocks", &l->blocks, err);
	if (rc)
		return rc;
	rc = ipam_cooldown(db, &cooldown, err);
	if (rc)
		return rc;
	check_blocks(c, l->blocks, cooldown, wall_unix_ns() / 1000000000u, out);
	buf_str(out, "Loading all IPAM pools...\n");
	say(to, out);
	rc = load(db, V3__KIND__KIND_IP_POOL, "load IP pools", &l->pools, err);
	if (rc || (rc = check_pools(c, l->pools, out, err)) != 0)
		return rc;
	buf_str(out, "Loading all nodes.\n");
	say(to, out);
	rc = load(db, V3__KIND__KIND_NODE, "list nodes", &l->nodes, err);
	if (rc || (rc = check_nodes(c, l->nodes, out, err)) != 0)
		return rc;
	buf_str(out, "Loading all service load balancer IPs.\n");
	check_services(c, out);
	buf_str(out, "Loading all workload endpoints.\n");
	say(to, out);
	rc = load(db, V3__KIND__KIND_WORKLOAD_ENDPOINT, "list workload endpoints", &l->weps, err);
	if (rc || (rc = check_endpoints(c, l->weps, out, err)) != 0)
		return rc;
	buf_str(out, "Loading all handles\n");
	say(to, out);
	rc = load(db, V3__KIND__KIND_IPAM_HANDLE, "list handles", &l->handles, err);
	if (rc == 0)
		check_handles(c, l->handles, out);
	return rc;
}

/* The cluster's part of the report. */
static int describe(struct db *db, struct report *ret, struct err *err)
{
	struct cluster_state state;
	int rc = cluster_read(db, &state, err);

	if (rc)
		return rc;
	ret->version = xstrdup(percale_version);
	ret->cluster_revision = xasprintf("%llu", (unsigned long long)state.revision);
	ret->cluster_guid = take_ptr(&state.guid);
	ret->cluster_type = take_ptr(&state.type);
	ret->locked = state.locked;
	cluster_state_done(&state);
	return 0;
}

static int write_report(const struct report *cluster, struct report *found, const char *path,
                        struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct report whole = *cluster;

	whole.addresses = found->addresses;
	whole.n_addresses = found->n_addresses;
	whole.handles = found->handles;
	whole.n_handles = found->n_handles;
	report_write(&whole, &text);
	return file_replace(path, text.data, text.len, 0644, err);
}

int ipam_check(struct db *db, bool all, bool problems, const char *report_path, FILE *to,
               struct err *err)
{
	CLEANUP(report_done) struct report cluster = { 0 }, found = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct check *c = check_new(all, problems);
	struct loaded l = { 0 };
	int rc;

	buf_str(&out, "Checking IPAM for inconsistencies...\n\n");
	rc = describe(db, &cluster, err);
	if (rc == 0)
		rc = judge(db, c, &l, to, &out, err);
	if (rc == 0)
		(void)check_finish(c, &found, &out);
	say(to, &out);
	if (rc == 0 && report_path)
		rc = write_report(&cluster, &found, report_path, err);
	check_free(c);
	store_result_free(l.blocks);
	store_result_free(l.pools);
	store_result_free(l.nodes);
	store_result_free(l.weps);
	store_result_free(l.handles);
	return rc;
}

int cmd_ipam_check(const struct options *o)
{
	struct err err;
	struct db *db;
	int rc;

	if (o->node.kubeconfig) {
		fputs("--kubeconfig: this release does not speak to Kubernetes yet\n", stderr);
		return 1;
	}
	db = db_begin(o, false);
	if (!db)
		return 1;
	rc = ipam_check(db, o->ipam.all_ips, o->ipam.problem_ips, o->ipam.report, stdout, &err);
	db_close(db);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
