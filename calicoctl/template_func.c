/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of templates. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/template_tree.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define WIDTH_MAX 1000 /* of a verb of printf */

typedef int func(struct run *r, const char *name, const struct value *args, size_t n,
                 struct value *ret);

static struct value of_bool(bool v)
{
	return (struct value){ .type = VALUE_BOOL, .integer = v };
}

/* The text in b, which is taken, as a value. All of them together are bounded: x = x x, time and
 * again, is soon more than there is memory. */
static int text_value(struct run *r, struct buf *b, struct value *ret)
{
	r->kept += b->len;
	if (r->kept > TEMPLATE_TEXTS_MAX) {
		buf_done(b);
		return template_fail(r, "more than %u bytes of texts", TEMPLATE_TEXTS_MAX);
	}
	*ret = value_of_str(template_keep(r, b->len ? buf_take(b) : xstrdup("")));
	return 0;
}

/* ---- comparing */

static bool is_number(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_FLOAT;
}

static double as_real(const struct value *v)
{
	return v->type == VALUE_INT ? (double)v->integer : v->real;
}

static bool is_nil(const struct value *v)
{
	return v->type == VALUE_NIL || v->type == VALUE_NONE;
}

static int compare(struct run *r, const struct value *a, const struct value *b, int *ret)
{
	if (a->type == VALUE_STR && b->type == VALUE_STR)
		*ret = strcmp(a->str, b->str);
	else if (a->type == VALUE_INT && b->type == VALUE_INT)
		*ret = (a->integer > b->integer) - (a->integer < b->integer);
	else if (is_number(a) && is_number(b))
		*ret = (as_real(a) > as_real(b)) - (as_real(a) < as_real(b));
	else
		return template_fail(r, "incompatible types for comparison");
	return 0;
}

static int equal(struct run *r, const struct value *a, const struct value *b, bool *ret)
{
	int order = 1, rc = 0;

	if (is_nil(a) || is_nil(b))
		*ret = is_nil(a) && is_nil(b);
	else if (a->type == VALUE_BOOL && b->type == VALUE_BOOL)
		*ret = a->integer == b->integer;
	else if (a->type >= VALUE_LIST || b->type >= VALUE_LIST)
		return template_fail(r, "non-comparable type");
	else {
		rc = compare(r, a, b, &order);
		*ret = order == 0;
	}
	return rc;
}

/* eq a b c: a is b or c */
static int do_eq(struct run *r, const char *name, const struct value *args, size_t n,
                 struct value *ret)
{
	bool same = false;
	int rc = 0;

	if (n < 2)
		return template_fail(r, "missing argument for comparison");
	for (size_t i = 1; i < n && rc == 0 && !same; i++)
		rc = equal(r, &args[0], &args[i], &same);
	*ret = of_bool(same == (*name == 'e'));
	return rc;
}

static int do_order(struct run *r, const char *name, const struct value *args, size_t n,
                    struct value *ret)
{
	int order = 0, rc;

	(void)n;
	rc = compare(r, &args[0], &args[1], &order);
	*ret = of_bool(name[0] == 'l' ? (name[1] == 't' ? order < 0 : order <= 0)
	                              : (name[1] == 't' ? order > 0 : order >= 0));
	return rc;
}

static int do_not(struct run *r, const char *name, const struct value *args, size_t n,
                  struct value *ret)
{
	(void)r, (void)name, (void)n;
	*ret = of_bool(!value_is_true(&args[0]));
	return 0;
}

/* ---- lists and maps */

static int do_len(struct run *r, const char *name, const struct value *args, size_t n,
                  struct value *ret)
{
	(void)name, (void)n;
	if (args[0].type < VALUE_STR)
		return template_fail(r, is_nil(&args[0]) ? "error calling len: len of nil pointer"
		                                         : "error calling len: len of this type");
	*ret = (struct value){ .type = VALUE_INT, .integer = (long long)value_len(r, &args[0]) };
	return 0;
}

static int check_index(struct run *r, const struct value *of, const struct value *at, size_t max,
                       size_t *ret)
{
	if (at->type != VALUE_INT)
		return template_fail(r, "cannot index slice/array with this type");
	if (at->integer < 0 || (size_t)at->integer > max)
		return template_fail(r, "index out of range: %lld", at->integer);
	(void)of;
	*ret = (size_t)at->integer;
	return 0;
}

static int do_index(struct run *r, const char *name, const struct value *args, size_t n,
                    struct value *ret)
{
	(void)name;
	*ret = args[0];
	for (size_t i = 1; i < n; i++) {
		struct value of = *ret;
		size_t len = value_len(r, &of), k;
		bool found;

		if (of.type == VALUE_MAP) {
			if (args[i].type != VALUE_STR)
				return template_fail(r, "a map is indexed with a string");
			*ret = value_member(&of, args[i].str, &found);
			if (!found && of.message) /* of a map<string, string> */
				*ret = value_of_str("");
			continue;
		}
		if (of.type < VALUE_STR)
			return template_fail(r, is_nil(&of) ? "index of untyped nil"
			                                    : "can't index item of this type");
		if (len == 0 && args[i].type == VALUE_INT)
			return template_fail(r, "index out of range: %lld", args[i].integer);
		if (check_index(r, &of, &args[i], len ? len - 1 : 0, &k) != 0)
			return -EINVAL;
		*ret = of.type == VALUE_STR ? (struct value){ .type = VALUE_INT,
			                                      .integer = (unsigned char)of.str[k] }
		                            : value_element(r, &of, k);
	}
	return 0;
}

/* Of strings alone: s[1:3] */
static int do_slice(struct run *r, const char *name, const struct value *args, size_t n,
                    struct value *ret)
{
	size_t from = 0, to = value_len(r, &args[0]);
	struct buf out = { 0 };

	(void)name;
	if (args[0].type != VALUE_STR)
		return template_fail(r, "can't slice item of this type");
	if (n > 2 && check_index(r, &args[0], &args[2], to, &to) != 0)
		return -EINVAL;
	if (n > 1 && check_index(r, &args[0], &args[1], to, &from) != 0)
		return -EINVAL;
	if (from > to)
		return template_fail(r, "invalid slice index: %zu > %zu", from, to);
	buf_add(&out, args[0].str + from, to - from);
	return text_value(r, &out, ret);
}

/* ---- texts */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a=1", "b=2": of a map, sorted */
static char **map_texts(const struct run *r, const struct value *map, size_t *ret_n)
{
	size_t n = value_len(r, map);
	char **texts = xcalloc(n + 1, sizeof(*texts));

	for (size_t i = 0; i < n; i++) {
		struct value v = value_element(r, map, i);
		struct buf text = { 0 };

		buf_printf(&text, "%s=", map->json->keys[i]);
		value_print(r, &v, &text);
		texts[i] = buf_take(&text);
	}
	qsort(texts, n, sizeof(*texts), by_text);
	*ret_n = n;
	return texts;
}

/* join LIST SEPARATOR; joinAndTruncate LIST SEPARATOR MAX */
static int do_join(struct run *r, const char *name, const struct value *args, size_t n,
                   struct value *ret)
{
	long long max = n > 2 ? args[2].integer : 0;
	struct buf out = { 0 };
	char **texts = NULL;
	size_t len = value_len(r, &args[0]);

	(void)name;
	if (args[1].type != VALUE_STR || (n > 2 && args[2].type != VALUE_INT))
		return template_fail(r, "wrong type for value; expected %s",
		                     args[1].type != VALUE_STR ? "string" : "int");
	if (args[0].type == VALUE_MAP)
		texts = map_texts(r, &args[0], &len);
	else if (args[0].type != VALUE_LIST && args[0].type != VALUE_RESULTS)
		len = !is_nil(&args[0]);
	for (size_t i = 0; i < len; i++) {
		if (max > 0 && (long long)out.len > max)
			continue;
		buf_str(&out, i ? args[1].str : "");
		if (texts) {
			buf_str(&out, texts[i]);
		} else if (args[0].type == VALUE_LIST || args[0].type == VALUE_RESULTS) {
			struct value e = value_element(r, &args[0], i);

			value_print(r, &e, &out);
		} else {
			value_print(r, &args[0], &out);
		}
	}
	if (max > 0 && (long long)out.len > max) {
		out.len = max > 3 ? (size_t)max - 3 : 0;
		buf_str(&out, "...");
	}
	for (size_t i = 0; texts && i < len; i++)
		free(texts[i]);
	free(texts);
	return text_value(r, &out, ret);
}

/* print: blanks between two that are no strings; println: always, and a newline */
static int do_print(struct run *r, const char *name, const struct value *args, size_t n,
                    struct value *ret)
{
	bool line = strcmp(name, "println") == 0;
	struct buf out = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (i && (line || (args[i].type != VALUE_STR && args[i - 1].type != VALUE_STR)))
			buf_byte(&out, ' ');
		value_print(r, &args[i], &out);
	}
	if (line)
		buf_byte(&out, '\n');
	return text_value(r, &out, ret);
}

/* ---- printf */

struct verb {
	bool minus, plus, zero, sharp, blank;
	int width, precision; /* -1: none */
	char c;
};

static const char *type_name(const struct value *v)
{
	static const char *const names[] = {
		[VALUE_NONE] = "<nil>", [VALUE_NIL] = "<nil>",     [VALUE_BOOL] = "bool",
		[VALUE_INT] = "int",    [VALUE_FLOAT] = "float64", [VALUE_STR] = "string",
		[VALUE_LIST] = "[]",    [VALUE_MAP] = "map",       [VALUE_RESULTS] = "[]",
	};

	return names[v->type];
}

static int verb_number(const char **at, int otherwise)
{
	int v = 0;

	if (**at < '0' || **at > '9')
		return otherwise;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		v = v * 10 + (**at - '0') > WIDTH_MAX ? WIDTH_MAX : v * 10 + (**at - '0');
	return v;
}

static struct verb parse_verb(const char **at)
{
	struct verb v = { .width = -1, .precision = -1 };

	for (;; (*at)++) {
		if (**at == '-')
			v.minus = true;
		else if (**at == '+')
			v.plus = true;
		else if (**at == '0')
			v.zero = true;
		else if (**at == '#')
			v.sharp = true;
		else if (**at == ' ')
			v.blank = true;
		else
			break;
	}
	v.width = verb_number(at, -1);
	if (**at == '.') {
		(*at)++;
		v.precision = verb_number(at, 0);
	}
	v.c = **at;
	if (v.c)
		(*at)++;
	return v;
}

static void quote(const char *s, struct buf *out)
{
	buf_byte(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_byte(out, '\\');
		if (*s == '\n')
			buf_str(out, "\\n");
		else if (*s == '\t')
			buf_str(out, "\\t");
		else if (*s == '\r')
			buf_str(out, "\\r");
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*s);
		else
			buf_byte(out, (uint8_t)*s);
	}
	buf_byte(out, '"');
}

/* One number by the C library's printf, whose verbs these are. */
static void print_c(const struct verb *v, const char *length, const struct value *arg,
                    struct buf *out)
{
	char fmt[16];

	snprintf(fmt, sizeof(fmt), "%%%s%s%s.*%s%c", v->plus ? "+" : "", v->blank ? " " : "",
	         v->sharp ? "#" : "", length, v->c == 'v' ? 'd' : v->c);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (*length)
		buf_printf(out, fmt, v->precision, arg->integer);
	else
		buf_printf(out, fmt, v->precision, arg->real);
#pragma GCC diagnostic pop
}

/* false: this verb is not for such a value. */
static bool print_verb(const struct run *r, const struct verb *v, const struct value *arg,
                       struct buf *out)
{
	switch (v->c) {
	case 'v':
	case 's':
		if (v->c == 's' && (is_number(arg) || arg->type == VALUE_BOOL || is_nil(arg)))
			return false;
		value_print(r, arg, out);
		return true;
	case 'q':
		if (arg->type != VALUE_STR)
			return false;
		quote(arg->str, out);
		return true;
	case 't':
		if (arg->type != VALUE_BOOL)
			return false;
		buf_str(out, arg->integer ? "true" : "false");
		return true;
	case 'd':
	case 'o':
	case 'x':
	case 'X':
		if (arg->type == VALUE_STR && v->c != 'd' && v->c != 'o') {
			for (const char *s = arg->str; *s; s++)
				buf_printf(out, v->c == 'x' ? "%02x" : "%02X",
				           (unsigned)(unsigned char)*s);
			return true;
		}
		if (arg->type != VALUE_INT)
			return false;
		print_c(v, "ll", arg, out);
		return true;
	case 'c':
		if (arg->type != VALUE_INT)
			return false;
		utf8_add(out, arg->integer > 0 && arg->integer <= 0x10ffff ? (uint32_t)arg->integer
		                                                           : 0xfffd);
		return true;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
		if (arg->type != VALUE_FLOAT)
			return false;
		if ((v->c == 'g' || v->c == 'G') && v->precision < 0)
			value_print(r, arg, out);
		else
			print_c(v, "", arg, out);
		return true;
	default:
		return false;
	}
}

/* Cuts a text (%.5s) and pads it to the width, in characters. */
static void put_padded(const struct verb *v, const struct value *arg, struct buf *text,
                       struct buf *out)
{
	size_t have = 0, bytes = 0;
	bool cut = v->precision >= 0 && (v->c == 's' || v->c == 'v') && arg->type == VALUE_STR;
	bool zeros = v->zero && !v->minus && is_number(arg);
	const char *s = buf_cstr(text);

	while (bytes < text->len && !(cut && have == (size_t)v->precision)) {
		size_t n = utf8_len(s + bytes, text->len - bytes);

		bytes += n ? n : 1;
		have++;
	}
	if (zeros && bytes && (*s == '-' || *s == '+')) {
		buf_byte(out, (uint8_t)*s++);
		bytes--;
	}
	for (size_t i = have; !v->minus && v->width > 0 && i < (size_t)v->width; i++)
		buf_byte(out, zeros ? '0' : ' ');
	buf_add(out, s, bytes);
	for (size_t i = have; v->minus && v->width > 0 && i < (size_t)v->width; i++)
		buf_byte(out, ' ');
}

static int do_printf(struct run *r, const char *name, const struct value *args, size_t n,
                     struct value *ret)
{
	struct buf out = { 0 };
	size_t used = 1;
	const char *at;

	(void)name;
	if (args[0].type != VALUE_STR)
		return template_fail(r, "wrong type for value; expected string");
	for (at = args[0].str; *at;) {
		CLEANUP(buf_done) struct buf text = { 0 };
		size_t plain = strcspn(at, "%");
		const struct value *arg;
		struct verb v;

		buf_add(&out, at, plain);
		at += plain;
		if (!*at)
			break;
		at++;
		v = parse_verb(&at);
		if (v.c == '%') {
			buf_byte(&out, '%');
			continue;
		}
		if (!v.c) {
			buf_str(&out, "%!(NOVERB)");
			break;
		}
		if (used >= n) {
			buf_printf(&out, "%%!%c(MISSING)", v.c);
			continue;
		}
		arg = &args[used++];
		if (print_verb(r, &v, arg, &text)) {
			put_padded(&v, arg, &text, &out);
		} else if (is_nil(arg)) {
			buf_printf(&out, "%%!%c(<nil>)", v.c);
		} else {
			buf_printf(&out, "%%!%c(%s=", v.c, type_name(arg));
			value_print(r, arg, &out);
			buf_byte(&out, ')');
		}
	}
	for (size_t i = used; i < n; i++) {
		buf_printf(&out, "%s%s=", i == used ? "%!(EXTRA " : ", ", type_name(&args[i]));
		value_print(r, &args[i], &out);
	}
	if (used < n)
		buf_byte(&out, ')');
	return text_value(r, &out, ret);
}

/* ---- the rest */

static int do_config(struct run *r, const char *name, const struct value *args, size_t n,
                     struct value *ret)
{
	const char *v = NULL;

	(void)name, (void)n;
	if (args[0].type == VALUE_STR && r->env && r->env->config)
		v = r->env->config(r->env->arg, args[0].str);
	if (!v)
		return template_fail(r, "error calling config: unhandled config type");
	*ret = value_of_str(v);
	return 0;
}

/* clang-format off */
static const struct {
	const char *name;
	size_t min_args, max_args;
	func *call; /* NULL: template_run.c has it */
} funcs[] = {
	{ "and",             0, SIZE_MAX, NULL },
	{ "or",              0, SIZE_MAX, NULL },
	{ "not",             1, 1,        do_not },
	{ "eq",              1, SIZE_MAX, do_eq },
	{ "ne",              2, 2,        do_eq },
	{ "lt",              2, 2,        do_order },
	{ "le",              2, 2,        do_order },
	{ "gt",              2, 2,        do_order },
	{ "ge",              2, 2,        do_order },
	{ "len",             1, 1,        do_len },
	{ "index",           1, SIZE_MAX, do_index },
	{ "slice",           1, 3,        do_slice },
	{ "print",           0, SIZE_MAX, do_print },
	{ "println",         0, SIZE_MAX, do_print },
	{ "printf",          1, SIZE_MAX, do_printf },
	{ "join",            2, 2,        do_join },
	{ "joinAndTruncate", 3, 3,        do_join },
	{ "config",          1, 1,        do_config },
};
/* clang-format on */

bool template_is_func(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(funcs); i++)
		if (strcmp(funcs[i].name, name) == 0)
			return true;
	return false;
}

int template_call(struct run *r, const char *name, const struct value *args, size_t n,
                  struct value *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(funcs); i++) {
		if (strcmp(funcs[i].name, name) != 0 || !funcs[i].call)
			continue;
		if (n < funcs[i].min_args || n > funcs[i].max_args)
			return template_fail(r, "wrong number of args for %s: want %s%zu got %zu",
			                     name, funcs[i].max_args == SIZE_MAX ? "at least " : "",
			                     funcs[i].min_args, n);
		return funcs[i].call(r, name, args, n, ret);
	}
	return -ENOENT;
}
