/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree: building, looking, copying, writing. Its parser is parse.c. */
#include "common/json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

struct json *json_new(enum json_type type)
{
	struct json *j = xcalloc(1, sizeof(*j));

	j->type = type;
	return j;
}

static struct json *new_text(enum json_type type, const char *s)
{
	struct json *j = json_new(type);

	j->len = strlen(s);
	j->text = xmemdup(s, j->len + 1);
	return j;
}

struct json *json_new_str(const char *s)
{
	return new_text(JSON_STRING, s);
}

struct json *json_new_number(const char *text)
{
	return new_text(JSON_NUMBER, text);
}

struct json *json_new_bool(bool v)
{
	struct json *j = json_new(JSON_BOOL);

	j->boolean = v;
	return j;
}

static bool is_container(const struct json *j)
{
	return j->type == JSON_ARRAY || j->type == JSON_OBJECT;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	if (is_container(j))
		for (size_t i = 0; i < j->len; i++) {
			json_free(j->items[i]);
			if (j->keys)
				free(j->keys[i]);
		}
	free(j->keys);
	free(j->items);
	free(j->text);
	free(j);
}

/* Room for one more. The capacity is the next power of two, so that it need not be stored. */
static void grow(struct json *j)
{
	size_t cap = j->len * 2;

	if (j->len & (j->len - 1))
		return;
	if (j->len == 0)
		cap = 1;
	j->items = xrealloc(j->items, cap * sizeof(struct json *));
	if (j->type == JSON_OBJECT)
		j->keys = xrealloc(j->keys, cap * sizeof(char *));
}

void json_append(struct json *array, struct json *item)
{
	grow(array);
	array->items[array->len++] = item;
}

static size_t find(const struct json *object, const char *key)
{
	size_t i = 0;

	while (i < object->len && strcmp(object->keys[i], key) != 0)
		i++;
	return i;
}

void json_set(struct json *object, const char *key, struct json *value)
{
	size_t i = find(object, key);

	if (i == object->len) {
		json_add(object, key, value);
		return;
	}
	json_free(object->items[i]);
	object->items[i] = value;
}

void json_add(struct json *object, const char *key, struct json *value)
{
	grow(object);
	object->keys[object->len] = xstrdup(key);
	object->items[object->len++] = value;
}

struct json *json_get(const struct json *object, const char *key)
{
	size_t i;

	if (!object || object->type != JSON_OBJECT)
		return NULL;
	i = find(object, key);
	return i < object->len ? object->items[i] : NULL;
}

const char *json_str(const struct json *j)
{
	return j && j->type == JSON_STRING ? j->text : NULL;
}

/* An integer is digits, perhaps behind a '-': neither a point nor an exponent, whatever its value.
 */
static bool is_integer(const struct json *j)
{
	const char *s;

	if (!j || j->type != JSON_NUMBER)
		return false;
	s = j->text + (j->text[0] == '-');
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

int json_i64(const struct json *j, int64_t *ret)
{
	intmax_t v;

	if (!is_integer(j))
		return -EINVAL;
	errno = 0;
	v = strtoimax(j->text, NULL, 10);
	if (errno == ERANGE || v < INT64_MIN || v > INT64_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

int json_u64(const struct json *j, uint64_t *ret)
{
	uintmax_t v;

	if (!is_integer(j))
		return -EINVAL;
	if (j->text[0] == '-')
		return -ERANGE;
	errno = 0;
	v = strtoumax(j->text, NULL, 10);
	if (errno == ERANGE || v > UINT64_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

int json_double(const struct json *j, double *ret)
{
	double v;
	char *end;

	if (!j || j->type != JSON_NUMBER)
		return -EINVAL;
	v = strtod(j->text, &end);
	if (end == j->text || *end != '\0')
		return -EINVAL;
	if (!isfinite(v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int json_bool(const struct json *j, bool *ret)
{
	if (!j || j->type != JSON_BOOL)
		return -EINVAL;
	*ret = j->boolean;
	return 0;
}

struct json *json_copy(const struct json *j)
{
	struct json *copy = json_new(j->type);

	copy->boolean = j->boolean;
	if (!is_container(j)) {
		copy->len = j->len;
		copy->text = j->text ? xmemdup(j->text, j->len + 1) : NULL;
		return copy;
	}
	for (size_t i = 0; i < j->len; i++) {
		grow(copy);
		copy->items[i] = json_copy(j->items[i]);
		if (j->keys)
			copy->keys[i] = xstrdup(j->keys[i]);
		copy->len++;
	}
	return copy;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
	for (size_t i = 0; i < a->len; i++) {
		/* mostly the order is the same too */
		const struct json *other =
		        strcmp(a->keys[i], b->keys[i]) == 0 ? b->items[i] : json_get(b, a->keys[i]);

		if (!other || !json_equal(a->items[i], other))
			return false;
	}
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (a->type != b->type || a->len != b->len)
		return false;
	switch (a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
	case JSON_STRING:
		return memcmp(a->text, b->text, a->len) == 0;
	case JSON_OBJECT:
		return equal_objects(a, b);
	case JSON_ARRAY:
		for (size_t i = 0; i < a->len; i++)
			if (!json_equal(a->items[i], b->items[i]))
				return false;
		return true;
	}
	return false;
}

static void new_line(unsigned indent, unsigned level, struct buf *out)
{
	if (indent > 0) {
		buf_byte(out, '\n');
		for (unsigned i = 0; i < indent * level; i++)
			buf_byte(out, ' ');
	}
}

/* One character of a string, as Go's encoder writes it; n is its length in UTF-8, 0: it is none. */
static void write_char(const char *s, size_t n, struct buf *out)
{
	static const char short_of[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	unsigned char c = (unsigned char)*s;

	for (const char *p = short_of; *p != '\0'; p += 2)
		if (*p == *s) {
			buf_byte(out, '\\');
			buf_byte(out, (uint8_t)p[1]);
			return;
		}
	if (n == 0)
		buf_str(out, "\\ufffd");
	else if (c < 0x20 || c == '<' || c == '>' || c == '&')
		buf_printf(out, "\\u%04x", c);
	else if (n == 3 && memcmp(s, "\xe2\x80\xa8", 3) == 0)
		buf_str(out, "\\u2028");
	else if (n == 3 && memcmp(s, "\xe2\x80\xa9", 3) == 0)
		buf_str(out, "\\u2029");
	else
		buf_add(out, s, n);
}

static void write_string(const char *s, size_t len, struct buf *out)
{
	buf_byte(out, '"');
	for (const char *end = s + len; s < end;) {
		size_t n = utf8_len(s, (size_t)(end - s));

		write_char(s, n, out);
		s += n ? n : 1;
	}
	buf_byte(out, '"');
}

static void write_value(const struct json *j, unsigned indent, unsigned level, struct buf *out);

static void write_container(const struct json *j, unsigned indent, unsigned level, struct buf *out)
{
	bool object = j->type == JSON_OBJECT;

	buf_byte(out, object ? '{' : '[');
	for (size_t i = 0; i < j->len; i++) {
		if (i > 0)
			buf_byte(out, ',');
		new_line(indent, level + 1, out);
		if (object) {
			write_string(j->keys[i], strlen(j->keys[i]), out);
			buf_str(out, indent > 0 ? ": " : ":");
		}
		write_value(j->items[i], indent, level + 1, out);
	}
	if (j->len > 0)
		new_line(indent, level, out);
	buf_byte(out, object ? '}' : ']');
}

static void write_value(const struct json *j, unsigned indent, unsigned level, struct buf *out)
{
	switch (j->type) {
	case JSON_NULL:
		buf_str(out, "null");
		break;
	case JSON_BOOL:
		buf_str(out, j->boolean ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_add(out, j->text, j->len);
		break;
	case JSON_STRING:
		write_string(j->text, j->len, out);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		write_container(j, indent, level, out);
		break;
	}
}

void json_write(const struct json *j, unsigned indent, struct buf *out)
{
	write_value(j, indent, 0, out);
}

const char *json_type_str(enum json_type t)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return names[t];
}
