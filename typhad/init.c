/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init: upstream's EnsureInitialized. ClusterInformation "default" says what cluster this is and is
 * made with a random identity; the tiers that everything else refers to are made when they are
 * missing. What is there is not touched but for what upstream touches: the version, an identity or
 * a readiness that is not set. A datastoreReady that is false stays: somebody has locked the
 * datastore.
 */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/base/version.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "typhad/typhad.h"

#define RETRY_MS 2000u
#define CLUSTER_TYPE "typha"

static const struct {
	const char *name;
	double order;
	const char *action;
} tiers[] = {
	{ "default", 1000000, "Deny" },
	{ "kube-admin", 1000, "Pass" },
	{ "kube-baseline", 10000000, "Pass" },
};

static void init_try(struct typhad *t);

static void on_retry(uv_timer_t *h)
{
	init_try(h->data);
}

static void init_tell(struct typhad *t)
{
	if (t->init.told)
		return;
	t->init.told = true;
	t->init.done(t);
}

static void on_written(void *arg, const struct store_result *r)
{
	struct typhad *t = arg;

	/* Somebody else made it, or changed it: that is looked at again. */
	if (r->status != STORE_OK && r->status != STORE_ALREADY_EXISTS) {
		if (!t->init.failed)
			log_error("the datastore cannot be initialised; trying again", "why=%s",
			          LOG_VIS(r->text));
		t->init.failed = true;
	}
	if (--t->init.under_way)
		return;
	if (t->init.failed && t->store) {
		t->init.failed = false;
		(void)uv_timer_start(&t->init.retry, on_retry, RETRY_MS, 0);
	}
	typhad_status(t);
	init_tell(t);
}

/* ---- ClusterInformation */

static bool has_item(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *at = list; at && *at;) {
		const char *comma = strchr(at, ',');
		size_t n = comma ? (size_t)(comma - at) : strlen(at);

		if (n == len && memcmp(at, item, len) == 0)
			return true;
		at = comma ? comma + 1 : NULL;
	}
	return false;
}

/* Fills what upstream fills. true: something has changed. */
static bool cluster_info_complete(V3__ClusterInformation *ci)
{
	bool changed = false;
	V3__ClusterInformationSpec *spec;
	char guid[UUID_HEX_SIZE];

	if (!ci->spec)
		ci->spec = (V3__ClusterInformationSpec *)msg_new(
		        &v3__cluster_information_spec__descriptor);
	spec = ci->spec;
	if (!spec->clusterguid || !*spec->clusterguid) {
		uuid_hex(guid);
		msg_set_str(&spec->clusterguid, guid);
		changed = true;
	}
	if (!spec->calicoversion || strcmp(spec->calicoversion, percale_version) != 0) {
		msg_set_str(&spec->calicoversion, percale_version);
		changed = true;
	}
	if (!has_item(spec->clustertype, CLUSTER_TYPE)) {
		char *types = spec->clustertype && *spec->clustertype
		                      ? xasprintf("%s," CLUSTER_TYPE, spec->clustertype)
		                      : xstrdup(CLUSTER_TYPE);

		msg_set_str(&spec->clustertype, types);
		free(types);
		changed = true;
	}
	if (!spec->has_datastoreready) {
		spec->has_datastoreready = 1;
		spec->datastoreready = 1;
		changed = true;
	}
	return changed;
}

static struct resource *resource_named(model_kind kind, const char *name)
{
	ProtobufCMessage *msg = msg_new(kind_info(kind)->message);

	msg_set_str(&model_meta(msg, true)->name, name);
	return resource_new(kind, NULL, name, 0, msg);
}

static void cluster_info_ensure(struct typhad *t)
{
	const model_kind kind = V3__KIND__KIND_CLUSTER_INFORMATION;
	const struct cache_object *o = cache_find(&t->cache, kind, NULL, "default");
	ProtobufCMessage *msg =
	        o ? msg_unpack(&v3__cluster_information__descriptor, cache_body(o), o->body_len)
	          : NULL;
	struct resource *r = msg ? resource_new(kind, NULL, "default", cache_revision(o), msg)
	                         : resource_named(kind, "default");

	if (cluster_info_complete((V3__ClusterInformation *)r->msg)) {
		t->init.under_way++;
		(msg ? store_update : store_create)(t->store, r, on_written, t);
	}
	resource_free(r);
}

/* ---- tiers */

static void tier_ensure(struct typhad *t, size_t i)
{
	struct resource *r;
	V3__Tier *tier;

	if (cache_find(&t->cache, V3__KIND__KIND_TIER, NULL, tiers[i].name))
		return;
	r = resource_named(V3__KIND__KIND_TIER, tiers[i].name);
	tier = (V3__Tier *)r->msg;
	tier->spec = (V3__TierSpec *)msg_new(&v3__tier_spec__descriptor);
	tier->spec->has_order = 1;
	tier->spec->order = tiers[i].order;
	msg_set_str(&tier->spec->defaultaction, tiers[i].action);
	t->init.under_way++;
	store_create(t->store, r, on_written, t);
	resource_free(r);
}

static void init_try(struct typhad *t)
{
	cluster_info_ensure(t);
	for (size_t i = 0; i < ARRAY_SIZE(tiers); i++)
		tier_ensure(t, i);
	if (!t->init.under_way)
		init_tell(t);
}

void init_start(struct typhad *t, void (*done)(struct typhad *t))
{
	t->init.done = done;
	(void)uv_timer_init(t->daemon->loop, &t->init.retry);
	t->init.retry.data = t;
	init_try(t);
}

void init_stop(struct typhad *t)
{
	if (!t->init.done)
		return;
	t->init.told = true; /* nobody is told any more */
	uv_close((uv_handle_t *)&t->init.retry, NULL);
}
