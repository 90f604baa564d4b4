/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/uuid.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/base/sha.h"

void uuid_hex(char out[UUID_HEX_SIZE])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort();                        /* cannot happen: 16 bytes are never cut short */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* random but for version */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* and variant */
	hex_lower(b, sizeof(b), out);
}

void uuid_str(char out[UUID_STR_SIZE])
{
	char hex[UUID_HEX_SIZE];

	uuid_hex(hex);
	(void)snprintf(out, UUID_STR_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	               hex + 16, hex + 20);
}
