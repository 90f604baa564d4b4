/* SPDX-License-Identifier: BSD-2-Clause */
/* group and peer. */
#include <string.h>

#include "bgpd/parse.h"

static int peer_address(struct parser *p, void *target)
{
	int r = parse_address(p, "the peer's address", &((struct config_peer *)target)->address);

	return r < 0 ? r : parse_semicolon(p);
}

static int peer_source(struct parser *p, void *target)
{
	int r = parse_address(p, "the source address", &((struct config_peer *)target)->source);

	return r < 0 ? r : parse_semicolon(p);
}

static int peer_port(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = parse_uint(p, "port", 1, 65535, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->port = (uint16_t)v;
	return parse_semicolon(p);
}

static int peer_remote_as(struct parser *p, void *target)
{
	int r = parse_as(p, &((struct config_peer *)target)->remote_as);

	return r < 0 ? r : parse_semicolon(p);
}

static int peer_passive(struct parser *p, void *target)
{
	((struct config_peer *)target)->passive = true;
	return parse_semicolon(p);
}

static int peer_disabled(struct parser *p, void *target)
{
	((struct config_peer *)target)->disabled = true;
	return parse_semicolon(p);
}

static int peer_multihop(struct parser *p, void *target)
{
	uint64_t v = 64;
	int r = p->tok.kind == TOKEN_SEMICOLON ? 0 : parse_uint(p, "multihop", 1, 255, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->ttl = (uint8_t)v;
	return parse_semicolon(p);
}

static int peer_families(struct parser *p, void *target)
{
	uint8_t mask = 0;

	while (p->tok.kind != TOKEN_SEMICOLON || !mask) {
		uint8_t bit = parse_is_word(p, "ipv4")   ? 1u << BGP_IPV4
		              : parse_is_word(p, "ipv6") ? 1u << BGP_IPV6
		                                         : 0;

		if (!bit || (mask & bit))
			return parse_fail(p, "expected ipv4 or ipv6, each once, found '%s'",
			                  p->tok.text);
		mask |= bit;
		int r = parse_advance(p);
		if (r < 0)
			return r;
	}
	((struct config_peer *)target)->families = mask;
	return parse_semicolon(p);
}

static int peer_next_hop(struct parser *p, void *target)
{
	static const char *const modes[] = { "auto", "self", "keep" };

	for (int i = 0; i < 3; i++)
		if (parse_is_word(p, modes[i])) {
			int r = parse_advance(p);

			((struct config_peer *)target)->next_hop = (enum next_hop_mode)i;
			return r < 0 ? r : parse_semicolon(p);
		}
	return parse_fail(p, "expected auto, self or keep, found '%s'", p->tok.text);
}

static int peer_import(struct parser *p, void *target)
{
	struct config_peer *peer = target;
	int r;

	peer->import_line = p->tok.line;
	r = parse_text(p, "the name of a policy", &peer->import_name);
	return r < 0 ? r : parse_semicolon(p);
}

static int peer_export(struct parser *p, void *target)
{
	struct config_peer *peer = target;
	int r;

	peer->export_line = p->tok.line;
	r = parse_text(p, "the name of a policy", &peer->export_name);
	return r < 0 ? r : parse_semicolon(p);
}

static int peer_max(struct parser *p, void *target)
{
	uint64_t v = 0;
	int r = parse_uint(p, "max-prefixes", 1, UINT32_MAX, &v);

	if (r < 0)
		return r;
	((struct config_peer *)target)->max_prefixes = (uint32_t)v;
	return parse_semicolon(p);
}

static int peer_description(struct parser *p, void *target)
{
	int r = parse_text(p, "a text", &((struct config_peer *)target)->description);

	return r < 0 ? r : parse_semicolon(p);
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

void config_peer_free(struct config_peer *peer)
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

struct config_peer *parse_find_peer(struct config_peer *const *peers, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (peers[i]->name && strcmp(peers[i]->name, name) == 0)
			return peers[i];
	return NULL;
}

int parse_top_group(struct parser *p, void *target)
{
	struct config_peer *g;
	int r;

	(void)target;
	if (parse_is_text(p) && parse_find_peer(p->groups, p->n_groups, p->tok.text))
		return parse_fail(p, "group %s is defined twice", p->tok.text);
	r = parse_grow(p, &p->groups, p->n_groups, sizeof(struct config_peer *));
	if (r < 0)
		return r;
	g = p->groups[p->n_groups++] = peer_new();
	r = parse_text(p, "the name of a group", &g->name);
	return r < 0 ? r : parse_braced(p, peer_table, ARRAY_SIZE(peer_table), "group", g);
}

int parse_top_peer(struct parser *p, void *target)
{
	CLEANUP(free_p) char *name = NULL;
	struct config *c = p->c;
	struct config_peer *peer, *group = NULL;
	unsigned line = p->tok.line, seen = 0;
	int r;

	(void)target;
	r = parse_text(p, "the name of a peer", &name);
	if (r == 0)
		r = parse_expect(p, TOKEN_OPEN, "'{'");
	if (r == 0 && parse_is_word(p, "group")) {
		r = parse_advance(p);
		if (r == 0 && !parse_is_text(p))
			return parse_fail(p, "expected the name of a group, found '%s'",
			                  p->tok.text);
		if (r == 0) {
			group = parse_find_peer(p->groups, p->n_groups, p->tok.text);
			if (!group)
				return parse_fail(p, "group %s is not defined above", p->tok.text);
			r = parse_advance(p);
		}
		if (r == 0)
			r = parse_semicolon(p);
	}
	if (r == 0)
		r = parse_grow(p, &c->peers, c->n_peers, sizeof(struct config_peer *));
	if (r < 0)
		return r;
	peer = c->peers[c->n_peers++] = group ? peer_copy(group) : peer_new();
	peer->name = take_ptr(&name);
	peer->line = line;
	r = parse_block(p, peer_table, ARRAY_SIZE(peer_table), "peer", &seen, TOKEN_CLOSE, peer);
	if (r == 0)
		r = parse_expect(p, TOKEN_CLOSE, "'}'");
	if (r == 0 && !peer->address.family)
		return parse_fail_at(p, line, "peer %s has no address", peer->name);
	if (r == 0 && !peer->remote_as)
		return parse_fail_at(p, line, "peer %s has no remote-as", peer->name);
	if (r == 0 && peer->source.family && peer->source.family != peer->address.family)
		return parse_fail_at(
		        p, line, "peer %s: address and source-address are of different families",
		        peer->name);
	return r;
}
