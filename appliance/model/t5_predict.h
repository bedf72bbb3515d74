/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_T5_PREDICT_H
#define MODEL_T5_PREDICT_H

#include "appliance/model/generate.h"

/*
 * t5_predict.h - an encoder-decoder that only looks forward, with predict.h's
 * weights: an input is read once, and keys and values of it for every layer of
 * the decoder are kept in a slot, beside those of what the decoder has said.
 *
 * A row's result depends on its own sequence alone, not on the others.
 */

struct t5_predict {
	struct predict p;		/* slots, places: of input and of
					 * output, each */
	real **own, **across;		/* of each decoder's layer: keys, then
					 * values, [slots,places,2 H D] */
	size_t *read;			/* tokens of each slot's input */
	int32_t *place;			/* 0 to places */
	int32_t *none, *all;		/* 0, or an input's tokens, each */
	int32_t *bucket[2];
	real *score;			/* [H,places,places] */
};

/* t5_predict_open - how: as predict_packed has it; rows is not read */
struct t5_predict *t5_predict_open(struct arena *, struct device *,
    const struct predict_how *, struct err *);

/* t5_predict_read - an input of at most `places` tokens into a slot */
void t5_predict_read(struct t5_predict *, size_t slot, const int32_t *id,
    size_t n);

/* t5_predict_next - what follows a token at a place, 0 for the first, in each
 * of n slots, at most all: logits[n,V], the host's */
void t5_predict_next(struct t5_predict *, const int32_t *id,
    const int32_t *slot, const int32_t *pos, size_t n, real *logits);

struct t5_text {
	const int32_t *in, *id;		/* its input, with its end; itself */
	size_t nin, n;
	double nll;			/* out: minus the log-probability */
};

/* t5_score - of each text after its input, of which `places` tokens are read;
 * a longer text in pieces of so many, each as if it were the first */
void t5_score(struct t5_predict *, struct t5_text *, size_t n);

/* t5_generate_run - as generate_run: a row's prompt is its input, the end of
 * the text included */
int t5_generate_run(struct t5_predict *, const struct model *,
    struct generate_row *const *, size_t n, const struct generate_calls *,
    struct err *);

#endif
