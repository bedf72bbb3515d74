/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/experts.h"
#include "appliance/model/half.h"

#include <math.h>

void
experts_want(const struct decoder *d, struct slab *s,
    struct decoder_experts *x)
{
	const struct shape *m = &d->w->shape;
	const char *what = "activations";
	size_t R = d->R, n = R * m->K;

	route_new(d->arena, &x->route, R, m->E, m->K, m->norm_chosen);
	slab_reals(s, what, n, &x->weight);
	slab_ints(s, what, n, &x->row);
	slab_reals(s, what, m->SF == 0 ? 0 : R, &x->shared_weight);
}

void
experts_share(struct decoder *d, struct slab *s)
{
	const struct shape *m = &d->w->shape;
	const char *what = "activations' gradients";
	size_t R = d->R, n = R * m->K;
	size_t F = n * m->EF > R * m->SF ? n * m->EF : R * m->SF;

	d->host = arena_array(d->arena, R * m->E + n, sizeof(*d->host));
	slab_reals(s, what, R * m->E, &d->dlogits);
	slab_reals(s, what, n, &d->dweight);
	slab_reals(s, what, n * m->C, &d->dout);
	slab_reals(s, what, n * m->C, &d->din);
	slab_reals(s, what, 2 * F, &d->dups);
	slab_reals(s, what, F, &d->dacts);
}

/* choosing - routers and gates work with: their weights are not rounded, since
 * a choice that turns is far from a small change (Fedus et al. 2022) */
static struct linear_work
choosing(const struct decoder *d)
{
	struct linear_work w = d->work;

	w.half = false;
	return w;
}

/* each - of an expert's rows, if it has any: y = x w^T, or dx from dy */
static void
each(const struct decoder *d, const struct route *t, const struct linear *l,
    real *y, const real *x)
{
	for (size_t e = 0; e < t->E; e++) {
		size_t at = t->first[e], n = t->first[e + 1] - at;

		if (n > 0)
			linear_forward(d->device, &l[e], &d->work, y + at *
			    l[e].N, x + at * l[e].K, n);
	}
}

static void
each_grad(const struct decoder *d, const struct route *t,
    const struct linear *l, real *dx, const real *dy, const real *x)
{
	for (size_t e = 0; e < t->E; e++) {
		size_t at = t->first[e], n = t->first[e + 1] - at;

		if (n > 0)
			linear_backward(d->device, &l[e], &d->work, dx + at *
			    l[e].K, dy + at * l[e].N, x + at * l[e].K, n);
	}
}

/* shared_forward - added to y; dout is free meanwhile */
static void
shared_forward(const struct decoder *d, const struct decoder_layer *l, real *y)
{
	const struct decoder_experts *x = &l->experts;
	const struct experts_to *to = l->to_experts;
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	const struct shape *m = &d->w->shape;
	struct linear_work choose = choosing(d);
	size_t R = d->R;

	linear_forward(d->device, &to->shared_gate, &choose,
	    x->shared_weight, l->norm2, R);
	k->get(dev, d->host, x->shared_weight, R * sizeof(real));
	for (size_t r = 0; r < R; r++)
		d->host[r] = (real)(1 / (1 + exp(-(double)d->host[r])));
	k->put(dev, x->shared_weight, d->host, R * sizeof(real));
	linear_forward(d->device, &to->shared_up, &d->work, x->shared_up,
	    l->norm2, R);
	half_round(d, x->shared_up, R * 2 * m->SF);
	k->glu(dev, x->shared_act, x->shared_up, R, m->SF, m->act);
	half_round(d, x->shared_act, R * m->SF);
	linear_forward(d->device, &to->shared_down, &d->work, x->shared_out,
	    x->shared_act, R);
	half_round(d, x->shared_out, R * m->C);
	k->weigh(dev, d->dout, x->shared_out, x->shared_weight, R, m->C);
	k->add(dev, y, d->dout, R * m->C);
}

void
experts_forward(const struct decoder *d, struct decoder_layer *l, real *y)
{
	struct decoder_experts *x = &l->experts;
	const struct experts_to *to = l->to_experts;
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	const struct shape *m = &d->w->shape;
	struct linear_work choose = choosing(d);
	size_t R = d->R, n = R * m->K;

	linear_forward(d->device, &to->router, &choose, d->dlogits, l->norm2,
	    R);
	k->get(dev, d->host, d->dlogits, R * m->E * sizeof(real));
	route_make(&x->route, d->host, R);
	k->put(dev, x->row, x->route.row, n * sizeof(*x->row));
	k->put(dev, x->weight, x->route.weight, n * sizeof(real));
	k->embed(dev, x->in, l->norm2, NULL, x->row, NULL, n, m->C);
	each(d, &x->route, to->up, x->up, x->in);
	half_round(d, x->up, n * 2 * m->EF);
	k->glu(dev, x->act, x->up, n, m->EF, m->act);
	half_round(d, x->act, n * m->EF);
	each(d, &x->route, to->down, x->out, x->act);
	half_round(d, x->out, n * m->C);
	k->weigh(dev, d->dout, x->out, x->weight, n, m->C);
	k->fill(dev, y, R * m->C, 0);
	k->embed_grad(dev, y, NULL, d->dout, x->row, NULL, n, m->C);
	if (m->SF > 0)
		shared_forward(d, l, y);
}

/* shared_backward - added to dn; din is free again */
static void
shared_backward(const struct decoder *d, const struct decoder_layer *l,
    const real *dy)
{
	const struct decoder_experts *x = &l->experts;
	const struct experts_to *to = l->to_experts;
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	const struct shape *m = &d->w->shape;
	struct linear_work choose = choosing(d);
	size_t R = d->R;
	real *gate = d->host + R;

	k->weigh_grad(dev, d->dout, d->dweight, dy, x->shared_out,
	    x->shared_weight, R, m->C);
	k->get(dev, d->host, d->dweight, R * sizeof(real));
	k->get(dev, gate, x->shared_weight, R * sizeof(real));
	for (size_t r = 0; r < R; r++)
		d->host[r] *= gate[r] * (1 - gate[r]);
	k->put(dev, d->dweight, d->host, R * sizeof(real));
	linear_backward(d->device, &to->shared_gate, &choose, d->din,
	    d->dweight, l->norm2, R);
	k->add(dev, d->dn, d->din, R * m->C);
	half_round(d, d->dout, R * m->C);
	linear_backward(d->device, &to->shared_down, &d->work, d->dacts,
	    d->dout, x->shared_act, R);
	k->glu_grad(dev, d->dups, d->dacts, x->shared_up, R, m->SF, m->act);
	half_round(d, d->dups, R * 2 * m->SF);
	linear_backward(d->device, &to->shared_up, &d->work, d->din, d->dups,
	    l->norm2, R);
	k->add(dev, d->dn, d->din, R * m->C);
}

void
experts_backward(const struct decoder *d, const struct decoder_layer *l,
    const real *dy)
{
	const struct decoder_experts *x = &l->experts;
	const struct experts_to *to = l->to_experts;
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	const struct shape *m = &d->w->shape;
	struct linear_work choose = choosing(d);
	size_t R = d->R, n = R * m->K;
	real *dweight = d->host + R * m->E;

	k->embed(dev, d->dout, dy, NULL, x->row, NULL, n, m->C);
	k->weigh_grad(dev, d->dout, d->dweight, d->dout, x->out, x->weight, n,
	    m->C);
	half_round(d, d->dout, n * m->C);
	each_grad(d, &x->route, to->down, d->dacts, d->dout, x->act);
	k->glu_grad(dev, d->dups, d->dacts, x->up, n, m->EF, m->act);
	half_round(d, d->dups, n * 2 * m->EF);
	each_grad(d, &x->route, to->up, d->din, d->dups, x->in);
	k->get(dev, dweight, d->dweight, n * sizeof(real));
	route_grad(&x->route, dweight, d->host, R);
	k->put(dev, d->dlogits, d->host, R * m->E * sizeof(real));
	linear_backward(d->device, &to->router, &choose, d->dn, d->dlogits,
	    l->norm2, R);
	k->embed_grad(dev, d->dn, NULL, d->din, x->row, NULL, n, m->C);
	if (m->SF > 0)
		shared_backward(d, l, dy);
}
