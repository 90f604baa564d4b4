/* SPDX-License-Identifier: BSD-2-Clause */
/* From a template's text to its tree. */
#include "calicoctl/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/template_tree.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

struct parser {
	struct template *t;
	const char *at, *end;
	/* where lines are counted from: it only moves on */
	const char *counted, *line_begin;
	unsigned line;
	unsigned depth, loops;
	struct err *err;
};

/* What a list of nodes ended with. */
enum stop {
	STOP_EOF,
	STOP_END,
	STOP_ELSE,
};

static void *alloc(struct template *t, size_t size)
{
	void *p = xcalloc(1, size);

	if ((t->n_blocks & (t->n_blocks - 1)) == 0)
		t->blocks = xrealloc(t->blocks,
		                     (t->n_blocks ? t->n_blocks * 2 : 1) * sizeof(*t->blocks));
	t->blocks[t->n_blocks++] = p;
	return p;
}

static char *alloc_str(struct template *t, const char *s, size_t len)
{
	char *copy = alloc(t, len + 1);

	memcpy(copy, s, len);
	return copy;
}

static unsigned line(struct parser *p)
{
	for (; p->counted < p->at; p->counted++)
		if (*p->counted == '\n') {
			p->line++;
			p->line_begin = p->counted + 1;
		}
	return p->line;
}

static int fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct parser *p, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(p->err, -EINVAL, "template: %s:%u: %s", p->t->name, line(p), text);
}

static size_t left(const struct parser *p)
{
	return (size_t)(p->end - p->at);
}

static bool looking_at(const struct parser *p, const char *s)
{
	return left(p) >= strlen(s) && memcmp(p->at, s, strlen(s)) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
}

/* At "}}" or " -}}". */
static bool at_close(const struct parser *p)
{
	return looking_at(p, "}}") ||
	       (looking_at(p, "-}}") && p->at > p->t->text && is_blank(p->at[-1]));
}

static int close_action(struct parser *p)
{
	skip_blanks(p);
	if (looking_at(p, "-}}")) {
		p->at += 3;
		skip_blanks(p);
		return 0;
	}
	if (!looking_at(p, "}}"))
		return p->at == p->end ? fail(p, "unclosed action")
		                       : fail(p, "unexpected '%s' in command",
		                              visible((char[2]){ *p->at, 0 }));
	p->at += 2;
	return 0;
}

/* A word of letters without moving on; its length. */
static size_t word_len(const struct parser *p)
{
	size_t n = 0;

	while (p->at + n < p->end && is_word(p->at[n]))
		n++;
	return n;
}

static bool take_word(struct parser *p, const char *word)
{
	if (word_len(p) != strlen(word) || !looking_at(p, word))
		return false;
	p->at += strlen(word);
	return true;
}

/* ---- literals */

static int escape_number(struct parser *p, size_t digits, unsigned base, unsigned long *ret)
{
	char text[12] = "", *end;

	if (left(p) < digits)
		return fail(p, "unterminated quoted string");
	memcpy(text, p->at, digits);
	*ret = strtoul(text, &end, (int)base);
	if (*end || *text == '-' || *text == '+' || is_blank(*text))
		return fail(p, "invalid escape in a string");
	p->at += digits;
	return 0;
}

static int escape(struct parser *p, struct buf *out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	char c = p->at < p->end ? *p->at : 0;
	const char *simple = c ? strchr(from, c) : NULL;
	unsigned long code;
	int rc;

	if (simple) {
		buf_byte(out, (uint8_t)to[simple - from]);
		p->at++;
		return 0;
	}
	if (c >= '0' && c <= '7') {
		rc = escape_number(p, 3, 8, &code);
		if (rc == 0 && (code == 0 || code > 255))
			rc = fail(p, "invalid escape in a string");
		if (rc == 0)
			buf_byte(out, (uint8_t)code);
		return rc;
	}
	if (c != 'x' && c != 'u' && c != 'U')
		return fail(p, "invalid escape in a string");
	p->at++;
	rc = escape_number(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, &code);
	if (rc)
		return rc;
	if (code == 0 || (c != 'x' && (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))))
		return fail(p, "invalid escape in a string");
	if (c == 'x')
		buf_byte(out, (uint8_t)code);
	else
		utf8_add(out, (uint32_t)code);
	return 0;
}

/* "...", '.' or `...` */
static int quoted(struct parser *p, struct operand *o)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	char quote = *p->at++;
	int rc = 0;

	while (rc == 0 && p->at < p->end && *p->at != quote) {
		char c = *p->at++;

		if (c == '\n' && quote != '`')
			return fail(p, "unterminated quoted string");
		if (c == '\\' && quote != '`')
			rc = escape(p, &text);
		else if (c)
			buf_byte(&text, (uint8_t)c);
	}
	if (rc)
		return rc;
	if (p->at == p->end)
		return fail(p, "unterminated %s string", quote == '`' ? "raw quoted" : "quoted");
	p->at++;
	o->type = OPERAND_STR;
	o->text = alloc_str(p->t, buf_cstr(&text), text.len);
	o->len = text.len;
	if (quote == '\'') { /* a character is a number */
		uint32_t c;
		size_t n = utf8_decode(o->text, o->len, &c);

		if (n == 0 || n != o->len)
			return fail(p, "malformed character constant");
		o->type = OPERAND_INT;
		o->integer = c;
	}
	return 0;
}

static int number(struct parser *p, struct operand *o)
{
	char text[64] = "", *end;
	size_t n = 0;

	while (p->at + n < p->end && n < sizeof(text) - 1 &&
	       (isalnum((unsigned char)p->at[n]) || p->at[n] == '.' || p->at[n] == '_' ||
	        ((p->at[n] == '-' || p->at[n] == '+') &&
	         (n == 0 || p->at[n - 1] == 'e' || p->at[n - 1] == 'E'))))
		n++;
	memcpy(text, p->at, n);
	errno = 0;
	o->type = OPERAND_INT;
	o->integer = strtoll(text, &end, 0);
	if (*end || errno) {
		o->type = OPERAND_FLOAT;
		o->real = strtod(text, &end);
	}
	if (*end || end == text || n == sizeof(text) - 1)
		return fail(p, "bad number syntax: \"%s\"", visible(text));
	p->at += n;
	return 0;
}

/* ---- operands, commands, pipelines */

static int parse_pipe(struct parser *p, bool ranging, char until, struct pipe **ret);

/* ".a.b" behind an operand */
static int fields(struct parser *p, struct operand *o)
{
	while (p->at < p->end && *p->at == '.') {
		size_t n;

		p->at++;
		n = word_len(p);
		if (n == 0)
			return fail(p, "unexpected '.' in operand");
		if ((o->n_fields & (o->n_fields - 1)) == 0) {
			const char **more =
			        alloc(p->t, (o->n_fields ? o->n_fields * 2 : 1) * sizeof(*more));

			if (o->n_fields)
				memcpy(more, o->fields, o->n_fields * sizeof(*more));
			o->fields = more;
		}
		o->fields[o->n_fields++] = alloc_str(p->t, p->at, n);
		p->at += n;
	}
	return 0;
}

static int named(struct parser *p, struct operand *o)
{
	size_t n = word_len(p);

	o->text = alloc_str(p->t, p->at, n);
	p->at += n;
	if (strcmp(o->text, "true") == 0 || strcmp(o->text, "false") == 0) {
		o->type = OPERAND_BOOL;
		o->integer = *o->text == 't';
	} else if (strcmp(o->text, "nil") == 0) {
		o->type = OPERAND_NIL;
	} else if (template_is_func(o->text)) {
		o->type = OPERAND_FUNC;
	} else {
		return fail(p, "function \"%s\" not defined", visible(o->text));
	}
	return 0;
}

static int parse_operand(struct parser *p, struct operand **ret)
{
	struct operand *o = *ret = alloc(p->t, sizeof(*o));
	char c = *p->at;
	int rc;

	o->line = line(p);
	o->column = p->at > p->line_begin ? (unsigned)(p->at - p->line_begin) : 0;
	if (c == '"' || c == '`' || c == '\'')
		return quoted(p, o);
	if (isdigit((unsigned char)c) || c == '-' || c == '+')
		return number(p, o);
	if (c == '.') {
		o->type = OPERAND_DOT;
		if (left(p) > 1 && is_word(p->at[1]))
			return fields(p, o);
		p->at++;
		return 0;
	}
	if (c == '$') {
		size_t n;

		p->at++;
		n = word_len(p);
		o->type = OPERAND_VAR;
		o->text = alloc_str(p->t, p->at, n);
		p->at += n;
		return fields(p, o);
	}
	if (c == '(') {
		p->at++;
		o->type = OPERAND_PIPE;
		rc = parse_pipe(p, false, ')', &o->pipe);
		if (rc)
			return rc;
		p->at++;
		return fields(p, o);
	}
	if (is_word(c))
		return named(p, o);
	return fail(p, "unexpected '%s' in operand", visible((char[2]){ c, 0 }));
}

static bool at_pipe_end(const struct parser *p, char until)
{
	return until ? p->at < p->end && *p->at == until : at_close(p);
}

static int parse_command(struct parser *p, char until, struct command **ret)
{
	struct command *c = *ret = alloc(p->t, sizeof(*c));
	struct operand **last = &c->operands;

	for (;;) {
		int rc;

		skip_blanks(p);
		if (p->at == p->end)
			return fail(p, "unclosed action");
		if (at_pipe_end(p, until) || *p->at == '|')
			break;
		if (c->operands && !is_blank(p->at[-1]) && *p->at != '(')
			return fail(p, "unexpected '%s' in command",
			            visible((char[2]){ *p->at, 0 }));
		rc = parse_operand(p, last);
		if (rc)
			return rc;
		last = &(*last)->next;
	}
	if (!c->operands)
		return fail(p, "missing value for command");
	return 0;
}

/* "$x :=", "$i, $x :=", "$x =": nothing is taken when it is none of these. */
static int declaration(struct parser *p, bool ranging, struct pipe *pipe)
{
	const char *begin = p->at;

	for (size_t n = 0; n < (ranging ? 2 : 1); n++) {
		size_t len;

		skip_blanks(p);
		if (p->at == p->end || *p->at != '$')
			break;
		p->at++;
		len = word_len(p);
		pipe->vars[n] = alloc_str(p->t, p->at, len);
		p->at += len;
		skip_blanks(p);
		if (looking_at(p, ":=") || (looking_at(p, "=") && !looking_at(p, "=="))) {
			pipe->n_vars = n + 1;
			pipe->assign = *p->at == '=';
			p->at += pipe->assign ? 1 : 2;
			return 0;
		}
		if (!ranging || !looking_at(p, ","))
			break;
		p->at++;
	}
	p->at = begin;
	return 0;
}

static int parse_pipe(struct parser *p, bool ranging, char until, struct pipe **ret)
{
	struct pipe *pipe = *ret = alloc(p->t, sizeof(*pipe));
	struct command **last = &pipe->commands;
	int rc = 0;

	if (++p->depth > TEMPLATE_DEPTH_MAX)
		return fail(p, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	pipe->line = line(p);
	if (!until)
		rc = declaration(p, ranging, pipe);
	while (rc == 0) {
		rc = parse_command(p, until, last);
		if (rc)
			break;
		/* what is no function, and not the first, would have nowhere to take its input */
		if (last != &pipe->commands && (*last)->operands->type != OPERAND_FUNC)
			rc = fail(p, "a command behind a '|' must be a function");
		last = &(*last)->next;
		if (at_pipe_end(p, until))
			break;
		p->at++; /* the '|' */
	}
	p->depth--;
	return rc;
}

/* ---- text and actions */

static struct node *add_node(struct parser *p, struct node ***last, enum node_type type)
{
	struct node *n = **last = alloc(p->t, sizeof(*n));

	n->type = type;
	n->line = line(p);
	*last = &n->next;
	return n;
}

static void text_node(struct parser *p, struct node ***last, const char *end)
{
	struct node *n;
	const char *begin = p->at;

	/* "{{- " takes the blanks before it away */
	if (end + 3 < p->end && end[2] == '-' && is_blank(end[3]))
		for (const char *e = end;; e--) {
			end = e;
			if (e == begin || !is_blank(e[-1]))
				break;
		}
	if (end == begin)
		return;
	n = add_node(p, last, NODE_TEXT);
	n->text = begin;
	n->len = (size_t)(end - begin);
}

static int parse_nodes(struct parser *p, struct node **ret, enum stop *ret_stop);

static int block(struct parser *p, struct node ***last, enum node_type type, const char *what);

/* Behind a block's body: {{else}}, {{else if ...}} and {{end}}. */
static int block_rest(struct parser *p, struct node *n, const char *what, enum stop stop)
{
	int rc;

	if (stop == STOP_ELSE) {
		struct node **other = &n->otherwise;

		skip_blanks(p);
		if ((n->type == NODE_IF && take_word(p, "if")) ||
		    (n->type == NODE_WITH && take_word(p, "with")))
			return block(p, &other, n->type, what); /* its {{end}} is ours, too */
		rc = close_action(p);
		if (rc == 0)
			rc = parse_nodes(p, &n->otherwise, &stop);
		if (rc)
			return rc;
		if (stop == STOP_ELSE)
			return fail(p, "expected end; found {{else}}");
	}
	return stop == STOP_EOF ? fail(p, "unexpected EOF") : close_action(p);
}

static int block(struct parser *p, struct node ***last, enum node_type type, const char *what)
{
	struct node *n = add_node(p, last, type);
	enum stop stop;
	int rc;

	if (++p->depth > TEMPLATE_DEPTH_MAX)
		return fail(p, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	skip_blanks(p);
	if (at_close(p))
		return fail(p, "missing value for %s", what);
	rc = parse_pipe(p, type == NODE_RANGE, 0, &n->pipe);
	if (rc == 0)
		rc = close_action(p);
	p->loops += type == NODE_RANGE;
	if (rc == 0)
		rc = parse_nodes(p, &n->body, &stop);
	p->loops -= type == NODE_RANGE;
	if (rc == 0)
		rc = block_rest(p, n, what, stop);
	p->depth--;
	return rc;
}

static int comment(struct parser *p)
{
	const char *end = left(p) > 4 ? memmem(p->at + 2, left(p) - 2, "*/", 2) : NULL;

	if (!end)
		return fail(p, "unclosed comment");
	p->at = end + 2;
	if (!looking_at(p, "}}") && !looking_at(p, " -}}"))
		return fail(p, "comment ends before closing delimiter");
	return close_action(p);
}

/* Behind "{{". *ret_stop is set when the action ends a list of nodes. */
static int action(struct parser *p, struct node ***last, bool *ret_stopped, enum stop *ret_stop)
{
	struct node *n;
	int rc;

	if (p->at + 1 < p->end && *p->at == '-' && is_blank(p->at[1]))
		p->at += 2;
	skip_blanks(p);
	if (looking_at(p, "/*"))
		return comment(p);
	if (take_word(p, "if"))
		return block(p, last, NODE_IF, "if");
	if (take_word(p, "range"))
		return block(p, last, NODE_RANGE, "range");
	if (take_word(p, "with"))
		return block(p, last, NODE_WITH, "with");
	if (take_word(p, "end") || take_word(p, "else")) {
		*ret_stopped = true;
		*ret_stop = p->at[-1] == 'd' ? STOP_END : STOP_ELSE;
		return 0;
	}
	if (looking_at(p, "break") && word_len(p) == 5) {
		if (!p->loops)
			return fail(p, "{{break}} outside {{range}}");
		p->at += 5;
		(void)add_node(p, last, NODE_BREAK);
		return close_action(p);
	}
	if (looking_at(p, "continue") && word_len(p) == 8) {
		if (!p->loops)
			return fail(p, "{{continue}} outside {{range}}");
		p->at += 8;
		(void)add_node(p, last, NODE_CONTINUE);
		return close_action(p);
	}
	if (at_close(p))
		return fail(p, "missing value for command");
	n = add_node(p, last, NODE_ACTION);
	rc = parse_pipe(p, false, 0, &n->pipe);
	return rc ? rc : close_action(p);
}

static int parse_nodes(struct parser *p, struct node **ret, enum stop *ret_stop)
{
	struct node **last = ret;
	bool stopped = false;

	while (p->at < p->end) {
		const char *open = memmem(p->at, left(p), "{{", 2);
		int rc;

		text_node(p, &last, open ? open : p->end);
		p->at = open ? open + 2 : p->end;
		if (!open)
			break;
		rc = action(p, &last, &stopped, ret_stop);
		if (rc || stopped)
			return rc;
	}
	*ret_stop = STOP_EOF;
	return 0;
}

int template_parse(const char *name, const char *text, size_t len, struct template **ret,
                   struct err *err)
{
	struct template *t = xcalloc(1, sizeof(*t));
	struct parser p = { .t = t, .err = err };
	enum stop stop = STOP_EOF;
	int rc;

	t->name = xstrdup(name);
	if (len > TEMPLATE_TEXT_MAX) {
		rc = err_set(err, -EINVAL, "template: %s: longer than %u bytes", name,
		             TEMPLATE_TEXT_MAX);
	} else {
		t->text = xstrndup(text, len); /* up to a NUL: there is nothing behind it */
		p.at = p.counted = p.line_begin = t->text;
		p.line = 1;
		p.end = t->text + strlen(t->text);
		rc = parse_nodes(&p, &t->nodes, &stop);
		if (rc == 0 && stop != STOP_EOF)
			rc = fail(&p, "unexpected {{%s}}", stop == STOP_END ? "end" : "else");
	}
	if (rc)
		template_free(t);
	else
		*ret = t;
	return rc;
}

bool template_calls(const struct template *t, const char *name)
{
	return strstr(t->text, name) != NULL;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_blocks; i++)
		free(t->blocks[i]);
	free(t->blocks);
	free(t->name);
	free(t->text);
	free(t);
}
