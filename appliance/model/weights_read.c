/* SPDX-License-Identifier: Apache-2.0 */
/* A file's tensors, one at a time, in our order */
#include "appliance/base/base.h"
#include "appliance/model/random.h"
#include "appliance/model/weights.h"

/* piece_count - numbers */
static size_t
piece_count(const struct piece *p)
{
	return (p->rows == 0 ? 1 : p->rows) * p->cols;
}

/* largest_of - the most numbers that a piece has, and one in another order */
static size_t
largest_of(const struct piece *p, size_t n, size_t *moved)
{
	size_t most = 0, all;

	*moved = 0;
	for (size_t i = 0; i < n; i++) {
		all = piece_count(&p[i]);
		most = all > most ? all : most;
		if ((p[i].turned || p[i].head > 0) && all > *moved)
			*moved = all;
	}
	return most;
}

size_t
weights_room(struct arena *a, const struct weights *w)
{
	size_t n, moved, most;
	struct piece *p = weights_pieces(a, w, &n);

	most = largest_of(p, n, &moved);
	return (most + moved) * sizeof(float);
}

/* piece_ours - a tensor as read, in our order: where it lies, or in `room` */
static const float *
piece_ours(const struct piece *p, float *flat, float *room)
{
	size_t rows = p->rows == 0 ? 1 : p->rows;

	if (p->less_one)
		for (size_t i = 0; i < piece_count(p); i++)
			flat[i] += 1;
	if (!p->turned && p->head == 0)
		return flat;
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			room[r * p->cols + c] = flat[piece_place(p, r, c)];
	return room;
}

/* piece_fresh - numbers of one that no file has: a matrix is normal of 0.02, a
 * norm's weight 1, a bias 0 */
static void
piece_fresh(const struct piece *p, float *flat)
{
	size_t n = strlen(p->name);
	bool one = p->rows == 0 && n > 7 &&
	    strcmp(p->name + n - 7, ".weight") == 0;

	for (size_t i = 0; i < piece_count(p); i++)
		flat[i] = p->rows > 0 ? (float)(0.02 * random_normal(0, 0,
		    p->at + i)) : one;
}

int
weights_each(struct arena *a, const struct weights *w,
    const struct tensors *t, void (*take)(void *arg, size_t i,
    const struct piece *, const float *), void *arg, struct err *e)
{
	size_t n, moved, extra;
	struct piece *p = weights_pieces(a, w, &n);
	const struct tensor **file;
	const char *other;
	float *flat, *room;
	int rc = 0;

	if (weights_check(a, w, t, &extra, &other, e) == -1)
		return -1;
	if (extra > 0)
		return err_set(e, FATE_REJECT, "tensor '%s' has no place in a "
		    "model of this config.json", other);
	file = weights_tensors(a, w, t);
	flat = mem_alloc(largest_of(p, n, &moved) * sizeof(*flat));
	room = mem_alloc((moved + 1) * sizeof(*room));
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (file[i] == NULL)
			piece_fresh(&p[i], flat);
		else
			rc = tensor_read(file[i], flat, e);
		if (rc == 0)
			take(arg, i, &p[i], piece_ours(&p[i], flat, room));
	}
	mem_free(flat);
	mem_free(room);
	return rc;
}

/* run_take - a piece to its place in a run */
static void
run_take(void *arg, size_t i, const struct piece *p, const float *x)
{
	real *run = (real *)arg + p->at;

	(void)i;
	for (size_t k = 0; k < piece_count(p); k++)
		run[k] = x[k];
}

int
weights_read(struct arena *a, const struct weights *w,
    const struct tensors *t, real *run, struct err *e)
{
	return weights_each(a, w, t, run_take, run, e);
}
