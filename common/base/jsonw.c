/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/jsonw.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

void json_quote(struct buf *out, const char *s)
{
	json_quote_n(out, s, strlen(s));
}

void json_quote_n(struct buf *out, const char *s, size_t len)
{
	const char *end = s + len;

	buf_byte(out, '"');
	while (s < end) {
		size_t n = utf8_len(s, (size_t)(end - s));
		unsigned char c = (unsigned char)*s;

		if (n == 0) {
			buf_str(out, "\\ufffd"); /* not UTF-8 */
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_byte(out, '\\');
			buf_byte(out, c);
		} else if (c == '\n') {
			buf_str(out, "\\n");
		} else if (c == '\t') {
			buf_str(out, "\\t");
		} else if (c == '\r') {
			buf_str(out, "\\r");
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\u%04x", c);
		} else {
			buf_add(out, s, n);
		}
		s += n;
	}
	buf_byte(out, '"');
}

void jsonw_init(struct jsonw *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

static void begin_value(struct jsonw *w, const char *key)
{
	if (w->comma)
		buf_byte(w->out, ',');
	if (key) {
		json_quote(w->out, key);
		buf_byte(w->out, ':');
	}
	w->comma = true;
}

static void open_level(struct jsonw *w, const char *key, char c)
{
	begin_value(w, key);
	buf_byte(w->out, (uint8_t)c);
	w->comma = false;
}

static void close_level(struct jsonw *w, char c)
{
	buf_byte(w->out, (uint8_t)c);
	w->comma = true;
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_level(w, key, '{');
}

void jsonw_end_object(struct jsonw *w)
{
	close_level(w, '}');
}

void jsonw_array(struct jsonw *w, const char *key)
{
	open_level(w, key, '[');
}

void jsonw_end_array(struct jsonw *w)
{
	close_level(w, ']');
}

void jsonw_str(struct jsonw *w, const char *key, const char *v)
{
	if (!v) {
		jsonw_null(w, key);
		return;
	}
	begin_value(w, key);
	json_quote(w->out, v);
}

void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...)
{
	CLEANUP(free_p) char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	jsonw_str(w, key, s);
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t v)
{
	begin_value(w, key);
	buf_printf(w->out, "%llu", (unsigned long long)v);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t v)
{
	begin_value(w, key);
	buf_printf(w->out, "%lld", (long long)v);
}

void jsonw_double(struct jsonw *w, const char *key, double v)
{
	char text[32];

	if (!isfinite(v)) { /* JSON has no word for it */
		jsonw_null(w, key);
		return;
	}
	begin_value(w, key);
	/* The shortest text that reads back as the same number; integers without an exponent, as
	 * long as they are exact. */
	for (int digits = fabs(v) < 1e15 && v == (double)(int64_t)v ? 17 : 1; digits <= 17;
	     digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_str(w->out, text);
}

void jsonw_bool(struct jsonw *w, const char *key, bool v)
{
	jsonw_raw(w, key, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *key)
{
	jsonw_raw(w, key, "null");
}

void jsonw_raw(struct jsonw *w, const char *key, const char *json)
{
	begin_value(w, key);
	buf_str(w->out, json);
}
