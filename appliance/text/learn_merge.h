/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_MERGE_H
#define TEXT_LEARN_MERGE_H

#include "appliance/base/err.h"
#include "appliance/text/learn_vocab.h"

/*
 * learn_merge.h - byte-pair encoding learnt (Sennrich, Haddow, Birch 2016) as
 * Hugging Face's BpeTrainer 0.23 does it: again and again the most frequent
 * pair of neighbours, of equals that of the lowest left and then right id,
 * becomes one symbol.  A token that is there already, as a special one, keeps
 * its id.
 */

struct learn_text {		/* words as symbols, one after the other */
	uint32_t *symbol;		/* ids */
	size_t n;
	uint32_t *length;		/* of each word in symbols */
	int64_t *count;			/* of each word */
	size_t words, cap, room;	/* room: for symbols */
	bool distinct;			/* no two words are the same */
	const uint32_t *chars;		/* by id, of symbols that are more than
					 * a character; or NULL */
};

struct learn_rules {
	uint32_t size;			/* of the vocabulary when it is full */
	int64_t min_count;		/* of a pair that is merged */
	uint32_t max_length;		/* characters of a new pair; 0: any */
	int threads;			/* which change nothing */
	struct view prefix;		/* in front of what begins no word */
	bool (*stop)(void *);		/* asked now and then; may be NULL */
	void *arg;
};

struct learn_merges {
	struct learn_pair {
		uint32_t left, right;
	} *v;				/* in the arena, in order */
	size_t n;
};

/* learn_merge_put - one more merge; the id of the token that it makes */
uint32_t learn_merge_put(struct arena *, struct learn_merges *,
    struct learn_vocab *, const struct learn_rules *, uint32_t left,
    uint32_t right);

/* learn_merge_may - may tokens of so many characters become one; the first
 * pairs always may, as in the library */
static inline bool
learn_merge_may(const struct learn_rules *r, uint32_t left, uint32_t right)
{
	return r->max_length == 0 || left + right < r->max_length ||
	    (left == 1 && right == 1);
}

/*
 * learn_merge - merges until the vocabulary is full or no pair is left; new
 * tokens are added to it, as merges are to what is there.  Time grows with the
 * symbols and what is made of them, never with a word's length times the
 * merges.
 */
int learn_merge(struct arena *, const struct learn_text *,
    const struct learn_rules *, struct learn_vocab *, struct learn_merges *,
    struct err *);

#endif
