/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/predict_experts.h"
#include "appliance/model/predict_lora.h"
#include "appliance/model/predict_weights.h"

void
predict_table(struct predict *p, const int32_t *table)
{
	p->device->k->put(p->device->dev, p->table, table,
	    p->slots * p->per * sizeof(*table));
}

size_t
predict_place_bytes(const struct predict *p)
{
	const struct shape *m = &p->w->shape;

	return m->L * 2 * m->G * m->D * (p->half ? sizeof(uint16_t) :
	    sizeof(real));
}

/* pages_count - how many the cache has */
static size_t
pages_count(const struct predict *p, const struct predict_how *how)
{
	size_t one = KERNEL_PAGE * predict_place_bytes(p);
	size_t all = p->slots * p->per, most = how->cache, weights;
	const char *where;

	if (most == 0)
		return all;
	if (most == PREDICT_LEFT) {
		most = slab_left(&p->slab, &where);
		weights = slab_size(&p->weights);
		most = most > weights ? (most - weights) / 2 : 0;
	}
	most = most / one < p->per ? p->per : most / one;
	return most < all ? most : all;
}

/* predict_want - what is not weights */
static int
predict_want(struct predict *p, struct err *e)
{
	const struct shape *m = &p->w->shape;
	size_t n = p->rows;

	for (size_t i = 0; i < m->L; i++)
		slab_want(&p->slab, "cache", p->pages * KERNEL_PAGE *
		    predict_place_bytes(p) / m->L, &p->layer[i].cache);
	slab_ints(&p->slab, "rows", p->slots * p->per, &p->table);
	if (m->E > 0)
		predict_experts_share(p, p->slab.arena);
	slab_reals(&p->slab, "rows", p->places * m->turned, &p->rope);
	if (m->two_ropes)
		slab_reals(&p->slab, "rows", p->places * m->turned,
		    &p->local_rope);
	slab_reals(&p->slab, "rows", n * m->C, &p->x);
	slab_reals(&p->slab, "rows", n * m->C, &p->n);
	if (m->parallel)
		slab_reals(&p->slab, "rows", n * m->C, &p->side);
	slab_reals(&p->slab, "rows", n * p->w->qkv_rows, &p->qkv);
	slab_reals(&p->slab, "rows", n * m->H * m->D, &p->att);
	slab_reals(&p->slab, "rows", n * p->w->up_rows, &p->up);
	slab_reals(&p->slab, "rows", n * m->F, &p->act);
	slab_reals(&p->slab, "rows", p->wanted * m->C, &p->picked);
	slab_reals(&p->slab, "rows", n * (2 + m->H), &p->spare);
	slab_reals(&p->slab, "logits", p->wanted * m->V, &p->logits);
	slab_reals(&p->slab, "logits", p->wanted, &p->loss);
	slab_ints(&p->slab, "rows", n, &p->id);
	slab_ints(&p->slab, "rows", n, &p->slot);
	slab_ints(&p->slab, "rows", n, &p->pos);
	slab_ints(&p->slab, "rows", p->wanted, &p->want);
	slab_ints(&p->slab, "rows", p->wanted, &p->target);
	return slab_take(&p->slab, e);
}

/* predict_pages - each slot has as many as a sequence can need, its own, if
 * there are as many */
static void
predict_pages(struct predict *p)
{
	size_t n = p->slots * p->per;
	int32_t *table = mem_alloc((n + 1) * sizeof(*table));

	for (size_t i = 0; i < n; i++)
		table[i] = (int32_t)(i % p->pages);
	predict_table(p, table);
	mem_free(table);
}

struct predict *
predict_packed(struct arena *a, struct device *d,
    const struct predict_how *how, struct err *e)
{
	struct predict *p = arena_alloc(a, sizeof(*p));
	const struct shape *m = &how->w->shape;
	size_t bytes;
	real *table;

	if (packed_check(d, how->form, e) == -1)
		return NULL;
	p->device = d;
	p->w = how->w;
	p->form = how->form;
	p->half = how->form != PACKED_F32 && d->k->look_half != NULL;
	p->words = how->form == PACKED_F32 ? PACKED_F32 : PACKED_Q8;
	p->slots = how->slots;
	p->places = how->places < m->T ? how->places : m->T;
	p->per = (p->places + KERNEL_PAGE - 1) / KERNEL_PAGE;
	p->rows = how->rows;
	p->wanted = how->wanted;
	p->layer = arena_array(a, m->L, sizeof(*p->layer));
	slab_init(&p->weights, a, d);
	slab_init(&p->slab, a, d);
	predict_weights_want(p);
	p->pages = pages_count(p, how);
	if (predict_want(p, e) == -1 ||
	    predict_weights_open(p, a, how, e) == -1)
		return NULL;
	predict_pages(p);
	table = arena_array(a, p->places * m->turned + 1, sizeof(*table));
	bytes = p->places * m->turned * sizeof(*table);
	rope_table(&m->rope, m->turned, p->places, table);
	d->k->put(d->dev, p->rope, table, bytes);
	if (m->two_ropes) {
		rope_table(&m->local_rope, m->turned, p->places, table);
		d->k->put(d->dev, p->local_rope, table, bytes);
	}
	return p;
}

struct predict *
predict_open(struct arena *a, struct device *d, const struct weights *w,
    const real *run, size_t slots, size_t places, size_t rows,
    size_t wanted, struct err *e)
{
	struct predict_how how = { .w = w, .run = run, .images = -1,
	    .slots = slots, .places = places, .rows = rows,
	    .wanted = wanted };

	return predict_packed(a, d, &how, e);
}

static void
norm(struct predict *p, real *y, const real *x, const real *w, const real *b,
    size_t R)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;

	if (m->layernorm)
		k->layernorm(p->device->dev, y, p->spare, p->spare + p->rows,
		    x, w, b, R, m->C, m->eps);
	else
		k->rmsnorm(p->device->dev, y, p->spare, x, w, R, m->C,
		    m->eps);
}

/* linear - a layer's matrix, with what adapters add */
static void
linear(struct predict *p, size_t layer, enum lora_matrix which, real *y,
    const real *x, const void *w, const real *b, size_t R, size_t N, size_t K)
{
	packed_product(p->device, p->form, y, x, w, R, N, K);
	predict_lora_add(p, layer, which, y, x, N, K);
	if (b != NULL)
		p->device->k->bias(p->device->dev, y, b, R, N);
}

/* attend_run - what attention adds to the residual stream, in n */
static void
attend_run(struct predict *p, size_t i, size_t n)
{
	const struct predict_layer *l = &p->layer[i];
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;
	size_t q = m->H * m->D, kv = m->G * m->D, wide = p->w->qkv_rows;
	struct kernel_heads heads = { .H = m->H, .G = m->G, .D = m->D,
	    .q = wide, .window = m->local[i] ? m->window : 0,
	    .scale = shape_scale(m, i), .cap = m->score_cap };
	struct kernel_places at = { .table = p->table, .slot = p->slot,
	    .pos = p->pos, .per = p->per };

	linear(p, i, LORA_QKV, p->qkv, p->n, l->qkv, l->qkv_b, n, wide, m->C);
	if (m->head_norms) {
		k->headnorm(dev, p->qkv, wide, p->spare, p->qkv, wide,
		    l->q_norm, n, m->H, m->D, m->eps);
		k->headnorm(dev, p->qkv + q, wide, p->spare, p->qkv + q, wide,
		    l->k_norm, n, m->G, m->D, m->eps);
	}
	if (m->turned > 0)
		k->rope(dev, p->qkv, m->two_ropes && m->local[i] ?
		    p->local_rope : p->rope, p->pos, n, wide, m->H + m->G,
		    m->D, m->turned, 0);
	if (p->half) {
		k->store_half(dev, l->cache, p->qkv + q, p->qkv + q + kv, &at,
		    n, wide, m->G, m->D);
		k->look_half(dev, p->att, p->qkv, l->cache, &at, n, &heads);
	} else {
		k->store(dev, l->cache, p->qkv + q, p->qkv + q + kv, &at, n,
		    wide, m->G, m->D);
		k->look(dev, p->att, p->qkv, l->cache, &at, n, &heads);
	}
	linear(p, i, LORA_OUT, p->n, p->att, l->out, l->out_b, n, m->C, q);
	if (m->post_norms)
		norm(p, p->n, p->n, l->post1, NULL, n);
}

/* mlp_run - the same of the MLP */
static void
mlp_run(struct predict *p, size_t i, size_t n)
{
	const struct predict_layer *l = &p->layer[i];
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;

	if (l->router != NULL) {
		predict_experts_run(p, l, n);
		return;
	}
	linear(p, i, LORA_UP, p->up, p->n, l->up, l->up_b, n, p->w->up_rows,
	    m->C);
	if (m->gated)
		k->glu(dev, p->act, p->up, n, m->F, m->act);
	else
		k->act(dev, p->act, p->up, n * m->F, m->act);
	linear(p, i, LORA_DOWN, p->n, p->act, l->down, l->down_b, n, m->C,
	    m->F);
	if (m->post_norms)
		norm(p, p->n, p->n, l->post2, NULL, n);
}

/* layer_run - n rows through one layer; x is the residual stream */
static void
layer_run(struct predict *p, size_t i, size_t n)
{
	const struct predict_layer *l = &p->layer[i];
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	real *source = p->x;

	norm(p, p->n, p->x, l->norm1, l->norm1_b, n);
	if (m->parallel) {		/* the MLP reads it too */
		source = p->side;
		k->mix(p->device->dev, source, 0, p->x, 1, n * m->C);
	}
	attend_run(p, i, n);
	k->add(p->device->dev, p->x, p->n, n * m->C);
	norm(p, p->n, source, l->norm2, l->norm2_b, n);
	mlp_run(p, i, n);
	k->add(p->device->dev, p->x, p->n, n * m->C);
}

/* embed_run - the rows' tokens, and their places if there are such */
static void
embed_run(struct predict *p, size_t n)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	const real *place = p->place == NULL ? NULL :
	    p->place + m->place_skip * m->C;
	void *dev = p->device->dev;

	if (p->words == PACKED_F32) {
		k->embed(dev, p->x, p->token, place, p->id, p->pos, n, m->C);
		return;
	}
	packed_rows(p->device, p->words, p->x, p->token, p->id, n, m->V, m->C);
	if (place == NULL)
		return;
	k->embed(dev, p->n, place, NULL, p->pos, NULL, n, m->C);
	k->add(dev, p->x, p->n, n * m->C);
}

/* predict_body - all layers, then the logits of the wanted rows */
static void
predict_body(struct predict *p, const struct predict_rows *r)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;

	predict_weights_move(p);
	k->put(dev, p->id, r->id, r->n * sizeof(*p->id));
	k->put(dev, p->slot, r->slot, r->n * sizeof(*p->slot));
	k->put(dev, p->pos, r->pos, r->n * sizeof(*p->pos));
	predict_lora_rows(p, r->adapter, NULL, r->n);
	embed_run(p, r->n);
	if (m->embed_scale != 0)
		k->mix(dev, p->x, m->embed_scale, p->x, 0, r->n * m->C);
	for (size_t i = 0; i < m->L; i++)
		layer_run(p, i, r->n);
	if (r->nwant == 0)
		return;
	/* rows of x, looked up as a table */
	k->put(dev, p->want, r->want, r->nwant * sizeof(*p->want));
	k->embed(dev, p->picked, p->x, NULL, p->want, NULL, r->nwant, m->C);
	norm(p, p->n, p->picked, p->norm, p->norm_b, r->nwant);
	packed_product(p->device, p->words, p->logits, p->n, p->head, r->nwant,
	    m->V, m->C);
	predict_lora_rows(p, r->adapter, r->want, r->nwant);
	predict_lora_add(p, m->L, 0, p->logits, p->n, m->V, m->C);
}

void
predict_logits(struct predict *p, const struct predict_rows *r, real *logits)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	size_t n = r->nwant * m->V;

	predict_body(p, r);
	if (n == 0)
		return;
	if (m->logit_cap != 0)
		k->softcap(p->device->dev, p->logits, n, m->logit_cap);
	k->get(p->device->dev, logits, p->logits, n * sizeof(*logits));
}

void
predict_loss(struct predict *p, const struct predict_rows *r,
    const int32_t *target, real *loss)
{
	const struct kernels *k = p->device->k;
	void *dev = p->device->dev;

	predict_body(p, r);
	if (r->nwant == 0)
		return;
	k->put(dev, p->target, target, r->nwant * sizeof(*target));
	k->classify(dev, p->loss, p->logits, p->target, r->nwant,
	    p->w->shape.V, 0, p->w->shape.logit_cap);
	k->get(dev, loss, p->loss, r->nwant * sizeof(*loss));
}
