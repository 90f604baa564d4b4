/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chain: rules as the dataplane thinks of them, before any backend has a say.
 *
 * A chain is a name and a list of rules; a rule is comments, matches (all must hold, in the order
 * in which they are written out) and one action. Rendering builds chains; a backend turns each rule
 * into its text (for the hash), and into what its kernel interface wants. Everything a chain refers
 * to lives in the chain's own arena and dies with it.
 *
 * Building works on the last rule: rule_begin(), matches and comments, then one action.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"
#include "felixd/calc/output.h"

#define CHAIN_NAME_MAX 29 /* with the NUL: XT_EXTENSION_MAXNAMELEN */
#define RULE_ID_MAX 17    /* 16 characters of the hash and a NUL */
#define PORT_SLOTS 15     /* of a multiport match; a range takes two */

/* Of iptables; nftables have them as layers of one. */
enum table_id {
	TABLE_RAW,
	TABLE_MANGLE,
	TABLE_NAT,
	TABLE_FILTER,
	TABLE_COUNT
};
extern const char *const table_names[TABLE_COUNT];

enum match_kind {
	MATCH_PROTO,    /* proto */
	MATCH_NET,      /* src, net */
	MATCH_SET,      /* src, set */
	MATCH_PORTS,    /* src, ports: any of at most PORT_SLOTS slots */
	MATCH_PORT,     /* destination port, of tcp or udp (as proto, which comes before it) */
	MATCH_ICMP,     /* icmp, of the family's ICMP */
	MATCH_CT_STATE, /* ct_states: any of them */
	MATCH_MARK,     /* mark: (packet's & mask) == value */
	MATCH_IFACE,    /* src: comes in by, else: goes out by; iface ends in '+' for any with this
	                   prefix */
	MATCH_LOCAL,    /* src: the source, else the destination, is an address of this host;
	                   limit_out: ... on the way-out interface */
	MATCH_RPF, /* src address has a route back through the interface; neg always; marks take
	              part */
};

enum ct_state {
	CT_INVALID = 1,
	CT_RELATED = 2,
	CT_ESTABLISHED = 4,
	CT_DNAT = 8
};

struct match {
	enum match_kind kind;
	bool neg, src;
	union {
		struct {
			uint8_t num;
			bool by_number; /* written so in text */
		} proto;
		struct ip_prefix net;
		struct {
			const char *name; /* the kernel's name */
			bool ip_port;     /* looks up address and port */
		} set;
		struct {
			const struct calc_port_range *ranges;
			uint8_t n;
		} ports;
		uint16_t port;
		struct {
			int16_t type, code; /* code -1: any */
		} icmp;
		unsigned ct_states;
		struct {
			uint32_t value, mask;
		} mark;
		const char *iface;
		bool limit_out;
	};
};

enum action_kind {
	ACTION_NONE, /* goes on to the next rule */
	ACTION_ACCEPT,
	ACTION_DROP,
	ACTION_RETURN,
	ACTION_REJECT,
	ACTION_JUMP,
	ACTION_GOTO,
	ACTION_MARK, /* mark = (mark & ~mask) | value */
	ACTION_LOG,
	ACTION_MASQUERADE,
	ACTION_NOTRACK,
	ACTION_VMAP, /* what a verdict map says of the interface; of backends that have such maps */
};

struct action {
	enum action_kind kind;
	union {
		const char *chain;
		struct {
			uint32_t value, mask;
		} mark;
		const char *log_prefix;
		struct {
			uint16_t to_min, to_max; /* 0: the kernel's choice */
			bool random_fully;
		} masq;
		struct {
			const char *name;
			bool in; /* by the interface it comes in by */
		} vmap;
	};
};

struct rule {
	const char **comments;
	struct match *matches;
	uint16_t n_comments, n_matches;
	uint32_t counts; /* the packets that match are those of this rule of the policy, from 1 */
	struct action action;
	char id[RULE_ID_MAX]; /* "" until a backend has hashed the chain */
};

/* An entry of a verdict map: goto chain. Zeroed before it is filled: entries are compared whole. */
struct verdict {
	char iface[16];
	char chain[CHAIN_NAME_MAX];
};

struct chain_arena;

struct chain {
	char name[CHAIN_NAME_MAX];
	struct rule *rules;
	size_t n_rules;
	struct chain_arena *arena;
};

struct chain *chain_new(const char *name); /* name is at most CHAIN_NAME_MAX - 1 long */
void chain_free(struct chain *c);          /* NULL is fine */
size_t chain_bytes(const struct chain *c); /* memory held, for statistics */
/* The same rules with the same hashes? Both must have been hashed. */
bool chain_same(const struct chain *a, const struct chain *b);

const char *chain_strdup(struct chain *c, const char *s);
void rule_begin(struct chain *c);
void rule_comment(struct chain *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rule_comment_at(struct chain *c, size_t rule, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void rule_match(struct chain *c, const struct match *m); /* what m points to is copied */
void rule_match_all(struct chain *c, const struct match *m, size_t n);

void rule_accept(struct chain *c);
void rule_drop(struct chain *c);
void rule_return(struct chain *c);
void rule_jump(struct chain *c, const char *target);
void rule_goto(struct chain *c, const char *target);
void rule_mark(struct chain *c, uint32_t value, uint32_t mask);
void rule_action(struct chain *c, const struct action *a);
void chain_drop_last(struct chain *c);           /* the last rule goes */
void rule_counts(struct chain *c, size_t index); /* of the policy's rule, from 0 */

/* Matches, for rule_match(). */
struct match match_mark(uint32_t value, uint32_t mask);
struct match match_mark_clear(uint32_t bits);
struct match match_proto(int num, bool by_number, bool neg);
struct match match_net(bool src, const struct ip_prefix *net, bool neg);
struct match match_set(bool src, const char *name, bool ip_port, bool neg);
struct match match_ports(bool src, const struct calc_port_range *ranges, size_t n, bool neg);
struct match match_icmp(int type, int code, bool neg);
struct match match_ct(unsigned states, bool neg);
struct match match_iface(bool in, const char *name);
struct match match_local(bool src, bool neg, bool limit_out);

/* "tcp" and so on, or NULL where the protocol goes by its number. */
const char *proto_name(uint8_t num);
