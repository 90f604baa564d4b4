/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redact: takes secrets out of text that is to be passed on: what stands behind a word such as
 * password, secret or token, credentials in URLs, bearer tokens, private keys.
 *
 * It would rather take too much. Pure.
 */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"

#define REDACTED "<removed>"

/* Appends text, which may hold any bytes, without its secrets. */
void redact(const char *text, size_t len, struct buf *out);
