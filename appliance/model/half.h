/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_HALF_H
#define MODEL_HALF_H

#include "appliance/model/decoder.h"

/*
 * half.h - a pass in 16 bits (Micikevicius et al. 2018), of decoders, encoders
 * and encoder-decoders: what the products of the base's matrices read, weights,
 * results of layers and gradients, is rounded to bfloat16 or IEEE's half, their
 * sums and all else are 32 bits: weights as they are trained, the row that is
 * added to from layer to layer, norms, softmax, loss, adapters, and which
 * experts are chosen.
 *
 * The wide results of a layer are computed in room that all layers share (those
 * of an encoder-decoder's halves each), and kept in 16 bits until the way back:
 * they are rounded already, so nothing is lost.  Without `half` in the decoder
 * none of this does anything but half_want.
 *
 * Where the device has tensors of 16 bits (kernel.h's halves) a decoder without
 * experts keeps those results so from the start, each layer its own, and the
 * wide gradients and the logits as well (`stored`): rounding costs nothing and
 * nothing is kept or brought back.  What is added to such a tensor, a bias, an
 * adapter's share, is then rounded each time; the gradients of attention's
 * output and of the activation are rounded too, which else are not.
 */

/* half_begin, half_end - from there to here the device may compute products as
 * this decoder reads them; what it then rounds beside is adapters and what
 * attention multiplies */
void half_begin(const struct decoder *);
void half_end(const struct decoder *);

/* half_stores - may a decoder of this device and form be `stored`; half_reals -
 * n numbers, in 16 bits if it is */
bool half_stores(const struct device *, enum kernel_form);
void half_reals(const struct decoder *, struct slab *, const char *what,
    size_t n, real **where);

/* half_want - the wide results of layer i, be they its own, or of the first
 * layer, whose room others share.  half_share - a layer's are where the first
 * one's are */
void half_want(const struct decoder *, struct slab *, size_t i);
void half_share(const struct decoder *, size_t i);

/* half_round - in place; half_copy - x[R,C] rounded in room of its own, which
 * the next call takes again; or x itself */
void half_round(const struct decoder *, real *x, size_t n);
const real *half_copy(const struct decoder *, const real *x, size_t R);

/* half_keep - after layer i's forward pass; half_back - before its backward
 * pass.  The last layer's results are still there */
void half_keep(const struct decoder *, size_t i);
void half_back(const struct decoder *, size_t i);

#endif
