/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setting: how the texts of upstream's parameters are read: files of name = value, and the types
 * that typhad's and felixd's parameters share. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Letters, digits and what is in extra, at least one. */
bool setting_all_of(const char *s, size_t len, const char *extra);

/* One of choices (separated by blanks), in any case: a copy of it as the list spells it. */
bool setting_oneof(const char *choices, const char *text, char **ret);

/* true 1 yes y t, false 0 no n f, in any case */
bool setting_bool(const char *text, bool *ret);

/* A decimal number of seconds that is not negative, in milliseconds; never 0 of what is not 0.
 * max_sec: more is none. */
bool setting_seconds(const char *text, double max_sec, uint64_t *ret_ms);

/*
 * The lines of a file: "key = value" or "key: value"; [sections] are passed over; # and ; begin
 * comments; a value may stand in quotes. fn gets key and value, which may be empty. -EINVAL with
 * the line that is none of these.
 */
typedef void setting_line_fn(void *arg, const char *key, size_t key_len, const char *value,
                             size_t len);
int setting_lines(const char *text, setting_line_fn *fn, void *arg, struct err *err);
