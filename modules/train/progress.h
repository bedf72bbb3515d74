/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_PROGRESS_H
#define TRAIN_PROGRESS_H

#include "modules/train/objective.h"

/*
 * progress.h - how far a training is; a checkpoint has it as it is, so its
 * version is raised when this changes (checkpoint.c).
 */

struct point {				/* of a curve */
	int64_t step;
	double loss, number[NUMBERS];
};

#define POINTS	256
#define RECENT	128		/* steps that an outlier is held against */

/* what the next step depends on beside the parameters */
struct progress {
	int64_t step;			/* steps taken */
	double best;			/* lowest valid loss, or INFINITY */
	int64_t best_step, stale;	/* stale: looks without a better */
	struct point sum;		/* of those since the last point */
	int64_t since;
	int64_t skipped, in_a_row;	/* steps left out */
	double scale;			/* of the loss, in f16; 0: not yet */
	int64_t unscaled;		/* steps since it last changed */
	int64_t nrecent;		/* steps taken into `recent` */
	double recent[RECENT][2];	/* loss and gradient's length */
	size_t ncurve, nvalid;
	struct point curve[POINTS], valid[POINTS];
};

#endif
