/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining the pairs of one piece.  Short pieces scan the ranks for the least
 * one each time; long ones keep them in a heap.  Both take the leftmost of
 * equals, and so agree.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scratch.h"

#define SCANNED	48		/* bytes up to which a scan is quicker */
#define KEPT	((size_t)1 << 17)	/* bytes of a piece: room that stays */

/* merge_short - by scanning: the ranks lie side by side */
static size_t
merge_short(struct bpe_scratch *s, const char *p, size_t n, uint32_t *out)
{
	const struct bpe *b = s->bpe;
	const unsigned char *u = (const unsigned char *)p;
	uint32_t rank[SCANNED], id[SCANNED], best;
	size_t at, i;

	for (i = 0; i + 1 < n; i++) {
		rank[i] = b->first[(size_t)u[i] << 8 | u[i + 1]];
		id[i] = b->byte[u[i]];
	}
	rank[i] = BPE_NONE;
	id[i] = b->byte[u[i]];
	for (;;) {
		best = BPE_NONE;
		at = 0;
		for (i = 0; i + 1 < n; i++)
			if (rank[i] < best) {
				best = rank[i];
				at = i;
			}
		s->steps += n;
		if (best == BPE_NONE)
			break;
		id[at] = bpe_made(b, best);
		n--;
		for (i = at + 1; i < n; i++) {
			id[i] = id[i + 1];
			rank[i] = rank[i + 1];
		}
		rank[at] = at + 1 < n ? bpe_pair_rank(b, id[at], id[at + 1]) :
		    BPE_NONE;
		if (at > 0)
			rank[at - 1] = bpe_pair_rank(b, id[at - 1], id[at]);
	}
	memcpy(out, id, n * sizeof(*out));
	return n;
}

/* heap_push - binary heap of rank << 32 | place, least first */
static void
heap_push(struct bpe_scratch *s, size_t *n, uint64_t x)
{
	uint64_t *h = s->heap;
	size_t i = (*n)++;

	for (; i > 0 && x < h[(i - 1) / 2]; i = (i - 1) / 2) {
		h[i] = h[(i - 1) / 2];
		s->steps++;
	}
	h[i] = x;
}

static uint64_t
heap_pop(struct bpe_scratch *s, size_t *n)
{
	uint64_t *h = s->heap, top = h[0], last = h[--*n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < *n) {
		k += k + 1 < *n && h[k + 1] < h[k];
		if (h[k] >= last)
			break;
		h[i] = h[k];
		i = k;
		s->steps++;
	}
	h[i] = last;
	return top;
}

struct places {
	uint32_t *id, *prev, *next, *rank;
};

/* place_rank - the pair that begins at a place: its rank, and to the heap */
static void
place_rank(struct bpe_scratch *s, const struct places *l, uint32_t at,
    size_t *heap)
{
	uint32_t right = l->next[at];

	l->rank[at] = right == BPE_NONE ? BPE_NONE :
	    bpe_pair_rank(s->bpe, l->id[at], l->id[right]);
	if (l->rank[at] != BPE_NONE)
		heap_push(s, heap, (uint64_t)l->rank[at] << 32 | at);
	s->steps++;
}

/* merge_places - one symbol at each byte, and the pairs in the heap */
static size_t
merge_places(struct bpe_scratch *s, const struct places *l, const char *p,
    size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t heap = 0;

	for (uint32_t i = 0; i < n; i++) {
		l->id[i] = s->bpe->byte[u[i]];
		l->prev[i] = i == 0 ? BPE_NONE : i - 1;
		l->next[i] = i + 1 == n ? BPE_NONE : i + 1;
		l->rank[i] = i + 1 == n ? BPE_NONE :
		    s->bpe->first[(size_t)u[i] << 8 | u[i + 1]];
		if (l->rank[i] != BPE_NONE)
			heap_push(s, &heap, (uint64_t)l->rank[i] << 32 | i);
	}
	return heap;
}

/*
 * merge_long - an entry of the heap counts if the pair at its place still has
 * that rank: then it is that pair.  Each merge takes one entry and adds two, so
 * 2 n fit.
 */
static size_t
merge_long(struct bpe_scratch *s, const char *p, size_t n, uint32_t *out)
{
	struct places l;
	size_t heap, count = 0;
	uint32_t at, right;
	uint64_t top;

	if (s->room < n) {
		s->merge = mem_grow(s->merge, n * 4 * sizeof(*s->merge));
		s->heap = mem_grow(s->heap, n * 2 * sizeof(*s->heap));
		s->room = n;
	}
	l = (struct places){ s->merge, s->merge + n, s->merge + 2 * n,
	    s->merge + 3 * n };
	heap = merge_places(s, &l, p, n);
	while (heap > 0) {
		top = heap_pop(s, &heap);
		at = (uint32_t)top;
		if (l.rank[at] != top >> 32)
			continue;	/* joined otherwise meanwhile */
		right = l.next[at];
		l.id[at] = bpe_made(s->bpe, l.rank[at]);
		l.next[at] = l.next[right];
		l.rank[right] = BPE_NONE;
		if (l.next[right] != BPE_NONE)
			l.prev[l.next[right]] = at;
		place_rank(s, &l, at, &heap);
		if (l.prev[at] != BPE_NONE)
			place_rank(s, &l, l.prev[at], &heap);
	}
	for (at = 0; at != BPE_NONE; at = l.next[at])
		out[count++] = l.id[at];
	if (s->room > KEPT) {
		mem_free(s->merge);
		mem_free(s->heap);
		s->merge = NULL;
		s->heap = NULL;
		s->room = 0;
	}
	return count;
}

size_t
bpe_merge(struct bpe_scratch *s, const char *p, size_t n, uint32_t *out)
{
	return n <= SCANNED ? merge_short(s, p, n, out) :
	    merge_long(s, p, n, out);
}
