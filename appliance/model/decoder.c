/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/decoder.h"

#include <math.h>

#define CHUNK	((size_t)512)		/* rows whose logits exist at once */

/* layer_want - what one layer keeps for the backward pass */
static void
layer_want(const struct decoder *d, struct slab *s, struct decoder_layer *l)
{
	const struct shape *m = &d->w->shape;
	const char *what = "activations";
	size_t R = d->R, C = m->C;

	slab_reals(s, what, R * C, &l->in);
	slab_reals(s, what, R * C, &l->norm1);
	slab_reals(s, what, R, &l->mean1);
	slab_reals(s, what, R, &l->keep1);
	slab_reals(s, what, R * d->w->qkv_rows, &l->qkv);
	slab_reals(s, what, R * m->H * m->D, &l->att);
	slab_reals(s, what, R * m->H, &l->lse);
	slab_reals(s, what, R * C, &l->mid);
	slab_reals(s, what, R * C, &l->norm2);
	slab_reals(s, what, R, &l->mean2);
	slab_reals(s, what, R, &l->keep2);
	slab_reals(s, what, R * d->w->up_rows, &l->up);
	slab_reals(s, what, R * m->F, &l->act);
}

void
decoder_want(struct decoder *d, struct arena *a, const struct weights *w,
    struct slab *s, size_t B, size_t T)
{
	const struct shape *m = &w->shape;
	size_t R = B * T, C = m->C;

	*d = (struct decoder){ .arena = a, .device = s->device, .w = w,
	    .B = B, .T = T, .R = R };
	d->chunk = R < CHUNK ? R : CHUNK;
	slab_reals(s, "weights", w->all, &d->run);
	slab_reals(s, "gradients", w->all, &d->grad);
	d->layer = arena_array(a, m->L, sizeof(*d->layer));
	for (size_t i = 0; i < m->L; i++)
		layer_want(d, s, &d->layer[i]);
	slab_reals(s, "activations", R * C, &d->last);
	slab_reals(s, "activations", R * C, &d->norm);
	slab_reals(s, "activations", R, &d->mean);
	slab_reals(s, "activations", R, &d->keep);
	slab_reals(s, "logits", d->chunk * m->V, &d->logits);
	slab_reals(s, "logits", R, &d->loss);
	slab_reals(s, "positions", T * m->D, &d->rope);
	slab_ints(s, "positions", R, &d->id);
	slab_ints(s, "positions", R, &d->pos);
	slab_ints(s, "positions", R, &d->target);
	slab_reals(s, "activations' gradients", R * C, &d->dx);
	slab_reals(s, "activations' gradients", R * C, &d->dn);
	slab_reals(s, "activations' gradients", R * w->qkv_rows, &d->dqkv);
	slab_reals(s, "activations' gradients", R * m->H * m->D, &d->datt);
	slab_reals(s, "activations' gradients", R * w->up_rows, &d->dup);
	slab_reals(s, "activations' gradients", R * m->F, &d->dact);
}

void
rope_table(const struct shape *s, size_t n, real *out)
{
	for (size_t t = 0; t < n; t++)
		for (size_t i = 0; i < s->D / 2; i++) {
			double angle = (double)t * pow(s->theta, -2 *
			    (double)i / (double)s->D);

			out[t * s->D + i] = (real)cos(angle);
			out[t * s->D + s->D / 2 + i] = (real)sin(angle);
		}
}

/* linear_of - a matrix of the run and its bias, if there is one */
static struct linear
linear_of(const struct decoder *d, size_t w, size_t b, size_t N, size_t K)
{
	bool bias = b != NO_WEIGHT;

	return (struct linear){ N, K, d->run + w, bias ? d->run + b : NULL,
	    d->grad + w, bias ? d->grad + b : NULL };
}

/* linears_ready - where each layer's matrices lie is known now */
static void
linears_ready(struct decoder *d)
{
	const struct weights *all = d->w;
	const struct shape *m = &all->shape;

	for (size_t i = 0; i < m->L; i++) {
		const struct layer *w = &all->layer[i];
		struct decoder_layer *l = &d->layer[i];

		l->to_qkv = linear_of(d, w->qkv, w->qkv_b, all->qkv_rows,
		    m->C);
		l->to_out = linear_of(d, w->out, w->out_b, m->C, m->H * m->D);
		l->to_up = linear_of(d, w->up, w->up_b, all->up_rows, m->C);
		l->to_down = linear_of(d, w->down, w->down_b, m->C, m->F);
	}
}

void
decoder_ready(struct decoder *d)
{
	const struct shape *m = &d->w->shape;
	int32_t *pos = arena_array(d->arena, d->R, sizeof(*pos));
	real *table;

	for (size_t i = 0; i < d->R; i++)
		pos[i] = (int32_t)(i % d->T);
	linears_ready(d);
	d->device->k->put(d->device->dev, d->pos, pos, d->R * sizeof(*pos));
	if (m->family == FAMILY_GPT2)
		return;
	table = arena_array(d->arena, d->T * m->D, sizeof(*table));
	rope_table(m, d->T, table);
	d->device->k->put(d->device->dev, d->rope, table,
	    d->T * m->D * sizeof(*table));
}

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	const size_t R = (d)->R, C = m->C

static void
norm(const struct decoder *d, real *y, real *mean, real *keep, const real *x,
    size_t w, size_t b)
{
	OPS(d);

	if (m->family == FAMILY_GPT2)
		k->layernorm(dev, y, mean, keep, x, d->run + w, d->run + b, R,
		    C, m->eps);
	else
		k->rmsnorm(dev, y, keep, x, d->run + w, R, C, m->eps);
}

/* norm_grad - added to dx */
static void
norm_grad(const struct decoder *d, real *dx, const real *dy, const real *x,
    const real *mean, const real *keep, size_t w, size_t b)
{
	OPS(d);

	if (m->family == FAMILY_GPT2)
		k->layernorm_grad(dev, dx, d->grad + w, d->grad + b, dy, x,
		    d->run + w, mean, keep, R, C);
	else
		k->rmsnorm_grad(dev, dx, d->grad + w, dy, x, d->run + w, keep,
		    R, C);
}

/* heads_of - where query, key and value lie in qkv */
static struct kernel_heads
heads_of(const struct decoder *d)
{
	const struct shape *m = &d->w->shape;
	size_t n = d->w->qkv_rows;

	return (struct kernel_heads){ d->B, d->T, m->H, m->G, m->D, n, n, n };
}

/* rope - turn queries and keys, or their gradients back */
static void
rope(const struct decoder *d, real *qkv, int back)
{
	OPS(d);

	(void)C;
	if (m->family == FAMILY_LLAMA)
		k->rope(dev, qkv, d->rope, d->pos, R, d->w->qkv_rows,
		    m->H + m->G, m->D, back);
}

static void
layer_forward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	struct kernel_heads heads = heads_of(d);
	real *next = i + 1 < d->w->shape.L ? d->layer[i + 1].in : d->last;
	size_t q, kv;

	OPS(d);
	q = m->H * m->D;
	kv = m->G * m->D;
	norm(d, l->norm1, l->mean1, l->keep1, l->in, w->norm1, w->norm1_b);
	linear_forward(d->device, &l->to_qkv, l->qkv, l->norm1, R);
	rope(d, l->qkv, 0);
	k->attend(dev, l->att, l->lse, l->qkv, l->qkv + q, l->qkv + q + kv,
	    &heads);
	linear_forward(d->device, &l->to_out, l->mid, l->att, R);
	k->add(dev, l->mid, l->in, R * C);
	norm(d, l->norm2, l->mean2, l->keep2, l->mid, w->norm2, w->norm2_b);
	linear_forward(d->device, &l->to_up, l->up, l->norm2, R);
	if (m->family == FAMILY_GPT2)
		k->gelu(dev, l->act, l->up, R * m->F);
	else
		k->swiglu(dev, l->act, l->up, R, m->F);
	linear_forward(d->device, &l->to_down, next, l->act, R);
	k->add(dev, next, l->mid, R * C);
}

/* layer_backward - dx is the gradient after the layer, then before it */
static void
layer_backward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	struct kernel_heads heads = heads_of(d);
	size_t q, kv;

	OPS(d);
	(void)C;
	q = m->H * m->D;
	kv = m->G * m->D;
	linear_backward(d->device, &l->to_down, d->dact, d->dx, l->act, R);
	if (m->family == FAMILY_GPT2)
		k->gelu_grad(dev, d->dup, d->dact, l->up, R * m->F);
	else
		k->swiglu_grad(dev, d->dup, d->dact, l->up, R, m->F);
	linear_backward(d->device, &l->to_up, d->dn, d->dup, l->norm2, R);
	norm_grad(d, d->dx, d->dn, l->mid, l->mean2, l->keep2, w->norm2,
	    w->norm2_b);
	linear_backward(d->device, &l->to_out, d->datt, d->dx, l->att, R);
	k->attend_grad(dev, d->dqkv, d->dqkv + q, d->dqkv + q + kv, d->datt,
	    l->att, l->lse, l->qkv, l->qkv + q, l->qkv + q + kv, &heads);
	rope(d, d->dqkv, 1);
	linear_backward(d->device, &l->to_qkv, d->dn, d->dqkv, l->norm1, R);
	norm_grad(d, d->dx, d->dn, l->in, l->mean1, l->keep1, w->norm1,
	    w->norm1_b);
}

/*
 * head - logits, loss and, with a scale, the gradient of the last norm's result
 * in dn, some rows at a time: all logits at once would be the largest part of
 * the memory
 */
static void
head(const struct decoder *d, double scale)
{
	size_t n;

	OPS(d);
	for (size_t r = 0; r < R; r += d->chunk) {
		n = R - r < d->chunk ? R - r : d->chunk;
		k->gemm(dev, 0, 1, n, m->V, C, 1, d->norm + r * C,
		    d->run + d->w->head, 0, d->logits);
		k->classify(dev, d->loss + r, d->logits, d->target + r, n,
		    m->V, scale);
		if (scale == 0)
			continue;
		k->gemm(dev, 0, 0, n, C, m->V, 1, d->logits,
		    d->run + d->w->head, 0, d->dn + r * C);
		k->gemm(dev, 1, 0, m->V, C, n, 1, d->logits,
		    d->norm + r * C, 1, d->grad + d->w->head);
	}
}

double
decoder_run(struct decoder *d, const int32_t *id, const int32_t *target,
    double scale)
{
	const real *place = d->w->place == NO_WEIGHT ? NULL :
	    d->run + d->w->place;
	real *dplace = d->w->place == NO_WEIGHT ? NULL :
	    d->grad + d->w->place;
	double sum = 0;
	real *loss;

	OPS(d);
	k->put(dev, d->id, id, R * sizeof(*id));
	k->put(dev, d->target, target, R * sizeof(*target));
	k->embed(dev, d->layer[0].in, d->run + d->w->token, place, d->id,
	    d->pos, R, C);
	for (size_t i = 0; i < m->L; i++)
		layer_forward(d, i);
	norm(d, d->norm, d->mean, d->keep, d->last, d->w->norm, d->w->norm_b);
	head(d, scale);
	loss = mem_alloc(R * sizeof(*loss));
	k->get(dev, loss, d->loss, R * sizeof(*loss));
	for (size_t i = 0; i < R; i++)
		sum += (double)loss[i];
	mem_free(loss);
	if (scale == 0)
		return sum;
	k->fill(dev, d->dx, R * C, 0);
	norm_grad(d, d->dx, d->dn, d->last, d->mean, d->keep, d->w->norm,
	    d->w->norm_b);
	for (size_t i = m->L; i-- > 0; )
		layer_backward(d, i);
	k->embed_grad(dev, d->grad + d->w->token, dplace, d->dx, d->id,
	    d->pos, R, C);
	return sum;
}
