/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_READER_H
#define MODEL_READER_H

#include "appliance/model/model.h"

/*
 * reader.h - a text, or two of them, as the ids that an encoder reads: with the
 * special tokens that its tokenizer.json puts around and between them.  What
 * is too long loses its end, the longer of two texts first, as transformers'
 * truncation=True does; special tokens stay.
 */

struct hf;

struct reader {
	const struct hf *hf;
	size_t most;			/* ids of a text */
	int32_t mask;			/* [MASK], <mask>; -1 */
};

struct reading {
	int32_t *id, *type;		/* type: of the segment */
	uint32_t *from, *to;		/* bytes of the text */
	bool *special;
	unsigned char *second;		/* it is of the second text */
	size_t n;
	bool cut;
};

/* reader_open - most 0: as many as the model has places for */
int reader_open(struct arena *, const struct model *, size_t most,
    struct reader *, struct err *);

/* reader_read - pair may be NULL; find: special tokens are found in text */
int reader_read(const struct reader *, struct arena *, struct view text,
    const struct view *pair, bool find, struct reading *, struct err *);

struct reader_words {			/* a list of words as a text */
	struct view text;		/* a blank between two */
	uint32_t *from, *to;		/* bytes of it */
	int32_t *value;			/* the caller's */
	size_t n;
};

/* reader_words - of a JSON list of strings; false: it is none */
bool reader_words(struct arena *, struct view raw, struct reader_words *);

/* reader_first - word[i]: the word whose first id of the text i is, else -1 */
void reader_first(const struct reader_words *, const struct reading *,
    int32_t *word);

#endif
