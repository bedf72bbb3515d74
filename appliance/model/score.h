/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SCORE_H
#define MODEL_SCORE_H

#include "appliance/model/predict.h"

/*
 * score.h - how likely a model holds texts to be.
 *
 * A text longer than the model's context is cut into windows as
 * lm-evaluation-harness does (rolling log-likelihood): each token is predicted
 * once, a window after the first begins with the last token before it, and the
 * last window reaches back as far as the context lets it.
 */

struct score {
	const int32_t *id;		/* begins with what is not predicted */
	size_t n;			/* at least 2 to predict anything */
	size_t from;			/* first token that counts, >= 1 */
	double nll;			/* out: minus the log-probability */
	size_t counted;			/* out: of so many tokens */
};

void score_run(struct predict *, struct score *, size_t n);

/* score_words - logits[V] of the words that could stand at place `token` of x
 * go to fn, in the order of texts and places; nll stays 0 */
typedef void score_word(void *arg, const struct score *x, size_t token,
    const real *logits);
void score_words(struct predict *, struct score *, size_t n, score_word *,
    void *arg);

#endif
