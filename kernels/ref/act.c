/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, and rows times weights: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/ref/ref.h"

#include <math.h>

#define GELU_A	0.79788456080286535588	/* sqrt(2/pi) */
#define GELU_B	0.044715
#define ROOT_HALF	0.70710678118654752440
#define DENSITY	0.39894228040143267794	/* 1/sqrt(2 pi) */

static double
act_of(double v, enum kernel_act kind)
{
	switch (kind) {
	case ACT_GELU:
		return 0.5 * v * (1 + tanh(GELU_A * (v + GELU_B * v * v * v)));
	case ACT_GELU_ERF:
		return 0.5 * v * (1 + erf(v * ROOT_HALF));
	case ACT_SILU:
		return v / (1 + exp(-v));
	default:
		return v > 0 ? v : 0;
	}
}

static double
act_slope(double v, enum kernel_act kind)
{
	double t;

	switch (kind) {
	case ACT_GELU:
		t = tanh(GELU_A * (v + GELU_B * v * v * v));
		return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * GELU_A *
		    (1 + 3 * GELU_B * v * v);
	case ACT_GELU_ERF:
		return 0.5 * (1 + erf(v * ROOT_HALF)) + v * DENSITY *
		    exp(-0.5 * v * v);
	case ACT_SILU:
		t = 1 / (1 + exp(-v));
		return t * (1 + v * (1 - t));
	default:
		return v > 0;
	}
}

void
ref_act(void *dev, real *y, const real *x, size_t n, enum kernel_act kind)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = (real)act_of((double)x[i], kind);
}

void
ref_act_grad(void *dev, real *dx, const real *dy, const real *x, size_t n,
    enum kernel_act kind)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		dx[i] = (real)((double)dy[i] * act_slope((double)x[i], kind));
}

void
ref_glu(void *dev, real *y, const real *x, size_t R, size_t F,
    enum kernel_act kind)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += 2 * F, y += F)
		for (size_t f = 0; f < F; f++)
			y[f] = (real)(act_of((double)x[f], kind) *
			    (double)x[F + f]);
}

void
ref_glu_grad(void *dev, real *dx, const real *dy, const real *x, size_t R,
    size_t F, enum kernel_act kind)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += 2 * F, dx += 2 * F, dy += F)
		for (size_t f = 0; f < F; f++) {
			double g = (double)x[f], u = (double)x[F + f];
			double d = (double)dy[f];

			dx[f] = (real)(d * u * act_slope(g, kind));
			dx[F + f] = (real)(d * act_of(g, kind));
		}
}

void
ref_weigh(void *dev, real *y, const real *x, const real *w, size_t R, size_t C)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t c = 0; c < C; c++)
			y[r * C + c] = w[r] * x[r * C + c];
}

void
ref_weigh_grad(void *dev, real *dx, real *dw, const real *dy, const real *x,
    const real *w, size_t R, size_t C)
{
	double sum;

	(void)dev;
	for (size_t r = 0; r < R; r++, x += C, dx += C, dy += C) {
		sum = 0;
		for (size_t c = 0; c < C; c++) {
			sum += (double)dy[c] * (double)x[c];
			dx[c] = w[r] * dy[c];
		}
		dw[r] = (real)sum;
	}
}
