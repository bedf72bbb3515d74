/* SPDX-License-Identifier: Apache-2.0 */
/* Norms and positions: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/ref/ref.h"

#include <math.h>

/* mean_of, a row's mean of x, and of x times z if z is given */
static double
mean_of(const real *x, const real *z, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (z == NULL ? 1 : (double)z[i]);
	return sum / (double)n;
}

void
ref_layernorm(void *dev, real *y, real *mean, real *keep, const real *x,
    const real *w, const real *b, size_t R, size_t C, double eps)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += C, y += C) {
		double mu = mean_of(x, NULL, C), var = 0, s;

		for (size_t c = 0; c < C; c++)
			var += ((double)x[c] - mu) * ((double)x[c] - mu);
		s = 1 / sqrt(var / (double)C + eps);
		mean[r] = (real)mu;
		keep[r] = (real)s;
		for (size_t c = 0; c < C; c++)
			y[c] = (real)(((double)x[c] - mu) * s * (double)w[c] +
			    (double)b[c]);
	}
}

void
ref_layernorm_grad(void *dev, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep, size_t R,
    size_t C)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += C, dy += C, dx += C) {
		double mu = (double)mean[r], s = (double)keep[r];
		double one = 0, two = 0;

		for (size_t c = 0; c < C; c++) {
			double g = (double)dy[c] * (double)w[c];

			one += g;
			two += g * ((double)x[c] - mu) * s;
		}
		one /= (double)C;
		two /= (double)C;
		for (size_t c = 0; c < C; c++) {
			double n = ((double)x[c] - mu) * s;

			if (dw != NULL)
				dw[c] += (real)((double)dy[c] * n);
			if (db != NULL)
				db[c] += dy[c];
			dx[c] += (real)(s * ((double)dy[c] * (double)w[c] -
			    one - n * two));
		}
	}
}

void
ref_rmsnorm(void *dev, real *y, real *keep, const real *x, const real *w,
    size_t R, size_t C, double eps)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += C, y += C) {
		double s = 1 / sqrt(mean_of(x, x, C) + eps);

		keep[r] = (real)s;
		for (size_t c = 0; c < C; c++)
			y[c] = (real)((double)x[c] * s * (double)w[c]);
	}
}

void
ref_rmsnorm_grad(void *dev, real *dx, real *dw, const real *dy, const real *x,
    const real *w, const real *keep, size_t R, size_t C)
{
	(void)dev;
	for (size_t r = 0; r < R; r++, x += C, dy += C, dx += C) {
		double s = (double)keep[r], two = 0;

		for (size_t c = 0; c < C; c++)
			two += (double)dy[c] * (double)w[c] * (double)x[c] * s;
		two /= (double)C;
		for (size_t c = 0; c < C; c++) {
			double n = (double)x[c] * s;

			if (dw != NULL)
				dw[c] += (real)((double)dy[c] * n);
			dx[c] += (real)(s * ((double)dy[c] * (double)w[c] -
			    n * two));
		}
	}
}

void
ref_headnorm(void *dev, real *y, size_t ystride, real *keep, const real *x,
    size_t xstride, const real *w, size_t R, size_t heads, size_t D,
    double eps)
{
	for (size_t r = 0; r < R; r++)
		for (size_t h = 0; h < heads; h++)
			ref_rmsnorm(dev, y + r * ystride + h * D,
			    keep + r * heads + h, x + r * xstride + h * D, w,
			    1, D, eps);
}

void
ref_headnorm_grad(void *dev, real *dx, real *dw, const real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, size_t R, size_t heads, size_t D)
{
	for (size_t r = 0; r < R; r++)
		for (size_t h = 0; h < heads; h++) {
			real *d = dx + r * xstride + h * D;

			memset(d, 0, D * sizeof(*d));
			ref_rmsnorm_grad(dev, d, dw, dy + r * ystride + h * D,
			    x + r * xstride + h * D, w, keep + r * heads + h,
			    1, D);
		}
}

void
ref_rope(void *dev, real *x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, size_t N, int back)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t h = 0; h < heads; h++) {
			real *p = x + r * stride + h * D;
			const real *t = table + (size_t)pos[r] * N;

			for (size_t i = 0; i < N / 2; i++) {
				double co = (double)t[i], a = (double)p[i];
				double b = (double)p[i + N / 2];
				double si = (double)t[i + N / 2];

				si = back ? -si : si;
				p[i] = (real)(a * co - b * si);
				p[i + N / 2] = (real)(b * co + a * si);
			}
		}
}

void
ref_add_norm(void *dev, real *y, real *mean, real *keep, real *x,
    const real *r, const real *w, const real *b, size_t R, size_t C,
    double eps)
{
	for (size_t i = 0; i < R * C; i++)
		x[i] += r[i];
	if (mean != NULL)
		ref_layernorm(dev, y, mean, keep, x, w, b, R, C, eps);
	else
		ref_rmsnorm(dev, y, keep, x, w, R, C, eps);
}

void
ref_headnorm_rope(void *dev, real *y, size_t ystride, real *keep,
    const real *x, size_t xstride, const real *w, const real *table,
    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
    double eps)
{
	ref_headnorm(dev, y, ystride, keep, x, xstride, w, R, heads, D, eps);
	ref_rope(dev, y, table, pos, R, ystride, heads, D, N, 0);
}

void
ref_headnorm_rope_grad(void *dev, real *dx, real *dw, real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, const real *table, const int32_t *pos, size_t R,
    size_t heads, size_t D, size_t N)
{
	ref_rope(dev, dy, table, pos, R, ystride, heads, D, N, 1);
	ref_headnorm_grad(dev, dx, dw, dy, ystride, x, xstride, w, keep, R,
	    heads, D);
}
