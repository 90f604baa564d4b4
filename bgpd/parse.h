/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse: what the files that read bgpd.conf share. Every function returns 0 or -EINVAL, with the
 * error's line in the parser and the sentence in its struct err; targets are what the statement
 * fills.
 */
#pragma once

#include "bgpd/config.h"
#include "bgpd/token.h"
#include "common/base/mem.h"

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

/* ---- parse.c: words and blocks ---- */

int parse_fail_at(struct parser *p, unsigned line, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
#define parse_fail(p, ...) parse_fail_at((p), (p)->tok.line, __VA_ARGS__)
int parse_advance(struct parser *p);
int parse_expect(struct parser *p, enum token_kind kind, const char *what);
int parse_semicolon(struct parser *p);
bool parse_is_text(const struct parser *p);
bool parse_is_word(const struct parser *p, const char *word);
int parse_text(struct parser *p, const char *what, char **ret); /* what *ret held before is freed */
int parse_uint(struct parser *p, const char *what, uint64_t min, uint64_t max, uint64_t *ret);
int parse_as(struct parser *p, uint32_t *ret);
int parse_address(struct parser *p, const char *what, struct ip_addr *ret);
int parse_prefix(struct parser *p, struct ip_prefix *ret);
/* Statements of the table until end, which is not taken. seen: a bit per row. */
int parse_block(struct parser *p, const struct statement *table, size_t n, const char *where,
                unsigned *seen, enum token_kind end, void *target);
int parse_braced(struct parser *p, const struct statement *table, size_t n, const char *where,
                 void *target);
/* Room for entry n of *array, a pointer to elements of that size. */
int parse_grow(struct parser *p, void *array, unsigned n, size_t size);

/* ---- parse_timing.c; has: which of the three were given, or NULL ---- */

int parse_timers(struct parser *p, struct config_timers *timers, bool *has);
int parse_graceful(struct parser *p, struct config_graceful *g, bool *has, bool *has_off);

/* ---- parse_policy.c ---- */

int parse_top_prefix_list(struct parser *p, void *target);
int parse_top_policy(struct parser *p, void *target);
struct policy *parse_find_policy(const struct config *c, const char *name);
int parse_resolve_rules(struct parser *p, struct policy *pol);
void policy_free(struct policy *pol);

/* ---- parse_peer.c ---- */

int parse_top_group(struct parser *p, void *target);
int parse_top_peer(struct parser *p, void *target);
struct config_peer *parse_find_peer(struct config_peer *const *peers, unsigned n, const char *name);
void config_peer_free(struct config_peer *peer);
