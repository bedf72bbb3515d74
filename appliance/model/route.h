/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include "appliance/engine/device.h"

/*
 * route.h - which rows go to which experts (Shazeer et al. 2017), on the host:
 * the K likeliest of E by a softmax, their weights as they are or, with `norm`,
 * divided by their sum.  The choices are then laid in the order of experts, so
 * that each expert's rows lie together; a row's own come in the same order
 * whatever rows are beside it.
 */

struct route {
	size_t E, K;
	bool norm;
	size_t n;			/* choices: rows times K */
	double *chance;			/* [R,E]: the softmax */
	size_t *first;			/* [E + 1]: each expert's choices */
	/* by place in that order */
	int32_t *row, *expert;
	real *weight;
	/* while they are chosen and counted */
	double *sum;
	int32_t *choice;
	size_t *next;
	bool *taken;
};

void route_new(struct arena *, struct route *, size_t R, size_t E, size_t K,
    bool norm);

/* route_make - of R rows, by logits[R,E] */
void route_make(struct route *, const real *logits, size_t R);

/* route_grad - dlogits[R,E] (overwritten) from dweight[n] */
void route_grad(const struct route *, const real *dweight, real *dlogits,
    size_t R);

#endif
