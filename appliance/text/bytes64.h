/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BYTES64_H
#define TEXT_BYTES64_H

#include <stdbool.h>
#include <stdint.h>

/*
 * bytes64.h - what scanners that look at 64 bytes at once share: each has its
 * plain twin, which is taken where bytes64_here says no.
 */

/* bytes64_here - does this machine have the instructions */
static inline bool
bytes64_here(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
#else
	return false;
#endif
}

#ifdef __x86_64__

#include <immintrin.h>

#define AVX2	__attribute__((target("avx2,bmi")))

/* bytes64_mask - the top bits of 32 bytes */
AVX2 static inline uint64_t
bytes64_mask(__m256i v)
{
	return (uint32_t)_mm256_movemask_epi8(v);
}

/* bytes64_within - bytes from a on, n of them */
AVX2 static inline __m256i
bytes64_within(__m256i v, int a, int n)
{
	return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(n - 128)),
	    _mm256_add_epi8(v, _mm256_set1_epi8((char)(128 - a))));
}

#endif

#endif
