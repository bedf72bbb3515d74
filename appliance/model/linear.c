/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/linear.h"

void
linear_forward(const struct device *d, const struct linear *l, real *y,
    const real *x, size_t R)
{
	d->k->gemm(d->dev, 0, 1, R, l->N, l->K, 1, x, l->w, 0, y);
	if (l->b != NULL)
		d->k->bias(d->dev, y, l->b, R, l->N);
}

void
linear_backward(const struct device *d, const struct linear *l, real *dx,
    const real *dy, const real *x, size_t R)
{
	d->k->gemm(d->dev, 0, 0, R, l->K, l->N, 1, dy, l->w, 0, dx);
	if (l->dw != NULL)
		d->k->gemm(d->dev, 1, 0, l->N, l->K, R, 1, dy, x, 1, l->dw);
	if (l->db != NULL)
		d->k->bias_grad(d->dev, l->db, dy, R, l->N);
}
