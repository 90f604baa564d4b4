/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json: a small JSON tree. The only place that knows yajl (its upstream sleeps; what must be
 * swapped is one file).
 *
 * Numbers keep their text, so that 64-bit integers stay exact (IPAM's sequence numbers are
 * nanoseconds). Objects keep their order; a repeated key is an error. Limits: JSON_DEPTH_MAX
 * levels, JSON_TEXT_MAX bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct err;

#define JSON_DEPTH_MAX 64
#define JSON_TEXT_MAX (64u << 20)
#define JSON_VALUES_MAX (4u << 20) /* a value of two bytes becomes some hundred in memory */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json {
	enum json_type type;
	bool boolean;
	char *text;  /* of a string (UTF-8; may hold NUL: see len) or a number, as it was written */
	size_t len;  /* of text; number of children of an array or object */
	char **keys; /* of an object */
	struct json **items; /* of an array or object */
};

/* Parses one value with nothing behind it. *ret is the caller's. -EINVAL with line and column in
 * *err. */
int json_parse(const char *text, size_t len, struct json **ret, struct err *err);
void json_free(struct json *j);

struct json *json_get(const struct json *object,
                      const char *key);           /* NULL when absent or not an object; borrowed */
const char *json_str(const struct json *j);       /* NULL when not a string; borrowed */
int json_i64(const struct json *j, int64_t *ret); /* -EINVAL: not an integer; -ERANGE */
int json_u64(const struct json *j, uint64_t *ret);
int json_double(const struct json *j, double *ret);
int json_bool(const struct json *j, bool *ret);

/* Building: children are taken. */
struct json *json_new(enum json_type type);
struct json *json_new_str(const char *s);
struct json *json_new_number(const char *text);
struct json *json_new_bool(bool v);
void json_append(struct json *array, struct json *item);
void json_set(struct json *object, const char *key,
              struct json *value); /* replaces an existing one */
void json_add(struct json *object, const char *key,
              struct json *value); /* the key is known to be new */
struct json *json_copy(const struct json *j);
bool json_equal(const struct json *a,
                const struct json *b); /* object order does not matter; numbers are their text */

/* As Go's encoder writes it, which is how upstream stores and shows JSON: <, > and & in strings
 * become \u003c and so on. indent 0: on one line; else pretty, with so many spaces. */
void json_write(const struct json *j, unsigned indent, struct buf *out);
const char *json_type_str(enum json_type t);
