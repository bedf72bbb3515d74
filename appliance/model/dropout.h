/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_DROPOUT_H
#define MODEL_DROPOUT_H

#include "appliance/model/decoder.h"

/*
 * dropout.h - dropout (Srivastava et al. 2014) where GPT-2, BERT, T5 and their
 * descendants have it: of the embeddings, of what each branch of a layer
 * returns, of attention's probabilities, and of the rows that a classifying
 * head reads; in T5 also inside the MLP and behind the last norms.
 *
 * What is dropped is a function of the step's key, the place in the program
 * and the element's number within the step, counted from work.row: the same
 * whatever the split into micro-batches, and again on the way back.
 */

enum dropout_place {
	DROPOUT_EMBED, DROPOUT_HEAD,	/* once, or of each half of T5, as of
					 * its first layer */
	DROPOUT_OUT, DROPOUT_DOWN,	/* of a layer: attention's, the MLP's */
	DROPOUT_SCORES,
	DROPOUT_ACT,			/* T5's: what the MLP's down reads */
	DROPOUT_CROSS, DROPOUT_CROSS_SCORES	/* attention to the encoder */
};

/* dropout_row - the number within the step of the first row of a layer: an
 * encoder-decoder's halves differ */
size_t dropout_row(const struct decoder *, size_t layer);

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

/* dropout_act - as dropout_rows, x[R,F] */
void dropout_act(const struct decoder *, size_t layer, real *x);

/* dropout_scores - n probabilities or their gradients, numbered from `first`
 * on in their step; y may be x */
void dropout_scores(const struct decoder *, enum dropout_place, size_t layer,
    size_t first, real *y, const real *x, size_t n);

/* dropout_heads - what attention is told */
void dropout_heads(const struct decoder *, size_t layer,
    struct kernel_heads *);

#endif
