/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on rows: norms, positions, weights.  Rows are shared out among
 * threads; gradients of parameters are sums over all rows, so there columns are
 * shared out, and the sum's order does not depend on the number of threads.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

struct row_call {
	real *y, *keep, *mean, *dw, *db;
	real *sum;			/* x, that more is added to; or NULL */
	const real *more;
	const real *x, *w, *b, *dy, *table, *kept, *means;
	const int32_t *pos;
	size_t R, C, stride, ystride, heads, turned, tasks;
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

/* row_add - x += y */
static void
row_add(real *x, const real *y, size_t n)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		save(x + i, load(x + i) + load(y + i));
	for (; i < n; i++)
		x[i] += y[i];
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

		if (k->sum != NULL)
			row_add(k->sum + r * C, k->more + r * C, C);
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

/* heads_task - a row's heads are rows of their own, apart from other rows' */
static void
heads_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	struct row_call one = { .w = k->w, .C = k->C, .R = k->heads,
	    .tasks = 1, .eps = k->eps };
	size_t r, to;

	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		one.y = k->y + r * k->ystride;
		one.x = k->x + r * k->stride;
		one.keep = k->keep + r * k->heads;
		norm_task(&one, 0, scratch);
	}
}

static void
heads_back(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	struct row_call one = { .w = k->w, .C = k->C, .R = k->heads,
	    .tasks = 1 };
	size_t r, to;

	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		one.y = k->y + r * k->stride;
		one.x = k->x + r * k->stride;
		one.dy = k->dy + r * k->ystride;
		one.kept = k->kept + r * k->heads;
		memset(one.y, 0, k->heads * k->C * sizeof(*one.y));
		norm_back(&one, 0, scratch);
	}
}

static void
heads_params(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t from, to;

	(void)scratch;
	part(k->C, k->tasks, task, &from, &to);
	for (size_t r = 0; r < k->R; r++)
		for (size_t h = 0; h < k->heads; h++) {
			const real *x = k->x + r * k->stride + h * k->C;
			const real *dy = k->dy + r * k->ystride + h * k->C;
			float s = k->kept[r * k->heads + h];

			for (size_t i = from; i < to; i++)
				k->dw[i] += dy[i] * x[i] * s;
		}
}

void
OP(headnorm)(void *dev, real *y, size_t ystride, real *keep, const real *x,
    size_t xstride, const real *w, size_t R, size_t heads, size_t D,
    double eps)
{
	struct row_call k = { .y = y, .ystride = ystride, .keep = keep,
	    .x = x, .stride = xstride, .w = w, .R = R, .heads = heads, .C = D,
	    .eps = eps };

	row_run(dev, heads_task, &k, R, heads * D);
}

void
OP(headnorm_grad)(void *dev, real *dx, real *dw, const real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, size_t R, size_t heads, size_t D)
{
	struct row_call k = { .y = dx, .dw = dw, .dy = dy, .ystride = ystride,
	    .x = x, .stride = xstride, .w = w, .kept = keep, .R = R,
	    .heads = heads, .C = D };

	row_run(dev, heads_back, &k, R, heads * D);
	if (dw != NULL)
		row_run(dev, heads_params, &k, D, R * heads);
}

static void
rope_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, half = k->turned / 2;
	float sign = k->back ? -1 : 1;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		const real *co = k->table + (size_t)k->pos[r] * k->turned;
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
    size_t stride, size_t heads, size_t D, size_t N, int back)
{
	struct row_call k = { .y = x, .table = table, .pos = pos, .R = R,
	    .stride = stride, .heads = heads, .C = D, .turned = N,
	    .back = back };

	row_run(dev, rope_task, &k, R, heads * D);
}

void
OP(add_norm)(void *dev, real *y, real *mean, real *keep, real *x,
    const real *r, const real *w, const real *b, size_t R, size_t C,
    double eps)
{
	struct row_call k = { .y = y, .mean = mean, .keep = keep, .x = x,
	    .sum = x, .more = r, .w = w, .b = b, .R = R, .C = C, .eps = eps,
	    .layer = mean != NULL };

	row_run(dev, norm_task, &k, R, C);
}

/* the rows are in the cache when the second one reads them */
void
OP(headnorm_rope)(void *dev, real *y, size_t ystride, real *keep,
    const real *x, size_t xstride, const real *w, const real *table,
    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
    double eps)
{
	OP(headnorm)(dev, y, ystride, keep, x, xstride, w, R, heads, D, eps);
	OP(rope)(dev, y, table, pos, R, ystride, heads, D, N, 0);
}

void
OP(headnorm_rope_grad)(void *dev, real *dx, real *dw, real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, const real *table, const int32_t *pos, size_t R,
    size_t heads, size_t D, size_t N)
{
	OP(rope)(dev, dy, table, pos, R, ystride, heads, D, N, 1);
	OP(headnorm_grad)(dev, dx, dw, dy, ystride, x, xstride, w, keep, R,
	    heads, D);
}

static void
weigh_task(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, C = k->C;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++)
		for (size_t c = 0; c < C; c++)
			k->y[r * C + c] = k->w[r] * k->x[r * C + c];
}

static void
weigh_back(void *arg, size_t task, void *scratch)
{
	const struct row_call *k = arg;
	size_t r, to, i, C = k->C;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		const real *x = k->x + r * C, *dy = k->dy + r * C;
		real *dx = k->y + r * C;
		vec sum = splat(0), d;
		float rest = 0;

		for (i = 0; i + LANES <= C; i += LANES) {
			d = load(dy + i);
			sum += d * load(x + i);
			save(dx + i, splat(k->w[r]) * d);
		}
		for (; i < C; i++) {
			rest += dy[i] * x[i];
			dx[i] = k->w[r] * dy[i];
		}
		k->dw[r] = vsum(sum) + rest;
	}
}

void
OP(weigh)(void *dev, real *y, const real *x, const real *w, size_t R, size_t C)
{
	struct row_call k = { .y = y, .x = x, .w = w, .R = R, .C = C };

	row_run(dev, weigh_task, &k, R, C);
}

void
OP(weigh_grad)(void *dev, real *dx, real *dw, const real *dy, const real *x,
    const real *w, size_t R, size_t C)
{
	struct row_call k = { .y = dx, .dw = dw, .dy = dy, .x = x, .w = w,
	    .R = R, .C = C };

	row_run(dev, weigh_back, &k, R, 2 * C);
}
