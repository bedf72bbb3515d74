/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ENCODE_H
#define TRAIN_ENCODE_H

#include "appliance/model/encoder.h"
#include "appliance/model/reader.h"
#include "modules/train/train.h"

/*
 * encode.h - encoders' objectives: what their texts are as tokens, and where
 * the texts of a micro-batch lie.
 *
 * A text's ids are followed by one more, since a row of tokens gives inputs to
 * all but its last.  What is learnt is marked one token late for the same
 * reason.  Beside the tokens the side file has a word of 32 bits for each, and
 * behind a text's as many numbers as the objective has values.
 */

/* a word of the side file: segment, special or not, and 0 or a tag's number
 * plus 1 */
#define WORD_SECOND	1
#define WORD_SPECIAL	2
#define WORD_TAG	2		/* bits to the left */

struct encode {
	struct reader reader;
	struct label_names names;	/* of labels */
	size_t values;			/* numbers behind a text's words */
	int32_t *ordinal[2];		/* of each token's text: learnt, held */
	size_t cut, all;		/* texts that lost their end */
	/* a micro-batch's */
	int32_t *id, *to, *type, *row, *target;
	double *value;
	struct encoder_text *text;
	size_t *token, ntexts;		/* token: of each text's first row */
};

/* what a record becomes */
struct lines {
	struct reading x;
	const int32_t *tag;		/* of each id, or NULL; -1: none */
	const float *value;		/* or NULL */
	bool all;			/* every id is learnt that is not
					 * special; else the first alone, or
					 * those with tags */
};

int encode_open(struct train *, struct err *);
int encode_ready(struct train *, struct err *);

/* encode_put - a text behind others */
void encode_put(struct encode *, const struct lines *, struct texts *);

/* encode_words - the side file's of a token; encode_values - of its text */
const int32_t *encode_words(const struct encode *, const struct micro *,
    size_t token);
const float *encode_values(const struct encode *, const struct micro *,
    size_t token);

/* encode_texts - the micro-batch's texts: text, token, to and type of the goal;
 * the encoder is told */
void encode_texts(struct train *, const struct micro *);

/* encode_shape - of a new encoder, as the options say */
void encode_shape(const struct train *, const struct shape_head *,
    struct shape *);

#endif
