/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_OPTIMISE_H
#define MODEL_OPTIMISE_H

#include "appliance/model/decoder.h"

/*
 * optimise.h - what is trained, and the step that moves it.
 *
 * AdamW and Adam, SGD with momentum, as PyTorch computes them; Muon (Jordan et
 * al. 2024) for the matrices inside the layers, with AdamW for the rest, the
 * rate of a matrix times 0.2 sqrt(max(rows, cols)) so that one rate fits both
 * (Liu et al. 2025).  Moments are kept for what is trained only.
 * Order of calls: optimise_want before slab_take, optimise_ready after
 * decoder_ready, then optimise_norm and optimise_step when a step's gradients
 * are complete.
 */

enum optimiser { OPTIMISER_ADAMW, OPTIMISER_ADAM, OPTIMISER_SGD,
	OPTIMISER_MUON };

struct param {				/* a part that is trained */
	real *p, *g, *m, *v;		/* numbers, gradient, moments or NULL */
	size_t rows, cols;
	size_t at;			/* in the base's or the adapter's run */
	bool base;			/* it is the base's own */
	bool decay;			/* has two dimensions */
	bool muon;
};

struct optimise {
	const struct decoder *d;
	enum optimiser kind;
	double weight_decay, beta1, beta2, eps, momentum;
	struct param *v;
	struct kernel_array *g;		/* their gradients */
	size_t n, all;			/* parts; numbers in them */
	real *x, *y, *a, *b;		/* Muon's room */
};

/* optimise_want - everything that has a gradient; kind and rates are set */
void optimise_want(struct optimise *, struct arena *, const struct decoder *,
    struct slab *);
void optimise_ready(struct optimise *);

/* optimise_norm - the length of the whole gradient */
double optimise_norm(const struct optimise *);

/* optimise_step - step counts from 1; scale: of the gradient */
void optimise_step(const struct optimise *, double lr, double scale,
    int64_t step);

/* optimise_clear - the gradients are 0 again */
void optimise_clear(const struct optimise *);

#endif
