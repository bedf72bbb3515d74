/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distillation: kernel.h in plain loops.  With q the student's probabilities
 * at the temperature, p the teacher's and P and Q the sums of those that the
 * teacher does not name, the divergence is sum p log(p / q) + P log(P / Q), and
 * its derivative by a logit, times the temperature, q - p of a word that is
 * named and q (1 - P / Q) of one that is not.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/ref/ref.h"

#include <math.h>

/* log_sum - of the exponentials of x / t */
static double
log_sum(const real *x, size_t V, double t)
{
	double max = -HUGE_VAL, sum = 0;

	for (size_t i = 0; i < V; i++)
		max = (double)x[i] / t > max ? (double)x[i] / t : max;
	for (size_t i = 0; i < V; i++)
		sum += exp((double)x[i] / t - max);
	return max + log(sum);
}

/* row_named - the teacher's probability of each word, -1 of those that it does
 * not name; the sums of the others, of both */
static void
row_named(const struct kernel_teacher *o, size_t r, const real *x, size_t V,
    double lse, double *p, double rest[2])
{
	rest[0] = 1;
	rest[1] = 0;
	for (size_t i = 0; i < V; i++)
		p[i] = -1;
	for (size_t k = 0; k < o->K; k++) {
		p[o->id[r * o->K + k]] = (double)o->p[r * o->K + k];
		rest[0] -= (double)o->p[r * o->K + k];
	}
	rest[0] = rest[0] > 0 ? rest[0] : 0;
	for (size_t i = 0; i < V; i++)
		rest[1] += p[i] < 0 ? exp((double)x[i] / o->temperature -
		    lse) : 0;
	rest[1] = rest[1] > 1e-37 ? rest[1] : 1e-37;
}

/* row_divergence - of the teacher from softmax(x / temperature) */
static double
row_divergence(const struct kernel_teacher *o, const real *x, size_t V,
    double lse, const double *p, const double rest[2])
{
	double sum = 0;

	for (size_t i = 0; i < V; i++)
		if (p[i] > 0)
			sum += p[i] * (log(p[i]) - (double)x[i] /
			    o->temperature + lse);
	return rest[0] > 0 ? sum + rest[0] * log(rest[0] / rest[1]) : sum;
}

void
ref_distill(void *dev, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *o, size_t R, size_t V,
    double scale, double cap)
{
	double *p = mem_alloc(V * sizeof(*p)), t = o->temperature;

	(void)dev;
	for (size_t r = 0; r < R; r++) {
		real *x = logits + r * V;
		double hard, soft, rest[2], q, g, slope;

		loss[r] = nll[r] = 0;
		if (target[r] < 0) {
			memset(x, 0, V * sizeof(*x));
			continue;
		}
		for (size_t i = 0; cap != 0 && i < V; i++)
			x[i] = (real)(cap * tanh((double)x[i] / cap));
		hard = log_sum(x, V, 1);
		soft = log_sum(x, V, t);
		row_named(o, r, x, V, soft, p, rest);
		nll[r] = (real)(hard - (double)x[target[r]]);
		loss[r] = (real)(o->alpha * t * t * row_divergence(o, x, V,
		    soft, p, rest) + (1 - o->alpha) * (double)nll[r]);
		for (size_t i = 0; i < V; i++) {
			slope = cap == 0 ? 1 : 1 - (double)x[i] / cap *
			    ((double)x[i] / cap);
			q = exp((double)x[i] / t - soft);
			g = p[i] < 0 ? q * (1 - rest[0] / rest[1]) : q - p[i];
			x[i] = (real)(scale * slope * (o->alpha * t * g + (1 -
			    o->alpha) * (exp((double)x[i] - hard) - (i ==
			    (size_t)target[r]))));
		}
	}
	mem_free(p);
}
