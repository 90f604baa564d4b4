/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

static struct {
	const char *program;
	enum log_level level;
	enum log_format format;
	int fd;
} logger = { .level = LOG_INFO, .format = LOG_TEXT, .fd = STDERR_FILENO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_init(const char *program, enum log_level level, enum log_format format)
{
	logger.program = program;
	logger.level = level;
	logger.format = format;
}

void log_set_level(enum log_level level)
{
	logger.level = level;
}

enum log_level log_get_level(void)
{
	return logger.level;
}

void log_set_fd(int fd)
{
	logger.fd = fd;
}

int log_level_parse(const char *s, enum log_level *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcasecmp(s, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	/* Upstream's words for the same. */
	if (strcasecmp(s, "warning") == 0)
		*ret = LOG_WARN;
	else if (strcasecmp(s, "trace") == 0)
		*ret = LOG_DEBUG;
	else if (strcasecmp(s, "fatal") == 0 || strcasecmp(s, "panic") == 0 ||
	         strcasecmp(s, "none") == 0)
		*ret = LOG_ERROR;
	else
		return -EINVAL;
	return 0;
}

int log_format_parse(const char *s, enum log_format *ret)
{
	if (strcasecmp(s, "text") == 0 || strcasecmp(s, "logfmt") == 0)
		*ret = LOG_TEXT;
	else if (strcasecmp(s, "json") == 0)
		*ret = LOG_JSON;
	else
		return -EINVAL;
	return 0;
}

static void timestamp(char out[RFC3339_MAX])
{
	uint64_t ns = wall_unix_ns();
	char sec[RFC3339_MAX];

	rfc3339_sec(sec, ns / 1000000000u);
	(void)snprintf(out, RFC3339_MAX, "%.19s.%03uZ", sec, (unsigned)(ns / 1000000u % 1000u));
}

static void write_line(struct buf *line)
{
	ssize_t n;

	buf_byte(line, '\n');
	do
		n = write(logger.fd, line->data, line->len);
	while (n < 0 && errno == EINTR);
	/* A log that cannot be written has nobody to be told to. */
}

/*
 * Splits key=value pairs at spaces outside double quotes and writes each as a member. Values that
 * are plain integers become numbers.
 */
static void json_fields(struct jsonw *w, char *fields)
{
	char *at = fields;

	while (*at) {
		char *key = at, *value, *end;

		while (*at && *at != '=' && *at != ' ')
			at++;
		if (*at != '=') {
			if (*at)
				at++;
			continue;
		}
		*at++ = '\0';
		value = at;
		if (*at == '"') {
			char *to = value;

			for (at++; *at && *at != '"'; at++) {
				if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
					at++;
				*to++ = *at;
			}
			if (*at == '"')
				at++;
			*to = '\0';
			jsonw_str(w, key, value);
		} else {
			while (*at && *at != ' ')
				at++;
			end = at;
			if (*at)
				at++;
			*end = '\0';
			if (*value &&
			    strspn(value + (*value == '-'), "0123456789") ==
			            strlen(value + (*value == '-')) &&
			    isdigit((unsigned char)value[strlen(value) - 1]) &&
			    strlen(value) <= 19 &&
			    (value[*value == '-'] != '0' || strlen(value) == 1))
				jsonw_raw(w, key, value);
			else
				jsonw_str(w, key, value);
		}
		while (*at == ' ')
			at++;
	}
}

void log_write(enum log_level level, const char *event, const char *fields_fmt, ...)
{
	CLEANUP(buf_done) struct buf line = { 0 };
	CLEANUP(free_p) char *fields = NULL;
	const char *program = logger.program ? logger.program : program_invocation_short_name;
	char when[RFC3339_MAX];
	int saved = errno;
	va_list ap;

	va_start(ap, fields_fmt);
	if (vasprintf(&fields, fields_fmt, ap) < 0)
		fields = NULL;
	va_end(ap);
	timestamp(when);
	if (logger.format == LOG_JSON) {
		struct jsonw w;

		jsonw_init(&w, &line);
		jsonw_object(&w, NULL);
		jsonw_str(&w, "time", when);
		jsonw_str(&w, "program", program);
		jsonw_str(&w, "level", level_names[level]);
		jsonw_str(&w, "event", event);
		if (fields)
			json_fields(&w, fields);
		jsonw_end_object(&w);
	} else {
		buf_printf(&line, "%s %s %s \"%s\"", when, program, level_names[level], event);
		if (fields && *fields)
			buf_printf(&line, " %s", fields);
	}
	write_line(&line);
	errno = saved;
}

bool log_limit_pass(struct log_limit *l, unsigned *ret_suppressed)
{
	struct mono_ms now = mono_now();

	*ret_suppressed = 0;
	if (l->used == 0 || now.ms - l->start.ms >= l->interval_ms) {
		*ret_suppressed = l->suppressed;
		l->start = now;
		l->used = 0;
		l->suppressed = 0;
	}
	if (l->used < l->burst) {
		l->used++;
		return true;
	}
	l->suppressed++;
	return false;
}

#define VIS_RING 8
#define VIS_MAX 512

const char *str_vis(const char *s, size_t len)
{
	static _Thread_local char ring[VIS_RING][VIS_MAX];
	static _Thread_local unsigned next;
	char *out = ring[next++ % VIS_RING], *to = out, *limit = out + VIS_MAX - 12;
	const char *end;
	bool quote = false;

	if (!s)
		return "";
	if (len == SIZE_MAX)
		len = strlen(s);
	end = s + len;
	if (len == 0)
		quote = true;
	for (const char *c = s; c < end; c++)
		if (*c == ' ' || *c == '"' || *c == '=' || *c == '\\')
			quote = true;
	if (quote)
		*to++ = '"';
	while (s < end && to < limit) {
		size_t n = utf8_len(s, (size_t)(end - s));
		unsigned char c = (unsigned char)*s;

		if (n == 0 || c < 0x20 || c == 0x7f) {
			to += sprintf(to, "\\x%02x", c);
			n = 1;
		} else if (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0) {
			/* U+0080 to U+009F: controls, too */
			to += sprintf(to, "\\x%02x", (unsigned char)s[1]);
		} else {
			if (c == '"' || c == '\\')
				*to++ = '\\';
			memcpy(to, s, n);
			to += n;
		}
		s += n;
	}
	if (s < end)
		to += sprintf(to, "...");
	if (quote)
		*to++ = '"';
	*to = '\0';
	return out;
}
