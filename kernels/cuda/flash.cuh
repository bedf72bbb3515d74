/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention on tensor cores, where products may be of 16 bits: as attend.cuh
 * does it, with tiles of products (FlashAttention-2, Dao 2023).  A warp owns 16
 * rows; their scores, probabilities and slopes stay in its registers, which as
 * results of one product are laid out as the next one wants its operand.
 *
 * Going back, scores are made twice, for the queries and for the keys, so that
 * nothing is added by two blocks: the price of the same bytes each time.
 */
#include "kernels/cuda/attend.cuh"
#include "kernels/cuda/tile.cuh"

#define FLASH_WARPS	4
#define FLASH_THREADS	(FLASH_WARPS * WARP)
#define FLASH_ROWS	(FLASH_WARPS * MMA_M)	/* that a block owns */
#define FLASH_KEYS	64		/* a tile of keys */
#define FLASH_QUERIES	32		/* of queries, for keys' gradients */
#define FLASH_MOST	128		/* channels of a head */

#define WORDS(rows, D)	((rows) * TILE_WIDE(D))

/* first_seen - the first place that the query at place t sees */
static __device__ inline size_t
first_seen(const struct kernel_heads *s, size_t t)
{
	size_t text = s->from == NULL ? 0 : (size_t)s->from[t];
	size_t near = s->window == 0 || t < s->window ? 0 : t + 1 - s->window;

	return text > near ? text : near;
}

/* quad_max, quad_sum - of the four lanes that share rows */
static __device__ inline float
quad_max(float x)
{
	x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
	return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

static __device__ inline float
quad_sum(float x)
{
	x += __shfl_xor_sync(ALL_LANES, x, 1);
	return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

/* a lane's two rows on their way over the keys */
struct flash {
	size_t t[2], from[2], end[2];	/* place, what it sees */
	float max[2], sum[2];
};

static __device__ inline void
flash_begin(struct flash *f, const struct kernel_heads *s, size_t first)
{
	for (int r = 0; r < 2; r++) {
		f->t[r] = first + threadIdx.x % WARP / 4 + r * 8;
		f->from[r] = f->t[r] < s->T ? first_seen(s, f->t[r]) : s->T;
		f->end[r] = seen_end(s, f->t[r]);
		f->max[r] = -INFINITY;
		f->sum[r] = 0;
	}
}

/* flash_sees - does row r of the lane see the key at place j */
static __device__ inline bool
flash_sees(const struct flash *f, int r, size_t j)
{
	return f->from[r] <= j && j < f->end[r];
}

/* flash_weigh - dots of a tile of keys become weights of their values; what has
 * been summed so far, y, is brought to the same largest score */
template<int D> static __device__ inline void
flash_weigh(struct flash *f, const struct kernel_heads *s,
    float p[FLASH_KEYS / MMA_N][4], float y[D / MMA_N][4], size_t base)
{
	for (int r = 0; r < 2; r++) {
		float most = f->max[r], less;

UNROLL
		for (int i = 0; i < FLASH_KEYS / MMA_N * 2; i++) {
			size_t j = base + i / 2 * MMA_N + threadIdx.x % 4 * 2 +
			    i % 2;
			float *x = &p[i / 2][r * 2 + i % 2];

			*x = flash_sees(f, r, j) ? score_of(s, *x) :
			    -INFINITY;
			most = fmaxf(most, *x);
		}
		most = quad_max(most);
		less = most == -INFINITY ? 1 : expf(f->max[r] - most);
		f->max[r] = most;
		f->sum[r] *= less;
UNROLL
		for (int i = 0; i < FLASH_KEYS / MMA_N * 2; i++) {
			float *x = &p[i / 2][r * 2 + i % 2];

			*x = most == -INFINITY ? 0 : expf(*x - most);
			f->sum[r] += *x;
		}
UNROLL
		for (int i = 0; i < D / MMA_N * 2; i++)
			y[i / 2][r * 2 + i % 2] *= less;
	}
}

/* flash_rows - grid: tiles of queries, heads, sequences */
template<int D> __global__ static void
flash_rows(struct nums y, real *lse, struct nums q, struct nums k,
    struct nums v, struct kernel_heads s)
{
	DYNAMIC(shared);
	unsigned *keys = (unsigned *)shared;
	unsigned *values = keys + WORDS(FLASH_KEYS, D);
	unsigned *queries = values + WORDS(FLASH_KEYS, D);
	size_t T = s.T, h = blockIdx.y, b = blockIdx.z;
	size_t warp = threadIdx.x / WARP, first = blockIdx.x * FLASH_ROWS;
	size_t own = first + warp * MMA_M, last = first + FLASH_ROWS - 1;
	float sum[D / MMA_N][4], p[FLASH_KEYS / MMA_N][4], by[2];
	struct flash f;

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	q = nums_at(q, b * T * s.q + h * s.D);
	k = nums_at(k, b * T * s.k + h / (s.H / s.G) * s.D);
	v = nums_at(v, b * T * s.v + h / (s.H / s.G) * s.D);
	flash_begin(&f, &s, own);
	tile_zero<D>(sum);
	tile_fill<D>(queries, q, s.q, first, FLASH_ROWS, T, s.D);
	for (size_t base = first_seen(&s, first) / FLASH_KEYS * FLASH_KEYS;
	    base < seen_end(&s, last); base += FLASH_KEYS) {
		__syncthreads();
		tile_fill<D>(keys, k, s.k, base, FLASH_KEYS, T, s.D);
		tile_fill<D>(values, v, s.v, base, FLASH_KEYS, T, s.D);
		__syncthreads();
		if (seen_end(&s, own + MMA_M - 1) <= base)
			continue;	/* all lanes alike */
		tile_zero<FLASH_KEYS>(p);
		tile_rows<D, FLASH_KEYS>(p, queries + WORDS(warp * MMA_M, D),
		    keys);
		flash_weigh<D>(&f, &s, p, sum, base);
		tile_columns<D, FLASH_KEYS>(sum, p, values);
	}
	for (int r = 0; r < 2; r++) {
		float all = quad_sum(f.sum[r]);

		by[r] = 1 / all;
		if (f.t[r] < T && threadIdx.x % 4 == 0)
			lse[(b * s.H + h) * T + f.t[r]] = f.max[r] + logf(all);
	}
	tile_put<D>(nums_at(y, ((b * T + own) * s.H + h) * s.D), s.H * s.D,
	    sum, own, T, s.D, by);
}

/* flash_slope - of a dot product: p, its score's probability, and dp, what the
 * loss says of that, make dp the slope */
static __device__ inline void
flash_slope(const struct kernel_heads *s, bool seen, float *p, float *dp,
    float lse, float mean)
{
	float x = score_of(s, *p);

	*p = seen ? expf(x - lse) : 0;
	*dp = seen ? score_slope(s, x) * *p * (*dp - mean) : 0;
}

/* flash_queries - dq; grid: tiles of queries, heads, sequences */
template<int D> __global__ static void
flash_queries(struct nums dq, struct nums dy, const real *lse,
    const float *mean, struct nums q, struct nums k, struct nums v,
    struct kernel_heads s)
{
	DYNAMIC(shared);
	unsigned *keys = (unsigned *)shared;
	unsigned *values = keys + WORDS(FLASH_KEYS, D);
	unsigned *queries = values + WORDS(FLASH_KEYS, D);
	unsigned *slopes = queries + WORDS(FLASH_ROWS, D);
	size_t T = s.T, h = blockIdx.y, b = blockIdx.z;
	size_t warp = threadIdx.x / WARP, first = blockIdx.x * FLASH_ROWS;
	size_t own = first + warp * MMA_M, last = first + FLASH_ROWS - 1;
	float sum[D / MMA_N][4], p[FLASH_KEYS / MMA_N][4];
	float dp[FLASH_KEYS / MMA_N][4];
	const float by[2] = { 1, 1 };
	struct flash f;

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	q = nums_at(q, b * T * s.q + h * s.D);
	k = nums_at(k, b * T * s.k + h / (s.H / s.G) * s.D);
	v = nums_at(v, b * T * s.v + h / (s.H / s.G) * s.D);
	lse += (b * s.H + h) * T;
	mean += (b * s.H + h) * T;
	flash_begin(&f, &s, own);
	tile_zero<D>(sum);
	tile_fill<D>(queries, q, s.q, first, FLASH_ROWS, T, s.D);
	tile_fill<D>(slopes, nums_at(dy, (b * T * s.H + h) * s.D), s.H * s.D,
	    first, FLASH_ROWS, T, s.D);
	for (size_t base = first_seen(&s, first) / FLASH_KEYS * FLASH_KEYS;
	    base < seen_end(&s, last); base += FLASH_KEYS) {
		__syncthreads();
		tile_fill<D>(keys, k, s.k, base, FLASH_KEYS, T, s.D);
		tile_fill<D>(values, v, s.v, base, FLASH_KEYS, T, s.D);
		__syncthreads();
		if (seen_end(&s, own + MMA_M - 1) <= base)
			continue;
		tile_zero<FLASH_KEYS>(p);
		tile_zero<FLASH_KEYS>(dp);
		tile_rows<D, FLASH_KEYS>(p, queries + WORDS(warp * MMA_M, D),
		    keys);
		tile_rows<D, FLASH_KEYS>(dp, slopes + WORDS(warp * MMA_M, D),
		    values);
UNROLL
		for (int i = 0; i < FLASH_KEYS / MMA_N * 4; i++) {
			int n = i / 4, r = i / 2 % 2;
			bool seen = flash_sees(&f, r, base + n * MMA_N +
			    threadIdx.x % 4 * 2 + i % 2);

			flash_slope(&s, seen, &p[n][i % 4], &dp[n][i % 4],
			    seen ? lse[f.t[r]] : 0, seen ? mean[f.t[r]] : 0);
		}
		tile_columns<D, FLASH_KEYS>(sum, dp, keys);
	}
	tile_put<D>(nums_at(dq, (b * T + own) * s.q + h * s.D), s.q, sum, own,
	    T, s.D, by);
}

/* flash_keys - dk and dv; grid: tiles of keys, their heads, sequences */
template<int D> __global__ static void
flash_keys(struct nums dk, struct nums dv, struct nums dy, const real *lse,
    const float *mean, struct nums q, struct nums k, struct nums v,
    struct kernel_heads s)
{
	DYNAMIC(shared);
	unsigned *queries = (unsigned *)shared;
	unsigned *slopes = queries + WORDS(FLASH_QUERIES, D);
	unsigned *keys = slopes + WORDS(FLASH_QUERIES, D);
	unsigned *values = keys + WORDS(FLASH_ROWS, D);
	size_t T = s.T, g = blockIdx.y, b = blockIdx.z, per = s.H / s.G;
	size_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	size_t first = blockIdx.x * FLASH_ROWS, own = first + warp * MMA_M;
	size_t end = s.window == 0 || first + FLASH_ROWS - 1 + s.window > T ?
	    T : first + FLASH_ROWS - 1 + s.window;
	float sumk[D / MMA_N][4], sumv[D / MMA_N][4];
	float p[FLASH_QUERIES / MMA_N][4], dp[FLASH_QUERIES / MMA_N][4];
	const float by[2] = { 1, 1 };
	size_t begin = first;

	s.from = s.from == NULL ? NULL : s.from + b * T;
	s.to = s.to == NULL ? NULL : s.to + b * T;
	if (s.to != NULL) {		/* the text that is seen is who sees */
		begin = s.from == NULL ? 0 : (size_t)s.from[first];
		end = seen_end(&s, first + FLASH_ROWS - 1);
	}
	tile_zero<D>(sumk);
	tile_zero<D>(sumv);
	tile_fill<D>(keys, nums_at(k, b * T * s.k + g * s.D), s.k, first,
	    FLASH_ROWS, T, s.D);
	tile_fill<D>(values, nums_at(v, b * T * s.v + g * s.D), s.v, first,
	    FLASH_ROWS, T, s.D);
	for (size_t h = g * per; h < (g + 1) * per; h++)
		for (size_t base = begin / FLASH_QUERIES * FLASH_QUERIES;
		    base < end; base += FLASH_QUERIES) {
			const real *l = lse + (b * s.H + h) * T;
			const float *m = mean + (b * s.H + h) * T;

			__syncthreads();
			tile_fill<D>(queries, nums_at(q, b * T * s.q + h *
			    s.D), s.q, base, FLASH_QUERIES, T, s.D);
			tile_fill<D>(slopes, nums_at(dy, (b * T * s.H + h) *
			    s.D), s.H * s.D, base, FLASH_QUERIES, T, s.D);
			__syncthreads();
			if (s.to == NULL && base + FLASH_QUERIES <= own)
				continue;
			tile_zero<FLASH_QUERIES>(p);
			tile_zero<FLASH_QUERIES>(dp);
			tile_rows<D, FLASH_QUERIES>(p, keys +
			    WORDS(warp * MMA_M, D), queries);
			tile_rows<D, FLASH_QUERIES>(dp, values +
			    WORDS(warp * MMA_M, D), slopes);
UNROLL
			for (int i = 0; i < FLASH_QUERIES / MMA_N * 4; i++) {
				int n = i / 4;
				size_t j = own + lane / 4 + i / 2 % 2 * 8;
				size_t t = base + n * MMA_N + lane % 4 * 2 +
				    i % 2;
				bool seen = t < T && j < seen_end(&s, t) &&
				    first_seen(&s, t) <= j;

				flash_slope(&s, seen, &p[n][i % 4],
				    &dp[n][i % 4], seen ? l[t] : 0,
				    seen ? m[t] : 0);
			}
			tile_columns<D, FLASH_QUERIES>(sumv, p, slopes);
			tile_columns<D, FLASH_QUERIES>(sumk, dp, queries);
		}
	tile_put<D>(nums_at(dk, (b * T + own) * s.k + g * s.D), s.k, sumk,
	    own, T, s.D, by);
	tile_put<D>(nums_at(dv, (b * T + own) * s.v + g * s.D), s.v, sumv,
	    own, T, s.D, by);
}

/* flash_grid - tiles of rows, heads, sequences */
static dim3
flash_grid(const struct kernel_heads *s, size_t heads)
{
	return dim3((unsigned)((s->T + FLASH_ROWS - 1) / FLASH_ROWS),
	    (unsigned)heads, (unsigned)s->B);
}

template<int D> static void
flash_forward(struct cuda *c, real *y, real *lse, const real *q,
    const real *k, const real *v, const struct kernel_heads *s)
{
	LAUNCH(c, flash_grid(s, s->H), FLASH_THREADS, sizeof(unsigned) *
	    WORDS(2 * FLASH_KEYS + FLASH_ROWS, D), flash_rows<D>,
	    nums_of(c, y), lse, nums_of(c, q), nums_of(c, k), nums_of(c, v),
	    *s);
}

template<int D> static void
flash_back(struct cuda *c, real *dq, real *dk, real *dv, const real *dy,
    const real *lse, const real *q, const real *k, const real *v,
    const struct kernel_heads *s)
{
	LAUNCH(c, flash_grid(s, s->H), FLASH_THREADS, sizeof(unsigned) *
	    WORDS(2 * FLASH_KEYS + 2 * FLASH_ROWS, D), flash_queries<D>,
	    nums_of(c, dq), nums_of(c, dy), lse, c->work, nums_of(c, q),
	    nums_of(c, k), nums_of(c, v), *s);
	LAUNCH(c, flash_grid(s, s->G), FLASH_THREADS, sizeof(unsigned) *
	    WORDS(2 * FLASH_QUERIES + 2 * FLASH_ROWS, D), flash_keys<D>,
	    nums_of(c, dk), nums_of(c, dv), nums_of(c, dy), lse, c->work,
	    nums_of(c, q), nums_of(c, k), nums_of(c, v), *s);
}

/* flashes - is this for tensor cores */
static bool
flashes(const struct cuda *c, const struct kernel_heads *s)
{
	return c->precision != PRECISION_F32 && s->D <= FLASH_MOST &&
	    s->drop == 0;
}

static void
cuda_attend(void *dev, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *heads)
{
	struct cuda *c = (struct cuda *)dev;
	struct kernel_heads s = heads_for(heads);

	if (s.B * s.T * s.H * s.D == 0)
		return;
	if (!flashes(c, &s))
		attend_forward(c, y, lse, q, k, v, &s);
	else if (s.D <= FLASH_MOST / 2)
		flash_forward<FLASH_MOST / 2>(c, y, lse, q, k, v, &s);
	else
		flash_forward<FLASH_MOST>(c, y, lse, q, k, v, &s);
}

/* as many sequences at a time as the work memory has means for */
static void
cuda_attend_grad(void *dev, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *all)
{
	struct cuda *c = (struct cuda *)dev;
	size_t T = all->T, most = WORK_BYTES / sizeof(float) / (T * all->H);
	size_t wide = all->H * all->D, rows;
	struct kernel_heads s = heads_for(all);

	if (most == 0)
		panic("attention of %zu places and %zu heads", T, all->H);
	for (size_t b = 0; b < all->B; b += s.B) {
		s.B = all->B - b < most ? all->B - b : most;
		rows = s.B * T;
		LAUNCH(c, (unsigned)((rows * s.H + WARPS - 1) / WARPS),
		    THREADS, 0, attend_means, c->work, nums_of(c, dy),
		    nums_of(c, y), rows, T, s.H, s.D);
		if (!flashes(c, &s))
			attend_back(c, dq, dk, dv, dy, lse, q, k, v, &s);
		else if (s.D <= FLASH_MOST / 2)
			flash_back<FLASH_MOST / 2>(c, dq, dk, dv, dy, lse, q,
			    k, v, &s);
		else
			flash_back<FLASH_MOST>(c, dq, dk, dv, dy, lse, q, k,
			    v, &s);
		q += rows * s.q, dq += rows * s.q;
		k += rows * s.k, dk += rows * s.k;
		v += rows * s.v, dv += rows * s.v;
		y += rows * wide, dy += rows * wide;
		lse += rows * s.H;
		s.key = drop_from(s.key, rows * s.H * T);
		s.from = s.from == NULL ? NULL : s.from + rows;
		s.to = s.to == NULL ? NULL : s.to + rows;
	}
}
