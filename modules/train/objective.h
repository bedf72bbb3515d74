/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_OBJECTIVE_H
#define TRAIN_OBJECTIVE_H

#include "appliance/base/opt.h"
#include "appliance/model/head.h"
#include "appliance/text/rec.h"
#include "modules/train/rows.h"

/*
 * objective.h - what a model is trained for: which fields of a record are
 * wanted, how they become sequences, and how the model's outputs become a loss.
 * The steps, their order, the optimiser and what a checkpoint keeps are the
 * same for all (loop.c).
 *
 * Order of calls: plan, from the options alone; open, when the model is there
 * and the device is not; add for each record; want, when memory is planned,
 * also in trials; ready, when the sequences are made and the device has the
 * weights as they begin, also when a run is resumed; then run for each
 * micro-batch.
 *
 * A step's loss is the sum of what run returns over its micro-batches divided
 * by what they count: tokens that are learnt, or with group > 1 groups of so
 * many sequences that belong together (a pair of answers), which are drawn as
 * one and stand side by side in a micro-batch.  The option `batch` counts
 * groups.
 */

struct slab;
struct train;
struct train_conf;

#define NUMBERS		4		/* that an objective tells */

struct objective {
	const char *name;		/* as the option has it */
	size_t group;			/* texts that belong together */
	bool seq2seq;			/* of an encoder-decoder (seq2seq.h) */
	bool apart;			/* a text is a sequence by itself */
	size_t least;			/* groups that are told apart, or 0 */
	/* beside the loss: means over what is counted, for the curves */
	const char *number[NUMBERS];
	/* head - an encoder's, before the model is opened; NULL: a decoder */
	int (*head)(struct train *, struct shape_head *, struct err *);
	int (*plan)(const struct train_conf *, struct err *);	/* or NULL */
	int (*open)(struct train *, struct err *);		/* or NULL */
	/* want - memory for R rows of a micro-batch, or NULL */
	void (*want)(struct train *, struct slab *, size_t R);
	/* add - a record's texts, and beside them what the objective wants to
	 * keep; NULL, or why the record has none */
	const char *(*add)(struct train *, struct arena *, struct rec *,
	    struct texts *);
	/* draw - how a text of n tokens might be learnt, with marks: how many
	 * that are; NULL: as it is */
	size_t (*draw)(struct train *, struct arena *, const uint32_t *v,
	    size_t n, uint32_t **out);
	int (*ready)(struct train *, struct err *);		/* or NULL */
	/* run - the sum of the losses; scale != 0: with its gradient times
	 * scale; sums of its numbers are added to t->number */
	double (*run)(struct train *, const struct micro *, double scale);
};

extern const struct objective objective_causal, objective_dpo;
extern const struct objective objective_distill;
extern const struct objective objective_seq2seq, objective_span;
extern const struct objective objective_masked, objective_classify,
    objective_regress, objective_tag, objective_contrast;

/* objective_of - the one that the options name */
const struct objective *objective_of(const struct train_conf *);

#endif
