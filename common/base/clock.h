/* SPDX-License-Identifier: BSD-2-Clause */
/* clock: monotonic time as a type of its own, so that it cannot be added to a wall clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mono_ms {
	uint64_t ms;
};

struct mono_ms mono_now(void);
int64_t mono_since_ms(struct mono_ms then); /* milliseconds from then to now */
struct mono_ms mono_after(struct mono_ms t, int64_t ms);
bool mono_before(struct mono_ms a, struct mono_ms b);

uint64_t wall_unix_ns(void); /* CLOCK_REALTIME */

/* Time that all processes of a machine share and nobody sets, suspensions included; it begins anew
 * with each boot, whose name (a UUID; empty when the kernel does not tell) is boot_id(). */
#define BOOT_ID_SIZE 37
uint64_t boottime_ms(void);
void boot_id(char out[BOOT_ID_SIZE]);
#define RFC3339_MAX sizeof("2026-03-02T10:11:12.345678901Z")
void rfc3339_sec(char out[RFC3339_MAX], uint64_t unix_sec); /* "2026-03-02T10:11:12Z" */
/* With or without fraction, any zone. False when it is not one. */
bool rfc3339_parse(const char *s, uint64_t *ret_unix_sec);
