/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products c = alpha op(a) op(b) + beta c, after Goto and van de Geijn 2008: a
 * tile of TALL x WIDE sums stays in registers over DEEP of k.  What the tiles
 * read is laid out in the order in which they read it: a's rows by TALL, where
 * all threads find them; b's columns by WIDE, a strip of them at a time, in the
 * second cache of the thread that multiplies all the rows by them.
 *
 * On Zen 4 this does 103 to 112 of the 117 GFLOP/s that a core can do where
 * OpenBLAS 0.3.21 (its Cooper Lake kernels) does 100 to 106.  A number of c is
 * a chain of multiply-adds for each DEEP of k, and the chains are added one
 * after another: it depends neither on the rows beside it nor on the threads.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/room.h"

#include <immintrin.h>

#define BROAD	((size_t)16)		/* lanes */
#define TALL	((size_t)8)
#define ACROSS	((size_t)3)		/* with TALL: 24 of 32 registers */
#define WIDE	(ACROSS * BROAD)
#define DEEP	((size_t)384)
#define STRIP	((size_t)4)		/* times WIDE, at most, in a strip */
#define LONG	(4 * DEEP)		/* of k, and rows of a, that are */
#define ROWS	((size_t)1024)		/* laid out at once */
#define NEAR	((size_t)64)		/* of k, while rows are turned */
#define GROUP	((size_t)8)		/* panels of a that a task lays out */

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n)							\
	_Pragma("GCC unroll 8")						\
	for (size_t i = 0; i < (n); i++)

typedef float broad __attribute__((vector_size(64)));
typedef float mbroad __attribute__((vector_size(64), aligned(4), may_alias));

/* one side of a product: number (i, k) is x[i * i_step + k * k_step], and one
 * of the steps is 1 */
struct side {
	const real *x;
	size_t i_step, k_step;
};

struct gemm_call {
	struct side a, b;
	size_t M, N, K, ldc;
	real alpha, beta;
	real *c;
	real *laid;			/* panel_at */
	size_t row, rows, k, deep;	/* what of a is laid out */
	size_t strips, groups;		/* of columns; of rows */
};

/* turn - eight rows of eight become columns */
INLINE void
turn(vec *x)
{
	vec a[8], b[8];

	EACH(i, 4) {
		a[2 * i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0,
		    8, 1, 9, 4, 12, 5, 13);
		a[2 * i + 1] = __builtin_shufflevector(x[2 * i], x[2 * i + 1],
		    2, 10, 3, 11, 6, 14, 7, 15);
	}
	EACH(i, 2)
		EACH(j, 2) {
			b[4 * i + 2 * j] = __builtin_shufflevector(
			    a[4 * i + j], a[4 * i + 2 + j], 0, 1, 8, 9, 4, 5,
			    12, 13);
			b[4 * i + 2 * j + 1] = __builtin_shufflevector(
			    a[4 * i + j], a[4 * i + 2 + j], 2, 3, 10, 11, 6, 7,
			    14, 15);
		}
	EACH(i, 4) {
		x[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8,
		    9, 10, 11);
		x[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7,
		    12, 13, 14, 15);
	}
}

/* lay_line - 16 of k of eight rows, of which n are there */
INLINE void
lay_line(real *to, const real *x, size_t step, size_t n, const size_t wide)
{
	vec v[8], u[8];

	EACH(j, 8) {
		v[j] = j < n ? load(x + j * step) : splat(0);
		u[j] = j < n ? load(x + j * step + 8) : splat(0);
	}
	turn(v);
	turn(u);
	EACH(j, 8)
		save(to + j * wide, v[j]);
	EACH(j, 8)
		save(to + (8 + j) * wide, u[j]);
}

/* lay_turned - n of `wide` rows, whose numbers are neighbours along k: a line
 * of memory is read as a whole, since rows a power of two apart share few lines
 * of the first cache */
INLINE void
lay_turned(real *to, const real *x, size_t step, size_t n, size_t deep,
    const size_t wide)
{
	size_t whole = deep - deep % 16, end;

	for (size_t k = 0; k < whole; k = end) {
		end = whole - k < NEAR ? whole : k + NEAR;
		for (size_t i = 0; i < wide; i += 8)
			for (size_t q = k; q < end; q += 16)
				lay_line(to + q * wide + i, x + i * step + q,
				    step, i < n ? n - i : 0, wide);
	}
	for (size_t k = whole; k < deep; k++)
		for (size_t i = 0; i < wide; i++)
			to[k * wide + i] = i < n ? x[i * step + k] : 0;
}

/* lay_straight - n rows (or columns) that are neighbours, by `wide` */
INLINE void
lay_straight(real *to, const real *x, size_t step, size_t n, size_t deep,
    const size_t wide)
{
	for (size_t k = 0; k < deep; k++, x += step) {
		real *p = to + k * wide;
		size_t i = 0;

		for (; i + wide <= n; i += wide, p += deep * wide)
			memcpy(p, x + i, wide * sizeof(*to));
		if (i == n)
			continue;
		memcpy(p, x + i, (n - i) * sizeof(*to));
		memset(p + n - i, 0, (wide - n + i) * sizeof(*to));
	}
}

/* lay - n rows (or columns) from i on, `deep` of k, by `wide`: so many times
 * to[deep][wide], the rest of the last being 0 */
INLINE void
lay(real *to, const struct side *s, size_t i, size_t n, size_t k, size_t deep,
    const size_t wide)
{
	const real *x = s->x + i * s->i_step + k * s->k_step;

	if (s->k_step != 1) {
		lay_straight(to, x, s->k_step, n, deep, wide);
		return;
	}
	for (i = 0; i < n; i += wide)
		lay_turned(to + i * deep, x + i * s->i_step, s->i_step,
		    n - i < wide ? n - i : wide, deep, wide);
}

struct tile {
	const real *a, *b;		/* [deep][TALL], [deep][WIDE] */
	real *c;
	size_t deep, ldc, m, n;		/* m and n of the tile are c's */
	real alpha, beta;
};

/* tile_out - a row's sums into c */
INLINE void
tile_out(const struct tile *t, real *c, const broad *sum, const size_t across)
{
	EACH(j, across) {
		size_t left = t->n - j * BROAD;
		__mmask16 some = left < BROAD ? (__mmask16)((1u << left) - 1) :
		    0xffff;
		__m512 v = _mm512_mul_ps(_mm512_set1_ps(t->alpha),
		    (__m512)sum[j]);

		if (t->beta != 0)
			v = _mm512_fmadd_ps(_mm512_set1_ps(t->beta),
			    _mm512_maskz_loadu_ps(some, c + j * BROAD), v);
		_mm512_mask_storeu_ps(c + j * BROAD, some, v);
	}
}

/* tile_across - a tile of which `across` of the vectors have columns; c is sent
 * for before the sums are made */
INLINE void
tile_across(const struct tile *t, const size_t across)
{
	const real *a = t->a, *b = t->b;
	broad sum[TALL][ACROSS], v[ACROSS], x;

	EACH(i, TALL)
		EACH(j, across)
			sum[i][j] = (broad){ 0 };
	for (size_t i = 0; i < (t->m < TALL ? t->m : TALL); i++)
		EACH(j, across)
			__builtin_prefetch(t->c + i * t->ldc + j * BROAD, 1);
	for (size_t k = 0; k < t->deep; k++, a += TALL, b += WIDE) {
		EACH(j, across)
			v[j] = *(const mbroad *)(b + j * BROAD);
		EACH(i, TALL) {
			x = a[i] - (broad){ 0 };
			EACH(j, across)
				sum[i][j] += x * v[j];
		}
	}
	EACH(i, TALL)
		if (i < t->m)
			tile_out(t, t->c + i * t->ldc, sum[i], across);
}

/* tile_run - not inlined: the registers are all its own */
static __attribute__((noinline)) void
tile_run(const struct tile *t)
{
	if (t->n > 2 * BROAD)
		tile_across(t, 3);
	else if (t->n > BROAD)
		tile_across(t, 2);
	else
		tile_across(t, 1);
}

/* panel_at - TALL rows of what is laid out, from k block `block` on */
static real *
panel_at(const struct gemm_call *g, size_t block, size_t panel)
{
	size_t panels = (g->rows + TALL - 1) / TALL, k = block * DEEP;
	size_t deep = g->deep - k < DEEP ? g->deep - k : DEEP;

	return g->laid + panels * TALL * k + panel * TALL * deep;
}

static void
lay_task(void *arg, size_t task, void *scratch)
{
	const struct gemm_call *g = arg;
	size_t i = task * GROUP * TALL, n = g->rows - i, deep;

	(void)scratch;
	n = n < GROUP * TALL ? n : GROUP * TALL;
	for (size_t k = 0; k < g->deep; k += DEEP) {
		deep = g->deep - k < DEEP ? g->deep - k : DEEP;
		lay(panel_at(g, k / DEEP, task * GROUP), &g->a, g->row + i, n,
		    g->k + k, deep, TALL);
	}
}

/* strip_rows - columns n to end, which are laid out, by panels of rows */
static void
strip_rows(const struct gemm_call *g, const real *strip, size_t n, size_t end,
    size_t k, size_t from, size_t to)
{
	struct tile t = { .ldc = g->ldc, .alpha = g->alpha,
	    .beta = g->k + k > 0 ? 1 : g->beta,
	    .deep = g->deep - k < DEEP ? g->deep - k : DEEP };

	for (size_t p = from; p < to; p++) {
		t.a = panel_at(g, k / DEEP, p);
		t.b = strip;
		t.c = g->c + (g->row + p * TALL) * g->ldc + n;
		t.m = g->rows - p * TALL;
		for (size_t i = n; i < end; i += WIDE) {
			t.n = end - i < WIDE ? end - i : WIDE;
			tile_run(&t);
			t.b += t.deep * WIDE;
			t.c += WIDE;
		}
	}
}

static void
strip_task(void *arg, size_t task, void *scratch)
{
	const struct gemm_call *g = arg;
	size_t units = (g->N + WIDE - 1) / WIDE, n, end, from, to, deep;
	real *strip = scratch;

	part(units, g->strips, task % g->strips, &n, &end);
	part((g->rows + TALL - 1) / TALL, g->groups, task / g->strips, &from,
	    &to);
	n *= WIDE;
	end = end * WIDE < g->N ? end * WIDE : g->N;
	for (size_t k = 0; k < g->deep; k += DEEP) {
		deep = g->deep - k < DEEP ? g->deep - k : DEEP;
		lay(strip, &g->b, n, end - n, g->k + k, deep, WIDE);
		strip_rows(g, strip, n, end, k, from, to);
	}
}

/* shares - strips of columns and groups of rows: a few tasks a thread, but no
 * strip wider than its cache */
static void
shares(struct gemm_call *g, size_t threads)
{
	size_t units = (g->N + WIDE - 1) / WIDE, want = threads * 4;
	size_t panels = (g->rows + TALL - 1) / TALL;

	g->strips = (units + STRIP - 1) / STRIP;
	if (threads == 1) {
		g->groups = 1;
		return;
	}
	if (g->strips < want)
		g->strips = units < want ? units : want;
	g->groups = (want + g->strips - 1) / g->strips;
	g->groups = g->groups < panels ? g->groups : panels;
}

void
OP(gemm_part)(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *c, size_t ldc)
{
	struct cpu *cpu = dev;
	size_t threads = (size_t)pool_threads(cpu->pool);
	size_t rows = M < ROWS ? (M + TALL - 1) / TALL * TALL : ROWS;
	struct gemm_call g = { .M = M, .N = N, .K = K, .ldc = ldc, .c = c,
	    .alpha = (real)alpha, .beta = (real)beta,
	    .a = { a, ta ? 1 : lda, ta ? lda : 1 },
	    .b = { b, tb ? ldb : 1, tb ? 1 : ldb } };

	if (M * N * K < 1 << 15)
		threads = 1;
	g.laid = cpu_room(dev, rows * (K < LONG ? K : LONG) * sizeof(real));
	for (g.k = 0; g.k < K; g.k += g.deep) {
		g.deep = K - g.k < LONG ? K - g.k : LONG;
		for (g.row = 0; g.row < M; g.row += g.rows) {
			g.rows = M - g.row < ROWS ? M - g.row : ROWS;
			shares(&g, threads);
			pool_run(cpu->pool, lay_task, &g, (g.rows + GROUP *
			    TALL - 1) / (GROUP * TALL), 0);
			pool_run(cpu->pool, strip_task, &g, g.strips *
			    g.groups, STRIP * WIDE * DEEP * sizeof(real));
		}
	}
}
