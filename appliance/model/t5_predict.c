/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/predict_weights.h"
#include "appliance/model/t5.h"
#include "appliance/model/t5_predict.h"

/* predict_want - what is not weights */
static int
predict_want(struct t5_predict *x, struct err *e)
{
	struct predict *p = &x->p;
	const struct shape *m = &p->w->shape;
	size_t in = m->H * m->D, n = p->rows, T = p->places;

	for (size_t i = 0; i < m->L - m->LE; i++) {
		slab_reals(&p->slab, "cache", p->slots * T * 2 * in,
		    &x->own[i]);
		slab_reals(&p->slab, "cache", p->slots * T * 2 * in,
		    &x->across[i]);
	}
	slab_reals(&p->slab, "rows", n * m->C, &p->x);
	slab_reals(&p->slab, "rows", n * m->C, &p->n);
	slab_reals(&p->slab, "rows", n * p->w->qkv_rows, &p->qkv);
	slab_reals(&p->slab, "rows", n * in, &p->att);
	slab_reals(&p->slab, "rows", n * p->w->up_rows, &p->up);
	slab_reals(&p->slab, "rows", n * m->F, &p->act);
	slab_reals(&p->slab, "rows", n, &p->spare);
	slab_reals(&p->slab, "rows", m->H * T * T, &x->score);
	slab_reals(&p->slab, "logits", p->slots * m->V, &p->logits);
	slab_ints(&p->slab, "rows", n, &p->id);
	slab_ints(&p->slab, "rows", T + 1, &x->place);
	slab_ints(&p->slab, "rows", T, &x->none);
	slab_ints(&p->slab, "rows", T, &x->all);
	for (size_t i = 0; i < 2; i++)
		slab_ints(&p->slab, "rows", 2 * T, &x->bucket[i]);
	return slab_take(&p->slab, e);
}

/* tables_put - places, and the buckets of all distances */
static void
tables_put(struct t5_predict *x)
{
	struct predict *p = &x->p;
	const struct shape *m = &p->w->shape;
	const struct kernels *k = p->device->k;
	size_t T = p->places;
	int32_t *v = mem_alloc((2 * T + 1) * sizeof(*v));

	for (size_t i = 0; i <= T; i++)
		v[i] = (int32_t)i;
	k->put(p->device->dev, x->place, v, (T + 1) * sizeof(*v));
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i + 1 < 2 * T; i++)
			v[i] = t5_bucket((int64_t)i - (int64_t)T + 1, s == 0,
			    m->buckets, m->far);
		k->put(p->device->dev, x->bucket[s], v, (2 * T - 1) *
		    sizeof(*v));
	}
	memset(v, 0, T * sizeof(*v));
	k->put(p->device->dev, x->none, v, T * sizeof(*v));
	mem_free(v);
}

struct t5_predict *
t5_predict_open(struct arena *a, struct device *d,
    const struct predict_how *how, struct err *e)
{
	struct t5_predict *x = arena_alloc(a, sizeof(*x));
	const struct shape *m = &how->w->shape;
	struct predict *p = &x->p;

	if (packed_check(d, how->form, e) == -1)
		return NULL;
	*p = (struct predict){ .device = d, .w = how->w, .form = how->form,
	    .words = how->form == PACKED_F32 ? PACKED_F32 : PACKED_Q8,
	    .slots = how->slots, .places = how->places, .rows = how->places >
	    how->slots ? how->places : how->slots, .wanted = how->slots };
	p->layer = arena_array(a, m->L, sizeof(*p->layer));
	x->own = arena_array(a, m->L - m->LE, sizeof(*x->own));
	x->across = arena_array(a, m->L - m->LE, sizeof(*x->across));
	x->read = arena_array(a, p->slots, sizeof(*x->read));
	slab_init(&p->weights, a, d);
	slab_init(&p->slab, a, d);
	predict_weights_want(p);
	if (predict_want(x, e) == -1 ||
	    predict_weights_open(p, a, how, e) == -1)
		return NULL;
	tables_put(x);
	return x;
}

/* shorthand for what every function below needs */
#define OPS(x)								\
	struct predict *p = &(x)->p;					\
	const struct kernels *k = p->device->k;				\
	void *dev = p->device->dev;					\
	const struct shape *m = &p->w->shape;				\
	const size_t C = m->C, in = m->H * m->D

/* look - y[T,in]: queries of one sequence over K keys of it, with their values
 * behind them; s says the rest */
static void
look(struct t5_predict *x, real *y, const real *q, size_t qs, const real *kv,
    size_t kvs, const struct kernel_relative *s)
{
	size_t T = s->T, K = s->K;

	OPS(x);
	(void)C;
	for (size_t h = 0; h < m->H; h++)
		k->gemm_part(dev, 0, 1, T, K, m->D, 1, q + h * m->D, qs, kv +
		    h * m->D, kvs, 0, x->score + h * T * K, K);
	k->softmax(dev, x->score, s);
	for (size_t h = 0; h < m->H; h++)
		k->gemm_part(dev, 0, 0, T, m->D, K, 1, x->score + h * T * K,
		    K, kv + in + h * m->D, kvs, 0, y + h * m->D, in);
}

/* one_of - a query at place pos of what stack s has a bias for, over n keys;
 * stack 2: none, over an input */
static struct kernel_relative
one_of(const struct t5_predict *x, size_t s, size_t pos, size_t n)
{
	const struct predict *p = &x->p;

	return (struct kernel_relative){ .H = p->w->shape.H, .T = 1, .K = n,
	    .N = p->w->shape.buckets, .from = x->place, .to = x->place + n,
	    .bucket = s == 2 ? NULL : x->bucket[s] + p->places - 1 - pos,
	    .bias = s == 2 ? NULL : p->near[s] };
}

/* branch - y[R,C] of what was looked up is added to x */
static void
branch(struct t5_predict *x, const void *w, size_t R)
{
	OPS(x);

	packed_product(p->device, p->form, p->n, p->att, w, R, C, in);
	k->add(dev, p->x, p->n, R * C);
}

static void
mlp(struct t5_predict *x, const struct predict_layer *l, size_t R)
{
	OPS(x);

	(void)in;
	k->rmsnorm(dev, p->n, p->spare, p->x, l->norm2, R, C, m->eps);
	packed_product(p->device, p->form, p->up, p->n, l->up, R,
	    p->w->up_rows, C);
	if (m->gated)
		k->glu(dev, p->act, p->up, R, m->F, m->act);
	else
		k->act(dev, p->act, p->up, R * m->F, m->act);
	packed_product(p->device, p->form, p->n, p->act, l->down, R, C, m->F);
	k->add(dev, p->x, p->n, R * C);
}

/* embed - tokens into x */
static void
embed(struct t5_predict *x, const int32_t *id, size_t n)
{
	OPS(x);

	(void)in;
	k->put(dev, p->id, id, n * sizeof(*id));
	if (p->words == PACKED_F32)
		k->embed(dev, p->x, p->token, NULL, p->id, NULL, n, C);
	else
		packed_rows(p->device, p->words, p->x, p->token, p->id, n,
		    m->V, C);
}

void
t5_predict_read(struct t5_predict *x, size_t slot, const int32_t *id,
    size_t n)
{
	struct kernel_relative s;
	int32_t *all;

	OPS(x);
	x->read[slot] = n;
	embed(x, id, n);
	all = mem_alloc(n * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = (int32_t)n;
	k->put(dev, x->all, all, n * sizeof(*all));
	mem_free(all);
	for (size_t i = 0; i < m->LE; i++) {
		const struct predict_layer *l = &p->layer[i];

		k->rmsnorm(dev, p->n, p->spare, p->x, l->norm1, n, C, m->eps);
		packed_product(p->device, p->form, p->qkv, p->n, l->qkv, n,
		    3 * in, C);
		s = (struct kernel_relative){ m->H, n, n, m->buckets,
		    x->none, x->all, x->bucket[0] + p->places - n,
		    p->near[0] };
		look(x, p->att, p->qkv, 3 * in, p->qkv + in, 3 * in, &s);
		branch(x, l->out, n);
		mlp(x, l, n);
	}
	k->rmsnorm(dev, p->n, p->spare, p->x, p->coded, n, C, m->eps);
	for (size_t i = m->LE; i < m->L; i++)
		packed_product(p->device, p->form, x->across[i - m->LE] +
		    slot * p->places * 2 * in, p->n, p->layer[i].xkv, n,
		    2 * in, C);
}

/* own - a layer's attention to what has been said, of n rows */
static void
own(struct t5_predict *x, size_t i, const int32_t *slot, const int32_t *pos,
    size_t n)
{
	const struct predict_layer *l = &x->p.layer[i];
	struct kernel_relative s;
	real *past, *row;

	OPS(x);
	k->rmsnorm(dev, p->n, p->spare, p->x, l->norm1, n, C, m->eps);
	packed_product(p->device, p->form, p->qkv, p->n, l->qkv, n, 3 * in,
	    C);
	for (size_t r = 0; r < n; r++) {
		past = x->own[i - m->LE] + (size_t)slot[r] * p->places * 2 *
		    in;
		row = p->qkv + r * 3 * in;
		k->mix(dev, past + (size_t)pos[r] * 2 * in, 0, row + in, 1,
		    2 * in);
		s = one_of(x, 1, (size_t)pos[r], (size_t)pos[r] + 1);
		look(x, p->att + r * in, row, 3 * in, past, 2 * in, &s);
	}
	branch(x, l->out, n);
}

/* across - and to the input */
static void
across(struct t5_predict *x, size_t i, const int32_t *slot, size_t n)
{
	const struct predict_layer *l = &x->p.layer[i];
	struct kernel_relative s;

	OPS(x);
	k->rmsnorm(dev, p->n, p->spare, p->x, l->norm3, n, C, m->eps);
	packed_product(p->device, p->form, p->qkv, p->n, l->xq, n, in, C);
	for (size_t r = 0; r < n; r++) {
		s = one_of(x, 2, 0, x->read[slot[r]]);
		look(x, p->att + r * in, p->qkv + r * in, in, x->across[i -
		    m->LE] + (size_t)slot[r] * p->places * 2 * in, 2 * in,
		    &s);
	}
	branch(x, l->xout, n);
}

void
t5_predict_next(struct t5_predict *x, const int32_t *id, const int32_t *slot,
    const int32_t *pos, size_t n, real *logits)
{
	OPS(x);

	(void)in;
	embed(x, id, n);
	for (size_t i = m->LE; i < m->L; i++) {
		own(x, i, slot, pos, n);
		across(x, i, slot, n);
		mlp(x, &p->layer[i], n);
	}
	k->rmsnorm(dev, p->n, p->spare, p->x, p->norm, n, C, m->eps);
	if (m->head_scale != 0)
		k->mix(dev, p->n, m->head_scale, p->n, 0, n * C);
	packed_product(p->device, p->words, p->logits, p->n, p->head, n, m->V,
	    C);
	k->get(dev, logits, p->logits, n * m->V * sizeof(*logits));
}
