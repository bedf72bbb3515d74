/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_T5_SHAPE_H
#define MODEL_T5_SHAPE_H

#include "appliance/engine/tensors.h"
#include "appliance/model/shape.h"

/*
 * t5_shape.h - config.json of T5 (Raffel et al. 2020), T5 v1.1 and FLAN-T5, and
 * mT5 (Xue et al. 2021), for shape.c.
 *
 * 'tie_word_embeddings' says two things there: that the head is the token table
 * and that what it reads is divided by the root of the channels.  transformers
 * 5 says the second by 'scale_decoder_outputs' and leaves the first to the
 * file: t5_head looks whether that has a head.  mT5's is never divided.
 */

int t5_parse(struct view root, enum family, struct shape *, struct err *);
void t5_print(const struct shape *, struct buf *);

/* t5_head - is the head the token table, as the file's tensors have it */
void t5_head(struct shape *, const struct tensors *);

#endif
