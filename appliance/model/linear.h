/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_LINEAR_H
#define MODEL_LINEAR_H

#include "appliance/engine/slab.h"

/*
 * linear.h - y = x w^T + b and its gradients, for training, with low-rank
 * adapters beside the weight: y += scale B A dropout(x) on some of y's rows of
 * w (LoRA, Hu et al. 2021), and with a magnitude m those become m / |w + scale
 * B A| times as long (DoRA, Liu et al. 2024; the length of each row of w counts
 * as a constant in the gradient, as in the paper and in PEFT).
 *
 * All pointers are the device's memory and stay the owner's.  A linear layer
 * whose dw is NULL is frozen: its weight's gradient is neither kept nor
 * computed; the same holds for db alone.  A frozen weight may be held in fewer
 * bits (kernel.h's struct kernel_held) instead of w, in parts one below
 * another; LINEAR_TILE numbers at most, but a row at least, are then made
 * reals at once, forward and back.
 *
 * The adapters of one linear layer are given in the order of their rows, and
 * their A (and dA) lie below one another in memory as one matrix [rank, K]:
 * they read the same dropped-out x.  Order of calls: linear_norms after
 * parameters changed, linear_forward, linear_backward with the same x,
 * work->key and work->row.
 */

struct lora {
	size_t row, rows, r;		/* rows of w; the rank */
	double scale;			/* alpha / r, or / sqrt(r) */
	bool dora;			/* it has m */
	const real *a, *b, *m;		/* [r,K]; [rows,r]; [rows] */
	real *da, *db, *dm;
	real *norm, *u;			/* DoRA's: [rows]; [R,rows] */
};

#define LINEAR_TILE	((size_t)1 << 20)

struct linear_part {			/* rows of w that are held */
	size_t row, rows;
	const struct kernel_held *held;
};

struct linear {
	size_t N, K;			/* out, in */
	size_t ldy;			/* rows of y and dy lie so far apart
					 * (then neither bias nor adapters);
					 * 0: N */
	const real *w, *b;		/* [N,K], NULL: held; [N], or NULL */
	const struct linear_part *part;	/* NULL: none is held */
	size_t nparts;
	real *dw, *db;			/* gradients, added to */
	struct lora *lora;
	size_t nlora, rank;		/* rank: of all of them */
	real *h;			/* A x, [R,rank], kept */
	uint64_t id;			/* of its own dropout */
};

/* what all linear layers share while one of them works */
struct linear_work {
	double dropout;			/* of x before A; 0: none */
	uint64_t key;			/* of this step's dropout */
	size_t row;			/* of the step, that is x's first */
	bool half;			/* w is rounded to 16 bits: */
	bool stored;			/* or the device's products do that,
					 * and have tensors of 16 bits */
	enum kernel_form form;
	size_t K, rank, N, tile;	/* the largest there are */
	real *x, *dh, *dy;		/* [R,K], [R,rank], [R,N] */
	real *wide;			/* [tile] */
};

/* linear_want - h, and DoRA's norm and u (y before m), from the slab; N, K,
 * lora and part are set, pointers to numbers need not be.  linear_work_want -
 * as large as the layers need it that linear_work_grow was told of */
void linear_want(struct linear *, struct slab *, size_t R);
void linear_work_grow(struct linear_work *, const struct linear *);
void linear_work_want(struct linear_work *, struct slab *, size_t R);

/* linear_norms - DoRA's row lengths, from the parameters as they are */
void linear_norms(const struct device *, const struct linear *,
    const struct linear_work *);

/* linear_forward - y[R,N] from x[R,K] */
void linear_forward(const struct device *, const struct linear *,
    const struct linear_work *, real *y, const real *x, size_t R);

/* linear_backward - dx[R,K] (overwritten) from dy[R,N]; x as it was forward */
void linear_backward(const struct device *, const struct linear *,
    const struct linear_work *, real *dx, const real *dy, const real *x,
    size_t R);

#endif
