/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's parameters: where they are, and how they get there */
#include "appliance/base/base.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/encoder.h"
#include "appliance/model/t5.h"

/* number - of the weights' run, in one that has some parameters only */
static real *
number(const struct decoder *d, real *run, const size_t *where, size_t at)
{
	size_t i;

	if (at == NO_WEIGHT)
		return NULL;
	i = weights_find(d->w, at);
	return where[i] == NO_WEIGHT ? NULL :
	    run + where[i] + (at - d->w->v[i].at);
}

real *
decoder_param(const struct decoder *d, size_t at)
{
	return number(d, d->run, d->run_at, at);
}

real *
decoder_grad(const struct decoder *d, size_t at)
{
	return number(d, d->grad, d->grad_at, at);
}

static void
norms_of(const struct decoder *d, const struct linear *l)
{
	linear_norms(d->device, l, &d->work);
}

/* linears_each - f for every linear layer there is */
static void
linears_each(const struct decoder *d, void (*f)(const struct decoder *,
    const struct linear *))
{
	for (size_t i = 0; i < d->w->shape.L; i++) {
		const struct decoder_layer *l = &d->layer[i];
		const struct experts_to *t = l->to_experts;

		f(d, &l->to_qkv);
		f(d, &l->to_out);
		if (l->cross != NULL) {
			f(d, &l->cross->to_q);
			f(d, &l->cross->to_kv);
			f(d, &l->cross->to_out);
		}
		if (t == NULL) {
			f(d, &l->to_up);
			f(d, &l->to_down);
			continue;
		}
		f(d, &t->router);
		for (size_t e = 0; e < d->w->shape.E; e++) {
			f(d, &t->up[e]);
			f(d, &t->down[e]);
		}
		f(d, &t->shared_gate);
		f(d, &t->shared_up);
		f(d, &t->shared_down);
	}
	if (d->encoder != NULL)
		f(d, &d->encoder->to_dense);
	f(d, &d->to_head);
}

/* magnitudes_of - m from the lengths of the rows */
static void
magnitudes_of(const struct decoder *d, const struct linear *l)
{
	const struct kernels *k = d->device->k;

	for (size_t i = 0; i < l->nlora; i++)
		if (l->lora[i].dora)
			k->mix(d->device->dev, d->arun + (l->lora[i].m -
			    d->arun), 0, l->lora[i].norm, 1, l->lora[i].rows);
}

void
decoder_norms(const struct decoder *d)
{
	linears_each(d, norms_of);
}

void
decoder_magnitudes(const struct decoder *d)
{
	linears_each(d, norms_of);
	linears_each(d, magnitudes_of);
}

/* piece_put - one tensor's numbers, held or as reals */
static void
piece_put(void *arg, size_t i, const struct piece *p, const float *x)
{
	const struct decoder *d = arg;
	const struct kernels *k = d->device->k;
	size_t n = (p->rows == 0 ? 1 : p->rows) * p->cols, here;
	real some[512];

	if (d->held != NULL && held_has(d->held, i)) {
		held_put(d->held, d->device, i, x);
		return;
	}
	for (size_t at = 0; at < n; at += here) {
		here = n - at < BASE_COUNT(some) ? n - at : BASE_COUNT(some);
		for (size_t j = 0; j < here; j++)
			some[j] = x[at + j];
		k->put(d->device->dev, decoder_param(d, p->at) + at, some,
		    here * sizeof(*some));
	}
}

int
decoder_read(struct decoder *d, const struct tensors *t, struct err *e)
{
	return weights_each(d->arena, d->w, t, piece_put, d, e);
}
