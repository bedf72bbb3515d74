/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_POOLING_H
#define MODEL_POOLING_H

#include "appliance/base/arena.h"
#include "appliance/model/head.h"

/*
 * pooling.h - how sentence-transformers (3 to 5) says what becomes of an
 * encoder's rows: modules.json, 1_Pooling/config.json and
 * sentence_bert_config.json beside the model.
 */

/* pooling_read - of a directory, if it has modules.json; else the mean.  Other
 * modules than Transformer, Pooling and Normalize are refused, as are other
 * ways than the mean and the first row.  most: longest text, 0: not said */
int pooling_read(struct arena *, int dir, struct shape_head *, size_t *most,
    struct err *);

/* pooling_write - C channels; most: longest text */
int pooling_write(struct arena *, int dir, const struct shape_head *,
    size_t C, size_t most, struct err *);

#endif
