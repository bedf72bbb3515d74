/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/text/learn_pairs.h"

#define SLOTS		((size_t)1 << 12)
#define TOPS		((size_t)1 << 12)

void
pairs_free(struct learn_pairs *t)
{
	mem_free(t->slot);
	mem_free(t->heap);
}

void
pairs_room(struct learn_pairs *t, size_t more)
{
	struct learn_count_of *old = t->slot;
	size_t size = old == NULL ? 0 : t->mask + 1, want = size;

	if (want == 0)
		want = SLOTS;
	while ((t->n + more) * 2 > want)
		want *= 2;
	if (want == size)
		return;
	t->mask = want - 1;
	t->slot = mem_table(want * sizeof(*t->slot));
	for (size_t i = 0; i < want; i++)
		t->slot[i] = (struct learn_count_of){ PAIRS_FREE, 0 };
	for (size_t i = 0; i < size; i++)
		if (old[i].key != PAIRS_FREE)
			*pairs_place(t, old[i].key) = old[i];
	mem_free(old);
}

/* top_less - does a come before b */
static bool
top_less(const struct learn_top *a, const struct learn_top *b)
{
	if (a->count != b->count)
		return a->count > b->count;
	return a->key < b->key;
}

void
pairs_push(struct learn_pairs *t, struct learn_top top)
{
	size_t i = t->nheap++;

	if (i == t->heap_cap) {
		t->heap_cap = t->heap_cap == 0 ? TOPS : t->heap_cap * 2;
		t->heap = mem_grow(t->heap, t->heap_cap * sizeof(*t->heap));
	}
	for (size_t up; i > 0; i = up) {
		up = (i - 1) / 4;
		if (!top_less(&top, &t->heap[up]))
			break;
		t->heap[i] = t->heap[up];
	}
	t->heap[i] = top;
}

void
pairs_sink(struct learn_pairs *t, struct learn_top top)
{
	size_t i = 0, best, k;

	while ((k = 4 * i + 1) < t->nheap) {
		best = k;
		for (size_t c = k + 1; c < k + 4 && c < t->nheap; c++)
			if (top_less(&t->heap[c], &t->heap[best]))
				best = c;
		if (!top_less(&t->heap[best], &top))
			break;
		t->heap[i] = t->heap[best];
		i = best;
	}
	t->heap[i] = top;
}

void
pairs_pop(struct learn_pairs *t)
{
	struct learn_top last = t->heap[--t->nheap];

	if (t->nheap > 0)
		pairs_sink(t, last);
}
