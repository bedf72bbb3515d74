/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_NARROW_CUH
#define CUDA_NARROW_CUH

#include "kernels/cuda/nums.cuh"

/* narrow_rows - rows of n numbers that lie `ld` apart, in 16 bits, `wide`
 * apart; between them zeros */
__global__ static void
narrow_rows(uint16_t *to, size_t wide, struct nums from, size_t rows,
    size_t n, size_t ld, enum kernel_precision p)
{
	EACH(i, rows * wide) {
		size_t r = i / wide, at = i % wide;
		float x = at < n ? nums_get(from, r * ld + at) : 0;

		to[i] = p == PRECISION_BF16 ? half_to_bf16(x) :
		    half_to_f16(x);
	}
}

#endif
