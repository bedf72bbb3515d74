/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings are collected as they come, (term, chunk, times), and sorted by term
 * when a segment is written: within a term they are in order already.  A word
 * is stemmed when it is first seen; from then on it names its term.
 */
#include "appliance/base/base.h"
#include "appliance/index/build.h"
#include "appliance/index/chunk.h"
#include "appliance/index/write.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>

struct posting {
	uint32_t term, chunk, tf;
};

struct word {				/* a surface form or a stem */
	uint64_t hash;
	uint32_t at, len;		/* in `letters` */
	uint32_t term;			/* a surface's; a stem's is its place */
};

struct vocab {
	struct word *v;
	size_t n, cap;
	uint32_t *slot;			/* 1 + place in v; 0 empty */
	size_t mask;
};

struct held {				/* a document until it is written */
	struct build_doc d;
	size_t first, chunks;
};

struct build {
	struct arena *arena, *docs;
	struct stemmer *stemmer;
	size_t per, overlap;
	struct vocab surface, stem;
	struct buf letters;
	uint32_t *last;			/* of each term: 1 + its last posting */
	size_t lasts;
	struct posting *post;
	size_t npost, post_cap;
	struct segment_chunk *chunk;
	size_t nchunks, chunk_cap;
	struct held *held;
	size_t nheld, held_cap;
};

static void
words_clear(struct vocab *w)
{
	mem_free(w->v);
	mem_free(w->slot);
	*w = (struct vocab){ NULL, 0, 0, NULL, 0 };
}

static void
build_clear(struct build *b)
{
	words_clear(&b->surface);
	words_clear(&b->stem);
	b->letters.n = 0;
	b->npost = b->nchunks = b->nheld = 0;
	arena_reset(b->docs);
}

static void
build_close(void *arg)
{
	struct build *b = arg;

	build_clear(b);
	buf_free(&b->letters);
	mem_free(b->last);
	mem_free(b->post);
	mem_free(b->chunk);
	mem_free(b->held);
	arena_free(b->docs);
}

struct build *
build_open(struct arena *a, const char *stem, size_t words, size_t overlap,
    struct err *e)
{
	struct build *b = arena_alloc(a, sizeof(*b));

	b->arena = a;
	b->docs = arena_new();
	b->per = words;
	b->overlap = overlap;
	buf_init(&b->letters, UINT32_MAX);
	arena_defer(a, build_close, b);
	return stemmer_open(a, stem, &b->stemmer, e) == -1 ? NULL : b;
}

/* room - one more place in a table that doubles */
static void *
room(void *v, size_t n, size_t *cap, size_t each)
{
	if (n < *cap)
		return v;
	*cap = *cap == 0 ? 1024 : *cap * 2;
	return mem_grow(v, *cap * each);
}

/* words_grow - twice as many slots */
static void
words_grow(struct vocab *w)
{
	size_t size = w->slot == NULL ? 4096 : (w->mask + 1) * 2, i;

	mem_free(w->slot);
	w->slot = mem_alloc(size * sizeof(*w->slot));
	memset(w->slot, 0, size * sizeof(*w->slot));
	w->mask = size - 1;
	for (size_t k = 0; k < w->n; k++) {
		for (i = w->v[k].hash & w->mask; w->slot[i] != 0;
		    i = (i + 1) & w->mask)
			;
		w->slot[i] = (uint32_t)k + 1;
	}
}

/* words_get - the place of a word, made if it is new */
static uint32_t
words_get(struct build *b, struct vocab *w, struct view text, bool *new)
{
	uint64_t h = XXH3_64bits(text.p, text.n);
	size_t i;

	if (w->slot == NULL || w->n * 2 > w->mask)
		words_grow(w);
	for (i = h & w->mask; w->slot[i] != 0; i = (i + 1) & w->mask) {
		struct word *one = &w->v[w->slot[i] - 1];

		if (one->hash == h && one->len == text.n &&
		    memcmp(b->letters.p + one->at, text.p, text.n) == 0) {
			*new = false;
			return w->slot[i] - 1;
		}
	}
	w->v = room(w->v, w->n, &w->cap, sizeof(*w->v));
	w->v[w->n] = (struct word){ h, (uint32_t)b->letters.n,
	    (uint32_t)text.n, 0 };
	buf_view(&b->letters, text);
	w->slot[i] = (uint32_t)++w->n;
	*new = true;
	return (uint32_t)w->n - 1;
}

/* term_of - a surface form's term */
static uint32_t
term_of(struct build *b, struct view surface)
{
	bool new, fresh;
	uint32_t at = words_get(b, &b->surface, surface, &new), term;

	if (!new)
		return b->surface.v[at].term;
	term = words_get(b, &b->stem, stemmer_word(b->stemmer, surface),
	    &fresh);
	if (fresh) {
		b->last = room(b->last, term, &b->lasts, sizeof(*b->last));
		b->last[term] = 0;
	}
	b->surface.v[at].term = term;
	return term;
}

/* add_words - a text's words to the chunk being made; how many */
static uint32_t
add_words(struct build *b, struct view text)
{
	uint32_t n = 0, term, chunk = (uint32_t)b->nchunks;
	struct analyse w;

	analyse_begin(&w, text);
	for (; analyse_next(&w); n++) {
		term = term_of(b, (struct view){ w.word, w.n });
		if (b->last[term] > 0 &&
		    b->post[b->last[term] - 1].chunk == chunk) {
			b->post[b->last[term] - 1].tf++;
			continue;
		}
		b->post = room(b->post, b->npost, &b->post_cap,
		    sizeof(*b->post));
		b->post[b->npost++] = (struct posting){ term, chunk, 1 };
		b->last[term] = (uint32_t)b->npost;
	}
	return n;
}

uint32_t
build_doc(struct build *b, const struct build_doc *d)
{
	struct arena *a = arena_new();
	struct chunk *c;
	struct held *h;
	size_t n = chunk_text(a, d->text, b->per, b->overlap, &c);
	uint32_t words;

	b->held = room(b->held, b->nheld, &b->held_cap, sizeof(*b->held));
	h = &b->held[b->nheld];
	h->d = *d;
	h->d.id = view_keep(b->docs, d->id);
	h->d.source = view_keep(b->docs, d->source);
	h->d.text = view_keep(b->docs, d->text);
	h->first = b->nchunks;
	h->chunks = n;
	for (size_t i = 0; i < n; i++) {
		words = add_words(b, d->title) + add_words(b, (struct view){
		    d->text.p + c[i].begin, c[i].end - c[i].begin });
		b->chunk = room(b->chunk, b->nchunks, &b->chunk_cap,
		    sizeof(*b->chunk));
		b->chunk[b->nchunks++] = (struct segment_chunk){
		    (uint32_t)b->nheld, (uint32_t)c[i].begin,
		    (uint32_t)c[i].end, words };
	}
	arena_free(a);
	return (uint32_t)b->nheld++;
}

size_t
build_size(const struct build *b)
{
	return b->npost * sizeof(*b->post) * 2 + arena_size(b->docs) +
	    b->letters.n + (b->surface.n + b->stem.n) * 40;
}

uint32_t
build_docs(const struct build *b)
{
	return (uint32_t)b->nheld;
}

static struct view
term_word(const struct build *b, uint32_t term)
{
	const struct word *w = &b->stem.v[term];

	return (struct view){ b->letters.p + w->at, w->len };
}

/* term_cmp - for qsort_r: terms by their letters */
static int
term_cmp(const void *va, const void *vb, void *build)
{
	return view_cmp(term_word(build, *(const uint32_t *)va),
	    term_word(build, *(const uint32_t *)vb));
}

/* write_docs - documents and chunks */
static int
write_docs(struct build *b, struct segment_write *w, struct err *e)
{
	for (size_t i = 0; i < b->nheld; i++) {
		const struct held *h = &b->held[i];
		struct segment_doc d = { .offset = h->d.offset };

		memcpy(d.hash, h->d.hash, sizeof(d.hash));
		if (write_doc(w, &d, h->d.text, h->d.id, h->d.source,
		    e) == -1)
			return -1;
		for (size_t k = h->first; k < h->first + h->chunks; k++)
			write_chunk(w, b->chunk[k].begin, b->chunk[k].end,
			    b->chunk[k].length);
	}
	return write_terms(w, e);
}

/* write_all - terms in order, each with its postings */
static int
write_all(struct build *b, struct arena *a, struct segment_write *w,
    struct err *e)
{
	size_t n = b->stem.n;
	uint32_t *order = arena_array(a, n + 1, sizeof(*order));
	uint64_t *begin = arena_array(a, n + 2, sizeof(*begin));
	struct posting *sorted = mem_alloc((b->npost + 1) * sizeof(*sorted));
	int rc = 0;

	arena_defer(a, mem_free, sorted);
	for (size_t i = 0; i < b->npost; i++)
		begin[b->post[i].term + 1]++;
	for (size_t i = 0; i < n; i++)
		begin[i + 1] += begin[i];
	for (size_t i = 0; i < b->npost; i++)
		sorted[begin[b->post[i].term]++] = b->post[i];
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	if (n > 1)
		qsort_r(order, n, sizeof(*order), term_cmp, b);
	for (size_t i = 0; i < n && rc == 0; i++) {
		/* begin has moved on to the end of each term */
		uint64_t from = order[i] == 0 ? 0 : begin[order[i] - 1];

		write_term(w, term_word(b, order[i]));
		for (uint64_t k = from; k < begin[order[i]] && rc == 0; k++)
			rc = write_posting(w, sorted[k].chunk, sorted[k].tf,
			    e);
	}
	return rc;
}

int
build_write(struct build *b, int fd, struct err *e)
{
	struct arena *a = arena_new();
	struct segment_write w;
	int rc;

	write_open(&w, fd);
	rc = write_docs(b, &w, e);
	if (rc == 0)
		rc = write_all(b, a, &w, e);
	if (rc == 0)
		rc = write_close(&w, e);
	write_abandon(&w);
	arena_free(a);
	build_clear(b);
	return rc;
}
