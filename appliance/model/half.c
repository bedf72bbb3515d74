/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/half.h"

#define WIDE	9			/* results of a layer at most */

struct wide {				/* one of them: [R,cols] */
	real **x;
	size_t cols;
};

/* wide_of - the results of a layer that the way back reads */
static size_t
wide_of(const struct decoder *d, struct decoder_layer *l, struct wide v[WIDE])
{
	const struct shape *m = &d->w->shape;
	size_t C = m->C, n = 0;

	v[n++] = (struct wide){ &l->norm1, C };
	v[n++] = (struct wide){ &l->qkv, d->w->qkv_rows };
	if (m->head_norms)
		v[n++] = (struct wide){ &l->normed, (m->H + m->G) * m->D };
	v[n++] = (struct wide){ &l->att, m->H * m->D };
	v[n++] = (struct wide){ &l->norm2, C };
	v[n++] = (struct wide){ &l->up, d->w->up_rows };
	v[n++] = (struct wide){ &l->act, m->F };
	if (m->post_norms) {
		v[n++] = (struct wide){ &l->post1, C };
		v[n++] = (struct wide){ &l->post2, C };
	}
	return n;
}

/* keeps - is the layer's room another's before its way back */
static bool
keeps(const struct decoder *d, size_t i)
{
	return d->half && !d->recompute && i + 1 < d->w->shape.L;
}

void
half_begin(const struct decoder *d)
{
	/* a device that does not is as right, and slower */
	if (d->half)
		(void)d->device->k->precision(d->device->dev, d->form ==
		    FORM_BF16 ? PRECISION_BF16 : PRECISION_F16);
}

void
half_end(const struct decoder *d)
{
	(void)d->device->k->precision(d->device->dev, PRECISION_F32);
}

void
half_want(const struct decoder *d, struct slab *s, size_t i)
{
	struct decoder_layer *l = &d->layer[i];
	struct wide v[WIDE];
	size_t n = wide_of(d, l, v), sum = 0;

	for (size_t k = 0; k < n; k++) {
		if (i == 0)
			slab_reals(s, "activations", d->R * v[k].cols, v[k].x);
		sum += d->R * v[k].cols;
	}
	if (keeps(d, i))
		slab_want(s, "activations in 16 bits", sum * sizeof(uint16_t),
		    (void **)&l->kept);
}

void
half_share(const struct decoder *d, size_t i)
{
	struct wide mine[WIDE], first[WIDE];
	size_t n = wide_of(d, &d->layer[i], mine);

	wide_of(d, &d->layer[0], first);
	for (size_t k = 0; k < n; k++)
		*mine[k].x = *first[k].x;
}

void
half_round(const struct decoder *d, real *x, size_t n)
{
	if (d->half)
		d->device->k->round(d->device->dev, x, x, n, d->form);
}

const real *
half_copy(const struct decoder *d, const real *x)
{
	if (!d->half)
		return x;
	d->device->k->round(d->device->dev, d->rounded, x, d->R *
	    d->w->shape.C, d->form);
	return d->rounded;
}

void
half_keep(const struct decoder *d, size_t i)
{
	struct wide v[WIDE];
	uint16_t *to = d->layer[i].kept;
	size_t n = wide_of(d, &d->layer[i], v);

	for (size_t k = 0; keeps(d, i) && k < n; k++) {
		d->device->k->narrow(d->device->dev, to, *v[k].x, d->R *
		    v[k].cols, d->form);
		to += d->R * v[k].cols;
	}
}

void
half_back(const struct decoder *d, size_t i)
{
	struct kernel_held h = { .form = d->form,
	    .data = d->layer[i].kept };
	struct wide v[WIDE];
	size_t n = wide_of(d, &d->layer[i], v);

	for (size_t k = 0; keeps(d, i) && k < n; k++) {
		d->device->k->widen(d->device->dev, *v[k].x, &h, NULL, 0,
		    d->R, v[k].cols);
		h.data = (const uint16_t *)h.data + d->R * v[k].cols;
	}
}
