/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PRUNE_H
#define MODEL_PRUNE_H

#include "appliance/model/weights.h"

/*
 * prune.h - weights that count least become 0, in the matrices inside the
 * layers: not in the tables of words and places, the head, routers and vectors.
 *
 * Either a part of each matrix goes, or `keep` of every `of` weights of an
 * output that read neighbouring inputs stay (2 of 4 is what GPUs skip).  What
 * counts is the magnitude, and then a part is of the whole matrix; or it is the
 * magnitude times the length of the input over some text (Wanda, Sun et al.
 * 2023, with the inputs of the whole model), and then a part is of each output.
 * Of equals the earlier goes.
 * Order of calls: prune_plan, prune_inputs if inputs count, then prune_tensor
 * for each tensor, in any order.
 */

struct prune_matrix {
	int fd;				/* of its file, and where in it; for */
	uint64_t at;			/* its name is the format's */
	size_t rows, cols;		/* outputs, inputs */
	bool turned;			/* unless it is TENSOR_TURNED when it
					 * is read: [inputs, outputs] */
	size_t layer, input;		/* which of its layer's inputs it has */
	const float *length;		/* [cols]; NULL: magnitudes count */
};

struct prune {
	double part;			/* that goes; 0: keep of `of` */
	unsigned keep, of;
	struct prune_matrix *v;		/* by place */
	size_t n;
	uint64_t numbers, gone;		/* so far; gone: those that are 0 */
	double squares, lost;		/* sums: of squares, of those gone */
};

/* prune_parse - "0.5" or "2:4" */
int prune_parse(const char *, struct prune *, struct err *);

/* prune_plan - the matrices of a checked file */
int prune_plan(struct arena *, const struct weights *, const struct tensors *,
    struct prune *, struct err *);

/* prune_inputs - lengths of inputs over id[n], in sequences of T at most; the
 * weights are read for it, and gone afterwards */
int prune_inputs(struct arena *, struct device *, const struct weights *,
    const struct tensors *, const int32_t *id, size_t n, size_t T,
    struct prune *, struct err *);

/* prune_takes - is a tensor one of the matrices; prune_tensor - v: all its
 * numbers as tensor_read gives them */
bool prune_takes(const struct prune *, const struct tensor *);
void prune_tensor(struct prune *, const struct tensor *, float *v);

#endif
