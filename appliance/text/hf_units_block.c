/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of 64 bytes at once: a byte's class is a bit in a mask, and units begin
 * and end where bits change.  Characters beyond ASCII are put into the masks
 * one by one; the block ends before one that the plain scanner has rules for.
 */
#include "appliance/base/base.h"
#include "appliance/text/bytes64.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/utf8.h"

bool
hf_units_here(void)
{
	return bytes64_here();
}

#ifndef __x86_64__
size_t
hf_units_block(const struct hf_units *u, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends)
{
	(void)u, (void)p, (void)n, (void)last, (void)first, (void)ends;
	return 0;
}
#else

struct marks {
	uint64_t gap, alone, high;	/* alone: all bytes of it */
	uint64_t behind;		/* of characters, all bytes but one */
};

/* marks_32 - the masks of 32 bytes, put in at a shift */
AVX2 static inline void
marks_32(const struct hf_units *u, struct marks *m, __m256i v, unsigned at)
{
	__m256i blank = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(' '));
	__m256i line = bytes64_within(v, '\t', 2), odd, other;

	line = _mm256_or_si256(line, _mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8('\r')));
	odd = _mm256_or_si256(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(u->odd[0])), _mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(u->odd[1])));
	line = _mm256_or_si256(line, _mm256_or_si256(blank, odd));
	m->gap |= bytes64_mask(line) << at;
	m->high |= bytes64_mask(v) << at;
	if (!u->bert)
		return;
	other = _mm256_or_si256(bytes64_within(_mm256_or_si256(v,
	    _mm256_set1_epi8(0x20)), 'a', 26), bytes64_within(v, '0', 10));
	m->alone |= bytes64_mask(_mm256_andnot_si256(other,
	    bytes64_within(v, '!', 94))) << at;
}

/* mark - a character of some bytes at a place */
static inline void
mark(struct marks *m, int class, uint64_t bits)
{
	if (class == HF_GAP)
		m->gap |= bits;
	else if (class == HF_ALONE) {
		m->alone |= bits;
		m->behind |= bits & (bits << 1);
	}
}

/* marks_high - characters beyond ASCII to the masks; how many bytes are known,
 * of n */
static size_t
marks_high(const struct hf_units *u, struct marks *m, const char *p, size_t n)
{
	uint64_t left = m->high;
	size_t len, at = 0;
	int class;

	for (; left != 0; left = at < 64 ? left >> at << at : 0) {
		unsigned char c;

		at = (size_t)__builtin_ctzll(left);
		if (at >= n)
			break;
		/* most stand in runs of such of three bytes */
		while (at + 3 <= n && ((unsigned char)p[at] & 0xf0) == 0xe0 &&
		    (class = hf_unit_class3(u, hf_units_three(p + at))) !=
		    HF_OPEN) {
			mark(m, class, (uint64_t)7 << at);
			at += 3;
		}
		c = at < n ? (unsigned char)p[at] : 0;
		if (c < 0x80)
			continue;
		len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (at + len > n)
			return at;
		class = hf_unit_class(u, utf8_get(p + at, &len));
		/* a blank before it may belong to it */
		if (class == HF_OPEN)
			return at > 0 && p[at - 1] == ' ' ? at - 1 : at;
		mark(m, class, (((uint64_t)1 << len) - 1) << at);
		at += len;
	}
	return n;
}

AVX2 size_t
hf_units_block(const struct hf_units *u, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends)
{
	struct marks m = { 0, 0, 0, 0 };
	uint64_t known, in, top;
	size_t all = n;

	marks_32(u, &m, _mm256_loadu_si256((const void *)p), 0);
	marks_32(u, &m, _mm256_loadu_si256((const void *)(p + 32)), 32);
	if (m.high != 0)
		n = marks_high(u, &m, p, n);
	/* a blank at the end may belong to what is behind it */
	if (u->graphemes && n > 0 && n == all && !last && p[n - 1] == ' ')
		n--;
	if (n == 0)
		return 0;
	known = ~(uint64_t)0 >> (64 - n);
	in = known & ~(m.gap | m.alone);
	m.alone &= known;
	*first = (in & ~(in << 1)) | (m.alone & ~m.behind);
	*ends = (in & ~(in >> 1)) | (m.alone & ~(m.behind >> 1));
	if ((in >> (n - 1) & 1) == 0 || (last && n == all))
		return n;
	/* a unit that reaches the end may go on behind it */
	*ends &= ~((uint64_t)1 << (n - 1));
	top = (uint64_t)63 - (uint64_t)__builtin_clzll(*first);
	*first &= ~((uint64_t)1 << top);
	return top;
}
#endif
