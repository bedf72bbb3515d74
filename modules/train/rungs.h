/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_RUNGS_H
#define TRAIN_RUNGS_H

#include <stddef.h>
#include <stdint.h>

/*
 * rungs.h - successive halving (Jamieson and Talwalkar 2016): all trials take a
 * small part of their steps, one of eta goes on, until one, or fewer than eta,
 * take them all.
 */

#define RUNGS	48

struct rung {
	int64_t trials, part;		/* they reach the part-th of their
					 * steps: 1 is all of them */
};

/* rungs_plan - how many rungs there are, one at least */
size_t rungs_plan(int64_t trials, int64_t eta, struct rung [RUNGS]);

#endif
