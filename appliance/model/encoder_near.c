/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention of encoders with a bias of relative positions (MPNet, Song et al.
 * 2020; the buckets are T5's): each text's scores are there as a whole, so that
 * texts side by side cost no more than apart.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/dropout.h"
#include "appliance/model/encoder.h"
#include "appliance/model/t5.h"

#include <math.h>

void
near_want(struct decoder *d, struct slab *s)
{
	const struct shape *m = &d->w->shape;
	struct encoder *x = d->encoder;
	size_t n = d->T < m->T ? d->T : m->T;

	x->longest = n;
	x->text = arena_array(d->arena, d->R, sizeof(*x->text));
	slab_ints(s, "positions", d->R, &x->rows);
	slab_ints(s, "positions", n, &x->zero);
	slab_ints(s, "positions", 2 * n, &x->bucket);
	slab_reals(s, "activations", m->H * n * n, &x->p);
	slab_reals(s, "activations' gradients", m->H * n * n, &x->dp);
}

void
near_ready(const struct decoder *d)
{
	const struct shape *m = &d->w->shape;
	const struct kernels *k = d->device->k;
	struct encoder *x = d->encoder;
	int64_t n = (int64_t)x->longest;
	int32_t *v = mem_alloc(2 * x->longest * sizeof(*v));

	memset(v, 0, x->longest * sizeof(*v));
	k->put(d->device->dev, x->zero, v, x->longest * sizeof(*v));
	for (int64_t i = 0; i < 2 * n - 1; i++)
		v[i] = t5_bucket(i - n + 1, true, m->buckets, m->far);
	k->put(d->device->dev, x->bucket, v, (2 * x->longest - 1) *
	    sizeof(*v));
	mem_free(v);
}

void
near_texts(const struct decoder *d, const int32_t *from, const int32_t *to)
{
	struct encoder *x = d->encoder;
	int32_t *rows = mem_alloc(d->R * sizeof(*rows));
	size_t n;

	x->ntexts = 0;
	for (size_t r = 0; r < d->R; r += n) {
		n = (size_t)to[r] - (from == NULL ? 0 : (size_t)from[r]);
		x->text[x->ntexts++] = (struct encoder_text){ r, n };
		for (size_t i = r; i < r + n; i++)
			rows[i] = (int32_t)n;
	}
	d->device->k->put(d->device->dev, x->rows, rows, d->R *
	    sizeof(*rows));
	mem_free(rows);
}

/* heads_of - text t of layer i, in whose rows query, key and value lie beside
 * one another */
static struct t5_heads
heads_of(const struct decoder *d, size_t i, const struct encoder_text *t)
{
	const struct shape *m = &d->w->shape;
	const struct encoder *x = d->encoder;
	const real *qkv = d->layer[i].qkv + t->row * 3 * m->C;

	if (t->n > x->longest)
		panic("a text of %zu rows, room for %zu", t->n, x->longest);
	return (struct t5_heads){ .B = 1, .T = t->n, .K = t->n, .q = qkv,
	    .k = qkv + m->C, .v = qkv + 2 * m->C, .qs = 3 * m->C,
	    .ks = 3 * m->C, .scale = 1 / sqrt((double)m->D), .from = x->zero,
	    .to = x->rows + t->row, .bucket = x->bucket + x->longest - t->n,
	    .near = d->w->near[0], .layer = i, .first = (d->work.row +
	    t->row) * m->H * x->longest, .p = x->p, .dp = x->dp };
}

void
near_attend(const struct decoder *d, size_t i)
{
	const struct encoder *x = d->encoder;

	for (size_t t = 0; t < x->ntexts; t++) {
		struct t5_heads h = heads_of(d, i, &x->text[t]);

		t5_attend(d, &h, d->layer[i].att + x->text[t].row *
		    d->w->shape.C);
	}
}

void
near_attend_grad(const struct decoder *d, size_t i)
{
	const struct encoder *x = d->encoder;
	size_t C = d->w->shape.C;

	for (size_t t = 0; t < x->ntexts; t++) {
		struct t5_heads h = heads_of(d, i, &x->text[t]);
		real *dq = d->dqkv + x->text[t].row * 3 * C;

		t5_attend_grad(d, &h, dq, dq + C, dq + 2 * C, d->datt +
		    x->text[t].row * C);
	}
}
