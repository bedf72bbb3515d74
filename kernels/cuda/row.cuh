/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and columns: biases, norms, positions, steps */
#include "kernels/cuda/nums.cuh"

/* parts_add - sum[n] += all parts[chunks][n], in their order */
__global__ static void
parts_add(float *sum, const float *parts, size_t chunks, size_t n)
{
	EACH(i, n) {
		float all = 0;

		for (size_t k = 0; k < chunks; k++)
			all += parts[k * n + i];
		sum[i] += all;
	}
}

__global__ static void
bias_all(struct nums y, const real *b, size_t n, size_t N)
{
	EACH4(i, n) {
		float v[FOUR];

		nums_get4(v, y, i, n);
		for (size_t k = 0; k < FOUR; k++)
			v[k] += b[(i + k) % N];
		nums_put4(y, i, n, v);
	}
}

static void
cuda_bias(void *dev, real *y, const real *b, size_t R, size_t N)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * N > 0)
		LAUNCH(c, blocks_for4(R * N), THREADS, 0, bias_all,
		    nums_of(c, y), b, R * N, N);
}

/* bias_parts - sums of columns over the rows of chunk blockIdx.y */
__global__ static void
bias_parts(float *parts, struct nums dy, size_t R, size_t N)
{
	size_t per = (R + gridDim.y - 1) / gridDim.y;
	size_t from = per * blockIdx.y, to = from + per < R ? from + per : R;

	EACH(n, N) {
		float sum = 0;

		for (size_t r = from; r < to; r++)
			sum += nums_get(dy, r * N + n);
		parts[(size_t)blockIdx.y * N + n] = sum;
	}
}

static void
cuda_bias_grad(void *dev, real *db, const real *dy, size_t R, size_t N)
{
	struct cuda *c = (struct cuda *)dev;
	size_t chunks = chunks_for(R, N);

	if (R * N == 0)
		return;
	LAUNCH(c, dim3(blocks_for(N), (unsigned)chunks), THREADS, 0,
	    bias_parts, c->work, nums_of(c, dy), R, N);
	LAUNCH(c, blocks_for(N), THREADS, 0, parts_add, db, c->work, chunks,
	    N);
}

__global__ static void
add_all(struct nums y, struct nums x, size_t n)
{
	EACH4(i, n) {
		float v[FOUR], w[FOUR];

		nums_get4(v, y, i, n);
		nums_get4(w, x, i, n);
		for (size_t k = 0; k < FOUR; k++)
			v[k] += w[k];
		nums_put4(y, i, n, v);
	}
}

static void
cuda_add(void *dev, real *y, const real *x, size_t n)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for4(n), THREADS, 0, add_all, nums_of(c, y),
		    nums_of(c, x), n);
}

/* rows of a norm: row i is head i % heads of line i / heads; lines of x and y
 * lie this far apart */
struct norm_lines {
	size_t rows, C, heads, x, y;
};

/* where a norm's rows are turned as well; table NULL: they are not */
struct norm_turn {
	const real *table;
	const int32_t *pos;
	size_t N;
};

/* turn_pair - of N numbers; si: minus the sine is the way back */
static __device__ inline void
turn_pair(struct nums x, size_t at, size_t half, float co, float si)
{
	float a = nums_get(x, at), b = nums_get(x, at + half);

	nums_put(x, at, a * co - b * si);
	nums_put(x, at + half, b * co + a * si);
}

/* turn_row - a warp turns a row back that it is to read */
static __device__ inline void
turn_row(struct nums y, const struct norm_turn *t, size_t line)
{
	size_t half = t->N / 2;
	const real *at = t->table + (size_t)t->pos[line] * t->N;

	for (size_t i = threadIdx.x % WARP; i < half; i += WARP)
		turn_pair(y, i, half, at[i], -at[i + half]);
	__syncwarp();
}

/* norm_put - a row's results; those of a pair that is turned come from one
 * lane, so that they are rounded once, if at all, and y may be x */
static __device__ inline void
norm_put(struct nums y, struct nums x, const real *w, const real *b,
    float mu, float s, size_t C, const struct norm_turn *t, size_t line)
{
	size_t half = t->table == NULL ? 0 : t->N / 2;
	const real *at = half == 0 ? NULL : t->table + (size_t)t->pos[line] *
	    t->N;

	for (size_t c = threadIdx.x % WARP; c < half; c += WARP) {
		float p = (nums_get(x, c) - mu) * s * w[c];
		float q = (nums_get(x, c + half) - mu) * s * w[c + half];

		nums_put(y, c, p * at[c] - q * at[c + half]);
		nums_put(y, c + half, q * at[c] + p * at[c + half]);
	}
	for (size_t c = 2 * half + threadIdx.x % WARP; c < C; c += WARP)
		nums_put(y, c, (nums_get(x, c) - mu) * s * w[c] + (b == NULL ?
		    0 : b[c]));
}

/* norm_rows - a warp takes a row; mean NULL: RMSNorm; more.p NULL: nothing is
 * added before */
__global__ static void
norm_rows(struct nums y, real *mean, real *keep, struct nums x,
    struct nums more, const real *w, const real *b, struct norm_lines n,
    float eps, struct norm_turn turn)
{
	size_t r = (size_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	size_t lane = threadIdx.x % WARP, C = n.C;
	float mu = 0, sq = 0, s;

	if (r >= n.rows)
		return;
	x = nums_at(x, r / n.heads * n.x + r % n.heads * C);
	for (size_t c = lane; more.p != NULL && c < C; c += WARP)
		nums_put(x, c, nums_get(x, c) + nums_get(more, r * C + c));
	y = nums_at(y, r / n.heads * n.y + r % n.heads * C);
	if (mean != NULL) {
		for (size_t c = lane; c < C; c += WARP)
			mu += nums_get(x, c);
		mu = warp_sum(mu) / (float)C;
	}
	for (size_t c = lane; c < C; c += WARP)
		sq += (nums_get(x, c) - mu) * (nums_get(x, c) - mu);
	s = 1 / sqrtf(warp_sum(sq) / (float)C + eps);
	norm_put(y, x, w, b, mu, s, C, &turn, r / n.heads);
	if (lane == 0) {
		keep[r] = s;
		if (mean != NULL)
			mean[r] = mu;
	}
}

/* norm_inputs - dx, laid out as x, gets the gradient of a row's input, or that
 * is added to it; dy is laid out as y, and turned back before */
__global__ static void
norm_inputs(struct nums dx, struct nums dy, struct nums x, const real *w,
    const real *mean, const real *keep, struct norm_lines n, bool add,
    struct norm_turn turn)
{
	size_t r = (size_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	size_t lane = threadIdx.x % WARP, C = n.C;
	float one = 0, two = 0, mu, s;

	if (r >= n.rows)
		return;
	x = nums_at(x, r / n.heads * n.x + r % n.heads * C);
	dx = nums_at(dx, r / n.heads * n.x + r % n.heads * C);
	dy = nums_at(dy, r / n.heads * n.y + r % n.heads * C);
	if (turn.table != NULL)
		turn_row(dy, &turn, r / n.heads);
	mu = mean == NULL ? 0 : mean[r];
	s = keep[r];
	for (size_t c = lane; c < C; c += WARP) {
		float g = nums_get(dy, c) * w[c];

		one += g;
		two += g * (nums_get(x, c) - mu) * s;
	}
	one = mean == NULL ? 0 : warp_sum(one) / (float)C;
	two = warp_sum(two) / (float)C;
	for (size_t c = lane; c < C; c += WARP) {
		float d = s * (nums_get(dy, c) * w[c] - one -
		    (nums_get(x, c) - mu) * s * two);

		nums_put(dx, c, add ? nums_get(dx, c) + d : d);
	}
}

/* norm_parts - sums for dw and, behind them, db over a chunk of rows */
__global__ static void
norm_parts(float *parts, struct nums dy, struct nums x, const real *mean,
    const real *keep, struct norm_lines n)
{
	size_t per = (n.rows + gridDim.y - 1) / gridDim.y;
	size_t from = per * blockIdx.y;
	size_t to = from + per < n.rows ? from + per : n.rows;
	float *at = parts + (size_t)blockIdx.y * 2 * n.C;

	EACH(c, n.C) {
		float dw = 0, db = 0;

		for (size_t r = from; r < to; r++) {
			float mu = mean == NULL ? 0 : mean[r];
			size_t line = r / n.heads, in = r % n.heads * n.C + c;
			float g = nums_get(dy, line * n.y + in);

			dw += g * (nums_get(x, line * n.x + in) - mu) *
			    keep[r];
			db += g;
		}
		at[c] = dw;
		at[n.C + c] = db;
	}
}

/* pairs_add - what norm_parts left, to dw and to db, each if it is given */
__global__ static void
pairs_add(real *dw, real *db, const float *parts, size_t chunks, size_t C)
{
	EACH(i, 2 * C) {
		real *to = i < C ? dw : db;
		float all = 0;

		if (to == NULL)
			continue;
		for (size_t k = 0; k < chunks; k++)
			all += parts[k * 2 * C + i];
		to[i % C] += all;
	}
}

static const struct norm_turn no_turn = { NULL, NULL, 0 };

static void
norm(struct cuda *c, real *y, real *mean, real *keep, const real *x,
    const real *more, const real *w, const real *b, struct norm_lines n,
    double eps, struct norm_turn turn)
{
	if (n.rows * n.C > 0)
		LAUNCH(c, (unsigned)((n.rows + WARPS - 1) / WARPS), THREADS, 0,
		    norm_rows, nums_of(c, y), mean, keep, nums_of(c, x),
		    nums_of(c, more), w, b, n, (float)eps, turn);
}

/* norm_grad - mean and db NULL: RMSNorm's; add: to dx; the inputs first, since
 * they turn dy back */
static void
norm_grad(struct cuda *c, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep,
    struct norm_lines n, bool add, struct norm_turn turn)
{
	size_t chunks = chunks_for(n.rows, 2 * n.C);

	if (n.rows * n.C == 0)
		return;
	LAUNCH(c, (unsigned)((n.rows + WARPS - 1) / WARPS), THREADS, 0,
	    norm_inputs, nums_of(c, dx), nums_of(c, dy), nums_of(c, x), w,
	    mean, keep, n, add, turn);
	if (dw == NULL && db == NULL)
		return;
	LAUNCH(c, dim3(blocks_for(n.C), (unsigned)chunks), THREADS, 0,
	    norm_parts, c->work, nums_of(c, dy), nums_of(c, x), mean, keep, n);
	LAUNCH(c, blocks_for(2 * n.C), THREADS, 0, pairs_add, dw, db, c->work,
	    chunks, n.C);
}

/* whole_rows - of C channels without gaps */
static struct norm_lines
whole_rows(size_t R, size_t C)
{
	struct norm_lines n = { R, C, 1, C, C };

	return n;
}

static void
cuda_layernorm(void *dev, real *y, real *mean, real *keep, const real *x,
    const real *w, const real *b, size_t R, size_t C, double eps)
{
	norm((struct cuda *)dev, y, mean, keep, x, NULL, w, b,
	    whole_rows(R, C), eps, no_turn);
}

static void
cuda_layernorm_grad(void *dev, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep,
    size_t R, size_t C)
{
	norm_grad((struct cuda *)dev, dx, dw, db, dy, x, w, mean, keep,
	    whole_rows(R, C), true, no_turn);
}

static void
cuda_rmsnorm(void *dev, real *y, real *keep, const real *x, const real *w,
    size_t R, size_t C, double eps)
{
	norm((struct cuda *)dev, y, NULL, keep, x, NULL, w, NULL,
	    whole_rows(R, C), eps, no_turn);
}

static void
cuda_rmsnorm_grad(void *dev, real *dx, real *dw, const real *dy,
    const real *x, const real *w, const real *keep, size_t R, size_t C)
{
	norm_grad((struct cuda *)dev, dx, dw, NULL, dy, x, w, NULL, keep,
	    whole_rows(R, C), true, no_turn);
}

static void
cuda_headnorm(void *dev, real *y, size_t ystride, real *keep, const real *x,
    size_t xstride, const real *w, size_t R, size_t heads, size_t D,
    double eps)
{
	struct norm_lines n = { R * heads, D, heads, xstride, ystride };

	norm((struct cuda *)dev, y, NULL, keep, x, NULL, w, NULL, n, eps,
	    no_turn);
}

static void
cuda_headnorm_grad(void *dev, real *dx, real *dw, const real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, size_t R, size_t heads, size_t D)
{
	struct norm_lines n = { R * heads, D, heads, xstride, ystride };

	norm_grad((struct cuda *)dev, dx, dw, NULL, dy, x, w, NULL, keep, n,
	    false, no_turn);
}

__global__ static void
rope_pairs(struct nums x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, size_t N, int back)
{
	size_t half = N / 2;

	EACH(i, R * heads * half) {
		size_t r = i / (heads * half), h = i / half % heads;
		size_t d = i % half;
		const real *t = table + (size_t)pos[r] * N + d;

		turn_pair(x, r * stride + h * D + d, half, t[0], back ?
		    -t[half] : t[half]);
	}
}

static void
cuda_rope(void *dev, real *x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, size_t N, int back)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * heads * (N / 2) > 0)
		LAUNCH(c, blocks_for(R * heads * (N / 2)), THREADS, 0,
		    rope_pairs, nums_of(c, x), table, pos, R, stride, heads, D,
		    N, back);
}

static void
cuda_add_norm(void *dev, real *y, real *mean, real *keep, real *x,
    const real *r, const real *w, const real *b, size_t R, size_t C,
    double eps)
{
	norm((struct cuda *)dev, y, mean, keep, x, r, w, b, whole_rows(R, C),
	    eps, no_turn);
}

static void
cuda_headnorm_rope(void *dev, real *y, size_t ystride, real *keep,
    const real *x, size_t xstride, const real *w, const real *table,
    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
    double eps)
{
	struct norm_lines n = { R * heads, D, heads, xstride, ystride };
	struct norm_turn turn = { table, pos, N };

	norm((struct cuda *)dev, y, NULL, keep, x, NULL, w, NULL, n, eps,
	    turn);
}

static void
cuda_headnorm_rope_grad(void *dev, real *dx, real *dw, real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, const real *table, const int32_t *pos, size_t R,
    size_t heads, size_t D, size_t N)
{
	struct norm_lines n = { R * heads, D, heads, xstride, ystride };
	struct norm_turn turn = { table, pos, N };

	norm_grad((struct cuda *)dev, dx, dw, NULL, dy, x, w, NULL, keep, n,
	    false, turn);
}

/* what AdamW's step needs, made on the host in double */
struct adamw_step {
	float beta1, beta2, more1, more2;	/* more: 1 - beta */
	float scale, rate, still, root, eps;	/* root: 1/sqrt of bias 2 */
};

__global__ static void
adamw_all(real *p, const real *g, real *m, real *v, size_t n,
    struct adamw_step o)
{
	EACH(i, n) {
		float d = g[i] * o.scale;
		float m1 = o.beta1 * m[i] + o.more1 * d;
		float v1 = o.beta2 * v[i] + o.more2 * d * d;

		m[i] = m1;
		v[i] = v1;
		p[i] = p[i] * o.still - o.rate * m1 / (sqrtf(v1) * o.root +
		    o.eps);
	}
}

static void
cuda_adamw(void *dev, real *p, const real *g, real *m, real *v, size_t n,
    const struct kernel_adamw *o)
{
	struct cuda *c = (struct cuda *)dev;
	struct adamw_step s = { (float)o->beta1, (float)o->beta2,
	    (float)(1 - o->beta1), (float)(1 - o->beta2), (float)o->scale,
	    (float)(o->lr / (1 - pow(o->beta1, (double)o->step))),
	    (float)(1 - o->lr * o->decay),
	    (float)(1 / sqrt(1 - pow(o->beta2, (double)o->step))),
	    (float)o->eps };

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, adamw_all, p, g, m, v, n,
		    s);
}
