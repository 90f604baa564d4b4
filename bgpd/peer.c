/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/peer.h"

#include <string.h>

#include "bgpd/export.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define RETRY_FIRST_MS 250
#define RETRY_AFTER_ERROR_MS 1000
#define EAGER_ATTEMPTS 10 /* that many follow each other by ... */
#define EAGER_MS 1000     /* ... this at most, the rest by connect-retry */
#define STEADY_MS 10000   /* a session that lasted this long was a good one */
#define RESTART_BELIEVED_MS 5000
#define NO_GR_SETTLED_MS 5000 /* a peer without graceful restart need not send End-of-RIB */

static const struct bgp_notice collision = { .code = BGP_ERR_CEASE,
	                                     .subcode = BGP_CEASE_COLLISION };

static void on_retry(uv_timer_t *t);

static void set_error(struct peer *p, const char *text)
{
	(void)snprintf(p->last_error, sizeof(p->last_error), "%.150s", text);
}

/* ---- life ---- */

struct peer *peer_new(struct bgpd *b, const struct config_peer *cfg)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->b = b;
	p->cfg = cfg;
	p->name = xstrdup(cfg->name);
	rib_source_init(&p->source, ROUTE_BGP, p->name);
	p->source.internal = cfg->remote_as == b->config->local_as;
	p->source.address = cfg->address;
	p->since_unix_sec = wall_unix_ns() / 1000000000u;
	p->retry_ms = RETRY_FIRST_MS;
	list_init(&p->group_link);
	list_push_back(&b->peers, &p->link);
	hmap_insert(&b->peers_by_addr, &p->by_addr, ip_addr_hash(&cfg->address));
	(void)uv_timer_init(b->loop, &p->retry);
	(void)uv_timer_init(b->loop, &p->stale);
	p->retry.data = p->stale.data = p;
	p->open_handles = 2;
	peer_on_state(p);
	return p;
}

static void on_closed(uv_handle_t *h)
{
	struct peer *p = h->data;

	if (--p->open_handles == 0) {
		free(p->name);
		free(p);
	}
}

static void stop_sessions(struct peer *p, const struct bgp_notice *notice)
{
	/* Each call clears its slot, through peer_on_closed(). */
	if (p->in)
		session_stop(p->in, notice);
	if (p->out)
		session_stop(p->out, notice);
}

void peer_free(struct peer *p, const struct bgp_notice *notice)
{
	hmap_remove(&p->b->peers_by_addr, &p->by_addr);
	list_unlink(&p->link);
	stop_sessions(p, notice);
	(void)rib_flush(&p->b->rib, &p->source, 0xFF, false);
	speaker_drain(p->b);
	(void)uv_timer_stop(&p->retry);
	(void)uv_timer_stop(&p->stale);
	uv_close((uv_handle_t *)&p->retry, on_closed);
	uv_close((uv_handle_t *)&p->stale, on_closed);
}

struct peer *peer_find(const struct bgpd *b, const struct ip_addr *a)
{
	hmap_find(p, &b->peers_by_addr, ip_addr_hash(a), struct peer, by_addr,
	          ip_addr_eq(&p->source.address, a));

	return p;
}

bool peer_established(const struct peer *p)
{
	return p->live != NULL;
}

void peer_on_state(struct peer *p)
{
	enum fsm_state s = p->cfg->disabled || p->b->stopping ? FSM_IDLE : FSM_ACTIVE;

	if (p->out && p->out->fsm.state == FSM_CONNECT)
		s = FSM_CONNECT;
	if (p->out && p->out->fsm.state > s)
		s = p->out->fsm.state;
	if (p->in && p->in->fsm.state > s)
		s = p->in->fsm.state;
	if (s == p->shown)
		return;
	p->shown = s;
	p->since_unix_sec = wall_unix_ns() / 1000000000u;
	log_debug("peer state", "peer=%s state=%s", LOG_VIS(p->name), fsm_state_name(s));
	if (daemon_watched(p->b->d)) {
		CLEANUP(buf_done) struct buf json = { 0 };
		struct jsonw w;

		jsonw_init(&w, &json);
		jsonw_object(&w, NULL);
		jsonw_str(&w, "peer", p->name);
		jsonw_str(&w, "state", fsm_state_name(s));
		jsonw_end_object(&w);
		daemon_event(p->b->d, "peers", buf_cstr(&json));
	}
}

/* ---- connecting ---- */

static void schedule(struct peer *p, unsigned at_least_ms)
{
	unsigned max = p->cfg->timers.connect_retry_sec * 1000u;

	if (p->cfg->passive || p->cfg->disabled || p->b->stopping ||
	    uv_is_closing((uv_handle_t *)&p->retry))
		return;
	if (p->retry_ms < at_least_ms)
		p->retry_ms = at_least_ms;
	/* A mesh that has just changed is not yet the same everywhere: a refusal is soon out of
	 * date. */
	if (p->attempts < EAGER_ATTEMPTS && max > EAGER_MS)
		max = EAGER_MS;
	p->attempts++;
	if (p->retry_ms > max)
		p->retry_ms = max;
	(void)uv_timer_start(&p->retry, on_retry, (uint64_t)fsm_jitter(&p->b->random, p->retry_ms),
	                     0);
	p->retry_ms *= 2;
}

void peer_start(struct peer *p)
{
	struct err err = { 0 };

	if (p->cfg->passive || p->cfg->disabled || p->b->stopping || p->live || p->out)
		return;
	if (p->in) { /* the peer's own connection is on its way: wait for what becomes of it */
		schedule(p, 0);
		return;
	}
	p->out = session_dial(p, &err);
	if (!p->out) {
		if (!p->last_error[0])
			log_warn("cannot connect", "peer=%s error=\"%s\"", LOG_VIS(p->name),
			         err.text);
		set_error(p, err.text);
		schedule(p, 0);
	}
	peer_on_state(p);
}

static void on_retry(uv_timer_t *t)
{
	peer_start(t->data);
}

/* ---- the OPENs ---- */

void peer_open_built(const struct peer *p, struct wire_open *o)
{
	const struct config *c = p->b->config;

	*o = (struct wire_open){
		.as = c->local_as,
		.hold_sec = p->cfg->timers.hold_sec,
		.id = c->router_id,
		.as4 = true,
		.refresh = true,
		.families = p->cfg->families,
	};
	if (!p->cfg->graceful.on)
		return;
	o->gr = true;
	o->gr_sec = p->cfg->graceful.restart_sec;
	o->gr_restarting = p->b->restarting;
	o->gr_families = p->cfg->families;
	/*
	 * The kernel forwards whether we run or not. After a cold start it does not yet: then the
	 * peer must not believe in what it remembers of us. Without a kernel, there is no
	 * forwarding to preserve, and none to lose.
	 */
	if (p->b->restarting || p->was_up)
		o->gr_forwarding = p->cfg->families;
}

bool peer_on_open(struct peer *p, struct session *s)
{
	struct session *other = s == p->in ? p->out : p->in;
	bool ours_wins;

	if (!other)
		return true;
	if (other == p->live) {
		/*
		 * RFC 4724 section 4.2: the peer has restarted and we have not noticed. A
		 * connection that merely crossed the first one on its way comes at once and without
		 * the R bit: it loses.
		 */
		if (p->cfg->graceful.on && s->open.gr &&
		    (s->open.gr_restarting ||
		     mono_since_ms(other->established) > RESTART_BELIEVED_MS)) {
			log_info("peer has come back before it was missed", "peer=%s",
			         LOG_VIS(p->name));
			session_stop(other, NULL);
			return true;
		}
		p->b->stats.collisions++;
		session_stop(s, &collision);
		return false;
	}
	if (other->fsm.state == FSM_CONNECT) {
		session_stop(other, NULL);
		return true;
	}
	if (other->fsm.state != FSM_OPENCONFIRM)
		return true; /* decided when its OPEN comes */
	p->b->stats.collisions++;
	ours_wins = fsm_collision_ours_wins(p->b->config->router_id, p->b->config->local_as,
	                                    s->open.id, s->open.as);
	log_debug("connection collision", "peer=%s survivor=%s", LOG_VIS(p->name),
	          ours_wins ? "ours" : "theirs");
	if (s->ours == ours_wins) {
		session_stop(other, &collision);
		return true;
	}
	session_stop(s, &collision);
	return false;
}

/* ---- up and down ---- */

static void flush_stale(struct peer *p, uint8_t families)
{
	size_t n;

	families &= p->stale_families;
	if (!families)
		return;
	p->stale_families &= (uint8_t)~families;
	n = rib_flush(&p->b->rib, &p->source, families, true);
	if (n)
		log_info("stale routes removed", "peer=%s routes=%zu", LOG_VIS(p->name), n);
	if (!p->stale_families)
		(void)uv_timer_stop(&p->stale);
	speaker_wake(p->b);
}

static void on_stale(uv_timer_t *t)
{
	struct peer *p = t->data;

	flush_stale(p, 0xFF);
}

void peer_on_up(struct peer *p, struct session *s)
{
	struct session *other = s == p->in ? p->out : p->in;
	char text[IP_ADDR_STR_MAX];

	p->live = s;
	s->established = mono_now();
	if (other)
		session_stop(other, &collision);
	(void)uv_timer_stop(&p->retry);
	p->open = s->open;
	p->source.router_id = s->open.id;
	p->end_of_rib = 0;
	p->last_error[0] = '\0';
	/* RFC 4724 section 4.2: what the peer does not vouch for is gone. */
	flush_stale(p, (uint8_t) ~(s->open.gr ? s->open.gr_forwarding & s->wire.families : 0));
	if (p->stale_families)
		(void)uv_timer_start(&p->stale, on_stale, p->cfg->graceful.stale_sec * 1000u, 0);
	peer_on_state(p);
	log_info("peer established",
	         "peer=%s address=%s as=%u hold_sec=%u graceful_restart=%s restarting=%s",
	         LOG_VIS(p->name), ip_addr_str(&p->source.address, text), s->open.as,
	         s->fsm.hold_sec, s->open.gr && p->cfg->graceful.on ? "yes" : "no",
	         s->open.gr_restarting ? "yes" : "no");
	p->was_up = true;
	if (!p->b->restarting)
		export_join(p);
	speaker_settle(p->b);
	speaker_status(p->b);
}

static void lose_routes(struct peer *p, bool graceful)
{
	uint8_t keep = 0;

	if (graceful && !p->b->stopping && p->cfg->graceful.on && p->open.gr && p->open.gr_sec)
		keep = p->open.gr_families;
	/* RFC 4724 section 4.2: what was stale already has not been confirmed since, and goes. */
	flush_stale(p, 0xFF);
	(void)rib_flush(&p->b->rib, &p->source, (uint8_t)~keep, false);
	if (keep && rib_mark_stale(&p->b->rib, &p->source, keep)) {
		p->stale_families = keep;
		(void)uv_timer_start(&p->stale, on_stale, p->open.gr_sec * 1000u, 0);
		log_info("keeping the routes of a peer that restarts",
		         "peer=%s routes=%u restart_sec=%u", LOG_VIS(p->name), p->source.n_stale,
		         p->open.gr_sec);
	}
	speaker_wake(p->b);
}

void peer_on_closed(struct peer *p, struct session *s, bool up, const char *error)
{
	bool with_notice = s->fsm.notice.code != 0;
	bool lost_collision =
	        s->fsm.notice.code == BGP_ERR_CEASE && s->fsm.notice.subcode == BGP_CEASE_COLLISION;

	if (p->in == s)
		p->in = NULL;
	if (p->out == s)
		p->out = NULL;
	if (up) {
		if (mono_since_ms(s->established) > STEADY_MS) {
			p->retry_ms = RETRY_FIRST_MS;
			p->attempts = 0;
		}
		p->live = NULL;
		log_info("peer down", "peer=%s why=\"%s\"", LOG_VIS(p->name), error ? error : "");
		export_leave(p);
		lose_routes(p, !with_notice);
	} else if (error && !lost_collision) {
		/* Once for each time that it is down: attempts follow each other for as long as it
		 * takes. */
		log_at(p->last_error[0] ? LOG_DEBUG : LOG_INFO, "connection failed",
		       "peer=%s why=\"%s\"", LOG_VIS(p->name), error);
	}
	if (error && !lost_collision)
		set_error(p, error);
	peer_on_state(p);
	if (!p->in && !p->out)
		schedule(p, with_notice && !lost_collision ? RETRY_AFTER_ERROR_MS : 0);
	if (up)
		speaker_status(p->b);
}

void peer_on_drained(struct peer *p)
{
	if (p->behind)
		export_resume(p);
}

void peer_reconfigure(struct peer *p, const struct config_peer *cfg, bool reset)
{
	static const struct bgp_notice changed = { .code = BGP_ERR_CEASE,
		                                   .subcode = BGP_CEASE_CONFIG };
	static const struct bgp_notice shut = { .code = BGP_ERR_CEASE,
		                                .subcode = BGP_CEASE_SHUTDOWN };
	bool import_changed = !policy_eq(p->cfg->import, cfg->import);

	/* Without the peer's help, what the old policy refused cannot be had again. */
	if (import_changed && p->live && !p->live->open.refresh)
		reset = true;
	p->cfg = cfg;
	p->source.internal = cfg->remote_as == p->b->config->local_as;
	if (cfg->disabled) {
		(void)uv_timer_stop(&p->retry);
		stop_sessions(p, &shut);
	} else if (reset) {
		p->retry_ms = RETRY_FIRST_MS;
		stop_sessions(p, &changed);
		(void)rib_flush(&p->b->rib, &p->source, 0xFF, false);
	} else if (import_changed && p->live) {
		CLEANUP(buf_done) struct buf out = { 0 };

		for (unsigned f = 0; f < BGP_FAMILIES; f++)
			if (p->live->wire.families & (1u << f))
				wire_build_refresh(&out, f);
		session_send_buf(p->live, &out);
	}
	if (cfg->passive)
		(void)uv_timer_stop(&p->retry);
	peer_on_state(p);
}

/* ---- routes ---- */

static bool looped(const struct peer *p, const struct attr_set *set)
{
	struct cursor clusters = attr_cursor(&set->clusters);
	uint32_t id, own = p->b->config->router_id;

	if (attr_path_has(&set->as_path, p->b->config->local_as))
		return true; /* RFC 4271 section 9.1.2 */
	if ((set->has & ATTR_HAS_ORIGINATOR) && set->originator_id == own)
		return true; /* RFC 4456 section 8 */
	while (cursor_be32(&clusters, &id))
		if (id == own)
			return true;
	return false;
}

static void remove_list(struct peer *p, struct cursor list, enum bgp_family f)
{
	struct ip_prefix prefix;

	while (wire_prefix(&list, f, &prefix))
		(void)rib_remove(&p->b->rib, &p->source, &prefix);
}

static uint8_t preference_of(const struct peer *p, const struct attr_set *set)
{
	/* bgp.md A5.1: a route announced as more urgent than normal stands beside our own. */
	uint32_t normal = CONFIG_LOCAL_PREF_MAX - p->b->config->priority;

	return (set->has & ATTR_HAS_LOCAL_PREF) && set->local_pref > normal ? PREFERENCE_NETWORK
	                                                                    : PREFERENCE_BGP;
}

/* false: out of memory */
static bool add_list(struct peer *p, struct cursor list, enum bgp_family f,
                     const struct attr_set *set)
{
	struct rib *rib = &p->b->rib;
	const struct policy_rule *rule;
	struct attrs *plain, *special;
	struct nexthop *nh;
	struct ip_prefix prefix;
	bool ok = true;

	if (!cursor_left(&list))
		return true;
	plain = attrs_intern(&rib->attrs, set);
	nh = fib_nexthop(&p->b->fib, &set->next_hop);
	if (!plain || !nh) {
		attrs_unref(&rib->attrs, plain);
		return false;
	}
	while (ok && wire_prefix(&list, f, &prefix)) {
		struct policy_route route = { .prefix = prefix, .source = ROUTE_BGP };
		struct path_spec spec = { .attrs = plain,
			                  .nexthop = nh,
			                  .preference = preference_of(p, set) };

		if (wire_prefix_is_martian(&prefix))
			continue;
		rule = p->cfg->import ? policy_match(p->cfg->import, &route) : NULL;
		if (p->cfg->import && !rule) {
			(void)rib_remove(rib, &p->source, &prefix);
			continue;
		}
		if (rule && rule->set_local_pref) {
			struct attr_set changed = *set;

			changed.has |= ATTR_HAS_LOCAL_PREF;
			changed.local_pref = rule->local_pref;
			special = attrs_intern(&rib->attrs, &changed);
			if (!special) {
				ok = false;
				break;
			}
			spec.attrs = special;
			spec.preference = preference_of(p, &changed);
		} else {
			(void)attrs_ref(plain);
		}
		ok = rib_set(rib, &p->source, &prefix, &spec) != NULL;
	}
	attrs_unref(&rib->attrs, plain);
	return ok;
}

void peer_on_update(struct peer *p, const struct wire_update *u)
{
	struct attr_set mp = u->set;
	struct bgp_notice n = { .code = BGP_ERR_CEASE };
	bool ok = true;

	remove_list(p, u->withdrawn, BGP_IPV4);
	remove_list(p, u->mp_unreach, u->mp_unreach_family);
	if (!u->has_attrs || looped(p, &u->set)) {
		remove_list(p, u->nlri, BGP_IPV4);
		remove_list(p, u->mp_reach, u->mp_family);
	} else {
		mp.next_hop = u->mp_next_hop;
		mp.link_local = u->mp_link_local;
		ok = add_list(p, u->nlri, BGP_IPV4, &u->set) &&
		     add_list(p, u->mp_reach, u->mp_family, &mp);
	}
	speaker_wake(p->b);
	if (!ok) {
		n.subcode = BGP_CEASE_RESOURCES;
		log_error("out of memory; the session ends", "peer=%s", LOG_VIS(p->name));
		session_stop(p->live, &n);
		return;
	}
	if (p->source.n_paths > p->cfg->max_prefixes) {
		uint32_t max = p->cfg->max_prefixes;
		const uint8_t data[] = { 0,
			                 (uint8_t)bgp_family_afi(u->mp_reach.at < u->mp_reach.end
			                                                 ? u->mp_family
			                                                 : BGP_IPV4),
			                 BGP_SAFI_UNICAST,
			                 (uint8_t)(max >> 24),
			                 (uint8_t)(max >> 16),
			                 (uint8_t)(max >> 8),
			                 (uint8_t)max };

		n.subcode = BGP_CEASE_MAX_PREFIXES; /* RFC 4486 section 4 */
		memcpy(n.data, data, sizeof(data));
		n.len = sizeof(data);
		log_error("too many prefixes; the session ends", "peer=%s max_prefixes=%u",
		          LOG_VIS(p->name), max);
		session_stop(p->live, &n);
		return;
	}
	if (u->end_of_rib >= 0) {
		uint8_t bit = (uint8_t)(1u << u->end_of_rib);

		log_debug("end of rib", "peer=%s family=%s routes=%u", LOG_VIS(p->name),
		          bgp_family_name((enum bgp_family)u->end_of_rib), p->source.n_paths);
		p->end_of_rib |= bit;
		flush_stale(p, bit);
		speaker_settle(p->b);
	}
}

void peer_on_refresh(struct peer *p, enum bgp_family f)
{
	log_debug("route refresh", "peer=%s family=%s", LOG_VIS(p->name), bgp_family_name(f));
	export_again(p, f);
}

/* ---- our own restart ---- */

bool peer_settled(const struct peer *p, bool and_absent)
{
	if (p->cfg->disabled)
		return true;
	if (!p->live)
		return and_absent;
	if ((p->end_of_rib & p->live->wire.families) == p->live->wire.families)
		return true;
	if (p->open.gr)
		return p->open
		        .gr_restarting; /* it waits for us as we do for it: RFC 4724 section 4.1 */
	return mono_since_ms(p->live->established) > NO_GR_SETTLED_MS;
}
