/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/prune.h"

#include <math.h>
#include <stdlib.h>

#define OF_MOST	64

int
prune_parse(const char *text, struct prune *p, struct err *e)
{
	char *end;

	*p = (struct prune){ .part = strtod(text, &end) };
	if (end > text && *end == '\0' && p->part > 0 && p->part < 1)
		return 0;
	p->part = 0;
	p->keep = (unsigned)strtoul(text, &end, 10);
	if (end > text && *end == ':' && p->keep > 0) {
		text = end + 1;
		p->of = (unsigned)strtoul(text, &end, 10);
		if (end > text && *end == '\0' && p->of > p->keep &&
		    p->of <= OF_MOST)
			return 0;
	}
	return err_set(e, FATE_USAGE, "prune= is neither a part between 0 and "
	    "1 nor KEEP:OF, as 2:4, of %d at most", OF_MOST);
}

/* input_of - which input of its layer the matrix at a place of the run reads:
 * 0 attention's, 1 its sum's, 2 the MLP's, 3 inside the MLP; -1: no matrix that
 * is pruned */
static int
input_of(const struct weights *w, const struct layer *l, size_t at)
{
	const struct shape *s = &w->shape;
	const struct {
		size_t from, n;
		int input;
	} parts[] = {
		{ l->qkv, w->qkv_rows * s->C, 0 },
		{ l->out, s->C * s->H * s->D, 1 },
		{ l->up, w->up_rows * s->C, 2 },
		{ l->down, s->C * s->F, 3 },
		{ l->ups, s->E * 2 * s->EF * s->C, 2 },
		{ l->downs, s->E * s->C * s->EF, 3 },
		{ l->shared_up, 2 * s->SF * s->C, 2 },
		{ l->shared_down, s->C * s->SF, 3 },
	};

	for (size_t i = 0; i < BASE_COUNT(parts); i++)
		if (parts[i].from != NO_WEIGHT && at >= parts[i].from &&
		    at < parts[i].from + parts[i].n)
			return parts[i].input;
	return -1;
}

static int
by_place(const void *v, const void *w)
{
	const struct prune_matrix *a = v, *b = w;

	if (a->fd != b->fd)
		return a->fd < b->fd ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static bool
is_turned(const struct tensor *t)
{
	return t->change == TENSOR_TURNED;
}

int
prune_plan(struct arena *a, const struct weights *w, const struct tensors *t,
    struct prune *p, struct err *e)
{
	size_t n;
	const struct piece *piece = weights_pieces(a, w, &n);
	const struct tensor **file = weights_tensors(a, w, t);

	p->v = arena_array(a, n + 1, sizeof(*p->v));
	for (size_t i = 0; i < n; i++) {
		int input = -1;
		size_t k = 0;

		while (piece[i].rows > 0 && k < w->shape.L &&
		    (input = input_of(w, &w->layer[k], piece[i].at)) == -1)
			k++;
		if (input == -1)
			continue;
		p->v[p->n++] = (struct prune_matrix){ .fd = file[i]->fd,
		    .at = file[i]->data + file[i]->from,
		    .rows = piece[i].rows, .cols = piece[i].cols,
		    .turned = piece[i].turned != is_turned(file[i]),
		    .layer = k, .input = (size_t)input };
		if (p->of > 0 && piece[i].cols % p->of != 0)
			return err_set(e, FATE_REJECT, "tensor '%s' has %zu "
			    "inputs, which are no whole groups of %u",
			    file[i]->name, piece[i].cols, p->of);
	}
	qsort(p->v, p->n, sizeof(*p->v), by_place);
	return 0;
}

static const struct prune_matrix *
matrix_of(const struct prune *p, const struct tensor *t)
{
	struct prune_matrix key = { .fd = t->fd, .at = t->data + t->from };

	return p->n == 0 ? NULL : bsearch(&key, p->v, p->n, sizeof(*p->v),
	    by_place);
}

bool
prune_takes(const struct prune *p, const struct tensor *t)
{
	return matrix_of(p, t) != NULL;
}

/* nth - the k-th smallest of v[n], from 0; v is shuffled (Hoare's find) */
static float
nth(float *v, size_t n, size_t k)
{
	size_t low = 0, high = n - 1, i, j;
	float pivot, x;

	while (low < high) {
		pivot = v[low + (high - low) / 2];
		i = low;
		j = high;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (pivot < v[j])
				j--;
			if (i > j)
				break;
			x = v[i];
			v[i++] = v[j];
			v[j] = x;
			if (j-- == 0)
				break;
		}
		if (j != SIZE_MAX && k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break;
	}
	return v[k];
}

/* some weights that are compared with one another: n of them, `step` apart */
struct row {
	float *v;
	size_t n, step;
	const float *length;		/* of the input of each, or NULL */
};

static float
counts(const struct row *r, size_t i)
{
	float x = fabsf(r->v[i * r->step]);

	return r->length == NULL ? x : x * r->length[i];
}

/* row_cut - the `gone` that count least become 0 */
static void
row_cut(const struct row *r, size_t gone, float *scratch)
{
	size_t below = 0;
	float border;

	if (gone == 0)
		return;
	for (size_t i = 0; i < r->n; i++)
		scratch[i] = counts(r, i);
	border = nth(scratch, r->n, gone - 1);
	for (size_t i = 0; i < r->n; i++)
		below += counts(r, i) < border;
	for (size_t i = 0; i < r->n; i++) {
		float x = counts(r, i);

		if (x == border && below < gone)
			below++;
		else if (!(x < border))
			continue;
		r->v[i * r->step] = 0;
	}
}

/* matrix_cut - all that is compared */
static void
matrix_cut(const struct prune *p, const struct prune_matrix *m, bool turned,
    float *v, float *scratch)
{
	size_t each = p->of > 0 ? p->of : m->cols;
	size_t gone = p->of > 0 ? p->of - p->keep :
	    (size_t)(p->part * (double)m->cols);
	struct row r = { v, m->rows * m->cols, 1, NULL };

	if (p->of == 0 && m->length == NULL) {
		row_cut(&r, (size_t)(p->part * (double)r.n), scratch);
		return;
	}
	r.n = each;
	r.step = turned ? m->rows : 1;
	for (size_t i = 0; i < m->rows; i++)
		for (size_t k = 0; k < m->cols; k += each) {
			r.v = v + (turned ? k * m->rows + i : i * m->cols +
			    k);
			r.length = m->length == NULL ? NULL : m->length + k;
			row_cut(&r, gone, scratch);
		}
}

void
prune_tensor(struct prune *p, const struct tensor *t, float *v)
{
	const struct prune_matrix *m = matrix_of(p, t);
	size_t n = m->rows * m->cols;
	float *scratch = mem_alloc(n * sizeof(*scratch));
	double before = 0, after = 0;

	for (size_t i = 0; i < n; i++)
		before += (double)v[i] * v[i];
	matrix_cut(p, m, m->turned != is_turned(t), v, scratch);
	mem_free(scratch);
	for (size_t i = 0; i < n; i++) {
		after += (double)v[i] * v[i];
		p->gone += v[i] == 0;
	}
	p->numbers += n;
	p->squares += before;
	p->lost += before - after;
}
