/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_VEC_H
#define CPU_VEC_H

#include "kernels/kernel.h"

#include <math.h>

/* vec.h - GCC's vectors: eight reals, whatever the instruction set makes of
 * them */

/* these functions are all inlined: no ABI is in question */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef float vec __attribute__((vector_size(32)));
typedef int32_t ivec __attribute__((vector_size(32)));
/* a vector as it lies in memory */
typedef float mvec __attribute__((vector_size(32), aligned(4), may_alias));
#define LANES	8

/* load, save - any alignment; splat - one value in all lanes */
static inline vec
load(const real *p)
{
	return *(const mvec *)p;
}

static inline void
save(real *p, vec v)
{
	*(mvec *)p = v;
}

static inline vec
splat(float x)
{
	return (vec){ x, x, x, x, x, x, x, x };
}

/* vsum - lanes in a fixed order */
static inline float
vsum(vec v)
{
	return ((v[0] + v[4]) + (v[2] + v[6])) +
	    ((v[1] + v[5]) + (v[3] + v[7]));
}

/*
 * vexp - e to the x, within 2 ulp for results that are normal numbers: x is
 * n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, n into the exponent
 */
static inline vec
vexp(vec x)
{
	const vec magic = splat(12582912.f);	/* 1.5 * 2^23: rounds */
	vec n, r, p;
	ivec bits, low = x < splat(-87.f), high = x > splat(88.f);

	x = (vec)(((ivec)x & ~low) | ((ivec)splat(-87.f) & low));
	x = (vec)(((ivec)x & ~high) | ((ivec)splat(88.f) & high));
	n = x * splat(1.44269504f) + magic;
	bits = (ivec)n << 23;
	n -= magic;
	r = x - n * splat(0.693359375f) + n * splat(2.12194440e-4f);
	p = splat(1.9875691500e-4f);
	p = p * r + splat(1.3981999507e-3f);
	p = p * r + splat(8.3334519073e-3f);
	p = p * r + splat(4.1665795894e-2f);
	p = p * r + splat(1.6666665459e-1f);
	p = p * r + splat(5.0000001201e-1f);
	p = p * r * r + r + splat(1.f);
	p = (vec)((ivec)p + bits);
	return (vec)((ivec)p & ~low);
}

/* vtanh - 1 - 2 / (e^2u + 1), u kept where that is not 1 */
static inline vec
vtanh(vec u)
{
	return splat(1) - splat(2) / (vexp(u + u) + splat(1));
}

/* row_max - of a row */
static inline float
row_max(const real *x, size_t n)
{
	vec m = splat(-HUGE_VALF), v;
	ivec more;
	float max = -HUGE_VALF;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		v = load(x + i);
		more = v > m;
		m = (vec)(((ivec)v & more) | ((ivec)m & ~more));
	}
	for (size_t k = 0; k < LANES; k++)
		max = m[k] > max ? m[k] : max;
	for (; i < n; i++)
		max = x[i] > max ? x[i] : max;
	return max;
}

/* row_cap - a row becomes cap * tanh(x / cap) */
static inline void
row_cap(real *x, size_t n, float cap)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		save(x + i, splat(cap) * vtanh(load(x + i) / splat(cap)));
	for (; i < n; i++)
		x[i] = cap * tanhf(x[i] / cap);
}

#endif
