/* SPDX-License-Identifier: BSD-2-Clause */
/* What a text may look like: names, addresses, selectors, durations. */
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"

#define LABEL_MAX 63
#define NAME_MAX_LEN 253

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool text_given(const char *s)
{
	return s && *s != '\0';
}

bool text_is(const char *s, const char *word)
{
	return s && strcmp(s, word) == 0;
}

bool text_all_of(const char *s, const char *more, size_t max)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr(more, s[i]))
			return false;
	return len >= 1 && len <= max;
}

bool text_is_label(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

bool text_is_subdomain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || s[i - 1] == '.', last = i + 1 == len || s[i + 1] == '.';

		if (!is_lower_alnum(s[i]) && (first || last || (s[i] != '-' && s[i] != '.')))
			return false;
	}
	return len > 0;
}

bool text_is_name(const char *s, size_t len)
{
	return len <= NAME_MAX_LEN && text_is_subdomain(s, len);
}

const char *text_label(const char *s, struct why *why)
{
	(void)why;
	return text_is_label(s, strlen(s)) ? NULL
	                                   : "must be at most 63 lower-case letters, digits and "
	                                     "'-', beginning and ending "
	                                     "with a letter or digit";
}

const char *text_name(const char *s, struct why *why)
{
	(void)why;
	return text_is_name(s, strlen(s))
	               ? NULL
	               : "must be at most 253 lower-case letters, digits, '-' and '.', each part "
	                 "beginning and ending with a letter or digit";
}

/* An RFC 1123 subdomain, as Kubernetes says what is wrong with one. */
static size_t subdomain(const char *s, size_t len, const char *ret_wrong[2])
{
	size_t n = 0;

	if (len > NAME_MAX_LEN)
		ret_wrong[n++] = "prefix part must be no more than 253 bytes";
	if (!text_is_subdomain(s, len))
		ret_wrong[n++] =
		        "prefix part a lowercase RFC 1123 subdomain must consist of lower case "
		        "alphanumeric characters, '-' or '.', and must start and end with an "
		        "alphanumeric character (e.g. 'example.com', regex used for validation is "
		        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
	return n;
}

#define QUALIFIED                                                                                  \
	"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "   \
	"an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "  \
	"validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static bool is_qualified(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	return true;
}

size_t text_qualified_name(const char *s, const char *ret_wrong[QUALIFIED_MAX])
{
	const char *slash = strchr(s, '/'), *name = slash ? slash + 1 : s;
	size_t n = 0;

	if (strchr(name, '/')) {
		ret_wrong[0] = "a valid label key " QUALIFIED
		               " with an optional DNS subdomain prefix and '/' (e.g. "
		               "'example.com/MyName')";
		return 1;
	}
	if (slash == s)
		ret_wrong[n++] = "prefix part must be non-empty";
	else if (slash)
		n += subdomain(s, (size_t)(slash - s), ret_wrong);
	if (*name == '\0')
		ret_wrong[n++] = "name part must be non-empty";
	else if (strlen(name) > LABEL_MAX)
		ret_wrong[n++] = "name part must be no more than 63 bytes";
	if (!is_qualified(name))
		ret_wrong[n++] = "name part " QUALIFIED;
	return n;
}

size_t text_label_value(const char *s, const char *ret_wrong[QUALIFIED_MAX])
{
	size_t n = 0;

	if (strlen(s) > LABEL_MAX)
		ret_wrong[n++] = "must be no more than 63 bytes";
	if (*s != '\0' && !is_qualified(s))
		ret_wrong[n++] =
		        "a valid label must be an empty string or consist of alphanumeric "
		        "characters, '-', '_' or '.', and must start and end with an alphanumeric "
		        "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
		        "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
	return n;
}

bool text_has_global(const char *selector)
{
	return strstr(selector, "global(") != NULL;
}

/* ---- addresses */

const char *text_cidr(const char *s, struct why *why)
{
	struct ip_prefix p;

	(void)why;
	return !strchr(s, '/') || ip_prefix_parse(s, &p) < 0 ? "is not a CIDR" : NULL;
}

const char *text_net(const char *s, struct why *why)
{
	char text[IP_PREFIX_STR_MAX];
	struct ip_prefix p;

	if (!strchr(s, '/') || ip_prefix_parse(s, &p) < 0)
		return "is not a CIDR";
	if (ip_prefix_is_network(&p))
		return NULL;
	p = ip_prefix_network(&p);
	(void)snprintf(why->text, sizeof(why->text),
	               "the CIDR is not strictly masked: is %s meant?", ip_prefix_str(&p, text));
	return why->text;
}

/* ---- selectors */

const char *text_any_selector(const char *s, struct why *why)
{
	struct selector *sel = NULL;
	struct err err = { 0 };

	if (selector_parse(s, &sel, &err) < 0) {
		(void)snprintf(why->text, sizeof(why->text), "invalid selector: %s", err.text);
		return why->text;
	}
	selector_unref(sel);
	return NULL;
}

/* ---- others */

/* ([0-9]+(\.[0-9]+)?(ms|s|m|h))* */
const char *text_duration(const char *s, struct why *why)
{
	static const char wrong[] = "is not a duration such as 1m30s or 90s";

	(void)why;
	while (*s != '\0') {
		size_t digits = strspn(s, "0123456789");

		if (digits == 0)
			return wrong;
		s += digits;
		if (*s == '.') {
			digits = strspn(++s, "0123456789");
			if (digits == 0)
				return wrong;
			s += digits;
		}
		if (s[0] == 'm' && s[1] == 's')
			s += 2;
		else if (*s != '\0' && strchr("smh", *s))
			s++;
		else
			return wrong;
	}
	return NULL;
}

const char *text_guid(const char *s, struct why *why)
{
	(void)why;
	return strlen(s) != 32 || s[strspn(s, "0123456789abcdef")] != '\0'
	               ? "is not 32 lower-case hexadecimal digits"
	               : NULL;
}
