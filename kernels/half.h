/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_HALF_H
#define KERNELS_HALF_H

#include "kernels/kernel.h"

#include <string.h>

/*
 * half.h - numbers of 16 bits, the same on every device: f16 is IEEE 754's
 * binary16, bf16 the upper half of a float.  From 16 bits is exact; to them is
 * to the nearest, ties to even, and what is not a number stays so.
 */

#ifdef __CUDACC__
#define HALF	static inline __host__ __device__
#else
#define HALF	static inline
#endif

/* half_float - a float of these bits; half_bits - the bits of a float */
HALF float
half_float(uint32_t x)
{
	float f;

	memcpy(&f, &x, sizeof(f));
	return f;
}

HALF uint32_t
half_bits(float f)
{
	uint32_t x;

	memcpy(&x, &f, sizeof(x));
	return x;
}

/* half_f16 - times 2^112 the smallest halves are right as well */
HALF float
half_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t x = (uint32_t)(h & 0x7fff) << 13;
	float f = half_float(x) * 5192296858534827628530496329220096.f;
	uint32_t bits = half_bits(f);

	if (x >= 0x0f800000)			/* infinite, or no number */
		bits = x | 0x7f800000;
	return half_float(bits | sign);
}

HALF float
half_bf16(uint16_t h)
{
	return half_float((uint32_t)h << 16);
}

/* half_to_f16 - without branches, so that loops are of vectors */
HALF uint16_t
half_to_f16(float f)
{
	uint32_t x = half_bits(f), sign = x >> 16 & 0x8000, small, h;

	x &= 0x7fffffff;
	/* beside 0.5 a float's last bit is a subnormal half's */
	small = half_bits(half_float(x) + 0.5f) - 0x3f000000;
	h = (x + 0xfff + (x >> 13 & 1) - 0x38000000) >> 13;
	h = x < 0x38800000 ? small : h;
	h = x >= 0x47800000 ? 0x7c00 : h;	/* 65536 and above */
	h = x > 0x7f800000 ? 0x7e00 : h;	/* not a number stays one */
	return (uint16_t)(sign | h);
}

HALF uint16_t
half_to_bf16(float f)
{
	uint32_t x = half_bits(f);

	if ((x & 0x7fffffff) > 0x7f800000)
		x = (x & 0xffff0000) | 64u << 16;
	else
		x += 0x7fff + (x >> 16 & 1);
	return (uint16_t)(x >> 16);
}

/* half_narrow, half_round - a number in 16 bits; the number that is */
HALF uint16_t
half_narrow(float f, enum kernel_form form)
{
	return form == FORM_BF16 ? half_to_bf16(f) : half_to_f16(f);
}

HALF float
half_round(float f, enum kernel_form form)
{
	return form == FORM_BF16 ? half_bf16(half_to_bf16(f)) :
	    half_f16(half_to_f16(f));
}

/* half_seen - a number as a product of this precision sees it */
HALF float
half_seen(float x, enum kernel_precision p)
{
	return p == PRECISION_F32 ? x : p == PRECISION_BF16 ?
	    half_bf16(half_to_bf16(x)) : half_f16(half_to_f16(x));
}

#endif
