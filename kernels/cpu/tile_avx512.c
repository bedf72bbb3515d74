/* SPDX-License-Identifier: Apache-2.0 */
/* quant.h's tile by VNNI: 64 products of bytes and their sums by fours
 * in one instruction; TALL rows in registers share each vector of weights */
#include "appliance/base/base.h"
#include "kernels/cpu/quant.h"

#include <immintrin.h>

#define TALL	((size_t)12)
/*
 * Up to FEW rows the processor sends for the weights by itself.  Beside more of
 * them so few lines lie within its sight that they are sent for, FAR ahead into
 * the second cache and NEAR into the first.
 */
#define FEW	6
#define FAR	6144
#define NEAR	1024
#define INLINE	static inline __attribute__((always_inline))
/* rows is a constant: unrolled, what each has stays in registers */
#define EACH_ROW							\
	_Pragma("GCC unroll 16")					\
	for (size_t r = 0; r < rows; r++)

/* four_of - group g of a row's block, in all lanes */
INLINE __m512i
four_of(const int8_t *x, size_t g)
{
	int32_t four;

	memcpy(&four, x + g * 4, sizeof(four));
	return _mm512_set1_epi32(four);
}

/* tile_sums - a[rows] += the block's products */
INLINE void
tile_sums(const struct tile *t, size_t b, __m512i *a, const size_t rows,
    const enum kernel_quant form)
{
	const unsigned char *w = t->w + block_at(form, b);
	const int8_t *x = t->x + b * BLOCK32;
	const __m512i low = _mm512_set1_epi8(15);
	size_t step = t->blocks * BLOCK32;

	for (size_t i = 0; rows > FEW && i < block_size(form); i += 64) {
		_mm_prefetch((const char *)w + FAR + i, _MM_HINT_T1);
		_mm_prefetch((const char *)w + NEAR + i, _MM_HINT_T0);
	}
	for (size_t g = 0; form == KERNEL_Q8 && g < 8; g++) {
		__m512i v = _mm512_loadu_si512(w + g * 64);

		EACH_ROW
			a[r] = _mm512_dpbusd_epi32(a[r], v,
			    four_of(x + r * step, g));
	}
	for (size_t g = 0; form == KERNEL_Q4 && g < 4; g++) {
		__m512i v = _mm512_loadu_si512(w + g * 64);
		__m512i u = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);

		v = _mm512_and_si512(v, low);
		EACH_ROW {
			a[r] = _mm512_dpbusd_epi32(a[r], v,
			    four_of(x + r * step, g));
			a[r] = _mm512_dpbusd_epi32(a[r], u,
			    four_of(x + r * step, g + 4));
		}
	}
}

INLINE void
tile_rows(const struct tile *t, const size_t rows,
    const enum kernel_quant form)
{
	__mmask16 some = t->n < WIDE ? (__mmask16)((1u << t->n) - 1) : 0xffff;
	__m512 f[TALL];
	__m512i a[TALL];

	EACH_ROW
		f[r] = _mm512_setzero_ps();
	for (size_t b = 0; b < t->blocks; b++) {
		__m512 s = _mm512_cvtph_ps(_mm256_loadu_si256(
		    (const __m256i_u *)(t->w + scales_at(form, b))));

		EACH_ROW
			a[r] = _mm512_set1_epi32(t->back[r * t->blocks + b]);
		tile_sums(t, b, a, rows, form);
		EACH_ROW
			f[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(a[r]),
			    _mm512_mul_ps(s, _mm512_set1_ps(t->d[r *
			    t->blocks + b])), f[r]);
	}
	EACH_ROW
		_mm512_mask_storeu_ps(t->y + r * t->N, some, f[r]);
}

#define TILE_ROWS(rows)							\
	case rows:							\
		if (t->form == KERNEL_Q8)				\
			tile_rows(t, rows, KERNEL_Q8);			\
		else							\
			tile_rows(t, rows, KERNEL_Q4);			\
		break

const size_t OP(tile_tall) = TALL;

void
OP(tile_run)(const struct tile *t, size_t rows)
{
	switch (rows) {
	TILE_ROWS(1);
	TILE_ROWS(2);
	TILE_ROWS(3);
	TILE_ROWS(4);
	TILE_ROWS(5);
	TILE_ROWS(6);
	TILE_ROWS(7);
	TILE_ROWS(8);
	TILE_ROWS(9);
	TILE_ROWS(10);
	TILE_ROWS(11);
	TILE_ROWS(12);
	}
}
