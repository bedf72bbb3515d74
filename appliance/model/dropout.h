/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_DROPOUT_H
#define MODEL_DROPOUT_H

#include "appliance/model/decoder.h"

/*
 * dropout.h - dropout (Srivastava et al. 2014) where GPT-2, BERT and their
 * descendants have it: of the embeddings, of what each branch of a layer
 * returns, of attention's probabilities, and of the rows that a classifying
 * head reads.
 *
 * What is dropped is a function of the step's key, the place in the program
 * and the element's number within the step, counted from work.row: the same
 * whatever the split into micro-batches, and again on the way back.
 */

enum dropout_place {
	DROPOUT_EMBED, DROPOUT_HEAD,	/* once */
	DROPOUT_OUT, DROPOUT_DOWN,	/* of a layer: attention's, the MLP's */
	DROPOUT_SCORES
};

/* dropout_set - does what is computed next learn: without it nothing is
 * dropped, of what adapters read neither */
void dropout_set(struct decoder *, bool learns);

/* dropout_rows - x[R,C] of a layer in place, forward or as a gradient.
 * dropout_back - the gradient before it: dx, or a copy that is valid until the
 * next call */
void dropout_rows(const struct decoder *, enum dropout_place, size_t layer,
    real *x);
const real *dropout_back(const struct decoder *, enum dropout_place,
    size_t layer, const real *dx);

/* dropout_heads - what attention is told */
void dropout_heads(const struct decoder *, size_t layer,
    struct kernel_heads *);

#endif
