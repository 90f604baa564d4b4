/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/scalar.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define PORT_NAME_MAX 128

/* Decimal digits only, nothing before or behind, at most max. */
static bool parse_decimal(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

static bool all_of(const char *s, const char *set)
{
	return s[strspn(s, set)] == '\0';
}

#define DIGITS "0123456789"
#define PORT_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_.-"

int port_parse(const char *s, V3__Port *ret, struct err *err)
{
	const char *colon = strchr(s, ':');
	size_t low_len = colon ? (size_t)(colon - s) : strlen(s);
	uint64_t min, max;

	if (*s != '\0' && all_of(s, DIGITS ":")) {
		if (!parse_decimal(s, low_len, UINT16_MAX, &min))
			return err_set(err, -EINVAL, "'%s' is not a port (1 to 65535)", s);
		max = min;
		if (colon && !parse_decimal(colon + 1, strlen(colon + 1), UINT16_MAX, &max))
			return err_set(err, -EINVAL, "'%s' is not a range of ports (1 to 65535)",
			               s);
		if (min > max)
			return err_set(err, -EINVAL,
			               "'%s' is not a range of ports: it ends before it starts", s);
		ret->has_min = ret->has_max = true;
		ret->min = (uint32_t)min;
		ret->max = (uint32_t)max;
		return 0;
	}
	if (*s == '\0' || strlen(s) > PORT_NAME_MAX || !all_of(s, PORT_NAME_CHARS))
		return err_set(err, -EINVAL,
		               "'%s' is not a port, a range of ports, or a port's name", s);
	ret->name = xstrdup(s);
	return 0;
}

void port_str(const V3__Port *p, struct buf *out)
{
	if (p->name)
		buf_str(out, p->name);
	else if (p->min == p->max)
		buf_printf(out, "%u", p->min);
	else
		buf_printf(out, "%u:%u", p->min, p->max);
}

int asn_parse(const char *s, uint32_t *ret)
{
	const char *dot = strchr(s, '.');
	uint64_t high, low;

	if (!dot) {
		if (!parse_decimal(s, strlen(s), UINT32_MAX, &low))
			return -EINVAL;
		*ret = (uint32_t)low;
		return 0;
	}
	if (!parse_decimal(s, (size_t)(dot - s), UINT16_MAX, &high) ||
	    !parse_decimal(dot + 1, strlen(dot + 1), UINT16_MAX, &low))
		return -EINVAL;
	*ret = (uint32_t)(high << 16 | low);
	return 0;
}

static const struct protocol {
	const char *name;
	int number;
	bool has_ports;
} protocols[] = {
	{ "TCP", 6, true },      { "UDP", 17, true },   { "ICMP", 1, false },
	{ "ICMPv6", 58, false }, { "SCTP", 132, true }, { "UDPLite", 136, false },
};

int protocol_number_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(protocols[i].name, name) == 0)
			return protocols[i].number;
	return -1;
}

const char *protocol_name_of_number(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == number)
			return protocols[i].name;
	return NULL;
}

int protocol_number(const V3__Protocol *p)
{
	if (!p)
		return -1;
	if (p->has_number)
		return p->number <= UINT8_MAX ? (int)p->number : -1;
	return p->name ? protocol_number_of_name(p->name) : -1;
}

bool protocol_has_ports(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == number)
			return protocols[i].has_ports;
	return false;
}
