/* SPDX-License-Identifier: BSD-2-Clause */
/* prefix-list and policy. */
#include <string.h>

#include "bgpd/parse.h"

static int list_range(struct parser *p, struct prefix_entry *e)
{
	uint8_t bits = (uint8_t)ip_addr_bits(&e->prefix.addr);
	uint64_t low = 0, high = 0;
	int r;

	e->min = e->max = e->prefix.len;
	if (parse_is_word(p, "exact"))
		return parse_advance(p);
	if (parse_is_word(p, "or-longer")) {
		e->max = bits;
		return parse_advance(p);
	}
	if (parse_is_word(p, "longer")) {
		e->min = (uint8_t)(e->prefix.len + 1);
		e->max = bits;
		return parse_advance(p);
	}
	if (!parse_is_word(p, "length"))
		return 0;
	r = parse_advance(p);
	if (r == 0)
		r = parse_uint(p, "length", e->prefix.len, bits, &low);
	if (r == 0 && !parse_is_word(p, "to"))
		r = parse_fail(p, "expected 'to', found '%s'", p->tok.text);
	if (r == 0)
		r = parse_advance(p);
	if (r == 0)
		r = parse_uint(p, "length", low, bits, &high);
	if (r == 0) {
		e->min = (uint8_t)low;
		e->max = (uint8_t)high;
	}
	return r;
}

int parse_top_prefix_list(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct prefix_list *l;
	int r;

	(void)target;
	for (unsigned i = 0; parse_is_text(p) && i < c->n_lists; i++)
		if (strcmp(c->lists[i]->name, p->tok.text) == 0)
			return parse_fail(p, "prefix-list %s is defined twice", p->tok.text);
	r = parse_grow(p, &c->lists, c->n_lists, sizeof(struct prefix_list *));
	if (r < 0)
		return r;
	l = c->lists[c->n_lists++] = xcalloc(1, sizeof(*l));
	l->name = xstrdup("");
	r = parse_text(p, "the name of a prefix-list", &l->name);
	if (r == 0)
		r = parse_expect(p, TOKEN_OPEN, "'{'");
	while (r == 0 && p->tok.kind != TOKEN_CLOSE) {
		struct prefix_entry e = { 0 };

		r = parse_prefix(p, &e.prefix);
		if (r == 0)
			r = list_range(p, &e);
		if (r == 0)
			r = parse_semicolon(p);
		if (r == 0)
			r = parse_grow(p, &l->entries, l->n, sizeof(e));
		if (r == 0)
			l->entries[l->n++] = e;
	}
	return r < 0 ? r : parse_expect(p, TOKEN_CLOSE, "'}'");
}

static int read_rule(struct parser *p, struct policy_rule *rule)
{
	static const char *const sources[] = { "network", "kernel", "bgp" };
	uint64_t v = 0;
	int r = 0;

	rule->line = p->tok.line;
	rule->source = -1;
	if (parse_is_word(p, "accept"))
		rule->accept = true;
	else if (!parse_is_word(p, "reject"))
		return parse_fail(p, "expected 'accept' or 'reject', found '%s'", p->tok.text);
	r = parse_advance(p);
	while (r == 0 && p->tok.kind != TOKEN_SEMICOLON) {
		if (parse_is_word(p, "prefix") && !rule->list_name) {
			r = parse_advance(p);
			if (r == 0)
				r = parse_text(p, "the name of a prefix-list", &rule->list_name);
		} else if (parse_is_word(p, "source") && rule->source < 0) {
			r = parse_advance(p);
			for (int i = 0; r == 0 && i < 3; i++)
				if (parse_is_word(p, sources[i]))
					rule->source = i;
			if (r == 0 && rule->source < 0)
				return parse_fail(p, "expected network, kernel or bgp, found '%s'",
				                  p->tok.text);
			if (r == 0)
				r = parse_advance(p);
		} else if (parse_is_word(p, "interface") && !rule->interface) {
			r = parse_advance(p);
			if (r == 0)
				r = parse_text(p, "the name of an interface", &rule->interface);
		} else if (parse_is_word(p, "local-preference") && rule->accept &&
		           !rule->set_local_pref) {
			r = parse_advance(p);
			if (r == 0)
				r = parse_uint(p, "local-preference", 0, UINT32_MAX, &v);
			if (r == 0) {
				rule->set_local_pref = true;
				rule->local_pref = (uint32_t)v;
			}
		} else {
			return parse_fail(p, "'%s' has no place in this rule", p->tok.text);
		}
	}
	return r < 0 ? r : parse_semicolon(p);
}

static void rule_done(struct policy_rule *rule)
{
	free(rule->interface);
	free(rule->list_name);
}

struct policy *parse_find_policy(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_policies; i++)
		if (strcmp(c->policies[i]->name, name) == 0)
			return c->policies[i];
	return NULL;
}

int parse_top_policy(struct parser *p, void *target)
{
	struct config *c = p->c;
	struct policy *pol;
	int r;

	(void)target;
	if (parse_is_text(p) && parse_find_policy(c, p->tok.text))
		return parse_fail(p, "policy %s is %s", p->tok.text,
		                  parse_find_policy(c, p->tok.text)->builtin ? "built in"
		                                                             : "defined twice");
	r = parse_grow(p, &c->policies, c->n_policies, sizeof(struct policy *));
	if (r < 0)
		return r;
	pol = c->policies[c->n_policies++] = xcalloc(1, sizeof(*pol));
	pol->name = xstrdup("");
	r = parse_text(p, "the name of a policy", &pol->name);
	if (r == 0)
		r = parse_expect(p, TOKEN_OPEN, "'{'");
	while (r == 0 && p->tok.kind != TOKEN_CLOSE) {
		struct policy_rule rule = { 0 };

		r = read_rule(p, &rule);
		if (r == 0)
			r = parse_grow(p, &pol->rules, pol->n, sizeof(rule));
		if (r == 0)
			pol->rules[pol->n++] = rule;
		else
			rule_done(&rule);
	}
	return r < 0 ? r : parse_expect(p, TOKEN_CLOSE, "'}'");
}

int parse_resolve_rules(struct parser *p, struct policy *pol)
{
	for (unsigned i = 0; i < pol->n; i++) {
		struct policy_rule *rule = &pol->rules[i];

		for (unsigned k = 0; rule->list_name && k < p->c->n_lists; k++)
			if (strcmp(p->c->lists[k]->name, rule->list_name) == 0)
				rule->list = p->c->lists[k];
		if (rule->list_name && !rule->list)
			return parse_fail_at(p, rule->line, "prefix-list %s is not defined",
			                     rule->list_name);
	}
	return 0;
}

void policy_free(struct policy *pol)
{
	for (unsigned i = 0; i < pol->n; i++)
		rule_done(&pol->rules[i]);
	free(pol->rules);
	free(pol->name);
	free(pol);
}
