/* SPDX-License-Identifier: BSD-2-Clause */
/* sha: SHA-1, SHA-224 and SHA-256 (FIPS 180-4), for the names that upstream derives from them. Not
 * for secrets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void sha1(const void *p, size_t len, uint8_t out[20]);
void sha224(const void *p, size_t len, uint8_t out[28]);
void sha256(const void *p, size_t len, uint8_t out[32]);
void hex_lower(const uint8_t *p, size_t len, char *out); /* 2 * len + 1 bytes */
void base64url(const uint8_t *p, size_t len,
               char *out); /* no padding; (len * 8 + 5) / 6 + 1 bytes */
