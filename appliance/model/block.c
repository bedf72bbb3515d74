/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/dropout.h"
#include "appliance/model/experts.h"
#include "appliance/model/half.h"

void
block_want(const struct decoder *d, struct slab *s, size_t i)
{
	const struct shape *m = &d->w->shape;
	struct decoder_layer *l = &d->layer[i];
	const char *what = "activations";
	size_t R = d->R, C = m->C;

	slab_reals(s, what, R * C, &l->in);
	if (d->recompute && i > 0)
		return;			/* the rest is the first layer's */
	slab_reals(s, what, R, &l->mean1);
	slab_reals(s, what, R, &l->keep1);
	if (m->head_norms) {
		slab_reals(s, what, R * m->H, &l->keepq);
		slab_reals(s, what, R * m->G, &l->keepk);
	}
	slab_reals(s, what, R * m->H, &l->lse);
	slab_reals(s, what, R * C, &l->mid);
	slab_reals(s, what, R, &l->mean2);
	slab_reals(s, what, R, &l->keep2);
	if (m->sparse[i] || (m->E > 0 && d->recompute))
		experts_want(d, s, &l->experts);
	if (m->post_norms) {
		slab_reals(s, what, R, &l->keep3);
		slab_reals(s, what, R, &l->keep4);
	}
	half_want(d, s, i);
}

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	const size_t R = (d)->R, C = m->C

void
block_norm(const struct decoder *d, real *y, real *mean, real *keep,
    const real *x, size_t w, size_t b)
{
	OPS(d);

	if (m->layernorm)
		k->layernorm(dev, y, mean, keep, x, decoder_param(d, w),
		    decoder_param(d, b), R, C, m->eps);
	else
		k->rmsnorm(dev, y, keep, x, decoder_param(d, w), R, C, m->eps);
}

void
block_sum_norm(const struct decoder *d, real *y, real *mean, real *keep,
    real *x, const real *r, size_t w, size_t b)
{
	OPS(d);

	k->add_norm(dev, y, m->layernorm ? mean : NULL, keep, x, r,
	    decoder_param(d, w), m->layernorm ? decoder_param(d, b) : NULL, R,
	    C, m->eps);
}

void
block_norm_grad(const struct decoder *d, real *dx, const real *dy,
    const real *x, const real *mean, const real *keep, size_t w, size_t b)
{
	OPS(d);

	if (m->layernorm)
		k->layernorm_grad(dev, dx, decoder_grad(d, w),
		    decoder_grad(d, b), dy, x, decoder_param(d, w), mean,
		    keep, R, C);
	else
		k->rmsnorm_grad(dev, dx, decoder_grad(d, w), dy, x,
		    decoder_param(d, w), keep, R, C);
}

/* what attention reads: query, key and value rows, or their gradients */
struct parts {
	real *q, *k, *v;
	struct kernel_heads heads;
};

/* parts_of - all in qkv; or, with norms of heads, query and key in `normed` */
static struct parts
parts_of(const struct decoder *d, size_t i, real *qkv, real *normed)
{
	const struct shape *m = &d->w->shape;
	size_t q = m->H * m->D, kv = m->G * m->D, n = d->w->qkv_rows;
	real *qk = m->head_norms ? normed : qkv;
	size_t stride = m->head_norms ? q + kv : n;

	struct parts p = { qk, qk + q, qkv + q + kv, { .B = d->B, .T = d->T,
	    .H = m->H, .G = m->G, .D = m->D, .q = stride, .k = stride, .v = n,
	    .window = m->local[i] ? m->window : 0, .scale = shape_scale(m, i),
	    .cap = m->score_cap, .from = d->texts ? d->from : NULL } };

	dropout_heads(d, i, &p.heads);
	return p;
}

/* rope_of - the layer's table; NULL: nothing is turned */
static const real *
rope_of(const struct decoder *d, size_t i)
{
	const struct shape *m = &d->w->shape;

	if (m->turned == 0)
		return NULL;
	return m->two_ropes && m->local[i] ? d->local_rope : d->rope;
}

/* heads_forward - norms of queries and keys, each turned */
static void
heads_forward(const struct decoder *d, size_t i, const struct parts *p)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	const real *table = rope_of(d, i), *wq, *wk;

	OPS(d);
	(void)C;
	if (!m->head_norms) {
		if (table != NULL)
			k->rope(dev, p->q, table, d->pos, R, p->heads.q,
			    m->H + m->G, m->D, m->turned, 0);
		return;
	}
	half_round(d, l->qkv, R * d->w->qkv_rows);
	wq = decoder_param(d, w->q_norm);
	wk = decoder_param(d, w->k_norm);
	if (table == NULL) {
		k->headnorm(dev, p->q, p->heads.q, l->keepq, l->qkv,
		    p->heads.v, wq, R, m->H, m->D, m->eps);
		k->headnorm(dev, p->k, p->heads.k, l->keepk, l->qkv + m->H *
		    m->D, p->heads.v, wk, R, m->G, m->D, m->eps);
		return;
	}
	k->headnorm_rope(dev, p->q, p->heads.q, l->keepq, l->qkv, p->heads.v,
	    wq, table, d->pos, R, m->H, m->D, m->turned, m->eps);
	k->headnorm_rope(dev, p->k, p->heads.k, l->keepk, l->qkv + m->H *
	    m->D, p->heads.v, wk, table, d->pos, R, m->G, m->D, m->turned,
	    m->eps);
}

/* heads_backward - g: gradients of what attention has read; to dqkv */
static void
heads_backward(const struct decoder *d, size_t i, const struct parts *g)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	const real *table = rope_of(d, i), *xk = l->qkv, *wq, *wk;
	real *dk = d->dqkv, *dwq, *dwk;

	OPS(d);
	(void)C;
	if (!m->head_norms) {
		if (table != NULL)
			k->rope(dev, g->q, table, d->pos, R, g->heads.q,
			    m->H + m->G, m->D, m->turned, 1);
		return;
	}
	xk += m->H * m->D;
	dk += m->H * m->D;
	wq = decoder_param(d, w->q_norm);
	wk = decoder_param(d, w->k_norm);
	dwq = decoder_grad(d, w->q_norm);
	dwk = decoder_grad(d, w->k_norm);
	if (table == NULL) {
		k->headnorm_grad(dev, d->dqkv, dwq, g->q, g->heads.q, l->qkv,
		    g->heads.v, wq, l->keepq, R, m->H, m->D);
		k->headnorm_grad(dev, dk, dwk, g->k, g->heads.k, xk,
		    g->heads.v, wk, l->keepk, R, m->G, m->D);
		return;
	}
	k->headnorm_rope_grad(dev, d->dqkv, dwq, g->q, g->heads.q, l->qkv,
	    g->heads.v, wq, l->keepq, table, d->pos, R, m->H, m->D,
	    m->turned);
	k->headnorm_rope_grad(dev, dk, dwk, g->k, g->heads.k, xk, g->heads.v,
	    wk, l->keepk, table, d->pos, R, m->G, m->D, m->turned);
}

/* attention_forward - mid, before the layer's input is added to it; owed: what
 * is still to be added to that, or NULL */
static void
attention_forward(const struct decoder *d, size_t i, const real *owed)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	struct parts p = parts_of(d, i, l->qkv, l->normed);

	OPS(d);
	if (owed == NULL)
		block_norm(d, l->norm1, l->mean1, l->keep1, l->in, w->norm1,
		    w->norm1_b);
	else
		block_sum_norm(d, l->norm1, l->mean1, l->keep1, l->in, owed,
		    w->norm1, w->norm1_b);
	half_round(d, l->norm1, R * C);
	linear_forward(d->device, &l->to_qkv, &d->work, l->qkv, l->norm1, R);
	heads_forward(d, i, &p);
	half_round(d, p.q, R * p.heads.q);
	k->attend(dev, l->att, l->lse, p.q, p.k, p.v, &p.heads);
	half_round(d, l->att, R * m->H * m->D);
	linear_forward(d->device, &l->to_out, &d->work, m->post_norms ?
	    l->post1 : l->mid, l->att, R);
	if (m->post_norms) {
		half_round(d, l->post1, R * C);
		block_norm(d, l->mid, NULL, l->keep3, l->post1, w->post1,
		    NO_WEIGHT);
	}
	dropout_rows(d, DROPOUT_OUT, i, l->mid);
}

/* mlp_forward - y[R,C] from norm2 */
static void
mlp_forward(const struct decoder *d, struct decoder_layer *l, real *y)
{
	OPS(d);

	(void)C;
	if (l->to_experts != NULL) {
		experts_forward(d, l, y);
		return;
	}
	linear_forward(d->device, &l->to_up, &d->work, l->up, l->norm2, R);
	half_round(d, l->up, R * d->w->up_rows);
	if (m->gated)
		k->glu(dev, l->act, l->up, R, m->F, m->act);
	else
		k->act(dev, l->act, l->up, R * m->F, m->act);
	half_round(d, l->act, R * m->F);
	linear_forward(d->device, &l->to_down, &d->work, y, l->act, R);
}

/* mlp_backward - dn, norm2's gradient, from dy, which may be dn but for
 * experts */
static void
mlp_backward(const struct decoder *d, const struct decoder_layer *l,
    const real *dy)
{
	OPS(d);

	(void)C;
	if (l->to_experts != NULL) {
		experts_backward(d, l, dy);
		return;
	}
	linear_backward(d->device, &l->to_down, &d->work, d->dact,
	    half_copy(d, dy, R), l->act, R);
	if (m->gated)
		k->glu_grad(dev, d->dup, d->dact, l->up, R, m->F, m->act);
	else
		k->act_grad(dev, d->dup, d->dact, l->up, R * m->F, m->act);
	half_round(d, d->dup, R * d->w->up_rows);
	linear_backward(d->device, &l->to_up, &d->work, d->dn, d->dup,
	    l->norm2, R);
}

void
block_forward(const struct decoder *d, size_t i, bool again)
{
	const struct layer *w = &d->w->layer[i];
	struct decoder_layer *l = &d->layer[i];
	real *next = i + 1 < d->w->shape.L ? d->layer[i + 1].in : d->last;

	OPS(d);
	attention_forward(d, i, again || i == 0 ? NULL : d->layer[i - 1].mid);
	if (m->parallel) {
		k->add(dev, l->mid, l->in, R * C);
		block_norm(d, l->norm2, l->mean2, l->keep2, l->in, w->norm2,
		    w->norm2_b);
	} else
		block_sum_norm(d, l->norm2, l->mean2, l->keep2, l->mid, l->in,
		    w->norm2, w->norm2_b);
	half_round(d, l->norm2, R * C);
	mlp_forward(d, l, m->post_norms ? l->post2 : next);
	if (m->post_norms) {
		half_round(d, l->post2, R * C);
		block_norm(d, next, NULL, l->keep4, l->post2, w->post2,
		    NO_WEIGHT);
	}
	dropout_rows(d, DROPOUT_DOWN, i, next);
}

/* post_grad - the gradient before a branch's dropout and norm, elsewhere than
 * dx, which stays, if there is either */
static const real *
post_grad(const struct decoder *d, size_t i, enum dropout_place place,
    const real *x, const real *keep, size_t w)
{
	const real *dy = dropout_back(d, place, i, d->dx);

	OPS(d);
	if (!m->post_norms)
		return dy;
	k->fill(dev, d->dn, R * C, 0);
	block_norm_grad(d, d->dn, dy, x, NULL, keep, w, NO_WEIGHT);
	return d->dn;
}

static void
attention_backward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	struct parts p = parts_of(d, i, l->qkv, l->normed);
	struct parts g = parts_of(d, i, d->dqkv, d->dnormed);

	OPS(d);
	(void)C;
	linear_backward(d->device, &l->to_out, &d->work, d->datt,
	    half_copy(d, post_grad(d, i, DROPOUT_OUT, l->post1, l->keep3,
	    w->post1), R), l->att, R);
	k->attend_grad(dev, g.q, g.k, g.v, d->datt, l->att, l->lse, p.q, p.k,
	    p.v, &p.heads);
	heads_backward(d, i, &g);
	half_round(d, d->dqkv, R * d->w->qkv_rows);
	linear_backward(d->device, &l->to_qkv, &d->work, d->dn, d->dqkv,
	    l->norm1, R);
	block_norm_grad(d, d->dx, d->dn, l->in, l->mean1, l->keep1, w->norm1,
	    w->norm1_b);
}

void
block_backward(const struct decoder *d, size_t i)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];

	OPS(d);
	mlp_backward(d, l, post_grad(d, i, DROPOUT_DOWN, l->post2, l->keep4,
	    w->post2));
	if (!m->parallel) {
		block_norm_grad(d, d->dx, d->dn, l->mid, l->mean2, l->keep2,
		    w->norm2, w->norm2_b);
		attention_backward(d, i);
		return;
	}
	/* the MLP's share must not pass through attention */
	k->fill(dev, d->side, R * C, 0);
	block_norm_grad(d, d->side, d->dn, l->in, l->mean2, l->keep2,
	    w->norm2, w->norm2_b);
	attention_backward(d, i);
	k->add(dev, d->dx, d->side, R * C);
}
