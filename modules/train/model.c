/* SPDX-License-Identifier: Apache-2.0 */
/* Which model is trained: a base, or a new one of the options' shape */
#include "appliance/base/base.h"
#include "modules/train/encode.h"
#include "modules/train/seq2seq.h"
#include "modules/train/train.h"

#include <unistd.h>

/* open_tokenizer - the base's own, or the one that is named */
static int
open_tokenizer(struct train *t, struct err *e)
{
	struct model *m = &t->model;
	struct hash h;
	int images;

	if (stage_tokenizer(t->stage, t->conf->tokenizer, &m->tokenizer_file,
	    &h, e) == -1)
		return -1;
	images = stage_compiled(t->stage);
	m->tokenizer = tokenizer_open_kept(t->stage->arena, m->tokenizer_file,
	    &h, images, e);
	if (images != -1)
		close(images);
	if (m->tokenizer == NULL)
		return err_prefix(e, "'%s': ", t->conf->tokenizer);
	m->tokenizer_name = m->tokenizer->name;
	return 0;
}

/* shape_of - what the options describe */
static void
shape_of(const struct train *t, struct shape *s)
{
	const struct train_conf *c = t->conf;
	const struct tokenizer *tok = t->model.tokenizer;
	bool gpt2 = c->arch == ARCH_GPT2;

	*s = (struct shape){ .family = gpt2 ? FAMILY_GPT2 : FAMILY_LLAMA,
	    .V = tok->size, .T = (size_t)c->context, .C = (size_t)c->channels,
	    .L = (size_t)c->layers, .H = (size_t)c->heads,
	    .eps = 1e-5, .tied = c->tied, .bos = tok->bos };
	s->G = gpt2 || c->kv_heads == 0 ? s->H : (size_t)c->kv_heads;
	s->D = s->C / s->H;
	shape_family(s, s->family);
	/* 8/3 C in whole eights keeps as many weights as 4 C without a gate */
	s->F = c->hidden > 0 ? (size_t)c->hidden : gpt2 ? 4 * s->C :
	    (8 * s->C / 3 + 7) / 8 * 8;
	if (tok->end >= 0)
		s->stop[s->nstops++] = tok->end;
}

int
train_shape(struct train *t, struct err *e)
{
	struct shape_head head;
	struct shape shape;

	if (t->conf->base != NULL)
		return train_adapter(t, e);
	if (t->objective->seq2seq)
		seq2seq_shape(t, &shape);
	else if (t->objective->head == NULL)
		shape_of(t, &shape);
	else if (t->objective->head(t, &head, e) == -1)
		return -1;
	else
		encode_shape(t, &head, &shape);
	if (shape_check(&shape, e) == -1)
		return -1;
	weights_layout(t->stage->arena, &shape, &t->model.w);
	return 0;
}

int
train_model(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	bool encoder = t->objective->head != NULL;
	struct shape_head head;
	int dir, images, rc;

	if (encoder && t->objective->head(t, &head, e) == -1)
		return -1;
	if (t->conf->base != NULL) {
		dir = stage_files(t->stage, t->conf->base, KIND_MODEL, e);
		if (dir == -1)
			return -1;
		images = encoder ? -1 : stage_compiled(t->stage);
		rc = encoder ? model_look_encoder(a, dir, &head, &t->model,
		    e) : t->objective->seq2seq ? model_look_seq2seq(a, dir,
		    images, &t->model, e) : model_look_kept(a, dir, images,
		    &t->model, e);
		close(dir);
		if (images != -1)
			close(images);
		if (rc == -1)
			return err_prefix(e, "'%s': ", t->conf->base);
	} else if (open_tokenizer(t, e) == -1) {
		return -1;
	}
	return train_shape(t, e);
}
