/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a text a regular expression? The language is that of Go's regexp package (RE2): what upstream
 * compiles, has to pass here, and what it refuses, has to fail. Nothing is built: one walk over the
 * text, with a stack of the groups that are open.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/model/validate_rule.h"

#define DEPTH_MAX 1000
#define REPEAT_MAX 1000

struct group {
	unsigned weight; /* how often its heaviest part may be repeated */
};

struct re {
	const char *s;
	struct group *open;
	unsigned depth, room;
	bool has_atom;   /* there is something to repeat */
	bool repeated;   /* a repetition has just ended: another one may not follow */
	unsigned weight; /* of the last atom: the product of its repetitions */
	const char *wrong;
};

static bool fail(struct re *r, const char *wrong)
{
	if (!r->wrong)
		r->wrong = wrong;
	return false;
}

static void atom(struct re *r, unsigned weight)
{
	r->has_atom = true;
	r->repeated = false;
	r->weight = weight;
	if (weight > r->open[r->depth].weight)
		r->open[r->depth].weight = weight;
}

/* One character, from *s on, which is moved behind it. false: none, or not UTF-8. */
static bool next_char(const char **s, uint32_t *ret)
{
	size_t n = utf8_len(*s, strnlen(*s, 4));
	uint32_t c = n > 1 ? (unsigned char)**s & (0x7fu >> n) : (unsigned char)**s;

	if (n == 0 || c == 0)
		return false;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)(*s)[i] & 0x3f);
	*s += n;
	*ret = c;
	return true;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind \x: two digits, or any number of them in braces. */
static bool read_hex(struct re *r, uint32_t *ret)
{
	uint32_t c = 0;

	if (*r->s != '{') {
		if (hex(r->s[0]) < 0 || hex(r->s[1]) < 0)
			return fail(r, "invalid escape sequence");
		*ret = (uint32_t)(hex(r->s[0]) * 16 + hex(r->s[1]));
		r->s += 2;
		return true;
	}
	r->s++;
	if (*r->s == '}')
		return fail(r, "invalid escape sequence");
	for (; *r->s != '}'; r->s++) {
		if (hex(*r->s) < 0 || c > 0x10ffff)
			return fail(r, "invalid escape sequence");
		c = c * 16 + (uint32_t)hex(*r->s);
	}
	r->s++;
	*ret = c;
	return c <= 0x10ffff || fail(r, "invalid escape sequence");
}

/* Behind \p: the letter of a category, or a name in braces. Names are not looked up. */
static bool read_unicode_class(struct re *r)
{
	size_t n;

	if (*r->s != '{') {
		if (*r->s == '\0' || !strchr("CLMNPSZclmnpsz", *r->s))
			return fail(r, "invalid character class range");
		r->s++;
		return true;
	}
	r->s += 1 + (r->s[1] == '^');
	n = strspn(r->s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (n == 0 || r->s[n] != '}')
		return fail(r, "invalid character class range");
	r->s += n + 1;
	return true;
}

/* Behind a backslash. *ret_class: it stands for several characters, and cannot end a range. */
static bool read_escape(struct re *r, uint32_t *ret, bool *ret_class)
{
	char c = *r->s;

	*ret_class = false;
	*ret = (unsigned char)c;
	if (c == '\0')
		return fail(r, "trailing backslash at end of expression");
	if ((unsigned char)c >= 0x80)
		return fail(r, "invalid escape sequence");
	r->s++;
	if (strchr("dDsSwW", c)) {
		*ret_class = true;
		return true;
	}
	if (c == 'p' || c == 'P') {
		*ret_class = true;
		return read_unicode_class(r);
	}
	if (c == 'x')
		return read_hex(r, ret);
	if (c >= '1' && c <= '7' && !is_octal(*r->s))
		return fail(r, "invalid escape sequence"); /* a reference back */
	if (is_octal(c)) {
		*ret = (uint32_t)(c - '0');
		for (int i = 0; i < 2 && is_octal(*r->s); i++)
			*ret = *ret * 8 + (uint32_t)(*r->s++ - '0');
		return true;
	}
	if (strchr("afnrtv", c))
		return true; /* which one does not matter, but in a range: close enough */
	return (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) ||
	       fail(r, "invalid escape sequence");
}

static uint32_t control(uint32_t c)
{
	static const char names[] = "abtnvfr"; /* \a is 7, \t 9, \n 10 ... */
	const char *at = c < 0x80 ? strchr(names, (int)c) : NULL;

	return at && *at != '\0' && *at != 'b' ? (uint32_t)(7 + (at - names)) : c;
}

/* One end of a range. */
static bool read_class_char(struct re *r, uint32_t *ret, bool *ret_class)
{
	bool named;

	*ret_class = false;
	if (*r->s != '\\')
		return next_char(&r->s, ret) ||
		       fail(r, *r->s == '\0' ? "missing closing ]" : "invalid UTF-8");
	r->s++;
	named = (*r->s >= 'a' && *r->s <= 'z') && *r->s != 'x';
	if (!read_escape(r, ret, ret_class))
		return false;
	if (named)
		*ret = control(*ret);
	return true;
}

/* "[:alpha:]" in a class; *ret tells whether there was one. */
static bool read_posix_class(struct re *r, bool *ret)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank",  "cntrl",
		                             "digit", "graph", "lower", "print",  "punct",
		                             "space", "upper", "word",  "xdigit", NULL };
	const char *end = strncmp(r->s, "[:", 2) == 0 ? strstr(r->s + 2, ":]") : NULL;
	const char *name = r->s + 2 + (r->s[0] == '[' && r->s[1] == ':' && r->s[2] == '^');

	*ret = end != NULL;
	if (!end)
		return true;
	for (const char *const *n = names; *n && end >= name; n++)
		if (strlen(*n) == (size_t)(end - name) &&
		    strncmp(*n, name, (size_t)(end - name)) == 0) {
			r->s = end + 2;
			return true;
		}
	return fail(r, "invalid character class range");
}

/* Behind "[". */
static bool read_class(struct re *r)
{
	bool first = true, several;
	uint32_t low, high;

	if (*r->s == '^')
		r->s++;
	for (; *r->s != ']' || first; first = false) {
		if (!read_posix_class(r, &several))
			return false;
		if (several)
			continue;
		if (!read_class_char(r, &low, &several))
			return false;
		if (several || r->s[0] != '-' || r->s[1] == ']' || r->s[1] == '\0')
			continue;
		r->s++;
		if (!read_class_char(r, &high, &several))
			return false;
		if (several || high < low)
			return fail(r, "invalid character class range");
	}
	r->s++;
	atom(r, 1);
	return true;
}

static bool open_group(struct re *r)
{
	if (r->depth == DEPTH_MAX)
		return fail(r, "expression nests too deeply");
	if (++r->depth == r->room) {
		r->room *= 2;
		r->open = xrealloc(r->open, r->room * sizeof(*r->open));
	}
	r->open[r->depth] = (struct group){ .weight = 1 };
	r->has_atom = r->repeated = false;
	return true;
}

/* Behind "(?": a name, or flags with or without a group. */
static bool read_flags(struct re *r)
{
	size_t n;

	if (r->s[0] == '<' || (r->s[0] == 'P' && r->s[1] == '<')) {
		r->s += r->s[0] == 'P' ? 2 : 1;
		n = strspn(r->s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		if (n == 0 || r->s[n] != '>')
			return fail(r, "invalid named capture");
		r->s += n + 1;
		return open_group(r);
	}
	r->s += strspn(r->s, "imsU");
	if (*r->s == '-') {
		n = strspn(++r->s, "imsU");
		if (n == 0)
			return fail(r, "invalid or unsupported Perl syntax");
		r->s += n;
	}
	if (*r->s == ':') {
		r->s++;
		return open_group(r);
	}
	if (*r->s != ')')
		return fail(r, "invalid or unsupported Perl syntax");
	r->s++;
	r->repeated = false;
	return true;
}

static bool close_group(struct re *r)
{
	unsigned weight = r->open[r->depth].weight;

	if (r->depth == 0)
		return fail(r, "unexpected )");
	r->depth--;
	atom(r, weight);
	return true;
}

/* Digits without zeros before them; more than any limit when there are many. */
static bool read_count(const char **s, unsigned *ret)
{
	size_t n = strspn(*s, "0123456789");

	if (n == 0 || (n > 1 && **s == '0'))
		return false;
	*ret = n > 4 ? REPEAT_MAX + 1 : (unsigned)strtoul(*s, NULL, 10);
	*s += n;
	return true;
}

/* "{2}", "{2,}", "{2,5}" at s, which is moved behind it. false: a brace like any character. */
static bool is_repeat(const char **s, unsigned *min, unsigned *max, bool *open_ended)
{
	const char *at = *s + 1;

	*open_ended = false;
	if (!read_count(&at, min))
		return false;
	*max = *min;
	if (*at == ',') {
		at++;
		*open_ended = *at == '}';
		if (!*open_ended && !read_count(&at, max))
			return false;
	}
	if (*at != '}')
		return false;
	*s = at + 1;
	return true;
}

static bool repeat(struct re *r, unsigned times)
{
	if (!r->has_atom)
		return fail(r, "missing argument to repetition operator");
	if (r->repeated)
		return fail(r, "invalid nested repetition operator");
	if (*r->s == '?')
		r->s++;
	if (times > 1 && r->weight * times > REPEAT_MAX)
		return fail(r, "invalid repeat count");
	atom(r, times > 1 ? r->weight * times : r->weight);
	r->repeated = true;
	return true;
}

/* Behind a backslash: from Q to \E, or to the end. */
static bool read_quoted(struct re *r)
{
	uint32_t c;

	for (r->s++; *r->s != '\0'; atom(r, 1)) {
		if (strncmp(r->s, "\\E", 2) == 0) {
			r->s += 2;
			return true;
		}
		if (!next_char(&r->s, &c))
			return fail(r, "invalid UTF-8");
	}
	return true;
}

static bool read_one(struct re *r)
{
	unsigned min, max;
	bool several;
	uint32_t c;

	switch (*r->s) {
	case '(':
		r->s++;
		if (*r->s != '?')
			return open_group(r);
		r->s++;
		return read_flags(r);
	case ')':
		r->s++;
		return close_group(r);
	case '|':
		r->s++;
		r->has_atom = r->repeated = false;
		return true;
	case '[':
		r->s++;
		return read_class(r);
	case '*':
	case '+':
	case '?':
		r->s++;
		return repeat(r, 1);
	case '{':
		if (!is_repeat(&r->s, &min, &max, &several))
			break;
		if (min > REPEAT_MAX || max > REPEAT_MAX || max < min)
			return fail(r, "invalid repeat count");
		return repeat(r, max);
	case '\\':
		r->s++;
		if (*r->s == 'Q')
			return read_quoted(r);
		atom(r, 1);
		if (*r->s == '\0' || !strchr("AbBz", *r->s))
			return read_escape(r, &c, &several);
		r->s++;
		return true;
	default:
		break;
	}
	if (!next_char(&r->s, &c))
		return fail(r, "invalid UTF-8");
	atom(r, 1);
	return true;
}

const char *text_regexp(const char *s, struct why *why)
{
	struct re r = { .s = s, .room = 8 };

	r.open = xcalloc(r.room, sizeof(*r.open));
	r.open[0].weight = 1;
	while (*r.s != '\0' && read_one(&r))
		;
	if (!r.wrong && r.depth > 0)
		r.wrong = "missing closing )";
	free(r.open);
	if (!r.wrong)
		return NULL;
	(void)snprintf(why->text, sizeof(why->text), "is not a regular expression: %s", r.wrong);
	return why->text;
}

static bool ok_regexp(const char *s)
{
	struct why why;

	return !text_regexp(s, &why);
}

const struct tag tag_regexp = { "regexp", ok_regexp };
