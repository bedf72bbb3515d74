/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/optimise.h"

#include <math.h>

#define NEWTON_STEPS	5

static size_t
count(const struct param *p)
{
	return p->rows * p->cols;
}

static void
param_add(struct optimise *o, struct param p)
{
	o->v[o->n++] = p;
	o->all += count(&p);
}

/* params_base - the base's tensors, one by one: all, or those saved whole */
static void
params_base(struct optimise *o, const struct piece *p, size_t n)
{
	const struct weights *w = o->d->w;

	for (size_t i = 0; i < n; i++) {
		size_t rows = p[i].rows == 0 ? 1 : p[i].rows;
		bool table = p[i].at == w->token || p[i].at == w->place ||
		    p[i].at == w->head;

		param_add(o, (struct param){ .rows = rows, .cols = p[i].cols,
		    .at = p[i].at, .base = true, .decay = p[i].rows > 0,
		    .muon = o->kind == OPTIMISER_MUON && p[i].rows > 0 &&
		    !table });
	}
}

/* params_adapter - A, B and magnitude of each module */
static void
params_adapter(struct optimise *o, const struct adapter *d)
{
	bool muon = o->kind == OPTIMISER_MUON;

	for (size_t i = 0; i < d->n; i++) {
		const struct adapter_module *m = &d->v[i];

		param_add(o, (struct param){ .rows = m->r, .cols = m->cols,
		    .at = m->a, .decay = true, .muon = muon });
		param_add(o, (struct param){ .rows = m->rows, .cols = m->r,
		    .at = m->b, .decay = true, .muon = muon });
		if (m->m != NO_WEIGHT)
			param_add(o, (struct param){ .rows = 1,
			    .cols = m->rows, .at = m->m });
	}
}

void
optimise_want(struct optimise *o, struct arena *a, const struct decoder *d,
    struct slab *s)
{
	const struct adapter *x = d->adapter;
	size_t n, most = 0, side = 0, small;
	struct piece *p = weights_pieces(a, d->w, &n);

	o->d = d;
	o->v = arena_array(a, n + (x == NULL ? 0 : 3 * x->n) + 1,
	    sizeof(*o->v));
	params_base(o, x == NULL ? p : x->saved, x == NULL ? n : x->nsaved);
	if (x != NULL)
		params_adapter(o, x);
	o->g = arena_array(a, o->n + 1, sizeof(*o->g));
	for (size_t i = 0; i < o->n; i++) {
		struct param *q = &o->v[i];

		slab_reals(s, "moments", count(q), &q->m);
		if (o->kind != OPTIMISER_SGD && !q->muon)
			slab_reals(s, "moments", count(q), &q->v);
		small = q->rows < q->cols ? q->rows : q->cols;
		if (q->muon) {
			most = count(q) > most ? count(q) : most;
			side = small > side ? small : side;
		}
	}
	slab_reals(s, "moments", most, &o->x);
	slab_reals(s, "moments", most, &o->y);
	slab_reals(s, "moments", side * side, &o->a);
	slab_reals(s, "moments", side * side, &o->b);
}

void
optimise_ready(struct optimise *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct param *p = &o->v[i];

		p->p = p->base ? decoder_param(o->d, p->at) :
		    o->d->arun + p->at;
		p->g = p->base ? decoder_grad(o->d, p->at) :
		    o->d->agrad + p->at;
		o->g[i] = (struct kernel_array){ p->g, count(p) };
	}
}

double
optimise_norm(const struct optimise *o)
{
	const struct device *d = o->d->device;

	return sqrt(d->k->sumsq(d->dev, o->g, o->n));
}

/*
 * orthogonal - x becomes about the nearest matrix whose singular values are 1:
 * five steps of Newton and Schulz on the smaller side, x <- a x + (b s + c s s)
 * x with s = x x^T (or the same from the right)
 */
static void
orthogonal(const struct optimise *o, size_t rows, size_t cols)
{
	const struct device *d = o->d->device;
	const struct kernels *k = d->k;
	size_t n = rows * cols, side = rows < cols ? rows : cols;
	size_t other = rows < cols ? cols : rows;
	int tall = rows > cols;
	struct kernel_array all = { o->x, n };
	double norm = sqrt(k->sumsq(d->dev, &all, 1)) + 1e-7;

	k->mix(d->dev, o->x, 1 / norm, o->x, 0, n);
	for (int i = 0; i < NEWTON_STEPS; i++) {
		k->gemm(d->dev, tall, !tall, side, side, other, 1, o->x, o->x,
		    0, o->a);
		k->gemm(d->dev, 0, 0, side, side, side, 2.0315, o->a, o->a, 0,
		    o->b);
		k->mix(d->dev, o->b, 1, o->a, -4.7750, side * side);
		if (tall)
			k->gemm(d->dev, 0, 0, rows, cols, side, 1, o->x, o->b,
			    0, o->y);
		else
			k->gemm(d->dev, 0, 0, rows, cols, side, 1, o->b, o->x,
			    0, o->y);
		k->mix(d->dev, o->x, 3.4445, o->y, 1, n);
	}
}

/* muon_step - momentum as Nesterov has it, made orthogonal */
static void
muon_step(const struct optimise *o, const struct param *p, double lr,
    double scale)
{
	const struct device *d = o->d->device;
	const struct kernels *k = d->k;
	size_t n = count(p), most = p->rows > p->cols ? p->rows : p->cols;
	double mu = o->momentum;

	k->mix(d->dev, p->m, mu, p->g, (1 - mu) * scale, n);
	k->mix(d->dev, o->x, 0, p->g, (1 - mu) * scale, n);
	k->mix(d->dev, o->x, 1, p->m, mu, n);
	orthogonal(o, p->rows, p->cols);
	k->mix(d->dev, p->p, 1 - lr * o->weight_decay, o->x, -lr * 0.2 *
	    sqrt((double)most), n);
}

/* sgd_step - as torch.optim.SGD: decay is part of the gradient */
static void
sgd_step(const struct optimise *o, const struct param *p, double lr,
    double scale)
{
	const struct device *d = o->d->device;
	double decay = p->decay ? o->weight_decay : 0;

	d->k->mix(d->dev, p->g, scale, p->p, decay, count(p));
	d->k->mix(d->dev, p->m, o->momentum, p->g, 1, count(p));
	d->k->mix(d->dev, p->p, 1, p->m, -lr, count(p));
}

void
optimise_step(const struct optimise *o, double lr, double scale, int64_t step)
{
	const struct device *d = o->d->device;
	struct kernel_adamw w = { .lr = lr, .beta1 = o->beta1,
	    .beta2 = o->beta2, .eps = o->eps, .step = step };

	device_begin(d, GRAPH_UPDATE);
	for (size_t i = 0; i < o->n; i++) {
		const struct param *p = &o->v[i];

		if (p->muon) {
			muon_step(o, p, lr, scale);
			continue;
		}
		if (o->kind == OPTIMISER_SGD) {
			sgd_step(o, p, lr, scale);
			continue;
		}
		w.scale = scale;
		w.decay = p->decay ? o->weight_decay : 0;
		if (o->kind == OPTIMISER_ADAM) {
			d->k->mix(d->dev, p->g, scale, p->p, w.decay,
			    count(p));
			w.scale = 1;
			w.decay = 0;
		}
		d->k->adamw(d->dev, p->p, p->g, p->m, p->v, count(p), &w);
	}
	device_end(d);
}

void
optimise_clear(const struct optimise *o)
{
	const struct device *d = o->d->device;

	d->k->fill(d->dev, o->d->grad, o->d->ngrad, 0);
	if (o->d->adapter != NULL)
		d->k->fill(d->dev, o->d->agrad, o->d->adapter->all, 0);
}
