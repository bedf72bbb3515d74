/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of 64 bytes at once.  Letters, digits and blanks are masks, and where
 * their kinds are never linked a shift shows it; beside any other byte of ASCII
 * a table is asked, for each character beyond ASCII its hash.
 */
#include "appliance/base/base.h"
#include "appliance/text/bytes64.h"
#include "appliance/text/links.h"

bool
links_here(void)
{
	return bytes64_here();
}

#ifndef __x86_64__
size_t
links_block(const struct links *l, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends)
{
	(void)l, (void)p, (void)n, (void)last, (void)first, (void)ends;
	return 0;
}
#else

#define SIGN	0x8196e2u	/* LINKS_SIGN as links_char has it */

struct marks {
	uint64_t kind[3];		/* letter, digit, blank */
	uint64_t high;			/* beyond ASCII */
};

/* marks_32 - the masks of 32 bytes, put in at a shift */
AVX2 static inline void
marks_32(struct marks *m, __m256i v, unsigned at)
{
	__m256i low = _mm256_or_si256(v, _mm256_set1_epi8(0x20));

	m->kind[0] |= bytes64_mask(bytes64_within(low, 'a', 26)) << at;
	m->kind[1] |= bytes64_mask(bytes64_within(v, '0', 10)) << at;
	m->kind[2] |= bytes64_mask(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(' '))) << at;
	m->high |= bytes64_mask(v) << at;
}

/* char_of - the character at p, the sign as a blank */
static inline uint32_t
char_of(const struct links *l, const char *p, size_t len)
{
	uint32_t c = links_char(p, len);

	return l->sign && c == SIGN ? ' ' : c;
}

/* cuts_three - the cuts before characters of three bytes, which follow one on
 * another in most text of that kind; *done: where the one before them ends */
static inline uint64_t
cuts_three(const struct links *l, const char *p, size_t n, uint32_t *before,
    size_t *done)
{
	uint64_t s = 0;
	uint32_t a = *before, c, bit;
	size_t at;

	for (at = *done; at + 3 <= n && ((unsigned char)p[at] & 0xf0) == 0xe0;
	    at += 3) {
		memcpy(&c, p + at - 1, sizeof(c));
		c >>= 8;
		if (c == SIGN)
			break;
		bit = links_bit(a, c);
		s |= (uint64_t)(~l->pair[bit >> 3] >> (bit & 7) & 1) << at;
		a = c;
	}
	*before = a;
	*done = at;
	return s;
}

/* cuts_high - the cuts beside characters beyond ASCII; *n is less if the last
 * one is not all there */
static uint64_t
cuts_high(const struct links *l, const struct marks *m, const char *p,
    size_t *n)
{
	uint64_t left = m->high, s = 0;
	size_t at, len, done = 0;
	uint32_t before = 0, c;

	while (left != 0) {
		at = (size_t)__builtin_ctzll(left);
		if (at >= *n)
			break;
		len = links_bytes(p + at, 4);
		if (at + len > *n) {
			*n = at;
			break;
		}
		c = char_of(l, p + at, len);
		if (at > 0) {
			if (done != at || done == 0)
				before = (unsigned char)p[at - 1];
			s |= (uint64_t)!links_pair(l, before, c) << at;
		}
		before = c;
		done = at + len;
		s |= cuts_three(l, p, *n, &before, &done);
		if (done < *n && (unsigned char)p[done] < 128)
			s |= (uint64_t)!links_pair(l, before,
			    (unsigned char)p[done]) << done;
		left = done < 64 ? left >> done << done : 0;
	}
	return s;
}

/* cuts_other - the cuts beside what else there is in ASCII */
AVX2 static inline uint64_t
cuts_other(const struct links *l, const char *p, uint64_t left)
{
	uint64_t s = 0;

	for (; left != 0; left &= left - 1) {
		size_t at = (size_t)__builtin_ctzll(left);
		unsigned char a = (unsigned char)p[at - 1];
		unsigned char b = (unsigned char)p[at];

		s |= (~l->byte[a][b >> 6] >> (b & 63) & 1) << at;
	}
	return s;
}

AVX2 size_t
links_block(const struct links *l, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends)
{
	struct marks m = { { 0, 0, 0 }, 0 };
	uint64_t s = 0, other, known;
	size_t all = n;

	marks_32(&m, _mm256_loadu_si256((const void *)p), 0);
	marks_32(&m, _mm256_loadu_si256((const void *)(p + 32)), 32);
	if (m.high != 0)
		s = cuts_high(l, &m, p, &n);
	if (n == 0)
		return 0;
	known = ~(uint64_t)0 >> (64 - n);
	for (int a = 0; a < 3; a++)
		for (int b = 0; b < 3; b++)
			s |= l->none[a][b] & m.kind[a] << 1 & m.kind[b];
	other = ~(m.kind[0] | m.kind[1] | m.kind[2] | m.high);
	other = (other | other << 1) & ~(m.high | m.high << 1);
	s |= cuts_other(l, p, other & known & ~(uint64_t)1);
	s &= known & ~(uint64_t)1;
	*first = s | 1;
	*ends = s >> 1;
	if (last && n == all) {
		*ends |= (uint64_t)1 << (n - 1);
		return n;
	}
	if (s == 0)
		return 0;
	/* the last unit may go on behind the block */
	n = (size_t)63 - (size_t)__builtin_clzll(s);
	*first &= ~((uint64_t)1 << n);
	return n;
}
#endif
