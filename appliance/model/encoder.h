/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include "appliance/model/decoder.h"

/*
 * encoder.h - the program of encoders (BERT, RoBERTa, DistilBERT, MPNet) and
 * their heads.  Parameters, adapters and memory are decoder.h's: decoder_want,
 * slab_take, decoder_ready and decoder_read come first, of a shape that says
 * encoder.  Sequences hold texts side by side that do not see one another; rows
 * that belong to none are a text of their own that nobody asks for.
 *
 * Order of calls: encoder_texts, then encoder_run or encoder_outputs, or for
 * embeddings encoder_embed and, for learning, encoder_embed_grad.
 */

struct encoder_text {			/* its rows */
	size_t row, n;
};

struct encoder {			/* what a decoder has not */
	int32_t *to, *type;		/* of each row */
	struct linear to_dense;
	/* of the rows that the head reads, `chunk` at a time */
	int32_t *row;
	real *picked, *dense, *act, *normed, *mean, *keep;
	real *dpicked, *dnormed;
	real *share;			/* of a text's embedding: [texts,R] */
	size_t texts;
	/* with a bias of relative positions (encoder_near.c): the texts, how
	 * many rows each has, the longest that there is room for */
	struct encoder_text *text;
	size_t ntexts, longest;
	int32_t *bucket, *zero, *rows;
	real *p, *dp;			/* [H,longest,longest] */
};

/* encoder_texts - where in its sequence each row's text begins and ends (NULL:
 * all of it), and its segment's type (NULL: 0); R each */
void encoder_texts(struct decoder *, const int32_t *from, const int32_t *to,
    const int32_t *type);

/* what is learnt of a micro-batch: n of its rows, in rising order */
struct encoder_wanted {
	const int32_t *row;
	size_t n;
	const int32_t *target;		/* a word, a class, a tag; or */
	const double *value;		/* [n,labels]: 0 or 1 of PROBLEM_MANY,
					 * numbers of PROBLEM_NUMBERS */
};

/*
 * encoder_run - id[R] in; the sum of the losses of what is wanted: the
 * cross-entropy of a target; for values the mean over labels of binary
 * cross-entropies or of squared differences.  scale != 0: the gradient of the
 * sum times scale is added to the parameters' gradients
 */
double encoder_run(struct decoder *, const int32_t *id,
    const struct encoder_wanted *, double scale);

/* encoder_outputs - out[n,outputs], the host's: what the head says of rows, in
 * words or labels, before any softmax */
void encoder_outputs(struct decoder *, const int32_t *id, const int32_t *row,
    size_t n, real *out);

/* encoder_embed - out[n,C], the host's: texts as the shape pools them, not
 * normalised yet.  encoder_embed_grad - dy[n,C] are their gradients, after
 * encoder_embed of the same texts */
void encoder_embed(struct decoder *, const int32_t *id,
    const struct encoder_text *, size_t n, bool learns, real *out);
void encoder_embed_grad(struct decoder *, const struct encoder_text *,
    size_t n, const real *dy);

/* encoder_forward - from ids to d->last; learns: what is dropped has been set
 * (dropout.h), and encoder_backward may come.  encoder_backward - from d->dx,
 * the gradient of that, to the parameters' */
void encoder_forward(struct decoder *, const int32_t *id, bool learns);
void encoder_backward(struct decoder *);

/* for decoder.c: memory */
void encoder_layer_want(const struct decoder *, struct slab *, size_t i);
void encoder_want(struct decoder *, struct slab *);
void encoder_ready(struct decoder *);

/* for encoder.c: attention with a bias of relative positions, of each text by
 * itself; near_texts - from and to of all rows, the host's */
void near_want(struct decoder *, struct slab *);
void near_ready(const struct decoder *);
void near_texts(const struct decoder *, const int32_t *from,
    const int32_t *to);
void near_attend(const struct decoder *, size_t i);
void near_attend_grad(const struct decoder *, size_t i);

#endif
