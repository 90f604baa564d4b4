/* SPDX-License-Identifier: BSD-2-Clause */
/* datastore migrate import: into a datastore that is empty but for what every cluster begins with;
 * it is locked, and stays so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calicoctl/cluster.h"
#include "calicoctl/crud.h"
#include "calicoctl/ipam.h"
#include "calicoctl/migrate.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "proto/v3_node.pb-c.h"

#define CLUSTER V3__KIND__KIND_CLUSTER_INFORMATION
#define KUBERNETES_POLICY "knp."
#define ERRORS_SHOWN 20

/* ---- is there something already? */

/* Nodes write themselves, tiers that every cluster has are there, and Kubernetes' policies are
 * somebody else's. */
static bool may_be_there(model_kind kind, const struct resource *r)
{
	if (kind == V3__KIND__KIND_NETWORK_POLICY)
		return strncmp(r->name, KUBERNETES_POLICY, strlen(KUBERNETES_POLICY)) == 0;
	if (kind == V3__KIND__KIND_TIER)
		return strcmp(r->name, "default") == 0 || strcmp(r->name, "kube-admin") == 0 ||
		       strcmp(r->name, "kube-baseline") == 0;
	return kind == V3__KIND__KIND_NODE;
}

static int refuse(struct err *err, const char *what)
{
	return err_set(err, -EEXIST,
	               "datastore already has Calico resources: found existing %s. Clear out all "
	               "Calico resources first",
	               what);
}

static int check_empty(struct db *db, struct err *err)
{
	static const model_kind ipam[] = { V3__KIND__KIND_IPAM_AFFINITY, V3__KIND__KIND_IPAM_BLOCK,
		                           V3__KIND__KIND_IPAM_HANDLE, V3__KIND__KIND_IPAM_CONFIG };

	for (const char *const *plural = migrate_kinds; *plural; plural++) {
		const struct kind_info *kind = kind_by_alias(*plural);
		CLEANUP(result_p) struct store_result *all = NULL;
		int rc = kind ? ipam_list(db, kind->kind, &all, err) : 0;

		if (rc)
			return err_wrap(err, rc,
			                "failed to retrieve %s resources during datastore check",
			                kind->name);
		for (size_t i = 0; kind && i < all->n; i++) {
			CLEANUP(free_p) char *what = NULL;

			if (may_be_there(kind->kind, all->items[i]))
				continue;
			what = xasprintf("Calico %s resource", kind->name);
			return refuse(err, what);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(ipam); i++) {
		CLEANUP(result_p) struct store_result *all = NULL;
		int rc = ipam_list(db, ipam[i], &all, err);

		if (rc)
			return err_wrap(err, rc,
			                "failed to retrieve IPAM resources during datastore check");
		if (all->n)
			return refuse(err, "IPAM resources");
	}
	return 0;
}

/* ---- the three parts */

static int import_resources(const struct options *o, struct db *db, const struct migrate_part *part,
                            struct err *err)
{
	CLEANUP(manifest_done) struct manifest m = { .whole = true };

	manifest_add_text(&m, "resources", part->text, part->len);
	if (crud_apply(o, db, &m) != 0)
		return err_set(err, -EINVAL, "failed to import v3 resources");
	return 0;
}

/* The cluster is the same one as before: its name and version come along. */
static int import_cluster(struct db *db, const struct migrate_part *part, struct err *err)
{
	const char *reading = "error reading exported cluster info for migration";
	CLEANUP(result_p) struct store_result *now = db_get(db, CLUSTER, NULL, "default");
	CLEANUP(result_p) struct store_result *done = NULL;
	const V3__ClusterInformationSpec *spec;
	V3__ClusterInformation *info;
	struct resource *wanted;
	ProtobufCMessage *msg;
	int rc = mapper_read_text(kind_info(CLUSTER)->message, part->text, part->len, MAPPER_KEEP,
	                          &msg, err);

	if (rc)
		return err_wrap(err, rc, "%s", reading);
	if (now->status != STORE_OK) {
		db_error(now, CLUSTER, NULL, "default", err);
		msg_free(msg);
		return err_wrap(err, err->code,
		                "error retrieving current cluster info for migration");
	}
	spec = ((const V3__ClusterInformation *)msg)->spec;
	wanted = resource_copy(now->items[0]);
	info = (V3__ClusterInformation *)wanted->msg;
	msg_set_str(&info->spec->clusterguid, spec ? spec->clusterguid : NULL);
	msg_set_str(&info->spec->calicoversion, spec ? spec->calicoversion : NULL);
	msg_free(msg);
	done = db_update(db, wanted);
	resource_free(wanted);
	if (done->status == STORE_OK)
		return 0;
	db_error(done, CLUSTER, NULL, "default", err);
	return err_wrap(err, err->code, "error updating current cluster info for migration");
}

struct ipam_import {
	size_t total, handled;
	struct buf errors;
	size_t n_errors;
};

static void import_item(struct db *db, const struct json *item, struct ipam_import *to)
{
	CLEANUP(result_p) struct store_result *done = NULL;
	struct resource *r = NULL;
	struct err err = { 0 };

	to->total++;
	if (migrate_ipam_read(item, &r, &err) == 0) {
		done = db_create(db, r);
		if (done->status != STORE_OK) {
			db_error(done, r->kind, NULL, r->name, &err);
			err_wrap(&err, err.code, "error trying to create %s %s",
			         kind_info(r->kind)->name, r->name);
		}
		resource_free(r);
	}
	if (err.code == 0) {
		to->handled++;
		return;
	}
	if (to->n_errors++ < ERRORS_SHOWN)
		buf_printf(&to->errors, "%s%s", to->n_errors > 1 ? " " : "", err.text);
}

static int import_ipam(struct db *db, const struct migrate_part *part, struct err *err)
{
	static const char *const lists[] = { "block_affinities", "blocks", "handles" };
	CLEANUP(buf_done) struct buf errors = { 0 };
	struct ipam_import to = { 0 };
	struct json *j;
	int rc = json_parse(part->text, part->len, &j, err);

	if (rc)
		return err_wrap(err, rc, "failed to read IPAM resources");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct json *list = json_get(j, lists[i]);

		for (size_t k = 0; list && list->type == JSON_ARRAY && k < list->len; k++)
			import_item(db, list->items[k], &to);
	}
	if (json_get(j, "config"))
		import_item(db, json_get(j, "config"), &to);
	json_free(j);
	errors = to.errors;
	if (to.n_errors == 0) {
		printf("Successfully applied %zu IPAM resource(s)\n", to.handled);
		return 0;
	}
	if (to.handled == 0)
		return err_set(err, -EINVAL, "failed to import any IPAM resources: [%s]",
		               buf_cstr(&errors));
	printf("Partial success: applied the first %zu out of %zu resources:\n", to.handled,
	       to.total);
	return err_set(err, -EINVAL, "hit error(s): [%s]", buf_cstr(&errors));
}

/* ---- the command */

static int read_export(const char *path, char **ret, struct migrate_part parts[3], struct err *err)
{
	bool standard = strcmp(path, "-") == 0;
	size_t len;
	int rc = file_read(standard ? "/dev/stdin" : path, MIGRATE_MAX, ret, &len, err);

	if (rc == 0 && migrate_cut(*ret, len, parts) != 0)
		rc = err_set(err, -EINVAL,
		             "imported file: %s is improperly formatted. Try recreating with "
		             "'calicoctl export'",
		             path);
	return rc ? err_wrap(err, rc, "error while reading migration file") : 0;
}

static int import(const struct options *o, struct db *db, const struct migrate_part parts[3],
                  struct err *err)
{
	bool locked;
	int rc = check_empty(db, err);

	if (rc)
		return rc;
	rc = cluster_ensure(db, err);
	if (rc)
		return err_wrap(
		        err, rc,
		        "unable to initialize cluster information for the datastore migration");
	rc = cluster_locked(db, &locked, err);
	if (rc)
		return err_wrap(err, rc, "error while checking if datastore was locked");
	if (!locked) {
		rc = cluster_set_ready(db, false, err);
		if (rc)
			return err_wrap(err, rc,
			                "error while attempting to lock the datastore for import");
		puts("Datastore locked.");
	}
	rc = import_resources(o, db, &parts[0], err);
	if (rc)
		return rc;
	rc = import_cluster(db, &parts[1], err);
	if (rc)
		return err_wrap(err, rc, "failed to update cluster information");
	puts("Importing IPAM resources");
	rc = import_ipam(db, &parts[2], err);
	if (rc == 0)
		puts("Datastore information successfully imported. Please refer to the datastore "
		     "migration documentation for next steps.");
	return rc;
}

int cmd_migrate_import(const struct options *o)
{
	CLEANUP(free_p) char *text = NULL;
	struct migrate_part parts[3];
	struct db *db = NULL;
	struct err err;
	int rc;

	if (o->files.n != 1) {
		fputs("one file must be given with -f: what 'datastore migrate export' wrote\n",
		      stderr);
		return 1;
	}
	rc = read_export(o->files.items[0], &text, parts, &err);
	if (rc == 0)
		rc = db_open(o, true, &db, &err);
	if (rc == 0)
		rc = import(o, db, parts, &err);
	db_close(db);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
