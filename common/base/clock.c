/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

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

void rfc3339_sec(char out[RFC3339_MAX], uint64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, RFC3339_MAX, "1970-01-01T00:00:00Z");
}
