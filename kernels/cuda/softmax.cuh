/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores with a relative position bias: a block for each row, and for the
 * table's gradient a block for each of its numbers, which adds up the diagonals
 * that are in its bucket.
 */
#include "kernels/cuda/grid.cuh"

__global__ static void
softmax_row(real *x, struct kernel_relative s)
{
	__shared__ float part[WARPS];
	size_t t = blockIdx.x, h = blockIdx.y;
	size_t from = (size_t)s.from[t], to = (size_t)s.to[t];
	real *row = x + (h * s.T + t) * s.K;
	float most = -HUGE_VALF, sum = 0;

	for (size_t j = from + threadIdx.x; j < to; j += THREADS) {
		float y = row[j];

		if (s.bias != NULL)
			y += s.bias[(size_t)s.bucket[j + s.T - 1 - t] * s.H +
			    h];
		row[j] = y;
		most = fmaxf(most, y);
	}
	most = block_max(most, part);
	for (size_t j = from + threadIdx.x; j < to; j += THREADS) {
		row[j] = expf(row[j] - most);
		sum += row[j];
	}
	sum = block_sum(sum, part);
	for (size_t j = threadIdx.x; j < s.K; j += THREADS)
		row[j] = j < from || j >= to ? 0 : row[j] / sum;
}

static void
cuda_softmax(void *dev, real *x, const struct kernel_relative *s)
{
	struct cuda *c = (struct cuda *)dev;

	LAUNCH(c, dim3((unsigned)s->T, (unsigned)s->H), THREADS, 0,
	    softmax_row, x, *s);
}

__global__ static void
slope_row(real *dp, const real *p, size_t T, size_t K)
{
	__shared__ float part[WARPS];
	size_t at = ((size_t)blockIdx.y * T + blockIdx.x) * K;
	float mean = 0;

	for (size_t j = threadIdx.x; j < K; j += THREADS)
		mean += p[at + j] * dp[at + j];
	mean = block_sum(mean, part);
	for (size_t j = threadIdx.x; j < K; j += THREADS)
		dp[at + j] = p[at + j] * (dp[at + j] - mean);
}

__global__ static void
bias_diagonals(real *dbias, const real *dx, struct kernel_relative s)
{
	__shared__ float part[WARPS];
	size_t n = blockIdx.x, h = blockIdx.y;
	float sum = 0;

	dx += h * s.T * s.K;
	for (size_t i = 0; i < s.T + s.K - 1; i++) {
		/* key j of query t: j + T - 1 - t is i */
		size_t first = i < s.T - 1 ? s.T - 1 - i : 0;

		if ((size_t)s.bucket[i] != n)
			continue;
		for (size_t t = first + threadIdx.x; t < s.T &&
		    i + t - (s.T - 1) < s.K; t += THREADS)
			sum += dx[t * s.K + (i + t - (s.T - 1))];
	}
	sum = block_sum(sum, part);
	if (threadIdx.x == 0)
		dbias[n * s.H + h] += sum;
}

static void
cuda_softmax_grad(void *dev, real *dp, real *dbias, const real *p,
    const struct kernel_relative *s)
{
	struct cuda *c = (struct cuda *)dev;

	LAUNCH(c, dim3((unsigned)s->T, (unsigned)s->H), THREADS, 0, slope_row,
	    dp, p, s->T, s->K);
	if (dbias != NULL)
		LAUNCH(c, dim3((unsigned)s->N, (unsigned)s->H), THREADS, 0,
		    bias_diagonals, dbias, dp, *s);
}
