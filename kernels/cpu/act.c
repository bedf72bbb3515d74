/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, alone and as gates, eight lanes at a time */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

struct act_call {
	real *y;
	const real *x, *dy;		/* dy: the gradient is asked for */
	size_t n, F, tasks;
	enum kernel_act kind;
	float cap;
};

#define GELU_A	0.79788456080286535588f	/* sqrt(2/pi) */
#define GELU_B	0.044715f
#define ROOT_HALF	0.70710678118654752440f
#define DENSITY	0.39894228040143267794f	/* 1/sqrt(2 pi) */

/*
 * half_erf - (1 + erf(x / sqrt 2)) / 2 within 1e-7, the normal distribution:
 * Abramowitz and Stegun 7.1.26, for x < 0 by its symmetry
 */
static inline vec
half_erf(vec x)
{
	ivec low = x < splat(0);
	vec z = (vec)((ivec)x & 0x7fffffff) * splat(ROOT_HALF);
	vec t = splat(1) / (splat(1) + splat(0.3275911f) * z), p;

	p = t * splat(1.061405429f) - splat(1.453152027f);
	p = p * t + splat(1.421413741f);
	p = p * t - splat(0.284496736f);
	p = p * t + splat(0.254829592f);
	p = splat(.5f) * p * t * vexp(-z * z);
	return (vec)(((ivec)p & low) | ((ivec)(splat(1) - p) & ~low));
}

static inline vec
sigmoid(vec x)
{
	return splat(1) / (splat(1) + vexp(-x));
}

static inline vec
act_of(vec x, enum kernel_act kind)
{
	vec t;

	switch (kind) {
	case ACT_GELU:
		t = vtanh(splat(GELU_A) * (x + splat(GELU_B) * x * x * x));
		return splat(.5f) * x * (splat(1) + t);
	case ACT_GELU_ERF:
		return x * half_erf(x);
	case ACT_SILU:
		return x * sigmoid(x);
	default:
		return (vec)((ivec)x & (x > splat(0)));
	}
}

static inline vec
act_slope(vec x, enum kernel_act kind)
{
	vec t;

	switch (kind) {
	case ACT_GELU:
		t = vtanh(splat(GELU_A) * (x + splat(GELU_B) * x * x * x));
		return splat(.5f) * (splat(1) + t) + splat(.5f) * x *
		    (splat(1) - t * t) * splat(GELU_A) * (splat(1) +
		    splat(3 * GELU_B) * x * x);
	case ACT_GELU_ERF:
		return half_erf(x) + x * splat(DENSITY) * vexp(splat(-.5f) *
		    x * x);
	case ACT_SILU:
		t = sigmoid(x);
		return t * (splat(1) + x * (splat(1) - t));
	default:
		return (vec)((ivec)splat(1) & (x > splat(0)));
	}
}

/* some_in, some_out - up to a vector's lanes */
static inline vec
some_in(const real *p, size_t n)
{
	real v[LANES] = { 0 };

	if (n >= LANES)
		return load(p);
	memcpy(v, p, n * sizeof(*p));
	return load(v);
}

static inline void
some_out(real *p, vec x, size_t n)
{
	real v[LANES];

	if (n >= LANES) {
		save(p, x);
		return;
	}
	save(v, x);
	memcpy(p, v, n * sizeof(*p));
}

static void
act_task(void *arg, size_t task, void *scratch)
{
	const struct act_call *k = arg;
	size_t i, to;

	(void)scratch;
	for (part(k->n, k->tasks, task, &i, &to); i < to; i += LANES) {
		vec x = some_in(k->x + i, to - i);

		some_out(k->y + i, k->dy == NULL ? act_of(x, k->kind) :
		    some_in(k->dy + i, to - i) * act_slope(x, k->kind),
		    to - i);
	}
}

static void
glu_task(void *arg, size_t task, void *scratch)
{
	const struct act_call *k = arg;
	size_t r, to, F = k->F;

	(void)scratch;
	for (part(k->n, k->tasks, task, &r, &to); r < to; r++)
		for (size_t i = 0; i < F; i += LANES) {
			const real *x = k->x + r * 2 * F + i;
			vec g = some_in(x, F - i), u = some_in(x + F, F - i);
			real *dx = k->y + r * 2 * F + i;
			vec d;

			if (k->dy == NULL) {
				some_out(k->y + r * F + i, u *
				    act_of(g, k->kind), F - i);
				continue;
			}
			d = some_in(k->dy + r * F + i, F - i);
			some_out(dx, d * u * act_slope(g, k->kind), F - i);
			some_out(dx + F, d * act_of(g, k->kind), F - i);
		}
}

static void
cap_task(void *arg, size_t task, void *scratch)
{
	const struct act_call *k = arg;
	vec cap = splat(k->cap);
	size_t i, to;

	(void)scratch;
	for (part(k->n, k->tasks, task, &i, &to); i < to; i += LANES)
		some_out(k->y + i, cap * vtanh(some_in(k->y + i, to - i) /
		    cap), to - i);
}

static void
act_run(void *dev, void (*fn)(void *, size_t, void *), struct act_call *k,
    size_t work)
{
	struct cpu *c = dev;

	k->tasks = tasks_for(dev, k->n, work);
	pool_run(c->pool, fn, k, k->tasks, 0);
}

void
OP(act)(void *dev, real *y, const real *x, size_t n, enum kernel_act kind)
{
	struct act_call k = { .y = y, .x = x, .n = n, .kind = kind };

	act_run(dev, act_task, &k, 8);
}

void
OP(act_grad)(void *dev, real *dx, const real *dy, const real *x, size_t n,
    enum kernel_act kind)
{
	struct act_call k = { .y = dx, .x = x, .dy = dy, .n = n,
	    .kind = kind };

	act_run(dev, act_task, &k, 16);
}

void
OP(glu)(void *dev, real *y, const real *x, size_t R, size_t F,
    enum kernel_act kind)
{
	struct act_call k = { .y = y, .x = x, .n = R, .F = F, .kind = kind };

	act_run(dev, glu_task, &k, 8 * F);
}

void
OP(glu_grad)(void *dev, real *dx, const real *dy, const real *x, size_t R,
    size_t F, enum kernel_act kind)
{
	struct act_call k = { .y = dx, .x = x, .dy = dy, .n = R, .F = F,
	    .kind = kind };

	act_run(dev, glu_task, &k, 16 * F);
}

void
OP(softcap)(void *dev, real *y, size_t n, double cap)
{
	struct act_call k = { .y = y, .n = n, .cap = (float)cap };

	act_run(dev, cap_task, &k, 8);
}
