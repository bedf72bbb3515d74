/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_SEQ2SEQ_H
#define TRAIN_SEQ2SEQ_H

#include "appliance/model/t5.h"
#include "modules/train/tokens.h"

/*
 * seq2seq.h - encoder-decoders' objectives: where the inputs and targets of a
 * micro-batch lie; span.c has what is drawn of a text.
 *
 * Each text of a row of tokens becomes an input, in the encoder's sequence of
 * that number, and a target in the decoder's, behind those of the texts before.
 */

struct seq2seq {
	int32_t end;			/* of inputs and targets */
	size_t cut, all;		/* inputs that lost their end */
	int32_t sentinel[128];		/* <extra_id_0> and on */
	size_t sentinels;
	/* a micro-batch's rows: t5_micro's */
	int32_t *id, *out, *target;
	int32_t *seen[6];
	struct t5_micro micro;
	/* the sequence that is being filled, and how far */
	size_t b, in, to;
};

/* seq2seq_plan, seq2seq_open, seq2seq_ready - of both objectives */
int seq2seq_plan(const struct train_conf *, struct err *);
int seq2seq_open(struct train *, struct err *);
int seq2seq_ready(struct train *, struct err *);

/* seq2seq_shape - of a new model, as the options say: T5 v1.1's, but for the
 * head, which is the token table unless tied says no */
void seq2seq_shape(const struct train *, struct shape *);

/* seq2seq_begin - no text is in the micro-batch yet; seq2seq_put - the input
 * and target of the text that seq2seq_text found last */
void seq2seq_begin(struct train *);
void seq2seq_put(struct train *, const int32_t *in, size_t n,
    const int32_t *target, size_t m);

/* seq2seq_text - the next text of a micro-batch's rows from *at on: its first
 * row and, returned, how many; 0: there is none */
size_t seq2seq_text(struct train *, const struct micro *, size_t *at,
    size_t *first);

#endif
