/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/decoder.h"
#include "appliance/model/predict.h"

/* vector_want - a small parameter, if the shape has it */
static void
vector_want(struct predict *p, size_t at, size_t n, real **where)
{
	*where = NULL;
	if (at != NO_WEIGHT)
		slab_reals(&p->slab, "weights", n, where);
}

static void
matrix_want(struct predict *p, size_t rows, size_t cols, void **where)
{
	const struct device *d = p->device;

	slab_want(&p->slab, "weights", d->k->packed_size(d->dev, rows, cols),
	    where);
}

static void
layer_want(struct predict *p, size_t i)
{
	const struct layer *w = &p->w->layer[i];
	const struct shape *m = &p->w->shape;
	struct predict_layer *l = &p->layer[i];

	vector_want(p, w->norm1, m->C, &l->norm1);
	vector_want(p, w->norm1_b, m->C, &l->norm1_b);
	vector_want(p, w->qkv_b, p->w->qkv_rows, &l->qkv_b);
	vector_want(p, w->out_b, m->C, &l->out_b);
	vector_want(p, w->norm2, m->C, &l->norm2);
	vector_want(p, w->norm2_b, m->C, &l->norm2_b);
	vector_want(p, w->up_b, p->w->up_rows, &l->up_b);
	vector_want(p, w->down_b, m->C, &l->down_b);
	matrix_want(p, p->w->qkv_rows, m->C, &l->qkv);
	matrix_want(p, m->C, m->H * m->D, &l->out);
	matrix_want(p, p->w->up_rows, m->C, &l->up);
	matrix_want(p, m->C, m->F, &l->down);
	slab_reals(&p->slab, "cache", p->slots * p->places * 2 * m->G *
	    m->D,
	    &l->cache);
}

/* predict_want - everything, then one block */
static int
predict_want(struct predict *p, struct err *e)
{
	const struct shape *m = &p->w->shape;
	size_t n = p->rows;

	for (size_t i = 0; i < m->L; i++)
		layer_want(p, i);
	vector_want(p, p->w->token, m->V * m->C, &p->token);
	vector_want(p, p->w->place, m->T * m->C, &p->place);
	vector_want(p, p->w->norm, m->C, &p->norm);
	vector_want(p, p->w->norm_b, m->C, &p->norm_b);
	matrix_want(p, m->V, m->C, &p->head);
	slab_reals(&p->slab, "rows", p->places * m->D, &p->rope);
	slab_reals(&p->slab, "rows", n * m->C, &p->x);
	slab_reals(&p->slab, "rows", n * m->C, &p->n);
	slab_reals(&p->slab, "rows", n * p->w->qkv_rows, &p->qkv);
	slab_reals(&p->slab, "rows", n * m->H * m->D, &p->att);
	slab_reals(&p->slab, "rows", n * p->w->up_rows, &p->up);
	slab_reals(&p->slab, "rows", n * m->F, &p->act);
	slab_reals(&p->slab, "rows", p->wanted * m->C, &p->picked);
	slab_reals(&p->slab, "rows", 2 * n, &p->spare);
	slab_reals(&p->slab, "logits", p->wanted * m->V, &p->logits);
	slab_reals(&p->slab, "logits", p->wanted, &p->loss);
	slab_ints(&p->slab, "rows", n, &p->id);
	slab_ints(&p->slab, "rows", n, &p->slot);
	slab_ints(&p->slab, "rows", n, &p->pos);
	slab_ints(&p->slab, "rows", p->wanted, &p->want);
	slab_ints(&p->slab, "rows", p->wanted, &p->target);
	return slab_take(&p->slab, e);
}

static void
vector_put(struct predict *p, real *to, const real *run, size_t at, size_t n)
{
	if (to != NULL)
		p->device->k->put(p->device->dev, to, run + at,
		    n * sizeof(*to));
}

/* matrix_put - pack reads the device's memory: the matrix goes there first */
static int
matrix_put(struct predict *p, void *to, const real *from, size_t rows,
    size_t cols, struct err *e)
{
	const struct device *d = p->device;
	size_t bytes = rows * cols * sizeof(*from);
	void *flat = d->k->alloc(d->dev, bytes);

	if (flat == NULL)
		return err_set(e, FATE_RETRY, "the device has no %zu MiB to "
		    "pack weights in", bytes >> 20);
	d->k->put(d->dev, flat, from, bytes);
	d->k->pack(d->dev, to, flat, rows, cols);
	d->k->release(d->dev, flat);
	return 0;
}

static int
layer_put(struct predict *p, size_t i, const real *run, struct err *e)
{
	const struct layer *w = &p->w->layer[i];
	const struct shape *m = &p->w->shape;
	struct predict_layer *l = &p->layer[i];

	vector_put(p, l->norm1, run, w->norm1, m->C);
	vector_put(p, l->norm1_b, run, w->norm1_b, m->C);
	vector_put(p, l->qkv_b, run, w->qkv_b, p->w->qkv_rows);
	vector_put(p, l->out_b, run, w->out_b, m->C);
	vector_put(p, l->norm2, run, w->norm2, m->C);
	vector_put(p, l->norm2_b, run, w->norm2_b, m->C);
	vector_put(p, l->up_b, run, w->up_b, p->w->up_rows);
	vector_put(p, l->down_b, run, w->down_b, m->C);
	if (matrix_put(p, l->qkv, run + w->qkv, p->w->qkv_rows, m->C,
	    e) == -1 ||
	    matrix_put(p, l->out, run + w->out, m->C, m->H * m->D, e) == -1 ||
	    matrix_put(p, l->up, run + w->up, p->w->up_rows, m->C, e) == -1 ||
	    matrix_put(p, l->down, run + w->down, m->C, m->F, e) == -1)
		return -1;
	return 0;
}

struct predict *
predict_open(struct arena *a, struct device *d, const struct weights *w,
    const real *run, size_t slots, size_t places, size_t rows,
    size_t wanted, struct err *e)
{
	struct predict *p = arena_alloc(a, sizeof(*p));
	const struct shape *m = &w->shape;
	real *table;

	p->device = d;
	p->w = w;
	p->slots = slots;
	p->places = places < m->T ? places : m->T;
	p->rows = rows;
	p->wanted = wanted;
	p->layer = arena_array(a, m->L, sizeof(*p->layer));
	slab_init(&p->slab, a, d);
	if (predict_want(p, e) == -1)
		return NULL;
	for (size_t i = 0; i < m->L; i++)
		if (layer_put(p, i, run, e) == -1)
			return NULL;
	vector_put(p, p->token, run, w->token, m->V * m->C);
	vector_put(p, p->place, run, w->place, m->T * m->C);
	vector_put(p, p->norm, run, w->norm, m->C);
	vector_put(p, p->norm_b, run, w->norm_b, m->C);
	if (matrix_put(p, p->head, run + w->head, m->V, m->C, e) == -1)
		return NULL;
	table = arena_array(a, p->places * m->D, sizeof(*table));
	rope_table(m, p->places, table);
	vector_put(p, p->rope, table, 0, p->places * m->D);
	return p;
}

static void
norm(struct predict *p, real *y, const real *x, const real *w, const real *b,
    size_t R)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;

	if (m->family == FAMILY_GPT2)
		k->layernorm(p->device->dev, y, p->spare, p->spare + p->rows,
		    x, w, b, R, m->C, m->eps);
	else
		k->rmsnorm(p->device->dev, y, p->spare, x, w, R, m->C,
		    m->eps);
}

static void
linear(struct predict *p, real *y, const real *x, const void *w,
    const real *b, size_t R, size_t N, size_t K)
{
	p->device->k->product(p->device->dev, y, x, w, R, N, K);
	if (b != NULL)
		p->device->k->bias(p->device->dev, y, b, R, N);
}

/* layer_run - n rows through one layer; x is the residual stream */
static void
layer_run(struct predict *p, const struct predict_layer *l, size_t n)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;
	size_t q = m->H * m->D, kv = m->G * m->D, wide = p->w->qkv_rows;
	struct kernel_heads heads = { .H = m->H, .G = m->G, .D = m->D,
	    .q = wide };

	norm(p, p->n, p->x, l->norm1, l->norm1_b, n);
	linear(p, p->qkv, p->n, l->qkv, l->qkv_b, n, wide, m->C);
	if (m->family == FAMILY_LLAMA)
		k->rope(dev, p->qkv, p->rope, p->pos, n, wide, m->H + m->G,
		    m->D, m->D, 0);
	k->store(dev, l->cache, p->qkv + q, p->qkv + q + kv, p->slot, p->pos,
	    n, wide, kv, p->places);
	k->look(dev, p->att, p->qkv, l->cache, p->slot, p->pos, n, &heads,
	    p->places);
	linear(p, p->n, p->att, l->out, l->out_b, n, m->C, q);
	k->add(dev, p->x, p->n, n * m->C);
	norm(p, p->n, p->x, l->norm2, l->norm2_b, n);
	linear(p, p->up, p->n, l->up, l->up_b, n, p->w->up_rows, m->C);
	if (m->family == FAMILY_GPT2)
		k->act(dev, p->act, p->up, n * m->F, ACT_GELU);
	else
		k->glu(dev, p->act, p->up, n, m->F, ACT_SILU);
	linear(p, p->n, p->act, l->down, l->down_b, n, m->C, m->F);
	k->add(dev, p->x, p->n, n * m->C);
}

/* predict_body - all layers, then the logits of the wanted rows */
static void
predict_body(struct predict *p, const struct predict_rows *r)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;

	k->put(dev, p->id, r->id, r->n * sizeof(*p->id));
	k->put(dev, p->slot, r->slot, r->n * sizeof(*p->slot));
	k->put(dev, p->pos, r->pos, r->n * sizeof(*p->pos));
	k->embed(dev, p->x, p->token, p->place, p->id, p->pos, r->n, m->C);
	for (size_t i = 0; i < m->L; i++)
		layer_run(p, &p->layer[i], r->n);
	if (r->nwant == 0)
		return;
	/* rows of x, looked up as a table */
	k->put(dev, p->want, r->want, r->nwant * sizeof(*p->want));
	k->embed(dev, p->picked, p->x, NULL, p->want, NULL, r->nwant, m->C);
	norm(p, p->n, p->picked, p->norm, p->norm_b, r->nwant);
	k->product(dev, p->logits, p->n, p->head, r->nwant, m->V, m->C);
}

void
predict_logits(struct predict *p, const struct predict_rows *r, real *logits)
{
	predict_body(p, r);
	if (r->nwant > 0)
		p->device->k->get(p->device->dev, logits, p->logits,
		    r->nwant * p->w->shape.V * sizeof(*logits));
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
	    p->w->shape.V, 0, 0);
	k->get(dev, loss, p->loss, r->nwant * sizeof(*loss));
}
