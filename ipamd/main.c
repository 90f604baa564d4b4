/* SPDX-License-Identifier: BSD-2-Clause */
/* ipamd: gives each address of the cluster out once, for one node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipamd/check.h"
#include "ipamd/ipamd.h"
#include "ipamd/request.h"

static const struct daemon_option options[] = {
	{ "typhad", "CALICO_TYPHAD", NULL, "typhad's api.sock (default: in the run directory)",
	  false },
	{ "check-interval", "CALICO_IPAM_CHECK_INTERVAL", "3600",
	  "seconds between checks of handles against blocks", false },
	{ "check-grace", "CALICO_IPAM_CHECK_GRACE", "90",
	  "seconds a difference must last before it is repaired", false },
	{ 0 },
};

static void on_settled(struct ipamd *ip)
{
	if (!ip->in_sync || ip->ready)
		return;
	ip->ready = true;
	log_info("ready", "pools=%zu blocks=%zu own_affinities=%zu", ip->pools.n, ip->blocks.n,
	         ip->affinities.n);
	daemon_ready(ip->d, true, "in sync with the datastore");
	requests_ready(ip);
	claim_sweep(ip);
	/* The first check at once: crashes are what restarts come from. */
	check_start(ip);
}

static void on_update(void *arg, const struct resource *r)
{
	struct ipamd *ip = arg;

	cache_update(ip, r);
	if (r->kind == V3__KIND__KIND_IP_POOL || r->kind == V3__KIND__KIND_NODE)
		claim_sweep(ip);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)ns;
	cache_remove(arg, (int)kind, name);
}

static void on_in_sync(void *arg)
{
	struct ipamd *ip = arg;

	if (ip->in_sync)
		return;
	ip->in_sync = true;
	ip->down_why[0] = '\0';
	if (ip->settling == 0)
		claim_settle(ip, on_settled);
}

static void on_down(void *arg, const char *why)
{
	struct ipamd *ip = arg;

	ip->in_sync = ip->ready = false;
	snprintf(ip->down_why, sizeof(ip->down_why),
	         "the datastore is away: try again (typhad: %s)", why);
	daemon_ready(ip->d, false, ip->down_why);
	requests_down(ip);
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
};

static void on_hold_over(uv_timer_t *t)
{
	struct ipamd *ip = t->data;

	ip->hold_over = true;
	if (!ip->ready)
		requests_down(ip);
}

static int seconds_opt(const struct daemon *d, const char *name, unsigned *ret, struct err *err)
{
	const char *s = daemon_opt(d, name);
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end || v < 1 || v > 86400 * 7)
		return err_set(err, -EINVAL, "--%s: '%s' is not a number of seconds (1 to a week)",
		               name, s);
	*ret = (unsigned)v;
	return 0;
}

static int ipamd_start(struct daemon *d, struct err *err)
{
	static const model_kind kinds[] = { V3__KIND__KIND_NODE, V3__KIND__KIND_IP_POOL,
		                            V3__KIND__KIND_IPAM_CONFIG,
		                            V3__KIND__KIND_IPAM_AFFINITY,
		                            V3__KIND__KIND_IPAM_BLOCK };
	struct ipamd *ip = xcalloc(1, sizeof(*ip));
	char path[SOCK_PATH_MAX], typhad[SOCK_PATH_MAX];
	const char *opt = daemon_opt(d, "typhad");
	int r;

	d->state = ip;
	ip->d = d;
	ip->affinity = xasprintf("host:%s", d->node);
	ip->config.auto_allocate_blocks = true;
	list_init(&ip->near);
	list_init(&ip->requests);
	list_init(&ip->held);
	list_init(&ip->waiting[0]);
	list_init(&ip->waiting[1]);
	(void)uv_timer_init(d->loop, &ip->hold_timer);
	(void)uv_timer_init(d->loop, &ip->check_timer);
	(void)uv_idle_init(d->loop, &ip->turn);
	list_init(&ip->turn_blocks);
	ip->hold_timer.data = ip->check_timer.data = ip->turn.data = ip;
	if ((r = seconds_opt(d, "check-interval", &ip->check_interval_sec, err)) < 0 ||
	    (r = seconds_opt(d, "check-grace", &ip->check_grace_sec, err)) < 0)
		return r;

	daemon_sock_path(d, "typhad", "api.sock", typhad);
	r = store_typha_open(d->loop, opt ? opt : typhad, "ipamd", d->node, &ip->store, err);
	if (r < 0)
		return r;
	r = store_watch(ip->store, kinds, ARRAY_SIZE(kinds), &watch_ops, ip);
	if (r < 0)
		return err_set(err, r, "watch: %s", strerror(-r));
	daemon_sock_path(d, "ipamd", "api.sock", path);
	r = ipc_server_new(d->loop, path, &ipamd_api_ops, ip, &ip->api, err);
	if (r < 0)
		return r;
	(void)uv_timer_start(&ip->hold_timer, on_hold_over, IPAMD_HOLD_MS, 0);
	daemon_ready(d, false, "waits for the datastore");
	return daemon_drop_privileges((const int[]){ -1 }, err);
}

static void on_closed(uv_handle_t *h)
{
	struct ipamd *ip = h->data;

	if (--ip->open_handles)
		return;
	cache_done(ip);
	free(ip->affinity);
	free(ip);
}

static void ipamd_stop(struct daemon *d)
{
	struct ipamd *ip = d->state;

	if (!ip)
		return;
	ip->stopping = true;
	ip->ready = false;
	ipc_server_free(ip->api);
	ip->api = NULL;
	store_free(ip->store); /* answers what is under way */
	requests_drop(ip);
	check_stop(ip);
	d->state = NULL;
	ip->open_handles = 3;
	uv_close((uv_handle_t *)&ip->hold_timer, on_closed);
	uv_close((uv_handle_t *)&ip->check_timer, on_closed);
	uv_close((uv_handle_t *)&ip->turn, on_closed);
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "ipamd",
		.summary = "gives out IP addresses on this node",
		.options = options,
		.dumps = ipamd_dumps,
		.start = ipamd_start,
		.stop = ipamd_stop,
		.health = ipamd_health,
	};

	return daemon_main(&spec, argc, argv);
}
