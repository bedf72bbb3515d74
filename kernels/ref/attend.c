/* SPDX-License-Identifier: Apache-2.0 */
/* Causal attention, over a batch and over a cache: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/ref/ref.h"

#include <math.h>

static double
dot(const real *a, const real *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

/* row_of - query head h of row r, and the key or value head that it shares */
static const real *
row_of(const real *x, size_t r, size_t stride, size_t h, size_t D)
{
	return x + r * stride + h * D;
}

void
ref_attend(void *dev, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	size_t D = s->D, per = s->H / s->G, rows = s->B * s->T;
	double scale = 1 / sqrt((double)D);

	(void)dev;
	for (size_t r = 0; r < rows; r++)
		for (size_t h = 0; h < s->H; h++) {
			size_t first = r - r % s->T;
			const real *qr = row_of(q, r, s->q, h, D);
			real *yr = y + (r * s->H + h) * D;
			double max = -HUGE_VAL, sum = 0, w;

			for (size_t j = first; j <= r; j++) {
				w = scale * dot(qr, row_of(k, j, s->k,
				    h / per, D), D);
				max = w > max ? w : max;
			}
			for (size_t j = first; j <= r; j++)
				sum += exp(scale * dot(qr, row_of(k, j, s->k,
				    h / per, D), D) - max);
			lse[((r / s->T) * s->H + h) * s->T + r % s->T] =
			    (real)(max + log(sum));
			for (size_t d = 0; d < D; d++) {
				double acc = 0;

				for (size_t j = first; j <= r; j++)
					acc += exp(scale * dot(qr, row_of(k,
					    j, s->k, h / per, D), D) - max) /
					    sum * (double)row_of(v, j, s->v,
					    h / per, D)[d];
				yr[d] = (real)acc;
			}
		}
}

/* zero_rows - the gradients' rows, which may be parts of wider ones */
static void
zero_rows(real *x, size_t rows, size_t stride, size_t width)
{
	for (size_t r = 0; r < rows; r++)
		memset(x + r * stride, 0, width * sizeof(*x));
}

void
ref_attend_grad(void *dev, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	size_t D = s->D, per = s->H / s->G, rows = s->B * s->T;
	double scale = 1 / sqrt((double)D);

	(void)dev;
	zero_rows(dq, rows, s->q, s->H * D);
	zero_rows(dk, rows, s->k, s->G * D);
	zero_rows(dv, rows, s->v, s->G * D);
	for (size_t r = 0; r < rows; r++)
		for (size_t h = 0; h < s->H; h++) {
			const real *g = dy + (r * s->H + h) * D;
			const real *qr = row_of(q, r, s->q, h, D);
			double total = (double)lse[((r / s->T) * s->H + h) *
			    s->T + r % s->T];
			double mean = dot(g, y + (r * s->H + h) * D, D);

			for (size_t j = r - r % s->T; j <= r; j++) {
				size_t at = h / per * D;
				const real *kj = k + j * s->k + at;
				const real *vj = v + j * s->v + at;
				double p = exp(scale * dot(qr, kj, D) - total);
				double ds = scale * p * (dot(g, vj, D) - mean);

				for (size_t d = 0; d < D; d++) {
					dv[j * s->v + at + d] +=
					    (real)(p * (double)g[d]);
					dk[j * s->k + at + d] +=
					    (real)(ds * (double)qr[d]);
					dq[r * s->q + h * D + d] +=
					    (real)(ds * (double)kj[d]);
				}
			}
		}
}

void
ref_store(void *dev, real *cache, const real *k, const real *v,
    const int32_t *slot, const int32_t *pos, size_t R, size_t stride,
    size_t width, size_t places)
{
	(void)dev;
	for (size_t r = 0; r < R; r++) {
		real *at = cache + ((size_t)slot[r] * places +
		    (size_t)pos[r]) * 2 * width;

		memcpy(at, k + r * stride, width * sizeof(*at));
		memcpy(at + width, v + r * stride, width * sizeof(*at));
	}
}

void
ref_look(void *dev, real *y, const real *q, const real *cache,
    const int32_t *slot, const int32_t *pos, size_t R, size_t stride, size_t H,
    size_t G, size_t D, size_t places)
{
	size_t width = G * D;
	double scale = 1 / sqrt((double)D);

	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t h = 0; h < H; h++) {
			const real *past = cache + (size_t)slot[r] * places *
			    2 * width + h / (H / G) * D;
			const real *qr = q + r * stride + h * D;
			size_t n = (size_t)pos[r] + 1;
			double max = -HUGE_VAL, sum = 0, w, acc;

			for (size_t j = 0; j < n; j++) {
				w = scale * dot(qr, past + j * 2 * width, D);
				max = w > max ? w : max;
			}
			for (size_t j = 0; j < n; j++)
				sum += exp(scale * dot(qr, past + j * 2 *
				    width, D) - max);
			for (size_t d = 0; d < D; d++) {
				acc = 0;
				for (size_t j = 0; j < n; j++)
					acc += exp(scale * dot(qr, past + j *
					    2 * width, D) - max) *
					    (double)past[j * 2 * width +
					    width + d];
				y[(r * H + h) * D + d] = (real)(acc / sum);
			}
		}
}
