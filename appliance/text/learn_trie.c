/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_trie.h"

/* trie_edges - a table of free edges */
static void
trie_edges(struct learn_trie *t, size_t n)
{
	t->mask = n - 1;
	t->edge = mem_grow(NULL, n * sizeof(*t->edge));
	for (size_t i = 0; i < n; i++)
		t->edge[i].key = UINT64_MAX;
}

/* trie_node - one more, where no piece ends yet */
static uint32_t
trie_node(struct learn_trie *t)
{
	if (t->nodes == t->cap) {
		t->cap = t->cap * 2 + 1024;
		t->piece = mem_grow(t->piece, t->cap * sizeof(*t->piece));
	}
	t->piece[t->nodes] = TRIE_NONE;
	return t->nodes++;
}

/* trie_place - where an edge is or would be */
static struct trie_edge *
trie_place(const struct learn_trie *t, uint64_t key)
{
	size_t i = learn_trie_hash(key) & t->mask;

	while (t->edge[i].key != key && t->edge[i].key != UINT64_MAX)
		i = (i + 1) & t->mask;
	return &t->edge[i];
}

/* trie_grow - keep the table at most half full */
static void
trie_grow(struct learn_trie *t)
{
	struct trie_edge *old = t->edge;
	size_t size = t->mask + 1;

	if (t->n * 2 < size)
		return;
	trie_edges(t, size * 2);
	for (size_t i = 0; i < size; i++)
		if (old[i].key != UINT64_MAX)
			*trie_place(t, old[i].key) = old[i];
	mem_free(old);
}

void
learn_trie_init(struct learn_trie *t)
{
	*t = (struct learn_trie){ 0 };
	trie_edges(t, 4096);
	(void)trie_node(t);
}

void
learn_trie_free(struct learn_trie *t)
{
	mem_free(t->edge);
	mem_free(t->piece);
}

void
learn_trie_put(struct learn_trie *t, const uint32_t *symbol, size_t len,
    uint32_t piece)
{
	struct trie_edge *e;
	uint32_t node = 0;
	uint64_t key;

	for (size_t i = 0; i < len; i++) {
		key = (uint64_t)node << 32 | symbol[i];
		e = trie_place(t, key);
		if (e->key == UINT64_MAX) {
			e->key = key;
			node = e->node = trie_node(t);
			t->n++;
			trie_grow(t);
		} else
			node = e->node;
	}
	t->piece[node] = piece;
}
