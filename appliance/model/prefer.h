/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PREFER_H
#define MODEL_PREFER_H

#include "appliance/model/decoder_parts.h"

/*
 * prefer.h - a model learns which of two answers is the better one: direct
 * preference optimisation (DPO, Rafailov et al. 2023; with label smoothing
 * Mitchell 2023), as TRL's sigmoid loss computes it.
 *
 * A micro-batch has B/2 pairs: the sequence with the chosen answer, then that
 * with the rejected one.  log p is the sum over the targets of a sequence.  An
 * answer's reward is beta times how much log p has risen over the reference,
 * and the margin is the difference of both rewards: a pair's loss is
 * -(1 - smoothing) log sigmoid(margin) - smoothing log sigmoid(-margin).
 */

struct prefer {
	double beta, smoothing;
	real *weight;			/* device: [R] */
};

struct prefer_sums {			/* over pairs */
	double margin, right;		/* right: margins above 0 */
	double reward[2];
};

/* prefer_want - memory for R rows */
void prefer_want(struct prefer *, struct slab *, size_t R);

/* prefer_loss - of one pair, each array chosen, then rejected; slope: the
 * loss's derivative by model[0], which is minus that by model[1] */
double prefer_loss(const struct prefer *, const double model[2],
    const double reference[2], double *slope, struct prefer_sums *);

/* prefer_logp - log p of each of the B sequences, without dropout */
void prefer_logp(struct decoder *, const int32_t *id, const int32_t *target,
    double *logp);

/* prefer_run - the sum of the pairs' losses, as decoder_run; reference[B].  A
 * pair without a target is none */
double prefer_run(const struct prefer *, struct decoder *, const int32_t *id,
    const int32_t *target, const double *reference, double scale,
    struct prefer_sums *);

#endif
