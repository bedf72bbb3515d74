/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_INTERVAL_H
#define EVALUATE_INTERVAL_H

#include "appliance/base/arena.h"

/* interval.h - metrics, and how far each may be off: 95 % confidence. */

/* a metric: where lo is NAN there is no interval */
struct metric {
	const char *name;
	double value, lo, hi;
	double base;			/* the other's; NAN: none */
};

#define METRICS	12

struct metrics {
	struct metric v[METRICS];
	size_t n;
};

struct metric *metric_add(struct metrics *, const char *name, double value,
    double lo, double hi);
const struct metric *metric_find(const struct metrics *, const char *name);

/* interval_wilson - of a part of n (Wilson 1927); interval_ratio - of sum x /
 * sum y over n pairs, by the linearised variance of a ratio (Cochran 1977,
 * 6.4) */
void interval_wilson(double k, double n, double *lo, double *hi);
void interval_ratio(const double *x, const double *y, size_t n, double *lo,
    double *hi);

/* metric_ratio - sum x / sum y with that interval, all through fn, or NULL */
struct metric *metric_ratio(struct metrics *, const char *name,
    const double *x, const double *y, size_t n, double (*fn)(double));

/* interval_bootstrap - the middle 95 % of `times` values that fn gives for
 * resampled items, those that are no numbers left out; idx[n] names the items
 * of one resample */
void interval_bootstrap(struct arena *, size_t n, size_t times, uint64_t seed,
    double (*fn)(void *, const uint32_t *idx, size_t n), void *arg,
    double *lo, double *hi);

#endif
