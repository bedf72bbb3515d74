/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TUNE_H
#define TRAIN_TUNE_H

#include "modules/train/rungs.h"
#include "modules/train/tpe.h"

/*
 * tune.h - a search over options: trainings one after another, each a trial
 * with a directory for its checkpoints, compared by their lowest validation
 * loss.  The file `trials` beside those directories is what is known of all of
 * them; it is replaced after each trial, so that a search that was stopped goes
 * on with the same trial and ends with the same table.
 * Only the directories of trials that may go on, and of the best that is over,
 * are kept.
 */

struct train;
struct train_conf;

#define TRIALS_MOST	10000

/* what a training knows of the search that it is a trial of */
struct part {
	const char *name;		/* "trial 3 of 24, "; NULL: none */
	int64_t until;			/* the step that it pauses after */
	int64_t begun;			/* thousandths of trials before it */
	bool quiet;			/* the same has been told already */
	bool early, diverged;		/* how it ended */
	struct view told;		/* a member for train.json */
};

/* diverged: a loss or gradient was no number; refused: its options do not go
 * together; halted: others of its rung were better; same: it would be another
 * trial again */
enum ending { TRIAL_OPEN, TRIAL_DONE, TRIAL_EARLY, TRIAL_DIVERGED,
	TRIAL_REFUSED, TRIAL_HALTED, TRIAL_SAME };

struct trial {
	double *x;			/* its place; NULL: not chosen yet */
	enum ending end;
	int64_t rungs, steps, best_step;	/* rungs that it has reached */
	double loss;			/* lowest; HUGE_VAL: none */
	double seconds;			/* of its own, measured */
	const char *why;		/* in words; or NULL */
};

struct tune {
	struct train *t;
	struct space space;
	struct rung rung[RUNGS];
	size_t nrungs;
	struct trial *v;
	size_t n;
};

/* tune_check - do the options describe a search, or none */
int tune_check(const struct train_conf *, struct err *);

/* tune_run - all trials; then `t` is the best of them, as loop_run leaves it */
int tune_run(struct train *t, struct err *);

/* tune_best - of the trials that are over; NULL: there is none yet */
const struct trial *tune_best(const struct tune *);

/* trials_read - what an earlier run left: 1, 0 nothing, -1; trials_write */
int trials_read(struct tune *, struct err *);
int trials_write(const struct tune *, struct err *);

/* trial_tell - a line when it is over, or paused; tune_tell - the table, for
 * people, result.json and train.json */
void trial_tell(const struct tune *, const struct trial *);
void tune_tell(struct tune *);

#endif
