/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/linear.h"
#include "appliance/model/random.h"

/* has_dora - has any of its adapters a magnitude */
static bool
has_dora(const struct linear *l)
{
	for (size_t i = 0; i < l->nlora; i++)
		if (l->lora[i].dora)
			return true;
	return false;
}

void
linear_want(struct linear *l, struct slab *s, size_t R)
{
	const char *what = "activations";

	l->rank = 0;
	for (size_t i = 0; i < l->nlora; i++) {
		struct lora *o = &l->lora[i];

		l->rank += o->r;
		if (!o->dora)
			continue;
		slab_reals(s, what, o->rows, &o->norm);
		slab_reals(s, what, R * o->rows, &o->u);
	}
	if (l->rank > 0)
		slab_reals(s, what, R * l->rank, &l->h);
}

/* tile_rows - of a held weight that are made reals at once; a GPU that stores
 * them in 16 bits is to have enough to do */
static size_t
tile_rows(const struct linear *l, const struct linear_work *w)
{
	size_t n = (w->stored ? 16 : 1) * LINEAR_TILE / l->K;

	n = n < 1 ? 1 : n;
	return n < l->N ? n : l->N;
}

/* as_it_lies - may the device multiply a held part where it is */
static bool
as_it_lies(const struct linear_part *p, const struct linear_work *w)
{
	return w->stored && p->held->form == w->form;
}

/* tiled - does a weight need room for a tile */
static bool
tiled(const struct linear *l, const struct linear_work *w)
{
	for (size_t i = 0; i < l->nparts; i++)
		if (!as_it_lies(&l->part[i], w))
			return true;
	return w->half;
}

void
linear_work_grow(struct linear_work *w, const struct linear *l)
{
	size_t tile = tiled(l, w) ? tile_rows(l, w) * l->K : 0;

	w->tile = tile > w->tile ? tile : w->tile;
	if (l->nlora == 0)
		return;
	w->K = l->K > w->K ? l->K : w->K;
	w->rank = l->rank > w->rank ? l->rank : w->rank;
	if (has_dora(l) && l->N > w->N)
		w->N = l->N;
}

void
linear_work_want(struct linear_work *w, struct slab *s, size_t R)
{
	const char *what = "activations' gradients";

	slab_reals(s, what, w->dropout > 0 ? R * w->K : 0, &w->x);
	slab_reals(s, what, R * w->rank, &w->dh);
	slab_reals(s, what, R * w->N, &w->dy);
	if (w->stored)
		slab_halves(s, what, w->tile, w->form, &w->wide);
	else
		slab_reals(s, what, w->tile, &w->wide);
}

/* tile_half - w's rows rounded to 16 bits */
static const real *
tile_half(const struct device *d, const struct linear *l,
    const struct linear_work *w, const real *x, size_t n)
{
	d->k->round(d->dev, w->wide, x, n * l->K, w->form);
	return w->wide;
}

/* tile - w from row `at` on, as reals: *n rows, end at most.  All of a weight
 * that is neither held nor rounded is one tile */
static const real *
tile(const struct device *d, const struct linear *l,
    const struct linear_work *w, size_t at, size_t end, size_t *n)
{
	const struct linear_part *p = l->part;
	size_t most = tile_rows(l, w);

	if (p == NULL) {
		*n = end - at;
		if (!w->half)
			return l->w + at * l->K;
		*n = *n < most ? *n : most;
		return tile_half(d, l, w, l->w + at * l->K, *n);
	}
	while (at >= p->row + p->rows)
		p++;
	*n = p->row + p->rows < end ? p->row + p->rows - at : end - at;
	if (as_it_lies(p, w))
		return d->k->halves(d->dev, (uint16_t *)(uintptr_t)
		    p->held->data + (at - p->row) * l->K, w->form);
	*n = *n < most ? *n : most;
	d->k->widen(d->dev, w->wide, p->held, NULL, at - p->row, *n, l->K);
	return w->half && w->form != p->held->form ? tile_half(d, l, w,
	    w->wide, *n) : w->wide;
}

void
linear_norms(const struct device *d, const struct linear *l,
    const struct linear_work *work)
{
	for (size_t i = 0; i < l->nlora; i++) {
		const struct lora *o = &l->lora[i];
		const real *w;
		size_t n;

		for (size_t at = 0; o->dora && at < o->rows; at += n) {
			w = tile(d, l, work, o->row + at, o->row + o->rows,
			    &n);
			d->k->dora_norm(d->dev, o->norm + at, w, o->a, o->b +
			    at * o->r, o->scale, n, l->K, o->r);
		}
	}
}

static size_t
stride(const struct linear *l)
{
	return l->ldy > 0 ? l->ldy : l->N;
}

/* dropout_key - of the rows that a layer reads now */
static uint64_t
dropout_key(const struct linear *l, const struct linear_work *w)
{
	return device_draws(random_key(w->key, l->id), w->row * l->K);
}

/* dropped - x as the adapters read it; the same numbers forward and back */
static const real *
dropped(const struct device *d, const struct linear *l,
    const struct linear_work *w, const real *x, size_t R)
{
	if (w->dropout == 0)
		return x;
	d->k->dropout(d->dev, w->x, x, R * l->K, w->dropout, dropout_key(l, w),
	    0);
	return w->x;
}

void
linear_forward(const struct device *d, const struct linear *l,
    const struct linear_work *w, real *y, const real *x, size_t R)
{
	const struct kernels *k = d->k;
	const real *wide;
	size_t at = 0, n;

	for (size_t i = 0; i < l->N; i += n) {
		wide = tile(d, l, w, i, l->N, &n);
		k->gemm_part(d->dev, 0, 1, R, n, l->K, 1, x, l->K, wide, l->K,
		    0, y + i, stride(l));
	}
	if (l->nlora > 0)
		k->gemm(d->dev, 0, 1, R, l->rank, l->K, 1, dropped(d, l, w, x,
		    R), l->lora[0].a, 0, l->h);
	for (size_t i = 0; i < l->nlora; i++) {
		const struct lora *o = &l->lora[i];

		k->gemm_part(d->dev, 0, 1, R, o->rows, o->r, o->scale,
		    l->h + at, l->rank, o->b, o->r, 1, y + o->row, l->N);
		if (o->dora)
			k->dora_turn(d->dev, y + o->row, l->N, o->u, o->m,
			    o->norm, R, o->rows);
		at += o->r;
	}
	if (l->b != NULL)
		k->bias(d->dev, y, l->b, R, l->N);
}

/* turned - dy as it is before DoRA's magnitudes, whose gradients are taken */
static const real *
turned(const struct device *d, const struct linear *l,
    const struct linear_work *w, const real *dy, size_t R)
{
	const struct kernels *k = d->k;

	if (!has_dora(l))
		return dy;
	k->mix(d->dev, w->dy, 0, dy, 1, R * l->N);
	for (size_t i = 0; i < l->nlora; i++) {
		const struct lora *o = &l->lora[i];

		if (!o->dora)
			continue;
		k->dora_turn_grad(d->dev, o->dm, dy + o->row, l->N, o->u,
		    o->norm, R, o->rows);
		k->dora_turn(d->dev, w->dy + o->row, l->N, NULL, o->m,
		    o->norm, R, o->rows);
	}
	return w->dy;
}

/* lora_backward - gradients of A and B; what they add to dx */
static void
lora_backward(const struct device *d, const struct linear *l,
    const struct linear_work *w, real *dx, const real *dy, const real *x,
    size_t R)
{
	const struct kernels *k = d->k;
	const real *a = l->lora[0].a;
	size_t at = 0;

	for (size_t i = 0; i < l->nlora; i++) {
		const struct lora *o = &l->lora[i];

		k->gemm_part(d->dev, 0, 0, R, o->r, o->rows, o->scale,
		    dy + o->row, l->N, o->b, o->r, 0, w->dh + at, l->rank);
		k->gemm_part(d->dev, 1, 0, o->rows, o->r, R, o->scale,
		    dy + o->row, l->N, l->h + at, l->rank, 1, o->db, o->r);
		at += o->r;
	}
	k->gemm(d->dev, 1, 0, l->rank, l->K, R, 1, w->dh, dropped(d, l, w, x,
	    R), 1, l->lora[0].da);
	if (w->dropout == 0) {
		k->gemm(d->dev, 0, 0, R, l->K, l->rank, 1, w->dh, a, 1, dx);
		return;
	}
	k->gemm(d->dev, 0, 0, R, l->K, l->rank, 1, w->dh, a, 0, w->x);
	k->dropout(d->dev, dx, w->x, R * l->K, w->dropout, dropout_key(l, w),
	    1);
}

void
linear_backward(const struct device *d, const struct linear *l,
    const struct linear_work *w, real *dx, const real *dy, const real *x,
    size_t R)
{
	const struct kernels *k = d->k;
	const real *wide;
	size_t n;

	if (l->db != NULL)
		k->bias_grad(d->dev, l->db, dy, R, l->N);
	dy = turned(d, l, w, dy, R);
	for (size_t i = 0; i < l->N; i += n) {
		wide = tile(d, l, w, i, l->N, &n);
		k->gemm_part(d->dev, 0, 0, R, l->K, n, 1, dy + i, stride(l),
		    wide, l->K, i > 0, dx, l->K);
	}
	if (l->dw != NULL)
		k->gemm_part(d->dev, 1, 0, l->N, l->K, R, 1, dy, stride(l),
		    x, l->K, 1, l->dw, l->K);
	if (l->nlora > 0)
		lora_backward(d, l, w, dx, dy, x, R);
}
