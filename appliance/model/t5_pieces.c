/* SPDX-License-Identifier: Apache-2.0 */
/* What transformers calls the tensors of T5, and how they begin */
#include "appliance/base/base.h"
#include "appliance/model/pieces.h"
#include "appliance/model/random.h"
#include "appliance/model/t5.h"

#include <math.h>

static const char *const stacks[] = { "encoder", "decoder" };

/* front_add - of what comes next */
static void
front_add(struct pieces *p, size_t stack, size_t block, size_t layer)
{
	p->front = arena_printf(p->arena, "%s.block.%zu.layer.%zu.",
	    stacks[stack], block, layer);
}

/* block_pieces - of layer i: attention, in the decoder that to the encoder,
 * the MLP */
static void
block_pieces(struct pieces *p, const struct weights *w, size_t i)
{
	const struct shape *s = &w->shape;
	const struct layer *l = &w->layer[i];
	size_t stack = i >= s->LE, n = stack == 0 ? i : i - s->LE;
	size_t in = s->H * s->D, at = 0;

	front_add(p, stack, n, at++);
	pieces_linear(p, "SelfAttention.q", l->qkv, NO_WEIGHT, 0, in, s->C);
	pieces_linear(p, "SelfAttention.k", l->qkv, NO_WEIGHT, in, in, s->C);
	pieces_linear(p, "SelfAttention.v", l->qkv, NO_WEIGHT, 2 * in, in,
	    s->C);
	pieces_linear(p, "SelfAttention.o", l->out, NO_WEIGHT, 0, s->C, in);
	if (n == 0)
		pieces_add(p, "SelfAttention.relative_attention_bias.weight",
		    w->near[stack], s->buckets, s->H);
	pieces_norm(p, s, "layer_norm", l->norm1, NO_WEIGHT, s->C);
	if (stack == 1) {
		front_add(p, stack, n, at++);
		pieces_linear(p, "EncDecAttention.q", l->xq, NO_WEIGHT, 0, in,
		    s->C);
		pieces_linear(p, "EncDecAttention.k", l->xkv, NO_WEIGHT, 0,
		    in, s->C);
		pieces_linear(p, "EncDecAttention.v", l->xkv, NO_WEIGHT, in,
		    in, s->C);
		pieces_linear(p, "EncDecAttention.o", l->xout, NO_WEIGHT, 0,
		    s->C, in);
		pieces_norm(p, s, "layer_norm", l->norm3, NO_WEIGHT, s->C);
	}
	front_add(p, stack, n, at);
	pieces_linear(p, s->gated ? "DenseReluDense.wi_0" :
	    "DenseReluDense.wi", l->up, NO_WEIGHT, 0, s->F, s->C);
	if (s->gated)
		pieces_linear(p, "DenseReluDense.wi_1", l->up, NO_WEIGHT,
		    s->F, s->F, s->C);
	pieces_linear(p, "DenseReluDense.wo", l->down, NO_WEIGHT, 0, s->C,
	    s->F);
	pieces_norm(p, s, "layer_norm", l->norm2, NO_WEIGHT, s->C);
}

void
t5_pieces(struct pieces *p, const struct weights *w)
{
	const struct shape *s = &w->shape;

	p->front = "";
	pieces_add(p, "shared.weight", w->token, s->V, s->C);
	for (size_t i = 0; i < s->L; i++)
		block_pieces(p, w, i);
	p->front = "";
	pieces_norm(p, s, "encoder.final_layer_norm", w->coded, NO_WEIGHT,
	    s->C);
	pieces_norm(p, s, "decoder.final_layer_norm", w->norm, NO_WEIGHT,
	    s->C);
	if (!s->tied)
		pieces_add(p, "lm_head.weight", w->head, s->V, s->C);
}

bool
t5_spare(const char *name)
{
	static const char *const spare[] = { "encoder.embed_tokens.weight",
	    "decoder.embed_tokens.weight", ("decoder.block.0.layer.1."
	    "EncDecAttention.relative_attention_bias.weight") };

	for (size_t i = 0; i < BASE_COUNT(spare); i++)
		if (strcmp(name, spare[i]) == 0)
			return true;
	return false;
}

/* init_normal - rows of a parameter; reads: of how many numbers its rows make
 * one */
static void
init_normal(real *run, size_t at, size_t n, size_t reads, uint64_t seed)
{
	double deviation = 1 / sqrt((double)reads);

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

/* init_layer - queries are small, since scores are not scaled */
static void
init_layer(const struct weights *w, const struct layer *l, uint64_t seed,
    real *run)
{
	const struct shape *s = &w->shape;
	size_t in = s->H * s->D, C = s->C;

	init_ones(run, l->norm1, C);
	init_ones(run, l->norm2, C);
	init_ones(run, l->norm3, C);
	init_normal(run, l->qkv, in * C, C * s->D, seed);
	init_normal(run, l->qkv + in * C, 2 * in * C, C, seed);
	init_normal(run, l->out, C * in, in, seed);
	init_normal(run, l->up, w->up_rows * C, C, seed);
	init_normal(run, l->down, C * s->F, s->F, seed);
	if (l->xq == NO_WEIGHT)
		return;
	init_normal(run, l->xq, in * C, C * s->D, seed);
	init_normal(run, l->xkv, 2 * in * C, C, seed);
	init_normal(run, l->xout, C * in, in, seed);
}

void
t5_init(const struct weights *w, uint64_t seed, real *run)
{
	const struct shape *s = &w->shape;

	memset(run, 0, w->all * sizeof(*run));
	init_normal(run, w->token, s->V * s->C, 1, seed);
	init_ones(run, w->coded, s->C);
	init_ones(run, w->norm, s->C);
	for (size_t i = 0; i < 2; i++)
		init_normal(run, w->near[i], s->buckets * s->H, s->C, seed);
	for (size_t i = 0; i < s->L; i++)
		init_layer(w, &w->layer[i], seed, run);
	if (!s->tied)
		init_normal(run, w->head, s->V * s->C, 1, seed);
}
