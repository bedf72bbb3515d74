/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_TABLE_H
#define TEXT_BPE_TABLE_H

#include "appliance/text/bpe_source.h"
#include "appliance/text/slots.h"

/*
 * bpe_table.h - the tables of a compiled vocabulary, which lie in its image:
 * what bpe_attach has checked and everything else only reads.
 */

/* a token's bytes are a slot's, or, if longer, in the pool */
#define BPE_POOLED	255		/* length: two u32, bytes and where */
#define BPE_ABSENT	254

struct bpe {
	struct view image;
	uint32_t size, longest, ranks;
	const uint32_t *byte;		/* [256], BPE_NONE */
	const struct slot *slot;	/* [size] */
	struct view pool;
	const uint32_t *name;		/* ids by XXH3 of bytes */
	size_t name_mask;
	/* ranks by pair of ids: left << 44 | right << 24 | rank; ~0 is free */
	const uint64_t *pair;
	size_t pair_mask;
	unsigned pair_shift;
	const uint32_t *made;		/* [ranks] ids by rank */
	const uint32_t *other;		/* tokens that no text is made into */
	size_t nother;
	const uint32_t *first;		/* [65536] ranks by pair of bytes */
	const uint64_t *joint;		/* bits: see bpe_joint */
	const uint64_t *close;		/* [1024] bits: a byte, then another */
	const struct bpe_pattern *pattern;
	const struct hf_regex *own;	/* NULL; else it cuts, not pattern */
	struct view own_text;
	struct bpe_added *added;	/* NULL: none */
	bool nfc, blank, whole;
};

/* bpe_token_at - a token's bytes; p NULL: no such id */
struct view bpe_token_at(const struct bpe *, uint32_t id);

/* bpe_attach - from an image that is at least as large as it says, which must
 * outlive it; whatever is in it is checked */
struct bpe *bpe_attach(struct arena *, struct view image, struct err *);

/* bpe_name_find - the id of bytes that text is made into, BPE_NONE */
uint32_t bpe_name_find(const struct bpe *, const char *, size_t);

/* bpe_pair_rank - of two neighbours, BPE_NONE if nothing joins them */
static inline uint32_t
bpe_pair_rank(const struct bpe *b, uint32_t left, uint32_t right)
{
	uint64_t pair = (uint64_t)left << 20 | right, x;
	size_t i = (pair * 0x9e3779b97f4a7c15u) >> b->pair_shift;

	for (;; i = (i + 1) & b->pair_mask) {
		x = b->pair[i];
		if (x >> 24 == pair)
			return x & (BPE_RANKS - 1);
		if (x == UINT64_MAX)
			return BPE_NONE;
	}
}

/* bpe_made - the id that a pair of this rank becomes */
static inline uint32_t
bpe_made(const struct bpe *b, uint32_t rank)
{
	return b->made[rank < b->ranks ? rank : 0];
}

#endif
