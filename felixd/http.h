/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: felixd's probes and metrics: /liveness and /readiness on HealthHost:HealthPort, /metrics on
 * PrometheusMetricsHost:PrometheusMetricsPort, each where it is enabled.
 *
 * An address that cannot be had is tried again every second: nothing else of felixd depends on it.
 */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

struct felixd;
struct felixd_http;

struct felixd_http *http_new(struct felixd *f);
/* Opens and closes what the parameters in force want. */
void http_configure(struct felixd_http *h);
void http_free(struct felixd_http *h); /* NULL is fine */

/* health.c: the components, as a table. Says whether all are live, or ready. */
bool health_report(const struct felixd *f, bool readiness, struct buf *out);

/* metrics.c: all of them. */
void metrics_write(const struct felixd *f, struct buf *out);
