/* SPDX-License-Identifier: Apache-2.0 */
/* What transformers calls the tensors of encoders and of their heads */
#include "appliance/base/base.h"
#include "appliance/model/pieces.h"

/* a layer's linear layers and norms, behind "FRONT.N." */
static const struct layer_names {
	const char *q, *k, *v, *out, *norm1, *up, *down, *norm2;
} bert_layer = {
	"attention.self.query", "attention.self.key", "attention.self.value",
	"attention.output.dense", "attention.output.LayerNorm",
	"intermediate.dense", "output.dense", "output.LayerNorm"
}, distil_layer = {
	"attention.q_lin", "attention.k_lin", "attention.v_lin",
	"attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2",
	"output_layer_norm"
}, mpnet_layer = {
	"attention.attn.q", "attention.attn.k", "attention.attn.v",
	"attention.attn.o", "attention.LayerNorm", "intermediate.dense",
	"output.dense", "output.LayerNorm"
};

/* a family's heads: what comes before the matrix, its norm, the matrix (of
 * words: the token table) with its bias */
static const struct head_names {
	const char *dense, *norm, *out, *bias;
} masked[] = {
	{ "cls.predictions.transform.dense",
	    "cls.predictions.transform.LayerNorm",
	    NULL, "cls.predictions.bias" },
	{ "lm_head.dense", "lm_head.layer_norm", NULL, "lm_head.bias" },
	{ "vocab_transform", "vocab_layer_norm", NULL,
	    "vocab_projector.bias" },
}, classes[] = {
	{ "pooler.dense", NULL, "classifier.weight", "classifier.bias" },
	{ "classifier.dense", NULL, "classifier.out_proj.weight",
	    "classifier.out_proj.bias" },
	{ "pre_classifier", NULL, "classifier.weight", "classifier.bias" },
};

/* kind_of - of heads: MPNet's are RoBERTa's */
static size_t
kind_of(const struct shape *s)
{
	return s->family == FAMILY_BERT ? 0 :
	    s->family == FAMILY_DISTILBERT ? 2 : 1;
}

static void
layer_pieces(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;
	const struct layer_names *n = s->family == FAMILY_DISTILBERT ?
	    &distil_layer : s->family == FAMILY_MPNET ? &mpnet_layer :
	    &bert_layer;
	size_t C = s->C;

	pieces_linear(p, n->q, l->qkv, l->qkv_b, 0, C, C);
	pieces_linear(p, n->k, l->qkv, l->qkv_b, C, C, C);
	pieces_linear(p, n->v, l->qkv, l->qkv_b, 2 * C, C, C);
	pieces_linear(p, n->out, l->out, l->out_b, 0, C, C);
	pieces_norm(p, s, n->norm1, l->norm1, l->norm1_b, C);
	pieces_linear(p, n->up, l->up, l->up_b, 0, s->F, C);
	pieces_linear(p, n->down, l->down, l->down_b, 0, C, s->F);
	pieces_norm(p, s, n->norm2, l->norm2, l->norm2_b, C);
}

/* head_pieces - BERT's pooler is within its front, all other heads are not */
static void
head_pieces(struct pieces *p, const struct weights *w, const char *front)
{
	const struct shape *s = &w->shape;
	const struct head_names *n = s->head.kind == HEAD_MASKED ?
	    &masked[kind_of(s)] : &classes[kind_of(s)];
	bool pooler = s->head.kind == HEAD_CLASSES && kind_of(s) == 0;
	bool tags = s->head.kind == HEAD_TAGS;
	size_t from = p->n;

	if (s->head.kind == HEAD_EMBED)
		return;
	p->front = pooler ? front : "";
	if (w->dense != NO_WEIGHT)
		pieces_linear(p, n->dense, w->dense, w->dense_b, 0, s->C,
		    s->C);
	p->front = "";
	if (w->dense_norm != NO_WEIGHT)
		pieces_norm(p, s, n->norm, w->dense_norm, w->dense_norm_b,
		    s->C);
	if (w->head != w->token)
		pieces_add(p, tags ? "classifier.weight" : n->out, w->head,
		    weights_head_rows(w), s->C);
	pieces_add(p, tags ? "classifier.bias" : n->bias, w->head_b, 0,
	    weights_head_rows(w));
	while (from < p->n)
		p->v[from++].fresh = w->new_head;
}

void
encoder_pieces(struct pieces *p, const struct weights *w, const char *front)
{
	const struct shape *s = &w->shape;
	const char *layers = s->family == FAMILY_DISTILBERT ?
	    "transformer.layer" : "encoder.layer";

	p->front = front;
	pieces_add(p, "embeddings.word_embeddings.weight", w->token, s->V,
	    s->C);
	pieces_add(p, "embeddings.position_embeddings.weight", w->place,
	    s->place_skip + s->T, s->C);
	pieces_add(p, "embeddings.token_type_embeddings.weight", w->type,
	    s->types, s->C);
	pieces_norm(p, s, "embeddings.LayerNorm", w->norm, w->norm_b, s->C);
	if (w->near[0] != NO_WEIGHT)
		pieces_add(p, "encoder.relative_attention_bias.weight",
		    w->near[0], s->buckets, s->H);
	for (size_t i = 0; i < s->L; i++) {
		p->front = arena_printf(p->arena, "%s%s.%zu.", front, layers,
		    i);
		layer_pieces(p, w, &w->layer[i]);
	}
	head_pieces(p, w, front);
}

bool
encoder_spare(const struct weights *w, const char *name)
{
	static const char *const begins[] = { "cls.", "lm_head.", "vocab_",
	    "classifier.", "pre_classifier.", "pooler.",
	    "embeddings.position_ids" };
	static const char *const fronts[] = { "bert.", "roberta.",
	    "distilbert." };
	const char *front = w->shape.family == FAMILY_MPNET ? "mpnet." :
	    fronts[kind_of(&w->shape)];

	if (strncmp(name, front, strlen(front)) == 0)
		name += strlen(front);
	for (size_t i = 0; i < BASE_COUNT(begins); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

const struct tensor *
encoder_tensor(struct arena *a, const struct tensors *t, const char *name)
{
	const struct tensor *one = tensors_find(t, name);
	const char *end = strstr(name, "LayerNorm.");

	if (one != NULL || end == NULL)
		return one;
	return tensors_find(t, arena_printf(a, "%.*s%s", (int)(end + 10 -
	    name), name, strcmp(end + 10, "weight") == 0 ? "gamma" : "beta"));
}
