/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/setting.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"

/* ---- types */

bool setting_all_of(const char *s, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !(s[i] && strchr(extra, s[i])))
			return false;
	return len > 0;
}

bool setting_oneof(const char *choices, const char *text, char **ret)
{
	size_t n = strlen(text);

	for (const char *at = choices; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (len == n && strncasecmp(at, text, n) == 0) {
			*ret = xstrndup(at, len);
			return true;
		}
		at += len;
	}
	return false;
}

bool setting_bool(const char *text, bool *ret)
{
	char *word = NULL;

	*ret = setting_oneof("true 1 yes y t", text, &word);
	if (!*ret && !setting_oneof("false 0 no n f", text, &word))
		return false;
	free(word);
	return true;
}

bool setting_seconds(const char *text, double max_sec, uint64_t *ret_ms)
{
	char *end;
	double v;

	if (text[strspn(text, "0123456789.eE+-")])
		return false;
	v = strtod(text, &end);
	if (end == text || *end || !isfinite(v) || v < 0 || v > max_sec)
		return false;
	*ret_ms = (uint64_t)(v * 1000 + 0.5);
	if (v > 0 && *ret_ms == 0)
		*ret_ms = 1; /* 0 would mean: never */
	return true;
}

/* ---- files */

static void trim(const char **from, const char **to)
{
	while (*from < *to && isspace((unsigned char)**from))
		++*from;
	while (*to > *from && isspace((unsigned char)(*to)[-1]))
		--*to;
}

/* A value in quotes ends at the quote, another at a comment. */
static bool line_value(const char **from, const char **to)
{
	const char *end;

	trim(from, to);
	if (*from == *to)
		return true;
	if (strchr("\"'`", **from)) {
		end = memchr(*from + 1, **from, (size_t)(*to - *from - 1));
		if (!end)
			return false;
		++*from;
		*to = end;
		return true;
	}
	for (end = *from; end < *to && *end != '#' && *end != ';'; end++)
		;
	*to = end;
	trim(from, to);
	return true;
}

int setting_lines(const char *text, setting_line_fn *fn, void *arg, struct err *err)
{
	unsigned number = 0;

	for (const char *at = text, *next; *at; at = next) {
		const char *end = at + strcspn(at, "\n"), *key = at, *key_end, *value;

		next = *end ? end + 1 : end;
		number++;
		trim(&key, &end);
		if (key == end || *key == '#' || *key == ';')
			continue;
		if (*key == '[') {
			if (!memchr(key, ']', (size_t)(end - key)))
				return err_set(err, -EINVAL,
				               "configuration file, line %u: a section's name "
				               "lacks its ']'",
				               number);
			continue;
		}
		key_end = key;
		while (key_end < end && *key_end != '=' && *key_end != ':')
			key_end++;
		if (key_end == end)
			return err_set(err, -EINVAL,
			               "configuration file, line %u: neither 'name = value' nor a "
			               "section nor a comment",
			               number);
		value = key_end + 1;
		trim(&key, &key_end);
		if (!line_value(&value, &end))
			return err_set(err, -EINVAL,
			               "configuration file, line %u: the value lacks its second "
			               "quote",
			               number);
		fn(arg, key, (size_t)(key_end - key), value, (size_t)(end - value));
	}
	return 0;
}
