/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Term at a time: each posting adds to its passage's sum, in the order of the
 * question's words, so that a sum does not depend on how segments were made.
 */
#include "appliance/base/base.h"
#include "appliance/index/index.h"

#include <math.h>
#include <stdlib.h>

struct ask {				/* a word of the question */
	struct view word;
	unsigned times;
};

struct search {
	const struct index *x;
	struct stemmer *stemmer;
	struct arena *arena;		/* of one question */
	double **sum;			/* of each segment's chunks */
	struct ask *ask;
	size_t nasks;
};

static void
search_close(void *arg)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->x->nsegs; i++)
		mem_free(s->sum[i]);
	arena_free(s->arena);
}

struct search *
search_open(struct arena *a, const struct index *x, struct err *e)
{
	struct search *s = arena_alloc(a, sizeof(*s));

	s->x = x;
	if (stemmer_open(a, x->stem, &s->stemmer, e) == -1)
		return NULL;
	s->arena = arena_new();
	s->sum = arena_array(a, x->nsegs, sizeof(*s->sum));
	for (size_t i = 0; i < x->nsegs; i++) {
		size_t n = x->seg[i].foot.chunks;

		s->sum[i] = mem_alloc((n + 1) * sizeof(double));
		memset(s->sum[i], 0, (n + 1) * sizeof(double));
	}
	arena_defer(a, search_close, s);
	return s;
}

/* ask_add - a word, or once more one that was there */
static void
ask_add(struct search *s, struct view word)
{
	for (size_t i = 0; i < s->nasks; i++)
		if (view_eq(s->ask[i].word, word)) {
			s->ask[i].times++;
			return;
		}
	if ((s->nasks & (s->nasks - 1)) == 0)
		s->ask = arena_grow(s->arena, s->ask, s->nasks,
		    s->nasks == 0 ? 1 : s->nasks * 2, sizeof(*s->ask));
	s->ask[s->nasks++] = (struct ask){ view_keep(s->arena, word), 1 };
}

/* live_df - how many living passages have the term */
static uint64_t
live_df(const struct segment *s, int64_t term)
{
	struct postings o;
	uint64_t n = 0;

	if (term == -1)
		return 0;
	if (s->dead == NULL)
		return s->term[term].df;
	postings_open(&o, s, (uint64_t)term);
	while (postings_next(&o))
		n += s->chunk[o.chunk].doc < s->foot.docs &&
		    !segment_dead(s, s->chunk[o.chunk].doc);
	return n;
}

struct weight {
	double idf;			/* times how often it is asked */
	double flat, slope;		/* k1 (1 - b), k1 b / L */
};

/* add_term - what a term adds to each passage of a segment */
static void
add_term(const struct segment *s, int64_t term, const struct weight *w,
    double *sum)
{
	struct postings o;

	postings_open(&o, s, (uint64_t)term);
	while (postings_next(&o)) {
		const struct segment_chunk *c = &s->chunk[o.chunk];
		double tf = o.tf;

		if (c->doc >= s->foot.docs ||
		    (s->dead != NULL && segment_dead(s, c->doc)))
			continue;
		sum[o.chunk] += w->idf * tf / (tf + w->flat + w->slope *
		    c->length);
	}
}

/* add_word - one word of the question in all segments */
static void
add_word(struct search *s, const struct ask *q)
{
	const struct index *x = s->x;
	int64_t *term = arena_array(s->arena, x->nsegs, sizeof(*term));
	struct weight w;
	uint64_t df = 0;

	for (size_t i = 0; i < x->nsegs; i++) {
		term[i] = segment_find(&x->seg[i], q->word);
		df += live_df(&x->seg[i], term[i]);
	}
	if (df == 0 || df > x->chunks)
		return;
	w.idf = log(1 + ((double)x->chunks - (double)df + 0.5) /
	    ((double)df + 0.5)) * q->times;
	w.flat = x->k1 * (1 - x->b);
	w.slope = x->k1 * x->b * (double)x->chunks / (double)x->tokens;
	for (size_t i = 0; i < x->nsegs; i++)
		if (term[i] != -1)
			add_term(&x->seg[i], term[i], &w, s->sum[i]);
}

/* hit_cmp - below 0 if a is the better one; equal scores by id and place */
static int
hit_cmp(const void *va, const void *vb)
{
	const struct hit *a = va, *b = vb;
	const struct segment_chunk *ca = &a->seg->chunk[a->chunk];
	const struct segment_chunk *cb = &b->seg->chunk[b->chunk];
	int c;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	c = view_cmp(segment_id(a->seg, ca->doc), segment_id(b->seg, cb->doc));
	return c != 0 ? c : ca->begin < cb->begin ? -1 : ca->begin > cb->begin;
}

struct best {				/* a heap, the worst on top */
	struct hit *v;
	size_t n, k;
};

static void
best_down(struct best *b, struct hit h)
{
	size_t i = 0, c;

	while ((c = 2 * i + 1) < b->n) {
		if (c + 1 < b->n && hit_cmp(&b->v[c + 1], &b->v[c]) > 0)
			c++;
		if (hit_cmp(&b->v[c], &h) <= 0)
			break;
		b->v[i] = b->v[c];
		i = c;
	}
	b->v[i] = h;
}

static void
best_add(struct best *b, struct hit h)
{
	size_t i;

	if (b->n == b->k) {
		if (h.score >= b->v[0].score && hit_cmp(&h, &b->v[0]) < 0)
			best_down(b, h);
		return;
	}
	for (i = b->n++; i > 0 && hit_cmp(&h, &b->v[(i - 1) / 2]) > 0;
	    i = (i - 1) / 2)
		b->v[i] = b->v[(i - 1) / 2];
	b->v[i] = h;
}

/* take_sums - the best of a segment; its sums are 0 again */
static void
take_sums(struct search *s, size_t i, struct best *b)
{
	const struct segment *g = &s->x->seg[i];
	double *sum = s->sum[i];

	for (uint32_t c = 0; c < g->foot.chunks; c++) {
		if (sum[c] > 0)
			best_add(b, (struct hit){ g, c, sum[c] });
		sum[c] = 0;
	}
}

/* few_each - drop what is too many of one document */
static size_t
few_each(struct hit *v, size_t n, size_t k, size_t each)
{
	size_t kept = 0;

	for (size_t i = 0; i < n && kept < k; i++) {
		size_t same = 0;

		for (size_t j = 0; j < kept; j++)
			same += v[j].seg == v[i].seg &&
			    v[j].seg->chunk[v[j].chunk].doc ==
			    v[i].seg->chunk[v[i].chunk].doc;
		if (same < each)
			v[kept++] = v[i];
	}
	return kept;
}

size_t
index_search(struct search *s, struct view question, size_t k, size_t each,
    struct hit *out)
{
	struct best b = { .k = each == 0 || k == 0 ? k : s->x->chunks };
	struct analyse w;
	size_t n;

	arena_reset(s->arena);
	s->nasks = 0;
	s->ask = NULL;
	analyse_begin(&w, question);
	while (analyse_next(&w))
		ask_add(s, stemmer_word(s->stemmer, (struct view){ w.word,
		    w.n }));
	if (s->x->tokens == 0 || b.k == 0)
		return 0;
	for (size_t i = 0; i < s->nasks; i++)
		add_word(s, &s->ask[i]);
	b.k = b.k < s->x->chunks ? b.k : s->x->chunks;
	b.v = arena_array(s->arena, b.k, sizeof(*b.v));
	for (size_t i = 0; i < s->x->nsegs; i++)
		take_sums(s, i, &b);
	if (b.n > 1)
		qsort(b.v, b.n, sizeof(*b.v), hit_cmp);
	n = each == 0 ? b.n : few_each(b.v, b.n, k, each);
	memcpy(out, b.v, n * sizeof(*out));
	return n;
}

struct view
hit_text(const struct hit *h)
{
	const struct segment_chunk *c = &h->seg->chunk[h->chunk];
	struct view v = segment_text(h->seg, c->doc);

	if (c->begin > c->end || c->end > v.n)
		return (struct view){ "", 0 };
	return (struct view){ v.p + c->begin, c->end - c->begin };
}

const struct segment_doc *
hit_doc(const struct hit *h, uint32_t *number)
{
	*number = h->seg->chunk[h->chunk].doc;
	return &h->seg->doc[*number];
}
