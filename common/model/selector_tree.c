/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/selector_tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* ---- the arena */

#define CHUNK_SIZE                                                                                 \
	240u /* with its header and malloc's: 256 bytes, what two or three comparisons take */
/* More values than this are not worth an index; it also bounds the work that a hostile selector can
 * ask for. */
#define RESTRICTION_VALUES_MAX 256

struct selector_chunk {
	struct selector_chunk *next;
	size_t size;
	_Alignas(void *) char bytes[];
};

void *selector_arena_alloc(struct selector_arena *a, size_t size)
{
	size_t need = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);

	if (need > a->left) {
		size_t room = need > CHUNK_SIZE / 4 ? need : CHUNK_SIZE;
		struct selector_chunk *c = xcalloc(1, sizeof(*c) + room);

		c->size = room;
		if (room == need &&
		    a->chunks) { /* a big piece: behind the chunk in use, which keeps its rest */
			c->next = a->chunks->next;
			a->chunks->next = c;
			return c->bytes;
		}
		c->next = a->chunks;
		a->chunks = c;
		a->left = room;
	}
	void *p = a->chunks->bytes + a->chunks->size - a->left;
	a->left -= need;
	return p;
}

char *selector_arena_str(struct selector_arena *a, const char *prefix, const char *s, size_t len)
{
	size_t plen = strlen(prefix);
	char *copy = selector_arena_alloc(a, plen + len + 1);

	memcpy(copy, prefix, plen);
	memcpy(copy + plen, s, len);
	copy[plen + len] = '\0';
	return copy;
}

void selector_arena_done(struct selector_arena *a)
{
	while (a->chunks) {
		struct selector_chunk *c = a->chunks;

		a->chunks = c->next;
		free(c);
	}
	a->left = 0;
}

/* ---- evaluation */

static bool has_value(const struct selector_node *node, const char *value)
{
	size_t lo = 0, hi = node->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(value, node->values[mid]);

		if (c == 0)
			return true;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool selector_node_match(const struct selector_node *node, selector_lookup_fn *lookup, void *arg)
{
	const char *v = node->label ? lookup(arg, node->label) : NULL;

	switch (node->op) {
	case OP_ALL:
	case OP_GLOBAL: /* given a meaning by those who rewrite it; here it holds */
		return true;
	case OP_HAS:
		return v != NULL;
	case OP_EQ:
		return v && strcmp(v, node->values[0]) == 0;
	case OP_NE:
		return !v || strcmp(v, node->values[0]) != 0;
	case OP_IN:
		return v && has_value(node, v);
	case OP_NOT_IN:
		return !v || !has_value(node, v);
	case OP_CONTAINS:
		return v && strstr(v, node->values[0]);
	case OP_STARTS_WITH:
		return v && strncmp(v, node->values[0], strlen(node->values[0])) == 0;
	case OP_ENDS_WITH:
		return v && ends_with(v, node->values[0]);
	case OP_NOT:
		return !selector_node_match(node->kids[0], lookup, arg);
	case OP_AND:
		for (size_t i = 0; i < node->n; i++)
			if (!selector_node_match(node->kids[i], lookup, arg))
				return false;
		return true;
	case OP_OR:
		for (size_t i = 0; i < node->n; i++)
			if (selector_node_match(node->kids[i], lookup, arg))
				return true;
		return false;
	}
	return false;
}

/* ---- canonical text */

static void print_literal(const char *s, struct buf *out)
{
	/* The language has no escapes; a literal can hold one kind of quote only, because the other
	 * kind ended it. */
	char q = strchr(s, '"') ? '\'' : '"';

	buf_byte(out, (uint8_t)q);
	buf_str(out, s);
	buf_byte(out, (uint8_t)q);
}

static void print_comparison(const struct selector_node *node, const char *op, struct buf *out)
{
	buf_str(out, node->label);
	buf_str(out, op);
	print_literal(node->values[0], out);
}

static void print_set(const struct selector_node *node, const char *op, struct buf *out)
{
	buf_str(out, node->label);
	buf_str(out, op);
	for (size_t i = 0; i < node->n; i++) {
		if (i)
			buf_str(out, ", ");
		print_literal(node->values[i], out);
	}
	buf_byte(out, '}');
}

static void print_group(const struct selector_node *node, const char *op, struct buf *out)
{
	buf_byte(out, '(');
	for (size_t i = 0; i < node->n; i++) {
		if (i)
			buf_str(out, op);
		selector_node_print(node->kids[i], out);
	}
	buf_byte(out, ')');
}

void selector_node_print(const struct selector_node *node, struct buf *out)
{
	switch (node->op) {
	case OP_ALL:
		buf_str(out, "all()");
		return;
	case OP_GLOBAL:
		buf_str(out, "global()");
		return;
	case OP_HAS:
		buf_str(out, "has(");
		buf_str(out, node->label);
		buf_byte(out, ')');
		return;
	case OP_EQ:
		print_comparison(node, " == ", out);
		return;
	case OP_NE:
		print_comparison(node, " != ", out);
		return;
	case OP_IN:
		print_set(node, " in {", out);
		return;
	case OP_NOT_IN:
		print_set(node, " not in {", out);
		return;
	case OP_CONTAINS:
		print_comparison(node, " contains ", out);
		return;
	case OP_STARTS_WITH:
		print_comparison(node, " starts with ", out);
		return;
	case OP_ENDS_WITH:
		print_comparison(node, " ends with ", out);
		return;
	case OP_NOT:
		buf_byte(out, '!');
		selector_node_print(node->kids[0], out);
		return;
	case OP_AND:
		print_group(node, " && ", out);
		return;
	case OP_OR:
		print_group(node, " || ", out);
		return;
	}
}

/* ---- restrictions
 *
 * Each is a necessary condition, so forgetting one is always right: that is how the limits are
 * kept. n_values 0 says "present"; a set that became empty (nothing can match) is weakened to that
 * as well.
 */

static int cmp_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct selector_restriction *find_label(struct selector_restriction *r, size_t n,
                                               const char *label)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(r[i].label, label) == 0)
			return &r[i];
	return NULL;
}

static void intersect_values(struct selector_restriction *r,
                             const struct selector_restriction *with, struct selector_arena *a)
{
	if (with->n_values == 0)
		return;
	if (r->n_values == 0) {
		*r = *with;
		return;
	}
	const char **both = selector_arena_alloc(a, r->n_values * sizeof(*both));
	size_t n = 0;

	for (size_t i = 0, j = 0; i < r->n_values && j < with->n_values;) {
		int c = strcmp(r->values[i], with->values[j]);

		if (c == 0)
			both[n++] = r->values[i];
		i += c <= 0;
		j += c >= 0;
	}
	r->values = both;
	r->n_values = n;
}

static size_t restrict_and(const struct selector_node *node, struct selector_arena *a,
                           struct selector_restriction *out)
{
	size_t n = 0;

	for (size_t k = 0; k < node->n; k++) {
		struct selector_restriction kid[SELECTOR_RESTRICTIONS_MAX];
		size_t n_kid = selector_node_restrict(node->kids[k], a, kid);

		for (size_t i = 0; i < n_kid; i++) {
			struct selector_restriction *r = find_label(out, n, kid[i].label);

			if (r)
				intersect_values(r, &kid[i], a);
			else if (n < SELECTOR_RESTRICTIONS_MAX)
				out[n++] = kid[i];
		}
	}
	return n;
}

/* What all branches say of one label. false: some branch says nothing. */
static bool unite(const struct selector_restriction *const *branches, const size_t *n_branch,
                  size_t n_kids, const char *label, struct selector_arena *a,
                  struct selector_restriction *ret)
{
	size_t total = 0;
	bool any_value = false;

	for (size_t k = 0; k < n_kids; k++) {
		const struct selector_restriction *r =
		        find_label((struct selector_restriction *)branches[k], n_branch[k], label);

		if (!r)
			return false;
		any_value |= r->n_values == 0;
		total += r->n_values;
	}
	*ret = (struct selector_restriction){ .label = label };
	if (any_value || total > RESTRICTION_VALUES_MAX)
		return true;

	const char **all = selector_arena_alloc(a, total * sizeof(*all));
	size_t n = 0;
	for (size_t k = 0; k < n_kids; k++) {
		const struct selector_restriction *r =
		        find_label((struct selector_restriction *)branches[k], n_branch[k], label);

		for (size_t i = 0; i < r->n_values; i++)
			all[n++] = r->values[i];
	}
	qsort(all, n, sizeof(*all), cmp_str);
	size_t unique = 0;
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || strcmp(all[unique - 1], all[i]) != 0)
			all[unique++] = all[i];
	ret->values = all;
	ret->n_values = unique;
	return true;
}

static size_t restrict_or(const struct selector_node *node, struct selector_arena *a,
                          struct selector_restriction *out)
{
	const struct selector_restriction **branches = xcalloc(node->n, sizeof(*branches));
	size_t *n_branch = xcalloc(node->n, sizeof(*n_branch));
	size_t n = 0;

	for (size_t k = 0; k < node->n; k++) {
		struct selector_restriction kid[SELECTOR_RESTRICTIONS_MAX];

		n_branch[k] = selector_node_restrict(node->kids[k], a, kid);
		if (n_branch[k] == 0)
			goto out; /* one branch that asks for nothing: nothing is shared */
		branches[k] = xmemdup(kid, n_branch[k] * sizeof(kid[0]));
	}
	for (size_t i = 0; i < n_branch[0]; i++)
		if (unite(branches, n_branch, node->n, branches[0][i].label, a, &out[n]))
			n++;
out:
	for (size_t k = 0; k < node->n; k++)
		free((void *)branches[k]);
	free(branches);
	free(n_branch);
	return n;
}

size_t selector_node_restrict(const struct selector_node *node, struct selector_arena *a,
                              struct selector_restriction out[SELECTOR_RESTRICTIONS_MAX])
{
	switch (node->op) {
	case OP_EQ:
	case OP_IN:
		out[0] = (struct selector_restriction){ .label = node->label };
		if (node->n <= RESTRICTION_VALUES_MAX) {
			out[0].values = node->values;
			out[0].n_values = node->n;
		}
		return 1;
	case OP_HAS:
	case OP_CONTAINS:
	case OP_STARTS_WITH:
	case OP_ENDS_WITH:
		out[0] = (struct selector_restriction){ .label = node->label };
		return 1;
	case OP_AND:
		return restrict_and(node, a, out);
	case OP_OR:
		return restrict_or(node, a, out);
	case OP_ALL:
	case OP_GLOBAL:
	case OP_NE:
	case OP_NOT_IN:
	case OP_NOT: /* "must be absent" is nothing an index of present labels can use */
		return 0;
	}
	return 0;
}
