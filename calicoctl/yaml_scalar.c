/* SPDX-License-Identifier: BSD-2-Clause */
/* What plain scalars mean. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "calicoctl/yaml.h"

static bool one_of(const char *s, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == len && memcmp(*words, s, len) == 0)
			return true;
	return false;
}

static bool all_digits(const char *s, const char *end, unsigned base)
{
	if (s == end)
		return false;
	for (; s < end; s++) {
		unsigned v = isdigit((unsigned char)*s) ? (unsigned)(*s - '0')
		             : isxdigit((unsigned char)*s)
		                     ? (unsigned)(tolower((unsigned char)*s) - 'a') + 10
		                     : 99;
		if (v >= base)
			return false;
	}
	return true;
}

/* 0x1f, 0b101, 0o17 and 017, with a sign or without. */
static bool based_number(const char *s, const char *end, struct buf *ret)
{
	bool negative = s < end && *s == '-';
	uint64_t v = 0;
	unsigned base;

	if (s < end && (*s == '-' || *s == '+'))
		s++;
	if (end - s < 2 || *s != '0')
		return false;
	switch (s[1]) {
	case 'x':
	case 'X':
		base = 16;
		s += 2;
		break;
	case 'b':
	case 'B':
		base = 2;
		s += 2;
		break;
	case 'o':
	case 'O':
		base = 8;
		s += 2;
		break;
	default:
		base = 8;
		s++;
		break;
	}
	if (!all_digits(s, end, base))
		return false;
	for (; s < end; s++) {
		unsigned digit = isdigit((unsigned char)*s)
		                         ? (unsigned)(*s - '0')
		                         : (unsigned)(tolower((unsigned char)*s) - 'a') + 10;

		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	if (ret)
		buf_printf(ret, "%s%" PRIu64, negative && v ? "-" : "", v);
	return true;
}

/* [-+] digits [. digits] [e[-+] digits], where one of the two groups of digits may be missing. */
static bool decimal_number(const char *s, const char *end, struct buf *ret)
{
	const char *whole, *whole_end, *frac = "", *frac_end = frac, *exp = "", *exp_end = exp;
	bool negative = s < end && *s == '-', exp_negative = false;

	if (s < end && (*s == '-' || *s == '+'))
		s++;
	for (whole = s; s < end && isdigit((unsigned char)*s);)
		s++;
	whole_end = s;
	if (s < end && *s == '.') {
		for (frac = ++s; s < end && isdigit((unsigned char)*s);)
			s++;
		frac_end = s;
	}
	if (whole == whole_end && frac == frac_end)
		return false;
	if (s < end && (*s == 'e' || *s == 'E')) {
		s++;
		exp_negative = s < end && *s == '-';
		if (s < end && (*s == '-' || *s == '+'))
			s++;
		for (exp = s; s < end && isdigit((unsigned char)*s);)
			s++;
		exp_end = s;
		if (exp == exp_end)
			return false;
	}
	if (s != end)
		return false;
	if (!ret)
		return true;
	while (whole_end - whole > 1 && *whole == '0') /* "089": not octal, so decimal */
		whole++;
	buf_printf(ret, "%s%.*s", negative ? "-" : "", (int)(whole_end - whole), whole);
	if (whole == whole_end)
		buf_byte(ret, '0');
	if (frac != frac_end)
		buf_printf(ret, ".%.*s", (int)(frac_end - frac), frac);
	if (exp != exp_end)
		buf_printf(ret, "e%s%.*s", exp_negative ? "-" : "", (int)(exp_end - exp), exp);
	return true;
}

enum yaml_scalar yaml_resolve(const char *s, size_t len, struct buf *ret_number)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", "yes", "Yes", "YES",
		                             "y",    "Y",    "on",   "On",  "ON",  NULL };
	static const char *const falses[] = { "false", "False", "FALSE", "no",  "No",  "NO",
		                              "n",     "N",     "off",   "Off", "OFF", NULL };

	if (one_of(s, len, nulls))
		return YAML_NULL;
	if (one_of(s, len, trues))
		return YAML_TRUE;
	if (one_of(s, len, falses))
		return YAML_FALSE;
	if (len > 64) /* no number of use to anyone is so long */
		return YAML_STR;
	if (based_number(s, s + len, ret_number) || decimal_number(s, s + len, ret_number))
		return YAML_NUMBER;
	return YAML_STR;
}
