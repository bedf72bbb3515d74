/* SPDX-License-Identifier: Apache-2.0 */
/* Attention, over a batch and over a cache: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/drop.h"
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

/* score - of a query and a key, with scale and cap */
static double
score(const struct kernel_heads *s, const real *q, const real *k)
{
	double x = dot(q, k, s->D) * (s->scale != 0 ? s->scale :
	    1 / sqrt((double)s->D));

	return s->cap == 0 ? x : s->cap * tanh(x / s->cap);
}

/* first_seen - the earliest place that row r, a query at place t, sees */
static size_t
first_seen(const struct kernel_heads *s, size_t r, size_t t)
{
	size_t first = s->from == NULL ? 0 : (size_t)s->from[r];

	return s->window == 0 || t < s->window + first ? first :
	    t + 1 - s->window;
}

/* last_seen - the last one */
static size_t
last_seen(const struct kernel_heads *s, size_t r, size_t t)
{
	return s->to == NULL ? t : (size_t)s->to[r] - 1;
}

/* kept - what a probability counts: 1, or with dropout 0 or more than 1;
 * `first` is where its row's draws begin */
static double
kept(const struct kernel_heads *s, size_t first, size_t j)
{
	if (s->drop == 0)
		return 1;
	return drop_draw(s->key, first + j) < drop_below(s->drop) ? 0 :
	    1 / (1 - s->drop);
}

/* look_one - y[D] for one query over keys and values of places from to last */
static double
look_one(const struct kernel_heads *s, real *y, const real *q, const real *k,
    size_t kstride, const real *v, size_t vstride, size_t from, size_t last,
    size_t first)
{
	double max = -HUGE_VAL, sum = 0, w, acc;

	for (size_t j = from; j <= last; j++) {
		w = score(s, q, k + j * kstride);
		max = w > max ? w : max;
	}
	for (size_t j = from; j <= last; j++)
		sum += exp(score(s, q, k + j * kstride) - max);
	for (size_t d = 0; d < s->D; d++) {
		acc = 0;
		for (size_t j = from; j <= last; j++)
			acc += exp(score(s, q, k + j * kstride) - max) *
			    kept(s, first, j) * (double)v[j * vstride + d];
		y[d] = (real)(acc / sum);
	}
	return max + log(sum);
}

void
ref_attend(void *dev, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	size_t D = s->D, per = s->H / s->G;

	(void)dev;
	for (size_t b = 0; b < s->B; b++, q += s->T * s->q, k += s->T * s->k,
	    v += s->T * s->v, y += s->T * s->H * D)
		for (size_t t = 0; t < s->T; t++)
			for (size_t h = 0; h < s->H; h++)
				lse[(b * s->H + h) * s->T + t] =
				    (real)look_one(s, y + (t * s->H + h) * D,
				    q + t * s->q + h * D, k + h / per * D,
				    s->k, v + h / per * D, s->v, first_seen(s,
				    b * s->T + t, t), last_seen(s,
				    b * s->T + t, t), ((b * s->H + h) * s->T +
				    t) * s->T);
}

/* zero_rows - the gradients' rows, which may be parts of wider ones */
static void
zero_rows(real *x, size_t rows, size_t stride, size_t width)
{
	for (size_t r = 0; r < rows; r++)
		memset(x + r * stride, 0, width * sizeof(*x));
}

/* score_grad - the slope of a score by the scaled dot product */
static double
score_grad(const struct kernel_heads *s, double x)
{
	double slope = s->scale != 0 ? s->scale : 1 / sqrt((double)s->D);

	return s->cap == 0 ? slope : slope * (1 - x / s->cap * (x / s->cap));
}

void
ref_attend_grad(void *dev, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *s)
{
	size_t D = s->D, per = s->H / s->G, rows = s->B * s->T;

	(void)dev;
	zero_rows(dq, rows, s->q, s->H * D);
	zero_rows(dk, rows, s->k, s->G * D);
	zero_rows(dv, rows, s->v, s->G * D);
	for (size_t r = 0; r < rows; r++)
		for (size_t h = 0; h < s->H; h++) {
			const real *g = dy + (r * s->H + h) * D;
			const real *qr = q + r * s->q + h * D;
			size_t t = r % s->T, at = h / per * D;
			size_t sum = ((r / s->T) * s->H + h) * s->T + t;
			double total = (double)lse[sum];
			double mean = dot(g, y + (r * s->H + h) * D, D);

			for (size_t j = r - t + first_seen(s, r, t);
			    j <= r - t + last_seen(s, r, t); j++) {
				const real *kj = k + j * s->k + at;
				const real *vj = v + j * s->v + at;
				double x = score(s, qr, kj);
				double p = exp(x - total), more = kept(s,
				    sum * s->T, j - (r - t));
				double ds = score_grad(s, x) * p *
				    (more * dot(g, vj, D) - mean);

				for (size_t d = 0; d < D; d++) {
					dv[j * s->v + at + d] +=
					    (real)(p * more * (double)g[d]);
					dk[j * s->k + at + d] +=
					    (real)(ds * (double)qr[d]);
					dq[r * s->q + h * D + d] +=
					    (real)(ds * (double)kj[d]);
				}
			}
		}
}

/* place_of - keys, then values of a row's sequence at a place */
static size_t
place_of(const struct kernel_places *at, size_t r, size_t place, size_t width)
{
	size_t page = (size_t)at->table[(size_t)at->slot[r] * at->per +
	    place / KERNEL_PAGE];

	return (page * KERNEL_PAGE + place % KERNEL_PAGE) * 2 * width;
}

void
ref_store(void *dev, real *cache, const real *k, const real *v,
    const struct kernel_places *at, size_t R, size_t stride, size_t G,
    size_t D)
{
	size_t width = G * D;

	(void)dev;
	for (size_t r = 0; r < R; r++) {
		real *to = cache + place_of(at, r, (size_t)at->pos[r], width);

		memcpy(to, k + r * stride, width * sizeof(*to));
		memcpy(to + width, v + r * stride, width * sizeof(*to));
	}
}

void
ref_look(void *dev, real *y, const real *q, const real *cache,
    const struct kernel_places *at, size_t R, const struct kernel_heads *s)
{
	size_t width = s->G * s->D, n, head;
	real *past;

	(void)dev;
	for (size_t r = 0; r < R; r++) {
		/* the sequence, page after page */
		n = (size_t)at->pos[r] + 1;
		past = mem_alloc(n * 2 * width * sizeof(*past));
		for (size_t j = 0; j < n; j++)
			memcpy(past + j * 2 * width, cache + place_of(at, r,
			    j, width), 2 * width * sizeof(*past));
		for (size_t h = 0; h < s->H; h++) {
			head = h / (s->H / s->G) * s->D;
			look_one(s, y + (r * s->H + h) * s->D, q + r * s->q +
			    h * s->D, past + head, 2 * width, past + width +
			    head, 2 * width, first_seen(s, r, n - 1), n - 1,
			    0);
		}
		mem_free(past);
	}
}
