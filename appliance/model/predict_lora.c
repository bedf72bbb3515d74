/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of one matrix an adapter has A [rank, K], its modules' below one another, and
 * B [N, rank], its modules' along the diagonal, scaled: two products of packed
 * matrices, whose rows do not depend on one another (kernel.h).  So a row is
 * the same to the bit whatever adapters stand beside it.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/predict_lora.h"

#define TILE	((size_t)256)		/* of a weight's rows, for lengths */

struct part {				/* an adapter's of a matrix */
	size_t rank;			/* 0: it has none */
	void *a, *b;
	real *m, *norm;			/* DoRA's [N], 1 where there is none;
					 * or NULL */
};

struct predict_loras {
	size_t n, matrices;
	struct part *part;		/* [n][matrices] */
	struct slab slab;
	int32_t *row;			/* device: rows, those of an adapter
					 * beside one another */
	real *x, *h, *y, *was;
	int32_t *host;			/* row, here */
	size_t *first;			/* of each adapter, and the end */
};

/* what is known of a matrix of the base */
struct place {
	size_t index, at, N, K;
	enum packed_form form;
	const void *packed;
};

/* place_of - the matrix that has a place of the run in it; false: none that
 * adapters can stand beside */
static bool
place_of(const struct predict *p, size_t at, struct place *out)
{
	const struct weights *w = p->w;
	const struct weight *v = &w->v[weights_find(w, at)];

	*out = (struct place){ .at = v->at, .N = v->rows, .K = v->cols,
	    .form = p->form };
	for (size_t i = 0; i < w->shape.L; i++) {
		const struct layer *l = &w->layer[i];
		const struct predict_layer *q = &p->layer[i];
		const size_t place[] = { l->qkv, l->out, l->up, l->down };
		const void *packed[] = { q->qkv, q->out, q->up, q->down };

		for (size_t k = 0; k < LORA_MATRICES; k++)
			if (v->at == place[k]) {
				out->index = i * LORA_MATRICES + k;
				out->packed = packed[k];
				return true;
			}
	}
	out->index = w->shape.L * LORA_MATRICES;
	out->form = p->words;
	out->packed = p->head;
	return v->at == w->head && !w->shape.tied;
}

int
predict_adapters_check(const struct predict *p, const struct adapter *d,
    struct err *e)
{
	struct place at;

	if (d->nsaved > 0)
		return err_set(e, FATE_REJECT, "the adapter saves '%.200s' "
		    "whole, which is not computed beside other adapters: "
		    "quern models merge makes a model of it and its base",
		    d->saved[0].name);
	for (size_t i = 0; i < d->n; i++)
		if (!place_of(p, d->v[i].at, &at))
			return err_set(e, FATE_REJECT, "the adapter is for "
			    "'%.200s', which is not computed beside other "
			    "adapters: quern models merge makes a model of it "
			    "and its base", d->v[i].name);
	return 0;
}

/* modules - from i on those of one matrix; the end, and their ranks' sum */
static size_t
modules(const struct predict *p, const struct adapter *d, size_t i,
    struct place *at, size_t *rank)
{
	struct place next;

	*rank = 0;
	place_of(p, d->v[i].at, at);
	for (; i < d->n; i++) {
		place_of(p, d->v[i].at, &next);
		if (next.index != at->index)
			break;
		*rank += d->v[i].r;
	}
	return i;
}

/* want - an adapter's numbers; the largest of anything into most */
static void
want(struct predict *p, const struct adapter *d, struct part *part,
    size_t most[4])
{
	struct predict_loras *l = p->loras;
	const char *what = "adapters";
	struct place at;
	size_t rank, end, R;

	for (size_t i = 0; i < d->n; i = end) {
		struct part *q;

		end = modules(p, d, i, &at, &rank);
		q = &part[at.index];
		q->rank = rank;
		slab_want(&l->slab, what, packed_size(p->device, PACKED_F32,
		    rank, at.K), &q->a);
		slab_want(&l->slab, what, packed_size(p->device, PACKED_F32,
		    at.N, rank), &q->b);
		if (d->conf.dora) {
			slab_reals(&l->slab, what, at.N, &q->m);
			slab_reals(&l->slab, what, at.N, &q->norm);
		}
		R = at.index < l->matrices - 1 ? p->rows : p->wanted;
		most[0] = R * at.K > most[0] ? R * at.K : most[0];
		most[1] = R * rank > most[1] ? R * rank : most[1];
		most[2] = R * at.N > most[2] ? R * at.N : most[2];
		if (d->conf.dora && R * at.N > most[3])
			most[3] = R * at.N;
	}
}

/* tile - rows of the base's matrix, as it computes with them */
static void
tile(struct predict *p, const struct place *at, const real *run, real *to,
    int32_t *id, size_t row, size_t n)
{
	const struct kernels *k = p->device->k;
	int32_t which[TILE];

	if (at->form == PACKED_F32) {
		k->put(p->device->dev, to, run + at->at + row * at->K, n *
		    at->K * sizeof(*to));
		return;
	}
	for (size_t i = 0; i < n; i++)
		which[i] = (int32_t)(row + i);
	k->put(p->device->dev, id, which, n * sizeof(*id));
	packed_rows(p->device, at->form, to, at->packed, id, n, at->N, at->K);
}

/* lengths - of a module's rows of w + scale B A into norm; tmp: the device's,
 * for a tile of w, A, B and ids, one behind the other */
static void
lengths(struct predict *p, const struct adapter *d,
    const struct adapter_module *m, const struct place *at, const real *run,
    real *norm, real *tmp)
{
	const struct kernels *k = p->device->k;
	void *dev = p->device->dev;
	real *a = tmp + TILE * m->cols, *b = a + m->r * m->cols;
	int32_t *id = (int32_t *)(b + m->rows * m->r);
	size_t from = (m->at - at->at) / at->K, n;

	k->put(dev, a, d->run + m->a, m->r * m->cols * sizeof(*a));
	k->put(dev, b, d->run + m->b, m->rows * m->r * sizeof(*b));
	for (size_t i = 0; i < m->rows; i += n) {
		n = m->rows - i < TILE ? m->rows - i : TILE;
		tile(p, at, run, tmp, id, from + i, n);
		k->dora_norm(dev, norm + from + i, tmp, a, b + i * m->r,
		    m->scale, n, m->cols, m->r);
	}
}

/* put_magnitudes - of a matrix' modules, from v to end; 1 for other rows */
static int
put_magnitudes(struct predict *p, const struct adapter *d,
    const struct adapter_module *v, const struct adapter_module *end,
    const struct place *at, const real *run, struct part *q, struct err *e)
{
	const struct device *dev = p->device;
	const struct kernels *k = dev->k;
	size_t bytes;
	real *tmp;

	if (at->form == PACKED_F32 && run == NULL)
		panic("magnitudes without the base's numbers");
	k->fill(dev->dev, q->m, at->N, 1);
	k->fill(dev->dev, q->norm, at->N, 1);
	for (; v < end; v++) {
		bytes = (TILE * v->cols + v->r * (v->cols + v->rows) + TILE) *
		    sizeof(*tmp);
		tmp = k->alloc(dev->dev, bytes);
		if (tmp == NULL)
			return err_set(e, FATE_RETRY, "the device has no %zu "
			    "MiB to measure '%s' in", bytes >> 20, v->name);
		k->put(dev->dev, q->m + (v->at - at->at) / at->K, d->run +
		    v->m, v->rows * sizeof(*tmp));
		lengths(p, d, v, at, run, q->norm, tmp);
		k->release(dev->dev, tmp);
	}
	return 0;
}

/* put_part - A as it lies there, B along a diagonal */
static int
put_part(struct predict *p, const struct adapter *d, size_t i, size_t end,
    const struct place *at, const real *run, struct part *q, struct err *e)
{
	real *b = mem_alloc(at->N * q->rank * sizeof(*b));
	const struct adapter_module *v = d->v + i;
	size_t left = 0;
	int rc;

	memset(b, 0, at->N * q->rank * sizeof(*b));
	for (; v < d->v + end; left += v->r, v++) {
		real *to = b + (v->at - at->at) / at->K * q->rank + left;

		for (size_t r = 0; r < v->rows; r++)
			for (size_t k = 0; k < v->r; k++)
				to[r * q->rank + k] = (real)(v->scale *
				    (double)d->run[v->b + r * v->r + k]);
	}
	rc = packed_put(p->device, PACKED_F32, q->a, d->run + d->v[i].a,
	    q->rank, at->K, e) == -1 || packed_put(p->device, PACKED_F32,
	    q->b, b, at->N, q->rank, e) == -1 ? -1 : 0;
	mem_free(b);
	if (rc == 0 && d->conf.dora)
		rc = put_magnitudes(p, d, d->v + i, d->v + end, at, run, q, e);
	return rc;
}

static int
put(struct predict *p, const struct adapter *d, struct part *part,
    const real *run, struct err *e)
{
	struct place at;
	size_t rank, end;

	for (size_t i = 0; i < d->n; i = end) {
		end = modules(p, d, i, &at, &rank);
		if (put_part(p, d, i, end, &at, run, &part[at.index],
		    e) == -1)
			return -1;
	}
	return 0;
}

int
predict_adapters(struct predict *p, struct arena *a, const struct adapter *v,
    size_t n, const real *run, struct err *e)
{
	struct predict_loras *l = arena_alloc(a, sizeof(*l));
	size_t most[4] = { 0 };

	p->loras = l;
	l->n = n;
	l->matrices = p->w->shape.L * LORA_MATRICES + 1;
	l->part = arena_array(a, n * l->matrices + 1, sizeof(*l->part));
	l->host = arena_array(a, p->rows + p->wanted, sizeof(*l->host));
	l->first = arena_array(a, n + 2, sizeof(*l->first));
	slab_init(&l->slab, a, p->device);
	for (size_t i = 0; i < n; i++)
		want(p, &v[i], l->part + i * l->matrices, most);
	slab_ints(&l->slab, "rows", p->rows + p->wanted, &l->row);
	slab_reals(&l->slab, "rows", most[0], &l->x);
	slab_reals(&l->slab, "rows", most[1], &l->h);
	slab_reals(&l->slab, "rows", most[2], &l->y);
	slab_reals(&l->slab, "rows", most[3], &l->was);
	if (slab_take(&l->slab, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (put(p, &v[i], l->part + i * l->matrices, run, e) == -1)
			return -1;
	return 0;
}

void
predict_lora_rows(struct predict *p, const uint32_t *adapter,
    const int32_t *pick, size_t n)
{
	struct predict_loras *l = p->loras;
	size_t at = 0;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++) {
		l->first[i] = at;
		for (size_t r = 0; adapter != NULL && r < n; r++)
			if (adapter[pick == NULL ? r : (size_t)pick[r]] ==
			    i + 1)
				l->host[at++] = (int32_t)r;
	}
	l->first[l->n] = at;
	if (at > 0)
		p->device->k->put(p->device->dev, l->row, l->host, at *
		    sizeof(*l->row));
}

/* add_part - an adapter's product, to its n rows from `at` on in l->row.  With
 * magnitudes what is added is how far the whole moves */
static void
add_part(struct predict *p, const struct part *q, size_t at, size_t n,
    real *y, const real *x, size_t N, size_t K)
{
	struct predict_loras *l = p->loras;
	const struct kernels *k = p->device->k;
	void *dev = p->device->dev;
	const int32_t *row = l->row + at;

	k->embed(dev, l->x, x, NULL, row, NULL, n, K);
	k->product(dev, l->h, l->x, q->a, n, q->rank, K);
	k->product(dev, l->y, l->h, q->b, n, N, q->rank);
	if (q->m != NULL) {
		k->embed(dev, l->was, y, NULL, row, NULL, n, N);
		k->add(dev, l->y, l->was, n * N);
		k->dora_turn(dev, l->y, N, NULL, q->m, q->norm, n, N);
		k->mix(dev, l->y, 1, l->was, -1, n * N);
	}
	k->embed_grad(dev, y, NULL, l->y, row, NULL, n, N);
}

void
predict_lora_add(struct predict *p, size_t layer, enum lora_matrix matrix,
    real *y, const real *x, size_t N, size_t K)
{
	const struct predict_loras *l = p->loras;
	const struct part *q;

	if (l == NULL)
		return;
	q = l->part + layer * LORA_MATRICES + matrix;
	for (size_t i = 0; i < l->n; i++, q += l->matrices)
		if (l->first[i + 1] > l->first[i] && q->rank > 0)
			add_part(p, q, l->first[i], l->first[i + 1] -
			    l->first[i], y, x, N, K);
}
