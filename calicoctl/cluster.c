/* SPDX-License-Identifier: BSD-2-Clause */
/* What every object and every cluster begins with. */
#include "calicoctl/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define TRIES 20

void cluster_stamp(V3__ObjectMeta *meta)
{
	char uuid[UUID_STR_SIZE], now[RFC3339_MAX];

	if (!meta->uid || !*meta->uid) {
		uuid_str(uuid);
		msg_set_str(&meta->uid, uuid);
	}
	if (!meta->creationtimestamp || !*meta->creationtimestamp) {
		rfc3339_sec(now, wall_unix_ns() / 1000000000u);
		msg_set_str(&meta->creationtimestamp, now);
	}
}

static struct resource *new_named(model_kind kind, const char *name)
{
	ProtobufCMessage *msg = msg_new(kind_info(kind)->message);
	V3__ObjectMeta *meta = model_meta(msg, true);

	msg_set_str(&meta->name, name);
	cluster_stamp(meta);
	return resource_new(kind, NULL, name, 0, msg);
}

/* Somebody else may be doing the same: what exists is fine. */
static int create_missing(struct db *db, struct resource *r /* taken */, struct err *err)
{
	struct store_result *done = db_create(db, r);
	int rc = 0;

	if (done->status != STORE_OK && done->status != STORE_ALREADY_EXISTS) {
		db_error(done, r->kind, NULL, r->name, err);
		rc = err->code;
	}
	store_result_free(done);
	resource_free(r);
	return rc;
}

static int ensure_cluster(struct db *db, struct err *err)
{
	const model_kind kind = V3__KIND__KIND_CLUSTER_INFORMATION;
	CLEANUP(result_p) struct store_result *r = db_get(db, kind, NULL, "default");
	CLEANUP(result_p) struct store_result *updated = NULL;
	V3__ClusterInformation *info;
	struct resource *created;
	char guid[UUID_HEX_SIZE];

	if (r->status != STORE_OK && r->status != STORE_NOT_FOUND) {
		db_error(r, kind, NULL, "default", err);
		return err->code;
	}
	uuid_hex(guid);
	created = r->status == STORE_OK ? resource_copy(r->items[0]) : new_named(kind, "default");
	info = (V3__ClusterInformation *)created->msg;
	if (!info->spec)
		info->spec = (V3__ClusterInformationSpec *)msg_new(
		        &v3__cluster_information_spec__descriptor);
	if (r->status == STORE_OK && info->spec->clusterguid && *info->spec->clusterguid &&
	    info->spec->has_datastoreready) {
		resource_free(created);
		return 0;
	}
	if (!info->spec->clusterguid || !*info->spec->clusterguid)
		msg_set_str(&info->spec->clusterguid, guid);
	if (!info->spec->has_datastoreready) {
		info->spec->has_datastoreready = 1;
		info->spec->datastoreready = 1;
	}
	if (r->status == STORE_NOT_FOUND)
		return create_missing(db, created, err);
	updated = db_update(db, created);
	resource_free(created);
	if (updated->status != STORE_OK && updated->status != STORE_CONFLICT) {
		db_error(updated, kind, NULL, "default", err);
		return err->code;
	}
	return 0;
}

int cluster_ensure(struct db *db, struct err *err)
{
	static const struct {
		const char *name, *action;
		double order;
	} tiers[] = {
		{ "kube-admin", "Pass", 1000 },
		{ "default", "Deny", 1000000 },
		{ "kube-baseline", "Pass", 10000000 },
	};
	const model_kind kind = V3__KIND__KIND_TIER;
	CLEANUP(result_p) struct store_result *have = NULL;
	int rc = ensure_cluster(db, err);

	if (rc)
		return rc;
	have = db_list(db, kind, NULL, NULL);
	if (have->status != STORE_OK) {
		db_error(have, kind, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tiers) && rc == 0; i++) {
		struct resource *r;
		V3__Tier *tier;
		size_t k = 0;

		while (k < have->n && strcmp(have->items[k]->name, tiers[i].name) != 0)
			k++;
		if (k < have->n)
			continue;
		r = new_named(kind, tiers[i].name);
		tier = (V3__Tier *)r->msg;
		tier->spec = (V3__TierSpec *)msg_new(&v3__tier_spec__descriptor);
		tier->spec->has_order = 1;
		tier->spec->order = tiers[i].order;
		msg_set_str(&tier->spec->defaultaction, tiers[i].action);
		rc = create_missing(db, r, err);
	}
	return rc;
}

/* ---- the lock */

static struct store_result *get_cluster(struct db *db, struct err *err)
{
	struct store_result *r = db_get(db, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default");

	if (r->status == STORE_OK)
		return r;
	db_error(r, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", err);
	store_result_free(r);
	return NULL;
}

int cluster_read(struct db *db, struct cluster_state *ret, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = get_cluster(db, err);
	const V3__ClusterInformationSpec *spec;

	*ret = (struct cluster_state){ 0 };
	if (!r)
		return err->code;
	spec = ((const V3__ClusterInformation *)r->items[0]->msg)->spec;
	ret->guid = xstrdup(spec && spec->clusterguid ? spec->clusterguid : "");
	ret->type = xstrdup(spec && spec->clustertype ? spec->clustertype : "");
	ret->revision = r->items[0]->revision;
	ret->locked = spec && spec->has_datastoreready && !spec->datastoreready;
	return 0;
}

void cluster_state_done(struct cluster_state *s)
{
	free(s->guid);
	free(s->type);
	*s = (struct cluster_state){ 0 };
}

int cluster_locked(struct db *db, bool *ret, struct err *err)
{
	CLEANUP(cluster_state_done) struct cluster_state s = { 0 };
	int rc = cluster_read(db, &s, err);

	if (rc)
		return err_wrap(err, rc, "error retrieving ClusterInformation");
	*ret = s.locked;
	return 0;
}

int cluster_demand_lock(struct db *db, const char *purpose, struct err *err)
{
	bool locked;
	int rc = cluster_locked(db, &locked, err);

	if (rc)
		return err_wrap(err, rc, "error while checking if datastore was locked");
	if (!locked)
		return err_set(err, -EPERM,
		               "datastore is not locked. Run the `calicoctl datastore migrate "
		               "lock` command in order %s",
		               purpose);
	return 0;
}

int cluster_set_ready(struct db *db, bool ready, struct err *err)
{
	const char *verb = ready ? "unlocking" : "locking";

	for (int i = 0; i < TRIES; i++) {
		CLEANUP(result_p) struct store_result *r = get_cluster(db, err), *done = NULL;
		V3__ClusterInformation *info;
		struct resource *copy;

		if (!r)
			return err_wrap(err, err->code,
			                "error retrieving ClusterInformation for %s", verb);
		copy = resource_copy(r->items[0]);
		info = (V3__ClusterInformation *)copy->msg;
		if (!info->spec)
			info->spec = (V3__ClusterInformationSpec *)msg_new(
			        &v3__cluster_information_spec__descriptor);
		info->spec->has_datastoreready = 1;
		info->spec->datastoreready = ready;
		done = db_update(db, copy);
		resource_free(copy);
		if (done->status == STORE_OK)
			return 0;
		db_error(done, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", err);
		if (done->status != STORE_CONFLICT)
			break;
	}
	return err_wrap(err, err->code, "error updating ClusterInformation for %s", verb);
}
