/* SPDX-License-Identifier: BSD-2-Clause */
/* template_tree: a parsed template, and the values it works with; inside the template's modules
 * only. */
#pragma once

#include "calicoctl/template.h"

/* A pipeline, command or operand; all memory is the template's. */
enum operand_type {
	OPERAND_DOT,
	OPERAND_VAR,  /* name */
	OPERAND_FUNC, /* name */
	OPERAND_STR,  /* text, len */
	OPERAND_INT,
	OPERAND_FLOAT,
	OPERAND_BOOL,
	OPERAND_NIL,
	OPERAND_PIPE,
};

struct operand {
	enum operand_type type;
	const char *text; /* a name, or a string's bytes */
	size_t len;
	long long integer; /* a boolean, too */
	double real;
	struct pipe *pipe;
	const char **fields; /* ".a.b" behind it */
	size_t n_fields;
	unsigned line, column;
	struct operand *next;
};

struct command {
	struct operand *operands;
	struct command *next;
};

struct pipe {
	const char *vars[2]; /* "$x :=", "$i, $x :=" */
	size_t n_vars;
	bool assign; /* "=": the variable exists */
	struct command *commands;
	unsigned line;
};

enum node_type {
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_RANGE,
	NODE_WITH,
	NODE_BREAK,
	NODE_CONTINUE,
};

struct node {
	enum node_type type;
	const char *text;
	size_t len;
	struct pipe *pipe;
	struct node *body, *otherwise;
	unsigned line;
	struct node *next;
};

struct template
{
	char *name, *text;
	struct node *nodes;
	void **blocks; /* everything that was allocated */
	size_t n_blocks;
};

/* ---- values */

enum value_type {
	VALUE_NONE, /* <no value> */
	VALUE_NIL,  /* <nil> */
	VALUE_BOOL,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_STR,
	VALUE_LIST,
	VALUE_MAP,
	VALUE_RESULTS, /* the list of all results */
};

struct value {
	enum value_type type;
	long long integer; /* a boolean, too */
	double real;
	const char *str;         /* borrowed, ended by NUL */
	const struct json *json; /* of a list or map; NULL: it is absent, that is, empty */
	/* What a map or a list's elements are, if that is known. */
	const ProtobufCMessageDescriptor *message;
	const ProtobufCFieldDescriptor *field; /* of a list of scalars, a map's values */
	bool items;                            /* message is of the elements of "items" */
};

struct run {
	const struct template *t;
	const struct template_result *results;
	size_t n_results;
	const struct template_env *env;
	struct buf *out;
	size_t out_begin;
	struct err *err;
	unsigned long steps;
	unsigned depth;
	struct variable {
		const char *name;
		struct value value;
	} * vars;
	size_t n_vars;
	char **strings;         /* made on the way, freed at the end */
	size_t n_strings, kept; /* bytes of them */
	unsigned line, column;  /* of what is being carried out */
	const char *at;         /* its text, for errors; NULL: none */
};

/* Keeps a string until the run ends; s is taken. */
const char *template_keep(struct run *r, char *s);

/* "template: get:1:5: ..." */
int template_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Calls a builtin by its name. -ENOENT: there is none. and, or are not among them. */
int template_call(struct run *r, const char *name, const struct value *args, size_t n,
                  struct value *ret);
bool template_is_func(const char *name);

bool value_is_true(const struct value *v);
void value_print(const struct run *r, const struct value *v, struct buf *out);
size_t value_len(const struct run *r, const struct value *v);
struct value value_element(const struct run *r, const struct value *list, size_t i);
struct value value_member(const struct value *map, const char *key, bool *ret_found);
struct value value_of_str(const char *s);
/* The field of a struct or map by its Go or JSON name. */
int value_field(struct run *r, const struct value *of, const char *name, struct value *ret);
