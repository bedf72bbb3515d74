/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_KEPT_H
#define CPU_KEPT_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vec.h"
#include "kernels/half.h"

/*
 * kept.h - a number of a cache of keys and values.  store.c and look.c are
 * compiled for reals, and by kept_half.c, which defines KEPT_HALF, once more
 * for numbers of 16 bits (half.h's f16).
 */

#define PAGE	((size_t)KERNEL_PAGE)
#define INLINE	static inline __attribute__((always_inline))

_Static_assert(KERNEL_PAGE == 2 * LANES, "a page is two vectors of keys");

#ifdef KEPT_HALF
#include <immintrin.h>

#define KEPT(name)	OP(name##_half)
typedef uint16_t kept;

/* kept_of - what a half cannot hold becomes the largest that it can */
static inline kept
kept_of(real x)
{
	x = x > 65504 ? 65504 : x < -65504 ? -65504 : x;
	return half_to_f16(x);
}

static inline real
kept_real(kept x)
{
	return half_f16(x);
}

static inline vec
kept_load(const kept *p)
{
	return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)p));
}
#else
#define KEPT(name)	OP(name)
typedef real kept;

static inline kept
kept_of(real x)
{
	return x;
}

static inline real
kept_real(kept x)
{
	return x;
}

static inline vec
kept_load(const kept *p)
{
	return load(p);
}
#endif

#endif
