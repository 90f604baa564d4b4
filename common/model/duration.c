/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_LIMIT ((uint64_t)1 << 63) /* that of a negative duration; a positive one ends before */

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* the micro sign, and the Greek letter */
	{ "\xce\xbcs", 1000 },
	{ "ms", 1000000 },
	{ "s", NS_PER_SEC },
	{ "m", 60 * NS_PER_SEC },
	{ "h", 3600 * NS_PER_SEC },
};

/* The digits at *s, which is moved behind them. false: more than NS_LIMIT. */
static bool read_whole(const char **s, uint64_t *ret)
{
	for (*ret = 0; **s >= '0' && **s <= '9'; (*s)++) {
		if (*ret > NS_LIMIT / 10)
			return false;
		*ret = *ret * 10 + (uint64_t)(**s - '0');
		if (*ret > NS_LIMIT)
			return false;
	}
	return true;
}

/* The digits behind a point, as *ret / *ret_scale; those that do not fit are beyond a nanosecond
 * anyway. */
static void read_fraction(const char **s, uint64_t *ret, double *ret_scale)
{
	bool full = false;

	*ret = 0;
	for (*ret_scale = 1; **s >= '0' && **s <= '9'; (*s)++) {
		full = full || *ret > (NS_LIMIT - 10) / 10;
		if (full)
			continue;
		*ret = *ret * 10 + (uint64_t)(**s - '0');
		*ret_scale *= 10;
	}
}

static const struct unit *find_unit(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, s, len) == 0)
			return &units[i];
	return NULL;
}

static int invalid(const char *all, struct err *err)
{
	return err_set(err, -EINVAL, "time: invalid duration \"%s\"", all);
}

/* One number and its unit from *s, added to *sum. */
static int read_part(const char *all, const char **s, uint64_t *sum, struct err *err)
{
	const char *start = *s;
	uint64_t whole, fraction = 0;
	const struct unit *unit;
	double scale = 1;
	size_t len;

	if (!read_whole(s, &whole))
		return invalid(all, err);
	len = (size_t)(*s - start);
	if (**s == '.') {
		(*s)++;
		start = *s;
		read_fraction(s, &fraction, &scale);
		len += (size_t)(*s - start);
	}
	if (len == 0)
		return invalid(all, err);
	len = strcspn(*s, ".0123456789");
	if (len == 0)
		return err_set(err, -EINVAL, "time: missing unit in duration \"%s\"", all);
	unit = find_unit(*s, len);
	if (!unit)
		return err_set(err, -EINVAL, "time: unknown unit \"%.*s\" in duration \"%s\"",
		               (int)len, *s, all);
	*s += len;
	if (whole > NS_LIMIT / unit->ns)
		return invalid(all, err);
	whole *= unit->ns;
	whole += (uint64_t)((double)fraction * ((double)unit->ns / scale));
	if (whole > NS_LIMIT || *sum + whole > NS_LIMIT)
		return invalid(all, err);
	*sum += whole;
	return 0;
}

int duration_parse(const char *s, int64_t *ret_ns, struct err *err)
{
	const char *all = s;
	bool negative = *s == '-';
	uint64_t sum = 0;
	int code = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (*s == '\0')
		return invalid(all, err);
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	while (*s != '\0' && code == 0)
		code = read_part(all, &s, &sum, err);
	if (code < 0)
		return code;
	if (!negative && sum == NS_LIMIT)
		return invalid(all, err);
	*ret_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return 0;
}

/* n / 10^digits, without zeros at the end. */
static void write_decimal(uint64_t n, int digits, struct buf *out)
{
	char text[24];
	uint64_t scale = 1;
	size_t len;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	buf_printf(out, "%" PRIu64, n / scale);
	if (n % scale == 0)
		return;
	(void)snprintf(text, sizeof(text), "%0*" PRIu64, digits, n % scale);
	for (len = strlen(text); text[len - 1] == '0'; len--)
		;
	buf_printf(out, ".%.*s", (int)len, text);
}

void duration_str(int64_t ns, struct buf *out)
{
	uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	uint64_t minutes = n / NS_PER_SEC / 60;

	if (ns < 0)
		buf_byte(out, '-');
	if (n == 0) {
		buf_str(out, "0s");
	} else if (n < 1000) {
		buf_printf(out, "%" PRIu64 "ns", n);
	} else if (n < 1000000) {
		write_decimal(n, 3, out);
		buf_str(out, "\xc2\xb5s");
	} else if (n < NS_PER_SEC) {
		write_decimal(n, 6, out);
		buf_str(out, "ms");
	} else {
		if (minutes >= 60)
			buf_printf(out, "%" PRIu64 "h", minutes / 60);
		if (minutes > 0)
			buf_printf(out, "%" PRIu64 "m", minutes % 60);
		write_decimal(n % (60 * NS_PER_SEC), 9, out);
		buf_byte(out, 's');
	}
}
