/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of bgpd.conf(5): each block is a table of statements with a function that reads what
 * follows the keyword (parse.h has what they share). Names of prefix lists and policies are kept as
 * text while reading and looked up at the end, so that their order does not matter.
 */
#include "bgpd/config.h"

#include <errno.h>
#include <string.h>

#include "bgpd/parse.h"
#include "common/base/err.h"
#include "common/base/file.h"

static int top_router_id(struct parser *p, void *target)
{
	struct ip_addr a;
	int r = parse_address(p, "the router id", &a);

	(void)target;
	if (r < 0)
		return r;
	if (a.family != AF_INET || ip_addr_to_v4(&a) == 0)
		return parse_fail(p, "router-id is a non-zero IPv4 address");
	p->c->router_id = ip_addr_to_v4(&a);
	return parse_semicolon(p);
}

static int top_local_as(struct parser *p, void *target)
{
	int r = parse_as(p, &p->c->local_as);

	(void)target;
	return r < 0 ? r : parse_semicolon(p);
}

static int top_priority(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = parse_uint(p, "priority", 1, CONFIG_LOCAL_PREF_MAX - 1, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->priority = (uint32_t)v;
	return parse_semicolon(p);
}

static int listen_address(struct parser *p, void *target)
{
	struct ip_addr a;
	unsigned line = p->tok.line;
	int r = parse_address(p, "an address to listen on", &a);

	(void)target;
	if (r < 0)
		return r;
	if (p->c->listen[bgp_family_of(a.family)].family)
		return parse_fail_at(p, line, "listen has two addresses of one family");
	p->c->listen[bgp_family_of(a.family)] = a;
	p->c->listen_given = true;
	return parse_semicolon(p);
}

static int listen_port(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = parse_uint(p, "port", 1, 65535, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->port = (uint16_t)v;
	return parse_semicolon(p);
}

static int top_listen(struct parser *p, void *target)
{
	static const struct statement table[] = { { "address", listen_address, false },
		                                  { "port", listen_port, true } };
	int r;

	if (parse_is_word(p, "off")) {
		p->c->listen_on = false;
		r = parse_advance(p);
		return r < 0 ? r : parse_semicolon(p);
	}
	return parse_braced(p, table, ARRAY_SIZE(table), "listen", target);
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
	r = parse_text(p, "the name of a policy", &p->c->program_name);
	return r < 0 ? r : parse_semicolon(p);
}

static int kernel_learn(struct parser *p, void *target)
{
	int r;

	(void)target;
	p->c->learn_line = p->tok.line;
	r = parse_text(p, "the name of a policy", &p->c->learn_name);
	return r < 0 ? r : parse_semicolon(p);
}

static int kernel_metric(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = parse_uint(p, "metric", 0, UINT32_MAX, &v);

	(void)target;
	if (r < 0)
		return r;
	p->c->has_metric = true;
	p->c->metric = (uint32_t)v;
	return parse_semicolon(p);
}

static int top_kernel(struct parser *p, void *target)
{
	static const struct statement table[] = {
		{ "program", kernel_program, true },
		{ "learn", kernel_learn, true },
		{ "metric", kernel_metric, true },
	};
	int r;

	if (parse_is_word(p, "off")) {
		p->c->kernel_on = false;
		r = parse_advance(p);
		return r < 0 ? r : parse_semicolon(p);
	}
	return parse_braced(p, table, ARRAY_SIZE(table), "kernel", target);
}

static int top_network(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct config_network n = { 0 };
	unsigned line = p->tok.line;
	int r = parse_prefix(p, &n.prefix);

	(void)target;
	if (r == 0 && parse_is_word(p, "blackhole")) {
		n.blackhole = true;
		r = parse_advance(p);
	}
	if (r == 0)
		r = parse_semicolon(p);
	if (r < 0)
		return r;
	n.line = line;
	r = parse_grow(p, &c->networks, c->n_networks, sizeof(n));
	if (r == 0)
		c->networks[c->n_networks++] = n;
	return r;
}

static const struct statement top_table[] = {
	{ "router-id", top_router_id, true },  { "local-as", top_local_as, true },
	{ "priority", top_priority, true },    { "listen", top_listen, true },
	{ "timers", top_timers, true },        { "graceful-restart", top_graceful, true },
	{ "kernel", top_kernel, true },        { "prefix-list", parse_top_prefix_list, false },
	{ "policy", parse_top_policy, false }, { "network", top_network, false },
	{ "group", parse_top_group, false },   { "peer", parse_top_peer, false },
};

/* ---- when everything has been read ---- */

static int resolve_policy(struct parser *p, const char *name, unsigned line,
                          const struct policy **ret)
{
	*ret = name ? parse_find_policy(p->c, name) : NULL;
	if (name && !*ret)
		return parse_fail_at(p, line, "policy %s is not defined", name);
	return 0;
}

/* What the peer does not say itself comes from the top level. */
static void inherit(const struct config *c, struct config_peer *peer)
{
	uint16_t *timers[] = { &peer->timers.hold_sec, &peer->timers.keepalive_sec,
		               &peer->timers.connect_retry_sec };
	const uint16_t global[] = { c->timers.hold_sec, c->timers.keepalive_sec,
		                    c->timers.connect_retry_sec };

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
	const struct config_peer *x = *(struct config_peer *const *)a,
	                         *y = *(struct config_peer *const *)b;
	int r = ip_addr_cmp(&x->address, &y->address);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static int by_name(const void *a, const void *b)
{
	const struct config_peer *x = *(struct config_peer *const *)a,
	                         *y = *(struct config_peer *const *)b;
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

			return parse_fail_at(p, c->networks[i].line, "network %s is given twice",
			                     ip_prefix_str(&c->networks[i].prefix, text));
		}

	if (c->n_peers == 0)
		return 0;
	qsort(c->peers, c->n_peers, sizeof(struct config_peer *), by_address);
	for (unsigned i = 1; i < c->n_peers; i++)
		if (ip_addr_eq(&c->peers[i - 1]->address, &c->peers[i]->address)) {
			char text[IP_ADDR_STR_MAX];

			return parse_fail_at(p, c->peers[i]->line,
			                     "peers %s and %s have the same address %s",
			                     c->peers[i - 1]->name, c->peers[i]->name,
			                     ip_addr_str(&c->peers[i]->address, text));
		}
	qsort(c->peers, c->n_peers, sizeof(struct config_peer *), by_name);
	for (unsigned i = 1; i < c->n_peers; i++)
		if (strcmp(c->peers[i - 1]->name, c->peers[i]->name) == 0)
			return parse_fail_at(p, c->peers[i]->line, "peer %s is defined twice",
			                     c->peers[i]->name);
	return 0;
}

static int finish(struct parser *p)
{
	struct config *c = p->c;
	int r = 0;

	if (!c->router_id)
		return parse_fail_at(p, p->tok.line, "router-id is missing");
	if (!c->local_as)
		return parse_fail_at(p, p->tok.line, "local-as is missing");
	for (unsigned i = 0; r == 0 && i < c->n_policies; i++)
		r = parse_resolve_rules(p, c->policies[i]);
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
	c->policies = xcalloc(2, sizeof(struct policy *)); /* two: as parse_grow() expects it */
	add_builtin(c, "all", true);
	add_builtin(c, "none", false);
	return c;
}

int config_parse(const char *text, size_t len, struct config **ret, unsigned *ret_line,
                 struct err *err)
{
	struct parser p = { .tokens = { text, text + len, 1 }, .c = config_new(), .err = err };
	int r = parse_advance(&p);

	if (r == 0)
		r = parse_block(&p, top_table, ARRAY_SIZE(top_table), "the file", &p.seen,
		                TOKEN_END, NULL);
	if (r == 0)
		r = finish(&p);
	for (unsigned i = 0; i < p.n_groups; i++)
		config_peer_free(p.groups[i]);
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
	for (unsigned i = 0; i < c->n_policies; i++)
		policy_free(c->policies[i]);
	for (unsigned i = 0; i < c->n_peers; i++)
		config_peer_free(c->peers[i]);
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
	return parse_find_peer(c->peers, c->n_peers, name);
}

bool config_peer_needs_reset(const struct config_peer *a, const struct config_peer *b)
{
	return !ip_addr_eq(&a->address, &b->address) || !ip_addr_eq(&a->source, &b->source) ||
	       a->port != b->port || a->remote_as != b->remote_as || a->ttl != b->ttl ||
	       a->families != b->families || a->timers.hold_sec != b->timers.hold_sec ||
	       a->timers.keepalive_sec != b->timers.keepalive_sec ||
	       a->graceful.on != b->graceful.on ||
	       a->graceful.restart_sec != b->graceful.restart_sec;
}
