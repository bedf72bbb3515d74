/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "appliance/engine/device.h"
#include "appliance/model/weights.h"

/*
 * golden.h - a model whose weights follow from its tensors' names, beside the
 * numbers that transformers computed for it: "loss X", "row N P" and "grad NAME
 * N P" are norms, and projections on a stream of the same name.
 */

struct golden {
	struct piece *piece;
	size_t n;
	real *run;
	const char *want;
	double floor;			/* some gradients are nothing but
					 * rounding: a bias of keys adds the
					 * same to all scores */
};

/* golden_each - the cases of tests/golden/WHERE in their order, or one alone:
 * its directory, and the devices ref and cpu; how many were run */
size_t golden_each(const char *where, const char *only, void (*test)
    (const char *name, int dir, struct device *const device[2]));

/* golden_stream - number i of a name's, from -1 to 1 */
double golden_stream(const char *name, size_t i);

/* golden_shape - of a case's config.json, which must mean the same as that of
 * transformers 5 and as we print it; want: its numbers */
int golden_shape(struct arena *, int dir, struct shape *, const char **want,
    struct err *);

/* golden_fill - the run as weights_read would have it */
void golden_fill(struct arena *a, const struct weights *w, const char *want,
    struct golden *g);

/* golden_rows - the worst of all rows, of single numbers beside the largest;
 * HUGE_VAL: there are not as many */
double golden_rows(const struct golden *g, const real *x, size_t n,
    size_t width);

/* golden_grads - the worst tensor; each that is wanted must be there */
double golden_grads(struct arena *a, const struct golden *g, const real *grad,
    const char **which);

/* golden_angles - 1 - the cosine of the angle between two gradients: of all
 * parameters, and the largest of one whose gradient is more than rounding */
void golden_angles(const struct weights *, const real *x, const real *y,
    double *all, double *worst);

#endif
