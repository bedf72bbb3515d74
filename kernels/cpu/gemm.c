/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products by OpenBLAS, one thread each on a slice of the result: our threads
 * share the cores out, OpenBLAS's own would fight with them.  AVX-512 has
 * gemm_avx512.c instead.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <cblas.h>

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
