/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lexer and the parser of the selector language.
 *
 *     selector := <empty> | or
 *     or       := and { "||" and }
 *     and      := op { "&&" op }
 *     op       := { "!" } primary
 *     primary  := has(label) | all() | global() | label ( "==" | "!=" | contains | starts with |
 * ends with ) string | label ( in | not in ) "{" [ string { "," string } [ "," ] ] "}" | "(" or ")"
 *
 * The one context in the lexer: words are operators directly behind a label and labels everywhere
 * else, so that a label may be called "in" or "contains". The whole text is run through the lexer
 * before the parser sees the first token: an unterminated string at the end is then reported as
 * what it is, and not as whatever the parser makes of the tokens before it.
 */
#include "common/model/selector.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/sha.h"
#include "common/model/selector_tree.h"

/*
 * What text put together from several selectors within the limits can come to: canonical text has a
 * pair of parentheses for each
 * && and || group, blanks and longer labels.
 */
#define DERIVED_TEXT_MAX (16u * SELECTOR_TEXT_MAX)
#define DERIVED_DEPTH_MAX (4u * SELECTOR_DEPTH_MAX)

struct selector {
	unsigned refs;
	struct selector_arena arena;
	const struct selector_node *root;
	char *text;
	char id[SELECTOR_ID_MAX];
	const struct selector_restriction *restrictions;
	size_t n_restrictions;
};

/* ---- lexer */

enum token_type {
	TOK_END,
	TOK_OPEN,
	TOK_CLOSE,
	TOK_BRACE_OPEN,
	TOK_BRACE_CLOSE,
	TOK_COMMA,
	TOK_NOT,
	TOK_AND,
	TOK_OR,
	TOK_EQ,
	TOK_NE,
	TOK_CONTAINS,
	TOK_STARTS_WITH,
	TOK_ENDS_WITH,
	TOK_IN,
	TOK_NOT_IN,
	TOK_ALL,
	TOK_GLOBAL,
	TOK_HAS,    /* text: the label */
	TOK_LABEL,  /* text */
	TOK_STRING, /* text, without quotes */
};

struct token {
	enum token_type type;
	const char *text; /* into the input */
	size_t len;
	size_t at; /* where it begins, from 0 */
};

struct parser {
	const char *start, *at;
	struct token tok;     /* the one looked at */
	struct selector *sel; /* being built */
	const char *label_prefix;
	unsigned depth, depth_max;
	struct err *err;
};

static int fail(struct parser *p, size_t at, const char *what)
{
	return err_set(p->err, -EINVAL, "%s at character %zu of the selector", what, at + 1);
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '/' || c == '-';
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static const char *after_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	return strncmp(s, word, n) == 0 ? s + n : NULL;
}

/* The operators that are words; second is NULL for those of one word. */
static const struct {
	const char *first, *second;
	enum token_type type;
} word_operators[] = {
	{ "contains", NULL, TOK_CONTAINS },
	{ "starts", "with", TOK_STARTS_WITH },
	{ "ends", "with", TOK_ENDS_WITH },
	{ "not", "in", TOK_NOT_IN },
	{ "in", NULL, TOK_IN },
};

static bool lex_word_operator(struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(word_operators); i++) {
		const char *s = after_word(p->at, word_operators[i].first);

		if (s && word_operators[i].second) {
			s = after_word(skip_blanks(s), word_operators[i].second);
			if (s)
				s = skip_blanks(s);
		}
		if (s && !is_label_char(*s)) {
			p->tok.type = word_operators[i].type;
			p->at = s;
			return true;
		}
	}
	return false;
}

/* Reads a label at p->at into the token's text. */
static int lex_label(struct parser *p)
{
	const char *s = p->at;

	while (is_label_char(*s))
		s++;
	if (s == p->at)
		return fail(p, (size_t)(s - p->start), "expected identifier");
	p->tok.text = p->at;
	p->tok.len = (size_t)(s - p->at);
	if (p->tok.len > SELECTOR_LABEL_MAX)
		return fail(p, p->tok.at, "label too long (at most 512 bytes)");
	p->at = s;
	return 0;
}

/* What follows "has(", "all(" or "global(". */
static int lex_function(struct parser *p, enum token_type type, const char *rest)
{
	static const char *const unclosed[] = {
		[TOK_ALL] = "no closing ')' after all(",
		[TOK_GLOBAL] = "no closing ')' after global(",
		[TOK_HAS] = "no closing ')' after has(label",
	};

	p->at = skip_blanks(rest);
	p->tok.type = type;
	if (type == TOK_HAS) {
		int rc = lex_label(p);

		if (rc < 0)
			return rc;
		p->at = skip_blanks(p->at);
	}
	if (*p->at != ')')
		return fail(p, (size_t)(p->at - p->start), unclosed[type]);
	p->at++;
	return 0;
}

static int lex_string(struct parser *p)
{
	const char *end = strchr(p->at + 1, *p->at);

	if (!end)
		return fail(p, p->tok.at, "unterminated string");
	p->tok.type = TOK_STRING;
	p->tok.text = p->at + 1;
	p->tok.len = (size_t)(end - p->tok.text);
	p->at = end + 1;
	return 0;
}

static int lex_pair(struct parser *p, char second, enum token_type type, const char *otherwise)
{
	if (p->at[1] != second)
		return fail(p, p->tok.at, otherwise);
	p->tok.type = type;
	p->at += 2;
	return 0;
}

static int lex_single(struct parser *p, enum token_type type)
{
	p->tok.type = type;
	p->at++;
	return 0;
}

/* The next token, into p->tok. */
static int next(struct parser *p)
{
	bool after_label = p->tok.type == TOK_LABEL;
	struct token label = p->tok;
	const char *s;

	p->at = skip_blanks(p->at);
	p->tok = (struct token){ .at = (size_t)(p->at - p->start) };
	switch (*p->at) {
	case '\0':
		p->tok.type = TOK_END;
		return 0;
	case '(':
		return lex_single(p, TOK_OPEN);
	case ')':
		return lex_single(p, TOK_CLOSE);
	case '{':
		return lex_single(p, TOK_BRACE_OPEN);
	case '}':
		return lex_single(p, TOK_BRACE_CLOSE);
	case ',':
		return lex_single(p, TOK_COMMA);
	case '"':
	case '\'':
		return lex_string(p);
	case '=':
		return lex_pair(p, '=', TOK_EQ, "expected ==");
	case '&':
		return lex_pair(p, '&', TOK_AND, "expected &&");
	case '|':
		return lex_pair(p, '|', TOK_OR, "expected ||");
	case '!':
		if (p->at[1] == '=')
			return lex_pair(p, '=', TOK_NE, "expected !=");
		return lex_single(p, TOK_NOT);
	}
	if (after_label) {
		if (lex_word_operator(p))
			return 0;
		return err_set(
		        p->err, -EINVAL,
		        "expected operator after label \"%.*s\" at character %zu of the selector",
		        (int)label.len, label.text, p->tok.at + 1);
	}
	if ((s = after_word(p->at, "has(")))
		return lex_function(p, TOK_HAS, s);
	if ((s = after_word(p->at, "all(")))
		return lex_function(p, TOK_ALL, s);
	if ((s = after_word(p->at, "global(")))
		return lex_function(p, TOK_GLOBAL, s);
	p->tok.type = TOK_LABEL;
	return lex_label(p);
}

/* ---- parser */

static int parse_or(struct parser *p, const struct selector_node **ret);

static struct selector_node *node_new(struct parser *p, enum selector_op op)
{
	struct selector_node *n = selector_arena_alloc(&p->sel->arena, sizeof(*n));

	*n = (struct selector_node){ .op = op };
	return n;
}

static int parse_comparison(struct parser *p, struct selector_node *n)
{
	if (p->tok.type != TOK_STRING)
		return fail(p, p->tok.at, "expected string");
	n->values = selector_arena_alloc(&p->sel->arena, sizeof(*n->values));
	n->values[0] = selector_arena_str(&p->sel->arena, "", p->tok.text, p->tok.len);
	n->n = 1;
	return next(p);
}

static int cmp_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int parse_set(struct parser *p, struct selector_node *n)
{
	CLEANUP(buf_done) struct buf values = { 0 };
	int rc;

	if (p->tok.type != TOK_BRACE_OPEN)
		return fail(p, p->tok.at, "expected set literal");
	if ((rc = next(p)) < 0)
		return rc;
	while (p->tok.type == TOK_STRING) {
		const char *v = selector_arena_str(&p->sel->arena, "", p->tok.text, p->tok.len);

		buf_add(&values, &v, sizeof(v));
		if ((rc = next(p)) < 0)
			return rc;
		if (p->tok.type != TOK_COMMA)
			break;
		if ((rc = next(p)) < 0)
			return rc;
	}
	if (p->tok.type != TOK_BRACE_CLOSE)
		return fail(p, p->tok.at, "expected }");

	size_t count = values.len / sizeof(char *);
	n->values = selector_arena_alloc(&p->sel->arena, (count ? count : 1) * sizeof(*n->values));
	if (count) {
		memcpy(n->values, values.data, values.len);
		qsort(n->values, count, sizeof(*n->values), cmp_str);
	}
	for (size_t i = 0; i < count; i++)
		if (n->n == 0 || strcmp(n->values[n->n - 1], n->values[i]) != 0)
			n->values[n->n++] = n->values[i];
	return next(p);
}

static int parse_label(struct parser *p, const struct selector_node **ret)
{
	struct selector_node *n = node_new(p, OP_EQ);
	int rc;

	n->label = selector_arena_str(&p->sel->arena, p->label_prefix, p->tok.text, p->tok.len);
	if ((rc = next(p)) < 0)
		return rc;

	enum token_type op = p->tok.type;
	switch (op) {
	case TOK_END:
		return fail(p, p->tok.at, "unexpected end of string looking for op");
	case TOK_EQ:
		n->op = OP_EQ;
		break;
	case TOK_NE:
		n->op = OP_NE;
		break;
	case TOK_CONTAINS:
		n->op = OP_CONTAINS;
		break;
	case TOK_STARTS_WITH:
		n->op = OP_STARTS_WITH;
		break;
	case TOK_ENDS_WITH:
		n->op = OP_ENDS_WITH;
		break;
	case TOK_IN:
		n->op = OP_IN;
		break;
	case TOK_NOT_IN:
		n->op = OP_NOT_IN;
		break;
	default:
		return fail(p, p->tok.at, "expected == or != or another operator");
	}
	if ((rc = next(p)) < 0)
		return rc;
	*ret = n;
	return op == TOK_IN || op == TOK_NOT_IN ? parse_set(p, n) : parse_comparison(p, n);
}

static int parse_group(struct parser *p, const struct selector_node **ret)
{
	int rc;

	if (++p->depth > p->depth_max)
		return err_set(
		        p->err, -EINVAL,
		        "parentheses nested more than %u deep at character %zu of the selector",
		        p->depth_max, p->tok.at + 1);
	if ((rc = next(p)) < 0 || (rc = parse_or(p, ret)) < 0)
		return rc;
	if (p->tok.type != TOK_CLOSE)
		return fail(p, p->tok.at, "expected )");
	p->depth--;
	return next(p);
}

static int parse_primary(struct parser *p, const struct selector_node **ret)
{
	struct selector_node *n;

	switch (p->tok.type) {
	case TOK_HAS:
		n = node_new(p, OP_HAS);
		n->label = selector_arena_str(&p->sel->arena, p->label_prefix, p->tok.text,
		                              p->tok.len);
		*ret = n;
		return next(p);
	case TOK_ALL:
		*ret = node_new(p, OP_ALL);
		return next(p);
	case TOK_GLOBAL:
		*ret = node_new(p, OP_GLOBAL);
		return next(p);
	case TOK_LABEL:
		return parse_label(p, ret);
	case TOK_OPEN:
		return parse_group(p, ret);
	default:
		return fail(p, p->tok.at,
		            "unexpected token where an operation (such as has(x) or x == \"y\") is "
		            "required");
	}
}

static int parse_op(struct parser *p, const struct selector_node **ret)
{
	bool negated = false;
	int rc;

	while (p->tok.type == TOK_NOT) { /* an even number of them says nothing */
		negated = !negated;
		if ((rc = next(p)) < 0)
			return rc;
	}
	if ((rc = parse_primary(p, ret)) < 0 || !negated)
		return rc;

	struct selector_node *n = node_new(p, OP_NOT);
	n->kids = selector_arena_alloc(&p->sel->arena, sizeof(*n->kids));
	n->kids[0] = *ret;
	n->n = 1;
	*ret = n;
	return 0;
}

typedef int parse_fn(struct parser *p, const struct selector_node **ret);

/* kid { separator kid }: the kid itself when it is alone. */
static int parse_list(struct parser *p, parse_fn *kid, enum token_type separator,
                      enum selector_op op, const struct selector_node **ret)
{
	CLEANUP(buf_done) struct buf kids = { 0 };
	const struct selector_node *one;
	int rc;

	if ((rc = kid(p, &one)) < 0)
		return rc;
	if (p->tok.type != separator) {
		*ret = one;
		return 0;
	}
	buf_add(&kids, &one, sizeof(one));
	while (p->tok.type == separator) {
		if ((rc = next(p)) < 0 || (rc = kid(p, &one)) < 0)
			return rc;
		buf_add(&kids, &one, sizeof(one));
	}

	struct selector_node *n = node_new(p, op);
	n->n = kids.len / sizeof(one);
	n->kids = selector_arena_alloc(&p->sel->arena, kids.len);
	memcpy(n->kids, kids.data, kids.len);
	*ret = n;
	return 0;
}

static int parse_and(struct parser *p, const struct selector_node **ret)
{
	return parse_list(p, parse_op, TOK_AND, OP_AND, ret);
}

static int parse_or(struct parser *p, const struct selector_node **ret)
{
	return parse_list(p, parse_and, TOK_OR, OP_OR, ret);
}

static int parse_text(struct parser *p)
{
	int rc;

	do { /* all of it is sound, or the error is the lexer's */
		if ((rc = next(p)) < 0)
			return rc;
	} while (p->tok.type != TOK_END);

	p->at = p->start;
	if ((rc = next(p)) < 0)
		return rc;
	if (p->tok.type == TOK_END) {
		p->sel->root = node_new(p, OP_ALL);
		return 0;
	}
	if ((rc = parse_or(p, &p->sel->root)) < 0)
		return rc;
	if (p->tok.type != TOK_END)
		return fail(p, p->tok.at, "unexpected content at end of selector");
	return 0;
}

/* ---- the object */

void selector_make_id(const char *prefix, const char *content, char out[SELECTOR_ID_MAX])
{
	CLEANUP(buf_done) struct buf b = { 0 };
	uint8_t sum[28];
	size_t plen = strlen(prefix);
	char text[(sizeof(sum) * 8 + 5) / 6 + 1];

	buf_str(&b, prefix);
	buf_byte(&b, ':');
	buf_str(&b, content);
	sha224(b.data, b.len, sum);
	base64url(sum, sizeof(sum), text);
	if (plen + 1 + sizeof(text) > SELECTOR_ID_MAX) /* prefixes are ours, and short */
		abort();
	memcpy(out, prefix, plen);
	out[plen] = ':';
	memcpy(out + plen + 1, text, sizeof(text));
}

static int parse(const char *text, const char *label_prefix, size_t text_max, unsigned depth_max,
                 struct selector **ret, struct err *err)
{
	struct selector *s;

	if (!text)
		text = "";
	if (strlen(text) > text_max)
		return err_set(err, -EINVAL, "the selector is longer than %zu bytes", text_max);

	s = xcalloc(1, sizeof(*s));
	s->refs = 1;
	struct parser p = { .start = text,
		            .at = text,
		            .sel = s,
		            .label_prefix = label_prefix,
		            .depth_max = depth_max,
		            .err = err };
	int rc = parse_text(&p);
	if (rc < 0) {
		selector_unref(s);
		return rc;
	}

	struct buf canonical = { 0 };
	selector_node_print(s->root, &canonical);
	s->text = buf_take(&canonical);
	selector_make_id("s", s->text, s->id);

	struct selector_restriction r[SELECTOR_RESTRICTIONS_MAX];
	s->n_restrictions = selector_node_restrict(s->root, &s->arena, r);
	if (s->n_restrictions) {
		struct selector_restriction *kept =
		        selector_arena_alloc(&s->arena, s->n_restrictions * sizeof(*kept));

		memcpy(kept, r, s->n_restrictions * sizeof(*kept));
		s->restrictions = kept;
	}
	*ret = s;
	return 0;
}

int selector_parse(const char *text, struct selector **ret, struct err *err)
{
	return parse(text, "", SELECTOR_TEXT_MAX, SELECTOR_DEPTH_MAX, ret, err);
}

int selector_parse_prefixed(const char *text, const char *label_prefix, struct selector **ret,
                            struct err *err)
{
	return parse(text, label_prefix, SELECTOR_TEXT_MAX, SELECTOR_DEPTH_MAX, ret, err);
}

int selector_parse_derived(const char *text, struct selector **ret, struct err *err)
{
	return parse(text, "", DERIVED_TEXT_MAX, DERIVED_DEPTH_MAX, ret, err);
}

struct selector *selector_ref(struct selector *s)
{
	s->refs++;
	return s;
}

void selector_unref(struct selector *s)
{
	if (!s || --s->refs > 0)
		return;
	selector_arena_done(&s->arena);
	free(s->text);
	free(s);
}

const char *selector_str(const struct selector *s)
{
	return s->text;
}

const char *selector_id(const struct selector *s)
{
	return s->id;
}

bool selector_match(const struct selector *s, selector_lookup_fn *lookup, void *arg)
{
	return selector_node_match(s->root, lookup, arg);
}

size_t selector_restrictions(const struct selector *s, const struct selector_restriction **ret)
{
	*ret = s->restrictions;
	return s->n_restrictions;
}

bool selector_restriction(const struct selector *s, struct selector_restriction *ret)
{
	const struct selector_restriction *best = NULL;

	for (size_t i = 0; i < s->n_restrictions; i++) {
		const struct selector_restriction *r = &s->restrictions[i];

		if (!best || (r->n_values && (!best->n_values || r->n_values < best->n_values)))
			best = r;
	}
	if (best)
		*ret = *best;
	return best != NULL;
}
