/* SPDX-License-Identifier: BSD-2-Clause */
/* Carries a parsed template out. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/template_tree.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define ARGS_MAX 64

/* How a list of nodes ended: rc < 0 is an error. */
enum flow {
	FLOW_ON,
	FLOW_BREAK,
	FLOW_CONTINUE,
};

int template_fail(struct run *r, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, -EINVAL, "template: %s:%u:%u: %s", r->t->name, r->line, r->column,
	               text);
}

const char *template_keep(struct run *r, char *s)
{
	if ((r->n_strings & (r->n_strings - 1)) == 0)
		r->strings = xrealloc(r->strings,
		                      (r->n_strings ? r->n_strings * 2 : 1) * sizeof(*r->strings));
	r->strings[r->n_strings++] = s;
	return s;
}

/* Each thing done costs a step: ranges within ranges over many objects do not run for ever. */
static int step(struct run *r)
{
	if (++r->steps > TEMPLATE_STEPS_MAX)
		return template_fail(r, "more than %u steps", TEMPLATE_STEPS_MAX);
	if (r->out->len - r->out_begin > TEMPLATE_OUTPUT_MAX)
		return template_fail(r, "more than %u bytes", TEMPLATE_OUTPUT_MAX);
	return 0;
}

/* ---- variables */

static void push_var(struct run *r, const char *name, const struct value *v)
{
	if ((r->n_vars & (r->n_vars - 1)) == 0)
		r->vars = xrealloc(r->vars, (r->n_vars ? r->n_vars * 2 : 1) * sizeof(*r->vars));
	r->vars[r->n_vars++] = (struct variable){ name, *v };
}

static struct variable *find_var(struct run *r, const char *name)
{
	for (size_t i = r->n_vars; i-- > 0;)
		if (strcmp(r->vars[i].name, name) == 0)
			return &r->vars[i];
	return NULL;
}

static int set_var(struct run *r, const struct pipe *p, const char *name, const struct value *v)
{
	struct variable *var;

	if (!p->assign) {
		push_var(r, name, v);
		return 0;
	}
	var = find_var(r, name);
	if (!var)
		return template_fail(r, "undefined variable \"$%s\"", visible(name));
	var->value = *v;
	return 0;
}

/* ---- pipelines */

static int run_pipe(struct run *r, const struct pipe *p, const struct value *dot,
                    struct value *ret);
static int run_command(struct run *r, const struct command *c, const struct value *dot,
                       const struct value *last, struct value *ret);

static int run_operand(struct run *r, const struct operand *o, const struct value *dot,
                       struct value *ret)
{
	const struct variable *var;
	struct command alone;
	int rc = 0;

	r->line = o->line;
	r->column = o->column;
	switch (o->type) {
	case OPERAND_DOT:
		*ret = *dot;
		break;
	case OPERAND_VAR:
		var = find_var(r, o->text);
		if (!var)
			return template_fail(r, "undefined variable \"$%s\"", visible(o->text));
		*ret = var->value;
		break;
	case OPERAND_FUNC: { /* a function without arguments */
		struct operand copy = *o;

		copy.next = NULL;
		alone = (struct command){ .operands = &copy };
		rc = run_command(r, &alone, dot, NULL, ret);
		break;
	}
	case OPERAND_STR:
		*ret = value_of_str(o->text);
		break;
	case OPERAND_INT:
		*ret = (struct value){ .type = VALUE_INT, .integer = o->integer };
		break;
	case OPERAND_FLOAT:
		*ret = (struct value){ .type = VALUE_FLOAT, .real = o->real };
		break;
	case OPERAND_BOOL:
		*ret = (struct value){ .type = VALUE_BOOL, .integer = o->integer };
		break;
	case OPERAND_NIL:
		*ret = (struct value){ .type = VALUE_NIL };
		break;
	case OPERAND_PIPE:
		rc = run_pipe(r, o->pipe, dot, ret);
		break;
	}
	r->line = o->line;
	r->column = o->column;
	for (size_t i = 0; rc == 0 && i < o->n_fields; i++) {
		struct value of = *ret;

		rc = value_field(r, &of, o->fields[i], ret);
	}
	return rc;
}

/* and, or: what comes behind the decision is not carried out. */
static int run_logic(struct run *r, bool is_and, const struct operand *o, const struct value *dot,
                     const struct value *last, struct value *ret)
{
	bool any = false;

	for (; o; o = o->next) {
		int rc = run_operand(r, o, dot, ret);

		if (rc || value_is_true(ret) != is_and)
			return rc;
		any = true;
	}
	if (last)
		*ret = *last;
	else if (!any)
		return template_fail(r, "wrong number of args for %s: want at least 1 got 0",
		                     is_and ? "and" : "or");
	return 0;
}

static int run_command(struct run *r, const struct command *c, const struct value *dot,
                       const struct value *last, struct value *ret)
{
	const struct operand *first = c->operands;
	struct value args[ARGS_MAX];
	size_t n = 0;
	int rc = step(r);

	if (rc)
		return rc;
	if (first->type != OPERAND_FUNC) {
		rc = run_operand(r, first, dot, ret);
		if (rc == 0 && (first->next || last))
			rc = template_fail(r, "can't give argument to non-function");
		return rc;
	}
	if (strcmp(first->text, "and") == 0 || strcmp(first->text, "or") == 0)
		return run_logic(r, *first->text == 'a', first->next, dot, last, ret);
	for (const struct operand *o = first->next; o; o = o->next) {
		if (n == ARGS_MAX - 1)
			return template_fail(r, "more than %d arguments", ARGS_MAX - 1);
		rc = run_operand(r, o, dot, &args[n++]);
		if (rc)
			return rc;
	}
	if (last)
		args[n++] = *last;
	r->line = first->line;
	r->column = first->column;
	return template_call(r, first->text, args, n, ret);
}

/* The variables of a range are set by the range. */
static int run_commands(struct run *r, const struct pipe *p, const struct value *dot,
                        struct value *ret)
{
	struct value last;

	for (const struct command *c = p->commands; c; c = c->next) {
		int rc;

		last = *ret;
		rc = run_command(r, c, dot, c == p->commands ? NULL : &last, ret);
		if (rc)
			return rc;
	}
	return 0;
}

static int run_pipe(struct run *r, const struct pipe *p, const struct value *dot, struct value *ret)
{
	int rc;

	*ret = (struct value){ 0 };
	rc = run_commands(r, p, dot, ret);
	return rc == 0 && p->n_vars ? set_var(r, p, p->vars[0], ret) : rc;
}

/* ---- nodes */

static int run_nodes(struct run *r, const struct node *n, const struct value *dot,
                     enum flow *ret_flow);

/* One turn of a range. */
static int run_turn(struct run *r, const struct node *n, const struct value *key,
                    const struct value *element, enum flow *ret_flow)
{
	size_t mark = r->n_vars;
	int rc = step(r);

	if (rc == 0 && n->pipe->n_vars == 2)
		rc = set_var(r, n->pipe, n->pipe->vars[0], key);
	if (rc == 0 && n->pipe->n_vars)
		rc = set_var(r, n->pipe, n->pipe->vars[n->pipe->n_vars - 1], element);
	if (rc == 0)
		rc = run_nodes(r, n->body, element, ret_flow);
	r->n_vars = mark;
	return rc;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of the keys. */
static int range_map(struct run *r, const struct node *n, const struct value *over)
{
	size_t len = over->json->len;
	char **keys = xcalloc(len + 1, sizeof(*keys));
	enum flow flow = FLOW_ON;
	int rc = 0;

	memcpy(keys, over->json->keys, len * sizeof(*keys));
	qsort(keys, len, sizeof(*keys), by_key);
	for (size_t i = 0; i < len && rc == 0 && flow != FLOW_BREAK; i++) {
		struct value key = value_of_str(keys[i]);
		struct value element = value_member(over, keys[i], &(bool){ false });

		rc = run_turn(r, n, &key, &element, &flow);
	}
	free(keys);
	return rc;
}

static int run_range(struct run *r, const struct node *n, const struct value *dot)
{
	struct value over = { 0 };
	enum flow flow = FLOW_ON, inner;
	size_t len;
	int rc = run_commands(r, n->pipe, dot, &over);

	if (rc)
		return rc;
	r->line = n->line;
	if (over.type == VALUE_BOOL || over.type == VALUE_FLOAT || over.type == VALUE_STR)
		return template_fail(r, "range can't iterate over this value");
	len = over.type == VALUE_INT ? (over.integer > 0 ? (size_t)over.integer : 0)
	                             : value_len(r, &over);
	if (len == 0)
		return run_nodes(r, n->otherwise, dot, &inner);
	if (over.type == VALUE_MAP)
		return range_map(r, n, &over);
	for (size_t i = 0; i < len && rc == 0 && flow != FLOW_BREAK; i++) {
		struct value key = { .type = VALUE_INT, .integer = (long long)i };
		struct value element = over.type == VALUE_INT ? key : value_element(r, &over, i);

		rc = run_turn(r, n, &key, &element, &flow);
	}
	return rc;
}

static int run_choice(struct run *r, const struct node *n, const struct value *dot,
                      enum flow *ret_flow)
{
	size_t mark = r->n_vars;
	struct value v;
	int rc = run_pipe(r, n->pipe, dot, &v);

	if (rc == 0 && value_is_true(&v))
		rc = run_nodes(r, n->body, n->type == NODE_WITH ? &v : dot, ret_flow);
	else if (rc == 0)
		rc = run_nodes(r, n->otherwise, dot, ret_flow);
	r->n_vars = mark;
	return rc;
}

static int run_nodes(struct run *r, const struct node *n, const struct value *dot,
                     enum flow *ret_flow)
{
	*ret_flow = FLOW_ON;
	for (; n && *ret_flow == FLOW_ON; n = n->next) {
		struct value v;
		int rc = step(r);

		if (rc)
			return rc;
		switch (n->type) {
		case NODE_TEXT:
			buf_add(r->out, n->text, n->len);
			break;
		case NODE_ACTION:
			rc = run_pipe(r, n->pipe, dot, &v);
			if (rc == 0 && n->pipe->n_vars == 0)
				value_print(r, &v, r->out);
			break;
		case NODE_IF:
		case NODE_WITH:
			rc = run_choice(r, n, dot, ret_flow);
			break;
		case NODE_RANGE:
			rc = run_range(r, n, dot);
			break;
		case NODE_BREAK:
			*ret_flow = FLOW_BREAK;
			break;
		case NODE_CONTINUE:
			*ret_flow = FLOW_CONTINUE;
			break;
		}
		if (rc)
			return rc;
	}
	return 0;
}

int template_run(const struct template *t, const struct template_result *results, size_t n,
                 const struct template_env *env, struct buf *out, struct err *err)
{
	struct run r = { .t = t,
		         .results = results,
		         .n_results = n,
		         .env = env,
		         .out = out,
		         .out_begin = out->len,
		         .err = err };
	struct value root = { .type = VALUE_RESULTS };
	enum flow flow;
	int rc;

	push_var(&r, "", &root); /* $ */
	rc = run_nodes(&r, t->nodes, &root, &flow);
	for (size_t i = 0; i < r.n_strings; i++)
		free(r.strings[i]);
	free(r.strings);
	free(r.vars);
	return rc;
}
