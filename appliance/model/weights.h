/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "appliance/engine/device.h"
#include "appliance/engine/tensors.h"
#include "appliance/model/shape.h"

/*
 * weights.h - a model's parameters as one run of numbers, and where in it
 * each lies.  Matrices are [out, in]; query, key and value lie below one
 * another as one matrix, as do gate and up.  weights_read and weights_write
 * know the names, the pieces and the transposed ones of Hugging Face's files.
 */

#define NO_WEIGHT	SIZE_MAX

struct layer {				/* offsets in reals, or NO_WEIGHT */
	size_t norm1, norm1_b, qkv, qkv_b, out, out_b;
	size_t norm2, norm2_b, up, up_b, down, down_b;
	size_t q_norm, k_norm, post1, post2;
	size_t norm3, xq, xkv, xout;	/* attention to an encoder (t5.h) */
	/* with experts instead of up and down: E of [2 EF,C] and of [C,EF]
	 * below one another, and those for all rows */
	size_t router, ups, downs, shared_gate, shared_up, shared_down;
};

struct weight {				/* one parameter */
	size_t at, rows, cols;		/* rows 1: a vector */
	bool decay;			/* has two dimensions */
};

struct weights {
	struct shape shape;
	struct weight *v;
	size_t n, all;			/* all: reals in the run */
	size_t token, place, norm, norm_b, head;	/* offsets */
	/* an encoder's: norm is that of what goes into its layers, a layer's
	 * norms follow its branches; dense and its norm come before the head */
	size_t type, head_b, dense, dense_b, dense_norm, dense_norm_b;
	/* an encoder-decoder's: the norm behind its encoder, and the biases of
	 * relative positions of both, [buckets,H]; MPNet has the first */
	size_t coded, near[2];
	bool new_head;			/* a file need not have dense and head:
					 * they begin as weights_init has it */
	struct layer *layer;
	size_t qkv_rows, up_rows;
};

void weights_layout(struct arena *, const struct shape *, struct weights *);

/* a tensor of a file, as a piece of the run */
struct piece {
	const char *name;
	size_t at, rows, cols;		/* rows 0: a vector of cols */
	bool turned;			/* the file has [cols, rows] */
	bool less_one;			/* the file has each number less 1 */
	size_t head;			/* NeoX: the file has query, key and
					 * value of so many rows for each head
					 * beside one another; else 0 */
	bool fresh;			/* a file need not have it */
};

/* piece_place - where the file's tensor has our row r, column c */
size_t piece_place(const struct piece *, size_t r, size_t c);

/* weights_pieces - every tensor by the name that transformers gives it */
struct piece *weights_pieces(struct arena *, const struct weights *,
    size_t *n);

/* weights_head_rows - outputs of the head: words, labels, or none */
size_t weights_head_rows(const struct weights *);

/* weights_find - the parameter that has a place of the run in it: its index */
size_t weights_find(const struct weights *, size_t at);

/* weights_init - GPT-2's: normal of 0.02, residual projections by sqrt(2 L)
 * less, norms 1, biases 0; the same seed gives the same numbers */
void weights_init(const struct weights *, uint64_t seed, real *run);

/* weights_tensors - which of a file's tensors each piece is, in the order of
 * weights_pieces; the file has been checked.  weights_each - every one's
 * numbers as [rows, cols] of ours, for `take` */
const struct tensor **weights_tensors(struct arena *, const struct weights *,
    const struct tensors *);
int weights_each(struct arena *, const struct weights *,
    const struct tensors *, void (*take)(void *arg, size_t i,
    const struct piece *, const float *), void *arg, struct err *);

/* weights_room - bytes that weights_each needs besides */
size_t weights_room(struct arena *, const struct weights *);

/* weights_read - a model's tensors into the run, every one of them once */
int weights_read(struct arena *, const struct weights *,
    const struct tensors *, real *run, struct err *);

/* weights_check - what weights_read would refuse; extra: how many tensors are
 * none of the model's, and the first of them */
int weights_check(struct arena *, const struct weights *,
    const struct tensors *, size_t *extra, const char **first, struct err *);

/* weights_write - model.safetensors below a directory, flushed */
int weights_write(struct arena *, const struct weights *, const real *run,
    int at, struct err *);

#endif
