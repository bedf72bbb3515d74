/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention, block of queries by block: the scores of QUERIES rows against all
 * keys that they see are in a thread's scratch, never the whole
 * matrix (after Dao et al. 2022, FlashAttention: only each row's log-sum is
 * kept, and the backward pass makes the scores anew).  A task is a sequence's
 * key/value head with the query heads that share it, so that no two tasks add
 * to the same gradient.  With a window, or where a text begins within a
 * sequence, a block begins at the first key that its first query sees, and ends
 * with the last that its last one does.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"
#include "kernels/drop.h"

#include <cblas.h>
#include <math.h>

#define QUERIES	((size_t)64)

struct attend_call {
	const struct kernel_heads *s;
	real *y, *lse, *dq, *dk, *dv;
	const real *q, *k, *v, *dy, *yy, *sums;
};

/* one head's block: queries first to first + n, keys from low on */
struct block {
	const struct attend_call *c;
	const real *q, *k, *v;		/* first row: of all, then of low */
	size_t h, first, n, low, keys;
	const int32_t *text, *end;	/* where each query's begins, ends */
	size_t out;			/* where its result begins in y */
	size_t sum;			/* index of the first row's lse */
	float scale;
};

static void
block_of(struct block *k, const struct attend_call *c, size_t b, size_t g,
    size_t h, size_t first)
{
	const struct kernel_heads *s = c->s;

	*k = (struct block){ .c = c, .h = h, .first = first };
	k->text = s->from == NULL ? NULL : s->from + b * s->T + first;
	k->low = s->window != 0 && first + 1 > s->window ?
	    first + 1 - s->window : 0;
	if (k->text != NULL && (size_t)k->text[0] > k->low)
		k->low = (size_t)k->text[0];
	k->q = c->q + b * s->T * s->q + h * s->D;
	k->k = c->k + (b * s->T + k->low) * s->k + g * s->D;
	k->v = c->v + (b * s->T + k->low) * s->v + g * s->D;
	k->n = s->T - first < QUERIES ? s->T - first : QUERIES;
	k->end = s->to == NULL ? NULL : s->to + b * s->T + first;
	k->keys = (k->end == NULL ? first + k->n : (size_t)k->end[k->n - 1]) -
	    k->low;
	k->out = ((b * s->T + first) * s->H + h) * s->D;
	k->sum = (b * s->H + h) * s->T + first;
	k->scale = s->scale != 0 ? (float)s->scale : 1 / sqrtf((float)s->D);
}

/* block_cap - capped scores, and their slopes if asked for */
static void
block_cap(const struct block *k, real *p, real *slope)
{
	float cap = (float)k->c->s->cap;
	size_t n = k->n * k->keys, i;
	vec t;
	float u;

	for (i = 0; i + LANES <= n; i += LANES) {
		t = vtanh(load(p + i) / splat(cap));
		save(p + i, splat(cap) * t);
		if (slope != NULL)
			save(slope + i, splat(1) - t * t);
	}
	for (; i < n; i++) {
		u = tanhf(p[i] / cap);
		p[i] = cap * u;
		if (slope != NULL)
			slope[i] = 1 - u * u;
	}
}

/* block_scores - p[n][keys] = scale q k^T, capped */
static void
block_scores(const struct block *k, real *p, real *slope)
{
	const struct kernel_heads *s = k->c->s;

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k->n,
	    (int)k->keys, (int)s->D, k->scale, k->q + k->first * s->q,
	    (int)s->q, k->k, (int)s->k, 0, p, (int)k->keys);
	if (s->cap != 0)
		block_cap(k, p, slope);
}

/* row_seen - the keys, from low on, that query i of the block sees */
static void
row_seen(const struct block *k, size_t i, size_t *from, size_t *to)
{
	size_t window = k->c->s->window;

	*to = (k->end == NULL ? k->first + i + 1 : (size_t)k->end[i]) - k->low;
	*from = window != 0 && *to > window ? *to - window : 0;
	if (k->text != NULL && (size_t)k->text[i] > k->low + *from)
		*from = (size_t)k->text[i] - k->low;
}

/* row_exp - p[i] = e^(p[i] - sub) for from <= i < n, else 0; their sum */
static float
row_exp(real *p, size_t from, size_t n, size_t end, float sub)
{
	vec sum = splat(0), e;
	float total;
	size_t i = from;

	memset(p, 0, from * sizeof(*p));
	for (; i + LANES <= n; i += LANES) {
		e = vexp(load(p + i) - splat(sub));
		save(p + i, e);
		sum += e;
	}
	total = vsum(sum);
	for (; i < n; i++) {
		p[i] = expf(p[i] - sub);
		total += p[i];
	}
	memset(p + n, 0, (end - n) * sizeof(*p));
	return total;
}

/* row_drop - dropout of the probabilities of row i */
static void
row_drop(const struct block *k, size_t i, real *p, size_t from, size_t to)
{
	const struct kernel_heads *s = k->c->s;
	uint64_t key = drop_from(s->key, (k->sum + i) * s->T + k->low);
	uint32_t below = drop_below(s->drop);
	float more = (float)(1 / (1 - s->drop));

	for (size_t j = from; j < to; j++)
		p[j] = drop_draw(key, j) < below ? 0 : p[j] * more;
}

static void
block_forward(const struct block *k, real *p)
{
	const struct kernel_heads *s = k->c->s;
	float inverse[QUERIES];
	size_t from, n;

	block_scores(k, p, NULL);
	for (size_t i = 0; i < k->n; i++) {
		real *row = p + i * k->keys;
		float max, sum;

		row_seen(k, i, &from, &n);
		max = row[from];
		for (size_t j = from + 1; j < n; j++)
			max = row[j] > max ? row[j] : max;
		sum = row_exp(row, from, n, k->keys, max);
		k->c->lse[k->sum + i] = max + logf(sum);
		inverse[i] = 1 / sum;
		if (s->drop > 0)
			row_drop(k, i, row, from, n);
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k->n,
	    (int)s->D, (int)k->keys, 1, p, (int)k->keys, k->v, (int)s->v, 0,
	    k->c->y + k->out, (int)(s->H * s->D));
	for (size_t i = 0; i < k->n; i++)
		for (size_t d = 0; d < s->D; d++)
			k->c->y[k->out + i * s->H * s->D + d] *= inverse[i];
}

static void
attend_task(void *arg, size_t task, void *scratch)
{
	const struct attend_call *c = arg;
	size_t b = task / c->s->G, g = task % c->s->G;
	size_t per = c->s->H / c->s->G;
	struct block k;

	for (size_t h = g * per; h < (g + 1) * per; h++)
		for (size_t at = 0; at < c->s->T; at += QUERIES) {
			block_of(&k, c, b, g, h, at);
			block_forward(&k, scratch);
		}
}

void
OP(attend)(void *dev, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	struct cpu *cpu = dev;
	struct attend_call c = { .s = s, .y = y, .lse = lse, .q = q, .k = k,
	    .v = v };

	pool_run(cpu->pool, attend_task, &c, s->B * s->G,
	    QUERIES * s->T * sizeof(real));
}

/* block_drop - dropout of p; whole: what it was */
static void
block_drop(const struct block *k, real *p, real *whole)
{
	size_t from, to;

	memcpy(whole, p, k->n * k->keys * sizeof(*p));
	for (size_t i = 0; i < k->n; i++) {
		row_seen(k, i, &from, &to);
		row_drop(k, i, p + i * k->keys, from, to);
	}
}

/* block_whole - p is whole again, and dp what dropout has let through */
static void
block_whole(const struct block *k, real *p, real *dp, const real *whole)
{
	float more = (float)(1 / (1 - k->c->s->drop));

	for (size_t i = 0; i < k->n * k->keys; i++) {
		dp[i] = p[i] != 0 ? dp[i] * more : 0;
		p[i] = whole[i];
	}
}

/* block_slopes - p becomes the products' gradient, given dp = dy v^T */
static void
block_slopes(const struct block *k, real *p, const real *dp, const real *slope)
{
	const struct kernel_heads *s = k->c->s;
	size_t from, n, j;

	for (size_t i = 0; i < k->n; i++) {
		const real *dy = k->c->dy + k->out + i * s->H * s->D;
		const real *y = k->c->yy + k->out + i * s->H * s->D;
		real *row = p + i * k->keys;
		const real *drow = dp + i * k->keys;
		float mean = 0;

		row_seen(k, i, &from, &n);
		for (size_t d = 0; d < s->D; d++)
			mean += dy[d] * y[d];
		for (j = from; j + LANES <= n; j += LANES)
			save(row + j, load(row + j) * (load(drow + j) -
			    splat(mean)));
		for (; j < n; j++)
			row[j] *= drow[j] - mean;
		for (j = from; s->cap != 0 && j < n; j++)
			row[j] *= slope[i * k->keys + j];
	}
}

static void
block_backward(const struct block *k, real *p, real *dp, real *dq, real *dk,
    real *dv)
{
	const struct kernel_heads *s = k->c->s;
	const real *dy = k->c->dy + k->out;
	real *slope = dp + QUERIES * s->T;
	real *whole = s->cap != 0 ? slope + QUERIES * s->T : slope;
	int n = (int)k->n, keys = (int)k->keys, D = (int)s->D;
	int wide = (int)(s->H * s->D);
	size_t from, to;

	dk += k->low * s->k;
	dv += k->low * s->v;
	block_scores(k, p, slope);
	for (size_t i = 0; i < k->n; i++) {
		row_seen(k, i, &from, &to);
		row_exp(p + i * k->keys, from, to, k->keys,
		    k->c->sums[k->sum + i]);
	}
	if (s->drop > 0)
		block_drop(k, p, whole);
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys, D, n, 1, p,
	    keys, dy, wide, 1, dv, (int)s->v);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, keys, D, 1, dy,
	    wide, k->v, (int)s->v, 0, dp, keys);
	if (s->drop > 0)
		block_whole(k, p, dp, whole);
	block_slopes(k, p, dp, slope);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, D, keys,
	    k->scale, p, keys, k->k, (int)s->k, 0, dq + k->first * s->q,
	    (int)s->q);
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys, D, n,
	    k->scale, p, keys, k->q + k->first * s->q, (int)s->q, 1, dk,
	    (int)s->k);
}

static void
attend_back(void *arg, size_t task, void *scratch)
{
	const struct attend_call *c = arg;
	const struct kernel_heads *s = c->s;
	size_t b = task / s->G, g = task % s->G, per = s->H / s->G;
	real *p = scratch, *dp = p + QUERIES * s->T;
	real *dk = c->dk + b * s->T * s->k + g * s->D;
	real *dv = c->dv + b * s->T * s->v + g * s->D;
	struct block k;

	for (size_t t = 0; t < s->T; t++) {
		memset(dk + t * s->k, 0, s->D * sizeof(*dk));
		memset(dv + t * s->v, 0, s->D * sizeof(*dv));
	}
	for (size_t h = g * per; h < (g + 1) * per; h++)
		for (size_t at = 0; at < s->T; at += QUERIES) {
			block_of(&k, c, b, g, h, at);
			block_backward(&k, p, dp, c->dq + b * s->T * s->q +
			    h * s->D, dk, dv);
		}
}

void
OP(attend_grad)(void *dev, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	struct cpu *cpu = dev;
	struct attend_call c = { .s = s, .dq = dq, .dk = dk, .dv = dv,
	    .dy = dy, .yy = y, .sums = lse, .q = q, .k = k, .v = v };

	pool_run(cpu->pool, attend_back, &c, s->B * s->G,
	    (size_t)(2 + (s->cap != 0) + (s->drop > 0)) * QUERIES * s->T *
	    sizeof(real));
}
