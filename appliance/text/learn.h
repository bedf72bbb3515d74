/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_H
#define TEXT_LEARN_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * learn.h - a vocabulary learnt from texts.
 *
 *   bpe        byte-level BPE: pieces cut by a pattern, as bytes (GPT-2)
 *   char-bpe   BPE of characters; words begin with U+2581 (SentencePiece)
 *   wordpiece  BERT's: BPE of characters, "##" in front of what goes on a word
 *   unigram    a unigram language model (Kudo 2018), learnt by EM and pruning
 *
 * Order of calls: learn_begin; a learn_thread for each thread; learn_add by any
 * thread with its own, in any order; learn_end.  What is learnt depends on the
 * texts and rules only, neither on threads nor on memory nor on their order.
 * Merges and ids are those of Hugging Face's trainers (tokenizers 0.23) where
 * these are determined; see learn_merge.h and learn_unigram.h.
 */

enum learn_kind { LEARN_BPE, LEARN_CHAR_BPE, LEARN_UNIGRAM, LEARN_WORDPIECE };

#define LEARN_BLANK	"\xe2\x96\x81"		/* U+2581 */

struct learn_conf {
	enum learn_kind kind;
	const char *pattern;		/* bpe: a name that bpe_pattern knows */
	uint32_t size;			/* of the vocabulary */
	int64_t min_count;		/* fewest of a pair or seed */
	bool nfc;			/* texts are first made NFC */
	bool collapse;			/* none at the ends, runs are one */
	bool prefix;			/* a blank in front of each text */
	bool digits;			/* each digit is a piece */
	bool lowercase;			/* wordpiece: and no accents */
	bool byte_fallback;		/* char-bpe, unigram */
	double coverage;		/* share of characters that are kept */
	int64_t limit_alphabet;		/* most characters kept; 0: all */
	const char *initial_alphabet;	/* kept whatever is in the texts */
	int64_t max_token_length;	/* characters, see learn_rules */
	const char *const *special;	/* the first ids */
	size_t nspecial;
	bool model;			/* SentencePiece's file, not JSON */
	size_t memory;			/* bytes of counts, then of pairs and
					 * words, before these go to files; a
					 * unigram model needs all words */
	int threads;
};

struct learn;
struct learn_thread;

/* learn_begin - all that can be said against the rules is said here */
struct learn *learn_begin(struct arena *, const struct learn_conf *,
    struct err *);

/* learn_thread - file: an empty one, the caller's, for what does not fit */
struct learn_thread *learn_thread(struct learn *, int file);

/* learn_add - one more text, valid UTF-8; the arena is scratch */
int learn_add(struct learn_thread *, struct arena *, struct view text,
    struct err *);

/* learn_end - tokenizer.json, or the model's file; stop: asked now and then,
 * ends it with FATE_STOP; may be NULL */
int learn_end(struct learn *, bool (*stop)(void *), void *arg, struct buf *,
    struct err *);

/* learn_words - distinct words, after learn_end; learn_tokens - ids learnt;
 * learn_runs - how often a thread's counts went to its file */
size_t learn_words(const struct learn *);
size_t learn_runs(const struct learn *);
uint32_t learn_tokens(const struct learn *);

#endif
