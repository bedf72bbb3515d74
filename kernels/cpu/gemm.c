/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products by OpenBLAS, one thread each on a slice of the result: our threads
 * share the cores out, OpenBLAS's own would fight with them.  And the loss.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <cblas.h>
#include <math.h>

struct gemm_call {
	int ta, tb;
	size_t M, N, K, lda, ldb, ldc, tasks;
	float alpha, beta;
	const real *a, *b;
	real *c;
	bool rows;			/* slices of rows, else of columns */
};

static void
gemm_task(void *arg, size_t task, void *scratch)
{
	const struct gemm_call *g = arg;
	size_t from, to, M = g->M, N = g->N;
	const real *a = g->a, *b = g->b;
	real *c = g->c;

	(void)scratch;
	part(g->rows ? M : N, g->tasks, task, &from, &to);
	if (g->rows) {
		a += g->ta ? from : from * g->lda;
		c += from * g->ldc;
		M = to - from;
	} else {
		b += g->tb ? from * g->ldb : from;
		c += from;
		N = to - from;
	}
	if (M == 0 || N == 0)
		return;
	cblas_sgemm(CblasRowMajor, g->ta ? CblasTrans : CblasNoTrans,
	    g->tb ? CblasTrans : CblasNoTrans, (int)M, (int)N, (int)g->K,
	    g->alpha, a, (int)g->lda, b, (int)g->ldb, g->beta, c, (int)g->ldc);
}

void
OP(gemm_part)(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *c, size_t ldc)
{
	struct cpu *cpu = dev;
	struct gemm_call g = { .ta = ta, .tb = tb, .M = M, .N = N, .K = K,
	    .lda = lda, .ldb = ldb, .ldc = ldc, .alpha = (float)alpha,
	    .beta = (float)beta, .a = a, .b = b, .c = c, .rows = M >= N };

	g.tasks = (size_t)pool_threads(cpu->pool);
	if (M * N * K < 1 << 15)
		g.tasks = 1;
	pool_run(cpu->pool, gemm_task, &g, g.tasks, 0);
}

void
OP(gemm)(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, const real *b, double beta, real *c)
{
	OP(gemm_part)(dev, ta, tb, M, N, K, alpha, a, ta ? M : K, b,
	    tb ? K : N, beta, c, N);
}

struct classify_call {
	real *loss, *logits;
	const int32_t *target;
	size_t R, V, tasks;
	float scale, cap;
};

/* row_slopes - a row's gradient, times the cap's slope if there is one */
static void
row_slopes(const struct classify_call *k, real *x, int32_t t, float lse)
{
	float c = k->cap == 0 ? 0 : 1 / (k->cap * k->cap);
	float keep = x[t];
	size_t i;

	for (i = 0; i + LANES <= k->V; i += LANES) {
		vec y = load(x + i);

		save(x + i, splat(k->scale) * vexp(y - splat(lse)) *
		    (splat(1) - splat(c) * y * y));
	}
	for (; i < k->V; i++)
		x[i] = k->scale * expf(x[i] - lse) * (1 - c * x[i] * x[i]);
	x[t] = k->scale * (expf(keep - lse) - 1) * (1 - c * keep * keep);
}

static void
classify_task(void *arg, size_t task, void *scratch)
{
	const struct classify_call *k = arg;
	size_t r, to, i, V = k->V;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		real *x = k->logits + r * V;
		int32_t t = k->target[r];
		float max, lse;
		double sum = 0;

		if (k->cap != 0)
			row_cap(x, V, k->cap);
		max = row_max(x, V);
		for (i = 0; i + LANES <= V; i += LANES)
			sum += (double)vsum(vexp(load(x + i) - splat(max)));
		for (; i < V; i++)
			sum += (double)expf(x[i] - max);
		lse = max + (float)log(sum);
		k->loss[r] = t < 0 ? 0 : lse - x[t];
		if (k->scale == 0)
			continue;
		if (t < 0)
			memset(x, 0, V * sizeof(*x));
		else
			row_slopes(k, x, t, lse);
	}
}

void
OP(classify)(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap)
{
	struct cpu *c = dev;
	struct classify_call k = { .loss = loss, .logits = logits,
	    .target = target, .R = R, .V = V, .scale = (float)scale,
	    .cap = (float)cap };

	k.tasks = tasks_for(dev, R, V * 8);
	pool_run(c->pool, classify_task, &k, k.tasks, 0);
}
