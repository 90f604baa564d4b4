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

bool text_is_label(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* Upstream's pattern does not limit the single label; only the whole. */
bool text_is_name(const char *s, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || s[i - 1] == '.', last = i + 1 == len || s[i + 1] == '.';

		if (!is_lower_alnum(s[i]) && (first || last || (s[i] != '-' && s[i] != '.')))
			return false;
	}
	return true;
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

/* The name part of a label's key, and, unless empty, its value. */
static bool is_qualified(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	return true;
}

const char *text_label_value(const char *s, struct why *why)
{
	(void)why;
	return *s == '\0' || is_qualified(s, strlen(s))
	               ? NULL
	               : "must be empty, or at most 63 letters, digits, '-', '_' and '.', "
	                 "beginning and ending with a letter "
	                 "or digit";
}

const char *text_label_key(const char *s, struct why *why)
{
	const char *slash = strchr(s, '/');
	const char *name = slash ? slash + 1 : s;

	(void)why;
	if (is_qualified(name, strlen(name)) && (!slash || text_is_name(s, (size_t)(slash - s))))
		return NULL;
	return "must be a name (at most 63 letters, digits, '-', '_' and '.', beginning and ending "
	       "with a letter or digit), "
	       "perhaps behind a DNS name and '/'";
}

/* ---- addresses */

const char *text_any_net(const char *s, struct why *why)
{
	struct ip_prefix p;

	(void)why;
	return ip_prefix_parse(s, &p) < 0 ? "is neither an IP address nor a CIDR" : NULL;
}

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

const char *text_not_all_net(const char *s, struct why *why)
{
	const char *wrong = text_net(s, why);
	struct ip_prefix p;

	if (wrong)
		return wrong;
	return ip_prefix_parse(s, &p) == 0 && p.len == 0 ? "would leave no address" : NULL;
}

const char *text_host_net(const char *s, struct why *why)
{
	struct ip_prefix p;

	(void)why;
	if (ip_prefix_parse(s, &p) < 0)
		return "is not a CIDR";
	return p.len != ip_addr_bits(&p.addr) ? "must be a single address, /32 or /128" : NULL;
}

static const char *ip_of(const char *s, int family, const char *wrong)
{
	struct ip_addr a;

	return ip_addr_parse(s, &a) < 0 || (family && a.family != family) ? wrong : NULL;
}

const char *text_ip(const char *s, struct why *why)
{
	(void)why;
	return ip_of(s, 0, "is not an IP address");
}

const char *text_ipv4(const char *s, struct why *why)
{
	(void)why;
	return ip_of(s, AF_INET, "is not an IPv4 address");
}

const char *text_ipv6(const char *s, struct why *why)
{
	(void)why;
	return ip_of(s, AF_INET6, "is not an IPv6 address");
}

/* A node's own address, with the length of its network if it is known. */
const char *text_node_ipv4(const char *s, struct why *why)
{
	struct ip_prefix p;

	(void)why;
	return ip_prefix_parse(s, &p) < 0 || p.addr.family != AF_INET
	               ? "is not an IPv4 address or CIDR"
	               : NULL;
}

const char *text_node_ipv6(const char *s, struct why *why)
{
	struct ip_prefix p;

	(void)why;
	return ip_prefix_parse(s, &p) < 0 || p.addr.family != AF_INET6
	               ? "is not an IPv6 address or CIDR"
	               : NULL;
}

const char *text_mac(const char *s, struct why *why)
{
	struct mac_addr m;

	(void)why;
	return mac_parse(s, &m) < 0 ? "is not a MAC address" : NULL;
}

/* An address, address:port or [address]:port. */
const char *text_peer_ip(const char *s, struct why *why)
{
	static const char wrong[] = "is not an IP address, IPv4:port or [IPv6]:port";
	const char *colon = strrchr(s, ':');
	CLEANUP(free_p) char *host = NULL;
	struct ip_addr a;
	size_t len;

	(void)why;
	if (ip_addr_parse(s, &a) == 0)
		return NULL;
	if (!colon)
		return wrong;
	host = xstrndup(s, (size_t)(colon - s));
	len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len - 2);
		host[len - 2] = '\0';
		if (ip_addr_parse(host, &a) < 0 || a.family != AF_INET6)
			return wrong;
	} else if (ip_addr_parse(host, &a) < 0 || a.family != AF_INET) {
		return wrong;
	}
	len = strlen(++colon);
	if (len == 0 || len > 5 || colon[strspn(colon, "0123456789")] != '\0')
		return wrong;
	return atoi(colon) < 1 || atoi(colon) > UINT16_MAX ? "the port must be between 1 and 65535"
	                                                   : NULL;
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

const char *text_selector(const char *s, struct why *why)
{
	const char *wrong = text_any_selector(s, why);

	return wrong ? wrong
	       : strstr(s, "global(")
	               ? "global() can only be used in an EntityRule namespaceSelector"
	               : NULL;
}

const char *text_pool_selector(const char *s, struct why *why)
{
	const char *wrong = text_any_selector(s, why);

	return wrong ? wrong : strstr(s, "global(") ? "global() cannot be used here" : NULL;
}

const char *text_namespace_selector(const char *s, struct why *why)
{
	const char *wrong = text_any_selector(s, why);
	const char *at = strstr(s, "global(");

	if (wrong || !at)
		return wrong;
	/* alone, but for white space */
	if (s + strspn(s, " \t") != at || at[strcspn(at, ")")] == '\0')
		return "global() cannot be combined with other selectors";
	at += strcspn(at, ")") + 1;
	return at[strspn(at, " \t")] != '\0' ? "global() cannot be combined with other selectors"
	                                     : NULL;
}

/* ---- others */

static bool all_of(const char *s, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr(extra, s[i]))
			return false;
	return true;
}

const char *text_interface(const char *s, struct why *why)
{
	size_t len = strlen(s);

	(void)why;
	return len < 1 || len > 15 || !all_of(s, len, "_.-")
	               ? "is not an interface's name: at most 15 letters, digits, '_', '.' and '-'"
	               : NULL;
}

const char *text_port_name(const char *s, struct why *why)
{
	size_t len = strlen(s);

	(void)why;
	return len < 1 || len > 128 || !all_of(s, len, "_.-")
	               ? "is not a port's name: at most 128 letters, digits, '_', '.' and '-'"
	               : NULL;
}

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
