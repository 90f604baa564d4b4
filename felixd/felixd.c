/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/felixd.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/http.h"
#include "felixd/status.h"
#include "proto/v3_node.pb-c.h"

/* ---- the datastore's side */

/*
 * A datastore that is being moved or repaired is locked: its ClusterInformation says that it is not
 * ready. What it says meanwhile is taken note of, and the kernel keeps what it has until the lock
 * is gone. Without a ClusterInformation nobody has set the cluster up yet.
 */
static void set_unlocked(struct felixd *f, bool unlocked)
{
	if (f->unlocked == unlocked)
		return;
	f->unlocked = unlocked;
	f->status_changed = true;
	if (f->synced)
		log_info("the datastore's lock has changed", "locked=%s", unlocked ? "no" : "yes");
}

static void on_update(void *arg, const struct resource *r)
{
	struct felixd *f = arg;
	struct err err = { 0 };
	unsigned more;

	f->updates++;
	settings_update(f, r);
	if (r->kind == V3__KIND__KIND_CLUSTER_INFORMATION) {
		const V3__ClusterInformationSpec *spec =
		        ((const V3__ClusterInformation *)r->msg)->spec;

		set_unlocked(f, spec && spec->datastoreready);
		return;
	}
	if (calc_update(f->calc, r, &err) == 0)
		return;
	f->invalid++;
	if (log_limit_pass(&f->log_invalid, &more))
		log_warn("an object makes no sense and counts as absent",
		         "kind=%s ns=%s name=%s why=\"%s\" suppressed=%u",
		         kind_info(r->kind) ? kind_info(r->kind)->name : "?",
		         LOG_VIS(r->ns ? r->ns : ""), LOG_VIS(r->name), LOG_VIS(err.text), more);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct felixd *f = arg;

	f->removals++;
	settings_remove(f, kind, name);
	if (kind == V3__KIND__KIND_CLUSTER_INFORMATION)
		set_unlocked(f, false);
	else
		calc_remove(f->calc, kind, ns, name);
}

static void on_in_sync(void *arg)
{
	struct felixd *f = arg;

	if (!f->store_up)
		log_info("in sync with the datastore", "endpoints=%zu local=%zu policies=%zu",
		         calc_stats(f->calc).endpoints, calc_stats(f->calc).local_endpoints,
		         calc_stats(f->calc).policies);
	calc_in_sync(f->calc);
	f->synced = f->store_up = f->status_changed = true;
}

/* What is known stays known, and the kernel as it is. */
static void on_down(void *arg, const char *why)
{
	struct felixd *f = arg;

	f->store_up = false;
	free(f->why_down);
	f->why_down = xstrdup(why);
	f->status_changed = true;
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
};

/* ---- the turn */

static void tell_status(struct felixd *f)
{
	bool ready = f->synced && f->store_up && (f->in_step || !f->unlocked);
	char *status;

	if (!f->store_up && f->synced)
		status = xasprintf("the datastore is away (%s): the kernel keeps what it has",
		                   f->why_down ? f->why_down : "no reason given");
	else if (!f->synced)
		status = xasprintf("waiting for the datastore%s%s", f->why_down ? ": " : "",
		                   f->why_down ? f->why_down : "");
	else if (!f->unlocked)
		status = xstrdup("the datastore is locked: the kernel keeps what it has");
	else if (!f->in_step)
		status = xasprintf("the kernel is not in step%s%s", f->why_kernel ? ": " : "",
		                   f->why_kernel ? f->why_kernel : "");
	else
		status = xstrdup("in sync with the datastore, the kernel is in step");
	f->status_changed = false;
	daemon_ready(f->d, ready, status);
	free(status);
}

static void note_kernel(struct felixd *f)
{
	const char *why;
	bool in_step = dataplane_in_step(f->dataplane, &why);

	if (!why)
		why = "";
	if (f->in_step == in_step && strcmp(f->why_kernel ? f->why_kernel : "", why) == 0)
		return;
	f->in_step = in_step;
	free(f->why_kernel);
	f->why_kernel = *why ? xstrdup(why) : NULL;
	f->status_changed = true;
}

/*
 * Runs before each wait for events, so after all the events of one round: they are gathered. The
 * dataplane tries again by itself what failed, and logs it; here it is only asked how it stands.
 */
static void turn(struct felixd *f)
{
	if (calc_dirty(f->calc)) {
		uint64_t began = uv_hrtime();

		f->flushes++;
		calc_flush(f->calc);
		summary_observe(&f->flush_sec, (double)(uv_hrtime() - began) / 1e9, mono_now());
		(void)dataplane_apply(f->dataplane, NULL);
	}
	note_kernel(f);
	if (f->in_step) {
		api_on_in_step(f);
		status_in_sync(f->status);
	}
}

static void on_turn(uv_prepare_t *h)
{
	struct felixd *f = h->data;

	/* The first time before anything is written, then when it may be. */
	if (f->synced && (f->unlocked || !f->settled))
		settings_settle(f);
	if (f->synced && f->unlocked && f->dataplane)
		turn(f);
	if (f->status_changed)
		tell_status(f);
}

/* ---- the process */

static int watch(struct felixd *f, struct err *err)
{
	static const model_kind kinds[] = {
		V3__KIND__KIND_WORKLOAD_ENDPOINT,
		V3__KIND__KIND_HOST_ENDPOINT,
		V3__KIND__KIND_NETWORK_POLICY,
		V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
		V3__KIND__KIND_STAGED_NETWORK_POLICY,
		V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
		V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY,
		V3__KIND__KIND_PROFILE,
		V3__KIND__KIND_TIER,
		V3__KIND__KIND_NETWORK_SET,
		V3__KIND__KIND_GLOBAL_NETWORK_SET,
		V3__KIND__KIND_IP_POOL,
		V3__KIND__KIND_CLUSTER_INFORMATION,
		V3__KIND__KIND_FELIX_CONFIGURATION,
		V3__KIND__KIND_NODE,
	};
	char path[SOCK_PATH_MAX];
	const char *opt = daemon_opt(f->d, "typhad");
	int rc;

	daemon_sock_path(f->d, "typhad", "api.sock", path);
	rc = store_typha_open(f->d->loop, opt && *opt ? opt : path, "felixd", f->d->node, &f->store,
	                      err);
	if (rc < 0)
		return rc;
	rc = store_watch(f->store, kinds, ARRAY_SIZE(kinds), &watch_ops, f);
	return rc < 0 ? err_set(err, rc, "cannot watch the datastore") : 0;
}

int felixd_start(struct felixd *f, struct daemon *d, struct err *err)
{
	static const int caps[] = { CAP_NET_ADMIN, CAP_NET_RAW, -1 };
	int rc;

	f->d = d;
	list_init(&f->waits);
	f->log_invalid = (struct log_limit)LOG_LIMIT_INIT(20, 10000);
	rc = settings_start(f, err);
	if (rc < 0)
		return rc;
	rc = dataplane_new(d->loop, &f->config.dataplane, api_on_endpoint, f, &f->dataplane, err);
	if (rc < 0)
		return err_wrap(err, rc, "dataplane");
	f->status = status_new(d->loop);
	f->http = http_new(f);
	settings_in_force(f);
	f->calc = calc_new(d->node, &dataplane_ops, f->dataplane);
	if ((rc = daemon_drop_privileges(caps, err)) < 0 || (rc = api_open(f, err)) < 0 ||
	    (rc = watch(f, err)) < 0)
		return rc;
	(void)uv_prepare_init(d->loop, &f->turn);
	f->turn.data = f;
	(void)uv_prepare_start(&f->turn, on_turn);
	f->turning = f->status_changed = true;
	return 0;
}

/* Also of one whose start failed. The kernel keeps what it has. */
void felixd_stop(struct felixd *f)
{
	api_close(f);
	http_free(f->http);
	f->http = NULL;
	store_free(f->store);
	f->store = NULL;
	if (f->turning)
		uv_close((uv_handle_t *)&f->turn, NULL);
	f->turning = false;
	dataplane_free(f->dataplane);
	f->dataplane = NULL;
	calc_free(f->calc);
	f->calc = NULL;
	status_free(f->status);
	f->status = NULL;
	summary_done(&f->flush_sec);
	settings_stop(f);
	free(f->why_down);
	free(f->why_kernel);
	f->why_down = f->why_kernel = NULL;
}
