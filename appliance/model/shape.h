/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SHAPE_H
#define MODEL_SHAPE_H

#include "appliance/model/head.h"
#include "appliance/model/rope.h"

/*
 * shape.h - what a decoder or an encoder is made of: Hugging Face's
 * config.json, read and written.  The family names files, tensors and members;
 * what is computed is said by the flags alone.  What this version cannot
 * compute (another family, another activation, quantised weights) is refused by
 * name.
 */

enum family {
	FAMILY_GPT2, FAMILY_LLAMA, FAMILY_MISTRAL, FAMILY_QWEN2, FAMILY_QWEN3,
	FAMILY_GEMMA, FAMILY_GEMMA2, FAMILY_GEMMA3, FAMILY_PHI3, FAMILY_NEOX,
	FAMILY_OPT, FAMILY_MIXTRAL, FAMILY_QWEN2_MOE, FAMILY_QWEN3_MOE,
	FAMILY_T5, FAMILY_MT5,
	FAMILY_BERT, FAMILY_ROBERTA, FAMILY_XLM_ROBERTA, FAMILY_DISTILBERT,
	FAMILY_MPNET,
	FAMILIES
};

#define SHAPE_STOPS	8
#define SHAPE_LAYERS	1024

struct shape {
	enum family family;
	size_t V, T;			/* words; longest sequence */
	size_t C, L;			/* channels, layers */
	size_t H, G, D;			/* query, key/value heads; a head */
	size_t F;			/* hidden channels of the MLP */
	size_t E, K;			/* experts; chosen for a row; 0: none */
	size_t EF, SF;			/* an expert's F; of one for all rows */
	bool norm_chosen;		/* their weights add up to 1 */
	bool sparse[SHAPE_LAYERS];	/* layers with experts */
	double eps;			/* of norms */
	bool tied;			/* the head is the token table */
	bool qkv_bias, out_bias, mlp_bias;
	bool layernorm;			/* else rmsnorm */
	bool less_one;			/* files keep a norm's weight less 1 */
	bool head_norms;		/* of queries and keys */
	bool post_norms;		/* of what a branch adds, too */
	bool parallel;			/* both branches from the same row */
	bool encoder;			/* every row sees all of its text; a
					 * norm behind each branch, none last */
	bool seq2seq;			/* an encoder, then a decoder that
					 * attends to it (t5.h): */
	size_t LE;			/* of L layers, the encoder's */
	size_t buckets, far;		/* of relative positions, MPNet's too,
					 * and from how far on they share the
					 * last one; 0: there is no bias */
	double head_scale;		/* of what the head reads; 0: none */
	int32_t begin;			/* the decoder's first token */
	size_t types;			/* rows of a table of segments */
	struct shape_head head;
	bool gated;			/* the MLP: act(gate) * up */
	enum kernel_act act;
	bool places;			/* a learned table of places */
	size_t place_skip;		/* its rows before place 0 */
	size_t turned;			/* channels of a head that RoPE turns */
	struct rope rope, local_rope;	/* of local layers, if two_ropes */
	bool two_ropes;
	size_t window;			/* of local layers; 0: there are none */
	bool local[SHAPE_LAYERS];
	double embed_scale;		/* 0: as the table has it */
	double score_scale, score_cap, logit_cap;	/* kernel.h; 0: none */
	bool score_layers;		/* layer i's scores are / (i + 1) */
	int32_t bos;			/* -1: none */
	int32_t stop[SHAPE_STOPS];	/* eos_token_id: one or a list */
	size_t nstops;
	struct view source;		/* config.json as it was read */
};

/* shape_family - what the family alone says; D is set already */
void shape_family(struct shape *, enum family);

/* family_name - its model_type; family_class - what computes it there, in
 * encoders without the end that head_class has */
const char *family_name(enum family);
const char *family_class(enum family);

/* shape_scale - of a layer's scores, for kernel.h */
double shape_scale(const struct shape *, size_t layer);

/* shape_act - an activation by any of its names; the family's if absent */
int shape_act(struct view root, const char *name, struct shape *,
    struct err *);

/* shape_parse - config.json, which must outlive the shape; shape_print - the
 * same in the field's words, with members of the source that are not ours */
int shape_parse(struct view json, struct shape *, struct err *);
void shape_print(const struct shape *, struct buf *);

/* shape_check - do the numbers fit one another and this machine */
int shape_check(const struct shape *, struct err *);

#endif
