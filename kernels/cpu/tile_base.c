/* SPDX-License-Identifier: Apache-2.0 */
/* quant.h's tile in plain loops: what the others compute */
#include "appliance/base/base.h"
#include "kernels/cpu/quant.h"

const size_t OP(tile_tall) = 8;

void
OP(tile_run)(const struct tile *t, size_t rows)
{
	size_t n = t->n < WIDE ? t->n : WIDE;

	for (size_t r = 0; r < rows; r++)
		for (size_t i = 0; i < n; i++) {
			float all = 0;

			for (size_t b = 0; b < t->blocks; b++) {
				size_t at = r * t->blocks + b;
				int32_t sum = t->back[at];

				for (size_t k = 0; k < BLOCK32; k++)
					sum += tile_number(t, b, i, k) *
					    t->x[at * BLOCK32 + k];
				all += (float)sum * (half_f16(tile_scale(t,
				    b, i)) * t->d[at]);
			}
			t->y[r * t->N + i] = all;
		}
}
