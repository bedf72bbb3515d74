/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seed of a unigram model.  All suffixes of all words are sorted as far as
 * a piece can be long; substrings that are there more than once are then the
 * beginnings that neighbours share.  Only those are taken that would be there
 * less often with one more symbol: the others say nothing that these do not.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_unigram.h"

#include <stdlib.h>

#define SMALL	16			/* suffixes sorted by insertion */

/* suffix_cmp - from a depth on, to a word's end or the longest piece */
static int
suffix_cmp(const struct unigram_text *t, uint32_t a, uint32_t b,
    uint32_t depth)
{
	uint32_t x, y;

	for (; depth < t->longest; depth++) {
		x = t->symbol[a + depth];
		y = t->symbol[b + depth];
		if (x != y)
			return x < y ? -1 : 1;
		if (x == 0)
			break;
	}
	return a < b ? -1 : a > b;
}

static void
suffix_swap(uint32_t *s, size_t a, size_t b)
{
	uint32_t x = s[a];

	s[a] = s[b];
	s[b] = x;
}

/* suffix_small - a few, all alike to a depth */
static void
suffix_small(const struct unigram_text *t, uint32_t *s, size_t n,
    uint32_t depth)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && suffix_cmp(t, s[k], s[k - 1],
		    depth) < 0; k--)
			suffix_swap(s, k, k - 1);
}

/*
 * suffix_sort - three-way quicksort by the symbol at a depth (Bentley and
 * Sedgewick 1997), then by the next one; ties stay as they are
 */
static void
suffix_sort(const struct unigram_text *t, uint32_t *s, size_t n,
    uint32_t depth)
{
	uint64_t dice = n;

	while (n > SMALL && depth < t->longest) {
		size_t less = 0, more = n, i = 0;
		uint32_t pivot, x;

		dice = dice * UINT64_C(6364136223846793005) + 1;
		pivot = t->symbol[s[(dice >> 33) % n] + depth];
		while (i < more) {
			x = t->symbol[s[i] + depth];
			if (x < pivot)
				suffix_swap(s, less++, i++);
			else if (x > pivot)
				suffix_swap(s, i, --more);
			else
				i++;
		}
		suffix_sort(t, s, less, depth);
		suffix_sort(t, s + more, n - more, depth);
		if (pivot == 0)
			return;
		s += less;
		n = more - less;
		depth++;
	}
	if (depth < t->longest)
		suffix_small(t, s, n, depth);
}

/* suffix_common - symbols that two share, to the longest piece */
static uint32_t
suffix_common(const struct unigram_text *t, uint32_t a, uint32_t b)
{
	uint32_t n = 0;

	while (n < t->longest && t->symbol[a + n] != 0 &&
	    t->symbol[a + n] == t->symbol[b + n])
		n++;
	return n;
}

struct seeds {
	struct unigram_piece *v;
	size_t n, cap;
	int64_t min_count;
};

static void
seeds_add(struct seeds *s, uint32_t at, uint32_t len, int64_t count)
{
	if (len < 2 || count < s->min_count || count < 2)
		return;
	if (s->n == s->cap) {
		s->cap = s->cap * 2 + 4096;
		s->v = mem_grow(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->n++] = (struct unigram_piece){ at, len,
	    (double)count * len, count };
}

/* seed_cmp - the weightiest first, then by place */
static int
seed_cmp(const void *va, const void *vb)
{
	const struct unigram_piece *a = va, *b = vb;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->len < b->len ? -1 : a->len > b->len;
}

struct open {
	uint32_t common;		/* symbols shared since then */
	int64_t before;			/* occurrences before it */
	uint32_t at;
};

/* seed_find - go through the sorted suffixes with the beginnings that are
 * still shared on a stack */
static void
seed_find(const struct unigram_text *t, const uint32_t *s, size_t n,
    struct seeds *seeds)
{
	struct open *open = mem_alloc((t->longest + 2) * sizeof(*open));
	uint32_t common = 0, before, depth = 0, at, len;
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		before = common;
		common = i + 1 == n ? 0 : suffix_common(t, s[i], s[i + 1]);
		at = s[i];
		/* a whole word that nothing begins with but itself */
		len = 0;
		if (at == 0 || t->symbol[at - 1] == 0)
			while (len <= t->longest && t->symbol[at + len] != 0)
				len++;
		if (len <= t->longest && len > before && len > common)
			seeds_add(seeds, at, len, t->count[at]);
		if (common > before)
			open[depth++] = (struct open){ common, sum, at };
		sum += t->count[at];
		while (depth > 0 && open[depth - 1].common > common) {
			struct open o = open[--depth];

			seeds_add(seeds, o.at, o.common, sum - o.before);
			if (common > 0 && (depth == 0 ||
			    open[depth - 1].common < common))
				open[depth++] = (struct open){ common,
				    o.before, o.at };
		}
	}
	mem_free(open);
}

struct unigram_piece *
learn_seed(const struct unigram_text *t, int64_t min_count, size_t max,
    size_t *n)
{
	struct seeds seeds = { .min_count = min_count };
	uint32_t *s = mem_grow(NULL, (t->n + 1) * sizeof(*s));
	size_t k = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->symbol[i] != 0)
			s[k++] = (uint32_t)i;
	suffix_sort(t, s, k, 0);
	seed_find(t, s, k, &seeds);
	mem_free(s);
	if (seeds.n > 0)
		qsort(seeds.v, seeds.n, sizeof(*seeds.v), seed_cmp);
	*n = seeds.n < max ? seeds.n : max;
	return seeds.v;
}
