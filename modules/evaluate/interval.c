/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/random.h"
#include "modules/evaluate/interval.h"

#include <math.h>
#include <stdlib.h>

#define Z	1.959963984540054	/* two-sided 95 % of the normal */

struct metric *
metric_add(struct metrics *m, const char *name, double value, double lo,
    double hi)
{
	struct metric *one = &m->v[m->n];

	if (m->n == METRICS)
		panic("more than %d metrics", METRICS);
	*one = (struct metric){ name, value, lo, hi, NAN };
	m->n++;
	return one;
}

const struct metric *
metric_find(const struct metrics *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].name, name) == 0)
			return &m->v[i];
	return NULL;
}

void
interval_wilson(double k, double n, double *lo, double *hi)
{
	double p = k / n, z2 = Z * Z / n;
	double middle = (p + z2 / 2) / (1 + z2);
	double half = Z * sqrt(p * (1 - p) / n + z2 / (4 * n)) / (1 + z2);

	*lo = k == 0 ? 0 : middle - half;
	*hi = k == n ? 1 : middle + half;
}

void
interval_ratio(const double *x, const double *y, size_t n, double *lo,
    double *hi)
{
	double sx = 0, sy = 0, var = 0, r, half;

	*lo = *hi = NAN;
	for (size_t i = 0; i < n; i++) {
		sx += x[i];
		sy += y[i];
	}
	if (n < 2 || sy <= 0)
		return;
	r = sx / sy;
	for (size_t i = 0; i < n; i++)
		var += (x[i] - r * y[i]) * (x[i] - r * y[i]);
	half = Z * sqrt(var * (double)n / (double)(n - 1)) / sy;
	*lo = r - half;
	*hi = r + half;
}

struct metric *
metric_ratio(struct metrics *m, const char *name, const double *x,
    const double *y, size_t n, double (*fn)(double))
{
	double sx = 0, sy = 0, lo, hi, r;

	for (size_t i = 0; i < n; i++) {
		sx += x[i];
		sy += y[i];
	}
	interval_ratio(x, y, n, &lo, &hi);
	r = sy > 0 ? sx / sy : NAN;
	return fn == NULL ? metric_add(m, name, r, lo, hi) :
	    metric_add(m, name, fn(r), fn(lo), fn(hi));
}

static int
double_cmp(const void *va, const void *vb)
{
	double a = *(const double *)va, b = *(const double *)vb;

	return (a > b) - (a < b);
}

void
interval_bootstrap(struct arena *a, size_t n, size_t times, uint64_t seed,
    double (*fn)(void *, const uint32_t *, size_t), void *arg, double *lo,
    double *hi)
{
	uint32_t *idx = arena_array(a, n, sizeof(*idx)), four[4];
	double *got = arena_array(a, times, sizeof(*got));
	size_t left = 0, cut;

	*lo = *hi = NAN;
	if (n < 2 || times < 40)
		return;
	for (size_t t = 0; t < times; t++) {
		for (size_t i = 0; i < n; i += 4) {
			random_four(seed, t, i / 4, four);
			for (size_t k = 0; k < 4 && i + k < n; k++)
				idx[i + k] = (uint32_t)((uint64_t)four[k] *
				    n >> 32);
		}
		/* of equal items some figures have no value */
		got[left] = fn(arg, idx, n);
		left += isfinite(got[left]);
	}
	if (left < 40)
		return;
	qsort(got, left, sizeof(*got), double_cmp);
	cut = left / 40;		/* 2.5 % on each side */
	*lo = got[cut];
	*hi = got[left - 1 - cut];
}
