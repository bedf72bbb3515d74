/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of 64 bytes at once.  A byte's class is a bit in a mask, and where
 * pieces begin follows from the masks by shifts and additions: an addition to
 * the first bit of a run carries to just behind it.  Nothing is carried from
 * block to block, as each begins with a piece; runs that reach the end of the
 * block are left to the next one, or to bpe_piece.
 *
 * Letters and other characters beyond ASCII are put into the masks one by one;
 * where there is a character that is none of these, the block ends.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bytes64.h"
#include "appliance/text/utf8.h"

bool
bpe_block_here(void)
{
	return bytes64_here();
}

#ifndef __x86_64__
uint64_t
bpe_block(const struct bpe_pattern *t, const char *p, size_t n,
    const char *end)
{
	(void)t, (void)p, (void)n, (void)end;
	return 0;
}
#else

struct marks {
	uint64_t letter, upper, digit, space;
	uint64_t blank, line, tick, slash;
	uint64_t high, inner;		/* beyond ASCII; not a first byte */
};

/* is - bytes that are c */
AVX2 static inline uint64_t
is(__m256i v, char c)
{
	return bytes64_mask(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)));
}

/* marks_32 - the masks of 32 bytes, put in at a shift */
AVX2 static inline void
marks_32(struct marks *m, __m256i v, unsigned at)
{
	__m256i low = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
	uint64_t letter = bytes64_mask(bytes64_within(low, 'a', 26));
	uint64_t lower = bytes64_mask(_mm256_slli_epi16(v, 2));	/* bit 5 */

	m->letter |= letter << at;
	m->upper |= (letter & ~lower) << at;
	m->digit |= bytes64_mask(bytes64_within(v, '0', 10)) << at;
	m->space |= (bytes64_mask(bytes64_within(v, '\t', 5)) | is(v, ' ')) <<
	    at;
	m->blank |= is(v, ' ') << at;
	m->line |= (is(v, '\n') | is(v, '\r')) << at;
	m->tick |= is(v, '\'') << at;
	m->slash |= is(v, '/') << at;
	m->high |= bytes64_mask(v) << at;
}

/* marks_high - characters beyond ASCII to the masks; how many bytes are known,
 * of n */
static size_t
marks_high(const struct bpe_pattern *t, struct marks *m, const char *p,
    size_t n)
{
	uint64_t left = m->high, bits;
	unsigned class;
	size_t len;

	while (left != 0) {
		size_t at = (size_t)__builtin_ctzll(left);
		unsigned char c = (unsigned char)p[at];

		if (at >= n)
			break;
		len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (at + len > n)
			return at;
		class = utf8_class(utf8_get(p + at, &len));
		/* in o200k these may belong to either part of a word */
		if ((class & (UTF8_NUMBER | UTF8_SPACE)) != 0 ||
		    (t->scan == SCAN_CASE &&
		    (class & (UTF8_LETTER | UTF8_MARK)) != 0))
			return at;
		bits = (((uint64_t)1 << len) - 1) << at;
		if (class & (UTF8_UPPER | UTF8_LOWER | UTF8_LETTER))
			m->letter |= bits;
		if (class & UTF8_UPPER)
			m->upper |= bits;
		m->inner |= bits & (bits << 1);
		left &= ~bits;
	}
	return n;
}

/* starts_gpt2 - where the class changes; a blank goes to what follows it */
AVX2 static inline uint64_t
starts_gpt2(const struct marks *m, uint64_t other)
{
	uint64_t s = (m->letter & ~(m->letter << 1)) |
	    (m->digit & ~(m->digit << 1)) | (other & ~(other << 1));

	return (s & ~(m->blank << 1)) | (m->space & ~(m->space << 1)) |
	    (m->space & ~(m->space >> 1));
}

/* starts_digits - every number, or groups of three from where they begin */
AVX2 static inline uint64_t
starts_digits(const struct bpe_pattern *t, uint64_t digit)
{
	uint64_t g = digit & ~(digit << 1), s = g;
	uint64_t three = digit & (digit << 1) & (digit << 2);

	if (t->digits == 1)
		return digit;
	while ((g = (g << 3) & three) != 0)
		s |= g;
	return s;
}

/* starts_blanks - white space (what ends a line of others left out): where it
 * begins, just behind its last end of a line, and its last character */
AVX2 static inline uint64_t
starts_blanks(uint64_t space, uint64_t line)
{
	uint64_t flat = space & ~line, from = flat & ((space & line) << 1);
	uint64_t left = from, one;

	line &= space;
	if ((((flat + from) & ~flat) & line) == 0)
		left = 0;		/* none of them leads to another line */
	for (; left != 0; left &= left - 1) {
		one = left & -left;
		if (((flat + one) & ~flat) & line)
			from &= ~one;
	}
	return (space & ~(space << 1)) | from | (flat & ~(space >> 1));
}

/* starts_words - the patterns where a word may have another character in
 * front; *space: white space that is no end of what stands before it */
AVX2 static inline uint64_t
starts_words(const struct bpe_pattern *t, const struct marks *m,
    uint64_t other, uint64_t *space)
{
	uint64_t ends = m->line | (t->slash ? m->slash : 0);
	uint64_t tail = m->line & (other << 1), word, own, next, s;

	if (tail != 0)
		tail |= ends & ~(ends + tail);
	other &= ~tail;
	*space = m->space & ~tail;
	word = m->letter & ~(m->letter << 1);
	if (t->scan == SCAN_CASE)
		word |= m->upper & ((m->letter & ~m->upper) << 1);
	own = other & ~(other << 1) & ~(m->blank << 1);
	next = own << 1;		/* behind its first character */
	if (m->inner != 0)
		next = (next & ~m->inner) |
		    ((m->inner + (next & m->inner)) & ~m->inner);
	s = word & ~next & ~((*space & ~m->line) << 1);
	return s | own | starts_digits(t, m->digit) |
	    starts_blanks(*space, m->line);
}

/* starts_short - 's and its like: a piece from the tick on, or the end of the
 * word before it */
AVX2 static inline uint64_t
starts_short(const struct bpe_pattern *t, const struct marks *m, uint64_t s,
    const char *p, const char *end)
{
	uint64_t left = m->tick & (t->scan == SCAN_CASE ? m->letter << 1 : s);
	size_t at, len, last = 0;
	uint64_t bits;

	for (; left != 0; left &= left - 1) {
		at = (size_t)__builtin_ctzll(left);
		len = bpe_short_form(p + at, end, t->scan != SCAN_GPT2);
		if (len == 0 || (t->scan == SCAN_CASE && at > 0 && at == last))
			continue;
		last = at + len;
		bits = (((uint64_t)1 << len) - 1) << at;
		s &= t->scan == SCAN_CASE ? ~bits : ~(bits & (bits << 1));
		s |= last < BPE_BLOCK ? (uint64_t)1 << last : 0;
	}
	return s;
}

AVX2 uint64_t
bpe_block(const struct bpe_pattern *t, const char *p, size_t n,
    const char *end)
{
	struct marks m = { 0 };
	uint64_t known = n < BPE_BLOCK ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
	uint64_t space, other, s, run;

	marks_32(&m, _mm256_loadu_si256((const void *)p), 0);
	marks_32(&m, _mm256_loadu_si256((const void *)(p + 32)), 32);
	if (m.high != 0) {
		n = marks_high(t, &m, p, n);
		known = n < BPE_BLOCK ? ((uint64_t)1 << n) - 1 : known;
	}
	if (n == 0)
		return 0;
	m.letter &= known;
	m.upper &= known;
	m.digit &= known;
	space = m.space &= known;
	m.line &= known;
	m.blank &= known;
	other = known & ~(m.letter | m.digit | m.space);
	s = t->scan == SCAN_GPT2 ? starts_gpt2(&m, other) :
	    starts_words(t, &m, other, &space);
	if (t->short_forms && (m.tick & known) != 0)
		s = starts_short(t, &m, s, p, end);
	/* white space that reaches the end: only its beginning is certain */
	run = (uint64_t)1 << (n - 1);
	if (space & run) {
		run = ~space & (known >> 1);
		run = run == 0 ? 0 : (uint64_t)63 -
		    (uint64_t)__builtin_clzll(run) + 1;
		s &= ((uint64_t)2 << run) - 1;
	}
	return s & known & ~(uint64_t)1;
}
#endif
