/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "tests/golden.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define CASES	100

double
golden_stream(const char *name, size_t i)
{
	uint64_t z = 0xcbf29ce484222325;

	for (const char *p = name; *p != '\0'; p++)
		z = (z ^ (unsigned char)*p) * 0x100000001b3;
	z = (z + i + 1) * 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return ldexp((double)(z >> 11), -52) - 1;
}

static bool
shapes_equal(struct arena *a, const struct shape *p, const struct shape *q)
{
	struct shape x = *p, y = *q;
	struct label_names xs, ys;
	bool names = x.head.labels == y.head.labels;

	head_names(&x.head, a, &xs);
	head_names(&y.head, a, &ys);
	for (size_t i = 0; names && i < xs.n; i++)
		names = view_eq(xs.json[i], ys.json[i]);
	x.source = y.source = x.head.names = y.head.names =
	    (struct view){ NULL, 0 };
	return names && memcmp(&x, &y, sizeof(x)) == 0;
}

int
golden_shape(struct arena *a, int dir, struct shape *to, const char **want,
    struct err *e)
{
	struct view old, new, numbers;
	struct shape later, ours;
	struct buf *out = buf_new(a, 1 << 16);

	if (file_read(a, dir, "config.json", 1 << 16, &old, e) == -1 ||
	    file_read(a, dir, "config5.json", 1 << 16, &new, e) == -1 ||
	    file_read(a, dir, "want", 1 << 20, &numbers, e) == -1 ||
	    shape_parse(old, to, e) == -1 || shape_parse(new, &later, e) == -1)
		return -1;
	shape_print(&later, out);
	if (shape_parse(buf_get(out), &ours, e) == -1)
		return err_prefix(e, "ours: ");
	*want = numbers.p;
	return shapes_equal(a, to, &later) && shapes_equal(a, to, &ours) ? 0 :
	    err_set(e, FATE_REJECT, "they differ");
}

void
golden_fill(struct arena *a, const struct weights *w, const char *want,
    struct golden *g)
{
	g->want = want;
	g->piece = weights_pieces(a, w, &g->n);
	g->run = arena_array(a, w->all, sizeof(*g->run));
	for (size_t i = 0; i < g->n; i++) {
		const struct piece *p = &g->piece[i];
		size_t rows = p->rows == 0 ? 1 : p->rows, n = strlen(p->name);
		bool one = p->rows == 0 && n > 7 &&
		    strcmp(p->name + n - 7, ".weight") == 0;

		for (size_t r = 0; r < rows; r++)
			for (size_t c = 0; c < p->cols; c++)
				g->run[p->at + r * p->cols + c] = (real)(one +
				    p->less_one + 0.25 * golden_stream(p->name,
				    piece_place(p, r, c)));
	}
}

/* golden_apart - two numbers and what is wanted, by the norm */
static double
golden_apart(const struct golden *g, double norm, double projection,
    const double want[2])
{
	double off = fabs(norm - want[0]) > fabs(projection - want[1]) ?
	    fabs(norm - want[0]) : fabs(projection - want[1]);

	return off == off ? off / (want[0] + g->floor) : HUGE_VAL;
}

/* largest - the longest row's length: a number by itself may be nearly 0, what
 * was summed up for it is not */
static double
largest(const struct golden *g)
{
	double most = 0, x;

	for (const char *p = g->want; (p = strstr(p, "\nrow ")) != NULL; p++)
		if (sscanf(p + 5, "%lf", &x) == 1 && x > most)
			most = x;
	return most;
}

double
golden_rows(const struct golden *g, const real *x, size_t n, size_t width)
{
	const char *p = g->want;
	double worst = 0, want[2], off, least = width == 1 ? largest(g) : 0;

	for (size_t r = 0; r < n; r++, x += width) {
		double norm = 0, projection = 0;

		p = strstr(p, "\nrow ");
		if (p == NULL || sscanf(p + 5, "%lf %lf", &want[0],
		    &want[1]) != 2)
			return HUGE_VAL;
		p += 5;
		for (size_t i = 0; i < width; i++) {
			norm += (double)x[i] * (double)x[i];
			projection += (double)x[i] * golden_stream("row", i);
		}
		off = golden_apart(g, sqrt(norm), projection, want);
		if (want[0] < least)
			off *= want[0] / least;
		worst = off > worst ? off : worst;
	}
	return strstr(p, "\nrow ") == NULL ? worst : HUGE_VAL;
}

/* golden_grad - a tensor's gradient */
static double
golden_grad(const struct golden *g, const struct piece *p, const real *grad,
    const double want[2])
{
	size_t rows = p->rows == 0 ? 1 : p->rows;
	double norm = 0, projection = 0, x;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++) {
			x = (double)grad[p->at + r * p->cols + c];
			norm += x * x;
			projection += x * golden_stream(p->name,
			    piece_place(p, r, c));
		}
	return golden_apart(g, sqrt(norm), projection, want);
}

double
golden_grads(struct arena *a, const struct golden *g, const real *grad,
    const char **which)
{
	const char *p = g->want;
	const char *worst_name = "";
	double worst = 0, want[2], off;
	char name[160];
	size_t n = 0;

	while ((p = strstr(p, "\ngrad ")) != NULL) {
		const struct piece *q = NULL;

		p += 6;
		if (sscanf(p, "%159s %lf %lf", name, &want[0], &want[1]) != 3)
			return HUGE_VAL;
		for (size_t i = 0; i < g->n; i++)
			if (strcmp(g->piece[i].name, name) == 0)
				q = &g->piece[i];
		*which = arena_str(a, name);
		if (q == NULL)
			return HUGE_VAL;
		off = golden_grad(g, q, grad, want);
		if (off > worst)
			worst_name = q->name;
		worst = off > worst ? off : worst;
		n++;
	}
	*which = worst_name;
	return n == g->n ? worst : HUGE_VAL;
}

/* angle - from number `at` on */
static double
angle(const real *x, const real *y, size_t at, size_t n)
{
	double xx = 0, yy = 0, xy = 0, c;

	for (size_t i = at; i < at + n; i++) {
		xx += (double)x[i] * (double)x[i];
		yy += (double)y[i] * (double)y[i];
		xy += (double)x[i] * (double)y[i];
	}
	c = sqrt(xx) < 1e-4 ? 1 : xy / sqrt(xx * yy);
	return c == c ? 1 - c : 2;
}

void
golden_angles(const struct weights *w, const real *x, const real *y,
    double *all, double *worst)
{
	*all = angle(x, y, 0, w->all);
	*worst = 0;
	for (size_t i = 0; i < w->n; i++)
		*worst = fmax(*worst, angle(x, y, w->v[i].at, w->v[i].rows *
		    w->v[i].cols));
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t
golden_each(const char *where, const char *only, void (*test)
    (const char *name, int dir, struct device *const device[2]))
{
	const char *src = getenv("srcdir"), *name[CASES];
	struct arena *a = arena_new();
	struct device *device[2];
	struct err e = { .text = "" };
	struct dirent *entry;
	size_t n = 0, done = 0;
	DIR *all;
	int dir;

	device[0] = device_open(a, "ref", 1, &e);
	device[1] = device_open(a, "cpu", 2, &e);
	if (device[0] == NULL || device[1] == NULL)
		panic("%s", e.text);
	all = opendir(arena_printf(a, "%s/tests/golden/%s", src == NULL ? "." :
	    src, where));
	while (all != NULL && (entry = readdir(all)) != NULL && n < CASES)
		if (entry->d_name[0] != '.')
			name[n++] = arena_str(a, entry->d_name);
	if (n == CASES)
		panic("more than %d cases", CASES - 1);
	qsort(name, n, sizeof(*name), by_name);
	for (size_t i = 0; i < n; i++) {
		if (only != NULL && strcmp(only, name[i]) != 0)
			continue;
		dir = openat(dirfd(all), name[i], O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
		test(name[i], dir, device);
		close(dir);
		done++;
	}
	if (all != NULL)
		closedir(all);
	arena_free(a);
	return done;
}
