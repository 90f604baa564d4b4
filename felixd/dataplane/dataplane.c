/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life, and the order in which things reach the kernel:
 *
 *     routes of those who left go -> connections of addresses that come back are forgotten -> sets
 * grow -> chains, and the dispatch to them, table by table -> per endpoint: sysctls, neighbours,
 * routes -> sets nobody uses go -> a moment later, connections of those who left are forgotten
 *
 * so that a packet never passes because something was not there yet, or still was. A step that
 * fails stops those behind it which depend on it; routes that are already wanted are kept repaired
 * whatever else fails. Nothing is written before calc has told everything.
 */
#include "felixd/dataplane/dataplane.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/watch.h"
#include "felixd/dataplane/dataplane_i.h"
#include "felixd/dataplane/names.h"
#include "felixd/dataplane/sysctl.h"

#define ROUTE_PRIORITY 1024
#define SET_BUDGET 16384 /* members per turn of the loop */
#define LOCK_RETRY_MS 50
#define CHAIN_RETRY_MS 1000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define POST_CHECK_MIN_MS                                                                          \
	5000 /* after a write the table is looked at again, ever more rarely: others may have      \
	        overwritten it */
#define POST_CHECK_MAX_MS 3600000

/* ---- time */

static void deadline_in(struct deadline *d, int64_t ms)
{
	d->at = mono_after(mono_now(), ms);
	d->set = true;
}

static bool deadline_passed(const struct deadline *d)
{
	return d->set && mono_since_ms(d->at) >= 0;
}

static void deadline_earlier(int64_t *ms, const struct deadline *d)
{
	int64_t left;

	if (!d->set)
		return;
	left = -mono_since_ms(d->at);
	if (left < 0)
		left = 0;
	if (*ms < 0 || left < *ms)
		*ms = left;
}

static void on_timer(uv_timer_t *timer)
{
	struct dataplane *dp = timer->data;
	struct err err;

	(void)dataplane_apply(dp, &err); /* logs its failures */
}

void dataplane_soon(struct dataplane *dp)
{
	if (dp->timer.data && !uv_is_closing((uv_handle_t *)&dp->timer))
		(void)uv_timer_start(&dp->timer, on_timer, 0, 0);
}

static void sleep_until_next(struct dataplane *dp, int64_t sweep_ms)
{
	int64_t ms = sweep_ms, forget_ms = forget_due_ms(dp->forget);

	deadline_earlier(&ms, &dp->retry);
	deadline_earlier(&ms, &dp->next_iptables);
	deadline_earlier(&ms, &dp->next_ipsets);
	deadline_earlier(&ms, &dp->next_routes);
	deadline_earlier(&ms, &dp->post_check);
	if (forget_ms >= 0 && (ms < 0 || forget_ms < ms))
		ms = forget_ms;
	if (ms >= 0)
		(void)uv_timer_start(&dp->timer, on_timer, (uint64_t)ms, 0);
	else
		(void)uv_timer_stop(&dp->timer);
}

static void refresh_in(struct deadline *d, unsigned ms)
{
	if (ms)
		deadline_in(d, ms);
}

/* What is due to be read back. */
static void doubt_what_is_due(struct dataplane *dp, bool *ret_routes)
{
	if (deadline_passed(&dp->next_iptables)) {
		dp->tables.ops->doubt(dp->tables.self);
		refresh_in(&dp->next_iptables, dp->config.refresh_iptables_ms);
	}
	if (deadline_passed(&dp->post_check)) {
		dp->tables.ops->doubt(dp->tables.self);
		dp->post_check.set = false;
		if (dp->post_check_ms < POST_CHECK_MAX_MS / 2) {
			dp->post_check_ms *= 2;
			deadline_in(&dp->post_check, dp->post_check_ms);
		}
	}
	if (deadline_passed(&dp->next_ipsets)) {
		dp->sets.ops->doubt(dp->sets.self);
		refresh_in(&dp->next_ipsets, dp->config.refresh_ipsets_ms);
	}
	if (dp->nft && dp->nft->foreign) {
		dp->nft->foreign = false;
		dp->tables.ops->doubt(dp->tables.self);
		dp->sets.ops->doubt(dp->sets.self);
	}
	*ret_routes = !dp->read || dp->read_again;
	if (deadline_passed(&dp->next_routes)) {
		*ret_routes = true;
		refresh_in(&dp->next_routes, dp->config.refresh_routes_ms);
	}
}

static void after_write(struct dataplane *dp)
{
	uint64_t writes = dp->tables.ops->stats(dp->tables.self).writes;

	if (writes == dp->seen_writes)
		return;
	dp->seen_writes = writes;
	dp->post_check_ms = dp->config.post_check_ms ? dp->config.post_check_ms : POST_CHECK_MIN_MS;
	/* 0: never read back; nftables tell. */
	if (dp->config.refresh_iptables_ms && !dp->nft)
		deadline_in(&dp->post_check, dp->post_check_ms);
}

/* ---- failures */

struct outcome {
	int code; /* the first failure */
	bool more;
	struct err *err;
	struct err first;
};

static bool failed(struct dataplane *dp, struct outcome *o, int rc, const struct err *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT(5, 10000);
	unsigned held;

	if (rc >= 0)
		return false;
	dp->failures++;
	if (log_limit_pass(&limit, &held))
		log_warn("the kernel refused: it is tried again", "why=%s held_back=%u",
		         LOG_VIS(why->text), held);
	if (o->code == 0) {
		o->code = rc;
		o->first = *why;
		if (o->err)
			*o->err = *why;
	}
	return true;
}

/* ---- steps */

static void note_gone(void *arg, const struct ip_addr *addr)
{
	struct dataplane *dp = arg;

	forget_add(dp->forget, addr);
}

static int read_kernel(struct dataplane *dp, struct err *err)
{
	bool everything = !dp->read || dp->read_again;
	int rc = everything ? links_read(dp->links, dp->rt, events_link_changed, dp, err) : 0;

	if (rc == 0)
		rc = routes_read(dp->routes, everything, err);
	if (rc == 0 && dp->neighs_read)
		rc = neighs_doubt(dp->neighs, err);
	if (rc < 0)
		return rc;
	dp->read = true;
	dp->read_again = false;
	return 0;
}

static void tell(struct dataplane *dp, struct endpoint *ep, int code, const char *text)
{
	ep->told = code == 0;
	if (dp->fn)
		dp->fn(dp->fn_arg, ep->ns, ep->name, ep->revision, code, text);
}

/* ---- connections of those who were there before */

static bool in_a_pool(void *arg, const struct ip_addr *addr)
{
	struct dataplane *dp = arg;

	hmap_for_each (p, &dp->pools, struct pool, node)
		if (ip_prefix_contains(&p->cidr, addr))
			return true;
	return false;
}

/* What another left behind while nobody looked: not what goes on where an earlier run had it. */
static void forget_suspects(struct dataplane *dp, const struct endpoint *ep)
{
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct ip_prefix *a = &ep->e->addrs[i];

		if (a->addr.family == dp->render.family && forget_clear(dp->forget, &a->addr) &&
		    !route_is_left_over(dp->routes, a, ep->interface))
			forget_add(dp->forget, &a->addr);
	}
}

static bool holds_an_address_of(const struct dataplane *dp, const struct endpoint *ep)
{
	for (size_t i = 0; i < ep->e->n_addrs; i++)
		if (forget_holds(dp->forget, &ep->e->addrs[i].addr))
			return true;
	return false;
}

/* Somebody has an address again whose connections are not yet forgotten? */
static bool forgetting_is_waited_for(struct dataplane *dp)
{
	if (forget_due_ms(dp->forget) < 0)
		return false;
	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id)
		if (ep->stage != STAGE_SHADOWED && holds_an_address_of(dp, ep))
			return true;
	return false;
}

static void forget_connections(struct dataplane *dp, struct outcome *o)
{
	struct err why;

	/* Where connections cannot be listed (a kernel without their netlink), pods have to do
	 * without: nothing can be suspected then. */
	if (!dp->looked && forget_suspect(dp->forget, dp->render.family, in_a_pool, dp, &why) < 0)
		log_warn("connections of earlier pods are not known", "why=%s", LOG_VIS(why.text));
	dp->looked = true;
	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id)
		if (ep->stage == STAGE_CHAINS)
			forget_suspects(dp, ep);
	if (forget_due_ms(dp->forget) == 0 || forgetting_is_waited_for(dp))
		(void)failed(dp, o, forget_now(dp->forget, &why), &why);
}

/* ---- endpoints */

/* Chains are committed: what they guard may be reached. */
static void endpoint_guarded(struct dataplane *dp, struct endpoint *ep)
{
	static const struct mac_addr none;
	char name[CHAIN_NAME_MAX];
	struct err why;

	if (holds_an_address_of(dp, ep)) {
		tell(dp, ep, -EAGAIN,
		     "connections of the address's last owner cannot be forgotten");
		return;
	}
	for (unsigned to = 0; to < 2; to++) {
		name_endpoint_chain(name, to, ep->interface);
		if (dp->tables.ops->chain_failed(dp->tables.self, TABLE_FILTER, name, &why)) {
			tell(dp, ep, why.code, why.text);
			return;
		}
	}
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct ip_prefix *a = &ep->e->addrs[i];

		if (a->addr.family != dp->render.family)
			continue;
		if (a->addr.family == AF_INET && memcmp(&ep->e->mac, &none, sizeof(none)) != 0)
			neigh_want(dp->neighs, &a->addr, ep->interface, &ep->e->mac);
		route_want(dp->routes, a, ep->interface);
	}
	ep->wished = true;
	ep->stage = STAGE_HOST;
}

static int endpoint_sysctls(struct dataplane *dp, struct endpoint *ep, struct err *err)
{
	bool up;
	int ifindex = link_index(dp->links, ep->interface, &up), rc;

	if (!up || ep->configured == ifindex)
		return 0;
	rc = sysctl_workload(ep->interface, dp->rp_filter, dp->config.ipv6, err);
	if (rc == -ENOENT) /* gone in between: a link event is on its way */
		return 0;
	if (rc == 0)
		ep->configured = ifindex;
	return rc;
}

/* Everything of the endpoint in the kernel? */
static bool endpoint_settled(struct dataplane *dp, const struct endpoint *ep)
{
	static const struct mac_addr none;
	int ifindex = link_index(dp->links, ep->interface, NULL);

	if (!ifindex || ep->configured != ifindex)
		return false;
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct ip_prefix *a = &ep->e->addrs[i];

		if (a->addr.family != dp->render.family ||
		    route_has_other_owner(dp->routes, a, ep->interface))
			continue;
		if (!route_in_kernel(dp->routes, a, ep->interface))
			return false;
		if (a->addr.family == AF_INET && memcmp(&ep->e->mac, &none, sizeof(none)) != 0 &&
		    !neigh_in_kernel(dp->neighs, &a->addr, ep->interface))
			return false;
	}
	return true;
}

void dataplane_say_state(struct dataplane *dp, struct endpoint *ep, bool up)
{
	if (ep->said_up == up)
		return;
	ep->said_up = up;
	if (dp->state_fn)
		dp->state_fn(dp->state_arg, ep->e, up);
}

static bool endpoint_up(const struct dataplane *dp, const struct endpoint *ep)
{
	bool up = false;

	return ep->stage == STAGE_DONE && link_index(dp->links, ep->interface, &up) && up;
}

static void settle(struct dataplane *dp, struct outcome *o, bool chains_ok)
{
	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id) {
		if (ep->stage == STAGE_HOST && endpoint_settled(dp, ep))
			ep->stage = STAGE_DONE;
		if (ep->stage == STAGE_DONE && !ep->told)
			tell(dp, ep, 0, "");
		else if (ep->stage == STAGE_SHADOWED && !ep->told)
			tell(dp, ep, -EADDRINUSE, "another endpoint has the interface");
		if (ep->stage == STAGE_CHAINS || ep->stage == STAGE_HOST)
			o->more = true;
		/* One that is rendered anew stays up meanwhile. */
		if (ep->stage != STAGE_CHAINS || !ep->wished)
			dataplane_say_state(dp, ep, endpoint_up(dp, ep));
	}
	while (chains_ok && dp->removed) {
		struct removed *r = dp->removed;

		dp->removed = r->next;
		if (dp->fn)
			dp->fn(dp->fn_arg, r->ns, r->name, r->revision, 0, "");
		free(r->ns);
		free(r->name);
		free(r);
	}
}

/* Sets and chains. true: the kernel has all of them. */
static bool apply_policy(struct dataplane *dp, struct outcome *o)
{
	struct err why;
	int rc;

	if (dp->host_addrs_dirty)
		(void)failed(dp, o, events_read_host_addrs(dp, &why), &why);
	if (dp->pools_dirty)
		wishes_render_pools(dp);
	if (dp->dispatch_dirty)
		wishes_render_dispatch(dp);
	if (dp->hosts_dirty)
		hosts_render(dp);
	if (dp->sets.ops->pending(dp->sets.self)) {
		rc = dp->sets.ops->apply(dp->sets.self, SET_BUDGET, &why);
		if (rc == -EAGAIN || rc > 0) { /* somebody else was faster; the budget is used up */
			o->more = true;
			deadline_in(&dp->retry, 0);
			return false;
		}
		if (failed(dp, o, rc, &why))
			return false;
	}
	rc = dp->tables.ops->apply(dp->tables.self, &why);
	after_write(dp);
	if (rc == -EBUSY || rc == -EAGAIN) {
		o->more = true;
		deadline_in(&dp->retry,
		            dp->config.lock_probe_ms ? dp->config.lock_probe_ms : LOCK_RETRY_MS);
		return false;
	}
	if (failed(dp, o, rc, &why))
		return false;
	if (dp->tables.ops->pending(dp->tables.self)) { /* a chain could not be made */
		o->more = true;
		deadline_in(&dp->retry, CHAIN_RETRY_MS);
	}
	dp->tables.ops->prune(dp->tables.self, TABLE_FILTER, "cali-gi-");
	dp->tables.ops->prune(dp->tables.self, TABLE_FILTER, "cali-go-");
	dp->tables.ops->prune(dp->tables.self, TABLE_FILTER, "cali-from-wl-dispatch-");
	dp->tables.ops->prune(dp->tables.self, TABLE_FILTER, "cali-to-wl-dispatch-");
	if (dp->hosts_rendered)
		hosts_prune(dp);
	return true;
}

static void apply_endpoints(struct dataplane *dp, struct outcome *o, bool chains_ok)
{
	struct err why;

	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id) {
		if (ep->stage == STAGE_CHAINS && chains_ok)
			endpoint_guarded(dp, ep);
		if (ep->stage == STAGE_HOST && failed(dp, o, endpoint_sysctls(dp, ep, &why), &why))
			tell(dp, ep, why.code, why.text);
	}
	/* An address that moves leaves its old place first. */
	(void)failed(dp, o, routes_remove(dp->routes, note_gone, dp, &why), &why);
	if (forgetting_is_waited_for(dp))
		(void)failed(dp, o, forget_now(dp->forget, &why), &why);
	if (chains_ok && !dp->neighs_read) {
		/* What an earlier run left is as good as new. */
		(void)failed(dp, o, neighs_doubt(dp->neighs, &why), &why);
		dp->neighs_read = true;
	}
	(void)failed(dp, o, neighs_apply(dp->neighs, &why), &why);
	(void)failed(dp, o, routes_add(dp->routes, &why), &why);
}

static void clean_other(struct dataplane *dp, struct outcome *o)
{
	struct err why;
	int rc = backends_clean_other(dp, &why);

	if (rc == -EBUSY || rc == -EAGAIN) {
		o->more = true;
		deadline_in(&dp->retry, LOCK_RETRY_MS);
	} else if (rc < 0) {
		/* Policy is in force; this is only tidiness. */
		log_warn("what the other backend left cannot be taken away", "why=%s",
		         LOG_VIS(why.text));
		dp->clean_other = false;
	} else {
		dp->clean_other = false;
	}
}

static int apply(struct dataplane *dp, struct err *err)
{
	struct outcome o = { .err = err };
	int64_t sweep_ms = -1;
	bool read_routes, chains_ok;
	struct err why;

	dp->retry.set = false;
	doubt_what_is_due(dp, &read_routes);
	if (read_routes)
		(void)failed(dp, &o, read_kernel(dp, &why), &why);
	if (dp->read) {
		why.code = 0;
		sweep_ms = routes_sweep(dp->routes, note_gone, dp, &why);
		(void)failed(dp, &o, why.code, &why);
		(void)failed(dp, &o, routes_remove(dp->routes, note_gone, dp, &why), &why);
		forget_connections(dp, &o);
	}
	chains_ok = dp->read && apply_policy(dp, &o);
	if (dp->read)
		apply_endpoints(dp, &o, chains_ok);
	if (chains_ok && dp->clean_other)
		clean_other(dp, &o);
	if (chains_ok && dp->sets.ops->destroy_unwanted(dp->sets.self)) {
		o.more = true;
		deadline_in(&dp->retry, 0);
	}
	settle(dp, &o, chains_ok && !routes_dirty(dp->routes));
	if (o.code < 0) {
		dp->backoff_ms = dp->backoff_ms ? dp->backoff_ms * 2 : BACKOFF_MIN_MS;
		if (dp->backoff_ms > BACKOFF_MAX_MS)
			dp->backoff_ms = BACKOFF_MAX_MS;
		deadline_in(&dp->retry, dp->backoff_ms);
	} else if (chains_ok) {
		if (dp->failing)
			log_info("the kernel is in step again", "failures=%llu",
			         (unsigned long long)dp->failures);
		dp->backoff_ms = 0;
	}
	dp->failing = o.code < 0;
	dp->in_step = o.code >= 0 && chains_ok && !routes_dirty(dp->routes);
	if (o.code < 0)
		dp->why = o.first;
	sleep_until_next(dp, sweep_ms);
	return o.code < 0 ? o.code : o.more;
}

int dataplane_apply(struct dataplane *dp, struct err *err)
{
	uint64_t began = uv_hrtime();
	int rc;

	if (!dp->in_sync)
		return 0;
	rc = apply(dp, err);
	summary_observe(&dp->apply_sec, (double)(uv_hrtime() - began) / 1e9, mono_now());
	return rc;
}

bool dataplane_in_step(const struct dataplane *dp, const char **ret_why)
{
	*ret_why = dp->failing ? dp->why.text : NULL;
	return dp->in_step;
}

/* ---- life */

static int open_managers(struct dataplane *dp, struct err *err)
{
	const char *mode = dp->config.chain_insert_mode;
	struct route_config rc = { .family = AF_INET,
		                   .protocol = dp->config.device_route_protocol
		                                       ? (uint8_t)dp->config.device_route_protocol
		                                       : 3,
		                   .priority = ROUTE_PRIORITY };
	int r;

	if (mode && *mode && strcasecmp(mode, "insert") != 0 && strcasecmp(mode, "append") != 0)
		return err_set(err, -EINVAL, "ChainInsertMode: '%s' is neither insert nor append",
		               mode);
	r = backends_choose(dp, AF_INET, err);
	if (r == 0)
		r = render_config_init(&dp->render, &dp->config, AF_INET, err);
	if (r < 0)
		return r;
	rc.prefixes = dp->render.prefixes;
	rc.n_prefixes = dp->render.n_prefixes;
	r = nl_conn_open(NETLINK_ROUTE, -1, &dp->rt, err);
	if (r == 0)
		r = nl_conn_open(NETLINK_NETFILTER, -1, &dp->nf, err);
	if (r == 0)
		dp->forget = forget_new(dp->nf);
	if (r == 0)
		r = backends_open(dp, err);
	if (r < 0)
		return r;
	dp->links = links_new();
	dp->routes = routes_new(&rc, dp->rt, dp->links);
	dp->neighs = neighs_new(dp->rt, dp->links);
	return 0;
}

int dataplane_new(uv_loop_t *loop, const struct dataplane_config *config, dataplane_endpoint_fn *fn,
                  void *arg, struct dataplane **ret, struct err *err)
{
	struct dataplane *dp = xcalloc(1, sizeof(*dp));
	struct err why;
	int rc;

	dp->config = *config;
	dp->fn = fn;
	dp->fn_arg = arg;
	(void)uv_timer_init(loop, &dp->timer);
	dp->timer.data = dp;
	dp->open_handles = 1;
	rc = open_managers(dp, err);
	if (rc == 0)
		rc = events_open(dp, loop,
		                 err); /* before the first reading, so that nothing falls between */
	if (rc == 0 && dp->nft)
		rc = events_open_nft(dp, loop, err);
	if (rc == 0)
		rc = links_read(dp->links, dp->rt, events_link_changed, dp, err);
	if (rc < 0) {
		dataplane_free(dp);
		return rc;
	}
	sysctl_default_rp_filter(dp->rp_filter);
	if (sysctl_host(config->ipv6, &why) < 0)
		log_warn("the host does not forward", "why=%s", LOG_VIS(why.text));
	render_static(&dp->render, &dp->sink);
	dp->sets.ops->want(dp->sets.self, "dscp-src-net", IPSET_NET, NULL, 0);
	dp->sets.ops->want(dp->sets.self, "this-host", IPSET_IP, NULL, 0);
	dp->pools_dirty = dp->dispatch_dirty = dp->hosts_dirty = dp->host_addrs_dirty = true;
	refresh_in(&dp->next_iptables, dp->config.refresh_iptables_ms);
	refresh_in(&dp->next_ipsets, config->refresh_ipsets_ms);
	refresh_in(&dp->next_routes, config->refresh_routes_ms);
	*ret = dp;
	return 0;
}

void dataplane_on_state(struct dataplane *dp, dataplane_state_fn *fn, void *arg)
{
	dp->state_fn = fn;
	dp->state_arg = arg;
}

int dataplane_configure(struct dataplane *dp, const struct dataplane_config *new_config,
                        struct err *err)
{
	struct dataplane_config adapted = *new_config;
	const struct dataplane_config *config = &adapted;
	struct render_config render;
	int rc;

	backends_adapt(dp, &adapted);
	rc = render_config_init(&render, config, dp->render.family, err);
	if (rc < 0)
		return rc;
	/* The prefixes stay where they are: others point to them. */
	free(render.prefix_text);
	memcpy(render.prefixes, dp->render.prefixes, sizeof(render.prefixes));
	render.n_prefixes = dp->render.n_prefixes;
	render.prefix_text = dp->render.prefix_text;
	dp->render = render;
	dp->config = *config;
	backends_configured(dp);
	render_static(&dp->render, &dp->sink);
	dp->pools_dirty = dp->dispatch_dirty = dp->hosts_dirty = true;
	dp->next_iptables.set = dp->next_ipsets.set = dp->next_routes.set = false;
	refresh_in(&dp->next_iptables, config->refresh_iptables_ms);
	refresh_in(&dp->next_ipsets, config->refresh_ipsets_ms);
	refresh_in(&dp->next_routes, config->refresh_routes_ms);
	if (!config->refresh_iptables_ms)
		dp->post_check.set = false;
	dataplane_soon(dp);
	return 0;
}

void dataplane_on_closed(void *dataplane)
{
	struct dataplane *dp = dataplane;

	if (--dp->open_handles == 0)
		free(dp);
}

static void on_closed(uv_handle_t *h)
{
	dataplane_on_closed(h->data);
}

void dataplane_free(struct dataplane *dp)
{
	if (!dp)
		return;
	hmap_for_each (ep, &dp->endpoints, struct endpoint, by_id) {
		endpoint_copy_free(ep->e);
		free(ep->ns);
		free(ep->name);
		free(ep);
	}
	hmap_for_each (p, &dp->pools, struct pool, node)
		free(p);
	while (dp->removed) {
		struct removed *r = dp->removed;

		dp->removed = r->next;
		free(r->ns);
		free(r->name);
		free(r);
	}
	hosts_done(dp);
	hmap_done(&dp->endpoints);
	hmap_done(&dp->interfaces);
	hmap_done(&dp->pools);
	forget_free(dp->forget);
	routes_free(dp->routes);
	neighs_free(dp->neighs);
	backends_close(dp);
	links_free(dp->links);
	nl_conn_close(dp->rt);
	nl_conn_close(dp->nf);
	render_config_done(&dp->render);
	nl_watch_close(dp->watch);
	nl_watch_close(dp->nft_watch);
	summary_done(&dp->apply_sec);
	uv_close((uv_handle_t *)&dp->timer, on_closed);
}
