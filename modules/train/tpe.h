/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TPE_H
#define TRAIN_TPE_H

#include "modules/train/space.h"

/*
 * tpe.h - places to try: drawn evenly, or by the tree-structured Parzen
 * estimator (Bergstra et al. 2011) with the choices of Optuna's TPESampler,
 * each axis for itself: of n places tried the best ceil(n / 10), 25 at most,
 * are the good ones; a mixture of normals cut to the axis for those and one for
 * the rest, and beside each a wide prior; of 24 draws from the first the one
 * where first / second is highest.  The first ten places are drawn evenly.
 *
 * All is a function of the seed, the place's number and what came before it.
 */

#define TPE_EVEN	10		/* places before it knows anything */

struct tried {
	const double *x;		/* a number for each axis */
	double loss;			/* HUGE_VAL: it led nowhere */
};

/* place_even, place_tpe - the number-th place; of place_tpe after v[n], in the
 * order in which they were tried */
void place_even(const struct space *, uint64_t seed, uint64_t number,
    double *x);
void place_tpe(struct arena *, const struct space *, const struct tried *v,
    size_t n, uint64_t seed, uint64_t number, double *x);

/*
 * A mixture on an axis: of normals cut to its ends, log: in the logarithm, and
 * with the density there; of whole numbers the part between x - 1/2 and
 * x + 1/2; of choices the chance of each.
 */
struct parzen {
	const struct axis *axis;
	double low, high;
	size_t n;			/* parts, the prior last */
	double *weight;			/* sum 1 */
	double *mean, *spread;		/* or NULL: choices */
	double *chance;			/* [n][choices] */
};

/* parzen_make - from the places of n tries on an axis, oldest first */
void parzen_make(struct arena *, const struct axis *, const double *x,
    size_t n, struct parzen *);

/* parzen_log - the logarithm of its density at a place */
double parzen_log(const struct parzen *, double x);

#endif
