/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inference: products with weights packed once.
 *
 * A packed matrix is panels of WIDE outputs: panel[k][WIDE].  Every output is
 * one chain of multiply-adds over k from 0 on, whatever rows stand beside it
 * and whoever computes it, so a row's result does not depend on the batch.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#define WIDE	((size_t)16)
#define TALL	((size_t)6)		/* rows in registers */
#define DEEP	((size_t)512)		/* of k, while a panel is in cache */
#define BLOCK	((size_t)96)		/* rows in cache */

struct product_call {
	real *y;
	const real *x, *w;
	size_t R, N, K, tasks, panels;
};

size_t
OP(packed_size)(void *dev, size_t N, size_t K)
{
	(void)dev;
	return (N + WIDE - 1) / WIDE * WIDE * K * sizeof(real);
}

void
OP(pack)(void *dev, void *packed, const real *w, size_t N, size_t K)
{
	real *p = packed;

	(void)dev;
	for (size_t n = 0; n < N; n += WIDE)
		for (size_t k = 0; k < K; k++)
			for (size_t i = 0; i < WIDE; i++)
				*p++ = n + i < N ? w[(n + i) * K + k] : 0;
}

/* tile_out - a row's WIDE sums, or as many as there are columns */
static inline void
tile_out(real *y, vec a, vec b, size_t n)
{
	real v[WIDE];

	if (n >= WIDE) {
		save(y, a);
		save(y + LANES, b);
		return;
	}
	save(v, a);
	save(v + LANES, b);
	memcpy(y, v, n * sizeof(*y));
}

static inline void
tile_in(const real *y, vec *a, vec *b, size_t n)
{
	real v[WIDE] = { 0 };

	memcpy(v, y, (n < WIDE ? n : WIDE) * sizeof(*y));
	*a = load(v);
	*b = load(v + LANES);
}

/* tile_one - one row, columns of one panel, part of k */
static void
tile_one(real *y, const real *x, const real *w, size_t n, size_t deep,
    bool more)
{
	vec a = splat(0), b = splat(0), s;

	if (more)
		tile_in(y, &a, &b, n);
	for (size_t k = 0; k < deep; k++, w += WIDE) {
		s = splat(x[k]);
		a += s * load(w);
		b += s * load(w + LANES);
	}
	tile_out(y, a, b, n);
}

#define ROW_IN(i)							\
	if (more)							\
		tile_in(y + i * N, &a##i, &b##i, n)
#define ROW_ADD(i)							\
	s = splat(x[i * K + k]);					\
	a##i += s * u;							\
	b##i += s * v
#define ROW_OUT(i)	tile_out(y + i * N, a##i, b##i, n)

/* tile_six - TALL rows at once: twelve accumulators stay in registers */
static void
tile_six(real *y, const real *x, const real *w, size_t N, size_t K, size_t n,
    size_t deep, bool more)
{
	vec a0 = splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
	vec b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0, s, u, v;

	ROW_IN(0);
	ROW_IN(1);
	ROW_IN(2);
	ROW_IN(3);
	ROW_IN(4);
	ROW_IN(5);
	for (size_t k = 0; k < deep; k++, w += WIDE) {
		u = load(w);
		v = load(w + LANES);
		ROW_ADD(0);
		ROW_ADD(1);
		ROW_ADD(2);
		ROW_ADD(3);
		ROW_ADD(4);
		ROW_ADD(5);
	}
	ROW_OUT(0);
	ROW_OUT(1);
	ROW_OUT(2);
	ROW_OUT(3);
	ROW_OUT(4);
	ROW_OUT(5);
}

/* panel_rows - some rows against one panel, DEEP of k at a time */
static void
panel_rows(const struct product_call *c, size_t panel, size_t from, size_t to)
{
	const real *w = c->w + panel * WIDE * c->K;
	size_t n = c->N - panel * WIDE, r, deep;

	for (size_t k = 0; k < c->K; k += DEEP) {
		deep = c->K - k < DEEP ? c->K - k : DEEP;
		for (r = from; r + TALL <= to; r += TALL)
			tile_six(c->y + r * c->N + panel * WIDE,
			    c->x + r * c->K + k, w + k * WIDE, c->N, c->K, n,
			    deep, k > 0);
		for (; r < to; r++)
			tile_one(c->y + r * c->N + panel * WIDE,
			    c->x + r * c->K + k, w + k * WIDE, n, deep,
			    k > 0);
	}
}

static void
product_task(void *arg, size_t task, void *scratch)
{
	const struct product_call *c = arg;
	size_t from, to, last;

	(void)scratch;
	part(c->panels, c->tasks, task, &from, &to);
	for (size_t r = 0; r < c->R; r += BLOCK) {
		last = r + BLOCK < c->R ? r + BLOCK : c->R;
		for (size_t p = from; p < to; p++)
			panel_rows(c, p, r, last);
	}
}

void
OP(product)(void *dev, real *y, const real *x, const void *packed, size_t R,
    size_t N, size_t K)
{
	struct cpu *cpu = dev;
	struct product_call c = { .y = y, .x = x, .w = packed, .R = R, .N = N,
	    .K = K, .panels = (N + WIDE - 1) / WIDE };

	c.tasks = tasks_for(dev, c.panels, WIDE * K * R / 4);
	pool_run(cpu->pool, product_task, &c, c.tasks, 0);
}
