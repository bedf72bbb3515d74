/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the matrices of a model read while it reads a text.  The decoder for
 * training keeps just that for its backward pass, so nothing is computed here
 * but sums of squares.
 */
#include "appliance/base/base.h"
#include "appliance/model/decoder.h"
#include "appliance/model/prune.h"

#include <math.h>

#define INPUTS	4			/* of a layer */

struct inputs {
	struct decoder d;
	struct slab slab;
	double *sum[INPUTS];		/* [layers][channels], of squares */
	size_t wide[INPUTS];
	real *host;
};

/* inputs_open - a decoder whose weights have no gradients */
static int
inputs_open(struct inputs *x, struct arena *a, struct device *device,
    const struct weights *w, const struct tensors *t, size_t T, struct err *e)
{
	const struct shape *s = &w->shape;
	bool *frozen = arena_array(a, w->n, sizeof(*frozen));
	size_t most = 0;

	memset(frozen, 1, w->n * sizeof(*frozen));
	slab_init(&x->slab, a, device);
	decoder_want(&x->d, a, w, &x->slab, &(struct decoder_conf){ .B = 1,
	    .T = T, .frozen = frozen });
	if (slab_take(&x->slab, e) == -1)
		return -1;
	decoder_ready(&x->d);
	x->wide[0] = s->C;
	x->wide[1] = s->H * s->D;
	x->wide[2] = s->C;
	x->wide[3] = s->F;
	for (size_t i = 0; i < INPUTS; i++) {
		x->sum[i] = arena_array(a, s->L * x->wide[i],
		    sizeof(*x->sum[i]));
		most = x->wide[i] > most ? x->wide[i] : most;
	}
	x->host = arena_array(a, T * most, sizeof(*x->host));
	return decoder_read(&x->d, t, e);
}

/* inputs_add - the squares of n rows of one input */
static void
inputs_add(struct inputs *x, size_t layer, size_t input, const real *from,
    size_t n)
{
	size_t wide = x->wide[input];
	double *sum = x->sum[input] + layer * wide;
	const struct device *v = x->d.device;

	v->k->get(v->dev, x->host, from, n * wide * sizeof(*x->host));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < wide; k++)
			sum[k] += (double)x->host[i * wide + k] *
			    (double)x->host[i * wide + k];
}

/* inputs_run - the next n tokens; the places behind them do not count */
static void
inputs_run(struct inputs *x, const int32_t *id, size_t n)
{
	struct decoder *d = &x->d;
	int32_t *in = mem_alloc(d->R * sizeof(*in));
	int32_t *target = mem_alloc(d->R * sizeof(*target));

	for (size_t i = 0; i < d->R; i++) {
		in[i] = i < n ? id[i] : 0;
		target[i] = -1;
	}
	(void)decoder_run(d, in, target, 0);
	mem_free(in);
	mem_free(target);
	for (size_t i = 0; i < d->w->shape.L; i++) {
		const struct decoder_layer *l = &d->layer[i];

		inputs_add(x, i, 0, l->norm1, n);
		inputs_add(x, i, 1, l->att, n);
		inputs_add(x, i, 2, l->norm2, n);
		inputs_add(x, i, 3, l->act, n);
	}
}

int
prune_inputs(struct arena *a, struct device *device, const struct weights *w,
    const struct tensors *t, const int32_t *id, size_t n, size_t T,
    struct prune *p, struct err *e)
{
	struct inputs *x;
	struct arena *own;

	if (w->shape.E > 0)
		return err_set(e, FATE_REJECT, "the inputs of experts are not "
		    "measured: prune by magnitude");
	own = arena_new();
	x = arena_alloc(own, sizeof(*x));
	T = T < n ? T : n;
	if (inputs_open(x, own, device, w, t, T < w->shape.T ? T : w->shape.T,
	    e) == -1) {
		arena_free(own);
		return -1;
	}
	T = x->d.T;
	for (size_t i = 0; i < n; i += T)
		inputs_run(x, id + i, n - i < T ? n - i : T);
	for (size_t i = 0; i < p->n; i++) {
		struct prune_matrix *m = &p->v[i];
		float *length = arena_array(a, m->cols, sizeof(*length));

		for (size_t k = 0; k < m->cols; k++)
			length[k] = (float)sqrt(x->sum[m->input][m->layer *
			    m->cols + k]);
		m->length = length;
	}
	arena_free(own);
	return 0;
}
