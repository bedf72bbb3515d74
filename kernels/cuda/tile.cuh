/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_TILE_CUH
#define CUDA_TILE_CUH

#include "kernels/cuda/nums.cuh"

/*
 * tile.cuh - products of a warp on tensor cores: numbers of bf16 lie in shared
 * memory two a word, rows `wide` words apart (8 numbers more than they hold, so
 * that rows begin in different banks), and are summed in float.  The fragments
 * are those of mma.m16n8k16 (PTX ISA): lane l has of a result's rows l / 4 and
 * l / 4 + 8 the columns 2 * (l % 4) and the next.
 */

#define MMA_M		16		/* rows of a warp's result */
#define MMA_N		8		/* columns of a fragment of it */
#define MMA_K		16

/* words of a row of D numbers */
#define TILE_WIDE(D)	((D) / 2 + 4)

/* tile_eight - eight numbers of bf16 as they lie, 16 bytes at once: may they
 * be taken so */
struct alignas(16) tile_eight {
	unsigned word[4];
};

static __device__ inline bool
tile_eights(struct nums x, size_t stride, size_t width)
{
	return x.form == FORM_BF16 && stride % 8 == 0 && width % 8 == 0 &&
	    (uintptr_t)x.p % sizeof(struct tile_eight) == 0;
}

/* tile_fill - n rows of shared memory from row `first` on; what lies at or
 * behind row `end`, and behind `width` columns, is zero */
template<int D> static __device__ inline void
tile_fill(unsigned *to, struct nums from, size_t stride, size_t first,
    size_t n, size_t end, size_t width)
{
	bool eights = tile_eights(from, stride, width);

	for (size_t i = threadIdx.x; eights && i < n * (D / 8);
	    i += blockDim.x) {
		size_t r = i / (D / 8), d = i % (D / 8) * 8;
		struct tile_eight x = { { 0, 0, 0, 0 } };

		if (first + r < end && d < width)
			x = *(const struct tile_eight *)nums_at(from,
			    (first + r) * stride + d).p;
		*(struct tile_eight *)(to + r * TILE_WIDE(D) + d / 2) = x;
	}
	for (size_t i = threadIdx.x; !eights && i < n * (D / 2);
	    i += blockDim.x) {
		size_t r = i / (D / 2), d = i % (D / 2) * 2;
		size_t at = (first + r) * stride + d;
		bool in = first + r < end;

		to[r * TILE_WIDE(D) + d / 2] = pack_bf16(
		    in && d < width ? nums_get(from, at) : 0,
		    in && d + 1 < width ? nums_get(from, at + 1) : 0);
	}
}

/* tile_rows - sum[N/8] += a b^T: of a 16 rows, of b N, of both D columns */
template<int D, int N> static __device__ inline void
tile_rows(float sum[N / MMA_N][4], const unsigned *a, const unsigned *b)
{
	unsigned lane = threadIdx.x % WARP, x[4], y[4];

	a += lane % 16 * TILE_WIDE(D) + lane / 16 * 4;
	b += (lane % 8 + lane / 16 * 8) * TILE_WIDE(D) + lane / 8 % 2 * 4;
UNROLL
	for (int k = 0; k < D / MMA_K; k++) {
		ldmatrix(x, a + k * 8);
UNROLL
		for (int n = 0; n < N / MMA_N; n += 2) {
			ldmatrix(y, b + n * MMA_N * TILE_WIDE(D) + k * 8);
			mma_bf16(sum[n], x, y);
			mma_bf16(sum[n + 1], x, y + 2);
		}
	}
}

/* tile_columns - sum[D/8] += p b: p is a result of 16 rows and N columns, of b
 * N rows, D columns */
template<int D, int N> static __device__ inline void
tile_columns(float sum[D / MMA_N][4], const float p[N / MMA_N][4],
    const unsigned *b)
{
	unsigned lane = threadIdx.x % WARP, x[4], y[4];

	b += lane % 16 * TILE_WIDE(D) + lane / 16 * 4;
UNROLL
	for (int k = 0; k < N / MMA_K; k++) {
		for (int i = 0; i < 4; i++)
			x[i] = pack_bf16(p[2 * k + i / 2][i % 2 * 2],
			    p[2 * k + i / 2][i % 2 * 2 + 1]);
UNROLL
		for (int n = 0; n < D / MMA_N; n += 2) {
			ldmatrix_trans(y, b + k * MMA_K * TILE_WIDE(D) +
			    n * MMA_N / 2);
			mma_bf16(sum[n], x, y);
			mma_bf16(sum[n + 1], x, y + 2);
		}
	}
}

/* tile_zero - a result */
template<int N> static __device__ inline void
tile_zero(float sum[N / MMA_N][4])
{
UNROLL
	for (int n = 0; n < N / MMA_N; n++)
		for (int i = 0; i < 4; i++)
			sum[n][i] = 0;
}

/* tile_put - rows of a result, the first to `to`, that lie before `end`; of
 * their columns the first `width`, times by[0] and, 8 rows on, by[1] */
template<int D> static __device__ inline void
tile_put(struct nums to, size_t stride, const float sum[D / MMA_N][4], size_t first,
    size_t end, size_t width, const float by[2])
{
	unsigned lane = threadIdx.x % WARP;

UNROLL
	for (int n = 0; n < D / MMA_N; n++)
		for (int i = 0; i < 4; i++) {
			size_t r = lane / 4 + i / 2 * 8;
			size_t d = n * MMA_N + lane % 4 * 2 + i % 2;

			if (first + r < end && d < width)
				nums_put(to, r * stride + d, sum[n][i] *
				    by[i / 2]);
		}
}

#endif
