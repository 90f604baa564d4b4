/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/sha.h"

#include <string.h>

static uint32_t rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

typedef void block_fn(uint32_t *state, const uint8_t *block);

/* The framing that all three share: whole blocks, then 0x80, zeros and the length in bits (FIPS
 * 180-4 section 5.1.1). */
static void digest(const uint8_t *p, size_t len, uint32_t *state, block_fn *block, size_t out_len,
                   uint8_t *out)
{
	uint64_t bits = (uint64_t)len * 8;
	uint8_t tail[128] = { 0 };
	size_t tail_len;

	for (; len >= 64; p += 64, len -= 64)
		block(state, p);
	if (len)
		memcpy(tail, p, len);
	tail[len] = 0x80;
	tail_len = len < 56 ? 64 : 128;
	for (unsigned i = 0; i < 8; i++)
		tail[tail_len - 1 - i] = (uint8_t)(bits >> (8 * i));
	for (size_t at = 0; at < tail_len; at += 64)
		block(state, tail + at);
	for (size_t i = 0; i < out_len; i++)
		out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void sha1_block(uint32_t *s, const uint8_t *block)
{
	uint32_t w[80], a = s[0], b = s[1], c = s[2], d = s[3], e = s[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = be32(block + 4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k, t;

		if (i < 20)
			f = (b & c) | (~b & d), k = 0x5a827999;
		else if (i < 40)
			f = b ^ c ^ d, k = 0x6ed9eba1;
		else if (i < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
		else
			f = b ^ c ^ d, k = 0xca62c1d6;
		t = rol(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = t;
	}
	s[0] += a;
	s[1] += b;
	s[2] += c;
	s[3] += d;
	s[4] += e;
}

/* Fractional parts of the cube roots of the first 64 primes (FIPS 180-4 section 4.2.2). */
static const uint32_t k256[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static void sha256_block(uint32_t *s, const uint8_t *block)
{
	uint32_t w[64], v[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = be32(block + 4 * i);
	for (unsigned i = 16; i < 64; i++) {
		uint32_t s0 = rol(w[i - 15], 25) ^ rol(w[i - 15], 14) ^ w[i - 15] >> 3;
		uint32_t s1 = rol(w[i - 2], 15) ^ rol(w[i - 2], 13) ^ w[i - 2] >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(v, s, sizeof(v));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t s1 = rol(v[4], 26) ^ rol(v[4], 21) ^ rol(v[4], 7);
		uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + ch + k256[i] + w[i];
		uint32_t s0 = rol(v[0], 30) ^ rol(v[0], 19) ^ rol(v[0], 10);
		uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		s[i] += v[i];
}

void sha1(const void *p, size_t len, uint8_t out[20])
{
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	digest(p, len, state, sha1_block, 20, out);
}

void sha224(const void *p, size_t len, uint8_t out[28])
{
	uint32_t state[8] = { 0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
		              0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4 };

	digest(p, len, state, sha256_block, 28, out);
}

void sha256(const void *p, size_t len, uint8_t out[32])
{
	uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	digest(p, len, state, sha256_block, 32, out);
}

void hex_lower(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

void base64url(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t word = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		word = word << 8 | p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = digits[word >> (bits - 6) & 63];
	}
	if (bits)
		*out++ = digits[word << (6 - bits) & 63];
	*out = '\0';
}
