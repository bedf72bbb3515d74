/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/space.h"

#include <math.h>
#include <stdlib.h>

#define CELLS_MAX	((uint64_t)1 << 40)

static bool
is_number(const struct opt *o)
{
	return o->type == OPT_FLOAT || o->type == OPT_INT;
}

/* value_check - would the option take it */
static int
value_check(struct arena *a, const struct opt *o, const char *text,
    struct err *e)
{
	/* room for the one member that it would set */
	void *conf = arena_alloc(a, o->offset + 64);

	return opt_set(o, conf, a, o->name, text, e);
}

/* range_parts - what stands behind a range: log, points */
static int
range_parts(struct axis *x, const char *s, struct err *e)
{
	char *end;

	while (*s == ':') {
		size_t n = strcspn(++s, ":");

		if (n == 3 && strncmp(s, "log", 3) == 0) {
			x->log = true;
			s += n;
			continue;
		}
		x->points = strtoll(s, &end, 10);
		if (end != s + n || x->points < 1 || x->points > 1000000)
			return err_set(e, FATE_REJECT, "'%.*s' is neither log "
			    "nor a number of points", (int)n, s);
		s += n;
	}
	return 0;
}

/* range_read - LOW..HIGH[:log][:POINTS] */
static int
range_read(struct arena *a, struct axis *x, const char *s, const char *dots,
    struct err *e)
{
	const char *high = dots + 2, *rest = high + strcspn(high, ":");
	const char *end[2] = { arena_strn(a, s, (size_t)(dots - s)),
	    arena_strn(a, high, (size_t)(rest - high)) };

	if (!is_number(x->opt))
		return err_set(e, FATE_REJECT, "it has no range: A/B/C are "
		    "choices");
	for (int i = 0; i < 2; i++)
		if (value_check(a, x->opt, end[i], e) == -1)
			return -1;
	x->whole = x->opt->type == OPT_INT;
	x->low = strtod(end[0], NULL);
	x->high = strtod(end[1], NULL);
	if (range_parts(x, rest, e) == -1)
		return -1;
	if (!(x->low < x->high))
		return err_set(e, FATE_REJECT, "%s is not below %s", end[0],
		    end[1]);
	if (x->log && x->low <= 0)
		return err_set(e, FATE_REJECT, "%s has no logarithm", end[0]);
	return 0;
}

static int
words_read(struct arena *a, struct axis *x, const char *s, struct err *e)
{
	size_t n;

	for (; ; s += n + 1) {
		n = strcspn(s, "/");
		x->word = arena_grow(a, x->word, x->n, x->n + 1,
		    sizeof(*x->word));
		x->word[x->n] = arena_strn(a, s, n);
		if (value_check(a, x->opt, x->word[x->n++], e) == -1)
			return -1;
		if (s[n] == '\0')
			return 0;
	}
}

static int
axis_read(struct arena *a, const struct opt *opts, struct axis *x,
    const char *s, struct err *e)
{
	const char *colon = strchr(s, ':'), *dots, *name;

	if (colon == NULL || colon == s || colon[1] == '\0')
		return err_set(e, FATE_REJECT, "'%s' is neither "
		    "NAME:LOW..HIGH nor NAME:A/B/C", s);
	name = arena_strn(a, s, (size_t)(colon - s));
	x->opt = opt_find(opts, name);
	if (x->opt == NULL) {
		dots = opt_nearest(opts, name);
		return err_set(e, FATE_REJECT, "there is no option '%s'%s%s",
		    name, dots == NULL ? "" : "; is it ", dots == NULL ? "" :
		    dots);
	}
	if (!is_number(x->opt) && x->opt->type != OPT_BOOL &&
	    x->opt->type != OPT_ENUM)
		return err_set(e, FATE_REJECT, "'%s' is neither a number nor "
		    "a word of a few", name);
	dots = strstr(colon + 1, "..");
	if ((dots != NULL ? range_read(a, x, colon + 1, dots, e) :
	    words_read(a, x, colon + 1, e)) == -1)
		return err_prefix(e, "'%s': ", s);
	return 0;
}

int
space_read(struct arena *a, const struct opt *opts, const struct opt_list *l,
    struct space *s, struct err *e)
{
	*s = (struct space){ arena_array(a, l->n + 1, sizeof(*s->v)), 0 };
	if (l->n > SPACE_AXES)
		return err_set(e, FATE_REJECT, "%zu options are more than %d",
		    l->n, SPACE_AXES);
	for (; s->n < l->n; s->n++) {
		if (axis_read(a, opts, &s->v[s->n], l->v[s->n], e) == -1)
			return -1;
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].opt == s->v[s->n].opt)
				return err_set(e, FATE_REJECT, "'%s' is there "
				    "twice", s->v[i].opt->name);
	}
	return 0;
}

void
axis_ends(const struct axis *x, double *low, double *high)
{
	double half = x->whole ? 0.5 : 0;

	*low = x->log ? log(x->low - half) : x->low - half;
	*high = x->log ? log(x->high + half) : x->high + half;
}

double
axis_back(const struct axis *x, double t)
{
	double v = x->log ? exp(t) : t;

	/* + 0: there is one zero only, so that places can be compared */
	v = x->whole ? round(v) + 0.0 : v;
	return fmin(fmax(v, x->low), x->high);
}

double
axis_at(const struct axis *x, double u)
{
	double low, high;

	if (x->n > 0)
		return fmin(floor(u * (double)x->n), (double)(x->n - 1));
	axis_ends(x, &low, &high);
	return axis_back(x, low + u * (high - low));
}

const char *
axis_text(struct arena *a, const struct axis *x, double v)
{
	if (x->n > 0)
		return x->word[(size_t)v];
	return arena_printf(a, x->whole ? "%.0f" : "%.6g", v);
}

double
axis_snap(const struct axis *x, double v)
{
	char text[64];

	if (x->n > 0 || x->whole)
		return v;
	snprintf(text, sizeof(text), "%.6g", v);
	return strtod(text, NULL);
}

/* axis_points - of a grid: choices, what is said, or all whole numbers */
static uint64_t
axis_points(const struct axis *x)
{
	uint64_t all = x->whole ? (uint64_t)(x->high - x->low) + 1 : 0;

	if (x->n > 0)
		return x->n;
	if (x->points == 0)
		return x->log ? 0 : all;
	return x->whole && (uint64_t)x->points > all ? all :
	    (uint64_t)x->points;
}

uint64_t
space_cells(const struct space *s)
{
	uint64_t n = 1;

	for (size_t i = 0; i < s->n && n > 0; i++) {
		uint64_t each = axis_points(&s->v[i]);

		n = each > CELLS_MAX / n ? CELLS_MAX : n * each;
	}
	return n;
}

/* axis_point - the i-th of n, both ends among them */
static double
axis_point(const struct axis *x, uint64_t i, uint64_t n)
{
	double low = x->log ? log(x->low) : x->low;
	double high = x->log ? log(x->high) : x->high;
	double part = n > 1 ? (double)i / (double)(n - 1) : 0;

	return x->n > 0 ? (double)i : axis_snap(x, axis_back(x, low + part *
	    (high - low)));
}

void
space_cell(const struct space *s, uint64_t i, double *x)
{
	for (size_t k = s->n; k > 0; k--) {
		uint64_t n = axis_points(&s->v[k - 1]);

		x[k - 1] = axis_point(&s->v[k - 1], i % n, n);
		i /= n;
	}
}
