/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_vocab.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* vocab_close - the arena's closer */
static void
vocab_close(void *arg)
{
	struct learn_vocab *v = arg;

	mem_free(v->token);
	mem_free(v->slot);
}

/* vocab_slots - a table of free slots */
static void
vocab_slots(struct learn_vocab *v, size_t n)
{
	mem_free(v->slot);
	v->mask = n - 1;
	v->slot = mem_alloc(n * sizeof(*v->slot));
	memset(v->slot, 0xff, n * sizeof(*v->slot));
}

struct learn_vocab *
learn_vocab_new(struct arena *a)
{
	struct learn_vocab *v = arena_alloc(a, sizeof(*v));

	v->arena = a;
	vocab_slots(v, 4096);
	arena_defer(a, vocab_close, v);
	return v;
}

/* vocab_place - where a token's id is or would be */
static size_t
vocab_place(const struct learn_vocab *v, struct view t)
{
	size_t i = XXH3_64bits(t.p, t.n) & v->mask;

	while (v->slot[i] != LEARN_NONE && !view_eq(v->token[v->slot[i]], t))
		i = (i + 1) & v->mask;
	return i;
}

uint32_t
learn_vocab_put(struct learn_vocab *v, struct view t)
{
	size_t i = vocab_place(v, t);

	if (v->slot[i] != LEARN_NONE)
		return v->slot[i];
	if (v->n == v->cap) {
		v->cap = v->cap == 0 ? 1024 : v->cap * 2;
		v->token = mem_grow(v->token, v->cap * sizeof(*v->token));
	}
	v->token[v->n] = view_keep(v->arena, t);
	v->slot[i] = v->n++;
	if (v->n * 2 > v->mask) {
		vocab_slots(v, (v->mask + 1) * 2);
		for (uint32_t k = 0; k < v->n; k++)
			v->slot[vocab_place(v, v->token[k])] = k;
	}
	return v->n - 1;
}

uint32_t
learn_vocab_find(const struct learn_vocab *v, struct view t)
{
	return v->slot[vocab_place(v, t)];
}
