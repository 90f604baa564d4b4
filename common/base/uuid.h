/* SPDX-License-Identifier: BSD-2-Clause */
/* uuid: random identities (RFC 4122 section 4.4). */
#pragma once

#define UUID_HEX_SIZE 33 /* 32 digits */
#define UUID_STR_SIZE 37 /* with the dashes */

void uuid_hex(char out[UUID_HEX_SIZE]);
void uuid_str(char out[UUID_STR_SIZE]);
