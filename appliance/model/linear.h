/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_LINEAR_H
#define MODEL_LINEAR_H

#include "appliance/engine/device.h"

/*
 * linear.h - y = x w^T + b and its gradients, for training.
 *
 * All pointers are the device's memory and stay the owner's.  A linear layer
 * whose dw is NULL is frozen: its weight's gradient is neither kept nor
 * computed; the same holds for db alone.
 */

struct linear {
	size_t N, K;			/* out, in */
	const real *w, *b;		/* [N,K]; [N], or NULL: no bias */
	real *dw, *db;			/* gradients, added to */
};

/* linear_forward - y[R,N] from x[R,K] */
void linear_forward(const struct device *, const struct linear *, real *y,
    const real *x, size_t R);

/* linear_backward - dx[R,K] (overwritten) from dy[R,N]; x as it was forward */
void linear_backward(const struct device *, const struct linear *, real *dx,
    const real *dy, const real *x, size_t R);

#endif
