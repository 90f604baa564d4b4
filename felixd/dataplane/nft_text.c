/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/nft_text.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/sha.h"

#define ID_PREFIX "cali:"

void nft_name(char out[NFT_NAME_MAX], enum table_id layer, const char *name)
{
	const char *prefix = table_names[layer];
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) == 0 && name[n] == '-')
		snprintf(out, NFT_NAME_MAX, "%s", name);
	else
		snprintf(out, NFT_NAME_MAX, "%s-%s", prefix, name);
}

void nft_set_name(char out[SET_NAME_MAX], const char *name)
{
	size_t i;

	for (i = 0; name[i] && i < SET_NAME_MAX - 1; i++)
		out[i] = name[i] == ':' ? '-' : name[i];
	out[i] = '\0';
}

/* ---- matches */

static const char *address_word(int family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

static void text_proto(struct buf *out, const struct match *m)
{
	buf_printf(out, "meta l4proto %s", m->neg ? "!= " : "");
	if (proto_name(m->proto.num) && !m->proto.by_number)
		buf_str(out, proto_name(m->proto.num));
	else
		buf_printf(out, "%u", m->proto.num);
}

static void text_set(struct buf *out, const struct match *m, int family)
{
	char name[SET_NAME_MAX];

	nft_set_name(name, m->set.name);
	buf_printf(out, "%s %s ", address_word(family), m->src ? "saddr" : "daddr");
	if (m->set.ip_port)
		buf_printf(out, ". meta l4proto . th %s ", m->src ? "sport" : "dport");
	buf_printf(out, "%s@%s", m->neg ? "!= " : "", name);
}

static void text_ports(struct buf *out, const struct match *m, uint8_t proto)
{
	const char *word = proto_name(proto);

	buf_printf(out, "%s %s %s{ ", word ? word : "th", m->src ? "sport" : "dport",
	           m->neg ? "!= " : "");
	for (size_t i = 0; i < m->ports.n; i++) {
		const struct calc_port_range *r = &m->ports.ranges[i];

		buf_printf(out, "%s%u", i ? ", " : "", r->min);
		if (r->max != r->min)
			buf_printf(out, "-%u", r->max);
	}
	buf_str(out, " }");
}

static void text_icmp(struct buf *out, const struct match *m, int family)
{
	if (m->neg && m->icmp.code >= 0) {
		buf_printf(out, "@th,0,16 != 0x%02x%02x", (unsigned)m->icmp.type,
		           (unsigned)m->icmp.code);
		return;
	}
	buf_printf(out, "%s type %s%d", family == AF_INET6 ? "icmpv6" : "icmp", m->neg ? "!= " : "",
	           m->icmp.type);
	if (m->icmp.code >= 0)
		buf_printf(out, " code %d", m->icmp.code);
}

static void text_ct(struct buf *out, const struct match *m)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { CT_INVALID, "invalid" },
		      { CT_RELATED, "related" },
		      { CT_ESTABLISHED, "established" } };
	const char *sep = "";

	if (m->ct_states == CT_DNAT) {
		buf_printf(out, "ct status %sdnat", m->neg ? "!= " : "");
		return;
	}
	buf_printf(out, "ct state %s", m->neg ? "!= " : "");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (m->ct_states & names[i].bit) {
			buf_printf(out, "%s%s", sep, names[i].name);
			sep = ",";
		}
	}
}

static void text_mark_match(struct buf *out, const struct match *m)
{
	buf_printf(out, "meta mark & 0x%x %s ", m->mark.mask, m->neg ? "!=" : "==");
	if (m->mark.value)
		buf_printf(out, "0x%x", m->mark.value);
	else
		buf_str(out, "0");
}

static void text_iface(struct buf *out, const struct match *m)
{
	size_t n = strlen(m->iface);
	bool any = n && m->iface[n - 1] == '+';

	buf_printf(out, "%s %.*s%s", m->src ? "iifname" : "oifname", (int)(any ? n - 1 : n),
	           m->iface, any ? "*" : "");
}

static void text_match(struct buf *out, const struct match *m, int family, uint8_t proto)
{
	char prefix[IP_PREFIX_STR_MAX];

	switch (m->kind) {
	case MATCH_PROTO:
		text_proto(out, m);
		return;
	case MATCH_NET:
		buf_printf(out, "%s %s %s%s", address_word(family), m->src ? "saddr" : "daddr",
		           m->neg ? "!= " : "", ip_prefix_str(&m->net, prefix));
		return;
	case MATCH_SET:
		text_set(out, m, family);
		return;
	case MATCH_PORTS:
		text_ports(out, m, proto);
		return;
	case MATCH_PORT:
		buf_printf(out, "%s dport %u", proto_name(proto) ? proto_name(proto) : "th",
		           m->port);
		return;
	case MATCH_ICMP:
		text_icmp(out, m, family);
		return;
	case MATCH_CT_STATE:
		text_ct(out, m);
		return;
	case MATCH_MARK:
		text_mark_match(out, m);
		return;
	case MATCH_IFACE:
		text_iface(out, m);
		return;
	case MATCH_LOCAL:
		buf_printf(out, "fib %s %stype %slocal", m->src ? "saddr" : "daddr",
		           m->limit_out ? ". oif " : "", m->neg ? "!= " : "");
		return;
	case MATCH_RPF:
		buf_str(out, "fib saddr . mark . iif oif 0");
		return;
	}
	assert(!"a match of no known kind");
}

/* ---- actions */

static void text_mark_set(struct buf *out, const struct action *a)
{
	if (a->mark.value == 0)
		buf_printf(out, "meta mark set mark & 0x%x", ~a->mark.mask);
	else if (a->mark.value == a->mark.mask)
		buf_printf(out, "meta mark set mark or 0x%x", a->mark.value);
	else
		buf_printf(out, "meta mark set mark & 0x%x ^ 0x%x", ~a->mark.mask, a->mark.value);
}

static void text_action(struct buf *out, enum table_id layer, const struct action *a)
{
	static const char *const words[] = {
		[ACTION_ACCEPT] = "accept",   [ACTION_DROP] = "drop",
		[ACTION_RETURN] = "return",   [ACTION_REJECT] = "reject",
		[ACTION_NOTRACK] = "notrack",
	};
	char name[NFT_NAME_MAX];

	switch (a->kind) {
	case ACTION_NONE:
		return;
	case ACTION_ACCEPT:
	case ACTION_DROP:
	case ACTION_RETURN:
	case ACTION_REJECT:
	case ACTION_NOTRACK:
		buf_str(out, words[a->kind]);
		return;
	case ACTION_JUMP:
	case ACTION_GOTO:
		nft_name(name, layer, a->chain);
		buf_printf(out, "%s %s", a->kind == ACTION_JUMP ? "jump" : "goto", name);
		return;
	case ACTION_MARK:
		text_mark_set(out, a);
		return;
	case ACTION_LOG:
		buf_printf(out, "log prefix \"%s: \" level info", a->log_prefix);
		return;
	case ACTION_MASQUERADE:
		buf_str(out, "masquerade");
		if (a->masq.to_min)
			buf_printf(out, " to :%u-%u", a->masq.to_min, a->masq.to_max);
		if (a->masq.random_fully)
			buf_str(out, " fully-random");
		return;
	case ACTION_VMAP:
		nft_name(name, layer, a->vmap.name);
		buf_printf(out, "%s vmap @%s", a->vmap.in ? "iifname" : "oifname", name);
		return;
	}
	assert(!"an action of no known kind");
}

void nft_text_rule(struct buf *out, enum table_id layer, int family, const struct rule *r)
{
	uint8_t proto = 0;

	if (r->n_matches == 0 && r->action.kind == ACTION_NONE) {
		buf_str(out, "continue");
		return;
	}
	for (size_t i = 0; i < r->n_matches; i++) {
		const struct match *m = &r->matches[i];

		if (m->kind == MATCH_PROTO && !m->neg)
			proto = m->proto.num;
		if (i)
			buf_byte(out, ' ');
		text_match(out, m, family, proto);
	}
	if (r->action.kind == ACTION_NONE)
		return;
	if (r->n_matches)
		buf_byte(out, ' ');
	if (r->action.kind != ACTION_VMAP)
		buf_str(out, "counter ");
	text_action(out, layer, &r->action);
}

void nft_text_hash(struct chain *c, enum table_id layer, int family, const char *seed)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	char name[NFT_NAME_MAX], id[(28 * 8 + 5) / 6 + 1];
	uint8_t digest[28];

	nft_name(name, layer, seed);
	sha224(name, strlen(name), digest);
	for (size_t i = 0; i < c->n_rules; i++) {
		buf_clear(&text);
		buf_add(&text, digest, sizeof(digest));
		nft_text_rule(&text, layer, family, &c->rules[i]);
		sha224(text.data, text.len, digest);
		base64url(digest, sizeof(digest), id);
		memcpy(c->rules[i].id, id, RULE_ID_MAX - 1);
		c->rules[i].id[RULE_ID_MAX - 1] = '\0';
	}
}

/* ---- comments */

static bool plain(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       (ch && strchr("_ @%+=:,./-", ch));
}

void nft_text_comment(char out[NFT_COMMENT_MAX], const struct rule *r)
{
	size_t at = (size_t)snprintf(out, NFT_COMMENT_MAX, ID_PREFIX "%s;", r->id);
	size_t share = r->n_comments ? (NFT_COMMENT_MAX - at) / r->n_comments : 0;

	for (size_t i = 0; i < r->n_comments; i++) {
		if (at < NFT_COMMENT_MAX - 1)
			out[at++] = ' ';
		for (size_t k = 0; r->comments[i][k] && k < share && at < NFT_COMMENT_MAX - 1; k++)
			out[at++] = plain(r->comments[i][k]) ? r->comments[i][k] : '_';
	}
	out[at] = '\0';
}

void nft_text_id(const char *comment, size_t n, char id[RULE_ID_MAX])
{
	const size_t skip = strlen(ID_PREFIX);

	*id = '\0';
	if (n < skip + RULE_ID_MAX || memcmp(comment, ID_PREFIX, skip) != 0 ||
	    comment[skip + RULE_ID_MAX - 1] != ';')
		return;
	memcpy(id, comment + skip, RULE_ID_MAX - 1);
	id[RULE_ID_MAX - 1] = '\0';
}
