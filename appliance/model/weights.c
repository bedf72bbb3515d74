/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/random.h"
#include "appliance/model/t5.h"
#include "appliance/model/weights.h"

#include <math.h>

/* weight_add - the next parameter of the run */
static size_t
weight_add(struct weights *w, size_t rows, size_t cols)
{
	size_t at = w->all;

	w->v[w->n++] = (struct weight){ at, rows, cols, rows > 1 };
	w->all += rows * cols;
	return at;
}

/* bias_add - a vector if the shape has it */
static size_t
bias_add(struct weights *w, bool there, size_t n)
{
	return there ? weight_add(w, 1, n) : NO_WEIGHT;
}

/* experts_layout - each matrix is a parameter of its own */
static void
experts_layout(struct weights *w, struct layer *l)
{
	const struct shape *s = &w->shape;
	size_t at;

	l->router = weight_add(w, s->E, s->C);
	for (size_t e = 0; e < s->E; e++) {
		at = weight_add(w, 2 * s->EF, s->C);
		l->ups = e == 0 ? at : l->ups;
	}
	for (size_t e = 0; e < s->E; e++) {
		at = weight_add(w, s->C, s->EF);
		l->downs = e == 0 ? at : l->downs;
	}
	if (s->SF == 0)
		return;
	l->shared_gate = weight_add(w, 1, s->C);
	l->shared_up = weight_add(w, 2 * s->SF, s->C);
	l->shared_down = weight_add(w, s->C, s->SF);
}

/* cross_layout - attention to an encoder's rows; the decoder's layers alone */
static void
cross_layout(struct weights *w, struct layer *l, bool there)
{
	const struct shape *s = &w->shape;

	l->norm3 = l->xq = l->xkv = l->xout = NO_WEIGHT;
	if (!there)
		return;
	l->norm3 = weight_add(w, 1, s->C);
	l->xq = weight_add(w, s->H * s->D, s->C);
	l->xkv = weight_add(w, 2 * s->H * s->D, s->C);
	l->xout = weight_add(w, s->C, s->H * s->D);
}

/* layer_layout - one layer, in the order of its use */
static void
layer_layout(struct weights *w, size_t i)
{
	const struct shape *s = &w->shape;
	struct layer *l = &w->layer[i];

	l->norm1 = weight_add(w, 1, s->C);
	l->norm1_b = bias_add(w, s->layernorm, s->C);
	l->qkv = weight_add(w, w->qkv_rows, s->C);
	l->qkv_b = bias_add(w, s->qkv_bias, w->qkv_rows);
	l->q_norm = bias_add(w, s->head_norms, s->D);
	l->k_norm = bias_add(w, s->head_norms, s->D);
	l->out = weight_add(w, s->C, s->H * s->D);
	l->out_b = bias_add(w, s->out_bias, s->C);
	l->post1 = bias_add(w, s->post_norms, s->C);
	cross_layout(w, l, s->seq2seq && i >= s->LE);
	l->norm2 = weight_add(w, 1, s->C);
	l->norm2_b = bias_add(w, s->layernorm, s->C);
	l->up = l->down = l->up_b = l->down_b = NO_WEIGHT;
	l->router = l->ups = l->downs = NO_WEIGHT;
	l->shared_gate = l->shared_up = l->shared_down = NO_WEIGHT;
	if (s->sparse[i])
		experts_layout(w, l);
	else {
		l->up = weight_add(w, w->up_rows, s->C);
		l->up_b = bias_add(w, s->mlp_bias, w->up_rows);
		l->down = weight_add(w, s->C, s->F);
		l->down_b = bias_add(w, s->mlp_bias, s->C);
	}
	l->post2 = bias_add(w, s->post_norms, s->C);
}

/* head_layout - the matrix behind the last norm, and in an encoder what its
 * head has besides */
static void
head_layout(struct weights *w)
{
	const struct shape *s = &w->shape;
	enum head_kind kind = s->head.kind;
	bool labels = kind == HEAD_CLASSES || kind == HEAD_TAGS;

	w->head_b = w->dense = w->dense_b = NO_WEIGHT;
	w->dense_norm = w->dense_norm_b = NO_WEIGHT;
	if (kind == HEAD_MASKED || kind == HEAD_CLASSES) {
		w->dense = weight_add(w, s->C, s->C);
		w->dense_b = weight_add(w, 1, s->C);
	}
	if (kind == HEAD_MASKED) {
		w->dense_norm = weight_add(w, 1, s->C);
		w->dense_norm_b = weight_add(w, 1, s->C);
	}
	w->head = labels ? weight_add(w, s->head.labels, s->C) :
	    kind == HEAD_EMBED ? NO_WEIGHT : s->tied ? w->token :
	    weight_add(w, s->V, s->C);
	if (labels && s->head.labels == 1)
		w->v[w->n - 1].decay = true;
	if (s->encoder && kind != HEAD_EMBED)
		w->head_b = weight_add(w, 1, labels ? s->head.labels : s->V);
}

void
weights_layout(struct arena *a, const struct shape *s, struct weights *w)
{
	*w = (struct weights){ .shape = *s };
	w->v = arena_array(a, s->L * (24 + 2 * s->E) + 15, sizeof(*w->v));
	w->layer = arena_array(a, s->L, sizeof(*w->layer));
	w->qkv_rows = (s->H + 2 * s->G) * s->D;
	w->up_rows = s->gated ? 2 * s->F : s->F;
	w->token = weight_add(w, s->V, s->C);
	w->place = s->places ? weight_add(w, s->place_skip + s->T, s->C) :
	    NO_WEIGHT;
	w->type = s->types > 0 ? weight_add(w, s->types, s->C) : NO_WEIGHT;
	w->coded = bias_add(w, s->seq2seq, s->C);
	for (size_t i = 0; i < 2; i++)
		w->near[i] = s->seq2seq || (i == 0 && s->buckets > 0) ?
		    weight_add(w, s->buckets, s->H) : NO_WEIGHT;
	for (size_t i = 0; i < s->L; i++)
		layer_layout(w, i);
	w->norm = weight_add(w, 1, s->C);
	w->norm_b = bias_add(w, s->layernorm, s->C);
	head_layout(w);
}

/* init_run - n numbers of a distribution from a place of the run on */
static void
init_run(real *run, size_t at, size_t n, double deviation, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		run[at + i] = (real)(deviation * random_normal(seed, 0,
		    at + i));
}

static void
init_ones(real *run, size_t at, size_t n)
{
	for (size_t i = 0; at != NO_WEIGHT && i < n; i++)
		run[at + i] = 1;
}

void
weights_init(const struct weights *w, uint64_t seed, real *run)
{
	const struct shape *s = &w->shape;
	double less = 0.02 / sqrt(2 * (double)s->L);

	memset(run, 0, w->all * sizeof(*run));
	if (s->seq2seq) {
		t5_init(w, seed, run);
		return;
	}
	init_run(run, w->token, s->V * s->C, 0.02, seed);
	if (w->place != NO_WEIGHT)
		init_run(run, w->place, (s->place_skip + s->T) * s->C, 0.02,
		    seed);
	for (size_t i = 0; i < s->L; i++) {
		const struct layer *l = &w->layer[i];

		init_ones(run, l->norm1, s->C);
		init_ones(run, l->norm2, s->C);
		init_ones(run, l->post1, s->C);
		init_ones(run, l->post2, s->C);
		init_ones(run, l->q_norm, s->D);
		init_ones(run, l->k_norm, s->D);
		init_run(run, l->qkv, w->qkv_rows * s->C, 0.02, seed);
		init_run(run, l->out, s->C * s->H * s->D, less, seed);
		if (s->sparse[i]) {
			init_run(run, l->router, l->downs - l->router, 0.02,
			    seed);
			init_run(run, l->downs, s->E * s->C * s->EF, less,
			    seed);
		} else {
			init_run(run, l->up, w->up_rows * s->C, 0.02, seed);
			init_run(run, l->down, s->C * s->F, less, seed);
		}
		if (l->shared_up != NO_WEIGHT) {
			init_run(run, l->shared_gate, s->C, 0.02, seed);
			init_run(run, l->shared_up, 2 * s->SF * s->C, 0.02,
			    seed);
			init_run(run, l->shared_down, s->C * s->SF, less,
			    seed);
		}
	}
	init_ones(run, w->norm, s->C);
	init_ones(run, w->dense_norm, s->C);
	if (w->near[0] != NO_WEIGHT)
		init_run(run, w->near[0], s->buckets * s->H, 0.02, seed);
	if (w->type != NO_WEIGHT)
		init_run(run, w->type, s->types * s->C, 0.02, seed);
	if (w->dense != NO_WEIGHT)
		init_run(run, w->dense, s->C * s->C, 0.02, seed);
	if (w->head != NO_WEIGHT && w->head != w->token)
		init_run(run, w->head, weights_head_rows(w) * s->C, 0.02,
		    seed);
}

size_t
weights_head_rows(const struct weights *w)
{
	enum head_kind kind = w->shape.head.kind;

	return kind == HEAD_CLASSES || kind == HEAD_TAGS ?
	    w->shape.head.labels : kind == HEAD_EMBED ? 0 : w->shape.V;
}

size_t
weights_find(const struct weights *w, size_t at)
{
	size_t low = 0, high = w->n, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (w->v[mid].at <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}
