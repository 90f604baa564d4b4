/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

/* A view of the text that shrinks as it is read. */
struct view {
	const char *at, *end;
};

static size_t left(const struct view *v)
{
	return (size_t)(v->end - v->at);
}

static bool begins(const struct view *v, const char *word)
{
	size_t len = strlen(word);

	return left(v) >= len && strncasecmp(v->at, word, len) == 0;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static void copy(struct view *v, size_t n, struct buf *out)
{
	buf_add(out, v->at, n);
	v->at += n;
}

/* ---- private keys, whole or as one line of a JSON text */

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* "-----BEGIN EC PRIVATE KEY-----" ... to the end of its last line. */
static bool take_key(struct view *v, struct buf *out)
{
	static const char marker[] = "PRIVATE KEY-----";
	const char *line = memchr(v->at, '\n', left(v)), *kind, *close;

	if (!begins(v, "-----BEGIN "))
		return false;
	kind = find(v->at, line ? line : v->end, marker);
	if (!kind)
		return false;
	kind += sizeof(marker) - 1;
	close = find(kind, v->end, "-----END ");
	copy(v, (size_t)(kind - v->at), out);
	buf_str(out, REDACTED);
	close = close ? find(close, v->end, marker) : NULL;
	v->at = close ? close + sizeof(marker) - 1 : v->end;
	return true;
}

/* ---- https://user:password@host */

static bool take_url(struct view *v, struct buf *out)
{
	const char *at, *colon = NULL;

	if (!begins(v, "://"))
		return false;
	for (at = v->at + 3; at < v->end && !isspace((unsigned char)*at) && !strchr("/\"'<>@", *at);
	     at++)
		if (*at == ':' && !colon)
			colon = at;
	if (at == v->end || *at != '@' || !colon)
		return false;
	copy(v, (size_t)(colon + 1 - v->at), out);
	buf_str(out, REDACTED);
	v->at = at;
	return true;
}

/* ---- what a word announces */

static const char *const words[] = { "password",   "passwd",      "passphrase",    "secret",
	                             "token",      "apikey",      "api_key",       "api-key",
	                             "privatekey", "private_key", "private-key",   "preshared",
	                             "credential", "authkey",     "authorization", "bearer" };

/* The length of the word at v, with what belongs to its name: "etcdPasswordFile". 0: none. */
static size_t word_at(const struct view *v)
{
	if (!strchr("pPsStTaAcCbB", *v->at) || !*v->at)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (!begins(v, words[i]))
			continue;
		while (n < left(v) && in_name(v->at[n]))
			n++;
		return n;
	}
	return 0;
}

static void skip_blanks(struct view *v, struct buf *out)
{
	while (left(v) && (*v->at == ' ' || *v->at == '\t'))
		copy(v, 1, out);
}

/* A text in quotes, however they are escaped: \" within "..." in a JSON text within another. */
static bool take_quoted(struct view *v, struct buf *out)
{
	const char *at = v->at;
	size_t slashes = 0;
	char quote;

	while (at < v->end && *at == '\\')
		at++, slashes++;
	if (at == v->end || (*at != '"' && *at != '\''))
		return false;
	quote = *at;
	copy(v, slashes + 1, out);
	for (at = v->at; at < v->end && *at != '\n'; at++) {
		size_t run = 0;

		while (at + run < v->end && at[run] == '\\')
			run++;
		if (at + run < v->end && at[run] == quote && run <= slashes)
			break;
		at += run;
		if (at == v->end)
			break;
	}
	buf_str(out, REDACTED);
	v->at = at;
	return true;
}

static void take_bare(struct view *v, struct buf *out)
{
	const char *at = v->at;

	while (at < v->end && !isspace((unsigned char)*at) && !strchr(",;})]\"'", *at))
		at++;
	if (at > v->at)
		buf_str(out, REDACTED);
	v->at = at;
}

/* Behind the word: a quote that ends its name, a sign, and the secret; or, without a sign, what is
 * in quotes. */
static void take_value(struct view *v, bool scheme, struct buf *out)
{
	bool sign = false, quoted = false;

	while (left(v) && (*v->at == '"' || *v->at == '\'' || *v->at == '\\')) {
		copy(v, 1, out);
		quoted = true;
	}
	skip_blanks(v, out);
	if (left(v) && (*v->at == '=' || *v->at == ':')) {
		sign = true;
		copy(v, 1, out);
		skip_blanks(v, out);
	}
	if (take_quoted(v, out) || (!sign && !scheme) || quoted)
		return; /* "tokens": 5 is a number, and JSON it shall stay */
	if (begins(v, "bearer ") || begins(v, "basic ")) /* Authorization: Bearer x */
		copy(v, strcspn(v->at, " ") + 1, out);
	if (left(v) && (*v->at == '{' || *v->at == '['))
		return; /* an object: its members have names of their own */
	take_bare(v, out);
}

void redact(const char *text, size_t len, struct buf *out)
{
	struct view v = { text, text + len };

	while (left(&v)) {
		bool scheme;
		size_t n;

		if (take_key(&v, out) || take_url(&v, out))
			continue;
		n = word_at(&v);
		if (n == 0) {
			copy(&v, 1, out);
			continue;
		}
		scheme = begins(&v, "bearer");
		copy(&v, n, out);
		take_value(&v, scheme, out);
	}
}
