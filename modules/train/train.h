/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "appliance/model/model.h"
#include "appliance/model/optimise.h"
#include "appliance/model/peft.h"
#include "appliance/module.h"
#include "appliance/text/lesson.h"
#include "modules/train/conf.h"
#include "modules/train/join.h"
#include "modules/train/objective.h"
#include "modules/train/origin.h"
#include "modules/train/progress.h"
#include "modules/train/rows.h"
#include "modules/train/tune.h"

/*
 * train.h - what train's files share.  train.c collects tokens and publishes,
 * tokens.h makes them, objective.h says what for, adapt.c sets adapters up,
 * memory.c plans, join.h speaks with other ranks, origin.h tells runs apart,
 * loop.c takes the steps, guard.c and scale.c watch them, checkpoint.c keeps
 * what a step depends on, tell.c tells what it was; tune.h does all that again
 * and again.
 */
struct train {
	struct stage *stage;
	const struct train_conf *conf;
	const struct objective *objective;
	void *goal;			/* the objective's own */
	double number[NUMBERS];		/* sums, of the step under way */
	struct device *device;
	struct slab slab;
	struct model model;
	struct decoder decoder;
	struct optimise optimise;
	struct adapter adapter;
	struct held base;		/* frozen beside adapters */
	struct ranks ranks;
	struct join join;
	bool *frozen;			/* of each parameter; NULL: none is */
	int64_t steps, kept;		/* kept: at the last checkpoint */
	struct tokens train, valid;
	struct rows rows, held;		/* of train, of valid */
	size_t targets;			/* an encoder-decoder's: decoder.h */
	struct progress at;
	struct origin origin;		/* where something is kept */
	struct part part;		/* as a trial of a search */
	int dir;			/* of checkpoints; -1: none are kept */
	const char *beside;		/* it goes at the end, */
	bool done;			/* with resume at this */
	/* texts as they come in: in files, and how much is in them */
	int fd, side;
	struct stored {
		int64_t tokens, side;
	} stored;
	struct texts out;
	struct lesson_conf lesson;	/* what a record becomes */
	const char *why;		/* the first had none; NULL: it had */
};

/* train_again - from the same tokens with other options, in the stage's arena:
 * shape, memory, rows; `of` is not touched */
int train_again(struct train *, const struct train *of, struct stage *,
    const struct train_conf *, struct err *);

/* train_model - a base's files, or the shape of a new one; no weights yet.
 * train_shape - what is trained of the base, or that shape, anew */
int train_model(struct train *, struct err *);
int train_shape(struct train *, struct err *);

/* train_adapter - as the options say; what of the base is frozen, and how it is
 * held; adapter_tell - how much that is */
int train_adapter(struct train *, struct err *);
void adapter_tell(const struct train *);

/* train_context - tokens of a sequence */
size_t train_context(const struct train *);

/* train_memory - the plan, shown first; then everything is in its place */
int train_memory(struct train *, struct err *);

/* train_tell - what it was, for result.json and for train.json in the model */
void train_tell(const struct train *, struct buf *);

/* train_result - the host has what was trained: the model's run, or the
 * adapter's (merge: the run with it) */
int train_result(struct train *, struct err *);

/* guard_step - may a step with this loss and gradient be taken: 1, 0 it is left
 * out, -1 */
int guard_step(struct train *, double loss, double norm, struct err *);

/* scale_now - what the loss is multiplied by, 1 but in f16; scale_step - after
 * a gradient of that length: 1, or 0: no step, it was too large for 16 bits */
double scale_now(const struct train *);
int scale_step(struct train *, double loss, double norm);

/* guard_valid - a validation loss is no number: 0 it goes on, -1 */
int guard_valid(struct train *, struct err *);

/* loop_run - from at.step to the end, or FATE_STOP at a checkpoint; then the
 * device has the best parameters, or a trial's checkpoint is written */
int loop_run(struct train *, struct err *);

/* checkpoint_open - where they are kept: the stage's directory; in a shell one
 * beside the result, if asked for or a best or trials will be kept, which goes
 * at checkpoint_close; of ranks the first has one */
int checkpoint_open(struct train *, struct err *);
void checkpoint_close(struct train *);

/* checkpoint_write - parameters, moments and progress, by rename and flushed;
 * checkpoint_read - 1 resumed, 0 there is none, -1; best_write, best_read - the
 * parameters of the lowest validation loss */
int checkpoint_write(struct train *, struct err *);
int checkpoint_read(struct train *, struct err *);
int best_write(struct train *, struct err *);
int best_read(struct train *, struct err *);

#endif
