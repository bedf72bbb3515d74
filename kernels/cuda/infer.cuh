/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inference asks for: a row's bytes do not depend on the rows beside it.
 *
 * A product's sum over K is cut into pieces of PIECE; each is added up in its
 * order by one thread and the pieces in theirs, whatever the number of rows.
 * Weights are packed as [K / 4][N][4], so that neighbouring threads, which take
 * neighbouring outputs, read neighbouring memory.
 */
#include "kernels/cuda/grid.cuh"

#define PIECE		128		/* of K */
#define LANES		8		/* pieces that a block has at once */
#define OUTPUTS		32		/* of a block: a warp's lanes */
#define ROWS		8		/* of a block */

static size_t
cuda_packed_size(void *dev, size_t N, size_t K)
{
	(void)dev;
	return (K + 3) / 4 * 4 * N * sizeof(float);
}

__global__ static void
pack_all(float *packed, const real *w, size_t N, size_t K)
{
	EACH(i, (K + 3) / 4 * 4 * N) {
		size_t k = i / (4 * N) * 4 + i % 4, n = i / 4 % N;

		packed[i] = k < K ? w[n * K + k] : 0;
	}
}

static void
cuda_pack(void *dev, void *packed, const real *w, size_t N, size_t K)
{
	struct cuda *c = (struct cuda *)dev;

	if (N * K > 0)
		LAUNCH(c, blocks_for((K + 3) / 4 * 4 * N), THREADS, 0,
		    pack_all, (float *)packed, w, N, K);
}

/* piece_sums - rows of x times output n over k = from to to - 1 */
static __device__ inline void
piece_sums(float sum[ROWS], const real *x, const float *packed, size_t rows,
    size_t n, size_t N, size_t K, size_t from, size_t to)
{
	for (size_t r = 0; r < ROWS; r++)
		sum[r] = 0;
	for (size_t k = from; k < to; k += 4) {
		const float *w = packed + (k / 4 * N + n) * 4;
		size_t left = to - k < 4 ? to - k : 4;

		for (size_t r = 0; r < ROWS; r++)
			for (size_t i = 0; i < left; i++)
				if (r < rows)
					sum[r] = fmaf(x[r * K + k + i], w[i],
					    sum[r]);
	}
}

/* product_rows - OUTPUTS columns of ROWS rows; each warp has its own pieces */
__global__ static void
product_rows(real *y, const real *x, const float *packed, size_t R, size_t N,
    size_t K)
{
	__shared__ float part[LANES][ROWS][OUTPUTS];
	size_t lane = threadIdx.x % OUTPUTS, at = threadIdx.x / OUTPUTS;
	size_t n = (size_t)blockIdx.x * OUTPUTS + lane;
	size_t first = (size_t)blockIdx.y * ROWS;
	size_t rows = R - first < ROWS ? R - first : ROWS;
	float sum[ROWS], all = 0;

	for (size_t base = 0; base < K; base += LANES * PIECE) {
		size_t from = base + at * PIECE;
		size_t to = from + PIECE < K ? from + PIECE : K;

		if (n < N && from < K) {
			piece_sums(sum, x + first * K, packed, rows, n, N, K,
			    from, to);
			for (size_t r = 0; r < ROWS; r++)
				part[at][r][lane] = sum[r];
		}
		__syncthreads();
		/* now a warp takes a row, and adds the pieces in order */
		for (size_t p = 0; p < LANES && base + p * PIECE < K; p++)
			all += part[p][at][lane];
		__syncthreads();
	}
	if (n < N && at < rows)
		y[(first + at) * N + n] = all;
}

static void
cuda_product(void *dev, real *y, const real *x, const void *packed, size_t R,
    size_t N, size_t K)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * N > 0)
		LAUNCH(c, dim3((unsigned)((N + OUTPUTS - 1) / OUTPUTS),
		    (unsigned)((R + ROWS - 1) / ROWS)), THREADS, 0,
		    product_rows, y, x, (const float *)packed, R, N, K);
}

/* place_of - a page holds its places one by one: keys, then values */
static __device__ inline size_t
place_of(const struct kernel_places *at, size_t slot, size_t place,
    size_t width)
{
	size_t page = (size_t)at->table[slot * at->per + place / KERNEL_PAGE];

	return (page * KERNEL_PAGE + place % KERNEL_PAGE) * 2 * width;
}

__global__ static void
store_rows(real *cache, const real *k, const real *v, struct kernel_places at,
    size_t R, size_t stride, size_t width)
{
	EACH(i, R * width) {
		size_t r = i / width, d = i % width;
		real *to = cache + place_of(&at, (size_t)at.slot[r],
		    (size_t)at.pos[r], width) + d;

		to[0] = k[r * stride + d];
		to[width] = v[r * stride + d];
	}
}

static void
cuda_store(void *dev, real *cache, const real *k, const real *v,
    const struct kernel_places *at, size_t R, size_t stride, size_t G,
    size_t D)
{
	struct cuda *c = (struct cuda *)dev;
	size_t width = G * D;

	if (R * width > 0)
		LAUNCH(c, blocks_for(R * width), THREADS, 0, store_rows, cache,
		    k, v, *at, R, stride, width);
}

#define LOOK_WARPS	4
#define LOOK_D		256		/* most channels of a head */

/* a warp's keys so far: their largest score, sum and weighted values */
struct look_part {
	float max, sum, y[LOOK_D];
};

/* look_keys - every LOOK_WARPS'th 32 keys; a lane scores a key, then the lanes
 * share out the channels of the values */
static __device__ inline void
look_keys(struct look_part *p, const real *q, const real *past, size_t n,
    size_t width, const struct kernel_heads *s,
    const struct kernel_places *at, size_t slot)
{
	size_t D = s->D, from = first_tile(s, n - 1);
	size_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	float acc[LOOK_D / WARP], max = -INFINITY, sum = 0;

	for (size_t i = 0; i < LOOK_D / WARP; i++)
		acc[i] = 0;
	for (size_t base = from + warp * WARP; base < n;
	    base += LOOK_WARPS * WARP) {
		float x = -INFINITY, w, most;

		if (sees(s, n - 1, base + lane)) {
			const real *key = past + place_of(at, slot, base +
			    lane, width);

			x = 0;
			for (size_t d = 0; d < D; d++)
				x = fmaf(q[d], key[d], x);
			x = score_of(s, x);
		}
		most = fmaxf(max, warp_max(x));
		w = expf(x - most);
		sum = sum * expf(max - most) + warp_sum(w);
		for (size_t i = 0; i < LOOK_D / WARP; i++)
			acc[i] *= expf(max - most);
		for (size_t j = 0; j < WARP && base + j < n; j++) {
			float wj = __shfl_sync(ALL_LANES, w, (int)j);
			const real *v = past + place_of(at, slot, base + j,
			    width) + width;

			for (size_t i = 0, d = lane; d < D; i++, d += WARP)
				acc[i] = fmaf(wj, v[d], acc[i]);
		}
		max = most;
	}
	for (size_t i = 0, d = lane; d < D; i++, d += WARP)
		p[warp].y[d] = acc[i];
	if (lane == 0) {
		p[warp].max = max;
		p[warp].sum = sum;
	}
}

/* look_rows - a block takes one head of one row */
__global__ static void
look_rows(real *y, const real *q, const real *cache,
    struct kernel_places at, struct kernel_heads s)
{
	__shared__ struct look_part part[LOOK_WARPS];
	size_t r = blockIdx.x, h = blockIdx.y, D = s.D, width = s.G * D;
	const real *past = cache + h / (s.H / s.G) * D;
	float max = -INFINITY, sum = 0;

	look_keys(part, q + r * s.q + h * D, past, (size_t)at.pos[r] + 1,
	    width, &s, &at, (size_t)at.slot[r]);
	__syncthreads();
	for (int w = 0; w < LOOK_WARPS; w++)
		max = fmaxf(max, part[w].max);
	for (int w = 0; w < LOOK_WARPS; w++)
		sum += part[w].sum * expf(part[w].max - max);
	for (size_t d = threadIdx.x; d < D; d += LOOK_WARPS * WARP) {
		float all = 0;

		for (int w = 0; w < LOOK_WARPS; w++)
			all += part[w].y[d] * expf(part[w].max - max);
		y[(r * s.H + h) * D + d] = all / sum;
	}
}

static void
cuda_look(void *dev, real *y, const real *q, const real *cache,
    const struct kernel_places *at, size_t R,
    const struct kernel_heads *heads)
{
	struct cuda *c = (struct cuda *)dev;
	struct kernel_heads s = heads_for(heads);

	if (R * s.H * s.D > 0)
		LAUNCH(c, dim3((unsigned)R, (unsigned)s.H), LOOK_WARPS * WARP,
		    0, look_rows, y, q, cache, *at, s);
}
