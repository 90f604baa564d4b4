/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jsonw: writes JSON, for those who only write it (ctl dumps, logs, CNI results). Commas, quoting
 * and invalid UTF-8 are its business; nesting is the caller's. A NULL key means: an element of an
 * array, or the top value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct jsonw {
	struct buf *out; /* borrowed */
	bool comma;      /* internal */
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_end_object(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_end_array(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *key, const char *v); /* v NULL: null */
void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void jsonw_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_double(struct jsonw *w, const char *key, double v);
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_raw(struct jsonw *w, const char *key, const char *json); /* one value, verbatim */

/* Appends s, quoted and escaped. */
void json_quote(struct buf *out, const char *s);
void json_quote_n(struct buf *out, const char *s, size_t len); /* s may hold NUL */
