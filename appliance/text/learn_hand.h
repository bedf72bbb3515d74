/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_HAND_H
#define TEXT_LEARN_HAND_H

#include "appliance/text/learn_merge.h"

/*
 * learn_hand.h - the text in which pairs are merged, and the threads' hands
 * that do it.  All words lie in one row of nodes with a gap after each and one
 * before the first.  A token has its id in the first and the last of its nodes,
 * so that both neighbours are found by their lengths, and a merge touches only
 * where its pair stands.
 *
 * A merge meets the same neighbours many times: what it does is summed beside
 * each, in tables that stay in the cache.
 *
 * Order of calls: hands_init; for each merge hands_merge, then the owner reads
 * what hand[0] to hand[used - 1] have met, then hands_clear; hands_free.
 */

#define HAND_GAP	UINT32_MAX	/* also within a token */
#define HAND_MAX	16		/* threads */

struct node {
	uint32_t symbol;
	uint32_t word;
};

/* what a merge does beside one neighbour */
struct side {
	int64_t count;			/* of the words, for each place */
	uint32_t n;			/* places; 0: it has not been met */
	uint32_t fresh, at;		/* the owner's */
};

enum { LEFT, RIGHT };

/* a neighbour, and where it and the new token, or that and it, begin */
struct note {
	uint32_t symbol, place;
	uint32_t side;
};

struct hand {
	struct side *side[2];		/* by neighbour */
	uint32_t *met[2];		/* those that are not 0 */
	size_t nmet[2], met_cap[2];
	struct note *note;		/* by place */
	size_t nnotes, note_cap;
	size_t from, to;		/* its places */
};

struct hands {
	struct node *node;
	size_t nodes;
	const int64_t *count;		/* of words */
	uint32_t *length;		/* of tokens in nodes, by id */
	struct hand hand[HAND_MAX];
	size_t n, used;			/* hands; those of the last merge */
	/* the merge of now */
	const uint32_t *place;
	uint32_t left, right, id;
};

/* hands_init - a text whose symbols are below first; ids are below ids */
void hands_init(struct hands *, const struct learn_text *, uint32_t first,
    uint32_t ids, int threads);
void hands_free(struct hands *);

/* hands_merge - left and right become id wherever they still stand, of n
 * places, ascending, where they stood; length[id] is known */
void hands_merge(struct hands *, const uint32_t *place, size_t n,
    uint32_t left, uint32_t right, uint32_t id);

/* hands_clear - nothing has been met */
void hands_clear(struct hands *);

#endif
