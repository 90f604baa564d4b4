/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct mono_ms mono_now(void)
{
	return (struct mono_ms){ read_ns(CLOCK_MONOTONIC) / 1000000u };
}

int64_t mono_since_ms(struct mono_ms then)
{
	return (int64_t)(mono_now().ms - then.ms);
}

struct mono_ms mono_after(struct mono_ms t, int64_t ms)
{
	return (struct mono_ms){ t.ms + (uint64_t)ms };
}

bool mono_before(struct mono_ms a, struct mono_ms b)
{
	return a.ms < b.ms;
}

uint64_t wall_unix_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

uint64_t boottime_ms(void)
{
	return read_ns(CLOCK_BOOTTIME) / 1000000u;
}

void boot_id(char out[BOOT_ID_SIZE])
{
	CLEANUP(close_p) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_SIZE - 1);

	out[n > 0 ? n : 0] = '\0';
}

void rfc3339_sec(char out[RFC3339_MAX], uint64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, RFC3339_MAX, "1970-01-01T00:00:00Z");
}

/* ---- reading it */

static bool digits(const char **s, unsigned n, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	for (unsigned i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (unsigned)(**s - '0');
	}
	*ret = v;
	return v <= max;
}

static bool literal(const char **s, char c)
{
	return **s == c ? (*s)++, true : false;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar: years begin in March, so
 * that the leap day is a year's last. */
static int64_t days_from_date(unsigned y, unsigned m, unsigned d)
{
	int64_t year = (int64_t)y - (m <= 2), era = year / 400;
	int64_t yoe = year - era * 400,
	        doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool rfc3339_parse(const char *s, uint64_t *ret_unix_sec)
{
	unsigned y, mo, d, h, mi, sec, zh = 0, zm = 0;
	int64_t t, zone = 0;

	if (!s || !digits(&s, 4, 9999, &y) || !literal(&s, '-') || !digits(&s, 2, 12, &mo) ||
	    mo == 0 || !literal(&s, '-') || !digits(&s, 2, 31, &d) || d == 0 ||
	    !(literal(&s, 'T') || literal(&s, 't')) || !digits(&s, 2, 23, &h) ||
	    !literal(&s, ':') || !digits(&s, 2, 59, &mi) || !literal(&s, ':') ||
	    !digits(&s, 2, 60, &sec) || y < 1970)
		return false;
	if (literal(&s, '.')) {
		if (*s < '0' || *s > '9')
			return false;
		while (*s >= '0' && *s <= '9')
			s++;
	}
	if (*s == '+' || *s == '-') {
		int64_t sign = *s++ == '-' ? -1 : 1;

		if (!digits(&s, 2, 23, &zh) || !literal(&s, ':') || !digits(&s, 2, 59, &zm))
			return false;
		zone = sign * (zh * 3600 + zm * 60);
	} else if (!literal(&s, 'Z') && !literal(&s, 'z')) {
		return false;
	}
	t = days_from_date(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone;
	if (*s != '\0' || t < 0)
		return false;
	*ret_unix_sec = (uint64_t)t;
	return true;
}
