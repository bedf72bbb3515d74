/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SHAPE_H
#define MODEL_SHAPE_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * shape.h - what a decoder is made of: Hugging Face's config.json of GPT-2 and
 * Llama, read and written.  What this version cannot compute (another family,
 * scaled RoPE, another activation) is refused by name.
 */

enum family { FAMILY_GPT2, FAMILY_LLAMA };

#define SHAPE_STOPS	8

struct shape {
	enum family family;
	size_t V, T;			/* words; longest sequence */
	size_t C, L;			/* channels, layers */
	size_t H, G, D;			/* query, key/value heads; a head */
	size_t F;			/* hidden channels of the MLP */
	double eps, theta;		/* of norms; of RoPE */
	bool tied;			/* the head is the token table */
	bool qkv_bias, mlp_bias;	/* Llama's attention_bias, mlp_bias */
	int32_t bos;			/* -1: none */
	int32_t stop[SHAPE_STOPS];	/* eos_token_id: one or a list */
	size_t nstops;
};

/* shape_parse - config.json; shape_print - the same in the field's words */
int shape_parse(struct view json, struct shape *, struct err *);
void shape_print(const struct shape *, struct buf *);

/* shape_check - do the numbers fit one another and this machine */
int shape_check(const struct shape *, struct err *);

#endif
