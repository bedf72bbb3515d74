/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "appliance/model/decoder.h"
#include "appliance/model/model.h"
#include "appliance/module.h"

/*
 * train.h - what train's files share.  train.c collects tokens and publishes,
 * tokens.c makes them, loop.c takes the steps, checkpoint.c keeps what a step
 * depends on.
 */

struct train_conf {
	const char *tokenizer, *base, *text, *valid, *shard, *out, *gpus;
	int arch, schedule;
	int64_t layers, channels, heads, kv_heads, hidden, context;
	int64_t batch, accumulate, steps, epochs, warmup;
	double lr, min_lr, weight_decay, beta1, beta2, eps, clip;
	int64_t seed, eval_every, patience, checkpoint;
	bool tied;
};

enum { ARCH_GPT2, ARCH_LLAMA };
enum { SCHEDULE_COSINE, SCHEDULE_LINEAR, SCHEDULE_CONSTANT };

struct tokens {
	uint32_t *v;
	size_t n;
};

/* a point of a curve: a step and its loss */
struct point {
	int64_t step;
	double loss;
};

#define POINTS	256

/* what the next step depends on beside the parameters */
struct progress {
	int64_t step;			/* steps taken */
	double best;			/* lowest validation loss; 0: none */
	int64_t best_step, stale;	/* stale: looks without a better */
	double sum;			/* of losses since the last point */
	int64_t since;
	size_t ncurve, nvalid;
	struct point curve[POINTS], valid[POINTS];
};

struct train {
	struct stage *stage;
	const struct train_conf *conf;
	struct device *device;
	struct slab slab;
	struct model model;
	struct decoder decoder;
	real *m, *v;			/* AdamW's moments */
	struct tokens train, valid;
	size_t windows;
	int64_t steps;
	struct progress at;
	/* tokens as they come in */
	int fd;
	int64_t stored;
	struct buf *out;
};

/* tokens_add - a text's tokens, and those that begin and end it */
void tokens_add(const struct model *, struct arena *, struct view text,
    struct buf *out);

/* tokens_shard - a file of 'tokenize shard', its texts begun and ended as those
 * of records are; tokens_valid - the dataset that is held back */
int tokens_shard(struct train *, struct err *);
int tokens_valid(struct train *, struct err *);

/* loop_run - from at.step to the end, or FATE_STOP at a checkpoint; afterwards
 * model.run has the best parameters */
int loop_run(struct train *, struct err *);

/* checkpoint_write - parameters, moments and progress, by rename and flushed;
 * checkpoint_read - 1 resumed, 0 there is none, -1 */
int checkpoint_write(struct train *, struct err *);
int checkpoint_read(struct train *, struct err *);

/* best_write, best_read - the parameters of the lowest validation loss */
int best_write(struct train *, struct err *);
int best_read(struct train *, struct err *);

#endif
