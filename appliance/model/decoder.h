/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "appliance/engine/slab.h"
#include "appliance/model/adapter.h"
#include "appliance/model/held.h"
#include "appliance/model/layer_experts.h"
#include "appliance/model/linear.h"
#include "appliance/model/weights.h"

/*
 * decoder.h - a decoder's forward and backward pass, for training.
 *
 * A static list of operations, the same for all families: the shape's flags
 * choose the norms, the positions, the activation, the biases.  Order of calls:
 * decoder_want (wants its memory), slab_take, decoder_ready, then for each
 * micro-batch decoder_run; the caller reads and clears grad.
 *
 * What is frozen has no gradient, neither memory nor work: the gradient of a
 * place of the weights' run is where decoder_grad says.  What is held in fewer
 * bits (held.h) has no reals either: they are where decoder_param says.
 */

struct decoder_conf {
	size_t B, T;			/* sequences, positions */
	size_t targets;			/* positions of an encoder-decoder's
					 * decoder, at most T; 0: T */
	const bool *frozen;		/* of each parameter; NULL: none is */
	const struct adapter *adapter;	/* or NULL */
	struct held *held;		/* or NULL: all are reals */
	double dropout, attention_dropout;	/* dropout.h; 0: none */
	bool recompute;			/* keep one layer's results at a time */
	bool half;			/* products read 16 bits (half.h): */
	enum kernel_form form;		/* bf16 or f16 */
};

struct decoder_layer {
	struct linear to_qkv, to_out, to_up, to_down;
	struct experts_to *to_experts;	/* instead of up and down; or NULL */
	struct decoder_experts experts;
	/* what the backward pass needs */
	real *in, *norm1, *mean1, *keep1, *qkv, *att, *lse;
	real *mid, *norm2, *mean2, *keep2, *up, *act;
	real *normed, *keepq, *keepk;	/* with head_norms: query and key */
	real *post1, *keep3, *post2, *keep4;	/* before post_norms */
	struct cross *cross;		/* t5.h; or NULL */
	uint16_t *kept;			/* with half */
};

struct encoder;
struct t5;

struct decoder_drop {			/* dropout.h's */
	double rows_p, scores_p;	/* as asked for */
	double rows, scores;		/* now */
	real *back;
};

struct decoder {
	struct arena *arena;
	struct device *device;
	const struct weights *w;
	size_t B, T, R;			/* sequences, positions, rows */
	size_t rows;			/* that the head reads: R, or fewer of
					 * an encoder-decoder's decoder */
	const struct adapter *adapter;
	struct held *held;
	bool recompute, half, stored;	/* stored: half.h */
	enum kernel_form form;
	real *run, *grad;		/* parameters */
	size_t *run_at, nrun;		/* in run, or NO_WEIGHT: held */
	size_t *grad_at, ngrad;		/* in grad, or NO_WEIGHT: frozen */
	real *arun, *agrad;		/* the adapter's, in its own order */
	struct linear to_head;
	struct linear_work work;	/* key, row: set before decoder_run */
	struct decoder_drop drop;
	struct decoder_layer *layer;
	real *last, *norm, *mean, *keep, *rope, *local_rope;
	real *logits, *loss;		/* a chunk of rows; a row each */
	size_t chunk;
	real *dx, *dn, *dqkv, *datt, *dup, *dact, *side, *dnormed;
	real *rounded;			/* with half: of a gradient */
	/* experts' */
	real *dlogits, *dweight, *dout, *din, *dups, *dacts, *host;
	int32_t *id, *pos, *from, *target;
	bool texts;			/* several in a sequence: from */
	struct encoder *encoder;	/* encoder.h; NULL: it is a decoder */
	struct t5 *t5;			/* t5.h; NULL: it is none */
};

void decoder_want(struct decoder *, struct arena *, const struct weights *,
    struct slab *, const struct decoder_conf *);
void decoder_ready(struct decoder *);

/* decoder_texts - the sequences of the next runs are texts side by side that do
 * not see one another: from[R] is where in its sequence each row's begins;
 * NULL: one text a sequence */
void decoder_texts(struct decoder *, const int32_t *from);

/* decoder_read - a base's tensors to where they belong; then, in DoRA, the
 * magnitudes of the adapter's modules are the lengths of the base's rows */
int decoder_read(struct decoder *, const struct tensors *, struct err *);
void decoder_magnitudes(const struct decoder *);

/* decoder_param - the reals of the weights' number `at`; NULL: held, or
 * NO_WEIGHT.  decoder_grad - the gradient of it; NULL: frozen */
real *decoder_param(const struct decoder *, size_t at);
real *decoder_grad(const struct decoder *, size_t at);

/*
 * decoder_run - id[R] in, target[R] (-1: not counted) compared; the sum of the
 * counted losses.  scale != 0: the gradient of the sum times scale is added to
 * grad.
 */
double decoder_run(struct decoder *, const int32_t *id, const int32_t *target,
    double scale);

#endif
