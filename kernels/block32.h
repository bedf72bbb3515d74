/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_BLOCK32_H
#define KERNELS_BLOCK32_H

#include "kernels/half.h"

#include <math.h>

/*
 * block32.h - blocks of 32 quantised numbers as GGUF lays them out, and rows of
 * activations quantised to meet them.
 *
 *   KERNEL_Q8  Q8_0, 34 bytes: a half d, 32 signed bytes q: d * q
 *   KERNEL_Q4  Q4_0, 18 bytes: a half d, 16 bytes; byte j holds number j in its
 *              low half, number j + 16 in its high one: d * (q - 8)
 */

#define BLOCK32		((size_t)32)

static inline size_t
block32_count(size_t K)
{
	return (K + BLOCK32 - 1) / BLOCK32;
}

static inline size_t
block32_bytes(enum kernel_quant form)
{
	return form == KERNEL_Q8 ? 34 : 18;
}

/* block32_scale - d as its 16 bits */
static inline uint16_t
block32_scale(const unsigned char *block)
{
	return (uint16_t)(block[0] | block[1] << 8);
}

/* block32_q - number i of a block without its d */
static inline int
block32_q(enum kernel_quant form, const unsigned char *block, size_t i)
{
	if (form == KERNEL_Q8)
		return (int8_t)block[2 + i];
	return (block[2 + i % 16] >> (i / 16 * 4) & 15) - 8;
}

/*
 * block32_row - a row of K activations: q[32 count], padded with zeros, d and
 * the sum of q of each block.  The largest magnitude of a block becomes 127.
 * No sum of a product is in it, so that it is the same on every machine.
 */
static inline void
block32_row(int8_t *q, float *d, int32_t *sum, const real *x, size_t K)
{
	for (size_t k = 0; k < K; k += BLOCK32, q += BLOCK32) {
		size_t n = K - k < BLOCK32 ? K - k : BLOCK32;
		float v[BLOCK32] = { 0 }, most = 0, by;
		int32_t all = 0;

		for (size_t i = 0; i < n; i++)
			v[i] = (float)x[k + i];
		for (size_t i = 0; i < BLOCK32; i++)
			most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
		by = most > 0 ? 127 / most : 0;
		/* of a number so small that its inverse is none */
		by = by < HUGE_VALF ? by : 0;
		for (size_t i = 0; i < BLOCK32; i++)
			q[i] = (int8_t)rintf(v[i] * by);
		for (size_t i = 0; i < BLOCK32; i++)
			all += q[i];
		*d++ = most / 127;
		*sum++ = all;
	}
}

#endif
