/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/predict_experts.h"
#include "appliance/model/predict_weights.h"

#include <math.h>

void
predict_experts_share(struct predict *p, struct arena *a)
{
	const struct shape *m = &p->w->shape;
	size_t R = p->rows, n = R * m->K;
	struct predict_experts *x = arena_alloc(a, sizeof(*x));

	p->experts = x;
	route_new(a, &x->route, R, m->E, m->K, m->norm_chosen);
	x->host = arena_array(a, R * m->E, sizeof(*x->host));
	slab_reals(&p->slab, "rows", R * m->E, &x->logits);
	slab_reals(&p->slab, "rows", n, &x->weight);
	slab_ints(&p->slab, "rows", n, &x->row);
	slab_reals(&p->slab, "rows", n * m->C, &x->in);
	slab_reals(&p->slab, "rows", n * 2 * m->EF, &x->up);
	slab_reals(&p->slab, "rows", n * m->EF, &x->act);
	slab_reals(&p->slab, "rows", R * m->C, &x->sum);
	slab_reals(&p->slab, "rows", R * 2 * m->SF, &x->shared_up);
	slab_reals(&p->slab, "rows", R * m->SF, &x->shared_act);
}

void
predict_experts_want(struct predict *p, struct arena *a, size_t layer)
{
	const struct shape *m = &p->w->shape;
	struct predict_layer *l = &p->layer[layer];

	/* which experts are chosen hangs on little: floats */
	predict_matrix_want(p, PACKED_F32, m->E, m->C, &l->router);
	l->ups = arena_array(a, m->E, sizeof(*l->ups));
	l->downs = arena_array(a, m->E, sizeof(*l->downs));
	for (size_t e = 0; e < m->E; e++) {
		predict_matrix_want(p, p->form, 2 * m->EF, m->C, &l->ups[e]);
		predict_matrix_want(p, p->form, m->C, m->EF, &l->downs[e]);
	}
	if (m->SF == 0)
		return;
	predict_matrix_want(p, p->form, 1, m->C, &l->shared_gate);
	predict_matrix_want(p, p->form, 2 * m->SF, m->C, &l->shared_up);
	predict_matrix_want(p, p->form, m->C, m->SF, &l->shared_down);
}

int
predict_experts_put(struct predict_fill *f, size_t layer, struct err *e)
{
	const struct shape *m = &f->p->w->shape;
	const struct layer *w = &f->p->w->layer[layer];
	struct predict_layer *l = &f->p->layer[layer];
	size_t C = m->C, up = 2 * m->EF, F = m->EF;
	enum packed_form form = f->p->form;

	if (predict_matrix_put(f, PACKED_F32, l->router, w->router, m->E, C,
	    e) == -1)
		return -1;
	for (size_t i = 0; i < m->E; i++)
		if (predict_matrix_put(f, form, l->ups[i], w->ups + i * up * C,
		    up, C, e) == -1 || predict_matrix_put(f, form,
		    l->downs[i], w->downs + i * C * F, C, F, e) == -1)
			return -1;
	if (m->SF == 0)
		return 0;
	return predict_matrix_put(f, form, l->shared_gate, w->shared_gate, 1,
	    C, e) == -1 || predict_matrix_put(f, form, l->shared_up,
	    w->shared_up, 2 * m->SF, C, e) == -1 || predict_matrix_put(f,
	    form, l->shared_down, w->shared_down, C, m->SF, e) == -1 ? -1 : 0;
}

/* each - of an expert's rows, if it has any */
static void
each(struct predict *p, void *const *w, real *y, const real *x, size_t N,
    size_t K)
{
	const struct route *t = &p->experts->route;

	for (size_t e = 0; e < t->E; e++) {
		size_t at = t->first[e], n = t->first[e + 1] - at;

		if (n > 0)
			packed_product(p->device, p->form, y + at * N, x +
			    at * K, w[e], n, N, K);
	}
}

/* shared_run - what is for all rows, added to sum; in is free meanwhile */
static void
shared_run(struct predict *p, const struct predict_layer *l, size_t n)
{
	const struct kernels *k = p->device->k;
	void *dev = p->device->dev;
	const struct shape *m = &p->w->shape;
	struct predict_experts *x = p->experts;

	packed_product(p->device, p->form, x->weight, p->n, l->shared_gate, n,
	    1, m->C);
	k->get(dev, x->host, x->weight, n * sizeof(real));
	for (size_t r = 0; r < n; r++)
		x->host[r] = (real)(1 / (1 + exp(-(double)x->host[r])));
	k->put(dev, x->weight, x->host, n * sizeof(real));
	packed_product(p->device, p->form, x->shared_up, p->n, l->shared_up, n,
	    2 * m->SF, m->C);
	k->glu(dev, x->shared_act, x->shared_up, n, m->SF, m->act);
	packed_product(p->device, p->form, x->in, x->shared_act,
	    l->shared_down, n, m->C, m->SF);
	k->weigh(dev, x->in, x->in, x->weight, n, m->C);
	k->add(dev, x->sum, x->in, n * m->C);
}

void
predict_experts_run(struct predict *p, const struct predict_layer *l, size_t n)
{
	const struct kernels *k = p->device->k;
	void *dev = p->device->dev;
	const struct shape *m = &p->w->shape;
	struct predict_experts *x = p->experts;
	size_t all = n * m->K, C = m->C;

	k->product(dev, x->logits, p->n, l->router, n, m->E, C);
	k->get(dev, x->host, x->logits, n * m->E * sizeof(real));
	route_make(&x->route, x->host, n);
	k->put(dev, x->row, x->route.row, all * sizeof(*x->row));
	k->put(dev, x->weight, x->route.weight, all * sizeof(real));
	k->embed(dev, x->in, p->n, NULL, x->row, NULL, all, C);
	each(p, l->ups, x->up, x->in, 2 * m->EF, C);
	k->glu(dev, x->act, x->up, all, m->EF, m->act);
	each(p, l->downs, x->in, x->act, C, m->EF);
	k->weigh(dev, x->in, x->in, x->weight, all, C);
	k->fill(dev, x->sum, n * C, 0);
	k->embed_grad(dev, x->sum, NULL, x->in, x->row, NULL, all, C);
	if (m->SF > 0)
		shared_run(p, l, n);
	k->mix(dev, p->n, 0, x->sum, 1, n * C);
}
