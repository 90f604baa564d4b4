/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: Prometheus' text format (version 0.0.4), and the figures that are worth showing of any
 * process.
 *
 *     metrics_family(out, "typha_cache_size", METRICS_GAUGE, "Objects in the cache.");
 *     metrics_sample(out, "typha_cache_size", 12, "syncer", "felix", NULL);
 */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/http/summary.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_SUMMARY
};

/* Once before the samples of a name. */
void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help);

/* Labels and their values in turn, ended by NULL. */
void metrics_sample(struct buf *out, const char *name, double value, ...) __attribute__((sentinel));

/* Quantiles, sum and count of s; label NULL: none. */
void metrics_summary(struct buf *out, const char *name, const struct summary *s, struct mono_ms now,
                     const char *label, const char *label_value);

/* A family of one sample without labels. */
void metrics_one(struct buf *out, const char *name, enum metrics_type type, const char *help,
                 double value);

/* process_...: memory, time, open files, start, as Prometheus' client libraries have them. What the
 * kernel does not tell is left out. */
void metrics_process(struct buf *out);
