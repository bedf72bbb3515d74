/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, alone and as gates; capped numbers; dropout */
#include "kernels/cuda/nums.cuh"
#include "kernels/drop.h"

#define GELU_A		0.79788456080286535588f	/* sqrt(2/pi) */
#define GELU_B		0.044715f
#define ROOT_HALF	0.70710678118654752440f
#define DENSITY		0.39894228040143267794f	/* 1/sqrt(2 pi) */

static __device__ inline float
act_of(float v, enum kernel_act kind)
{
	switch (kind) {
	case ACT_GELU:
		return 0.5f * v * (1 + tanhf(GELU_A * (v + GELU_B * v * v *
		    v)));
	case ACT_GELU_ERF:
		return 0.5f * v * (1 + erff(v * ROOT_HALF));
	case ACT_SILU:
		return v / (1 + expf(-v));
	default:
		return v > 0 ? v : 0;
	}
}

static __device__ inline float
act_slope(float v, enum kernel_act kind)
{
	float t;

	switch (kind) {
	case ACT_GELU:
		t = tanhf(GELU_A * (v + GELU_B * v * v * v));
		return 0.5f * (1 + t) + 0.5f * v * (1 - t * t) * GELU_A *
		    (1 + 3 * GELU_B * v * v);
	case ACT_GELU_ERF:
		return 0.5f * (1 + erff(v * ROOT_HALF)) + v * DENSITY *
		    expf(-0.5f * v * v);
	case ACT_SILU:
		t = 1 / (1 + expf(-v));
		return t * (1 + v * (1 - t));
	default:
		return v > 0 ? 1 : 0;
	}
}

__global__ static void
act_all(struct nums y, struct nums x, size_t n, enum kernel_act kind)
{
	EACH4(i, n) {
		float v[FOUR];

		nums_get4(v, x, i, n);
		for (size_t k = 0; k < FOUR; k++)
			v[k] = act_of(v[k], kind);
		nums_put4(y, i, n, v);
	}
}

static void
cuda_act(void *dev, real *y, const real *x, size_t n, enum kernel_act kind)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for4(n), THREADS, 0, act_all, nums_of(c, y),
		    nums_of(c, x), n, kind);
}

__global__ static void
act_slopes(struct nums dx, struct nums dy, struct nums x, size_t n,
    enum kernel_act kind)
{
	EACH4(i, n) {
		float v[FOUR], d[FOUR];

		nums_get4(v, x, i, n);
		nums_get4(d, dy, i, n);
		for (size_t k = 0; k < FOUR; k++)
			d[k] *= act_slope(v[k], kind);
		nums_put4(dx, i, n, d);
	}
}

static void
cuda_act_grad(void *dev, real *dx, const real *dy, const real *x, size_t n,
    enum kernel_act kind)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for4(n), THREADS, 0, act_slopes,
		    nums_of(c, dx), nums_of(c, dy), nums_of(c, x), n, kind);
}

__global__ static void
glu_all(struct nums y, struct nums x, size_t R, size_t F,
    enum kernel_act kind)
{
	EACH(i, R * F) {
		size_t at = i / F * 2 * F + i % F;

		nums_put(y, i, act_of(nums_get(x, at), kind) *
		    nums_get(x, at + F));
	}
}

/* glu_fours - where F is a multiple of 4 */
__global__ static void
glu_fours(struct nums y, struct nums x, size_t R, size_t F,
    enum kernel_act kind)
{
	EACH4(i, R * F) {
		size_t at = i / F * 2 * F + i % F;
		float g[FOUR], u[FOUR];

		nums_get4(g, x, at, 2 * R * F);
		nums_get4(u, x, at + F, 2 * R * F);
		for (size_t k = 0; k < FOUR; k++)
			g[k] = act_of(g[k], kind) * u[k];
		nums_put4(y, i, R * F, g);
	}
}

static void
cuda_glu(void *dev, real *y, const real *x, size_t R, size_t F,
    enum kernel_act kind)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * F > 0 && F % FOUR == 0)
		LAUNCH(c, blocks_for4(R * F), THREADS, 0, glu_fours,
		    nums_of(c, y), nums_of(c, x), R, F, kind);
	else if (R * F > 0)
		LAUNCH(c, blocks_for(R * F), THREADS, 0, glu_all,
		    nums_of(c, y), nums_of(c, x), R, F, kind);
}

__global__ static void
glu_slopes(struct nums dx, struct nums dy, struct nums x, size_t R,
    size_t F, enum kernel_act kind)
{
	EACH(i, R * F) {
		size_t at = i / F * 2 * F + i % F;
		float g = nums_get(x, at), u = nums_get(x, at + F);
		float d = nums_get(dy, i);

		nums_put(dx, at, d * u * act_slope(g, kind));
		nums_put(dx, at + F, d * act_of(g, kind));
	}
}

__global__ static void
glu_slopes_fours(struct nums dx, struct nums dy, struct nums x, size_t R,
    size_t F, enum kernel_act kind)
{
	EACH4(i, R * F) {
		size_t at = i / F * 2 * F + i % F;
		float g[FOUR], u[FOUR], d[FOUR], slope;

		nums_get4(g, x, at, 2 * R * F);
		nums_get4(u, x, at + F, 2 * R * F);
		nums_get4(d, dy, i, R * F);
		for (size_t k = 0; k < FOUR; k++) {
			slope = d[k] * u[k] * act_slope(g[k], kind);
			u[k] = d[k] * act_of(g[k], kind);
			g[k] = slope;
		}
		nums_put4(dx, at, 2 * R * F, g);
		nums_put4(dx, at + F, 2 * R * F, u);
	}
}

static void
cuda_glu_grad(void *dev, real *dx, const real *dy, const real *x, size_t R,
    size_t F, enum kernel_act kind)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * F > 0 && F % FOUR == 0)
		LAUNCH(c, blocks_for4(R * F), THREADS, 0, glu_slopes_fours,
		    nums_of(c, dx), nums_of(c, dy), nums_of(c, x), R, F, kind);
	else if (R * F > 0)
		LAUNCH(c, blocks_for(R * F), THREADS, 0, glu_slopes,
		    nums_of(c, dx), nums_of(c, dy), nums_of(c, x), R, F, kind);
}

__global__ static void
softcap_all(struct nums y, size_t n, float cap)
{
	EACH(i, n)
		nums_put(y, i, cap * tanhf(nums_get(y, i) / cap));
}

static void
cuda_softcap(void *dev, real *y, size_t n, double cap)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, softcap_all,
		    nums_of(c, y), n, (float)cap);
}

__global__ static void
mix_all(struct nums y, float s, struct nums x, float t, size_t n)
{
	EACH4(i, n) {
		float v[FOUR], w[FOUR];

		nums_get4(v, y, i, n);
		nums_get4(w, x, i, n);
		for (size_t k = 0; k < FOUR; k++)
			v[k] = (s == 0 ? 0 : s * v[k]) + t * w[k];
		nums_put4(y, i, n, v);
	}
}

static void
cuda_mix(void *dev, real *y, double s, const real *x, double t, size_t n)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for4(n), THREADS, 0, mix_all, nums_of(c, y),
		    (float)s, nums_of(c, x), (float)t, n);
}

__global__ static void
dropout_all(struct nums y, struct nums x, size_t n, uint32_t below,
    float more, uint64_t key, int add)
{
	EACH(i, n) {
		float kept = drop_draw(key, i) < below ? 0 : nums_get(x, i) *
		    more;

		nums_put(y, i, add ? nums_get(y, i) + kept : kept);
	}
}

static void
cuda_dropout(void *dev, real *y, const real *x, size_t n, double p,
    uint64_t key, int add)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, dropout_all,
		    nums_of(c, y), nums_of(c, x), n, drop_below(p),
		    (float)(p < 1 ? 1 / (1 - p) : 0), key, add);
}

/* dora_lengths - a warp takes a row of w + scale b a */
__global__ static void
dora_lengths(real *norm, struct nums w, const real *a, const real *b,
    float scale, size_t N, size_t K, size_t r)
{
	size_t n = (size_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	size_t lane = threadIdx.x % WARP;
	float sum = 0;

	if (n >= N)
		return;
	for (size_t k = lane; k < K; k += WARP) {
		float x = 0;

		for (size_t j = 0; j < r; j++)
			x = fmaf(b[n * r + j], a[j * K + k], x);
		x = nums_get(w, n * K + k) + scale * x;
		sum += x * x;
	}
	sum = warp_sum(sum);
	if (lane == 0)
		norm[n] = sqrtf(sum);
}

static void
cuda_dora_norm(void *dev, real *norm, const real *w, const real *a,
    const real *b, double scale, size_t N, size_t K, size_t r)
{
	struct cuda *c = (struct cuda *)dev;

	if (N > 0)
		LAUNCH(c, (unsigned)((N + WARPS - 1) / WARPS), THREADS, 0,
		    dora_lengths, norm, nums_of(c, w), a, b, (float)scale, N,
		    K, r);
}

__global__ static void
dora_turns(struct nums y, size_t ldy, real *keep, const real *m, const real *norm,
    size_t R, size_t N)
{
	EACH(i, R * N) {
		size_t r = i / N, n = i % N;
		float x = nums_get(y, r * ldy + n);

		if (keep != NULL)
			keep[i] = x;
		nums_put(y, r * ldy + n, x * m[n] / norm[n]);
	}
}

static void
cuda_dora_turn(void *dev, real *y, size_t ldy, real *keep, const real *m,
    const real *norm, size_t R, size_t N)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * N > 0)
		LAUNCH(c, blocks_for(R * N), THREADS, 0, dora_turns,
		    nums_of(c, y), ldy, keep, m, norm, R, N);
}

/* dora_parts - as bias_parts, of dy times what was kept; dora_add - what they
 * left, divided by the lengths */
__global__ static void
dora_parts(float *parts, struct nums dy, size_t ldy, const real *keep,
    size_t R, size_t N)
{
	size_t per = (R + gridDim.y - 1) / gridDim.y;
	size_t from = per * blockIdx.y, to = from + per < R ? from + per : R;

	EACH(n, N) {
		float sum = 0;

		for (size_t r = from; r < to; r++)
			sum += nums_get(dy, r * ldy + n) * keep[r * N + n];
		parts[(size_t)blockIdx.y * N + n] = sum;
	}
}

__global__ static void
dora_add(real *dm, const float *parts, size_t chunks, const real *norm,
    size_t N)
{
	EACH(n, N) {
		float all = 0;

		for (size_t k = 0; k < chunks; k++)
			all += parts[k * N + n];
		dm[n] += all / norm[n];
	}
}

static void
cuda_dora_turn_grad(void *dev, real *dm, const real *dy, size_t ldy,
    const real *keep, const real *norm, size_t R, size_t N)
{
	struct cuda *c = (struct cuda *)dev;
	size_t chunks = chunks_for(R, N);

	if (R * N == 0)
		return;
	LAUNCH(c, dim3(blocks_for(N), (unsigned)chunks), THREADS, 0,
	    dora_parts, c->work, nums_of(c, dy), ldy, keep, R, N);
	LAUNCH(c, blocks_for(N), THREADS, 0, dora_add, dm, c->work, chunks,
	    norm, N);
}

__global__ static void
weigh_all(struct nums y, struct nums x, const real *w, size_t R, size_t C)
{
	EACH(i, R * C)
		nums_put(y, i, w[i / C] * nums_get(x, i));
}

static void
cuda_weigh(void *dev, real *y, const real *x, const real *w, size_t R,
    size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C > 0)
		LAUNCH(c, blocks_for(R * C), THREADS, 0, weigh_all,
		    nums_of(c, y), nums_of(c, x), w, R, C);
}

/* a thread for each row: they are as long as a model is wide, and many */
__global__ static void
weigh_sums(real *dw, struct nums dy, struct nums x, size_t R, size_t C)
{
	EACH(r, R) {
		float sum = 0;

		for (size_t n = 0; n < C; n++)
			sum += nums_get(dy, r * C + n) *
			    nums_get(x, r * C + n);
		dw[r] = sum;
	}
}

static void
cuda_weigh_grad(void *dev, real *dx, real *dw, const real *dy, const real *x,
    const real *w, size_t R, size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C == 0)
		return;
	LAUNCH(c, blocks_for(R), THREADS, 0, weigh_sums, dw,
	    nums_of(c, dy), nums_of(c, x), R, C);
	cuda_weigh(dev, dx, dy, w, R, C);
}
