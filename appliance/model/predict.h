/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PREDICT_H
#define MODEL_PREDICT_H

#include "appliance/engine/slab.h"
#include "appliance/model/packed.h"
#include "appliance/model/route.h"
#include "appliance/model/weights.h"

/*
 * predict.h - a decoder that only looks forward: weights packed once, keys and
 * values of `slots` sequences of up to `places` tokens kept, in pages of
 * KERNEL_PAGE tokens.
 *
 * Packed weights are floats or quantised (packed.h).  With PACKED_Q4 the table
 * of words and the head are PACKED_Q8, since their errors meet every word; the
 * routers of experts, norms, biases and the table of places are floats.  Beside
 * quantised weights keys and values are kept in 16 bits where the device can.
 *
 * A row's result depends on its own sequence alone: not on the rows beside it,
 * nor on how a prompt was cut into calls, nor on threads (kernel.h).
 */

struct predict_layer {
	real *norm1, *norm1_b, *qkv_b, *out_b, *norm2, *norm2_b, *up_b;
	real *down_b, *q_norm, *k_norm, *post1, *post2;
	void *cache;			/* reals, or halves */
	void *qkv, *out, *up, *down;
	real *norm3;			/* attention to an encoder (t5.h) */
	void *xq, *xkv, *xout;
	void *router, **ups, **downs;	/* of a layer with experts */
	void *shared_gate, *shared_up, *shared_down;
};

struct predict_experts {		/* while one layer's work */
	struct route route;
	real *host, *logits, *weight, *in, *up, *act, *sum;
	real *shared_up, *shared_act;
	int32_t *row;
};

struct predict {
	struct device *device;
	const struct weights *w;
	size_t slots, places, rows;	/* rows: most in one call */
	size_t pages, per;		/* of the cache; of a sequence */
	bool half;			/* the cache's numbers */
	enum packed_form form, words;	/* of matrices; of token and head */
	uint64_t check;			/* XXH3 of quantised weights */
	struct image *mapped;		/* that can still be moved; or NULL */
	size_t calls;
	struct slab weights, slab;
	struct predict_layer *layer;
	struct predict_experts *experts;	/* or NULL */
	struct predict_loras *loras;	/* predict_lora.h; or NULL */
	real *place, *norm, *norm_b, *rope, *local_rope;
	real *coded, *near[2];		/* an encoder-decoder's */
	void *token, *head;		/* token: reals, or packed */
	real *x, *n, *side, *qkv, *att, *up, *act, *picked, *logits, *loss;
	real *spare;
	int32_t *id, *slot, *pos, *want, *target, *table;
	size_t wanted;			/* most rows with logits in one call */
};

/* predict_open - run: the host's parameters; they can go afterwards */
struct predict *predict_open(struct arena *, struct device *,
    const struct weights *, const real *run, size_t slots, size_t places,
    size_t rows, size_t wanted, struct err *);

/* what weights are made of, and how many sequences are kept */
struct predict_how {
	enum packed_form form;
	const struct weights *w;
	const real *run;		/* NULL: they are read from tensors, */
	const struct tensors *tensors;	/* matrix by matrix, */
	struct view config;		/* of the model with this config.json */
	int images;			/* where those are (image.h), or -1 */
	/* weights of an image are copied, after some calls and a piece in
	 * each, into large pages, if the kernel has them and memory allows */
	bool large;
	size_t slots, places, rows, wanted;
	/* most bytes of keys and values, but room for one sequence in any case;
	 * 0: for all slots; PREDICT_LEFT: at most half of what is left */
	size_t cache;
};

#define PREDICT_LEFT	SIZE_MAX

/* predict_packed - with weights of a form.  Quantised ones of tensors come from
 * their image, which is made if need be */
struct predict *predict_packed(struct arena *, struct device *,
    const struct predict_how *, struct err *);

/* predict_table - the pages of each slot: table[slots][per] of 0 to pages - 1.
 * Unless told, slot s has those from s * per on; where there are fewer pages,
 * it must be told */
void predict_table(struct predict *, const int32_t *table);

/* predict_place_bytes - what the keys and values of one place take */
size_t predict_place_bytes(const struct predict *);

struct predict_rows {
	size_t n;			/* at most `rows` */
	const int32_t *id, *slot, *pos;	/* places of a slot in order */
	const uint32_t *adapter;	/* 0: none; or NULL for all of them */
	const int32_t *want;		/* rows whose logits are asked for */
	size_t nwant;			/* at most `wanted` */
};

/* predict_logits - logits[nwant][V] on the host */
void predict_logits(struct predict *, const struct predict_rows *,
    real *logits);

/* predict_loss - loss[nwant]: minus the log-probability of each target */
void predict_loss(struct predict *, const struct predict_rows *,
    const int32_t *target, real *loss);

#endif
