/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * summary: how a measured quantity was spread over the last minute, in fixed memory.
 *
 * Observations are counted in buckets whose bounds grow by a twelfth of an octave each, so that a
 * quantile is right within 6 %. The minute is six slices of ten seconds, the oldest of which is
 * forgotten when a new one begins; sum and count are for ever. Times are passed in.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"

#define SUMMARY_SLICES 6u
#define SUMMARY_SLICE_MS 10000u
#define SUMMARY_PER_OCTAVE 12u
#define SUMMARY_OCTAVES 44 /* from 2^-20 (a microsecond, for seconds) on */
#define SUMMARY_BUCKETS (SUMMARY_OCTAVES * SUMMARY_PER_OCTAVE)

struct summary {
	double sum;
	uint64_t count;
	uint64_t slice;                       /* the newest: its number since the clock began */
	uint32_t (*buckets)[SUMMARY_BUCKETS]; /* SUMMARY_SLICES of them; NULL before the first */
};

void summary_done(struct summary *s);
/* value: not negative; what is not a number is not observed. */
void summary_observe(struct summary *s, double value, struct mono_ms now);
/* q of 0 to 1 over the last minute; NaN when nothing was observed then. */
double summary_quantile(const struct summary *s, double q, struct mono_ms now);
