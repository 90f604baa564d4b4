/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/select.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\n\r");
}

/* The characters of a label's name or value. NULL: there is none here. */
static const char *word(const char **at)
{
	const char *begin = skip_blanks(*at), *end = begin;

	while (isalnum((unsigned char)*end) || (*end && strchr("-_./", *end)))
		end++;
	*at = end;
	return end > begin ? begin : NULL;
}

static bool take(const char **at, const char *what)
{
	const char *s = skip_blanks(*at);
	size_t len = strlen(what);

	if (strncmp(s, what, len) != 0)
		return false;
	if (isalpha((unsigned char)*what) && (isalnum((unsigned char)s[len]) || s[len] == '-'))
		return false;
	*at = s + len;
	return true;
}

static void add_word(struct buf *out, const char *begin, const char *end)
{
	buf_add(out, begin, (size_t)(end - begin));
}

/* "(x, y)" as "{'x', 'y'}" */
static bool value_set(const char **at, struct buf *out)
{
	if (!take(at, "("))
		return false;
	buf_str(out, "{");
	do {
		const char *w = word(at);

		buf_byte(out, '\'');
		if (w)
			add_word(out, w, *at);
		buf_str(out, "',");
	} while (take(at, ","));
	out->len--;
	buf_str(out, "}");
	return take(at, ")");
}

/* One requirement, in Calico's words. */
static bool requirement(const char **at, struct buf *out)
{
	bool absent = take(at, "!");
	const char *key = word(at), *end = *at, *value;

	if (!key)
		return false;
	if (absent) {
		buf_str(out, "!has(");
		add_word(out, key, end);
		buf_byte(out, ')');
		return true;
	}
	if (take(at, "in") || take(at, "notin")) {
		bool in = (*at)[-3] != 't';

		add_word(out, key, end);
		buf_str(out, in ? " in " : " not in ");
		return value_set(at, out);
	}
	if (take(at, "!=") || take(at, "==") || take(at, "=")) {
		bool not = (*at)[-2] == '!';

		value = word(at);
		add_word(out, key, end);
		buf_str(out, not ? " != '" : " == '");
		if (value)
			add_word(out, value, *at);
		buf_byte(out, '\'');
		return true;
	}
	buf_str(out, "has(");
	add_word(out, key, end);
	buf_byte(out, ')');
	return true;
}

/* false: text is nothing of the kind. */
static bool from_short(const char *text, struct buf *out)
{
	do {
		if (out->len)
			buf_str(out, " && ");
		if (!requirement(&text, out))
			return false;
	} while (take(&text, ","));
	return *skip_blanks(text) == '\0';
}

int select_parse(const char *text, struct selector **ret, struct err *err)
{
	CLEANUP(buf_done) struct buf calico = { 0 };
	struct err first, second;

	if (selector_parse(text, ret, &first) == 0)
		return 0;
	if (from_short(text, &calico) && selector_parse(buf_cstr(&calico), ret, &second) == 0)
		return 0;
	return err_set(err, -EINVAL, "invalid selector '%s': %s", visible(text), first.text);
}

static const char *lookup(void *arg, const char *label)
{
	return json_str(json_get(arg, label));
}

bool select_matches(const struct selector *s, const struct json *object)
{
	struct json *labels = json_get(json_get(object, "metadata"), "labels");

	return selector_match(s, lookup, labels);
}
