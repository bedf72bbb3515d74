/* SPDX-License-Identifier: Apache-2.0 */
/* Products of parts, dropout and DoRA: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/drop.h"
#include "kernels/half.h"
#include "kernels/ref/ref.h"

#include <math.h>

/* seen - a number that is multiplied */
static double
seen(real x, enum kernel_precision p)
{
	return p == PRECISION_F32 ? (double)x :
	    (double)half_seen((float)x, p);
}

void
ref_gemm_part(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *c, size_t ldc)
{
	enum kernel_precision p = ((struct ref *)dev)->precision;
	double sum;

	for (size_t m = 0; m < M; m++)
		for (size_t n = 0; n < N; n++) {
			sum = 0;
			for (size_t k = 0; k < K; k++)
				sum += seen(ta ? a[k * lda + m] :
				    a[m * lda + k], p) * seen(tb ?
				    b[n * ldb + k] : b[k * ldb + n], p);
			c[m * ldc + n] = (real)(alpha * sum + (beta == 0 ? 0 :
			    beta * (double)c[m * ldc + n]));
		}
}

void
ref_mix(void *dev, real *y, double s, const real *x, double t, size_t n)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = (real)((s == 0 ? 0 : s * (double)y[i]) +
		    t * (double)x[i]);
}

void
ref_dropout(void *dev, real *y, const real *x, size_t n, double p,
    uint64_t key, int add)
{
	uint32_t below = drop_below(p);

	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = (add ? y[i] : 0) + (drop_draw(key, i) < below ? 0 :
		    (real)((double)x[i] / (1 - p)));
}

void
ref_dora_norm(void *dev, real *norm, const real *w, const real *a,
    const real *b, double scale, size_t N, size_t K, size_t r)
{
	(void)dev;
	for (size_t n = 0; n < N; n++) {
		double sum = 0;

		for (size_t k = 0; k < K; k++) {
			double x = 0;

			for (size_t j = 0; j < r; j++)
				x += (double)b[n * r + j] *
				    (double)a[j * K + k];
			x = (double)w[n * K + k] + scale * x;
			sum += x * x;
		}
		norm[n] = (real)sqrt(sum);
	}
}

void
ref_dora_turn(void *dev, real *y, size_t ldy, real *keep, const real *m,
    const real *norm, size_t R, size_t N)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t n = 0; n < N; n++) {
			real *at = &y[r * ldy + n];

			if (keep != NULL)
				keep[r * N + n] = *at;
			*at = (real)((double)*at * (double)m[n] /
			    (double)norm[n]);
		}
}

void
ref_dora_turn_grad(void *dev, real *dm, const real *dy, size_t ldy,
    const real *keep, const real *norm, size_t R, size_t N)
{
	(void)dev;
	for (size_t n = 0; n < N; n++) {
		double sum = 0;

		for (size_t r = 0; r < R; r++)
			sum += (double)dy[r * ldy + n] *
			    (double)keep[r * N + n];
		dm[n] = (real)((double)dm[n] + sum / (double)norm[n]);
	}
}
