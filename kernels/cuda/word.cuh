/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of words: embeddings, losses, and the sum of squares */
#include "kernels/cuda/grid.cuh"

__global__ static void
embed_rows(real *y, const real *token, const real *place, const int32_t *id,
    const int32_t *pos, size_t R, size_t C)
{
	EACH(i, R * C) {
		size_t r = i / C, c = i % C;

		y[i] = token[(size_t)id[r] * C + c] + (place == NULL ? 0 :
		    place[(size_t)pos[r] * C + c]);
	}
}

static void
cuda_embed(void *dev, real *y, const real *token, const real *place,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C > 0)
		LAUNCH(c, blocks_for(R * C), THREADS, 0, embed_rows, y, token,
		    place, id, pos, R, C);
}

/*
 * embed_sums - table[key[r]] += dy[r], rows in their order.  A block takes a
 * row; the first row of a key adds up all rows that have it and the others
 * leave, so nothing is added by two blocks and no order is left to chance.
 */
__global__ static void
embed_sums(real *table, const real *dy, const int32_t *key, size_t R, size_t C)
{
	__shared__ unsigned hit[WARPS];
	size_t me = blockIdx.x;
	int32_t mine = key[me];

	for (size_t base = 0; base < R; base += THREADS) {
		size_t r = base + threadIdx.x;
		unsigned here = __ballot_sync(ALL_LANES, r < R &&
		    key[r] == mine);

		if (threadIdx.x % WARP == 0)
			hit[threadIdx.x / WARP] = here;
		__syncthreads();
		for (size_t w = 0; w < WARPS; w++)
			for (unsigned left = hit[w]; left != 0;
			    left &= left - 1) {
				size_t at = base + w * WARP +
				    (size_t)__ffs((int)left) - 1;

				if (at < me)
					return;	/* every thread sees it */
				for (size_t c = threadIdx.x; c < C;
				    c += THREADS)
					table[(size_t)mine * C + c] +=
					    dy[at * C + c];
			}
		__syncthreads();
	}
}

static void
cuda_embed_grad(void *dev, real *dtoken, real *dplace, const real *dy,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C == 0)
		return;
	if (dtoken != NULL)
		LAUNCH(c, (unsigned)R, THREADS, 0, embed_sums, dtoken, dy, id,
		    R, C);
	if (dplace != NULL)
		LAUNCH(c, (unsigned)R, THREADS, 0, embed_sums, dplace, dy, pos,
		    R, C);
}

/* capped - cap * tanh(x / cap), or x */
static __device__ inline float
capped(float x, float cap)
{
	return cap == 0 ? x : cap * tanhf(x / cap);
}

/* classify_rows - a block takes a row: its largest logit and the sum of the
 * exponentials in one pass, then its gradient in place */
__global__ static void
classify_rows(real *loss, real *logits, const int32_t *target, size_t V,
    float scale, float cap)
{
	__shared__ float part[WARPS];
	real *x = logits + (size_t)blockIdx.x * V;
	int32_t want = target[blockIdx.x];
	float max = -INFINITY, sum = 0, most, lse;

	for (size_t i = threadIdx.x; i < V; i += THREADS) {
		float v = capped(x[i], cap);

		if (v > max) {
			sum = sum * expf(max - v) + 1;
			max = v;
		} else
			sum += expf(v - max);
	}
	most = block_max(max, part);
	sum = max == -INFINITY ? 0 : sum * expf(max - most);
	lse = most + logf(block_sum(sum, part));
	if (threadIdx.x == 0)
		loss[blockIdx.x] = want < 0 ? 0 : lse - capped(x[want], cap);
	__syncthreads();		/* thread 0 has read x[want] */
	for (size_t i = threadIdx.x; i < V && (scale != 0 || cap != 0);
	    i += THREADS) {
		float v = capped(x[i], cap);
		float slope = cap == 0 ? 1 : 1 - v / cap * (v / cap);

		if (scale != 0)
			v = want < 0 ? 0 : scale * slope * (expf(v - lse) -
			    (i == (size_t)want ? 1.0f : 0.0f));
		x[i] = v;
	}
}

static void
cuda_classify(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * V > 0)
		LAUNCH(c, (unsigned)R, THREADS, 0, classify_rows, loss, logits,
		    target, V, (float)scale, (float)cap);
}

#define SUM_BLOCKS	1024

/* sumsq_parts - each block's sum of squares, in double */
__global__ static void
sumsq_parts(double *parts, const real *x, size_t n)
{
	__shared__ double sum[THREADS];
	double mine = 0;

	EACH(i, n)
		mine += (double)x[i] * (double)x[i];
	sum[threadIdx.x] = mine;
	__syncthreads();
	for (unsigned way = THREADS / 2; way > 0; way /= 2) {
		if (threadIdx.x < way)
			sum[threadIdx.x] += sum[threadIdx.x + way];
		__syncthreads();
	}
	if (threadIdx.x == 0)
		parts[blockIdx.x] = sum[0];
}

static void cuda_get(void *dev, void *host, const void *from, size_t bytes);

static double
cuda_sumsq(void *dev, const real *x, size_t n)
{
	struct cuda *c = (struct cuda *)dev;
	double parts[SUM_BLOCKS], sum = 0;

	LAUNCH(c, SUM_BLOCKS, THREADS, 0, sumsq_parts, (double *)c->work, x,
	    n);
	cuda_get(dev, parts, c->work, sizeof(parts));
	for (size_t i = 0; i < SUM_BLOCKS; i++)
		sum += parts[i];
	return sum;
}
