/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/random.h"

#include <math.h>

#define ROUNDS	10

void
random_four(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
	uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
	uint32_t c[4] = { (uint32_t)index, (uint32_t)(index >> 32),
	    (uint32_t)stream, (uint32_t)(stream >> 32) };
	uint64_t a, b;

	for (int i = 0; i < ROUNDS; i++) {
		a = (uint64_t)0xD2511F53 * c[0];
		b = (uint64_t)0xCD9E8D57 * c[2];
		c[0] = (uint32_t)(b >> 32) ^ c[1] ^ key[0];
		c[1] = (uint32_t)b;
		c[2] = (uint32_t)(a >> 32) ^ c[3] ^ key[1];
		c[3] = (uint32_t)a;
		key[0] += 0x9E3779B9;
		key[1] += 0xBB67AE85;
	}
	memcpy(out, c, sizeof(c));
}

uint64_t
random_key(uint64_t seed, uint64_t stream)
{
	uint32_t x[4];

	random_four(seed, stream, 0, x);
	return (uint64_t)x[0] << 32 | x[1];
}

static double
unit_of(uint32_t a, uint32_t b)
{
	return (double)(((uint64_t)a << 32 | b) >> 11) / 9007199254740992.0;
}

double
random_unit(uint64_t seed, uint64_t stream, uint64_t index)
{
	uint32_t x[4];

	random_four(seed, stream, index, x);
	return unit_of(x[0], x[1]);
}

double
random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
	uint32_t x[4];

	random_four(seed, stream, index, x);
	return sqrt(-2 * log(1 - unit_of(x[0], x[1]))) *
	    cos(6.283185307179586 * unit_of(x[2], x[3]));
}

/*
 * A Feistel network of six rounds on the smallest even number of bits that
 * holds n is a bijection; walking on until the result is below n makes it one
 * of n (Black and Rogaway 2002).
 */
uint64_t
random_place(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i)
{
	unsigned half = 1;
	uint64_t mask, left, right, next;
	uint32_t x[4];

	while (half < 31 && (uint64_t)1 << 2 * half < n)
		half++;
	mask = ((uint64_t)1 << half) - 1;
	do {
		left = i >> half;
		right = i & mask;
		for (uint64_t r = 0; r < 6; r++) {
			random_four(seed, stream, r << 56 | right, x);
			next = left ^ (x[0] & mask);
			left = right;
			right = next;
		}
		i = left << half | right;
	} while (i >= n);
	return i;
}
