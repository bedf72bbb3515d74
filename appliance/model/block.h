/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_BLOCK_H
#define MODEL_BLOCK_H

#include "appliance/model/decoder.h"

/*
 * block.h - one layer of a decoder: attention and MLP with their norms, as the
 * shape's flags say.  For decoder.c: its memory, and its two passes.
 */

void block_want(const struct decoder *, struct slab *, size_t i);

/*
 * block_forward - from the layer's `in` to the next one's, or to `last`, to
 * which the layer's `mid` is still to be added: who reads it does so.  again:
 * the layer has been run before, and that has been done to its `in`.
 */
void block_forward(const struct decoder *, size_t i, bool again);

/* block_backward - dx is the gradient after the layer, then before it */
void block_backward(const struct decoder *, size_t i);

/* block_norm - a norm of the shape's kind; the gradient is added to dx */
void block_norm(const struct decoder *, real *y, real *mean, real *keep,
    const real *x, size_t w, size_t b);
/* block_sum_norm - the same of x += r */
void block_sum_norm(const struct decoder *, real *y, real *mean, real *keep,
    real *x, const real *r, size_t w, size_t b);
void block_norm_grad(const struct decoder *, real *dx, const real *dy,
    const real *x, const real *mean, const real *keep, size_t w, size_t b);

#endif
