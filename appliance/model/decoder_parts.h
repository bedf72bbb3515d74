/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_DECODER_PARTS_H
#define MODEL_DECODER_PARTS_H

#include "appliance/model/decoder.h"

/*
 * decoder_parts.h - the parts of decoder_run, for losses other than the next
 * word's: forward, the head once or more, and backward from what the head was
 * run with last.
 *
 * A judge sees logits[n,V] of n rows from `row` on: it puts their losses to
 * loss + row, and with scale != 0 the logits become their gradient times scale.
 * Rows come in order, at most chunk at a time.  Rows of logits lie V apart, or
 * to_head.ldy where that is not 0.
 */

typedef void decoder_judge(struct decoder *, size_t row, size_t n,
    double scale, void *arg);

/* decoder_classify - for a judge: the loss of the next word */
void decoder_classify(const struct decoder *, size_t row, size_t n,
    double scale);

/* decoder_words - id[R] and target[rows] to the device before what computes
 * with them, so that all of that may be a graph (kernel.h); NULL: not now */
void decoder_words(struct decoder *, const int32_t *id,
    const int32_t *target);

/* decoder_forward - learns: with dropout; id NULL: those that are there */
void decoder_forward(struct decoder *, const int32_t *id, bool learns);

/* decoder_head - judge NULL: the next word's; target NULL: those that are
 * there */
void decoder_head(struct decoder *, const int32_t *target, decoder_judge *,
    void *arg, double scale);

void decoder_backward(struct decoder *);

/* decoder_sum - of the losses that the head has left */
double decoder_sum(const struct decoder *);

/* decoder_norms - DoRA's, of the parameters as they are; decoder_run's */
void decoder_norms(const struct decoder *);

/* decoder_embed - y[R,C]: words, and places from number `skip` of their table
 * on */
void decoder_embed(const struct decoder *, real *y, size_t skip);

#endif
