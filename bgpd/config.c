/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of bgpd.conf(5): each block is a table of statements with a function that reads what follows the keyword. Names of prefix lists
 * and policies are kept as text while reading and looked up at the end, so that their order does not matter.
 */
#include "bgpd/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bgpd/token.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define ENTRIES_MAX (1u << 20) /* of anything that the file can repeat */

struct parser {
	struct tokens tokens;
	struct token tok; /* the one looked at */
	struct config *c;
	struct config_peer **groups;
	unsigned n_groups;
	unsigned seen; /* of the top level: a bit per row of its table */
	unsigned error_line;
	struct err *err;
};

struct statement {
	const char *name;
	int (*parse)(struct parser *p, void *target); /* what follows the keyword */
	bool once;
};

/* ---- reading words ---- */

static int fail_at(struct parser *p, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail_at(struct parser *p, unsigned line, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->error_line = line;
	return err_set(p->err, -EINVAL, "line %u: %s", line, text);
}
#define fail(p, ...) fail_at((p), (p)->tok.line, __VA_ARGS__)

static int advance(struct parser *p)
{
	struct err e = { 0 };

	if (token_next(&p->tokens, &p->tok, &e) < 0)
		return fail_at(p, p->tok.line, "%s", e.text);
	return 0;
}

static int expect(struct parser *p, enum token_kind kind, const char *what)
{
	if (p->tok.kind != kind)
		return fail(p, "expected %s, found '%s'", what, p->tok.text);
	return kind == TOKEN_END ? 0 : advance(p);
}

static int semicolon(struct parser *p)
{
	return expect(p, TOKEN_SEMICOLON, "';'");
}

static bool is_text(const struct parser *p)
{
	return p->tok.kind == TOKEN_WORD || p->tok.kind == TOKEN_STRING;
}

static bool is_word(const struct parser *p, const char *word)
{
	return p->tok.kind == TOKEN_WORD && strcmp(p->tok.text, word) == 0;
}

static int read_text(struct parser *p, const char *what, char **ret)
{
	if (!is_text(p))
		return fail(p, "expected %s, found '%s'", what, p->tok.text);
	free(*ret);
	*ret = xstrdup(p->tok.text);
	return advance(p);
}

static bool parse_number(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > UINT32_MAX)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*ret = v;
	return true;
}

static int read_number(struct parser *p, const char *what, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;

	if (p->tok.kind != TOKEN_WORD || !parse_number(p->tok.text, &v))
		return fail(p, "expected %s (a number), found '%s'", what, p->tok.text);
	if (v < min || v > max)
		return fail(p, "%s %s is not between %llu and %llu", what, p->tok.text, (unsigned long long)min,
			    (unsigned long long)max);
	*ret = v;
	return advance(p);
}

static int read_as(struct parser *p, uint32_t *ret)
{
	uint64_t high = 0, low;
	char *dot = strchr(p->tok.text, '.');

	if (p->tok.kind != TOKEN_WORD)
		return fail(p, "expected an AS number, found '%s'", p->tok.text);
	if (dot)
		*dot = '\0';
	bool ok = dot ? parse_number(p->tok.text, &high) && parse_number(dot + 1, &low) && high <= 0xFFFF &&
				low <= 0xFFFF :
			parse_number(p->tok.text, &low);
	if (dot)
		*dot = '.';
	if (!ok || (high << 16) + low < 1 || (high << 16) + low > UINT32_MAX)
		return fail(p, "'%s' is not an AS number (1 to 4294967295, or high.low)", p->tok.text);
	*ret = (uint32_t)((high << 16) + low);
	return advance(p);
}

static int read_address(struct parser *p, const char *what, struct ip_addr *ret)
{
	if (p->tok.kind != TOKEN_WORD || ip_addr_parse(p->tok.text, ret) < 0)
		return fail(p, "expected %s (an address), found '%s'", what, p->tok.text);
	return advance(p);
}

static int read_prefix(struct parser *p, struct ip_prefix *ret)
{
	if (p->tok.kind != TOKEN_WORD || ip_prefix_parse(p->tok.text, ret) < 0)
		return fail(p, "expected a prefix, found '%s'", p->tok.text);
	if (!ip_prefix_is_network(ret))
		return fail(p, "prefix %s has bits set behind its length", p->tok.text);
	return advance(p);
}

static int block(struct parser *p, const struct statement *table, size_t n, const char *where, unsigned *seen,
		 enum token_kind end, void *target)
{
	while (p->tok.kind != end) {
		size_t i = 0;

		while (i < n && !is_word(p, table[i].name))
			i++;
		if (p->tok.kind == TOKEN_END)
			return fail(p, "%s is not closed with '}'", where);
		if (i == n)
			return fail(p, "'%s' is not a statement of %s", p->tok.text, where);
		if (table[i].once && (*seen & (1u << i)))
			return fail(p, "'%s' is given twice in %s", p->tok.text, where);
		*seen |= 1u << i;
		int r = advance(p);
		if (r == 0)
			r = table[i].parse(p, target);
		if (r < 0)
			return r;
	}
	return 0;
}

static int braced(struct parser *p, const struct statement *table, size_t n, const char *where, void *target)
{
	unsigned seen = 0;
	int r = expect(p, TOKEN_OPEN, "'{'");

	if (r == 0)
		r = block(p, table, n, where, &seen, TOKEN_CLOSE, target);
	return r == 0 ? expect(p, TOKEN_CLOSE, "'}'") : r;
}

static int grow(struct parser *p, void *array, unsigned n, size_t size)
{
	void **a = array;

	if (n >= ENTRIES_MAX)
		return fail(p, "more than %u entries", ENTRIES_MAX);
	if ((n & (n - 1)) == 0) /* at powers of two, doubled */
		*a = xrealloc(*a, (n ? n * 2 : 1) * size);
	return 0;
}

/* ---- timers, graceful restart: global, in groups and in peers ---- */

struct timing {
	struct config_timers *timers;
	struct config_graceful *graceful;
	bool *has; /* three, or NULL */
};

static int seconds(struct parser *p, const char *what, uint16_t min, uint16_t max, uint16_t *ret, bool *has)
{
	uint64_t v = 0;
	int r = read_number(p, what, min, max, &v);

	if (r < 0)
		return r;
	*ret = (uint16_t)v;
	if (has)
		*has = true;
	return semicolon(p);
}

static int timer_hold(struct parser *p, void *target)
{
	struct timing *t = target;

	if (is_word(p, "1") || is_word(p, "2"))
		return fail(p, "hold %s: it is 0 or at least 3 seconds", p->tok.text);
	return seconds(p, "hold", 0, 65535, &t->timers->hold_sec, t->has ? &t->has[0] : NULL);
}

static int timer_keepalive(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "keepalive", 1, 21845, &t->timers->keepalive_sec, t->has ? &t->has[1] : NULL);
}

static int timer_retry(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "connect-retry", 1, 3600, &t->timers->connect_retry_sec, t->has ? &t->has[2] : NULL);
}

static int parse_timers(struct parser *p, struct config_timers *timers, bool *has)
{
	static const struct statement table[] = {
		{ "hold", timer_hold, true },
		{ "keepalive", timer_keepalive, true },
		{ "connect-retry", timer_retry, true },
	};
	struct timing t = { .timers = timers, .has = has };

	return braced(p, table, ARRAY_SIZE(table), "timers", &t);
}

static int gr_restart(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "restart-time", 0, 4095, &t->graceful->restart_sec, t->has ? &t->has[0] : NULL);
}

static int gr_stale(struct parser *p, void *target)
{
	struct timing *t = target;

	return seconds(p, "stale-time", 1, 65535, &t->graceful->stale_sec, t->has ? &t->has[1] : NULL);
}

static int gr_deferral(struct parser *p, void *target)
{
	struct timing *t = target;

	if (t->has)
		return fail(p, "deferral-time is one for all peers: it stands in the global graceful-restart block");
	return seconds(p, "deferral-time", 1, 3600, &t->graceful->deferral_sec, NULL);
}

static int parse_graceful(struct parser *p, struct config_graceful *g, bool *has, bool *has_off)
{
	static const struct statement table[] = {
		{ "restart-time", gr_restart, true },
		{ "stale-time", gr_stale, true },
		{ "deferral-time", gr_deferral, true },
	};
	struct timing t = { .graceful = g, .has = has };

	if (is_word(p, "off")) {
		int r = advance(p);

		g->on = false;
		if (has_off)
			*has_off = true;
		return r < 0 ? r : semicolon(p);
	}
	g->on = true;
	if (has_off)
		*has_off = false;
	return braced(p, table, ARRAY_SIZE(table), "graceful-restart", &t);
}

/* ---- prefix lists and policies ---- */

static int list_range(struct parser *p, struct prefix_entry *e)
{
	uint8_t bits = (uint8_t)ip_addr_bits(&e->prefix.addr);
	uint64_t low = 0, high = 0;
	int r;

	e->min = e->max = e->prefix.len;
	if (is_word(p, "exact"))
		return advance(p);
	if (is_word(p, "or-longer")) {
		e->max = bits;
		return advance(p);
	}
	if (is_word(p, "longer")) {
		e->min = (uint8_t)(e->prefix.len + 1);
		e->max = bits;
		return advance(p);
	}
	if (!is_word(p, "length"))
		return 0;
	r = advance(p);
	if (r == 0)
		r = read_number(p, "length", e->prefix.len, bits, &low);
	if (r == 0 && !is_word(p, "to"))
		r = fail(p, "expected 'to', found '%s'", p->tok.text);
	if (r == 0)
		r = advance(p);
	if (r == 0)
		r = read_number(p, "length", low, bits, &high);
	if (r == 0) {
		e->min = (uint8_t)low;
		e->max = (uint8_t)high;
	}
	return r;
}

static int top_prefix_list(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct prefix_list *l;
	int r;

	(void)target;
	for (unsigned i = 0; is_text(p) && i < c->n_lists; i++)
		if (strcmp(c->lists[i]->name, p->tok.text) == 0)
			return fail(p, "prefix-list %s is defined twice", p->tok.text);
	r = grow(p, &c->lists, c->n_lists, sizeof(struct prefix_list *));
	if (r < 0)
		return r;
	l = c->lists[c->n_lists++] = xcalloc(1, sizeof(*l));
	l->name = xstrdup("");
	r = read_text(p, "the name of a prefix-list", &l->name);
	if (r == 0)
		r = expect(p, TOKEN_OPEN, "'{'");
	while (r == 0 && p->tok.kind != TOKEN_CLOSE) {
		struct prefix_entry e = { 0 };

		r = read_prefix(p, &e.prefix);
		if (r == 0)
			r = list_range(p, &e);
		if (r == 0)
			r = semicolon(p);
		if (r == 0)
			r = grow(p, &l->entries, l->n, sizeof(e));
		if (r == 0)
			l->entries[l->n++] = e;
	}
	return r < 0 ? r : expect(p, TOKEN_CLOSE, "'}'");
}

static int read_rule(struct parser *p, struct policy_rule *rule)
{
	static const char *const sources[] = { "network", "kernel", "bgp" };
	uint64_t v = 0;
	int r = 0;

	rule->line = p->tok.line;
	rule->source = -1;
	if (is_word(p, "accept"))
		rule->accept = true;
	else if (!is_word(p, "reject"))
		return fail(p, "expected 'accept' or 'reject', found '%s'", p->tok.text);
	r = advance(p);
	while (r == 0 && p->tok.kind != TOKEN_SEMICOLON) {
		if (is_word(p, "prefix") && !rule->list_name) {
			r = advance(p);
			if (r == 0)
				r = read_text(p, "the name of a prefix-list", &rule->list_name);
		} else if (is_word(p, "source") && rule->source < 0) {
			r = advance(p);
			for (int i = 0; r == 0 && i < 3; i++)
				if (is_word(p, sources[i]))
					rule->source = i;
			if (r == 0 && rule->source < 0)
				return fail(p, "expected network, kernel or bgp, found '%s'", p->tok.text);
			if (r == 0)
				r = advance(p);
		} else if (is_word(p, "interface") && !rule->interface) {
			r = advance(p);
			if (r == 0)
				r = read_text(p, "the name of an interface", &rule->interface);
		} else if (is_word(p, "local-preference") && rule->accept && !rule->set_local_pref) {
			r = advance(p);
			if (r == 0)
				r = read_number(p, "local-preference", 0, UINT32_MAX, &v);
			if (r == 0) {
				rule->set_local_pref = true;
				rule->local_pref = (uint32_t)v;
			}
		} else {
			return fail(p, "'%s' has no place in this rule", p->tok.text);
		}
	}
	return r < 0 ? r : semicolon(p);
}

static void rule_done(struct policy_rule *rule)
{
	free(rule->interface);
	free(rule->list_name);
}

static struct policy *find_policy(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_policies; i++)
		if (strcmp(c->policies[i]->name, name) == 0)
			return c->policies[i];
	return NULL;
}

static int top_policy(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct policy *pol;
	int r;

	(void)target;
	if (is_text(p) && find_policy(c, p->tok.text))
		return fail(p, "policy %s is %s", p->tok.text,
			    find_policy(c, p->tok.text)->builtin ? "built in" : "defined twice");
	r = grow(p, &c->policies, c->n_policies, sizeof(struct policy *));
	if (r < 0)
		return r;
	pol = c->policies[c->n_policies++] = xcalloc(1, sizeof(*pol));
	pol->name = xstrdup("");
	r = read_text(p, "the name of a policy", &pol->name);
	if (r == 0)
		r = expect(p, TOKEN_OPEN, "'{'");
	while (r == 0 && p->tok.kind != TOKEN_CLOSE) {
		struct policy_rule rule = { 0 };

		r = read_rule(p, &rule);
		if (r == 0)
			r = grow(p, &pol->rules, pol->n, sizeof(rule));
		if (r == 0)
			pol->rules[pol->n++] = rule;
		else
			rule_done(&rule);
	}
	return r < 0 ? r : expect(p, TOKEN_CLOSE, "'}'");
}

/* ---- peers and groups ---- */

static int peer_address(struct parser *p, void *target)
{
	int r = read_address(p, "the peer's address", &((struct config_peer *)target)->address);

	return r < 0 ? r : semicolon(p);
}

static int peer_source(struct parser *p, void *target)
{
	int r = read_address(p, "the source address", &((struct config_peer *)target)->source);

	return r < 0 ? r : semicolon(p);
}

static int peer_port(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = read_number(p, "port", 1, 65535, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->port = (uint16_t)v;
	return semicolon(p);
}

static int peer_remote_as(struct parser *p, void *target)
{
	int r = read_as(p, &((struct config_peer *)target)->remote_as);

	return r < 0 ? r : semicolon(p);
}

static int peer_passive(struct parser *p, void *target)
{
	((struct config_peer *)target)->passive = true;
	return semicolon(p);
}

static int peer_disabled(struct parser *p, void *target)
{
	((struct config_peer *)target)->disabled = true;
	return semicolon(p);
}

static int peer_multihop(struct parser *p, void *target)
{
	uint64_t v = 64;
	int r = p->tok.kind == TOKEN_SEMICOLON ? 0 : read_number(p, "multihop", 1, 255, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->ttl = (uint8_t)v;
	return semicolon(p);
}

static int peer_families(struct parser *p, void *target)
{
	uint8_t mask = 0;

	while (p->tok.kind != TOKEN_SEMICOLON || !mask) {
		uint8_t bit = is_word(p, "ipv4") ? 1u << BGP_IPV4 : is_word(p, "ipv6") ? 1u << BGP_IPV6 : 0;

		if (!bit || (mask & bit))
			return fail(p, "expected ipv4 or ipv6, each once, found '%s'", p->tok.text);
		mask |= bit;
		int r = advance(p);
		if (r < 0)
			return r;
	}
	((struct config_peer *)target)->families = mask;
	return semicolon(p);
}

static int peer_next_hop(struct parser *p, void *target)
{
	static const char *const modes[] = { "auto", "self", "keep" };

	for (int i = 0; i < 3; i++)
		if (is_word(p, modes[i])) {
			int r = advance(p);

			((struct config_peer *)target)->next_hop = (enum next_hop_mode)i;
			return r < 0 ? r : semicolon(p);
		}
	return fail(p, "expected auto, self or keep, found '%s'", p->tok.text);
}

static int peer_import(struct parser *p, void *target)
{
	struct config_peer *peer = target;
	int r;

	peer->import_line = p->tok.line;
	r = read_text(p, "the name of a policy", &peer->import_name);
	return r < 0 ? r : semicolon(p);
}

static int peer_export(struct parser *p, void *target)
{
	struct config_peer *peer = target;
	int r;

	peer->export_line = p->tok.line;
	r = read_text(p, "the name of a policy", &peer->export_name);
	return r < 0 ? r : semicolon(p);
}

static int peer_max(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = read_number(p, "max-prefixes", 1, UINT32_MAX, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->max_prefixes = (uint32_t)v;
	return semicolon(p);
}

static int peer_description(struct parser *p, void *target)
{
	int r = read_text(p, "a text", &((struct config_peer *)target)->description);

	return r < 0 ? r : semicolon(p);
}

static int peer_timers(struct parser *p, void *target)
{
	struct config_peer *peer = target;

	return parse_timers(p, &peer->timers, peer->has_timers);
}

static int peer_graceful(struct parser *p, void *target)
{
	struct config_peer *peer = target;

	return parse_graceful(p, &peer->graceful, peer->has_graceful, &peer->has_graceful_off);
}

static const struct statement peer_table[] = {
	{ "address", peer_address, true },
	{ "source-address", peer_source, true },
	{ "port", peer_port, true },
	{ "remote-as", peer_remote_as, true },
	{ "passive", peer_passive, true },
	{ "disabled", peer_disabled, true },
	{ "multihop", peer_multihop, true },
	{ "families", peer_families, true },
	{ "next-hop", peer_next_hop, true },
	{ "import", peer_import, true },
	{ "export", peer_export, true },
	{ "max-prefixes", peer_max, true },
	{ "description", peer_description, true },
	{ "timers", peer_timers, true },
	{ "graceful-restart", peer_graceful, true },
};

static void peer_free(struct config_peer *peer)
{
	free(peer->name);
	free(peer->description);
	free(peer->import_name);
	free(peer->export_name);
	free(peer);
}

static struct config_peer *peer_new(void)
{
	struct config_peer *peer = xcalloc(1, sizeof(*peer));

	peer->port = BGP_PORT;
	peer->families = 1u << BGP_IPV4;
	peer->max_prefixes = 1000000;
	peer->graceful.on = true;
	return peer;
}

static struct config_peer *peer_copy(const struct config_peer *from)
{
	struct config_peer *peer = xmemdup(from, sizeof(*from));

	peer->name = NULL;
	peer->description = xstrdup(from->description);
	peer->import_name = xstrdup(from->import_name);
	peer->export_name = xstrdup(from->export_name);
	return peer;
}

static struct config_peer *find_peer(struct config_peer *const *peers, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (peers[i]->name && strcmp(peers[i]->name, name) == 0)
			return peers[i];
	return NULL;
}

static int top_group(struct parser *p, void *target)
{
	struct config_peer *g;
	int r;

	(void)target;
	if (is_text(p) && find_peer(p->groups, p->n_groups, p->tok.text))
		return fail(p, "group %s is defined twice", p->tok.text);
	r = grow(p, &p->groups, p->n_groups, sizeof(struct config_peer *));
	if (r < 0)
		return r;
	g = p->groups[p->n_groups++] = peer_new();
	r = read_text(p, "the name of a group", &g->name);
	return r < 0 ? r : braced(p, peer_table, ARRAY_SIZE(peer_table), "group", g);
}

static int top_peer(struct parser *p, void *target)
{
	CLEANUP(free_p) char *name = NULL;
	struct config *c = p->c;
	struct config_peer *peer, *group = NULL;
	unsigned line = p->tok.line, seen = 0;
	int r;

	(void)target;
	r = read_text(p, "the name of a peer", &name);
	if (r == 0)
		r = expect(p, TOKEN_OPEN, "'{'");
	if (r == 0 && is_word(p, "group")) {
		r = advance(p);
		if (r == 0 && !is_text(p))
			return fail(p, "expected the name of a group, found '%s'", p->tok.text);
		if (r == 0) {
			group = find_peer(p->groups, p->n_groups, p->tok.text);
			if (!group)
				return fail(p, "group %s is not defined above", p->tok.text);
			r = advance(p);
		}
		if (r == 0)
			r = semicolon(p);
	}
	if (r == 0)
		r = grow(p, &c->peers, c->n_peers, sizeof(struct config_peer *));
	if (r < 0)
		return r;
	peer = c->peers[c->n_peers++] = group ? peer_copy(group) : peer_new();
	peer->name = take_ptr(&name);
	peer->line = line;
	r = block(p, peer_table, ARRAY_SIZE(peer_table), "peer", &seen, TOKEN_CLOSE, peer);
	if (r == 0)
		r = expect(p, TOKEN_CLOSE, "'}'");
	if (r == 0 && !peer->address.family)
		return fail_at(p, line, "peer %s has no address", peer->name);
	if (r == 0 && !peer->remote_as)
		return fail_at(p, line, "peer %s has no remote-as", peer->name);
	if (r == 0 && peer->source.family && peer->source.family != peer->address.family)
		return fail_at(p, line, "peer %s: address and source-address are of different families", peer->name);
	return r;
}

/* ---- the top level ---- */

static int top_router_id(struct parser *p, void *target)
{
	struct ip_addr a;
	int r = read_address(p, "the router id", &a);

	(void)target;
	if (r < 0)
		return r;
	if (a.family != AF_INET || ip_addr_to_v4(&a) == 0)
		return fail(p, "router-id is a non-zero IPv4 address");
	p->c->router_id = ip_addr_to_v4(&a);
	return semicolon(p);
}

static int top_local_as(struct parser *p, void *target)
{
	int r = read_as(p, &p->c->local_as);

	(void)target;
	return r < 0 ? r : semicolon(p);
}

static int top_priority(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = read_number(p, "priority", 1, CONFIG_LOCAL_PREF_MAX - 1, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->priority = (uint32_t)v;
	return semicolon(p);
}

static int listen_address(struct parser *p, void *target)
{
	struct ip_addr a;
	unsigned line = p->tok.line;
	int r = read_address(p, "an address to listen on", &a);

	(void)target;
	if (r < 0)
		return r;
	if (p->c->listen[bgp_family_of(a.family)].family)
		return fail_at(p, line, "listen has two addresses of one family");
	p->c->listen[bgp_family_of(a.family)] = a;
	p->c->listen_given = true;
	return semicolon(p);
}

static int listen_port(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = read_number(p, "port", 1, 65535, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->port = (uint16_t)v;
	return semicolon(p);
}

static int top_listen(struct parser *p, void *target)
{
	static const struct statement table[] = { { "address", listen_address, false }, { "port", listen_port, true } };
	int r;

	if (is_word(p, "off")) {
		p->c->listen_on = false;
		r = advance(p);
		return r < 0 ? r : semicolon(p);
	}
	return braced(p, table, ARRAY_SIZE(table), "listen", target);
}

static int top_timers(struct parser *p, void *target)
{
	(void)target;
	return parse_timers(p, &p->c->timers, NULL);
}

static int top_graceful(struct parser *p, void *target)
{
	(void)target;
	return parse_graceful(p, &p->c->graceful, NULL, NULL);
}

static int kernel_program(struct parser *p, void *target)
{
	int r;

	(void)target;
	p->c->program_line = p->tok.line;
	r = read_text(p, "the name of a policy", &p->c->program_name);
	return r < 0 ? r : semicolon(p);
}

static int kernel_learn(struct parser *p, void *target)
{
	int r;

	(void)target;
	p->c->learn_line = p->tok.line;
	r = read_text(p, "the name of a policy", &p->c->learn_name);
	return r < 0 ? r : semicolon(p);
}

static int kernel_metric(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = read_number(p, "metric", 0, UINT32_MAX, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->has_metric = true;
	p->c->metric = (uint32_t)v;
	return semicolon(p);
}

static int top_kernel(struct parser *p, void *target)
{
	static const struct statement table[] = {
		{ "program", kernel_program, true },
		{ "learn", kernel_learn, true },
		{ "metric", kernel_metric, true },
	};
	int r;

	if (is_word(p, "off")) {
		p->c->kernel_on = false;
		r = advance(p);
		return r < 0 ? r : semicolon(p);
	}
	return braced(p, table, ARRAY_SIZE(table), "kernel", target);
}

static int top_network(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct config_network n = { 0 };
	unsigned line = p->tok.line;
	int r = read_prefix(p, &n.prefix);

	(void)target;
	if (r == 0 && is_word(p, "blackhole")) {
		n.blackhole = true;
		r = advance(p);
	}
	if (r == 0)
		r = semicolon(p);
	if (r < 0)
		return r;
	n.line = line;
	r = grow(p, &c->networks, c->n_networks, sizeof(n));
	if (r == 0)
		c->networks[c->n_networks++] = n;
	return r;
}

static const struct statement top_table[] = {
	{ "router-id", top_router_id, true }, { "local-as", top_local_as, true },
	{ "priority", top_priority, true },   { "listen", top_listen, true },
	{ "timers", top_timers, true },	      { "graceful-restart", top_graceful, true },
	{ "kernel", top_kernel, true },	      { "prefix-list", top_prefix_list, false },
	{ "policy", top_policy, false },      { "network", top_network, false },
	{ "group", top_group, false },	      { "peer", top_peer, false },
};

/* ---- when everything has been read ---- */

static int resolve_policy(struct parser *p, const char *name, unsigned line, const struct policy **ret)
{
	*ret = name ? find_policy(p->c, name) : NULL;
	if (name && !*ret)
		return fail_at(p, line, "policy %s is not defined", name);
	return 0;
}

static int resolve_rules(struct parser *p, struct policy *pol)
{
	for (unsigned i = 0; i < pol->n; i++) {
		struct policy_rule *rule = &pol->rules[i];

		for (unsigned k = 0; rule->list_name && k < p->c->n_lists; k++)
			if (strcmp(p->c->lists[k]->name, rule->list_name) == 0)
				rule->list = p->c->lists[k];
		if (rule->list_name && !rule->list)
			return fail_at(p, rule->line, "prefix-list %s is not defined", rule->list_name);
	}
	return 0;
}

/* What the peer does not say itself comes from the top level. */
static void inherit(const struct config *c, struct config_peer *peer)
{
	uint16_t *timers[] = { &peer->timers.hold_sec, &peer->timers.keepalive_sec, &peer->timers.connect_retry_sec };
	const uint16_t global[] = { c->timers.hold_sec, c->timers.keepalive_sec, c->timers.connect_retry_sec };

	for (int i = 0; i < 3; i++)
		if (!peer->has_timers[i])
			*timers[i] = global[i];
	if (!peer->has_graceful[0])
		peer->graceful.restart_sec = c->graceful.restart_sec;
	if (!peer->has_graceful[1])
		peer->graceful.stale_sec = c->graceful.stale_sec;
	peer->graceful.deferral_sec = c->graceful.deferral_sec;
	if (!peer->has_graceful[0] && !peer->has_graceful[1] && !peer->has_graceful_off)
		peer->graceful.on = c->graceful.on;
	if (!peer->ttl)
		peer->ttl = peer->remote_as == c->local_as ? 64 : 1;
}

static int by_address(const void *a, const void *b)
{
	const struct config_peer *x = *(struct config_peer *const *)a, *y = *(struct config_peer *const *)b;
	int r = ip_addr_cmp(&x->address, &y->address);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static int by_name(const void *a, const void *b)
{
	const struct config_peer *x = *(struct config_peer *const *)a, *y = *(struct config_peer *const *)b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static int by_prefix(const void *a, const void *b)
{
	const struct config_network *x = a, *y = b;
	int r = ip_prefix_cmp(&x->prefix, &y->prefix);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static int check_unique(struct parser *p)
{
	struct config *c = p->c;

	if (c->n_networks)
		qsort(c->networks, c->n_networks, sizeof(c->networks[0]), by_prefix);
	for (unsigned i = 1; i < c->n_networks; i++)
		if (ip_prefix_eq(&c->networks[i - 1].prefix, &c->networks[i].prefix)) {
			char text[IP_PREFIX_STR_MAX];

			return fail_at(p, c->networks[i].line, "network %s is given twice",
				       ip_prefix_str(&c->networks[i].prefix, text));
		}

	if (c->n_peers == 0)
		return 0;
	qsort(c->peers, c->n_peers, sizeof(struct config_peer *), by_address);
	for (unsigned i = 1; i < c->n_peers; i++)
		if (ip_addr_eq(&c->peers[i - 1]->address, &c->peers[i]->address)) {
			char text[IP_ADDR_STR_MAX];

			return fail_at(p, c->peers[i]->line, "peers %s and %s have the same address %s", c->peers[i - 1]->name,
				       c->peers[i]->name, ip_addr_str(&c->peers[i]->address, text));
		}
	qsort(c->peers, c->n_peers, sizeof(struct config_peer *), by_name);
	for (unsigned i = 1; i < c->n_peers; i++)
		if (strcmp(c->peers[i - 1]->name, c->peers[i]->name) == 0)
			return fail_at(p, c->peers[i]->line, "peer %s is defined twice", c->peers[i]->name);
	return 0;
}

static int finish(struct parser *p)
{
	struct config *c = p->c;
	int r = 0;

	if (!c->router_id)
		return fail_at(p, p->tok.line, "router-id is missing");
	if (!c->local_as)
		return fail_at(p, p->tok.line, "local-as is missing");
	for (unsigned i = 0; r == 0 && i < c->n_policies; i++)
		r = resolve_rules(p, c->policies[i]);
	if (r == 0)
		r = resolve_policy(p, c->program_name, c->program_line, &c->program);
	if (r == 0)
		r = resolve_policy(p, c->learn_name, c->learn_line, &c->learn);
	for (unsigned i = 0; r == 0 && i < c->n_peers; i++) {
		struct config_peer *peer = c->peers[i];

		inherit(c, peer);
		r = resolve_policy(p, peer->import_name, peer->import_line, &peer->import);
		if (r == 0)
			r = resolve_policy(p, peer->export_name, peer->export_line, &peer->export);
	}
	return r == 0 ? check_unique(p) : r;
}

static void add_builtin(struct config *c, const char *name, bool accept)
{
	struct policy *pol = xcalloc(1, sizeof(*pol));

	pol->name = xstrdup(name);
	pol->builtin = true;
	pol->rules = xcalloc(1, sizeof(*pol->rules));
	pol->rules[0].accept = accept;
	pol->rules[0].source = -1;
	pol->n = 1;
	c->policies[c->n_policies++] = pol;
}

static struct config *config_new(void)
{
	struct config *c = xcalloc(1, sizeof(*c));

	c->priority = CONFIG_PRIORITY_DEFAULT;
	c->listen_on = true;
	c->port = BGP_PORT;
	c->timers = (struct config_timers){ .hold_sec = 240, .connect_retry_sec = 5 };
	c->graceful = (struct config_graceful){ true, 120, 120, 30 };
	c->kernel_on = true;
	c->policies = xcalloc(2, sizeof(struct policy *)); /* two: as grow() expects it */
	add_builtin(c, "all", true);
	add_builtin(c, "none", false);
	return c;
}

int config_parse(const char *text, size_t len, struct config **ret, unsigned *ret_line, struct err *err)
{
	struct parser p = { .tokens = { text, text + len, 1 }, .c = config_new(), .err = err };
	int r = advance(&p);

	if (r == 0)
		r = block(&p, top_table, ARRAY_SIZE(top_table), "the file", &p.seen, TOKEN_END, NULL);
	if (r == 0)
		r = finish(&p);
	for (unsigned i = 0; i < p.n_groups; i++)
		peer_free(p.groups[i]);
	free(p.groups);
	*ret_line = r < 0 ? p.error_line : 0;
	if (r < 0) {
		config_free(p.c);
		return r;
	}
	*ret = p.c;
	return 0;
}

int config_load(const char *path, struct config **ret, unsigned *ret_line, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int r = file_read(path, CONFIG_SIZE_MAX, &text, &len, err);

	*ret_line = 0;
	if (r < 0)
		return r;
	r = config_parse(text, len, ret, ret_line, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_lists; i++) {
		free(c->lists[i]->name);
		free(c->lists[i]->entries);
		free(c->lists[i]);
	}
	for (unsigned i = 0; i < c->n_policies; i++) {
		for (unsigned k = 0; k < c->policies[i]->n; k++)
			rule_done(&c->policies[i]->rules[k]);
		free(c->policies[i]->rules);
		free(c->policies[i]->name);
		free(c->policies[i]);
	}
	for (unsigned i = 0; i < c->n_peers; i++)
		peer_free(c->peers[i]);
	free(c->lists);
	free(c->policies);
	free(c->networks);
	free(c->peers);
	free(c->program_name);
	free(c->learn_name);
	free(c);
}

const struct config_peer *config_peer_find(const struct config *c, const char *name)
{
	return find_peer(c->peers, c->n_peers, name);
}

bool config_peer_needs_reset(const struct config_peer *a, const struct config_peer *b)
{
	return !ip_addr_eq(&a->address, &b->address) || !ip_addr_eq(&a->source, &b->source) || a->port != b->port ||
	       a->remote_as != b->remote_as || a->ttl != b->ttl || a->families != b->families ||
	       a->timers.hold_sec != b->timers.hold_sec || a->timers.keepalive_sec != b->timers.keepalive_sec ||
	       a->graceful.on != b->graceful.on || a->graceful.restart_sec != b->graceful.restart_sec;
}
