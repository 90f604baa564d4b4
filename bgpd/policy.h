/* SPDX-License-Identifier: BSD-2-Clause */
/* policy: prefix lists and rules, and what they say about a route. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/addr.h"

enum route_source {
	ROUTE_NETWORK,
	ROUTE_KERNEL,
	ROUTE_BGP
};
const char *route_source_name(enum route_source s);

struct prefix_entry {
	struct ip_prefix prefix;
	uint8_t min, max; /* lengths that match */
};

struct prefix_list {
	char *name;
	struct prefix_entry *entries;
	unsigned n;
};

struct policy_rule {
	bool accept;
	const struct prefix_list *list; /* NULL: any; the configuration's */
	int source;                     /* enum route_source, or -1: any */
	char *interface;                /* pattern, or NULL */
	bool set_local_pref;
	uint32_t local_pref;
	char *list_name; /* until the parser has found list */
	unsigned line;
};

struct policy {
	char *name;
	struct policy_rule *rules;
	unsigned n;
	bool builtin; /* all, none */
};

struct policy_route {
	struct ip_prefix prefix;
	enum route_source source;
	const char *interface; /* of a kernel route, or NULL */
};

bool prefix_list_match(const struct prefix_list *l, const struct ip_prefix *p);

/* The rule that accepts, or NULL: rejected. */
const struct policy_rule *policy_match(const struct policy *p, const struct policy_route *r);

/* Say the same about every route. The lists that they use are compared, not their names. */
bool policy_eq(const struct policy *a, const struct policy *b);

/* '*' stands for any text, everything else for itself. */
bool glob_match(const char *pattern, const char *s);
