/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quant.h's tile where bytes are multiplied in pairs whose sums have 16
 * bits.  Numbers of four bits are at most 15: eight pairs of theirs, at most
 * 30,480, are added before they need 32.  Two bytes of eight bits would not
 * fit: there the weight's magnitude is multiplied, its sign goes to the
 * activation, and nothing has to be taken back.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/quant.h"

#include <immintrin.h>

#define TALL	((size_t)4)
#define FAR	6144			/* as in tile_avx512.c, but one row */
#define NEAR	1024			/* alone needs nothing */
#define INLINE	static inline __attribute__((always_inline))
/* rows is a constant: unrolled, what each has stays in registers */
#define EACH_ROW							\
	_Pragma("GCC unroll 16")					\
	for (size_t r = 0; r < rows; r++)

/* four_of - group g of a row's block, in all lanes */
INLINE __m256i
four_of(const int8_t *x, size_t g)
{
	int32_t four;

	memcpy(&four, x + g * 4, sizeof(four));
	return _mm256_set1_epi32(four);
}

INLINE __m256i
bytes_of(const unsigned char *w)
{
	return _mm256_loadu_si256((const __m256i_u *)w);
}

/* sums_q8 - a[rows] = the block's products, of eight outputs from w on */
INLINE void
sums_q8(const unsigned char *w, const int8_t *x, size_t step, __m256i *a,
    const size_t rows)
{
	const __m256i top = _mm256_set1_epi8(-128);
	const __m256i one = _mm256_set1_epi16(1);

	EACH_ROW
		a[r] = _mm256_setzero_si256();
	for (size_t g = 0; g < 8; g++) {
		__m256i v = _mm256_xor_si256(bytes_of(w + g * 64), top);
		__m256i u = _mm256_abs_epi8(v);

		EACH_ROW
			a[r] = _mm256_add_epi32(a[r], _mm256_madd_epi16(
			    _mm256_maddubs_epi16(u, _mm256_sign_epi8(
			    four_of(x + r * step, g), v)), one));
	}
}

/* sums_q4 - the same; back is added */
INLINE void
sums_q4(const unsigned char *w, const int8_t *x, size_t step, __m256i *a,
    const int32_t *back, size_t blocks, const size_t rows)
{
	const __m256i low = _mm256_set1_epi8(15);
	const __m256i one = _mm256_set1_epi16(1);

	EACH_ROW
		a[r] = _mm256_setzero_si256();
	for (size_t g = 0; g < 4; g++) {
		__m256i v = bytes_of(w + g * 64);
		__m256i u = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);

		v = _mm256_and_si256(v, low);
		EACH_ROW {
			a[r] = _mm256_add_epi16(a[r], _mm256_maddubs_epi16(v,
			    four_of(x + r * step, g)));
			a[r] = _mm256_add_epi16(a[r], _mm256_maddubs_epi16(u,
			    four_of(x + r * step, g + 4)));
		}
	}
	EACH_ROW
		a[r] = _mm256_add_epi32(_mm256_madd_epi16(a[r], one),
		    _mm256_set1_epi32(back[r * blocks]));
}

/* tile_out - eight sums, or as many as there are outputs */
INLINE void
tile_out(real *y, __m256 f, size_t n)
{
	float v[8];

	if (n >= 8) {
		_mm256_storeu_ps(y, f);
		return;
	}
	_mm256_storeu_ps(v, f);
	memcpy(y, v, n * sizeof(*y));
}

/* tile_half - eight of the panel's outputs, from `at` on */
INLINE void
tile_half(const struct tile *t, size_t at, const size_t rows,
    const enum kernel_quant form)
{
	size_t blocks = t->blocks, step = blocks * BLOCK32;
	__m256 f[TALL], s;
	__m256i a[TALL];

	if (t->n <= at)
		return;
	EACH_ROW
		f[r] = _mm256_setzero_ps();
	for (size_t b = 0; b < blocks; b++) {
		const unsigned char *w = t->w + block_at(form, b) + at * 4;

		for (size_t i = 0; rows > 1 && i < block_size(form); i += 64) {
			_mm_prefetch((const char *)w + FAR + i, _MM_HINT_T1);
			_mm_prefetch((const char *)w + NEAR + i, _MM_HINT_T0);
		}
		s = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)(t->w +
		    scales_at(form, b) + at * sizeof(uint16_t))));
		if (form == KERNEL_Q8)
			sums_q8(w, t->x + b * BLOCK32, step, a, rows);
		else
			sums_q4(w, t->x + b * BLOCK32, step, a, t->back + b,
			    blocks, rows);
		EACH_ROW
			f[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(a[r]),
			    _mm256_mul_ps(s, _mm256_set1_ps(t->d[r * blocks +
			    b])), f[r]);
	}
	EACH_ROW
		tile_out(t->y + r * t->N + at, f[r], t->n - at);
}

#define TILE_ROWS(rows)							\
	case rows:							\
		if (t->form == KERNEL_Q8)				\
			tile_half(t, at, rows, KERNEL_Q8);		\
		else							\
			tile_half(t, at, rows, KERNEL_Q4);		\
		break

const size_t OP(tile_tall) = TALL;

void
OP(tile_run)(const struct tile *t, size_t rows)
{
	for (size_t at = 0; at < WIDE; at += 8)
		switch (rows) {
		TILE_ROWS(1);
		TILE_ROWS(2);
		TILE_ROWS(3);
		TILE_ROWS(4);
		}
}
