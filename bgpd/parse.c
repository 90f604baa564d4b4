/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"

#define ENTRIES_MAX (1u << 20) /* of anything that the file can repeat */

int parse_fail_at(struct parser *p, unsigned line, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->error_line = line;
	return err_set(p->err, -EINVAL, "line %u: %s", line, text);
}
int parse_advance(struct parser *p)
{
	struct err e = { 0 };

	if (token_next(&p->tokens, &p->tok, &e) < 0)
		return parse_fail_at(p, p->tok.line, "%s", e.text);
	return 0;
}

int parse_expect(struct parser *p, enum token_kind kind, const char *what)
{
	if (p->tok.kind != kind)
		return parse_fail(p, "expected %s, found '%s'", what, p->tok.text);
	return kind == TOKEN_END ? 0 : parse_advance(p);
}

int parse_semicolon(struct parser *p)
{
	return parse_expect(p, TOKEN_SEMICOLON, "';'");
}

bool parse_is_text(const struct parser *p)
{
	return p->tok.kind == TOKEN_WORD || p->tok.kind == TOKEN_STRING;
}

bool parse_is_word(const struct parser *p, const char *word)
{
	return p->tok.kind == TOKEN_WORD && strcmp(p->tok.text, word) == 0;
}

int parse_text(struct parser *p, const char *what, char **ret)
{
	if (!parse_is_text(p))
		return parse_fail(p, "expected %s, found '%s'", what, p->tok.text);
	free(*ret);
	*ret = xstrdup(p->tok.text);
	return parse_advance(p);
}

static bool parse_number(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > UINT32_MAX)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*ret = v;
	return true;
}

int parse_uint(struct parser *p, const char *what, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;

	if (p->tok.kind != TOKEN_WORD || !parse_number(p->tok.text, &v))
		return parse_fail(p, "expected %s (a number), found '%s'", what, p->tok.text);
	if (v < min || v > max)
		return parse_fail(p, "%s %s is not between %llu and %llu", what, p->tok.text,
		                  (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return parse_advance(p);
}

int parse_as(struct parser *p, uint32_t *ret)
{
	uint64_t high = 0, low;
	char *dot = strchr(p->tok.text, '.');

	if (p->tok.kind != TOKEN_WORD)
		return parse_fail(p, "expected an AS number, found '%s'", p->tok.text);
	if (dot)
		*dot = '\0';
	bool ok = dot ? parse_number(p->tok.text, &high) && parse_number(dot + 1, &low) &&
	                          high <= 0xFFFF && low <= 0xFFFF
	              : parse_number(p->tok.text, &low);
	if (dot)
		*dot = '.';
	if (!ok || (high << 16) + low < 1 || (high << 16) + low > UINT32_MAX)
		return parse_fail(p, "'%s' is not an AS number (1 to 4294967295, or high.low)",
		                  p->tok.text);
	*ret = (uint32_t)((high << 16) + low);
	return parse_advance(p);
}

int parse_address(struct parser *p, const char *what, struct ip_addr *ret)
{
	if (p->tok.kind != TOKEN_WORD || ip_addr_parse(p->tok.text, ret) < 0)
		return parse_fail(p, "expected %s (an address), found '%s'", what, p->tok.text);
	return parse_advance(p);
}

int parse_prefix(struct parser *p, struct ip_prefix *ret)
{
	if (p->tok.kind != TOKEN_WORD || ip_prefix_parse(p->tok.text, ret) < 0)
		return parse_fail(p, "expected a prefix, found '%s'", p->tok.text);
	if (!ip_prefix_is_network(ret))
		return parse_fail(p, "prefix %s has bits set behind its length", p->tok.text);
	return parse_advance(p);
}

int parse_block(struct parser *p, const struct statement *table, size_t n, const char *where,
                unsigned *seen, enum token_kind end, void *target)
{
	while (p->tok.kind != end) {
		size_t i = 0;

		while (i < n && !parse_is_word(p, table[i].name))
			i++;
		if (p->tok.kind == TOKEN_END)
			return parse_fail(p, "%s is not closed with '}'", where);
		if (i == n)
			return parse_fail(p, "'%s' is not a statement of %s", p->tok.text, where);
		if (table[i].once && (*seen & (1u << i)))
			return parse_fail(p, "'%s' is given twice in %s", p->tok.text, where);
		*seen |= 1u << i;
		int r = parse_advance(p);
		if (r == 0)
			r = table[i].parse(p, target);
		if (r < 0)
			return r;
	}
	return 0;
}

int parse_braced(struct parser *p, const struct statement *table, size_t n, const char *where,
                 void *target)
{
	unsigned seen = 0;
	int r = parse_expect(p, TOKEN_OPEN, "'{'");

	if (r == 0)
		r = parse_block(p, table, n, where, &seen, TOKEN_CLOSE, target);
	return r == 0 ? parse_expect(p, TOKEN_CLOSE, "'}'") : r;
}

int parse_grow(struct parser *p, void *array, unsigned n, size_t size)
{
	void **a = array;

	if (n >= ENTRIES_MAX)
		return parse_fail(p, "more than %u entries", ENTRIES_MAX);
	if ((n & (n - 1)) == 0) /* at powers of two, doubled */
		*a = xrealloc(*a, (n ? n * 2 : 1) * size);
	return 0;
}
