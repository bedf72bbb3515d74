/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables and runs of all threads, read side by side in the words' order.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_count_own.h"
#include "appliance/text/learn_share.h"

#include <errno.h>
#include <unistd.h>

#define AHEAD		16		/* slots that are fetched */

/* where words come from, one after the other: a table or a run */
struct source {
	struct learn_word word;
	const struct sorted *next, *end;	/* of a table */
	int file;
	off_t at, to;				/* of a run */
	struct buf b;
	size_t read;				/* in the buffer */
};

/* source_fill - n bytes of a run in the buffer */
static int
source_fill(struct source *s, size_t n, size_t chunk, struct err *e)
{
	size_t left = s->b.n - s->read, want = n > chunk ? n : chunk;
	ssize_t got;

	if (left >= n)
		return 0;
	if (left > 0)
		memmove(s->b.p, s->b.p + s->read, left);
	s->read = 0;
	s->b.n = left;
	if ((off_t)(want - left) > s->to - s->at)
		want = left + (size_t)(s->to - s->at);
	buf_reserve(&s->b, want);
	while (s->b.n < want) {
		got = pread(s->file, s->b.p + s->b.n, want - s->b.n, s->at);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_errno(e, "cannot read a run of words");
		s->b.n += (size_t)got;
		s->at += got;
	}
	return s->b.n >= n ? 0 : err_set(e, FATE_RETRY, "a run of words is "
	    "cut off");
}

/* source_next - 1 a word, 0 the end, -1 */
static int
source_next(struct source *s, size_t chunk, struct err *e)
{
	struct view w;

	if (s->b.max == 0) {
		if (s->next == s->end)
			return 0;
		if (s->next + AHEAD < s->end)
			__builtin_prefetch(s->next[AHEAD].slot);
		w = slot_word(s->next->slot);
		s->word = (struct learn_word){ w.p, (uint32_t)w.n,
		    s->next->slot->count };
		s->next++;
		return 1;
	}
	if (s->read == s->b.n && s->at == s->to)
		return 0;
	if (source_fill(s, RUN_HEAD, chunk, e) == -1)
		return -1;
	memcpy(&s->word.n, s->b.p + s->read, sizeof(s->word.n));
	memcpy(&s->word.count, s->b.p + s->read + sizeof(s->word.n),
	    sizeof(s->word.count));
	s->read += RUN_HEAD;
	if (source_fill(s, s->word.n, chunk, e) == -1)
		return -1;
	s->word.p = s->b.p + s->read;
	s->read += s->word.n;
	return 1;
}

static int
word_cmp(const struct learn_word *a, const struct learn_word *b)
{
	return view_cmp((struct view){ a->p, a->n },
	    (struct view){ b->p, b->n });
}

/* sources_sift - the source at i finds its place in the heap */
static void
sources_sift(struct source **heap, size_t n, size_t i)
{
	struct source *s;

	for (size_t k; (k = 2 * i + 1) < n; i = k) {
		if (k + 1 < n && word_cmp(&heap[k + 1]->word,
		    &heap[k]->word) < 0)
			k++;
		if (word_cmp(&heap[k]->word, &heap[i]->word) >= 0)
			break;
		s = heap[i];
		heap[i] = heap[k];
		heap[k] = s;
	}
}

/* sources_open - a source for each table and run; how many have a word, -1 */
static ssize_t
sources_open(struct arena *a, struct learn_count **c, size_t n,
    struct source ***heap, size_t *chunk, struct err *e)
{
	size_t all = n, memory = 0, k = 0;
	struct source *s;
	int rc;

	for (size_t i = 0; i < n; i++) {
		all += c[i]->nruns;
		memory += c[i]->memory;
	}
	*chunk = memory / all < 4096 ? 4096 : memory / all > RUN_OUT ? RUN_OUT :
	    memory / all;
	*heap = arena_array(a, all, sizeof(**heap));
	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; r <= c[i]->nruns; r++) {
			s = arena_alloc(a, sizeof(*s));
			s->next = c[i]->sorted;
			s->end = s->next + c[i]->n;
			if (r < c[i]->nruns) {
				s->file = c[i]->file;
				s->at = c[i]->run[r].from;
				s->to = c[i]->run[r].to;
				buf_init(&s->b, (size_t)UINT32_MAX);
				arena_defer(a, buf_free, &s->b);
			}
			rc = source_next(s, *chunk, e);
			if (rc == -1)
				return -1;
			if (rc == 1)
				(*heap)[k++] = s;
		}
	return (ssize_t)k;
}

static void
sort_share(void *arg, int thread, size_t from, size_t to)
{
	struct learn_count **c = arg;

	(void)thread;
	for (; from < to; from++)
		learn_count_sort(c[from]);
}

int
learn_count_each(struct learn_count **c, size_t n, learn_word_fn *take,
    void *arg, struct err *e)
{
	struct arena *here = arena_new();
	struct learn_word word = { 0 };
	struct buf *kept = buf_new(here, (size_t)UINT32_MAX);
	struct source **heap;
	size_t chunk;
	ssize_t k;
	int rc = 0;

	learn_share((int)n, n, 1, sort_share, c);
	k = sources_open(here, c, n, &heap, &chunk, e);
	for (ssize_t i = k / 2 - 1; i >= 0; i--)
		sources_sift(heap, (size_t)k, (size_t)i);
	while (k > 0 && rc != -1) {
		struct source *s = heap[0];

		if (word.count != 0 && word_cmp(&word, &s->word) == 0)
			word.count += s->word.count;
		else {
			if (word.count != 0)
				rc = take(arg, &word, e);
			word = s->word;
			if (s->b.max != 0) {	/* which reads over it */
				kept->n = 0;
				buf_add(kept, word.p, word.n);
				word.p = kept->p;
			}
		}
		if (rc != -1 && (rc = source_next(s, chunk, e)) == 0)
			heap[0] = heap[--k];
		if (rc != -1)
			sources_sift(heap, (size_t)k, 0);
	}
	if (k == 0 && rc != -1 && word.count != 0)
		rc = take(arg, &word, e);
	arena_free(here);
	return k == -1 || rc == -1 ? -1 : 0;
}

struct gather {
	struct arena *arena;
	struct learn_words *words;
	size_t cap;
	bool keep;
};

/* gather_word - learn_count_each's: one more of all words */
static int
gather_word(void *arg, const struct learn_word *word, struct err *e)
{
	struct gather *g = arg;
	struct learn_words *all = g->words;

	(void)e;
	if (all->n == g->cap) {
		g->cap = g->cap == 0 ? 4096 : g->cap * 2;
		all->v = mem_grow(all->v, g->cap * sizeof(*all->v));
	}
	all->v[all->n] = *word;
	if (g->keep)
		all->v[all->n].p = view_keep(g->arena, (struct view){ word->p,
		    word->n }).p;
	all->n++;
	return 0;
}

int
learn_count_merge(struct arena *a, struct learn_count **c, size_t n,
    struct learn_words *words, struct err *e)
{
	struct gather g = { .arena = a, .words = words };
	int rc;

	*words = (struct learn_words){ 0 };
	for (size_t i = 0; i < n; i++)
		g.keep = g.keep || c[i]->nruns > 0;
	rc = learn_count_each(c, n, gather_word, &g, e);
	if (words->v != NULL)
		arena_defer(a, mem_free, words->v);
	return rc;
}
