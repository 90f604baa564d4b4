/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sponge of FIPS 202 over Keccak-f[1600]: 25 lanes of 64 bits, A[x + 5 y]; the rate of SHA3-224
 * is 144 bytes.
 */
#include "felixd/dataplane/sha3.h"

#include <string.h>

#define RATE 144
#define ROUNDS 24

static uint64_t rotl(uint64_t v, unsigned n)
{
	return n ? v << n | v >> (64 - n) : v;
}

/* Section 3.2.5: the round constant comes out of an LFSR with the polynomial x^8 + x^6 + x^5 + x^4
 * + 1. */
static uint64_t round_constant(uint8_t *lfsr)
{
	uint64_t rc = 0;

	for (unsigned j = 0; j < 7; j++) {
		if (*lfsr & 1)
			rc |= 1ULL << ((1u << j) - 1);
		*lfsr = (uint8_t)(*lfsr << 1 ^ (*lfsr & 0x80 ? 0x71 : 0));
	}
	return rc;
}

static void keccak_f(uint64_t a[25])
{
	uint8_t lfsr = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t c[5], b[25];
		unsigned x, y;

		for (x = 0; x < 5; x++) /* theta */
			c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (x = 0; x < 5; x++)
			for (y = 0; y < 5; y++)
				a[x + 5 * y] ^= c[(x + 4) % 5] ^ rotl(c[(x + 1) % 5], 1);
		b[0] = a[0]; /* rho and pi: walk along (1,0), (0,2), (2,1) ... */
		x = 1;
		y = 0;
		for (unsigned t = 0; t < 24; t++) {
			unsigned next = (2 * x + 3 * y) % 5;

			b[y + 5 * next] = rotl(a[x + 5 * y], (t + 1) * (t + 2) / 2 % 64);
			x = y;
			y = next;
		}
		for (y = 0; y < 5; y++) /* chi */
			for (x = 0; x < 5; x++)
				a[x + 5 * y] = b[x + 5 * y] ^
				               (~b[(x + 1) % 5 + 5 * y] & b[(x + 2) % 5 + 5 * y]);
		a[0] ^= round_constant(&lfsr); /* iota */
	}
}

static void absorb(uint64_t a[25], const uint8_t block[RATE])
{
	for (unsigned i = 0; i < RATE; i++)
		a[i / 8] ^= (uint64_t)block[i] << (8 * (i % 8));
	keccak_f(a);
}

void sha3_224(const void *p, size_t len, uint8_t out[28])
{
	const uint8_t *at = p;
	uint8_t last[RATE] = { 0 };
	uint64_t a[25] = { 0 };

	for (; len >= RATE; at += RATE, len -= RATE)
		absorb(a, at);
	if (len)
		memcpy(last, at, len);
	last[len] = 0x06;
	last[RATE - 1] |= 0x80;
	absorb(a, last);
	for (unsigned i = 0; i < 28; i++)
		out[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}
