/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting words.  A run in the file is, for each word, u32 bytes, i64 count
 * and the bytes; it is read back by this process only.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/learn_count.h"
#include "appliance/text/learn_share.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define BLOCK		((size_t)1 << 14)
#define OUT		((size_t)1 << 18)
#define HEAD		(sizeof(uint32_t) + sizeof(int64_t))
#define SLOTS		((size_t)1 << 10)

/*
 * A word of up to SHORT bytes is its own key, with its length in the last byte;
 * a longer one lies elsewhere, and LONG is in that byte.
 */
#define SHORT		15
#define LONG		0xff

struct slot {
	union {
		char in[SHORT + 1];
		struct {
			const char *p;
			uint32_t n;
			uint16_t tag;	/* of the hash's other bits */
			uint8_t none, mark;
		} out;
		uint64_t key[2];
	};
	int64_t count;			/* 0: free */
};
_Static_assert(sizeof(struct slot) == 24, "mark lies on the last byte");

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct run {
	off_t from, to;
};

struct sorted {
	uint64_t front;			/* the first eight bytes, as a number */
	const struct slot *slot;
};

struct learn_count {
	struct slot *slot;
	size_t mask, n;
	struct block *block;
	size_t bytes, memory;		/* of blocks; before a run is written */
	int file;
	struct run *run;
	size_t nruns;
	off_t end;			/* of the file */
	struct sorted *sorted;		/* after the merge has begun */
};

/* count_close - the arena's closer */
static void
count_close(void *arg)
{
	struct learn_count *c = arg;
	struct block *b;

	while ((b = c->block) != NULL) {
		c->block = b->next;
		mem_free(b);
	}
	mem_free(c->slot);
	mem_free(c->run);
	mem_free(c->sorted);
}

struct learn_count *
learn_count_new(struct arena *a, size_t memory, int file)
{
	struct learn_count *c = arena_alloc(a, sizeof(*c));

	c->memory = memory;
	c->file = file;
	c->mask = SLOTS - 1;
	c->slot = mem_alloc(SLOTS * sizeof(*c->slot));
	arena_defer(a, count_close, c);
	return c;
}

size_t
learn_count_runs(const struct learn_count *c)
{
	return c->nruns;
}

/* count_keep - a word's bytes, for as long as the table has them */
static const char *
count_keep(struct learn_count *c, struct view v)
{
	struct block *b = c->block;
	size_t size;

	if (b == NULL || b->size - b->used < v.n) {
		size = v.n > BLOCK ? v.n : BLOCK;
		b = mem_alloc(sizeof(*b) + size);
		b->size = size;
		b->next = c->block;
		c->block = b;
		c->bytes += size;
	}
	memcpy(b->bytes + b->used, v.p, v.n);
	b->used += v.n;
	return b->bytes + b->used - v.n;
}

/* slot_word - the word of a slot, which has the bytes of a short one */
static struct view
slot_word(const struct slot *s)
{
	if (s->out.mark != LONG)
		return (struct view){ s->in, (unsigned char)s->in[SHORT] };
	return (struct view){ s->out.p, s->out.n };
}

/* slot_hash - of a short word's key */
static uint64_t
slot_hash(const struct slot *s)
{
	uint64_t h = s->key[0] * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32 ^ s->key[1]) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

/* count_grow - twice as many slots */
static void
count_grow(struct learn_count *c)
{
	struct slot *old = c->slot;
	size_t size = c->mask + 1, i;
	struct view w;

	c->mask = size * 2 - 1;
	c->slot = mem_alloc(size * 2 * sizeof(*c->slot));
	for (size_t k = 0; k < size; k++) {
		if (old[k].count == 0)
			continue;
		w = slot_word(&old[k]);
		i = (w.n <= SHORT ? slot_hash(&old[k]) :
		    XXH3_64bits(w.p, w.n)) & c->mask;
		while (c->slot[i].count != 0)
			i = (i + 1) & c->mask;
		c->slot[i] = old[k];
	}
	mem_free(old);
}

/* sorted_cmp - by bytes; words of one table are never the same */
static int
sorted_cmp(const void *va, const void *vb)
{
	const struct sorted *a = va, *b = vb;

	if (a->front != b->front)
		return a->front < b->front ? -1 : 1;
	return view_cmp(slot_word(a->slot), slot_word(b->slot));
}

/* count_sort - the table's words in order */
static void
count_sort(struct learn_count *c)
{
	size_t k = 0;

	mem_free(c->sorted);
	c->sorted = mem_alloc((c->n + 1) * sizeof(*c->sorted));
	for (size_t i = 0; i <= c->mask; i++) {
		unsigned char front[8] = { 0 };
		struct view w = slot_word(&c->slot[i]);
		uint64_t x = 0;

		if (c->slot[i].count == 0)
			continue;
		memcpy(front, w.p, w.n < 8 ? w.n : 8);
		for (int b = 0; b < 8; b++)
			x = x << 8 | front[b];
		c->sorted[k++] = (struct sorted){ x, &c->slot[i] };
	}
	qsort(c->sorted, c->n, sizeof(*c->sorted), sorted_cmp);
}

/* count_put - what is in the buffer to the end of the file */
static int
count_put(struct learn_count *c, struct buf *b, struct err *e)
{
	if (lseek(c->file, c->end, SEEK_SET) == -1 ||
	    file_put(c->file, b->p, b->n) == -1)
		return err_errno(e, "cannot write a run of words");
	c->end += (off_t)b->n;
	b->n = 0;
	return 0;
}

/* count_spill - the table becomes a run in the file */
static int
count_spill(struct learn_count *c, struct err *e)
{
	struct buf b;
	off_t from = c->end;
	int rc = 0;

	count_sort(c);
	buf_init(&b, (size_t)UINT32_MAX);
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		const struct slot *s = c->sorted[i].slot;
		struct view w = slot_word(s);
		uint32_t len = (uint32_t)w.n;

		buf_add(&b, &len, sizeof(len));
		buf_add(&b, &s->count, sizeof(s->count));
		buf_view(&b, w);
		if (b.n >= OUT)
			rc = count_put(c, &b, e);
	}
	if (rc == 0)
		rc = count_put(c, &b, e);
	buf_free(&b);
	if (rc == -1)
		return -1;
	if ((c->nruns & (c->nruns + 1)) == 0)
		c->run = mem_grow(c->run, (c->nruns * 2 + 1) *
		    sizeof(*c->run));
	c->run[c->nruns++] = (struct run){ from, c->end };
	for (struct block *k; (k = c->block) != NULL; ) {
		c->block = k->next;
		mem_free(k);
	}
	mem_free(c->slot);
	c->bytes = c->n = 0;
	c->mask = SLOTS - 1;
	c->slot = mem_alloc(SLOTS * sizeof(*c->slot));
	return 0;
}

/* count_new - a word that is not there yet, in a free slot */
static int
count_new(struct learn_count *c, struct slot *s, struct slot word,
    struct view v, struct err *e)
{
	*s = word;
	if (v.n > SHORT)
		s->out.p = count_keep(c, v);
	s->count = 1;
	c->n++;
	if (c->bytes + (c->mask + 1) * sizeof(*s) > c->memory)
		return count_spill(c, e);
	if (c->n * 2 > c->mask)
		count_grow(c);
	return 0;
}

/* count_long - one more word, which is longer than SHORT */
static int
count_long(struct learn_count *c, struct view v, struct err *e)
{
	uint64_t h = XXH3_64bits(v.p, v.n);
	struct slot word = { .out = { NULL, (uint32_t)v.n,
	    (uint16_t)(h >> 48), 0, LONG } }, *s;

	for (size_t i = h & c->mask; ; i = (i + 1) & c->mask) {
		s = &c->slot[i];
		if (s->count == 0)
			return count_new(c, s, word, v, e);
		if (s->key[1] == word.key[1] &&
		    memcmp(s->out.p, v.p, v.n) == 0) {
			s->count++;
			return 0;
		}
	}
}

int
learn_count_add(struct learn_count *c, struct view v, struct err *e)
{
	struct slot word = { .in = { 0 } }, *s;

	if (v.n > SHORT)
		return count_long(c, v, e);
	memcpy(word.in, v.p, v.n);
	word.in[SHORT] = (char)v.n;
	for (size_t i = slot_hash(&word) & c->mask; ; i = (i + 1) & c->mask) {
		s = &c->slot[i];
		if (s->count == 0)
			return count_new(c, s, word, v, e);
		if (s->key[0] == word.key[0] && s->key[1] == word.key[1]) {
			s->count++;
			return 0;
		}
	}
}

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
		w = slot_word(s->next->slot);
		s->word = (struct learn_word){ w.p, (uint32_t)w.n,
		    s->next->slot->count };
		s->next++;
		return 1;
	}
	if (s->read == s->b.n && s->at == s->to)
		return 0;
	if (source_fill(s, HEAD, chunk, e) == -1)
		return -1;
	memcpy(&s->word.n, s->b.p + s->read, sizeof(s->word.n));
	memcpy(&s->word.count, s->b.p + s->read + sizeof(s->word.n),
	    sizeof(s->word.count));
	s->read += HEAD;
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
	*chunk = memory / all < 4096 ? 4096 : memory / all > OUT ? OUT :
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
		count_sort(c[from]);
}

int
learn_count_merge(struct arena *a, struct learn_count **c, size_t n,
    struct learn_words *words, struct err *e)
{
	struct arena *here = arena_new();
	struct learn_word *last;
	struct source **heap;
	size_t cap = 0, chunk;
	ssize_t k;
	int rc;

	*words = (struct learn_words){ 0 };
	learn_share((int)n, n, 1, sort_share, c);
	k = sources_open(here, c, n, &heap, &chunk, e);
	for (ssize_t i = k / 2 - 1; i >= 0; i--)
		sources_sift(heap, (size_t)k, (size_t)i);
	while (k > 0) {
		struct source *s = heap[0];

		last = words->n == 0 ? NULL : &words->v[words->n - 1];
		if (last != NULL && word_cmp(last, &s->word) == 0)
			last->count += s->word.count;
		else {
			if (words->n == cap) {
				cap = cap == 0 ? 4096 : cap * 2;
				words->v = mem_grow(words->v,
				    cap * sizeof(*words->v));
			}
			last = &words->v[words->n++];
			*last = s->word;
			if (s->b.max != 0)
				last->p = view_keep(a, (struct view){
				    s->word.p, s->word.n }).p;
		}
		rc = source_next(s, chunk, e);
		if (rc == -1)
			k = -1;
		else {
			if (rc == 0)
				heap[0] = heap[--k];
			sources_sift(heap, (size_t)k, 0);
		}
	}
	if (words->v != NULL)
		arena_defer(a, mem_free, words->v);
	arena_free(here);
	return k == -1 ? -1 : 0;
}
