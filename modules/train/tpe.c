/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deviation of a part is the distance to the further of its neighbours, so
 * that crowded places are looked at closely and lonely ones widely, but never
 * less than the axis divided by the number of parts, 100 at most: an estimate
 * from few places must not be sure of itself.
 */
#include "appliance/base/base.h"
#include "appliance/model/random.h"
#include "modules/train/tpe.h"

#include <math.h>
#include <stdlib.h>

#define CANDIDATES	24
#define GOOD_MOST	25		/* also: so many count in full */
/* beside the streams of weights, rows and dropout */
#define STREAM		((uint64_t)3 << 61)

struct draw {				/* numbers of one place */
	uint64_t seed, stream, next;
};

static struct draw
draw_of(uint64_t seed, uint64_t number)
{
	return (struct draw){ seed, STREAM + number, 0 };
}

static double
draw_unit(struct draw *d)
{
	return random_unit(d->seed, d->stream, d->next++);
}

void
place_even(const struct space *s, uint64_t seed, uint64_t number, double *x)
{
	struct draw d = draw_of(seed, number);

	for (size_t i = 0; i < s->n; i++)
		x[i] = axis_snap(&s->v[i], axis_at(&s->v[i], draw_unit(&d)));
}

/* weights_make - the last 25 and the prior in full, older ones less and less */
static void
weights_make(struct arena *a, struct parzen *p)
{
	size_t n = p->n - 1, old = n > GOOD_MOST ? n - GOOD_MOST : 0;
	double sum = 0, least = 1 / (double)n;

	p->weight = arena_array(a, p->n, sizeof(*p->weight));
	for (size_t i = 0; i < p->n; i++) {
		p->weight[i] = i >= old ? 1 : old == 1 ? least : least +
		    (1 - least) * (double)i / (double)(old - 1);
		sum += p->weight[i];
	}
	for (size_t i = 0; i < p->n; i++)
		p->weight[i] /= sum;
}

static void
chances_make(struct arena *a, const double *x, struct parzen *p)
{
	size_t c = p->axis->n;
	double prior = 1 / (double)p->n, *row;

	p->chance = arena_array(a, p->n * c, sizeof(*p->chance));
	for (size_t i = 0; i < p->n; i++) {
		row = p->chance + i * c;
		for (size_t k = 0; k < c; k++) {
			row[k] = i + 1 == p->n ? 1 / (double)c : prior +
			    ((size_t)x[i] == k);
			row[k] /= i + 1 == p->n ? 1 : 1 + prior * (double)c;
		}
	}
}

struct mark {
	double x;
	size_t at;
};

/* by_mark - of equals the older first */
static int
by_mark(const void *v, const void *w)
{
	const struct mark *a = v, *b = w;

	if (a->x != b->x)
		return a->x < b->x ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* spreads_make - the axis's ends are neighbours of a lonely part only */
static void
spreads_make(struct arena *a, struct parzen *p)
{
	size_t n = p->n - 1;
	double all = p->high - p->low, left, right;
	double least = all / fmin(100, 2 + (double)n);
	struct mark *m = arena_array(a, n + 1, sizeof(*m));

	for (size_t i = 0; i < n; i++)
		m[i] = (struct mark){ p->mean[i], i };
	qsort(m, n, sizeof(*m), by_mark);
	for (size_t i = 0; i < n; i++) {
		left = i > 0 ? m[i].x - m[i - 1].x : n > 1 ? 0 :
		    m[i].x - p->low;
		right = i + 1 < n ? m[i + 1].x - m[i].x : n > 1 ? 0 :
		    p->high - m[i].x;
		p->spread[m[i].at] = fmin(fmax(fmax(left, right), least), all);
	}
	p->spread[n] = all;
}

void
parzen_make(struct arena *a, const struct axis *axis, const double *x,
    size_t n, struct parzen *p)
{
	*p = (struct parzen){ .axis = axis, .n = n + 1 };
	weights_make(a, p);
	if (axis->n > 0) {
		chances_make(a, x, p);
		return;
	}
	axis_ends(axis, &p->low, &p->high);
	p->mean = arena_array(a, p->n, sizeof(*p->mean));
	p->spread = arena_array(a, p->n, sizeof(*p->spread));
	for (size_t i = 0; i < n; i++)
		p->mean[i] = axis->log ? log(x[i]) : x[i];
	p->mean[n] = (p->low + p->high) / 2;
	spreads_make(a, p);
}

/* between - the part of a standard normal between two deviations, in the tail
 * that keeps its digits */
static double
between(double a, double b)
{
	if (a > 0)
		return (erfc(a * M_SQRT1_2) - erfc(b * M_SQRT1_2)) / 2;
	return (erfc(-b * M_SQRT1_2) - erfc(-a * M_SQRT1_2)) / 2;
}

/* part_density - of one part at a place */
static double
part_density(const struct parzen *p, size_t i, double x)
{
	double m = p->mean[i], s = p->spread[i], t, a, b;
	double all = between((p->low - m) / s, (p->high - m) / s);

	if (!p->axis->whole) {
		t = (p->axis->log ? log(x) : x) - m;
		return exp(-t * t / (2 * s * s)) / (s * sqrt(2 * M_PI)) / all;
	}
	a = p->axis->log ? log(x - 0.5) : x - 0.5;
	b = p->axis->log ? log(x + 0.5) : x + 0.5;
	return between((a - m) / s, (b - m) / s) / all;
}

double
parzen_log(const struct parzen *p, double x)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += p->weight[i] * (p->chance != NULL ?
		    p->chance[i * p->axis->n + (size_t)x] :
		    part_density(p, i, x));
	return log(sum);
}

/* part_draw - one of the parts by their weights */
static size_t
part_draw(const double *weight, size_t n, struct draw *d)
{
	double u = draw_unit(d);

	for (size_t i = 0; i + 1 < n; i++) {
		if (u < weight[i])
			return i;
		u -= weight[i];
	}
	return n - 1;
}

static double
parzen_draw(const struct parzen *p, struct draw *d)
{
	size_t i = part_draw(p->weight, p->n, d);
	double t;

	if (p->chance != NULL)
		return (double)part_draw(p->chance + i * p->axis->n,
		    p->axis->n, d);
	/* a mean lies on the axis and a deviation is at most its length, so
	 * that every third draw or more falls on it */
	do
		t = p->mean[i] + p->spread[i] * random_normal(d->seed,
		    d->stream, d->next++);
	while (t < p->low || t > p->high);
	return axis_snap(p->axis, axis_back(p->axis, t));
}

/* good_ones - good[i]: is i among the best */
static size_t
good_ones(struct arena *a, const struct tried *v, size_t n, bool *good)
{
	size_t most = (n + 9) / 10;
	struct mark *m = arena_array(a, n + 1, sizeof(*m));

	most = most < GOOD_MOST ? most : GOOD_MOST;
	for (size_t i = 0; i < n; i++)
		m[i] = (struct mark){ v[i].loss, i };
	qsort(m, n, sizeof(*m), by_mark);
	for (size_t i = 0; i < n; i++)
		good[m[i].at] = i < most;
	return most;
}

/* axis_pick - the likeliest to be good of some that are likely to be */
static double
axis_pick(const struct parzen *good, const struct parzen *rest,
    struct draw *d)
{
	double best = 0, most = -HUGE_VAL, x, more;

	for (int i = 0; i < CANDIDATES; i++) {
		x = parzen_draw(good, d);
		more = parzen_log(good, x) - parzen_log(rest, x);
		if (i == 0 || more > most) {
			best = x;
			most = more;
		}
	}
	return best;
}

void
place_tpe(struct arena *a, const struct space *s, const struct tried *v,
    size_t n, uint64_t seed, uint64_t number, double *x)
{
	struct draw d = draw_of(seed, number);
	bool *good = arena_array(a, n + 1, sizeof(*good));
	double *in = arena_array(a, n + 1, sizeof(*in));
	double *out = arena_array(a, n + 1, sizeof(*out));
	struct parzen p, q;
	size_t k;

	if (n < TPE_EVEN) {
		place_even(s, seed, number, x);
		return;
	}
	good_ones(a, v, n, good);
	for (size_t i = 0; i < s->n; i++) {
		k = 0;
		for (size_t t = 0; t < n; t++)
			*(good[t] ? &in[k++] : &out[t - k]) = v[t].x[i];
		parzen_make(a, &s->v[i], in, k, &p);
		parzen_make(a, &s->v[i], out, n - k, &q);
		x[i] = axis_pick(&p, &q, &d);
	}
}
