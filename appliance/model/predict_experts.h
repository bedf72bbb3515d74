/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PREDICT_EXPERTS_H
#define MODEL_PREDICT_EXPERTS_H

#include "appliance/model/predict_weights.h"

/*
 * predict_experts.h - experts (experts.h) for predict.c, looking forward only.
 * want, then put, as with everything else there; share: what all layers use.
 */

void predict_experts_share(struct predict *, struct arena *);
void predict_experts_want(struct predict *, struct arena *, size_t layer);
int predict_experts_put(struct predict_fill *, size_t layer, struct err *);

/* predict_experts_run - n rows: what the MLP adds, from n to n */
void predict_experts_run(struct predict *, const struct predict_layer *,
    size_t n);

#endif
