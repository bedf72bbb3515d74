/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised products: the blocks stay as they are */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/block32.h"
#include "kernels/ref/ref.h"

size_t
ref_quant_size(void *dev, enum kernel_quant form, size_t N, size_t K)
{
	(void)dev;
	return N * block32_count(K) * block32_bytes(form);
}

void
ref_quant_pack(void *dev, enum kernel_quant form, void *packed,
    const void *blocks, size_t N, size_t K)
{
	memcpy(packed, blocks, ref_quant_size(dev, form, N, K));
}

/* block_dot - of whole numbers, exact */
static int
block_dot(enum kernel_quant form, const unsigned char *w, const int8_t *x)
{
	int sum = 0;

	for (size_t i = 0; i < BLOCK32; i++)
		sum += block32_q(form, w, i) * x[i];
	return sum;
}

void
ref_quant_product(void *dev, enum kernel_quant form, real *y, const real *x,
    const void *packed, size_t R, size_t N, size_t K)
{
	size_t blocks = block32_count(K), bytes = block32_bytes(form);
	int8_t *q = mem_alloc(blocks * BLOCK32);
	float *d = mem_alloc(blocks * sizeof(*d));
	int32_t *sum = mem_alloc(blocks * sizeof(*sum));

	(void)dev;
	for (size_t r = 0; r < R; r++) {
		const unsigned char *w = packed;

		block32_row(q, d, sum, x + r * K, K);
		for (size_t n = 0; n < N; n++) {
			double all = 0;

			for (size_t b = 0; b < blocks; b++, w += bytes)
				all += (double)d[b] * (double)half_f16(
				    block32_scale(w)) * block_dot(form, w,
				    q + b * BLOCK32);
			y[r * N + n] = (real)all;
		}
	}
	mem_free(q);
	mem_free(d);
	mem_free(sum);
}

void
ref_quant_embed(void *dev, enum kernel_quant form, real *y,
    const void *packed, const int32_t *id, size_t R, size_t N, size_t K)
{
	size_t row = block32_count(K) * block32_bytes(form);

	(void)dev;
	(void)N;
	for (size_t r = 0; r < R; r++)
		for (size_t k = 0; k < K; k++) {
			const unsigned char *w = (const unsigned char *)packed +
			    (size_t)id[r] * row + k / BLOCK32 *
			    block32_bytes(form);

			y[r * K + k] = (real)(half_f16(block32_scale(w)) *
			    (float)block32_q(form, w, k % BLOCK32));
		}
}
