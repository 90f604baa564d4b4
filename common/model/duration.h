/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * duration: lengths of time as the texts that Go reads and writes, "1m30s". Every duration has one
 * text that Go writes; many texts are read as the same duration. Between the smallest and the
 * largest int64 of nanoseconds (some 292 years).
 */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"

struct err;

/* "90s", "1.5h", "-2m0.25s", "1us", "0". -EINVAL, in the words of Go's library. */
int duration_parse(const char *s, int64_t *ret_ns, struct err *err);

/* "1m30s", "500ms", "0s": as Go writes it. */
void duration_str(int64_t ns, struct buf *out);
