/* SPDX-License-Identifier: BSD-2-Clause */
/* timers and graceful-restart: at the top, in groups and in peers. */
#include "bgpd/parse.h"

struct timing {
	struct config_timers *timers;
	struct config_graceful *graceful;
	bool *has; /* three, or NULL */
};

static int seconds(struct parser *p, const char *what, uint16_t min, uint16_t max, uint16_t *ret,
                   bool *has)
{
	uint64_t v = 0;
	int r = parse_uint(p, what, min, max, &v);

	if (r < 0)
		return r;
	*ret = (uint16_t)v;
	if (has)
		*has = true;
	return parse_semicolon(p);
}

static int timer_hold(struct parser *p, void *target)
{
	struct timing *t = target;

	if (parse_is_word(p, "1") || parse_is_word(p, "2"))
		return parse_fail(p, "hold %s: it is 0 or at least 3 seconds", p->tok.text);
	return seconds(p, "hold", 0, 65535, &t->timers->hold_sec, t->has ? &t->has[0] : NULL);
}

static int timer_keepalive(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "keepalive", 1, 21845, &t->timers->keepalive_sec,
	               t->has ? &t->has[1] : NULL);
}

static int timer_retry(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "connect-retry", 1, 3600, &t->timers->connect_retry_sec,
	               t->has ? &t->has[2] : NULL);
}

int parse_timers(struct parser *p, struct config_timers *timers, bool *has)
{
	static const struct statement table[] = {
		{ "hold", timer_hold, true },
		{ "keepalive", timer_keepalive, true },
		{ "connect-retry", timer_retry, true },
	};
	struct timing t = { .timers = timers, .has = has };

	return parse_braced(p, table, ARRAY_SIZE(table), "timers", &t);
}

static int gr_restart(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "restart-time", 0, 4095, &t->graceful->restart_sec,
	               t->has ? &t->has[0] : NULL);
}

static int gr_stale(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "stale-time", 1, 65535, &t->graceful->stale_sec,
	               t->has ? &t->has[1] : NULL);
}

static int gr_deferral(struct parser *p, void *target)
{
	struct timing *t = target;

	if (t->has)
		return parse_fail(p, "deferral-time is one for all peers: it stands in the global "
		                     "graceful-restart block");
	return seconds(p, "deferral-time", 1, 3600, &t->graceful->deferral_sec, NULL);
}

int parse_graceful(struct parser *p, struct config_graceful *g, bool *has, bool *has_off)
{
	static const struct statement table[] = {
		{ "restart-time", gr_restart, true },
		{ "stale-time", gr_stale, true },
		{ "deferral-time", gr_deferral, true },
	};
	struct timing t = { .graceful = g, .has = has };

	if (parse_is_word(p, "off")) {
		int r = parse_advance(p);

		g->on = false;
		if (has_off)
			*has_off = true;
		return r < 0 ? r : parse_semicolon(p);
	}
	g->on = true;
	if (has_off)
		*has_off = false;
	return parse_braced(p, table, ARRAY_SIZE(table), "graceful-restart", &t);
}
