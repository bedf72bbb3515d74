/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_SPACE_H
#define TRAIN_SPACE_H

#include "appliance/base/opt.h"

/*
 * space.h - where a search looks: an axis for each option that it may set.
 *
 *	lr:1e-5..1e-3:log	a range; log: even in the logarithm
 *	rank:4..64		of whole numbers, both ends count
 *	lr:1e-4..1e-3:log:5	a grid takes five points of it
 *	rank:4/8/16		choices
 *
 * A place is a number for each axis: the option's value, or of choices the
 * index.  axis_text is that value as opt_set takes it, and axis_snap the place
 * that the text means, so that a place is what was tried to the last bit.
 */

#define SPACE_AXES	16

struct axis {
	const struct opt *opt;
	bool log, whole;
	double low, high;		/* of a range */
	int64_t points;			/* of it, for a grid; 0: not said */
	const char **word;		/* choices */
	size_t n;			/* 0: a range */
};

struct space {
	struct axis *v;
	size_t n;
};

/* space_read - the axes of a list; what is no value of its option is refused */
int space_read(struct arena *, const struct opt *, const struct opt_list *,
    struct space *, struct err *);

/* axis_ends - a range as it is drawn from: whole numbers reach half a number
 * further, log: the logarithms of that */
void axis_ends(const struct axis *, double *low, double *high);

/* axis_at - the place at part u of the axis, 0 to below 1; axis_back - the
 * place that a number between the ends stands for */
double axis_at(const struct axis *, double u);
double axis_back(const struct axis *, double);

const char *axis_text(struct arena *, const struct axis *, double x);
double axis_snap(const struct axis *, double x);

/* space_cells - of a grid; 0: an axis does not say its points.  space_cell -
 * the i-th, the last axis fastest */
uint64_t space_cells(const struct space *);
void space_cell(const struct space *, uint64_t i, double *x);

#endif
