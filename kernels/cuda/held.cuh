/* SPDX-License-Identifier: Apache-2.0 */
/* Held matrices */
#ifndef CUDA_HELD_CUH
#define CUDA_HELD_CUH

#include "kernels/cuda/nums.cuh"
extern "C" {
#include "kernels/held.h"
}

__global__ static void
widen_all(struct nums y, struct kernel_held h, const int32_t *row, size_t first,
    size_t R, size_t K)
{
	EACH(i, R * K) {
		size_t from = row == NULL ? first + i / K :
		    (size_t)row[i / K];

		nums_put(y, i, held_number(&h, from * K + i % K));
	}
}

static void
cuda_widen(void *dev, real *y, const struct kernel_held *h,
    const int32_t *row, size_t first, size_t R, size_t K)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * K > 0)
		LAUNCH(c, blocks_for(R * K), THREADS, 0, widen_all,
		    nums_of(c, y), *h, row, first, R, K);
}

__global__ static void
narrow_all(uint16_t *y, struct nums x, size_t n, enum kernel_form form)
{
	EACH(i, n)
		y[i] = half_narrow(nums_get(x, i), form);
}

static void
cuda_narrow(void *dev, uint16_t *y, const real *x, size_t n,
    enum kernel_form form)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, narrow_all, y,
		    nums_of(c, x), n, form);
}

__global__ static void
round_all(struct nums y, struct nums x, size_t n, enum kernel_form form)
{
	EACH4(i, n) {
		float v[FOUR];

		nums_get4(v, x, i, n);
		for (size_t k = 0; k < FOUR; k++)
			v[k] = half_round(v[k], form);
		nums_put4(y, i, n, v);
	}
}

static void
cuda_round(void *dev, real *y, const real *x, size_t n, enum kernel_form form)
{
	struct cuda *c = (struct cuda *)dev;
	struct nums to = nums_of(c, y), from = nums_of(c, x);

	if (n > 0 && (to.p != from.p || to.form != (int)form))
		LAUNCH(c, blocks_for4(n), THREADS, 0, round_all, to, from, n,
		    form);
}

#endif
