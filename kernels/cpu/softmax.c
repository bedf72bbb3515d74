/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores with a relative position bias.  A task is a head: its bias is laid
 * out once by distance, so that a row adds it as it lies, and its gradient is
 * first summed by distance; no two tasks add to the same place of the table.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

struct softmax_call {
	const struct kernel_relative *s;
	real *x, *dbias;
	const real *p;
};

/* row_bias - x[n] += b[n]; the largest */
static float
row_bias(real *x, const real *b, size_t n)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		save(x + i, load(x + i) + load(b + i));
	for (; i < n; i++)
		x[i] += b[i];
	return row_max(x, n);
}

/* row_soft - x[n] becomes its softmax, max being the largest */
static void
row_soft(real *x, size_t n, float max)
{
	vec sum = splat(0), e;
	float total, part;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		e = vexp(load(x + i) - splat(max));
		save(x + i, e);
		sum += e;
	}
	total = vsum(sum);
	for (; i < n; i++) {
		x[i] = expf(x[i] - max);
		total += x[i];
	}
	part = 1 / total;
	for (i = 0; i + LANES <= n; i += LANES)
		save(x + i, load(x + i) * splat(part));
	for (; i < n; i++)
		x[i] *= part;
}

static void
softmax_task(void *arg, size_t h, void *scratch)
{
	const struct softmax_call *c = arg;
	const struct kernel_relative *s = c->s;
	real *x = c->x + h * s->T * s->K, *far = scratch;

	for (size_t i = 0; s->bias != NULL && i < s->T + s->K - 1; i++)
		far[i] = s->bias[(size_t)s->bucket[i] * s->H + h];
	for (size_t t = 0; t < s->T; t++, x += s->K) {
		size_t from = (size_t)s->from[t], to = (size_t)s->to[t];

		memset(x, 0, from * sizeof(*x));
		memset(x + to, 0, (s->K - to) * sizeof(*x));
		if (from == to)
			continue;
		row_soft(x + from, to - from, s->bias == NULL ?
		    row_max(x + from, to - from) : row_bias(x + from, far +
		    s->T - 1 - t + from, to - from));
	}
}

void
OP(softmax)(void *dev, real *x, const struct kernel_relative *s)
{
	struct cpu *cpu = dev;
	struct softmax_call c = { .s = s, .x = x };

	pool_run(cpu->pool, softmax_task, &c, s->H, (s->T + s->K) *
	    sizeof(real));
}

/* row_slope - dx[n], the gradient of p[n], becomes the scores'; it is added to
 * by distance unless that is NULL */
static void
row_slope(real *dx, const real *p, real *far, size_t n)
{
	vec sum = splat(0), d;
	float mean, one;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		sum += load(p + i) * load(dx + i);
	mean = vsum(sum);
	for (; i < n; i++)
		mean += p[i] * dx[i];
	for (i = 0; i + LANES <= n; i += LANES) {
		d = load(p + i) * (load(dx + i) - splat(mean));
		save(dx + i, d);
		if (far != NULL)
			save(far + i, load(far + i) + d);
	}
	for (; i < n; i++) {
		one = p[i] * (dx[i] - mean);
		dx[i] = one;
		if (far != NULL)
			far[i] += one;
	}
}

static void
slope_task(void *arg, size_t h, void *scratch)
{
	const struct softmax_call *c = arg;
	const struct kernel_relative *s = c->s;
	real *dx = c->x + h * s->T * s->K, *far = scratch;
	const real *p = c->p + h * s->T * s->K;
	size_t all = s->T + s->K - 1;

	memset(far, 0, all * sizeof(*far));
	for (size_t t = 0; t < s->T; t++, dx += s->K, p += s->K) {
		size_t from = (size_t)s->from[t], to = (size_t)s->to[t];

		memset(dx, 0, from * sizeof(*dx));
		memset(dx + to, 0, (s->K - to) * sizeof(*dx));
		row_slope(dx + from, p + from, c->dbias == NULL ? NULL :
		    far + s->T - 1 - t + from, to - from);
	}
	for (size_t i = 0; c->dbias != NULL && i < all; i++)
		c->dbias[(size_t)s->bucket[i] * s->H + h] += far[i];
}

void
OP(softmax_grad)(void *dev, real *dp, real *dbias, const real *p,
    const struct kernel_relative *s)
{
	struct cpu *cpu = dev;
	struct softmax_call c = { .s = s, .x = dp, .dbias = dbias, .p = p };

	pool_run(cpu->pool, slope_task, &c, s->H, (s->T + s->K) *
	    sizeof(real));
}
