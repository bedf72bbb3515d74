/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/half.h"
#include "appliance/model/t5.h"

#define WIDE	16			/* results of a layer at most */

struct wide {				/* one of them: [rows,cols] */
	real **x;
	size_t rows, cols;
};

struct wides {
	size_t n;
	struct wide v[WIDE];
};

static void
wide_add(struct wides *w, real **x, size_t rows, size_t cols)
{
	w->v[w->n++] = (struct wide){ x, rows, cols };
}

/* add_experts - of an MLP of experts: each row is read K times */
static void
add_experts(const struct decoder *d, struct decoder_experts *x,
    struct wides *w)
{
	const struct shape *m = &d->w->shape;
	size_t R = d->R, n = R * m->K;

	wide_add(w, &x->in, n, m->C);
	wide_add(w, &x->up, n, 2 * m->EF);
	wide_add(w, &x->act, n, m->EF);
	wide_add(w, &x->out, n, m->C);
	if (m->SF == 0)
		return;
	wide_add(w, &x->shared_up, R, 2 * m->SF);
	wide_add(w, &x->shared_act, R, m->SF);
	wide_add(w, &x->shared_out, R, m->C);
}

static void
add_cross(const struct decoder *d, struct cross *x, struct wides *w)
{
	size_t R = d->t5->R, in = d->w->shape.H * d->w->shape.D;

	wide_add(w, &x->norm, R, d->w->shape.C);
	wide_add(w, &x->q, R, in);
	wide_add(w, &x->kv, d->R, 2 * in);
	wide_add(w, &x->att, R, in);
}

/* kinds - of the MLPs of layer i, or of all layers */
static void
kinds(const struct shape *m, size_t i, bool all, bool *dense, bool *sparse)
{
	*dense = !m->sparse[i];
	*sparse = m->sparse[i];
	for (size_t k = 0; all && k < m->L; k++) {
		*dense |= !m->sparse[k];
		*sparse |= m->sparse[k];
	}
}

/* wides_of - the results of layer i that the way back reads; all: with those
 * that other layers have instead */
static struct wides
wides_of(const struct decoder *d, size_t i, bool all)
{
	const struct shape *m = &d->w->shape;
	struct decoder_layer *l = &d->layer[i];
	size_t R = m->seq2seq && i >= m->LE ? d->t5->R : d->R;
	struct wides w = { 0 };
	bool dense, sparse;

	kinds(m, i, all, &dense, &sparse);
	wide_add(&w, &l->qkv, R, d->w->qkv_rows);
	wide_add(&w, &l->att, R, m->H * m->D);
	if (!m->encoder) {		/* which reads the rows themselves */
		wide_add(&w, &l->norm1, R, m->C);
		wide_add(&w, &l->norm2, R, m->C);
	}
	if (m->head_norms)
		wide_add(&w, &l->normed, R, (m->H + m->G) * m->D);
	if (dense) {
		wide_add(&w, &l->up, R, d->w->up_rows);
		wide_add(&w, &l->act, R, m->F);
	}
	if (sparse)
		add_experts(d, &l->experts, &w);
	if (m->post_norms) {
		wide_add(&w, &l->post1, R, m->C);
		wide_add(&w, &l->post2, R, m->C);
	}
	if (l->cross != NULL)
		add_cross(d, l->cross, &w);
	return w;
}

/* first_of - the layer whose room layer i shares */
static size_t
first_of(const struct decoder *d, size_t i)
{
	const struct shape *m = &d->w->shape;

	return m->seq2seq && i >= m->LE ? m->LE : 0;
}

/* keeps - is the layer's room another's before its way back */
static bool
keeps(const struct decoder *d, size_t i)
{
	const struct shape *m = &d->w->shape;

	return d->half && !d->stored && !d->recompute && i + 1 < m->L &&
	    !(m->seq2seq && i + 1 == m->LE);
}

/* precision_of - that products compute with */
static enum kernel_precision
precision_of(enum kernel_form form)
{
	return form == FORM_BF16 ? PRECISION_BF16 : PRECISION_F16;
}

bool
half_stores(const struct device *v, enum kernel_form form)
{
	if (v->k->halves == NULL || v->k->precision(v->dev,
	    precision_of(form)) == -1)
		return false;
	(void)v->k->precision(v->dev, PRECISION_F32);
	return true;
}

void
half_reals(const struct decoder *d, struct slab *s, const char *what,
    size_t n, real **where)
{
	if (d->stored)
		slab_halves(s, what, n, d->form, where);
	else
		slab_reals(s, what, n, where);
}

void
half_begin(const struct decoder *d)
{
	/* a device that does not is as right, and slower */
	if (d->half)
		(void)d->device->k->precision(d->device->dev,
		    precision_of(d->form));
}

void
half_end(const struct decoder *d)
{
	(void)d->device->k->precision(d->device->dev, PRECISION_F32);
}

void
half_want(const struct decoder *d, struct slab *s, size_t i)
{
	bool shared = (d->half && !d->stored) || d->recompute;
	bool first = i == first_of(d, i);
	struct wides room = wides_of(d, i, shared), w = wides_of(d, i, false);
	size_t sum = 0;

	for (size_t k = 0; (!shared || first) && k < room.n; k++)
		half_reals(d, s, d->stored ? "activations in 16 bits" :
		    "activations", room.v[k].rows * room.v[k].cols,
		    room.v[k].x);
	for (size_t k = 0; k < w.n; k++)
		sum += w.v[k].rows * w.v[k].cols;
	if (keeps(d, i))
		slab_want(s, "activations in 16 bits", sum * sizeof(uint16_t),
		    (void **)&d->layer[i].kept);
}

void
half_share(const struct decoder *d, size_t i)
{
	struct wides mine = wides_of(d, i, true);
	struct wides first = wides_of(d, first_of(d, i), true);

	for (size_t k = 0; k < mine.n; k++)
		*mine.v[k].x = *first.v[k].x;
}

void
half_round(const struct decoder *d, real *x, size_t n)
{
	if (d->half)
		d->device->k->round(d->device->dev, x, x, n, d->form);
}

const real *
half_copy(const struct decoder *d, const real *x, size_t R)
{
	if (!d->half)
		return x;
	d->device->k->round(d->device->dev, d->rounded, x, R *
	    d->w->shape.C, d->form);
	return d->rounded;
}

void
half_keep(const struct decoder *d, size_t i)
{
	uint16_t *to = d->layer[i].kept;
	struct wides w = wides_of(d, i, false);

	for (size_t k = 0; keeps(d, i) && k < w.n; k++) {
		size_t n = w.v[k].rows * w.v[k].cols;

		d->device->k->narrow(d->device->dev, to, *w.v[k].x, n,
		    d->form);
		to += n;
	}
}

void
half_back(const struct decoder *d, size_t i)
{
	struct kernel_held h = { .form = d->form,
	    .data = d->layer[i].kept };
	struct wides w = wides_of(d, i, false);

	for (size_t k = 0; keeps(d, i) && k < w.n; k++) {
		d->device->k->widen(d->device->dev, *w.v[k].x, &h, NULL, 0,
		    w.v[k].rows, w.v[k].cols);
		h.data = (const uint16_t *)h.data + w.v[k].rows *
		    w.v[k].cols;
	}
}
