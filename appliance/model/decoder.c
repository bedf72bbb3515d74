/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/encoder.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/dropout.h"
#include "appliance/model/experts.h"
#include "appliance/model/half.h"
#include "appliance/model/t5.h"

/* rows whose logits exist at once; where they are stored in 16 bits, as many as
 * so many numbers: each time the head's gradient is read and written */
#define CHUNK	((size_t)512)
#define LOGITS	((size_t)1 << 28)
#define PAD	((size_t)64)		/* numbers that their rows begin at */

/* parts_want - of a matrix that is held */
static void
parts_want(struct decoder *d, struct linear *l, size_t w)
{
	size_t i = weights_find(d->w, w), n;
	struct linear_part *part;

	n = d->held == NULL ? 0 : d->held->count[i];
	if (n == 0)
		return;
	part = arena_array(d->arena, n, sizeof(*part));
	for (size_t k = 0; k < n; k++) {
		const struct held_matrix *m = &d->held->v[d->held->first[i] +
		    k];

		part[k] = (struct linear_part){ m->row, m->rows, &m->k };
	}
	l->part = part;
	l->nparts = n;
}

/* linear_want_at - a matrix of the run; the adapters of modules in it */
static void
linear_want_at(struct decoder *d, struct slab *s, struct linear *l, size_t w,
    size_t N, size_t K, size_t R)
{
	const struct adapter *x = d->adapter;
	size_t i = 0;

	*l = (struct linear){ .N = N, .K = K, .id = w };
	while (x != NULL && i < x->n && x->v[i].at < w)
		i++;
	for (size_t k = i; x != NULL && k < x->n && x->v[k].at < w + N * K;
	    k++)
		l->nlora++;
	l->lora = arena_array(d->arena, l->nlora + 1, sizeof(*l->lora));
	for (size_t k = 0; k < l->nlora; k++) {
		const struct adapter_module *m = &x->v[i + k];

		l->lora[k] = (struct lora){ .row = (m->at - w) / K,
		    .rows = m->rows, .r = m->r, .scale = m->scale,
		    .dora = m->m != NO_WEIGHT };
	}
	parts_want(d, l, w);
	linear_want(l, s, R);
	linear_work_grow(&d->work, l);
}

/* experts_linears - those of a layer with experts */
static void
experts_linears(struct decoder *d, struct slab *s, size_t i)
{
	const struct shape *m = &d->w->shape;
	const struct layer *w = &d->w->layer[i];
	struct experts_to *t = arena_alloc(d->arena, sizeof(*t));
	size_t C = m->C, up = 2 * m->EF * C, down = C * m->EF, R = d->R;

	d->layer[i].to_experts = t;
	t->up = arena_array(d->arena, m->E, sizeof(*t->up));
	t->down = arena_array(d->arena, m->E, sizeof(*t->down));
	linear_want_at(d, s, &t->router, w->router, m->E, C, R);
	for (size_t e = 0; e < m->E; e++) {
		linear_want_at(d, s, &t->up[e], w->ups + e * up, 2 * m->EF, C,
		    R);
		linear_want_at(d, s, &t->down[e], w->downs + e * down, C,
		    m->EF, R);
	}
	if (m->SF == 0)
		return;
	linear_want_at(d, s, &t->shared_gate, w->shared_gate, 1, C, R);
	linear_want_at(d, s, &t->shared_up, w->shared_up, 2 * m->SF, C, R);
	linear_want_at(d, s, &t->shared_down, w->shared_down, C, m->SF, R);
}

/* linears_want - of all layers, and the head */
static void
linears_want(struct decoder *d, struct slab *s)
{
	const struct weights *all = d->w;
	const struct shape *m = &all->shape;

	for (size_t i = 0; i < m->L; i++) {
		const struct layer *w = &all->layer[i];
		struct decoder_layer *l = &d->layer[i];

		linear_want_at(d, s, &l->to_qkv, w->qkv, all->qkv_rows, m->C,
		    d->R);
		linear_want_at(d, s, &l->to_out, w->out, m->C, m->H * m->D,
		    d->R);
		if (w->xq != NO_WEIGHT) {
			struct cross *x = l->cross;

			linear_want_at(d, s, &x->to_q, w->xq, m->H * m->D,
			    m->C, d->R);
			linear_want_at(d, s, &x->to_kv, w->xkv, 2 * m->H *
			    m->D, m->C, d->R);
			linear_want_at(d, s, &x->to_out, w->xout, m->C,
			    m->H * m->D, d->R);
		}
		if (m->sparse[i]) {
			experts_linears(d, s, i);
			continue;
		}
		linear_want_at(d, s, &l->to_up, w->up, all->up_rows, m->C,
		    d->R);
		linear_want_at(d, s, &l->to_down, w->down, m->C, m->F, d->R);
	}
	if (all->dense != NO_WEIGHT)
		linear_want_at(d, s, &d->encoder->to_dense, all->dense, m->C,
		    m->C, d->chunk);
	if (all->head != NO_WEIGHT)
		linear_want_at(d, s, &d->to_head, all->head,
		    weights_head_rows(all), m->C, d->chunk);
	linear_work_want(&d->work, s, d->R);
}

/* reals_want - places for what is not held */
static void
reals_want(struct decoder *d, struct slab *s)
{
	d->run_at = arena_array(d->arena, d->w->n, sizeof(*d->run_at));
	for (size_t i = 0; i < d->w->n; i++) {
		d->run_at[i] = NO_WEIGHT;
		if (d->held != NULL && d->held->count[i] > 0)
			continue;
		d->run_at[i] = d->nrun;
		d->nrun += d->w->v[i].rows * d->w->v[i].cols;
	}
	slab_reals(s, "weights", d->nrun, &d->run);
	if (d->held != NULL)
		held_want(d->held, s);
}

/* grads_want - places for what is trained */
static void
grads_want(struct decoder *d, struct slab *s, const bool *frozen)
{
	d->grad_at = arena_array(d->arena, d->w->n, sizeof(*d->grad_at));
	for (size_t i = 0; i < d->w->n; i++) {
		d->grad_at[i] = NO_WEIGHT;
		if (frozen != NULL && frozen[i])
			continue;
		d->grad_at[i] = d->ngrad;
		d->ngrad += d->w->v[i].rows * d->w->v[i].cols;
	}
	slab_reals(s, "gradients", d->ngrad, &d->grad);
	if (d->adapter == NULL)
		return;
	slab_reals(s, "adapter", d->adapter->all, &d->arun);
	slab_reals(s, "gradients", d->adapter->all, &d->agrad);
}

/* logits_apart - from row to row; stored ones are read where they lie if rows
 * begin where tensor cores want it */
static size_t
logits_apart(struct decoder *d)
{
	size_t n = weights_head_rows(d->w);

	if (!d->stored || d->to_head.nlora > 0 || d->w->head_b != NO_WEIGHT)
		return n;
	d->to_head.ldy = (n + PAD - 1) / PAD * PAD;
	return d->to_head.ldy;
}

void
decoder_want(struct decoder *d, struct arena *a, const struct weights *w,
    struct slab *s, const struct decoder_conf *c)
{
	const struct shape *m = &w->shape;
	size_t R = c->B * c->T, C = m->C;

	*d = (struct decoder){ .arena = a, .device = s->device, .w = w,
	    .B = c->B, .T = c->T, .R = R, .rows = R, .adapter = c->adapter,
	    .held = c->held, .recompute = c->recompute, .half = c->half,
	    .form = c->form, .drop = { .rows_p = c->dropout,
	    .scores_p = c->attention_dropout } };
	d->stored = c->half && !m->encoder && !m->seq2seq && m->E == 0 &&
	    half_stores(s->device, c->form);
	d->work.half = c->half && !d->stored;
	d->work.stored = d->stored;
	d->work.form = c->form;
	d->chunk = d->stored && LOGITS / m->V > CHUNK ? LOGITS / m->V : CHUNK;
	d->chunk = R < d->chunk ? R : d->chunk;
	dropout_set(d, true);
	reals_want(d, s);
	grads_want(d, s, c->frozen);
	d->layer = arena_array(a, m->L, sizeof(*d->layer));
	if (m->encoder)
		d->encoder = arena_alloc(a, sizeof(*d->encoder));
	if (m->seq2seq)
		t5_want(d, s, c->targets);
	for (size_t i = 0; i < m->L; i++)
		(m->encoder ? encoder_layer_want : m->seq2seq ?
		    t5_layer_want : block_want)(d, s, i);
	linears_want(d, s);
	slab_reals(s, "activations", R * C, &d->last);
	half_reals(d, s, "activations", R * C, &d->norm);
	slab_reals(s, "activations", R, &d->mean);
	slab_reals(s, "activations", R, &d->keep);
	half_reals(d, s, "logits", d->chunk * logits_apart(d), &d->logits);
	slab_reals(s, "logits", R, &d->loss);
	slab_reals(s, "positions", c->T * m->turned, &d->rope);
	if (m->two_ropes)
		slab_reals(s, "positions", c->T * m->turned, &d->local_rope);
	slab_ints(s, "positions", R, &d->id);
	slab_ints(s, "positions", R, &d->pos);
	slab_ints(s, "positions", R, &d->from);
	slab_ints(s, "positions", R, &d->target);
	slab_reals(s, "activations' gradients", R * C, &d->dx);
	slab_reals(s, "activations' gradients", R * C, &d->dn);
	half_reals(d, s, "activations' gradients", d->half ? R * C : 0,
	    &d->rounded);
	slab_reals(s, "activations' gradients", c->dropout > 0 ? R * C : 0,
	    &d->drop.back);
	if (m->encoder)
		encoder_want(d, s);
	if (m->E > 0)
		experts_share(d, s);
	if (m->parallel)
		slab_reals(s, "activations' gradients", R * C, &d->side);
	half_reals(d, s, "activations' gradients", R * w->qkv_rows, &d->dqkv);
	if (m->head_norms)
		slab_reals(s, "activations' gradients", R * (m->H + m->G) *
		    m->D, &d->dnormed);
	half_reals(d, s, "activations' gradients", R * m->H * m->D, &d->datt);
	half_reals(d, s, "activations' gradients", R * w->up_rows, &d->dup);
	half_reals(d, s, "activations' gradients", R * m->F, &d->dact);
}

/* linear_ready - where its numbers lie is known now */
static void
linear_ready(const struct decoder *d, struct linear *l, size_t w, size_t b)
{
	const struct adapter *x = d->adapter;
	size_t i = 0;

	l->w = decoder_param(d, w);
	l->b = decoder_param(d, b);
	l->dw = decoder_grad(d, w);
	l->db = decoder_grad(d, b);
	while (l->nlora > 0 && x->v[i].at < w)
		i++;
	for (size_t k = 0; k < l->nlora; k++) {
		const struct adapter_module *m = &x->v[i + k];
		struct lora *o = &l->lora[k];

		o->a = d->arun + m->a;
		o->b = d->arun + m->b;
		o->da = d->agrad + m->a;
		o->db = d->agrad + m->b;
		o->m = o->dora ? d->arun + m->m : NULL;
		o->dm = o->dora ? d->agrad + m->m : NULL;
	}
}

static void
experts_ready(struct decoder *d, size_t i)
{
	const struct shape *m = &d->w->shape;
	const struct layer *w = &d->w->layer[i];
	struct experts_to *t = d->layer[i].to_experts;

	linear_ready(d, &t->router, w->router, NO_WEIGHT);
	for (size_t e = 0; e < m->E; e++) {
		linear_ready(d, &t->up[e], t->up[e].id, NO_WEIGHT);
		linear_ready(d, &t->down[e], t->down[e].id, NO_WEIGHT);
	}
	if (m->SF == 0)
		return;
	linear_ready(d, &t->shared_gate, w->shared_gate, NO_WEIGHT);
	linear_ready(d, &t->shared_up, w->shared_up, NO_WEIGHT);
	linear_ready(d, &t->shared_down, w->shared_down, NO_WEIGHT);
}

/* layers_ready - each its own linear layers, and with recompute the first
 * one's room for everything but its input */
static void
layers_ready(struct decoder *d)
{
	for (size_t i = 0; i < d->w->shape.L; i++) {
		const struct layer *w = &d->w->layer[i];
		struct decoder_layer *l = &d->layer[i], mine = *l;

		if (d->recompute)
			*l = d->layer[w->xq != NO_WEIGHT ?
			    d->w->shape.LE : 0];
		else if (d->half && !d->stored)
			half_share(d, i);
		l->in = mine.in;
		l->to_qkv = mine.to_qkv;
		l->to_out = mine.to_out;
		l->to_up = mine.to_up;
		l->to_down = mine.to_down;
		l->to_experts = mine.to_experts;
		l->cross = mine.cross;
		linear_ready(d, &l->to_qkv, w->qkv, w->qkv_b);
		linear_ready(d, &l->to_out, w->out, w->out_b);
		if (l->cross != NULL) {
			linear_ready(d, &l->cross->to_q, w->xq, NO_WEIGHT);
			linear_ready(d, &l->cross->to_kv, w->xkv, NO_WEIGHT);
			linear_ready(d, &l->cross->to_out, w->xout,
			    NO_WEIGHT);
		}
		if (l->to_experts != NULL) {
			experts_ready(d, i);
			continue;
		}
		linear_ready(d, &l->to_up, w->up, w->up_b);
		linear_ready(d, &l->to_down, w->down, w->down_b);
	}
	if (d->w->dense != NO_WEIGHT)
		linear_ready(d, &d->encoder->to_dense, d->w->dense,
		    d->w->dense_b);
	linear_ready(d, &d->to_head, d->w->head, d->w->head_b);
}

/* rope_put - a table of all places, on the device */
static void
rope_put(const struct decoder *d, const struct rope *r, real *to)
{
	size_t N = d->w->shape.turned;
	real *table = arena_array(d->arena, d->T * N, sizeof(*table));

	rope_table(r, N, d->T, table);
	d->device->k->put(d->device->dev, to, table, d->T * N *
	    sizeof(*table));
}

void
decoder_texts(struct decoder *d, const int32_t *from)
{
	int32_t *pos = mem_alloc(d->R * sizeof(*pos));
	const struct kernels *k = d->device->k;

	for (size_t i = 0; i < d->R; i++)
		pos[i] = (int32_t)(i % d->T) - (from == NULL ? 0 : from[i]);
	k->put(d->device->dev, d->pos, pos, d->R * sizeof(*pos));
	mem_free(pos);
	d->texts = from != NULL;
	if (d->texts)
		k->put(d->device->dev, d->from, from, d->R * sizeof(*from));
}

void
decoder_ready(struct decoder *d)
{
	const struct shape *m = &d->w->shape;

	if (d->held != NULL)
		held_ready(d->held, d->device);
	layers_ready(d);
	if (m->encoder)
		encoder_ready(d);
	else if (m->seq2seq)
		t5_ready(d);
	else
		decoder_texts(d, NULL);
	if (m->turned > 0)
		rope_put(d, &m->rope, d->rope);
	if (m->two_ropes)
		rope_put(d, &m->local_rope, d->local_rope);
}
