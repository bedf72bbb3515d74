/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_QUANT_H
#define CPU_QUANT_H

#include "kernels/block32.h"
#include "kernels/cpu/cpu.h"

/*
 * quant.h - products with quantised weights.  A tile is some rows of quantised
 * activations times one panel of WIDE outputs, which is pairs of blocks (an odd
 * last one has zeros behind it), each
 *
 *   scale[2][WIDE]		halves
 *   q[2][8][WIDE][4]		KERNEL_Q8: bytes, the number + 128; the 8 are
 *				the groups of four of a block
 *   q[2][4][WIDE][4]		KERNEL_Q4: group g in the low half of the byte,
 *				group g + 4 in the high one, each number + 8
 *
 * so that a vector of bytes meets four activations in all its lanes, and a
 * panel is read from its first line to its last.  A processor that sees one
 * run of lines sends for those ahead; for two that take turns, scales in one
 * place and numbers in another, it hardly does.
 *
 * What is added to the weights is taken back by `back`, minus that times the
 * block's sum.  A sum within a block is exact; blocks are added in their
 * order, each as one fused multiply-add where the ISA has it.
 */

#define WIDE	((size_t)16)
#define SCALES	(2 * WIDE * sizeof(uint16_t))	/* of a pair */

struct tile {
	enum kernel_quant form;
	real *y;			/* row r at y + r N; n of it are ours */
	size_t N, n;
	const int8_t *x;		/* row r at x + r 32 blocks */
	const float *d;			/* [rows][blocks] */
	const int32_t *back;
	size_t blocks;
	const unsigned char *w;
};

/* block_size - a panel's bytes of a block, without scales; pair_size */
static inline size_t
block_size(enum kernel_quant form)
{
	return WIDE * (form == KERNEL_Q8 ? BLOCK32 : BLOCK32 / 2);
}

static inline size_t
pair_size(enum kernel_quant form)
{
	return SCALES + 2 * block_size(form);
}

/* block_at, scales_at - where block b of a panel has its numbers, its scales */
static inline size_t
block_at(enum kernel_quant form, size_t b)
{
	return b / 2 * pair_size(form) + SCALES + b % 2 * block_size(form);
}

static inline size_t
scales_at(enum kernel_quant form, size_t b)
{
	return b / 2 * pair_size(form) + b % 2 * (SCALES / 2);
}

/* tile_scale - of block b of output i */
static inline uint16_t
tile_scale(const struct tile *t, size_t b, size_t i)
{
	uint16_t half;

	memcpy(&half, t->w + scales_at(t->form, b) + i * sizeof(half),
	    sizeof(half));
	return half;
}

/* tile_number - number k of block b of output i, as it is stored */
static inline int
tile_number(const struct tile *t, size_t b, size_t i, size_t k)
{
	const unsigned char *w = t->w + block_at(t->form, b);
	size_t g = k / 4;

	if (t->form == KERNEL_Q8)
		return w[(g * WIDE + i) * 4 + k % 4];
	return w[(g % 4 * WIDE + i) * 4 + k % 4] >> (g / 4 * 4) & 15;
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
