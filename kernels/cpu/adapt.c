/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout and DoRA.  Rows are shared out among threads, or columns where rows
 * are summed, so that no sum depends on the number of threads.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"
#include "kernels/drop.h"

#include <cblas.h>
#include <math.h>

#define ROWS	((size_t)32)		/* of w + s b a at once */

struct adapt_call {
	real *y, *keep;
	const real *x, *a, *b, *m, *norm, *kept;
	size_t all, tasks, ldy, N, K, r, R;
	double p, scale;
	uint64_t key;
	bool add;
};

static void
mix_task(void *arg, size_t task, void *scratch)
{
	const struct adapt_call *c = arg;
	float s = (float)c->scale, t = (float)c->p;
	size_t i, to;

	(void)scratch;
	for (part(c->all, c->tasks, task, &i, &to); i < to; i++)
		c->y[i] = (s == 0 ? 0 : s * c->y[i]) + t * c->x[i];
}

void
OP(mix)(void *dev, real *y, double s, const real *x, double t, size_t n)
{
	struct cpu *cpu = dev;
	struct adapt_call c = { .y = y, .x = x, .scale = s, .p = t, .all = n };

	c.tasks = tasks_for(dev, n, 1);
	pool_run(cpu->pool, mix_task, &c, c.tasks, 0);
}

static void
dropout_task(void *arg, size_t task, void *scratch)
{
	const struct adapt_call *c = arg;
	uint32_t below = drop_below(c->p);
	float scale = (float)(1 / (1 - c->p)), x;
	size_t i, to;

	(void)scratch;
	for (part(c->all, c->tasks, task, &i, &to); i < to; i++) {
		x = drop_draw(c->key, i) < below ? 0 : c->x[i] * scale;
		c->y[i] = c->add ? c->y[i] + x : x;
	}
}

void
OP(dropout)(void *dev, real *y, const real *x, size_t n, double p,
    uint64_t key, int add)
{
	struct cpu *cpu = dev;
	struct adapt_call c = { .y = y, .x = x, .p = p, .key = key,
	    .add = add, .all = n };

	c.tasks = tasks_for(dev, n, 4);
	pool_run(cpu->pool, dropout_task, &c, c.tasks, 0);
}

/* norm_task - some rows of b a at a time, then w beside them */
static void
norm_task(void *arg, size_t task, void *scratch)
{
	const struct adapt_call *c = arg;
	real *sum = scratch;
	size_t from, to, n, K = c->K;

	for (part(c->N, c->tasks, task, &from, &to); from < to; from += n) {
		n = to - from < ROWS ? to - from : ROWS;
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n,
		    (int)K, (int)c->r, (float)c->scale, c->b + from * c->r,
		    (int)c->r, c->a, (int)K, 0, sum, (int)K);
		for (size_t i = 0; i < n; i++) {
			const real *w = c->x + (from + i) * K;
			const real *d = sum + i * K;
			vec v, all = splat(0);
			float rest = 0;
			size_t k = 0;

			for (; k + LANES <= K; k += LANES) {
				v = load(w + k) + load(d + k);
				all += v * v;
			}
			for (; k < K; k++)
				rest += (w[k] + d[k]) * (w[k] + d[k]);
			c->y[from + i] = sqrtf(vsum(all) + rest);
		}
	}
}

void
OP(dora_norm)(void *dev, real *norm, const real *w, const real *a,
    const real *b, double scale, size_t N, size_t K, size_t r)
{
	struct cpu *cpu = dev;
	struct adapt_call c = { .y = norm, .x = w, .a = a, .b = b,
	    .scale = scale, .N = N, .K = K, .r = r };

	c.tasks = tasks_for(dev, N, K * r);
	pool_run(cpu->pool, norm_task, &c, c.tasks, ROWS * K * sizeof(real));
}

static void
turn_task(void *arg, size_t task, void *scratch)
{
	const struct adapt_call *c = arg;
	size_t r, to, N = c->N;

	(void)scratch;
	for (part(c->R, c->tasks, task, &r, &to); r < to; r++) {
		real *y = c->y + r * c->ldy;

		if (c->keep != NULL)
			memcpy(c->keep + r * N, y, N * sizeof(*y));
		for (size_t n = 0; n < N; n++)
			y[n] *= c->m[n] / c->norm[n];
	}
}

void
OP(dora_turn)(void *dev, real *y, size_t ldy, real *keep, const real *m,
    const real *norm, size_t R, size_t N)
{
	struct cpu *cpu = dev;
	struct adapt_call c = { .y = y, .ldy = ldy, .keep = keep, .m = m,
	    .norm = norm, .R = R, .N = N };

	c.tasks = tasks_for(dev, R, N);
	pool_run(cpu->pool, turn_task, &c, c.tasks, 0);
}

static void
turn_back(void *arg, size_t task, void *scratch)
{
	const struct adapt_call *c = arg;
	real *sum = scratch;
	size_t from, to;

	part(c->N, c->tasks, task, &from, &to);
	memset(sum, 0, (to - from) * sizeof(*sum));
	for (size_t r = 0; r < c->R; r++)
		for (size_t n = from; n < to; n++)
			sum[n - from] += c->x[r * c->ldy + n] *
			    c->kept[r * c->N + n];
	for (size_t n = from; n < to; n++)
		c->y[n] += sum[n - from] / c->norm[n];
}

void
OP(dora_turn_grad)(void *dev, real *dm, const real *dy, size_t ldy,
    const real *keep, const real *norm, size_t R, size_t N)
{
	struct cpu *cpu = dev;
	struct adapt_call c = { .y = dm, .x = dy, .ldy = ldy, .kept = keep,
	    .norm = norm, .R = R, .N = N };

	c.tasks = tasks_for(dev, N, R);
	pool_run(cpu->pool, turn_back, &c, c.tasks, (N / c.tasks + 1) *
	    sizeof(real));
}
