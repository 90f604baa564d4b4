/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mustache: logic-less templates over a JSON tree. Pure.
 *
 *     {{name}}  {{a.b}}  {{.}}      a value, with & < > " as HTML entities, as the Mustache
 * specification has it
 *     {{{name}}}  {{&name}}         a value as it is: what configuration files want
 *     {{#name}}...{{/name}}         once for each element of a list; once for anything else that is
 * neither false, null, "" nor an empty list
 *     {{^name}}...{{/name}}         once if there is nothing of that
 *     {{!...}}                      a comment
 *     {{=<% %>=}}                   other delimiters from here on
 *
 * Names are looked up in the innermost section first, then outwards; only the first part of a
 * dotted name is. What is not there is nothing. Sections, comments and delimiter changes that are
 * alone on a line take the line with them. There are no partials and no lambdas: {{>x}} is an
 * error. Numbers are written as JSON has them.
 */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"
#include "common/json/json.h"

struct err;
struct mustache;

#define MUSTACHE_TEXT_MAX (1u << 20) /* bytes of a template */
#define MUSTACHE_DEPTH_MAX 32        /* sections in sections */
#define MUSTACHE_OUTPUT_MAX (32u << 20)
#define MUSTACHE_STEPS_MAX 4000000u /* tokens rendered: lists in lists multiply */

/* Parses text, which is copied. -EINVAL with the line in *err. */
int mustache_parse(const char *text, size_t len, struct mustache **ret, struct err *err);
void mustache_free(struct mustache *m); /* NULL is fine */

/* Appends to out. -EFBIG when that takes more than MUSTACHE_OUTPUT_MAX bytes or MUSTACHE_STEPS_MAX
 * steps. */
int mustache_render(const struct mustache *m, const struct json *data, struct buf *out,
                    struct err *err);
