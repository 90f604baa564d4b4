/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

enum type {
	T_ONEOF, /* any case; kept as the list spells it */
	T_STRING,
	T_BOOL,
	T_INT,      /* 0 to 255, base as in Go: 0x10, 010, 16 */
	T_MASK,     /* 32 bits, at least two of them set */
	T_SECONDS,  /* a decimal number, kept in milliseconds */
	T_PREFIXES, /* a comma list of interface prefixes */
	T_HOSTNAME,
};

struct param {
	const char *name;
	enum type type;
	const char *dflt;    /* NULL: not set */
	const char *choices; /* of T_ONEOF, separated by blanks */
	bool never_none;     /* "none" is an error */
	size_t offset;       /* in struct felix_config */
};

#define FIELD(f) offsetof(struct felix_config, f)

/* clang-format off */
static const struct param params[] = {
	/* name                          type        default          choices                    none?  field */
	{ "FelixHostname",               T_HOSTNAME, NULL,            NULL,                      true,  FIELD(felix_hostname) },
	{ "LogSeverityScreen",           T_ONEOF,    NULL,            "TRACE DEBUG INFO WARNING ERROR FATAL", false, FIELD(log_severity_screen) },
	{ "InterfacePrefix",             T_PREFIXES, "cali",          NULL,                      true,  FIELD(interface_prefix) },
	{ "DefaultEndpointToHostAction", T_ONEOF,    "DROP",          "DROP RETURN ACCEPT",      true,  FIELD(endpoint_to_host_action) },
	{ "ChainInsertMode",             T_ONEOF,    "insert",        "insert append",           true,  FIELD(chain_insert_mode) },
	{ "IptablesFilterAllowAction",   T_ONEOF,    "ACCEPT",        "ACCEPT RETURN",           true,  FIELD(filter_allow_action) },
	{ "IptablesMangleAllowAction",   T_ONEOF,    "ACCEPT",        "ACCEPT RETURN",           true,  FIELD(mangle_allow_action) },
	{ "IptablesFilterDenyAction",    T_ONEOF,    "DROP",          "DROP REJECT",             true,  FIELD(filter_deny_action) },
	{ "LogPrefix",                   T_STRING,   "calico-packet", NULL,                      false, FIELD(log_prefix) },
	{ "IptablesMarkMask",            T_MASK,     "0xffff0000",    NULL,                      true,  FIELD(dataplane.mark_mask) },
	{ "DeviceRouteProtocol",         T_INT,      "3",             NULL,                      false, FIELD(dataplane.device_route_protocol) },
	{ "IptablesRefreshInterval",     T_SECONDS,  "180",           NULL,                      false, FIELD(dataplane.refresh_iptables_ms) },
	{ "IpsetsRefreshInterval",       T_SECONDS,  "90",            NULL,                      false, FIELD(dataplane.refresh_ipsets_ms) },
	{ "RouteRefreshInterval",        T_SECONDS,  "90",            NULL,                      false, FIELD(dataplane.refresh_routes_ms) },
	{ "Ipv6Support",                 T_BOOL,     "false",         NULL,                      false, FIELD(ipv6_support) },
};
/* clang-format on */

static bool all_of(const char *s, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || strchr(extra, s[i])))
			return false;
	return len > 0;
}

static bool set_str(char **field, const char *value, size_t len)
{
	free(*field);
	*field = xstrndup(value, len);
	return true;
}

static bool parse_oneof(const struct param *p, const char *value, char **field)
{
	size_t n = strlen(value);

	for (const char *at = p->choices; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (len == n && strncasecmp(at, value, n) == 0)
			return set_str(field, at, len);
		at += len;
	}
	return false;
}

static bool parse_bool(const char *value, bool *ret)
{
	static const char *const yes[] = { "true", "1", "yes", "y", "t" }, *const no[] = {
		"false", "0", "no", "n", "f"
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*ret = strcasecmp(value, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static bool parse_u32(const char *value, uint32_t max, uint32_t *ret)
{
	char *end;
	unsigned long long v;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	v = strtoull(value, &end, 0);
	if (*end || errno || v > max)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool parse_seconds(const char *value, unsigned *ret_ms)
{
	char *end;
	double v;

	if (!all_of(value, strlen(value), ".+-"))
		return false;
	v = strtod(value, &end);
	if (*end || !isfinite(v) || v < 0 || v > 86400.0 * 24)
		return false;
	*ret_ms = (unsigned)(v * 1000 + 0.5);
	return true;
}

static bool parse_prefixes(const char *value)
{
	for (const char *at = value;; at++) {
		size_t len = strcspn(at, ",");

		if (len > 15 || !all_of(at, len, "_-"))
			return false;
		at += len;
		if (!*at)
			return true;
	}
}

static bool parse(struct felix_config *c, const struct param *p, const char *value)
{
	void *field = (char *)c + p->offset;
	uint32_t v;

	switch (p->type) {
	case T_ONEOF:
		return parse_oneof(p, value, field);
	case T_STRING:
		return set_str(field, value, strlen(value));
	case T_BOOL:
		return parse_bool(value, field);
	case T_INT:
		if (!parse_u32(value, UINT8_MAX, &v))
			return false;
		*(uint8_t *)field = (uint8_t)v;
		return true;
	case T_MASK:
		if (!parse_u32(value, UINT32_MAX, &v) || __builtin_popcount(v) < 2)
			return false;
		*(uint32_t *)field = v;
		return true;
	case T_SECONDS:
		return parse_seconds(value, field);
	case T_PREFIXES:
		return parse_prefixes(value) && set_str(field, value, strlen(value));
	case T_HOSTNAME:
		return all_of(value, strlen(value), "_.-") && set_str(field, value, strlen(value));
	}
	return false;
}

/* What "none" stands for. */
static bool parse_none(struct felix_config *c, const struct param *p)
{
	void *field = (char *)c + p->offset;

	if (p->never_none)
		return false;
	switch (p->type) {
	case T_ONEOF: /* no level: nothing is logged there; our lowest comes closest */
		return set_str(field, "FATAL", strlen("FATAL"));
	case T_STRING:
		return set_str(field, "", 0);
	case T_BOOL:
		*(bool *)field = false;
		return true;
	case T_INT:
		*(uint8_t *)field = 0;
		return true;
	case T_SECONDS:
		*(unsigned *)field = 0;
		return true;
	default:
		return false;
	}
}

static const struct param *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(params); i++)
		if (strlen(params[i].name) == len && strncasecmp(params[i].name, name, len) == 0)
			return &params[i];
	return NULL;
}

static void read_one(struct felix_config *c, const char *entry, felix_config_report_fn *report,
                     void *arg)
{
	const char *name = entry + strlen("FELIX_"), *eq = strchr(name, '=');
	const struct param *p;

	if (!eq || !eq[1])
		return;
	p = find(name, (size_t)(eq - name));
	if (!p) {
		char *unknown = xstrndup(name, (size_t)(eq - name));

		report(arg, unknown, NULL, "not a parameter that this version has");
		free(unknown);
	} else if (strcasecmp(eq + 1, "none") == 0 ? !parse_none(c, p) : !parse(c, p, eq + 1)) {
		report(arg, p->name, eq + 1, "not a value of this parameter: the default is used");
	}
}

void felix_config_read(const char *const *env, struct felix_config *ret,
                       felix_config_report_fn *report, void *arg)
{
	*ret = (struct felix_config){ .dataplane.nat_outgoing_random_fully = true };
	for (size_t i = 0; i < ARRAY_SIZE(params); i++)
		if (params[i].dflt)
			(void)parse(ret, &params[i], params[i].dflt);
	for (; *env; env++)
		if (strncasecmp(*env, "FELIX_", strlen("FELIX_")) == 0)
			read_one(ret, *env, report, arg);

	ret->dataplane.interface_prefix = ret->interface_prefix;
	ret->dataplane.endpoint_to_host_action = ret->endpoint_to_host_action;
	ret->dataplane.chain_insert_mode = ret->chain_insert_mode;
	ret->dataplane.filter_allow_action = ret->filter_allow_action;
	ret->dataplane.mangle_allow_action = ret->mangle_allow_action;
	ret->dataplane.deny_action = ret->filter_deny_action;
	ret->dataplane.log_prefix = ret->log_prefix;
	if (ret->ipv6_support)
		report(arg, "Ipv6Support", "true", "IPv6 is not programmed by this version");
	ret->dataplane.ipv6 = false;
}

void felix_config_done(struct felix_config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		enum type t = params[i].type;

		if (t == T_ONEOF || t == T_STRING || t == T_PREFIXES || t == T_HOSTNAME)
			free(*(char **)((char *)c + params[i].offset));
	}
	*c = (struct felix_config){ 0 };
}

void felix_config_each(const struct felix_config *c,
                       void (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		const void *field = (const char *)c + params[i].offset;
		const char *value;
		char text[32];

		switch (params[i].type) {
		case T_BOOL:
			value = *(const bool *)field ? "true" : "false";
			break;
		case T_INT:
			snprintf(text, sizeof(text), "%u", *(const uint8_t *)field);
			value = text;
			break;
		case T_MASK:
			snprintf(text, sizeof(text), "0x%x", *(const uint32_t *)field);
			value = text;
			break;
		case T_SECONDS:
			snprintf(text, sizeof(text), "%g", *(const unsigned *)field / 1000.0);
			value = text;
			break;
		default:
			value = *(char *const *)field;
			break;
		}
		fn(arg, params[i].name, value);
	}
}
