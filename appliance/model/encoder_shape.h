/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ENCODER_SHAPE_H
#define MODEL_ENCODER_SHAPE_H

#include "appliance/model/shape.h"

/*
 * encoder_shape.h - config.json of encoders, for shape.c: BERT (Devlin et al.
 * 2018; MiniLM comes as one), RoBERTa (Liu et al. 2019) and XLM-RoBERTa, whose
 * places begin behind the padding's, DistilBERT (Sanh et al. 2019), which has
 * no segments, MPNet (Song et al. 2020), which has RoBERTa's places, no
 * segments, and a bias of relative positions.
 */

int encoder_parse(struct view root, enum family, struct shape *,
    struct err *);
void encoder_print(const struct shape *, struct buf *);

#endif
