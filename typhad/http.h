/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: typhad's probes and metrics: /liveness and /readiness on HealthHost:HealthPort, /metrics on
 * PrometheusMetricsHost:PrometheusMetricsPort, each where it is enabled.
 *
 * The metrics' certificate, key and authorities are read again when their files have changed.
 */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

struct err;
struct typhad;
struct typhad_http;

/* An address that cannot be had is an error; what was opened is closed by http_close(). */
int http_open(struct typhad *t, struct err *err);
void http_close(struct typhad *t);

/* health: the components, as a table. Says whether all are live, or ready. */
bool health_report(const struct typhad *t, bool readiness, struct buf *out);

/* metrics: all of them. */
void metrics_write(const struct typhad *t, struct buf *out);
