/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bad: the values of a datastore that cannot be read, by key: skipped, counted, shown when somebody
 * asks, and forgotten when they are readable again or gone.
 */
#pragma once

#include "common/base/hmap.h"

struct bad_values {
	struct hmap by_key;
};

void bad_values_done(struct bad_values *b);
/* Logs it, too, when that is news. Both are copied. */
void bad_values_add(struct bad_values *b, const char *key, const char *why);
void bad_values_remove(struct bad_values *b, const char *key); /* one that is not there: fine */
size_t bad_values_count(const struct bad_values *b);
void bad_values_each(const struct bad_values *b,
                     void (*fn)(void *arg, const char *key, const char *why), void *arg);
