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
 */

/* half_begin, half_end - from there to here the device may compute products as
 * this decoder reads them; what it then rounds beside is adapters and what
 * attention multiplies */
void half_begin(const struct decoder *);
void half_end(const struct decoder *);

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
