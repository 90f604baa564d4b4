/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/policy.h"

#include <stddef.h>
#include <string.h>

const char *route_source_name(enum route_source s)
{
	return s == ROUTE_NETWORK ? "network" : s == ROUTE_KERNEL ? "kernel" : "bgp";
}

bool prefix_list_match(const struct prefix_list *l, const struct ip_prefix *p)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct prefix_entry *e = &l->entries[i];

		if (p->len >= e->min && p->len <= e->max && ip_prefix_covers(&e->prefix, p))
			return true;
	}
	return false;
}

bool glob_match(const char *pattern, const char *s)
{
	const char *star = NULL, *retry = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = s;
		} else if (*pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool rule_matches(const struct policy_rule *rule, const struct policy_route *r)
{
	if (rule->source >= 0 && rule->source != (int)r->source)
		return false;
	if (rule->interface && (!r->interface || !glob_match(rule->interface, r->interface)))
		return false;
	return !rule->list || prefix_list_match(rule->list, &r->prefix);
}

const struct policy_rule *policy_match(const struct policy *p, const struct policy_route *r)
{
	for (unsigned i = 0; i < p->n; i++)
		if (rule_matches(&p->rules[i], r))
			return p->rules[i].accept ? &p->rules[i] : NULL;
	return NULL;
}

static bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool list_eq(const struct prefix_list *a, const struct prefix_list *b)
{
	if (!a || !b)
		return a == b;
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct prefix_entry *x = &a->entries[i], *y = &b->entries[i];

		if (!ip_prefix_eq(&x->prefix, &y->prefix) || x->min != y->min || x->max != y->max)
			return false;
	}
	return true;
}

bool policy_eq(const struct policy *a, const struct policy *b)
{
	if (!a || !b)
		return a == b;
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct policy_rule *x = &a->rules[i], *y = &b->rules[i];

		if (x->accept != y->accept || x->source != y->source ||
		    !str_eq(x->interface, y->interface) || x->set_local_pref != y->set_local_pref ||
		    x->local_pref != y->local_pref || !list_eq(x->list, y->list))
			return false;
	}
	return true;
}
