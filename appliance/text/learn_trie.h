/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_TRIE_H
#define TEXT_LEARN_TRIE_H

#include "appliance/base/buf.h"

/*
 * learn_trie.h - pieces by their symbols, one after the other.
 */

#define TRIE_NONE	UINT32_MAX

struct trie_edge {
	uint64_t key;			/* node << 32 | symbol; ~0 is free */
	uint32_t node;
};

struct learn_trie {
	struct trie_edge *edge;
	size_t mask, n;
	uint32_t *piece;		/* that ends at a node, TRIE_NONE */
	uint32_t nodes, cap;		/* node 0 is the root */
};

void learn_trie_init(struct learn_trie *);
void learn_trie_free(struct learn_trie *);

/* learn_trie_put - a piece of len symbols; a later one takes an earlier's
 * place */
void learn_trie_put(struct learn_trie *, const uint32_t *symbol, size_t len,
    uint32_t piece);

/* learn_trie_hash - where the search for a node's edge begins */
static inline size_t
learn_trie_hash(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 32;
}

/* learn_trie_next - the node after a symbol, or TRIE_NONE */
static inline uint32_t
learn_trie_next(const struct learn_trie *t, uint32_t node, uint32_t symbol)
{
	uint64_t key = (uint64_t)node << 32 | symbol;
	size_t i = learn_trie_hash(key) & t->mask;

	for (; t->edge[i].key != key; i = (i + 1) & t->mask)
		if (t->edge[i].key == UINT64_MAX)
			return TRIE_NONE;
	return t->edge[i].node;
}

#endif
