/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_ATTEND_CUH
#define CUDA_ATTEND_CUH

/*
 * Attention as FlashAttention computes it (Dao et al. 2022): keys and
 * values come through shared memory 32 at a time, scores are never stored, a
 * row keeps its largest score, their sum and its weighted values.  A warp has a
 * few rows; a lane scores a key, then the lanes share out the channels.
 *
 * Going back, queries and keys each have a kernel of their own, which computes
 * the scores anew and adds up what is its own in a fixed order: no atomics, and
 * the heads that share a key are added up where the key is.
 */
#include "kernels/cuda/nums.cuh"
#include "kernels/drop.h"

#define ATTEND_WARPS	4
#define ATTEND_THREADS	(ATTEND_WARPS * WARP)
#define TILE		WARP		/* rows in shared memory, a lane each */
#define HEAD_MOST	256		/* channels of a head */
#define SLICES		(HEAD_MOST / WARP)
#define QUERIES		4		/* of a warp, going forward */
#define OWN		2		/* rows of a warp, going back */

/* load_rows - n rows of D from row `first` on into shared memory, `wide` apart;
 * those at or behind `end` are zeros */
static __device__ inline void
load_rows(float *to, size_t wide, struct nums from, size_t stride,
    size_t first, size_t n, size_t end, size_t D)
{
	for (size_t i = threadIdx.x; i < n * D; i += blockDim.x) {
		size_t r = i / D, d = i % D;

		to[r * wide + d] = first + r < end ?
		    nums_get(from, (first + r) * stride + d) : 0;
	}
}

/* score_of - a scaled product with the cap on it; score_slope - by the product
 * before it was scaled */
static __device__ inline float
score_of(const struct kernel_heads *s, float dot)
{
	float x = dot * (float)s->scale, cap = (float)s->cap;

	return cap == 0 ? x : cap * tanhf(x / cap);
}

static __device__ inline float
score_slope(const struct kernel_heads *s, float score)
{
	float x = s->cap == 0 ? 0 : score / (float)s->cap;

	return (float)s->scale * (1 - x * x);
}

/* sees - does the query at place t see the key at place j; from and to are the
 * sequence's by now */
static __device__ inline bool
sees(const struct kernel_heads *s, size_t t, size_t j)
{
	if (s->to != NULL)
		return j < (size_t)s->to[t] && (s->from == NULL ||
		    (size_t)s->from[t] <= j);
	return j <= t && (s->window == 0 || t - j < s->window) &&
	    (s->from == NULL || (size_t)s->from[t] <= j);
}

/* kept_of - what dropout makes of a probability 1: 0 or more than 1; row: where
 * its row's draws begin */
static __device__ inline float
kept_of(const struct kernel_heads *s, size_t row, size_t j)
{
	if (s->drop == 0)
		return 1;
	return drop_draw(s->key, row + j) < drop_below(s->drop) ? 0 :
	    (float)(1 / (1 - s->drop));
}

/* seen_end - the place behind the last key that a query at place t sees */
static __device__ inline size_t
seen_end(const struct kernel_heads *s, size_t t)
{
	t = t < s->T ? t : s->T - 1;
	return s->to == NULL ? t + 1 : (size_t)s->to[t];
}

/* first_tile - the first tile of keys that a query at place t sees */
static __device__ inline size_t
first_tile(const struct kernel_heads *s, size_t t)
{
	size_t text = s->from == NULL ? 0 : (size_t)s->from[t];
	size_t seen = s->window == 0 || t < s->window ? 0 : t + 1 - s->window;

	return (text > seen ? text : seen) / TILE * TILE;
}

/* dot_rows - of two rows in shared memory */
static __device__ inline float
dot_rows(const float *a, const float *b, size_t D)
{
	float sum = 0;

	for (size_t d = 0; d < D; d++)
		sum = fmaf(a[d], b[d], sum);
	return sum;
}

/* add_rows - acc += the lanes' weights times the TILE rows */
static __device__ inline void
add_rows(float acc[SLICES], float weight, const float *rows, size_t wide,
    size_t D)
{
	size_t lane = threadIdx.x % WARP;

	for (int j = 0; j < TILE; j++) {
		float w = __shfl_sync(ALL_LANES, weight, j);

UNROLL
		for (size_t i = 0; i < SLICES; i++)
			if (lane + i * WARP < D)
				acc[i] = fmaf(w, rows[(size_t)j * wide + lane +
				    i * WARP], acc[i]);
	}
}

/* put_row - a lane's channels times x to a row */
static __device__ inline void
put_row(struct nums to, const float acc[SLICES], float x, size_t D)
{
	size_t lane = threadIdx.x % WARP;

UNROLL
	for (size_t i = 0; i < SLICES; i++)
		if (lane + i * WARP < D)
			nums_put(to, lane + i * WARP, acc[i] * x);
}

/* a query on its way over the keys */
struct query {
	float max, sum, y[SLICES];
};

/* query_keys - one more tile; score: this lane's, -INFINITY if it is masked;
 * kept: by dropout */
static __device__ inline void
query_keys(struct query *q, float score, float kept, const float *values,
    size_t D)
{
	float most = fmaxf(q->max, warp_max(score));
	float w, less;

	if (most == -INFINITY)		/* nothing in sight yet */
		return;
	w = expf(score - most);
	less = expf(q->max - most);

	q->sum = q->sum * less + warp_sum(w);
	q->max = most;
UNROLL
	for (size_t i = 0; i < SLICES; i++)
		q->y[i] *= less;
	add_rows(q->y, w * kept, values, D, D);
}

/* attend_rows - grid: tiles of queries, heads, sequences */
__global__ static void
attend_rows(struct nums y, real *lse, struct nums q, struct nums k,
    struct nums v, struct kernel_heads s)
{
	DYNAMIC(shared);
	size_t D = s.D, T = s.T, h = blockIdx.y, b = blockIdx.z;
	float *keys = shared, *values = keys + TILE * (D + 1);
	float *queries = values + TILE * D;
	size_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	size_t first = (size_t)blockIdx.x * ATTEND_WARPS * QUERIES;
	size_t own = first + warp * QUERIES;
	size_t last = first + ATTEND_WARPS * QUERIES - 1;
	struct query at[QUERIES];

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	q = nums_at(q, b * T * s.q + h * D);
	k = nums_at(k, b * T * s.k + h / (s.H / s.G) * D);
	v = nums_at(v, b * T * s.v + h / (s.H / s.G) * D);
	for (int i = 0; i < QUERIES; i++) {
		at[i].max = -INFINITY;
		at[i].sum = 0;
		for (int c = 0; c < SLICES; c++)
			at[i].y[c] = 0;
	}
	load_rows(queries, D, q, s.q, first, ATTEND_WARPS * QUERIES, T, D);
	for (size_t base = first_tile(&s, first); base < seen_end(&s, last);
	    base += TILE) {
		__syncthreads();
		load_rows(keys, D + 1, k, s.k, base, TILE, T, D);
		load_rows(values, D, v, s.v, base, TILE, T, D);
		__syncthreads();
UNROLL
		for (size_t i = 0; i < QUERIES; i++) {
			size_t t = own + i;

			if (t >= T || seen_end(&s, t) <= base)
				continue;	/* all lanes alike */
			query_keys(&at[i], !sees(&s, t, base + lane) ?
			    -INFINITY : score_of(&s, dot_rows(queries +
			    (t - first) * D, keys + lane * (D + 1), D)),
			    kept_of(&s, ((b * s.H + h) * T + t) * T, base +
			    lane), values, D);
		}
	}
UNROLL
	for (size_t i = 0; i < QUERIES; i++) {
		size_t t = own + i;

		if (t >= T)
			continue;
		put_row(nums_at(y, ((b * T + t) * s.H + h) * D), at[i].y,
		    1 / at[i].sum, D);
		if (lane == 0)
			lse[(b * s.H + h) * T + t] = at[i].max +
			    logf(at[i].sum);
	}
}

/* heads_for - with its scale in place */
static struct kernel_heads
heads_for(const struct kernel_heads *s)
{
	struct kernel_heads own = *s;

	if (own.scale == 0)
		own.scale = 1 / sqrt((double)own.D);
	return own;
}

/* attend_forward - of 32 bits */
static void
attend_forward(struct cuda *c, real *y, real *lse, const real *q,
    const real *k, const real *v, const struct kernel_heads *s)
{
	size_t rows = ATTEND_WARPS * QUERIES;
	size_t shared = (TILE * (2 * s->D + 1) + rows * s->D) * sizeof(float);

	LAUNCH(c, dim3((unsigned)((s->T + rows - 1) / rows), (unsigned)s->H,
	    (unsigned)s->B), ATTEND_THREADS, shared, attend_rows,
	    nums_of(c, y), lse, nums_of(c, q), nums_of(c, k), nums_of(c, v),
	    *s);
}

/* attend_means - mean[B,H,T] of dy times y, which every score's slope needs */
__global__ static void
attend_means(float *mean, struct nums dy, struct nums y, size_t rows,
    size_t T, size_t H, size_t D)
{
	size_t at = (size_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	size_t r = at / H, h = at % H, lane = threadIdx.x % WARP;
	float sum = 0;

	if (at >= rows * H)
		return;
	for (size_t d = lane; d < D; d += WARP)
		sum += nums_get(dy, at * D + d) * nums_get(y, at * D + d);
	sum = warp_sum(sum);
	if (lane == 0)
		mean[(r / T * H + h) * T + r % T] = sum;
}

/* attend_queries - dq; grid: tiles of queries, heads, sequences */
__global__ static void
attend_queries(struct nums dq, struct nums dy, const real *lse,
    const float *mean, struct nums q, struct nums k, struct nums v,
    struct kernel_heads s)
{
	DYNAMIC(shared);
	size_t D = s.D, T = s.T, h = blockIdx.y, b = blockIdx.z;
	float *keys = shared, *values = keys + TILE * (D + 1);
	float *queries = values + TILE * (D + 1);
	float *slopes = queries + ATTEND_WARPS * OWN * D;
	float acc[OWN][SLICES];
	size_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	size_t first = (size_t)blockIdx.x * ATTEND_WARPS * OWN;
	size_t last = first + ATTEND_WARPS * OWN - 1;

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	q = nums_at(q, b * T * s.q + h * D);
	k = nums_at(k, b * T * s.k + h / (s.H / s.G) * D);
	v = nums_at(v, b * T * s.v + h / (s.H / s.G) * D);
	lse += (b * s.H + h) * T;
	mean += (b * s.H + h) * T;
	for (int i = 0; i < OWN; i++)
		for (int c = 0; c < SLICES; c++)
			acc[i][c] = 0;
	load_rows(queries, D, q, s.q, first, ATTEND_WARPS * OWN, T, D);
	load_rows(slopes, D, nums_at(dy, (b * T * s.H + h) * D), s.H * D,
	    first, ATTEND_WARPS * OWN, T, D);
	for (size_t base = first_tile(&s, first); base < seen_end(&s, last);
	    base += TILE) {
		__syncthreads();
		load_rows(keys, D + 1, k, s.k, base, TILE, T, D);
		load_rows(values, D + 1, v, s.v, base, TILE, T, D);
		__syncthreads();
UNROLL
		for (size_t i = 0; i < OWN; i++) {
			size_t row = warp * OWN + i, t = first + row;
			float ds = 0, x;

			if (t >= T || seen_end(&s, t) <= base)
				continue;
			if (sees(&s, t, base + lane)) {
				x = score_of(&s, dot_rows(queries + row * D,
				    keys + lane * (D + 1), D));
				ds = score_slope(&s, x) * expf(x - lse[t]) *
				    (kept_of(&s, ((b * s.H + h) * T + t) * T,
				    base + lane) * dot_rows(slopes + row * D,
				    values + lane * (D + 1), D) - mean[t]);
			}
			add_rows(acc[i], ds, keys, D + 1, D);
		}
	}
UNROLL
	for (size_t i = 0; i < OWN; i++)
		if (first + warp * OWN + i < T)
			put_row(nums_at(dq, (b * T + first + warp * OWN + i) *
			    s.q + h * D), acc[i], 1, D);
}

/* attend_keys - dk and dv; grid: tiles of keys, their heads, sequences */
__global__ static void
attend_keys(struct nums dk, struct nums dv, struct nums dy, const real *lse,
    const float *mean, struct nums q, struct nums k, struct nums v,
    struct kernel_heads s)
{
	DYNAMIC(shared);
	size_t D = s.D, T = s.T, g = blockIdx.y, b = blockIdx.z;
	size_t per = s.H / s.G;
	float *queries = shared, *slopes = queries + TILE * (D + 1);
	float *keys = slopes + TILE * (D + 1);
	float *values = keys + ATTEND_WARPS * OWN * D;
	float ak[OWN][SLICES], av[OWN][SLICES];
	size_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	size_t first = (size_t)blockIdx.x * ATTEND_WARPS * OWN;
	size_t last = first + ATTEND_WARPS * OWN - 1, end = s.window == 0 ||
	    last + s.window > T ? T : last + s.window, begin = first;

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	if (s.to != NULL) {		/* the text that is seen is who sees */
		begin = s.from == NULL ? 0 : (size_t)s.from[first];
		end = seen_end(&s, last);
	}
	for (int i = 0; i < OWN; i++)
		for (int c = 0; c < SLICES; c++)
			ak[i][c] = av[i][c] = 0;
	load_rows(keys, D, nums_at(k, b * T * s.k + g * D), s.k, first,
	    ATTEND_WARPS * OWN, T, D);
	load_rows(values, D, nums_at(v, b * T * s.v + g * D), s.v, first,
	    ATTEND_WARPS * OWN, T, D);
	for (size_t h = g * per; h < (g + 1) * per; h++)
		for (size_t base = begin / TILE * TILE; base < end;
		    base += TILE) {
			size_t t = base + lane;
			size_t at = (b * s.H + h) * T + t;

			__syncthreads();
			load_rows(queries, D + 1, nums_at(q, b * T * s.q +
			    h * D), s.q, base, TILE, T, D);
			load_rows(slopes, D + 1, nums_at(dy, (b * T * s.H +
			    h) * D), s.H * D, base, TILE, T, D);
			__syncthreads();
UNROLL
			for (size_t i = 0; i < OWN; i++) {
				size_t row = warp * OWN + i;
				float p = 0, ds = 0, x, kept;

				if (t < T && sees(&s, t, first + row)) {
					x = score_of(&s, dot_rows(queries +
					    lane * (D + 1), keys + row * D,
					    D));
					p = expf(x - lse[at]);
					kept = kept_of(&s, at * T, first +
					    row);
					ds = score_slope(&s, x) * p * (kept *
					    dot_rows(slopes + lane * (D + 1),
					    values + row * D, D) - mean[at]);
					p *= kept;
				}
				add_rows(av[i], p, slopes, D + 1, D);
				add_rows(ak[i], ds, queries, D + 1, D);
			}
		}
UNROLL
	for (size_t i = 0; i < OWN; i++) {
		size_t j = first + warp * OWN + i;

		if (j >= T)
			continue;
		put_row(nums_at(dk, (b * T + j) * s.k + g * D), ak[i], 1, D);
		put_row(nums_at(dv, (b * T + j) * s.v + g * D), av[i], 1, D);
	}
}

/* attend_back - of 32 bits */
static void
attend_back(struct cuda *c, real *dq, real *dk, real *dv, const real *dy,
    const real *lse, const real *q, const real *k, const real *v,
    const struct kernel_heads *s)
{
	size_t own = ATTEND_WARPS * OWN;
	size_t shared = (2 * TILE * (s->D + 1) + 2 * own * s->D) *
	    sizeof(float);
	unsigned tiles = (unsigned)((s->T + own - 1) / own);

	LAUNCH(c, dim3(tiles, (unsigned)s->H, (unsigned)s->B), ATTEND_THREADS,
	    shared, attend_queries, nums_of(c, dq), nums_of(c, dy), lse,
	    c->work, nums_of(c, q), nums_of(c, k), nums_of(c, v), *s);
	LAUNCH(c, dim3(tiles, (unsigned)s->G, (unsigned)s->B), ATTEND_THREADS,
	    shared, attend_keys, nums_of(c, dk), nums_of(c, dv),
	    nums_of(c, dy), lse, c->work, nums_of(c, q), nums_of(c, k),
	    nums_of(c, v), *s);
}

#endif
