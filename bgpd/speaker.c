/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration in use, the turn of the loop, and our own restart. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "bgpd/bgpd.h"
#include "bgpd/export.h"
#include "bgpd/peer.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define SELECT_PER_TURN 8192u
#define ABSENT_MS                                                                                  \
	10000 /* after a restart, a peer that has not connected by then is not waited for before   \
	         choosing */
#define SETTLE_TICK_MS 250

/* ---- the kernel's side of a best path ---- */

static bool kernel_route_of(const struct bgpd *b, const struct rib_entry *e, struct rt_route *ret)
{
	const struct config *c = b->config;
	const struct path *best = e->best;
	struct policy_route route;
	uint32_t lp;

	*ret = (struct rt_route){ .dst = e->node.prefix };
	if (!best)
		return false;
	if (best->source->kind == ROUTE_NETWORK) {
		for (unsigned low = 0, high = c->n_networks; low < high;) { /* they are sorted */
			unsigned mid = (low + high) / 2;
			int r = ip_prefix_cmp(&e->node.prefix, &c->networks[mid].prefix);

			if (r == 0) {
				ret->type = RTN_BLACKHOLE;
				return c->networks[mid].blackhole;
			}
			if (r < 0)
				high = mid;
			else
				low = mid + 1;
		}
		return false;
	}
	if (best->source->kind != ROUTE_BGP || !best->nexthop->resolved)
		return false;
	route = (struct policy_route){ .prefix = e->node.prefix, .source = ROUTE_BGP };
	if (c->program && !policy_match(c->program, &route))
		return false;
	lp = path_local_pref(best);
	ret->type = RTN_UNICAST;
	ret->via = best->nexthop->via.family ? best->nexthop->via : best->nexthop->addr;
	ret->ifindex = best->nexthop->ifindex;
	/* bgp.md A10.2 */
	ret->priority = c->has_metric                ? c->metric
	                : lp < CONFIG_LOCAL_PREF_MAX ? CONFIG_LOCAL_PREF_MAX - lp
	                                             : 1;
	return true;
}

static void on_best_changed(void *arg, struct rib_entry *e)
{
	struct bgpd *b = arg;
	struct rt_route rt;

	if (b->kernel) {
		if (kernel_route_of(b, e, &rt))
			kernel_want(b->kernel, &rt);
		else
			kernel_unwant(b->kernel, &e->node.prefix);
	}
	export_changed(b, e);
}

/* ---- routes of others in the kernel ---- */

/* The kernel prefers the least metric; so do we. */
static void learn(struct bgpd *b, const struct ip_prefix *dst)
{
	const struct config *c = b->config;
	const struct fib_route *r = fib_routes(&b->fib, dst);
	struct policy_route route = { .prefix = *dst, .source = ROUTE_KERNEL };
	struct attr_set set = { .origin = BGP_ORIGIN_IGP, .has = ATTR_HAS_LOCAL_PREF };
	struct path_spec spec = { .preference = PREFERENCE_KERNEL };
	const struct policy_rule *rule = NULL;
	uint32_t metric;

	if (r && c && c->learn && r->rt.type == RTN_UNICAST && r->rt.protocol != RTPROT_KERNEL &&
	    r->rt.protocol != RTPROT_REDIRECT) {
		route.interface = fib_link_name(&b->fib, r->rt.ifindex);
		rule = policy_match(c->learn, &route);
	}
	if (!rule) {
		(void)rib_remove(&b->rib, &b->learned, dst);
		return;
	}
	metric = r->rt.priority && r->rt.priority < CONFIG_LOCAL_PREF_MAX ? r->rt.priority
	                                                                  : c->priority;
	set.local_pref = rule->set_local_pref ? rule->local_pref : CONFIG_LOCAL_PREF_MAX - metric;
	spec.ifindex = r->rt.ifindex;
	spec.attrs = attrs_intern(&b->rib.attrs, &set);
	if (spec.attrs)
		(void)rib_set(&b->rib, &b->learned, dst, &spec);
}

static void learn_again(struct bgpd *b)
{
	for (int f = 0; f < BGP_FAMILIES; f++)
		trie_for_each(n, &b->fib.tries[f]) learn(b, &n->prefix);
}

static void on_alien(void *arg, const struct rt_route *rt)
{
	learn(arg, &rt->dst);
}

static void on_kernel_wake(void *arg)
{
	speaker_wake(arg);
}

static const struct kernel_ops kernel_ops = { on_alien, on_kernel_wake };

/* ---- the turn ---- */

static void on_turn(uv_idle_t *idle)
{
	struct bgpd *b = idle->data;
	bool more = false;

	fib_recheck(&b->fib, &b->rib);
	if (!b->restarting)
		more = rib_select(&b->rib, SELECT_PER_TURN);
	if (!more)
		(void)uv_idle_stop(idle); /* what follows may wake us again */
	if (b->kernel)
		kernel_apply(b->kernel);
	export_flush(b);
}

void speaker_wake(struct bgpd *b)
{
	if (!uv_is_active((uv_handle_t *)&b->turn) && !uv_is_closing((uv_handle_t *)&b->turn))
		(void)uv_idle_start(&b->turn, on_turn);
}

void speaker_drain(struct bgpd *b)
{
	fib_recheck(&b->fib, &b->rib);
	while (rib_select(&b->rib, SELECT_PER_TURN))
		;
	if (b->kernel)
		kernel_apply(b->kernel);
	export_flush(b);
}

/* ---- our own restart: RFC 4724 section 4.1 ---- */

static bool all_settled(const struct bgpd *b, bool and_absent)
{
	list_for_each (it, &b->peers)
		if (!peer_settled(list_entry(it, struct peer, link), and_absent))
			return false;
	return true;
}

static void end_restart(struct bgpd *b, const char *why)
{
	b->restarting = false;
	log_info("restart is over: choosing routes", "why=\"%s\" after_ms=%lld", why,
	         (long long)mono_since_ms(b->restart_began));
	speaker_drain(b);
	list_for_each (it, &b->peers)
		export_join(list_entry(it, struct peer, link));
	speaker_status(b);
}

void speaker_settle(struct bgpd *b)
{
	int64_t ms;

	if (!b->config || b->stopping)
		return;
	ms = mono_since_ms(b->restart_began);
	if (b->restarting) {
		if (all_settled(b, ms >= ABSENT_MS))
			end_restart(b, ms >= ABSENT_MS
			                       ? "the peers that are there have said all they know"
			                       : "all peers have said what they know");
		else if (ms >= b->config->graceful.deferral_sec * 1000)
			end_restart(b, "deferral-time is over");
	}
	if (b->restarting)
		return;
	if (b->kernel && !kernel_swept(b->kernel)) {
		if (!all_settled(b, false) && ms < b->config->graceful.stale_sec * 1000)
			return;
		speaker_drain(b);
		kernel_sweep(b->kernel);
	}
	(void)uv_timer_stop(&b->deferral);
}

static void on_settle_tick(uv_timer_t *t)
{
	speaker_settle(t->data);
}

void speaker_status(struct bgpd *b)
{
	unsigned up = 0, all = 0;
	char text[128];

	if (b->stopping)
		return;
	if (!b->config) {
		daemon_ready(b->d, false, "waiting for a configuration");
		return;
	}
	list_for_each (it, &b->peers) {
		const struct peer *p = list_entry(it, struct peer, link);

		if (p->cfg->disabled)
			continue;
		all++;
		up += peer_established(p);
	}
	(void)snprintf(text, sizeof(text), "%u of %u peers established%s", up, all,
	               b->restarting ? ", waiting for their routes after a restart" : "");
	/* Running is ready: how many peers there must be is the operator's question, and the text
	 * answers it. */
	daemon_ready(b->d, true, text);
}

/* ---- the configuration ---- */

static const struct config_network *find_network(const struct config *c, const struct ip_prefix *p)
{
	for (unsigned low = 0, high = c ? c->n_networks : 0; low < high;) {
		unsigned mid = (low + high) / 2;
		int r = ip_prefix_cmp(p, &c->networks[mid].prefix);

		if (r == 0)
			return &c->networks[mid];
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static void apply_networks(struct bgpd *b, const struct config *old)
{
	struct attr_set set = {
		.origin = BGP_ORIGIN_IGP,
		.has = ATTR_HAS_LOCAL_PREF,
		.local_pref = CONFIG_LOCAL_PREF_MAX - b->config->priority,
	};

	for (unsigned i = 0; old && i < old->n_networks; i++)
		if (!find_network(b->config, &old->networks[i].prefix))
			(void)rib_remove(&b->rib, &b->networks, &old->networks[i].prefix);
	for (unsigned i = 0; i < b->config->n_networks; i++) {
		const struct ip_prefix *p = &b->config->networks[i].prefix;
		const struct config_network *was = find_network(old, p);
		struct path_spec spec = { .preference = PREFERENCE_NETWORK,
			                  .attrs = attrs_intern(&b->rib.attrs, &set) };
		struct path *path = spec.attrs ? rib_set(&b->rib, &b->networks, p, &spec) : NULL;

		if (path && was && was->blackhole != b->config->networks[i].blackhole)
			rib_touch(&b->rib, path->entry, true);
	}
}

static void touch_all(struct bgpd *b)
{
	for (int f = 0; f < BGP_FAMILIES; f++)
		trie_for_each(n, &b->rib.tries[f])
		        rib_touch(&b->rib, container_of(n, struct rib_entry, node), true);
}

static void apply_peers(struct bgpd *b, bool reset_all)
{
	static const struct bgp_notice gone = { .code = BGP_ERR_CEASE,
		                                .subcode = BGP_CEASE_DECONFIGURED };
	const struct config *c = b->config;

	list_for_each_safe (it, &b->peers) {
		struct peer *p = list_entry(it, struct peer, link);
		const struct config_peer *cfg = config_peer_find(c, p->name);

		if (!cfg || !ip_addr_eq(&cfg->address, &p->source.address)) {
			/* What it had in its hands belongs to the old configuration: it ends while
			 * that is still there. */
			log_info("peer removed", "peer=%s", LOG_VIS(p->name));
			peer_free(p, &gone);
			continue;
		}
		peer_reconfigure(p, cfg, reset_all || config_peer_needs_reset(p->cfg, cfg));
	}
	for (unsigned i = 0; i < c->n_peers; i++)
		if (!peer_find(b, &c->peers[i]->address))
			(void)peer_new(b, c->peers[i]);
	export_regroup(b);
	list_for_each (it, &b->peers) {
		struct peer *p = list_entry(it, struct peer, link);

		if (!uv_is_active((uv_handle_t *)&p->retry))
			peer_start(p);
	}
}

static int apply_kernel(struct bgpd *b, const struct config *c, struct err *err)
{
	int r;

	if (!c->kernel_on || b->kernel)
		return 0;
	b->fib.blind = false;
	r = kernel_open(b->loop, &b->fib, &kernel_ops, b, &b->kernel, err);
	if (r < 0)
		b->kernel = NULL;
	return r;
}

static void begin_restart(struct bgpd *b)
{
	b->restart_began = mono_now();
	/* Nothing of ours in the kernel: a node that has just booted, for whom there is nothing to
	 * preserve and nothing to wait for. */
	b->restarting = b->kernel && kernel_found(b->kernel) > 0 && b->config->graceful.on;
	(void)uv_timer_start(&b->deferral, on_settle_tick, SETTLE_TICK_MS, SETTLE_TICK_MS);
	if (b->restarting)
		log_info("restarted: the kernel's routes stay until the peers have spoken",
		         "routes=%u deferral_sec=%u", kernel_found(b->kernel),
		         b->config->graceful.deferral_sec);
}

int speaker_load(struct bgpd *b, struct config *c, struct err *err)
{
	struct config *old = b->config;
	bool reset_all;
	int r;

	r = apply_kernel(b, c, err);
	if (r == 0)
		r = listener_apply(b, c, err);
	if (r < 0) {
		config_free(c);
		return r;
	}
	b->config = c;
	b->reloaded_unix_sec = wall_unix_ns() / 1000000000u;
	if (!c->kernel_on && b->kernel) {
		kernel_close(b->kernel);
		b->kernel = NULL;
	}
	if (!c->kernel_on && !b->fib.blind)
		b->fib.blind = b->fib.changed = true;
	reset_all = old && (old->router_id != c->router_id || old->local_as != c->local_as);
	if (!old)
		begin_restart(b);
	apply_networks(b, old);
	learn_again(b);
	if (old && (old->has_metric != c->has_metric || old->metric != c->metric ||
	            old->kernel_on != c->kernel_on || !policy_eq(old->program, c->program)))
		touch_all(b);
	apply_peers(b, reset_all);
	if (old && c->kernel_on &&
	    !old->kernel_on) { /* what was there before is told apart at once */
		speaker_drain(b);
		kernel_sweep(b->kernel);
	}
	config_free(old);
	speaker_wake(b);
	speaker_settle(b);
	speaker_status(b);
	log_info("configuration loaded", "peers=%u networks=%u local_as=%u", c->n_peers,
	         c->n_networks, c->local_as);
	return 0;
}

/* ---- life ---- */

int speaker_start(struct bgpd *b, struct err *err)
{
	(void)err;
	list_init(&b->peers);
	list_init(&b->groups);
	b->random = (uint32_t)mono_now().ms ^ ((uint32_t)getpid() << 16) ^ (uint32_t)wall_unix_ns();
	b->unknown_limit = (struct log_limit)LOG_LIMIT_INIT(3, 10000);
	b->malformed_limit = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	rib_init(&b->rib, on_best_changed, b);
	rib_source_init(&b->networks, ROUTE_NETWORK, "network");
	rib_source_init(&b->learned, ROUTE_KERNEL, "kernel");
	fib_init(&b->fib);
	(void)uv_idle_init(b->loop, &b->turn);
	(void)uv_timer_init(b->loop, &b->deferral);
	b->turn.data = b->deferral.data = b;
	return 0;
}

void speaker_stop(struct bgpd *b)
{
	static const struct bgp_notice shutdown = { .code = BGP_ERR_CEASE,
		                                    .subcode = BGP_CEASE_SHUTDOWN };

	b->stopping = true;
	listener_stop(b);
	/* The kernel's routes are not touched any more, whatever happens to the RIB from here on.
	 */
	kernel_close(b->kernel);
	b->kernel = NULL;
	list_for_each (it, &b->peers) {
		struct peer *p = list_entry(it, struct peer, link);

		/* Nothing is said any more about routes either: the peers are to keep them. */
		export_leave(p);
	}
	list_for_each_safe (it, &b->peers) {
		struct peer *p = list_entry(it, struct peer, link);
		/* A peer that keeps our routes while we are away must hear nothing: a NOTIFICATION
		 * would end that (RFC 4724 section 4). */
		bool graceful = p->live && p->cfg->graceful.on && p->open.gr;

		peer_free(p, graceful ? NULL : &shutdown);
	}
	(void)rib_flush(&b->rib, &b->networks, 0xFF, false);
	(void)rib_flush(&b->rib, &b->learned, 0xFF, false);
	rib_done(&b->rib);
	fib_done(&b->fib);
	uv_close((uv_handle_t *)&b->turn, NULL);
	uv_close((uv_handle_t *)&b->deferral, NULL);
	hmap_done(&b->peers_by_addr);
	config_free(b->config);
	b->config = NULL;
}
