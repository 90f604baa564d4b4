/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of json.h: yajl's events become a tree. What yajl is lax about is refused here:
 * repeated keys, depth, malformed UTF-8 that its own check lets through, and halves of surrogate
 * pairs, which it would turn into question marks.
 */
#include <errno.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/json.h"

/* Up to so many keys, each is compared with all before it, and the error stands at the key; beyond,
 * the object is sorted at its end. */
#define LINEAR_KEYS 32

struct parse {
	yajl_handle yajl;
	const char *text;
	size_t len;
	struct json *top;
	struct json *stack[JSON_DEPTH_MAX];
	unsigned depth;
	size_t values;
	struct err *err;
	bool failed; /* *err is written */
};

static int fail_at(struct parse *p, size_t offset, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < p->len; i++) {
		column++;
		if (p->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	p->failed = true;
	return err_set(p->err, -EINVAL, "line %zu, column %zu: %s", line, column, what);
}

static int fail_here(struct parse *p, const char *what)
{
	size_t at = yajl_get_bytes_consumed(p->yajl); /* behind the token */

	(void)fail_at(p, at > 0 ? at - 1 : 0, what);
	return 0; /* yajl: stop */
}

/* Adds v to what is open; v is taken even on failure. */
static int add(struct parse *p, struct json *v)
{
	struct json *parent = p->depth > 0 ? p->stack[p->depth - 1] : NULL;

	if (!parent)
		p->top = v;
	else if (parent->type == JSON_ARRAY)
		json_append(parent, v);
	else
		parent->items[parent->len - 1] = v; /* its place came with its key */
	if (++p->values > JSON_VALUES_MAX)
		return fail_here(p, "too many values");
	return 1;
}

static int open_container(struct parse *p, enum json_type type)
{
	struct json *j;

	if (p->depth == JSON_DEPTH_MAX)
		return fail_here(p, "nested too deeply");
	j = json_new(type);
	if (!add(p, j))
		return 0;
	p->stack[p->depth++] = j;
	return 1;
}

static bool is_utf8(const char *s, size_t len)
{
	while (len > 0) {
		size_t n = utf8_len(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static struct json *new_text(enum json_type type, const char *s, size_t len)
{
	struct json *j = json_new(type);

	j->text = xcalloc(1, len + 1);
	memcpy(j->text, s, len);
	j->len = len;
	return j;
}

static int on_null(void *arg)
{
	return add(arg, json_new(JSON_NULL));
}

static int on_boolean(void *arg, int v)
{
	return add(arg, json_new_bool(v));
}

static int on_number(void *arg, const char *s, size_t len)
{
	return add(arg, new_text(JSON_NUMBER, s, len));
}

static int on_string(void *arg, const unsigned char *s, size_t len)
{
	if (!is_utf8((const char *)s, len))
		return fail_here(arg, "a string is not UTF-8");
	return add(arg, new_text(JSON_STRING, (const char *)s, len));
}

static int on_start_map(void *arg)
{
	return open_container(arg, JSON_OBJECT);
}

static int on_start_array(void *arg)
{
	return open_container(arg, JSON_ARRAY);
}

static int on_map_key(void *arg, const unsigned char *s, size_t len)
{
	struct parse *p = arg;
	struct json *object = p->stack[p->depth - 1];
	CLEANUP(free_p) char *key = xcalloc(1, len + 1);
	char text[128];

	memcpy(key, s, len);
	if (memchr(s, '\0', len) || !is_utf8(key, len))
		return fail_here(p, "a key is not UTF-8, or has NUL in it");
	if (object->len < LINEAR_KEYS && json_get(object, key)) {
		(void)snprintf(text, sizeof(text), "the key '%.64s' is there twice", key);
		return fail_here(p, text);
	}
	json_add(object, key, NULL); /* until its value comes */
	return 1;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int on_end_map(void *arg)
{
	struct parse *p = arg;
	struct json *object = p->stack[--p->depth];
	CLEANUP(free_p) char **sorted = NULL;
	char text[128];

	if (object->len <= LINEAR_KEYS)
		return 1;
	sorted = xmemdup(object->keys, object->len * sizeof(*sorted));
	qsort(sorted, object->len, sizeof(*sorted), compare_strings);
	for (size_t i = 1; i < object->len; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			(void)snprintf(text, sizeof(text),
			               "the key '%.64s' is twice in the object that ends here",
			               sorted[i]);
			return fail_here(p, text);
		}
	return 1;
}

static int on_end_array(void *arg)
{
	struct parse *p = arg;

	p->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

/* yajl does not check what it is given */
static void *y_malloc(void *arg, size_t n)
{
	(void)arg;
	return xrealloc(NULL, n);
}

static void *y_realloc(void *arg, void *old, size_t n)
{
	(void)arg;
	return xrealloc(old, n);
}

static void y_free(void *arg, void *old)
{
	(void)arg;
	free(old);
}

static bool hex4(const char *s, const char *end, unsigned *ret)
{
	unsigned v = 0;

	if (end - s < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			v = v << 4 | (unsigned)(s[i] - '0');
		else if ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f')
			v = v << 4 | (unsigned)((s[i] | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

/* Backslashes are in strings alone (elsewhere yajl will complain), so that this needs no parser. */
static int check_surrogates(struct parse *p)
{
	const char *end = p->text + p->len, *s = p->text;
	unsigned high, low;

	while ((s = memchr(s, '\\', (size_t)(end - s))) && end - s >= 2) {
		const char *at = s;

		s += 2;
		if (at[1] != 'u' || !hex4(s, end, &high) || high < 0xd800 || high > 0xdfff)
			continue;
		s += 4;
		if (high >= 0xdc00 || end - s < 6 || s[0] != '\\' || s[1] != 'u' ||
		    !hex4(s + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
			return fail_at(p, (size_t)(at - p->text), "half of a surrogate pair");
		s += 6;
	}
	return 0;
}

static int fail_from_yajl(struct parse *p, bool at_end)
{
	size_t offset = at_end ? p->len : yajl_get_bytes_consumed(p->yajl);
	unsigned char *text;

	if (p->failed)
		return -EINVAL;
	if (at_end)
		return fail_at(p, offset,
		               p->len > 0 ? "the text ends too early" : "there is no text");
	text = yajl_get_error(p->yajl, 0, (const unsigned char *)p->text, p->len);
	text[strcspn((char *)text, "\n")] = '\0';
	(void)fail_at(p, offset > 0 ? offset - 1 : 0, (char *)text);
	yajl_free_error(p->yajl, text);
	return -EINVAL;
}

int json_parse(const char *text, size_t len, struct json **ret, struct err *err)
{
	struct parse p = { .text = text, .len = len, .err = err };
	yajl_alloc_funcs afs = { y_malloc, y_realloc, y_free, NULL };
	int r = 0;

	if (len > JSON_TEXT_MAX)
		return err_set(err, -EINVAL, "%zu bytes are more than the %u that may be", len,
		               JSON_TEXT_MAX);
	if (check_surrogates(&p) < 0)
		return -EINVAL;
	p.yajl = yajl_alloc(&callbacks, &afs, &p);
	if (yajl_parse(p.yajl, (const unsigned char *)text, len) != yajl_status_ok)
		r = fail_from_yajl(&p, false);
	else if (yajl_complete_parse(p.yajl) != yajl_status_ok)
		r = fail_from_yajl(&p, true);
	yajl_free(p.yajl);
	if (r < 0)
		json_free(p.top);
	else
		*ret = p.top;
	return r;
}
