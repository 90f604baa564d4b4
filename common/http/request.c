/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/http/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

/* RFC 9110 section 5.6.2 */
static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) &&
		    (s[i] == '\0' || !strchr("!#$%&'*+-.^_`|~", s[i])))
			return false;
	return len > 0;
}

static bool is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

/* ---- the first line: method SP target SP version */

static unsigned parse_target(const char *at, size_t len, struct http_request *ret)
{
	const char *query;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] <= 0x20 || (unsigned char)at[i] >= 0x7f)
			return 400;
	if (len > 7 && strncasecmp(at, "http://", 7) == 0) { /* as proxies are asked */
		const char *slash = memchr(at + 7, '/', len - 7);

		if (!slash)
			return 400;
		len -= (size_t)(slash - at);
		at = slash;
	}
	if (!len || *at != '/')
		return 400;
	query = memchr(at, '?', len);
	if (query)
		len = (size_t)(query - at);
	if (len >= sizeof(ret->path))
		return 414;
	memcpy(ret->path, at, len);
	ret->path[len] = '\0';
	return 200;
}

static unsigned parse_line(const char *at, const char *end, struct http_request *ret,
                           bool *ret_must_host)
{
	const char *method_end = memchr(at, ' ', (size_t)(end - at)), *target, *target_end;
	size_t method_len, version_len;
	unsigned status;

	if (!method_end || !is_token(at, (size_t)(method_end - at)))
		return 400;
	method_len = (size_t)(method_end - at);
	target = method_end + 1;
	target_end = memchr(target, ' ', (size_t)(end - target));
	if (!target_end)
		return 400;
	version_len = (size_t)(end - target_end - 1);
	if (version_len != 8 || strncmp(target_end + 1, "HTTP/", 5) != 0 ||
	    !isdigit((unsigned char)target_end[6]) || target_end[7] != '.' ||
	    !isdigit((unsigned char)target_end[8]))
		return 400;
	if (target_end[6] != '1')
		return 505;
	*ret_must_host = ret->keep_alive = target_end[8] != '0';
	ret->head = method_len == 4 && memcmp(at, "HEAD", 4) == 0;
	if (!ret->head && (method_len != 3 || memcmp(at, "GET", 3) != 0)) {
		/* Methods that the standard has, and others. */
		static const char *const known[] = { "POST",  "PUT",     "DELETE", "CONNECT",
			                             "TRACE", "OPTIONS", "PATCH" };

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (strlen(known[i]) == method_len && memcmp(at, known[i], method_len) == 0)
				return 405;
		return 501;
	}
	status = parse_target(target, (size_t)(target_end - target), ret);
	return status;
}

/* ---- fields: name ":" OWS value OWS */

static void parse_connection(const char *at, const char *end, struct http_request *ret)
{
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *word_end = comma ? comma : end;

		while (at < word_end && (*at == ' ' || *at == '\t'))
			at++;
		while (word_end > at && (word_end[-1] == ' ' || word_end[-1] == '\t'))
			word_end--;
		if (is(at, (size_t)(word_end - at), "close"))
			ret->keep_alive = false;
		at = comma ? comma + 1 : end;
	}
}

static unsigned parse_field(const char *at, const char *end, struct http_request *ret,
                            unsigned *hosts)
{
	const char *colon = memchr(at, ':', (size_t)(end - at)), *value;
	size_t name_len;

	if (!colon || !is_token(at, (size_t)(colon - at)))
		return 400; /* also a folded line, and a blank before the colon */
	name_len = (size_t)(colon - at);
	value = colon + 1;
	for (const char *c = value; c < end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return 400;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (is(at, name_len, "host"))
		++*hosts;
	else if (is(at, name_len, "connection"))
		parse_connection(value, end, ret);
	else if (is(at, name_len, "transfer-encoding"))
		return 413; /* nobody who gets something has a body to send */
	else if (is(at, name_len, "content-length") && !is(value, (size_t)(end - value), "0"))
		return 413;
	return 200;
}

/* The end of the line at at: where its CRLF begins. NULL: it is not whole. *ret_bad: it never will
 * be a line. */
static const char *line_end(const char *at, const char *end, bool *ret_bad)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));

	*ret_bad = (lf && (!cr || cr + 1 != lf)) || (!lf && cr && cr + 1 != end);
	return lf ? lf - 1 : NULL;
}

unsigned http_request_parse(const char *data, size_t len, struct http_request *ret,
                            size_t *ret_used)
{
	const char *all_end = data + len, *at = data, *end;
	struct http_request q = { 0 };
	unsigned status, fields = 0, hosts = 0;
	bool bad, must_host = false;

	end = line_end(at, all_end, &bad);
	if (bad)
		return 400;
	if ((end ? (size_t)(end - at) : len) > HTTP_LINE_MAX)
		return 414;
	if (!end)
		return 0;
	status = parse_line(at, end, &q, &must_host);
	if (status != 200)
		return status;
	for (;;) {
		at = end + 2;
		end = line_end(at, all_end, &bad);
		if (bad)
			return 400;
		if ((size_t)((end ? end : all_end) - data) > HTTP_HEAD_MAX)
			return 431;
		if (!end)
			return 0;
		if (end == at)
			break;
		if (++fields > HTTP_FIELDS_MAX)
			return 431;
		status = parse_field(at, end, &q, &hosts);
		if (status != 200)
			return status;
	}
	if (hosts > 1 || (must_host && hosts == 0))
		return 400; /* RFC 9112 section 3.2 */
	*ret = q;
	*ret_used = (size_t)(end + 2 - data);
	return 200;
}
