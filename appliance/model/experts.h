/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_EXPERTS_H
#define MODEL_EXPERTS_H

#include "appliance/model/block.h"

/*
 * experts.h - an MLP of experts (route.h), and one for all rows beside them
 * with a gate of its own; for block.c.
 */

/* experts_want - what a layer keeps; experts_share - what all work with */
void experts_want(const struct decoder *, struct slab *,
    struct decoder_experts *);
void experts_share(struct decoder *, struct slab *);

/* experts_forward - y[R,C] (overwritten) from norm2 */
void experts_forward(const struct decoder *, struct decoder_layer *, real *y);

/* experts_backward - dn (overwritten), norm2's gradient, from dy[R,C], which
 * is not dn */
void experts_backward(const struct decoder *, const struct decoder_layer *,
    const real *dy);

#endif
