/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/chain.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

const char *const table_names[TABLE_COUNT] = { "raw", "mangle", "nat", "filter" };

/* The arena grows by blocks that double, so a policy of one rule stays small and one of a thousand
 * needs ten blocks. */
struct chain_arena {
	struct chain_arena *next;
	size_t used, size;
	max_align_t data[];
};

#define ARENA_FIRST 256
#define ARENA_LARGEST 16384

static void *arena_alloc(struct chain *c, size_t size)
{
	struct chain_arena *a = c->arena;
	void *p;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!a || a->size - a->used < size) {
		size_t want = a ? a->size * 2 : ARENA_FIRST;

		if (want > ARENA_LARGEST)
			want = ARENA_LARGEST;
		if (want < size)
			want = size;
		a = xcalloc(1, sizeof(*a) + want);
		a->size = want;
		a->next = c->arena;
		c->arena = a;
	}
	p = (char *)a->data + a->used;
	a->used += size;
	return p;
}

const char *chain_strdup(struct chain *c, const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(arena_alloc(c, len), s, len);
}

struct chain *chain_new(const char *name)
{
	struct chain *c = xcalloc(1, sizeof(*c));

	assert(strlen(name) < sizeof(c->name));
	memcpy(c->name, name, strlen(name) + 1);
	return c;
}

void chain_free(struct chain *c)
{
	if (!c)
		return;
	while (c->arena) {
		struct chain_arena *a = c->arena;

		c->arena = a->next;
		free(a);
	}
	free(c->rules);
	free(c);
}

size_t chain_bytes(const struct chain *c)
{
	size_t n = sizeof(*c) + c->n_rules * sizeof(*c->rules);

	for (const struct chain_arena *a = c->arena; a; a = a->next)
		n += sizeof(*a) + a->size;
	return n;
}

bool chain_same(const struct chain *a, const struct chain *b)
{
	if (a->n_rules != b->n_rules || strcmp(a->name, b->name) != 0)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (a->rules[i].counts != b->rules[i].counts)
			return false;
	/* Each hash covers all rules before it: the last one speaks for the chain. */
	return a->n_rules == 0 ||
	       strcmp(a->rules[a->n_rules - 1].id, b->rules[b->n_rules - 1].id) == 0;
}

/* Arrays grow when their length is a power of two (0, 1, 2, 4, ...): no capacity to keep. */
static bool array_is_full(size_t n)
{
	return (n & (n - 1)) == 0;
}

void rule_begin(struct chain *c)
{
	if (array_is_full(c->n_rules)) {
		size_t cap = c->n_rules ? c->n_rules * 2 : 1;

		c->rules = xrealloc(c->rules, cap * sizeof(*c->rules));
	}
	c->rules[c->n_rules++] = (struct rule){ 0 };
}

void chain_drop_last(struct chain *c)
{
	assert(c->n_rules > 0);
	c->n_rules--;
}

static struct rule *last_rule(struct chain *c)
{
	assert(c->n_rules > 0);
	return &c->rules[c->n_rules - 1];
}

void rule_counts(struct chain *c, size_t index)
{
	last_rule(c)->counts = (uint32_t)index + 1;
}

/* A copy of the n elements in the arena with room for more, when there is none left. */
static void *grown(struct chain *c, void *old, size_t n, size_t elem)
{
	void *p;

	if (!array_is_full(n))
		return old;
	p = arena_alloc(c, (n ? n * 2 : 1) * elem);
	if (n)
		memcpy(p, old, n * elem);
	return p;
}

__attribute__((format(printf, 3, 0))) static void comment_v(struct chain *c, struct rule *r,
                                                            const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	r->comments = grown(c, r->comments, r->n_comments, sizeof(*r->comments));
	r->comments[r->n_comments++] = chain_strdup(c, text);
}

void rule_comment(struct chain *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	comment_v(c, last_rule(c), fmt, ap);
	va_end(ap);
}

void rule_comment_at(struct chain *c, size_t rule, const char *fmt, ...)
{
	va_list ap;

	assert(rule < c->n_rules);
	va_start(ap, fmt);
	comment_v(c, &c->rules[rule], fmt, ap);
	va_end(ap);
}

void rule_match(struct chain *c, const struct match *m)
{
	struct rule *r = last_rule(c);
	struct match *to;

	r->matches = grown(c, r->matches, r->n_matches, sizeof(*r->matches));
	to = &r->matches[r->n_matches++];
	*to = *m;
	switch (m->kind) {
	case MATCH_SET:
		to->set.name = chain_strdup(c, m->set.name);
		break;
	case MATCH_IFACE:
		to->iface = chain_strdup(c, m->iface);
		break;
	case MATCH_PORTS:
		to->ports.ranges = memcpy(arena_alloc(c, m->ports.n * sizeof(*m->ports.ranges)),
		                          m->ports.ranges, m->ports.n * sizeof(*m->ports.ranges));
		break;
	default:
		break;
	}
}

void rule_match_all(struct chain *c, const struct match *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule_match(c, &m[i]);
}

void rule_action(struct chain *c, const struct action *a)
{
	struct rule *r = last_rule(c);

	r->action = *a;
	if (a->kind == ACTION_JUMP || a->kind == ACTION_GOTO)
		r->action.chain = chain_strdup(c, a->chain);
	else if (a->kind == ACTION_LOG)
		r->action.log_prefix = chain_strdup(c, a->log_prefix);
	else if (a->kind == ACTION_VMAP)
		r->action.vmap.name = chain_strdup(c, a->vmap.name);
}

void rule_accept(struct chain *c)
{
	rule_action(c, &(struct action){ .kind = ACTION_ACCEPT });
}

void rule_drop(struct chain *c)
{
	rule_action(c, &(struct action){ .kind = ACTION_DROP });
}

void rule_return(struct chain *c)
{
	rule_action(c, &(struct action){ .kind = ACTION_RETURN });
}

void rule_jump(struct chain *c, const char *target)
{
	rule_action(c, &(struct action){ .kind = ACTION_JUMP, .chain = target });
}

void rule_goto(struct chain *c, const char *target)
{
	rule_action(c, &(struct action){ .kind = ACTION_GOTO, .chain = target });
}

void rule_mark(struct chain *c, uint32_t value, uint32_t mask)
{
	rule_action(c, &(struct action){ .kind = ACTION_MARK, .mark = { value, mask } });
}

struct match match_mark(uint32_t value, uint32_t mask)
{
	return (struct match){ .kind = MATCH_MARK, .mark = { value, mask } };
}

struct match match_mark_clear(uint32_t bits)
{
	return match_mark(0, bits);
}

struct match match_proto(int num, bool by_number, bool neg)
{
	return (struct match){ .kind = MATCH_PROTO,
		               .neg = neg,
		               .proto = { (uint8_t)num, by_number } };
}

struct match match_net(bool src, const struct ip_prefix *net, bool neg)
{
	return (struct match){ .kind = MATCH_NET, .src = src, .neg = neg, .net = *net };
}

struct match match_set(bool src, const char *name, bool ip_port, bool neg)
{
	return (struct match){
		.kind = MATCH_SET, .src = src, .neg = neg, .set = { name, ip_port }
	};
}

struct match match_ports(bool src, const struct calc_port_range *ranges, size_t n, bool neg)
{
	assert(n > 0 && n <= PORT_SLOTS);
	return (struct match){
		.kind = MATCH_PORTS, .src = src, .neg = neg, .ports = { ranges, (uint8_t)n }
	};
}

struct match match_icmp(int type, int code, bool neg)
{
	return (struct match){ .kind = MATCH_ICMP,
		               .neg = neg,
		               .icmp = { (int16_t)type, (int16_t)code } };
}

struct match match_ct(unsigned states, bool neg)
{
	return (struct match){ .kind = MATCH_CT_STATE, .neg = neg, .ct_states = states };
}

struct match match_iface(bool in, const char *name)
{
	return (struct match){ .kind = MATCH_IFACE, .src = in, .iface = name };
}

struct match match_local(bool src, bool neg, bool limit_out)
{
	return (struct match){
		.kind = MATCH_LOCAL, .src = src, .neg = neg, .limit_out = limit_out
	};
}

const char *proto_name(uint8_t num)
{
	switch (num) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_UDPLITE:
		return "udplite";
	default:
		return NULL;
	}
}
