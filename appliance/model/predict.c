/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/predict_experts.h"

/* vector_want - a small parameter, if the shape has it */
static void
vector_want(struct predict *p, size_t at, size_t n, real **where)
{
	*where = NULL;
	if (at != NO_WEIGHT)
		slab_reals(&p->slab, "weights", n, where);
}

void
predict_matrix_want(struct predict *p, size_t rows, size_t cols, void **where)
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
	vector_want(p, w->q_norm, m->D, &l->q_norm);
	vector_want(p, w->k_norm, m->D, &l->k_norm);
	vector_want(p, w->post1, m->C, &l->post1);
	vector_want(p, w->post2, m->C, &l->post2);
	predict_matrix_want(p, p->w->qkv_rows, m->C, &l->qkv);
	predict_matrix_want(p, m->C, m->H * m->D, &l->out);
	if (m->sparse[i])
		predict_experts_want(p, p->slab.arena, i);
	else {
		predict_matrix_want(p, p->w->up_rows, m->C, &l->up);
		predict_matrix_want(p, m->C, m->F, &l->down);
	}
	slab_reals(&p->slab, "cache", p->slots * p->places * 2 * m->G *
	    m->D, &l->cache);
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
	vector_want(p, p->w->place, (m->place_skip + m->T) * m->C, &p->place);
	vector_want(p, p->w->norm, m->C, &p->norm);
	vector_want(p, p->w->norm_b, m->C, &p->norm_b);
	predict_matrix_want(p, m->V, m->C, &p->head);
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

static void
vector_put(struct predict *p, real *to, const real *run, size_t at, size_t n)
{
	if (to != NULL)
		p->device->k->put(p->device->dev, to, run + at,
		    n * sizeof(*to));
}

/* pack reads the device's memory: the matrix goes there first */
int
predict_matrix_put(struct predict *p, void *to, const real *from, size_t rows,
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
	vector_put(p, l->q_norm, run, w->q_norm, m->D);
	vector_put(p, l->k_norm, run, w->k_norm, m->D);
	vector_put(p, l->post1, run, w->post1, m->C);
	vector_put(p, l->post2, run, w->post2, m->C);
	if (predict_matrix_put(p, l->qkv, run + w->qkv, p->w->qkv_rows, m->C,
	    e) == -1 || predict_matrix_put(p, l->out, run + w->out, m->C,
	    m->H * m->D, e) == -1)
		return -1;
	if (m->sparse[i])
		return predict_experts_put(p, i, run, e);
	return predict_matrix_put(p, l->up, run + w->up, p->w->up_rows, m->C,
	    e) == -1 || predict_matrix_put(p, l->down, run + w->down, m->C,
	    m->F, e) == -1 ? -1 : 0;
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
	vector_put(p, p->place, run, w->place, (m->place_skip + m->T) * m->C);
	vector_put(p, p->norm, run, w->norm, m->C);
	vector_put(p, p->norm_b, run, w->norm_b, m->C);
	if (predict_matrix_put(p, p->head, run + w->head, m->V, m->C, e) == -1)
		return NULL;
	table = arena_array(a, p->places * m->turned + 1, sizeof(*table));
	rope_table(&m->rope, m->turned, p->places, table);
	vector_put(p, p->rope, table, 0, p->places * m->turned);
	if (m->two_ropes) {
		rope_table(&m->local_rope, m->turned, p->places, table);
		vector_put(p, p->local_rope, table, 0, p->places * m->turned);
	}
	return p;
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

static void
linear(struct predict *p, real *y, const real *x, const void *w,
    const real *b, size_t R, size_t N, size_t K)
{
	p->device->k->product(p->device->dev, y, x, w, R, N, K);
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
	    .scale = m->score_scale, .cap = m->score_cap };

	linear(p, p->qkv, p->n, l->qkv, l->qkv_b, n, wide, m->C);
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
	k->store(dev, l->cache, p->qkv + q, p->qkv + q + kv, p->slot, p->pos,
	    n, wide, kv, p->places);
	k->look(dev, p->att, p->qkv, l->cache, p->slot, p->pos, n, &heads,
	    p->places);
	linear(p, p->n, p->att, l->out, l->out_b, n, m->C, q);
	if (m->post_norms)
		norm(p, p->n, p->n, l->post1, NULL, n);
}

/* mlp_run - the same of the MLP */
static void
mlp_run(struct predict *p, const struct predict_layer *l, size_t n)
{
	const struct kernels *k = p->device->k;
	const struct shape *m = &p->w->shape;
	void *dev = p->device->dev;

	if (l->router != NULL) {
		predict_experts_run(p, l, n);
		return;
	}
	linear(p, p->up, p->n, l->up, l->up_b, n, p->w->up_rows, m->C);
	if (m->gated)
		k->glu(dev, p->act, p->up, n, m->F, m->act);
	else
		k->act(dev, p->act, p->up, n * m->F, m->act);
	linear(p, p->n, p->act, l->down, l->down_b, n, m->C, m->F);
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
	mlp_run(p, l, n);
	k->add(p->device->dev, p->x, p->n, n * m->C);
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
	k->embed(dev, p->x, p->token, p->place == NULL ? NULL : p->place +
	    m->place_skip * m->C, p->id, p->pos, r->n, m->C);
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
	k->product(dev, p->logits, p->n, p->head, r->nwant, m->V, m->C);
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
