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

#endif
