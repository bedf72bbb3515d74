/* SPDX-License-Identifier: Apache-2.0 */
/* Held matrices */
#ifndef CUDA_HELD_CUH
#define CUDA_HELD_CUH

#include "kernels/cuda/grid.cuh"
extern "C" {
#include "kernels/held.h"
}

__global__ static void
widen_all(real *y, struct kernel_held h, const int32_t *row, size_t first,
    size_t R, size_t K)
{
	EACH(i, R * K) {
		size_t from = row == NULL ? first + i / K :
		    (size_t)row[i / K];

		y[i] = held_number(&h, from * K + i % K);
	}
}

static void
cuda_widen(void *dev, real *y, const struct kernel_held *h,
    const int32_t *row, size_t first, size_t R, size_t K)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * K > 0)
		LAUNCH(c, blocks_for(R * K), THREADS, 0, widen_all, y, *h,
		    row, first, R, K);
}

__global__ static void
narrow_all(uint16_t *y, const real *x, size_t n, enum kernel_form form)
{
	EACH(i, n)
		y[i] = half_narrow(x[i], form);
}

static void
cuda_narrow(void *dev, uint16_t *y, const real *x, size_t n,
    enum kernel_form form)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, narrow_all, y, x, n,
		    form);
}

__global__ static void
round_all(real *y, const real *x, size_t n, enum kernel_form form)
{
	EACH(i, n)
		y[i] = half_round(x[i], form);
}

static void
cuda_round(void *dev, real *y, const real *x, size_t n, enum kernel_form form)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, round_all, y, x, n, form);
}

#endif
