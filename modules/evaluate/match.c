/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions beside labels.  Exact match and F1 of tokens as SQuAD 2.0 has
 * them (Rajpurkar et al. 2018): lower case, without ASCII punctuation and the
 * articles a, an, the; the best of several labels counts.  Macro F1 is the mean
 * over all classes that occur as label or prediction.
 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "appliance/text/words.h"
#include "modules/evaluate/evaluate.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define CLASSES	4096		/* most for macro F1 */
#define LABELS	64		/* most for one record */

static const char *const names[] = { "accuracy", "macro_f1", "exact_match",
    "token_f1" };

bool
match_metric(const char *name)
{
	for (size_t i = 0; i < BASE_COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool
is_article(struct view w)
{
	return view_is(w, "a") || view_is(w, "an") || view_is(w, "the");
}

static int
word_cmp(const void *va, const void *vb)
{
	const struct view *a = va, *b = vb;

	return view_cmp(*a, *b);
}

/* normal_words - the words of an answer, in their order */
static void
normal_words(struct arena *a, struct view text, struct spans *w)
{
	char *out = arena_alloc(a, text.n * 2 + 4);
	size_t n, len = 0, kept = 0;

	for (size_t i = 0; i < text.n; i += n) {
		uint32_t c = utf8_get(text.p + i, &n);

		if (c >= 0x80 || !ispunct((int)c))
			len += utf8_put(utf8_fold(c), out + len);
	}
	text_words(a, (struct view){ out, len }, w);
	for (size_t i = 0; i < w->n; i++)
		if (!is_article(w->v[i]))
			w->v[kept++] = w->v[i];
	w->n = kept;
}

static bool
words_same(const struct spans *a, const struct spans *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!view_eq(a->v[i], b->v[i]))
			return false;
	return true;
}

/* words_f1 - of two bags of words; sorts them */
static double
words_f1(struct spans *a, struct spans *b)
{
	size_t i = 0, k = 0, common = 0;
	int c;

	if (a->n == 0 || b->n == 0)
		return a->n == b->n;
	qsort(a->v, a->n, sizeof(*a->v), word_cmp);
	qsort(b->v, b->n, sizeof(*b->v), word_cmp);
	while (i < a->n && k < b->n) {
		c = view_cmp(a->v[i], b->v[k]);
		common += c == 0;
		i += c <= 0;
		k += c >= 0;
	}
	return 2 * (double)common / (double)(a->n + b->n);
}

static struct view
trimmed(struct view v)
{
	while (v.n > 0 && isspace((unsigned char)v.p[v.n - 1]))
		v.n--;
	while (v.n > 0 && isspace((unsigned char)*v.p)) {
		v.p++;
		v.n--;
	}
	return v;
}

/* one_text - a string's text, or a number or a boolean as it is written */
static bool
one_text(struct arena *a, struct view raw, struct view *text)
{
	if (!json_string(a, raw, text)) {
		if (raw.n == 0 || *raw.p == '{' || *raw.p == '[' ||
		    json_is_null(raw))
			return false;
		*text = raw;
	}
	*text = trimmed(*text);
	return true;
}

/* labels - one or several */
static size_t
labels(struct arena *a, struct view raw, struct view *out)
{
	struct json_iter it;
	struct view one;
	size_t n = 0;

	if (one_text(a, raw, &out[0]))
		return 1;
	if (!json_open(&it, raw, '['))
		return 0;
	while (n < LABELS && json_element(&it, &one) &&
	    one_text(a, one, &out[n]))
		n++;
	return n;
}

/* compare - one prediction with all labels */
static void
compare(struct arena *a, struct view got, const struct view *label, size_t n,
    uint8_t *right, uint8_t *exact, float *f1)
{
	struct spans g, l;
	double x;

	*right = *exact = 0;
	*f1 = 0;
	for (size_t i = 0; i < n; i++) {
		normal_words(a, got, &g);
		normal_words(a, label[i], &l);
		*right |= view_eq(got, label[i]);
		*exact |= words_same(&g, &l);
		x = words_f1(&g, &l);
		*f1 = (float)x > *f1 ? (float)x : *f1;
	}
}

bool
match_record(struct arena *a, struct rec *r, const struct evaluate_conf *c,
    struct match *m)
{
	struct view raw, label[LABELS], got, rival;
	size_t n;

	memset(m, 0, sizeof(*m));
	if (!rec_raw(r, c->label, &raw) || (n = labels(a, raw, label)) == 0) {
		rec_fail(a, r, "no label in '%s'", c->label);
		return false;
	}
	if (!rec_raw(r, c->prediction, &raw) || !one_text(a, raw, &got)) {
		rec_fail(a, r, "no prediction in '%s'", c->prediction);
		return false;
	}
	if (c->rival != NULL && (!rec_raw(r, c->rival, &raw) ||
	    !one_text(a, raw, &rival))) {
		rec_fail(a, r, "no prediction in '%s'", c->rival);
		return false;
	}
	m->many = n > 1;
	m->label = XXH3_64bits(label[0].p, label[0].n);
	m->got = XXH3_64bits(got.p, got.n);
	compare(a, got, label, n, &m->right, &m->exact, &m->f1);
	if (c->rival != NULL) {
		m->rival = XXH3_64bits(rival.p, rival.n);
		compare(a, rival, label, n, &m->rival_right, &m->rival_exact,
		    &m->rival_f1);
	}
	return true;
}

/* the classes of all items as small numbers */
struct classes {
	uint32_t *label, *got;
	uint32_t *hit, *labels, *gots;	/* a resample's counts */
	size_t n;
};

static int
u64_cmp(const void *va, const void *vb)
{
	uint64_t a = *(const uint64_t *)va, b = *(const uint64_t *)vb;

	return (a > b) - (a < b);
}

/* class_of - the place of a hash among the sorted distinct ones */
static uint32_t
class_of(const uint64_t *all, size_t n, uint64_t h)
{
	const uint64_t *at = bsearch(&h, all, n, sizeof(*all), u64_cmp);

	return (uint32_t)(at - all);
}

/* classes_open - false if there are too many to be classes */
static bool
classes_open(struct classes *c, struct arena *a, const struct match *v,
    size_t n, bool rival)
{
	uint64_t *all = arena_array(a, 2 * n + 1, sizeof(*all));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].many)
			return false;
		all[2 * i] = v[i].label;
		all[2 * i + 1] = rival ? v[i].rival : v[i].got;
	}
	qsort(all, 2 * n, sizeof(*all), u64_cmp);
	for (size_t i = 0; i < 2 * n; i++)
		if (i == 0 || all[i] != all[i - 1])
			all[kept++] = all[i];
	if (kept > CLASSES)
		return false;
	c->n = kept;
	c->label = arena_array(a, n, sizeof(uint32_t));
	c->got = arena_array(a, n, sizeof(uint32_t));
	c->hit = arena_array(a, kept, sizeof(uint32_t));
	c->labels = arena_array(a, kept, sizeof(uint32_t));
	c->gots = arena_array(a, kept, sizeof(uint32_t));
	for (size_t i = 0; i < n; i++) {
		c->label[i] = class_of(all, kept, v[i].label);
		c->got[i] = class_of(all, kept, rival ? v[i].rival :
		    v[i].got);
	}
	return true;
}

/* macro_f1 - idx NULL: of all items */
static double
macro_f1(void *arg, const uint32_t *idx, size_t n)
{
	struct classes *c = arg;
	double sum = 0;
	size_t seen = 0;

	memset(c->hit, 0, c->n * sizeof(*c->hit));
	memset(c->labels, 0, c->n * sizeof(*c->labels));
	memset(c->gots, 0, c->n * sizeof(*c->gots));
	for (size_t k = 0; k < n; k++) {
		size_t i = idx == NULL ? k : idx[k];

		c->labels[c->label[i]]++;
		c->gots[c->got[i]]++;
		c->hit[c->label[i]] += c->label[i] == c->got[i];
	}
	for (size_t i = 0; i < c->n; i++) {
		double all = (double)c->labels[i] + (double)c->gots[i];

		seen += all > 0;
		sum += all > 0 ? 2 * (double)c->hit[i] / all : 0;
	}
	return seen == 0 ? NAN : sum / (double)seen;
}

/* mean_f1 - of tokens, for resampling */
static double
mean_f1(void *arg, const uint32_t *idx, size_t n)
{
	const struct match *v = arg;
	double sum = 0;

	for (size_t k = 0; k < n; k++)
		sum += (double)v[idx == NULL ? k : idx[k]].f1;
	return sum / (double)n;
}

/* part - accuracy or exact match, with the rival's */
static void
part(struct metrics *m, const char *name, size_t k, size_t rival, size_t n,
    bool base)
{
	struct metric *one;
	double lo, hi;

	interval_wilson((double)k, (double)n, &lo, &hi);
	one = metric_add(m, name, (double)k / (double)n, lo, hi);
	if (base)
		one->base = (double)rival / (double)n;
}

/* differences - each record's with the rival, paired */
static void
differences(struct arena *a, const struct match *v, size_t n,
    struct metrics *m)
{
	static const char *const what[] = { "accuracy_difference",
	    "exact_match_difference", "token_f1_difference" };
	double *d = arena_array(a, n, sizeof(*d)), lo, hi, sum;
	double *one = arena_array(a, n, sizeof(*one));

	for (size_t k = 0; k < 3; k++) {
		sum = 0;
		for (size_t i = 0; i < n; i++) {
			d[i] = k == 0 ? v[i].right - v[i].rival_right :
			    k == 1 ? v[i].exact - v[i].rival_exact :
			    (double)v[i].f1 - (double)v[i].rival_f1;
			one[i] = 1;
			sum += d[i];
		}
		interval_ratio(d, one, n, &lo, &hi);
		metric_add(m, what[k], sum / (double)n, lo, hi);
	}
}

void
match_metrics(struct arena *a, const struct evaluate_conf *c,
    const struct match *v, size_t n, struct metrics *m)
{
	size_t right = 0, exact = 0, rright = 0, rexact = 0;
	size_t times = (size_t)c->resamples;
	uint64_t seed = (uint64_t)c->seed;
	struct classes k;
	struct metric *one;
	double lo, hi, rival = 0;

	for (size_t i = 0; i < n; i++) {
		right += v[i].right;
		exact += v[i].exact;
		rright += v[i].rival_right;
		rexact += v[i].rival_exact;
		rival += (double)v[i].rival_f1;
	}
	part(m, names[0], right, rright, n, c->rival != NULL);
	if (classes_open(&k, a, v, n, false)) {
		interval_bootstrap(a, n, times, seed, macro_f1, &k, &lo, &hi);
		one = metric_add(m, names[1], macro_f1(&k, NULL, n), lo, hi);
		if (c->rival != NULL && classes_open(&k, a, v, n, true))
			one->base = macro_f1(&k, NULL, n);
	}
	part(m, names[2], exact, rexact, n, c->rival != NULL);
	interval_bootstrap(a, n, times, seed, mean_f1, (void *)v, &lo, &hi);
	one = metric_add(m, names[3], mean_f1((void *)v, NULL, n), lo, hi);
	if (c->rival != NULL) {
		one->base = rival / (double)n;
		differences(a, v, n, m);
	}
}
