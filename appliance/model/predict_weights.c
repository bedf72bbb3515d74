/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/image.h"
#include "appliance/model/predict_experts.h"
#include "appliance/model/predict_weights.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* calls: of one row each, the copy of the weights would have paid by now */
#define SETTLED		32

/* vector_want - a small parameter, if the shape has it */
static void
vector_want(struct predict *p, size_t at, size_t n, real **where)
{
	*where = NULL;
	if (at != NO_WEIGHT)
		slab_reals(&p->weights, "weights", n, where);
}

void
predict_matrix_want(struct predict *p, enum packed_form form, size_t rows,
    size_t cols, void **where)
{
	slab_want(&p->weights, "weights", packed_size(p->device, form, rows,
	    cols), where);
}

static void
layer_want(struct predict *p, size_t i)
{
	const struct layer *w = &p->w->layer[i];
	const struct shape *m = &p->w->shape;
	struct predict_layer *l = &p->layer[i];

	vector_want(p, w->norm1, m->C, &l->norm1);
	vector_want(p, w->norm1_b, m->C, &l->norm1_b);
	vector_want(p, w->qkv_b, p->w->qkv_rows, &l->qkv_b);
	vector_want(p, w->out_b, m->C, &l->out_b);
	vector_want(p, w->norm2, m->C, &l->norm2);
	vector_want(p, w->norm2_b, m->C, &l->norm2_b);
	vector_want(p, w->up_b, p->w->up_rows, &l->up_b);
	vector_want(p, w->down_b, m->C, &l->down_b);
	vector_want(p, w->q_norm, m->D, &l->q_norm);
	vector_want(p, w->k_norm, m->D, &l->k_norm);
	vector_want(p, w->post1, m->C, &l->post1);
	vector_want(p, w->post2, m->C, &l->post2);
	predict_matrix_want(p, p->form, p->w->qkv_rows, m->C, &l->qkv);
	predict_matrix_want(p, p->form, m->C, m->H * m->D, &l->out);
	vector_want(p, w->norm3, m->C, &l->norm3);
	if (w->xq != NO_WEIGHT) {
		predict_matrix_want(p, p->form, m->H * m->D, m->C, &l->xq);
		predict_matrix_want(p, p->form, 2 * m->H * m->D, m->C,
		    &l->xkv);
		predict_matrix_want(p, p->form, m->C, m->H * m->D, &l->xout);
	}
	if (m->sparse[i])
		predict_experts_want(p, p->weights.arena, i);
	else {
		predict_matrix_want(p, p->form, p->w->up_rows, m->C, &l->up);
		predict_matrix_want(p, p->form, m->C, m->F, &l->down);
	}
}

void
predict_weights_want(struct predict *p)
{
	const struct weights *w = p->w;
	const struct shape *m = &w->shape;

	for (size_t i = 0; i < m->L; i++)
		layer_want(p, i);
	vector_want(p, w->place, (m->place_skip + m->T) * m->C, &p->place);
	vector_want(p, w->norm, m->C, &p->norm);
	vector_want(p, w->norm_b, m->C, &p->norm_b);
	vector_want(p, w->coded, m->C, &p->coded);
	for (size_t i = 0; i < 2; i++)
		vector_want(p, w->near[i], m->buckets * m->H, &p->near[i]);
	predict_matrix_want(p, p->words, m->V, m->C, &p->head);
	/* a quantised head is the table of words as well, if it is the same */
	if (p->words == PACKED_F32)
		slab_want(&p->weights, "weights", m->V * m->C * sizeof(real),
		    &p->token);
	else if (!m->tied)
		predict_matrix_want(p, p->words, m->V, m->C, &p->token);
}

/* room_for - at least n numbers */
static void
room_for(real **room, size_t *most, size_t n)
{
	if (n <= *most)
		return;
	mem_free(*room);
	*room = mem_alloc(n * sizeof(**room));
	*most = n;
}

/* fill_piece - a tensor as our parameter has it */
static int
fill_piece(struct predict_fill *f, size_t i, real *out, struct err *e)
{
	const struct piece *q = &f->piece[i];
	size_t rows = q->rows == 0 ? 1 : q->rows;

	room_for(&f->flat, &f->most_flat, rows * q->cols);
	if (tensor_read(f->tensor[i], f->flat, e) == -1)
		return -1;
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < q->cols; c++)
			*out++ = f->flat[piece_place(q, r, c)] + q->less_one;
	return 0;
}

/* fill_numbers - n of the run from `at` on; NULL: they cannot be read */
static const real *
fill_numbers(struct predict_fill *f, size_t at, size_t n, struct err *e)
{
	if (f->run != NULL)
		return f->run + at;
	room_for(&f->room, &f->most_room, n);
	for (size_t i = 0; i < f->n; i++)
		if (f->piece[i].at >= at && f->piece[i].at < at + n &&
		    fill_piece(f, i, f->room + (f->piece[i].at - at), e) == -1)
			return NULL;
	return f->room;
}

static int
vector_put(struct predict_fill *f, void *to, size_t at, size_t n,
    struct err *e)
{
	const struct device *d = f->p->device;
	const real *from;

	if (to == NULL)
		return 0;
	from = fill_numbers(f, at, n, e);
	if (from == NULL)
		return -1;
	d->k->put(d->dev, to, from, n * sizeof(*from));
	return 0;
}

int
predict_matrix_put(struct predict_fill *f, enum packed_form form, void *to,
    size_t at, size_t rows, size_t cols, struct err *e)
{
	const real *from = fill_numbers(f, at, rows * cols, e);

	return from == NULL ? -1 : packed_put(f->p->device, form, to, from,
	    rows, cols, e);
}

static int
layer_vectors(struct predict_fill *f, size_t i, struct err *e)
{
	const struct weights *p = f->p->w;
	const struct shape *m = &p->shape;
	const struct layer *w = &p->layer[i];
	const struct predict_layer *l = &f->p->layer[i];
	const struct {
		void *to;
		size_t at, n;
	} v[] = {
		{ l->norm1, w->norm1, m->C }, { l->norm1_b, w->norm1_b, m->C },
		{ l->qkv_b, w->qkv_b, p->qkv_rows },
		{ l->out_b, w->out_b, m->C },
		{ l->norm2, w->norm2, m->C }, { l->norm2_b, w->norm2_b, m->C },
		{ l->up_b, w->up_b, p->up_rows },
		{ l->down_b, w->down_b, m->C },
		{ l->q_norm, w->q_norm, m->D }, { l->k_norm, w->k_norm, m->D },
		{ l->post1, w->post1, m->C }, { l->post2, w->post2, m->C },
		{ l->norm3, w->norm3, m->C },
	};

	for (size_t k = 0; k < BASE_COUNT(v); k++)
		if (vector_put(f, v[k].to, v[k].at, v[k].n, e) == -1)
			return -1;
	return 0;
}

static int
layer_put(struct predict_fill *f, size_t i, struct err *e)
{
	const struct weights *p = f->p->w;
	const struct shape *m = &p->shape;
	const struct layer *w = &p->layer[i];
	const struct predict_layer *l = &f->p->layer[i];
	enum packed_form form = f->p->form;

	if (layer_vectors(f, i, e) == -1 || predict_matrix_put(f, form, l->qkv,
	    w->qkv, p->qkv_rows, m->C, e) == -1 || predict_matrix_put(f, form,
	    l->out, w->out, m->C, m->H * m->D, e) == -1)
		return -1;
	if (l->xq != NULL && (predict_matrix_put(f, form, l->xq, w->xq, m->H *
	    m->D, m->C, e) == -1 || predict_matrix_put(f, form, l->xkv,
	    w->xkv, 2 * m->H * m->D, m->C, e) == -1 || predict_matrix_put(f,
	    form, l->xout, w->xout, m->C, m->H * m->D, e) == -1))
		return -1;
	if (m->sparse[i])
		return predict_experts_put(f, i, e);
	return predict_matrix_put(f, form, l->up, w->up, p->up_rows, m->C,
	    e) == -1 || predict_matrix_put(f, form, l->down, w->down, m->C,
	    m->F, e) == -1 ? -1 : 0;
}

/* fill_words - the table of words and the head */
static int
fill_words(struct predict_fill *f, struct err *e)
{
	struct predict *p = f->p;
	const struct weights *w = p->w;
	const struct shape *m = &w->shape;

	if (predict_matrix_put(f, p->words, p->head, w->head, m->V, m->C,
	    e) == -1)
		return -1;
	if (p->words == PACKED_F32)
		return vector_put(f, p->token, w->token, m->V * m->C, e);
	return m->tied ? 0 : predict_matrix_put(f, p->words, p->token,
	    w->token, m->V, m->C, e);
}

static int
fill_all(struct predict_fill *f, struct err *e)
{
	struct predict *p = f->p;
	const struct weights *w = p->w;
	const struct shape *m = &w->shape;

	for (size_t i = 0; i < m->L; i++)
		if (layer_put(f, i, e) == -1)
			return -1;
	return vector_put(f, p->place, w->place, (m->place_skip + m->T) *
	    m->C, e) == -1 || vector_put(f, p->norm, w->norm, m->C, e) == -1 ||
	    vector_put(f, p->norm_b, w->norm_b, m->C, e) == -1 ||
	    vector_put(f, p->coded, w->coded, m->C, e) == -1 ||
	    vector_put(f, p->near[0], w->near[0], m->buckets * m->H,
	    e) == -1 || vector_put(f, p->near[1], w->near[1], m->buckets *
	    m->H, e) == -1 ||
	    fill_words(f, e) == -1 ? -1 : 0;
}

/* weights_fill - put all numbers where they are wanted */
static int
weights_fill(struct predict *p, const struct predict_how *how, struct err *e)
{
	struct predict_fill f = { .p = p, .run = how->run };
	struct arena *a = arena_new();
	int rc;

	if (f.run == NULL) {
		f.piece = weights_pieces(a, p->w, &f.n);
		f.tensor = weights_tensors(a, p->w, how->tensors);
	}
	rc = fill_all(&f, e);
	mem_free(f.flat);
	mem_free(f.room);
	arena_free(a);
	return rc;
}

/* weights_image - from a file; 1: there is none, and none can be made */
static int
weights_image(struct predict *p, struct arena *a,
    const struct predict_how *how, struct err *e)
{
	size_t bytes = slab_size(&p->weights);
	struct image *m = arena_alloc(a, sizeof(*m));
	struct hash key;
	struct err kept;

	if (how->images == -1 || how->run != NULL ||
	    p->form == PACKED_F32 || !image_key(how->tensors, how->config,
	    p->device->k->name, p->form, &key))
		return 1;
	if (image_map(m, a, how->images, &key, bytes)) {
		slab_place(&p->weights, m->body);
		p->check = m->check;
		p->mapped = how->large ? m : NULL;
		return 0;
	}
	if (!image_begin(m, a, how->images, &key, bytes))
		return 1;
	slab_place(&p->weights, m->body);
	if (weights_fill(p, how, e) == -1) {
		image_drop(m, how->images);
		return -1;
	}
	/* without its name it serves us all the same */
	(void)image_end(m, how->images, &kept);
	p->check = m->check;
	p->mapped = how->large ? m : NULL;
	return 0;
}

void
predict_weights_move(struct predict *p)
{
	const char *where;

	if (p->mapped == NULL || p->calls++ < SETTLED)
		return;
	/* what has been read of the file counts as free: the kernel takes it
	 * back first */
	if (p->calls == SETTLED + 1 && slab_left(&p->weights, &where) / 9 * 8 <
	    slab_size(&p->weights))
		p->mapped = NULL;
	else if (!image_large(p->mapped))
		p->mapped = NULL;
}

int
predict_weights_open(struct predict *p, struct arena *a,
    const struct predict_how *how, struct err *e)
{
	int rc = weights_image(p, a, how, e);

	if (rc == 1 && (slab_take(&p->weights, e) == -1 ||
	    weights_fill(p, how, e) == -1))
		rc = -1;
	if (rc == 1 && p->form != PACKED_F32)
		p->check = XXH3_64bits(*p->weights.part[0].where,
		    slab_size(&p->weights));
	if (rc != -1 && p->words != PACKED_F32 && p->w->shape.tied)
		p->token = p->head;
	return rc == -1 ? -1 : 0;
}
