/* SPDX-License-Identifier: Apache-2.0 */
/* tune_test - where a search looks: spaces, Parzen estimators, rungs */
#include "appliance/base/base.h"
#include "modules/train/rungs.h"
#include "modules/train/tpe.h"
#include "tests/tap.h"

#include <math.h>

struct some {
	double lr;
	int64_t rank, big;
	bool tied;
	int kind;
	const char *name;
};

static const struct opt opts[] = {
	OPT_FLOAT(struct some, lr, "1", 0, 10, 0, ""),
	OPT_INT(struct some, rank, "1", 1, 65536, 0, ""),
	OPT_INT(struct some, big, "1", -100, 100, 0, ""),
	OPT_BOOL(struct some, tied, "yes", 0, ""),
	OPT_ENUM(struct some, kind, "a", "a|b|c", 0, ""),
	OPT_TEXT(struct some, name, "", 0, ""),
	OPT_DONE
};

/* space_of - of words between blanks; told is what is wrong */
static bool
space_of(struct arena *a, const char *words, struct space *s, struct err *e)
{
	struct opt_list l = { arena_array(a, 32, sizeof(*l.v)), 0, true };
	size_t n;

	for (; *words != '\0'; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		l.v[l.n++] = arena_strn(a, words, n);
	}
	return space_read(a, opts, &l, s, e) == 0;
}

static void
test_refused(struct arena *a)
{
	static const char *const row[][2] = {
		{ "lr", "'lr' is neither NAME:LOW..HIGH nor NAME:A/B/C" },
		{ "lr:", "'lr:' is neither NAME:LOW..HIGH nor NAME:A/B/C" },
		{ "lt:1..2", "there is no option 'lt'; is it lr" },
		{ "name:a/b", "'name' is neither a number nor a word of a "
		    "few" },
		{ "lr:1..20", "'lr:1..20': lr=: '20' is not within 0 to 10" },
		{ "lr:2..1", "'lr:2..1': 2 is not below 1" },
		{ "lr:0..1:log", "'lr:0..1:log': 0 has no logarithm" },
		{ "lr:1..2:lug", "'lr:1..2:lug': 'lug' is neither log nor a "
		    "number of points" },
		{ "lr:1..2:0", "'lr:1..2:0': '0' is neither log nor a number "
		    "of points" },
		{ "rank:1.5..2", "'rank:1.5..2': rank=: '1.5' is not a whole "
		    "number" },
		{ "kind:a/d", "'kind:a/d': kind=: 'd' is not one of a|b|c" },
		{ "kind:a..c", "'kind:a..c': it has no range: A/B/C are "
		    "choices" },
		{ "rank:4//8", "'rank:4//8': rank=: '' is not a whole "
		    "number" },
		{ "lr:1/2 lr:3/4", "'lr' is there twice" },
	};
	struct space s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(row); i++) {
		e.text[0] = '\0';
		(void)space_of(a, row[i][0], &s, &e);
		tap_str(e.text, row[i][1], row[i][0]);
	}
}

static void
test_grid(struct arena *a)
{
	static const struct {
		const char *space;
		uint64_t cells;
		const char *text;	/* of all, or of the first */
	} row[] = {
		{ "lr:0.01..1:log:3", 3, "0.01 0.1 1" },
		{ "lr:0..1:5", 5, "0 0.25 0.5 0.75 1" },
		{ "rank:4/8/16", 3, "4 8 16" },
		{ "rank:3..6", 4, "3 4 5 6" },
		{ "rank:1..100:log:3", 3, "1 10 100" },
		{ "rank:1..2:7", 2, "1 2" },
		{ "big:-1..1", 3, "-1 0 1" },
		{ "tied:yes/no kind:a/b/c", 6, "yes,a yes,b yes,c no,a no,b "
		    "no,c" },
		{ "lr:1..2", 0, "" },
	};
	double x[SPACE_AXES];
	struct space s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(row); i++) {
		struct buf *b = buf_new(a, 4096);
		uint64_t n = space_of(a, row[i].space, &s, &e) ?
		    space_cells(&s) : 99;

		for (uint64_t k = 0; k < n; k++) {
			space_cell(&s, k, x);
			for (size_t j = 0; j < s.n; j++) {
				buf_str(b, j > 0 ? "," : k > 0 ? " " : "");
				buf_str(b, axis_text(a, &s.v[j], x[j]));
			}
		}
		tap(n == row[i].cells, "%s: %llu cells", row[i].space,
		    (unsigned long long)n);
		tap_str(buf_cstr(b), row[i].text, "and these");
	}
}

/* test_even - both ends of whole numbers as often as others, all within */
static void
test_even(struct arena *a)
{
	int64_t seen[5] = { 0 }, low = 0, least, most;
	double x[2];
	struct space s;
	struct err e;

	space_of(a, "rank:4..8 lr:1e-5..1e-1:log", &s, &e);
	for (uint64_t i = 0; i < 10000; i++) {
		place_even(&s, 7, i, x);
		seen[(int)x[0] - 4]++;
		low += x[1] < 1e-3;
		if (x[1] < 1e-5 || x[1] > 1e-1)
			low = 1000000;
	}
	least = most = seen[0];
	for (int i = 1; i < 5; i++) {
		least = seen[i] < least ? seen[i] : least;
		most = seen[i] > most ? seen[i] : most;
	}
	tap(least > 1850 && most < 2150, "five numbers: %lld to %lld times "
	    "each", (long long)least, (long long)most);
	tap(low > 4800 && low < 5200, "half lie below the middle of the "
	    "logarithms: %lld", (long long)low);
}

/* densities by optuna 5.0 (tests/peer/parzen.py compares these very lines) */
static const struct {
	const char *axis;
	size_t n;
	double seen[4], at, log;
} densities[] = {
	{ "lr:0..1", 0, { 0 }, 0.25, 0.009727800491 },
	{ "lr:0..1", 1, { 0.3 }, 0.25, 0.063212738978 },
	{ "lr:0..1", 1, { 0.3 }, 1, -0.222577952399 },
	{ "lr:0..1", 4, { 0.3, 0.31, 0.9, 0.32 }, 0.32, 0.463256922633 },
	{ "lr:0..1", 4, { 0.3, 0.31, 0.9, 0.32 }, 0.7, -0.345730550608 },
	{ "lr:0..1", 3, { 0, 1, 1 }, 0.5, -0.198473535043 },
	{ "lr:1e-5..1e-1:log", 0, { 0 }, 3e-4, -2.187892824073 },
	{ "lr:1e-5..1e-1:log", 4, { 1e-3, 2e-3, 1e-5, 0.05 }, 3e-4,
	    -2.193559700373 },
	{ "lr:1e-5..1e-1:log", 2, { 1e-3, 1.1e-3 }, 0.1, -2.988705231827 },
	{ "rank:1..64", 0, { 0 }, 64, -4.239037258673 },
	{ "rank:1..64", 4, { 8, 8, 16, 64 }, 9, -3.566571017550 },
	{ "big:-50..50", 3, { -50, -49, 20 }, 0, -4.791652178238 },
	{ "rank:1..256:log", 0, { 0 }, 1, -1.781931884665 },
	{ "rank:1..256:log", 3, { 4, 4, 256 }, 5, -3.194564515577 },
	{ "rank:1..256:log", 3, { 4, 4, 256 }, 256, -7.667152752664 },
	{ "kind:a/b/c", 0, { 0 }, 2, -1.098612288668 },
	{ "kind:a/b/c", 4, { 0, 0, 1, 0 }, 0, -0.613104472886 },
	{ "kind:a/b/c", 4, { 0, 0, 1, 0 }, 2, -1.791759469228 },
};

static void
test_parzen(struct arena *a)
{
	struct space s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(densities); i++) {
		struct parzen p;
		double got;

		space_of(a, densities[i].axis, &s, &e);
		parzen_make(a, &s.v[0], densities[i].seen, densities[i].n, &p);
		got = parzen_log(&p, densities[i].at);
		tap(fabs(got - densities[i].log) < 1e-9, "%s of %zu: %.10f at "
		    "%g, Optuna has %.10f", densities[i].axis, densities[i].n,
		    got, densities[i].at, densities[i].log);
	}
}

/* functions with one best place, as losses of trainings have */
static double
bowl(const double *x)
{
	double a = log10(x[0]) + 3.2, b = log2(x[1]) - 3, c = x[2] == 1 ? 0 :
	    0.4;

	return a * a + 0.2 * b * b + c;
}

static double
bent(const double *x)			/* Branin's, its minimum 0.397887 */
{
	double u = x[0] * 1.5 - 5, v = x[1] * 1.5;
	double f = v - 5.1 / (4 * M_PI * M_PI) * u * u + 5 / M_PI * u - 6;

	return f * f + 10 * (1 - 1 / (8 * M_PI)) * cos(u) + 10;
}

/* lowest - of so many tries */
static double
lowest(const struct space *s, double f(const double *), int n, bool tpe,
    uint64_t seed)
{
	struct arena *a = arena_new();
	struct tried *v = arena_array(a, (size_t)n, sizeof(*v));
	double least = HUGE_VAL, *x;

	for (int i = 0; i < n; i++) {
		x = arena_array(a, s->n, sizeof(*x));
		if (tpe)
			place_tpe(a, s, v, (size_t)i, seed, (uint64_t)i, x);
		else
			place_even(s, seed, (uint64_t)i, x);
		v[i] = (struct tried){ x, f(x) };
		least = fmin(least, v[i].loss);
	}
	arena_free(a);
	return least;
}

/* test_tpe - on many seeds it is better than chance, by a margin, and the same
 * seed is the same search */
static void
test_tpe(struct arena *a)
{
	static const struct {
		const char *name, *space;
		double (*f)(const double *), best;
	} row[] = {
		{ "a bowl of rate, rank and word",
		    "lr:1e-6..1:log rank:1..256:log kind:a/b/c", bowl, 0 },
		{ "Branin's", "lr:0..10 big:0..10", bent, 0.397887 },
	};
	double even, tpe;
	int better;
	struct space s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(row); i++) {
		space_of(a, row[i].space, &s, &e);
		even = tpe = 0;
		better = 0;
		for (uint64_t seed = 1; seed <= 40; seed++) {
			double x = lowest(&s, row[i].f, 60, false, seed);
			double y = lowest(&s, row[i].f, 60, true, seed);

			even += x - row[i].best;
			tpe += y - row[i].best;
			better += y < x;
		}
		tap(tpe < 0.5 * even && better >= 28, "%s: %.4f above the best "
		    "place on average, by chance %.4f; better on %d seeds of "
		    "40", row[i].name, tpe / 40, even / 40, better);
		tap(lowest(&s, row[i].f, 30, true, 5) == lowest(&s, row[i].f,
		    30, true, 5), "%s: the same again", row[i].name);
	}
}

/* test_lost - places that led nowhere are shunned */
static void
test_lost(struct arena *a)
{
	struct tried v[30];
	double x[30], place;
	int low = 0;
	struct space s;
	struct err e;

	space_of(a, "lr:0..1", &s, &e);
	for (int i = 0; i < 30; i++) {
		x[i] = (i + 0.5) / 30;
		v[i] = (struct tried){ &x[i], x[i] > 0.5 ? HUGE_VAL : x[i] };
	}
	for (uint64_t i = 0; i < 100; i++) {
		place_tpe(a, &s, v, 30, i, 30, &place);
		low += place < 0.5;
	}
	tap(low >= 95, "losses without end above the middle: %d of 100 places "
	    "lie below it", low);
}

static void
test_rungs(void)
{
	static const struct {
		int64_t trials, eta;
		size_t n;
		struct rung rung[5];
	} row[] = {
		{ 27, 3, 4, { { 27, 27 }, { 9, 9 }, { 3, 3 }, { 1, 1 } } },
		{ 16, 2, 5, { { 16, 16 }, { 8, 8 }, { 4, 4 }, { 2, 2 },
		    { 1, 1 } } },
		{ 8, 3, 2, { { 8, 3 }, { 2, 1 } } },
		{ 10, 4, 2, { { 10, 4 }, { 2, 1 } } },
		{ 3, 4, 1, { { 3, 1 } } },
		{ 1, 3, 1, { { 1, 1 } } },
		{ 50, 3, 4, { { 50, 27 }, { 16, 9 }, { 5, 3 }, { 1, 1 } } },
	};
	struct rung got[RUNGS];

	for (size_t i = 0; i < BASE_COUNT(row); i++) {
		size_t n = rungs_plan(row[i].trials, row[i].eta, got);

		tap(n == row[i].n && memcmp(got, row[i].rung, n *
		    sizeof(*got)) == 0, "%lld trials, one of %lld goes on: "
		    "%zu rungs", (long long)row[i].trials,
		    (long long)row[i].eta, n);
	}
}

int
main(void)
{
	struct arena *a = arena_new();

	test_refused(a);
	test_grid(a);
	test_even(a);
	test_parzen(a);
	test_tpe(a);
	test_lost(a);
	test_rungs();
	arena_free(a);
	return tap_done();
}
