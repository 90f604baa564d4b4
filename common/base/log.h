/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: one line per event, to standard error.
 *
 *     log_info("peer established", "peer=%s as=%u", p->name, p->asn);
 *     2026-03-02T10:11:12.345Z bgpd info "peer established" peer=10.0.0.2 as=64512
 *
 * The event is words that never vary, the fields are key=value pairs. A field whose text comes from
 * outside is wrapped in LOG_VIS(), so that what it holds can neither break the line nor the
 * terminal. As JSON (--log-format json) the same pairs become members; the formatter splits the
 * formatted fields at spaces outside double quotes. A value with spaces is written key="two words"
 * with LOG_VIS() or a literal; never a secret.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG
};
enum log_format {
	LOG_TEXT,
	LOG_JSON
};

/* program is borrowed for ever. Without log_init: text, info, the program's short name. */
void log_init(const char *program, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
int log_level_parse(const char *s,
                    enum log_level *ret); /* error warn(ing) info debug, any case; -EINVAL */
int log_format_parse(const char *s, enum log_format *ret); /* text json */
void log_set_fd(int fd); /* default 2; the CNI plugin and tests move it */

void log_write(enum log_level level, const char *event, const char *fields_fmt, ...)
        __attribute__((format(printf, 3, 4)));

#define log_enabled(level) ((level) <= log_get_level())
#define log_at(level, ...) (log_enabled(level) ? log_write(level, __VA_ARGS__) : (void)0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* A repeating event: at most burst lines in each interval; the next line that passes says how many
 * were held back. */
struct log_limit {
	unsigned burst;
	unsigned interval_ms;
	struct mono_ms start;
	unsigned used, suppressed;
};
#define LOG_LIMIT_INIT(burst_, interval_ms_)                                                       \
	{                                                                                          \
		.burst = (burst_), .interval_ms = (interval_ms_)                                   \
	}
bool log_limit_pass(struct log_limit *l, unsigned *ret_suppressed);

/* Escapes s (control bytes, quotes, invalid UTF-8) for one line of text. Result in a ring of
 * per-thread buffers: good for one log call. */
const char *str_vis(const char *s, size_t len);
#define LOG_VIS(s) str_vis((s), SIZE_MAX) /* SIZE_MAX: s is NUL-terminated */
