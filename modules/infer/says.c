/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf.h"
#include "modules/infer/says.h"

#include <math.h>

#define FIELD_MAX	((size_t)64 << 20)

void
says_words(struct arena *a, struct view text, struct reader_words *w)
{
	size_t at = 0;

	*w = (struct reader_words){ .text = text };
	w->from = arena_array(a, text.n / 2 + 2, sizeof(*w->from));
	w->to = arena_array(a, text.n / 2 + 2, sizeof(*w->to));
	while (at < text.n) {
		size_t from = at;

		while (at < text.n && strchr(" \t\r\n", text.p[at]) == NULL)
			at++;
		if (at > from) {
			w->from[w->n] = (uint32_t)from;
			w->to[w->n++] = (uint32_t)at;
		}
		at += at < text.n;
	}
}

void
says_rows(const struct says *s, struct arena *a, struct said *x)
{
	enum head_kind kind = s->model->w.shape.head.kind;
	int32_t *word = arena_array(a, x->x.n + 1, sizeof(*word));

	x->row = arena_array(a, x->x.n + 1, sizeof(*x->row));
	x->word = arena_array(a, x->x.n + 1, sizeof(*x->word));
	x->nrows = 0;
	if (kind == HEAD_CLASSES || kind == HEAD_EMBED) {
		x->nrows = 1;
		return;
	}
	if (kind == HEAD_TAGS)
		reader_first(&x->words, &x->x, word);
	for (size_t i = 0; i < x->x.n; i++) {
		if (kind == HEAD_TAGS ? word[i] < 0 : x->x.id[i] !=
		    s->reader->mask)
			continue;
		x->word[x->nrows] = word[i];
		x->row[x->nrows++] = i;
	}
}

size_t
says_width(const struct says *s)
{
	const struct weights *w = &s->model->w;

	return w->shape.head.kind == HEAD_EMBED ? w->shape.C :
	    weights_head_rows(w);
}

/* likely - y becomes probabilities that add up to 1; the likeliest */
static size_t
likely(real *y, size_t n)
{
	double sum = 0, max;
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = y[i] > y[best] ? i : best;
	max = (double)y[best];
	for (size_t i = 0; i < n; i++)
		sum += exp((double)y[i] - max);
	for (size_t i = 0; i < n; i++)
		y[i] = (real)(exp((double)y[i] - max) / sum);
	return best;
}

static void
put_number(struct buf *b, real x)
{
	buf_printf(b, "%.6g", (double)x);
}

/* put_scores - an object with each label's */
static void
put_scores(const struct says *s, struct arena *a, struct said *x,
    const real *y)
{
	const struct shape_head *h = &s->model->w.shape.head;
	struct buf *b = buf_new(a, FIELD_MAX);

	for (size_t i = 0; i < h->labels; i++) {
		buf_char(b, i == 0 ? '{' : ',');
		buf_view(b, s->names.json[i]);
		buf_char(b, ':');
		put_number(b, y[i]);
	}
	buf_char(b, '}');
	rec_set_raw(a, x->rec, "scores", buf_get(b));
}

/* put_many - the labels that are likelier than not */
static void
put_many(const struct says *s, struct arena *a, struct said *x, real *y,
    const char *into)
{
	const struct shape_head *h = &s->model->w.shape.head;
	struct buf *b = buf_new(a, FIELD_MAX);
	bool any = false;

	buf_char(b, '[');
	for (size_t i = 0; i < h->labels; i++) {
		y[i] = (real)(1 / (1 + exp(-(double)y[i])));
		if (y[i] < (real)0.5)
			continue;
		buf_str(b, any ? "," : "");
		buf_view(b, s->names.json[i]);
		any = true;
	}
	buf_char(b, ']');
	rec_set_raw(a, x->rec, into, buf_get(b));
	put_scores(s, a, x, y);
}

static void
put_numbers(struct arena *a, struct said *x, const real *y, size_t n,
    const char *into)
{
	struct buf *b = buf_new(a, FIELD_MAX);

	for (size_t i = 0; i < n; i++) {
		buf_char(b, i == 0 ? '[' : ',');
		put_number(b, y[i]);
	}
	buf_char(b, ']');
	rec_set_raw(a, x->rec, into, buf_get(b));
}

static void
put_classes(const struct says *s, struct arena *a, struct said *x, real *y)
{
	const struct shape_head *h = &s->model->w.shape.head;
	const char *into = s->into != NULL ? s->into : "label";
	struct buf *b = buf_new(a, FIELD_MAX);
	size_t best;

	if (h->problem == PROBLEM_MANY) {
		put_many(s, a, x, y, into);
		return;
	}
	if (h->problem == PROBLEM_NUMBERS && h->labels > 1) {
		put_numbers(a, x, y, h->labels, into);
		return;
	}
	if (h->problem == PROBLEM_NUMBERS) {
		put_number(b, y[0]);
		rec_set_raw(a, x->rec, into, buf_get(b));
		return;
	}
	best = likely(y, h->labels);
	rec_set_raw(a, x->rec, into, s->names.json[best]);
	put_scores(s, a, x, y);
}

/* put_tags - one for each word; a word that lost its tokens has null */
static void
put_tags(const struct says *s, struct arena *a, struct said *x, real *y)
{
	const struct shape_head *h = &s->model->w.shape.head;
	struct buf *b = buf_new(a, FIELD_MAX), *words = buf_new(a, FIELD_MAX);
	size_t n = 0;

	for (size_t i = 0; i < x->words.n; i++) {
		buf_char(b, i == 0 ? '[' : ',');
		if (n < x->nrows && (size_t)x->word[n] == i) {
			buf_view(b, s->names.json[likely(y + n * h->labels,
			    h->labels)]);
			n++;
		} else
			buf_str(b, "null");
		buf_char(words, i == 0 ? '[' : ',');
		buf_json(words, (struct view){ x->words.text.p +
		    x->words.from[i], x->words.to[i] - x->words.from[i] });
	}
	buf_str(b, x->words.n == 0 ? "[]" : "]");
	buf_str(words, x->words.n == 0 ? "[]" : "]");
	rec_set_raw(a, x->rec, "tokens", buf_get(words));
	rec_set_raw(a, x->rec, s->into != NULL ? s->into : "tags", buf_get(b));
}

static void
put_embedding(const struct says *s, struct arena *a, struct said *x, real *y)
{
	size_t C = s->model->w.shape.C;
	double sum = 0;

	for (size_t i = 0; i < C; i++)
		sum += (double)y[i] * (double)y[i];
	for (size_t i = 0; s->model->w.shape.head.normalize && i < C; i++)
		y[i] = (real)((double)y[i] / fmax(sqrt(sum), 1e-12));
	put_numbers(a, x, y, C, s->into != NULL ? s->into : "embedding");
}

/* put_masked - for each mask the likeliest word, and how likely it is */
static void
put_masked(const struct says *s, struct arena *a, struct said *x, real *y)
{
	size_t V = s->model->w.shape.V;
	struct buf *b = buf_new(a, FIELD_MAX), *p = buf_new(a, FIELD_MAX);
	struct buf *word = buf_new(a, FIELD_MAX);
	uint32_t id;

	for (size_t i = 0; i < x->nrows; i++, y += V) {
		id = (uint32_t)likely(y, V);
		word->n = 0;
		(void)hf_decode(s->reader->hf, &id, 1, 0, word);
		buf_char(b, i == 0 ? '[' : ',');
		buf_json(b, buf_get(word));
		buf_char(p, i == 0 ? '[' : ',');
		put_number(p, y[id]);
	}
	buf_char(b, ']');
	buf_char(p, ']');
	rec_set_raw(a, x->rec, s->into != NULL ? s->into : "words",
	    buf_get(b));
	rec_set_raw(a, x->rec, "scores", buf_get(p));
}

void
says_put(const struct says *s, struct arena *a, struct said *x, real *y)
{
	for (size_t i = 0; i < x->nrows * says_width(s); i++)
		if (!isfinite((double)y[i])) {
			rec_fail(a, x->rec, "the model says what is no "
			    "number");
			return;
		}
	switch (s->model->w.shape.head.kind) {
	case HEAD_CLASSES:
		put_classes(s, a, x, y);
		break;
	case HEAD_TAGS:
		put_tags(s, a, x, y);
		break;
	case HEAD_EMBED:
		put_embedding(s, a, x, y);
		break;
	default:
		put_masked(s, a, x, y);
	}
}
