/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_PAIRS_H
#define TEXT_LEARN_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/*
 * learn_pairs.h - how often pairs of neighbours stand in the text, and a heap
 * of those that may be merged: the most frequent first, of equals that of the
 * lowest left and then right id.
 */

#define PAIRS_FREE	UINT64_MAX

struct learn_count_of {
	uint64_t key;			/* left << 32 | right, or PAIRS_FREE */
	int64_t count;
};

struct learn_top {
	int64_t count;			/* when it was put there */
	uint64_t key;
	uint32_t entry;			/* the owner's */
};

struct learn_pairs {
	struct learn_count_of *slot;
	size_t n, mask;
	struct learn_top *heap;		/* four below each */
	size_t nheap, heap_cap;
};

void pairs_free(struct learn_pairs *);

/* pairs_room - for so many more; places that were asked for are no longer so */
void pairs_room(struct learn_pairs *, size_t more);

static inline uint64_t
pairs_key(uint32_t left, uint32_t right)
{
	return (uint64_t)left << 32 | right;
}

/* pairs_hash - masked, where the search for a pair begins */
static inline size_t
pairs_hash(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 32;
}

/* pairs_place - where a pair is or would be: its key is PAIRS_FREE then */
static inline struct learn_count_of *
pairs_place(const struct learn_pairs *t, uint64_t key)
{
	size_t i = pairs_hash(key) & t->mask;

	while (t->slot[i].key != key && t->slot[i].key != PAIRS_FREE)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

/* pairs_get - a pair, which is now there; pairs_room made room */
static inline struct learn_count_of *
pairs_get(struct learn_pairs *t, uint64_t key)
{
	struct learn_count_of *p = pairs_place(t, key);

	if (p->key == PAIRS_FREE) {
		p->key = key;
		t->n++;
	}
	return p;
}

/* pairs_push - one more to the heap; pairs_pop - the first leaves it;
 * pairs_sink - the first becomes this one, and sinks to its place */
void pairs_push(struct learn_pairs *, struct learn_top);
void pairs_pop(struct learn_pairs *);
void pairs_sink(struct learn_pairs *, struct learn_top);

#endif
