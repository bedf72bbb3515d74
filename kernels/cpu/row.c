/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on rows: norms, positions, activations.  Rows are shared out among
 * threads; gradients of parameters are sums over all rows, so there columns are
 * shared out, and the sum's order does not depend on the number of threads.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

struct row_call {
	real *y, *keep, *mean, *dw, *db;
	const real *x, *w, *b, *dy, *table, *kept, *means;
	const int32_t *pos;
	size_t R, C, stride, heads, tasks;
	double eps;
	bool layer;			/* layernorm, not rmsnorm */
	int back;
};

/* sum_of - a row's sum of x - mu, or of its squares */
static float
sum_of(const real *x, size_t n, float mu, bool square)
{
	vec a = splat(0), d;
	float sum;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		d = load(x + i) - splat(mu);
		a += square ? d * d : d;
	}
	sum = vsum(a);
	for (; i < n; i++)
		sum += square ? (x[i] - mu) * (x[i] - mu) : x[i] - mu;
	return sum;
}

static void
norm_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, i, C = k->C;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		const real *x = k->x + r * C;
		real *y = k->y + r * C;
		float mu = 0, s;

		if (k->layer)
			k->mean[r] = mu = sum_of(x, C, 0, false) / (float)C;
		s = 1 / sqrtf(sum_of(x, C, mu, true) / (float)C +
		    (float)k->eps);
		k->keep[r] = s;
		for (i = 0; i + LANES <= C; i += LANES)
			save(y + i, (load(x + i) - splat(mu)) * splat(s) *
			    load(k->w + i) + (k->layer ? load(k->b + i) :
			    splat(0)));
		for (; i < C; i++)
			y[i] = (x[i] - mu) * s * k->w[i] +
			    (k->layer ? k->b[i] : 0);
	}
}

/* norm_back - the input's gradient, row by row */
static void
norm_back(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, i, C = k->C;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		const real *x = k->x + r * C, *dy = k->dy + r * C;
		real *dx = k->y + r * C;
		float s = k->kept[r], mu = k->layer ? k->means[r] : 0;
		vec one = splat(0), two = splat(0), g;
		float a, b;

		for (i = 0; i + LANES <= C; i += LANES) {
			g = load(dy + i) * load(k->w + i);
			one += g;
			two += g * (load(x + i) - splat(mu));
		}
		a = vsum(one);
		b = vsum(two);
		for (; i < C; i++) {
			a += dy[i] * k->w[i];
			b += dy[i] * k->w[i] * (x[i] - mu);
		}
		a = k->layer ? a / (float)C : 0;
		b = b * s / (float)C;
		for (i = 0; i + LANES <= C; i += LANES)
			save(dx + i, load(dx + i) + splat(s) * (load(dy + i) *
			    load(k->w + i) - splat(a) - (load(x + i) -
			    splat(mu)) * splat(s * b)));
		for (; i < C; i++)
			dx[i] += s * (dy[i] * k->w[i] - a - (x[i] - mu) *
			    s * b);
	}
}

/* norm_params - the parameters' gradients for a run of columns */
static void
norm_params(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t from, to, C = k->C;

	(void)scratch;
	part(C, k->tasks, task, &from, &to);
	for (size_t r = 0; r < k->R; r++) {
		const real *x = k->x + r * C, *dy = k->dy + r * C;
		float s = k->kept[r], mu = k->layer ? k->means[r] : 0;

		for (size_t i = from; k->dw != NULL && i < to; i++)
			k->dw[i] += dy[i] * (x[i] - mu) * s;
		for (size_t i = from; k->db != NULL && i < to; i++)
			k->db[i] += dy[i];
	}
}

/* row_run - share the rows (or columns) of a call out */
static void
row_run(void *dev, void (*fn)(void *, size_t, void *), struct row_call *k,
    size_t rows, size_t work)
{
	struct cpu *c = dev;

	k->tasks = tasks_for(dev, rows, work);
	pool_run(c->pool, fn, k, k->tasks, 0);
}

void
OP(layernorm)(void *dev, real *y, real *mean, real *keep, const real *x,
    const real *w, const real *b, size_t R, size_t C, double eps)
{
	struct row_call k = { .y = y, .mean = mean, .keep = keep, .x = x,
	    .w = w, .b = b, .R = R, .C = C, .eps = eps, .layer = true };

	row_run(dev, norm_task, &k, R, C);
}

void
OP(layernorm_grad)(void *dev, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep, size_t R,
    size_t C)
{
	struct row_call k = { .y = dx, .dw = dw, .db = db, .dy = dy, .x = x,
	    .w = w, .means = mean, .kept = keep, .R = R, .C = C,
	    .layer = true };

	row_run(dev, norm_back, &k, R, C);
	if (dw != NULL || db != NULL)
		row_run(dev, norm_params, &k, C, R);
}

void
OP(rmsnorm)(void *dev, real *y, real *keep, const real *x, const real *w,
    size_t R, size_t C, double eps)
{
	struct row_call k = { .y = y, .keep = keep, .x = x, .w = w, .R = R,
	    .C = C, .eps = eps };

	row_run(dev, norm_task, &k, R, C);
}

void
OP(rmsnorm_grad)(void *dev, real *dx, real *dw, const real *dy, const real *x,
    const real *w, const real *keep, size_t R, size_t C)
{
	struct row_call k = { .y = dx, .dw = dw, .dy = dy, .x = x, .w = w,
	    .kept = keep, .R = R, .C = C };

	row_run(dev, norm_back, &k, R, C);
	if (dw != NULL)
		row_run(dev, norm_params, &k, C, R);
}

static void
rope_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, half = k->C / 2;
	float sign = k->back ? -1 : 1;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		const real *co = k->table + (size_t)k->pos[r] * k->C;
		const real *si = co + half;

		for (size_t h = 0; h < k->heads; h++) {
			real *p = k->y + r * k->stride + h * k->C;

			for (size_t i = 0; i < half; i++) {
				float a = p[i], b = p[i + half];
				float s = sign * si[i];

				p[i] = a * co[i] - b * s;
				p[i + half] = b * co[i] + a * s;
			}
		}
	}
}

void
OP(rope)(void *dev, real *x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, int back)
{
	struct row_call k = { .y = x, .table = table, .pos = pos, .R = R,
	    .stride = stride, .heads = heads, .C = D, .back = back };

	row_run(dev, rope_task, &k, R, heads * D);
}

#define GELU_A	0.79788456080286535588f	/* sqrt(2/pi) */
#define GELU_B	0.044715f

/* vtanh - 1 - 2 / (e^2u + 1), u kept where that is not 1 */
static inline vec
vtanh(vec u)
{
	return splat(1) - splat(2) / (vexp(u + u) + splat(1));
}

static inline vec
gelu_of(vec x)
{
	vec t = vtanh(splat(GELU_A) * (x + splat(GELU_B) * x * x * x));

	return splat(.5f) * x * (splat(1) + t);
}

static inline vec
gelu_slope(vec x)
{
	vec t = vtanh(splat(GELU_A) * (x + splat(GELU_B) * x * x * x));

	return splat(.5f) * (splat(1) + t) + splat(.5f) * x * (splat(1) - t *
	    t) * splat(GELU_A) * (splat(1) + splat(3 * GELU_B) * x * x);
}

/* tail_in, tail_out - the last few numbers of a run as one vector */
static inline vec
tail_in(const real *p, size_t n)
{
	real v[LANES] = { 0 };

	memcpy(v, p, n * sizeof(*p));
	return load(v);
}

static inline void
tail_out(real *p, vec x, size_t n)
{
	real v[LANES];

	save(v, x);
	memcpy(p, v, n * sizeof(*p));
}

static void
gelu_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t i, to;

	(void)scratch;
	for (part(k->R, k->tasks, task, &i, &to); i + LANES <= to; i += LANES) {
		vec x = load(k->x + i);

		save(k->y + i, k->dy == NULL ? gelu_of(x) :
		    load(k->dy + i) * gelu_slope(x));
	}
	if (i < to) {
		vec x = tail_in(k->x + i, to - i);

		tail_out(k->y + i, k->dy == NULL ? gelu_of(x) :
		    tail_in(k->dy + i, to - i) * gelu_slope(x), to - i);
	}
}

void
OP(gelu)(void *dev, real *y, const real *x, size_t n)
{
	struct row_call k = { .y = y, .x = x, .R = n };

	row_run(dev, gelu_task, &k, n, 8);
}

void
OP(gelu_grad)(void *dev, real *dx, const real *dy, const real *x, size_t n)
{
	struct row_call k = { .y = dx, .x = x, .dy = dy, .R = n };

	row_run(dev, gelu_task, &k, n, 16);
}

/* swiglu_part - lanes of one row: forward, or both gradients */
static inline void
swiglu_part(const struct row_call *k, size_t r, size_t i, size_t n)
{
	size_t F = k->C;
	const real *x = k->x + r * 2 * F + i;
	vec g = n == LANES ? load(x) : tail_in(x, n);
	vec u = n == LANES ? load(x + F) : tail_in(x + F, n);
	vec s = splat(1) / (splat(1) + vexp(-g)), d;

	if (k->dy == NULL) {
		tail_out(k->y + r * F + i, g * s * u, n);
		return;
	}
	d = tail_in(k->dy + r * F + i, n);
	tail_out(k->y + r * 2 * F + i, d * u * s * (splat(1) + g * (splat(1) -
	    s)), n);
	tail_out(k->y + r * 2 * F + F + i, d * g * s, n);
}

static void
swiglu_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, i;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		for (i = 0; i + LANES <= k->C; i += LANES)
			swiglu_part(k, r, i, LANES);
		if (i < k->C)
			swiglu_part(k, r, i, k->C - i);
	}
}

void
OP(swiglu)(void *dev, real *y, const real *x, size_t R, size_t F)
{
	struct row_call k = { .y = y, .x = x, .R = R, .C = F };

	row_run(dev, swiglu_task, &k, R, 8 * F);
}

void
OP(swiglu_grad)(void *dev, real *dx, const real *dy, const real *x, size_t R,
    size_t F)
{
	struct row_call k = { .y = dx, .x = x, .dy = dy, .R = R, .C = F };

	row_run(dev, swiglu_task, &k, R, 16 * F);
}
