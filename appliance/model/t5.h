/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_T5_H
#define MODEL_T5_H

#include "appliance/model/decoder.h"

/*
 * t5.h - the program of encoder-decoders (T5, Raffel et al. 2020; v1.1, FLAN-T5
 * and mT5 are the same with a gate in the MLP and a head of their own).
 * Parameters, adapters and memory are decoder.h's: decoder_want, slab_take,
 * decoder_ready and decoder_read come first, of a shape that says seq2seq.
 *
 * The encoder's rows are B * T, the decoder's B * targets, side by side in
 * the same sequences.  Each row says which rows of its sequence it sees: an
 * encoder's its text's, a decoder's those of its text up to itself, and of the
 * encoder's those of its input.  A row that sees none (from = to) is no text's.
 * Where rows stand is known from their distance alone, by a bias of scores that
 * all layers of the encoder, or of the decoder, share.
 *
 * Order of calls: t5_run; or t5_forward, then what reads d->norm.  To answer
 * inputs there is t5_predict.h.
 */

/* attention to the encoder's rows, in a decoder's layer */
struct cross {
	struct linear to_q, to_kv, to_out;
	real *norm, *keep, *q, *kv, *att, *mid;
};

/* rows from[r] to to[r] - 1 of its sequence are seen by row r */
struct t5_seen {
	const int32_t *from, *to;
};

struct t5 {
	size_t T, R;			/* the decoder's positions, rows */
	int32_t *id;			/* the decoder's */
	int32_t *from[3], *to[3];	/* encoder, decoder, between them */
	int32_t *bucket[2];		/* by distance: encoder, decoder */
	real *coded, *last, *keep;	/* the encoder's rows, normalised; as
					 * they were before */
	real *dcoded;
	real *p, *dp;			/* [H,T,T]: of one sequence */
};

/* a micro-batch: all the host's.  id and in have B * T rows, out, own, across
 * and target B * targets; target -1: not counted */
struct t5_micro {
	const int32_t *id, *out;
	struct t5_seen in, own, across;
	const int32_t *target;
};

/* t5_run - the sum of the counted losses.  scale != 0: the gradient of the sum
 * times scale is added to grad */
double t5_run(struct decoder *, const struct t5_micro *, double scale);

/* t5_forward - to d->norm, what the head reads of the decoder's rows; learns:
 * with dropout */
void t5_forward(struct decoder *, const struct t5_micro *, bool learns);

/* t5_bucket - the number of a distance, key's place less query's: the nearest
 * have one each, farther ones share more and more, both ways or only backwards;
 * as transformers computes it, in float */
int32_t t5_bucket(int64_t distance, bool both, size_t buckets, size_t far);

/* t5_init - the paper's: normal, deviations by what a matrix reads; norms 1 */
void t5_init(const struct weights *, uint64_t seed, real *run);

/* for decoder.c: memory */
void t5_want(struct decoder *, struct slab *, size_t targets);
void t5_layer_want(const struct decoder *, struct slab *, size_t i);
void t5_ready(struct decoder *);

/* one attention: queries T and keys K of each of B sequences, H heads; MPNet's
 * as well (encoder_near.c) */
struct t5_heads {
	size_t B, T, K;
	double scale;			/* of scores, before the bias */
	const real *q, *k, *v;
	size_t qs, ks;			/* from row to row; ks: values' too */
	const int32_t *from, *to;	/* [B,T], the device's */
	const int32_t *bucket;		/* NULL: no bias */
	size_t near;			/* its table */
	size_t layer;
	size_t first;			/* of a step's probabilities, for
					 * dropout */
	real *p, *dp;			/* room: [H,T,K] each */
};

/* t5_attend - y[B*T,H*D].  t5_attend_grad - dq, dk and dv, with the strides of
 * q, k and v, from dy; the table's gradient is added to */
void t5_attend(const struct decoder *, const struct t5_heads *, real *y);
void t5_attend_grad(const struct decoder *, const struct t5_heads *, real *dq,
    real *dk, real *dv, const real *dy);

#endif
