/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PREDICT_WEIGHTS_H
#define MODEL_PREDICT_WEIGHTS_H

#include "appliance/model/predict.h"

/*
 * predict_weights.h - predict.c's weights: first what is wanted, in a fixed
 * order, then all of it put there, from a run or from a file's tensors.
 */

struct predict_fill {
	struct predict *p;
	const real *run;		/* or NULL, and these: */
	const struct piece *piece;
	const struct tensor **tensor;	/* of each piece */
	size_t n;
	float *flat;			/* a tensor as it is read */
	real *room;			/* a matrix of several */
	size_t most_flat, most_room;
};

/* predict_weights_want - into p->weights; predict_weights_open - memory and
 * numbers of them */
void predict_weights_want(struct predict *);
int predict_weights_open(struct predict *, struct arena *,
    const struct predict_how *, struct err *);

/* predict_weights_move - before each call: predict_how's `large` */
void predict_weights_move(struct predict *);

/* a matrix that is wanted, and its numbers, of the run from `at` on */
void predict_matrix_want(struct predict *, enum packed_form, size_t rows,
    size_t cols, void **);
int predict_matrix_put(struct predict_fill *, enum packed_form, void *to,
    size_t at, size_t rows, size_t cols, struct err *);

#endif
