/* SPDX-License-Identifier: BSD-2-Clause */
/* datastore migrate lock, unlock; and migrate-policy-names: keys as releases since v3.32 write
 * them. */
#include <stdio.h>
#include <string.h>

#include "calicoctl/calicoctl.h"
#include "calicoctl/cluster.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/model/mapper.h"

int cmd_migrate_lock(const struct options *o)
{
	struct db *db = db_begin(o, false);
	struct err err;
	int rc;

	if (!db)
		return 1;
	rc = cluster_ensure(db, &err);
	if (rc)
		err_wrap(&err, rc,
		         "unable to initialize cluster information for the datastore migration");
	else
		rc = cluster_set_ready(db, false, &err);
	db_close(db);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	puts("Datastore locked.");
	return 0;
}

int cmd_migrate_unlock(const struct options *o)
{
	struct db *db = db_begin(o, false);
	struct err err;
	int rc;

	if (!db)
		return 1;
	rc = cluster_set_ready(db, true, &err);
	db_close(db);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	puts("Datastore unlocked.");
	return 0;
}

/* ---- names of policies */

static bool in_default_tier(const ProtobufCMessage *policy)
{
	struct json *j = mapper_write(policy);
	const char *tier = json_str(json_get(json_get(j, "spec"), "tier"));
	bool is = !tier || !*tier || strcmp(tier, "default") == 0;

	json_free(j);
	return is;
}

/* Old releases stored a policy of the default tier as default.<name>. Its own name is in its
 * metadata: under that it is written anew, and then the old key goes. Either step may have been
 * taken before. */
static int migrate_policy(struct db *db, const struct resource *old, struct err *err)
{
	const V3__ObjectMeta *meta = model_meta(old->msg, true);
	CLEANUP(result_p) struct store_result *created = NULL, *removed = NULL;
	const char *kind = kind_info(old->kind)->name;
	struct resource *renamed;

	renamed = resource_new(old->kind, old->ns, meta->name, 0, msg_copy(old->msg));
	created = db_create(db, renamed);
	resource_free(renamed);
	if (created->status != STORE_OK && created->status != STORE_ALREADY_EXISTS) {
		db_error(created, old->kind, old->ns, meta->name, err);
		return err_wrap(err, err->code, "create %s \"%s\"", kind, meta->name);
	}
	removed = db_remove(db, old->kind, old->ns, old->name, old->revision);
	if (removed->status != STORE_OK && removed->status != STORE_NOT_FOUND) {
		db_error(removed, old->kind, old->ns, old->name, err);
		return err_wrap(err, err->code, "delete %s \"%s\"", kind, old->name);
	}
	return 0;
}

static int migrate_kind(struct db *db, model_kind kind, size_t *migrated, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = NULL;

	if (!kind_info(kind))
		return 0;
	all = db_list(db, kind, NULL, NULL);
	if (all->status != STORE_OK) {
		db_error(all, kind, NULL, "", err);
		return err_wrap(err, err->code, "list %s", kind_info(kind)->name);
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct resource *r = all->items[i];
		const V3__ObjectMeta *meta = model_meta(r->msg, true);
		int rc;

		if (!meta->name || !*meta->name || strcmp(meta->name, r->name) == 0 ||
		    !in_default_tier(r->msg))
			continue;
		rc = migrate_policy(db, r, err);
		if (rc)
			return rc;
		++*migrated;
	}
	return 0;
}

int cmd_migrate_policy_names(const struct options *o)
{
	static const model_kind kinds[] = { V3__KIND__KIND_NETWORK_POLICY,
		                            V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
		                            V3__KIND__KIND_STAGED_NETWORK_POLICY,
		                            V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY };
	struct db *db = db_begin(o, false);
	size_t migrated = 0;
	struct err err;
	int rc = 0;

	if (!db)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && rc == 0; i++)
		rc = migrate_kind(db, kinds[i], &migrated, &err);
	db_close(db);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("Policy name migration complete, migrated %zu policies.\n", migrated);
	return 0;
}
