/* SPDX-License-Identifier: BSD-2-Clause */
/* What the types of parameters accept. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/setting.h"
#include "common/model/duration.h"
#include "common/model/validate_rule.h"
#include "felixd/config_param.h"

#define MS_MAX 2000000000.0 /* of what an unsigned holds: 23 days */
#define PREFIXES_MAX 8      /* as many as the dataplane takes, */
#define PREFIX_MAX 13       /* each with room for a character and a '+' */
#define TABLES_MAX 0xffff   /* routing tables, in all ranges together */
#define REGION_MAX (63 - sizeof("openstack-region-") + 1)

/* ---- lists: is gets each element, NUL-terminated */

typedef bool element_fn(void *arg, char *s);

static bool each_element(const char *text, const char *between, element_fn *is, void *arg)
{
	CLEANUP(free_p) char *copy = xstrdup(text);

	for (char *at = copy, *next; at; at = next) {
		size_t len = strcspn(at, between);

		next = at[len] ? at + len + 1 : NULL;
		at[len] = '\0';
		at += strspn(at, " ");
		len = strlen(at);
		while (len && at[len - 1] == ' ')
			at[--len] = '\0';
		if (!is(arg, at))
			return false;
	}
	return true;
}

/* Lists of names that go on as they are have no blanks in them. */
static bool each_name(const char *text, element_fn *is)
{
	return !strchr(text, ' ') && each_element(text, ",", is, NULL);
}

static bool is_beginning(void *arg, char *s)
{
	unsigned *n = arg;

	return ++*n <= PREFIXES_MAX && strlen(s) <= PREFIX_MAX &&
	       setting_all_of(s, strlen(s), "_-");
}

static bool is_interface(void *arg, char *s)
{
	(void)arg;
	return strlen(s) <= 15 && setting_all_of(s, strlen(s), ":._+-");
}

static bool is_regexp(const char *s)
{
	struct why why;

	return text_regexp(s, &why) == NULL;
}

static bool is_pattern(void *arg, char *s)
{
	size_t len = strlen(s);

	if (len < 2 || s[0] != '/' || s[len - 1] != '/')
		return is_interface(arg, s);
	s[len - 1] = '\0';
	return s[1] && is_regexp(s + 1);
}

static bool is_network(void *arg, char *s)
{
	struct ip_prefix p;

	(void)arg;
	return ip_prefix_parse(s, &p) == 0;
}

static bool is_pair(void *arg, char *s)
{
	const char *eq = strchr(s, '=');

	(void)arg;
	return !*s || (eq && eq > s); /* the last one may have a comma behind it */
}

static bool is_period(void *arg, char *s)
{
	const char *eq = strchr(s, '=');
	int64_t ns;

	(void)arg;
	return !*s || (eq && eq > s && duration_parse(eq + 1, &ns, NULL) == 0 && ns >= 0);
}

static bool read_u32(const char *s, uint32_t max, const char **ret_end, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno || v > max)
		return false;
	*ret = (uint32_t)v;
	*ret_end = end;
	return true;
}

static bool read_range(const char *s, char between, uint32_t max, uint32_t *ret_min,
                       uint32_t *ret_max)
{
	const char *end;

	if (!read_u32(s, max, &end, ret_min))
		return false;
	*ret_max = *ret_min;
	if (*end == between && !read_u32(end + 1, max, &end, ret_max))
		return false;
	return !*end && *ret_min <= *ret_max;
}

static bool is_ports(void *arg, char *s)
{
	uint32_t min, max;

	(void)arg;
	return read_range(s, ':', UINT16_MAX, &min, &max);
}

static bool is_tables(void *arg, char *s)
{
	uint32_t min, max;
	uint64_t *n = arg;

	if (!*s)
		return true;
	if (!strchr(s, '-') || !read_range(s, '-', UINT32_MAX, &min, &max) || min < 1)
		return false;
	*n += (uint64_t)max - min + 1;
	return *n <= TABLES_MAX;
}

static bool is_tables_list(const char *text)
{
	uint64_t n = 0;

	return each_element(text, ", ", is_tables, &n) && n > 0;
}

static bool is_rate(const char *text)
{
	uint32_t n;
	const char *end;
	char *unit = NULL;
	bool ok = read_u32(text, 9999, &end, &n) && n > 0 && *end == '/' &&
	          setting_oneof("second minute hour day", end + 1, &unit) &&
	          strcmp(unit, end + 1) == 0;

	free(unit);
	return ok;
}

static bool is_dscp(const char *text)
{
	uint32_t n;
	const char *end;
	char *name = NULL;
	bool named = setting_oneof("DF EF VA LE CS0 CS1 CS2 CS3 CS4 CS5 CS6 CS7 AF11 AF12 AF13 "
	                           "AF21 AF22 AF23 AF31 AF32 AF33 AF41 AF42 AF43",
	                           text, &name);

	free(name);
	return named || (read_u32(text, 63, &end, &n) && !*end);
}

static bool is_region(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
		      (text[i] == '-' && i > 0 && i + 1 < len)))
			return false;
	return len > 0 && len <= REGION_MAX;
}

static bool is_authority(const char *text)
{
	const char *colon = strrchr(text, ':'), *end;
	uint32_t port;

	return colon && colon > text && !memchr(text, '/', (size_t)(colon - text)) &&
	       memchr(text, ':', (size_t)(colon - text)) == NULL &&
	       read_u32(colon + 1, UINT16_MAX, &end, &port) && !*end;
}

/* ---- ports that policy leaves open */

static bool read_port(void *arg, char *s)
{
	struct felix_ports *out = arg;
	struct felix_port p = { .protocol = IPPROTO_TCP };
	char *first = strchr(s, ':'), *last = strrchr(s, ':'), *net;
	const char *end;
	uint32_t port;

	if (!read_u32(last ? last + 1 : s, UINT16_MAX, &end, &port) || *end)
		return false;
	p.port = (uint16_t)port;
	if (first) {
		*first = '\0';
		if (strcasecmp(s, "udp") == 0)
			p.protocol = IPPROTO_UDP;
		else if (strcasecmp(s, "sctp") == 0)
			p.protocol = IPPROTO_SCTP;
		else if (strcasecmp(s, "tcp") != 0)
			return false;
	}
	if (first && last > first) {
		*last = '\0';
		net = first + 1;
		if (*net == '[') {
			if (last[-1] != ']')
				return false;
			last[-1] = '\0';
			net++;
		}
		if (ip_prefix_parse(net, &p.net) < 0)
			return false;
	}
	out->v = xrealloc(out->v, (out->n + 1) * sizeof(*out->v));
	out->v[out->n++] = p;
	return true;
}

static bool parse_ports(const char *text, struct felix_ports *field)
{
	struct felix_ports v = { 0 };

	if (!each_element(text, ",", read_port, &v)) {
		free(v.v);
		return false;
	}
	free(field->v);
	*field = v;
	return true;
}

/* ---- numbers */

static bool parse_int(const struct felix_param *p, const char *text, int *ret)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	char *end;
	long v;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	v = strtol(text, &end, 0);
	if (*end || errno || v < p->min || v > p->max)
		return false;
	*ret = (int)v;
	return true;
}

static bool parse_mask(const struct felix_param *p, const char *text, uint32_t *ret)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (*end || errno || v > UINT32_MAX || __builtin_popcountll(v) < p->min)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool parse_time(const struct felix_param *p, const char *text, unsigned *ret_ms)
{
	bool seconds = p->type == FELIX_T_SECONDS;
	uint64_t ms; /* of milliseconds, read as if they were seconds: a thousand times as many */

	if (!setting_seconds(text, seconds ? MS_MAX / 1000 : MS_MAX, &ms))
		return false;
	*ret_ms = (unsigned)(seconds ? ms : (ms + 999) / 1000);
	return true;
}

/* ---- what a parameter's text means */

static const char *wanted(const struct felix_param *p)
{
	static const char *const words[] = {
		[FELIX_T_STRING] = "text",
		[FELIX_T_HOSTNAME] = "a name of letters, digits, '.', '_' and '-'",
		[FELIX_T_HOST] = "a host's name or address",
		[FELIX_T_AUTHORITY] = "host:port",
		[FELIX_T_REGION] = "a DNS label of at most 46 characters",
		[FELIX_T_REGEXP] = "a regular expression",
		[FELIX_T_IFACE] = "an interface's name",
		[FELIX_T_IFACES] =
		        "up to 8 beginnings of interfaces' names, of at most 13 characters, with "
		        "commas between them",
		[FELIX_T_IFACE_FILTERS] = "interfaces' names, with commas between them",
		[FELIX_T_IFACE_PATTERNS] =
		        "interfaces' names and /regular expressions/, with commas between them",
		[FELIX_T_CIDRS] = "addresses and networks, with commas between them",
		[FELIX_T_PORT_RANGES] = "ports and ranges first:last, with commas between them",
		[FELIX_T_PAIRS] = "name=value, with commas between them",
		[FELIX_T_PERIODS] = "name=1m30s, with commas between them",
		[FELIX_T_TABLES] = "ranges first-last of routing tables",
		[FELIX_T_RATE] = "1 to 9999, and /second, /minute, /hour or /day",
		[FELIX_T_DSCP] = "0 to 63, or a name such as AF11",
		[FELIX_T_BOOL] = "true or false",
		[FELIX_T_INT] = "an integer in its range",
		[FELIX_T_MASK] = "32 bits, enough of them set",
		[FELIX_T_SECONDS] = "seconds, a decimal number that is not negative",
		[FELIX_T_MILLIS] = "milliseconds, a decimal number that is not negative",
		[FELIX_T_IPV4] = "an IPv4 address",
		[FELIX_T_IPV6] = "an IPv6 address",
		[FELIX_T_PORT_RANGE] = "a port, or a range first:last",
		[FELIX_T_PORTS] = "protocol:port, protocol:network:port or port, with commas "
		                  "between them",
	};

	return p->type == FELIX_T_ONEOF ? p->choices : words[p->type];
}

/* Of types that are kept as text. */
static bool parse_text(const struct felix_param *p, const char *text, char **ret)
{
	unsigned n_prefixes = 0;
	bool ok = true;

	switch (p->type) {
	case FELIX_T_ONEOF:
		return setting_oneof(p->choices, text, ret);
	case FELIX_T_HOSTNAME:
		ok = setting_all_of(text, strlen(text), "_.-");
		break;
	case FELIX_T_HOST:
		ok = strlen(text) <= 64 && setting_all_of(text, strlen(text), ":._+-");
		break;
	case FELIX_T_AUTHORITY:
		ok = is_authority(text);
		break;
	case FELIX_T_REGION:
		ok = is_region(text);
		break;
	case FELIX_T_REGEXP:
		ok = is_regexp(text);
		break;
	case FELIX_T_IFACE:
		ok = !strchr(text, ',') && each_name(text, is_interface);
		break;
	case FELIX_T_IFACES:
		ok = !strchr(text, ' ') && each_element(text, ",", is_beginning, &n_prefixes);
		break;
	case FELIX_T_IFACE_FILTERS:
		ok = each_name(text, is_interface);
		break;
	case FELIX_T_IFACE_PATTERNS:
		ok = each_element(text, ",", is_pattern, NULL);
		break;
	case FELIX_T_CIDRS:
		ok = each_element(text, ",", is_network, NULL);
		break;
	case FELIX_T_PORT_RANGES:
		ok = each_element(text, ",", is_ports, NULL);
		break;
	case FELIX_T_PAIRS:
		ok = each_element(text, ",", is_pair, NULL);
		break;
	case FELIX_T_PERIODS:
		ok = each_element(text, ",", is_period, NULL);
		break;
	case FELIX_T_TABLES:
		ok = is_tables_list(text);
		break;
	case FELIX_T_RATE:
		ok = is_rate(text);
		break;
	case FELIX_T_DSCP:
		ok = is_dscp(text);
		break;
	default:
		break;
	}
	if (ok)
		*ret = xstrdup(text);
	return ok;
}

/* A value of any type, while it is not known whether it has a field. */
union value {
	bool flag;
	int number;
	uint32_t mask;
	unsigned ms;
	struct ip_addr addr;
	struct calc_port_range range;
};

static bool parse_value(const struct felix_param *p, const char *text, union value *v, size_t *size,
                        char **ret)
{
	uint32_t min, max;

	switch (p->type) {
	case FELIX_T_BOOL:
		if (!setting_bool(text, &v->flag))
			return false;
		*size = sizeof(v->flag);
		*ret = xstrdup(v->flag ? "true" : "false");
		return true;
	case FELIX_T_INT:
		if (!parse_int(p, text, &v->number))
			return false;
		*size = sizeof(v->number);
		*ret = xasprintf("%d", v->number);
		return true;
	case FELIX_T_MASK:
		if (!parse_mask(p, text, &v->mask))
			return false;
		*size = sizeof(v->mask);
		*ret = xasprintf("0x%x", v->mask);
		return true;
	case FELIX_T_SECONDS:
	case FELIX_T_MILLIS:
		if (!parse_time(p, text, &v->ms))
			return false;
		*size = sizeof(v->ms);
		*ret = xasprintf("%.12g", v->ms / (p->type == FELIX_T_SECONDS ? 1000.0 : 1.0));
		return true;
	case FELIX_T_IPV4:
	case FELIX_T_IPV6:
		if (ip_addr_parse(text, &v->addr) < 0 ||
		    v->addr.family != (p->type == FELIX_T_IPV4 ? AF_INET : AF_INET6))
			return false;
		*size = sizeof(v->addr);
		*ret = xstrdup(text);
		return true;
	case FELIX_T_PORT_RANGE:
		if (!read_range(text, ':', UINT16_MAX, &min, &max))
			return false;
		v->range = (struct calc_port_range){ (uint16_t)min, (uint16_t)max };
		*size = sizeof(v->range);
		*ret = min == max ? xasprintf("%u", min) : xasprintf("%u:%u", min, max);
		return true;
	default:
		return false;
	}
}

/* The type's zero. */
static void set_none(const struct felix_param *p, struct felix_config *c, char **ret)
{
	static const size_t sizes[] = {
		[FELIX_T_BOOL] = sizeof(bool),
		[FELIX_T_INT] = sizeof(int),
		[FELIX_T_MASK] = sizeof(uint32_t),
		[FELIX_T_SECONDS] = sizeof(unsigned),
		[FELIX_T_MILLIS] = sizeof(unsigned),
		[FELIX_T_IPV4] = sizeof(struct ip_addr),
		[FELIX_T_IPV6] = sizeof(struct ip_addr),
		[FELIX_T_PORT_RANGE] = sizeof(struct calc_port_range),
		[FELIX_T_PORTS] = sizeof(struct felix_ports),
	};
	bool number =
	        p->type == FELIX_T_INT || p->type == FELIX_T_SECONDS || p->type == FELIX_T_MILLIS;
	void *field;

	*ret = xstrdup(p->type == FELIX_T_BOOL ? "false" : number ? "0" : "");
	if (p->offset == FELIX_NO_FIELD)
		return;
	field = (char *)c + p->offset;
	if (p->type == FELIX_T_PORTS)
		free(((struct felix_ports *)field)->v);
	if (p->type < FELIX_T_BOOL)
		*(const char **)field = *ret;
	else
		memset(field, 0, sizes[p->type]);
}

bool felix_param_parse(const struct felix_param *p, const char *text, struct felix_config *c,
                       char **ret, const char **ret_wanted)
{
	bool has_field = p->offset != FELIX_NO_FIELD;
	void *field = has_field ? (char *)c + p->offset : NULL;
	union value v = { 0 };
	size_t size = 0;

	*ret_wanted = wanted(p);
	if (strcasecmp(text, "none") == 0 &&
	    (p->type != FELIX_T_ONEOF || !setting_oneof(p->choices, text, ret))) {
		if ((p->flags & FELIX_NOT_NONE) || (p->type == FELIX_T_INT && p->min > 0))
			return false;
		set_none(p, c, ret);
		return true;
	}
	if (p->type == FELIX_T_ONEOF)
		free(take_ptr(ret));
	if (p->type == FELIX_T_PORTS) {
		struct felix_ports unused = { 0 };
		bool ok = parse_ports(text, has_field ? field : &unused);

		free(unused.v);
		if (ok)
			*ret = xstrdup(text);
		return ok;
	}
	if (p->type >= FELIX_T_BOOL) {
		if (!parse_value(p, text, &v, &size, ret))
			return false;
		if (has_field)
			memcpy(field, &v, size);
		return true;
	}
	if (!parse_text(p, text, ret))
		return false;
	if (has_field)
		*(const char **)field = *ret;
	return true;
}
