/* SPDX-License-Identifier: Apache-2.0 */
/* Held matrices: kernel.h in plain loops */
#include "appliance/base/base.h"
#include "kernels/held.h"
#include "kernels/ref/ref.h"

void
ref_widen(void *dev, real *y, const struct kernel_held *h,
    const int32_t *row, size_t first, size_t R, size_t K)
{
	(void)dev;
	for (size_t r = 0; r < R; r++) {
		size_t from = row == NULL ? first + r : (size_t)row[r];

		for (size_t c = 0; c < K; c++)
			y[r * K + c] = held_number(h, from * K + c);
	}
}

void
ref_narrow(void *dev, uint16_t *y, const real *x, size_t n,
    enum kernel_form form)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = half_narrow((float)x[i], form);
}

void
ref_round(void *dev, real *y, const real *x, size_t n, enum kernel_form form)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = half_round((float)x[i], form);
}
