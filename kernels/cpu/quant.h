/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_QUANT_H
#define CPU_QUANT_H

#include "kernels/block32.h"
#include "kernels/cpu/cpu.h"

/*
 * quant.h - products with quantised weights.  A tile is some rows of quantised
 * activations times one panel of WIDE outputs, which is
 *
 *   scale[blocks][WIDE]	halves, filled up to 64 bytes
 *   q[blocks][8][WIDE][4]	KERNEL_Q8: bytes, the number + 128; the 8 are
 *				the groups of four of a block
 *   q[blocks][4][WIDE][4]	KERNEL_Q4: group g in the low half of the byte,
 *				group g + 4 in the high one, each number + 8
 *
 * so that a vector of bytes meets four activations in all its lanes.  What is
 * added to the weights is taken back by `back`, minus that times the block's
 * sum.  A sum within a block is exact; blocks are added in their order, each as
 * one fused multiply-add where the ISA has it.
 */

#define WIDE	((size_t)16)

struct tile {
	enum kernel_quant form;
	real *y;			/* row r at y + r N; n of it are ours */
	size_t N, n;
	const int8_t *x;		/* row r at x + r 32 blocks */
	const float *d;			/* [rows][blocks] */
	const int32_t *back;
	size_t blocks;
	const uint16_t *scale;
	const unsigned char *w;
};

/* tile_number - number k of block b of output i, as it is stored */
static inline int
tile_number(const struct tile *t, size_t b, size_t i, size_t k)
{
	size_t g = k / 4;

	if (t->form == KERNEL_Q8)
		return t->w[((b * 8 + g) * WIDE + i) * 4 + k % 4];
	return t->w[((b * 4 + g % 4) * WIDE + i) * 4 + k % 4] >>
	    (g / 4 * 4) & 15;
}

/* tile_run - at most tile_tall rows: as many as registers hold */
extern const size_t OP(tile_tall);
void OP(tile_run)(const struct tile *, size_t rows);

size_t OP(quant_size)(void *, enum kernel_quant, size_t N, size_t K);
void OP(quant_pack)(void *, enum kernel_quant, void *packed,
    const void *blocks, size_t N, size_t K);
void OP(quant_product)(void *, enum kernel_quant, real *y, const real *x,
    const void *packed, size_t R, size_t N, size_t K);
void OP(quant_embed)(void *, enum kernel_quant, real *y, const void *packed,
    const int32_t *id, size_t R, size_t N, size_t K);

#endif
