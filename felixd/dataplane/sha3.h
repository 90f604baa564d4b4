/* SPDX-License-Identifier: BSD-2-Clause */
/* sha3: SHA3-224 (FIPS 202), for the names of policy groups' chains. Not for secrets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void sha3_224(const void *p, size_t len, uint8_t out[28]);
