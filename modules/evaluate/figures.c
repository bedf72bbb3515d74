/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions that are numbers, or a tag for each word.  Spearman's coefficient
 * gives equal numbers their mean rank.  Entities are what CoNLL's script finds
 * (Tjong Kim Sang and Buchholz 2000) in tags B-X, I-X, E-X, S-X and O; of tags
 * without such a letter, a run of the same one.
 */
#include "appliance/base/base.h"
#include "modules/evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>

static const char *const number_names[] = { "pearson", "spearman",
    "mean_squared_error", "mean_absolute_error" };
static const char *const tag_names[] = { "tag_accuracy", "entity_precision",
    "entity_recall", "entity_f1" };

bool
figure_metric(int kind, const char *name)
{
	const char *const *names = kind == KIND_NUMBERS ? number_names :
	    tag_names;

	for (size_t i = 0; i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* a pair of numbers: what is right, what was answered */
struct pair {
	double label, got;
};

/* what a record's tags count */
struct tags {
	double words, right, hit, label, got;	/* hit ... : entities */
};

static bool
field_number(const struct rec *r, const char *name, double *x)
{
	struct view raw;

	return rec_raw(r, name, &raw) && json_number(raw, x) && isfinite(*x);
}

/* an entity's tag: the letter before the dash, or I, and what follows */
struct part {
	char how;
	struct view type;
};

static struct part
part_of(struct view tag)
{
	struct part p = { 'I', tag };

	if (tag.n == 1 && tag.p[0] == 'O')
		return (struct part){ 'O', { "", 0 } };
	if (tag.n > 2 && tag.p[1] == '-' && strchr("BIES", tag.p[0]) != NULL)
		p = (struct part){ tag.p[0], { tag.p + 2, tag.n - 2 } };
	return p;
}

/* begins - does an entity begin at b, behind a */
static bool
begins(struct part a, struct part b)
{
	if (b.how == 'O')
		return false;
	return b.how == 'B' || b.how == 'S' || a.how == 'O' || a.how == 'E' ||
	    a.how == 'S' || !view_eq(a.type, b.type);
}

/* ends - does one end at a, before b */
static bool
ends(struct part a, struct part b)
{
	if (a.how == 'O')
		return false;
	return a.how == 'E' || a.how == 'S' || b.how == 'O' || b.how == 'B' ||
	    b.how == 'S' || !view_eq(a.type, b.type);
}

/* entity - where the one that begins at i ends; 0: none begins there */
static size_t
entity(const struct view *tag, size_t n, size_t i)
{
	const struct part none = { 'O', { "", 0 } };
	struct part at = part_of(tag[i]), next;

	if (!begins(i == 0 ? none : part_of(tag[i - 1]), at))
		return 0;
	for (;; i++, at = next) {
		next = i + 1 < n ? part_of(tag[i + 1]) : none;
		if (ends(at, next))
			return i + 1;
	}
}

/* tags_of - a list of texts; null counts as O; else the record fails */
static bool
tags_of(struct arena *a, struct rec *r, const char *name, struct view **out,
    size_t *n)
{
	struct json_iter it;
	struct view raw, one;
	size_t cap = 0;

	*n = 0;
	*out = NULL;
	if (!rec_raw(r, name, &raw)) {
		rec_fail(a, r, "it has no '%s'", name);
		return false;
	}
	if (!json_open(&it, raw, '[')) {
		rec_fail(a, r, "'%s' is no list of tags", name);
		return false;
	}
	while (json_element(&it, &one)) {
		if (*n == cap) {
			cap = cap == 0 ? 32 : 2 * cap;
			*out = arena_grow(a, *out, *n, cap, sizeof(**out));
		}
		if (json_is_null(one))
			(*out)[*n] = VIEW("O");
		else if (!json_string(a, one, &(*out)[*n])) {
			rec_fail(a, r, "'%s' has what is no tag", name);
			return false;
		}
		++*n;
	}
	return true;
}

static bool
tags_record(struct arena *a, struct rec *r, const struct evaluate_conf *c,
    struct tags *t)
{
	struct view *label, *got;
	size_t n, m;

	*t = (struct tags){ .words = 0 };
	if (!tags_of(a, r, c->label, &label, &n) ||
	    !tags_of(a, r, c->prediction, &got, &m))
		return false;
	if (n != m) {
		rec_fail(a, r, "'%s' has %zu tags, '%s' %zu", c->label, n,
		    c->prediction, m);
		return false;
	}
	t->words = (double)n;
	for (size_t i = 0; i < n; i++) {
		size_t x = entity(label, n, i), y = entity(got, n, i);

		t->right += view_eq(label[i], got[i]);
		t->label += x > 0;
		t->got += y > 0;
		t->hit += x > 0 && x == y && view_eq(part_of(label[i]).type,
		    part_of(got[i]).type);
	}
	return true;
}

bool
figure_record(struct arena *a, struct rec *r, const struct evaluate_conf *c,
    struct buf *out)
{
	struct pair p;
	struct tags t;

	if (c->kind == KIND_TAGS) {
		if (!tags_record(a, r, c, &t))
			return false;
		buf_add(out, &t, sizeof(t));
		return true;
	}
	if (!field_number(r, c->label, &p.label) || !field_number(r,
	    c->prediction, &p.got)) {
		rec_fail(a, r, "no number in '%s' or in '%s'", c->label,
		    c->prediction);
		return false;
	}
	buf_add(out, &p, sizeof(p));
	return true;
}

/* pearson - idx NULL: of all */
static double
pearson(void *arg, const uint32_t *idx, size_t n)
{
	const struct pair *v = arg, *p;
	double x = 0, y = 0, xx = 0, yy = 0, xy = 0;

	for (size_t k = 0; k < n; k++) {
		p = &v[idx == NULL ? k : idx[k]];
		x += p->label / (double)n;
		y += p->got / (double)n;
	}
	for (size_t k = 0; k < n; k++) {
		p = &v[idx == NULL ? k : idx[k]];
		xx += (p->label - x) * (p->label - x);
		yy += (p->got - y) * (p->got - y);
		xy += (p->label - x) * (p->got - y);
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

struct ranked {
	double x;
	size_t i;
};

static int
ranked_cmp(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;

	return a->x != b->x ? (a->x > b->x) - (a->x < b->x) :
	    (a->i > b->i) - (a->i < b->i);
}

/* what the ranks of a resample are made of: each number's place among the
 * distinct ones of its side, and room */
struct places {
	uint32_t *place[2];		/* of labels, of what was answered */
	size_t distinct[2];
	double *rank;			/* room, of each distinct one */
	struct pair *pair;		/* room */
};

static void
places_of(struct arena *a, const struct pair *v, size_t n, struct places *p)
{
	struct ranked *r = arena_array(a, n + 1, sizeof(*r));
	size_t d;

	p->rank = arena_array(a, n + 1, sizeof(*p->rank));
	p->pair = arena_array(a, n + 1, sizeof(*p->pair));
	for (size_t side = 0; side < 2; side++) {
		p->place[side] = arena_array(a, n + 1, sizeof(uint32_t));
		for (size_t i = 0; i < n; i++)
			r[i] = (struct ranked){ side == 0 ? v[i].label :
			    v[i].got, i };
		qsort(r, n, sizeof(*r), ranked_cmp);
		d = 0;
		for (size_t i = 0; i < n; i++) {
			d += i > 0 && r[i].x != r[i - 1].x;
			p->place[side][r[i].i] = (uint32_t)d;
		}
		p->distinct[side] = d + 1;
	}
}

/* spearman - ranks are those within the resample, equal ones their mean */
static double
spearman(void *arg, const uint32_t *idx, size_t n)
{
	struct places *p = arg;
	double before, count;

	for (size_t side = 0; side < 2; side++) {
		const uint32_t *place = p->place[side];

		memset(p->rank, 0, p->distinct[side] * sizeof(*p->rank));
		for (size_t k = 0; k < n; k++)
			p->rank[place[idx == NULL ? k : idx[k]]]++;
		before = 0;
		for (size_t d = 0; d < p->distinct[side]; d++) {
			count = p->rank[d];
			p->rank[d] = before + (count - 1) / 2;
			before += count;
		}
		for (size_t k = 0; k < n; k++)
			*(side == 0 ? &p->pair[k].label : &p->pair[k].got) =
			    p->rank[place[idx == NULL ? k : idx[k]]];
	}
	return pearson(p->pair, NULL, n);
}

/* correlation - with its bootstrapped interval */
static void
correlation(struct arena *a, const struct evaluate_conf *c, const char *name,
    double (*fn)(void *, const uint32_t *, size_t), void *arg, size_t n,
    struct metrics *m)
{
	double lo, hi;

	interval_bootstrap(a, n, (size_t)c->resamples, (uint64_t)c->seed, fn,
	    arg, &lo, &hi);
	metric_add(m, name, fn(arg, NULL, n), lo, hi);
}

static void
number_metrics(struct arena *a, const struct evaluate_conf *c,
    const struct pair *v, size_t n, struct metrics *m)
{
	struct places p;
	double *x = arena_array(a, n, sizeof(*x));
	double *one = arena_array(a, n, sizeof(*one));

	correlation(a, c, number_names[0], pearson, (void *)v, n, m);
	places_of(a, v, n, &p);
	correlation(a, c, number_names[1], spearman, &p, n, m);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < n; i++) {
			double off = v[i].got - v[i].label;

			x[i] = k == 0 ? off * off : fabs(off);
			one[i] = 1;
		}
		metric_ratio(m, number_names[2 + k], x, one, n, NULL);
	}
}

static void
tag_metrics(struct arena *a, const struct tags *v, size_t n,
    struct metrics *m)
{
	double *x = arena_array(a, n, sizeof(*x));
	double *y = arena_array(a, n, sizeof(*y));

	for (size_t k = 0; k < BASE_COUNT(tag_names); k++) {
		for (size_t i = 0; i < n; i++) {
			x[i] = k == 0 ? v[i].right : k == 3 ? 2 * v[i].hit :
			    v[i].hit;
			y[i] = k == 0 ? v[i].words : k == 1 ? v[i].got :
			    k == 2 ? v[i].label : v[i].label + v[i].got;
		}
		metric_ratio(m, tag_names[k], x, y, n, NULL);
	}
}

void
figure_metrics(struct arena *a, const struct evaluate_conf *c,
    struct view items, struct metrics *m)
{
	if (c->kind == KIND_TAGS)
		tag_metrics(a, (const void *)items.p, items.n /
		    sizeof(struct tags), m);
	else
		number_metrics(a, c, (const void *)items.p, items.n /
		    sizeof(struct pair), m);
}

size_t
figure_size(int kind)
{
	return kind == KIND_TAGS ? sizeof(struct tags) : sizeof(struct pair);
}
