/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/dropout.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/encoder.h"
#include "appliance/model/half.h"

#define TEXTS	((size_t)64)		/* pooled at once */

void
encoder_layer_want(const struct decoder *d, struct slab *s, size_t i)
{
	const struct shape *m = &d->w->shape;
	struct decoder_layer *l = &d->layer[i];
	const char *what = "activations";
	size_t R = d->R, C = m->C;

	slab_reals(s, what, R * C, &l->in);
	if (d->recompute && i > 0)
		return;			/* the rest is the first layer's */
	slab_reals(s, what, R * m->H, &l->lse);
	slab_reals(s, what, R * C, &l->post1);
	slab_reals(s, what, R, &l->mean1);
	slab_reals(s, what, R, &l->keep1);
	slab_reals(s, what, R * C, &l->mid);
	slab_reals(s, what, R * C, &l->post2);
	slab_reals(s, what, R, &l->mean2);
	slab_reals(s, what, R, &l->keep2);
	half_want(d, s, i);
}

void
encoder_want(struct decoder *d, struct slab *s)
{
	struct encoder *x = d->encoder;
	size_t R = d->R, C = d->w->shape.C, n = d->chunk;

	x->texts = R < TEXTS ? R : TEXTS;
	slab_ints(s, "positions", R, &x->to);
	slab_ints(s, "positions", R, &x->type);
	slab_ints(s, "positions", n, &x->row);
	slab_reals(s, "activations", n * C, &x->picked);
	if (d->w->shape.head.kind == HEAD_EMBED)
		slab_reals(s, "activations", x->texts * R, &x->share);
	if (d->w->dense != NO_WEIGHT) {
		slab_reals(s, "activations", n * C, &x->dense);
		slab_reals(s, "activations", n * C, &x->act);
	}
	if (d->w->dense_norm != NO_WEIGHT) {
		slab_reals(s, "activations", n * C, &x->normed);
		slab_reals(s, "activations", n, &x->mean);
		slab_reals(s, "activations", n, &x->keep);
	}
	if (d->w->near[0] != NO_WEIGHT)
		near_want(d, s);
	slab_reals(s, "activations' gradients", n * C, &x->dpicked);
	slab_reals(s, "activations' gradients", n * C, &x->dnormed);
}

void
encoder_ready(struct decoder *d)
{
	if (d->w->near[0] != NO_WEIGHT)
		near_ready(d);
	encoder_texts(d, NULL, NULL, NULL);
}

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	const size_t R = (d)->R, C = m->C

void
encoder_texts(struct decoder *d, const int32_t *from, const int32_t *to,
    const int32_t *type)
{
	int32_t *ends = mem_alloc(d->R * sizeof(*ends));
	struct encoder *x = d->encoder;

	OPS(d);
	(void)C;
	(void)m;
	for (size_t i = 0; i < R; i++)
		ends[i] = to == NULL ? (int32_t)d->T : to[i];
	if (d->w->near[0] != NO_WEIGHT)
		near_texts(d, from, ends);
	k->put(dev, x->to, ends, R * sizeof(*ends));
	for (size_t i = 0; i < R; i++)
		ends[i] = type == NULL ? 0 : type[i];
	k->put(dev, x->type, ends, R * sizeof(*ends));
	mem_free(ends);
	decoder_texts(d, from);
}

/* heads_of - query, key and value lie beside one another in a row; without a
 * bias */
static struct kernel_heads
heads_of(const struct decoder *d, size_t i)
{
	const struct shape *m = &d->w->shape;
	struct kernel_heads h = { .B = d->B, .T = d->T, .H = m->H,
	    .G = m->H, .D = m->D, .q = 3 * m->C, .k = 3 * m->C, .v = 3 * m->C,
	    .from = d->texts ? d->from : NULL, .to = d->encoder->to };

	dropout_heads(d, i, &h);
	return h;
}

static void
attention_forward(const struct decoder *d, size_t i)
{
	const struct decoder_layer *l = &d->layer[i];
	struct kernel_heads h = heads_of(d, i);

	OPS(d);
	(void)m;
	if (d->w->near[0] != NO_WEIGHT)
		near_attend(d, i);
	else
		k->attend(dev, l->att, l->lse, l->qkv, l->qkv + C, l->qkv +
		    2 * C, &h);
	half_round(d, l->att, R * C);
}

static void
attention_backward(const struct decoder *d, size_t i)
{
	const struct decoder_layer *l = &d->layer[i];
	struct kernel_heads h = heads_of(d, i);

	OPS(d);
	(void)m;
	if (d->w->near[0] != NO_WEIGHT)
		near_attend_grad(d, i);
	else
		k->attend_grad(dev, d->dqkv, d->dqkv + C, d->dqkv + 2 * C,
		    d->datt, l->att, l->lse, l->qkv, l->qkv + C, l->qkv +
		    2 * C, &h);
	half_round(d, d->dqkv, R * 3 * C);
}

static void
layer_forward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	real *next = i + 1 < d->w->shape.L ? d->layer[i + 1].in : d->last;

	OPS(d);
	linear_forward(d->device, &l->to_qkv, &d->work, l->qkv, half_copy(d,
	    l->in, R), R);
	half_round(d, l->qkv, R * 3 * C);
	attention_forward(d, i);
	linear_forward(d->device, &l->to_out, &d->work, l->post1, l->att, R);
	dropout_rows(d, DROPOUT_OUT, i, l->post1);
	k->add(dev, l->post1, l->in, R * C);
	k->layernorm(dev, l->mid, l->mean1, l->keep1, l->post1,
	    decoder_param(d, w->norm1), decoder_param(d, w->norm1_b), R, C,
	    m->eps);
	linear_forward(d->device, &l->to_up, &d->work, l->up, half_copy(d,
	    l->mid, R), R);
	half_round(d, l->up, R * m->F);
	k->act(dev, l->act, l->up, R * m->F, m->act);
	half_round(d, l->act, R * m->F);
	linear_forward(d->device, &l->to_down, &d->work, l->post2, l->act, R);
	dropout_rows(d, DROPOUT_DOWN, i, l->post2);
	k->add(dev, l->post2, l->mid, R * C);
	k->layernorm(dev, next, l->mean2, l->keep2, l->post2,
	    decoder_param(d, w->norm2), decoder_param(d, w->norm2_b), R, C,
	    m->eps);
}

/* norm_back - dn, the gradient before a norm, from dx behind it */
static void
norm_back(const struct decoder *d, const real *x, const real *mean,
    const real *keep, size_t w, size_t b)
{
	OPS(d);

	k->fill(dev, d->dn, R * C, 0);
	k->layernorm_grad(dev, d->dn, decoder_grad(d, w), decoder_grad(d, b),
	    d->dx, x, decoder_param(d, w), mean, keep, R, C);
	(void)m;
}

/* layer_backward - dx is the gradient behind the layer, then before it */
static void
layer_backward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];

	OPS(d);
	norm_back(d, l->post2, l->mean2, l->keep2, w->norm2, w->norm2_b);
	linear_backward(d->device, &l->to_down, &d->work, d->dact,
	    half_copy(d, dropout_back(d, DROPOUT_DOWN, i, d->dn), R), l->act,
	    R);
	k->act_grad(dev, d->dup, d->dact, l->up, R * m->F, m->act);
	half_round(d, d->dup, R * m->F);
	linear_backward(d->device, &l->to_up, &d->work, d->dx, d->dup,
	    half_copy(d, l->mid, R), R);
	k->add(dev, d->dx, d->dn, R * C);
	norm_back(d, l->post1, l->mean1, l->keep1, w->norm1, w->norm1_b);
	linear_backward(d->device, &l->to_out, &d->work, d->datt,
	    half_copy(d, dropout_back(d, DROPOUT_OUT, i, d->dn), R), l->att,
	    R);
	attention_backward(d, i);
	linear_backward(d->device, &l->to_qkv, &d->work, d->dx, d->dqkv,
	    half_copy(d, l->in, R), R);
	k->add(dev, d->dx, d->dn, R * C);
}

/* embed - words, places and segments in d->norm, normalised in the first
 * layer's `in` */
static void
embed(const struct decoder *d)
{
	OPS(d);

	decoder_embed(d, d->norm, m->place_skip * C);
	if (d->w->type != NO_WEIGHT) {
		k->embed(dev, d->dx, decoder_param(d, d->w->type), NULL,
		    d->encoder->type, NULL, R, C);
		k->add(dev, d->norm, d->dx, R * C);
	}
	k->layernorm(dev, d->layer[0].in, d->mean, d->keep, d->norm,
	    decoder_param(d, d->w->norm), decoder_param(d, d->w->norm_b), R,
	    C, m->eps);
	dropout_rows(d, DROPOUT_EMBED, 0, d->layer[0].in);
}

void
encoder_forward(struct decoder *d, const int32_t *id, bool learns)
{
	decoder_words(d, id, NULL);
	device_begin(d->device, learns ? GRAPH_LEARN : GRAPH_LOOK);
	half_begin(d);
	decoder_norms(d);
	embed(d);
	for (size_t i = 0; i < d->w->shape.L; i++) {
		layer_forward(d, i);
		half_keep(d, i);
	}
	half_end(d);
	device_end(d->device);
}

void
encoder_backward(struct decoder *d)
{
	const struct weights *w = d->w;
	real *place = decoder_grad(d, w->place), *type;

	OPS(d);
	device_begin(d->device, GRAPH_BACK);
	half_begin(d);
	for (size_t i = m->L; i-- > 0; ) {
		if (d->recompute && i + 1 < m->L)
			layer_forward(d, i);
		half_back(d, i);
		layer_backward(d, i);
	}
	half_end(d);
	dropout_rows(d, DROPOUT_EMBED, 0, d->dx);
	norm_back(d, d->norm, d->mean, d->keep, w->norm, w->norm_b);
	k->embed_grad(dev, decoder_grad(d, w->token), place == NULL ? NULL :
	    place + m->place_skip * C, d->dn, d->id, d->pos, R, C);
	type = decoder_grad(d, w->type);
	if (type != NULL)
		k->embed_grad(dev, type, NULL, d->dn, d->encoder->type, NULL,
		    R, C);
	device_end(d->device);
}
