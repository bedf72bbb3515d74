/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_UNIGRAM_H
#define TEXT_LEARN_UNIGRAM_H

#include "appliance/text/learn_own.h"

/*
 * learn_unigram.h - a unigram language model of pieces (Kudo 2018): each word's
 * probability is the sum, over all ways to cut it to pieces, of the product of
 * theirs.  Substrings that are there twice are the seed; EM finds their
 * probabilities; the pieces whose loss costs least go, a quarter at a time,
 * until the vocabulary has its size.  Every character stays a piece.
 *
 * The method and its numbers are those of SentencePiece and of Hugging Face's
 * UnigramTrainer, which depend on the order of floating-point sums; here sums
 * over words are of integers, so any number of threads finds the same.
 */

#define UNIGRAM_LONGEST	64		/* no max_token_length is more */

struct unigram_piece {
	uint32_t at, len;		/* where it stands in the text */
	double score;			/* log of its share; seed: weight */
	int64_t count;
};

struct unigram_text {
	uint32_t *symbol;		/* from 1; 0 after each word */
	size_t n;
	int64_t *count;			/* of the word at each place */
	uint32_t longest;		/* symbols of a piece */
};

/* learn_seed - substrings that are there twice and min_count times, and the
 * whole words, the weightiest first, at most max; the caller frees */
struct unigram_piece *learn_seed(const struct unigram_text *,
    int64_t min_count, size_t max, size_t *n);

/* learn_unigram - fills vocab, score and first */
int learn_unigram(struct arena *, const struct learn_words *,
    const struct learn_rules *, struct learned *, struct err *);

#endif
