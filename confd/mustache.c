/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A template is parsed into a flat array of tokens. A section's token knows the index of its end,
 * so that rendering is a walk over the array with a stack of values, and a section whose value is
 * empty is one jump.
 */
#include "confd/mustache.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define DELIM_MAX 16

enum token_kind {
	TEXT,
	VALUE,
	RAW,
	SECTION,
	INVERTED,
	END
};

struct token {
	enum token_kind kind;
	const char *at; /* text or name, in mustache.text */
	size_t len;
	size_t end; /* SECTION, INVERTED: the index of its END */
	unsigned line;
};

struct mustache {
	char *text;
	struct token *tokens;
	size_t n, cap;
};

struct parser {
	struct mustache *m;
	const char *at, *end;
	char open[DELIM_MAX], close[DELIM_MAX];
	unsigned line;
	size_t stack[MUSTACHE_DEPTH_MAX];
	unsigned depth;
};

static struct token *add(struct parser *p, enum token_kind kind, const char *at, size_t len)
{
	struct mustache *m = p->m;

	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->tokens = xrealloc(m->tokens, m->cap * sizeof(*m->tokens));
	}
	m->tokens[m->n] = (struct token){ .kind = kind, .at = at, .len = len, .line = p->line };
	return &m->tokens[m->n++];
}

static void add_text(struct parser *p, const char *from, const char *to)
{
	if (to > from)
		(void)add(p, TEXT, from, (size_t)(to - from));
	for (; from < to; from++)
		p->line += *from == '\n';
}

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void trim(const char **at, const char **end)
{
	while (*at < *end && (is_blank(**at) || **at == '\n' || **at == '\r'))
		(*at)++;
	while (*end > *at && (is_blank((*end)[-1]) || (*end)[-1] == '\n' || (*end)[-1] == '\r'))
		(*end)--;
}

/*
 * Is the tag from tag to after alone on its line? Then *ret_from is where the line begins and
 * *ret_to where the next one does. floor is how far back there is text that has not been taken yet.
 */
static bool standalone(const struct parser *p, const char *floor, const char *tag,
                       const char *after, const char **ret_from, const char **ret_to)
{
	const char *from = tag, *to = after;

	while (from > floor && is_blank(from[-1]))
		from--;
	if (from == floor ? from != p->m->text && from[-1] != '\n' : from[-1] != '\n')
		return false;
	while (to < p->end && is_blank(*to))
		to++;
	if (to < p->end && *to == '\r')
		to++;
	if (to < p->end && *to != '\n')
		return false;
	*ret_from = from;
	*ret_to = to < p->end ? to + 1 : to;
	return true;
}

static int set_delimiters(struct parser *p, const char *at, const char *end, struct err *err)
{
	const char *gap = at;
	size_t n_open, n_close;

	while (gap < end && !is_blank(*gap))
		gap++;
	n_open = (size_t)(gap - at);
	while (gap < end && is_blank(*gap))
		gap++;
	n_close = (size_t)(end - gap);
	if (n_open == 0 || n_close == 0 || n_open >= DELIM_MAX || n_close >= DELIM_MAX ||
	    memchr(at, '=', n_open) || memchr(gap, '=', n_close) || memchr(gap, ' ', n_close))
		return err_set(err, -EINVAL, "line %u: new delimiters are written {{=OPEN CLOSE=}}",
		               p->line);
	memcpy(p->open, at, n_open);
	p->open[n_open] = '\0';
	memcpy(p->close, gap, n_close);
	p->close[n_close] = '\0';
	return 0;
}

static int check_name(const struct parser *p, const char *at, size_t len, struct err *err)
{
	if (len == 1 && *at == '.')
		return 0;
	if (len == 0 || *at == '.' || at[len - 1] == '.' || memmem(at, len, "..", 2))
		return err_set(err, -EINVAL, "line %u: '%s' is not a name", p->line,
		               str_vis(at, len));
	for (size_t i = 0; i < len; i++)
		if (is_blank(at[i]) || (unsigned char)at[i] < 0x20)
			return err_set(err, -EINVAL, "line %u: a name holds white space: '%s'",
			               p->line, str_vis(at, len));
	return 0;
}

static int close_section(struct parser *p, const char *at, size_t len, struct err *err)
{
	struct token *open;

	if (p->depth == 0)
		return err_set(err, -EINVAL, "line %u: section '%s' is closed and was never opened",
		               p->line, str_vis(at, len));
	open = &p->m->tokens[p->stack[--p->depth]];
	if (open->len != len || memcmp(open->at, at, len) != 0)
		return err_set(err, -EINVAL,
		               "line %u: section '%s' is closed, and '%s' of line %u is open",
		               p->line, str_vis(at, len), str_vis(open->at, open->len), open->line);
	open->end = p->m->n; /* before add(): it may move the tokens */
	(void)add(p, END, at, len);
	return 0;
}

/* One tag: what stands between the delimiters, from at to end, with its sigil. */
static int parse_tag(struct parser *p, char sigil, const char *at, const char *end, struct err *err)
{
	size_t len;
	int r;

	if (sigil == '!')
		return 0;
	trim(&at, &end);
	if (sigil == '=')
		return set_delimiters(p, at, end, err);
	len = (size_t)(end - at);
	if (sigil == '>')
		return err_set(err, -EINVAL, "line %u: partials ({{>%s}}) are not supported",
		               p->line, str_vis(at, len));
	r = check_name(p, at, len, err);
	if (r < 0)
		return r;
	if (sigil == '/')
		return close_section(p, at, len, err);
	if (sigil == '#' || sigil == '^') {
		if (p->depth == MUSTACHE_DEPTH_MAX)
			return err_set(err, -EINVAL, "line %u: more than %d sections in sections",
			               p->line, MUSTACHE_DEPTH_MAX);
		p->stack[p->depth++] = p->m->n;
		(void)add(p, sigil == '#' ? SECTION : INVERTED, at, len);
		return 0;
	}
	(void)add(p, sigil == '&' || sigil == '{' ? RAW : VALUE, at, len);
	return 0;
}

static int parse(struct parser *p, struct err *err)
{
	while (p->at < p->end) {
		const char *tag = find(p->at, p->end, p->open), *inner, *close, *after, *from, *to;
		char sigil = '\0', closer[DELIM_MAX + 1];
		unsigned lines = 0;
		int r;

		if (!tag)
			break;
		inner = tag + strlen(p->open);
		while (inner < p->end && is_blank(*inner))
			inner++;
		if (inner < p->end && memchr("!=>/#^&{", *inner, 8))
			sigil = *inner++;
		/* {{{x}}} and {{=x y=}} have a sigil at their end too. */
		snprintf(closer, sizeof(closer), "%s%s",
		         sigil == '{'   ? "}"
		         : sigil == '=' ? "="
		                        : "",
		         p->close);
		close = find(inner, p->end, closer);
		if (!close) {
			for (const char *c = p->at; c < tag; c++)
				lines += *c == '\n';
			return err_set(err, -EINVAL,
			               "line %u: a tag is opened with %s and never closed with %s",
			               p->line + lines, p->open, closer);
		}
		after = close + strlen(closer);
		from = tag;
		to = after;
		if (sigil && strchr("!=/#^", sigil))
			(void)standalone(p, p->at, tag, after, &from, &to);
		add_text(p, p->at, from);
		r = parse_tag(p, sigil, inner, close, err);
		if (r < 0)
			return r;
		for (; from < to; from++)
			p->line += *from == '\n';
		p->at = to;
	}
	add_text(p, p->at, p->end);
	if (p->depth) {
		const struct token *open = &p->m->tokens[p->stack[p->depth - 1]];

		return err_set(err, -EINVAL, "line %u: section '%s' is never closed", open->line,
		               str_vis(open->at, open->len));
	}
	return 0;
}

int mustache_parse(const char *text, size_t len, struct mustache **ret, struct err *err)
{
	struct parser p = { .open = "{{", .close = "}}", .line = 1 };
	int r;

	if (len > MUSTACHE_TEXT_MAX)
		return err_set(err, -EINVAL, "the template is larger than %u bytes",
		               MUSTACHE_TEXT_MAX);
	p.m = xcalloc(1, sizeof(*p.m));
	p.m->text = xstrndup(text, len);
	len = strlen(p.m->text); /* it ends at a NUL, if there is one */
	p.at = p.m->text;
	p.end = p.at + len;
	r = parse(&p, err);
	if (r < 0) {
		mustache_free(p.m);
		return r;
	}
	*ret = p.m;
	return 0;
}

void mustache_free(struct mustache *m)
{
	if (!m)
		return;
	free(m->tokens);
	free(m->text);
	free(m);
}

/* ---- rendering */

struct frame {
	const struct json *value;
	const struct json *list; /* the list that value is an element of; NULL: none */
	size_t index;
	size_t token; /* of the SECTION */
};

struct render {
	struct frame stack[MUSTACHE_DEPTH_MAX + 1];
	unsigned depth; /* frames in use, at least 1 */
};

static const struct json *member(const struct json *j, const char *name, size_t len)
{
	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < j->len; i++)
		if (strlen(j->keys[i]) == len && memcmp(j->keys[i], name, len) == 0)
			return j->items[i];
	return NULL;
}

static const struct json *look_up(const struct render *r, const struct token *t)
{
	const char *at = t->at, *end = at + t->len, *dot;
	const struct json *j = NULL;

	if (t->len == 1 && *at == '.')
		return r->stack[r->depth - 1].value;
	dot = memchr(at, '.', t->len);
	if (!dot)
		dot = end;
	for (unsigned i = r->depth; i-- > 0 && !j;)
		j = member(r->stack[i].value, at, (size_t)(dot - at));
	while (j && dot < end) {
		at = dot + 1;
		dot = memchr(at, '.', (size_t)(end - at));
		if (!dot)
			dot = end;
		j = member(j, at, (size_t)(dot - at));
	}
	return j;
}

static bool is_empty(const struct json *j)
{
	return !j || j->type == JSON_NULL || (j->type == JSON_BOOL && !j->boolean) ||
	       (j->type == JSON_ARRAY && j->len == 0) || (j->type == JSON_STRING && j->len == 0);
}

static void write_value(const struct json *j, bool raw, struct buf *out)
{
	if (!j || j->type == JSON_NULL)
		return;
	if (j->type == JSON_BOOL) {
		buf_str(out, j->boolean ? "true" : "false");
		return;
	}
	if (j->type == JSON_ARRAY || j->type == JSON_OBJECT) {
		json_write(j, 0, out);
		return;
	}
	if (raw || j->type == JSON_NUMBER) {
		buf_add(out, j->text, j->len);
		return;
	}
	for (size_t i = 0; i < j->len; i++) {
		switch (j->text[i]) {
		case '&':
			buf_str(out, "&amp;");
			break;
		case '<':
			buf_str(out, "&lt;");
			break;
		case '>':
			buf_str(out, "&gt;");
			break;
		case '"':
			buf_str(out, "&quot;");
			break;
		default:
			buf_byte(out, (uint8_t)j->text[i]);
			break;
		}
	}
}

/* Enters a section, or says where to go on if there is nothing to enter for. */
static size_t enter(struct render *r, const struct token *t, size_t at, const struct json *j)
{
	struct frame *f;

	if (is_empty(j))
		return t->end;
	f = &r->stack[r->depth++];
	*f = (struct frame){ .value = j, .token = at };
	if (j->type == JSON_ARRAY) {
		f->list = j;
		f->value = j->items[0];
	}
	return at;
}

int mustache_render(const struct mustache *m, const struct json *data, struct buf *out,
                    struct err *err)
{
	struct render r = { .stack = { { .value = data } }, .depth = 1 };
	size_t start = out->len, steps = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct token *t = &m->tokens[i];

		if (++steps > MUSTACHE_STEPS_MAX)
			return err_set(err, -EFBIG,
			               "line %u: the template takes more than %u steps", t->line,
			               MUSTACHE_STEPS_MAX);

		switch (t->kind) {
		case TEXT:
			buf_add(out, t->at, t->len);
			break;
		case VALUE:
		case RAW:
			write_value(look_up(&r, t), t->kind == RAW, out);
			break;
		case SECTION:
			i = enter(&r, t, i, look_up(&r, t));
			break;
		case INVERTED:
			if (!is_empty(look_up(&r, t)))
				i = t->end;
			break;
		case END: {
			struct frame *f = &r.stack[r.depth - 1];

			/* Of an inverted section: no frame was made for it. */
			if (r.depth == 1 || m->tokens[f->token].end != i)
				break;
			if (f->list && ++f->index < f->list->len) {
				f->value = f->list->items[f->index];
				i = f->token;
			} else {
				r.depth--;
			}
			break;
		}
		}
		if (out->len - start > MUSTACHE_OUTPUT_MAX)
			return err_set(err, -EFBIG, "the output is larger than %u bytes",
			               MUSTACHE_OUTPUT_MAX);
	}
	return 0;
}
