/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/dropout.h"
#include "appliance/model/half.h"
#include "appliance/model/t5.h"

enum { IN, OWN, ACROSS };		/* who sees what: t5_micro's */

void
t5_want(struct decoder *d, struct slab *s, size_t targets)
{
	struct t5 *x = arena_alloc(d->arena, sizeof(*x));
	const struct shape *m = &d->w->shape;
	const char *what = "activations";
	size_t all = m->H * d->T * d->T;

	d->t5 = x;
	x->T = targets == 0 ? d->T : targets;
	x->R = d->rows = d->B * x->T;
	slab_ints(s, "positions", x->R, &x->id);
	for (size_t i = 0; i < 3; i++) {
		slab_ints(s, "positions", i == IN ? d->R : x->R, &x->from[i]);
		slab_ints(s, "positions", i == IN ? d->R : x->R, &x->to[i]);
	}
	slab_ints(s, "positions", 2 * d->T, &x->bucket[0]);
	slab_ints(s, "positions", 2 * x->T, &x->bucket[1]);
	slab_reals(s, what, d->R * m->C, &x->last);
	slab_reals(s, what, d->R * m->C, &x->coded);
	slab_reals(s, what, d->R, &x->keep);
	slab_reals(s, what, all, &x->p);
	slab_reals(s, "activations' gradients", d->R * m->C, &x->dcoded);
	slab_reals(s, "activations' gradients", all, &x->dp);
}

/* cross_want - attention to the encoder's rows, of a decoder's layer */
static void
cross_want(const struct decoder *d, struct slab *s, struct cross *x)
{
	const struct shape *m = &d->w->shape;
	const char *what = "activations";
	size_t R = d->t5->R;

	slab_reals(s, what, R, &x->keep);
	slab_reals(s, what, R * m->C, &x->mid);
}

void
t5_layer_want(const struct decoder *d, struct slab *s, size_t i)
{
	const struct shape *m = &d->w->shape;
	struct decoder_layer *l = &d->layer[i];
	const char *what = "activations";
	size_t R = i < m->LE ? d->R : d->t5->R;

	slab_reals(s, what, R * m->C, &l->in);
	if (i >= m->LE)
		l->cross = arena_alloc(d->arena, sizeof(*l->cross));
	if (d->recompute && i != 0 && i != m->LE)
		return;			/* the rest is the first layer's */
	slab_reals(s, what, R, &l->keep1);
	slab_reals(s, what, R * m->C, &l->mid);
	slab_reals(s, what, R, &l->keep2);
	if (i >= m->LE)
		cross_want(d, s, l->cross);
	half_want(d, s, i);
}

/* buckets_put - of each distance that two places of a sequence can have */
static void
buckets_put(const struct decoder *d, size_t T, bool both, int32_t *to)
{
	const struct shape *m = &d->w->shape;
	int32_t *b = arena_array(d->arena, 2 * T, sizeof(*b));

	for (size_t i = 0; i + 1 < 2 * T; i++)
		b[i] = t5_bucket((int64_t)i - (int64_t)T + 1, both,
		    m->buckets, m->far);
	d->device->k->put(d->device->dev, to, b, (2 * T - 1) * sizeof(*b));
}

void
t5_ready(struct decoder *d)
{
	const struct shape *m = &d->w->shape;

	buckets_put(d, d->T, true, d->t5->bucket[0]);
	buckets_put(d, d->t5->T, false, d->t5->bucket[1]);
	for (size_t i = m->LE + 1; d->recompute && i < m->L; i++) {
		struct cross *x = d->layer[i].cross, mine = *x;

		*x = *d->layer[m->LE].cross;
		x->to_q = mine.to_q;
		x->to_kv = mine.to_kv;
		x->to_out = mine.to_out;
	}
}

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	struct t5 *x = (d)->t5;						\
	const size_t C = m->C, in = m->H * m->D

/* own_heads - of a layer's attention to its own rows */
static struct t5_heads
own_heads(const struct decoder *d, size_t i)
{
	const struct decoder_layer *l = &d->layer[i];
	size_t wide = d->w->qkv_rows, stack = i >= d->w->shape.LE;
	size_t T = stack == 0 ? d->T : d->t5->T;

	return (struct t5_heads){ .B = d->B, .T = T, .K = T, .scale = 1,
	    .q = l->qkv, .k = l->qkv + wide / 3, .v = l->qkv + wide / 3 * 2,
	    .qs = wide, .ks = wide, .p = d->t5->p, .dp = d->t5->dp,
	    .first = dropout_row(d, i) * d->w->shape.H * T,
	    .from = d->t5->from[stack], .to = d->t5->to[stack],
	    .bucket = d->t5->bucket[stack], .near = d->w->near[stack],
	    .layer = i };
}

/* cross_heads - of a decoder's layer's attention to the encoder's rows */
static struct t5_heads
cross_heads(const struct decoder *d, size_t i)
{
	const struct cross *l = d->layer[i].cross;
	size_t in = d->w->shape.H * d->w->shape.D;

	return (struct t5_heads){ .B = d->B, .T = d->t5->T, .K = d->T,
	    .scale = 1, .q = l->q, .k = l->kv, .v = l->kv + in, .qs = in,
	    .ks = 2 * in, .p = d->t5->p, .dp = d->t5->dp,
	    .first = dropout_row(d, i) * d->w->shape.H * d->T,
	    .from = d->t5->from[ACROSS], .to = d->t5->to[ACROSS],
	    .layer = i };
}

/* work_of - what linear layers read that see rows of layer i */
static struct linear_work
work_of(const struct decoder *d, size_t i)
{
	struct linear_work w = d->work;

	w.row = dropout_row(d, i);
	return w;
}

/* cross_forward - behind a layer's attention to its own rows */
static void
cross_forward(const struct decoder *d, size_t i)
{
	const struct decoder_layer *l = &d->layer[i];
	struct cross *c = l->cross;
	struct t5_heads h = cross_heads(d, i);
	struct linear_work work = work_of(d, i);

	OPS(d);
	k->rmsnorm(dev, c->norm, c->keep, l->mid, decoder_param(d,
	    d->w->layer[i].norm3), x->R, C, m->eps);
	half_round(d, c->norm, x->R * C);
	linear_forward(d->device, &c->to_q, &work, c->q, c->norm, x->R);
	linear_forward(d->device, &c->to_kv, &d->work, c->kv, x->coded, d->R);
	half_round(d, c->q, x->R * in);
	half_round(d, c->kv, d->R * 2 * in);
	t5_attend(d, &h, c->att);
	half_round(d, c->att, x->R * in);
	linear_forward(d->device, &c->to_out, &work, c->mid, c->att, x->R);
	dropout_rows(d, DROPOUT_CROSS, i, c->mid);
	k->add(dev, c->mid, l->mid, x->R * C);
}

/* layer_forward - of R rows, to `next` */
static void
layer_forward(const struct decoder *d, size_t i, size_t R, real *next)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	const real *mid = l->cross == NULL ? l->mid : l->cross->mid;
	struct t5_heads h = own_heads(d, i);
	struct linear_work work = work_of(d, i);

	OPS(d);
	(void)x;
	k->rmsnorm(dev, l->norm1, l->keep1, l->in, decoder_param(d, w->norm1),
	    R, C, m->eps);
	half_round(d, l->norm1, R * C);
	linear_forward(d->device, &l->to_qkv, &work, l->qkv, l->norm1, R);
	half_round(d, l->qkv, R * d->w->qkv_rows);
	t5_attend(d, &h, l->att);
	half_round(d, l->att, R * in);
	linear_forward(d->device, &l->to_out, &work, l->mid, l->att, R);
	dropout_rows(d, DROPOUT_OUT, i, l->mid);
	k->add(dev, l->mid, l->in, R * C);
	if (l->cross != NULL)
		cross_forward(d, i);
	k->rmsnorm(dev, l->norm2, l->keep2, mid, decoder_param(d, w->norm2),
	    R, C, m->eps);
	half_round(d, l->norm2, R * C);
	linear_forward(d->device, &l->to_up, &work, l->up, l->norm2, R);
	half_round(d, l->up, R * d->w->up_rows);
	if (m->gated)
		k->glu(dev, l->act, l->up, R, m->F, m->act);
	else
		k->act(dev, l->act, l->up, R * m->F, m->act);
	dropout_act(d, i, l->act);
	half_round(d, l->act, R * m->F);
	linear_forward(d->device, &l->to_down, &work, next, l->act, R);
	dropout_rows(d, DROPOUT_DOWN, i, next);
	k->add(dev, next, mid, R * C);
}

/* norm_back - the gradient before a norm of R rows is added to dx; behind it,
 * it is dn */
static void
norm_back(const struct decoder *d, const real *from, const real *keep,
    size_t w, size_t R)
{
	d->device->k->rmsnorm_grad(d->device->dev, d->dx, decoder_grad(d, w),
	    d->dn, from, decoder_param(d, w), keep, R, d->w->shape.C);
}

/* cross_backward - dx is the gradient behind it, then before; what is the
 * encoder's rows' is added to dcoded */
static void
cross_backward(const struct decoder *d, size_t i)
{
	const struct decoder_layer *l = &d->layer[i];
	const struct cross *c = l->cross;
	struct t5_heads h = cross_heads(d, i);
	struct linear_work work = work_of(d, i);
	real *dkv;

	OPS(d);
	dkv = d->dqkv + x->R * in;
	linear_backward(d->device, &c->to_out, &work, d->datt,
	    half_copy(d, dropout_back(d, DROPOUT_CROSS, i, d->dx), x->R),
	    c->att, x->R);
	t5_attend_grad(d, &h, d->dqkv, dkv, dkv + in, d->datt);
	half_round(d, d->dqkv, x->R * in + d->R * 2 * in);
	linear_backward(d->device, &c->to_kv, &d->work, d->dn, dkv, x->coded,
	    d->R);
	k->add(dev, x->dcoded, d->dn, d->R * C);
	linear_backward(d->device, &c->to_q, &work, d->dn, d->dqkv,
	    c->norm, x->R);
	norm_back(d, l->mid, c->keep, d->w->layer[i].norm3, x->R);
}

/* layer_backward - dx is the gradient behind the layer, then before it */
static void
layer_backward(const struct decoder *d, size_t i, size_t R)
{
	const struct layer *w = &d->w->layer[i];
	const struct decoder_layer *l = &d->layer[i];
	struct t5_heads h = own_heads(d, i);
	struct linear_work work = work_of(d, i);

	OPS(d);
	(void)x;
	(void)C;
	linear_backward(d->device, &l->to_down, &work, d->dact,
	    half_copy(d, dropout_back(d, DROPOUT_DOWN, i, d->dx), R), l->act,
	    R);
	dropout_act(d, i, d->dact);
	if (m->gated)
		k->glu_grad(dev, d->dup, d->dact, l->up, R, m->F, m->act);
	else
		k->act_grad(dev, d->dup, d->dact, l->up, R * m->F, m->act);
	half_round(d, d->dup, R * d->w->up_rows);
	linear_backward(d->device, &l->to_up, &work, d->dn, d->dup,
	    l->norm2, R);
	norm_back(d, l->cross == NULL ? l->mid : l->cross->mid, l->keep2,
	    w->norm2, R);
	if (l->cross != NULL)
		cross_backward(d, i);
	linear_backward(d->device, &l->to_out, &work, d->datt,
	    half_copy(d, dropout_back(d, DROPOUT_OUT, i, d->dx), R), l->att,
	    R);
	t5_attend_grad(d, &h, d->dqkv, d->dqkv + in, d->dqkv + 2 * in,
	    d->datt);
	half_round(d, d->dqkv, R * d->w->qkv_rows);
	linear_backward(d->device, &l->to_qkv, &work, d->dn, d->dqkv,
	    l->norm1, R);
	norm_back(d, l->in, l->keep1, w->norm1, R);
}

/* embed - R words, which have no places */
static void
embed(const struct decoder *d, real *y, const int32_t *id, size_t R)
{
	const real *token = decoder_param(d, d->w->token);

	OPS(d);
	(void)x;
	(void)in;
	if (token != NULL)
		k->embed(dev, y, token, NULL, id, NULL, R, C);
	else
		k->widen(dev, y, &d->held->v[d->held->first[0]].k, id, 0, R,
		    C);
}

/* micro_put - ids, and who sees what, on the device */
static void
micro_put(const struct decoder *d, const struct t5_micro *a)
{
	const struct t5_seen *seen[] = { &a->in, &a->own, &a->across };
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	struct t5 *x = d->t5;

	k->put(dev, d->id, a->id, d->R * sizeof(*a->id));
	k->put(dev, x->id, a->out, x->R * sizeof(*a->out));
	for (size_t i = 0; i < 3; i++) {
		size_t bytes = (i == IN ? d->R : x->R) * sizeof(int32_t);

		k->put(dev, x->from[i], seen[i]->from, bytes);
		k->put(dev, x->to[i], seen[i]->to, bytes);
	}
}

/* forward - t5_forward, the words being there */
static void
forward(struct decoder *d, bool learns)
{
	OPS(d);
	(void)in;
	dropout_set(d, learns);
	half_begin(d);
	decoder_norms(d);
	embed(d, d->layer[0].in, d->id, d->R);
	dropout_rows(d, DROPOUT_EMBED, 0, d->layer[0].in);
	for (size_t i = 0; i < m->LE; i++) {
		layer_forward(d, i, d->R, i + 1 < m->LE ? d->layer[i + 1].in :
		    x->last);
		if (learns)
			half_keep(d, i);
	}
	k->rmsnorm(dev, x->coded, x->keep, x->last, decoder_param(d,
	    d->w->coded), d->R, C, m->eps);
	dropout_rows(d, DROPOUT_HEAD, 0, x->coded);
	half_round(d, x->coded, d->R * C);
	embed(d, d->layer[m->LE].in, x->id, x->R);
	dropout_rows(d, DROPOUT_EMBED, m->LE, d->layer[m->LE].in);
	for (size_t i = m->LE; i < m->L; i++) {
		layer_forward(d, i, x->R, i + 1 < m->L ? d->layer[i + 1].in :
		    d->last);
		if (learns)
			half_keep(d, i);
	}
	k->rmsnorm(dev, d->norm, d->keep, d->last, decoder_param(d,
	    d->w->norm), x->R, C, m->eps);
	dropout_rows(d, DROPOUT_HEAD, m->LE, d->norm);
	if (m->head_scale != 0)
		k->mix(dev, d->norm, m->head_scale, d->norm, 0, x->R * C);
	half_round(d, d->norm, x->R * C);
	half_end(d);
}

void
t5_forward(struct decoder *d, const struct t5_micro *a, bool learns)
{
	micro_put(d, a);
	forward(d, learns);
}

/* stack_backward - of layers first to end - 1 */
static void
stack_backward(const struct decoder *d, size_t first, size_t end, size_t R)
{
	for (size_t i = end; i-- > first; ) {
		if (d->recompute && i + 1 < end)
			layer_forward(d, i, R, d->layer[i + 1].in);
		half_back(d, i);
		layer_backward(d, i, R);
	}
}

/* t5_backward - from dn, what the head left */
static void
t5_backward(struct decoder *d)
{
	real *dtoken = decoder_grad(d, d->w->token);

	OPS(d);
	(void)in;
	if (m->head_scale != 0)
		k->mix(dev, d->dn, m->head_scale, d->dn, 0, x->R * C);
	dropout_rows(d, DROPOUT_HEAD, m->LE, d->dn);
	half_begin(d);
	k->fill(dev, d->dx, x->R * C, 0);
	k->fill(dev, x->dcoded, d->R * C, 0);
	norm_back(d, d->last, d->keep, d->w->norm, x->R);
	stack_backward(d, m->LE, m->L, x->R);
	dropout_rows(d, DROPOUT_EMBED, m->LE, d->dx);
	if (dtoken != NULL)
		k->embed_grad(dev, dtoken, NULL, d->dx, x->id, NULL, x->R, C);
	k->fill(dev, d->dx, d->R * C, 0);
	k->mix(dev, d->dn, 0, x->dcoded, 1, d->R * C);
	dropout_rows(d, DROPOUT_HEAD, 0, d->dn);
	norm_back(d, x->last, x->keep, d->w->coded, d->R);
	stack_backward(d, 0, m->LE, d->R);
	dropout_rows(d, DROPOUT_EMBED, 0, d->dx);
	if (dtoken != NULL)
		k->embed_grad(dev, dtoken, NULL, d->dx, d->id, NULL, d->R, C);
	half_end(d);
}

double
t5_run(struct decoder *d, const struct t5_micro *a, double scale)
{
	micro_put(d, a);
	decoder_words(d, NULL, a->target);
	device_begin(d->device, scale != 0 ? GRAPH_LEARN : GRAPH_LOOK);
	forward(d, scale != 0);
	decoder_head(d, NULL, NULL, NULL, scale);
	if (scale != 0)
		t5_backward(d);
	device_end(d->device);
	return decoder_sum(d);
}
