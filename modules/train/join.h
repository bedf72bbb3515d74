/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_JOIN_H
#define TRAIN_JOIN_H

#include "appliance/engine/ranks.h"
#include "appliance/engine/slab.h"
#include "appliance/model/decoder.h"

/*
 * join.h - what the ranks of a run have in common: tokens, gradients, sums.
 * Micro-batch i of a step is rank i % size's.  Every rank makes the same calls.
 */

struct train;
struct join {
	real *sum[2];			/* exact: of the base's gradients, of
					 * the adapter's */
};

/* join_open - who we are; join_tokens - the first rank's, for all */
int join_open(struct train *, struct err *);
int join_tokens(struct train *, struct err *);

/* join_gpus - those of the stage; where the transport is for GPUs the one of
 * this rank, counted on its machine */
const char *join_gpus(const struct train *);

/* join_want - the sums' room */
void join_want(struct train *, struct slab *, const struct decoder *);

/* join_mine - is micro-batch i this rank's; join_micro - after each of them,
 * mine or not; join_step - after the last: all have the gradient, and loss[n],
 * 0 where it was another's; join_same - is its length the same in all ranks */
bool join_mine(const struct train *, int64_t i);
int join_micro(struct train *, int64_t i, struct err *);
int join_step(struct train *, double *loss, size_t n, struct err *);
int join_same(struct train *, double norm, struct err *);

/* join_stop - does one of them have to stop: 1, 0, -1 */
int join_stop(struct train *, bool mine, struct err *);

/* join_resume - the first rank has read a checkpoint (1) or none (0): all have
 * what it has, and return that */
int join_resume(struct train *, int rc, struct err *);

/* join_sums - x[n] summed over all ranks */
int join_sums(struct train *, double *x, size_t n, struct err *);

#endif
