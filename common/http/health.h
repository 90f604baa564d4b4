/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: what /liveness and /readiness say, as upstream's components say it: a table of those that
 * report, and whether all of them are well. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct health_component {
	const char *name;
	uint64_t timeout_ms; /* within which it must have reported; 0: it is asked, now */
	uint64_t age_ms;     /* of its last report */
	bool live, ready;
	const char *detail; /* NULL: none */
};

/* Appends the table, by the names' order, and says whether all are live, or ready. */
bool health_live(const struct health_component *all, size_t n);
bool health_ready(const struct health_component *all, size_t n);
void health_table(const struct health_component *all, size_t n, struct buf *out);
