/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_OWN_H
#define TEXT_LEARN_OWN_H

#include "appliance/text/learn.h"
#include "appliance/text/learn_count.h"
#include "appliance/text/learn_merge.h"

/*
 * learn_own.h - what the files of learning share: cutting texts to words, words
 * to symbols, and the two files that are written.
 */

/* how texts are cut */
struct learn_way {
	const struct learn_conf *conf;
	const struct bpe_pattern *pattern;	/* bpe */
	const struct hf_chars *chars;		/* wordpiece */
};

/* learn_split - the words of a text to be counted, until learn_count_flush in
 * the arena or the text */
int learn_split(const struct learn_way *, struct learn_count *,
    struct arena *, struct view text, struct err *);

/* learn_alphabet - the first tokens: special ones, bytes, characters; and the
 * words as symbols of these */
struct learn_alphabet {
	uint32_t *id;			/* by character; see below */
	uint32_t first, chars;		/* characters: ids from first on */
};

#define LEARN_DROP	(UINT32_MAX - 1)	/* leaves its neighbours so */
#define LEARN_BREAK	(UINT32_MAX - 2)	/* nothing is joined over it */

/* learn_letters - a word's characters are counted, *count by character; NULL
 * before the first word */
void learn_letters(struct arena *, int64_t **count, const struct learn_word *);

/* learn_alphabet - count: learn_letters'; not for bpe */
int learn_alphabet(struct arena *, const struct learn_conf *, int64_t *count,
    struct learn_vocab *, struct learn_alphabet *, struct err *);

/* learn_text_new - room: for symbols, if it is known */
struct learn_text *learn_text_new(struct arena *, size_t room);

/* learn_symbols - one more word */
void learn_symbols(const struct learn_conf *, const struct learn_word *,
    const struct learn_alphabet *, struct learn_vocab *, struct learn_text *);

/* what was learnt */
struct learned {
	const struct learn_conf *conf;
	const struct learn_vocab *vocab;
	const struct learn_merges *merges;	/* bpe, char-bpe */
	const double *score;			/* unigram: by id */
	uint32_t first, chars;			/* characters from there on */
};

void learn_json(const struct learned *, struct buf *);

/* learn_model - SentencePiece's ModelProto (proto2), in spm_write.c */
void learn_model(const struct learned *, struct buf *);

#endif
