/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/http/summary.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/mem.h"

#define SMALLEST_LOG2 (-20)

void summary_done(struct summary *s)
{
	free(s->buckets);
	*s = (struct summary){ 0 };
}

static unsigned bucket_of(double value)
{
	double at;

	if (value <= 0)
		return 0;
	at = (log2(value) - SMALLEST_LOG2) * SUMMARY_PER_OCTAVE;
	if (at < 0)
		return 0;
	return at >= SUMMARY_BUCKETS - 1 ? SUMMARY_BUCKETS - 1 : (unsigned)at + 1;
}

/* The middle of a bucket; of the first: zero. */
static double bucket_value(unsigned i)
{
	return i ? exp2(((double)i - 0.5) / SUMMARY_PER_OCTAVE + SMALLEST_LOG2) : 0;
}

/* The slice that is written to now; those that have passed unused are empty. */
static unsigned turn(struct summary *s, struct mono_ms now)
{
	uint64_t slice = now.ms / SUMMARY_SLICE_MS;

	if (!s->buckets) {
		s->buckets = xcalloc(SUMMARY_SLICES, sizeof(*s->buckets));
		s->slice = slice;
	}
	for (unsigned i = 0; s->slice < slice && i < SUMMARY_SLICES; i++)
		memset(s->buckets[++s->slice % SUMMARY_SLICES], 0, sizeof(*s->buckets));
	if (s->slice < slice) /* more than a minute has passed: all of them are empty */
		s->slice = slice;
	return (unsigned)(s->slice % SUMMARY_SLICES);
}

void summary_observe(struct summary *s, double value, struct mono_ms now)
{
	unsigned slice;
	uint32_t *n;

	if (!isfinite(value) || value < 0)
		return;
	slice = turn(s, now);
	n = &s->buckets[slice][bucket_of(value)];
	if (*n < UINT32_MAX)
		++*n;
	s->sum += value;
	s->count++;
}

double summary_quantile(const struct summary *s, double q, struct mono_ms now)
{
	uint64_t slice = now.ms / SUMMARY_SLICE_MS, total = 0, below = 0;
	uint64_t merged[SUMMARY_BUCKETS] = { 0 };

	if (!s->buckets)
		return NAN;
	for (uint64_t i = 0; i < SUMMARY_SLICES; i++) {
		/* The newest written is s->slice; what is older than a minute does not count. */
		uint64_t number = s->slice - i;

		if (s->slice < i || number + SUMMARY_SLICES <= slice)
			continue;
		for (unsigned b = 0; b < SUMMARY_BUCKETS; b++) {
			merged[b] += s->buckets[number % SUMMARY_SLICES][b];
			total += s->buckets[number % SUMMARY_SLICES][b];
		}
	}
	if (!total)
		return NAN;
	for (unsigned b = 0; b < SUMMARY_BUCKETS; b++) {
		below += merged[b];
		if ((double)below >= q * (double)total)
			return bucket_value(b);
	}
	return bucket_value(SUMMARY_BUCKETS - 1);
}
