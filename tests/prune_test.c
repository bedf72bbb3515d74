/* SPDX-License-Identifier: Apache-2.0 */
/* prune_test - which weights go: against sorting them, on odd shapes */
#include "appliance/base/base.h"
#include "appliance/model/prune.h"
#include "tests/tap.h"

#include <math.h>

#define MOST	(64 * 96)

static uint32_t drawn = 1;

/* draw - a few values often, so that equals are met, and both signs */
static float
draw(int how)
{
	drawn = drawn * 1664525 + 1013904223;
	if (how == 0)
		return (float)(int32_t)drawn / 2147483648.0f;
	return (float)(int)(drawn >> 24) / (how == 1 ? 32.0f : 4096.0f) -
	    (how == 1 ? 4.0f : 0);
}

struct one {
	float counts;
	size_t at;
};

static int
by_counts(const void *v, const void *w)
{
	const struct one *a = v, *b = w;

	if (a->counts != b->counts)
		return a->counts < b->counts ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* plain_cut - the first of a sorted list go; v[n] lie `step` apart */
static void
plain_cut(float *v, size_t n, size_t step, const float *length, size_t gone)
{
	struct one *x = mem_alloc(n * sizeof(*x));

	for (size_t i = 0; i < n; i++)
		x[i] = (struct one){ fabsf(v[i * step]) * (length == NULL ? 1 :
		    length[i]), i };
	qsort(x, n, sizeof(*x), by_counts);
	for (size_t i = 0; i < gone; i++)
		v[x[i].at * step] = 0;
	mem_free(x);
}

/* plain - the same as prune_tensor, in file order [outputs, inputs] */
static void
plain(const struct prune *p, const struct prune_matrix *m, float *v)
{
	size_t all = m->rows * m->cols;

	if (p->of == 0 && m->length == NULL) {
		plain_cut(v, all, 1, NULL, (size_t)(p->part * (double)all));
		return;
	}
	for (size_t r = 0; r < m->rows; r++)
		for (size_t c = 0; c < m->cols; c += p->of > 0 ? p->of :
		    m->cols)
			plain_cut(v + r * m->cols + c, p->of > 0 ? p->of :
			    m->cols, 1, m->length == NULL ? NULL : m->length +
			    c, p->of > 0 ? p->of - p->keep :
			    (size_t)(p->part * (double)m->cols));
}

static void
turn(const float *v, size_t rows, size_t cols, float *out)
{
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c++)
			out[c * rows + r] = v[r * cols + c];
}

/* one_case - ours on a matrix and on the same one turned, beside the plain */
static bool
one_case(struct prune *p, size_t rows, size_t cols, bool lengths, int how)
{
	static float v[MOST], w[MOST], t[MOST], back[MOST], length[96];
	struct prune_matrix m = { .fd = 5, .at = 64, .rows = rows,
	    .cols = cols, .length = lengths ? length : NULL };
	struct tensor x = { .fd = 5, .data = 40, .from = 24 };
	uint64_t zeros = 0;

	for (size_t i = 0; i < cols; i++)
		length[i] = fabsf(draw(how)) + 0.01f;
	for (size_t i = 0; i < rows * cols; i++)
		v[i] = w[i] = draw(how);
	turn(v, rows, cols, t);
	p->v = &m;
	p->n = 1;
	p->gone = p->numbers = 0;
	if (!prune_takes(p, &x))
		return false;
	prune_tensor(p, &x, v);
	plain(p, &m, w);
	for (size_t i = 0; i < rows * cols; i++)
		zeros += v[i] == 0;
	if (memcmp(v, w, rows * cols * sizeof(*v)) != 0 || zeros != p->gone ||
	    p->numbers != rows * cols)
		return false;
	/* a whole matrix turned has its equals in another order */
	if (p->of == 0 && !lengths && how != 0)
		return true;
	x.change = TENSOR_TURNED;
	m.turned = false;
	prune_tensor(p, &x, t);
	turn(t, cols, rows, back);
	return memcmp(back, w, rows * cols * sizeof(*v)) == 0;
}

static void
test_cuts(void)
{
	static const char *const words[] = { "0.5", "0.01", "0.3", "0.99",
	    "2:4", "1:4", "4:8", "1:2" };
	static const size_t shape[][2] = { { 1, 8 }, { 3, 16 }, { 7, 32 },
	    { 64, 96 }, { 5, 8 } };
	struct prune p;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(words); i++) {
		size_t right = 0, all = 0;

		if (prune_parse(words[i], &p, &e) == -1)
			break;
		for (size_t k = 0; k < BASE_COUNT(shape); k++)
			for (int how = 0; how < 3; how++)
				for (int lengths = 0; lengths < 2; lengths++) {
					all++;
					right += one_case(&p, shape[k][0],
					    shape[k][1], lengths, how);
				}
		tap(all == 30 && right == all, "prune=%s: as by sorting in "
		    "%zu of %zu cases", words[i], right, all);
	}
}

static void
test_words(void)
{
	static const char *const bad[] = { "", "0", "1", "1.5", "-0.5",
	    "half", "2:2", "4:2", "0:4", "2:", ":4", "2:4:8", "1:65",
	    "0.5x", "nan" };
	struct prune p;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(bad); i++)
		tap(prune_parse(bad[i], &p, &e) == -1 && e.fate == FATE_USAGE,
		    "'%s' is refused", bad[i]);
	tap(prune_parse("2:4", &p, &e) == 0 && p.keep == 2 && p.of == 4 &&
	    p.part == 0, "2:4: two of four stay");
}

static void
test_takes(void)
{
	struct prune_matrix m[] = { { .fd = 3, .at = 100 }, { .fd = 3,
	    .at = 200 }, { .fd = 4, .at = 100 } };
	struct prune p = { .v = m, .n = 3 };

	tap(prune_takes(&p, &(struct tensor){ .fd = 4, .data = 60,
	    .from = 40 }), "a tensor is known by its place");
	tap(!prune_takes(&p, &(struct tensor){ .fd = 4, .data = 100,
	    .from = 100 }), "and another is not");
	tap(!prune_takes(&(struct prune){ .n = 0 }, &(struct tensor){
	    .fd = 4 }), "nor any of no matrices");
}

int
main(void)
{
	test_cuts();
	test_words();
	test_takes();
	return tap_done();
}
