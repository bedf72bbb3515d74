/* SPDX-License-Identifier: Apache-2.0 */
/* Scores with a relative position bias: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/ref/ref.h"

#include <math.h>

/* bias_at - of head h, query t and key j: its place in the table */
static size_t
bias_at(const struct kernel_relative *s, size_t h, size_t t, size_t j)
{
	return (size_t)s->bucket[j + s->T - 1 - t] * s->H + h;
}

/* softmax_row - of one query */
static void
softmax_row(const struct kernel_relative *s, real *x, size_t h, size_t t)
{
	size_t from = (size_t)s->from[t], to = (size_t)s->to[t];
	double max = -HUGE_VAL, sum = 0;

	for (size_t j = from; j < to; j++) {
		if (s->bias != NULL)
			x[j] += s->bias[bias_at(s, h, t, j)];
		max = (double)x[j] > max ? (double)x[j] : max;
	}
	for (size_t j = from; j < to; j++)
		sum += exp((double)x[j] - max);
	for (size_t j = 0; j < s->K; j++)
		x[j] = j < from || j >= to ? 0 :
		    (real)(exp((double)x[j] - max) / sum);
}

void
ref_softmax(void *dev, real *x, const struct kernel_relative *s)
{
	(void)dev;
	for (size_t h = 0; h < s->H; h++)
		for (size_t t = 0; t < s->T; t++, x += s->K)
			softmax_row(s, x, h, t);
}

void
ref_softmax_grad(void *dev, real *dp, real *dbias, const real *p,
    const struct kernel_relative *s)
{
	double mean;

	(void)dev;
	for (size_t h = 0; h < s->H; h++)
		for (size_t t = 0; t < s->T; t++, p += s->K, dp += s->K) {
			mean = 0;
			for (size_t j = 0; j < s->K; j++)
				mean += (double)p[j] * (double)dp[j];
			for (size_t j = 0; j < s->K; j++) {
				dp[j] = (real)((double)p[j] *
				    ((double)dp[j] - mean));
				if (dbias != NULL)
					dbias[bias_at(s, h, t, j)] += dp[j];
			}
		}
}
