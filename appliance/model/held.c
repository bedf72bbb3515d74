/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/nf4.h"
#include "appliance/model/held.h"

/* form_of - what one tensor becomes; F32: stays reals */
static enum held_form
form_of(const struct tensor *t, enum held_form want, bool table)
{
	bool plain = t != NULL && t->form != NULL && t->scales == 0 &&
	    t->values == NULL;

	if (want != HELD_FILE && !(want == HELD_NF4 && table))
		return want;
	if (plain && t->form->form == GGUF_FORM_BF16)
		return HELD_BF16;
	return plain && t->form->form == GGUF_FORM_F16 ? HELD_F16 : HELD_F32;
}

/* kept - parameters that stay reals whatever is asked for */
static bool *
kept(struct arena *a, const struct weights *w, const bool *frozen)
{
	bool *keep = arena_array(a, w->n, sizeof(*keep));

	for (size_t i = 0; i < w->n; i++)
		keep[i] = !frozen[i] || w->v[i].rows == 1 ||
		    w->v[i].at == w->place || w->v[i].at == w->type ||
		    w->v[i].at == w->dense || w->v[i].at == w->near[0] ||
		    w->v[i].at == w->near[1] || (w->shape.encoder &&
		    w->v[i].at == w->head);
	for (size_t i = 0; i < w->shape.L; i++)
		if (w->layer[i].router != NO_WEIGHT)
			keep[weights_find(w, w->layer[i].router)] = true;
	return keep;
}

static void
matrix_add(struct held *h, const struct weights *w, const struct piece *p,
    size_t param, enum held_form form)
{
	struct held_matrix *m = &h->v[h->n];

	*m = (struct held_matrix){ .rows = p->rows, .cols = p->cols,
	    .row = (p->at - w->v[param].at) / p->cols };
	m->k.form = form == HELD_BF16 ? FORM_BF16 : form == HELD_F16 ?
	    FORM_F16 : FORM_NF4;
	if (h->count[param]++ == 0)
		h->first[param] = h->n;
	h->n++;
}

/* held_plan - the tensors of a parameter are held together or not at all */
void
held_plan(struct arena *a, const struct weights *w, const struct tensors *t,
    const bool *frozen, enum held_form want, bool doubled, struct held *h)
{
	bool *keep = kept(a, w, frozen), table;
	size_t n, param;
	struct piece *p = weights_pieces(a, w, &n);
	const struct tensor **file = weights_tensors(a, w, t);
	enum held_form form;

	*h = (struct held){ .doubled = doubled };
	h->v = arena_array(a, n, sizeof(*h->v));
	h->piece = arena_array(a, n, sizeof(*h->piece));
	h->first = arena_array(a, w->n, sizeof(*h->first));
	h->count = arena_array(a, w->n, sizeof(*h->count));
	for (size_t i = 0; i < n; i++) {
		param = weights_find(w, p[i].at);
		table = p[i].at == w->token || p[i].at == w->head;
		keep[param] |= form_of(file[i], want, table) == HELD_F32;
	}
	for (size_t i = 0; i < n; i++) {
		param = weights_find(w, p[i].at);
		table = p[i].at == w->token || p[i].at == w->head;
		form = keep[param] ? HELD_F32 : form_of(file[i], want, table);
		h->piece[i] = form == HELD_F32 ? NO_WEIGHT : h->n;
		h->bits[form] += (p[i].rows == 0 ? 1 : p[i].rows) * p[i].cols;
		if (form != HELD_F32)
			matrix_add(h, w, &p[i], param, form);
	}
}

void
held_want(struct held *h, struct slab *s)
{
	const char *what = "frozen weights";

	for (size_t i = 0; i < h->n; i++) {
		struct held_matrix *m = &h->v[i];
		size_t n = m->rows * m->cols, scales = nf4_scales(n);

		if (m->k.form != FORM_NF4) {
			slab_want(s, what, n * 2, &m->data);
			continue;
		}
		slab_want(s, what, nf4_bytes(n), &m->data);
		if (h->doubled) {
			slab_want(s, what, scales, (void **)&m->byte);
			slab_want(s, what, nf4_steps(n) * sizeof(float),
			    (void **)&m->step);
		} else
			slab_want(s, what, scales * sizeof(float),
			    (void **)&m->scale);
	}
	if (h->n > 0)
		slab_want(s, what, NF4_MAP * sizeof(float), (void **)&h->map);
}

void
held_ready(struct held *h, const struct device *d)
{
	float map[NF4_MAP];

	for (size_t i = 0; i < h->n; i++) {
		struct held_matrix *m = &h->v[i];

		m->k.data = m->data;
		m->k.scale = m->scale;
		m->k.byte = m->byte;
		m->k.step = m->step;
		m->k.map = h->map;
	}
	nf4_map(map);
	if (h->n > 0)
		d->k->put(d->dev, h->map, map, sizeof(map));
}

bool
held_has(const struct held *h, size_t i)
{
	return h->piece[i] != NO_WEIGHT;
}

/* put_nf4 - on the host first */
static void
put_nf4(const struct held *h, const struct device *d, struct held_matrix *m,
    const float *x)
{
	size_t n = m->rows * m->cols, scales = nf4_scales(n);
	uint8_t *data = mem_alloc(nf4_bytes(n)), *byte = mem_alloc(scales);
	float *scale = mem_alloc(scales * sizeof(*scale)), map[NF4_MAP];
	float *step = mem_alloc(nf4_steps(n) * sizeof(*step));

	nf4_encode(x, n, data, scale);
	d->k->put(d->dev, m->data, data, nf4_bytes(n));
	if (h->doubled) {
		nf4_map(map);
		m->k.mean = nf4_double(scale, scales, map, byte, step);
		d->k->put(d->dev, m->byte, byte, scales);
		d->k->put(d->dev, m->step, step, nf4_steps(n) *
		    sizeof(*step));
	} else
		d->k->put(d->dev, m->scale, scale, scales * sizeof(*scale));
	mem_free(data);
	mem_free(byte);
	mem_free(scale);
	mem_free(step);
}

void
held_put(const struct held *h, const struct device *d, size_t i,
    const float *x)
{
	struct held_matrix *m = &h->v[h->piece[i]];
	const struct quant *q;
	unsigned char *raw;
	size_t n = m->rows * m->cols, some = (size_t)1 << 20, here;

	if (m->k.form == FORM_NF4) {
		put_nf4(h, d, m, x);
		return;
	}
	q = quant_form(m->k.form == FORM_BF16 ? GGUF_FORM_BF16 :
	    GGUF_FORM_F16);
	raw = mem_alloc(some * 2);
	for (size_t at = 0; at < n; at += here) {
		here = n - at < some ? n - at : some;
		q->encode(x + at, raw, here);
		d->k->put(d->dev, (char *)m->data + at * 2, raw, here * 2);
	}
	mem_free(raw);
}
