/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_TAUGHT_H
#define MODEL_TAUGHT_H

#include "appliance/model/decoder_parts.h"

/*
 * taught.h - a student learns from a teacher's likeliest words: distillation
 * (kernel.h has the loss) of a decoder.
 *
 * Each row of a micro-batch with a target has K words and probabilities; rows
 * without one have any.
 */

struct taught {
	size_t K;
	double temperature, alpha;
	int32_t *id;			/* device: [R,K] */
	real *p, *nll;			/* device: [R,K], [R] */
};

/* taught_want - memory for R rows */
void taught_want(struct taught *, struct slab *, size_t R);

/* taught_run - as decoder_run, of id[R], target[R] and the host's words; nll:
 * the sum of cross-entropies is added to it */
double taught_run(const struct taught *, struct decoder *, const int32_t *id,
    const int32_t *target, const int32_t *word, const real *p, double scale,
    double *nll);

#endif
